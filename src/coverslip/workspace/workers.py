"""Work of seconds or minutes in separate processes, which end with the server: submit it, and do it.

A process is started as `python -m coverslip.workspace.workers MODULE:FUNCTION`. Requests arrive on stdin; progress,
results and errors go to stdout, as messages of `coverslip.processes`. The process does one request at a time. It ends
when stdin is closed, or when nothing reads its messages any more.
"""

import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from coverslip.errors import CoverslipError
from coverslip.events import Emit, Event, Progressed
from coverslip.images import WITHIN_VARIABLE
from coverslip.machine import n_cores
from coverslip.messages import Failure, failure, failure_of
from coverslip.processes import DECODE_APART_VARIABLE, Json, read_message, write_message

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Process = subprocess.Popen[bytes]
Task = Callable[[Json, Emit], Json]
"""Does one request and returns its result; reports progress to the receiver of events."""
Store = Callable[[Json], None]
"""Stores a result before its work counts as done."""


def child_environment(readable: Sequence[Path]) -> dict[str, str]:
    """Return the environment of the server, without its limit on the number of cores.

    As in the server, images are decoded by processes that can be killed, and only in the readable folders.

    Args:
        readable: real paths of the folders in which images may be read.
    """
    within = json.dumps([str(folder) for folder in readable])
    return {
        **os.environ,
        **dict.fromkeys(_THREADS, str(n_cores())),
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
    process: Process, request: Json, on_progress: Callable[[StepProgress], object] = lambda _: None
) -> Json | Failure | None:
    """Send a request to a worker. Return its result or its failure; None if the process ended silently.

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
        on_progress(StepProgress(**message["progress"]))
    return None


@dataclass(frozen=True, slots=True)
class WorkState:
    """The state of the work of one key."""

    state: Literal["waiting", "running"] | None  # None: no work
    progress: StepProgress | None
    error: Failure | None  # why the last attempt failed
    seconds: float | None = None  # since the request


@dataclass
class _Work:
    request: Json
    store: Store
    since: float = field(default_factory=time.monotonic)
    process: Process | None = None
    progress: StepProgress | None = None
    is_canceled: bool = False

    def set_progress(self, progress: StepProgress) -> None:
        self.progress = progress

    def cancel(self) -> None:
        self.is_canceled = True
        if self.process is not None:
            with suppress(OSError):
                self.process.kill()


class WorkQueue:
    """A queue of work of one kind, by key, one at a time. Each work has its own process and uses all cores.

    The newest request is next: the clients of earlier requests may have left.

    Args:
        task: `MODULE:FUNCTION`; the function is a `Task`.
        readable: real paths of the folders in which it may read images.
    """

    def __init__(self, task: str, readable: Sequence[Path]) -> None:
        self._task, self._readable = task, readable
        self._works: dict[str, _Work] = {}
        self._errors: dict[str, Failure] = {}
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()

    def start(self, key: str, request: Json, store: Store) -> None:
        """Do this work next, unless it is running. An earlier error is cleared."""
        with self._lock:
            work = self._works.pop(key, None)
            if work is None:
                self._errors.pop(key, None)
                work = _Work(request, store)
                threading.Thread(target=self._do_next, name="work", daemon=True).start()
            self._works[key] = work

    def cancel(self, key: str) -> None:
        """Cancel the work of a key."""
        with self._lock:
            if (work := self._works.pop(key, None)) is not None:
                work.cancel()

    def close(self) -> None:
        """Cancel all work."""
        with self._lock:
            works, self._works = list(self._works.values()), {}
            for work in works:
                work.cancel()

    def state_of(self, key: str) -> WorkState:
        """Return the state of the work of a key."""
        with self._lock:
            work, error = self._works.get(key), self._errors.get(key)
        if work is None:
            return WorkState(None, None, error)
        seconds = time.monotonic() - work.since
        return WorkState("waiting" if work.process is None else "running", work.progress, None, seconds)

    def _do_next(self) -> None:
        with self._one_at_a_time:
            with self._lock:
                waiting = [(key, work) for key, work in self._works.items() if work.process is None]
            if waiting:  # otherwise it was canceled
                self._do(*waiting[-1])

    def _do(self, key: str, work: _Work) -> None:
        reason: Failure | None = None
        try:
            with self._started(work) as process:
                result = None if process is None else request_result(process, work.request, work.set_progress)
            if not work.is_canceled:
                if isinstance(result, dict):
                    work.store(result)
                else:
                    reason = result or _ended_silently()
        except CoverslipError as error:  # the dataset, run or image does not exist any more
            reason = error.failure
        except OSError:
            reason = _ended_silently()
        with self._lock:
            if self._works.get(key) is work:
                del self._works[key]
                if reason is not None:
                    self._errors[key] = reason

    @contextmanager
    def _started(self, work: _Work) -> Iterator[Process | None]:
        """Start its process and end it after the block; yields None if the work was canceled meanwhile."""
        with self._lock:
            if not work.is_canceled:
                work.process = start_worker(self._task, self._readable)
        try:
            yield work.process
        finally:
            if work.process is not None:
                work.process.kill()
                work.process.wait()


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
