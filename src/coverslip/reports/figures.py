"""Figures of a report, as part of the page (colors follow its light or dark theme) and as PNG and SVG files."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.evaluation.calibration import merged_bins, reliability_bins
from coverslip.evaluation.learning import LearningCurve
from coverslip.evaluation.results import Metric
from coverslip.files import write_bytes
from coverslip.messages import escape_controls_in_lines, localized_number, text
from coverslip.reports.reported import count, number
from coverslip.runs.training import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOKENS_FILE = Path(__file__).with_name("tokens.css")

N_CLASS_COLORS = 8  # further classes repeat the colors with other dashes


@cache
def light_colors() -> dict[str, str]:
    """Return the colors of the light theme as `#rrggbb`, by their names without leading dashes."""
    colors = re.findall(r"--([\w-]+): (?:light-dark\()?(#[0-9a-f]{6})", TOKENS_FILE.read_text(encoding="utf-8"))
    return dict(colors)


@cache
def _dark_by_light() -> dict[str, str]:
    """Return the colors of the dark theme by those of figures."""
    themed = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS_FILE.read_text("utf-8"))
    return {light: dark for name, light, dark in themed if name in _THEMED}


def with_dark_colors(svg: str) -> str:
    """Return a figure as SVG text for a dark ground."""
    dark_by_light = _dark_by_light()
    return re.sub("|".join(dark_by_light), lambda color: dark_by_light[color[0]], svg)


def class_line_color(index: int) -> str:
    """Return the color of the lines of class `index` (0-based) of a classifier, the same in all figures.

    The app has these colors too, but its classes are those of the dataset, also where a classifier lacks some.
    """
    return light_colors()[f"class-{index % N_CLASS_COLORS}-line"]


_LIGHT = light_colors()
INK, MUTED, HAIR, PAPER = (_LIGHT[name] for name in ("text", "text-soft", "line", "ground"))
DATA, WRONG, WASH = (_LIGHT[name] for name in ("data", "bad", "sunken"))
_CLASS_LINES = (f"class-{index}-line" for index in range(N_CLASS_COLORS))
_THEMED = ("text", "text-soft", "line", "ground", "data", "bad", "sunken", *_CLASS_LINES)
_THEME = {_LIGHT[name]: f"var(--{name})" for name in _THEMED}
# Dashes that distinguish classes beyond colors, as in `charts/colors.ts` of the pages.
CLASS_DASHES: Any = ("-", (0, (3, 1.5)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (0.5, 1)))  # Any: Matplotlib's
_STYLE: Any = {  # Any: Matplotlib types its settings by name
    "svg.fonttype": "none",
    "text.parse_math": False,  # the name of a class may be $x$
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titley": 1.0,  # avoids the search for a position: nothing is above the axes
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
}


DataCell = str | int | float | None


@dataclass(frozen=True, slots=True)
class FigureData:
    """The data of a figure as a table, written as `figures/NAME.csv`; an empty cell is None."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[DataCell]]


