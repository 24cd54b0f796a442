"""Tables of images: cells as text, the meanings of columns, and boxes of crops."""

import difflib
import glob
import json
import math
import re
import zlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, overload

import numpy as np

from coverslip.datasets.columns import (
    IMAGE_TABLES,
    OBJECT_TABLE,
    PIXELS,
    RELATIVE,
    ColumnUnit,
    base_and_unit,
    chosen_columns,
    column_named,
    find_column,
    is_image_column,
    is_position,
    plain_name,
    refuse_duplicates,
    spelling_hint,
    unique_columns,
)
from coverslip.datasets.names import has_image_suffix, one_line, some
from coverslip.datasets.text_tables import WINDOWS, CellFault, line_of_file, number_in, open_text_table
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.files import access_fault
from coverslip.images.decoding import describe_image
from coverslip.images.reader import MAX_CHANNEL_FILES, PLAN_COLUMNS, Decoded, square_around
from coverslip.messages import GroupBy, MapColumn, Note, Set, note, text
from coverslip.table_cells import decimal_comma_columns, number_of, with_decimal_points


@dataclass(frozen=True, slots=True)
class ImageTable:
    """The cells of a table as text."""

    path: Path  # of the file; relative paths start from its folder
    columns: tuple[str, ...]  # as written
    rows: Sequence[tuple[str, ...]]  # as many cells as columns, spaces around them removed
    lines: Sequence[int]  # line numbers in the file; row numbers from 0 without a file
    notes: tuple[Note, ...]
    is_in_memory: bool = False  # `path` does not exist
    images: Mapping[str, Decoded] = field(default_factory=dict, compare=False)  # in memory, by cell of the path
    mapping: Mapping[str, str] = field(
        default_factory=dict, compare=False
    )  # from meaning to column, by the user; "": no column
    separator: str | None = None  # of the cells in the file; None without a file

    def __str__(self) -> str:
        return "given in memory" if self.is_in_memory else str(self.path)

    @property
    def file(self) -> Path | None:
        """The file, for messages; None for a table in memory."""
        return None if self.is_in_memory else self.path

    def place(self, line: int) -> str:
        """Return the line or row number as text, for messages."""
        return text("table-row", row=line) if self.is_in_memory else line_of_file(line)

    def index(self, meaning: str, units: Sequence[ColumnUnit] = PIXELS) -> int | None:
        """Return the index of the column of a meaning (path, label, ...), as `find_column`."""
        return find_column(self.columns, meaning, mapping=self.mapping, units=units)


class PackedRows(Sequence[tuple[str, ...]]):
    """Rows of a table in compressed blocks: a row of 150 characters takes about 40 bytes. Made to be iterated."""

    def __init__(self) -> None:
        self._blocks, self._last = list[bytes](), list[tuple[str, ...]]()

    def append(self, row: tuple[str, ...]) -> None:
        """Add a row."""
        self._last.append(row)
        if len(self._last) == _ROWS_OF_BLOCK:
            self._blocks.append(zlib.compress(json.dumps(self._last).encode(), 1))
            self._last = []

    def __len__(self) -> int:
        return len(self._blocks) * _ROWS_OF_BLOCK + len(self._last)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        for block in range(len(self._blocks) + 1):
            yield from self._rows_of(block)

    @overload
    def __getitem__(self, key: int) -> tuple[str, ...]: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[tuple[str, ...], ...]: ...

    def __getitem__(self, key: int | slice) -> tuple[str, ...] | tuple[tuple[str, ...], ...]:
        if isinstance(key, slice):
            return tuple(self[position] for position in range(*key.indices(len(self))))
        block, position = divmod(range(len(self))[key], _ROWS_OF_BLOCK)
        return self._rows_of(block)[position]

    def _rows_of(self, block: int) -> list[tuple[str, ...]]:
        if block == len(self._blocks):
            return self._last
        return [tuple(row) for row in json.loads(zlib.decompress(self._blocks[block]))]


_ROWS_OF_BLOCK = 512


# 5 million rows of 200 bytes
_MOST_BYTES = 2**30
SHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".numbers"})


