"""Work in separate processes: its progress, its order, its errors, and its end with the server."""

import os
import time
from pathlib import Path

import psutil
import pytest
from small_workspace import Json, until

from coverslip.messages import text
from coverslip.workspace.workers import WorkQueue, WorkState

TASKS = """
import os, time
from pathlib import Path
from coverslip.errors import CoverslipError
from coverslip.events import Progressed

def work(request, emit):
    print("what a library prints")
    Path(request["pid"]).write_text(str(os.getpid()))
    if request["error"]:
        raise CoverslipError(request["error"])
    for done in range(request["steps"]):
        emit(Progressed(stage="counting", done=done, total=request["steps"]))
        time.sleep(0.05)
    return {"sum": request["steps"]}
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkQueue:
    (tmp_path / "counting_tasks.py").write_text(TASKS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return WorkQueue("counting_tasks:work", (tmp_path,))


def request_of(tmp_path: Path, steps: int = 1, error: str = "") -> Json:
    return {"steps": steps, "error": error, "pid": str(tmp_path / "pid")}


def process_of(tmp_path: Path) -> psutil.Process:
    return psutil.Process(int(until(lambda: (file := tmp_path / "pid").is_file() and file.read_text())))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_progress_is_reported_until_the_result_is_stored(queue: WorkQueue, tmp_path: Path) -> None:
    stored: list[Json] = []
    queue.start("first", request_of(tmp_path, steps=20), stored.append)
    until(lambda: queue.state_of("first").state == "running")
    queue.start("second", request_of(tmp_path), stored.append)
    assert queue.state_of("second").state == "waiting"
    going_on = until(lambda: (now := queue.state_of("first")).progress and now)
    assert (going_on.state, going_on.progress.stage, going_on.progress.total) == ("running", "counting", 20)
    until(lambda: len(stored) == 2)
    assert stored == [{"sum": 20}, {"sum": 1}]
    until(lambda: queue.state_of("second") == WorkState(None, None, None))


def test_the_newest_request_is_next_and_a_canceled_one_is_dropped(queue: WorkQueue, tmp_path: Path) -> None:
    stored: list[Json] = []
    queue.start("first", request_of(tmp_path, steps=20), stored.append)
    until(lambda: queue.state_of("first").state == "running")
    for steps, key in enumerate(("older", "dropped", "newer"), start=1):
        queue.start(key, request_of(tmp_path, steps), stored.append)
    queue.start("older", request_of(tmp_path, 1), stored.append)  # somebody requests it again
    queue.cancel("dropped")
    assert queue.state_of("dropped") == WorkState(None, None, None)
    before = queue.state_of("newer").seconds
    assert before is not None
    until(lambda: len(stored) == 3)
    assert [result["sum"] for result in stored] == [20, 1, 3]
    until(lambda: queue.state_of("newer") == WorkState(None, None, None))


def test_an_error_is_reported_until_the_next_request(queue: WorkQueue, tmp_path: Path) -> None:
    stored: list[Json] = []
    queue.start("one", request_of(tmp_path, error="all-rows-excluded"), stored.append)
    error = until(lambda: queue.state_of("one").error)
    assert (error.code, error.what) == ("all-rows-excluded", text("all-rows-excluded"))
    queue.start("one", request_of(tmp_path), stored.append)
    until(lambda: stored)
    assert queue.state_of("one").error is None


@pytest.mark.parametrize("way", ["cancel", "close"])
def test_canceled_work_ends_at_once(queue: WorkQueue, tmp_path: Path, way: str) -> None:
    stored: list[Json] = []
    queue.start("long", request_of(tmp_path, steps=2000), stored.append)
    process = process_of(tmp_path)
    if way == "cancel":
        queue.cancel("long")
    else:
        queue.close()
    until(lambda: is_gone(process), 10)
    assert queue.state_of("long") == WorkState(None, None, None)
    time.sleep(0.1)
    assert not stored


def test_a_killed_process_is_reported_as_a_fault(queue: WorkQueue, tmp_path: Path) -> None:
    queue.start("long", request_of(tmp_path, steps=2000), lambda _: None)
    process_of(tmp_path).kill()
    assert until(lambda: queue.state_of("long").error).code == "worker-ended-silently"
