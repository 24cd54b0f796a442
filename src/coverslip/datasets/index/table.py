"""Tables of images as text: accepted names of columns, and reading of table files (CSV, TSV, semicolons)."""

import codecs
import csv
import json
import os
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, overload

from coverslip.datasets.index.names import has_image_suffix, one_line
from coverslip.errors import BadDataset
from coverslip.files import plain_cell
from coverslip.images import MAX_CHANNEL_FILES, PLAN_COLUMNS, Decoded
from coverslip.messages import Note, note, text
from coverslip.text_tables import layout_of, without_hash

# Accepted names of columns, best first. `image` is the path only if there is no better name: in tables of crops it
# often names the field of view.
ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image", "channel_1"),
    **{f"channel_{n}": (f"channel_{n}",) for n in range(2, MAX_CHANNEL_FILES + 1)},  # the files of further channels
    "label": ("label", "class", "target", "class_name", "category"),
    "image_id": ("image_id",),
    "split": ("split",),
    "domain": ("domain",),
    "group": ("group",),
    **{name: (name,) for name in PLAN_COLUMNS},
    # The corner of a box precedes `x`, which may be the center if both exist.
    **{
        axis: (
            *(f"bbox_{axis}", f"box_{axis}", axis, f"{axis}_position", f"position_{axis}", f"pos_{axis}"),
            *(f"{axis}_coordinate", f"{axis}_coord"),
        )
        for axis in "xy"
    },
    **{
        f"{axis}_center": (
            *(f"{axis}_center", f"{axis}_centre", f"center_{axis}", f"centre_{axis}", f"c{axis}"),
            *(f"centroid_{axis}", f"{axis}_centroid", f"{axis}center", f"{axis}centre"),
        )
        for axis in "xy"
    },
    "width": ("bbox_width", "box_width", "bbox_w", "box_w", "width", "w"),
    "height": ("bbox_height", "box_height", "bbox_h", "box_h", "height", "h"),
    "x_min": ("x_min", "xmin", "min_x", "left", "x0", "x1"),
    "y_min": ("y_min", "ymin", "min_y", "top", "y0", "y1"),
    "x_max": ("x_max", "xmax", "max_x", "right", "x2", "x1"),
    "y_max": ("y_max", "ymax", "max_y", "bottom", "y2", "y1"),
}
# The meanings that give the position of an image in its file.
POSITIONS = ("x", "y", "x_center", "y_center", "width", "height", "x_min", "y_min", "x_max", "y_max")
# Suffixes of the names of columns in pixels.
PIXELS = ("", "_px", "_pixel", "_pixels", "_(px)", "_[px]", "_(pixel)", "_(pixels)", "_[pixels]")
# Suffixes of the names of columns that contain shares of the image's width and height instead of pixels.
RELATIVE = ("_relative", "_rel", "_normalized", "_normalised", "_norm")

# All accepted names of columns.
TABLE_NAMES = frozenset(name for names in ALIASES.values() for name in names)


@dataclass(frozen=True, slots=True)
class Table:
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
        return text("table-row", row=line) if self.is_in_memory else text("table-line", line=line)

    def index(self, meaning: str, suffixes: tuple[str, ...] = ("",)) -> int | None:
        """Return the index of the column of a meaning (path, label, ...): by the user's mapping, else by the best name.

        Args:
            meaning: a key of `ALIASES`.
            suffixes: endings of the accepted names.
        """
        if (mapped_column := self.mapping.get(meaning)) is not None:
            return self.columns.index(mapped_column) if mapped_column else None
        mapped = set(self.mapping.values())
        plain_names = ["" if column in mapped else plain_name(column) for column in self.columns]
        names = (f"{alias}{suffix}" for alias in ALIASES[meaning] for suffix in suffixes)
        return next((plain_names.index(name) for name in names if name in plain_names), None)


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


