"""The drawings of a study's report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.reports.figures import CLASS_DASHES, DATA, HAIR, INK, MUTED, draw, new_figure, shortened
from coverslip.studies.comparing import DatasetComparison, StudyComparison, VariantDifference, VariantScores
from coverslip.studies.details import EpochCurve
from coverslip.studies.overall import Overall
from coverslip.studies.sizes import SizeCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW_INCH = 0.22
_MARKS = ("o", "s", "^", "D", "v", "X")  # of networks in one drawing
_WIDE = 20  # times as large: then on a logarithmic scale


@dataclass(frozen=True, slots=True)
class Drawing:
    """One of a study's drawings."""

    name: str  # of its files
    title: str  # what it shows
    figure: Callable[[], "Figure"]


def drawings_of(comparison: StudyComparison) -> Iterator[Drawing]:
    """All drawings that there are numbers for.

    `scores-1`, `by-parameters-1`, `by-latency-1`, `epochs-1`, `sizes-1` and so on are of the datasets, numbered as in
    the comparison; `ranks` of all.
    """
    title = comparison.metric_title
    for i, part in enumerate(comparison.datasets, start=1):
        size = f", {part.train_per_class} training images of each class" if part.train_per_class else ""
        on = f"{part.dataset}{size}"
        known = [row for row in part.scores if row.mean is not None]
        if len(known) > 1:
            text = f"{title} of each network on {on}"
            yield Drawing(f"scores-{i}", text, partial(_scores, known, title))
        if len(pairs := _with_parameters(part)) > 1:
            text = f"Difference of {title} against the number of parameters, {on}"
            yield Drawing(f"by-parameters-{i}", text, partial(_by_parameters, pairs, title, comparison.equivalence))
        if len(timed := _timed(part, comparison)) > 1:
            text = f"{title} against seconds per image, {on}"
            yield Drawing(f"by-latency-{i}", text, partial(_by_latency, timed, title))
        curves = [
            c for c in comparison.curves if (c.dataset, c.train_per_class) == (part.dataset, part.train_per_class)
        ]
        if curves:
            yield Drawing(f"epochs-{i}", f"Loss and accuracy by epoch, {on}", partial(_epochs, curves))
    if comparison.overall is not None:
        yield Drawing("ranks", "Mean rank of each network over datasets", partial(_ranks, comparison.overall))
    for i, dataset in enumerate(dict.fromkeys(curve.dataset for curve in comparison.sizes), start=1):
        of_dataset = [curve for curve in comparison.sizes if curve.dataset == dataset]
        of_sizes = partial(_sizes, of_dataset, title, comparison.target)
        yield Drawing(f"sizes-{i}", f"{title} by the number of training images, {dataset}", of_sizes)


def draw_all(comparison: StudyComparison, folder: Path) -> dict[str, str]:
    """All drawings as files in a folder and as SVG for the page, by name."""
    return {own.name: draw(own.name, own.figure, folder, title=own.title) for own in drawings_of(comparison)}


def _scores(rows: Sequence[VariantScores], title: str) -> "Figure":
    """Means with the spread over splits, the best on top."""
    figure = new_figure(8.6, 0.7 + _ROW_INCH * len(rows))
    axes = figure.subplots()
    for y, row in enumerate(reversed(rows)):
        axes.barh(y, row.mean or 0, color=DATA, height=0.6, alpha=0.85)
        if row.mean is not None and row.sd is not None:
            axes.plot([row.mean - row.sd, row.mean + row.sd], [y, y], color=INK, linewidth=1)
    _named_rows(axes, [row.name for row in reversed(rows)])
    axes.set_xlabel(f"{title}: mean, and standard deviation over splits")
    return figure


def _named_rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [shortened(name, 40) for name in names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(names) - 0.4)


def _with_parameters(part: DatasetComparison) -> list[tuple[VariantDifference, int]]:
    """Differences of networks whose sizes are known; none where all have one size."""
    parameters = {row.name: row.parameters for row in part.scores}
    pairs = [(each, n) for each in part.differences if (n := parameters.get(each.name)) is not None]
    return pairs if len({n for _, n in pairs}) > 1 else []


def _by_parameters(pairs: Sequence[tuple[VariantDifference, int]], title: str, equivalence: float) -> "Figure":
    """Differences from the baseline with their intervals, against the size of the network."""
    figure = new_figure(8.6, 3.2)
    axes = figure.subplots()
    axes.axhspan(-equivalence, equivalence, color=HAIR, alpha=0.5, linewidth=0)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    for each, n_parameters in pairs:
        found, n = each.difference, n_parameters / 1e6
        axes.plot([n], [found.mean], "o", color=DATA, markersize=4)
        if found.low is not None and found.high is not None:
            axes.plot([n, n], [found.low, found.high], color=DATA, linewidth=1)
        _beside(axes, each.name, n, found.mean)
    _log_scale(axes, [2.0**k for k in range(-2, 9)])
    axes.margins(x=0.15)
    axes.set_xlabel("millions of parameters, with 1,000 classes")
    axes.set_ylabel(f"difference of {title}")
    return figure


