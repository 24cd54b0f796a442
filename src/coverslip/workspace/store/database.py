"""The workspace's tables. Labels live here alone; everything else can be rebuilt from folders.

Who changes a table adds a step at the end of `_STEPS`, which brings an older file to the new form; steps that were
released are never changed. Steps are applied once, all or none, after a copy of the file was put beside it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Engine,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    create_engine,
    event,
)
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.schema import CreateIndex, CreateTable

from coverslip.errors import CoverslipError

metadata = MetaData()


class PathText(TypeDecorator[str]):
    """A path as text; as bytes where its name is no UTF-8, which SQLite does not take as text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # Any: str or bytes
        """For SQLite."""
        if value is None or value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # Any: str or bytes
        """From SQLite."""
        return os.fsdecode(value) if isinstance(value, bytes) else value


datasets = Table(
    "datasets",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("kind", String, nullable=False),  # folders, table, files, upload, samples
    Column("sources", JSON, nullable=False),  # absolute paths
    Column("is_labelled", Boolean, nullable=False),
    Column("group_column", String),
    Column("group_pattern", String),
    Column("class_names", JSON, nullable=False),  # in the order of their keys and colours; also ones without images
    Column("class_plan", JSON, nullable=False),  # merge, drop, rename, as in a recipe
    Column("opened", JSON),  # root, source, notes and origins, as they were found; None before images are there
    Column("summary", JSON, nullable=False),  # counts, kept in step with the images
    Column("revision", Integer, nullable=False),  # goes up when labels, groups or images change
    Column("state", String, nullable=False),  # reading, ready, failed
    Column("progress", JSON),  # done, total, seconds_left
    Column("error", JSON),
    Column("created", String, nullable=False),  # ISO 8601, UTC
    Column("forgotten", String),  # when; it can be had back for a while
)

# Apart from the sets, whose rows are written at every label: it may be megabytes long.
inspections = Table(
    "inspections",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),  # of the labels and groups that it tells of
    Column("found", JSON, nullable=False),
)

images = Table(
    "images",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),  # 0-based
    Column("image_id", String, nullable=False),
    Column("path", PathText, nullable=False),  # absolute
    Column("shown_path", String, nullable=False),  # below the root
    Column("label_before", String),  # as the user's folder or table says
    Column("label", String),  # as it is now
    Column("group", String),
    Column("domain", String, nullable=False),
    Column("given_split", String),
    Column("plan", JSON(none_as_null=True)),  # which pixels of the file; None: the whole first plane
    Column("problem", String),  # unreadable, duplicate, conflicting
    Column("pixel_hash", String),
    Column("width_px", Integer),
    Column("height_px", Integer),
    Column("version", String, nullable=False),  # changes when the file does
    Index("images_by_label", "dataset_id", "label", "position"),
    Index("images_by_group", "dataset_id", "group", "position"),
    Index("images_by_pixels", "dataset_id", "pixel_hash", "label"),
    Index("images_by_problem", "dataset_id", "problem", "position"),
)

# Apart from the images, so that walls and counts of 100,000 read few bytes for each.
image_facts = Table(
    "image_facts",
    metadata,
    Column("dataset_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("facts", JSON(none_as_null=True)),  # of the decoded image; None where unreadable
    Column("reason", String),  # why it is unreadable
    ForeignKeyConstraint(["dataset_id", "position"], ["images.dataset_id", "images.position"], ondelete="CASCADE"),
)

# What a wall shows of images until their pictures come.
image_colours = Table(
    "image_colours",
    metadata,
    Column("dataset_id", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("colour", BigInteger, nullable=False),  # red, green, blue, shape: a byte each
    ForeignKeyConstraint(["dataset_id", "position"], ["images.dataset_id", "images.position"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

label_changes = Table(
    "label_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("made", String, nullable=False),  # ISO 8601, UTC
    Column("is_undone", Boolean, nullable=False),
    Column("label", String),  # given to all of them
    Column("before", JSON, nullable=False),  # [[position, label before], …]
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("is_labelled", Boolean, nullable=False),
    Column("n_files", Integer, nullable=False),
    Column("n_bytes", Integer, nullable=False),
    Column("has_folders", Boolean, nullable=False),
    Column("max_files", Integer, nullable=False),
    Column("max_bytes", Integer, nullable=False),
    Column("dataset_id", String),  # what it became
    Column("created", String, nullable=False),  # ISO 8601, UTC
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),  # train, predict; classifier: a file that was brought in
    Column("name", String, nullable=False),
    Column("dataset_id", String),  # it may have been forgotten since
    Column("dataset_name", String, nullable=False),
    Column("run_id", String),  # of the classifier, for predictions
    Column("folder", String, nullable=False),  # absolute; the file, for a classifier
    Column("command", JSON, nullable=False),  # arguments after the interpreter
    Column("choices", JSON, nullable=False),  # what was asked for: the recipe, or the sources
    Column("state", String, nullable=False),  # queued, started, ended, removed; the rest is read from the folder
    Column("queued", Float),  # seconds since 1970: who comes next
    Column("launched", Float),  # when its process was begun, which may have died before it said anything
    Column("pid", Integer),
    Column("process_started", Float),  # tells a process from a later one of the same number
    Column("stop_asked", Float),
    Column("created", String, nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row", Integer, primary_key=True),  # 0-based
    Column("label", String, nullable=False),
    Column("made", String, nullable=False),
)


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
        do="Put a copy of it in its place, or choose another folder with --workspace.",
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
                do="Update coverslip, or choose another folder with --workspace.",
            )
        if version == len(_STEPS):
            return
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            _copy_beside(connection, file.with_name(f"{file.name}.before-{len(_STEPS)}"))
            steps = _STEPS[version:]
        else:
            steps = (_make_missing_tables,)
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


def _make_missing_tables(connection: sqlite3.Connection) -> None:
    dialect = sqlite_dialect()
    known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in metadata.sorted_tables:
        if table.name not in known:
            connection.execute(str(CreateTable(table).compile(dialect=dialect)))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(str(CreateIndex(index).compile(dialect=dialect)))


def _add_forgotten(connection: sqlite3.Connection) -> None:
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(datasets)")}
    if "forgotten" not in columns:  # tables that the step before made are of today's form
        connection.execute("ALTER TABLE datasets ADD COLUMN forgotten VARCHAR")


# Before version 1 tables came without a number; some lacked others, none lacked columns.
_STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_make_missing_tables, _add_forgotten)


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
