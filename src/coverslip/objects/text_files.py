"""Text files of objects, read line by line: lines, and rows of tables."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.datasets import has_image_suffix, is_table_name
from coverslip.errors import BadDataset
from coverslip.files import LONGEST_LINE
from coverslip.images import open_image
from coverslip.text_tables import (
    TextLayout,
    decimal_comma_columns,
    layout_of,
    number_of,
    with_decimal_point,
    with_decimal_points,
    without_hash,
)

_HEAD = 2**16  # characters


def text_lines(file: Path, most: int | None = None) -> list[str]:
    """Return the lines of a text file, or the first of them.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    lines = []
    with _opened(file) as stream:
        for line in stream:
            lines.append(line)
            if len(lines) == most:
                break
    return lines


def _opened(file: Path) -> io.TextIOWrapper:
    try:
        stream = open_image(file)
        head = stream.read(4096)
        stream.seek(0)
    except OSError as error:
        raise BadDataset("object-file-not-read", file=file, reason=error.strerror or str(error)) from error
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return io.TextIOWrapper(stream, "utf-16", errors="replace", newline="")
    if b"\0" in head:
        raise BadDataset("object-file-not-text", file=file)
    try:
        head.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError as error:
        encoding = "utf-8-sig" if error.start > len(head) - 4 else "cp1252"
    return io.TextIOWrapper(stream, encoding, errors="replace", newline="")


@dataclass(frozen=True, slots=True)
class TextTable:
    """A CSV or TSV file, whose rows are read line by line."""

    file: Path
    layout: TextLayout

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the last line and the cells of each row, the header first.

        Raises:
            BadDataset: the file cannot be read, or a row cannot be parsed.
        """
        is_header = True
        with _opened(self.file) as stream:
            for _ in range(self.layout.n_skipped):
                stream.readline(LONGEST_LINE)
            reader = csv.reader(stream, delimiter=self.layout.separator, skipinitialspace=True)
            try:
                for cells in reader:
                    if any(cells):
                        if is_header and is_table_name(without_hash(cells[0])):
                            cells[0] = without_hash(cells[0])
                        is_header = False
                        yield reader.line_num + self.layout.n_skipped, [cell.strip() for cell in cells]
            except csv.Error as error:
                line = reader.line_num + self.layout.n_skipped
                raise BadDataset("object-file-not-read", file=self.file, reason=f"{line}: {error}") from error

    def rows_with_points(self, numbers: Mapping[int, str]) -> Iterator[tuple[int, list[str]]]:
        """Yield as `rows`, with `1.5` for `1,5` in columns of numbers. The file is read twice for this.

        Args:
            numbers: the names of these columns by their positions.

        Raises:
            BadDataset: as `rows`, or the commas of a column have an unknown meaning.
        """
        cells_of_rows = (cells for _, cells in self.rows())
        with_commas = decimal_comma_columns(cells_of_rows, numbers, self.layout.separator, self.file)
        if not with_commas:
            return self.rows()
        return ((line, list(with_decimal_points(cells, with_commas))) for line, cells in self.rows())


def open_text_table(file: Path) -> TextTable:
    """Return a CSV or TSV file, of which only the beginning is read.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    with _opened(file) as stream:
        return TextTable(file, layout_of(stream.read(_HEAD), is_table_name, has_image_suffix))


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
    layout = layout_of("".join(lines[:_N_HEAD_LINES]), is_table_name, has_image_suffix)
    plain = ["" if k < layout.n_skipped else line.strip() for k, line in enumerate(lines)]
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
