"""Ending work in order: Ctrl-C, SIGTERM, SIGHUP, a file that asks for it, or the end of the time that it may take.

Long work receives a `Stop` and checks it where it can end without loss: `check` in loops whose work is
kept as it goes, `is_requested` where there is something left to do first. Nothing else ends work on request.
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

_signalled = threading.Event()  # of this process: signals belong to no object


@dataclass(frozen=True)
class Deadline:
    """When work must have ended."""

    at: float = math.inf  # in seconds of the clock
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def within(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> "Deadline":
        """So many seconds from now."""
        return cls(clock() + seconds, clock)

    def earlier(self, seconds: float) -> "Deadline":
        """One that leaves so many seconds for what comes after."""
        return Deadline(self.at - seconds, self.clock)

    def seconds_left(self) -> float:
        """Negative where it is over; infinite where there is none."""
        return self.at - self.clock()

    def check(self) -> None:
        """Raises OutOfTime where it is over."""
        if self.seconds_left() <= 0:
            raise OutOfTime("time-over")


NO_DEADLINE = Deadline()


@dataclass
class TimeLimit:
    """Until when fine-tuning may continue, and how many epochs are useful."""

    deadline: Deadline  # of all work
    fewest_epochs: float  # where fewer fit by the speed of the first steps, fine-tuning is given up
    most_epochs: float
    # For what comes after fine-tuning:
    reserve_steps: float = 0.0  # so many times the seconds of a step,
    reserve_seconds: float = 0.0  # and seconds at the speed of the first steps, known after the instant stage


@dataclass(frozen=True)
class Stop:
    """Whether work shall end; it can be passed to another process."""

    file: Path | None = None  # asks for an end by being there
    deadline: Deadline = NO_DEADLINE  # of work that is of no use when it ends later

    def is_requested(self) -> bool:
        """Whether an end was asked for, by a signal to this process or by the file."""
        return _signalled.is_set() or (self.file is not None and self.file.exists())

    def check(self) -> None:
        """Raises Stopped where an end was asked for, and OutOfTime after the deadline."""
        if self.is_requested():
            raise work_stopped()
        self.deadline.check()


def work_stopped() -> Stopped:
    """Return the error for work that ends on request."""
    return Stopped("work-stopped")


BY_SIGNAL = Stop()
"""Ends work on Ctrl-C or SIGTERM alone, where these are let ask (`signals_stop`)."""


def ending_signals() -> list[signal.Signals]:
    """Ctrl-C, SIGTERM, and the end of the terminal, unless the process is to outlive it (`nohup`)."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


@contextmanager
def signals_stop() -> Iterator[None]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP ask for an end, and a second one interrupt at once.

    In a thread other than the main one nothing changes, since signals do not arrive there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if _signalled.is_set():
            raise KeyboardInterrupt
        _signalled.set()

    before = {number: signal.signal(number, ask) for number in ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _signalled.clear()
