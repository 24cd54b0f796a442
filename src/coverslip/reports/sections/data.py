"""Report sections on data: the flow of images, suspected label errors, the leakage estimate, agreement of readers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverslip.evaluation.comparison import Agreement
from coverslip.evaluation.table import METRICS
from coverslip.messages import text
from coverslip.reports import figures
from coverslip.reports.blocks import Drawing, Section, SectionContent, SectionText
from coverslip.reports.comparison import NumbersByLabels, compare
from coverslip.reports.figures import HAIR, INK, MUTED, PAPER, WASH, FigureData
from coverslip.reports.metric_rows import Cell, column_titles, estimate
from coverslip.reports.reported import (
    DUPLICATES,
    ReportedRun,
    count,
    interval_after,
    number,
    relabeled,
    set_title,
    unknown_labels,
    with_interval,
)
from coverslip.runs.results import LabelErrors, LeakageEstimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Prefixes of the reasons for exclusion in split.csv, and the messages of their titles in the report.
_REASONS = {
    "unreadable:": "flow-unreadable",
    "no label": "flow-without-label",
    "same pixels": "flow-duplicates",
    "on request:": "flow-on-request",
    "no training image": "flow-class-not-in-training",
}
_SETS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class FlowSet:
    """A set of the split."""

    title: str
    n: int
    n_groups: int  # 0 if no groups are known


@dataclass(frozen=True, slots=True)
class Flow:
    """Numbers of images from the dataset to the sets of the split."""

    n_found: int
    excluded: dict[str, int]  # by reason, the most frequent first
    n_used: int
    n_duplicates: int | None  # used images with a duplicate or near-duplicate; None if not searched
    sets: list[FlowSet]


def flow_of(run: ReportedRun) -> Flow:
    """Return the flow of images, from the run's split and its data inspection."""
    reasons = Counter(_reason_title(row.reason) for row in run.run.split if row.split == "excluded")
    if run.n_excluded_by_hand:
        reasons[text("flow-by-hand")] = run.n_excluded_by_hand
    n_found = len(run.used) + reasons.total()
    return Flow(n_found, dict(reasons.most_common()), len(run.used), _n_duplicates(run), _sets(run))


def _reason_title(reason: str) -> str:
    code = next((code for start, code in _REASONS.items() if reason.startswith(start)), "flow-other-reasons")
    return text(code)


def _n_duplicates(run: ReportedRun) -> int | None:
    inspection = run.run.inspection
    if inspection is None:
        return None
    findings = (finding for code in DUPLICATES for finding in inspection.of(code))
    duplicates = {image for finding in findings for cluster in finding.images for image in cluster}
    return sum(row.image_id in duplicates for row in run.used)


def _sets(run: ReportedRun) -> list[FlowSet]:
    if run.n_folds:
        n_tested = len(run.used) - len(run.untested)
        return [FlowSet(text("flow-cross-validation", n_folds=run.n_folds), n_tested, run.groups["test"].n_groups)]
    return [
        FlowSet(set_title(split), run.parts[split], run.groups[split].n_groups) for split in _SETS if run.parts[split]
    ]


def _words(run: ReportedRun) -> list[str]:
    flow = flow_of(run)
    words = []
    if flow.n_duplicates:
        n_together, n_sets = run.n_near_duplicates
        may_be_divided = run.is_split_leaky or n_together < n_sets
        words.append(text("report-duplicates", n_images=flow.n_duplicates, may_be_divided=may_be_divided))
    inspection = run.run.inspection
    if inspection is not None and not inspection.are_copies_known:
        words.append(text("report-no-near-duplicate-search"))
    if run.untested:
        words.append(text("report-untested", n_images=len(run.untested)))
    return words


def _numbers(flow: Flow) -> FigureData:
    rows: list[tuple[str, int, int | None]] = [("found", flow.n_found, None)]
    rows += [(f"excluded: {reason}", n, None) for reason, n in flow.excluded.items()]
    rows.append(("included", flow.n_used, None))
    if flow.n_duplicates is not None:
        rows.append(("included, with duplicates", flow.n_duplicates, None))
    rows += [(image_set.title, image_set.n, image_set.n_groups or None) for image_set in flow.sets]
    return FigureData(("what", "images", "groups"), rows)


