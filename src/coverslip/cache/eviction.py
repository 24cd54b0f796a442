"""Eviction: the limits of the cache, and the one place where stores are removed."""

import errno
import os
import re
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from coverslip.cache.stores import LOCK, Kind, Store, cache_folder, describe, known_kinds, list_stores
from coverslip.errors import CoverslipError

_FOLDER_LOCK = "cache.lock"
_WAIT_S = 60.0

# Threads of one process queue here. At the file they would ask again after pauses of up to a tenth of a second.
_threads = threading.Lock()


@contextmanager
def cache_alone() -> Iterator[None]:
    """While the block runs nobody else opens or removes a store.

    Raises:
        OSError, sqlite3.Error: the cache folder cannot be made or locked.
    """
    root = cache_folder()
    if not _threads.acquire(timeout=_WAIT_S):
        raise sqlite3.OperationalError("another thread has the cache to itself")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with closing(sole_lock(root / _FOLDER_LOCK)):
            yield
    finally:
        _threads.release()


def shared_lock(file: Path) -> sqlite3.Connection:
    """Return a lock that many may have at once; closing it gives it back.

    Raises:
        OSError: the file system has no locks.
        sqlite3.Error: somebody has the sole lock for a minute, or the file cannot be made.
    """
    return _locked(file, "BEGIN", "SELECT 1 FROM sqlite_master", wait_s=_WAIT_S)


def sole_lock(file: Path, *, wait_s: float = _WAIT_S) -> sqlite3.Connection:
    """Return a lock that one alone may have; closing it gives it back.

    Raises:
        OSError: the file system has no locks.
        sqlite3.OperationalError: somebody else has it all the time.
        sqlite3.Error: the file cannot be made.
    """
    return _locked(file, "BEGIN EXCLUSIVE", wait_s=wait_s)


def _locked(file: Path, *statements: str, wait_s: float) -> sqlite3.Connection:
    try:
        return _locked_by_sqlite(file, *statements, wait_s=wait_s)
    except sqlite3.Error as error:
        if _is_busy(error) and not _has_locks(file):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(file)) from error
        raise


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # its higher bits are details


def _has_locks(file: Path) -> bool:
    """Return whether files beside this one can be locked: SQLite calls a lock that the system cannot give busy, too."""
    new = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        _locked_by_sqlite(new, "BEGIN EXCLUSIVE", wait_s=0).close()
    except sqlite3.Error as error:
        return not _is_busy(error)  # of a file that nobody else knows
    finally:
        new.unlink(missing_ok=True)
    return True


def _locked_by_sqlite(file: Path, *statements: str, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        # By default a journal lies beside an empty file while it is locked, and a killed process leaves it there.
        for statement in ("PRAGMA journal_mode=MEMORY", *statements):
            connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        file.unlink()  # the lock file itself is damaged: nobody can have locked it
        return _locked_by_sqlite(file, *statements, wait_s=wait_s)
    return connection


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


class Claim:
    """A store in use: it stays for as long as the claim is held, or the process lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = shared_lock(folder / LOCK)
        self._is_used_now()

    def release(self, *, has_grown: bool = True) -> None:
        """Let it go, and, where it has grown, remove what is now too much."""
        self._is_used_now()
        self._lock.close()
        if has_grown:
            trim()

    def drop(self) -> None:
        """Let it go as if it had never been used."""
        self._lock.close()

    def _is_used_now(self) -> None:
        with suppress(OSError):  # on a disk that takes no times the oldest claim decides
            os.utime(self.folder / LOCK)


@contextmanager
def claimed(kind: Kind, name: str, *, will_grow: bool = True) -> Iterator[Claim]:
    """A claim on a store, whose folder is made if need be; it outlives the block, unless the block fails.

    While the block runs no other process opens or removes a store: files can be made and mended in peace.

    Args:
        kind: a registered one.
        name: of the store among those of its kind. What is kept about one thing that can be forgotten, such as a
            dataset, begins with its id; see `forget`.
        will_grow: whether to make room first.

    Raises:
        CoverslipError: the limit that the environment gives is not a size.
        OSError, sqlite3.Error: the folder cannot be made or locked.
    """
    chosen_limit()  # a wrong one is said before hours of work, not after
    with cache_alone():
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
        trim()
