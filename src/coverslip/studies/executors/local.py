"""Trainings on this computer, in parallel as far as the plan's threads allow."""

import os
import queue
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from signal import SIGINT

from coverslip.machine import n_cores
from coverslip.studies.executors.process import Order, begin, settle


class Here:
    """Executor on this computer."""

    def __init__(self, threads: int) -> None:
        self._cores = _free_cores(threads)
        self.n_parallel = max(1, n_cores() // threads)
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self._guard = threading.Lock()
        self._is_stopped = False

    def train(self, order: Order, folder: Path, starts_from: Path | None) -> None:
        """Train, and wait for the end. The recipe holds the path of the initial run, so `starts_from` is not used."""
        with self._guard:
            if self._is_stopped:
                return
            child = self._children[folder] = begin(order, folder)
        cores = self._cores.get()
        try:
            if cores and hasattr(os, "sched_setaffinity"):
                with suppress(ProcessLookupError):  # the process has already ended
                    os.sched_setaffinity(child.pid, cores)  # the training derives its threads from this
            settle(child, folder)
        finally:
            self._cores.put(cores)
            with self._guard:
                self._children.pop(folder, None)

    def stop(self) -> None:
        """Request an orderly stop of all running trainings, and start no further training."""
        with self._guard:
            self._is_stopped = True
            for child in self._children.values():
                if child.poll() is None:
                    child.send_signal(SIGINT)
            self._children.clear()

    def close(self) -> None:
        """Do nothing, because there is nothing to close."""


def _free_cores(n: int) -> "queue.SimpleQueue[set[int]]":
    """Return disjoint sets of cores; the sets are empty if the system does not support affinity."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    free: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
    for i in range(0, n_cores() - n + 1, n):
        free.put(set(cores[i : i + n]))
    return free
