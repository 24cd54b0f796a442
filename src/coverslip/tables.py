"""Tables of frozen records by name (metrics, losses, augmentations), and tables for notebooks (pandas, HTML).

Adding a thing is one record; code that lists, checks or shows such things reads the table at that time. Packages
outside coverslip call `add`.
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
        self._kind = kind  # in words, for errors: "metric"
        self._records: dict[str, Record] = {}
        self._followers: list[Callable[[], None]] = []
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Take a record in.

        Raises:
            ValueError: there is one of that name already.
        """
        if record.name in self._records:
            raise ValueError(text("record-twice", kind_of_record=self._kind, name=record.name))
        self._records[record.name] = record
        self._tell()

    def remove(self, name: str) -> None:
        """Take a record out again. Raises KeyError where there is none."""
        del self._records[name]
        self._tell()

    def follow(self, changed: Callable[[], None]) -> None:
        """Call a function whenever records are added or removed, so that it can update what depends on them."""
        self._followers.append(changed)

    def _tell(self) -> None:
        for changed in self._followers:
            changed()

    def find(self, name: str) -> Record:
        """Return the record of that name.

        Raises:
            ValueError: there is none; the error gives the nearest name and all names.
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
    """Return the error for a name that is not among `names`, with the nearest of them and all names."""
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


def imported(path: str) -> Any:  # Any: whatever is found there
    """Return what `module:name` stands for, its module imported now."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def data_frame(columns: Mapping[str, Sequence[object]], index: Sequence[object] | None = None) -> "DataFrame":
    """Return a pandas table of these columns, with numbered rows if no index is given.

    Raises:
        ExtraNotInstalled: pandas is not installed; nothing else needs it.
    """
    require_extra("pandas", "A data frame")
    from pandas import DataFrame

    return DataFrame(dict(columns), index=index)


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], below: str = "") -> str:
    """Return what a notebook shows: a line, a table, and perhaps a line below; names of the user's are no HTML."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    end = f"<p>{escape(below)}</p>" if below else ""
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{end}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))
