"""Text files of objects without names of columns: their lines, and the words in these."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from coverslip.datasets.tables.reading import encoding_of, layout_of, open_text
from coverslip.text_tables import number_of, with_decimal_point


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
