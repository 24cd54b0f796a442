"""The pool of decoding processes: started on demand, monitored while they decode, ended when idle."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from coverslip.errors import CoverslipError, Stopped, UnreadableImage
from coverslip.images.preprocessing import PreprocessedImage, Preprocessing
from coverslip.images.reader import Array, ReadPlan, Series
from coverslip.images.reading import Pixels
from coverslip.machine import n_cores
from coverslip.messages import failure_of, joined, message, message_of
from coverslip.processes import Json, confined_environment, read_message, write_message


class SharedOrExclusive:
    """A lock for shared or exclusive use by threads. A waiting exclusive user has priority over later shared users."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_shared = self._n_exclusive_or_waiting = 0
        self._exclusive = threading.Lock()

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock together with others, once no exclusive user holds it or waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._n_exclusive_or_waiting)
            self._n_shared += 1
        try:
            yield
        finally:
            with self._changed:
                self._n_shared -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._n_exclusive_or_waiting += 1
        try:
            with self._exclusive:
                with self._changed:
                    self._changed.wait_for(lambda: not self._n_shared)
                yield
        finally:
            with self._changed:
                self._n_exclusive_or_waiting -= 1
                self._changed.notify_all()


_START_SECONDS = 120.0  # allows for a busy computer with a slow disk
_UNMONITORED_SECONDS = 0.2  # a request is monitored after this time
_BASE_BYTES = 100_000_000  # memory of a process before the first request
_PIPE_BYTES = 2**20  # holds an image of usual size
_WINDOWS_FLAGS = 0x00000200 | 0x08000000  # CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """The resources that reading one file may use."""

    processor_seconds: float = 20.0
    seconds: float = 60.0  # elapsed; longer, because a slow disk is not a property of the file
    memory_bytes: int = 1_500_000_000  # in addition to the memory of an idle process


READ_ALONE = message("image-read-alone")
_Image = TypeVar("_Image", Pixels, PreprocessedImage)


class Died(Exception):
    """The process ended for another reason than exceeding the limits."""

    def __init__(self, *, was_killed: bool = False) -> None:
        super().__init__()
        self.was_killed = was_killed  # by SIGKILL from outside


class Decoder:
    """A process that reads one file after another. One thread sends requests; another can monitor or kill it."""

    def __init__(self, limits: DecodingLimits) -> None:
        """Start the process; the first request waits until it is ready."""
        self.last_request = time.monotonic()
        self._limits, self._lock = limits, threading.Lock()
        self._deadline: float | None = time.monotonic() + _START_SECONDS  # of the current request
        self._processor_before: float | None = None  # seconds at the first monitoring of the current request
        self._excess: UnreadableImage | None = None  # the reason why it was killed
        self.is_ready = self.has_ended = False
        try:
            self._process = _start(limits)
        except OSError as error:
            raise CoverslipError("decoder-not-started", reason=error.strerror or str(error)) from error

    def answer(self, path: Path, request: Json, within: Sequence[Path] | None = None) -> Json:
        """Send a request about one file, and return the answer, with the pixels as `array` if there are any.

        Raises:
            UnreadableImage: the file cannot be read, or exceeds a limit; then the process has ended.
            Died: the process has ended, or another program killed it.
            CoverslipError: the reader of an installed package cannot be loaded.
        """
        roots = None if within is None else [str(root) for root in within]
        try:
            return self._request({"file": str(path), "within": roots, **request})
        except UnreadableImage as error:
            raise UnreadableImage.of(replace(error.failure, file=str(path))) from None
        finally:
            with self._lock:  # `monitor` must not charge the next file with the time of this one
                self._deadline, self.last_request = None, time.monotonic()
                self.has_ended = self.has_ended or self._excess is not None

    def monitor(self) -> None:
        """Kill the process if it exceeds a limit. Called by another thread several times per second."""
        with self._lock:
            deadline = self._deadline
            if deadline is None or time.monotonic() - self.last_request < _UNMONITORED_SECONDS:
                return
            self._excess = self._excess or self._exceeded_limit(deadline)
            if self._excess is not None:
                self._process.kill()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # the system cannot end a process that waits for a disk
            self._process.wait(timeout=1)
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()

    def _request(self, request: Json) -> Json:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            if not self.is_ready and read_message(stdout) is None:
                raise Died
            self.is_ready = True
            with self._lock:
                self.last_request, self._processor_before = time.monotonic(), None
                self._deadline = self.last_request + self._limits.seconds
            write_message(stdin, request)
            answer = read_message(stdout)
            if answer is None:
                raise Died
            if answer.get("out_of_memory"):
                raise _too_much_memory(self._limits)
            if "error" in answer:
                failure = failure_of(answer["error"])
                raise (UnreadableImage if failure.kind == UnreadableImage.kind else CoverslipError).of(failure)
            if "array_shape" in answer:
                array: Array = np.empty(answer.pop("array_shape"), answer.pop("array_dtype"))
                self._fill(array.data.cast("B"))
                answer["array"] = array
            return answer
        except (OSError, ValueError, Died) as error:  # ValueError: the pipe was closed
            self.has_ended = True
            with self._lock:
                excess = self._excess
            if excess is not None:
                raise excess from None
            raise Died(was_killed=self._was_killed()) from error
        except CoverslipError:
            raise
        except BaseException:  # such as Ctrl-C: the rest of the answer would be taken for that of the next file
            self.has_ended = True
            raise

    def _was_killed(self) -> bool:
        """Return whether another program killed it; Linux does so if memory is exhausted."""
        with suppress(subprocess.TimeoutExpired):
            return os.name != "nt" and self._process.wait(timeout=10) == -signal.SIGKILL
        return False

    def _fill(self, buffer: memoryview) -> None:
        assert self._process.stdout is not None
        n_read = 0
        while n_read < len(buffer):
            n = self._process.stdout.readinto(buffer[n_read:])  # type: ignore[attr-defined]  # of a buffered reader
            if not n:
                raise Died
            n_read += n

    def _exceeded_limit(self, deadline: float) -> UnreadableImage | None:
        import psutil

        try:
            process = psutil.Process(self._process.pid)
            memory, times = process.memory_info().rss, process.cpu_times()
        except psutil.Error:  # the process has ended
            return None
        processor = times.user + times.system
        if self._processor_before is None:
            self._processor_before = processor
        if memory > self._limits.memory_bytes + _BASE_BYTES:
            return _too_much_memory(self._limits)
        if processor - self._processor_before > self._limits.processor_seconds:
            return _too_long(self._limits.processor_seconds)
        return _too_long(self._limits.seconds) if time.monotonic() > deadline else None


