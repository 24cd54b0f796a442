"""Objects in fields of view as a table of arrays, `objects.csv`, and lines of text files without names of columns."""

import math
import os
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from coverslip.datasets.columns import refuse_duplicates
from coverslip.datasets.index.folders import FileFinder
from coverslip.datasets.names import clean_label, name_as_text, name_from_text, one_line, printable
from coverslip.datasets.text_tables import (
    CellFault,
    RowFaults,
    encoding_of,
    layout_of,
    number_in,
    open_text,
    open_text_table,
)
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.events import OnProgress
from coverslip.files import check_replaceable, stated_paths, write_csv
from coverslip.images.decoding import describe_image
from coverslip.images.reader import PixelSize
from coverslip.objects.outlines import Array, OutlineBuilder, Outlines, fill_outlines, outlines_of_wkt
from coverslip.table_cells import number_of, with_decimal_point

COLUMNS = (
    *("image_id", "path", "field", "object_id", "series", "t", "z", "x", "y", "width", "height", "outline"),
    *("area_um2", "at_edge", "label", "group"),
)
FINDER = "finder"  # the column that states how a finder found the object; see `finders.FinderRecord`
_BEGINS_WITH = ",".join(COLUMNS[:4]).encode()
SERIES = "#series="  # before the number at the end of the name of a field that is one of several series of its file
UNKNOWN = -1  # in columns of integers
# Columns with measurements (see `measuring.py`), of shapes, and of each channel, whose name follows.
SHAPE = ("area_px", "perimeter_px", "solidity")
INTENSITY = ("intensity_mean", "intensity_sum")


def is_measurement(column: str) -> bool:
    """Return whether a column of a table of objects has measurements."""
    return column in SHAPE or column.partition(" ")[0] in INTENSITY


def measurement_cell(value: float) -> str:
    """Return the text of a measurement in tables; empty if it is unknown."""
    return "" if math.isnan(value) else f"{value:.10g}"


@dataclass(frozen=True, slots=True)
class FieldImage:
    """An image with objects: a file, or a series of a file."""

    path: Path  # absolute
    name: str  # unique among the fields
    series: int | None = None  # None: the file has a single series
    width: int = 0  # in pixels of level 0; 0: unknown
    height: int = 0
    n_times: int = 1
    n_z: int = 1
    channels: tuple[str, ...] = ()  # names in the file; empty: not declared
    pixel_size_um: PixelSize | None = None  # as declared, or as stated by the user
    is_pixel_size_stated: bool = False  # by the user
    group: str = ""  # empty: the field is the group
    about: tuple[tuple[str, str], ...] = ()  # further columns, such as the well and the plate

    @property
    def name_of_file(self) -> str:
        """The name without its series."""
        return self.name if self.series is None else self.name.removesuffix(f"{SERIES}{self.series}")

    @property
    def area_of_pixel(self) -> float:
        """The area of a pixel in µm²; NaN if it is unknown."""
        return math.nan if self.pixel_size_um is None else math.prod(self.pixel_size_um)


