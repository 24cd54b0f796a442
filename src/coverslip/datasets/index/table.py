"""Tables of images: their cells as text, in memory or from CSV and TSV files."""

import json
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from coverslip.datasets.names import has_image_suffix, one_line
from coverslip.datasets.tables.columns import PIXELS, ColumnUnit, find_column, is_image_column, plain_name
from coverslip.datasets.tables.reading import WINDOWS, line_of_file, open_text_table
from coverslip.errors import BadDataset
from coverslip.images import Decoded
from coverslip.messages import Note, note, text


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
    """Return whether the first line is a row: it has no accepted column name, and names a file."""
    if any(map(is_image_column, columns)):
        return False
    return any(has_image_suffix(cell) and (folder / cell).is_file() for cell in columns)
