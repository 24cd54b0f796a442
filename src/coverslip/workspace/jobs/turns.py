"""Whose job starts next if several workspaces share a computer: one job of each queue runs at a time."""

import threading
from collections import defaultdict
from collections.abc import Collection, Hashable


class Turns:
    """The queues that the workspaces of a server share. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_starts = 0
        self._busy: dict[Hashable, set[str]] = defaultdict(set)
        self._waiting: dict[Hashable, set[str]] = defaultdict(set)
        self._last_start: dict[tuple[Hashable, str], int] = {}

    def report(self, workspace: Hashable, *, busy: Collection[str], waiting: Collection[str]) -> None:
        """Report in which queues a workspace has running and waiting jobs."""
        with self._lock:
            self._busy[workspace], self._waiting[workspace] = set(busy), set(waiting)

    def take(self, workspace: Hashable, queue: str) -> bool:
        """Return whether a workspace may start a job of this queue now; if so, the queue is busy from now on.

        Among the workspaces that wait, the one whose last start is the longest ago is next.
        """
        with self._lock:
            if any(queue in busy for busy in self._busy.values()):
                return False
            waiting = [each for each, queues in self._waiting.items() if queue in queues]
            if min(waiting, key=lambda each: self._last_start.get((each, queue), 0), default=workspace) != workspace:
                return False
            self._n_starts += 1
            self._last_start[workspace, queue] = self._n_starts
            self._busy[workspace].add(queue)
            return True

    def leave(self, workspace: Hashable) -> None:
        """Forget a workspace that is no longer served."""
        with self._lock:
            self._busy.pop(workspace, None)
            self._waiting.pop(workspace, None)