@dataclass(frozen=True, eq=False)
class Objects:
    """n objects, ordered by field. Columns are arrays, so that a million objects fit into memory."""

    fields: tuple[FieldImage, ...]
    field: Array  # (n,) int32 positions in `fields`
    object_id: Array  # (n,) text, unique within a field, time point and z-plane
    t: Array  # (n,) int32; -1: unknown
    z: Array  # (n,) int32; -1: unknown
    box: Array  # (n, 4) int32: x, y, width, height in pixels of level 0
    outlines: Outlines
    area_um2: Array  # (n,) float32; NaN: unknown
    at_edge: Array  # (n,) int8: 1 if the object touches the edge of its field, else 0; -1: unknown
    label: Array  # (n,) int32 positions in `labels`; -1: unknown
    labels: tuple[str, ...]
    measured: Mapping[str, Array] = attribute(default_factory=dict)  # (n,) float64 by column; NaN: unknown

    def __len__(self) -> int:
        return len(self.field)

    @cached_property
    def n_of_field(self) -> list[int]:
        """The number of objects of each field."""
        counts: list[int] = np.bincount(self.field, minlength=len(self.fields)).tolist()
        return counts

    def image_id(self, position: int) -> str:
        """Return the identity of an object among all objects: field, time point, z-plane and object_id."""
        t, z = int(self.t[position]), int(self.z[position])
        tag = f"{f'#t={t}' if t > 0 else ''}{f'#z={z}' if z > 0 else ''}"
        return f"{self.fields[self.field[position]].name}{tag}#{self.object_id[position]}"

    def polygons(self, position: int, *, with_box_of_points: bool = False) -> list[list[Array]]:
        """Return the polygons of an object; its box if it has no outline, or optionally if it is a point."""
        polygons = self.outlines.polygons(position)
        if polygons and not (with_box_of_points and len(polygons[0][0]) == 1):
            return polygons
        x, y, width, height = self.box[position].tolist()
        return [[np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], np.float32)]]

    def mask(self, positions: Sequence[int], region: Sequence[int]) -> Array:
        """Return the (height, width) bool pixels of a region that belong to one of these objects, or to its box.

        Args:
            positions: of the objects.
            region: x, y, width, height in pixels.
        """
        left, top, width, height = region
        builder = OutlineBuilder()
        for position in positions:
            polygons = self.polygons(position, with_box_of_points=True)
            builder.add([[ring - np.array([left, top], np.float32) for ring in polygon] for polygon in polygons])
        return fill_outlines(builder.finish(), np.ones(len(positions), np.uint8), (height, width)) > 0

    def measurements(self, position: int) -> dict[str, float]:
        """Return the known measurements of an object."""
        values = {name: float(column[position]) for name, column in self.measured.items()}
        return {name: value for name, value in values.items() if not math.isnan(value)}

    @property
    def image_ids(self) -> Iterator[str]:
        """The identity of each object."""
        return map(self.image_id, range(len(self)))

    def write_csv(self, file: Path, report: OnProgress = lambda done, total: None) -> None:
        """Write the table, completely or not at all. It states paths as `stated_paths`.

        Args:
            file: earlier tables of objects are replaced, other files are not.
            report: receives the number of written rows, and of all rows.

        Raises:
            CoverslipError: the table cannot be written, or another file has this name.
        """
        check_replaceable(file, _BEGINS_WITH)
        stated = stated_paths(file.parent)
        paths = [name_as_text(Path(stated(str(field.path))).as_posix()) for field in self.fields]
        states_size = any(field.is_pixel_size_stated for field in self.fields)
        more = list(dict.fromkeys(name for field in self.fields for name, _ in field.about))
        about = [[dict(field.about).get(name, "") for name in more] for field in self.fields]
        measured = list(self.measured.values())

        def rows() -> Iterator[list[object]]:
            for position, outline in enumerate(self.outlines.wkt()):
                field_index = int(self.field[position])
                field = self.fields[field_index]
                label, area, at_edge = (each[position].item() for each in (self.label, self.area_um2, self.at_edge))
                row: list[object] = [
                    self.image_id(position),
                    paths[field_index],
                    field.name,
                    str(self.object_id[position]),
                    "" if field.series is None else field.series,
                    *("" if each == UNKNOWN else each for each in (int(self.t[position]), int(self.z[position]))),
                    *self.box[position].tolist(),
                    outline,
                    "" if math.isnan(area) else f"{area:.6g}",
                    "" if at_edge == UNKNOWN else at_edge,
                    "" if label == UNKNOWN else self.labels[label],
                    field.group,
                    *(measurement_cell(column[position]) for column in measured),
                    *about[field_index],
                ]
                if states_size:
                    row.append("" if field.pixel_size_um is None else repr(field.pixel_size_um[0]))
                yield row
                if position % 5_000 == 0:
                    report(position, len(self))

        write_csv(file, (*COLUMNS, *self.measured, *more, *(("pixel_size_um",) if states_size else ())), rows())
        report(len(self), len(self))


class ObjectRows:
    """Collects the objects of a field, one after another."""

    def __init__(self) -> None:
        self.outlines = OutlineBuilder()
        self.object_id, self.t, self.z = list[str](), array("i"), array("i")
        self._labels, self._boxes = list[str](), array("d")
        self.measured: dict[str, array[float]] = {}

    def append(self, box: Sequence[float], *, object_id: str, label: str, t: int, z: int) -> None:
        """Add an object, after its outline. Arguments as of `ObjectsBuilder.add`."""
        self._boxes.extend(box)
        self.object_id.append(object_id)
        self._labels.append(label)
        self.t.append(t)
        self.z.append(z)

    def add_to(self, builder: "ObjectsBuilder", field: FieldImage) -> None:
        """Add the objects to those of other fields."""
        builder.add(
            field,
            self.outlines.finish(),
            object_id=self.object_id,
            boxes=np.frombuffer(self._boxes, np.float64).reshape(-1, 4),
            t=np.frombuffer(self.t, np.int32),
            z=np.frombuffer(self.z, np.int32),
            labels=self._labels,
            measured={name: np.frombuffer(values, np.float64) for name, values in self.measured.items()},
        )


