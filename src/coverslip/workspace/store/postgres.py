"""Tables in a PostgreSQL database: a schema for the accounts of a server, and one for each project.

The transactions are those of `database`: a transaction that may write holds a lock of its schema from its start, as in
SQLite, so that what it reads cannot change before it writes.
"""

import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    MetaData,
    String,
    create_engine,
    event,
    exc,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy import text as sql_text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.schema import CreateSchema, DropSchema

from coverslip.errors import Busy, Conflict, CoverslipError, DiskFull, require_extra
from coverslip.messages import text
from coverslip.workspace.store.tables import PathText, statements_between

_CONNECTIONS = 30  # that stay open in a process: signing in again takes longer than most requests
_FURTHER_CONNECTIONS = 20  # for requests at the same time; PostgreSQL has 100 by default
_SECONDS_UNCHECKED = 60.0  # from its last use, in which a connection is used without asking whether it still answers
_NO_CONNECTION_SECONDS = 30
_LAST_USE = "coverslip.last_use"


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema of a PostgreSQL database."""

    address: str = field(repr=False)  # with the password
    name: str


def check_address(address: str) -> None:
    """Check the address of a database.

    Raises:
        CoverslipError: it is no address of a PostgreSQL database.
        ExtraNotInstalled: the driver is not installed.
    """
    _connection_of(address)
    require_extra("postgresql", text("extra-for-postgresql"))


def open_schema(schema: Schema, described_folders: Sequence[Path], *, tables: MetaData, version: int) -> Engine:
    """Open the tables of a schema, which is created if it does not exist. Its connections are shared by the process.

    Args:
        schema: the schema.
        tables: its tables.
        version: of the tables.
        described_folders: the folders whose content the schema describes. If they have content and there is no schema,
            it was lost.

    Raises:
        CoverslipError: the database cannot be reached or refuses access, or the schema has another version or lacks
            tables.
        ExtraNotInstalled: the driver is not installed.
    """
    check_address(schema.address)
    engine = _engine(schema.address).execution_options(schema_translate_map={None: schema.name})
    with engine.begin() as connection:
        _lock(connection, schema.name, seconds=30)
        stated = connection.execute(
            sql_text("SELECT obj_description(to_regnamespace(quote_ident(:name)), 'pg_namespace')"),
            {"name": schema.name},
        ).scalar()
        if schema.name in inspect(connection).get_schema_names():
            if stated != _comment(version) and not _upgrade(connection, schema, stated, tables, version):
                raise CoverslipError("database-version", schema=schema.name, stated=stated or "–")
            _check_tables(connection, tables, schema)
            return engine
        if any(folder.is_dir() and any(folder.iterdir()) for folder in described_folders):
            raise CoverslipError("database-schema-missing", schema=schema.name, file=described_folders[0].parent)
        connection.execute(CreateSchema(schema.name))
        _for_postgresql(tables).create_all(connection)
        _state_version(connection, schema, version)
    return engine


def _upgrade(connection: Connection, schema: Schema, stated: str | None, tables: MetaData, expected: int) -> bool:
    """Bring the tables to the expected version; return whether it is possible."""
    earlier = (version for version in range(expected) if stated == _comment(version))
    statements = statements_between(tables, next(earlier, expected), expected)
    if statements is None:
        return False
    quoted = connection.dialect.identifier_preparer.quote(schema.name)
    connection.exec_driver_sql(f"SET LOCAL search_path TO {quoted}")
    for statement in statements:
        connection.exec_driver_sql(statement)
    _state_version(connection, schema, expected)
    return True


def _state_version(connection: Connection, schema: Schema, version: int) -> None:
    quoted = connection.dialect.identifier_preparer.quote(schema.name)
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {quoted} IS '{_comment(version)}'")


@contextmanager
def new_schema(schema: Schema, *, tables: MetaData, version: int) -> Iterator[Engine]:
    """Create a schema and yield its empty tables. After an error in the block, the schema is removed.

    Raises:
        Conflict: it exists.
        CoverslipError: as `open_schema`.
    """
    check_address(schema.address)
    with _engine(schema.address).connect() as connection:
        if schema.name in inspect(connection).get_schema_names():
            raise Conflict("database-schema-exists", schema=schema.name)
    try:
        yield open_schema(schema, (), tables=tables, version=version)
    except BaseException:
        drop_schema(schema)
        raise


def drop_schema(schema: Schema) -> None:
    """Remove a schema and all its tables, if it exists."""
    with _engine(schema.address).begin() as connection:
        connection.execute(DropSchema(schema.name, cascade=True, if_exists=True))


@contextmanager
def only_server_of(schema: Schema) -> Iterator[None]:
    """Keep other servers from using the same schema: two would start each queued training twice.

    PostgreSQL releases the lock when the connection ends, also after the process is killed.

    Raises:
        Conflict: another server uses it.
    """
    with _engine(schema.address).connect() as connection:
        key = func.hashtextextended(f"server {schema.name}", 0)
        if not connection.execute(select(func.pg_try_advisory_lock(key))).scalar():
            raise Conflict("database-used-by-server", schema=schema.name)
        connection.commit()  # the lock belongs to the session
        try:
            yield
        finally:
            connection.invalidate()


def lock_for_writing(connection: Connection, seconds: int) -> None:
    """Let no other transaction write to the tables of this connection until this one ends.

    Raises:
        Busy: another one has written for so many seconds.
    """
    _lock(connection, connection.get_execution_options()["schema_translate_map"][None], seconds)


def _lock(connection: Connection, name: str, seconds: int) -> None:
    waiting = func.set_config("lock_timeout", f"{seconds}s", True)
    connection.execute(select(waiting, func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


class _Pool(QueuePool):
    """Connections of a process. If all are in use for long, the caller is asked to repeat the request."""

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            return super()._do_get()
        except exc.TimeoutError as error:
            raise Busy("database-connections-used", n=self.size() + self._max_overflow) from error


@cache
def _engine(address: str) -> Engine:
    url, connection_options = _connection_of(address)
    engine = create_engine(
        url,
        poolclass=_Pool,
        pool_size=_CONNECTIONS,
        max_overflow=_FURTHER_CONNECTIONS,
        pool_use_lifo=True,
        pool_timeout=_NO_CONNECTION_SECONDS,
        connect_args={"application_name": "coverslip", **connection_options},
    )
    engine.dialect.use_insertmanyvalues_wo_returning = True  # otherwise, each row is sent on its own

    @event.listens_for(engine, "checkin")
    def _note_use(_: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info[_LAST_USE] = time.monotonic()

    @event.listens_for(engine, "do_connect")
    def _connect(_: Dialect, __: ConnectionPoolEntry, arguments: Any, options: Any) -> DBAPIConnection:
        from coverslip.workspace.store.pipelining import PipelinedConnection  # its driver is an extra

        return PipelinedConnection(*arguments, **options)

    # The database may have been started again. `pool_pre_ping` does not know the network errors of pg8000.
    @event.listens_for(engine, "checkout")
    def _replace_ended(connection: DBAPIConnection, entry: ConnectionPoolEntry, *_: object) -> None:
        is_recent = time.monotonic() - entry.info.get(_LAST_USE, 0.0) < _SECONDS_UNCHECKED
        try:
            connection.settle()
            if is_recent and not wait([connection._usock], timeout=0):
                return  # a server that ends a connection says so
            connection.cursor().execute("SELECT 1")
            connection.rollback()
        except (OSError, engine.dialect.loaded_dbapi.Error) as error:
            raise exc.InvalidatePoolError from error

    @event.listens_for(engine, "handle_error", retval=True)
    def _translate_error(context: ExceptionContext) -> BaseException | None:
        return _user_error(context.original_exception)

    return engine


def _connection_of(address: str) -> tuple[URL, dict[str, Any]]:  # Any: arguments of the driver
    """Return the address for SQLAlchemy, and the arguments for the driver.

    Raises:
        CoverslipError: it is no address of a PostgreSQL database.
    """
    try:
        url = make_url(address)
    except (exc.ArgumentError, ValueError) as error:
        raise CoverslipError("database-address-not-valid") from error
    query = dict(url.query)
    folder, mode = query.pop("host", None), query.pop("sslmode", None)
    secure: dict[object, Any] = {None: None, "prefer": None, "disable": False, "require": True, "verify-full": None}
    is_known = not query and mode in secure and (folder is None or isinstance(folder, str))
    if url.drivername not in ("postgres", "postgresql") or not url.database or not is_known:
        raise CoverslipError("database-address-not-valid")
    options: dict[str, Any] = {"ssl_context": secure[mode]}
    if mode == "verify-full":
        options["ssl_context"] = ssl.create_default_context()
    if folder is not None:
        options["unix_sock"] = f"{folder}/.s.PGSQL.{url.port or 5432}"
    return url.set(drivername="postgresql+pg8000", query={}), options


def _comment(version: int) -> str:
    return f"coverslip: tables of version {version}"


def _for_postgresql(tables: MetaData) -> MetaData:
    """Return the tables with texts that are sorted by their characters, as in SQLite, in any database."""
    copied = MetaData()
    for table in tables.sorted_tables:
        table.to_metadata(copied)
    for table in copied.tables.values():
        for column in table.columns:
            if isinstance(column.type, String | PathText):
                column.type = String(collation="C")
    return copied


def _check_tables(connection: Connection, tables: MetaData, schema: Schema) -> None:
    inspected = inspect(connection)
    present = {name: columns for (_, name), columns in inspected.get_multi_columns(schema=schema.name).items()}
    for table in tables.sorted_tables:
        names = {column["name"] for column in present.get(table.name, ())}
        if missing := [column.name for column in table.columns if column.name not in names]:
            reason = text("missing-table-columns", table=table.name, columns=", ".join(missing))
            raise CoverslipError("database-damaged", schema=schema.name, reason=reason)


def _user_error(error: BaseException) -> CoverslipError | None:
    """Return the error for the user if access to the database is the reason; None for other errors."""
    import pg8000

    stated = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    if not stated and isinstance(error, pg8000.InterfaceError):
        return CoverslipError("database-unreachable", reason=str(error))
    code, reason = str(stated.get("C", "")), str(stated.get("M", ""))
    match code:
        case "55P03" | "40001" | "40P01":  # a lock was held for too long, or two transactions met
            return Busy("workspace-busy")
        case "53100":
            return DiskFull("database-unusable", reason=reason)
        case "53200" | "53300" | "57P01" | "57P02" | "57P03" | "25006" | "58030":
            return Busy("database-unusable", reason=reason)
        case "28000" | "28P01" | "3D000" | "42501":
            return CoverslipError("database-refuses", reason=reason)
    return None
