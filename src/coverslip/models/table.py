"""All networks that have a name here: the zoo's, and those that other installed packages add.

A package adds networks through an entry point of the group `coverslip.models` that names a `ModelRecord`, or a tuple of
them. The module that it stands in must not import torch: listing networks loads it.
"""

import difflib
import functools
from importlib.metadata import EntryPoint, entry_points

from coverslip.errors import CoverslipError, UnknownModel
from coverslip.messages import ShowModels
from coverslip.models import zoo
from coverslip.models.records import ModelRecord

ENTRY_POINTS = "coverslip.models"


def register(record: ModelRecord) -> None:
    """Add a network for this process.

    Raises:
        ValueError: the name is taken.
    """
    _add(_table(), record)


def registered(name: str) -> ModelRecord:
    """Return the record of a network with a name here.

    Raises:
        UnknownModel: there is none of that name; the nearest is named.
    """
    table = _table()
    if name in table:
        return table[name]
    nearest = next(iter(difflib.get_close_matches(name, table, n=1, cutoff=0.4)), "")
    remedies = (ShowModels(),)
    raise UnknownModel("no-such-model", remedies=remedies, name=name, nearest=nearest, has_nearest=bool(nearest))


def is_registered(name: str) -> bool:
    """Return whether a network has this name here."""
    return name in _table()


def registered_models() -> tuple[ModelRecord, ...]:
    """Return all records, the zoo's first.

    Raises:
        CoverslipError: what another package adds cannot be read.
    """
    return tuple(_table().values())


@functools.cache
def _table() -> dict[str, ModelRecord]:
    table: dict[str, ModelRecord] = {}
    for record in zoo.networks():
        _add(table, record)
    for entry in entry_points(group=ENTRY_POINTS):
        _add_all_of(table, entry)
    return table


def _add(table: dict[str, ModelRecord], record: ModelRecord) -> None:
    if record.name in table:
        raise ValueError(f"there are two models named '{record.name}'")
    table[record.name] = record


def _add_all_of(table: dict[str, ModelRecord], entry: EntryPoint) -> None:
    try:
        added = entry.load()
        for record in (added,) if isinstance(added, ModelRecord) else added:
            _add(table, record)
    except Exception as error:  # another package's code
        package = entry.dist.name if entry.dist else entry.value
        reason = f"{type(error).__name__}: {error}"
        raise CoverslipError("models-of-package-unreadable", package=package, reason=reason) from error