def read_table(path: Path) -> ImageTable:
    """Read a table whose first line names the columns; separators , ; or tab, quoted cells, any UTF or Windows-1252.

    Comment lines before the header, which begin with `#`, are skipped.

    Raises:
        BadDataset: it cannot be opened, is not text, is too large, or has no rows or rows with too many cells.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadDataset("table-too-large", file=path, limit_gib=_MOST_BYTES // 2**30)
    except OSError as error:
        raise BadDataset("table-not-read", file=path, reason=error.strerror or str(error)) from error
    table = open_text_table(path)
    notes = [note("not-utf-8", table=one_line(path.name))] if table.encoding == WINDOWS else []
    rows, lines = PackedRows(), array("q")
    columns: tuple[str, ...] = ()
    unread: int | None = None
    for line, cells in table.rows():
        if not columns:
            columns = tuple(cells)
            unread = _outline_column(columns)
            if not _is_without_header(columns, path.parent):
                continue
            notes.append(note("no-header", table=one_line(path.name)))
            columns = tuple(f"column {k}" for k in range(1, len(columns) + 1))
        if unread is not None:
            cells[unread] = ""
        rows.append(tuple(cells))
        lines.append(line)
    if not rows:
        raise BadDataset("no-table-rows" if columns else "empty-table", file=path)
    return ImageTable(path, columns, rows, lines, tuple(notes), separator=table.separator)


def _outline_column(columns: Sequence[str]) -> int | None:
    """Return the column of outlines in a table of objects, which takes most memory and is not needed for crops."""
    names = [plain_name(column) for column in columns]
    return names.index("outline") if {"field", "object_id", "outline"} <= set(names) else None


def _is_without_header(columns: Sequence[str], folder: Path) -> bool:
    """Return whether the first line is a row: it has no accepted column name, and names a file or an address."""
    if any(map(is_image_column, columns)):
        return any(has_image_suffix(cell) and (folder / cell).is_file() for cell in columns)
    return any(has_image_suffix(cell) or "://" in cell or _is_stem(folder, cell) for cell in columns if cell)


def _is_stem(folder: Path, cell: str) -> bool:
    """Return whether a cell is the name of an image file without its ending."""
    stem = folder / cell.replace("\\", "/")
    files = stem.parent.glob(f"{glob.escape(stem.name)}.*")
    return access_fault(stem) is None and any(has_image_suffix(file.name) for file in files)


# Boxes and points in a table: corner and size, center and size, two corners, or points with one crop size.

Rectangle = tuple[int, int, int, int]  # x, y, width, height in pixels
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
) -> Rectangle | None:
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
        if not columns.is_relative and max(numbers) < 1 and min(numbers) >= 0 and any(numbers):
            raise CellFault("point-below-one", x=columns.names[0], y=columns.names[1])
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


# The meanings of a table's columns, and errors about missing and duplicate columns.

_LIKELY_GROUPS = (
    *("patient", "subject", "donor", "case", "slide", "plate", "well", "experiment", "movie", "image"),
    *("field", "cell", "sample", "animal", "batch"),
)
_NAMES = IMAGE_TABLES.columns
_PREDICTION_COLUMNS = {"predicted", "decision"}
_N_FIRST_ROWS = 20
_FEWEST_CLASSES = 2


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each meaning; None: the table has none."""

    path: int
    other_files: tuple[int, ...]  # of the further channels, in their order
    label: int | None
    classes: tuple[int, ...]  # one column for each class, with 1 for its images and 0 for others, instead of labels
    group: int | None
    image_id: int | None
    split: int | None
    domain: int | None
    plan: Mapping[str, int]  # fields of the reading plan that the table has
    box: BoxColumns | None
    field: int | None  # of a table of objects: the field of view, which is the group of its objects by default
    outline: int | None  # of a table of objects


def with_mapping(table: ImageTable, mapping: Mapping[str, str]) -> ImageTable:
    """Return the table with the columns of some meanings: `{"path": "File", "label": "Class", "split": ""}`.

    Raises:
        BadDataset: there is no such meaning or column.
    """
    return replace(table, mapping=chosen_columns(table.columns, mapping, _NAMES, table.file))


