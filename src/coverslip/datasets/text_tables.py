"""Text files of users, and the rows of tables in them: encoding, separator, comment lines and quotation marks."""

import codecs
import csv
import io
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, TextIO

from coverslip.datasets.columns import is_image_column, refuse_repeated_names
from coverslip.datasets.names import has_image_suffix, one_line
from coverslip.errors import BadDataset
from coverslip.files import plain_cell
from coverslip.images.confining import open_image
from coverslip.messages import message, text
from coverslip.table_cells import decimal_comma_columns, number_of, with_decimal_points

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
PLAIN_TABLE_SUFFIXES = frozenset({".csv", ".tsv"})  # searched for in image folders; most other text files are notes
_SEPARATORS = ",;\t"
_LINE_END = re.compile(r"\r\n|\r|\n")
_MOST_COMMENTS = 1_000  # lines
_LONGEST_ROW = 2**22  # characters; more than the outline of any object
_HEAD = 2**20  # characters of a file by which its layout is recognized
_LONGEST_FIRST_ROW = 2**16  # characters that are searched, if comments may precede the header
_BLOCK = 2**20  # bytes
WINDOWS = "cp1252"  # the encoding of files that are not UTF-8
_MOST_LISTED = 5
_TOO_LARGE = 2**31  # pixels, more than any image has


def is_table(path: Path) -> bool:
    """Return whether a file name has a suffix of tables that can be read."""
    return path.suffix.lower() in TABLE_SUFFIXES


def encoding_of(file: Path) -> str:
    """Return the encoding of a text file: by its byte order mark, else UTF-8 if all of it is valid, else Windows-1252.

    Raises:
        BadDataset: the file cannot be read, is not text, or has lines of different or unknown encodings.
    """
    with _open_binary(file) as stream:
        block = stream.read(_BLOCK)
        encoding = "utf-16" if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            while block:
                if "\0" in decoder.decode(block):
                    raise BadDataset("not-a-text-table", file=file)
                block = stream.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            if encoding == "utf-16":
                raise BadDataset("not-a-text-table", file=file) from error
            stream.seek(0)
            _check_windows_lines(stream, file)
            return WINDOWS
    return encoding


def _check_windows_lines(stream: BinaryIO, file: Path) -> None:
    """Check that a file can be Windows-1252: if a line is UTF-8, names in other lines would not be equal to its names.

    Raises:
        BadDataset: it is not text, a line is UTF-8, or a line has bytes that are no characters.
    """
    utf8_line = other_line = 0
    for number, line in enumerate(stream, start=1):
        if b"\0" in line:
            raise BadDataset("not-a-text-table", file=file)
        if not line.isascii():
            try:
                line.decode()
                utf8_line = utf8_line or number
            except UnicodeDecodeError:
                other_line = other_line or number
                try:
                    line.decode(WINDOWS)
                except UnicodeDecodeError as error:
                    raise BadDataset("unknown-encoding", file=file, line=number) from error
    if utf8_line:
        raise BadDataset("mixed-encodings", file=file, utf8_line=utf8_line, line=other_line)


def _open_binary(file: Path) -> BinaryIO:
    try:
        return open_image(file)
    except OSError as error:
        raise BadDataset("table-not-read", file=file, reason=error.strerror or str(error)) from error


