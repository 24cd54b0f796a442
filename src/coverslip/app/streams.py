"""Server-sent events of jobs, as FastAPI frames them, which also keeps a silent stream open."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from types import FrameType
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.sse import ServerSentEvent

from coverslip.app.document import Json, add_schemas, complete_document
from coverslip.stopping import ending_signals
from coverslip.workspace.job_kinds import JOB_KINDS, JobRecord
from coverslip.workspace.jobs.watching import Watching


def _watching(request: Request) -> Watching:
    """The server's own."""
    watching: Watching = request.app.state.watching
    return watching


Watched = Annotated[Watching, Depends(_watching)]


def _last_known(
    after: Annotated[int | None, Query(ge=0, lt=2**53, description="Number of the last event that is known.")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> int:
    """Where a stream goes on: a browser that lost it says by itself which event it had last."""
    is_number = last_event_id and last_event_id.isdecimal() and len(last_event_id) < 16
    return int(last_event_id) if last_event_id and is_number else after or 0


LastKnown = Annotated[int, Depends(_last_known)]


async def events_of(watching: Watching, job_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    """What is new about a job, as it happens."""
    async for message in watching.follow(job_id, after):
        number = None if message.number is None else str(message.number)
        yield ServerSentEvent(event=message.kind, raw_data=message.text, id=number)


def events_in_document() -> dict[int | str, Json]:
    """What the API document says of the stream of a job: its events by kind of job, and what each carries."""
    items = [
        {
            "properties": {
                "event": {"const": event.name},
                "data": {"contentMediaType": "application/json", "contentSchema": {"$ref": _place(record, event.name)}},
            }
        }
        for record in JOB_KINDS.values()
        for event in fields(record.events)
    ]
    return {
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"itemSchema": {"anyOf": items}}}}
    }


def _place(record: JobRecord, event: str) -> str:
    return f"#/components/schemas/{record.events.__name__}/properties/{event}"


def describe_events(app: FastAPI) -> None:
    """Let the API document describe what streams carry: a schema for each kind of job, a property for each event."""
    complete_document(app, lambda document: add_schemas(document, *(record.events for record in JOB_KINDS.values())))


@contextmanager
def ended_by_signals(*ends: Callable[[], object]) -> Iterator[None]:
    """Call `ends` as soon as the server is asked to end: it waits for open answers, and some would take for ever.

    They are called in the thread of the server's loop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in ending_signals()}

    def heed(number: int, frame: FrameType | None) -> None:
        for end in ends:
            loop.call_soon_threadsafe(end)
        known = signal.SIGINT if number == signal.SIGINT else signal.SIGTERM  # uvicorn lets SIGHUP kill it
        handler = before[known]
        if callable(handler):
            handler(known, frame)

    for number in before:
        signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
