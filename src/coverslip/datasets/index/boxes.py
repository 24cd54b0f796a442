"""Boxes in a table: as a corner or a centre with a size, in pixels or as shares of the image."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.datasets.index.records import one_line
from coverslip.datasets.index.table import RELATIVE, Table
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.images import describe_image

Box = tuple[int, int, int, int]  # x, y, width, height in pixels
Size = tuple[int, int]  # width, height

_CORNER, _CENTRE = ("x", "y", "width", "height"), ("x_center", "y_center", "width", "height")
_MOST = 2**31  # pixels; no image is as large
_UNKNOWN: Size = (10_000, 10_000)  # of a file that cannot be read, as its rows will say: they stay apart by it


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Where in a row its box stands, and how it is given."""

    at: tuple[int, int, int, int]
    names: tuple[str, ...]  # as the table writes them
    is_centre: bool  # else the upper left corner
    is_relative: bool  # to the width and height of the image


def find_box_columns(table: Table) -> BoxColumns | None:
    """The columns of boxes. `width` and `height` alone are often just the image's size: not a box.

    Raises:
        BadDataset: three of the four are there; whole fields of view would be taken for crops.
    """
    ways = [(names, suffixes) for suffixes in (("",), RELATIVE) for names in (_CORNER, _CENTRE)]
    missing: list[str] = []
    for names, suffixes in ways:
        at = [table.index(name, suffixes) for name in names]
        whole = [column for column in at if column is not None]
        if len(whole) == len(names):
            a, b, c, d = whole
            return BoxColumns((a, b, c, d), tuple(table.columns[k] for k in whole), names is _CENTRE, suffixes != ("",))
        if len(whole) == len(names) - 1:
            missing += [f"{name}{suffixes[0]}" for name, column in zip(names, at, strict=True) if column is None]
    if missing:
        raise BadDataset(
            f"The table gives boxes without the column '{missing[0]}'",
            file=table.file,
            do="A box takes x, y, width and height in pixels, or x_center, y_center, width and height; add the column, "
            "or take the other three out.",
        )
    return None


def gives_boxes(table: Table) -> bool:
    """Whether a table's columns tell of boxes, also where one of them is missing."""
    try:
        return find_box_columns(table) is not None
    except BadDataset:
        return True


def box_of(row: Sequence[str], columns: BoxColumns, size: Callable[[], Size | None]) -> Box | None:
    """A row's box in whole pixels, or None where its cells are empty.

    Args:
        row: its cells.
        columns: where its box stands.
        size: asked for that of the row's image where boxes are relative to it; None: it cannot be read.

    Raises:
        ValueError: a cell is no number, or the box is incomplete or empty; says which.
    """
    cells = [row[at] for at in columns.at]
    if not any(cells):
        return None
    x, y, width, height = (_number(cell, name) for cell, name in zip(cells, columns.names, strict=True))
    if columns.is_relative:
        across, down = size() or _UNKNOWN
        x, width, y, height = x * across, width * across, y * down, height * down
        width, height = (max(1.0, side) if side > 0 else side for side in (width, height))
    if columns.is_centre:
        x, y = x - width / 2, y - height / 2
    box = (_rounded(x), _rounded(y), _rounded(width), _rounded(height))
    if min(box[2:]) < 1:
        raise ValueError(f"{columns.names[2]} and {columns.names[3]} must be 1 pixel or more")
    return box


def size_of(file: Path) -> Size | None:
    """Width and height of an image without decoding it, upright; None where it cannot be read."""
    try:
        series = describe_image(file)[0]
    except UnreadableImage:
        return None
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return sizes["X"], sizes["Y"]


def _number(text: str, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < _MOST:
        raise ValueError(f"{column} '{one_line(text, 40)}' is not a number")
    return number


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)
