"""The table of all registered networks: those of `zoo.toml`, and those that other installed packages add.

Nothing here imports torch. The counts in `zoo.toml` were computed with `coverslip.models.complexity` from the built
networks, and a test computes them again.

A package adds networks through an entry point of the group `coverslip.models` that names a `ModelRecord`, or a tuple of
records. The module of the entry point must not import torch, because listing networks loads it.
"""

import difflib
import functools
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError, UnknownModel
from coverslip.keys import Option
from coverslip.messages import ShowModels
from coverslip.models.records import BACKBONE, HALVES, IMAGENET, UNCHANGED, ModelRecord

ENTRY_POINTS = "coverslip.models"
_NORMALIZATIONS = {"imagenet": IMAGENET, "halves": HALVES, "unchanged": UNCHANGED}


def register(record: ModelRecord) -> None:
    """Add a network for this process.

    Raises:
        ValueError: the name is already registered.
    """
    _add(_table(), record)


def registered(name: str) -> ModelRecord:
    """Return the record of a registered network.

    Raises:
        UnknownModel: no network has this name. The error gives the nearest name.
    """
    table = _table()
    if name in table:
        return table[name]
    nearest = next(iter(difflib.get_close_matches(name, table, n=1, cutoff=0.4)), "")
    remedies = (ShowModels(),)
    raise UnknownModel("no-such-model", remedies=remedies, name=name, nearest=nearest, has_nearest=bool(nearest))


def is_registered(name: str) -> bool:
    """Return whether a network is registered under this name."""
    return name in _table()


def registered_models() -> tuple[ModelRecord, ...]:
    """Return all records, those of the zoo first.

    Raises:
        CoverslipError: the networks of another package cannot be loaded.
    """
    return tuple(_table().values())


@functools.cache
def _table() -> dict[str, ModelRecord]:
    table: dict[str, ModelRecord] = {}
    for record in _read_zoo():
        _add(table, record)
    for entry in entry_points(group=ENTRY_POINTS):
        _add_entry_point(table, entry)
    return table


def _read_zoo() -> Iterator[ModelRecord]:
    """Yield the records of `zoo.toml`."""
    families = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for family, shared in families.items():
        for name, network in shared.pop("networks").items():
            yield _record(name, family, shared | network)


def _record(name: str, family: str, values: dict[str, Any]) -> ModelRecord:  # Any: TOML
    """Return the record with these values of `zoo.toml`."""
    library, _, library_name = values["builder"].partition(":")
    license = values.get("license")
    defaults: dict[str, Any] = {
        "input_px": 224,
        "license": license,
        "weights": f"{library} {library_name}" if license else None,
    }
    boundaries = (boundary.partition("=") for boundary in values["freeze_boundaries"])
    converted: dict[str, Any] = {
        "normalization": _NORMALIZATIONS[values.get("normalization", "imagenet")],
        "freeze_boundaries": {each: module or each for each, _, module in boundaries} | {BACKBONE: ""},
        "options": tuple(Option(**_with_tuples(option)) for option in values.get("options", ())),
    }
    return ModelRecord(name=name, family=family, **defaults | _with_tuples(values) | converted)


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:  # Any: TOML
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _add(table: dict[str, ModelRecord], record: ModelRecord) -> None:
    if record.name in table:
        raise ValueError(f"there are two models named '{record.name}'")
    table[record.name] = record


def _add_entry_point(table: dict[str, ModelRecord], entry: EntryPoint) -> None:
    try:
        loaded = entry.load()
        for record in (loaded,) if isinstance(loaded, ModelRecord) else loaded:
            _add(table, record)
    except Exception as error:  # code of another package
        package = entry.dist.name if entry.dist else entry.value
        reason = f"{type(error).__name__}: {error}"
        raise CoverslipError("models-of-package-unreadable", package=package, reason=reason) from error
