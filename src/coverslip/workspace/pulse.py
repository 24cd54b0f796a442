"""The clock of a workspace: whoever shows or does something waits for a change, and asks nothing meanwhile."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Pulse:
    """Tells the queue of jobs and the streams of pages when something may have changed. Thread-safe.

    Every transaction that writes to the database beats. While jobs run, which write files, the queue announces changes
    in short intervals. If none runs, nothing happens between two changes.
    """

    def __init__(self) -> None:
        self.woken = threading.Event()  # for the queue
        self._lock = threading.Lock()
        self._followers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def beat(self) -> None:
        """Wake the queue and all followers."""
        self.woken.set()
        self.announce()

    def announce(self) -> None:
        """Wake all followers."""
        with self._lock:
            followers = list(self._followers)
        for loop, news in followers:
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(news.set)

    @contextmanager
    def followed(self) -> Iterator[asyncio.Event]:
        """Provide, within the block of a coroutine, an event that is set by each change."""
        follower = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._followers.add(follower)
        try:
            yield follower[1]
        finally:
            with self._lock:
                self._followers.remove(follower)
