"""List all jobs, describe their current states, and watch them: each job has one reader for all pages of a language."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from coverslip.messages import language
from coverslip.runs.log import LogLine, lasting_lines
from coverslip.runs.progress import Work
from coverslip.runtime.programs import last_output, recorded_failure
from coverslip.workspace.jobs.records import (
    ACTIVE,
    EventSource,
    Job,
    JobEvent,
    JobFacts,
    JobSnapshot,
    State,
    StateSource,
    facts_of,
    find_job,
    find_jobs,
    has_ended,
    job_kinds,
    kind_of,
    state_of,
    status_of,
)
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Pulse, Workspace

Action = Literal["stop", "finish", "resume", "remove"]
_LEAST_SECONDS, _MOST_SECONDS = 0.3, 3.0  # between two snapshots
_SECONDS_BETWEEN_CLOCKS = 2.0  # the time left changes with every snapshot
_MOST_UNREAD = 2_000  # messages that one page may lag behind
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState(JobFacts):
    """The current state of a job of any kind."""

    kind: Annotated[str, Field(description="The kind of job, such as `train` or `leakage-estimate`.")]
    name: Annotated[str, Field(description="Its own name, or that of the images or the training that it is about.")]
    progress: Annotated[Work | None, Field(description="Null if it is not running, or before the first report.")]
    dataset_ids: Annotated[list[str], Field(description="The datasets that it reads.")]
    actions: Annotated[
        list[Action],
        Field(description="Requests that are possible now. A removed job is restored only if it is lasting."),
    ]
    is_lasting: Annotated[
        bool,
        Field(
            description="Whether its files are its result, and it outlives the server. Other jobs compute what pages "
            "show: they end with the server, and the last of them are listed."
        ),
    ]
    links: Annotated[
        dict[str, str],
        Field(description="Paths below `/api/v1`: `self`, `events`, `log`, and `result`, which describes its details."),
    ]


@dataclass(frozen=True, slots=True)
class JobEvents:
    """The events of a job that computes a result on request, by name."""

    state: Annotated[JobState, Field(description="The current state: first, after each change, and last.")]


def list_jobs(
    workspace: Workspace, paging: Paging, *, kinds: Sequence[str] = (), states: Sequence[State] = ()
) -> Page[JobState]:
    """Return the jobs of these kinds and states, or of all, the newest first.

    Jobs of kinds of other versions are not listed.
    """
    jobs = find_jobs(workspace)
    removed = {job.folder for job in jobs if job.state == "removed"}  # with the jobs in their folders
    jobs = [job for job in jobs if removed.isdisjoint((job.folder, *job.folder.parents))]
    jobs = [job for job in jobs if job.kind in (kinds or job_kinds())]
    if states:
        jobs = [job for job in jobs if state_of(job, status_of(job)) in states]
    return Page([_described(workspace, job) for job in paging.of(jobs)], len(jobs))


def job_state(workspace: Workspace, job_id: str) -> JobState:
    """Return the state of a job.

    Raises:
        NotFound: there is no such job.
    """
    return _described(workspace, find_job(workspace, job_id))


def list_log_lines(workspace: Workspace, job_id: str, paging: Paging) -> Page[LogLine]:
    """Return the important events of a job, the newest first. Before them are the last lines of output if it died.

    Raises:
        NotFound: there is no such job.
    """
    job = find_job(workspace, job_id)
    lines = lasting_lines(job.run.events_file)
    if not lines or recorded_failure(job.folder):
        lines += _output_of(job, lines[-1].n if lines else 0)
    return paging.page_of(lines[::-1])


def new_source(workspace: Workspace, job_id: str) -> EventSource:
    """Return the source of the events of a job.

    Raises:
        NotFound: there is no such job.
    """
    source = kind_of(find_job(workspace, job_id)).source
    return StateSource(_events, workspace, job_id) if source is None else source(workspace, job_id)


def _events(workspace: Workspace, job_id: str) -> JobEvents:
    return JobEvents(job_state(workspace, job_id))


def _described(workspace: Workspace, job: Job) -> JobState:
    kind, status = kind_of(job), status_of(job)
    state = state_of(job, status)
    return JobState(
        **facts_of(workspace, job, status, state),
        kind=job.kind,
        progress=kind.progress(job) if state in ACTIVE else None,
        dataset_ids=job.dataset_ids,
        actions=_actions(state, can_resume_finished=kind.can_resume_finished, can_finish=kind.can_finish(job, state)),
        is_lasting=kind.outlives_server,
        links=_links(job.id, f"/{kind.collection}/{job.id}" if job.key is None else job.choices["link"]),
    )


def _actions(state: State, *, can_resume_finished: bool, can_finish: bool) -> list[Action]:
    actions: list[Action] = []
    if not has_ended(state):
        actions.append("stop")
    if can_finish:
        actions.append("finish")
    if has_ended(state) and (state != "done" or can_resume_finished):
        actions.append("resume")
    if state not in ACTIVE:
        actions.append("remove")
    return actions


def _links(job_id: str, result: str) -> dict[str, str]:
    path = f"/jobs/{job_id}"
    return {"self": path, "events": f"{path}/events", "log": f"{path}/log", "result": result}


def _output_of(job: Job, after: int) -> list[LogLine]:
    try:
        written = job.log.stat().st_mtime
    except OSError:
        return []
    lines = [line for line in last_output(job.folder) if line.strip()]
    return [LogLine(n, written, "Output", {}, line) for n, line in enumerate(lines, start=after + 1)]


@dataclass(eq=False)
class _Subscriber:
    unread: "asyncio.Queue[JobEvent | None]" = field(default_factory=lambda: asyncio.Queue(_MOST_UNREAD))
    is_lost: bool = False  # it is too far behind; it can reconnect with its last number

    def send(self, message: JobEvent | None) -> None:
        try:
            self.unread.put_nowait(message)
        except asyncio.QueueFull:
            self.is_lost = True


class _Watcher:
    """The only reader of a job."""

    def __init__(self, source: EventSource, pulse: Pulse) -> None:
        self.source, self._pulse = source, pulse
        self.subscribers: set[_Subscriber] = set()
        self.last_number, self.is_over = 0, False
        self.now: dict[str, str] = {}
        self.is_ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._last_sent = 0.0

    async def work(self) -> None:
        """Take snapshots until there are no subscribers, or the job has ended."""
        try:
            with self._pulse.followed() as beat:
                self._take(await asyncio.to_thread(self.source.snapshot), sends=False)
                self.is_ready.set()
                while not self.is_over:
                    await asyncio.sleep(_LEAST_SECONDS)
                    with suppress(TimeoutError):  # work in a terminal is not announced
                        await asyncio.wait_for(beat.wait(), _MOST_SECONDS)
                    beat.clear()
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
        changed = [JobEvent(kind, text) for kind, text in snapshot.now.items() if self._has_changed(kind, text)]
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

    def send(self, message: JobEvent | None) -> None:
        for subscriber in self.subscribers:
            subscriber.send(message)


def _first_messages(watcher: _Watcher, after: int, up_to: int, is_over: bool) -> list[JobEvent]:
    """Return the first messages to a page. For an ended job, pages request the rest, unless they reconnect."""
    now = [] if is_over else [JobEvent(kind, text) for kind, text in watcher.now.items()]
    lines = watcher.source.backlog(after, up_to) if after or not is_over else []
    return [*now, *lines]


def _without_clock(state: str) -> str:
    return re.sub(r'"seconds_left": [^,}]*', "", state)


class Watching:
    """The watchers of all jobs, by their IDs and the language of the pages."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._watchers: dict[tuple[str, str], _Watcher] = {}
        self._is_closed = False

    def close(self) -> None:
        """End all streams, because the server shuts down."""
        self._is_closed = True
        for watcher in self._watchers.values():
            watcher.send(None)

    async def follow(self, job_id: str, after: int) -> AsyncIterator[JobEvent]:
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
                yield JobEvent("state", watcher.now["state"])
        finally:
            watcher.subscribers.discard(subscriber)

    async def _watcher(self, job_id: str) -> _Watcher:
        key = (job_id, language())
        watcher = self._watchers.get(key)
        if watcher is None or watcher.is_over:
            source = await asyncio.to_thread(new_source, self._workspace, job_id)
            watcher = self._watchers.get(key)  # another page may have created it meanwhile
            if watcher is None or watcher.is_over:
                watcher = _Watcher(source, self._workspace.pulse)
                self._watchers[key] = watcher
                watcher.task = asyncio.create_task(watcher.work())  # in the language of this page
                watcher.task.add_done_callback(lambda _: self._remove(key, watcher))
        await watcher.is_ready.wait()
        return watcher

    def _remove(self, key: tuple[str, str], watcher: _Watcher) -> None:
        if self._watchers.get(key) is watcher:
            del self._watchers[key]
