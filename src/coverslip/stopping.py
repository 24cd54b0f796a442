"""Ending work in order: Ctrl-C, SIGTERM, or a file named `stop` in the run folder."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


@contextmanager
def stop_requests(folder: Path) -> Iterator[Callable[[], bool]]:
    """Yield a question that is True once a stop was asked for.

    The first Ctrl-C or SIGTERM asks; a second one interrupts at once. In a thread other than the main one only the
    file counts, since signals do not arrive there.
    """
    asked = threading.Event()
    stop_file = folder / "stop"

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop_file.exists
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked.is_set() or stop_file.exists()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