def _timed(part: DatasetComparison, comparison: StudyComparison) -> list[tuple[VariantScores, float]]:
    """What has a mean, and the milliseconds that an image takes from the file to the answer, of many."""
    seconds = {
        each.model: each.latency.whole_many.median / each.latency.n_many
        for each in comparison.latencies
        if each.dataset == part.dataset
    }
    return [(row, 1000 * seconds[row.model]) for row in part.scores if row.mean is not None and row.model in seconds]


def _by_latency(timed: Sequence[tuple[VariantScores, float]], title: str) -> "Figure":
    """Which are the best for their time: those that nothing quicker surpasses are joined."""
    figure = new_figure(8.6, 3.2)
    axes = figure.subplots()
    for row, ms in timed:
        axes.plot([ms], [row.mean or 0], "o", color=DATA, markersize=4)
        _beside(axes, row.name, ms, row.mean or 0)
    front = pareto_front([(ms, row.mean or 0) for row, ms in timed])
    axes.plot(*zip(*front, strict=True), color=MUTED, linewidth=0.8, drawstyle="steps-post", zorder=0)
    _log_scale(axes, [round(10.0**k * step, 3) for k in range(-2, 5) for step in (1, 2, 5)])
    axes.margins(x=0.15, y=0.1)
    axes.set_xlabel("milliseconds per image of many, from the file to the answer")
    axes.set_ylabel(title)
    return figure


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (cost, value), those that no cheaper one equals, by cost."""
    front: list[tuple[float, float]] = []
    for cost, value in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or value > front[-1][1]:
            front.append((cost, value))
    return front


def _beside(axes: "Axes", name: str, x: float, y: float) -> None:
    axes.annotate(shortened(name, 30), (x, y), xytext=(4, 3), textcoords="offset points", fontsize=7, color=MUTED)


def _log_scale(axes: "Axes", ticks: Sequence[float]) -> None:
    """With plain numbers, as many of `ticks` as there is room for."""
    low, high = axes.get_xlim()
    axes.set_xscale("log")
    axes.set_xticks([tick for tick in ticks if low <= tick <= high] or list(ticks), minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")


def _ranks(scores: Overall) -> "Figure":
    """Mean ranks, and how far apart they must be to be more than chance."""
    rows = scores.scores[::-1]
    figure = new_figure(8.6, 0.9 + _ROW_INCH * len(rows))
    axes = figure.subplots()
    best = min(row.mean_rank for row in rows)
    axes.axvspan(best, best + scores.critical_difference, color=HAIR, alpha=0.5, linewidth=0)
    axes.plot([row.mean_rank for row in rows], range(len(rows)), "o", color=DATA, markersize=5)
    _named_rows(axes, [row.name for row in rows])
    axes.set_xlim(0.8, len(rows) + 0.2)
    axes.set_xlabel(f"mean rank over {len(scores.datasets)} datasets; shaded: not told apart from the best (Nemenyi)")
    return figure


def _sizes(curves: Sequence[SizeCurve], title: str, target: float | None) -> "Figure":
    figure = new_figure(8.6, 3.2)
    axes = figure.subplots()
    for i, curve in enumerate(curves):
        x = np.array([point.n for point in curve.points])
        y = np.array([point.mean for point in curve.points])
        sd = np.array([point.sd or 0 for point in curve.points])
        colour = DATA if i % 2 == 0 else MUTED
        dash = CLASS_DASHES[i // 2 % len(CLASS_DASHES)]
        axes.plot(x, y, color=colour, linestyle=dash, marker="o", markersize=3, label=shortened(curve.name, 40))
        axes.fill_between(x, y - sd, y + sd, color=colour, alpha=0.12, linewidth=0)
    if target is not None:
        axes.axhline(target, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    _log_scale(axes, sorted({float(point.n) for curve in curves for point in curve.points}))
    axes.set_xlabel("training images of each class")
    axes.set_ylabel(title)
    axes.legend(frameon=False, fontsize=7.5)
    return figure


def _epochs(curves: Sequence[EpochCurve]) -> "Figure":
    """Several networks in one figure: each has its line and mark, in all three panels."""
    figure = new_figure(8.6, 3.0)
    panels = figure.subplots(1, 3)
    columns = ("train_loss", "val_loss", "val_accuracy")
    titles = ("loss of training images", "loss of validation images", "accuracy of validation images")
    for axes, column, title in zip(panels, columns, titles, strict=True):
        drawn: list[float] = []
        for i, (curve, mark) in enumerate(zip(curves, _MARKS, strict=False)):
            known = [(x, y) for x, y in zip(curve.epochs, getattr(curve, column), strict=True) if y is not None]
            if known:
                style = {"color": DATA if i % 2 == 0 else MUTED, "linestyle": CLASS_DASHES[i % len(CLASS_DASHES)]}
                axes.plot(
                    *zip(*known, strict=True), marker=mark, markersize=3.5, label=shortened(curve.name, 30), **style
                )
                drawn += [y for _, y in known]
        if column != "val_accuracy" and drawn and 0 < _WIDE * min(drawn) < max(drawn):  # one leaves all others behind
            axes.set_yscale("log")
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=7)
    return figure