def draw(name: str, figure: Callable[[], "Figure"], folder: Path, *, title: str) -> str:
    """Write `folder/NAME.png` and `.svg`; return the same figure as SVG text for a page.

    Args:
        name: of the files; it also makes identifiers unique among the figures of a page.
        figure: function that draws the figure.
        folder: for the files.
        title: text alternative for screen readers.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    png = io.BytesIO()
    with _styled(name):
        picture, svg = _drawn(figure)
        picture.set(dpi=200, facecolor="white")
        FigureCanvasAgg(picture).print_png(png, pil_kwargs={"compress_level": 1})  # type: ignore[no-untyped-call]
    portable_svg = svg.replace("'DejaVu Sans'", "Helvetica, Arial, 'DejaVu Sans', sans-serif")
    write_bytes(folder / f"{name}.png", png.getvalue())
    write_bytes(folder / f"{name}.svg", portable_svg.encode())
    return _for_page(svg, title)


def drawn_for_page(name: str, figure: Callable[[], "Figure"], *, title: str) -> str:
    """Return a figure as SVG text for a page, without files; arguments as of `draw`."""
    with _styled(name):
        return _for_page(_drawn(figure)[1], title)


@contextmanager
def _styled(name: str) -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the user's Matplotlib settings must not change a report
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["svg.hashsalt"] = name
        yield


def _drawn(figure: Callable[[], "Figure"]) -> "tuple[Figure, str]":
    """Return a figure with its layout, and as SVG text."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    picture = figure()
    _localize_ticks(picture)
    if (layout := picture.get_layout_engine()) is not None:
        layout.execute(picture)  # once for all files
        picture.set_layout_engine("none")
    # `savefig` would draw each file twice: the first time for the layout, which is complete here.
    svg = io.StringIO()
    FigureCanvasSVG(picture).print_svg(svg, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return picture, escape_controls_in_lines(svg.getvalue())


def _localize_ticks(picture: "Figure") -> None:
    """Write the numbers on axes as in the current language. Other tick labels are texts."""
    from matplotlib.ticker import ScalarFormatter

    class Localized(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return localized_number(super().__call__(x, pos))

    for axis in (axis for axes in picture.axes for axis in (axes.xaxis, axes.yaxis)):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(Localized())


def _for_page(svg: str, title: str) -> str:
    from markupsafe import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    for color, variable in _THEME.items():
        svg = svg.replace(color, variable)
    svg = re.sub(r"font-family: [^;\"]*|'DejaVu Sans'(, sans-serif)?", _page_font, svg)
    opening = re.sub(r' (width|height)="[^"]*"', "", svg[: svg.index(">") + 1])
    # All drawings share one scale, so that their text has one size: 8.6 inches are a column of the page.
    width_rem = float(re.findall(r' width="([\d.]+)pt"', svg)[0]) / (8.6 * 72) * 51
    attributes = f'role="img" aria-label="{escape(title)}" style="width: {width_rem:.2f}rem"'
    opening = opening.replace("<svg", f"<svg {attributes}", 1)
    return opening + svg[svg.index(">") + 1 :]


def _page_font(declarations: re.Match[str]) -> str:
    return "font-family: var(--font)" if declarations[0].startswith("font-family") else "var(--font)"


def curves(history: Sequence[Epoch], selected_epoch: int | None) -> "Figure":
    """Draw training and validation loss, macro-F1 and accuracy by epoch, with a ring at the selected epoch.

    Args:
        history: a row for each epoch; without validation images, only training values are drawn.
        selected_epoch: epoch of the classifier's network; None if it is not known.
    """
    figure = new_figure(8.6, 2.8)
    panels = curve_panels([history])
    for axes, (key, title) in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        for part, color, words in (
            ("train", MUTED, text("figure-label-training")),
            ("val", DATA, text("figure-label-validation")),
        ):
            points = _points(history, f"{part}_{key}")
            if points:
                x, y = zip(*points, strict=True)
                dash = "-" if part == "val" else (0, (3, 1.6))
                axes.plot(x, y, color=color, linestyle=dash, marker="o" if len(x) < 4 else None, ms=3, label=words)
        selected_points = [point for point in _points(history, f"val_{key}") if point[0] == selected_epoch]
        if selected_points:
            ring: Any = {"marker": "o", "markersize": 7, "markerfacecolor": PAPER, "markeredgewidth": 1.5}
            axes.plot(
                *zip(*selected_points, strict=True),
                color=DATA,
                linestyle="",
                label=text("figure-label-selected-epoch"),
                **ring,
            )
        _epoch_axis(axes, title)
    legend_below(figure)
    return figure


def curve_panels(histories: Sequence[Sequence[Epoch]], sets: Sequence[str] = ("train", "val")) -> list[tuple[str, str]]:
    """Return the values of an epoch that have a panel, because some epoch has a value of these sets, with titles."""
    titles = {"loss": "figure-title-loss", "f1": "figure-title-macro-f1", "accuracy": "figure-title-accuracy"}
    return [
        (key, text(title))
        for key, title in titles.items()
        if any(_points(history, f"{part}_{key}") for history in histories for part in sets)
    ]


def _epoch_axis(axes: "Axes", title: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(text("figure-label-epoch"))
    axes.locator_params(axis="x", integer=True)
    axes.margins(y=0.08)


def legend_below(figure: "Figure") -> None:
    """Add one legend for all panels below them, so that it covers no line."""
    labeled = [
        handle_and_label
        for axes in figure.axes
        for handle_and_label in zip(*axes.get_legend_handles_labels(), strict=True)
    ]
    handles = {label: handle for handle, label in labeled}
    if handles:
        style: Any = {"frameon": False, "fontsize": 8, "handlelength": 2.2, "labelcolor": INK}  # Any: Matplotlib's
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=len(handles),
            **style,
        )


def _points(history: Sequence[Epoch], column: str) -> list[tuple[int, float]]:
    """Return (epoch, value) of the epochs that have a value."""
    return [(row.epoch, value) for row in history if (value := getattr(row, column)) is not None]


def fold_curves(histories: Sequence[Sequence[Epoch]]) -> "Figure":
    """Draw validation loss, macro-F1 and accuracy by epoch, with a line per fold."""
    figure = new_figure(8.6, 2.8)
    panels, label = curve_panels(histories, ("val",)), text("figure-label-validation-of-fold")
    for axes, (key, title) in zip(np.ravel(figure.subplots(1, len(panels))), panels, strict=True):
        for history in histories:
            points = _points(history, f"val_{key}")
            if points:
                x, y = zip(*points, strict=True)
                marker = "o" if len(x) < 4 else None
                axes.plot(x, y, color=DATA, linewidth=1, alpha=0.6, marker=marker, ms=3, label=label)
        _epoch_axis(axes, title)
    legend_below(figure)
    return figure


def confusion(
    matrix: np.ndarray,
    classes: Sequence[str],
    *,
    numbers: Sequence[int] | None = None,
    n_images: np.ndarray | None = None,
) -> "Figure":
    """Draw a confusion matrix, shaded by the share of the row; with few classes, the share is written too.

    Args:
        matrix: (K, K) counts, of all classes or of some.
        classes: their names.
        numbers: 1-based numbers of these classes among all classes; default: their order.
        n_images: (K,) images of each class; default: the sum of the row.
    """
    n_classes = len(classes)
    is_named = numbers is None and n_classes <= 8 and max(len(name) for name in classes) <= 14
    cell = float(np.clip(6.2 / n_classes, 0.27, 0.8))
    names = [shortened(name) for name in classes]
    left_margin = 0.078 * max(len(name) for name in names) + (0.65 if is_named else 1.05)
    figure = new_figure(max(left_margin + cell * n_classes + 0.4, 4.2), cell * n_classes + (1.25 if is_named else 0.75))
    axes = figure.subplots()
    whole = matrix.sum(axis=1) if n_images is None else n_images
    _cells(axes, matrix, matrix / np.maximum(whole, 1)[:, None])
    _true_and_predicted(axes, n_classes)
    labels = [str(k) for k in numbers or range(1, n_classes + 1)]
    size = 8.5 if n_classes <= 12 else 7.5
    axes.set_yticks(
        range(n_classes),
        names
        if is_named
        else [name if name == k else f"{name}\N{EN SPACE}{k}" for name, k in zip(names, labels, strict=True)],
    )
    axes.set_xticks(range(n_classes), names if is_named else labels)
    if is_named and cell * 72 < 5.2 * max(len(name) for name in names):
        for tick_label in axes.get_xticklabels():
            tick_label.set(rotation=35, ha="left", rotation_mode="anchor")
    for tick_label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        tick_label.set_fontsize(size)
    return figure


def whole_confusion(matrix: np.ndarray) -> "Figure":
    """Draw the confusion matrix of many classes, without names and counts: a pixel per pair of classes."""
    n_classes = len(matrix)
    figure = new_figure(8.6, 8.2)
    axes = figure.subplots()
    axes.set_facecolor(WASH)
    axes.imshow(_shades(matrix, matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)), interpolation="none")
    _true_and_predicted(axes, n_classes)
    ticks = range(0, n_classes, 10 if n_classes > 50 else 5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [str(k + 1) for k in ticks])
    return figure


def _true_and_predicted(axes: "Axes", n_classes: int) -> None:
    """Set up the axes of a confusion matrix, with the first class at the top left."""
    axes.set_xlim(-0.5, n_classes - 0.5)
    axes.set_ylim(n_classes - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK, pad=5)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(text("figure-label-predicted-class"), labelpad=8)
    axes.set_ylabel(text("figure-label-true-class"), labelpad=8)


def _cells(axes: "Axes", matrix: np.ndarray, share: np.ndarray) -> None:
    """Draw a square for each pair of classes, with its count unless it is 0."""
    n_classes, shades = len(matrix), _shades(matrix, share)
    _squares(axes, np.argwhere(matrix >= 0), WASH)
    nonzero_cells = np.argwhere(matrix > 0)
    _squares(axes, nonzero_cells, shades[nonzero_cells[:, 0], nonzero_cells[:, 1]])
    for row, column in nonzero_cells.tolist():
        n_images, part = int(matrix[row, column]), float(share[row, column])
        color = PAPER if part >= 0.5 else INK
        if n_classes <= 8:
            axes.text(column, row - 0.11, count(n_images), ha="center", va="center", color=color, fontsize=10)
            axes.text(column, row + 0.21, _whole_percent(part), ha="center", va="center", color=color, fontsize=7.5)
        else:
            size = 8.5 if n_classes <= 14 else 7
            axes.text(
                column,
                row,
                count(n_images) if n_classes <= 14 else str(n_images),
                ha="center",
                va="center",
                color=color,
                fontsize=size,
            )


def _whole_percent(share: float) -> str:
    """Format 0.128 as '13%'; a share is never rounded to 100% or 0%."""
    percents = round(100 * share)
    rounded = ">99%" if percents == 100 and share < 1 else "<1%" if percents == 0 and share > 0 else f"{percents}%"
    return localized_number(rounded)


def _squares(axes: "Axes", cells: np.ndarray, colors: Any) -> None:  # Any: colors that Matplotlib accepts
    """Draw squares at (n, 2) rows and columns as one artist: thousands of artists would take a minute."""
    from matplotlib.collections import PolyCollection

    corners = np.array([(-0.485, -0.485), (0.485, -0.485), (0.485, 0.485), (-0.485, 0.485)])
    axes.add_collection(PolyCollection(cells[:, None, ::-1] + corners, facecolors=colors, linewidths=0), autolim=False)


def _shades(matrix: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return (K, K, 4) colors: one for the diagonal, one for all other cells; the opacity is the share of the row.

    Cells without images are transparent. Opacity is readable on light and dark backgrounds, unlike a color map.
    """
    from matplotlib.colors import to_rgb

    shades = np.zeros((*matrix.shape, 4))
    shades[..., :3] = to_rgb(WRONG)
    np.einsum("kkc->kc", shades)[:, :3] = to_rgb(DATA)
    shades[..., 3] = np.where(matrix > 0, _opacity(share), 0)
    return shades


def _opacity(share: np.ndarray) -> np.ndarray:
    """Return opacity in two ranges with a step at 0.5, so that text has enough contrast in each; as in the pages."""
    return np.where(share < 0.5, 0.12 + 0.66 * share, 0.85 + 0.30 * (share - 0.5))


FEWEST_IN_DOT = 10  # images: the accuracy of fewer is mostly chance


def calibration(
    probability: np.ndarray,
    label: np.ndarray,
    before: np.ndarray | None,
    *,
    error: str,
    error_before: str,
) -> "Figure":
    """Draw accuracy by predicted probability, before and after calibration, and the number of images per bin.

    Bins with few images are drawn as one dot with their neighbors.

    Args:
        probability: (n, K), after calibration.
        label: (n,) numbers of classes.
        before: (n, K), before calibration; None: not available.
        error, error_before: calibration errors above chance, for the legend; empty: unknown.
    """
    figure = new_figure(8.6, 4.2)
    axes, below = figure.subplots(1, 2, width_ratios=(1.15, 1))
    perfect = text("figure-label-perfect-calibration")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 2)), label=perfect, zorder=1)
    # Squares enclose dots of the same number of images: where both are equal, both are visible.
    for values, words, gap, area, look in (
        (probability, text("figure-label-after-calibration"), error, 1.0, {"color": DATA, "zorder": 3}),
        (
            before,
            text("figure-label-before-calibration"),
            error_before,
            2.5,
            {"marker": "s", "facecolor": "none", "edgecolor": MUTED, "linewidth": 1.2, "zorder": 4},
        ),
    ):
        if values is None:
            continue
        dots = merged_bins(reliability_bins(values, label), FEWEST_IN_DOT)
        size = [area * (14 + 160 * b.n / len(label)) for b in dots]
        label_of_stage = text("figure-label-with-error", label=words, error=gap) if gap else words
        axes.scatter([b.confidence for b in dots], [b.accuracy for b in dots], s=size, **look)
        axes.scatter([], [], s=25 * area, label=label_of_stage, **look)
    probability_label = text("figure-label-probability")
    axes.set(xlabel=probability_label, ylabel=text("figure-label-accuracy"), xlim=(-0.02, 1.04), ylim=(-0.02, 1.06))
    axes.set_title(text("figure-title-accuracy-by-probability"))
    for k, b in enumerate(reliability_bins(probability, label)):
        n_right, middle, width = round(b.n * (b.accuracy or 0.0)), (b.low + b.high) / 2, 0.86 * (b.high - b.low)
        below.bar(middle, n_right, width, color=DATA, label=text("figure-label-correct") if k == 0 else None)
        below.bar(
            middle,
            b.n - n_right,
            width,
            bottom=n_right,
            color=WRONG,
            label=text("figure-label-wrong") if k == 0 else None,
        )
    below.set(xlabel=probability_label, ylabel=text("figure-label-images"), xlim=(0, 1.02))
    below.set_title(text("figure-title-images-by-probability"))
    below.yaxis.get_major_locator().set_params(integer=True)
    for panel in (axes, below):
        panel.legend(
            loc="upper left", bbox_to_anchor=(0, -0.17), frameon=False, fontsize=8, borderpad=0, labelcolor=INK
        )
    return figure


def learning(curve: LearningCurve) -> "Figure":
    """Draw the error by number of training images on a logarithmic scale, extrapolated to twice as many."""
    figure = new_figure(8.6, 3.6)
    axes = figure.subplots()
    for point in curve.points:
        _error_bar(axes, point.n_images, point.macro_f1, DATA, DATA)
    sizes = [point.n_images for point in curve.points]
    errors = [1 - (point.macro_f1.value or 0) for point in curve.points]
    axes.plot(
        sizes, errors, color=DATA, linewidth=1, marker="o", markersize=5, label=text("figure-label-measured"), zorder=2
    )
    tick_sizes = sizes
    if curve.now is not None and curve.gain.value is not None:
        n, later = curve.n_images, _after(curve.gain, curve.now)
        ends = ([n, 2 * n], [1 - curve.now, 1 - (later.value or 0)])
        dash: Any = {"color": MUTED, "linestyle": (0, (3, 1.6)), "linewidth": 1, "zorder": 1}
        axes.plot(*ends, **dash)
        face: Any = {"marker": "o", "markersize": 5, "markerfacecolor": PAPER, "markeredgecolor": MUTED}
        axes.plot([], [], label=text("figure-label-extrapolated"), **dash, **face)
        _error_bar(axes, 2 * n, later, MUTED, PAPER)
        tick_sizes = [*sizes, 2 * n]
    axes.set_xscale("log")
    ticks = sizes_apart(tick_sizes)
    axes.set_xticks(ticks, [*map(count, ticks)])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(xlabel=text("figure-label-training-images"), ylabel=text("figure-label-error"))
    legend_below(figure)
    return figure


def sizes_apart(sizes: Sequence[int]) -> list[int]:
    """Return the sizes whose tick labels do not overlap on a logarithmic scale, always with the largest."""
    room = max((max(sizes) / min(sizes)) ** (1 / 12), 1.01)
    ticks: list[int] = []
    for n in sorted(sizes, reverse=True):
        if not ticks or ticks[-1] / n >= room:
            ticks.append(n)
    return ticks[::-1]


def _error_bar(axes: "Axes", n: int, score: Metric, color: str, face: str) -> None:
    """Draw a dot at 1 − score, with its interval."""
    if score.low is not None and score.high is not None:
        axes.plot([n, n], [1 - score.high, max(1 - score.low, 0)], color=color, linewidth=1.2, zorder=2)
    axes.scatter([n], [1 - (score.value or 0)], s=26, facecolor=face, edgecolor=color, linewidth=1.2, zorder=3)


def _after(gain: Metric, now: float) -> Metric:
    """Return the score after a gain, at most 1."""
    value, low, high = (None if end is None else min(now + end, 1.0) for end in (gain.value, gain.low, gain.high))
    return replace(gain, value=value, low=low, high=high)


def leakage_estimate(
    names: Sequence[str], image_level: Sequence[Metric], grouped: Sequence[Metric], title: str
) -> "Figure":
    """Draw the metric of each classifier for an image-level split, and below it for a grouped split."""
    figure = new_figure(8.6, 1.2 + 0.75 * len(names))
    split_titles = (text("column-image-level-split"), text("column-grouped-split"))
    axes = figure.subplots()
    for k, pair in enumerate(zip(image_level, grouped, strict=True)):
        for y, score, color, words in zip((k - 0.18, k + 0.18), pair, (WRONG, DATA), split_titles, strict=True):
            axes.barh(y, score.value or 0, height=0.3, color=color, alpha=0.35, label=words)
            if score.low is not None and score.high is not None:
                axes.plot([score.low, score.high], [y, y], color=color, linewidth=2.2)
            axes.text(1.02, y, number(score.value), va="center", color=INK, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1.1), ylim=(len(names) - 0.5, -0.5), xlabel=title)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    legend_below(figure)
    return figure


def shortened(name: str, length: int = 26) -> str:
    """Return the name; the middle of a long name is replaced by an ellipsis."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"


def new_figure(width_inch: float, height_inch: float) -> "Figure":
    """Return an empty figure of this size."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inch, height_inch), layout="constrained")


def confusion_data(matrix: np.ndarray, classes: Sequence[str]) -> FigureData:
    """Return a row per pair of true and predicted class: number of images, and their share of the true class."""
    whole = np.maximum(matrix.sum(axis=1), 1)
    rows = [
        (true, predicted, int(matrix[i, k]), float(matrix[i, k] / whole[i]))
        for i, true in enumerate(classes)
        for k, predicted in enumerate(classes)
    ]
    return FigureData(("true", "predicted", "images", "share_of_true"), rows)


def calibration_data(probability: np.ndarray, label: np.ndarray, before: np.ndarray | None) -> FigureData:
    """Return the bins of predicted probability, before and after calibration."""
    stages = (("before", before), ("after", probability))
    rows = [
        (name, b.low, b.high, b.n, b.confidence, b.accuracy)
        for name, values in stages
        if values is not None
        for b in reliability_bins(values, label)
    ]
    return FigureData(("calibration", "low", "high", "images", "mean_probability", "share_right"), rows)


def epochs_data(histories: Sequence[tuple[int | None, Sequence[Epoch]]]) -> FigureData:
    """Return a row per epoch of each fold; the fold is None for a single split."""
    names = [field.name for field in fields(Epoch)]
    rows = [(fold, *(getattr(row, name) for name in names)) for fold, history in histories for row in history]
    return FigureData(("fold", *names), rows)


def learning_data(curve: LearningCurve) -> FigureData:
    """Return the measured points, and the expected gain of twice as many images."""
    rows = [("measured", point.n_images, *_ends(point.macro_f1)) for point in curve.points]
    rows.append(("gain of twice as many", 2 * curve.n_images, *_ends(curve.gain)))
    return FigureData(("what", "training_images", "macro_f1", "low", "high"), rows)


def leakage_estimate_data(names: Sequence[str], image_level: Sequence[Metric], grouped: Sequence[Metric]) -> FigureData:
    """Return the metric of each classifier for both splits."""
    splits = (("image_level", image_level), ("grouped", grouped))
    rows = [
        (name, split, *_ends(metric)) for split, metrics in splits for name, metric in zip(names, metrics, strict=True)
    ]
    return FigureData(("classifier", "split", "value", "low", "high"), rows)


def _ends(metric: Metric) -> tuple[DataCell, DataCell, DataCell]:
    return metric.value, metric.low, metric.high
