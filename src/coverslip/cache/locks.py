"""Locks that the operating system takes back even from a killed process.

They are SQLite's: the same on Linux, macOS and Windows, shared or sole, held by whoever has the connection whatever
its thread, and two uses within one process count as two. filelock offers the same by the same means, but its shared
locks belong to a thread, and a store may be closed by another one than opened it.
"""

import errno
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from coverslip.cache.stores import cache_folder

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
