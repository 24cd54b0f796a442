"""The pool of decoding processes: started when needed, watched while they work, ended when idle."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coverslip.errors import CoverslipError, Stopped, UnreadableImage
from coverslip.images.plan import ReadPlan
from coverslip.images.reader import Array
from coverslip.images.reading import Pixels
from coverslip.messages import failure_of, text
from coverslip.processes import Json, confined_environment, read_message, write_message


class SharedOrExclusive:
    """Used by several threads. Whoever wants to be alone goes before those that come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_beside = self._n_alone_or_waiting = 0
        self._turn = threading.Lock()  # of those that want to be alone

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Work beside others, once nobody is alone or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._n_alone_or_waiting)
            self._n_beside += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_beside -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work with nobody beside."""
        with self._changed:
            self._n_alone_or_waiting += 1
        try:
            with self._turn:
                with self._changed:
                    self._changed.wait_for(lambda: not self._n_beside)
                yield
        finally:
            with self._changed:
                self._n_alone_or_waiting -= 1
                self._changed.notify_all()


_BEGIN_SECONDS = 120.0  # on a busy computer with a slow disk
_QUICK_SECONDS = 0.2  # what takes less is not looked at
_OWN_BYTES = 100_000_000  # what a process takes that has read nothing yet
_PIPE_BYTES = 2**20  # an image of usual size at once
_WINDOWS_ALONE = 0x00000200 | 0x08000000  # CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may take."""

    processor_seconds: float = 20.0
    seconds: float = 60.0  # in all: a slow disk is no fault of the file
    memory_bytes: int = 1_500_000_000  # beyond what the process takes anyway


class Died(Exception):
    """The process ended, and not because the file took more than it may."""

    def __init__(self, *, was_killed: bool = False) -> None:
        super().__init__()
        self.was_killed = was_killed  # from outside, by a signal that no program sends itself


class Decoder:
    """A process that reads one file after the other. One thread asks; another may look after it, or end it."""

    def __init__(self, limits: Limits) -> None:
        """Begin it; the first question waits until it is ready."""
        self.last_asked = time.monotonic()
        self._limits, self._lock = limits, threading.Lock()
        self._over: float | None = time.monotonic() + _BEGIN_SECONDS  # when what it is at must have ended
        self._processor_before: float | None = None  # seconds that it had taken, when it was first looked after
        self._excess: UnreadableImage | None = None  # why it was killed
        self._is_ready = self.has_ended = False
        try:
            self._process = _begin(limits)
        except OSError as error:
            raise CoverslipError("decoder-not-started", reason=error.strerror or str(error)) from error

    def read(self, path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None = None) -> Pixels:
        """As `read_pixels`.

        Raises:
            UnreadableImage: the file cannot be read, or takes more than it may; then the process has ended.
            Died: the process has ended, or another program killed it.
            CoverslipError: a reader that another package brings cannot be loaded.
        """
        try:
            question = {"file": str(path), "plan": plan.model_dump(mode="json"), "max_bytes": max_bytes}
            pixels = self._asked({**question, "within": None if within is None else [str(root) for root in within]})
        except UnreadableImage as error:
            raise UnreadableImage.of(replace(error.failure, file=str(path))) from None
        finally:
            self._over, self.last_asked = None, time.monotonic()
        return pixels

    def look_after(self) -> None:
        """Kill it where it takes more than it may. Called by another thread, several times a second."""
        with self._lock:
            over = self._over
            if over is None or time.monotonic() - self.last_asked < _QUICK_SECONDS:
                return
            self._excess = self._taken_too_much(over)
            if self._excess is not None:
                self._process.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # of a disk that does not answer: not even the system can end it
            self._process.wait(timeout=1)
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()

    def _asked(self, question: Json) -> Pixels:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            if not self._is_ready and read_message(stdout) is None:
                raise Died
            self._is_ready = True
            with self._lock:
                self.last_asked, self._processor_before = time.monotonic(), None
                self._over = self.last_asked + self._limits.seconds
            write_message(stdin, question)
            answer = read_message(stdout)
            if answer is None:
                raise Died
            return self._pixels(answer)
        except (OSError, ValueError, Died) as error:  # ValueError: its pipe was closed
            self.has_ended = True
            with self._lock:
                excess = self._excess
            if excess is not None:
                raise excess from None
            raise Died(was_killed=self._was_killed()) from error

    def _was_killed(self) -> bool:
        """Return whether somebody killed it: Linux does where the computer has no memory left."""
        with suppress(subprocess.TimeoutExpired):
            return os.name != "nt" and self._process.wait(timeout=10) == -signal.SIGKILL
        return False

    def _pixels(self, answer: Json) -> Pixels:
        if answer.get("out_of_memory"):
            raise _too_much_memory(self._limits)
        if "error" in answer:
            failure = failure_of(answer["error"])
            raise (UnreadableImage if failure.kind == UnreadableImage.kind else CoverslipError).of(failure)
        array: Array = np.empty(answer.pop("shape"), answer.pop("dtype"))
        self._fill(array.data.cast("B"))
        return Pixels(array, **answer)

    def _fill(self, place: memoryview) -> None:
        assert self._process.stdout is not None
        n_read = 0
        while n_read < len(place):
            n = self._process.stdout.readinto(place[n_read:])  # type: ignore[attr-defined]  # of a buffered reader
            if not n:
                raise Died
            n_read += n

    def _taken_too_much(self, over: float) -> UnreadableImage | None:
        import psutil

        try:
            process = psutil.Process(self._process.pid)
            memory, times = process.memory_info().rss, process.cpu_times()
        except psutil.Error:  # it has ended
            return None
        processor = times.user + times.system
        if self._processor_before is None:
            self._processor_before = processor
        if memory > self._limits.memory_bytes + _OWN_BYTES:
            return _too_much_memory(self._limits)
        if processor - self._processor_before > self._limits.processor_seconds:
            return _too_long(self._limits.processor_seconds)
        return _too_long(self._limits.seconds) if time.monotonic() > over else None


