"""Trains the cells of a study, each in a process of its own: done ones are left alone, begun ones go on."""

import os
import queue
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT

from coverslip.cache import sole_lock
from coverslip.datasets import counted
from coverslip.errors import Conflict, Stopped
from coverslip.events import Emit, FoldEnded, Noted, Progressed, StepEnded, from_json, ignore
from coverslip.files import write_text
from coverslip.machine import n_cores
from coverslip.messages import Resume
from coverslip.runs import Run, save_recipe
from coverslip.runs.log import LogReader
from coverslip.stopping import NO_DEADLINE, Deadline, Stop, signals_stop
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan

_SECONDS_BETWEEN_LOOKS = 0.2
_LINES_KEPT = 2  # of what a training that failed wrote last


@dataclass(frozen=True, slots=True)
class CellState:
    """How far a training came."""

    state: str  # "done", "failed", "stopped" or "not begun"
    error: str | None = None


def state_of(cell: Cell) -> CellState:
    """What is known of a training from its folder, or from what it wrote before it had one."""
    status = cell.run.status
    if status is not None and status.state == "done":
        return CellState("done")
    if status is not None and status.state == "failed":
        return CellState("failed", status.reason)
    if status is None and (log := _log(cell)).is_file() and (text := _last_words(log)):
        return CellState("failed", text)
    return CellState("not begun" if status is None else "stopped")


def run_cells(
    plan: StudyPlan, cells: list[Cell], folder: Path, *, emit: Emit = ignore, deadline: Deadline = NO_DEADLINE
) -> None:
    """Train what is not done, as many side by side as the plan's threads leave cores for.

    Args:
        plan: of the study.
        cells: in the order in which they are begun.
        folder: of the study; one process works on it at a time.
        emit: told of each training that ends, and of the time left.
        deadline: no training is begun that would not end before it, by the time that others took.

    Raises:
        Conflict: another process works on this study.
        Stopped: on request; what is begun stops in order and goes on when the study is resumed.
    """
    try:
        lock = sole_lock(folder / "study.lock", wait_s=0)
    except sqlite3.OperationalError as error:
        raise Conflict("Another process works on this study", file=folder, do="Wait until it ends.") from error
    with closing(lock), signals_stop():
        _Runner(plan, cells, folder, emit, deadline).run()


