"""The workspace's database: opened, brought up to date, written to.

Who changes a table adds a step at the end of `_STEPS`, which brings an older file to the new form; steps that were
released are never changed. Steps are applied once, all or none, after a copy of the file was put beside it.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.schema import CreateIndex, CreateTable

from coverslip.errors import Busy, CoverslipError
from coverslip.files import written_whole
from coverslip.messages import ChooseOther
from coverslip.workspace.store.tables import metadata

_SECONDS = 30  # that work in the background waits while another transaction writes: large ones of the app take seconds
_BRIEF_SECONDS = 5  # that a request waits, so that the threads that answer are not held for long
_wait_seconds: ContextVar[int] = ContextVar("wait_seconds", default=_SECONDS)  # threads that are started begin anew


def open_database(file: Path, described: Sequence[Path] = ()) -> Engine:
    """The database at `file`, made or brought up to date if need be; readers never wait for a writer.

    Args:
        file: where it is, or shall be.
        described: folders whose content it tells: an empty file beside full ones is what is left of a lost database.

    Raises:
        CoverslipError: a newer coverslip wrote it, it is damaged, or it cannot be written to.
    """
    was_there = file.exists()
    try:
        _bring_up_to_date(file, may_be_new=not was_there or not any(map(_holds_anything, described)))
    except sqlite3.Error as error:
        raise _as_ours(error, file) or _damaged(error, file) from error
    engine = create_engine(f"sqlite:///{file}", max_overflow=-1)  # as many connections as there are threads

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # a label that was given is kept, also when the power fails
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "checkout")
    def _set_wait(connection: object, *_: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA busy_timeout = {_wait_seconds.get() * 1000}")
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
}


def _holds_anything(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _as_ours(error: BaseException, file: Path) -> CoverslipError | None:
    """What the disk or the file, not the program, is the reason for; None for other errors."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says more exactly how
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(error, file)
    if code == sqlite3.SQLITE_BUSY:
        return Busy("The workspace's database is in use", file=file, do="Try again later.")
    if code not in _UNWRITABLE:
        return None
    return CoverslipError(
        f"The workspace's database cannot be used: {_UNWRITABLE[code]}",
        file=file,
        do="Free some space, or see that you may write to its folder; what was there before is intact.",
    )


def _damaged(why: object, file: Path) -> CoverslipError:
    return CoverslipError(
        f"The workspace's database is damaged: {why}",
        file=file,
        do="Put a copy of it in its place, or choose another folder for the workspace; runs/ is not affected.",
        remedies=(ChooseOther("workspace"),),
    )


def _bring_up_to_date(file: Path, *, may_be_new: bool) -> None:
    """Make the tables, or take the steps that a file of an older coverslip lacks, or see that no table is missing."""
    # A connection of its own: foreign keys are off, so that a table can be made anew without emptying those below it.
    with closing(sqlite3.connect(file, timeout=_SECONDS, isolation_level=None)) as connection:
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
            _check_tables(connection, file)
            return
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            _copy_beside(connection, file.with_name(f"{file.name}.before-{len(_STEPS)}"))
            steps = _STEPS[version:]
        elif may_be_new:
            steps = (_make_tables,)
        else:
            raise CoverslipError(
                "The workspace's database is empty, although there are results beside it",
                file=file,
                do="Put a copy of it in its place. Labels and names are lost without one: remove the empty file to "
                "begin anew, or choose another folder for the workspace.",
                remedies=(ChooseOther("workspace"),),
            )
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


def _check_tables(connection: sqlite3.Connection, file: Path) -> None:
    for table in metadata.sorted_tables:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        if missing := [column.name for column in table.columns if column.name not in columns]:
            what = f"the table '{table.name}'"
            raise _damaged(f"{what} lacks {', '.join(missing)}" if columns else f"{what} is missing", file)


def _copy_beside(connection: sqlite3.Connection, copy: Path) -> None:
    """Labels cannot be made again, and whoever goes back to the older coverslip needs the older file."""
    with written_whole(copy) as part, closing(sqlite3.connect(part)) as beside:
        connection.backup(beside)


def _make_tables(connection: sqlite3.Connection) -> None:
    """All tables, in today's form."""
    dialect = sqlite_dialect()
    for table in metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))


def _add_exclusions(connection: sqlite3.Connection) -> None:
    """Corrections may exclude an image instead of naming its class."""
    connection.execute("ALTER TABLE corrections ADD COLUMN is_excluded BOOLEAN DEFAULT '0' NOT NULL")


def _add_confirmed_labels(connection: sqlite3.Connection) -> None:
    """Labels can be confirmed as right."""
    connection.execute(
        "CREATE TABLE confirmed_labels (dataset_id VARCHAR NOT NULL, image_id VARCHAR NOT NULL, "
        "label VARCHAR NOT NULL, made VARCHAR NOT NULL, made_by VARCHAR NOT NULL, "
        "PRIMARY KEY (dataset_id, image_id), FOREIGN KEY(dataset_id) REFERENCES datasets (id) ON DELETE CASCADE)"
    )


def _add_left_out_by(connection: sqlite3.Connection) -> None:
    """Excluded images say in which prediction they were excluded."""
    connection.execute("ALTER TABLE images ADD COLUMN excluded_by VARCHAR")


def _add_index_of_image_ids(connection: sqlite3.Connection) -> None:
    """Labels and exclusions are given to images by their ids."""
    connection.execute("CREATE INDEX images_by_id ON images (dataset_id, image_id)")


_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _make_tables,
    _add_exclusions,
    _add_confirmed_labels,
    _add_left_out_by,
    _add_index_of_image_ids,
)


@contextmanager
def waiting_briefly() -> Iterator[None]:
    """Connections that are taken in this context give up soon, by `Busy`, while another transaction writes."""
    token = _wait_seconds.set(_BRIEF_SECONDS)
    try:
        yield
    finally:
        _wait_seconds.reset(token)


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