class ObjectsBuilder:
    """Collects objects, field by field, into the arrays of `Objects`."""

    def __init__(self) -> None:
        self._fields: list[FieldImage] = []
        self._outlines = OutlineBuilder()
        self._labels: dict[str, int] = {}
        self._columns: dict[str, list[Array]] = {}
        self._measured: dict[str, list[Array]] = {}

    def add(
        self,
        field: FieldImage,
        outlines: Outlines,
        *,
        object_id: Sequence[str],
        boxes: Array | None = None,
        t: Sequence[int] | Array | int = UNKNOWN,
        z: Sequence[int] | Array | int = UNKNOWN,
        labels: Sequence[str] | None = None,
        measured: Mapping[str, Array] | None = None,
    ) -> None:
        """Add n objects of a field, of which none was added before.

        Args:
            field: the field of view.
            outlines: of n objects.
            object_id: n texts.
            boxes: (n, 4) left, top, right, bottom in pixels, with decimals; NaN or None: that of the outline.
            t, z: of each object, or of all of them.
            labels: of each object; empty: unknown.
            measured: (n,) measurements, in the same columns for all fields; None: there are none.
        """
        n = len(outlines)
        extent = outlines.boxes()
        if boxes is not None:
            extent = np.where(np.isnan(boxes), extent, boxes)
        left_top = np.floor(extent[:, :2] + _ROUNDING)
        size = np.maximum(np.ceil(extent[:, 2:] - _ROUNDING) - left_top, 1)
        at_edge: Array = np.full(n, UNKNOWN, np.int8)
        if field.width and field.height:
            beyond = extent[:, 2:] + _ROUNDING >= [field.width, field.height]
            at_edge = np.any((extent[:, :2] - _ROUNDING <= 0) | beyond, axis=1).astype(np.int8)
        numbers = [UNKNOWN if not label else self._label(label) for label in labels or [""] * n]
        columns = {
            "field": np.full(n, len(self._fields), np.int32),
            "object_id": np.array([printable(each) for each in object_id], dtype=_TEXT),
            "t": np.broadcast_to(np.asarray(t, np.int32), n),
            "z": np.broadcast_to(np.asarray(z, np.int32), n),
            "box": np.concatenate([left_top, size], axis=1).astype(np.int32),
            "area_um2": (outlines.areas() * field.area_of_pixel).astype(np.float32),
            "at_edge": at_edge,
            "label": np.array(numbers, np.int32),
        }
        for name, column in columns.items():
            self._columns.setdefault(name, []).append(column)
        for name, column in (measured or {}).items():
            self._measured.setdefault(name, []).append(column)
        self._outlines.add_all(outlines)
        self._fields.append(field)

    def _label(self, label: str) -> int:
        return self._labels.setdefault(clean_label(label), len(self._labels))

    def finish(self) -> Objects:
        """Return the objects."""
        columns = {name: np.concatenate(self._columns.pop(name)) for name in list(self._columns)}
        if not columns:
            raise ValueError("no field was added")
        return Objects(
            fields=tuple(self._fields),
            outlines=self._outlines.finish(),
            labels=tuple(self._labels),
            measured={name: np.concatenate(parts) for name, parts in self._measured.items()},
            **columns,
        )


_ROUNDING = 1e-3  # pixels, so that an outline at 4.0001 does not need the next pixel
_TEXT = np.dtypes.StringDType()


