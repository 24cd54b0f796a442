"""Metrics of an image-level split against a grouped split, where an inspection has measured them."""

from collections.abc import Iterator

from coverslip.evaluation import METRICS
from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Drawing, Section, SectionText
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI, count, number
from coverslip.runs import LeakageEstimate

_CLASSIFIERS = ("instant classifier", "nearest neighbor")


def leakage_sentences(leakage: LeakageEstimate) -> list[str]:
    """What was measured and what it means, in plain sentences."""
    return [" ".join(_meaning(leakage)), _how(leakage)]


def _meaning(leakage: LeakageEstimate) -> Iterator[str]:
    title, gap = METRICS[leakage.metric].title, leakage.difference
    difference = estimate(gap, is_signed=True)
    interval = f" ({CI} {difference.interval})" if difference.interval else ""
    yield (
        f"With an image-level split, which puts images of one group or duplicates in both training and test set, "
        f"{title} is {number(leakage.image_level.value)}. With a grouped split it is {number(leakage.grouped.value)}. "
        f"The difference is {difference.value}{interval}."
    )
    if gap.low is None or gap.high is None:
        yield f"The difference was not tested{f' ({gap.reason})' if gap.reason else ''}."
    elif gap.low > 0:
        yield (
            "An image-level split overestimates the performance on new patients, slides or fields. Report the value "
            "of the grouped split."
        )
    elif gap.high < 0:
        yield "Here the image-level split gives the lower value, which happens if groups contain few of the classes."
    else:
        yield "The difference is not statistically significant."


def _how(leakage: LeakageEstimate) -> str:
    return (
        f"Measured on {count(leakage.n_images)} images in {count(leakage.n_units)} units (groups, sets of duplicates "
        "and single images). Both splits use the same quick classifiers on the features of a network that was not "
        "trained on these images, and each image is predicted by a classifier that was not fitted on it. A fine-tuned "
        "network can differ, and groups that were not given are not considered. No choice was based on these values."
    )


def leakage_estimate_text(leakage: LeakageEstimate) -> SectionText:
    """Return the words and the table, also for those who inspect images without a run."""
    rows = [
        (name, estimate(numbers.image_level), estimate(numbers.grouped), estimate(numbers.difference, is_signed=True))
        for name, numbers in zip(_CLASSIFIERS, (leakage, leakage.nearest_image), strict=True)
    ]
    columns = (f"{METRICS[leakage.metric].title} ({CI})", "image-level split", "grouped split", "difference")
    return SectionText(leakage_sentences(leakage), columns, rows)


def _drawings(run: ReportedRun) -> list[Drawing]:
    leakage = run.leakage_estimate
    assert leakage is not None
    both, metric = (leakage, leakage.nearest_image), METRICS[leakage.metric].title
    image_level, grouped = [numbers.image_level for numbers in both], [numbers.grouped for numbers in both]
    title = f"{metric} of two quick classifiers with an image-level and a grouped split. Lines are 95% CIs."
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
