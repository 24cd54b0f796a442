"""Boxes and points in a table: corner and size, center and size, two corners, or points with one crop size."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from coverslip.datasets.index.table import ImageTable, PackedRows
from coverslip.datasets.names import one_line
from coverslip.datasets.tables.columns import PIXELS, RELATIVE, base_and_unit
from coverslip.datasets.tables.reading import CellFault, number_in
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.images import describe_image, square_around
from coverslip.messages import Set
from coverslip.text_tables import decimal_comma_columns, with_decimal_points

Box = tuple[int, int, int, int]  # x, y, width, height in pixels
Size = tuple[int, int]  # width, height
Layout = Literal["corner", "center", "corners", "point"]

_BOXES: tuple[tuple[Layout, tuple[str, ...]], ...] = (
    ("corner", ("x", "y", "width", "height")),
    ("center", ("x_center", "y_center", "width", "height")),
    ("corners", ("x_min", "y_min", "x_max", "y_max")),
    ("corner", ("x_min", "y_min", "width", "height")),
)
_POINTS: tuple[tuple[Layout, tuple[str, ...]], ...] = (("point", ("x_center", "y_center")), ("point", ("x", "y")))
_ALL_LAYOUTS = tuple(
    (layout, names, units) for kind in (_BOXES, _POINTS) for units in (PIXELS, RELATIVE) for layout, names in kind
)
_UNKNOWN_SIZE: Size = (10_000, 10_000)  # for unreadable files, so that the boxes of their rows differ
_MOST_FILES, _MOST_POINTS = 50, 1_000  # for the suggested crop size
_SUGGESTED_SIDES = (16, 512)


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """The columns of a box or point, and its layout."""

    at: tuple[int, ...]
    names: tuple[str, ...]  # as the table writes them
    meanings: tuple[str, ...]
    layout: Layout
    is_relative: bool  # to the width and height of the image

    @property
    def are_points(self) -> bool:
        """Whether rows contain only points, so that all crops have the same size."""
        return self.layout == "point"


def find_box_columns(table: ImageTable) -> BoxColumns | None:
    """Return the columns of boxes, else those of points, else None.

    `width` and `height` alone are often the size of the image, not a box.

    Raises:
        BadDataset: only three of four columns exist, so that whole fields of view would be used as crops.
    """
    missing: list[str] = []
    for layout, names, units in _ALL_LAYOUTS:
        if layout == "point" and missing:
            raise BadDataset("missing-box-column", file=table.file, column=missing[0])
        at = [table.index(name, units) for name in names]
        present = tuple(column for column in at if column is not None)
        if len(set(present)) == len(names):
            written = tuple(table.columns[k] for k in present)
            return BoxColumns(present, written, names, layout, units is RELATIVE)
        if layout != "point" and len(set(present)) == len(names) - 1:
            ending = "_relative" if units is RELATIVE else ""
            missing += [f"{name}{ending}" for name, column in zip(names, at, strict=True) if column is None]
    return None


def has_box_columns(table: ImageTable) -> bool:
    """Return whether a table has columns of boxes, even if one of them is missing."""
    try:
        columns = find_box_columns(table)
    except BadDataset:
        return True
    return columns is not None and not columns.are_points


def used_box_columns(table: ImageTable, at_path: int, crop_size: int | str | None) -> BoxColumns | None:
    """Return the columns by which rows are cropped; None if each row is a whole image.

    Points are used if a crop size is known, or if several rows name the same file. A table with one row for each file
    often lists images that are already cropped, and their origins.

    Args:
        table: with its columns' names.
        at_path: the column of paths.
        crop_size: side of the square around a point; None: unknown.

    Raises:
        BadDataset: points without a crop size, or in micrometers, or with commas of unknown meaning; three of four
            columns of a box.
    """
    columns = find_box_columns(table)
    is_field = len({row[at_path] for row in table.rows}) < len(table.rows)
    if columns is None:
        if is_field and not {"x", "y"} & table.mapping.keys():
            _refuse_micrometers(table)
        return None
    if not columns.are_points or crop_size is not None:
        return columns
    if not is_field:
        return None
    side = suggested_crop_size(table, at_path, columns)
    raise BadDataset(
        "points-without-crop-size",
        file=table.file,
        remedies=(Set("crop_size", side or 64),),
        names=", ".join(columns.names),
        columns=list(columns.names),
        has_suggestion=side is not None,
        suggested=side,
    )


def suggested_crop_size(table: ImageTable, at_path: int, columns: BoxColumns) -> int | None:
    """Return a side in pixels that contains one object and its surroundings: twice the distance of close neighbors.

    Touching objects are one diameter apart, so the lower quartile of the distances to the nearest neighbor is used.

    Raises:
        BadDataset: the commas of positions have an unknown meaning.
    """
    if columns.is_relative:
        return None
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in with_points_in_numbers(table, columns.at).rows:
        try:
            point = number_in(row[columns.at[0]], "x"), number_in(row[columns.at[1]], "y")
        except ValueError:
            continue
        if row[at_path] in points or len(points) < _MOST_FILES:
            points[row[at_path]].append(point)
    nearest = []
    for of_file in points.values():
        xy = np.unique(np.array(of_file[:_MOST_POINTS]), axis=0)
        if len(xy) > 1:
            distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
            np.fill_diagonal(distance, np.inf)
            nearest.append(distance.min(axis=1))
    if not nearest:
        return None
    low, high = _SUGGESTED_SIDES
    return int(np.clip(8 * round(2 * float(np.quantile(np.concatenate(nearest), 0.25)) / 8), low, high))


def with_points_in_numbers(table: ImageTable, at: Iterable[int]) -> ImageTable:
    """Return the table with `1.5` for `1,5` in these columns of numbers.

    Raises:
        BadDataset: the commas of a column have an unknown meaning.
    """
    names = {column: one_line(table.columns[column], 60) for column in at}
    with_commas = decimal_comma_columns(table.rows, names, table.separator, table.file)
    if not with_commas:
        return table
    rows = PackedRows()
    for row in table.rows:
        rows.append(with_decimal_points(row, with_commas))
    return replace(table, rows=rows)


def box_of(
    row: Sequence[str], columns: BoxColumns, size: Callable[[], Size | None], crop_size: int | str | None = None
) -> Box | None:
    """Return a row's box in whole pixels, or None if its cells are empty.

    Args:
        row: its cells.
        columns: those of its box or point.
        size: returns the size of the row's image, if boxes are relative to it; None: it cannot be read.
        crop_size: side of the square around a point. In µm, it becomes pixels when the image is read, and the box is
            the pixel at the point.

    Raises:
        CellFault: a cell is not a number, the box is incomplete or empty, or there is no point.
    """
    cells = [row[at] for at in columns.at]
    if not any(cells) and not columns.are_points:
        return None
    numbers = [number_in(cell, name) for cell, name in zip(cells, columns.names, strict=True)]
    if columns.is_relative:
        image_width, image_height = size() or _UNKNOWN_SIZE
        numbers = [number * side for number, side in zip(numbers, (image_width, image_height) * 2, strict=False)]
    if columns.are_points:
        assert crop_size is not None
        side = crop_size if isinstance(crop_size, int) else 1
        return square_around((_rounded(numbers[0]), _rounded(numbers[1])), side)
    x, y, width, height = numbers
    if columns.layout == "corners":
        width, height = width - x, height - y
    if columns.is_relative:
        width, height = (max(1.0, side) if side > 0 else side for side in (width, height))
    if columns.layout == "center":
        x, y = x - width / 2, y - height / 2
    box = (_rounded(x), _rounded(y), _rounded(width), _rounded(height))
    if min(box[2:]) < 1:
        first, second, third, fourth = columns.names
        if columns.layout == "corners":
            raise CellFault("corners-too-close", x_min=first, y_min=second, x_max=third, y_max=fourth)
        raise CellFault("box-too-small", width=third, height=fourth)
    return box


def size_of(file: Path, series: int) -> Size | None:
    """Return width and height of the upright image without decoding it; None if it has none or cannot be read."""
    try:
        return describe_image(file)[series].sizes[0]
    except (UnreadableImage, IndexError, ValueError):
        return None


def _refuse_micrometers(table: ImageTable) -> None:
    """Refuse columns with positions in micrometers, since the pixel size is unknown.

    Raises:
        BadDataset: there are such columns.
    """
    named = [(column, *base_and_unit(column)) for column in table.columns]
    axes = {axis: column for column, base, unit in named for axis in "xy" if unit == "um" and axis in base.split("_")}
    if len(axes) == 2:
        raise BadDataset("positions-in-micrometers", file=table.file, x=axes["x"], y=axes["y"])


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)