def path_column(table: ImageTable) -> int | None:
    """Return the index of the path column, by its name, else the first column whose cells have image suffixes."""
    at = table.index("path")
    if at is not None or "path" in table.mapping:
        return at
    first = table.rows[:_N_FIRST_ROWS]
    mapped = set(table.mapping.values())
    return next(
        (
            k
            for k, column in enumerate(table.columns)
            if column not in mapped and all(has_image_suffix(row[k]) for row in first)
        ),
        None,
    )


def find_columns(
    table: ImageTable,
    *,
    group: str | None,
    wants_groups: bool,
    labeled: bool,
    crop_size: int | str | None,
    notes: list[Note],
) -> Columns:
    """Return the column of each meaning, and add notes about columns that name groups or may do so.

    Args:
        table: with its columns' names.
        group: the column that names groups; None takes a column named `group`.
        wants_groups: False if groups do not come from the table, so that no notes on group columns are needed.
        labeled: whether there must be a label column.
        crop_size: side of the square around a point; None: unknown.
        notes: notes on the table are added here.

    Raises:
        BadDataset: a column is missing, unknown, or duplicated.
    """
    read = {plain_name(name) for name in table.columns if is_image_column(name) or is_position(name)}
    refuse_duplicates(table.columns, read | {plain_name(group or "path")}, table.file)
    at_path = path_column(table)
    if at_path is None:
        raise _no_column(table, "path")
    if table.index("path") is None:
        notes.append(note("path-column", column=one_line(table.columns[at_path], 60)))
    _refuse_unread_times(table, at_path)
    at_label = table.index("label")
    has_labels = at_label is not None and any(row[at_label] for row in table.rows)
    if labeled and not has_labels and set(map(plain_name, table.columns)) >= _PREDICTION_COLUMNS:
        raise BadDataset("predictions-without-labels", file=table.file)
    classes = class_columns(table, group) if at_label is None and labeled else ()
    if classes:
        names = some((table.columns[at] for at in classes), 12)
        notes.append(note("labels-of-class-columns", n_classes=len(classes), names=names))
    elif at_label is None and labeled:
        raise _no_column(table, "label")
    plain_names = [plain_name(column) for column in table.columns]
    is_of_objects = {"field", "object_id"} <= set(plain_names)
    return Columns(
        path=at_path,
        other_files=_other_files(table, notes),
        label=at_label,
        classes=classes,
        group=_group_column(
            table, group, {at_path, at_label, *classes}, wants_groups, notes, is_of_objects=is_of_objects
        ),
        image_id=table.index("image_id"),
        split=table.index("split"),
        domain=table.index("domain"),
        plan={name: at for name in PLAN_COLUMNS if (at := table.index(name)) is not None},
        box=used_box_columns(table, at_path, crop_size),
        field=plain_names.index("field") if is_of_objects else None,
        outline=plain_names.index("outline") if is_of_objects and "outline" in plain_names else None,
    )


def _refuse_unread_times(table: ImageTable, at_path: int) -> None:
    """Refuse a column that is probably the time point, under a name that is accepted in tables of objects only.

    Raises:
        BadDataset: several rows of a file have different numbers there, so that all would be of the first time point.
    """
    at = find_column(table.columns, "t", OBJECT_TABLE, table.mapping)
    if at is None or table.index("t") is not None or "t" in table.mapping:
        return
    first: dict[str, str] = {}
    for row in table.rows:
        if number_of(row[at]) is not None and first.setdefault(row[at_path], row[at]) != row[at]:
            column, remedies = one_line(table.columns[at], 60), (MapColumn("t"),)
            raise BadDataset("unread-time-column", file=table.file, remedies=remedies, column=column)


def _other_files(table: ImageTable, notes: list[Note]) -> tuple[int, ...]:
    """Return the columns `channel_2`, `channel_3`, ..., which name files unless there are `path` and `channel_1`."""
    columns = [table.index(f"channel_{n}") for n in range(2, MAX_CHANNEL_FILES + 1)]
    numbered = [column for column in columns if column is not None]
    plain_names = [plain_name(column) for column in table.columns]
    if numbered and "channel_1" in plain_names and any(name in plain_names for name in _NAMES["path"][:-1]):
        notes.append(note("channel-columns"))
        return ()
    if columns[: len(numbered)] != numbered:
        raise BadDataset("gap-in-channel-columns", file=table.file)
    return tuple(numbered)