class CellFault(ValueError):
    """An invalid cell.

    Its text is rendered on display, since only the first of many invalid rows are displayed.

    Args:
        code, parameters: of the message, as of `messages.text`.
    """

    def __init__(self, code: str, **parameters: Any) -> None:  # Any: JSON values
        super().__init__(code)
        self.code, self.parameters = code, parameters

    def __str__(self) -> str:
        return text(self.code, **self.parameters)


def plain_name(column: str) -> str:
    """Return a column's name in the form in which names are compared."""
    return "_".join(column.casefold().replace("-", " ").replace("_", " ").split())


def is_table_name(column: str) -> bool:
    """Return whether a column has an accepted name."""
    return plain_name(column) in TABLE_NAMES


TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
PLAIN_TABLE_SUFFIXES = frozenset({".csv", ".tsv"})  # searched for in image folders; most other text files are notes
# 5 million rows of 200 bytes
_MOST_BYTES = 2**30
_LONGEST_ROW = 2**20  # characters
SHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".numbers"})


def is_table(path: Path) -> bool:
    """Return whether a file name has a suffix of tables that can be read."""
    return path.suffix.lower() in TABLE_SUFFIXES


def read_table(path: Path) -> Table:
    """Read a table whose first line names the columns; separators , ; or tab, quoted cells, any UTF or Windows-1252.

    Comment lines before the header, which begin with `#`, are skipped.

    Raises:
        BadDataset: it cannot be opened, is not text, is too large, or has no rows or rows with too many cells.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadDataset("table-too-large", file=path, limit_gib=_MOST_BYTES // 2**30)
        encoding, notes = _encoding(path)
        with path.open(encoding=encoding, errors="replace", newline="") as stream:
            return _read_rows(stream, path, notes)
    except OSError as error:
        raise BadDataset("table-not-read", file=path, reason=error.strerror or str(error)) from error


def _read_rows(stream: TextIO, path: Path, notes: list[Note]) -> Table:
    layout = layout_of(stream.read(_LONGEST_ROW), is_table_name, has_image_suffix)
    stream.seek(0)
    for _ in range(layout.n_skipped):
        stream.readline(_LONGEST_ROW)
    rows, lines = PackedRows(), array("q")
    columns: tuple[str, ...] = ()
    unread: int | None = None
    long_rows: list[int] = []
    for line, cells in _rows(stream, layout.separator, layout.n_skipped + 1, path):
        stripped = [plain_cell(cell.strip()) for cell in cells]
        if any(stripped):
            if not columns:
                columns = tuple(stripped)
                if is_table_name(without_hash(columns[0])):
                    columns = (without_hash(columns[0]), *columns[1:])
                unread = _outline_column(columns)
                if _is_without_header(columns, path.parent):
                    notes.append(note("no-header", table=one_line(path.name)))
                    rows.append(columns)
                    lines.append(line)
                    columns = tuple(f"column {k}" for k in range(1, len(columns) + 1))
            else:
                if any(stripped[len(columns) :]):
                    long_rows.append(line)
                if unread is not None and len(stripped) > unread:
                    stripped[unread] = ""
                rows.append((*stripped, *[""] * len(columns))[: len(columns)])
                lines.append(line)
    if long_rows:
        raise BadDataset("rows-too-long", file=path, n_rows=len(long_rows), line=long_rows[0])
    if not rows:
        raise BadDataset("no-table-rows" if columns else "empty-table", file=path)
    return Table(path, columns, rows, lines, tuple(notes), separator=layout.separator)


def _outline_column(columns: Sequence[str]) -> int | None:
    """Return the column of outlines in a table of objects, which takes most memory and is not needed for crops."""
    names = [plain_name(column) for column in columns]
    return names.index("outline") if {"field", "object_id", "outline"} <= set(names) else None


def _is_without_header(columns: Sequence[str], folder: Path) -> bool:
    """Return whether the first line is a row: it has no accepted column name, and names a file."""
    if any(map(is_table_name, columns)):
        return False
    return any(has_image_suffix(cell) and (folder / cell).is_file() for cell in columns)


def _rows(stream: TextIO, separator: str, first_line: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line in which each row begins, and its cells.

    Raises:
        BadDataset: a row cannot be parsed.
    """
    lines, well_formed = _LinesOfRow(stream), _well_formed(separator)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    line, n_columns = first_line, 0
    try:
        for cells in reader:
            row = lines.take_row()
            n_columns = n_columns or (len(cells) if any(cells) else 0)
            if '"' in row and not well_formed.fullmatch(row):
                raise csv.Error(text("unquoted-quotation-mark"))
            if '"' in row and _has_swallowed_row(row, separator, n_columns, path.parent):
                raise csv.Error(text("row-in-quoted-cell"))
            yield line, cells
            line = first_line + reader.line_num
    except csv.Error as error:
        reason = _fault_in_row(error, n_lines=first_line + reader.line_num - line)
        raise BadDataset("invalid-table-line", file=path, line=line, reason=reason) from error


