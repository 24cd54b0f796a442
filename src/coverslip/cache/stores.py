"""The stores of the cache folder: kinds, size limits, locks, removal, records by key; and a cache in memory.

A store is a folder `KIND/NAME` with a file `used.lock`. A process that uses a store holds a shared lock on this file;
removing a store requires an exclusive lock. The modification time of the file is the time of the last use.

A kind is a folder with one folder per store. Every process can show and clean stores of kinds that it does not know,
and limits them together with all others. The limit of a kind alone is checked when one of its stores grows.
"""

import errno
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from coverslip.errors import CoverslipError
from coverslip.machine import bytes_of
from coverslip.messages import CleanCache, Note, has_entry, note, text

CACHE_ERRORS = (OSError, sqlite3.Error, CoverslipError)  # a full disk or a read-only cache: work without it
_SQLITE_SUFFIXES = ("-journal", "-wal", "-shm")  # files of SQLite beside a database


def open_records(file: Path, schema: str, *, is_synced: bool = True) -> sqlite3.Connection:
    """Return a connection in autocommit mode to a database with the tables of `schema`.

    Args:
        file: the database, in an existing folder. A file that is not a database is replaced by a new one.
        schema: idempotent statements, such as `CREATE TABLE IF NOT EXISTS`.
        is_synced: whether committed data survive a power failure.

    Raises:
        sqlite3.OperationalError: the disk is full, or the file is not writable.
        sqlite3.DatabaseError: the database was made by another program.
    """
    try:
        return _connect(file, schema, is_synced=is_synced)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        remove_database(file)
        return _connect(file, schema, is_synced=is_synced)


def is_damage(error: Exception) -> bool:
    """Return whether an error means that a database is damaged, not full, locked or read-only."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


def remove_database(file: Path) -> None:
    """Remove a database and the files of SQLite beside it."""
    for name in (file.name, *(f"{file.name}{end}" for end in _SQLITE_SUFFIXES)):
        file.with_name(name).unlink(missing_ok=True)


def _connect(file: Path, schema: str, *, is_synced: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        # WAL, with which readers do not wait, is not safe on network file systems, which often hold home folders.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'OFF'}")
        for statement in filter(str.strip, schema.split(";")):
            connection.execute(statement)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of store."""

    name: str  # the name of its folder, and of the command `coverslip cache --kind`
    # Limit of all stores of the kind together; None: only that of the whole cache, or unknown to this process.
    bound_bytes: int | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        """The content of its stores, shown to users."""
        code = f"cache-kind-{self.name}"
        return text(code if has_entry(code) else "cache-kind-unknown")

    @property
    def folder(self) -> Path:
        """The folder of its stores."""
        return cache_folder() / self.name


def cache_folder() -> Path:
    """Return the cache folder: `COVERSLIP_CACHE`, else the cache folder of the platform."""
    folder = os.environ.get("COVERSLIP_CACHE")
    if folder:
        return Path(folder).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("coverslip", appauthor=False))


def unusable_note(error: OSError | sqlite3.Error) -> Note:
    """Return the note for a cache that is not writable: results are the same, and work takes longer."""
    folder, reason = str(cache_folder()), str(error)
    return note("cache-not-usable", level="warning", remedies=(CleanCache(),), folder=folder, reason=reason)


LOCK = "used.lock"
RECORDS, INDEX = "records.sqlite", "index.sqlite"  # the database of a store of records, and of a store of arrays
MADE_BY = "made_by.json"  # the settings of a store of arrays


@dataclass(frozen=True, slots=True)
class Store:
    """One store on disk."""

    kind: Kind
    folder: Path
    n_bytes: int
    last_used: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class StoreContent:
    """The content of a store."""

    n_records: int | None  # None: unknown, because the store is damaged or being written
    each: str  # the format of one record, such as `224 x 224 x 3 uint8`; empty if records differ
    is_damaged: bool


def list_stores() -> list[Store]:
    """Return all stores, most recently used first."""
    stores = []
    # Only folders with a lock file are stores: the cache folder can contain other files.
    for lock in cache_folder().glob(f"*/*/{LOCK}"):
        folder = lock.parent
        with suppress(FileNotFoundError):  # another process has just removed it
            if not folder.name.startswith("."):
                stores.append(Store(Kind(folder.parent.name), folder, size_of(folder), lock.stat().st_mtime))
    return sorted(stores, key=lambda store: (-store.last_used, store.folder))


def store_content(store: Store) -> StoreContent:
    """Return the content of a store."""
    databases = [store.folder / name for name in (RECORDS, INDEX) if (store.folder / name).exists()]
    if not databases:
        lock_files = (LOCK, f"{LOCK}-journal")
        return StoreContent(sum(file.name not in lock_files for file in store.folder.iterdir()), "", is_damaged=False)
    each = ""
    with suppress(OSError, ValueError, KeyError, TypeError):  # only stores of arrays have such a file
        made_by = json.loads((store.folder / MADE_BY).read_text(encoding="utf-8"))
        each = f"{' x '.join(map(str, made_by['shape']))} {made_by['dtype']}"
    try:
        with closing(sqlite3.connect(f"{databases[0].as_uri()}?mode=rw", uri=True, timeout=0.5)) as database:
            (n_records,) = database.execute("SELECT count(*) FROM records").fetchone()
        return StoreContent(int(n_records), each, is_damaged=False)
    except sqlite3.Error as error:
        return StoreContent(None, each, is_damaged=error.sqlite_errorcode != sqlite3.SQLITE_BUSY)