def _start(limits: DecodingLimits) -> "subprocess.Popen[bytes]":
    """Start a process whose first message reports that it is ready."""
    arguments = [str(limits.memory_bytes), str(round(limits.seconds) + 5)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "coverslip.images.decoding_worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=confined_environment(),
        start_new_session=True,  # it ends when its stdin is closed, not on Ctrl-C
        creationflags=_WINDOWS_FLAGS if os.name == "nt" else 0,
    )
    assert process.stdout is not None
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # the limit for large pipes of the user is reached
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _with_tuples(value: object) -> Any:  # Any: a field of a series or an image
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value


def _too_long(seconds: float) -> UnreadableImage:
    return UnreadableImage("image-time-limit", seconds=seconds)


def _too_much_memory(limits: DecodingLimits) -> UnreadableImage:
    return UnreadableImage("image-memory-limit", memory_gb=limits.memory_bytes / 1e9)


_MOST_PROCESSES = max(4, 2 * n_cores())  # enough to read a dataset while it is shown; more compete for the cores
_SLOW_SECONDS = 2.0  # a request that takes longer, as from a slow disk, does not delay others
_MONITOR_INTERVAL_S = 0.25
_MAX_IDLE_S = 60.0


class _Slots:
    """A number of slots for simultaneous requests, given in the order in which they are requested."""

    def __init__(self, n: int) -> None:
        self._n_free, self._waiting = n, deque[threading.Event]()
        self._lock = threading.Lock()

    def take(self) -> None:
        with self._lock:
            if self._n_free:
                self._n_free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            turn.wait()
        except BaseException:  # such as KeyboardInterrupt
            with self._lock:
                has_slot = turn.is_set()
                if not has_slot:
                    self._waiting.remove(turn)
            if has_slot:
                self.give()
            raise

    def give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._n_free += 1


