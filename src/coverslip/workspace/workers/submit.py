"""Submit work to separate processes, one at a time.

The newest request is next: the clients of earlier requests may have left.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from coverslip.errors import CoverslipError
from coverslip.images import WITHIN_VARIABLE
from coverslip.machine import n_cores
from coverslip.messages import Failure, failure, failure_of
from coverslip.processes import DECODE_APART_VARIABLE, Json, read_message, write_message

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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


def _ended_silently() -> Failure:
    return failure("worker-ended-silently", kind="fault")


Keep = Callable[[Json], None]
"""Stores a result before its work counts as done."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """Progress of a step of the work."""

    stage: str
    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class WorkState:
    """The state of the work of one key."""

    state: Literal["waiting", "working"] | None  # None: no work
    progress: StepProgress | None
    error: Failure | None  # why the last attempt failed
    seconds: float | None = None  # since the request


@dataclass
class _Work:
    question: Json
    keep: Keep
    since: float = field(default_factory=time.monotonic)
    process: "subprocess.Popen[bytes] | None" = None
    progress: StepProgress | None = None
    is_canceled: bool = False


class WorkQueue:
    """A queue of work of one kind, by key. Each work uses all cores.

    Args:
        worker: the module of the process, which uses `coverslip.workspace.workers.worker`.
        readable: real paths of the folders in which it may read images.
    """

    def __init__(self, worker: str, readable: Sequence[Path]) -> None:
        self._worker, self._readable = worker, readable
        self._works: dict[str, _Work] = {}
        self._errors: dict[str, Failure] = {}
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()

    def start(self, key: str, question: Json, keep: Keep) -> None:
        """Do this work next, unless it is running. An earlier error is cleared."""
        with self._lock:
            work = self._works.pop(key, None)
            if work is None:
                self._errors.pop(key, None)
                work = _Work(question, keep)
                threading.Thread(target=self._do_next, name="work", daemon=True).start()
            self._works[key] = work

    def cancel(self, key: str) -> None:
        """Cancel the work of a key."""
        with self._lock:
            if (work := self._works.pop(key, None)) is not None:
                _end(work)

    def close(self) -> None:
        """Cancel all work."""
        with self._lock:
            works, self._works = list(self._works.values()), {}
            for work in works:
                _end(work)

    def state_of(self, key: str) -> WorkState:
        """Return the state of the work of a key."""
        with self._lock:
            work, error = self._works.get(key), self._errors.get(key)
        if work is None:
            return WorkState(None, None, error)
        seconds = time.monotonic() - work.since
        return WorkState("waiting" if work.process is None else "working", work.progress, None, seconds)

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
                result = None if process is None else _result_of(process, work)
            if not work.is_canceled:
                if isinstance(result, dict):
                    work.keep(result)
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
    def _started(self, work: _Work) -> "Iterator[subprocess.Popen[bytes] | None]":
        """Start its process and end it after the block; yields None if the work was canceled meanwhile."""
        with self._lock:
            if not work.is_canceled:
                work.process = subprocess.Popen(
                    [sys.executable, "-P", "-m", self._worker],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=child_environment(self._readable),
                    start_new_session=True,  # Ctrl-C in the server's terminal must not reach it
                )
        try:
            yield work.process
        finally:
            if work.process is not None:
                work.process.kill()
                work.process.wait()


def _result_of(process: "subprocess.Popen[bytes]", work: _Work) -> Json | Failure | None:
    """Return its result, or its failure; None if it ended silently."""
    assert process.stdin is not None
    assert process.stdout is not None
    write_message(process.stdin, work.question)
    while (message := read_message(process.stdout)) is not None:
        if "error" in message:
            return failure_of(message["error"])
        if "result" in message:
            result: Json = message["result"]
            return result
        work.progress = StepProgress(**message["progress"])
    return None


def _end(work: _Work) -> None:
    work.is_canceled = True
    if work.process is not None:
        with suppress(OSError):
            work.process.kill()
