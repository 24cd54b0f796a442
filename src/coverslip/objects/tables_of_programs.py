"""Tables of objects of CellProfiler, QuPath, ilastik, scikit-image, ImageJ and TrackMate, and plain points."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from coverslip.datasets.columns import (
    ABSOLUTE,
    IMAGEJ_TABLE,
    OBJECT_KINDS,
    OBJECT_MEANINGS,
    OBJECT_TABLE,
    POINT_COLUMNS,
    POSITIONS,
    TableChoices,
    TableKind,
    Unit,
    base_and_unit,
    chosen_columns,
    column_named,
    find_column,
    plain_name,
    refuse_duplicates,
)
from coverslip.datasets.names import has_image_suffix, one_line
from coverslip.datasets.text_tables import CellFault, RowFaults, TextTable, number_in, open_text_table
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadDataset
from coverslip.objects.fields import Box, FieldNames, FieldObjects, check_planes, no_pixel_size, rank_of_kind
from coverslip.objects.table import UNKNOWN, FieldImage, words_of
from coverslip.table_cells import decimal_comma_columns, number_of, with_decimal_point, with_decimal_points

_MOST_FAULTS = 5  # in an error
_N_FIRST_ROWS = 5  # in a preview


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    index: int
    name: str  # as written
    is_in_um: bool


@dataclass(frozen=True, slots=True)
class ObjectTablePreview(DocumentedFields):
    """The columns of a table of objects, their meanings, and the first rows."""

    file: str
    kind: str  # a name of `OBJECT_KINDS`
    columns: tuple[str, ...]
    meanings: dict[str, str]
    """The column of each meaning."""
    in_um: tuple[str, ...]
    """Meanings whose values are in µm."""
    first_rows: tuple[tuple[str, ...], ...]
    n_rows: int


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """A table with its columns."""

    text: TextTable
    columns: tuple[str, ...]
    n_header_rows: int

    def rows(self, numbers: Iterable[Column] = ()) -> Iterator[tuple[int, list[str]]]:
        """Return the line numbers and cells of the rows, with `1.5` for `1,5` in columns of numbers.

        Raises:
            BadDataset: as `TextTable.rows`.
        """
        names = {column.index: one_line(column.name, 60) for column in numbers}
        return islice(self.text.rows(names), self.n_header_rows, None)


def open_object_table(file: Path) -> ObjectTable | None:
    """Return the table in a file; None if its first line contains no names of columns.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    table = open_text_table(file)
    first = [tuple(cells) for _, cells in islice(table.rows(), 2)]
    if not first or _is_number(first[0][0]):
        return None
    names = {base_and_unit(cell)[0] for cell in first[0]}
    # CellProfiler writes the names of objects above those of columns.
    n_header_rows = len(first) if "imagenumber" not in names and names <= _TOP_HEADER else 1
    return ObjectTable(table, first[n_header_rows - 1], n_header_rows)


_TOP_HEADER = frozenset({"image", "experiment", "nuclei", "cells", "cytoplasm", "objects"})


def _is_number(cell: str) -> bool:
    return number_of(with_decimal_point(cell)) is not None


def kind_of_table(table: ObjectTable) -> TableKind:
    """Return the kind of a table by its columns, or that of ImageJ by its first cells."""
    names = {base_and_unit(column)[0] for column in table.columns}
    kind = next(kind for kind in OBJECT_KINDS if any(map(names.issuperset, kind.needs)))
    if kind is OBJECT_TABLE and names.issuperset(("", "x", "y")):
        first = next(table.rows(), (0, []))[1]
        at = {name: column_named(table.columns, name) for name in ("", "label")}
        label = "" if not first or at["label"] is None else first[at["label"]]
        is_numbered = bool(first) and at[""] is not None and first[at[""]] == "1"  # pandas counts rows from 0
        if is_numbered and (has_image_suffix(label.partition(":")[0]) or (not label and names & {"slice", "counter"})):
            return IMAGEJ_TABLE
    return kind


