"""What a split that divides groups and copies would have reported, where an inspection has measured it."""

from collections.abc import Iterator

from coverslip.evaluation import METRICS, Metric
from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import count, number
from coverslip.runs import WhatIf

_CLASSIFIERS = ("instant classifier", "label of the nearest image")


def careless_words(what_if: WhatIf) -> list[str]:
    """What was measured and what it means, in plain sentences."""
    return [" ".join(_meaning(what_if)), _how(what_if)]


def _meaning(what_if: WhatIf) -> Iterator[str]:
    title, gap = METRICS[what_if.metric].title, what_if.difference
    interval = f"95\N{NO-BREAK SPACE}% interval of the difference {number(gap.low)} to {number(gap.high)}"
    yield (
        f"Other images of the same groups, or copies, on the training side: {title} {number(what_if.careless.value)}. "
        f"Whole groups kept aside: {number(what_if.honest.value)} ({interval})."
    )
    if gap.low is not None and gap.low > 0:
        yield (
            "A split that divides groups and copies would have promised more than holds for new patients, slides or "
            "fields. Only the lower number says what to expect of them."
        )
    elif gap.high is not None and gap.high < 0:
        yield "Here the careless number is the lower one, which happens where groups hold few of the classes."
    else:
        yield "The difference may be nothing: dividing these groups and copies would hardly have been noticed."


def _how(what_if: WhatIf) -> str:
    return (
        f"Measured on {count(what_if.n_images)} images in {count(what_if.n_units)} groups, copies and single images: "
        "the same quick classifiers on a network that was not trained on these images, once with images dealt out one "
        "by one and once in whole groups; each image is named by a classifier that was not fitted on it. A fine-tuned "
        "network can differ, and groups that nobody named are not known here. Nothing was chosen by these numbers."
    )


def _text(run: ReportedRun) -> SectionText:
    what_if = run.what_if
    assert what_if is not None
    rows = [
        (name, *map(_with_interval, (numbers.careless, numbers.honest, numbers.difference)))
        for name, numbers in zip(_CLASSIFIERS, (what_if, what_if.nearest_image), strict=True)
    ]
    columns = (METRICS[what_if.metric].title, "images one by one (careless)", "whole groups (honest)", "difference")
    return SectionText(careless_words(what_if), columns, rows)


def _with_interval(metric: Metric) -> str:
    return f"{number(metric.value)} ({number(metric.low)} – {number(metric.high)})"


def _drawings(run: ReportedRun) -> list[Drawing]:
    what_if = run.what_if
    assert what_if is not None
    both, metric = (what_if, what_if.nearest_image), METRICS[what_if.metric].title
    careless, honest = [numbers.careless for numbers in both], [numbers.honest for numbers in both]
    title = f"{metric} of two quick classifiers by a careless and by an honest split, with intervals"
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
    title="What a careless split would have said",
    order=770,
    is_about_training=True,
    subtitle=lambda run: "images of one group on both sides",
    applies=lambda run: run.what_if is not None,
    text=_text,
    drawings=_drawings,
)
