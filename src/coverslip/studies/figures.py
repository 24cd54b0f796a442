"""The drawings of a study's report."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from coverslip.evaluation import METRICS, RANGES
from coverslip.messages import text
from coverslip.reports.figures import (
    CLASS_DASHES,
    DATA,
    HAIR,
    INK,
    MUTED,
    PAPER,
    draw,
    new_figure,
    shortened,
    sizes_apart,
)
from coverslip.studies.comparing import DatasetComparison, StudyComparison, Transfer, VariantDifference, VariantScores
from coverslip.studies.results import MetricMean, Overall, SizeCurve
from coverslip.studies.variants import EpochCurve, NetworkConfusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCH = 0.24
_LABEL_INCH = 0.2
_MARKS = ("o", "s", "^", "D", "v", "X")  # markers of networks in one drawing
_LOG_SCALE_RATIO = 20  # ratio of values above which the scale is logarithmic


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawing of a study's report."""

    name: str  # of its files
    title: str  # caption
    figure: Callable[[], "Figure"]


_N_SHOWN = 6  # networks in drawings that cannot show all: the best


def drawings_of(comparison: StudyComparison) -> Iterator[Drawing]:
    """Yield the drawings that have results.

    Those numbered from 1, such as `scores-1`, are for one dataset each, in the order of the comparison.
    """
    title = comparison.metric_title
    for i, part in enumerate(comparison.datasets, start=1):
        yield from _of_dataset(i, part, comparison)
    if comparison.overall is not None:
        yield Drawing("ranks", text("study-ranks-drawing"), partial(_ranks, comparison.overall))
    if len(comparison.grid_datasets) > 1 and len(comparison.grid_names) > 1:
        yield Drawing("grid", text("study-grid-drawing", metric=title), partial(_grid, comparison))
    if len(sizes := _network_sizes(comparison)) > 1:
        yield Drawing("complexity", text("study-complexity-drawing"), partial(_complexity, sizes))
    for i, key in enumerate(dict.fromkeys((curve.dataset, curve.axis) for curve in comparison.sizes), start=1):
        of_key = [curve for curve in comparison.sizes if (curve.dataset, curve.axis) == key]
        sign = -1 if comparison.is_higher_better else 1
        best = sorted(of_key, key=lambda curve: sign * curve.points[-1].score.mean)[:_N_SHOWN]
        of_sizes = partial(_sizes, best, title, comparison.target)
        yield Drawing(f"sizes-{i}", text("study-sizes-drawing", metric=title, dataset=key[0]), of_sizes)
    for i, model in enumerate(dict.fromkeys(row.model for row in comparison.correlations), start=1):
        of_model = [each for each in comparison.transfers if each.model == model]
        caption = text("study-transfers-drawing", metric=title, model=model)
        yield Drawing(f"transfers-{i}", caption, partial(_transfers, of_model, title))


def _of_dataset(i: int, part: DatasetComparison, comparison: StudyComparison) -> Iterator[Drawing]:
    """Yield the drawings of one dataset."""
    title, dataset = comparison.metric_title, part.dataset
    if part.train_per_class:
        dataset = text("study-drawn-dataset", dataset=part.dataset, n=part.train_per_class)
    scores = [row for row in part.scores if row.mean is not None]
    if len(scores) > 1:
        caption = text("study-scores-drawing", metric=title, dataset=dataset)
        yield Drawing(f"scores-{i}", caption, partial(_scores, scores, comparison.metric, title))
    if panels := _with_parameters(part):
        caption = text("study-parameters-drawing", metric=title, dataset=dataset)
        yield Drawing(f"by-parameters-{i}", caption, partial(_by_parameters, panels, title, comparison.equivalence))
    if costs := _costs(part, comparison):
        caption = text("study-costs-drawing", metric=title, dataset=dataset)
        yield Drawing(f"costs-{i}", caption, partial(_by_cost, costs, title))
    key, best = (part.dataset, part.train_per_class), [row.name for row in scores]
    curves = [curve for curve in comparison.curves if (curve.dataset, curve.train_per_class) == key]
    if curves:
        caption = text("study-epochs-drawing", dataset=dataset)
        yield Drawing(f"epochs-{i}", caption, partial(_epochs, _best_of(curves, best)))
    confusions = [each for each in comparison.confusions if (each.dataset, each.train_per_class) == key]
    if confusions:
        caption = text("study-confusions-drawing", dataset=dataset)
        yield Drawing(f"confusions-{i}", caption, partial(_confusions, _best_of(confusions, best)))


