"""Metrics of an image-level split against a grouped split, if an inspection has measured them."""

from collections.abc import Iterator

from coverslip.evaluation import METRICS
from coverslip.messages import text
from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Drawing, Section, SectionText
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI, number
from coverslip.runs import LeakageEstimate

_CLASSIFIERS = ("instant classifier", "nearest neighbor")


def leakage_sentences(leakage: LeakageEstimate) -> list[str]:
    """Return what was measured and what it means, in sentences."""
    return [
        " ".join(_meaning(leakage)),
        text("report-leakage-estimate-method", n_images=leakage.n_images, n_units=leakage.n_units),
    ]


def _meaning(leakage: LeakageEstimate) -> Iterator[str]:
    gap = leakage.difference
    difference = estimate(gap, is_signed=True)
    yield text(
        "report-leakage-estimate",
        metric=METRICS[leakage.metric].title,
        image_level=number(leakage.image_level.value),
        grouped=number(leakage.grouped.value),
        difference=difference.value + (f" ({CI} {difference.interval})" if difference.interval else ""),
    )
    if gap.low is None or gap.high is None:
        yield text("report-leakage-not-tested", reason=gap.reason or "", has_reason=bool(gap.reason))
    elif gap.low > 0:
        yield text("report-leakage-overestimates")
    elif gap.high < 0:
        yield text("report-leakage-underestimates")
    else:
        yield text("report-leakage-not-significant")


def leakage_estimate_text(leakage: LeakageEstimate) -> SectionText:
    """Return the sentences and the table, also for inspections without a run."""
    rows = [
        (name, estimate(numbers.image_level), estimate(numbers.grouped), estimate(numbers.difference, is_signed=True))
        for name, numbers in zip(_CLASSIFIERS, (leakage, leakage.nearest_image), strict=True)
    ]
    columns = (f"{METRICS[leakage.metric].title} ({CI})", "image-level split", "grouped split", "difference")
    return SectionText(leakage_sentences(leakage), columns, rows)


def _drawings(run: ReportedRun) -> list[Drawing]:
    leakage = run.leakage_estimate
    assert leakage is not None
    estimates, metric = (leakage, leakage.nearest_image), METRICS[leakage.metric].title
    image_level, grouped = [numbers.image_level for numbers in estimates], [numbers.grouped for numbers in estimates]
    title = text("report-leakage-drawing", metric=metric)
    return [
        Drawing(
            "leakage_estimate",
            title,
            lambda: figures.leakage_estimate(_CLASSIFIERS, image_level, grouped, metric),
            lambda: figure_numbers.leakage_estimate(_CLASSIFIERS, image_level, grouped),
        )
    ]


LEAKAGE_ESTIMATE = Section(
    name="leakage_estimate",
    title="Leakage estimate",
    order=770,
    is_about_training=True,
    subtitle=lambda run: "image-level split against grouped split",
    applies=lambda run: run.leakage_estimate is not None,
    text=lambda run: SectionText() if run.leakage_estimate is None else leakage_estimate_text(run.leakage_estimate),
    drawings=_drawings,
)
