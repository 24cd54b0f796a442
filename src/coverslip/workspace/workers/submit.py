"""Submit work to a process of its own, one at a time; the newest request is next.

The newest request is next: whoever sent an earlier one may have left.
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
from coverslip.pipes import Json, read_message, write_message
from coverslip.process_limits import APART_VARIABLE

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def child_environment(readable: Sequence[Path]) -> dict[str, str]:
    """The server's own environment, but with all cores to work on: the server may have been told to keep to few.

    Images are decoded by processes that can be killed, as in the server, and none outside the same folders.

    Args:
        readable: real paths of the folders below which images may be read.
    """
    within = json.dumps([str(folder) for folder in readable])
    return {**os.environ, **dict.fromkeys(_THREADS, str(n_cores())), APART_VARIABLE: "1", WITHIN_VARIABLE: within}


def _ended_silently() -> Failure:
    return failure("worker-ended-silently", kind="fault")


Keep = Callable[[Json], None]
"""What is done with a result before its work counts as done."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far a step of it is."""

    stage: str
    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class AskedState:
    """What is going on about one thing."""

    state: Literal["waiting", "working"] | None  # None: nothing
    progress: StepProgress | None
    error: Failure | None  # why the last try came to nothing
    seconds: float | None = None  # since the request


@dataclass
class _Work:
    question: Json
    keep: Keep
    since: float = field(default_factory=time.monotonic)
    process: "subprocess.Popen[bytes] | None" = None
    progress: StepProgress | None = None
    is_cancelled: bool = False


class Asked:
    """Work of one kind, by keys of whoever asks; each takes all cores.

    Args:
        worker: the module whose process does it, by `coverslip.workspace.workers.worker`.
        readable: real paths of the folders below which it may read images.
    """

    def __init__(self, worker: str, readable: Sequence[Path]) -> None:
        self._worker, self._readable = worker, readable
        self._works: dict[str, _Work] = {}
        self._errors: dict[str, Failure] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def start(self, key: str, question: Json, keep: Keep) -> None:
        """Do it next, unless that is being done; what an earlier try failed of is forgotten."""
        with self._lock:
            work = self._works.pop(key, None)
            if work is None:
                self._errors.pop(key, None)
                work = _Work(question, keep)
                threading.Thread(target=self._do_next, name="asked", daemon=True).start()
            self._works[key] = work

    def cancel(self, key: str) -> None:
        """Do it no further."""
        with self._lock:
            if (work := self._works.pop(key, None)) is not None:
                _end(work)

    def close(self) -> None:
        """End all of it."""
        with self._lock:
            works, self._works = list(self._works.values()), {}
            for work in works:
                _end(work)

    def state_of(self, key: str) -> AskedState:
        """What is going on."""
        with self._lock:
            work, error = self._works.get(key), self._errors.get(key)
        if work is None:
            return AskedState(None, None, error)
        seconds = time.monotonic() - work.since
        return AskedState("waiting" if work.process is None else "working", work.progress, None, seconds)

    def _do_next(self) -> None:
        with self._turn:
            with self._lock:
                waiting = [(key, work) for key, work in self._works.items() if work.process is None]
            if waiting:  # else it was cancelled
                self._do(*waiting[-1])

    def _do(self, key: str, work: _Work) -> None:
        reason: Failure | None = None
        try:
            with self._begun(work) as process:
                result = None if process is None else _followed(process, work)
            if not work.is_cancelled:
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
    def _begun(self, work: _Work) -> "Iterator[subprocess.Popen[bytes] | None]":
        """Its process, which has ended afterwards; None where it was cancelled meanwhile."""
        with self._lock:
            if not work.is_cancelled:
                work.process = subprocess.Popen(
                    [sys.executable, "-P", "-m", self._worker],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=child_environment(self._readable),
                    start_new_session=True,  # Ctrl-C in the server's terminal is not for it
                )
        try:
            yield work.process
        finally:
            if work.process is not None:
                work.process.kill()
                work.process.wait()


def _followed(process: "subprocess.Popen[bytes]", work: _Work) -> Json | Failure | None:
    """Its result, or why there is none; None where it did not say."""
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
    work.is_cancelled = True
    if work.process is not None:
        with suppress(OSError):
            work.process.kill()
