"""Stop requests (Ctrl-C, SIGTERM, SIGHUP, or a stop file) and deadlines for long work.

Long work receives a `Stop` and checks it where it can end without loss: `check` in loops that save their progress,
`is_requested` where something must be finished first.
"""

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from coverslip.errors import OutOfTime, Stopped

_signalled = threading.Event()  # global, because signals apply to the process


@dataclass(frozen=True)
class Deadline:
    """The time at which work must end."""

    at: float = math.inf  # in seconds of `clock`
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def within(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> "Deadline":
        """Return the deadline in `seconds` from now."""
        return cls(clock() + seconds, clock)

    def earlier(self, seconds: float) -> "Deadline":
        """Return a deadline that is earlier by `seconds`, to reserve time for later work."""
        return Deadline(self.at - seconds, self.clock)

    def seconds_left(self) -> float:
        """Return the remaining seconds; negative after the deadline, infinite without one."""
        return self.at - self.clock()

    def check(self) -> None:
        """Raise OutOfTime after the deadline."""
        if self.seconds_left() <= 0:
            raise OutOfTime("time-over")


NO_DEADLINE = Deadline()


@dataclass(frozen=True)
class TimeLimit:
    """The time limit to which the number of steps of fine-tuning is adapted."""

    deadline: Deadline  # of all work
    reserve_seconds: float  # for the work after fine-tuning, at the speed of its first steps
    fewest_epochs: float  # are run even if they take longer
    most_epochs: float


@dataclass(frozen=True)
class Stop:
    """A stop request and a deadline; it can be passed to another process."""

    file: Path | None = None  # requests a stop if it exists
    deadline: Deadline = NO_DEADLINE  # after which the work is useless

    def is_requested(self) -> bool:
        """Return whether a stop was requested, by a signal to this process or by the file."""
        return _signalled.is_set() or (self.file is not None and self.file.exists())

    def check(self) -> None:
        """Raise Stopped if a stop was requested, and OutOfTime after the deadline."""
        if self.is_requested():
            raise work_stopped()
        self.deadline.check()


def work_stopped() -> Stopped:
    """Return the error for work that was stopped on request."""
    return Stopped("work-stopped")


BY_SIGNAL = Stop()
"""A stop request by signals only, within `signals_stop`."""


def ending_signals() -> list[signal.Signals]:
    """Return SIGINT (Ctrl-C), SIGTERM and SIGHUP (end of the terminal), except those that are ignored.

    Programs that a script starts with `&` inherit that SIGINT is ignored, and those of `nohup` that SIGHUP is.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32":
        numbers.append(signal.SIGHUP)
    return [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def signals_stop() -> Iterator[None]:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into a stop request, and a second one into an interrupt.

    In threads other than the main thread this has no effect, because signals do not arrive there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def request_stop(number: int, frame: FrameType | None) -> None:
        if _signalled.is_set():
            raise KeyboardInterrupt
        _signalled.set()

    before = {number: signal.signal(number, request_stop) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _signalled.clear()
