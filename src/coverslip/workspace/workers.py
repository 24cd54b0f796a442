"""Work of seconds or minutes in separate processes, which end with the server: submit it, and do it.

A process is started as `python -m coverslip.workspace.workers MODULE:FUNCTION`. Requests arrive on stdin; progress,
results and errors go to stdout, as messages of `coverslip.processes`. The process does one request at a time. It ends
when stdin is closed, or when nothing reads its messages any more.
"""

import importlib
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Noted, Progressed, as_json
from coverslip.images import WITHIN_VARIABLE
from coverslip.machine import THREAD_VARIABLES, n_cores
from coverslip.messages import Failure, failure, failure_of, localized, localized_failure
from coverslip.processes import DECODE_APART_VARIABLE, Json, read_message, write_message

_log = logging.getLogger("coverslip")
_MOST_LINES = 200  # of the log of a work
_MOST_ENDED = 100  # ended works that are known
_POLL_S = 0.05
_IDLE_SECONDS = 300.0  # after which the processes of a pool end

Process = subprocess.Popen[bytes]
Task = Callable[[Json, Emit], Json]
"""Does one request and returns its result; reports progress to the receiver of events."""
Store = Callable[[Json], None]
"""Stores a result before its work counts as done."""


JobOfWork = Annotated[str | None, Field(description="The job that computes it; null if the server knows none.")]


def child_environment(readable: Sequence[Path]) -> dict[str, str]:
    """Return the environment of the server, without its limit on the number of cores.

    As in the server, images are decoded by processes that can be killed, and only in the readable folders.

    Args:
        readable: real paths of the folders in which images may be read.
    """
    within = json.dumps([str(folder) for folder in readable])
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(n_cores())),
        DECODE_APART_VARIABLE: "1",
        WITHIN_VARIABLE: within,
    }


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Progress of a step of the work."""

    stage: str  # an identifier, as in the events
    title: str  # the name of the stage for users
    done: int
    total: int
    seconds_left: float | None


def _localized(progress: StepProgress | None) -> StepProgress | None:
    return progress and replace(progress, title=localized(progress.title, f"stage-{progress.stage}", {}))


def start_worker(task: str, readable: Sequence[Path]) -> Process:
    """Start the process of a task, `MODULE:FUNCTION`; `readable` is as for `child_environment`."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "coverslip.workspace.workers", task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(readable),
        start_new_session=True,  # Ctrl-C in the server's terminal must not reach it
    )


