"""The stores that lie in the cache folder, and what they hold.

A store is a folder `KIND/NAME` that holds a file `used.lock`. Whoever uses a store has a shared lock on that file;
whoever removes one needs it alone. The file's time says when the store was last used.
"""

import json
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coverslip.cache.databases import count_rows
from coverslip.cache.kinds import Kind, known_kinds

LOCK = "used.lock"
MADE_BY = "made_by.json"  # what shapes the records of a store, if they are arrays


@dataclass(frozen=True, slots=True)
class Store:
    """One store as it lies on disk."""

    kind: Kind
    folder: Path
    n_bytes: int
    last_used: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Content:
    """What a store says about itself."""

    n_records: int | None  # None: it cannot be told, being damaged or written to
    each: str  # what one record is, such as `224 x 224 x 3 uint8`; empty where they differ
    is_damaged: bool


def list_stores() -> list[Store]:
    """All stores, most recently used first."""
    stores = []
    for kind in known_kinds():
        # Only what has a lock is ours: the folder may have been chosen badly, and hold other things.
        for lock in kind.folder.glob(f"*/{LOCK}"):
            with suppress(FileNotFoundError):  # another process has just removed it
                if not lock.parent.name.startswith("."):
                    stores.append(Store(kind, lock.parent, _size(lock.parent), lock.stat().st_mtime))
    return sorted(stores, key=lambda store: (-store.last_used, store.folder))


def look_into(store: Store) -> Content:
    """What a store holds, or that it is damaged."""
    layout = store.kind.layout
    if not layout.table:
        own = (LOCK, f"{LOCK}-journal")
        return Content(sum(file.name not in own for file in store.folder.iterdir()), "", is_damaged=False)
    each = ""
    with suppress(OSError, ValueError, KeyError, TypeError):  # only stores of arrays have such a file
        made_by = json.loads((store.folder / MADE_BY).read_text(encoding="utf-8"))
        each = f"{' x '.join(map(str, made_by['shape']))} {made_by['dtype']}"
    try:
        return Content(count_rows(store.folder / layout.database, layout.table), each, is_damaged=False)
    except sqlite3.Error as error:
        return Content(None, each, is_damaged=error.sqlite_errorcode != sqlite3.SQLITE_BUSY)


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a journal that has just been closed
            total += file.stat().st_size
    return total
