"""Metrics of an image-level split against a grouped split, where an inspection has measured them."""

from collections.abc import Iterator

from coverslip.evaluation import METRICS
from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Drawing, Section, SectionText
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI, count, number
from coverslip.runs import WhatIf

_CLASSIFIERS = ("instant classifier", "nearest neighbor")


def careless_words(what_if: WhatIf) -> list[str]:
    """What was measured and what it means, in plain sentences."""
    return [" ".join(_meaning(what_if)), _how(what_if)]


def _meaning(what_if: WhatIf) -> Iterator[str]:
    title, gap = METRICS[what_if.metric].title, what_if.difference
    difference = estimate(gap, is_signed=True)
    interval = f" ({CI} {difference.interval})" if difference.interval else ""
    yield (
        f"With an image-level split, which puts images of one group or duplicates in both training and test set, "
        f"{title} is {number(what_if.careless.value)}. With a grouped split it is {number(what_if.honest.value)}. The "
        f"difference is {difference.value}{interval}."
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


def _how(what_if: WhatIf) -> str:
    return (
        f"Measured on {count(what_if.n_images)} images in {count(what_if.n_units)} units (groups, sets of duplicates "
        "and single images). Both splits use the same quick classifiers on the features of a network that was not "
        "trained on these images, and each image is predicted by a classifier that was not fitted on it. A fine-tuned "
        "network can differ, and groups that were not given are not considered. No choice was based on these values."
    )


def careless_text(what_if: WhatIf) -> SectionText:
    """Return the words and the table, also for those who inspect images without a run."""
    rows = [
        (name, estimate(numbers.careless), estimate(numbers.honest), estimate(numbers.difference, is_signed=True))
        for name, numbers in zip(_CLASSIFIERS, (what_if, what_if.nearest_image), strict=True)
    ]
    columns = (f"{METRICS[what_if.metric].title} ({CI})", "image-level split", "grouped split", "difference")
    return SectionText(careless_words(what_if), columns, rows)


def _drawings(run: ReportedRun) -> list[Drawing]:
    what_if = run.what_if
    assert what_if is not None
    both, metric = (what_if, what_if.nearest_image), METRICS[what_if.metric].title
    careless, honest = [numbers.careless for numbers in both], [numbers.honest for numbers in both]
    title = f"{metric} of two quick classifiers with an image-level and a grouped split. Lines are 95% CIs."
    return [
        Drawing(
            "careless_split",
            title,
            lambda: figures.careless_split(_CLASSIFIERS, careless, honest, metric),
            lambda: figure_numbers.careless_split(_CLASSIFIERS, careless, honest),
        )
    ]


CARELESS = Section(
    name="careless_split",
    title="Leakage estimate",
    order=770,
    is_about_training=True,
    subtitle=lambda run: "image-level split against grouped split",
    applies=lambda run: run.what_if is not None,
    text=lambda run: SectionText() if run.what_if is None else careless_text(run.what_if),
    drawings=_drawings,
)