def request_result(
    process: Process,
    request: Json,
    on_progress: Callable[[StepProgress], object] = lambda _: None,
    on_event: Callable[[str, Json], object] = lambda *_: None,
) -> Json | Failure | None:
    """Send a request to a worker. Return its result or its failure; None if the process ended silently.

    Args:
        process: a worker.
        request: the request to its task.
        on_progress: receives the progress.
        on_event: receives other events: their name and values.

    Raises:
        OSError: the process has ended before it got the request.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    write_message(process.stdin, request)
    while (message := read_message(process.stdout)) is not None:
        if "error" in message:
            return failure_of(message["error"])
        if "result" in message:
            result: Json = message["result"]
            return result
        if "event" in message:
            event: Json = message["event"]
            on_event(event.pop("event"), event)
        else:
            on_progress(StepProgress(**message["progress"]))
    return None


@dataclass(eq=False)
class ReusableWorker:
    """A process that answers several requests, one at a time."""

    process: Process
    lock: threading.Lock = field(default_factory=threading.Lock, kw_only=True)
    last_used: float = field(default_factory=time.monotonic, kw_only=True)

    def result_of(self, request: Json, most_s: float) -> Json | Failure | None:
        """Return the result of a request, or its failure; None if the process died, or was killed after `most_s`.

        Raises:
            OSError: the process has died before.
        """
        timer = threading.Timer(most_s, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            return request_result(self.process, request)
        finally:
            timer.cancel()
            self.last_used = time.monotonic()

    def end(self, max_wait_s: float = 10) -> None:
        """End the process by closing its stdin. If it is still busy after `max_wait_s`, it is killed."""
        with suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(timeout=max_wait_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class WorkerPool:
    """Processes of a task that answer one request at a time each.

    They are started on demand, and end when none was used for some minutes.

    Args:
        task: `MODULE:FUNCTION`; the function is a `Task`.
        readable: as for `child_environment`.
        most_seconds: for one request; a process that takes longer is killed.
        most_processes: their number.
        max_wait_s: how long a request waits for a free process; None: without limit.
    """

    def __init__(
        self,
        task: str,
        readable: Sequence[Path],
        *,
        most_seconds: float,
        most_processes: int = 1,
        max_wait_s: float | None = None,
    ) -> None:
        self._task, self._readable, self._most_seconds, self._max_wait_s = task, readable, most_seconds, max_wait_s
        self._free, self._lock = threading.Semaphore(most_processes), threading.Lock()
        self._idle: list[ReusableWorker] = []
        self._busy: list[ReusableWorker] = []
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def result_of(self, request: Json) -> Json | Failure | None:
        """Return the result of a request, whose values are JSON, or its failure; None if no process did it."""
        if not self._free.acquire(timeout=self._max_wait_s):
            return None
        worker: ReusableWorker | None = None
        result: Json | Failure | None = None
        try:
            with suppress(OSError, ValueError):  # the process cannot start or has ended, or the request is not JSON
                if (worker := self._take()) is not None:
                    result = worker.result_of(request, self._most_seconds)
        finally:
            if worker is not None:
                self._give(worker, is_usable=result is not None)
            self._free.release()
        return result

    def close(self) -> None:
        """Kill all processes, and start no others."""
        with self._lock:
            self._is_closed = True
            workers = list(self._busy)
        for worker in workers:
            worker.process.kill()
        self._end_idle()

    def _take(self) -> ReusableWorker | None:
        with self._lock:
            if self._is_closed:
                return None
            self._idle = [worker for worker in self._idle if worker.process.poll() is None]
            worker = self._idle.pop() if self._idle else ReusableWorker(start_worker(self._task, self._readable))
            self._busy.append(worker)
            return worker

    def _give(self, worker: ReusableWorker, *, is_usable: bool) -> None:
        with self._lock:
            self._busy.remove(worker)
            if is_kept := is_usable and not self._is_closed:
                self._idle.append(worker)
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(_IDLE_SECONDS, self._end_idle)
                self._timer.daemon = True
                self._timer.start()
        if not is_kept:
            worker.end(max_wait_s=0)

    def _end_idle(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            workers, self._idle = self._idle, []
        for worker in workers:
            worker.end(max_wait_s=0)


@dataclass(frozen=True, slots=True)
class WorkKind:
    """A kind of work, which needs seconds or minutes and stores its result itself. One of each kind runs at a time.

    Args:
        name: the value of `kind` in lists of jobs.
        task: `MODULE:FUNCTION`; the function is a `Task`.
    """

    name: str
    task: str


@dataclass(frozen=True, slots=True)
class WorkState:
    """The state of the work of one key."""

    state: Literal["waiting", "running"] | None = None  # None: no work
    progress: StepProgress | None = None
    error: Failure | None = None  # why the last attempt failed
    requested: float | None = None  # when: seconds since 1970
    started: float | None = None  # None: it is waiting
    id: str | None = None  # None: no work was requested, or so long ago that it is forgotten


@dataclass(frozen=True, slots=True)
class WorkLine:
    """A line of the log of a work: an event of its process, or a line of its output."""

    n: int
    time: float  # seconds since 1970
    event: str
    values: Json


@dataclass
class Work:
    """A requested work. It is forgotten when the server ends."""

    kind: WorkKind
    key: str
    request: Json
    store: Store
    name: str  # of what it is about
    dataset_id: str | None
    link: str  # the path of its result in the API
    id: str = field(default_factory=lambda: secrets.token_hex(5))
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    state: Literal["queued", "running", "done", "failed", "stopped"] = "queued"
    progress: StepProgress | None = None
    error: Failure | None = None
    log: deque[WorkLine] = field(default_factory=lambda: deque(maxlen=_MOST_LINES))
    process: Process | None = None
    n_changes: int = 0  # increases with its state and progress

    @property
    def has_ended(self) -> bool:
        return self.state not in ("queued", "running")

    def set_progress(self, progress: StepProgress) -> None:
        if self.progress is None or progress.stage != self.progress.stage:
            self.add_line("StageStarted", {"stage": progress.stage})
        self.progress = progress
        self.n_changes += 1

    def add_line(self, event: str, values: Json) -> None:
        self.log.append(WorkLine((self.log[-1].n if self.log else 0) + 1, time.time(), event, values))

    def set_state(self, state: Literal["queued", "running", "done", "failed", "stopped"]) -> None:
        self.state, self.n_changes = state, self.n_changes + 1
        if state == "queued":
            self.created, self.started, self.ended = time.time(), None, None
            self.process = self.progress = self.error = None
        elif state == "running":
            self.started = time.time()
        else:
            self.ended = time.time()


class Works:
    """All work in separate processes, by kind and key. Each work has a process of its own and uses all cores.

    Works of one kind run one at a time. The newest request is next: the clients of earlier requests may have left.

    Args:
        readable: real paths of the folders in which they may read images.
    """

    def __init__(self, readable: Sequence[Path]) -> None:
        self._readable = readable
        self._works: dict[tuple[str, str], Work] = {}  # the last work of each key, the newest request last
        self._lock = threading.Lock()
        self._locks_of_kinds: dict[str, threading.Lock] = {}
        self._is_closed = False

    def start(
        self,
        kind: WorkKind,
        key: str,
        request: Json,
        store: Store,
        *,
        name: str,
        link: str,
        dataset_id: str | None = None,
    ) -> None:
        """Do this work next, unless it is running. An earlier work of the same key is forgotten, with its error.

        Args:
            kind: the kind of work.
            key: identifies what is worked on, and its version.
            request: the request to the task.
            store: stores the result.
            name: the name of what it is about, for lists of jobs.
            link: the path of its result in the API.
            dataset_id: the dataset that it reads.
        """
        with self._lock:
            work = self._works.pop((kind.name, key), None)
            if work is None or work.has_ended:
                work = Work(kind, key, request, store, name, dataset_id, link)
                self._begin(work)
            self._works[kind.name, key] = work

    def find(self, work_id: str) -> Work | None:
        """Return a work by its ID."""
        return next((work for work in self.all() if work.id == work_id), None)

    def all(self) -> list[Work]:
        """Return the known works, the newest first."""
        with self._lock:
            return list(self._works.values())[::-1]

    def state_of(self, kind: WorkKind, key: str) -> WorkState:
        """Return the state of the work of a key."""
        with self._lock:
            work = self._works.get((kind.name, key))
        if work is None:
            return WorkState()
        if work.has_ended:
            return WorkState(error=None if work.error is None else localized_failure(work.error), id=work.id)
        state: Literal["waiting", "running"] = "waiting" if work.state == "queued" else "running"
        return WorkState(state, _localized(work.progress), None, work.created, work.started, work.id)

    def cancel(self, kind: WorkKind, key: str) -> None:
        """Stop the work of a key, unless it has ended."""
        with self._lock:
            if (work := self._works.get((kind.name, key))) is not None:
                self._stop(work)

    def stop(self, work: Work) -> bool:
        """Stop a work; return whether it had not ended."""
        with self._lock:
            return self._stop(work)

    def resume(self, work: Work) -> bool:
        """Do a stopped or failed work again; return whether it was one."""
        with self._lock:
            if work.state not in ("stopped", "failed"):
                return False
            work.set_state("queued")
            self._begin(work)
            self._works[work.kind.name, work.key] = self._works.pop((work.kind.name, work.key), work)
            return True

    def remove(self, work: Work) -> bool:
        """Forget a work; return whether it had ended."""
        with self._lock:
            if not work.has_ended:
                return False
            self._works.pop((work.kind.name, work.key), None)
            return True

    def close(self) -> None:
        """Stop all work, and start no other."""
        with self._lock:
            self._is_closed = True
            for work in self._works.values():
                self._stop(work)

    def wait_all(self) -> None:
        """Wait for the end of all work."""
        while any(not work.has_ended for work in self.all()):
            time.sleep(_POLL_S)

    def _begin(self, work: Work) -> None:
        if self._is_closed:
            work.set_state("stopped")
            return
        threading.Thread(target=self._do_next, args=(work.kind,), name=work.kind.name, daemon=True).start()

    def _stop(self, work: Work) -> bool:
        if work.has_ended:
            return False
        work.set_state("stopped")
        if work.process is not None:
            with suppress(OSError):
                work.process.kill()
        return True

    def _do_next(self, kind: WorkKind) -> None:
        with self._lock:
            one_at_a_time = self._locks_of_kinds.setdefault(kind.name, threading.Lock())
        with one_at_a_time:
            with self._lock:
                waiting = [each for each in self._works.values() if each.kind == kind and each.state == "queued"]
                work = waiting[-1] if waiting else None  # None: it was stopped
                if work is None:
                    return
                process = work.process = start_worker(kind.task, self._readable)
                work.set_state("running")
            try:
                reason = self._result(work, process)
                with self._lock:  # before the process ends: pages would take the stored result for an earlier one
                    if work.process is process and not work.has_ended:
                        work.error = reason
                        work.set_state("done" if reason is None else "failed")
                    self._drop_old()
            finally:
                process.kill()
                process.wait()

    def _result(self, work: Work, process: Process) -> Failure | None:
        """Do a work and store its result; return why it failed."""
        try:
            result = request_result(process, work.request, work.set_progress, work.add_line)
            if work.process is not process or work.has_ended:  # it was stopped
                return None
            if not isinstance(result, dict):
                return result or _ended_silently()
            work.store(result)
        except CoverslipError as error:  # the dataset, run or image does not exist any more
            return error.failure
        except OSError:
            return _ended_silently()
        except Exception:  # noqa: BLE001  an error must not leave the work running; it is logged
            _log.exception("the result of a work could not be stored")
            return _ended_silently()
        return None

    def _drop_old(self) -> None:
        ended = [key for key, work in self._works.items() if work.has_ended]
        for key in ended[:-_MOST_ENDED]:
            del self._works[key]


def _ended_silently() -> Failure:
    return failure("worker-ended-silently", kind="fault")


def serve(task: Task) -> None:
    """Do the requests from stdin until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with messages

    def report(event: Event) -> None:
        if isinstance(event, Progressed):
            progress = StepProgress(event.stage, event.title, event.done, event.total, event.seconds_left)
            write_message(answers, {"progress": asdict(progress)})
        elif isinstance(event, Noted):
            write_message(answers, {"event": as_json(event)})

    with suppress(BrokenPipeError):  # the server has ended
        while (request := read_message(sys.stdin.buffer)) is not None:
            try:
                answer = {"result": task(request, report)}
            except CoverslipError as error:
                answer = {"error": asdict(error.failure)}
            write_message(answers, answer)


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    serve(getattr(importlib.import_module(module), function))
