"""An evaluation on other images beside the run's own test images: what differs, and what makes the numbers too good."""

from collections.abc import Iterator

from coverslip.evaluation import METRICS, Metric
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import number, plural


def _text(run: ReportedRun) -> SectionText:
    own = run.run.metrics.metrics if run.run.is_measured else {}
    rows = [
        (metric.title, _with_interval(metric), _with_interval(own[metric.name]))
        for metric in content.metrics(run)
        if metric.name in own and METRICS[metric.name].is_headline
    ]
    columns = ("metric", "these images", "own test images") if rows else ()
    return SectionText(tuple(_doubts(run)), columns, rows)


def _doubts(run: ReportedRun) -> Iterator[str]:
    """What must be known of the images before their numbers are believed."""
    images = run.measured.evaluated_images
    if images is None or not run.initialisation_is_known:
        yield "Which of these images the classifier was trained on is not known: the numbers may be too good."
    if images is not None and images.n_seen:
        yield (
            f"{plural(images.n_seen, 'image')} or copies of them were used in training: numbers on such images say "
            "little."
        )
    if images is not None and images.n_of_seen_groups:
        yield (
            f"{plural(images.n_of_seen_groups, 'image')} are of groups whose names training images have too. If they "
            "are the same patients or slides, the numbers are too good for new ones."
        )
    if run.metrics.n_groups is None:
        yield (
            "No groups are known: if several of these images come from one patient or slide, the intervals are too "
            "narrow."
        )
    yield (
        "Where the two columns' intervals do not meet, the difference is no chance of which images were measured. "
        "Where they do, there may be a difference all the same."
    )


def _with_interval(metric: Metric | content.Measured) -> str:
    value = "–" if metric.value is None else number(metric.value)
    if metric.low is None or metric.high is None:
        return value
    return f"{value} ({number(metric.low)} – {number(metric.high)})"


OWN_TEST = Section(
    name="own-test",
    title="Beside the run's own test images",
    order=50,
    subtitle=lambda run: "the same classifier",
    applies=lambda run: run.evaluation is not None,
    text=_text,
)