class _Runner:
    def __init__(self, plan: StudyPlan, cells: list[Cell], folder: Path, emit: Emit, deadline: Deadline) -> None:
        self._cells, self._folder, self._emit, self._deadline = cells, folder, emit, deadline
        self._threads = min(plan.threads or n_cores(), n_cores())
        self._cores = _free_cores(self._threads)
        self._stop = Stop(folder / "stop")
        self._children: dict[Path, subprocess.Popen[bytes]] = {}
        self._guard = threading.Lock()
        self._seconds: list[float] = []
        self._followed: tuple[Cell, LogReader] | None = None

    def run(self) -> None:
        waiting = [cell for cell in self._cells if state_of(cell).state != "done"]
        n_done, n_aside = len(self._cells) - len(waiting), max(1, n_cores() // self._threads)
        running: dict[Future[float], Cell] = {}
        with ThreadPoolExecutor(n_aside) as pool:
            while waiting or running:
                while waiting and len(running) < n_aside and not self._stop.is_requested():
                    if (cell := self._next(waiting, running)) is None:
                        break
                    waiting.remove(cell)
                    running[pool.submit(self._train, cell)] = cell
                if not running:
                    break
                ended, _ = wait(running, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
                self._follow(next(iter(running.values())))
                if self._stop.is_requested():
                    self._end_children()
                for future in ended:
                    cell = running.pop(future)
                    n_done += state_of(cell).state in ("done", "failed")
                    self._tell(cell, future.result(), n_done, len(waiting) + len(running))
        if self._stop.is_requested():
            go_on = Resume(str(self._folder), of="study")
            do = "Resume the study to go on."
            raise Stopped("The study was stopped", file=self._folder, do=do, remedies=(go_on,))
        if waiting:
            self._emit(Noted(code="study-budget", text=f"No time was left for {counted(len(waiting), 'training')}."))

    def _next(self, waiting: list[Cell], running: dict[Future[float], Cell]) -> Cell | None:
        """The first whose pretraining is over, if there is time for it."""
        if self._deadline.seconds_left() < (max(self._seconds) if self._seconds else 0):
            return None
        busy = {cell.run.folder for cell in running.values()} | {cell.run.folder for cell in waiting}
        return next((c for c in waiting if c.starts_from is None or c.starts_from.folder not in busy), None)

    def _train(self, cell: Cell) -> float:
        """Seconds that the training took, however it ended."""
        began = time.monotonic()
        _wait_for(cell.run, self._stop)
        if cell.run.is_done:  # by a process that outlived the study
            return time.monotonic() - began
        if cell.starts_from is not None and not cell.starts_from.has_classifier:
            write_text(_log(cell), "The pretraining that it starts from failed.\n")
            return 0.0
        with self._guard:
            if self._stop.is_requested():
                return 0.0
            child = self._children[cell.run.folder] = self._start(cell)
        cores = self._cores.get()
        if cores and hasattr(os, "sched_setaffinity"):
            with suppress(ProcessLookupError):  # it has ended already
                os.sched_setaffinity(child.pid, cores)  # by which it knows how many threads it may have
        child.wait()
        self._cores.put(cores)
        return time.monotonic() - began

    def _start(self, cell: Cell) -> subprocess.Popen[bytes]:
        folder = cell.run.folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        arguments = ["--resume", str(folder)]
        if not cell.run.recipe_file.is_file():
            save_recipe(cell.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
            pattern = cell.dataset.group_pattern
            groups = ["--group-pattern", pattern] if pattern else []
            arguments = [*cell.dataset.path, "--recipe", str(recipe), *groups, "--out", str(folder)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self._threads)}
        with _log(cell).open("wb") as log:  # a process group of its own: Ctrl-C reaches it once, by us
            return subprocess.Popen(
                [sys.executable, "-m", "coverslip", "train", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def _end_children(self) -> None:
        with self._guard:
            for child in self._children.values():
                if child.poll() is None:
                    child.send_signal(SIGINT)
            self._children.clear()

    def _follow(self, cell: Cell) -> None:
        """Pass on how far the training is that was begun first of those that run."""
        if self._followed is None or self._followed[0] is not cell:
            self._followed = (cell, LogReader(cell.run.events_file))
            self._followed[1].new_lines()  # of an earlier attempt
            self._emit(Noted(code="cell-begun", text=f"{cell.name} is trained", values={"cell": cell.name}))
        for line in self._followed[1].new_lines():
            event = from_json({"event": line.event, **line.values})
            if isinstance(event, Progressed | StepEnded | FoldEnded):
                self._emit(event)

    def _tell(self, cell: Cell, seconds: float, n_done: int, n_left: int) -> None:
        found = state_of(cell)
        if found.state == "done":
            self._seconds.append(seconds)
        elif found.state == "failed":
            text = f"{cell.name} failed: {found.error}"
            self._emit(Noted(code="cell-failed", text=text, level="warning", values={"cell": cell.name}))
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else None
        left = None if mean is None else mean * n_left / max(1, n_cores() // self._threads)
        self._emit(
            Progressed(stage="training", done=n_done, total=len(self._cells), unit="trainings", seconds_left=left)
        )


def _free_cores(n: int) -> "queue.SimpleQueue[set[int]]":
    """Sets of cores that share none; an empty one where the system has no such thing."""
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    free: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
    for i in range(0, n_cores() - n + 1, n):
        free.put(set(known[i : i + n]))
    return free


def _wait_for(run: Run, stop: Stop) -> None:
    """A training that outlived the study which began it is left to its end."""
    while (status := run.status) is not None and status.is_alive and not stop.is_requested():
        time.sleep(1)


def _log(cell: Cell) -> Path:
    return cell.run.folder.with_name(f"{cell.run.folder.name}.log")


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return " ".join(list(filter(None, lines))[-_LINES_KEPT:])
