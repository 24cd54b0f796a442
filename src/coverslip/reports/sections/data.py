"""Report sections on data: suspected label errors, corrected labels, the leakage estimate, agreement of readers."""

from collections.abc import Iterable, Iterator, Sequence

from coverslip.evaluation.comparison import Agreement
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.reports import figures
from coverslip.reports.blocks import Drawing, Section, SectionContent, SectionText
from coverslip.reports.comparison import NumbersByLabels, compare
from coverslip.reports.metric_rows import Cell, column_titles, estimate
from coverslip.reports.reported import (
    ReportedRun,
    interval_after,
    number,
    relabeled,
    set_title,
    unknown_labels,
    with_interval,
)
from coverslip.runs.results import LabelErrors, LeakageEstimate

# Sections on data quality: suspected label errors, corrected test labels, and the leakage estimate.

_MOST_SHOWN = 20


def label_error_blocks(errors: LabelErrors) -> Iterator[SectionText]:
    """Yield the labels to check first and the misclassified images of each class.

    The first is no estimate of the number of wrong labels, since the classifier that questions them makes errors too.
    """
    counts = [text("report-suspected-labels", n_suspected=errors.n_suspected, n_checked=errors.n_checked)]
    counts += [text("report-misclassified", n_images=len(errors.images))] if errors.images else []
    words = [" ".join([*counts, text("report-labels-checked-by", checked_by=errors.checked_by)])]
    words += [text("report-labels-not-checked", n_labels=errors.n_not_checked)] if errors.n_not_checked else []
    images = [
        (image.image_id, set_title(image.split), image.label, image.suggested, number(image.score))
        for image in errors.images[: min(_MOST_SHOWN, errors.n_suspected)]
    ]
    columns = column_titles("column-image", "column-set", "column-label", "column-suggested-class", "column-score")
    yield SectionText(words)
    yield SectionText([text("report-label-correction")], columns, images, columns[1:4])
    classes = [
        (row.name, row.n, text("report-too-few-images") if row.n_misclassified is None else row.n_misclassified)
        for row in errors.classes
    ]
    columns = column_titles("column-class", "column-images", "column-misclassified")
    yield SectionText((), columns, classes, summary=text("report-misclassified-by-class"))


LABEL_ERRORS = Section(
    name="label_errors",
    title=lambda: text("report-title-label-errors"),
    order=780,
    is_about_training=True,
    applies=lambda run: run.run.label_errors is not None,
    blocks=lambda run: label_error_blocks(run.run.label_errors) if run.run.label_errors else (),
)


def _relabeled_text(run: ReportedRun) -> SectionText:
    earlier = run.first_of_split
    if earlier is None:
        return SectionText([" ".join(unknown_labels())])
    if not earlier.is_measured:
        return SectionText([relabeled(run)])
    pair = compare([earlier, run.run], [("earlier", "earlier"), ("this", "this")]).pairs[0]
    words = [text("report-corrected-labels", n_images=len(run.labels_before))]
    old, new = (_by(pair.numbers, labels) for labels in ("first", "second"))
    rows = [
        (METRICS[name].title, number(old[name][1]), number(new[name][1]), number(old[name][0]))
        for name in old
        if METRICS[name].is_headline and METRICS[name].influence is not None
    ]
    columns = column_titles(
        "column-metric", "column-earlier-labels", "column-corrected-labels", "column-first-training-earlier-labels"
    )
    return SectionText(words, columns if rows else (), rows)


def _by(numbers: list[NumbersByLabels], labels: str) -> dict[str, tuple[float | None, float | None]]:
    """Return the values of the earlier and of this training, by metric name."""
    return {
        row.name: (row.first, row.second)
        for numbers_by_labels in numbers
        if numbers_by_labels.labels == labels
        for row in numbers_by_labels.differences
    }


def _applies(run: ReportedRun) -> bool:
    if run.recipe.split.run is None or run.evaluation is not None:
        return False
    return run.first_of_split is None or bool(run.labels_before)


