"""Whose job starts next if several workspaces share a computer: one job of each queue runs at a time."""

import threading
import time
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field

_WAITING_SECONDS = 10.0  # a workspace that does not report again loses its turn


@dataclass(slots=True)
class _Queues:
    """The queues of one workspace, as it reported them last."""

    busy: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    reported: float = 0.0
    last_starts: dict[str, int] = field(default_factory=dict)


class Turns:
    """The queues that the workspaces of a server share. Thread-safe.

    Args:
        is_open: whether jobs may start. If not, they wait for `open`: all workspaces must have reported before.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        self._lock, self._is_open, self._n_starts = threading.Lock(), is_open, 0
        self._queues: dict[Hashable, _Queues] = {}

    def open(self) -> None:
        """Let jobs start."""
        self._is_open = True

    def enter(self, workspace: Hashable) -> None:
        """Add a workspace."""
        with self._lock:
            self._queues[workspace] = _Queues()

    def leave(self, workspace: Hashable) -> None:
        """Remove a workspace. What it reports later is ignored, and its running jobs no longer count."""
        with self._lock:
            self._queues.pop(workspace, None)

    def report(self, workspace: Hashable, *, busy: Collection[str], waiting: Collection[str]) -> None:
        """Report in which queues a workspace has running and waiting jobs."""
        with self._lock:
            if queues := self._queues.get(workspace):
                queues.busy, queues.waiting, queues.reported = set(busy), set(waiting), time.monotonic()

    def take(self, workspace: Hashable, queue: str, *, most: int | None = 1) -> bool:
        """Return whether a workspace may start a job of this queue now; if so, the queue is busy from now on.

        Among the workspaces that wait, the one whose last start is the longest ago is next.

        Args:
            workspace: the workspace.
            queue: one of its queues.
            most: the number of workspaces in which jobs of this queue may run at a time; None: a cluster decides when
                they run.
        """
        with self._lock:
            taking = self._queues.get(workspace)
            if not self._is_open or taking is None:
                return False
            if most is None:
                return True
            if queue in taking.busy or sum(queue in each.busy for each in self._queues.values()) >= most:
                return False
            since = time.monotonic() - _WAITING_SECONDS
            waiting = [each for each in self._queues.values() if queue in each.waiting and each.reported >= since]
            if waiting and min(waiting, key=lambda each: each.last_starts.get(queue, 0)) is not taking:
                return False
            self._n_starts += 1
            taking.last_starts[queue] = self._n_starts
            taking.busy.add(queue)
            return True
