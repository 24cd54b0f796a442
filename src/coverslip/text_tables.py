"""How programs write tables as text: separators, comment lines, decimal commas, and accents in names."""

import csv
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from coverslip.errors import BadDataset

_SEPARATORS = ",;\t"
_LINE_END = re.compile(r"\r\n|\r|\n")
_MOST_COMMENTS = 1_000  # lines
_LONGEST = 2**16  # characters of a header
_NUMBER_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_PERHAPS_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def number_of(cell: str) -> float | None:
    """Return the number that a cell states; None if it states no finite number."""
    try:
        number = math.nan if "_" in cell else float(cell)  # Python accepts 1_000
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def decimal_comma_columns(
    rows: Iterable[Sequence[str]], names: Mapping[int, str], separator: str | None, file: Path | None
) -> frozenset[int]:
    """Return the columns of numbers with decimal commas, such as `1,5`.

    A single value such as `1,500` can be 1.5 or 1500. A column has decimal commas if one of its values cannot have a
    comma between thousands: `0,5`, `12,25` or `1234,567`. Where commas separate cells, no number has a decimal comma.

    Args:
        rows: cells. A row may have fewer cells than the first.
        names: of the columns of numbers, by their positions.
        separator: of the cells; None: the table is in memory.
        file: of the table, for errors.

    Raises:
        BadDataset: all values of a column with commas can be decimal numbers or thousands, or others have points.
    """
    if separator == ",":
        return frozenset()
    ambiguous, decimal, with_point = dict[int, str](), dict[int, str](), dict[int, str]()
    for row in rows:
        for at in names:
            cell = row[at] if at < len(row) else ""
            if "," in cell:
                if _PERHAPS_THOUSANDS.fullmatch(cell):
                    ambiguous.setdefault(at, cell)
                elif _NUMBER_WITH_COMMA.fullmatch(cell):
                    decimal.setdefault(at, cell)
            elif "." in cell and at not in with_point and number_of(cell) is not None:
                with_point[at] = cell
    for at, name in names.items():
        with_comma = decimal.get(at) or ambiguous.get(at)
        if with_comma and at in with_point:
            raise BadDataset("mixed-decimal-signs", file=file, column=name, value=with_comma, other=with_point[at])
        if with_comma and at not in decimal:
            raise BadDataset(
                "ambiguous-decimal-commas",
                file=file,
                column=name,
                value=with_comma,
                decimal=with_comma.replace(",", "."),
                thousands=with_comma.replace(",", ""),
            )
    return frozenset(decimal)


def with_decimal_points(row: Sequence[str], columns: frozenset[int]) -> tuple[str, ...]:
    """Return a row with `1.5` for `1,5` in these columns."""
    return tuple(with_decimal_point(cell) if at in columns else cell for at, cell in enumerate(row))


def with_decimal_point(cell: str) -> str:
    """Return `1.5` for `1,5`, and other cells unchanged."""
    return cell.replace(",", ".") if _NUMBER_WITH_COMMA.fullmatch(cell) else cell


def composed(name: str) -> str:
    """Return a name with composed accents (NFC), in which names are compared: macOS writes them decomposed."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


@dataclass(frozen=True, slots=True)
class TextLayout:
    """Where a table begins in its file, and the separator of its cells."""

    separator: str
    n_skipped: int  # lines before the header, or before the first row if there is none


def layout_of(head: str, is_name: Callable[[str], bool], is_image: Callable[[str], bool]) -> TextLayout:
    """Return the layout of a table.

    The first line of files from Excel may define the separator (`sep=;`). Other lines before the header that begin with
    `#` are comments, as instruments write them. The header and names of files can begin with `#`, too.

    Args:
        head: the first lines.
        is_name: returns whether a cell is an accepted name of a column.
        is_image: returns whether a cell is the name of an image file.
    """
    separators, n_skipped = _SEPARATORS, 0
    if head[:4].casefold() == "sep=":
        separators = head[4:5].strip(" \r\n") or separators
        head, n_skipped = head[_line_end(head, 0) :], 1
    starts = _starts_of_comments(head)
    n_comments = _n_comments(head, starts, separators, is_name, is_image)
    first = _First(head[starts[n_comments] :].lstrip("\r\n"), separators, is_name)
    return TextLayout(first.separator, n_skipped + n_comments)


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

    def __init__(self, content: str, separators: str, is_name: Callable[[str], bool]) -> None:
        rows = {mark: _first_row(content, mark) for mark in separators}
        names = {mark: sum(map(is_name, _with_plain_start(row))) for mark, row in rows.items()}
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


def _n_comments(
    content: str,
    starts: Sequence[int],
    separators: str,
    is_name: Callable[[str], bool],
    is_image: Callable[[str], bool],
) -> int:
    """Return the number of lines before the header, or before the first row."""
    if not content.lstrip().startswith("#"):
        return 0
    lines = [_First(content[start : start + _LONGEST], separators, is_name) for start in starts]
    filled = [k for k, line in enumerate(lines) if line.cells]
    last = filled[-1]  # it does not begin with `#`, unless all lines do
    # A header or row has as many cells as the next row.
    candidates = [k for k, after in pairwise(filled) if lines[k].is_like(lines[after])] + [last]
    if any(lines[k].n_names for k in candidates):
        return max(candidates, key=lambda k: (lines[k].n_names, k == last, -k))
    rows = (k for k in candidates if any(map(is_image, lines[k].cells)))
    first_row = next(rows, last)
    before = filled[max(0, filled.index(first_row) - 1)]
    return before if before in candidates else first_row
