"""Tables: immutable records by name, tables for notebooks, and cells as text.

A new metric, loss or augmentation is one record. Code that lists, checks or shows them reads the table at run time.
Other packages call `add`.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from coverslip.errors import BadDataset, require_extra
from coverslip.messages import text

if TYPE_CHECKING:
    from pandas import DataFrame

# Cells of tables as programs write them: numbers, decimal commas, and accents in names.

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


# Tables of immutable records by name (metrics, losses, augmentations), and tables for notebooks (pandas, HTML).


class Named(Protocol):
    """A record with a name."""

    @property
    def name(self) -> str: ...


Record = TypeVar("Record", bound=Named)


class Table(Mapping[str, Record]):
    """Records by name, in the order in which they were added."""

    def __init__(self, kind: str, records: Iterable[Record] = ()) -> None:
        self._kind = kind  # for errors: "metric"
        self._records: dict[str, Record] = {}
        self._followers: list[Callable[[], None]] = []
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Add a record.

        Raises:
            ValueError: there is a record of this name.
        """
        if record.name in self._records:
            raise ValueError(text("record-twice", kind_of_record=self._kind, name=record.name))
        self._records[record.name] = record
        self._notify()

    def remove(self, name: str) -> None:
        """Remove a record. Raise KeyError if there is none of this name."""
        del self._records[name]
        self._notify()

    def follow(self, changed: Callable[[], None]) -> None:
        """Call a function whenever records are added or removed, to update dependent objects."""
        self._followers.append(changed)

    def _notify(self) -> None:
        for changed in self._followers:
            changed()

    def find(self, name: str) -> Record:
        """Return the record of a name.

        Raises:
            ValueError: there is none; the error lists the nearest name and all names.
        """
        if name not in self._records:
            raise no_such(self._kind, name, self._records)
        return self._records[name]

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


def no_such(kind: str, name: str, names: Iterable[str]) -> ValueError:
    """Return the error for an unknown name, with the nearest name and all names."""
    names = list(names)
    nearest = next(iter(difflib.get_close_matches(name, names, n=1)), "")
    return ValueError(
        text(
            "no-such-record",
            kind_of_record=kind,
            has_nearest=bool(nearest),
            nearest=nearest,
            names=", ".join(names),
        )
    )


def imported(path: str) -> Any:  # Any: the imported object
    """Import and return `module:name`."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def data_frame(columns: Mapping[str, Sequence[object]], index: Sequence[object] | None = None) -> "DataFrame":
    """Return a pandas data frame of these columns; without an index, rows are numbered.

    Raises:
        ExtraNotInstalled: pandas is not installed; only data frames need it.
    """
    require_extra("pandas", text("extra-for-pandas"))
    from pandas import DataFrame

    return DataFrame(dict(columns), index=index)


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], below: str = "") -> str:
    """Return an HTML table for notebooks with a title and an optional line below; texts are escaped."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    end = f"<p>{escape(below)}</p>" if below else ""
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{end}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))
