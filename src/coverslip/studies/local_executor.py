"""Executor of trainings on this computer, in parallel as far as the threads of the plan allow."""

import os
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from coverslip.errors import error_text
from coverslip.machine import n_cores
from coverslip.runs import Recipe, Run, is_run, save_recipe
from coverslip.runtime.programs import Program, launch, python_command, record_exit, recorded_failure

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Order:
    """The definition of a training. It can be sent to another computer."""

    sources: tuple[str, ...]  # folders or tables
    recipe: Recipe
    group_pattern: str | None
    threads: int


def start_training(order: Order, folder: Path) -> Program:
    """Start or resume a training in a separate session, so that only the parent process forwards Ctrl-C.

    Args:
        order: the definition of the training.
        folder: of the run.
    """
    arguments = ["--resume", str(folder)]
    if not is_run(folder):
        save_recipe(order.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
        groups = ["--group-pattern", order.group_pattern] if order.group_pattern else []
        leakage = ["--allow-leakage"] if order.recipe.leaking_keys else []
        arguments = [*order.sources, "--recipe", str(recipe), *groups, *leakage, "--out", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(order.threads)}
    return launch(python_command("-m", "coverslip", "train", *arguments), folder, environment=environment)


def wait_for_training(process: Program, folder: Path) -> None:
    """Wait for the end of a training, and record how it ended, unless it did so itself, or was to stop."""
    code = process.wait()
    status = Run(folder).status
    if code not in (0, _INTERRUPTED) and (status is None or status.state == "running"):
        record_exit(folder, code)


def start_failure(folder: Path) -> str | None:
    """Return why a training failed without a last status; None if it did not fail."""
    failure = recorded_failure(folder)
    return None if failure is None else error_text(failure)


class LocalExecutor:
    """Executor on this computer."""

    def __init__(self, threads: int) -> None:
        self._cores = _free_cores(threads)
        self.n_parallel = max(1, n_cores() // threads)
        self._children: dict[Path, Program] = {}
        self._guard = threading.Lock()
        self._is_stopped = False

    def train(self, order: Order, folder: Path, starts_from: Path | None) -> None:
        """Train, and wait for the end. The recipe holds the path of the initial run, so `starts_from` is not used."""
        with self._guard:
            if self._is_stopped:
                return
            child = self._children[folder] = start_training(order, folder)
        cores = self._cores.get()
        try:
            if cores and hasattr(os, "sched_setaffinity"):
                with suppress(ProcessLookupError):  # the process has already ended
                    os.sched_setaffinity(child.pid, cores)  # the training derives its threads from this
            wait_for_training(child, folder)
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
