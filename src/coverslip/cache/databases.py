"""SQLite files of things that can be made again: opened, and made anew where they are damaged."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

Journal = Literal["DELETE", "WAL"]
_SYNCED: dict[Journal, str] = {"DELETE": "FULL", "WAL": "NORMAL"}
_BESIDE = ("-journal", "-wal", "-shm")  # SQLite's own files beside a database


def open_database(
    file: Path, schema: str, *, journal: Journal = "DELETE", is_synced: bool = True, wait_s: float = 60
) -> sqlite3.Connection:
    """A connection in autocommit mode to a database that has the tables of `schema`.

    Args:
        file: in a folder that exists. One that is no database any more is made anew.
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
    """How many rows a table has.

    Raises:
        sqlite3.Error: it cannot be told; SQLITE_BUSY where somebody writes.
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