def other_columns(table: ImageTable, columns: Columns) -> list[int]:
    """Return the indices of the other columns, such as sex, stain, operator or day."""
    return _other_columns(table, {columns.path, columns.group, columns.outline, *columns.classes})


def listed_columns(table: ImageTable, columns: Columns) -> list[tuple[int, str]]:
    """Return the index and a unique name of each column that predictions copy, whatever its meaning.

    These are all but the columns that tables of predictions have themselves (`path`, `label` and `image_id`), pixels in
    memory and outlines. A column without a name is named after its number, unless it is empty.
    """
    meanings = {"path": columns.path, "label": columns.label, "image_id": columns.image_id}
    skipped = {columns.outline, columns.path if table.images else None}
    skipped |= {at for name, at in meanings.items() if at is not None and plain_name(table.columns[at]) == name}
    remaining = [at for at in range(len(table.columns)) if at not in skipped]
    unnamed = {at for at in remaining if not table.columns[at]}
    empty = unnamed and {at for at in unnamed if not any(row[at] for row in table.rows)}
    positions = [at for at in remaining if at not in empty]
    names = unique_columns([table.columns[at] or str(at + 1) for at in positions])
    return list(zip(positions, names, strict=True))


def _other_columns(table: ImageTable, used: Collection[int | None]) -> list[int]:
    used_columns = {*used, *map(table.index, _NAMES)}
    return [
        at for at, column in enumerate(table.columns) if at not in used_columns and column and not is_position(column)
    ]


# As pandas and spreadsheets write them, in English and German.
_ONE = re.compile(r"1(?:[.,]0*)?|true|wahr", re.IGNORECASE)
_ZERO = re.compile(r"0(?:[.,]0*)?|false|falsch", re.IGNORECASE)


def states_class(cell: str) -> bool:
    """Return whether a cell of a column of a class is 1 or true, so that the image has this class."""
    return _ONE.fullmatch(cell) is not None


def class_columns(table: ImageTable, group: str | None = None) -> tuple[int, ...]:
    """Return the columns that give labels together: one for each class, and exactly one of them has 1 in each row.

    Args:
        table: without a column of labels.
        group: the column that names groups.

    Raises:
        BadDataset: there are several columns of 0 and 1, but a row has no 1, or several.
    """
    if "label" in table.mapping:
        return ()
    at_group = None if group is None else column_named(table.columns, group)
    classes = _other_columns(table, {path_column(table), at_group})
    are_filled = set[int]()
    for row in table.rows:
        classes = [at for at in classes if not row[at] or states_class(row[at]) or _ZERO.fullmatch(row[at])]
        are_filled.update(at for at in classes if row[at])
        if len(classes) < _FEWEST_CLASSES:
            return ()
    classes = [at for at in classes if at in are_filled]
    if len(classes) < _FEWEST_CLASSES:
        return ()
    for row, line in zip(table.rows, table.lines, strict=True):
        n_ones = sum(states_class(row[at]) for at in classes)
        if n_ones != 1:
            raise BadDataset(
                "row-without-one-class",
                file=table.file,
                remedies=(MapColumn("label"),),
                place=table.place(line),
                n_ones=n_ones,
                names=some((table.columns[at] for at in classes), 12),
                columns=list(table.columns),
            )
    return tuple(classes)


def gives_labels(table: ImageTable) -> bool:
    """Return whether a table has a column of paths, and one of labels or one for each class."""
    if table.index("path") is None:
        return False
    try:
        return table.index("label") is not None or bool(class_columns(table))
    except BadDataset:
        return False


