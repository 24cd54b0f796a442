"""Processes that answer requests of the server, keep what they have loaded, and end with the server.

A request is a function of a module with its arguments. The functions need libraries that the server does not load, or
memory that the server would not release. Requests arrive on stdin; results and errors go to stdout, as messages of
`coverslip.processes`. A process does one request at a time. It ends when stdin is closed, or when nothing reads its
messages any more.
"""

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coverslip.errors import CoverslipError
from coverslip.images.decoding import WITHIN_VARIABLE
from coverslip.machine import THREAD_VARIABLES, n_cores
from coverslip.messages import failure_of, in_language, language
from coverslip.processes import DECODE_APART_VARIABLE, Json, read_message, write_message

_IDLE_SECONDS = 300.0  # after which the processes of a pool end

Process = subprocess.Popen[bytes]


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


def _start_worker(readable: Sequence[Path]) -> Process:
    """Start a process; `readable` is as for `child_environment`."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "coverslip.workspace.workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(readable),
        start_new_session=True,  # Ctrl-C in the server's terminal must not reach it
    )


@dataclass(eq=False)
class _Worker:
    """A process that answers several requests, one at a time."""

    process: Process

    def answer(self, request: Json, most_s: float) -> Json | None:
        """Return the answer to a request; None if the process died, or was killed after `most_s`.

        Raises:
            OSError: the process has died before.
        """
        timer = threading.Timer(most_s, self.process.kill)
        timer.daemon = True
        timer.start()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            write_message(self.process.stdin, request)
            return read_message(self.process.stdout)
        finally:
            timer.cancel()

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
    """Processes that answer one request at a time each.

    They are started on demand, and end when none was used for some minutes.

    Args:
        readable: as for `child_environment`.
        most_seconds: for one request; a process that takes longer is killed.
        most_processes: their number.
        max_wait_s: how long a request waits for a free process; None: without limit.
    """

    def __init__(
        self,
        readable: Sequence[Path],
        *,
        most_seconds: float,
        most_processes: int = 1,
        max_wait_s: float | None = None,
    ) -> None:
        self._readable, self._most_seconds, self._max_wait_s = readable, most_seconds, max_wait_s
        self._free, self._lock = threading.Semaphore(most_processes), threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def call(self, function: Callable[..., object], /, **arguments: Any) -> Any:  # Any: JSON values
        """Return the result of a function of a module, as JSON, in the current language; None if no process did it.

        Raises:
            CoverslipError: the function raised it.
        """
        if not self._free.acquire(timeout=self._max_wait_s):
            return None
        request = {"function": f"{function.__module__}:{function.__name__}", "arguments": arguments}
        worker: _Worker | None = None
        answer: Json | None = None
        try:
            with suppress(OSError, ValueError):  # the process cannot start or has ended, or the request is not JSON
                if (worker := self._take()) is not None:
                    answer = worker.answer({**request, "language": language()}, self._most_seconds)
        finally:
            if worker is not None:
                self._give(worker, is_usable=answer is not None)
            self._free.release()
        if answer is not None and "error" in answer:
            raise CoverslipError.of(failure_of(answer["error"]))
        return None if answer is None else answer["result"]

    def close(self) -> None:
        """Kill all processes, and start no others."""
        with self._lock:
            self._is_closed = True
            workers = list(self._busy)
        for worker in workers:
            worker.process.kill()
        self._end_idle()

    def _take(self) -> _Worker | None:
        with self._lock:
            if self._is_closed:
                return None
            self._idle = [worker for worker in self._idle if worker.process.poll() is None]
            worker = self._idle.pop() if self._idle else _Worker(_start_worker(self._readable))
            self._busy.append(worker)
            return worker

    def _give(self, worker: _Worker, *, is_usable: bool) -> None:
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


def serve() -> None:
    """Do the requests from stdin until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with messages

    with suppress(BrokenPipeError):  # the server has ended
        while (request := read_message(sys.stdin.buffer)) is not None:
            module, _, name = request["function"].partition(":")
            try:
                with in_language(request["language"]):
                    answer = {"result": getattr(importlib.import_module(module), name)(**request["arguments"])}
            except CoverslipError as error:
                answer = {"error": asdict(error.failure)}
            write_message(answers, answer)


if __name__ == "__main__":
    serve()
