"""Executors: what tasks learn of a stop, and on which cores programs run."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coverslip.errors import Stopped
from coverslip.runtime.executors import Executor, ProgramExecutor, ProgramTask
from coverslip.runtime.programs import last_output


class Waiting(Executor[None, threading.Event, bool]):
    """Its tasks wait for their cancellation, and return whether the executor is stopped then."""

    def __init__(self) -> None:
        super().__init__(3)
        self.started = threading.Semaphore(0)

    def _start(self, task: None) -> threading.Event:
        self.started.release()
        return threading.Event()

    def _result(self, handle: threading.Event) -> bool:
        handle.wait()
        return self.is_stopped

    def _cancel(self, handle: threading.Event) -> None:
        handle.set()
        threading.Event().wait(0.05)  # the task ends before the next one is cancelled


def test_tasks_that_a_stop_cancels_learn_that_it_was_a_stop() -> None:
    executor = Waiting()
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(executor.run, None) for _ in range(3)]
        for _ in results:
            executor.started.acquire()
        executor.stop()
        assert [result.result() for result in results] == [True, True, True]
    with pytest.raises(Stopped):
        executor.run(None)


class Unreachable(Waiting):
    """The first task that it cancels cannot be reached, but ends."""

    def _cancel(self, handle: threading.Event) -> None:
        is_first = not any(each.is_set() for each in self._running)
        super()._cancel(handle)
        if is_first:
            raise ConnectionError


def test_a_stop_cancels_all_tasks_although_one_cannot_be_reached() -> None:
    executor = Unreachable()
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(executor.run, None) for _ in range(3)]
        for _ in results:
            executor.started.acquire()
        handles = set(executor._running)
        with pytest.raises(ConnectionError):
            executor.stop()
        n_cancelled = sum(handle.is_set() for handle in handles)
        for handle in handles:
            handle.set()  # else a task that was not cancelled would wait for ever
        assert n_cancelled == 3
        assert all(result.result() for result in results)


CORES = "import os, time; time.sleep(0.5); print(len(os.sched_getaffinity(0)))"


@pytest.fixture
def all_cores() -> Iterator[int]:
    """Let this thread use all cores; return their number."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    yield len(os.sched_getaffinity(0))
    os.sched_setaffinity(0, before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="programs are not pinned here")
def test_programs_of_several_executors_of_a_computer_share_its_cores(tmp_path: Path, all_cores: int) -> None:
    for name, pins_cores in (("alone", True), ("first", False), ("second", False)):
        executor = ProgramExecutor(1, pins_cores=pins_cores)
        assert executor.run(ProgramTask([sys.executable, "-c", CORES], tmp_path / name)) == 0
    n_cores = [int(last_output(tmp_path / name)[-1]) for name in ("alone", "first", "second")]
    assert n_cores == [1, all_cores, all_cores]