def columns_of(table: ObjectTable, kind: TableKind, choices: TableChoices) -> dict[str, Column]:
    """Return the column of each meaning.

    Args:
        table: the table.
        kind: of the table.
        choices: of the user.

    Raises:
        BadDataset: a chosen column does not exist, or there are no positions.
    """
    columns = _chosen_columns(table, kind, choices)
    if not _has_positions(columns):
        if _are_values(table.columns):
            raise BadDataset("first-row-of-values", file=table.text.file)
        raise BadDataset("no-positions-in-table", file=table.text.file, columns=one_line(", ".join(table.columns), 400))
    return columns


def _has_positions(columns: Mapping[str, Column]) -> bool:
    return {"x", "y"} <= columns.keys() or {"x_min", "y_min"} <= columns.keys()


def _chosen_columns(table: ObjectTable, kind: TableKind, choices: TableChoices) -> dict[str, Column]:
    """Return the column of each meaning; raises if a chosen one does not exist, or has a name that another one has."""
    mapping = chosen_columns(table.columns, choices.columns, OBJECT_MEANINGS, table.text.file)
    recognized: Sequence[str] = table.columns
    if kind.name == "cellprofiler":
        recognized = _without_name_of_objects("" if name in mapping.values() else name for name in table.columns)
    columns: dict[str, Column] = {}
    unit = _unit_in_cells(table)
    for meaning in dict.fromkeys((*OBJECT_MEANINGS, *kind.columns)):
        is_chosen = meaning in mapping
        at = find_column(table.columns if is_chosen else recognized, meaning, kind, mapping, ABSOLUTE)
        if at is not None and (is_chosen or at not in (column.index for column in columns.values())):
            name = table.columns[at]
            is_in_um = (choices.unit or base_and_unit(name)[1] or unit) == "um"
            columns[meaning] = Column(at, name, is_in_um and meaning in POSITIONS)
    is_number_chosen = any(meaning in POSITIONS and _is_number(name) for meaning, name in mapping.items())
    if is_number_chosen and _are_values(table.columns):
        raise BadDataset("first-row-of-values", file=table.text.file)
    is_sure = kind is not OBJECT_TABLE or "label" in mapping or "object_id" in columns
    if "label" in columns and not is_sure and _numbers_objects(table, columns):
        columns["object_id"] = columns.pop("label")
    if table.n_header_rows == 1:  # else columns of the same name are of several kinds of objects
        refuse_duplicates(table.columns, {plain_name(column.name) for column in columns.values()}, table.text.file)
    return columns


def _unit_in_cells(table: ObjectTable) -> Unit | None:
    """Return µm if a column `Unit` states it in the first row, as Imaris does; else None."""
    at = next((k for k, name in enumerate(table.columns) if plain_name(name) == "unit"), None)
    first = next(table.rows(), None)
    is_um = at is not None and first is not None and base_and_unit(f"x {first[1][at]}")[1] == "um"
    return "um" if is_um else None


def _are_values(columns: Sequence[str]) -> bool:
    """Return whether the first row of a table contains numbers that are not those of columns, 0, 1, 2 and so on."""
    numbers = [name for name in columns if _is_number(name)]
    return len(numbers) > 1 and numbers != [str(k) for k in range(len(numbers))]


def _numbers_objects(table: ObjectTable, columns: Mapping[str, Column]) -> bool:
    """Return whether the column `label` contains numbers of objects, as of regionprops of scikit-image, and no classes.

    They are whole numbers, and different in each plane of an image. The table contains other properties of regions, or
    an image has many objects.
    """
    if plain_name(columns["label"].name) != "label":
        return False
    at = [columns[meaning].index for meaning in ("path", "series", "t", "z", "label") if meaning in columns]
    keys, n_rows = set[tuple[str, ...]](), 0
    for _, cells in table.rows():
        if not cells[at[-1]].isdecimal():
            return False
        keys.add(tuple(cells[k] for k in at))
        n_rows += 1
    most = max(Counter(key[:-1] for key in keys).values(), default=0)
    is_of_regions = not _PROPERTIES_OF_REGIONS.isdisjoint(map(plain_name, table.columns))
    return len(keys) == n_rows and most > (1 if is_of_regions else _MOST_ALIKE)


_PROPERTIES_OF_REGIONS = frozenset(
    {"area", "perimeter", "eccentricity", "solidity", "mean_intensity", "intensity_mean", "orientation"}
)
_MOST_ALIKE = 4  # objects of an image that may all have other numbers as classes


