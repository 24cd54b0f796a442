"""Cells of tables as programs write them: numbers, decimal commas, and accents in names."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from coverslip.errors import BadDataset

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
