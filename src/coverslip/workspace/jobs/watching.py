"""Following jobs as they go on: one reader for each, however many pages watch it."""

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Protocol

from coverslip.errors import NotFound
from coverslip.workspace.jobs.progress import LogTail
from coverslip.workspace.jobs.records import find_job, waiting
from coverslip.workspace.jobs.runs import RunState, new_tail, state_of_run
from coverslip.workspace.jobs.state import ACTIVE
from coverslip.workspace.predictions.predicted import rows_after
from coverslip.workspace.predictions.state import PredictionState, state_of_prediction
from coverslip.workspace.store.home import Workspace

_SECONDS_BETWEEN_LOOKS = 0.5
_HEARTBEAT_SECONDS = 15.0
_SECONDS_BETWEEN_CLOCKS = 2.0  # the time that is left changes with every look
_MOST_UNREAD = 2_000  # messages that one page may lag behind
_ROWS_AT_ONCE = 200
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell those who watch. `number` grows within a job; None: it is about now."""

    kind: str  # state, log, rows; heartbeat
    text: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What is new since the last look."""

    state: str | None  # JSON; None where the job was removed
    is_over: bool
    messages: list[Message]


class Source(Protocol):
    """A job to look at; its methods block."""

    def look(self) -> Look: ...

    def backlog(self, after: int, up_to: int) -> list[Message]: ...


def _as_text(state: RunState | PredictionState) -> str:
    return json.dumps(asdict(state), allow_nan=False)


class _Training:
    """A run's state, and the lines of its log."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id
        self._tail = new_tail(find_job(workspace, job_id, "train"))

    def look(self) -> Look:
        try:
            job = find_job(self._workspace, self._id, "train")
        except NotFound:
            return Look(None, True, [])
        state = state_of_run(job, waiting(self._workspace, "train"), self._tail.story)
        lines = self._tail.refresh()  # after the state: what a process wrote before it ended is not missed
        if lines:
            state = state_of_run(job, waiting(self._workspace, "train"), self._tail.story)
            lines += self._tail.refresh()
        is_over = state.state not in ACTIVE and state.state != "queued"
        return Look(_as_text(state), is_over, [Message("log", line, n) for n, line in lines])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        if after >= up_to:
            return []
        tail = LogTail(find_job(self._workspace, self._id, "train").folder / "events.jsonl")
        return [Message("log", line, n) for n, line in tail.refresh() if after < n <= up_to]


class _Predicting:
    """A prediction's state, and its rows."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id, self._n_seen = workspace, job_id, 0

    def look(self) -> Look:
        try:
            job = find_job(self._workspace, self._id, "predict")
        except NotFound:
            return Look(None, True, [])
        state = state_of_prediction(self._workspace, job)
        messages = self._batches(self._n_seen, state.n_done)
        self._n_seen = max(self._n_seen, state.n_done)
        return Look(_as_text(state), state.state not in ACTIVE and state.state != "queued", messages)

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return self._batches(after, up_to)

    def _batches(self, after: int, up_to: int) -> list[Message]:
        job = find_job(self._workspace, self._id, "predict")
        messages = []
        for start in range(after, up_to, _ROWS_AT_ONCE):
            end = min(start + _ROWS_AT_ONCE, up_to)
            items = [asdict(row) for row in rows_after(self._workspace, job, start, end)]
            messages.append(Message("rows", json.dumps({"items": items}, allow_nan=False), end))
        return messages


@dataclass(eq=False)
class _Subscriber:
    unread: "asyncio.Queue[Message | None]" = field(default_factory=lambda: asyncio.Queue(_MOST_UNREAD))
    is_lost: bool = False  # it lagged too far behind; it may come back and say where it was

    def tell(self, message: Message | None) -> None:
        try:
            self.unread.put_nowait(message)
        except asyncio.QueueFull:
            self.is_lost = True


class _Watcher:
    """The one reader of a job."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.subscribers: set[_Subscriber] = set()
        self.last_number, self.state, self.is_over = 0, "", False
        self.is_ready = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._told = 0.0

    async def work(self) -> None:
        """Look until nobody watches any more, or nothing more will come."""
        try:
            self._take(await asyncio.to_thread(self.source.look), tell=False)
            self.is_ready.set()
            while not self.is_over:
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
                if not self.subscribers:
                    return
                self._take(await asyncio.to_thread(self.source.look), tell=True)
        except Exception:  # noqa: BLE001  pages reconnect by themselves; the log says why they had to
            _log.exception("a job could not be watched")
        finally:
            self.is_over = True
            self.is_ready.set()
            self.tell(None)

    def _take(self, look: Look, *, tell: bool) -> None:
        self.is_over = look.is_over
        for message in look.messages:
            self.last_number = message.number or self.last_number
            if tell:
                self.tell(message)
        if look.state is None or look.state == self.state:
            return
        is_news = _without_clock(look.state) != _without_clock(self.state)
        self.state = look.state
        if is_news or time.monotonic() - self._told > _SECONDS_BETWEEN_CLOCKS:
            self._told = time.monotonic()
            if tell:
                self.tell(Message("state", look.state))

    def tell(self, message: Message | None) -> None:
        for subscriber in self.subscribers:
            subscriber.tell(message)


def _without_clock(state: str) -> str:
    return re.sub(r'"seconds_left": [^,}]*', "", state)


class Watching:
    """Who watches which job."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._watchers: dict[str, _Watcher] = {}
        self._is_closed = False

    def close(self) -> None:
        """End all streams at once: the server shuts down."""
        self._is_closed = True
        for watcher in self._watchers.values():
            watcher.tell(None)

    async def follow(self, job_id: str, after: int) -> AsyncIterator[Message]:
        """The state, what came after that number, then all that is new; the state again at the end.

        Raises:
            NotFound: there is no such training or prediction.
        """
        watcher = await self._watcher(job_id)
        subscriber = _Subscriber()
        watcher.subscribers.add(subscriber)  # from here on nothing is missed, up to here it is read from the file
        up_to, is_over = watcher.last_number, watcher.is_over
        try:
            if not watcher.state:  # it could not be looked at
                return
            yield Message("state", watcher.state)
            for message in await asyncio.to_thread(watcher.source.backlog, after, up_to):
                yield message
            while not (is_over or self._is_closed):
                if subscriber.is_lost and subscriber.unread.empty():
                    return
                try:
                    new = await asyncio.wait_for(subscriber.unread.get(), _HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield Message("heartbeat", "")
                    continue
                if new is None:
                    break
                if new.number is None or new.number > after:
                    yield new
            if not self._is_closed:
                yield Message("state", watcher.state)
        finally:
            watcher.subscribers.discard(subscriber)

    async def _watcher(self, job_id: str) -> _Watcher:
        watcher = self._watchers.get(job_id)
        if watcher is None or watcher.is_over:
            source = await asyncio.to_thread(self._source, job_id)
            watcher = self._watchers.get(job_id)  # another page may have come while we looked
            if watcher is None or watcher.is_over:
                watcher = _Watcher(source)
                self._watchers[job_id] = watcher
                watcher.task = asyncio.create_task(watcher.work())
                watcher.task.add_done_callback(lambda _: self._forget(job_id, watcher))
        await watcher.is_ready.wait()
        return watcher

    def _forget(self, job_id: str, watcher: _Watcher) -> None:
        if self._watchers.get(job_id) is watcher:
            del self._watchers[job_id]

    def _source(self, job_id: str) -> Source:
        job = find_job(self._workspace, job_id, "train", "predict")
        return _Training(self._workspace, job_id) if job.kind == "train" else _Predicting(self._workspace, job_id)
