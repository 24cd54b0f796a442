"""Classify single images with classifiers that stay loaded for a while, in separate processes."""

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coverslip.errors import CoverslipError
from coverslip.messages import failure_of
from coverslip.pipes import Json, read_message, write_message
from coverslip.runs.classifier import stamp_of
from coverslip.workspace.predictions.classifiers import place_of
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers.submit import child_environment

SILENT_SECONDS = 300.0
_ANSWER_SECONDS = 180.0  # large images on a busy computer take long; a longer time means that the process hangs
_MOST_LOADED = 2  # each needs some hundred megabytes


@dataclass(frozen=True, slots=True)
class Classified:
    """The prediction of one image."""

    predicted: str | None
    probability: float | None
    decision: str
    probabilities: dict[str, float | None]
    reason: Annotated[str | None, Field(description="Why the image could not be read, or is unfamiliar.")]


@dataclass(eq=False)
class _Worker:
    """A process with a loaded classifier. It answers one request at a time."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    stamp: int  # of the loaded classifier
    lock: threading.Lock = field(default_factory=threading.Lock)
    last_used: float = field(default_factory=time.monotonic)

    def classify(self, file: Path) -> Json:
        """Return the answer for an image; raise BrokenPipeError if the process has died or hangs."""
        assert self.process.stdin is not None
        try:
            write_message(self.process.stdin, {"file": str(file)})
            answer = _answer(self.process)
        finally:
            self.last_used = time.monotonic()
        if answer is None:
            raise BrokenPipeError
        return answer

    def end(self, patience_s: float = 10) -> None:
        """End the process by closing its stdin. If it is still busy after `patience_s`, it is killed."""
        with suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        try:
            self.process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class LoadedClassifiers:
    """Loaded classifiers by ID. Idle ones are ended."""

    def __init__(self, workspace: Workspace, *, silent_seconds: float = SILENT_SECONDS) -> None:
        self._workspace, self._silent_seconds = workspace, silent_seconds
        self._workers: dict[str, _Worker] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._tidier = threading.Thread(target=self._tidy, name="coverslip classifiers", daemon=True)

    def start(self) -> None:
        self._tidier.start()

    def close(self) -> None:
        """End all processes."""
        self._closed.set()
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.end(patience_s=0)

    def classify(self, classifier_id: str, file: Path) -> Classified:
        """Classify an image.

        Raises:
            NotFound: there is no such classifier.
            CoverslipError: it cannot be loaded, or its process ended twice on this image.
        """
        place = place_of(self._workspace, classifier_id).path
        for _ in range(2):  # a process that died since the last request is restarted
            worker = self._worker(classifier_id, place)
            try:
                with worker.lock:
                    answer = worker.classify(file)
            except (OSError, ValueError):  # ValueError: its pipe was closed
                self._forget(classifier_id, worker)
                continue
            if "error" in answer:
                raise CoverslipError.of(failure_of(answer["error"]))
            return Classified(**answer)
        raise CoverslipError("classifier-ended")

    def _worker(self, classifier_id: str, folder: Path) -> _Worker:
        with self._lock:
            worker = self._workers.pop(classifier_id, None)
            stamp = stamp_of(folder)
            surplus = [worker] if worker is not None and worker.stamp != stamp else []  # the training continued
            if worker is None or surplus or worker.process.poll() is not None:
                worker = _begin(folder, stamp, self._workspace.readable)
            self._workers[classifier_id] = worker  # the most recently used is last
            surplus += [self._workers.pop(name) for name in list(self._workers)[:-_MOST_LOADED]]
        for ended in surplus:
            with ended.lock:
                ended.end()
        return worker

    def _forget(self, classifier_id: str, worker: _Worker) -> None:
        with self._lock:
            if self._workers.get(classifier_id) is worker:
                del self._workers[classifier_id]
        worker.end()

    def _tidy(self) -> None:
        while not self._closed.wait(min(10.0, self._silent_seconds)):
            self.end_silent()

    def end_silent(self) -> None:
        """End idle processes."""
        now = time.monotonic()
        with self._lock:
            silent = {
                name: worker
                for name, worker in self._workers.items()
                if now - worker.last_used > self._silent_seconds and not worker.lock.locked()
            }
            for name in silent:
                del self._workers[name]
        for worker in silent.values():
            worker.end()


def _answer(process: "subprocess.Popen[bytes]") -> Json | None:
    """Return the next message of a worker; None if it has died or was killed after the time limit."""
    assert process.stdout is not None
    hangs = threading.Timer(_ANSWER_SECONDS, process.kill)
    hangs.daemon = True
    hangs.start()
    try:
        return read_message(process.stdout)
    finally:
        hangs.cancel()


def _begin(folder: Path, stamp: int, readable: Sequence[Path]) -> _Worker:
    """Load a classifier in a new process.

    Raises:
        CoverslipError: there is no classifier, or it cannot be loaded.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "coverslip.workspace.predictions.classify_worker", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(readable),
        start_new_session=True,  # Ctrl-C in the server's terminal must not reach it; closing stdin ends it
    )
    worker, greeting = _Worker(folder, process, stamp), _answer(process)
    if greeting is not None and greeting.get("ready"):
        return worker
    worker.end()
    if greeting is not None and "error" in greeting:
        raise CoverslipError.of(failure_of(greeting["error"]))
    raise CoverslipError("classifier-not-loaded")
