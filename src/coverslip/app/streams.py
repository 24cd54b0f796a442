"""Server-sent events: of one job, and of everything that the tabs of a browser show.

FastAPI frames the events and keeps idle streams open.
"""

import asyncio
import json
import logging
import re
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import partial
from types import FrameType
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.sse import ServerSentEvent
from pydantic import Field, JsonValue

from coverslip.app.clients import client_of
from coverslip.app.guard import USER
from coverslip.app.problems import Json, add_schemas, complete_document
from coverslip.app.requests import API, from_app
from coverslip.errors import NotFound, TooManyStreams
from coverslip.stopping import ending_signals
from coverslip.workspace.changes import Changes
from coverslip.workspace.jobs.listing import JobEvents, Watching
from coverslip.workspace.jobs.records import as_text, has_ended, job_kinds

Watched = Annotated[Watching, from_app("watching")]
_SENT = "The same, as browsers send it when they reconnect."


async def _last_event(
    after: Annotated[
        int | None, Query(ge=0, lt=2**53, description="Number of the last event that the client has.")
    ] = None,
    last_event_id: Annotated[str | None, Header(description=_SENT)] = None,
) -> int:
    """Return the number of the event after which a stream resumes. Browsers send it when they reconnect."""
    is_number = last_event_id and last_event_id.isdecimal() and len(last_event_id) < 16
    return int(last_event_id) if last_event_id and is_number else after or 0


LastEvent = Annotated[int, Depends(_last_event)]

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


async def events_of(watching: Watching, job_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a job as they happen."""
    async for message in watching.follow(job_id, after):
        number = None if message.number is None else str(message.number)
        yield ServerSentEvent(event=message.kind, raw_data=message.text, id=number)


ServedChanges = Annotated[Changes, from_app("changes")]

_log = logging.getLogger("coverslip")
_MOST_WAITING = 1_000  # events of a slow client; the watchers of jobs have limits of their own
_JOB = r"([0-9a-f]{1,32})(?::([0-9]{1,15}))?"


@dataclass(frozen=True, slots=True)
class JobMessage:
    """An event of a job."""

    id: Annotated[str, Field(description="The ID of the job.")]
    event: Annotated[str, Field(description="The name of the event in the stream of the job.")]
    data: Annotated[JsonValue, Field(description="Its data, as in the stream of the job.")]
    number: Annotated[int | None, Field(description="The number of a line of the log; null for a current state.")]


@dataclass(frozen=True, slots=True)
class WorkspaceEvents:
    """The events of the workspace by name."""

    changed: Annotated[
        list[str], Field(description="The topics that have changed; at first those missed since `after`.")
    ]
    job: Annotated[JobMessage, Field(description="An event of a job that the request names.")]


async def _after(
    after: Annotated[
        str | None, Query(max_length=40, description="ID of the last `changed` event that the client has.")
    ] = None,
    last_event_id: Annotated[str | None, Header(max_length=40, description=_SENT)] = None,
) -> str | None:
    return last_event_id or after


LastChange = Annotated[str | None, Depends(_after)]
FollowedJobs = Annotated[
    list[Annotated[str, Field(pattern=f"^{_JOB}$")]],
    Query(
        max_length=50,
        description="Jobs to follow: `ID`, or `ID:N` to resume after the line N of the log.",
    ),
]


_Waiting = asyncio.Queue[ServerSentEvent | None]


async def events_of_workspace(
    changes: Changes, watching: Watching, after: str | None, jobs: Sequence[str]
) -> AsyncIterator[ServerSentEvent]:
    """Yield the changes of the workspace, and the events of the named jobs, as they happen."""
    waiting: _Waiting = asyncio.Queue(_MOST_WAITING)
    matches = [match for job in dict.fromkeys(jobs) if (match := re.fullmatch(_JOB, job))]
    tasks = [asyncio.create_task(_put_changes(waiting, changes, after))]
    tasks += [asyncio.create_task(_put_events(waiting, watching, match[1], int(match[2] or 0))) for match in matches]
    for task in tasks:
        task.add_done_callback(partial(_end_if_failed, waiting))
    try:
        while (event := await waiting.get()) is not None:
            yield event
    finally:
        for task in tasks:
            task.cancel()


def _end_if_failed(waiting: _Waiting, task: asyncio.Task[None]) -> None:
    """End the stream of a task that failed: the client reconnects. The error is logged."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a stream failed", exc_info=error)
        with suppress(asyncio.QueueFull):
            waiting.put_nowait(None)


async def _put_changes(waiting: _Waiting, changes: Changes, after: str | None) -> None:
    async for change in changes.follow(after):
        await waiting.put(ServerSentEvent(event="changed", raw_data=as_text(change.topics), id=change.number))
    await waiting.put(None)


async def _put_events(waiting: _Waiting, watching: Watching, job_id: str, after: int) -> None:
    """Put the events of a job. If they end before the job, the stream ends, and the client reconnects."""
    is_over = True
    with suppress(NotFound):
        async for message in watching.follow(job_id, after):
            data = json.loads(message.text)
            if message.kind == "state":
                is_over = has_ended(data["state"])
            text = as_text(JobMessage(job_id, message.kind, data, message.number))
            await waiting.put(ServerSentEvent(event="job", raw_data=text))
    if not is_over:
        await waiting.put(None)


EVENTS: dict[int | str, Json] = {200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}}}


def describe_events(app: FastAPI) -> None:
    """Add the events of jobs to the API document: a schema for each kind of job, with a property for each event."""
    complete_document(app, _describe_events)


def _describe_events(document: Json) -> None:
    of_kinds = (kind.events for kind in job_kinds().values() if kind.events is not None)
    for path, described in (
        (f"{API}/jobs/{{job_id}}/events", (JobEvents, *of_kinds)),
        (f"{API}/events", (WorkspaceEvents,)),
    ):
        add_schemas(document, *described)
        items = [_item(each.__name__, event.name) for each in described for event in fields(each)]
        stream = document["paths"][path]["get"]["responses"]["200"]
        stream["content"]["text/event-stream"] = {"itemSchema": {"anyOf": items}}


def _item(events: str, event: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{events}/properties/{event}"}
    data = {"contentMediaType": "application/json", "contentSchema": schema}
    return {"properties": {"event": {"const": event}, "data": data}}


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