def open_text(file: Path, encoding: str) -> TextIO:
    """Open a text file, whose line ends are not changed.

    Raises:
        BadDataset: it cannot be read.
    """
    return io.TextIOWrapper(_open_binary(file), encoding, newline="")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A CSV or TSV file, whose rows are read one by one."""

    file: Path
    encoding: str
    separator: str
    n_skipped: int  # lines before the header, or before the first row if there is none
    is_exact: bool  # a program wrote it: cells keep spaces at their ends, and all rows have a cell in each column

    @property
    def columns(self) -> tuple[str, ...]:
        """The cells of the first row; raises as `rows`. Empty if the file is empty."""
        return tuple(next(self.rows(), (0, []))[1])

    def rows(self, numbers: Mapping[int, str] = MappingProxyType({})) -> Iterator[tuple[int, list[str]]]:
        """Yield the first line and the cells of each row that is not empty. The first row contains the column names.

        Rows have as many cells as the first.

        Args:
            numbers: the names of columns of numbers, in which `1,5` becomes `1.5`, by their positions. For this, the
                file is read twice if commas do not separate its cells.

        Raises:
            BadDataset: the file cannot be read, a row cannot be parsed or has too many cells or, if all rows must have
                all cells, too few, or the commas of a column have an unknown meaning.
        """
        with_commas = frozenset[int]()
        if numbers and self.separator != ",":
            all_cells = (cells for _, cells in self.rows())
            with_commas = decimal_comma_columns(all_cells, numbers, self.separator, self.file)
        n_columns = n_long = long_line = 0
        for line, cells in self._parsed_rows():
            if not self.is_exact:
                cells = [cell.strip() for cell in cells]
            if not any(cells) and (not self.is_exact or len(cells) in (0, n_columns)):
                continue
            cells = [plain_cell(cell) if cell[:1] == "'" else cell for cell in cells]  # calls take half of the time
            if not n_columns:
                n_columns = len(cells)
                if is_image_column(without_hash(cells[0])):
                    cells[0] = without_hash(cells[0])
            elif len(cells) != n_columns:
                if self.is_exact:
                    sizes = {"n_cells": len(cells), "n_columns": n_columns}
                    reason = message("wrong-number-of-cells", **sizes)
                    raise BadDataset("invalid-table-line", file=self.file, line=line, reason=reason)
                if any(cells[n_columns:]):
                    n_long, long_line = n_long + 1, long_line or line
                cells = (cells + [""] * n_columns)[:n_columns]
            yield line, list(with_decimal_points(cells, with_commas)) if with_commas else cells
        if n_long:
            raise BadDataset("rows-too-long", file=self.file, n_rows=n_long, line=long_line)

    def named_rows(
        self, is_number: Callable[[str], bool] = lambda _: False, used: Collection[str] | None = None
    ) -> Iterator[dict[str, str]]:
        """Yield the cells of each row by the names of their columns as written.

        Args:
            is_number: returns whether a column contains numbers, in which `1,5` becomes `1.5`.
            used: names of columns that must not be repeated; None: all.

        Raises:
            BadDataset: as `rows`, or two of these columns have the same name.
        """
        columns = self.columns
        refuse_repeated_names([name for name in columns if used is None or name in used], self.file)
        rows = self.rows({at: name for at, name in enumerate(columns) if is_number(name)})
        return (dict(zip(columns, cells, strict=True)) for _, cells in islice(rows, 1, None))

    def _parsed_rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line in which each row begins, and its cells.

        Raises:
            BadDataset: a row cannot be parsed.
        """
        with open_text(self.file, self.encoding) as stream:
            for _ in range(self.n_skipped):
                stream.readline(_LONGEST_ROW)
            lines, well_formed = list[str](), _well_formed(self.separator)
            reader = csv.reader(_lines_of(stream, lines), delimiter=self.separator, strict=True)
            line, n_columns = self.n_skipped + 1, 0
            try:
                for cells in reader:
                    row = "".join(lines)
                    lines.clear()
                    n_columns = n_columns or (len(cells) if any(cells) else 0)
                    if '"' in row and any('"' in cell for cell in cells) and not well_formed.fullmatch(row):
                        raise csv.Error(text("unquoted-quotation-mark"))
                    next_line = self.n_skipped + 1 + reader.line_num
                    if next_line > line + 1 and _has_swallowed_row(row, self.separator, n_columns, self.file.parent):
                        raise csv.Error(text("row-in-quoted-cell"))
                    yield line, cells
                    line = next_line
            except csv.Error as error:
                reason = _fault_in_row(error, n_lines=self.n_skipped + 1 + reader.line_num - line)
                raise BadDataset("invalid-table-line", file=self.file, line=line, reason=reason) from error


def open_text_table(file: Path, *, is_exact: bool = False) -> TextTable:
    """Return a CSV or TSV file, of which only the encoding and the beginning are read.

    The first line of files from Excel may define the separator (`sep=;`). Other lines before the header that begin with
    `#` are comments, as instruments write them. The header and names of files can begin with `#`, too.

    Args:
        file: the table.
        is_exact: see `TextTable`.

    Raises:
        BadDataset: as `encoding_of`.
    """
    encoding = encoding_of(file)
    with open_text(file, encoding) as stream:
        return TextTable(file, encoding, *layout_of(stream.read(_HEAD)), is_exact)


def _well_formed(separator: str) -> re.Pattern[str]:
    """Return the pattern of a row with quotation marks only around cells, or doubled within quoted cells.

    The module csv would accept other quotation marks as text.
    """
    mark = re.escape(separator)
    cell = rf'(?:"(?:[^"]|"")*"|[^"{mark}]*)'
    return re.compile(rf"{cell}(?:{mark}{cell})*[\r\n]*")


def _has_swallowed_row(row: str, separator: str, n_columns: int, folder: Path) -> bool:
    """Return whether a quoted cell contains further rows: lines with enough cells, one of which names an image."""
    first, *further = ([cell.strip(' "') for cell in line.split(separator)] for line in row.splitlines())
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


def _lines_of(stream: TextIO, row: list[str]) -> Iterator[str]:
    """Yield lines, and add them to the current row, whose length is limited. The caller clears the row at its end."""
    n_letters = 0
    while line := stream.readline(_LONGEST_ROW + 1):
        n_letters = len(line) + (n_letters if row else 0)
        if n_letters > _LONGEST_ROW:
            raise csv.Error(text("row-too-long", n_characters=_LONGEST_ROW))
        row.append(line)
        yield line


