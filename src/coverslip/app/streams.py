"""Server-sent events of jobs, as FastAPI frames them; it also says now and then that the stream is still there."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.sse import ServerSentEvent

from coverslip.workspace.jobs.watching import Watching

Json = dict[str, Any]  # Any: JSON values


def watching_of(request: Request) -> Watching:
    """The server's own."""
    watching: Watching = request.app.state.watching
    return watching


Watched = Annotated[Watching, Depends(watching_of)]


def last_known(
    after: Annotated[int | None, Query(ge=0, lt=2**53, description="Number of the last event that is known.")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> int:
    """Where a stream goes on: a browser that lost it says by itself which event it had last."""
    is_number = last_event_id and last_event_id.isdecimal() and len(last_event_id) < 16
    return int(last_event_id) if last_event_id and is_number else after or 0


LastKnown = Annotated[int, Depends(last_known)]


async def told(watching: Watching, job_id: str, after: int = 0) -> AsyncIterator[ServerSentEvent]:
    """Everything that is new about a job that there is, as it happens."""
    async for message in watching.follow(job_id, after):
        number = None if message.number is None else str(message.number)
        yield ServerSentEvent(event=message.kind, raw_data=message.text, id=number)


def events_in_document(**kinds: str | Json) -> dict[int | str, Json]:
    """What the API document says of a stream: its kinds of events, and what each carries.

    That is a schema, or the name of one that stands in the document; `[NAME]` is a list of it.
    """
    items = [
        {
            "properties": {
                "event": {"const": kind},
                "data": {"contentMediaType": "application/json", "contentSchema": _schema(carried)},
            }
        }
        for kind, carried in kinds.items()
    ]
    return {
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"itemSchema": {"oneOf": items}}}}
    }


def _schema(carried: str | Json) -> Json:
    if not isinstance(carried, str):
        return carried
    if carried.startswith("["):
        return {"type": "array", "items": _schema(carried.strip("[]"))}
    return {"$ref": f"#/components/schemas/{carried}"}


@contextmanager
def ended_by_signals(watching: Watching) -> Iterator[None]:
    """End streams as soon as the server is asked to end: it waits for open answers, and these would never end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def heed(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(watching.close)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
