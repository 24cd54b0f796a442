"""Copy all rows of a database to another one, of the same kind or not."""

from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, Table, func, insert, select
from sqlalchemy import text as sql_text

from coverslip.workspace.store.database import open_database, read_transaction, write_transaction

_ROWS_AT_ONCE = 1_000


def count_rows(connection: Connection, tables: MetaData) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables.sorted_tables
    }


def write_tables(engine: Engine, file: Path, *, tables: MetaData, version: int) -> dict[str, int]:
    """Write the rows of a database, in one state, to a new file of SQLite; return how many each table has."""
    target = open_database(file, tables=tables, version=version)
    try:
        with read_transaction(engine) as source, write_transaction(target) as connection:
            _copy_rows(source, connection, tables)
            n_rows = count_rows(connection, tables)
        with target.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE")  # everything is in one file
    finally:
        target.dispose()
    return n_rows


def read_tables(file: Path, engine: Engine, *, tables: MetaData, version: int) -> None:
    """Copy the rows of a file of SQLite to the empty tables of another database."""
    source = open_database(file, tables=tables, version=version)
    try:
        with read_transaction(source) as rows, write_transaction(engine) as connection:
            _copy_rows(rows, connection, tables)
    finally:
        source.dispose()


def _copy_rows(source: Connection, target: Connection, tables: MetaData) -> None:
    for table in tables.sorted_tables:
        rows = source.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table)).mappings()
        for batch in rows.partitions():
            target.execute(insert(table), [dict(row) for row in batch])
        column = table.autoincrement_column
        if column is not None and (last := _last_number(source, table, column)) is not None:
            _set_last_number(target, table, column, last)


def _last_number(connection: Connection, table: Table, column: Column[Any]) -> int | None:
    """Return the last number that was given to a row, which may have been removed since; None: there is none."""
    highest: int | None = connection.execute(select(func.max(column))).scalar()
    if connection.dialect.name == "postgresql":
        query = sql_text("SELECT pg_sequence_last_value(CAST(:name AS regclass))")
        last = connection.execute(query, {"name": _sequence(connection, table, column)}).scalar()
    elif table.dialect_options["sqlite"]["autoincrement"]:
        query = sql_text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = connection.execute(query, {"name": table.name}).scalar()
    else:
        last = None
    return max((number for number in (highest, last) if number is not None), default=None)


def _set_last_number(connection: Connection, table: Table, column: Column[Any], last: int) -> None:
    if connection.dialect.name == "postgresql":
        query = sql_text("SELECT setval(CAST(:name AS regclass), :last)")
        connection.execute(query, {"name": _sequence(connection, table, column), "last": last})
    elif table.dialect_options["sqlite"]["autoincrement"]:
        connection.execute(sql_text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        query = sql_text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
        connection.execute(query, {"name": table.name, "last": last})


def _sequence(connection: Connection, table: Table, column: Column[Any]) -> str:
    schema = connection.get_execution_options()["schema_translate_map"][None]
    name = connection.dialect.identifier_preparer.quote(schema)
    query = sql_text("SELECT pg_get_serial_sequence(:table, :column)")
    return str(connection.execute(query, {"table": f"{name}.{table.name}", "column": column.name}).scalar_one())