_Named = TypeVar("_Named", EpochCurve, NetworkConfusion)


def _best_of(rows: Sequence[_Named], names: Sequence[str]) -> list[_Named]:
    """Return the rows of the first of these names, in their order."""
    order = {name: k for k, name in enumerate(names)}
    return sorted(rows, key=lambda row: order.get(row.name, len(order)))[:_N_SHOWN]


def draw_all(comparison: StudyComparison, folder: Path) -> dict[str, tuple[str, str]]:
    """Write all drawings to a folder, and return the title and the SVG of each by its name."""
    return {
        drawing.name: (drawing.title, draw(drawing.name, drawing.figure, folder, title=drawing.title))
        for drawing in drawings_of(comparison)
    }


def _scores(rows: Sequence[VariantScores], metric: str, title: str) -> "Figure":
    """Draw means with the standard deviation over splits and the confidence interval, the best at the top."""
    figure = new_figure(8.6, 0.8 + _rows_inch(row.name for row in rows))
    axes = figure.subplots()
    for y, row in enumerate(reversed(rows)):
        mean, score = row.mean or 0, row.metrics.get(metric)
        axes.plot([mean], [y], "o", color=DATA, markersize=5, zorder=3)
        if score is not None and score.low is not None and score.high is not None:
            axes.plot([score.low, score.high], [y, y], color=MUTED, linewidth=0.8)
        if row.sd is not None:
            ends = np.clip([mean - row.sd, mean + row.sd], *RANGES[METRICS.find(metric).scale])
            axes.plot(ends, [y, y], color=DATA, linewidth=2.4)
    _named_rows(axes, [row.name for row in reversed(rows)])
    axes.margins(x=0.05)
    axes.set_xlabel(text("study-scores-drawing.x", metric=title))
    return figure


_MOST_LINES = 3


