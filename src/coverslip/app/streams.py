"""The kinds of jobs, and their server-sent events. FastAPI frames the events and keeps idle streams open."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from types import FrameType
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query
from fastapi.sse import ServerSentEvent
from pydantic import Field

from coverslip.app.requests import from_app
from coverslip.app.schemas.system import Json, add_schemas, complete_document
from coverslip.stopping import ending_signals
from coverslip.workspace.evaluations import EvaluationEvents, EvaluationState, evaluation_events, evaluation_state
from coverslip.workspace.jobs.records import JobKind
from coverslip.workspace.jobs.runs import RunState, run_state
from coverslip.workspace.jobs.watching import NewSource, RunEvents, StateSource, TrainingSource, Watching
from coverslip.workspace.predictions.state import PredictionEvents, PredictionState, prediction_events, prediction_state
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.state import StudyEvents, StudyState, study_events, study_state

AnyState = RunState | EvaluationState | PredictionState | StudyState
JobState = Annotated[AnyState, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One kind of job.

    Args:
        state: returns the state of a job by its ID.
        source: the source of events of a job.
        events: a dataclass with a field for each event.
    """

    state: Callable[[Workspace, str], AnyState]
    source: NewSource
    events: type


JOB_KINDS: dict[JobKind, JobRecord] = {
    "train": JobRecord(run_state, TrainingSource, RunEvents),
    "evaluate": JobRecord(evaluation_state, partial(StateSource, evaluation_events), EvaluationEvents),
    "predict": JobRecord(prediction_state, partial(StateSource, prediction_events), PredictionEvents),
    "study": JobRecord(study_state, partial(StateSource, study_events), StudyEvents),
}


Watched = Annotated[Watching, from_app("watching")]


def _last_event(
    after: Annotated[
        int | None, Query(ge=0, lt=2**53, description="Number of the last event that the client has.")
    ] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> int:
    """Return the number of the event after which a stream resumes. Browsers send it when they reconnect."""
    is_number = last_event_id and last_event_id.isdecimal() and len(last_event_id) < 16
    return int(last_event_id) if last_event_id and is_number else after or 0


LastEvent = Annotated[int, Depends(_last_event)]


async def events_of(watching: Watching, job_id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of a job as they happen."""
    async for message in watching.follow(job_id, after):
        number = None if message.number is None else str(message.number)
        yield ServerSentEvent(event=message.kind, raw_data=message.text, id=number)


def events_in_document() -> dict[int | str, Json]:
    """Return the documentation of the stream of a job: its events for each kind of job, and their data."""
    items = [
        {
            "properties": {
                "event": {"const": event.name},
                "data": {
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": _reference(record, event.name)},
                },
            }
        }
        for record in JOB_KINDS.values()
        for event in fields(record.events)
    ]
    return {
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {"itemSchema": {"anyOf": items}}}}
    }


def _reference(record: JobRecord, event: str) -> str:
    return f"#/components/schemas/{record.events.__name__}/properties/{event}"


def describe_events(app: FastAPI) -> None:
    """Add the schemas of events to the API document: a schema for each kind of job, a property for each event."""
    complete_document(app, lambda document: add_schemas(document, *(record.events for record in JOB_KINDS.values())))


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
