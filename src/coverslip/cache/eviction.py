"""Eviction: the limits of the cache, and the one place where stores are removed."""

import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress

from coverslip.cache.locks import cache_alone, sole_lock
from coverslip.cache.stores import LOCK, Store, cache_folder, known_kinds, list_stores
from coverslip.errors import CoverslipError

LIMIT_VARIABLE = "COVERSLIP_CACHE_LIMIT"

# 20 GB hold 130,000 color images of 224 x 224 pixels. On a small or full disk a quarter of what would be free without
# the cache, so that it is never the cache that fills the disk.
_DEFAULT_LIMIT = 20 * 10**9
_SHARE_OF_DISK = 4
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def limit_bytes(held: int) -> int:
    """Return how large the cache may grow.

    Args:
        held: bytes that it holds now.

    Raises:
        CoverslipError: the limit that the environment gives is not a size.
    """
    limit = chosen_limit()
    if limit is not None:
        return limit
    folder = cache_folder()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return min(_DEFAULT_LIMIT, (shutil.disk_usage(existing).free + held) // _SHARE_OF_DISK)


def chosen_limit() -> int | None:
    """Return bytes that `COVERSLIP_CACHE_LIMIT` allows; None where it is not set.

    Raises:
        CoverslipError: it is not a size.
    """
    value = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not value:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", value, re.IGNORECASE | re.ASCII)
    if not match:
        raise CoverslipError("cache-limit-no-size", variable=LIMIT_VARIABLE, value=value)
    unit = match[2].upper()
    return int(float(match[1]) * _UNITS[unit if unit in _UNITS else f"{unit}B"])


_REMOVED = ".removed-"


def trim() -> None:
    """Remove the stores used least recently until each kind fits into its own bound, and all of them into the limit.

    Those in use stay.
    """
    # What cannot be removed stays, and `coverslip cache` shows it: no reason to end a training.
    with suppress(OSError, sqlite3.Error):
        _sweep()
        stores = list_stores()
        for kind in {store.kind for store in stores}:
            if kind.bound_bytes is not None:
                gone = _fit([store for store in stores if store.kind == kind], kind.bound_bytes)
                stores = [store for store in stores if store not in gone]
        _fit(stores, limit_bytes(sum(store.n_bytes for store in stores)))


def clean(stores: Iterable[Store]) -> list[Store]:
    """Remove the stores that nobody uses; gives those that are gone.

    Raises:
        CoverslipError: the cache folder cannot be written to.
    """
    try:
        _sweep()
        return [store for store in stores if _remove(store)]
    except (OSError, sqlite3.Error) as error:
        raise CoverslipError("cache-not-cleaned", file=cache_folder(), reason=str(error)) from error


def forget(owner: str) -> None:
    """Remove what is kept about one thing: stores of every kind whose name is `owner` or begins with `owner-`.

    What is in use or cannot be removed stays, until it is what was used least recently.
    """
    with suppress(OSError, sqlite3.Error):
        for store in list_stores():
            if store.folder.name == owner or store.folder.name.startswith(f"{owner}-"):
                _remove(store)


def is_in_use(store: Store) -> bool:
    """Return whether a living process has it open."""
    try:
        sole_lock(store.folder / LOCK, wait_s=0).close()
    except (OSError, sqlite3.OperationalError):  # locked; if unknown, it must stay
        return True
    return False


def _fit(stores: Sequence[Store], limit: int) -> list[Store]:
    """Return those that had to go for the rest to fit, of stores in the order of `list_stores`."""
    total, gone = sum(store.n_bytes for store in stores), []
    for store in reversed(stores):
        if total <= limit:
            break
        if _remove(store) or not store.folder.exists():  # or another process was quicker
            total -= store.n_bytes
            gone.append(store)
    return gone


def _remove(store: Store) -> bool:
    """Return whether it could be removed: it is there, and nobody uses it."""
    with cache_alone():
        if not (store.folder / LOCK).exists() or is_in_use(store):
            return False
        renamed = store.folder.with_name(f"{_REMOVED}{secrets.token_hex(8)}")
        store.folder.rename(renamed)
    shutil.rmtree(renamed, ignore_errors=True)  # what is left of it, the next `_sweep` takes
    return True


def _sweep() -> None:
    """Take away what killed processes were removing."""
    for kind in known_kinds():
        for renamed in kind.folder.glob(f"{_REMOVED}*"):
            shutil.rmtree(renamed, ignore_errors=True)
