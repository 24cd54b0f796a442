"""Executors of tasks: programs on this computer or as jobs of Slurm here, calls on a Ray cluster in `cluster`."""

import os
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from coverslip.machine import CORES_VARIABLE, THREAD_VARIABLES, n_cores
from coverslip.runtime.programs import Program, launch, log_file
from coverslip.runtime.slurm import Slurm, is_submitted
from coverslip.stopping import work_stopped

Task = TypeVar("Task")
Handle = TypeVar("Handle")
Result = TypeVar("Result")

_SECONDS_BETWEEN_CHECKS = 0.2
_SECONDS_TO_STOP = 60.0
_MOST_SUBMITTED = 16  # jobs of Slurm: a process on this computer waits for each


class Executor(ABC, Generic[Task, Handle, Result]):
    """Runs tasks until it is stopped, and can stop all of them. Thread-safe.

    A backend starts a task, waits for its result and cancels it.

    Args:
        n_parallel: the number of tasks that can run at a time.
    """

    def __init__(self, n_parallel: int) -> None:
        self.n_parallel, self.is_stopped = n_parallel, False
        self._lock, self._running = threading.Lock(), set[Handle]()

    @abstractmethod
    def _start(self, task: Task) -> Handle: ...

    @abstractmethod
    def _result(self, handle: Handle) -> Result: ...

    @abstractmethod
    def _cancel(self, handle: Handle) -> None: ...

    def run(self, task: Task) -> Result:
        """Return the result of a task after waiting for it.

        Raises:
            Stopped: `stop` was called before.
        """
        with self._lock:
            if self.is_stopped:
                raise work_stopped()
            self._running.add(handle := self._start(task))
        try:
            return self._result(handle)
        finally:
            with self._lock:
                self._running.discard(handle)

    def in_order(
        self, tasks: Iterable[Task], *, n_ahead: int, on_wait: Callable[[Sequence[Task]], None]
    ) -> Generator[tuple[Task, Result]]:
        """Yield each task with its result. At the end, or if the caller needs no more results, the executor is stopped.

        Args:
            tasks: the tasks.
            n_ahead: the number of tasks that begin before the next result is taken.
            on_wait: receives the finished tasks, several times per second.
        """
        task_iterator, finished_tasks = iter(tasks), list[Task]()
        running = deque[tuple[Task, Future[Result]]]()
        with ThreadPoolExecutor(n_ahead) as threads:
            try:
                while True:
                    next_tasks = islice(task_iterator, n_ahead - len(running))
                    running.extend((task, threads.submit(self.run, task)) for task in next_tasks)
                    if not running:
                        return
                    is_ready = False
                    while not is_ready:
                        is_ready = bool(wait([running[0][1]], _SECONDS_BETWEEN_CHECKS).done)
                        on_wait([*finished_tasks, *(task for task, future in running if future.done())])
                    task, future = running.popleft()
                    finished_tasks.append(task)
                    yield task, future.result()
            finally:
                self.stop()  # else the threads would wait for all

    def stop(self) -> None:
        """Cancel all tasks, and begin no others. A second call does nothing. An error is raised after the last task."""
        with self._lock, ExitStack() as cancellations:
            was_stopped, self.is_stopped = self.is_stopped, True  # before tasks end because of it
            for handle in () if was_stopped else self._running:
                cancellations.callback(self._cancel, handle)

    def close(self) -> None:
        """Release all resources after the last task."""


@dataclass(frozen=True, slots=True)
class ProgramTask:
    """A program that works on a folder, as of `launch`. SIGTERM stops it in order."""

    command: Sequence[str]
    folder: Path


class ProgramExecutor(Executor[ProgramTask, Program, int]):
    """Runs programs. The results are their exit codes.

    Args:
        threads: of each program.
        slurm: runs them as jobs; None: on this computer.
        pins_cores: whether each program on this computer has cores that no other program of this executor uses.
    """

    def __init__(self, threads: int, slurm: Slurm | None = None, *, pins_cores: bool = True) -> None:
        super().__init__(_MOST_SUBMITTED if slurm else max(1, n_cores() // threads))
        self._threads, self._slurm = threads, slurm
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") and pins_cores and not slurm else []
        self._free_cores = queue.SimpleQueue[set[int]]()
        for i in range(self.n_parallel):
            self._free_cores.put(set(cores[i * threads : (i + 1) * threads]))

    def has_job(self, folder: Path) -> bool:
        """Return whether Slurm has a job for this folder, such as from a process that was killed."""
        return self._slurm is not None and is_submitted(log_file(folder))

    def _start(self, task: ProgramTask) -> Program:
        environment = {**os.environ, **dict.fromkeys((*THREAD_VARIABLES, CORES_VARIABLE), str(self._threads))}
        return launch(task.command, task.folder, environment=environment, slurm=self._slurm)

    def _result(self, handle: Program) -> int:
        cores = self._free_cores.get()
        try:
            if cores:
                with suppress(ProcessLookupError):  # the process has already ended
                    os.sched_setaffinity(handle.pid, cores)
            return handle.wait()
        except BaseException:  # such as KeyboardInterrupt: the program saves its progress
            self._cancel(handle)
            with suppress(Exception):
                handle.wait(_SECONDS_TO_STOP)
            raise
        finally:
            self._free_cores.put(cores)

    def _cancel(self, handle: Program) -> None:
        handle.terminate()  # not SIGINT, which programs ignore if a script started this one with `&`
