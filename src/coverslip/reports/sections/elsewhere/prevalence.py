"""Predictive values where the positive class is rarer, or more frequent, than here."""

from coverslip.evaluation import Metric, positive_class, predictive_values
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import Cell, Estimate, estimate
from coverslip.reports.words import percent

_PREVALENCES = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5)
_RANGES = (
    "Each value is followed by the range from the lower to the upper limits of the CIs of sensitivity and specificity."
)
_SAME_SHOWN = 0.0005  # shares that are so near to one another are written alike


def _text(run: ReportedRun) -> SectionText:
    name = positive_class(run.classes, run.recipe.positive_class) or ""
    scores = run.metrics.per_class[name].metrics
    sensitivity, specificity = scores["recall"], scores["specificity"]
    own = run.metrics.per_class[name].n / max(run.metrics.n, 1)
    words = (
        f"{percent(own)} of the images measured here are {name}. Predictive values depend on this proportion. "
        "Sensitivity and specificity do not, as long as the images of a class look the same.",
        f"PPV is the share of the images predicted as {name} that are. NPV is the share of the other images that are "
        "not.",
        *([_RANGES] if sensitivity.low is not None and specificity.low is not None else []),
    )
    rows: list[list[Cell]] = [
        [percent(share), *(_with_ends(sensitivity, specificity, share, which) for which in ("ppv", "npv"))]
        for share in sorted({own, *(each for each in _PREVALENCES if abs(each - own) >= _SAME_SHOWN)})
        if 0 < share < 1
    ]
    return SectionText(words, (f"proportion of {name}", "PPV", "NPV"), rows)


def _with_ends(sensitivity: Metric, specificity: Metric, share: float, which: str) -> Estimate:
    """The value, and what the ends of both intervals give."""

    def at(sensitive: float | None, specific: float | None) -> float | None:
        if sensitive is None or specific is None:
            return None
        value: float | None = getattr(predictive_values(sensitive, specific, share), which)
        return value

    low, high = at(sensitivity.low, specificity.low), at(sensitivity.high, specificity.high)
    return estimate(Metric(value=at(sensitivity.value, specificity.value), low=low, high=high))


PREVALENCE = Section(
    name="prevalence",
    title="Predictive values by class proportion",
    order=350,
    applies=lambda run: len(run.classes) == 2 and run.metrics.n > 0,
    text=_text,
)
