"""The number of event streams, and their end when the server ends."""

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from fastapi import Request

from coverslip.app.clients import client_of
from coverslip.app.guard import USER
from coverslip.errors import TooManyStreams
from coverslip.stopping import ending_signals

MOST_STREAMS_OF_USER = 20  # all tabs of a browser share one
MOST_STREAMS_OF_ADDRESS = 200  # which many users can share; fewer than the connections of the server (`guard`)
_RETRY_SECONDS = 10
_open_streams = Counter[tuple[str, str]]()  # of this process, by user and by address


async def count_stream(request: Request) -> AsyncIterator[None]:
    """Count a stream until its response ends. Streams use connections, which all clients share.

    Raises:
        TooManyStreams: the user or the address of the request has as many as it may.
    """
    user = request.scope.get(USER)
    address = "" if request.client is None else client_of(request.client.host)
    limits = {("address", address): MOST_STREAMS_OF_ADDRESS}
    if user is not None:
        limits = {("user", user.id): MOST_STREAMS_OF_USER, **limits}
    for key, most in limits.items():
        if _open_streams[key] >= most:
            raise TooManyStreams("too-many-streams", of=key[0], n=most, seconds=_RETRY_SECONDS)
    _open_streams.update(limits.keys())
    try:
        yield
    finally:
        for key in limits:
            _open_streams[key] -= 1
            if not _open_streams[key]:
                del _open_streams[key]


@contextmanager
def ended_by_signals(*ends: Callable[[], object]) -> Iterator[None]:
    """Call `ends` on a signal to end: the server waits for open responses, and event streams would never end.

    They are called in the thread of the server's event loop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in ending_signals()}

    def handle(number: int, frame: FrameType | None) -> None:
        for end in ends:
            loop.call_soon_threadsafe(end)
        handled = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM  # uvicorn lets SIGHUP kill it
        handler = before[handled]
        if callable(handler):
            handler(handled, frame)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
