"""The workspace's database: opened, brought up to date, written to.

Who changes a table adds a step at the end of `_STEPS`, which brings an older file to the new form; steps that were
released are never changed. Steps are applied once, all or none, after a copy of the file was put beside it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.schema import CreateIndex, CreateTable

from coverslip.errors import CoverslipError
from coverslip.messages import ChooseOther
from coverslip.workspace.store.tables import metadata


def open_database(file: Path) -> Engine:
    """The database at `file`, made or brought up to date if need be; readers never wait for a writer.

    Raises:
        CoverslipError: a newer coverslip wrote it, it is damaged, or it cannot be written to.
    """
    try:
        _bring_up_to_date(file)
    except sqlite3.Error as error:
        raise _as_ours(error, file) or _damaged(error, file) from error
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a label that was given is kept, also when the power fails
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "handle_error", retval=True)
    def _say_what_to_do(context: ExceptionContext) -> BaseException | None:
        return _as_ours(context.original_exception, file)

    return engine


_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk does not answer",
    sqlite3.SQLITE_BUSY: "another program is writing to it",
}


def _as_ours(error: BaseException, file: Path) -> CoverslipError | None:
    """What the disk, not the program, is the reason for; None for other errors."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says more exactly how
    if code not in _UNWRITABLE:
        return None
    return CoverslipError(
        f"The workspace's database cannot be used: {_UNWRITABLE[code]}",
        file=file,
        do="Free some space, or see that you may write to its folder; what was there before is intact.",
    )


def _damaged(error: sqlite3.Error, file: Path) -> CoverslipError:
    return CoverslipError(
        f"The workspace's database is damaged: {error}",
        file=file,
        do="Put a copy of it in its place, or choose another folder for the workspace.",
        remedies=(ChooseOther("workspace"),),
    )


def _bring_up_to_date(file: Path) -> None:
    """Make the tables, or take the steps that a file of an older coverslip lacks."""
    # A connection of its own: foreign keys are off, so that a table can be made anew without emptying those below it.
    with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(_STEPS):
            raise CoverslipError(
                f"This workspace was written by a newer coverslip (its tables are of version {version}; this one reads "
                f"up to {len(_STEPS)})",
                file=file,
                do="Update coverslip, or choose another folder for the workspace.",
                remedies=(ChooseOther("workspace"),),
            )
        if version == len(_STEPS):
            return
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            _copy_beside(connection, file.with_name(f"{file.name}.before-{len(_STEPS)}"))
            steps = _STEPS[version:]
        else:
            steps = (_make_tables,)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in steps:
                step(connection)
            connection.execute(f"PRAGMA user_version = {len(_STEPS)}")
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has taken all of it back already
                connection.execute("ROLLBACK")
            raise


def _copy_beside(connection: sqlite3.Connection, copy: Path) -> None:
    """Labels cannot be made again, and whoever goes back to the older coverslip needs the older file."""
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as beside:
        connection.backup(beside)
    part.replace(copy)


def _make_tables(connection: sqlite3.Connection) -> None:
    """All tables, in today's form."""
    dialect = sqlite_dialect()
    for table in metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))


_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_make_tables,)


@contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """What all selects of the block find is of one moment, whatever others write meanwhile."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that holds the right to write from its beginning: what it reads cannot change before it writes."""
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
