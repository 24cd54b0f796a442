"""Tables of immutable records by name (metrics, losses, augmentations), and tables for notebooks (pandas, HTML).

A new metric, loss or augmentation is one record. Code that lists, checks or shows them reads the table at run time.
Other packages call `add`.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from coverslip.errors import require_extra
from coverslip.messages import text

if TYPE_CHECKING:
    from pandas import DataFrame


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
