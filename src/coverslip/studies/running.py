"""Training of a study's cells in separate processes. Finished cells are skipped, and stopped cells are resumed."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.errors import BadRun, Stopped
from coverslip.events import Emit, FoldEnded, Noted, Progressed, StepEnded, from_json
from coverslip.messages import Resume, failure, note
from coverslip.runs.folder import Run, is_run
from coverslip.runs.log import LogReader
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.status import StatusFile
from coverslip.runtime.executors import Executor, ProgramExecutor, ProgramTask
from coverslip.runtime.programs import python_command, record_exit, record_failure
from coverslip.stopping import Deadline, Stop
from coverslip.studies.cells import Cell, state_of


@dataclass(frozen=True, slots=True)
class Order:
    """The definition of a training. It can be sent to another computer."""

    sources: tuple[str, ...]  # folders or tables
    recipe: Recipe
    group_pattern: str | None
    threads: int


AnyExecutor = Executor[Any, Any, Any]  # Any: its tasks


Train = Callable[[Order, Path, Path | None], None]
"""Trains into a folder, which then holds the result or the failure. The last argument is that of the initial run."""


_POLL_SECONDS = 0.2


@dataclass(kw_only=True)
class CellRunner:
    """Runs the unfinished trainings of a study, as many in parallel as the executor allows.

    Args:
        cells: in the order in which they are started.
        folder: of the study.
        executor: runs the trainings.
        train: trains on the executor; called from several threads.
        threads: of each training.
        status: receives the state and the remaining time.
        after_each: called after each training, also if it failed.
        emit: receives the end of each training and the remaining time.
        deadline: a training is not started if its expected end, by the longest training so far, is later.
    """

    cells: list[Cell]
    folder: Path
    executor: AnyExecutor
    train: Train
    threads: int
    status: StatusFile
    after_each: Callable[[], object]
    emit: Emit
    deadline: Deadline

    def __post_init__(self) -> None:
        self._stop = Stop(self.folder / "stop")
        statuses = [cell.run.status for cell in self.cells if state_of(cell).state == "done"]
        self._seconds = [status.seconds_worked for status in statuses if status is not None]
        self._resumed = {cell.run.folder for cell in self.cells if is_run(cell.run.folder)}
        self._ends: float | None = None  # expected end of the study, from the time of finished trainings
        self._followed: tuple[Cell, LogReader] | None = None

    def run(self) -> None:
        """Run them.

        Raises:
            Stopped: on request. Running trainings stop in order, and resume when the study is resumed.
        """
        waiting = [cell for cell in self.cells if state_of(cell).state != "done"]
        n_done, n_parallel = len(self.cells) - len(waiting), self.executor.n_parallel
        running: dict[Future[float], Cell] = {}
        with ThreadPoolExecutor(n_parallel) as pool:
            while waiting or running:
                while waiting and len(running) < n_parallel and not self._stop.is_requested():
                    if (cell := self._next(waiting, running)) is None:
                        break
                    waiting.remove(cell)
                    running[pool.submit(self._train, cell)] = cell
                if not running:
                    break
                ended, _ = wait(running, _POLL_SECONDS, FIRST_COMPLETED)
                self._follow(next(iter(running.values())))
                self.status.beat(seconds_left=None if self._ends is None else max(0.0, self._ends - time.monotonic()))
                if self._stop.is_requested():
                    self.executor.stop()
                for future in ended:
                    cell = running.pop(future)
                    n_done += state_of(cell).state in ("done", "failed")
                    self._report(cell, future.result(), n_done, len(waiting) + len(running))
                    self.after_each()
        if self._stop.is_requested():
            resume = Resume(str(self.folder), of="study")
            raise Stopped("study-stopped", file=self.folder, remedies=(resume,))
        if waiting:
            self.emit(Noted.of(note("study-budget", n_trainings=len(waiting))))

    def _next(self, waiting: list[Cell], running: dict[Future[float], Cell]) -> Cell | None:
        """Return the first waiting training whose pretraining has ended, if there is time for it."""
        if self.deadline.seconds_left() < (max(self._seconds) if self._seconds else 0):
            return None
        busy = {cell.run.folder for cell in running.values()} | {cell.run.folder for cell in waiting}
        return next((c for c in waiting if c.starts_from is None or c.starts_from.folder not in busy), None)

    def _train(self, cell: Cell) -> float:
        """Train, and return the duration in seconds, also if the training failed."""
        started_at = time.monotonic()
        try:
            _wait_for(cell.run, self._stop)
            if cell.run.is_done:  # finished by a process that outlived an earlier study
                return time.monotonic() - started_at
        except BadRun:  # with a damaged status, it can neither be resumed nor start in its folder
            return 0.0
        if cell.starts_from is not None and not cell.starts_from.has_classifier:
            record_failure(cell.run.folder, failure("pretraining-failed"))
            return 0.0
        order = Order(cell.sources, cell.recipe, cell.dataset.group_pattern, self.threads)
        if not self._stop.is_requested():
            starts_from = None if cell.starts_from is None else cell.starts_from.folder
            self.train(order, cell.run.folder, starts_from)
        return time.monotonic() - started_at

    def _follow(self, cell: Cell) -> None:
        """Forward the progress of the running training that was started first."""
        if self._followed is None or self._followed[0] is not cell:
            self._followed = (cell, LogReader(cell.run.events_file))
            self._followed[1].new_lines()  # skips lines of an earlier attempt
            self.emit(Noted.of(note("cell-begun", cell=cell.name)))
        for line in self._followed[1].new_lines():
            event = from_json({"event": line.event, **line.values})
            if isinstance(event, Progressed | StepEnded | FoldEnded):
                self.emit(event)

    def _report(self, cell: Cell, seconds: float, n_done: int, n_left: int) -> None:
        state = state_of(cell)
        if state.state == "done" and cell.run.folder not in self._resumed:  # else it is the time of the rest
            self._seconds.append(seconds)
        elif state.state == "failed":
            reason = state.error or ""
            self.emit(Noted.of(note("cell-failed", level="warning", cell=cell.name, reason=reason)))
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else None
        seconds_left = None if mean is None else mean * n_left / self.executor.n_parallel
        if seconds_left is not None and n_left:
            seconds_left = min(seconds_left, max(0.0, self.deadline.seconds_left()))
        self._ends = None if seconds_left is None else time.monotonic() + seconds_left
        self.emit(
            Progressed(
                stage="training-networks",
                done=n_done,
                total=len(self.cells),
                unit="trainings",
                seconds_left=seconds_left,
            )
        )


def _wait_for(run: Run, stop: Stop) -> None:
    """Wait for the end of a training that outlived the study that started it."""
    while (status := run.status) is not None and status.is_alive and not stop.is_requested():
        time.sleep(1)


_INTERRUPTED = 130
_SECONDS_BETWEEN_QUERIES = 2.0


def train_in_program(executor: ProgramExecutor, order: Order, folder: Path) -> None:
    """Train in a process, and record how it ended, unless it did so itself, or was to stop.

    The process is in a session of its own, so that only the executor forwards Ctrl-C. If a killed study has submitted
    the training to Slurm, wait for the end of that job first.
    """
    while executor.has_job(folder) and not executor.is_stopped:
        time.sleep(_SECONDS_BETWEEN_QUERIES)
    if Run(folder).is_done:
        return
    try:
        exit_code = executor.run(ProgramTask(_training_command(order, folder), folder))
    except Stopped:  # before its start
        return
    status = Run(folder).status
    if not executor.is_stopped and exit_code != _INTERRUPTED and (status is None or status.state == "running"):
        record_exit(folder, exit_code)


def _training_command(order: Order, folder: Path) -> list[str]:
    """Return the command that starts or resumes a training, and write the recipe of a new one."""
    arguments = ["--resume", str(folder)]
    if not is_run(folder):
        save_recipe(order.recipe, recipe := folder.with_name(f"{folder.name}.yaml"))
        groups = ["--group-pattern", order.group_pattern] if order.group_pattern else []
        leakage = ["--allow-leakage"] if order.recipe.leaking_keys else []
        arguments = [*order.sources, "--recipe", str(recipe), *groups, *leakage, "--out", str(folder)]
    return python_command("-m", "coverslip", "train", *arguments)
