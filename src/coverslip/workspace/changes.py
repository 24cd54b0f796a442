"""What has changed in the workspace: one watcher for all pages, which then request what they show.

Progress changes often, so the watcher also reads the jobs that pages follow, once for all of them, and sends the
changed values.

Topics name what has changed:

- `jobs/ID`, and the kind of the job, such as `train`: its state or progress;
- `datasets/ID` and `datasets`: its name, labels, groups, state or progress, or folders that are missing;
- `colors/ID`: the colors of the images of a dataset;
- `activity`: a job or a dataset was added or removed, or its state has changed;
- `*`: anything, because the watcher does not know what a client has missed.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import func, select

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import NotFound
from coverslip.messages import in_language, language
from coverslip.runs.folder import Run
from coverslip.workspace.datasets.reading_images import SourceWatch, duplicates_thread_of, thread_of
from coverslip.workspace.jobs.listing import story_of
from coverslip.workspace.jobs.records import has_ended
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.tables import datasets, image_colors, images, jobs
from coverslip.workspace.store.workspace import Workspace

EVERYTHING = "*"
ACTIVITY = "activity"
_LEAST_SECONDS = 0.5  # between two checks: many changes at once need one
_MOST_SECONDS = 3.0  # between two checks while a job is followed: work in a terminal is not announced
_MOST_REMEMBERED = 500  # changes, for clients that reconnect
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class Changed(DocumentedFields):
    """What has changed since the last message."""

    number: str
    """Send it as `after` to receive what has changed since this message."""
    topics: list[str]
    """The topics that changed; at first those missed since `after`."""
    jobs: dict[str, dict[str, Any]]  # Any: the values of fields
    """The changed fields of the followed jobs, by ID; at first all fields. They are those of the `result` of a
    training, evaluation, prediction or study, and of other jobs those of `/jobs/ID`."""


_FollowedJob = tuple[str, str]  # ID and language
_Story = dict[str, Any]  # Any: the values of its fields


@dataclass(frozen=True, slots=True)
class _Item:
    """What is watched of a job or dataset."""

    group: str | None  # the topic that it shares with others
    state: str | None  # None: it does not count as activity
    version: tuple[object, ...]


class Changes:
    """The only watcher of the tables, and the running jobs. It checks them while anybody follows."""

    def __init__(self, workspace: Workspace, sources: SourceWatch) -> None:
        self._workspace, self._sources = workspace, sources
        self._items: dict[str, _Item] | None = None
        self._began, self._n = int(time.time() * 1000), 0
        self._recent: deque[tuple[int, list[str]]] = deque(maxlen=_MOST_REMEMBERED)
        self._news: asyncio.Condition | None = None
        self._task: asyncio.Task[None] | None = None
        self._n_followers, self._is_closed = 0, False
        self._followed = Counter[_FollowedJob]()
        self._stories: dict[_FollowedJob, _Story] = {}
        self._unread, self._read_at = set[str](), 0.0  # topics of jobs to read; when the last reading began

    def close(self) -> None:
        """End all streams, because the server shuts down."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()

    async def follow(self, after: str | None, job_ids: Collection[str] = ()) -> AsyncGenerator[Changed]:
        """Yield what has changed since the number `after`, then every change. Without it, begin with no topic.

        If the changes since then are not known any more, the topic is `*`. Jobs are those whose values are sent too.
        """
        if self._is_closed:
            return
        self._n_followers += 1
        followed = [(job_id, language()) for job_id in set(job_ids)]
        self._followed.update(followed)
        self._unread.update(f"jobs/{job_id}" for job_id in job_ids)  # a job that a terminal resumes has no topic
        joined = time.monotonic()
        try:
            news = await self._watch()
            n, topics = self._n, [] if after is None else self._since(after)
            sent: dict[_FollowedJob, _Story] = {key: {} for key in followed}
            while not self._is_closed:
                stories = self._stories_of(followed, joined)
                jobs = {key[0]: new for key in followed if (new := _new_values(sent[key], stories[key]))}
                sent = stories
                yield Changed(self._number(n), topics, jobs)
                await self._wait(news, n, sent, joined)
                topics, n = self._after(n), self._n
        finally:
            self._n_followers -= 1
            self._sources.is_watched = self._n_followers > 0
            self._followed.subtract(followed)
            self._followed += Counter()  # without those that nobody follows

    async def _wait(self, news: asyncio.Condition, n: int, sent: dict[_FollowedJob, _Story], joined: float) -> None:
        async with news:
            await news.wait_for(lambda: self._is_closed or self._n > n or self._stories_of(sent, joined) != sent)

    def _stories_of(self, followed: Collection[_FollowedJob], joined: float) -> dict[_FollowedJob, _Story]:
        """Return the jobs if they were read after a follower joined: earlier values may be wrong."""
        return {key: self._stories.get(key, {}) if self._read_at > joined else {} for key in followed}

    async def _watch(self) -> asyncio.Condition:
        """Start the watcher, unless it is running; return its condition after it has checked once."""
        self._sources.is_watched = True
        self._workspace.pulse.announce()  # a new job is followed
        if self._news is None or self._task is None:
            self._news = asyncio.Condition()
            self._task = asyncio.create_task(self._work(self._news))
        news = self._news
        if self._items is None:
            async with news:
                await news.wait_for(lambda: self._is_closed or self._items is not None)
        return news

    async def _work(self, news: asyncio.Condition) -> None:
        checked = asyncio.Event()
        reading = asyncio.create_task(self._read(news, checked))
        try:
            with self._workspace.pulse.followed() as beat:
                while self._n_followers and not self._is_closed:
                    beat.clear()
                    if not await self._check():
                        beat.set()  # nothing else may change soon
                    checked.set()
                    async with news:
                        news.notify_all()
                    await asyncio.sleep(_LEAST_SECONDS)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(beat.wait(), _MOST_SECONDS if self._followed else None)
        finally:
            reading.cancel()
            self._task = None  # before anything is awaited: whoever follows from now on starts another
            async with news:
                news.notify_all()

    async def _check(self) -> bool:
        """Find what has changed; return whether this succeeded."""
        try:
            items = dict(await asyncio.to_thread(lambda: list(_items(self._workspace))))
        except Exception:  # noqa: BLE001  the next check may succeed; the error is logged
            _log.exception("changes could not be watched")
            return False
        earlier, self._items = self._items, items
        topics = [] if earlier is None else _changed(earlier, items)
        if topics:
            self._n += 1
            self._recent.append((self._n, topics))
            self._unread.update(topics)
        return True

    async def _read(self, news: asyncio.Condition, checked: asyncio.Event) -> None:
        """Read the followed jobs after each check, but let no check wait for a slow one."""
        while True:
            await checked.wait()
            checked.clear()
            began = time.monotonic()
            changing = [key for key in self._followed if self._may_change(key) or f"jobs/{key[0]}" in self._unread]
            self._unread.clear()
            stories = self._stories | await asyncio.to_thread(_read_stories, self._workspace, changing)
            self._stories = {key: stories[key] for key in self._followed if key in stories}
            self._read_at = began
            async with news:
                news.notify_all()

    def _may_change(self, followed: _FollowedJob) -> bool:
        return not has_ended(self._stories.get(followed, {}).get("state", "queued"))

    def _number(self, n: int) -> str:
        return f"{self._began}-{n}"

    def _since(self, number: str) -> list[str]:
        began, _, n = number.partition("-")
        if began != str(self._began) or not n.isdecimal():
            return [EVERYTHING]
        return self._after(int(n))

    def _after(self, n: int) -> list[str]:
        if n > self._n or (n < self._n and self._recent[0][0] > n + 1):
            return [EVERYTHING]
        return list(dict.fromkeys(topic for number, topics in self._recent if number > n for topic in topics))