def read_objects(file: Path) -> Objects:
    """Read `objects.csv`, also after a spreadsheet program saved it. Columns can have any order.

    Fields are described if they can be read; otherwise their size is 0.

    Raises:
        BadDataset: the table cannot be read, a column is missing, or a cell is invalid.
    """
    fields: dict[tuple[str, ...], _Rows] = {}
    table, faults = open_text_table(file), RowFaults(file)
    header = table.columns
    names = (*COLUMNS, "pixel_size_um", *filter(is_measurement, header))
    at = {name: header.index(name) for name in names if name in header}
    refuse_duplicates(header, set(at), file)
    if missing := [name for name in _NEEDED if name not in at]:
        raise BadDataset("objects-without-column", file=file, column=missing[0])
    rows = table.rows({k: name for name, k in at.items() if name in _NUMBERS or is_measurement(name)})
    for line, cells in islice(rows, 1, None):
        row = {name: cells[k] for name, k in at.items()}
        key = tuple(row.get(name, "") for name in _OF_FIELD)
        try:
            fields.setdefault(key, _Rows()).add(row)
        except ValueError as error:
            faults.add(line, error)
    faults.check()
    if not fields:
        raise BadDataset("no-table-rows", file=file)
    builder, root, finder = ObjectsBuilder(), file.absolute().parent, FileFinder()
    for key in list(fields):
        rows_of_field = fields.pop(key)
        row = dict(zip(_OF_FIELD, key, strict=True)) | rows_of_field.stated
        rows_of_field.add_to(builder, _field_image(row, root, finder))
    return builder.finish()


_NUMBERS = ("series", "t", "z", "x", "y", "width", "height", "pixel_size_um")
_NEEDED = ("path", "field", "object_id", "x", "y", "width", "height")
_OF_FIELD = ("path", "field", "series")


class _Rows(ObjectRows):
    """The rows of a field. Its group and pixel size are the first that a row states."""

    def __init__(self) -> None:
        super().__init__()
        self.stated = {"group": "", "pixel_size_um": ""}

    def add(self, row: Mapping[str, str]) -> None:
        """Add a row. Raises ValueError, whose text names the fault, if a cell is invalid."""
        numbers = [number_in(row[name], name) for name in ("x", "y", "width", "height")]
        if min(numbers[2:]) <= 0:
            raise CellFault("box-too-small", width="width", height="height")
        if row.get("pixel_size_um"):
            number_in(row["pixel_size_um"], "pixel_size_um")
        t, z = (int(number_in(row[name], name)) if row.get(name) else UNKNOWN for name in "tz")
        x, y, width, height = numbers
        try:
            self.outlines.add_wkt(row.get("outline", ""))
        except ValueError as error:
            raise CellFault("not-an-outline", value=one_line(row["outline"], 40)) from error
        for name, cell in self.stated.items():
            self.stated[name] = cell or row.get(name, "")
        for name in filter(is_measurement, row):
            if (value := number_of(row[name]) if row[name] else math.nan) is None:
                raise CellFault("cell-not-a-number", column=name, value=one_line(row[name], 40))
            self.measured.setdefault(name, array("d")).append(value)
        box = x, y, x + width, y + height
        self.append(box, object_id=row["object_id"], label=row.get("label", ""), t=t, z=z)


def is_objects_table(file: Path) -> bool:
    """Return whether a file is a table of objects that `Objects.write_csv` wrote, or one with its columns."""
    return set(_NEEDED) <= set(open_text_table(file).columns)


def outlines_in_plane(file: Path, path: Path, series: int, t: int, z: int | str) -> tuple[Array, Outlines]:
    """Return the boxes and outlines of the objects in one plane of a field, from a table of objects.

    Rows of other fields are skipped, which is much faster than `read_objects`. Rows without a box are ignored. A row
    without time point or z-plane belongs to all of them.

    Args:
        file: a table of objects; of another table, nothing is returned.
        path: the file of the field, absolute.
        series, t, z: its plane.

    Returns:
        The (n, 4) int64 x, y, width and height, and n outlines.

    Raises:
        BadDataset: the table cannot be read.
    """
    boxes, texts = array("q"), list[str]()
    table = open_text_table(file)
    header = table.columns
    at = {name: header.index(name) for name in COLUMNS if name in header}
    if any(name not in at for name in (*_NEEDED, "outline")):
        return np.empty((0, 4), np.int64), OutlineBuilder().finish()
    root, is_of_field, finder = file.absolute().parent, dict[str, bool](), FileFinder()
    plane = [(at[name], str(value)) for name, value in (("t", t), ("z", z)) if name in at]
    at_path, at_series, at_outline = at["path"], at.get("series"), at["outline"]
    at_box = [at[name] for name in ("x", "y", "width", "height")]
    rows = table.rows({at[name]: name for name in _NUMBERS if name in at})
    for _, cells in islice(rows, 1, None):
        cell = cells[at_path]
        if cell not in is_of_field:
            is_of_field[cell] = os.fspath(_file_of(cell, root, finder)) == os.fspath(path)
        if not is_of_field[cell] or (at_series is not None and (cells[at_series] or "0") != str(series)):
            continue
        if any(cells[k] and cells[k] != value for k, value in plane):
            continue
        try:
            boxes.extend([round(float(cells[k])) for k in at_box])
        except (ValueError, OverflowError):  # the dataset has no such row
            del boxes[4 * len(texts) :]
            continue
        texts.append(cells[at_outline])
    return np.array(boxes, np.int64).reshape(-1, 4), _parsed(texts)


