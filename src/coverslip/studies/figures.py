"""The drawings of a study's report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.messages import text
from coverslip.reports.figures import CLASS_DASHES, DATA, HAIR, INK, MUTED, draw, new_figure, shortened, sizes_apart
from coverslip.studies.comparing import DatasetComparison, StudyComparison, VariantDifference, VariantScores
from coverslip.studies.results import Overall, SizeCurve
from coverslip.studies.variants import EpochCurve

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


def drawings_of(comparison: StudyComparison) -> Iterator[Drawing]:
    """Yield the drawings that have results.

    `scores-1`, `by-parameters-1`, `by-latency-1`, `epochs-1`, `sizes-1` and so on are for one dataset each, numbered as
    in the comparison; `ranks` is for all datasets.
    """
    title = comparison.metric_title
    for i, part in enumerate(comparison.datasets, start=1):
        dataset_title = part.dataset
        if part.train_per_class:
            dataset_title = text("study-drawn-dataset", dataset=part.dataset, n=part.train_per_class)
        scores = [row for row in part.scores if row.mean is not None]
        if len(scores) > 1:
            caption = text("study-scores-drawing", metric=title, dataset=dataset_title)
            yield Drawing(f"scores-{i}", caption, partial(_scores, scores, title))
        if len(pairs := _with_parameters(part)) > 1:
            caption = text("study-parameters-drawing", metric=title, dataset=dataset_title)
            yield Drawing(f"by-parameters-{i}", caption, partial(_by_parameters, pairs, title, comparison.equivalence))
        if len(timed := _timed(part, comparison)) > 1:
            caption = text("study-latency-drawing", metric=title, dataset=dataset_title)
            yield Drawing(f"by-latency-{i}", caption, partial(_by_latency, timed, title))
        curves = [
            c for c in comparison.curves if (c.dataset, c.train_per_class) == (part.dataset, part.train_per_class)
        ]
        if curves:
            yield Drawing(f"epochs-{i}", text("study-epochs-drawing", dataset=dataset_title), partial(_epochs, curves))
    if comparison.overall is not None:
        yield Drawing(
            "ranks",
            text("study-ranks-drawing"),
            partial(_ranks, comparison.overall),
        )
    for i, dataset in enumerate(dict.fromkeys(curve.dataset for curve in comparison.sizes), start=1):
        of_dataset = [curve for curve in comparison.sizes if curve.dataset == dataset]
        of_sizes = partial(_sizes, of_dataset, title, comparison.target)
        yield Drawing(f"sizes-{i}", text("study-sizes-drawing", metric=title, dataset=dataset), of_sizes)


def draw_all(comparison: StudyComparison, folder: Path) -> dict[str, tuple[str, str]]:
    """Write all drawings to a folder, and return the title and the SVG of each by its name."""
    return {
        drawing.name: (drawing.title, draw(drawing.name, drawing.figure, folder, title=drawing.title))
        for drawing in drawings_of(comparison)
    }


def _scores(rows: Sequence[VariantScores], title: str) -> "Figure":
    """Draw means with the standard deviation over splits, the best at the top."""
    figure = new_figure(8.6, 0.8 + _ROW_INCH * len(rows))
    axes = figure.subplots()
    for y, row in enumerate(reversed(rows)):
        mean = row.mean or 0
        axes.plot([mean], [y], "o", color=DATA, markersize=5, zorder=3)
        if row.sd is not None:
            axes.plot([mean - row.sd, mean + row.sd], [y, y], color=DATA, linewidth=1.2)
    _named_rows(axes, [row.name for row in reversed(rows)])
    axes.margins(x=0.05)
    axes.set_xlabel(text("study-scores-drawing.x", metric=title))
    return figure


def _named_rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [shortened(name, 40) for name in names])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(axis="x", color=HAIR, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_ylim(-0.6, len(names) - 0.4)


def _with_parameters(part: DatasetComparison) -> list[tuple[VariantDifference, int]]:
    """Return the differences of networks with their parameters; empty if all networks have the same size."""
    parameters = {row.name: row.parameters for row in part.scores}
    pairs = [(each, n) for each in part.differences if (n := parameters.get(each.name)) is not None]
    return pairs if len({n for _, n in pairs}) > 1 else []


def _by_parameters(pairs: Sequence[tuple[VariantDifference, int]], title: str, equivalence: float) -> "Figure":
    """Draw differences from the baseline, with confidence intervals, against the size of the network."""
    figure = new_figure(8.6, max(3.2, 0.6 + _LABEL_INCH * len(pairs)))
    axes = figure.subplots()
    band = text("study-parameters-drawing.band", equivalence=f"{equivalence:g}")
    axes.axhspan(-equivalence, equivalence, color=HAIR, alpha=0.5, linewidth=0, label=band)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    for each, n_parameters in pairs:
        difference, n = each.difference, n_parameters / 1e6
        axes.plot([n], [difference.mean], "o", color=DATA, markersize=4)
        if difference.low is not None and difference.high is not None:
            axes.plot([n, n], [difference.low, difference.high], color=DATA, linewidth=1)
    _ticks_of(axes, [n / 1e6 for _, n in pairs])
    _name_points(axes, [(each.name, n / 1e6, each.difference.mean) for each, n in pairs])
    axes.set_xlabel(text("study-parameters-drawing.x"))
    axes.set_ylabel(text("study-parameters-drawing.y", metric=title))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, borderpad=0)
    return figure


def _timed(part: DatasetComparison, comparison: StudyComparison) -> list[tuple[VariantScores, float]]:
    """Return the scores with the total prediction time per image of a batch, in milliseconds."""
    seconds = {
        each.model: each.latency.whole_many.median / each.latency.n_many
        for each in comparison.latencies
        if each.dataset == part.dataset
    }
    return [(row, 1000 * seconds[row.model]) for row in part.scores if row.mean is not None and row.model in seconds]


def _by_latency(timed: Sequence[tuple[VariantScores, float]], title: str) -> "Figure":
    """Draw the metric against the time per image, with a line along the Pareto front."""
    figure = new_figure(8.6, max(3.2, 0.6 + _LABEL_INCH * len(timed)))
    axes = figure.subplots()
    for row, ms in timed:
        axes.plot([ms], [row.mean or 0], "o", color=DATA, markersize=4)
    front = pareto_front([(ms, row.mean or 0) for row, ms in timed])
    style: Any = {"color": MUTED, "linewidth": 0.8, "drawstyle": "steps-post", "zorder": 0}
    axes.plot(*zip(*front, strict=True), label=text("study-latency-drawing.front"), **style)
    axes.margins(y=0.1)
    _ticks_of(axes, [ms for _, ms in timed])
    _name_points(axes, [(row.name, ms, row.mean or 0) for row, ms in timed])
    axes.set_xlabel(text("study-latency-drawing.x"))
    axes.set_ylabel(title)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, borderpad=0)
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
    low, high = axes.get_ylim()
    step = (high - low) / max(len(points), 8)
    named = sorted(points, key=lambda point: point[2])
    heights: list[float] = []
    for k, (_, _, y) in enumerate(named):
        room_above = (len(named) - 1 - k) * step
        heights.append(min(max(y, heights[-1] + step if heights else low + step / 2), high - step / 2 - room_above))
    edge = axes.get_yaxis_transform()
    for (name, x, y), height in zip(named, heights, strict=True):
        style: Any = {"arrowstyle": "-", "color": HAIR, "linewidth": 0.8, "shrinkA": 2, "shrinkB": 3}
        axes.annotate(
            shortened(name, 30),
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
    ticks = [step * 10.0**k for k in range(-4, 8) for step in steps]
    _plain_ticks(axes, [tick for tick in ticks if low / 1.3 <= tick <= high * 1.3])


def _plain_ticks(axes: "Axes", ticks: Sequence[float]) -> None:
    axes.set_xticks(list(ticks), [f"{tick:,.10g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)


def _ranks(scores: Overall) -> "Figure":
    """Draw mean ranks with the critical difference."""
    rows = scores.scores[::-1]
    figure = new_figure(8.6, 0.9 + _ROW_INCH * len(rows))
    axes = figure.subplots()
    best = min(row.mean_rank for row in rows)
    axes.axvspan(best, best + scores.critical_difference, color=HAIR, alpha=0.5, linewidth=0)
    axes.plot([row.mean_rank for row in rows], range(len(rows)), "o", color=DATA, markersize=5)
    _named_rows(axes, [row.name for row in rows])
    axes.set_xlim(0.8, len(rows) + 0.2)
    axes.set_xlabel(text("study-ranks-drawing.x", n_datasets=len(scores.datasets)))
    return figure


def _sizes(curves: Sequence[SizeCurve], title: str, target: float | None) -> "Figure":
    figure = new_figure(8.6, 3.4 + 0.18 * ((len(curves) + 1) // 2))
    axes = figure.subplots()
    for i, curve in enumerate(curves):
        x = np.array([point.n for point in curve.points])
        y = np.array([point.mean for point in curve.points])
        sd = np.array([point.sd or 0 for point in curve.points])
        color = DATA if i % 2 == 0 else MUTED
        dash = CLASS_DASHES[i // 2 % len(CLASS_DASHES)]
        style: Any = {"color": color, "linestyle": dash, "marker": _MARKS[i % len(_MARKS)], "markersize": 4}
        axes.plot(x, y, label=shortened(curve.name, 40), **style)
        axes.fill_between(x, y - sd, y + sd, color=color, alpha=0.12, linewidth=0)
    if target is not None:
        axes.axhline(
            target,
            color=INK,
            linewidth=0.8,
            linestyle=(0, (1, 2)),
            label=text("study-sizes-drawing.target", target=f"{target:g}"),
        )
    axes.set_xscale("log")
    _plain_ticks(axes, sizes_apart(sorted({point.n for curve in curves for point in curve.points})))
    axes.set_xlabel(text("study-sizes-drawing.x"))
    axes.set_ylabel(text("study-sizes-drawing.y", metric=title))
    _legend(figure, axes)
    return figure


def _legend(figure: "Figure", axes: "Axes") -> None:
    """Draw the legend below the panels, so that it covers no line."""
    handles, labels = axes.get_legend_handles_labels()
    n_columns = 2 if max(map(len, labels), default=0) > 24 else 3
    figure.legend(
        handles, labels, loc="outside lower center", ncols=n_columns, frameon=False, fontsize=8, handlelength=3
    )


def _epochs(curves: Sequence[EpochCurve]) -> "Figure":
    """Draw three panels of training curves. Each network has the same line style and marker in all panels."""
    figure = new_figure(8.6, 3.2)
    panels = figure.subplots(1, 3)
    columns = ("train_loss", "val_loss", "val_accuracy")
    for axes, column in zip(panels, columns, strict=True):
        drawn: list[float] = []
        for i, (curve, mark) in enumerate(zip(curves, _MARKS, strict=False)):
            points = [(x, y) for x, y in zip(curve.epochs, getattr(curve, column), strict=True) if y is not None]
            if points:
                style = {"color": DATA if i % 2 == 0 else MUTED, "linestyle": CLASS_DASHES[i % len(CLASS_DASHES)]}
                axes.plot(
                    *zip(*points, strict=True), marker=mark, markersize=3.5, label=shortened(curve.name, 30), **style
                )
                drawn += [y for _, y in points]
        # On a linear scale, a large loss would hide the others.
        if column != "val_accuracy" and drawn and 0 < _LOG_SCALE_RATIO * min(drawn) < max(drawn):
            axes.set_yscale("log")
        axes.set_title(text(f"study-epochs-drawing.{column.replace('_', '-')}"))
        axes.set_xlabel(text("study-epochs-drawing.x"))
        axes.xaxis.get_major_locator().set_params(integer=True)
    _legend(figure, panels[1])
    return figure
