"""Connections to the server: how many, and the time limit for a request.

uvicorn waits for ever for a request that was begun. A few hundred such connections, of one program on the same
computer, would take all that the process may open, before any token is asked for.
"""

import asyncio
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 512  # open at the same time; a browser opens six
BACKLOG = 128  # that are taken in one turn of the loop, before any of them can be refused
REQUEST_SECONDS = 10.0  # from the connection, or the last answer, to the end of a request's header
BODY_SECONDS = 60.0  # in which more of a body must come
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """Close connections with incomplete requests."""

    _since = 0.0  # when it was opened or got its last answer
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_idle:
            self._await_body()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which may begin the next request, where several were sent at once
        if self._is_idle:
            self._await_request()
        else:
            self._await_body()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_after(None)
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Whether it has no answer to get; the rest of a body that was refused counts for nothing."""
        return self.cycle is None or self.cycle.response_complete

    def _await_request(self) -> None:
        self._since = time.monotonic()
        self._end_after(REQUEST_SECONDS)

    def _await_body(self) -> None:
        self._end_after(BODY_SECONDS if self.cycle.more_body else None)

    def _end_after(self, seconds: float | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = None if seconds is None else self.loop.call_later(seconds, self._on_timeout)

    def _on_timeout(self) -> None:
        if not self._is_idle and self.flow.read_paused:  # it is the server that takes long
            self._await_body()
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        """Where there are too many, end the one that has waited longest without a request, else this one."""
        open_connections = [
            each for each in self.connections if isinstance(each, Connection) and not each.transport.is_closing()
        ]
        if len(open_connections) <= MAX_CONNECTIONS:
            return
        # First those that have asked for nothing yet.
        idle = [each for each in open_connections if each is not self and each._is_idle]  # of the same class
        if idle:
            min(idle, key=lambda each: (each.cycle is not None, each._since)).transport.abort()
        else:
            self.transport.write(_FULL)
            self.transport.close()