def _without_name_of_objects(columns: Iterable[str]) -> list[str]:
    """Return the plain names of CellProfiler's columns. In tables for databases, the name of the objects precedes them.

    If the table has several kinds of objects, such as cells and nuclei, these are the first ones.
    """
    plain = list(map(plain_name, columns))
    match = next(filter(None, map(_OF_OBJECTS.match, plain)), None)
    return [name.removeprefix(match[1]) if match else name for name in plain]


_OF_OBJECTS = re.compile(r"(.+_)(?:areashape_center|areashape_boundingbox|location_center)")

_BOX = ("x_min", "y_min", "x_max", "y_max", "width", "height")
_NUMBERS = {*POSITIONS, "series", "t", "z", "image_number"}


def preview_object_table(file: Path, choices: TableChoices) -> ObjectTablePreview | None:
    """Return the columns of a table, their meanings, and the first rows; None if the file has no names of columns.

    Columns that the user chose and that do not exist are ignored.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    table = open_object_table(file)
    if table is None:
        return None
    kind = kind_of_table(table)
    existing = {
        meaning: name
        for meaning, name in choices.columns.items()
        if meaning in OBJECT_MEANINGS and (not name or column_named(table.columns, name) is not None)
    }
    columns = _chosen_columns(table, kind, replace(choices, columns=existing))
    rows = table.rows()
    if _has_positions(columns):
        rows = _data_rows(rows, kind, columns, choices.unit)
    first = [cells for _, cells in islice(rows, _N_FIRST_ROWS)]
    n_rows = len(first) + sum(1 for _ in rows)
    return ObjectTablePreview(
        file=file.name,
        kind=kind.name,
        columns=tuple(map(one_line, table.columns)),
        meanings={meaning: column.name for meaning, column in columns.items()},
        in_um=tuple(meaning for meaning, column in columns.items() if column.is_in_um),
        first_rows=tuple(tuple(one_line(cell, 60) for cell in cells) for cells in first),
        n_rows=n_rows,
    )


def read_object_table(
    table: ObjectTable,
    kind: TableKind,
    columns: dict[str, Column],
    unit: Unit | None,
    objects: FieldObjects,
    of: FieldImage | None,
) -> None:
    """Add the objects of a table.

    Args:
        table: as opened.
        kind: of the table.
        columns: of each meaning.
        unit: of positions, as stated by the user.
        objects: receives the objects.
        of: the field of all rows, if the table names no images.

    Raises:
        BadDataset: cells are invalid; the error lists the first lines.
    """
    is_numbered = "image_number" in columns and "path" not in columns
    files = _columns_of_files(table.columns) if kind.name == "cellprofiler" else []
    if "path" in columns and columns["path"].index not in {k for k, _ in files}:
        files = []  # the user chose another column
    trial = replace(objects.names, unmatched={}, ambiguous={})
    image_of_number = _cellprofiler_images(table.text.file, objects.names) if is_numbered and not files else {}
    faults = RowFaults(table.text.file)
    numbers = [column for meaning, column in columns.items() if meaning in _NUMBERS]
    for line, cells in _data_rows(table.rows(numbers), kind, columns, unit):
        try:
            of_row = _field_of(cells, kind, columns, objects.names, trial, image_of_number, files) or of
            if of_row is None:
                continue
            _add(cells, columns, kind, of_row, objects, table.text.file)
        except ValueError as error:
            faults.add(line, error)
    faults.check()


def _data_rows(
    rows: Iterator[tuple[int, list[str]]], kind: TableKind, columns: dict[str, Column], unit: Unit | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a table. TrackMate repeats the header in other words and with units, for `columns`."""
    at = columns.get("x") or columns["x_min"]
    is_data = False
    for line, cells in rows:
        if kind.name == "trackmate" and not is_data and not _is_number(cells[at.index]):
            for meaning in ("x", "y", "radius"):
                if (
                    unit is None
                    and meaning in columns
                    and base_and_unit(f"x {cells[columns[meaning].index]}")[1] == "um"
                ):
                    columns[meaning] = replace(columns[meaning], is_in_um=True)
            continue
        is_data = True
        yield line, cells