def _parsed(texts: Sequence[str]) -> Outlines:
    """Return the outlines of objects by their texts. An object with an invalid text has no outline."""
    try:
        return outlines_of_wkt(texts)
    except ValueError:
        builder = OutlineBuilder()
        for wkt in texts:
            try:
                builder.add_wkt(wkt)
            except ValueError:
                builder.add_wkt("")
        return builder.finish()


def _file_of(cell: str, root: Path, finder: FileFinder) -> Path:
    """Return the file of a field by its cell; a path that does not exist if several files fit."""
    path = Path(os.path.normpath(root / name_from_text(cell)))
    with suppress(CellFault):
        return finder.find(path)
    return path


def _field_image(row: Mapping[str, str], root: Path, finder: FileFinder) -> FieldImage:
    """Return the field of a row, with its size if its file can be read."""
    path = _file_of(row["path"], root, finder)
    number = int(row["series"]) if row["series"].isdecimal() else None
    try:
        series = describe_image(path)[number or 0]
        (width, height), pixel_size = series.sizes[0], series.pixel_size_at(0)
        n_times, n_z = series.size("T"), series.n_z
    except (UnreadableImage, IndexError, ValueError):
        width = height = 0
        n_times, n_z, pixel_size = 1, 1, None
    stated = number_of(row["pixel_size_um"])
    return FieldImage(
        path=path,
        name=row["field"],
        series=number,
        width=width,
        height=height,
        n_times=n_times,
        n_z=n_z,
        pixel_size_um=pixel_size if stated is None else (stated, stated),
        is_pixel_size_stated=stated is not None,
        group=row["group"],
    )


def text_lines(file: Path, most: int | None = None) -> list[str]:
    """Return the lines of a text file, or the first of them.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    with open_text(file, encoding_of(file)) as stream:
        return list(islice(stream, most))


@dataclass(frozen=True, slots=True)
class WordLines:
    """The words of the lines of a file without names of columns; none for empty lines and comments."""

    words: list[list[str]]
    has_comma_separators: bool  # otherwise, commas are decimal signs

    def number(self, word: str) -> float | None:
        """Return the number that a word states; None if it states none."""
        return number_of(word if self.has_comma_separators else with_decimal_point(word))

    def numbers_at_start(self, words: Sequence[str]) -> list[float]:
        """Return the numbers with which a line begins."""
        numbers = list[float]()
        for word in words:
            if (number := self.number(word)) is None:
                break
            numbers.append(number)
        return numbers


def words_of(lines: Sequence[str]) -> WordLines:
    """Return the words of lines, which semicolons, tabs, spaces or commas separate.

    Commas are decimal signs if each line has other separators: `1,5;2,5` and `1,5 2,5` are two numbers.

    Args:
        lines: of a file without names of columns, from its beginning.
    """
    _, n_skipped = layout_of("".join(lines[:_N_HEAD_LINES]))
    plain = ["" if k < n_skipped else line.strip() for k, line in enumerate(lines)]
    filled = [line for line in plain if line]
    for pattern in (r"\s*;\s*", r"\s*\t\s*", r"\s+"):
        separator = re.compile(pattern)
        rows = [separator.split(line) for line in filled]
        if all(
            len(row) > 1 and all(number_of(with_decimal_point(word)) is not None for word in row[:2]) for row in rows
        ):
            return WordLines([separator.split(line) if line else [] for line in plain], has_comma_separators=False)
    separator = re.compile(r"[\s,;]+")
    return WordLines([separator.split(line) if line else [] for line in plain], has_comma_separators=True)


_N_HEAD_LINES = 1_000
