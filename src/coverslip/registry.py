"""Registries of immutable records by name: metrics, losses, augmentations, findings, report sections.

A new metric, loss or augmentation is one record. Code that lists, checks or shows them reads the registry at run time.
Other packages call `add`.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Protocol, TypeVar

from coverslip.messages import text


class Named(Protocol):
    """A record with a name."""

    @property
    def name(self) -> str: ...


Record = TypeVar("Record", bound=Named)


class Registry(Mapping[str, Record]):
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
