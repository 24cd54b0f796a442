"""Background work in the server process, in threads that can be stopped."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Work:
    thread: threading.Thread
    must_end: threading.Event


class Background:
    """Threads by name. They can be killed at any time, so their work must be restartable."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: dict[str, _Work] = {}
        self._held = Counter[str]()

    def start(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """Run `work` in a thread, unless a thread of that name is running. Its argument is set when it must end."""
        with self._lock:
            if self._is_running(name) or self._held[name]:
                return
            event = threading.Event()
            thread = threading.Thread(target=work, args=(event,), name=name, daemon=True)
            self._works[name] = _Work(thread, event)
            thread.start()

    def is_running(self, name: str) -> bool:
        """Return whether a thread of that name is running."""
        with self._lock:
            return self._is_running(name)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Stop the thread of that name, wait for its end, and prevent new ones during the block."""
        with self._lock:
            self._held[name] += 1
            work = self._works.pop(name, None)
        try:
            if work is not None:
                work.must_end.set()
                work.thread.join()
            yield
        finally:
            with self._lock:
                self._held[name] -= 1

    def wait_all(self) -> None:
        """Wait for the end of all threads, including those that start meanwhile."""
        while True:
            with self._lock:
                works = [work for work in self._works.values() if work.thread.is_alive()]
            if not works:
                return
            for work in works:
                work.thread.join()

    def end_all(self, within_s: float) -> None:
        """Stop all threads, and wait up to `within_s` seconds for their end."""
        until = time.monotonic() + within_s
        with self._lock:
            works = list(self._works.values())
            self._works.clear()
        for work in works:
            work.must_end.set()
        for work in works:
            work.thread.join(max(0.0, until - time.monotonic()))

    def _is_running(self, name: str) -> bool:
        return name in self._works and self._works[name].thread.is_alive()