def _new_values(earlier: _Story, now: _Story) -> _Story:
    return {name: value for name, value in now.items() if name not in earlier or earlier[name] != value}


def _read_stories(workspace: Workspace, followed: Sequence[_FollowedJob]) -> dict[_FollowedJob, _Story]:
    """Read the jobs that are not removed. An unreadable one must not hide the others; its error is logged."""
    stories = {}
    for job_id, reader_language in followed:
        try:
            with suppress(NotFound), in_language(reader_language):
                as_sent = to_json(story_of(workspace, job_id), inf_nan_mode="null")  # or fails here, not in the stream
                stories[job_id, reader_language] = from_json(as_sent)
        except Exception:  # noqa: BLE001
            _log.exception("a job could not be read")
    return stories


def _changed(earlier: dict[str, _Item], now: dict[str, _Item]) -> list[str]:
    topics: list[str] = []
    for name in {**earlier, **now}:
        before, after = earlier.get(name), now.get(name)
        if before == after:
            continue
        topics.append(name)
        items = [item for item in (before, after) if item is not None]
        topics += [item.group for item in items if item.group is not None]
        states = {None if item is None else item.state for item in (before, after)}
        if len(states) > 1:
            topics.append(ACTIVITY)
    return list(dict.fromkeys(topics))


def _items(workspace: Workspace) -> Iterator[tuple[str, _Item]]:
    job_columns = (jobs.c.id, jobs.c.kind, jobs.c.name, jobs.c.state, jobs.c.folder, jobs.c.queued)
    dataset_columns = (datasets.c.id, datasets.c.name, datasets.c.revision, datasets.c.state, datasets.c.progress)
    with read_transaction(workspace.engine) as connection:
        job_rows = connection.execute(select(*job_columns, jobs.c.launched, jobs.c.stop_requested)).all()
        is_listed = datasets.c.removed.is_(None)
        dataset_rows = connection.execute(select(*dataset_columns).where(is_listed)).all()
        being_read = [row.id for row in dataset_rows if workspace.background.is_running(thread_of(row.id))]
        counts = select(images.c.dataset_id, func.count()).join(image_colors, image_colors.c.row_id == images.c.row_id)
        counts = counts.where(images.c.dataset_id.in_(being_read)).group_by(images.c.dataset_id)
        n_colors = {row[0]: row[1] for row in connection.execute(counts)} if being_read else {}
    for job in job_rows:
        if job.state != "removed":
            version = (job.name, job.queued, job.launched, job.stop_requested)
            files = _versions(Path(job.folder)) if job.state == "started" else ()
            yield f"jobs/{job.id}", _Item(job.kind, job.state, (*version, *files))
    for row in dataset_rows:
        search = duplicates_thread_of(row.id)  # which may begin and end between two checks
        checks = (workspace.background.is_running(search), workspace.background.n_started(search))
        facts = (row.name, row.revision, repr(row.progress), workspace.missing_sources.n_changes(row.id))
        yield f"datasets/{row.id}", _Item("datasets", row.state, (*facts, *checks))
        yield f"colors/{row.id}", _Item(None, None, (row.id in being_read, n_colors.get(row.id)))


def _versions(folder: Path) -> Sequence[object]:
    """Return what changes with the files in which a running job records its progress."""
    run = Run(folder)
    versions: list[object] = []
    for file in (run.status_file, run.events_file):
        try:
            stat = file.stat()
        except OSError:
            versions.append(None)
        else:
            versions.append((stat.st_mtime_ns, stat.st_size))
    return versions
