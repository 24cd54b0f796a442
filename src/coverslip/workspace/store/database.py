"""Open, create and write the database of the workspace, a file of SQLite.

Change `VERSION` with the tables, and add the step that brings a workspace of the last version to it (`STEPS`). A
workspace of a version without steps is refused. Before the first step, the database is copied. All steps run in one
transaction, so that a database which is interrupted keeps its version. The database records the version of coverslip
that wrote each of its versions, which an earlier coverslip names when it refuses it.

Where the last backups of a folder are: a file beside its database, which can then be replaced after damage.
"""

import json
import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.schema import CreateIndex, CreateTable

from coverslip._version import __version__
from coverslip.cache.stores import exclusive_lock
from coverslip.errors import Busy, CoverslipError, DiskFull
from coverslip.events import Emit, Noted, OnProgress, ignore, progress_reporter
from coverslip.files import write_error, write_json
from coverslip.messages import ChooseOther, Remedies, RestoreBackup, note, text
from coverslip.workspace.store.tables import FOLDERS, metadata

_FORMAT_VERSION = 1
_MOST = 20  # backups; older ones are deleted sooner
VERSION = 1  # of the tables
# By the version that they start from. They contain the tables of their time, and report the completed share of their
# work, which takes tens of seconds for a million images.
Steps = Mapping[int, Callable[[sqlite3.Connection, OnProgress], None]]
STEPS: Steps = {}
_WAIT_SECONDS = 30  # that background work waits while another transaction writes: large transactions take seconds
_BRIEF_WAIT_SECONDS = 5  # that a request waits, so that the threads of the server are not blocked for long
_wait_seconds: ContextVar[int] = ContextVar("wait_seconds", default=_WAIT_SECONDS)  # new threads start with the default


SERVER_LOCK = "server.lock"
_VERSIONS = "coverslip_versions"  # a table that all versions can read, so that it is none of `metadata`
_PAGES_AT_ONCE = 4_096
_INCREMENTAL = 2  # of SQLite's `auto_vacuum`: the file shrinks on request
_MB = 10**6
_WRITERS = "writers"  # the execution option of an engine


def record_backup(folder: Path, backup: Path) -> None:
    """Record a complete backup of a folder. If the folder cannot be written to, the backup is complete all the same."""
    paths = [str(backup.absolute()), *(str(path) for path in _recorded(folder))]
    with suppress(CoverslipError):
        write_json(_file(folder), {"format_version": _FORMAT_VERSION, "backups": list(dict.fromkeys(paths))[:_MOST]})


def newest_backup(folder: Path) -> Path | None:
    """Return the newest recorded backup of a folder that still exists."""
    return next((path for path in _recorded(folder) if path.exists()), None)


