"""Long work of the server's own process, in threads that can be asked to end."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Work:
    thread: threading.Thread
    is_asked_to_end: threading.Event


class Background:
    """Threads by name. They may be killed at any time, so their work must be such that it can begin again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: dict[str, _Work] = {}
        self._held = Counter[str]()

    def start(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """Do `work` in a thread of its own unless one of that name is at it; the event says when it shall end."""
        with self._lock:
            if self._is_running(name) or self._held[name]:
                return
            event = threading.Event()
            thread = threading.Thread(target=work, args=(event,), name=name, daemon=True)
            self._works[name] = _Work(thread, event)
            thread.start()

    def is_running(self, name: str) -> bool:
        """Whether a thread of that name is at work."""
        with self._lock:
            return self._is_running(name)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Ask the thread of that name to end, wait until it has, and let none begin while the block runs."""
        with self._lock:
            self._held[name] += 1
            work = self._works.pop(name, None)
        try:
            if work is not None:
                work.is_asked_to_end.set()
                work.thread.join()
            yield
        finally:
            with self._lock:
                self._held[name] -= 1

    def wait_all(self) -> None:
        """Wait until all threads have done their work, and those that they begin meanwhile."""
        while True:
            with self._lock:
                works = [work for work in self._works.values() if work.thread.is_alive()]
            if not works:
                return
            for work in works:
                work.thread.join()

    def end_all(self, within_s: float) -> None:
        """Ask all threads to end, and wait so long until they have: before the server ends."""
        until = time.monotonic() + within_s
        with self._lock:
            works = list(self._works.values())
            self._works.clear()
        for work in works:
            work.is_asked_to_end.set()
        for work in works:
            work.thread.join(max(0.0, until - time.monotonic()))

    def _is_running(self, name: str) -> bool:
        return name in self._works and self._works[name].thread.is_alive()