def _well_formed(separator: str) -> re.Pattern[str]:
    """Return the pattern of a row with quotation marks only around cells, or doubled within quoted cells.

    The module csv would accept other quotation marks as text.
    """
    mark = re.escape(separator)
    cell = rf'(?:"(?:[^"]|"")*"|[^"{mark}]*)'
    return re.compile(rf"{cell}(?:{mark}{cell})*[\r\n]*")


def _has_swallowed_row(row: str, separator: str, n_columns: int, folder: Path) -> bool:
    """Return whether a quoted cell contains further rows: lines with enough cells, one of which names an image."""
    first, *further = ([cell.strip(' "') for cell in line.split(separator)] for line in row.splitlines() or [""])
    return len(first) >= n_columns and any(
        len(cells) >= n_columns and any(has_image_suffix(cell) or os.path.isfile(folder / cell) for cell in cells)  # noqa: PTH113  any text
        for cells in further
    )


def _fault_in_row(error: csv.Error, n_lines: int) -> str:
    """Return the reason why a row is invalid. In a row of several lines, a quotation mark is probably not closed."""
    reason = str(error)
    if "unexpected end" in reason or ("expected after" in reason and n_lines > 1):
        return text("unclosed-quotation-mark")
    if "expected after" in reason:
        return text("text-after-quotation-mark")
    return text("perhaps-unclosed-quotation-mark", reason=reason) if n_lines > 1 else reason


class _LinesOfRow:
    """An iterator over the lines of a table, which stores the lines of the current row and limits its length."""

    def __init__(self, stream: TextIO) -> None:
        self._row, self._n_letters = list[str](), 0  # of the current row
        self._lines = stream

    def __iter__(self) -> "_LinesOfRow":
        return self

    def __next__(self) -> str:
        line = self._lines.readline(_LONGEST_ROW + 1)
        self._n_letters += len(line)
        if self._n_letters > _LONGEST_ROW:
            raise csv.Error(text("row-too-long", n_characters=_LONGEST_ROW))
        if not line:
            raise StopIteration
        self._row.append(line)
        return line

    def take_row(self) -> str:
        """Return the text of the current row, and start the next row."""
        row, self._row, self._n_letters = "".join(self._row), [], 0
        return row


def _encoding(path: Path) -> tuple[str, list[Note]]:
    """Return the encoding of a text file, by its byte order mark, else UTF-8 if all of it is valid.

    Raises:
        BadDataset: it is not text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        data = stream.read(_LONGEST_ROW)
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", []
        try:
            while data:
                if b"\0" in data:
                    raise BadDataset("not-a-text-table", file=path)
                decoder.decode(data)
                data = stream.read(_LONGEST_ROW)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252", [note("not-utf-8", table=one_line(path.name))]
    return "utf-8-sig", []
