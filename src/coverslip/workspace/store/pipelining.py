"""Connections to PostgreSQL that wait once for each query.

pg8000 sends a query in parts, of which each has a response, and waits for the start and the end of each transaction.
Each time, the thread hands over to the others of the server, which takes far longer than the query if they are busy.
"""

import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from pg8000 import core, dbapi

_SHORT = 10_000  # characters; insertions of many rows are longer, and hardly repeated
_START = "begin transaction"  # as pg8000 states it


class PipelinedConnection(dbapi.Connection):  # type: ignore[misc]  # pg8000 has no types
    """A connection of pg8000 that sends each query in one piece, with the statements that start its transaction."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # Any: as for pg8000
        self._unread: list[core.Context] = []  # of statements whose responses were not waited for
        self._is_started = False  # whether a transaction is open after these statements
        super().__init__(*arguments, **options)

    @property
    def _in_transaction(self) -> bool:
        return self._is_started if self._unread else bool(super()._in_transaction)

    def cursor(self) -> "_Cursor":
        return _Cursor(self)

    def execute_simple(self, statement: str) -> core.Context:
        """Send a statement without parameters, and wait for its response unless it starts a transaction."""
        if statement.startswith((_START, "SET TRANSACTION ")):
            return self._send(statement, is_started=True)
        context = core.Context(statement)
        self.send_QUERY(statement)
        self.settle(context)
        return context

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: object = None
    ) -> core.Context:
        """Send a statement with parameters, and wait for its result."""
        if stream is not None:
            self.settle()
            return super().execute_unnamed(statement, vals=vals, oids=oids, stream=stream)
        if self._sock is None:
            raise core.InterfaceError("connection is closed")
        # pg8000 would ask for a response to each part. Everything is encoded before anything is sent: a part alone
        # would leave the server waiting for the rest.
        parse = b"".join((core.NULL_BYTE, self._encoded(statement), core.NULL_BYTE, core.H_pack(len(oids))))
        parse += b"".join(core.i_pack(max(oid, 0)) for oid in oids)  # 0: to be inferred
        values = core.make_params(self.py_types, vals)
        bind = [2 * core.NULL_BYTE, core.H_pack(0), core.H_pack(len(values))]
        for value in values:
            encoded = None if value is None else self._encoded(value)
            bind += [core.i_pack(-1)] if encoded is None else [core.i_pack(len(encoded)), encoded]
        bind.append(core.H_pack(0))
        messages = ((core.PARSE, parse), (core.BIND, b"".join(bind)), (core.DESCRIBE, core.PORTAL + core.NULL_BYTE))
        sent = b"".join(core._create_message(code, data) for code, data in messages)
        core._write(self._sock, sent + core.EXECUTE_MSG + core.SYNC_MSG)
        context = core.Context(statement)
        self.settle(context)
        return context

    def rollback(self) -> None:
        """End the transaction without waiting."""
        if self._in_transaction:
            self._send("rollback", is_started=False)
            core._flush(self._sock)

    def _send(self, statement: str, *, is_started: bool) -> core.Context:
        self.send_QUERY(statement)
        self._unread.append(context := core.Context(statement))
        self._is_started = is_started
        return context

    def _encoded(self, value: str) -> bytes:
        return value.encode(self._client_encoding)

    def settle(self, *contexts: core.Context) -> None:
        """Send what is still to be sent, and read all responses: those that were not waited for first.

        Raises:
            dbapi.Error: the first of the errors that the server responded with.
        """
        core._flush(self._sock)
        errors: list[dbapi.Error] = []
        unread, self._unread = [*self._unread, *contexts], []
        for context in unread:
            try:
                self.handle_messages(context)
            except BaseException as error:
                if error is not context.error:  # the rest of the response is unread: no further query may read it
                    with suppress(OSError):
                        self._usock.shutdown(socket.SHUT_RDWR)
                    raise
                errors.append(error)
        if errors:
            raise errors[0]


class _Cursor(dbapi.Cursor):  # type: ignore[misc]
    _input_oids: Sequence[int]  # of the parameters

    def execute(self, operation: str, args: Sequence[Any] = (), stream: object = None) -> None:
        if not args or stream is not None:
            super().execute(operation, args, stream)
            return
        if not self._c._in_transaction and not self._c.autocommit:
            self._c.execute_simple(_START)
        self._context = self._c.execute_unnamed(_numbered(operation), vals=args, oids=self._input_oids)
        self._row_iter = None if self._context.rows is None else iter(self._context.rows)
        self._input_oids = ()


def _numbered(operation: str) -> str:
    """Return a statement whose parameters are numbered. pg8000 searches its characters one by one."""
    return _short_numbered(operation) if len(operation) < _SHORT else _search(operation)


def _search(operation: str) -> str:
    statement, _ = dbapi.convert_paramstyle(dbapi.paramstyle, operation, ())
    return str(statement)


_short_numbered = lru_cache(maxsize=1_000)(_search)