def size_of(folder: Path) -> int:
    """Return the size of the files in a folder in bytes."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a journal that was just closed
            total += file.stat().st_size
    return total


# Size limits, locks, and the removal of stores.

_FOLDER_LOCK = "cache.lock"
_LOCK_WAIT_S = 60.0  # for other users of a store, and other writers

# Threads of one process wait here. At the file lock they would poll with pauses of up to 0.1 s.
_threads = threading.Lock()


@contextmanager
def exclusive_cache() -> Iterator[None]:
    """Prevent other threads and processes from opening or removing stores during the block.

    Raises:
        OSError, sqlite3.Error: the cache folder cannot be created or locked.
    """
    root = cache_folder()
    if not _threads.acquire(timeout=_LOCK_WAIT_S):
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
    return _lock(file, "BEGIN", "SELECT 1 FROM sqlite_master", wait_s=_LOCK_WAIT_S)


def exclusive_lock(file: Path, *, wait_s: float = _LOCK_WAIT_S) -> sqlite3.Connection:
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
    used: Counter[str]  # bytes of the stores of each kind, by its name


_rooms: dict[tuple[Path, int | None], _Room] = {}  # by the folder of the cache and its configured limit


def trim(kind: Kind | None = None) -> None:
    """Remove the least recently used stores until a kind and the whole cache are within their limits.

    Stores in use are not removed.
    """
    _rooms.clear()
    # Stores that cannot be removed must not end a training; `coverslip cache` lists them.
    with suppress(OSError, sqlite3.Error):
        _sweep()
        stores = list_stores()
        if kind is not None and kind.bound_bytes is not None:
            removed = _fit([store for store in stores if store.kind == kind], kind.bound_bytes)
            stores = [store for store in stores if store not in removed]
        limit = limit_bytes(sum(store.n_bytes for store in stores))
        removed = _fit(stores, limit)
        used = Counter[str]()
        for store in stores:
            used[store.kind.name] += 0 if store in removed else store.n_bytes
        room = _Room(time.monotonic() + _SECONDS_VALID, limit - used.total(), used)
        _rooms[cache_folder(), configured_limit()] = room


def _trim_if_full(kind: Kind, n_bytes: int) -> None:
    """Trim the cache unless there is room, after a store of a kind has grown by some bytes.

    Measuring a large cache takes as long as a small training spends on everything else, which opens many stores.
    """
    room = _rooms.get((cache_folder(), configured_limit()))
    if room is not None and time.monotonic() < room.until:
        room.n_bytes -= n_bytes
        room.used[kind.name] += n_bytes
        if room.n_bytes >= 0 and (kind.bound_bytes is None or room.used[kind.name] <= kind.bound_bytes):
            return
    trim(kind)


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
    for renamed in cache_folder().glob(f"*/{_REMOVED}*"):
        shutil.rmtree(renamed, ignore_errors=True)


class Claim:
    """A lock on a store in use, which prevents its removal until it is released or the process ends."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self._kind, self.folder = kind, folder
        self._lock = shared_lock(folder / LOCK)
        self._n_bytes = size_of(folder)
        self._touch()

    def release(self, *, has_grown: bool = True) -> None:
        """Release the store; if it has grown, trim the cache."""
        self._touch()
        n_bytes = size_of(self.folder) if has_grown else 0  # before others may remove the store
        self._lock.close()
        if has_grown:
            _trim_if_full(self._kind, n_bytes - self._n_bytes)

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
        kind: of the store.
        name: the name of the store within its kind. For data about something that can be deleted, such as a dataset,
            it begins with the id of that thing; see `remove_stores_of`.
        will_grow: whether to trim the cache before the store grows.

    Raises:
        CoverslipError: the limit in the environment is not a size.
        OSError, sqlite3.Error: the folder cannot be created or locked.
    """
    configured_limit()  # report an invalid limit before the work, not after it
    with exclusive_cache():
        folder = kind.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        claim = Claim(kind, folder)
        try:
            yield claim
        except BaseException:
            claim.drop()
            raise
    if will_grow:
        _trim_if_full(kind, 0)


# Stores of records of any size by key, such as pictures or JSON, each in one SQLite file.

_SCHEMA = "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"
_KEYS_PER_QUERY = 500
_CHECK_BYTES = 8  # prefix of each value: a hash of the key and the value

OnFailure = Callable[[OSError | sqlite3.Error], None]


class RecordStore:
    """Bytes by key. If the cache is not usable (a full disk, a folder that is not writable), the store is empty.

    A value with a wrong hash counts as missing, so damage on disk cannot change results.

    Several processes can use one store at the same time. An object must be used by one thread at a time.
    """

    def __init__(self, kind: Kind, name: str, *, on_failure: OnFailure | None = None, is_synced: bool = False) -> None:
        """Open a store.

        Args:
            kind, name: of the store.
            on_failure: called at most once, with the error due to which nothing is stored.
            is_synced: whether records survive a power failure, which is slower.

        Raises:
            CoverslipError: the size limit in the environment is not valid.
        """
        self._on_failure = on_failure
        self._claim: Claim | None = None
        self._database: sqlite3.Connection | None = None
        self._has_grown = False
        try:
            with claim_store(kind, name, will_grow=False) as claim:
                self._database = open_records(claim.folder / RECORDS, _SCHEMA, is_synced=is_synced)
            self._claim = claim
        except (OSError, sqlite3.Error) as error:
            self._disable(error)

    def __enter__(self) -> "RecordStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def folder(self) -> Path | None:
        """The folder of the store; None if the cache is not usable."""
        return None if self._claim is None else self._claim.folder

    def close(self) -> None:
        """Close the store; from now on it can be removed to free space."""
        self._disconnect()
        if self._claim is not None:
            claim, self._claim = self._claim, None
            claim.release(has_grown=self._has_grown)

    def find(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the undamaged records of these keys."""
        distinct, values = list(dict.fromkeys(keys)), dict[str, bytes]()
        if self._database is None:
            return values
        try:
            for start in range(0, len(distinct), _KEYS_PER_QUERY):
                batch = distinct[start : start + _KEYS_PER_QUERY]
                placeholders = ",".join("?" * len(batch))
                rows = self._database.execute(f"SELECT key, value FROM records WHERE key IN ({placeholders})", batch)  # noqa: S608 - only placeholders and fixed names are inserted
                values.update((key, value) for key, sealed in rows if (value := _unsealed(key, sealed)) is not None)
        except sqlite3.Error as error:
            self._disable(error)
        return values

    def keep(self, records: Mapping[str, bytes]) -> None:
        """Store all records, or none if an error occurs; existing records of the same keys are replaced."""
        if self._database is None or not records:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            sealed = [(key, _checksum(key, value) + value) for key, value in records.items()]
            self._database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", sealed)
            self._database.execute("COMMIT")
            self._has_grown = True
        except sqlite3.Error as error:
            self._disable(error)

    def _disable(self, error: OSError | sqlite3.Error) -> None:
        self._disconnect()
        if self._claim is not None and is_damage(error):
            with suppress(OSError):  # the next process creates a new file
                remove_database(self._claim.folder / RECORDS)
        if self._on_failure is not None:
            self._on_failure(error)

    def _disconnect(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _checksum(key: str, value: bytes) -> bytes:
    return hashlib.blake2b(key.encode() + b"\0" + value, digest_size=_CHECK_BYTES).digest()


def _unsealed(key: object, sealed: object) -> bytes | None:
    """Return a value without its hash; None if the hash is wrong."""
    if not isinstance(key, str) or not isinstance(sealed, bytes):
        return None
    value = sealed[_CHECK_BYTES:]
    return value if sealed[:_CHECK_BYTES] == _checksum(key, value) else None


# A cache in the memory of this process, for decoded pixels and what is computed from them.

_V = TypeVar("_V")


class MemoryCache(Generic[_V]):
    """Values by key. Thread-safe: the first thread that needs a value computes it, and others wait.

    The least recently used values are removed first. The last one stays, however large it is.

    Args:
        max_bytes: the memory of all values together.
        n_bytes: returns the memory of a value.
    """

    def __init__(self, max_bytes: int, n_bytes: Callable[[_V], int]) -> None:
        self._max_bytes, self._n_bytes, self._lock = max_bytes, n_bytes, threading.Lock()
        self._values: OrderedDict[Hashable, Future[_V]] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], _V]) -> _V:
        """Return the value of a key. An exception is raised in each waiting thread; a later call computes again."""
        with self._lock:
            pending = self._values.get(key)
            future = pending or self._values.setdefault(key, Future())
            self._values.move_to_end(key)
        if pending is None:
            self._fill(key, future, compute)
        return future.result()

    def _fill(self, key: Hashable, future: "Future[_V]", compute: Callable[[], _V]) -> None:
        try:
            future.set_result(compute())
        except BaseException as error:  # noqa: BLE001 - raised by `get`
            with self._lock:
                self._values.pop(key, None)
            future.set_exception(error)
        else:
            self._evict()

    def _evict(self) -> None:
        with self._lock:
            ended = {key: future.result() for key, future in self._values.items() if future.done()}
            n_bytes = sum(map(self._n_bytes, ended.values()))
            last = next(reversed(self._values), None)
            for key, value in ended.items():
                if n_bytes <= self._max_bytes:
                    return
                if key != last:
                    del self._values[key]
                    n_bytes -= self._n_bytes(value)
