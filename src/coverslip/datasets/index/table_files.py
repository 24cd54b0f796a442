"""Reading a table file (CSV, TSV, semicolons) as text, and knowing a column by any of its names."""

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

from coverslip.datasets.index.records import counted, one_line
from coverslip.errors import BadDataset
from coverslip.files import plain_cell
from coverslip.messages import Note

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
PLAIN_TABLE_SUFFIXES = frozenset({".csv", ".tsv"})  # what is looked for; most other text files are notes
SHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".numbers"})

# Names that a column may have, best first. `image` holds a path only where no better name does: in tables of crops
# it often names the field of view that the crops come from.
ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image"),
    "label": ("label", "class", "target", "class_name", "category"),
    "image_id": ("image_id",),
    "split": ("split",),
    "domain": ("domain",),
    "group": ("group",),
    "channel": ("channel",),
    "plane": ("plane",),
    "x": ("x",),
    "y": ("y",),
    "width": ("width",),
    "height": ("height",),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table's cells as text. Lines are numbered as an editor shows them."""

    path: Path
    columns: tuple[str, ...]  # as written
    rows: tuple[tuple[str, ...], ...]  # as many cells as columns, spaces around them removed
    lines: tuple[int, ...]
    notes: tuple[Note, ...]

    def index(self, meaning: str) -> int | None:
        """Which column holds a path, label, ...: the best of its accepted names."""
        known = [plain_name(column) for column in self.columns]
        return next((known.index(alias) for alias in ALIASES[meaning] if alias in known), None)


def is_table(path: Path) -> bool:
    """Whether a file name ends like a table that can be read here."""
    return path.suffix.lower() in TABLE_SUFFIXES


def read_table(path: Path) -> Table:
    """Read a table whose first line names the columns; separators , ; or tab, quoted cells, any UTF or Windows-1252.

    Raises:
        BadDataset: it cannot be opened, is not text, has no rows, or rows with too many cells.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadDataset(
            f"The table could not be read: {error.strerror}", file=path, do="Check its name and that you may read it."
        ) from error
    text, notes = _decode(data, path)
    text = text.removeprefix("\ufeff")
    first_line = 1
    forced = None
    if text[:4].casefold() == "sep=":  # a line that Excel writes and reads
        forced, (_, _, text), first_line = text[4:5], text.partition("\n"), 2
    separator = forced or max(",;\t", key=lambda mark: _header_quality(text, mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    columns: tuple[str, ...] = ()
    too_long: list[int] = []
    line = first_line
    try:
        for cells in reader:
            stripped = [plain_cell(cell.strip()) for cell in cells]
            if any(stripped):
                if not columns:
                    columns = tuple(stripped)
                else:
                    if any(stripped[len(columns) :]):
                        too_long.append(line)
                    padded = (*stripped, *[""] * len(columns))[: len(columns)]
                    rows.append(padded)
                    lines.append(line)
            line = first_line + reader.line_num
    except csv.Error as error:
        raise BadDataset(f"The table breaks off in line {line}: {error}", file=path, do="Correct that line.") from error
    if too_long:
        raise BadDataset(
            f"{counted(len(too_long), 'row')} of the table with more cells than the header names columns "
            f"(first: line {too_long[0]})",
            file=path,
            do="A cell that holds the separator must stand in quotation marks.",
        )
    if not rows:
        raise BadDataset(
            "The table has no rows" if columns else "The table is empty", file=path, do="Add one row per image."
        )
    return Table(path, columns, tuple(rows), tuple(lines), tuple(notes))


def _decode(data: bytes, path: Path) -> tuple[str, list[Note]]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), []
    if b"\0" in data[:4096]:
        raise BadDataset("This file is not a text table", file=path, do="Save it as CSV (comma-separated values).")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        text = f"The table '{one_line(path.name)}' is not UTF-8; it was read as Windows-1252."
        return data.decode("cp1252", errors="replace"), [Note("not-utf-8", text)]


def _header_quality(text: str, separator: str) -> tuple[int, int]:
    """How well a separator parts the first line: columns with a known name, then columns at all."""
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return 0, 0
    known = {alias for aliases in ALIASES.values() for alias in aliases}
    return sum(plain_name(column) in known for column in header), len(header)


def plain_name(column: str) -> str:
    """A column's name as it is compared."""
    return "_".join(column.casefold().replace("-", " ").replace("_", " ").split())