def draw_flow(flow: Flow) -> "Figure":
    """Draw boxes with numbers from left to right; excluded images are listed below their arrow."""
    n_rows = max(len(flow.sets), 2 + len(flow.excluded))
    height = 0.62 * n_rows
    figure = figures.new_figure(8.6, height)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, 8.6), ylim=(0, height))
    middle = height - 0.31 * max(len(flow.sets), 1)
    _box(axes, 0.0, middle, [count(flow.n_found), text("flow-images-found")], width=1.6)
    _box(axes, 3.5, middle, [count(flow.n_used), text("flow-images-included")], width=1.6)
    _arrow(axes, (1.6, middle), (3.5, middle))
    for k, image_set in enumerate(flow.sets):
        y = height - 0.31 - 0.62 * k
        _box(
            axes,
            5.8,
            y,
            [count(image_set.n), text("report-flow-set", name=image_set.title, n_groups=image_set.n_groups)],
            width=2.8,
        )
        _arrow(axes, (5.1, middle), (5.8, y))
    if flow.excluded:
        _draw_excluded(axes, flow.excluded, middle)
    return figure


def _draw_excluded(axes: "Axes", excluded_counts: dict[str, int], middle: float) -> None:
    top = middle - 0.55
    axes.plot([2.55, 2.55], [middle, top], color=MUTED, linewidth=0.8)
    title = text("flow-excluded", n_images=sum(excluded_counts.values()))
    axes.text(2.55, top - 0.16, title, ha="center", color=INK, fontsize=8.5)
    for k, (reason, n) in enumerate(excluded_counts.items()):
        line = f"{count(n)} {reason}" if len(excluded_counts) > 1 else reason
        axes.text(2.55, top - 0.36 - 0.2 * k, line, ha="center", color=MUTED, fontsize=7.5)


def _box(axes: "Axes", x: float, y: float, lines: list[str], width: float) -> None:
    """Draw a box whose left center is at (x, y), with a number and its title."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y - 0.25), width, 0.5, facecolor=WASH, edgecolor=HAIR, linewidth=0.8))
    axes.text(x + width / 2, y + 0.05, lines[0], ha="center", color=INK, fontsize=10, fontweight="bold")
    axes.text(x + width / 2, y - 0.17, lines[1], ha="center", color=INK, fontsize=8)


def _arrow(axes: "Axes", start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style, color=PAPER)


def _drawings(run: ReportedRun) -> list[Drawing]:
    flow = flow_of(run)
    title = text("report-flow-drawing")
    return [Drawing("flow", title, lambda: draw_flow(flow), lambda: _numbers(flow))]


def _verdict(run: ReportedRun) -> str:
    """Return how many images are in each set."""
    if run.n_folds:
        return text("verdict-folds", n_images=len(run.used), n_folds=run.n_folds, n_untested=len(run.untested))
    n_train, n_val, n_test = (run.parts[name] for name in ("train", "val", "test"))
    return text("verdict-split", n_images=n_train + n_val + n_test, n_train=n_train, n_val=n_val, n_test=n_test)


FLOW = Section(
    name="flow",
    title=lambda: text("report-title-flow"),
    order=860,
    is_about_training=True,
    subtitle=lambda run: text("report-title-flow.subtitle"),
    verdict=_verdict,
    blocks=lambda run: [SectionText(_words(run), drawings=_drawings(run))],
)


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
        (image.image_id, image.split, image.label, image.suggested, number(image.score))
        for image in errors.images[: min(_MOST_SHOWN, errors.n_suspected)]
    ]
    columns = column_titles("column-image", "column-set", "column-label", "column-suggested-class", "column-score")
    yield SectionText([*words, text("report-label-correction")], columns, images, columns[1:4])
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
