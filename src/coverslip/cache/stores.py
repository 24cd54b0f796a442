"""The stores of the cache folder: their kinds, databases and contents.

A store is a folder `KIND/NAME` with a file `used.lock`. A process that uses a store holds a shared lock on this file;
removing a store requires an exclusive lock. The modification time of the file is the time of the last use.

A kind is a folder with one folder per store. Its file `kind.json` describes the kind, so that every process can show,
limit and clean stores of kinds that it has not registered.
"""

import json
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from coverslip.files import write_json
from coverslip.messages import CleanCache, Note, has_entry, note, text

Journal = Literal["DELETE", "WAL"]
_SYNCED: dict[Journal, str] = {"DELETE": "FULL", "WAL": "NORMAL"}
_SQLITE_SUFFIXES = ("-journal", "-wal", "-shm")  # files of SQLite beside a database


def open_database(
    file: Path, schema: str, *, journal: Journal = "DELETE", is_synced: bool = True, wait_s: float = 60
) -> sqlite3.Connection:
    """Return a connection in autocommit mode to a database with the tables of `schema`.

    Args:
        file: the database, in an existing folder. A file that is not a database is replaced by a new one.
        schema: idempotent statements, such as `CREATE TABLE IF NOT EXISTS`.
        journal: `WAL` allows reading while another process writes. It is not safe on network file systems, which often
            hold home folders, so databases in the cache folder do not use it.
        is_synced: whether committed data survive a power failure.
        wait_s: how long to wait for other writers, in seconds.

    Raises:
        sqlite3.OperationalError: the disk is full, or the file is not writable.
        sqlite3.DatabaseError: the database was made by another program.
    """
    try:
        return _open(file, schema, journal, is_synced, wait_s)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        remove_database(file)
        return _open(file, schema, journal, is_synced, wait_s)


def is_damage(error: Exception) -> bool:
    """Return whether an error means that a database is damaged, not full, locked or read-only."""
    codes = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


def remove_database(file: Path) -> None:
    """Remove a database and the files of SQLite beside it."""
    for name in (file.name, *(f"{file.name}{end}" for end in _SQLITE_SUFFIXES)):
        file.with_name(name).unlink(missing_ok=True)


def count_rows(file: Path, table: str) -> int:
    """Return the number of rows of a table.

    Raises:
        sqlite3.Error: the number is unknown; SQLITE_BUSY while another process writes.
    """
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=0.5)) as database:
        (n_rows,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - only fixed names are inserted
    return int(n_rows)


def _open(file: Path, schema: str, journal: Journal, is_synced: bool, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=wait_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(f"PRAGMA synchronous = {_SYNCED[journal] if is_synced else 'OFF'}")
        for statement in filter(str.strip, schema.split(";")):
            connection.execute(statement)
    except BaseException:
        with suppress(sqlite3.Error):
            connection.close()
        raise
    return connection


_FORMAT_VERSION = 1
_FILE = "kind.json"


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """The database and the table with the records of a store; without a table every file is a record."""

    database: str = ""
    table: str = ""


FILES = StoreLayout()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of store."""

    name: str  # the name of its folder, and of the command `coverslip cache --kind`
    layout: StoreLayout
    bound_bytes: int | None = None  # limit of all stores of the kind together; None: only the limit of the whole cache

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


_REGISTERED: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Register a kind of store, and return it.

    Raises:
        ValueError: there is another kind of this name.
    """
    if _REGISTERED.setdefault(kind.name, kind) != kind:
        raise ValueError(f"there are two kinds of store with the name '{kind.name}'")
    return kind


def list_kinds() -> list[Kind]:
    """Return all kinds in the cache folder, registered or described by their file only, by name."""
    folders = sorted(file.parent for file in cache_folder().glob(f"*/{_FILE}"))
    return [_REGISTERED.get(folder.name) or _read_kind(folder) for folder in folders]


def describe(kind: Kind) -> None:
    """Write the description of a kind to its folder, unless it is up to date."""
    record = {"format_version": _FORMAT_VERSION, **asdict(kind)}
    if _read_record(kind.folder) != record:
        write_json(kind.folder / _FILE, record)


def _read_kind(folder: Path) -> Kind:
    """Return a kind from its `kind.json`; a kind without a valid file is still limited and cleaned."""
    record = _read_record(folder)
    try:
        bound = record["bound_bytes"]
        layout = StoreLayout(str(record["layout"]["database"]), str(record["layout"]["table"]))
        return Kind(folder.name, layout, None if bound is None else int(bound))
    except (KeyError, TypeError, ValueError):
        return Kind(folder.name, FILES)


def _read_record(folder: Path) -> dict[str, Any]:  # Any: JSON values
    try:
        record = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def unusable_note(error: OSError | sqlite3.Error) -> Note:
    """Return the note for a cache that is not writable: results are the same, and work takes longer."""
    folder, reason = str(cache_folder()), str(error)
    return note("cache-not-usable", level="warning", remedies=(CleanCache(),), folder=folder, reason=reason)


LOCK = "used.lock"
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
    for kind in list_kinds():
        # Only folders with a lock file are stores: the cache folder can contain other files.
        for lock in kind.folder.glob(f"*/{LOCK}"):
            with suppress(FileNotFoundError):  # another process has just removed it
                if not lock.parent.name.startswith("."):
                    stores.append(Store(kind, lock.parent, size_of(lock.parent), lock.stat().st_mtime))
    return sorted(stores, key=lambda store: (-store.last_used, store.folder))


def store_content(store: Store) -> StoreContent:
    """Return the content of a store."""
    layout = store.kind.layout
    if not layout.table:
        lock_files = (LOCK, f"{LOCK}-journal")
        return StoreContent(sum(file.name not in lock_files for file in store.folder.iterdir()), "", is_damaged=False)
    each = ""
    with suppress(OSError, ValueError, KeyError, TypeError):  # only stores of arrays have such a file
        made_by = json.loads((store.folder / MADE_BY).read_text(encoding="utf-8"))
        each = f"{' x '.join(map(str, made_by['shape']))} {made_by['dtype']}"
    try:
        return StoreContent(count_rows(store.folder / layout.database, layout.table), each, is_damaged=False)
    except sqlite3.Error as error:
        return StoreContent(None, each, is_damaged=error.sqlite_errorcode != sqlite3.SQLITE_BUSY)


def size_of(folder: Path) -> int:
    """Return the size of the files in a folder in bytes."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a journal that was just closed
            total += file.stat().st_size
    return total
