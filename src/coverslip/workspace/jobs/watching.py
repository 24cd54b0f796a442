"""Watch jobs: each job has one reader, for any number of pages."""

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Protocol

from pydantic import Field
from pydantic_core import to_jsonable_python

from coverslip.errors import NotFound
from coverslip.runs.log import LogLine, LogReader, Training, lasting_lines
from coverslip.workspace.jobs.records import JobKind, find_job, queued_ids
from coverslip.workspace.jobs.runs import RunState, state_of_run
from coverslip.workspace.jobs.state import folded_log, has_ended
from coverslip.workspace.store.workspace import Workspace

_SECONDS_BETWEEN_SNAPSHOTS = 0.5
_SECONDS_BETWEEN_CLOCKS = 2.0  # the time left changes with every snapshot
_MOST_UNREAD = 2_000  # messages that one page may lag behind
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class Message:
    """An event of a job. `number` increases within a job; None: it describes the current state."""

    kind: str  # state, trainings, log, rows
    text: str  # JSON
    number: int | None = None


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """The current state of a job, and what is new since the last snapshot."""

    now: dict[str, str]  # JSON by kind of message, the state first; empty if the job was removed
    is_over: bool
    lines: list[Message]


class Source(Protocol):
    """The source of events of a job; its methods block."""

    def snapshot(self) -> JobSnapshot: ...

    def backlog(self, after: int, up_to: int) -> list[Message]: ...


NewSource = Callable[[Workspace, str], Source]  # the argument is the ID of a job


def as_text(content: object) -> str:
    """Return dataclasses, also in lists, as JSON."""
    return json.dumps(to_jsonable_python(content), allow_nan=False)


@dataclass(eq=False)
class _Subscriber:
    unread: "asyncio.Queue[Message | None]" = field(default_factory=lambda: asyncio.Queue(_MOST_UNREAD))
    is_lost: bool = False  # it is too far behind; it can reconnect with its last number

    def send(self, message: Message | None) -> None:
        try:
            self.unread.put_nowait(message)
        except asyncio.QueueFull:
            self.is_lost = True


