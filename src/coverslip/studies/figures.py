"""The drawings of a study's report, each with its numbers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from coverslip.evaluation.comparison import ProcedureDifference
from coverslip.evaluation.table import METRICS
from coverslip.messages import localized_number, text
from coverslip.reports.figures import (
    CLASS_DASHES,
    DATA,
    HAIR,
    INK,
    MUTED,
    PAPER,
    FigureData,
    new_figure,
    shortened,
    sizes_apart,
)
from coverslip.reports.reported import number
from coverslip.reports.sections import Drawing
from coverslip.reports.sections.curves import average_title
from coverslip.studies.comparing import DatasetComparison, StudyComparison, VariantScores
from coverslip.studies.published import RocPanel
from coverslip.studies.results import MetricMean, Overall, SizeCurve
from coverslip.studies.variants import EpochCurve, NetworkConfusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCH = 0.24
_LABEL_INCH = 0.2
_MARKS = ("o", "s", "^", "D", "v", "X")  # markers of networks in one drawing
_LOG_SCALE_RATIO = 20  # ratio of values above which the scale is logarithmic
_N_SHOWN = 6  # networks in drawings that cannot show all: the best


def _name_of(part: DatasetComparison) -> str:
    if not part.train_per_class:
        return part.dataset
    return text("study-dataset", dataset=part.dataset, n=part.train_per_class)


def mean_title(overall: Overall) -> str:
    """Return the title of means over datasets."""
    title = text("study-mean", n_datasets=len(overall.datasets))
    return f"{title}, {overall.arm}" if overall.arm else title


_Kind = Literal["counted", "left out", "mean"]
_Interval = tuple[str, _Kind, float, float | None, float | None]  # name of the row, its kind, value and 95% CI


def forest_drawing(comparison: StudyComparison) -> Iterator[Drawing]:
    """Yield the differences from the baseline on each dataset, and their means over datasets, if there are any."""
    rows: dict[str, list[_Interval]] = {each.name: [] for each in names_by_size(comparison)}
    for part in comparison.datasets:
        for each in part.differences:
            kind: _Kind = "counted" if part.dataset in comparison.counted else "left out"
            difference = each.difference
            rows[each.name].append((_name_of(part), kind, difference.mean, difference.low, difference.high))
    for of_arm in comparison.overall:
        for score in of_arm.scores:
            if (mean := score.difference) is not None:
                rows[score.name].append((mean_title(of_arm), "mean", mean.mean, mean.low, mean.high))
    rows = {name: intervals for name, intervals in rows.items() if intervals}
    if rows:
        metric = METRICS[comparison.metric].title
        data = [(name, row, *numbers) for name, intervals in rows.items() for row, _, *numbers in intervals]
        yield Drawing(
            "forest",
            text("study-forest-drawing", metric=metric),
            partial(_forest, rows, metric, comparison.equivalence),
            lambda: FigureData(("network", "dataset", "difference", "low", "high"), data),
        )


def _forest(rows: Mapping[str, Sequence[_Interval]], metric: str, equivalence: float) -> "Figure":
    """Draw differences with intervals, the networks from the smallest at the top."""
    is_single = all(len(intervals) == 1 for intervals in rows.values())
    labels: list[str] = []
    points: list[_Interval | None] = []  # None: a heading
    for name, intervals in rows.items():
        if not is_single:
            labels.append(name)
            points.append(None)
        labels += [name] if is_single else [f"{row}   " for row, *_ in intervals]
        points += intervals
    figure = new_figure(8.6, 1.1 + _rows_inch(labels))
    axes = figure.subplots()
    band = text("study-forest-drawing.band", equivalence=localized_number(f"{equivalence:g}"))
    axes.axvspan(-equivalence, equivalence, color=HAIR, alpha=0.5, linewidth=0, label=band)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    for y, point in enumerate(reversed(points)):
        if point is not None:
            _, kind, value, low, high = point
            color = INK if kind == "mean" else DATA
            face, mark = PAPER if kind == "left out" else color, "D" if kind == "mean" else "o"
            axes.plot([value], [y], mark, markersize=5, color=color, markerfacecolor=face, zorder=3)
            if low is not None and high is not None:
                axes.plot([low, high], [y, y], color=color, linewidth=1)
    _named_rows(axes, labels[::-1])
    for label, point in zip(axes.get_yticklabels(), reversed(points), strict=True):
        label.set_fontweight("bold" if point is None else "normal")
    axes.margins(x=0.05)
    axes.set_xlabel(text("study-forest-drawing.x", metric=metric))
    _legend(figure, axes)
    return figure


def names_by_size(comparison: StudyComparison) -> list[VariantScores]:
    """Return each network with its scores on the first shown dataset with results, from the smallest network."""
    first: dict[str, VariantScores] = {}
    shown = _shown_datasets(comparison)
    parts = sorted(comparison.datasets, key=lambda part: part.dataset not in shown)
    for row in (row for part in parts for row in part.scores if row.mean is not None):
        first.setdefault(row.name, row)
    return sorted(first.values(), key=lambda row: row.parameters or 0)


def seconds_per_image(comparison: StudyComparison, model: str) -> float | None:
    """Return the mean prediction time per image of a network in a batch; None: it was not measured.

    The mean is over the shown datasets, or over all if the network was timed on none of them.
    """
    shown = _shown_datasets(comparison)
    of_model = [each for each in comparison.latencies if each.model == model]
    latencies = [each.latency for each in of_model if each.dataset in shown] or [each.latency for each in of_model]
    seconds = [latency.whole_many.median / latency.n_many for latency in latencies]
    return float(np.mean(seconds)) if seconds else None


def _shown_datasets(comparison: StudyComparison) -> Sequence[str]:
    """Return the datasets that stand for all: those of the means of the last arm, or the first dataset."""
    return comparison.overall[-1].datasets if comparison.overall else comparison.counted[:1]


def pareto_drawing(comparison: StudyComparison) -> Iterator[Drawing]:
    """Yield the metric against the prediction time or else the multiply-adds of the networks, if these differ."""
    dataset, scores = _scores_of_one(comparison)
    networks = {row.name: row for row in names_by_size(comparison) if row.name in scores}
    milliseconds = {
        name: 1000 * seconds
        for name, row in networks.items()
        if (seconds := seconds_per_image(comparison, row.model)) is not None
    }
    is_time = len(milliseconds) == len(networks)
    costs = milliseconds if is_time else {name: row.gmacs for name, row in networks.items() if row.gmacs}
    if len(set(costs.values())) < 2:
        return
    metric, label = METRICS[comparison.metric], text("study-pareto-drawing.cost", is_time=is_time)
    points = [(name, cost, scores[name]) for name, cost in costs.items()]
    yield Drawing(
        "pareto",
        text("study-pareto-drawing", metric=metric.title, dataset=dataset, is_time=is_time),
        partial(_pareto, points, label, metric.title, is_higher_better=comparison.is_higher_better),
        lambda: FigureData(
            ("network", "milliseconds" if is_time else "multiply_adds_billions", comparison.metric, "low", "high"),
            [(name, cost, score.mean, score.low, score.high) for name, cost, score in points],
        ),
    )


def _scores_of_one(comparison: StudyComparison) -> tuple[str, Mapping[str, MetricMean]]:
    """Return the scores on the shown datasets, with their title."""
    if comparison.overall:
        of_arm = comparison.overall[-1]
        return mean_title(of_arm), {row.name: row.metrics[comparison.metric] for row in of_arm.scores}
    parts = [part for part in comparison.datasets if part.dataset in _shown_datasets(comparison)]
    if not parts:
        return "", {}
    scores = ((row.name, row.metrics.get(comparison.metric)) for row in parts[-1].scores)
    return _name_of(parts[-1]), {name: score for name, score in scores if score is not None}


def _pareto(
    points: Sequence[tuple[str, float, MetricMean]], label: str, metric: str, *, is_higher_better: bool
) -> "Figure":
    """Draw the metric against the cost, with a line along the Pareto front and the names of its networks."""
    sign = 1 if is_higher_better else -1
    front = pareto_front([(cost, sign * score.mean) for _, cost, score in points])
    named = [(name, cost, score.mean) for name, cost, score in points if (cost, sign * score.mean) in front]
    figure = new_figure(8.6, max(3.2, 0.9 + _labels_inch(name for name, *_ in named)))
    axes = figure.subplots()
    style: Any = {"color": MUTED, "linewidth": 0.8, "drawstyle": "steps-post", "zorder": 0}
    line = [(cost, sign * value) for cost, value in front]
    axes.plot(*zip(*line, strict=True), label=text("study-pareto-drawing.front"), **style)
    for _, cost, score in points:
        color = DATA if (cost, score.mean) in line else MUTED
        axes.plot([cost], [score.mean], "o", color=color, markersize=4)
        axes.vlines([cost], *_interval(score), color=color, linewidth=0.8)
    axes.margins(y=0.1)
    _ticks_of(axes, [cost for _, cost, _ in points])
    _name_points(axes, named)
    axes.set_xlabel(label)
    axes.set_ylabel(metric)
    _legend(figure, axes)
    return figure


def gain_drawing(comparison: StudyComparison, i: int, part: DatasetComparison) -> Iterator[Drawing]:
    """Yield the differences from the baseline on a dataset by the parameters of the networks, if these differ."""
    scores = {row.name: row for row in part.scores}
    gains = [
        (each.name, parameters / 1e6, each.difference)
        for each in part.differences
        if (parameters := scores[each.name].parameters) and each.difference.mean is not None
    ]
    if len({parameters for _, parameters, _ in gains}) > 1:
        metric = METRICS[comparison.metric].title
        yield Drawing(
            f"gains-{i}",
            text("study-gains-drawing", metric=metric, dataset=_name_of(part)),
            partial(_gains, gains, metric),
            lambda: FigureData(
                ("network", "parameters_millions", "difference", "low", "high"),
                [(name, millions, gain.mean, gain.low, gain.high) for name, millions, gain in gains],
            ),
        )


def _gains(gains: Sequence[tuple[str, float, ProcedureDifference]], metric: str) -> "Figure":
    """Draw differences with intervals by the number of parameters."""
    figure = new_figure(8.6, max(3.2, 0.9 + _labels_inch(name for name, *_ in gains)))
    axes = figure.subplots()
    axes.axhline(0, color=MUTED, linewidth=0.8)
    for _, millions, gain in gains:
        axes.plot([millions], [gain.mean], "o", color=DATA, markersize=4)
        if gain.low is not None and gain.high is not None:
            axes.vlines([millions], gain.low, gain.high, color=DATA, linewidth=0.8)
    axes.margins(y=0.1)
    _ticks_of(axes, [millions for _, millions, _ in gains])
    _name_points(axes, [(name, millions, gain.mean or 0) for name, millions, gain in gains])
    axes.set_xlabel(text("study-gains-drawing.x"))
    axes.set_ylabel(text("study-forest-drawing.x", metric=metric))
    return figure


_Bars = Mapping[str, Sequence[tuple[str, MetricMean]]]  # by panel: networks with their scores
_MEAN_METRICS = ("accuracy", "macro_recall", "macro_precision", "macro_f1")


def bar_drawings(comparison: StudyComparison) -> Iterator[Drawing]:
    """Yield bar charts of the metric of each network on each dataset, and of the means of four metrics."""
    by_dataset: dict[str, list[tuple[str, MetricMean]]] = {}
    for part in comparison.datasets:
        if scores := [(row.name, row.metrics[comparison.metric]) for row in part.scores if row.mean is not None]:
            by_dataset[_name_of(part)] = scores
    if by_dataset:
        title = text("study-bars-drawing", metric=METRICS[comparison.metric].title)
        yield _bar_drawing("bars", title, by_dataset)
    for i, of_arm in enumerate(comparison.overall, start=1):
        means = {
            METRICS[metric].title: [(row.name, row.metrics[metric]) for row in of_arm.scores]
            for metric in _MEAN_METRICS
            if all(metric in row.metrics for row in of_arm.scores)
        }
        if means:
            yield _bar_drawing(f"bars-mean-{i}", mean_title(of_arm), means)


def _bar_drawing(name: str, title: str, panels: _Bars) -> Drawing:
    rows = [
        (panel, network, score.mean, score.low, score.high)
        for panel, scores in panels.items()
        for network, score in scores
    ]
    columns = ("panel", "network", "value", "low", "high")
    return Drawing(name, title, partial(_bars, panels), lambda: FigureData(columns, rows))


def _bars(panels: _Bars) -> "Figure":
    """Draw a panel of horizontal bars with intervals for each dataset or metric, all on the same scale."""
    names = [[name for name, _ in scores] for scores in panels.values()]
    figure = new_figure(8.6, sum(0.7 + _rows_inch(of_panel) for of_panel in names))
    all_axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True).ravel()
    for axes, (panel, scores) in zip(all_axes, panels.items(), strict=True):
        scores = scores[::-1]
        axes.barh(range(len(scores)), [score.mean for _, score in scores], color=DATA, height=0.6, alpha=0.55)
        low, high = np.transpose([_interval(score) for _, score in scores])
        axes.hlines(range(len(scores)), low, high, color=INK, linewidth=0.8)
        _named_rows(axes, [name for name, _ in scores])
        axes.set_title(_wrapped(panel, 80))
    return figure


def size_drawing(comparison: StudyComparison, i: int, dataset: str, axis: str) -> Drawing:
    """Return the learning curves of the best networks on a dataset."""
    metric, sign = METRICS[comparison.metric].title, -1 if comparison.is_higher_better else 1
    curves = [curve for curve in comparison.sizes if (curve.dataset, curve.axis) == (dataset, axis)]
    best = sorted(curves, key=lambda curve: sign * curve.points[-1].score.mean)[:_N_SHOWN]
    rows = [
        (curve.name, each.n, each.score.mean, each.score.low, each.score.high)
        for curve in curves
        for each in curve.points
    ]
    return Drawing(
        f"sizes-{i}",
        text("study-sizes-drawing", metric=metric, dataset=dataset),
        partial(_sizes, best, metric),
        lambda: FigureData(("network", axis.replace(" ", "_"), comparison.metric, "low", "high"), rows),
    )


def epoch_drawing(comparison: StudyComparison, i: int, part: DatasetComparison) -> Iterator[Drawing]:
    """Yield the training curves of the best networks on a dataset, if there are any."""
    curves = _best_of(comparison.curves, part)
    rows = [
        (curve.name, epoch, *(getattr(curve, column)[k] for column in _CURVES))
        for curve in curves
        for k, epoch in enumerate(curve.epochs)
    ]
    if curves:
        yield Drawing(
            f"epochs-{i}",
            text("study-epochs-drawing", dataset=_name_of(part)),
            partial(_epochs, curves),
            lambda: FigureData(("network", "epoch", *_CURVES), rows),
        )


def confusion_drawing(comparison: StudyComparison, i: int, part: DatasetComparison) -> Iterator[Drawing]:
    """Yield the confusion matrices of the best networks on a dataset, if there are any."""
    matrices = _best_of(comparison.confusions, part)
    rows = [
        (each.name, label, predicted, n)
        for each in matrices
        for label, counts in zip(each.classes, each.counts, strict=True)
        for predicted, n in zip(each.classes, counts, strict=True)
    ]
    if matrices:
        yield Drawing(
            f"confusions-{i}",
            text("study-confusions-drawing", dataset=_name_of(part)),
            partial(_confusions, matrices),
            lambda: FigureData(("network", "class", "predicted", "n"), rows),
        )


def roc_drawing(comparison: StudyComparison, i: int, panels: Sequence[RocPanel]) -> Drawing:
    """Return the ROC curves of the datasets of an arm, a panel for each."""
    rows = [
        (panel.dataset, line.name, x, y)
        for panel in panels
        for line in panel.lines
        for x, y in zip(line.curve.x, line.curve.y, strict=True)
    ]
    return Drawing(
        f"roc-{i}",
        text("study-roc-drawing", network=panels[0].name),
        partial(_rocs, panels),
        lambda: FigureData(("dataset", "class", "false_positive_rate", "true_positive_rate"), rows),
    )


_OfPart = TypeVar("_OfPart", EpochCurve, NetworkConfusion)


def _best_of(rows: Iterable[_OfPart], part: DatasetComparison) -> list[_OfPart]:
    """Return the rows of the best networks on a dataset, in their order."""
    order = {row.name: k for k, row in enumerate(part.scores)}
    key = (part.dataset, part.train_per_class)
    of_part = [row for row in rows if (row.dataset, row.train_per_class) == key]
    return sorted(of_part, key=lambda row: order.get(row.name, len(order)))[:_N_SHOWN]


_MOST_LINES = 3


def _wrapped(name: str, width: int) -> str:
    """Return the name on several lines, so that similar names can be distinguished.

    Lines end after spaces; in names with longer words, also after other marks.
    """
    name, lines = shortened(name, _MOST_LINES * width), [""]
    has_long_words = any(len(word) > width for word in name.split())
    for word in re.split(r"(?<=[\s_,-])" if has_long_words else r"(?<=\s)", name):
        parts = [word[i : i + width] for i in range(0, len(word), width)] or [""]
        for part in parts:
            if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


_ROW_WIDTH = 40  # characters of a name beside a row
_LABEL_WIDTH = 30  # of a name beside a point


def _rows_inch(names: Iterable[str]) -> float:
    """Return the height of rows with these names."""
    return sum(_ROW_INCH + 0.13 * _wrapped(name, _ROW_WIDTH).count("\n") for name in names)


def _labels_inch(names: Iterable[str]) -> float:
    """Return the height of a column of these names."""
    return _LABEL_INCH * sum(1 + _wrapped(name, _LABEL_WIDTH).count("\n") for name in names)


def _named_rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_wrapped(name, _ROW_WIDTH) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="x", color=HAIR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(-0.6, len(names) - 0.4)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the Pareto front of (cost, value) points in order of cost."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or value > front[-1][1]:
            front.append((cost, value))
    return front


def _name_points(axes: "Axes", points: Sequence[tuple[str, float, float]]) -> None:
    """Write the names of points in a column on the right, each with a line to its point, to avoid overlap."""
    named = sorted(((_wrapped(name, _LABEL_WIDTH), x, y) for name, x, y in points), key=lambda point: point[2])
    n_lines = [1 + name.count("\n") for name, *_ in named]
    low, high = axes.get_ylim()
    step = (high - low) / max(sum(n_lines), 8)
    heights: list[float] = []
    free = low  # above the labels so far
    for k, (_, _, y) in enumerate(named):
        half, room_above = n_lines[k] * step / 2, sum(n_lines[k + 1 :]) * step
        heights.append(min(max(y, free + half), high - room_above - half))
        free = heights[-1] + half
    edge = axes.get_yaxis_transform()
    for (name, x, y), height in zip(named, heights, strict=True):
        # A distance in place of the box of the text: clipping lines at boxes takes a fifth of the time of a report.
        style: Any = {"arrowstyle": "-", "color": HAIR, "linewidth": 0.8, "shrinkA": 4, "shrinkB": 3, "patchA": None}
        axes.annotate(
            name,
            (x, y),
            xytext=(1.03, height),
            textcoords=edge,
            va="center",
            fontsize=8,
            color=INK,
            arrowprops={**style, "relpos": (0, 0.5)},
        )
    axes.set_ylim(low, high)


def _ticks_of(axes: "Axes", values: Sequence[float]) -> None:
    """Set a logarithmic scale with plain numbers if values span a factor of three, otherwise a linear scale."""
    low, high = min(values), max(values)
    if high < 3 * low or low <= 0:
        room = 0.15 * (high - low) or 0.15 * high or 1
        axes.set_xlim(low - room, high + room)
        return
    axes.set_xscale("log")
    axes.set_xlim(low / 1.3, high * 1.3)
    steps = (1, 2, 5) if high < 100 * low else (1,)
    ticks = [step * 10.0**k for k in range(-8, 8) for step in steps]
    _plain_ticks(axes, [tick for tick in ticks if low / 1.3 <= tick <= high * 1.3])


def _plain_ticks(axes: "Axes", ticks: Sequence[float]) -> None:
    axes.set_xticks(list(ticks), [localized_number(f"{tick:,.10g}") for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)


def _sizes(curves: Sequence[SizeCurve], title: str) -> "Figure":
    """Draw learning curves with confidence intervals. Points are shifted, so that their intervals do not overlap."""
    figure = new_figure(8.6, 3.4 + 0.18 * ((len(curves) + 1) // 2))
    axes = figure.subplots()
    is_share = curves[0].axis == "training share"
    all_sizes = sorted({point.n for curve in curves for point in curve.points})
    for i, curve in enumerate(curves):
        shift = (i - (len(curves) - 1) / 2) / max(len(curves), 8)
        x = np.array([point.n + 2 * shift if is_share else point.n * 1.1**shift for point in curve.points])
        y = np.array([point.score.mean for point in curve.points])
        low, high = np.transpose([_interval(point.score) for point in curve.points])
        color = DATA if i % 2 == 0 else MUTED
        dash = CLASS_DASHES[i // 2 % len(CLASS_DASHES)]
        style: Any = {"color": color, "linestyle": dash, "marker": _MARKS[i % len(_MARKS)], "markersize": 4}
        axes.plot(x, y, label=_wrapped(curve.name, 40), **style)
        axes.vlines(x, low, high, color=color, linewidth=0.8)
    if is_share:
        axes.set_xticks(all_sizes, [localized_number(f"{size:g}%") for size in all_sizes])
        axes.set_xlabel(text("study-sizes-drawing.share"))
    else:
        axes.set_xscale("log")
        _plain_ticks(axes, sizes_apart([int(size) for size in all_sizes]))
        axes.set_xlabel(text("study-sizes-drawing.x"))
    axes.set_ylabel(text("study-sizes-drawing.y", metric=title))
    _legend(figure, axes)
    return figure


def _interval(score: MetricMean) -> tuple[float, float]:
    """Return the ends of the confidence interval; twice the mean if there is none."""
    return (score.mean, score.mean) if score.low is None or score.high is None else (score.low, score.high)


def _shaded(axes: "Axes", values: np.ndarray) -> None:
    """Draw a matrix as cells, darker for higher values; NaN has no color."""
    from matplotlib.colors import to_rgba

    span = np.nanmax(values) - np.nanmin(values)
    alpha = np.nan_to_num((values - np.nanmin(values)) / (span or 1)) * 0.55
    colors = np.array([[to_rgba(DATA, float(each)) for each in row] for row in alpha])
    n_rows, n_columns = values.shape
    edges = np.arange(n_columns + 1) - 0.5, np.arange(n_rows + 1) - 0.5
    axes.pcolormesh(*edges, colors, edgecolor=PAPER, linewidth=0.6)  # cells as shapes, which follow the page's theme
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)


_MOST_NUMBERED = 8  # classes above which confusion matrices have no numbers


def _confusions(matrices: Sequence[NetworkConfusion]) -> "Figure":
    """Draw confusion matrices side by side, shaded by the share of each class."""
    n_columns = min(3, len(matrices))
    n_rows = -(-len(matrices) // n_columns)
    figure = new_figure(8.6, 3.1 * n_rows + 0.2)
    all_axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in all_axes[len(matrices) :]:
        axes.set_axis_off()
    for k, (axes, matrix) in enumerate(zip(all_axes, matrices, strict=False)):
        counts, classes = np.array(matrix.counts), matrix.classes
        _shaded(axes, counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
        if len(classes) <= _MOST_NUMBERED:
            for (y, x), n in np.ndenumerate(counts):
                axes.text(x, y, str(n), ha="center", va="center", fontsize=7.5, color=INK)
        is_first = k % n_columns == 0
        width, size = (18, 8) if len(classes) <= _MOST_NUMBERED else (24, 6)
        names = [_wrapped(name, width) for name in classes]
        axes.set_yticks(range(len(classes)), names if is_first else [""] * len(classes), fontsize=size)
        axes.set_xticks(range(len(classes)), names, rotation=90, fontsize=size)
        axes.tick_params(length=0, labelcolor=INK)
        axes.set_title(_wrapped(matrix.name, 30))
        axes.set_xlabel(text("study-confusions-drawing.x"))
        if is_first:
            axes.set_ylabel(text("study-confusions-drawing.y"))
    return figure


def _legend(figure: "Figure", axes: "Axes") -> None:
    """Draw the legend below the panels, so that it covers no line."""
    handles, labels = axes.get_legend_handles_labels()
    lines = [line for label in labels for line in label.splitlines()]
    n_columns = 2 if max(map(len, lines), default=0) > 24 else 3
    figure.legend(
        handles, labels, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=8, handlelength=3
    )


_N_NAMED = 4  # ROC curves with a name beside those of averages: the lowest areas


def _rocs(panels: Sequence[RocPanel]) -> "Figure":
    """Draw the ROC curves of each dataset in a panel, with the names of the averages and of the hardest classes."""
    n_rows = (len(panels) + 1) // 2
    figure = new_figure(8.6, 3.4 * n_rows)
    all_axes = figure.subplots(n_rows, 2, squeeze=False).ravel()
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(all_axes, panels, strict=False):
        axes.plot([0, 1], [0, 1], color=HAIR, linewidth=0.8)
        lines = sorted(panel.lines, key=lambda line: line.auroc)
        named = [line for line in lines if line.name.endswith("-average")]
        named += [line for line in lines if line not in named][:_N_NAMED]
        for line in lines:
            if line not in named:
                axes.plot(line.curve.x, line.curve.y, color=HAIR, linewidth=0.8)
        for k, line in enumerate(named):
            style = {"color": DATA if k % 2 == 0 else MUTED, "linestyle": CLASS_DASHES[k % len(CLASS_DASHES)]}
            is_average = line.name.endswith("-average")
            title = average_title(line.name, has_curve=True) if is_average else shortened(line.name, 24)
            axes.plot(line.curve.x, line.curve.y, label=f"{title} {number(line.auroc)}", **style)
        axes.set_title(_wrapped(panel.dataset, 40))
        axes.legend(frameon=False, fontsize=7, loc="lower right")
        axes.set_xlabel(text("figure-label-false-positive-rate"))
        axes.set_ylabel(text("figure-label-true-positive-rate"))
    return figure


_CURVES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "train_penalty")


def _epochs(curves: Sequence[EpochCurve]) -> "Figure":
    """Draw panels of training curves. Each network has the same line style and marker in all panels."""
    columns = [name for name in _CURVES if any(value is not None for curve in curves for value in getattr(curve, name))]
    n_rows = (len(columns) + 1) // 2
    figure = new_figure(8.6, 2.7 * n_rows)
    panels = figure.subplots(n_rows, 2, squeeze=False).ravel()
    for axes in panels[len(columns) :]:
        axes.set_axis_off()
    for axes, column in zip(panels, columns, strict=False):
        drawn: list[float] = []
        for i, (curve, mark) in enumerate(zip(curves, _MARKS, strict=False)):
            points = [(x, y) for x, y in zip(curve.epochs, getattr(curve, column), strict=True) if y is not None]
            if points:
                style = {"color": DATA if i % 2 == 0 else MUTED, "linestyle": CLASS_DASHES[i % len(CLASS_DASHES)]}
                axes.plot(
                    *zip(*points, strict=True), marker=mark, markersize=3.5, label=_wrapped(curve.name, 30), **style
                )
                drawn += [y for _, y in points]
        # On a linear scale, a large loss would hide the others.
        if not column.endswith("accuracy") and drawn and 0 < _LOG_SCALE_RATIO * min(drawn) < max(drawn):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: localized_number(f"{value:g}"))
            axes.yaxis.set_minor_formatter(lambda *_: "")
        if column.endswith("accuracy"):
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, -0.02), min(high, 1.02))
        axes.set_title(text(f"study-epochs-drawing.{column.replace('_', '-')}"))
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[max(0, len(columns) - 2) :]:
        axes.set_xlabel(text("study-epochs-drawing.x"))
    _legend(figure, panels[0])
    return figure
