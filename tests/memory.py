"""How much memory Python and NumPy take, measured in this process."""

import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def within_memory(n_bytes: float) -> Iterator[None]:
    """Fail where more is taken at any time inside.

    What earlier tests left at work in threads comes to its end first: before Python 3.12 an array that is freed at the
    moment when tracing ends is a crash.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and _is_at_work(sys._current_frames().get(thread.ident or 0)):
            thread.join(60)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < n_bytes
    finally:
        tracemalloc.stop()


def _is_at_work(frame: FrameType | None) -> bool:
    """Whether a thread runs our code, and does not wait in a library for something to do."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("coverslip."):
            return True
        frame = frame.f_back
    return False