def _field_of(
    cells: Sequence[str],
    kind: TableKind,
    columns: Mapping[str, Column],
    names: FieldNames,
    trial: FieldNames,
    image_of_number: Mapping[str, FieldImage],
    files: Sequence[tuple[int, int | None]],
) -> FieldImage | None:
    """Return the field of a row; None if the row names none, or one that does not exist.

    Args:
        cells: of the row.
        kind: of the table.
        columns: of each meaning.
        names: of the fields.
        trial: the same, for names of channels that may be no fields.
        image_of_number: by ImageNumber.
        files: the columns with the file of each channel and with its folder, if the table has them.
    """
    if files:
        matches = (trial.match(_path_in(cells, pair)) for pair in files)
        return next((field for field in matches if field is not None), None) or names.match(_path_in(cells, files[0]))
    if "path" not in columns:
        number = columns.get("image_number")
        return None if number is None else image_of_number.get(cells[number.index])
    series = _integer(cells, columns.get("series"))
    name = cells[columns["path"].index]
    return names.match(name.partition(":")[0] if kind.name == "imagej" else name, series)


def _add(
    cells: Sequence[str],
    columns: Mapping[str, Column],
    kind: TableKind,
    of: FieldImage,
    objects: FieldObjects,
    file: Path,
) -> None:
    def number(meaning: str) -> float | None:
        column = columns.get(meaning)
        if column is None or not cells[column.index]:
            return None
        value = number_in(cells[column.index], column.name)
        if column.is_in_um:
            if of.pixel_size_um is None:
                raise no_pixel_size(file, of)
            value /= of.pixel_size_um["xywhr".index(meaning[0]) % 2]
        return value

    values = {
        name: number(name) for name in ("x", "y", "x_min", "y_min", "x_max", "y_max", "width", "height", "radius")
    }
    extra = 1.0 if kind.is_inclusive else 0.0
    box: Box | None = None
    point: tuple[float, float] | None = None
    if values["x_min"] is not None and values["y_min"] is not None:
        left, top = values["x_min"], values["y_min"]
        if values["x_max"] is not None and values["y_max"] is not None:
            box = (left, top, values["x_max"] + extra, values["y_max"] + extra)
        elif values["width"] is not None and values["height"] is not None:
            box = (left, top, left + values["width"], top + values["height"])
    if values["x"] is not None and values["y"] is not None:
        x, y = values["x"] + kind.center_offset, values["y"] + kind.center_offset
        if box is None and values["width"] is not None and values["height"] is not None:
            box = _box_at(columns, x, y, values["width"], values["height"])
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        point = (x, y)
    cells_of_box = [(columns[name].name, cells[columns[name].index]) for name in _BOX if name in columns]
    if box is None and any(cell for _, cell in cells_of_box) and not all(cell for _, cell in cells_of_box):
        raise CellFault("box-with-empty-cells", columns=", ".join(name for name, _ in cells_of_box))
    if box is None and point is None:
        raise CellFault("row-without-position")
    if box is not None and not (box[2] > box[0] and box[3] > box[1]):
        raise CellFault("row-with-empty-box")
    z = number("z") if of.n_z > 1 else None
    # ImageJ calls the time points of a film without z-planes and channels slices, too.
    of_time = columns.get("t") or (columns.get("z") if kind is IMAGEJ_TABLE and of.n_z == 1 else None)
    t = _integer(cells, of_time) if of.n_times > 1 or not kind.first_plane else None
    planes = {axis: UNKNOWN if at is None else round(at) - kind.first_plane for axis, at in (("t", t), ("z", z))}
    check_planes(of, **planes)
    objects.add_ranked(
        rank_of_kind(cells[columns["kind"].index]) if "kind" in columns else None,
        of,
        file,
        box=box,
        point=point,
        diameter=None if values["radius"] is None else 2 * values["radius"],
        object_id=cells[columns["object_id"].index] if "object_id" in columns else "",
        label=_label(cells, kind, columns),
        **planes,
    )


def _label(cells: Sequence[str], kind: TableKind, columns: Mapping[str, Column]) -> str:
    if "label" not in columns:
        return ""
    label = cells[columns["label"].index]
    return "" if kind.name == "ilastik" and label == "0" else label  # ilastik's number of no label