def layout_of(head: str) -> tuple[str, int]:
    """Return the separator of a table, and the number of lines before its header, from its first lines."""
    separators, n_skipped = _SEPARATORS, 0
    if head[:4].casefold() == "sep=":
        separators = head[4:5].strip(" \r\n") or separators
        head, n_skipped = head[_line_end(head, 0) :], 1
    if title := _TITLE.match(head):
        head, n_skipped = head[title.end() :], n_skipped + title[0].count("\n")
    starts = _starts_of_comments(head)
    n_comments = _n_comments(head, starts, separators)
    return _First(head[starts[n_comments] :].lstrip("\r\n"), separators).separator, n_skipped + n_comments


# The name of a table above a line, as Imaris writes it.
_TITLE = re.compile(r"(?:[ \t]*\r?\n)*[^\n,;\t]+[,;\t]*\r?\n=+[,;\t]*\r?\n")


def without_hash(column: str) -> str:
    """Return the name of a column without the `#` that some programs write before the names of columns."""
    return column.lstrip("#").strip()


def _line_end(content: str, start: int) -> int:
    """Return the position after the line that begins at `start`."""
    match = _LINE_END.search(content, start)
    return len(content) if match is None else match.end()


def _starts_of_comments(content: str) -> list[int]:
    """Return the positions of the first lines that are empty or begin with `#`, and of the line after these."""
    starts = [0]
    while content.startswith(("#", "\n", "\r"), starts[-1]) and len(starts) <= _MOST_COMMENTS:
        end = _line_end(content, starts[-1])
        if end == len(content):
            break
        starts.append(end)
    return starts


class _First:
    """The first row of a text."""

    def __init__(self, content: str, separators: str) -> None:
        rows = {mark: _first_row(content, mark) for mark in separators}
        names = {mark: sum(map(is_image_column, _with_plain_start(row))) for mark, row in rows.items()}
        self.separator = max(separators, key=lambda mark: (names[mark], len(rows[mark])))
        self.cells, self.n_names = rows[self.separator], names[self.separator]

    def is_like(self, other: "_First") -> bool:
        """Return whether both have the same columns, of which there are several."""
        return len(self.cells) > 1 and (len(self.cells), self.separator) == (len(other.cells), other.separator)


def _first_row(content: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(content, newline=""), delimiter=separator), [])
    except csv.Error:
        return []


def _with_plain_start(row: Sequence[str]) -> Iterator[str]:
    return (without_hash(cell) if at == 0 else cell for at, cell in enumerate(row))


def _n_comments(content: str, starts: Sequence[int], separators: str) -> int:
    """Return the number of lines before the header, or before the first row."""
    if not content.lstrip().startswith("#"):
        return 0
    lines = [_First(content[start : start + _LONGEST_FIRST_ROW], separators) for start in starts]
    filled = [k for k, line in enumerate(lines) if line.cells]
    last = filled[-1]  # it does not begin with `#`, unless all lines do
    # A header or row has as many cells as the next row.
    candidates = [k for k, after in pairwise(filled) if lines[k].is_like(lines[after])] + [last]
    if any(lines[k].n_names for k in candidates):
        return max(candidates, key=lambda k: (lines[k].n_names, k == last, -k))
    rows = (k for k in candidates if any(map(has_image_suffix, lines[k].cells)))
    first_row = next(rows, last)
    before = filled[max(0, filled.index(first_row) - 1)]
    return before if before in candidates else first_row


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


def number_in(cell: str, column: str) -> float:
    """Return the number of a cell with a position or length. Raises CellFault if it states none."""
    number = number_of(cell)
    if number is None or abs(number) >= _TOO_LARGE:
        raise CellFault("cell-not-a-number", column=column, value=one_line(cell, 40))
    return number


def line_of_file(line: int) -> str:
    """Return a line number as text, for messages."""
    return text("table-line", line=line)


class RowFaults:
    """The invalid rows of a table.

    Args:
        file: of the table; None: it is in memory.
        place: returns the number of a row as text.
    """

    def __init__(self, file: Path | None, place: Callable[[int], str] = line_of_file) -> None:
        self._file, self._place = file, place
        self._n, self._first = 0, list[str]()

    def add(self, line: int, fault: ValueError) -> None:
        """Add a row, and why it is invalid."""
        self._n += 1
        if self._n <= _MOST_LISTED:
            self._first.append(text("invalid-row", place=self._place(line), fault=str(fault)))

    def check(self) -> None:
        """Raise BadDataset with the first invalid rows if there are any."""
        if self._n:
            rows, has_more = "; ".join(self._first), self._n > _MOST_LISTED
            raise BadDataset("invalid-rows", file=self._file, n_rows=self._n, rows=rows, has_more=has_more)