def _group_column(
    table: ImageTable,
    group: str | None,
    used_columns: set[int | None],
    wants_groups: bool,
    notes: list[Note],
    *,
    is_of_objects: bool,
) -> int | None:
    if group is not None:
        if (at := column_named(table.columns, group)) is not None:
            return at
        raise BadDataset(
            "unknown-group-column",
            file=table.file,
            column=one_line(group, 60),
            hint=spelling_hint(group, table.columns),
            columns=", ".join(table.columns),
        )
    if not wants_groups:
        return None
    used = table.index("group")
    if is_of_objects and (used is None or not any(row[used] for row in table.rows)):
        return None  # the field of an object is its group
    candidates = []
    for at, column in enumerate(table.columns):
        if at in used_columns or at == used or plain_name(column).removesuffix("_id") not in _LIKELY_GROUPS:
            continue
        n_values = len({row[at] for row in table.rows if row[at]})
        if 1 < n_values < len(table.rows):
            candidates.append((column, n_values))
    listed = ", ".join(text("column-with-values", column=column, n_values=n) for column, n in candidates)
    if used is not None:
        notes.append(note("grouped", column=table.columns[used], has_others=bool(candidates), others=listed))
    elif candidates:
        remedies = tuple(GroupBy(column) for column, _ in candidates)
        notes.append(note("not-grouped", level="warning", remedies=remedies, columns=listed, first=candidates[0][0]))
    return used


def _no_column(table: ImageTable, meaning: Literal["path", "label"]) -> BadDataset:
    plain_names = [plain_name(column) for column in table.columns]
    near = [c for alias in _NAMES[meaning] for c in difflib.get_close_matches(alias, plain_names, n=1, cutoff=0.7)]
    hint = f" {text('is-it-column', column=table.columns[plain_names.index(near[0])])}" if near else ""
    if table.is_in_memory and meaning == "label" and len(table.columns) == 1:
        return BadDataset("no-labels-given")
    if len(table.columns) == 1 and not table.is_in_memory:
        return BadDataset("single-column-table", file=table.file, column=one_line(table.columns[0], 80))
    return BadDataset(
        "missing-column",
        file=table.file,
        remedies=(MapColumn(meaning),),
        meaning=meaning,
        hint=hint,
        names=some(table.columns, 12),
        columns=list(table.columns),
    )


@dataclass(frozen=True, slots=True)
class TableContent:
    """The columns, first rows and inferred meanings of a table."""

    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    n_rows: int
    n_files: int  # number of distinct files in its rows; 0 without a path column
    mapping: Mapping[str, str]  # from meaning to column: path, label, group, split, and positions
    class_columns: tuple[str, ...]  # one for each class, that give the labels together; empty: none
    layout: Layout | None  # of boxes or points; None: each row is a whole image
    suggested_crop_size: int | None


_N_FIRST_ROWS = 5


def describe_table(table: ImageTable) -> TableContent:
    """Return the columns of a table and their inferred meanings, without checks.

    Args:
        table: as read, optionally with a mapping.
    """
    at_path = path_column(table)
    try:
        box = find_box_columns(table)
    except BadDataset:
        box = None
    column_indices = {meaning: table.index(meaning) for meaning in ("label", "group", "split")} | {"path": at_path}
    mapping = {meaning: table.columns[at] for meaning, at in column_indices.items() if at is not None}
    paths = set() if at_path is None else {row[at_path] for row in table.rows}
    are_positions = box is not None and (
        not box.are_points or len(paths) < len(table.rows) or set(box.meanings) <= table.mapping.keys()
    )
    if box is not None and are_positions:
        mapping |= dict(zip(box.meanings, box.names, strict=True))
    classes: tuple[int, ...] = ()
    side: int | None = None
    with suppress(BadDataset):
        classes = class_columns(table) if "label" not in mapping else ()
    with suppress(BadDataset):
        if box is not None and are_positions and box.are_points and at_path is not None:
            side = suggested_crop_size(table, at_path, box)
    return TableContent(
        columns=table.columns,
        first_rows=tuple(table.rows[:_N_FIRST_ROWS]),
        n_rows=len(table.rows),
        n_files=len(paths),
        mapping=mapping,
        class_columns=tuple(table.columns[at] for at in classes),
        layout=box.layout if box is not None and are_positions else None,
        suggested_crop_size=side,
    )
