"""The stores of the cache folder: their kinds, their database files and their notes.

A store is a folder `KIND/NAME` that holds a file `used.lock`. Whoever uses a store has a shared lock on that file;
whoever removes one needs it alone. The file's time says when the store was last used.

A kind is a folder of the cache folder that holds a folder for each of its stores. `kind.json` in it says what the kind
is, so a process that knows nothing of a room shows, bounds and cleans that room's stores like its own.
"""

import json
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from coverslip.files import write_json
from coverslip.messages import CleanCache, Note, note, text

Journal = Literal["DELETE", "WAL"]
_SYNCED: dict[Journal, str] = {"DELETE": "FULL", "WAL": "NORMAL"}
_BESIDE = ("-journal", "-wal", "-shm")  # SQLite's own files beside a database


def open_database(
    file: Path, schema: str, *, journal: Journal = "DELETE", is_synced: bool = True, wait_s: float = 60
) -> sqlite3.Connection:
    """Return a connection in autocommit mode to a database that has the tables of `schema`.

    Args:
        file: in a folder that exists. A file that is not a database is replaced by a new one.
        schema: statements that change nothing where all is there, such as `CREATE TABLE IF NOT EXISTS`.
        journal: a write-ahead log lets many read while one writes. It is not safe on network file systems, where
            home folders often lie, so nothing in the cache folder has one.
        is_synced: whether what was committed outlives a power cut.
        wait_s: for others who write.

    Raises:
        sqlite3.OperationalError: the disk is full, or the file cannot be written to.
        sqlite3.DatabaseError: it was made by another program.
    """
    try:
        return _opened(file, schema, journal, is_synced, wait_s)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        remove_database(file)
        return _opened(file, schema, journal, is_synced, wait_s)


def is_damage(error: Exception) -> bool:
    """Whether an error says that a database is damaged, and not that it is full, locked or may not be written to."""
    damaged = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in damaged


def remove_database(file: Path) -> None:
    """Remove a database with what lies beside it."""
    for name in (file.name, *(f"{file.name}{end}" for end in _BESIDE)):
        file.with_name(name).unlink(missing_ok=True)


def count_rows(file: Path, table: str) -> int:
    """Return how many rows a table has.

    Raises:
        sqlite3.Error: the number is unknown; SQLITE_BUSY while another process writes.
    """
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=0.5)) as database:
        (n_rows,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - only marks and fixed names are put in
    return int(n_rows)


def _opened(file: Path, schema: str, journal: Journal, is_synced: bool, wait_s: float) -> sqlite3.Connection:
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
class Layout:
    """Where a store of a kind lists what it holds; without a table every file counts as one."""

    database: str = ""
    table: str = ""


FILES = Layout()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of store."""

    name: str  # its folder, and what `coverslip cache --kind` takes
    title: str  # what its stores hold, for people
    layout: Layout
    bound_bytes: int | None = None  # all stores of the kind together; None: only what bounds the whole cache

    @property
    def folder(self) -> Path:
        """Where its stores lie."""
        return cache_folder() / self.name


def cache_folder() -> Path:
    """Return where coverslip keeps what it can compute again: `COVERSLIP_CACHE`, else the platform's cache folder."""
    folder = os.environ.get("COVERSLIP_CACHE")
    if folder:
        return Path(folder).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("coverslip", appauthor=False))


_REGISTERED: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Add a kind of store; gives it back.

    Raises:
        ValueError: there is another kind of this name.
    """
    if _REGISTERED.setdefault(kind.name, kind) != kind:
        raise ValueError(f"there are two kinds of store called '{kind.name}'")
    return kind


def known_kinds() -> list[Kind]:
    """Return the registered kinds that have stores, and those of which only the cache folder tells, by name."""
    folders = sorted(file.parent for file in cache_folder().glob(f"*/{_FILE}"))
    return [_REGISTERED.get(folder.name) or _described(folder) for folder in folders]


def describe(kind: Kind) -> None:
    """Write down what a kind is, where that is not said yet."""
    record = {"format_version": _FORMAT_VERSION, **asdict(kind)}
    if _read(kind.folder) != record:
        write_json(kind.folder / _FILE, record)


def _described(folder: Path) -> Kind:
    """Return a kind as `kind.json` describes it; one that cannot be read is still bounded and cleaned."""
    record = _read(folder)
    try:
        bound = record["bound_bytes"]
        layout = Layout(str(record["layout"]["database"]), str(record["layout"]["table"]))
        return Kind(folder.name, str(record["title"]), layout, None if bound is None else int(bound))
    except (KeyError, TypeError, ValueError):
        return Kind(folder.name, text("cache-kind-unknown"), FILES)


def _read(folder: Path) -> dict[str, Any]:  # Any: JSON values
    try:
        record = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def not_usable(error: OSError | sqlite3.Error) -> Note:
    """Return the cache cannot be written to: results are the same, and work takes longer."""
    folder, reason = str(cache_folder()), str(error)
    return note("cache-not-usable", level="warning", remedies=(CleanCache(),), folder=folder, reason=reason)


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

    n_records: int | None  # None: unknown, because it is damaged or being written to
    each: str  # what one record is, such as `224 x 224 x 3 uint8`; empty where they differ
    is_damaged: bool


def list_stores() -> list[Store]:
    """Return all stores, most recently used first."""
    stores = []
    for kind in known_kinds():
        # Only what has a lock is ours: the folder may have been chosen badly, and hold other things.
        for lock in kind.folder.glob(f"*/{LOCK}"):
            with suppress(FileNotFoundError):  # another process has just removed it
                if not lock.parent.name.startswith("."):
                    stores.append(Store(kind, lock.parent, _size(lock.parent), lock.stat().st_mtime))
    return sorted(stores, key=lambda store: (-store.last_used, store.folder))


def look_into(store: Store) -> Content:
    """Return what a store holds, or that it is damaged."""
    layout = store.kind.layout
    if not layout.table:
        lock_files = (LOCK, f"{LOCK}-journal")
        return Content(sum(file.name not in lock_files for file in store.folder.iterdir()), "", is_damaged=False)
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