class _Watcher:
    """The only reader of a job."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.subscribers: set[_Subscriber] = set()
        self.last_number, self.is_over = 0, False
        self.now: dict[str, str] = {}
        self.is_ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._last_sent = 0.0

    async def work(self) -> None:
        """Take snapshots until there are no subscribers, or the job has ended."""
        try:
            self._take(await asyncio.to_thread(self.source.snapshot), sends=False)
            self.is_ready.set()
            while not self.is_over:
                await asyncio.sleep(_SECONDS_BETWEEN_SNAPSHOTS)
                if not self.subscribers:
                    return
                self._take(await asyncio.to_thread(self.source.snapshot), sends=True)
        except Exception:  # noqa: BLE001  pages reconnect automatically; the error is logged
            _log.exception("a job could not be watched")
        finally:
            self.is_over = True
            self.is_ready.set()
            self.send(None)

    def _take(self, snapshot: JobSnapshot, *, sends: bool) -> None:
        self.is_over = snapshot.is_over
        for line in snapshot.lines:
            self.last_number = line.number or self.last_number
        changed = [Message(kind, text) for kind, text in snapshot.now.items() if self._has_changed(kind, text)]
        self.now = snapshot.now or self.now
        if any(message.kind == "state" for message in changed):
            self._last_sent = time.monotonic()
        if sends:
            for message in (*snapshot.lines, *changed):
                self.send(message)

    def _has_changed(self, kind: str, text: str) -> bool:
        earlier = self.now.get(kind, "")
        if _without_clock(text) != _without_clock(earlier):
            return True
        return text != earlier and time.monotonic() - self._last_sent > _SECONDS_BETWEEN_CLOCKS

    def send(self, message: Message | None) -> None:
        for subscriber in self.subscribers:
            subscriber.send(message)


def _first_messages(watcher: _Watcher, after: int, up_to: int, is_over: bool) -> list[Message]:
    """Return the first messages to a page. For an ended job, pages request the rest, unless they reconnect."""
    now = [] if is_over else [Message(kind, text) for kind, text in watcher.now.items()]
    lines = watcher.source.backlog(after, up_to) if after or not is_over else []
    return [*now, *lines]


def _without_clock(state: str) -> str:
    return re.sub(r'"seconds_left": [^,}]*', "", state)


class Watching:
    """The watchers of all jobs."""

    def __init__(self, workspace: Workspace, sources: Mapping[JobKind, NewSource]) -> None:
        """`sources` contains the source of events for every kind of job."""
        self._workspace, self._sources = workspace, sources
        self._watchers: dict[str, _Watcher] = {}
        self._is_closed = False

    def close(self) -> None:
        """End all streams, because the server shuts down."""
        self._is_closed = True
        for watcher in self._watchers.values():
            watcher.send(None)

    async def follow(self, job_id: str, after: int) -> AsyncIterator[Message]:
        """Yield the state, the messages after that number, then new messages, and the state at the end.

        If the job had already ended: the messages that a reconnecting page missed, and the last state.

        Raises:
            NotFound: there is no job with this ID.
        """
        watcher = await self._watcher(job_id)
        subscriber = _Subscriber()
        # Later messages arrive by the subscription, earlier messages are read from the file.
        watcher.subscribers.add(subscriber)
        up_to, is_over = watcher.last_number, watcher.is_over
        try:
            if not watcher.now:  # the first snapshot failed
                return
            for message in await asyncio.to_thread(_first_messages, watcher, after, up_to, is_over):
                yield message
            while not (is_over or self._is_closed):
                if subscriber.is_lost and subscriber.unread.empty():
                    return
                new = await subscriber.unread.get()
                if new is None:
                    break
                if new.number is None or new.number > after:
                    yield new
            if not self._is_closed:
                yield Message("state", watcher.now["state"])
        finally:
            watcher.subscribers.discard(subscriber)

    async def _watcher(self, job_id: str) -> _Watcher:
        watcher = self._watchers.get(job_id)
        if watcher is None or watcher.is_over:
            source = await asyncio.to_thread(self._source, job_id)
            watcher = self._watchers.get(job_id)  # another page may have created it meanwhile
            if watcher is None or watcher.is_over:
                watcher = _Watcher(source)
                self._watchers[job_id] = watcher
                watcher.task = asyncio.create_task(watcher.work())
                watcher.task.add_done_callback(lambda _: self._remove(job_id, watcher))
        await watcher.is_ready.wait()
        return watcher

    def _remove(self, job_id: str, watcher: _Watcher) -> None:
        if self._watchers.get(job_id) is watcher:
            del self._watchers[job_id]

    def _source(self, job_id: str) -> Source:
        job = find_job(self._workspace, job_id)
        return self._sources[job.kind](self._workspace, job_id)


@dataclass(frozen=True, slots=True)
class RunEvents:
    """The events of a training by name."""

    state: Annotated[RunState, Field(description="The current state: first, after each change, and last.")]
    trainings: Annotated[tuple[Training, ...], Field(description="The curves so far.")]
    log: Annotated[LogLine, Field(description="An important line; its number is the ID of the event.")]


class TrainingSource:
    """The source of the events of a training: state, curves, and important lines of the log."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id
        self._log = find_job(workspace, job_id, "train").run.events_file
        self._reader = LogReader(self._log)
        self._last_sent: tuple[tuple[Training, ...], str] = ((), "[]")

    def snapshot(self) -> JobSnapshot:
        try:
            job = find_job(self._workspace, self._id, "train")
        except NotFound:
            return JobSnapshot({}, True, [])
        state = state_of_run(job, queued_ids(self._workspace, "train"))
        # Read after the state, so that the last lines before the end are included.
        trainings = folded_log(job).progress.trainings
        self._reader.was_replaced()
        lines = [_as_message(line) for line in self._reader.new_lines() if line.is_lasting]
        now = {"state": as_text(state), "trainings": self._trainings_as_text(trainings)}
        return JobSnapshot(now, has_ended(state.state), lines)

    def _trainings_as_text(self, trainings: tuple[Training, ...]) -> str:
        if trainings is not self._last_sent[0]:  # they change after epochs, not after steps
            self._last_sent = (trainings, as_text(trainings))
        return self._last_sent[1]

    def backlog(self, after: int, up_to: int) -> list[Message]:
        if after >= up_to:
            return []
        return [_as_message(line) for line in lasting_lines(self._log) if after < line.n <= up_to]


def _as_message(line: LogLine) -> Message:
    return Message("log", as_text(line), line.n)


class StateSource:
    """The source of the events of a job without a log.

    Args:
        read: returns the current events of the job as a dataclass, whose first field is its state.
        workspace: the workspace of the job.
        job_id: the job.
    """

    def __init__(self, read: Callable[[Workspace, str], Any], workspace: Workspace, job_id: str) -> None:  # Any: events
        self._read, self._workspace, self._id = read, workspace, job_id

    def snapshot(self) -> JobSnapshot:
        try:
            events = self._read(self._workspace, self._id)
        except NotFound:
            return JobSnapshot({}, True, [])
        now = {each.name: as_text(getattr(events, each.name)) for each in fields(events)}
        return JobSnapshot(now, has_ended(events.state.state), [])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return []
