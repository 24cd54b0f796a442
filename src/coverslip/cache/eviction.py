"""Size limits of the cache, locks, and the removal of stores."""

import errno
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coverslip.cache.stores import LOCK, Kind, Store, cache_folder, describe, list_kinds, list_stores, size_of
from coverslip.errors import CoverslipError
from coverslip.machine import bytes_of

_FOLDER_LOCK = "cache.lock"
_WAIT_S = 60.0

# Threads of one process wait here. At the file lock they would poll with pauses of up to 0.1 s.
_threads = threading.Lock()


@contextmanager
def exclusive_cache() -> Iterator[None]:
    """Prevent other threads and processes from opening or removing stores during the block.

    Raises:
        OSError, sqlite3.Error: the cache folder cannot be created or locked.
    """
    root = cache_folder()
    if not _threads.acquire(timeout=_WAIT_S):
        raise sqlite3.OperationalError("another thread holds the lock of the cache")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with closing(exclusive_lock(root / _FOLDER_LOCK)):
            yield
    finally:
        _threads.release()


def shared_lock(file: Path) -> sqlite3.Connection:
    """Return a shared lock; closing the connection releases it.

    Raises:
        OSError: the file system does not support locks.
        sqlite3.Error: the file is exclusively locked for a minute, or cannot be created.
    """
    return _lock(file, "BEGIN", "SELECT 1 FROM sqlite_master", wait_s=_WAIT_S)


def exclusive_lock(file: Path, *, wait_s: float = _WAIT_S) -> sqlite3.Connection:
    """Return an exclusive lock; closing the connection releases it.

    Raises:
        OSError: the file system does not support locks.
        sqlite3.OperationalError: the file is locked for the whole time.
        sqlite3.Error: the file cannot be created.
    """
    return _lock(file, "BEGIN EXCLUSIVE", wait_s=wait_s)


def _lock(file: Path, *statements: str, wait_s: float) -> sqlite3.Connection:
    try:
        return _lock_with_sqlite(file, *statements, wait_s=wait_s)
    except sqlite3.Error as error:
        if _is_busy(error) and not _has_locks(file):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(file)) from error
        raise


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # higher bits are the extended code


