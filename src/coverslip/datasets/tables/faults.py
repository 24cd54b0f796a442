"""Errors about invalid cells and rows of tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from coverslip.datasets.names import one_line
from coverslip.errors import BadDataset
from coverslip.messages import text
from coverslip.text_tables import number_of

_MOST_LISTED = 5
_TOO_LARGE = 2**31  # pixels, more than any image has


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