def _box_at(columns: Mapping[str, Column], x: float, y: float, width: float, height: float) -> Box:
    """Return a box from its corner, or from its center if the name of the column says so."""
    if base_and_unit(columns["x"].name)[0] in POINT_COLUMNS["x"]:
        return x, y, x + width, y + height
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _integer(cells: Sequence[str], column: Column | None) -> int | None:
    if column is None or not cells[column.index]:
        return None
    value = number_of(cells[column.index])
    if value is None or not (value.is_integer() and 0 <= value < 2**31):
        raise CellFault("not-a-count", column=column.name, value=one_line(cells[column.index], 40))
    return int(value)


def _columns_of_files(columns: Sequence[str]) -> list[tuple[int, int | None]]:
    """Return the column with the file of each channel of CellProfiler, and with its folder, if there is one."""
    names = [(k, name) for k, name in enumerate(columns) if _NAMES_OF_FILES.match(name)]
    return [(k, column_named(columns, _FILE_NAME.sub("PathName", name))) for k, name in names]


def _path_in(cells: Sequence[str], columns: tuple[int, int | None]) -> str:
    """Return the path of a file from its name and its folder."""
    name, folder = columns
    return cells[name] if folder is None or folder == name or not cells[folder] else f"{cells[folder]}/{cells[name]}"


_NAMES_OF_FILES = re.compile(r"(?:Image_)?(?:FileName(?:_|$)|URL_)", re.IGNORECASE)  # CellProfiler's, of a channel
_FILE_NAME = re.compile("FileName", re.IGNORECASE)


def _cellprofiler_images(file: Path, names: FieldNames) -> dict[str, FieldImage]:
    """Return the field of each ImageNumber, from the table of images beside the table of objects.

    A table of images has the file of each channel. The channel is used whose files match most fields.

    Raises:
        BadDataset: there is no table of images, or none of its files is a field.
    """
    candidates = [each for each in sorted(file.parent.glob("*Image.csv")) if file.stem.startswith(each.stem[:-5])]
    for candidate in candidates:
        table = open_object_table(candidate)
        at_number = None if table is None else column_named(table.columns, "imagenumber")
        if table is None or at_number is None:
            continue
        channels = _columns_of_files(table.columns)
        matches: dict[int, dict[str, FieldImage]] = {k: {} for k, _ in channels}
        trials = {k: replace(names, unmatched={}, ambiguous={}) for k, _ in channels}
        for _, cells in table.rows():
            for pair in channels:
                if (of_image := trials[pair[0]].match(_path_in(cells, pair))) is not None:
                    matches[pair[0]][cells[at_number]] = of_image
        best = max(matches, key=lambda k: len(matches[k]), default=-1)
        if best >= 0:
            names.unmatched |= trials[best].unmatched
            names.ambiguous |= trials[best].ambiguous
        if best >= 0 and (matches[best] or names.ambiguous):
            return matches[best]
        raise BadDataset("cellprofiler-images-unmatched", file=candidate)
    raise BadDataset("no-cellprofiler-images", file=file)


def read_points(
    file: Path, lines: Sequence[str], of: FieldImage, objects: FieldObjects, unit: Unit | None = None
) -> None:
    """Add the points of a file without names of columns: `x y` and optionally a class on each line.

    Raises:
        BadDataset: a line is invalid, or positions are in µm and the pixel size of the field is unknown.
    """
    read, faults = words_of(lines), list[int]()
    rows = [words for words in read.words if words]
    commas = decimal_comma_columns(rows, {0: "x", 1: "y"}, "," if read.has_comma_separators else None, file)
    side_x, side_y = 1.0, 1.0
    if unit == "um":
        if of.pixel_size_um is None:
            raise no_pixel_size(file, of)
        side_x, side_y = of.pixel_size_um
    for number, words in enumerate(read.words, start=1):
        if not words:
            continue
        x, y = (number_of(cell) for cell in (*with_decimal_points(words[:2], commas), "", "")[:2])
        if x is None or y is None:
            faults.append(number)
            continue
        objects.add(
            of, file, point=(x / side_x, y / side_y), label=words[2] if len(words) > 2 else "", object_id=str(number)
        )
    if faults:
        listed = ", ".join(map(str, faults[:_MOST_FAULTS]))
        raise BadDataset("points-invalid", file=file, n_lines=len(faults), numbers=listed)
