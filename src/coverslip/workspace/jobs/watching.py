"""Watch jobs: each job has one reader for all pages of a language."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from coverslip.messages import language
from coverslip.workspace.jobs.kinds import JobSnapshot, Message, Source
from coverslip.workspace.jobs.listing import new_source
from coverslip.workspace.pulse import Pulse
from coverslip.workspace.store.workspace import Workspace

_LEAST_SECONDS = 0.3  # between two snapshots
_SECONDS_BETWEEN_CLOCKS = 2.0  # the time left changes with every snapshot
_MOST_UNREAD = 2_000  # messages that one page may lag behind
_log = logging.getLogger("coverslip")


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

    def __init__(self, source: Source, pulse: Pulse) -> None:
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
                    await beat.wait()
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
