"""How often answers are right where the class that is looked for is rarer, or more frequent, than here."""

from coverslip.evaluation import Metric, positive_class, predictive_values
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import number

_PREVALENCES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
_SAME_SHOWN = 0.0005  # shares that are so near to one another are written alike


def _text(run: ReportedRun) -> SectionText:
    name = positive_class(run.classes, run.recipe.positive_class) or ""
    scores = run.metrics.per_class[name].metrics
    sensitivity, specificity = scores["recall"], scores["specificity"]
    own = run.metrics.per_class[name].n / max(run.metrics.n, 1)
    words = (
        f"Of the images measured here, {own:.0%} are {name}. How often an answer is right depends on that share; "
        "sensitivity and specificity do not, as long as images of a class look the same.",
        f"PPV: of the images called {name}, the share that are. NPV: of the others, the share that are not. In "
        "brackets: what the lower and the upper ends of sensitivity and specificity give together.",
    )
    rows = [
        (f"{share:.1%}", *(_with_ends(sensitivity, specificity, share, which) for which in ("ppv", "npv")))
        for share in sorted({own, *(each for each in _PREVALENCES if abs(each - own) >= _SAME_SHOWN)})
        if 0 < share < 1
    ]
    return SectionText(words, (f"share of {name}", "PPV", "NPV"), rows)


def _with_ends(sensitivity: Metric, specificity: Metric, share: float, which: str) -> str:
    """The value, and what the ends of both intervals give."""

    def at(sensitive: float | None, specific: float | None) -> str | None:
        if sensitive is None or specific is None:
            return None
        value = getattr(predictive_values(sensitive, specific, share), which)
        return None if value is None else number(value)

    value = at(sensitivity.value, specificity.value) or "–"
    low, high = at(sensitivity.low, specificity.low), at(sensitivity.high, specificity.high)
    return value if low is None or high is None else f"{value} ({low} – {high})"


PREVALENCE = Section(
    name="prevalence",
    title="Where the class is rarer, or more frequent",
    order=350,
    applies=lambda run: len(run.classes) == 2 and run.metrics.n > 0,
    text=_text,
)