def _wrapped(name: str, width: int) -> str:
    """Return the name on several lines, so that similar names can be told apart.

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


@dataclass(frozen=True, slots=True)
class _Panel:
    """The differences of the networks with one initialization, each with its parameters in millions."""

    title: str
    points: Sequence[tuple[str, VariantDifference, float]]


def _with_parameters(part: DatasetComparison) -> list[_Panel]:
    """Return a panel for each compared initialization whose networks have different sizes."""
    rows = {row.name: row for row in part.scores}
    regimes = dict.fromkeys(rows[each.name].regime for each in part.differences)
    panels = []
    for regime in regimes:
        points = [
            (row.model, each, row.parameters / 1e6)
            for each in part.differences
            if (row := rows[each.name]).regime == regime and row.parameters
        ]
        if len({n for *_, n in points}) > 1:
            panels.append(_Panel(regime if len({row.regime for row in part.scores}) > 1 else "", points))
    return panels


def _by_parameters(panels: Sequence[_Panel], title: str, equivalence: float) -> "Figure":
    """Draw differences from the baseline, with confidence intervals, against the size of the network."""
    heights = [max(2.8, 0.6 + _labels_inch(name for name, *_ in panel.points)) for panel in panels]
    figure = new_figure(8.6, sum(heights))
    all_axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    band = text("study-parameters-drawing.band", equivalence=f"{equivalence:g}")
    sizes = [n for panel in panels for *_, n in panel.points]
    for axes, panel in zip(all_axes, panels, strict=True):
        axes.axhspan(-equivalence, equivalence, color=HAIR, alpha=0.5, linewidth=0, label=band)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for _, each, n in panel.points:
            axes.plot([n], [each.difference.mean], "o", color=DATA, markersize=4)
            if each.difference.low is not None and each.difference.high is not None:
                axes.plot([n, n], [each.difference.low, each.difference.high], color=DATA, linewidth=1)
        _ticks_of(axes, sizes)
        _name_points(axes, [(name, n, each.difference.mean) for name, each, n in panel.points])
        axes.set_title(panel.title)
        axes.set_ylabel(text("study-parameters-drawing.y", metric=title))
    all_axes[-1].set_xlabel(text("study-parameters-drawing.x"))
    _legend(figure, all_axes[0])
    return figure


@dataclass(frozen=True, slots=True)
class _Costs:
    """The scores of networks with one kind of cost."""

    label: str
    points: Sequence[tuple[str, float, float]]  # name, cost, score


def _costs(part: DatasetComparison, comparison: StudyComparison) -> list[_Costs]:
    """Return the kinds of cost in which networks differ: parameters, multiply-adds, and the time for an image."""
    milliseconds = {
        each.model: 1000 * each.latency.whole_many.median / each.latency.n_many
        for each in comparison.latencies
        if each.dataset == part.dataset
    }
    kinds: Sequence[tuple[str, Callable[[VariantScores], float | None]]] = (
        (text("study-costs-drawing.parameters"), lambda row: row.parameters and row.parameters / 1e6),
        (text("study-costs-drawing.macs"), lambda row: row.gmacs),
        (text("study-costs-drawing.time"), lambda row: milliseconds.get(row.model)),
    )
    costs = []
    for label, cost_of in kinds:
        points = [(row.name, cost, row.mean) for row in part.scores if row.mean is not None and (cost := cost_of(row))]
        if len({cost for _, cost, _ in points}) > 1:
            costs.append(_Costs(label, points))
    return costs


def _by_cost(costs: Sequence[_Costs], title: str) -> "Figure":
    """Draw the metric against each cost, with a line along the Pareto front and the names of its networks."""
    fronts = [pareto_front([(cost, score) for _, cost, score in each.points]) for each in costs]
    named = [[point for point in each.points if point[1:] in front] for each, front in zip(costs, fronts, strict=True)]
    heights = [max(2.4, 0.6 + _labels_inch(name for name, *_ in points)) for points in named]
    figure = new_figure(8.6, sum(heights))
    all_axes = figure.subplots(len(costs), 1, squeeze=False, height_ratios=heights)[:, 0]
    style: Any = {"color": MUTED, "linewidth": 0.8, "drawstyle": "steps-post", "zorder": 0}
    for axes, each, front, points in zip(all_axes, costs, fronts, named, strict=True):
        axes.plot(*zip(*front, strict=True), label=text("study-costs-drawing.front"), **style)
        for _, cost, score in each.points:
            axes.plot([cost], [score], "o", color=DATA if (cost, score) in front else MUTED, markersize=4)
        axes.margins(y=0.1)
        _ticks_of(axes, [cost for _, cost, _ in each.points])
        _name_points(axes, points)
        axes.set_xlabel(each.label)
        axes.set_ylabel(title)
    _legend(figure, all_axes[0])
    return figure


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
    axes.set_xticks(list(ticks), [f"{tick:,.10g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)


def _ranks(scores: Overall) -> "Figure":
    """Draw mean ranks with the critical difference."""
    rows = scores.scores[::-1]
    figure = new_figure(8.6, 0.9 + _rows_inch(row.name for row in rows))
    axes = figure.subplots()
    best = min(row.mean_rank for row in rows)
    axes.axvspan(best, best + scores.critical_difference, color=HAIR, alpha=0.5, linewidth=0)
    axes.plot([row.mean_rank for row in rows], range(len(rows)), "o", color=DATA, markersize=5)
    _named_rows(axes, [row.name for row in rows])
    axes.set_xlim(0.8, len(rows) + 0.2)
    axes.set_xlabel(text("study-ranks-drawing.x", n_datasets=len(scores.datasets)))
    return figure


def _sizes(curves: Sequence[SizeCurve], title: str, target: float | None) -> "Figure":
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
    if target is not None and not is_share:
        axes.axhline(
            target,
            color=INK,
            linewidth=0.8,
            linestyle=(0, (1, 2)),
            label=text("study-sizes-drawing.target", target=f"{target:g}"),
        )
    if is_share:
        axes.set_xticks(all_sizes, [f"{size:g}%" for size in all_sizes])
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


def _network_sizes(comparison: StudyComparison) -> dict[str, tuple[float, float]]:
    """Return the parameters (millions) and multiply-adds (billions) of each network, on the first dataset with it."""
    sizes: dict[str, tuple[float, float]] = {}
    for row in (row for part in comparison.datasets for row in part.scores):
        if row.parameters is not None and row.gmacs is not None:
            sizes.setdefault(row.model, (row.parameters / 1e6, row.gmacs))
    return sizes if len(set(sizes.values())) > 1 else {}


def _complexity(sizes: Mapping[str, tuple[float, float]]) -> "Figure":
    """Draw the parameters and multiply-adds of each network as bars, the largest network at the top."""
    rows = sorted(sizes.items(), key=lambda row: row[1])
    figure = new_figure(8.6, 0.9 + _rows_inch(sizes))
    labels = (text("study-complexity-drawing.parameters"), text("study-complexity-drawing.macs"))
    for k, (axes, label) in enumerate(zip(figure.subplots(1, 2, sharey=True), labels, strict=True)):
        values = [size[k] for _, size in rows]
        axes.barh(range(len(rows)), values, color=DATA, height=0.6)
        for y, value in enumerate(values):
            axes.text(value, y, f" {value:.3g}", va="center", fontsize=7.5, color=INK)
        _named_rows(axes, [name for name, _ in rows])
        axes.margins(x=0.15)
        axes.set_xlim(left=0)
        axes.set_xlabel(label)
    return figure


def _grid(comparison: StudyComparison) -> "Figure":
    """Draw the metric of each network on each dataset as a shaded grid."""
    names, datasets = comparison.grid_names, comparison.grid_datasets
    values = np.array(
        [[np.nan if (v := comparison.grid[d].get(name)) is None else v for d in datasets] for name in names]
    )
    figure = new_figure(8.6, 1.3 + _rows_inch(names))
    axes = figure.subplots()
    _shaded(axes, values if comparison.is_higher_better else -values)
    for (y, x), value in np.ndenumerate(values):
        axes.text(x, y, "–" if np.isnan(value) else f"{value:.3f}", ha="center", va="center", fontsize=8, color=INK)
    axes.set_yticks(range(len(names)), [_wrapped(name, _ROW_WIDTH) for name in names])
    axes.set_xticks(range(len(datasets)), [_wrapped(name, 66 // len(datasets) + 2) for name in datasets])
    axes.tick_params(length=0, labelcolor=INK)
    axes.xaxis.tick_top()
    return figure


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


def _transfers(transfers: Sequence[Transfer], title: str) -> "Figure":
    """Draw the gain of pretraining against each measure of the two datasets, with a marker for each dataset."""
    figure = new_figure(8.6, 3.6)
    measures: Mapping[str, Callable[[Transfer], float]] = {
        "MMD²": lambda each: each.distance.mmd2.value or 0,
        "CORAL": lambda each: each.distance.coral.value or 0,
        "LogME": lambda each: each.distance.logme,
    }
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (measure, value_of) in zip(panels, measures.items(), strict=True):
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for i, dataset in enumerate(dict.fromkeys(each.dataset for each in transfers)):
            of_dataset = [each for each in transfers if each.dataset == dataset]
            color, mark = DATA if i % 2 == 0 else MUTED, _MARKS[i % len(_MARKS)]
            x, y = [value_of(each) for each in of_dataset], [each.gain.mean for each in of_dataset]
            axes.plot(x, y, mark, color=color, markersize=4.5, label=_wrapped(dataset, 30))
        if measure == "CORAL":
            _ticks_of(axes, [value_of(each) for each in transfers])
        axes.set_xlabel(measure)
    panels[0].set_ylabel(text("study-transfers-drawing.y", metric=title))
    _legend(figure, panels[0])
    return figure


def _legend(figure: "Figure", axes: "Axes") -> None:
    """Draw the legend below the panels, so that it covers no line."""
    handles, labels = axes.get_legend_handles_labels()
    lines = [line for label in labels for line in label.splitlines()]
    n_columns = 2 if max(map(len, lines), default=0) > 24 else 3
    figure.legend(
        handles, labels, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=8, handlelength=3
    )


def _epochs(curves: Sequence[EpochCurve]) -> "Figure":
    """Draw four panels of training curves. Each network has the same line style and marker in all panels."""
    figure = new_figure(8.6, 5.4)
    panels = figure.subplots(2, 2).ravel()
    columns = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    for axes, column in zip(panels, columns, strict=True):
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
        if column.endswith("loss") and drawn and 0 < _LOG_SCALE_RATIO * min(drawn) < max(drawn):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_formatter(lambda *_: "")
        if column.endswith("accuracy"):
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, -0.02), min(high, 1.02))
        axes.set_title(text(f"study-epochs-drawing.{column.replace('_', '-')}"))
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[2:]:
        axes.set_xlabel(text("study-epochs-drawing.x"))
    _legend(figure, panels[1])
    return figure
