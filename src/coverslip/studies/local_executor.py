"""Executor of trainings on this computer, in parallel as far as the threads of the plan allow."""

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import SIGINT

from coverslip.files import write_json
from coverslip.machine import n_cores
from coverslip.messages import FAILURE_VARIABLE, Failure, failure, failure_of
from coverslip.runs import Recipe, Run, is_run, save_recipe

_N_LOG_LINES = 2  # last log lines that are reported if a training fails
_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Order:
    """The definition of a training. It can be sent to another computer."""

    sources: tuple[str, ...]  # folders or tables
    recipe: Recipe
    group_pattern: str | None
    threads: int


def start_training(order: Order, folder: Path) -> "subprocess.Popen[bytes]":
    """Start or resume a training in a separate session, so that only the parent process forwards Ctrl-C.

    Args:
        order: the definition of the training.
        folder: of the run.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    failure_file(folder).unlink(missing_ok=True)
    arguments = ["--resume", str(folder)]
    if not is_run(folder):
        save_recipe(order.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
        groups = ["--group-pattern", order.group_pattern] if order.group_pattern else []
        leakage = ["--allow-leakage"] if order.recipe.leaking_keys else []
        arguments = [*order.sources, "--recipe", str(recipe), *groups, *leakage, "--out", str(folder)]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(order.threads),
        FAILURE_VARIABLE: str(failure_file(folder)),
    }
    with log_file(folder).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "coverslip", "train", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def wait_for_training(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait for the end of a training. If it ended without a status, write its last log lines as the reason."""
    code = process.wait()
    if code in (0, _INTERRUPTED) or failure_file(folder).is_file() or Run(folder).status is not None:
        return
    lines = _last_lines(folder).rstrip(".")
    if lines:
        record_failure(folder, failure("training-process-failed", last_lines=lines))
    else:
        record_failure(folder, failure("training-process-ended", exit_code=str(code)))


def record_failure(folder: Path, reason: Failure) -> None:
    """Write the reason why a training did not start."""
    write_json(failure_file(folder), asdict(reason))


def start_failure(folder: Path) -> str | None:
    """Return why a training without a run folder failed; None if it did not fail."""
    try:
        reason = failure_of(json.loads(failure_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    about = f" ({reason.file})" if reason.file else ""
    return f"{reason.what}{about}. {reason.do}".rstrip()


def log_file(folder: Path) -> Path:
    """Return the log file of a training's process."""
    return folder.with_name(f"{folder.name}.log")


def failure_file(folder: Path) -> Path:
    """Return the failure file of a training's process. It exists only after a failure."""
    return folder.with_name(f"{folder.name}.failure.json")


def _last_lines(folder: Path) -> str:
    lines = [line.strip() for line in log_file(folder).read_text(encoding="utf-8", errors="replace").splitlines()]
    return " ".join(list(filter(None, lines))[-_N_LOG_LINES:])


class LocalExecutor:
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