def _begin(limits: Limits) -> "subprocess.Popen[bytes]":
    """Return a process whose first message says that it is ready."""
    most = [str(limits.memory_bytes), str(round(limits.seconds) + 5)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "coverslip.images.decoding_worker", *most],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=confined_environment(),
        start_new_session=True,  # Ctrl-C in the terminal is not for it; the end of its questions is
        creationflags=_WINDOWS_ALONE if os.name == "nt" else 0,
    )
    assert process.stdout is not None
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # the user has too many pipes that are as large
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _too_long(seconds: float) -> UnreadableImage:
    return UnreadableImage("image-time-limit", seconds=seconds)


def _too_much_memory(limits: Limits) -> UnreadableImage:
    return UnreadableImage("image-memory-limit", memory_gb=limits.memory_bytes / 1e9)


_LOOK_EVERY_S = 0.25
_SILENT_S = 60.0


class Decoders:
    """As many processes as threads ask at the same time. Used by several threads."""

    def __init__(self, limits: Limits | None = None) -> None:
        """`limits` of each file; None takes those of the app."""
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._room = SharedOrExclusive()
        self._idle: list[Decoder] = []  # the most recently used one is last
        self._busy: set[Decoder] = set()
        self._is_interrupted = False
        self._warden: threading.Thread | None = None

    def read(self, path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None = None) -> Pixels:
        """As `read_pixels`.

        Raises:
            UnreadableImage: the file cannot be read, takes more than it may, or a reader crashed over it twice.
            Stopped: by `interrupt`.
            CoverslipError: no process can be begun.
        """
        try:
            with self._room.beside_others():
                return self._read(path, plan, max_bytes, within)
        except Died:
            self._check()
        # A process that was killed from outside is no fault of the file: others may have taken the memory.
        try:
            with self._room.alone():
                pixels = self._read(path, plan, max_bytes, within)
        except Died as error:
            self._check()
            raise UnreadableImage("decoder-killed" if error.was_killed else "decoder-crashed", file=path) from error
        note = text("image-read-alone")
        return replace(pixels, note=f"{pixels.note}; {note}" if pixels.note else note)

    def _read(self, path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None) -> Pixels:
        with self._taken() as decoder:
            return decoder.read(path, plan, max_bytes, within)

    def interrupt(self) -> None:
        """Kill all that are at work; from now on nothing is read, until `resume`."""
        with self._lock:
            self._is_interrupted = True
            busy = list(self._busy)
        for decoder in busy:
            decoder.kill()

    def resume(self) -> None:
        """Read again."""
        with self._lock:
            self._is_interrupted = False

    def close(self) -> None:
        """End all of them."""
        self.interrupt()
        with self._lock:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.kill()

    @contextmanager
    def _taken(self) -> Iterator[Decoder]:
        """A process for one question."""
        decoder = self._take()
        try:
            yield decoder
        finally:
            with self._lock:
                self._busy.discard(decoder)
                stays = not decoder.has_ended and not self._is_interrupted
                if stays:
                    self._idle.append(decoder)
            if not stays:
                decoder.kill()

    def _take(self) -> Decoder:
        with self._lock:
            self._check()
            decoder = self._idle.pop() if self._idle else Decoder(self._limits)
            self._busy.add(decoder)
            if self._warden is None:
                self._warden = threading.Thread(target=self._look_after, name="decoders", daemon=True)
                self._warden.start()
        return decoder

    def _check(self) -> None:
        if self._is_interrupted:
            raise Stopped("reading-stopped")

    def _look_after(self) -> None:
        """As long as there are any."""
        while True:
            time.sleep(_LOOK_EVERY_S)
            with self._lock:
                busy = list(self._busy)
                silent_since = time.monotonic() - _SILENT_S
                silent = [decoder for decoder in self._idle if decoder.last_asked < silent_since]
                self._idle = [decoder for decoder in self._idle if decoder not in silent]
                if not busy and not self._idle:
                    self._warden = None
            for decoder in busy:
                decoder.look_after()
            for decoder in silent:
                decoder.kill()
            if self._warden is None:
                return