def _recorded(folder: Path) -> list[Path]:
    try:
        return [Path(str(path)) for path in json.loads(_file(folder).read_text(encoding="utf-8"))["backups"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _file(folder: Path) -> Path:
    return folder / "backups.json"


class _Writers:
    """The threads of this process that write to a file of SQLite, one after another in the order of their requests.

    SQLite lets each thread try again after longer and longer pauses. If many write at once, those that have waited for
    long rarely succeed.
    """

    def __init__(self, file: Path, on_write: Callable[[], None]) -> None:
        self.on_write = on_write
        self._file, self._lock, self._waiting = file, threading.Lock(), deque[threading.Event]()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Enter the block when all earlier threads have left theirs; raise `Busy` if this takes too long."""
        is_next = threading.Event()
        with self._lock:
            self._waiting.append(is_next)
            self._waiting[0].set()
        try:
            if not is_next.wait(_wait_seconds.get()):
                raise Busy("workspace-busy", file=self._file)
            yield
        finally:
            with self._lock:
                self._waiting.remove(is_next)
                if self._waiting:
                    self._waiting[0].set()


def open_database(
    file: Path,
    *,
    tables: MetaData = metadata,
    version: int = VERSION,
    steps: Steps = STEPS,
    emit: Emit = ignore,
    on_write: Callable[[], None] = lambda: None,
) -> Engine:
    """Open the database at `file`. It is created if it does not exist. Readers never wait for a writer.

    It appears with its tables or not at all. So a file without tables was emptied, and is refused: it is not new.

    Args:
        file: the file of the database.
        tables: its tables.
        version: of the tables.
        steps: to this version from earlier ones.
        emit: receives a note and progress events while the tables are brought to this version.
        on_write: called after each transaction that has written.

    Raises:
        CoverslipError: the database has another version, is damaged or empty, or cannot be written to.
    """
    try:
        if file.exists():
            _check_version(file, tables, version, steps, emit)
        else:
            _create(file, tables, version)
    except sqlite3.Error as error:
        raise _user_error(error, file) or _damaged(str(error), file) from error
    engine = create_engine(
        f"sqlite:///{file}",
        max_overflow=-1,  # one connection for each thread
        execution_options={_WRITERS: _Writers(file, on_write)},
    )
    FOLDERS[engine.dialect] = str(file.parent)

    @event.listens_for(engine, "do_connect")
    def _open_existing(_: object, __: object, arguments: list[str], options: dict[str, object]) -> None:
        # A thread that outlives the server must not create an empty database where a project was moved or deleted.
        arguments[:] = [f"{file.absolute().as_uri()}?mode=rw"]
        options["uri"] = True

    @event.listens_for(engine, "connect")
    def _configure(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")  # labels survive a power failure
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "checkout")
    def _set_wait(connection: object, *_: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA busy_timeout = {_wait_seconds.get() * 1000}")
        cursor.close()

    @event.listens_for(engine, "handle_error", retval=True)
    def _translate_error(context: ExceptionContext) -> BaseException | None:
        return _user_error(context.original_exception, file, shows_backup=False)

    return engine


_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CANTOPEN: "not-opened",
    sqlite3.SQLITE_IOERR: "no-answer",
}


def _user_error(error: BaseException, file: Path, *, shows_backup: bool = True) -> CoverslipError | None:
    """Return the error for the user if the disk or the file is the reason; None for other errors.

    Args:
        error: of SQLite.
        file: the database.
        shows_backup: whether the error may name a backup. Errors of requests may not: clients would get its path.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits give further detail
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(str(error), file, shows_backup=shows_backup)
    if code == sqlite3.SQLITE_BUSY:
        return Busy("workspace-busy", file=file)
    if code not in _UNWRITABLE:
        return None
    kind = DiskFull if code == sqlite3.SQLITE_FULL else CoverslipError
    return kind("workspace-database-unusable", file=file, reason=_UNWRITABLE[code])


def _damaged(reason: str, file: Path, *, shows_backup: bool = True) -> CoverslipError:
    return _lost("workspace-database-damaged", file, reason, shows_backup=shows_backup)


def _lost(code: str, file: Path, reason: str = "", *, shows_backup: bool = True) -> CoverslipError:
    """Return the error for content that only a backup has."""
    backup = newest_backup(file.parent)
    remedies: Remedies = (ChooseOther("workspace"),)
    if backup is not None and shows_backup:
        remedies = (RestoreBackup(str(backup), "server" if backup.is_dir() else "workspace"), *remedies)
    return CoverslipError(code, file=file, remedies=remedies, has_backup=backup is not None, reason=reason)


def check_pages(file: Path) -> None:
    """Read all pages of a database. Damage would otherwise be found when somebody needs the content of a page.

    Raises:
        CoverslipError: it is damaged, or cannot be read.
    """
    try:
        with closing(sqlite3.connect(file, timeout=_WAIT_SECONDS)) as connection:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise _user_error(error, file) or _damaged(str(error), file) from error
    if result != "ok":
        raise _damaged(result.splitlines()[-1], file)


def can_upgrade(steps: Steps, version: int, expected: int) -> bool:
    """Return whether there are steps from a version to a later one."""
    return version < expected and all(each in steps for each in range(version, expected))


def _check_version(file: Path, tables: MetaData, expected: int, steps: Steps, emit: Emit) -> None:
    """Check that the tables are complete, and bring them to this version."""
    if not file.stat().st_size:  # before it is opened, since SQLite then deletes its log
        raise _lost("workspace-database-empty", file)
    with closing(sqlite3.connect(file, timeout=_WAIT_SECONDS)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise _lost("workspace-database-empty", file)
        if version != expected and not can_upgrade(steps, version, expected):
            needed = _writer(connection, version)
            raise CoverslipError(
                "workspace-version",
                file=file,
                remedies=(ChooseOther("workspace"),),
                version=version,
                expected=expected,
                has_needed=needed is not None,
                needed=needed or "",
            )
        if version != expected:
            _upgrade(connection, file, expected, steps, emit)
        _check_tables(connection, tables, file)


SERVED = set[Path]()  # the folders that this process serves, whose locks it holds


def _upgrade(connection: sqlite3.Connection, file: Path, expected: int, steps: Steps, emit: Emit) -> None:
    """Bring the tables to the expected version in one transaction, unless another process does. A copy is kept.

    Raises:
        CoverslipError: a server uses the folder, whose version cannot read these tables.
    """
    if file.parent not in SERVED:
        try:
            exclusive_lock(file.parent / SERVER_LOCK, wait_s=0).close()
        except OSError:
            pass  # the file system has no locks, so that no server runs here
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise CoverslipError("workspace-upgraded-while-served", file=file) from error
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=OFF")  # steps replace tables that others refer to
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < expected:
        copy = file.with_name(f"{file.stem}-version-{version}{file.suffix}")
        upgrade = note("workspace-upgrade", folder=str(file.parent), version=version, expected=expected, copy=copy.name)
        emit(Noted.of(upgrade))
        _copy(file, copy, emit)
    for each in range(version, expected):
        report = _percent(progress_reporter(emit, "upgrading-workspace", "percent", version=each + 1))
        steps[each](connection, report)
        report(1, 1)
    _record_version(connection, expected)
    connection.execute("COMMIT")


def _percent(report: OnProgress) -> OnProgress:
    return lambda done, total: report(100 * done // total, 100)


def _copy(file: Path, copy: Path, emit: Emit) -> None:
    """Copy a database, which is being read, to a file that appears as a whole."""
    part = copy.with_name(f".{copy.name}.{secrets.token_hex(4)}.part")
    for abandoned in copy.parent.glob(f".{copy.name}.*.part*"):  # of killed upgrades: this is the only one now
        abandoned.unlink()
    report = progress_reporter(emit, "copying-workspace", "megabytes")
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            (page_bytes,) = source.execute("PRAGMA page_size").fetchone()

            def report_pages(_: int, n_left: int, n_pages: int) -> None:
                report((n_pages - n_left) * page_bytes // _MB, n_pages * page_bytes // _MB)

            source.backup(target, pages=_PAGES_AT_ONCE, progress=report_pages)
        part.replace(copy)
    except OSError as error:
        raise write_error(copy, error) from error
    finally:
        for suffix in ("", "-journal"):
            part.with_name(f"{part.name}{suffix}").unlink(missing_ok=True)


def _record_version(connection: sqlite3.Connection, version: int) -> None:
    """Set the version of the tables, and record that this coverslip wrote it."""
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {_VERSIONS} (version INTEGER PRIMARY KEY, coverslip VARCHAR NOT NULL, "
        "made VARCHAR NOT NULL)"
    )
    made = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(f"INSERT OR REPLACE INTO {_VERSIONS} VALUES (?, ?, ?)", (version, __version__, made))  # noqa: S608


def _writer(connection: sqlite3.Connection, version: int) -> str | None:
    """Return the version of coverslip that wrote a version of the tables; None if it is not recorded."""
    query = f"SELECT coverslip FROM {_VERSIONS} WHERE version = ?"  # noqa: S608
    with suppress(sqlite3.OperationalError):  # a database of another program has no such table
        for (writer,) in connection.execute(query, [version]):
            return str(writer)
    return None


def _create(file: Path, tables: MetaData, version: int) -> None:
    """Create the database, unless another process does meanwhile."""
    for log in (file.with_name(f"{file.name}{suffix}") for suffix in ("-wal", "-journal")):
        if log.exists() and log.stat().st_size:  # SQLite would write its content to the new database
            raise _damaged(text("database-log-without-file", name=log.name), file)
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA auto_vacuum = {_INCREMENTAL}")
            connection.execute("BEGIN IMMEDIATE")
            _create_tables(connection, tables)
            _record_version(connection, version)
            connection.execute("COMMIT")
        with suppress(FileExistsError):
            _publish(part, file)
    finally:
        for suffix in ("", "-journal"):
            part.with_name(f"{part.name}{suffix}").unlink(missing_ok=True)


def _publish(part: Path, file: Path) -> None:
    """Give a file its name, without replacing another one."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network drives do not support links
        part.rename(file)


def _check_tables(connection: sqlite3.Connection, tables: MetaData, file: Path) -> None:
    for table in tables.sorted_tables:
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
        if not columns:
            raise _damaged(text("missing-table", table=table.name), file)
        if missing := [column.name for column in table.columns if column.name not in columns]:
            raise _damaged(text("missing-table-columns", table=table.name, columns=", ".join(missing)), file)


def _create_tables(connection: sqlite3.Connection, tables: MetaData) -> None:
    dialect = sqlite_dialect()
    for table in tables.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=dialect)))


@contextmanager
def waiting_briefly() -> Iterator[None]:
    """Let connections of this context give up soon, with `Busy`, while another transaction writes."""
    token = _wait_seconds.set(_BRIEF_WAIT_SECONDS)
    try:
        yield
    finally:
        _wait_seconds.reset(token)


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a connection whose queries all read the same state of the database, even during writes."""
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        yield connection


def free_space(engine: Engine) -> None:
    """Give the space of deleted rows back to the disk, in short transactions."""
    n_free = 1
    while n_free:
        with write_transaction(engine) as connection:
            # Fetched through the driver: each row frees a page, but has no columns.
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
            n_free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may write from its start: what it reads cannot change before it writes."""
    writers: _Writers = engine.get_execution_options()[_WRITERS]
    with writers.exclusive(), engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
    writers.on_write()