RELABELED = Section(
    name="relabeled",
    title=lambda: text("report-title-relabeled"),
    order=95,
    subtitle=lambda run: text("report-title-relabeled.subtitle"),
    is_about_training=True,
    applies=_applies,
    blocks=lambda run: [_relabeled_text(run)],
)


def _classifiers() -> tuple[str, ...]:
    """Return the classifiers whose metrics the leakage estimate compares."""
    return column_titles("report-instant-classifier", "report-nearest-neighbor")


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
        image_level=estimate(leakage.image_level).value,
        grouped=estimate(leakage.grouped).value,
        difference=f"{difference.value}{interval_after(difference.interval)}",
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
        for name, numbers in zip(_classifiers(), (leakage, leakage.nearest_image), strict=True)
    ]
    columns = (
        with_interval(METRICS[leakage.metric].title),
        *column_titles("column-image-level-split", "column-grouped-split", "column-difference"),
    )
    return SectionText(leakage_sentences(leakage), columns, rows, drawings=[_drawing(leakage)])


def _drawing(leakage: LeakageEstimate) -> Drawing:
    estimates, metric = (leakage, leakage.nearest_image), METRICS[leakage.metric].title
    image_level, grouped = [numbers.image_level for numbers in estimates], [numbers.grouped for numbers in estimates]
    title, names = text("report-leakage-drawing", metric=metric), _classifiers()
    return Drawing(
        "leakage_estimate",
        title,
        lambda: figures.leakage_estimate(names, image_level, grouped, metric),
        lambda: figures.leakage_estimate_data(names, image_level, grouped),
    )


LEAKAGE_ESTIMATE = Section(
    name="leakage_estimate",
    title=lambda: text("report-title-leakage-estimate"),
    order=770,
    is_about_training=True,
    subtitle=lambda run: text("report-title-leakage-estimate.subtitle"),
    applies=lambda run: run.leakage_estimate is not None,
    blocks=lambda run: [leakage_estimate_text(run.leakage_estimate)] if run.leakage_estimate else [],
)


# The agreement of readers as a section.

Pair = tuple[str, str, Agreement]  # two readers


def agreement_section(pairs: Sequence[Pair], similar_labels: Iterable[Sequence[str]]) -> SectionContent:
    """Return the agreement of each pair of readers, and the numbers of images by the labels of both.

    Args:
        pairs: readers with common images.
        similar_labels: sets of labels that may be one class with several spellings.
    """
    return SectionContent(text("agreement-title"), [*_blocks(pairs, similar_labels)], "agreement")


def _blocks(pairs: Sequence[Pair], similar_labels: Iterable[Sequence[str]]) -> Iterator[SectionText]:
    has_groups = any(agreement.n_groups is not None for _, _, agreement in pairs)
    counts = column_titles("column-images", *(["column-groups"] if has_groups else []))
    metrics = map(with_interval, column_titles("column-equal-labels", "metric-kappa"))
    readers = column_titles("column-reader", "column-other-reader")
    rows: list[list[Cell]] = [
        [
            first,
            second,
            agreement.n,
            *([agreement.n_groups or 0] if has_groups else []),
            estimate(agreement.agreement),
            estimate(agreement.kappa),
        ]
        for first, second, agreement in pairs
    ]
    similar = [
        text("agreement-similar-names", names=", ".join(f"'{name}'" for name in spellings))
        for spellings in similar_labels
    ]
    yield SectionText([*similar, text("agreement-help")], (*readers, *counts, *metrics), rows, readers[1:])
    for first, second, agreement in pairs:
        title = text("agreement-counts", first=first, second=second)
        rows = [[name, *counts_of] for name, counts_of in zip(agreement.classes, agreement.counts, strict=True)]
        columns = (text("column-class"), *agreement.classes)
        is_folded = len(pairs) > 1
        yield SectionText((), columns, rows, heading="" if is_folded else title, summary=title if is_folded else "")