def _has_locks(file: Path) -> bool:
    """Return whether files beside this one can be locked. SQLite reports unsupported locks as busy too."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        _lock_with_sqlite(new, "BEGIN EXCLUSIVE", wait_s=0).close()
    except sqlite3.Error as error:
        return not _is_busy(error)  # no other process uses the new file
    finally:
        new.unlink(missing_ok=True)
    return True


def _lock_with_sqlite(file: Path, *statements: str, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        # By default SQLite creates a journal beside a locked file, which a killed process leaves behind.
        for statement in ("PRAGMA journal_mode=MEMORY", *statements):
            connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        file.unlink()  # a damaged lock file cannot be locked by any process
        return _lock_with_sqlite(file, *statements, wait_s=wait_s)
    return connection


LIMIT_VARIABLE = "COVERSLIP_CACHE_LIMIT"

# 20 GB hold 130,000 color images of 224 x 224 pixels. On a small or full disk the limit is a quarter of the space that
# would be free without the cache, so that the cache never fills the disk.
_DEFAULT_LIMIT = 20 * 10**9
_DISK_DIVISOR = 4


def limit_bytes(held: int) -> int:
    """Return the size limit of the cache in bytes.

    Args:
        held: the current size in bytes.

    Raises:
        CoverslipError: the limit in the environment is not a size.
    """
    limit = configured_limit()
    if limit is not None:
        return limit
    folder = cache_folder()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return min(_DEFAULT_LIMIT, (shutil.disk_usage(existing).free + held) // _DISK_DIVISOR)


def configured_limit() -> int | None:
    """Return the limit of `COVERSLIP_CACHE_LIMIT` in bytes; None if it is not set.

    Raises:
        CoverslipError: the value is not a size.
    """
    value = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not value:
        return None
    limit = bytes_of(value)
    if limit is None:
        raise CoverslipError("cache-limit-no-size", variable=LIMIT_VARIABLE, value=value)
    return limit


_REMOVED = ".removed-"


_SECONDS_VALID = 10.0  # of what was measured: other processes write to the cache too


@dataclass(slots=True)
class _Room:
    """The room that was left in the cache when it was last measured, less what this process has written since."""

    until: float
    n_bytes: int
    n_bytes_of: dict[Path, int]  # by the folder of a kind with a limit of its own


_rooms: dict[tuple[Path, int | None], _Room] = {}  # by the folder of the cache and its configured limit


def trim() -> None:
    """Remove the least recently used stores until each kind and the whole cache are within their limits.

    Stores in use are not removed.
    """
    _rooms.clear()
    # Stores that cannot be removed must not end a training; `coverslip cache` lists them.
    with suppress(OSError, sqlite3.Error):
        _sweep()
        stores = list_stores()
        room_of = {}
        for kind in list_kinds():
            if kind.bound_bytes is not None:
                of_kind = [store for store in stores if store.kind == kind]
                removed = {store.folder for store in _fit(of_kind, kind.bound_bytes)}
                stores = [store for store in stores if store.folder not in removed]
                n_bytes = sum(store.n_bytes for store in of_kind if store.folder not in removed)
                room_of[kind.folder] = kind.bound_bytes - n_bytes
        n_bytes = sum(store.n_bytes for store in stores)
        limit = limit_bytes(n_bytes)
        room = limit - n_bytes + sum(store.n_bytes for store in _fit(stores, limit))
        _rooms[cache_folder(), configured_limit()] = _Room(time.monotonic() + _SECONDS_VALID, room, room_of)


def _trim_if_full(folder: Path, n_bytes: int) -> None:
    """Trim the cache unless there is room, after a store in the folder of a kind has grown by some bytes.

    Measuring a large cache takes as long as a small training spends on everything else, which opens many stores.
    """
    room = _rooms.get((cache_folder(), configured_limit()))
    if room is not None and time.monotonic() < room.until:
        room.n_bytes -= n_bytes
        if folder in room.n_bytes_of:
            room.n_bytes_of[folder] -= n_bytes
        if min(room.n_bytes, room.n_bytes_of.get(folder, room.n_bytes)) >= 0:
            return
    trim()


def clean(stores: Iterable[Store]) -> list[Store]:
    """Remove the stores that are not in use, and return them.

    Raises:
        CoverslipError: the cache folder is not writable.
    """
    try:
        _sweep()
        return [store for store in stores if _remove(store)]
    except (OSError, sqlite3.Error) as error:
        raise CoverslipError("cache-not-cleaned", file=cache_folder(), reason=str(error)) from error


def remove_stores_of(owner: str) -> None:
    """Remove the stores of all kinds whose name is `owner` or begins with `owner-`.

    Stores that are in use or cannot be removed stay until `trim` removes them.
    """
    with suppress(OSError, sqlite3.Error):
        for store in list_stores():
            if store.folder.name == owner or store.folder.name.startswith(f"{owner}-"):
                _remove(store)


def is_in_use(store: Store) -> bool:
    """Return whether a process has the store open."""
    try:
        exclusive_lock(store.folder / LOCK, wait_s=0).close()
    except (OSError, sqlite3.OperationalError):  # locked, or unknown: do not remove it
        return True
    return False


def _fit(stores: Sequence[Store], limit: int) -> list[Store]:
    """Remove stores, in reverse order of `list_stores`, until the rest is within the limit; return the removed ones."""
    total, removed = sum(store.n_bytes for store in stores), []
    for store in reversed(stores):
        if total <= limit:
            break
        if _remove(store) or not store.folder.exists():  # or removed by another process
            total -= store.n_bytes
            removed.append(store)
    return removed


def _remove(store: Store) -> bool:
    """Remove a store if it exists and is not in use; return whether it was removed."""
    with exclusive_cache():
        if not (store.folder / LOCK).exists() or is_in_use(store):
            return False
        renamed = store.folder.with_name(f"{_REMOVED}{secrets.token_hex(8)}")
        store.folder.rename(renamed)
    shutil.rmtree(renamed, ignore_errors=True)  # the next `_sweep` removes the rest
    return True


def _sweep() -> None:
    """Remove the rest of stores that killed processes were removing."""
    for kind in list_kinds():
        for renamed in kind.folder.glob(f"{_REMOVED}*"):
            shutil.rmtree(renamed, ignore_errors=True)


class Claim:
    """A lock on a store in use, which prevents its removal until it is released or the process ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = shared_lock(folder / LOCK)
        self._n_bytes = size_of(folder)
        self._touch()

    def release(self, *, has_grown: bool = True) -> None:
        """Release the store; if it has grown, trim the cache."""
        self._touch()
        n_bytes = size_of(self.folder) if has_grown else 0  # before others may remove the store
        self._lock.close()
        if has_grown:
            _trim_if_full(self.folder.parent, n_bytes - self._n_bytes)

    def drop(self) -> None:
        """Release the store without updating the time of its last use."""
        self._lock.close()

    def _touch(self) -> None:
        with suppress(OSError):  # if the disk does not store times, the last use stays unknown
            os.utime(self.folder / LOCK)


@contextmanager
def claim_store(kind: Kind, name: str, *, will_grow: bool = True) -> Iterator[Claim]:
    """Claim a store, and create its folder if it does not exist. The claim stays valid after the block if it succeeds.

    During the block no other process opens or removes a store, so that files can be created and repaired safely.

    Args:
        kind: a registered kind.
        name: the name of the store within its kind. For data about something that can be deleted, such as a dataset,
            it begins with the id of that thing; see `remove_stores_of`.
        will_grow: whether to trim the cache before the store grows.

    Raises:
        CoverslipError: the limit in the environment is not a size.
        OSError, sqlite3.Error: the folder cannot be created or locked.
    """
    configured_limit()  # report an invalid limit before the work, not after it
    with exclusive_cache():
        try:
            describe(kind)
        except CoverslipError as error:
            raise error.__cause__ if isinstance(error.__cause__, OSError) else error from error
        folder = kind.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        claim = Claim(folder)
        try:
            yield claim
        except BaseException:
            claim.drop()
            raise
    if will_grow:
        _trim_if_full(kind.folder, 0)
