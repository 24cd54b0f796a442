"""Trains the cells of a study, each in a process of its own: done ones are left alone, begun ones go on."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from coverslip.errors import Stopped
from coverslip.events import Emit, FoldEnded, Noted, Progressed, StepEnded, from_json, ignore
from coverslip.messages import Resume, failure, note
from coverslip.runs import Run, StatusFile
from coverslip.runs.log import LogReader
from coverslip.stopping import NO_DEADLINE, Deadline, Stop
from coverslip.studies.cells import Cell
from coverslip.studies.executors.process import Order, fail, why_not_begun

_SECONDS_BETWEEN_LOOKS = 0.2

CellWord = Literal["done", "failed", "running", "stopped", "not begun"]


class Place(Protocol):
    """Where trainings are done; its methods are called from several threads."""

    n_aside: int  # trainings at once

    def train(self, order: Order, folder: Path, starts_from: Path | None) -> None:
        """Do one into `folder`, which is all that is looked at when it returns; `starts_from` is a run here."""

    def stop(self) -> None:
        """Ask all that is at work to end in order; begin nothing more. May be called again."""

    def close(self) -> None:
        """Nothing more is to be trained."""


@dataclass(frozen=True, slots=True)
class CellState:
    """How far a training came."""

    state: CellWord
    error: str | None = None


def state_of(cell: Cell) -> CellState:
    """What is known of a training from its folder, or from what it wrote before it had one."""
    status = cell.run.status
    if status is not None and status.state == "done":
        return CellState("done")
    if status is not None and status.state == "failed":
        return CellState("failed", status.reason)
    if status is None:
        why = why_not_begun(cell.run.folder)
        return CellState("not begun") if why is None else CellState("failed", why)
    return CellState("running" if status.is_alive else "stopped")


def run_cells(
    cells: list[Cell],
    folder: Path,
    place: Place,
    *,
    threads: int,
    status: StatusFile,
    after_each: Callable[[], object],
    emit: Emit = ignore,
    deadline: Deadline = NO_DEADLINE,
) -> None:
    """Train what is not done, as many side by side as the place has room for.

    Args:
        cells: in the order in which they are begun.
        folder: of the study.
        place: where they are trained.
        threads: of each training.
        status: receives the state and the time left.
        after_each: called when a training has ended, however it did.
        emit: receives each training that ends, and the time left.
        deadline: no training is begun that would not end before it, by the time that others took.

    Raises:
        Stopped: on request; what is begun stops in order and goes on when the study is resumed.
    """
    _Runner(cells, folder, place, threads, status, after_each, emit, deadline).run()


class _Runner:
    def __init__(
        self,
        cells: list[Cell],
        folder: Path,
        place: Place,
        threads: int,
        status: StatusFile,
        after_each: Callable[[], object],
        emit: Emit,
        deadline: Deadline,
    ) -> None:
        self._cells, self._folder, self._emit, self._deadline = cells, folder, emit, deadline
        self._status, self._after_each = status, after_each
        self._place, self._threads = place, threads
        self._stop = Stop(folder / "stop")
        self._seconds: list[float] = []
        self._ends: float | None = None  # when all will be done, by the time that others took
        self._followed: tuple[Cell, LogReader] | None = None

    def run(self) -> None:
        waiting = [cell for cell in self._cells if state_of(cell).state != "done"]
        n_done, n_aside = len(self._cells) - len(waiting), self._place.n_aside
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
                self._status.beat(seconds_left=None if self._ends is None else max(0.0, self._ends - time.monotonic()))
                if self._stop.is_requested():
                    self._place.stop()
                for future in ended:
                    cell = running.pop(future)
                    n_done += state_of(cell).state in ("done", "failed")
                    self._tell(cell, future.result(), n_done, len(waiting) + len(running))
                    self._after_each()
        if self._stop.is_requested():
            go_on = Resume(str(self._folder), of="study")
            raise Stopped("study-stopped", file=self._folder, remedies=(go_on,))
        if waiting:
            self._emit(Noted.of(note("study-budget", n_trainings=len(waiting))))

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
            fail(cell.run.folder, failure("pretraining-failed"))
            return 0.0
        order = Order(cell.dataset.path, cell.recipe, cell.dataset.group_pattern, self._threads)
        if not self._stop.is_requested():
            self._place.train(order, cell.run.folder, None if cell.starts_from is None else cell.starts_from.folder)
        return time.monotonic() - began

    def _follow(self, cell: Cell) -> None:
        """Pass on how far the training is that was begun first of those that run."""
        if self._followed is None or self._followed[0] is not cell:
            self._followed = (cell, LogReader(cell.run.events_file))
            self._followed[1].new_lines()  # of an earlier attempt
            self._emit(Noted.of(note("cell-begun", cell=cell.name)))
        for line in self._followed[1].new_lines():
            event = from_json({"event": line.event, **line.values})
            if isinstance(event, Progressed | StepEnded | FoldEnded):
                self._emit(event)

    def _tell(self, cell: Cell, seconds: float, n_done: int, n_left: int) -> None:
        state = state_of(cell)
        if state.state == "done":
            self._seconds.append(seconds)
        elif state.state == "failed":
            reason = state.error or ""
            self._emit(Noted.of(note("cell-failed", level="warning", cell=cell.name, reason=reason)))
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else None
        left = None if mean is None else mean * n_left / self._place.n_aside
        self._ends = None if left is None else time.monotonic() + left
        self._emit(
            Progressed(stage="training", done=n_done, total=len(self._cells), unit="trainings", seconds_left=left)
        )


def _wait_for(run: Run, stop: Stop) -> None:
    """A training that outlived the study which began it is left to its end."""
    while (status := run.status) is not None and status.is_alive and not stop.is_requested():
        time.sleep(1)