class Decoders:
    """A thread-safe pool with as many processes as there are simultaneous requests, up to a limit for fast ones."""

    def __init__(self, limits: DecodingLimits | None = None, *, most_processes: int = _MOST_PROCESSES) -> None:
        """Create a pool with limits for each file; None: the default limits."""
        self._limits = limits or DecodingLimits()
        self._lock = threading.Lock()
        self._access = SharedOrExclusive()
        self._slots = _Slots(most_processes)
        self._idle: list[Decoder] = []  # most recently used last
        self._busy: dict[Decoder, float] = {}  # the time from which each request is slow; infinite: it has no slot
        self._is_interrupted = False
        self._monitor_thread: threading.Thread | None = None

    def read(self, path: Path, plan: ReadPlan, max_bytes: int, within: Sequence[Path] | None = None) -> Pixels:
        """Read one file; arguments as for `read_pixels`.

        Raises:
            UnreadableImage: the file cannot be read, exceeds a limit, or crashed a process twice.
            Stopped: `interrupt` was called.
            CoverslipError: no process can be started.
        """
        return self._image(path, {"plan": plan.as_json(), "max_bytes": max_bytes}, within, Pixels)

    def read_preprocessed(
        self,
        path: Path,
        plan: ReadPlan,
        preprocessing: Preprocessing,
        is_hashed: bool,
        max_bytes: int,
        within: Sequence[Path] | None = None,
    ) -> PreprocessedImage:
        """Read and preprocess one file; arguments as for `read_preprocessed_image`.

        Raises:
            UnreadableImage, Stopped, CoverslipError: as `read`.
        """
        how = {"preprocessing": preprocessing.model_dump_json(), "is_hashed": is_hashed}
        request = {"plan": plan.as_json(), "max_bytes": max_bytes, **how}
        return self._image(path, request, within, PreprocessedImage)

    def _image(
        self, path: Path, request: Json, within: Sequence[Path] | None, image_class: Callable[..., _Image]
    ) -> _Image:
        """Return the image of a request, with a note if the request was repeated without other requests."""
        answer, was_repeated = self._answer(path, request, within)
        array, note = answer.pop("array"), answer.pop("note")
        notes = [message_of(note)] if note else []
        if was_repeated:
            notes.append(READ_ALONE)
        fields = {name: _with_tuples(value) for name, value in answer.items()}
        return image_class(array, note=joined(notes), **fields)

    def describe(self, path: Path, within: Sequence[Path] | None = None) -> tuple[Series, ...]:
        """Describe one file.

        Raises:
            UnreadableImage, Stopped, CoverslipError: as `read`.
        """
        answer, _ = self._answer(path, {"plan": None}, within)
        return tuple(Series(**{name: _with_tuples(value) for name, value in each.items()}) for each in answer["series"])

    def _answer(self, path: Path, request: Json, within: Sequence[Path] | None) -> tuple[Json, bool]:
        """Return the answer to a request, and whether it was repeated without other requests."""
        try:
            with self._access.shared(), self._decoder() as decoder:
                return decoder.answer(path, request, within), False
        except Died:
            self._check_interrupted()
        # A process can be killed because other images used up the memory: try again without other requests.
        try:
            with self._access.exclusive(), self._decoder() as decoder:
                return decoder.answer(path, request, within), True
        except Died as error:
            self._check_interrupted()
            raise UnreadableImage("decoder-killed" if error.was_killed else "decoder-crashed", file=path) from error

    def interrupt(self) -> None:
        """Kill all busy processes, and refuse requests until `resume`."""
        with self._lock:
            self._is_interrupted = True
            busy = list(self._busy)
        for decoder in busy:
            decoder.kill()

    def resume(self) -> None:
        """Accept requests again."""
        with self._lock:
            self._is_interrupted = False

    def close(self) -> None:
        """End all processes."""
        self.interrupt()
        with self._lock:
            idle, self._idle = self._idle, []
        for decoder in idle:
            decoder.kill()

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        """Provide a process for one request, in its turn."""
        self._slots.take()
        try:
            decoder = self._acquire()
        except BaseException:
            self._slots.give()
            raise
        try:
            yield decoder
        finally:
            with self._lock:
                has_slot = self._busy.pop(decoder) < math.inf
                is_reusable = not decoder.has_ended and not self._is_interrupted
                if is_reusable:
                    self._idle.append(decoder)
            if has_slot:
                self._slots.give()
            if not is_reusable:
                decoder.kill()

    def prepare(self) -> None:
        """Start a process for the next request, unless there is one. Does not wait until it is ready."""
        with self._lock:
            if not (self._is_interrupted or self._idle or self._busy):
                self._idle.append(Decoder(self._limits))
                self._start_monitor()

    def _acquire(self) -> Decoder:
        with self._lock:
            self._check_interrupted()
            decoder = self._idle.pop() if self._idle else Decoder(self._limits)
            self._busy[decoder] = time.monotonic() + _SLOW_SECONDS
            self._start_monitor()
        return decoder

    def _start_monitor(self) -> None:
        if self._monitor_thread is None:
            self._monitor_thread = threading.Thread(target=self._monitor_all, name="decoders", daemon=True)
            self._monitor_thread.start()

    def _check_interrupted(self) -> None:
        if self._is_interrupted:
            raise Stopped("reading-stopped")

    def _monitor_all(self) -> None:
        """Monitor busy processes, take the slots of slow ones and end idle ones, until there are none."""
        while True:
            time.sleep(_MONITOR_INTERVAL_S)
            with self._lock:
                now = time.monotonic()
                busy = list(self._busy)
                # A process that is still starting keeps its slot, or a busy computer would start ever more of them.
                slow = [decoder for decoder, slow_from in self._busy.items() if slow_from < now and decoder.is_ready]
                self._busy.update(dict.fromkeys(slow, math.inf))
                idle_since = now - _MAX_IDLE_S
                expired = [decoder for decoder in self._idle if decoder.last_request < idle_since]
                self._idle = [decoder for decoder in self._idle if decoder not in expired]
                if not busy and not self._idle:
                    self._monitor_thread = None
            for _ in slow:
                self._slots.give()
            for decoder in busy:
                decoder.monitor()
            for decoder in expired:
                decoder.kill()
            if self._monitor_thread is None:
                return
