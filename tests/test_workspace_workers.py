"""Work in separate processes: its progress, its order, its errors, and its end with the server."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from small_workspace import Json, until

from coverslip.messages import text
from coverslip.workspace.workers import Work, WorkKind, Works, WorkState

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


COUNTING = WorkKind("counting", "counting_tasks:work")


@pytest.fixture
def works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Works]:
    (tmp_path / "counting_tasks.py").write_text(TASKS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    works = Works((tmp_path,))
    yield works
    works.close()


def begin(works: Works, key: str, request: Json, store: Callable[[Json], None] = lambda _: None) -> None:
    works.start(COUNTING, key, request, store, name=key, link="/")


def state_of(works: Works, key: str) -> WorkState:
    return works.state_of(COUNTING, key)


def work_of(works: Works, key: str) -> Work:
    return next(work for work in works.all() if work.key == key)


def request_of(tmp_path: Path, steps: int = 1, error: str = "") -> Json:
    return {"steps": steps, "error": error, "pid": str(tmp_path / "pid")}


def process_of(tmp_path: Path) -> psutil.Process:
    return psutil.Process(int(until(lambda: (file := tmp_path / "pid").is_file() and file.read_text())))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_progress_is_reported_until_the_result_is_stored(works: Works, tmp_path: Path) -> None:
    stored: list[Json] = []
    begin(works, "first", request_of(tmp_path, steps=20), stored.append)
    until(lambda: state_of(works, "first").state == "running")
    begin(works, "second", request_of(tmp_path), stored.append)
    assert state_of(works, "second").state == "waiting"
    going_on = until(lambda: (now := state_of(works, "first")).progress and now)
    assert (going_on.state, going_on.progress.stage, going_on.progress.total) == ("running", "counting", 20)
    works.wait_all()
    assert stored == [{"sum": 20}, {"sum": 1}]
    assert state_of(works, "second") == WorkState(id=work_of(works, "second").id)
    assert [(work.key, work.state) for work in works.all()] == [("second", "done"), ("first", "done")]
    assert [line.event for line in work_of(works, "first").log] == ["StageStarted"]


@pytest.mark.slow
def test_the_newest_request_is_next_and_a_canceled_one_is_dropped(works: Works, tmp_path: Path) -> None:
    stored: list[Json] = []
    begin(works, "first", request_of(tmp_path, steps=20), stored.append)
    until(lambda: state_of(works, "first").state == "running")
    for steps, key in enumerate(("older", "dropped", "newer"), start=1):
        begin(works, key, request_of(tmp_path, steps), stored.append)
    begin(works, "older", request_of(tmp_path, 1), stored.append)  # somebody requests it again
    works.cancel(COUNTING, "dropped")
    assert state_of(works, "dropped").state is None
    assert state_of(works, "newer").requested is not None
    works.wait_all()
    assert [result["sum"] for result in stored] == [20, 1, 3]
    assert work_of(works, "dropped").state == "stopped"


@pytest.mark.slow
def test_an_error_is_reported_until_the_next_request(works: Works, tmp_path: Path) -> None:
    stored: list[Json] = []
    begin(works, "one", request_of(tmp_path, error="all-rows-excluded"), stored.append)
    works.wait_all()
    error = state_of(works, "one").error
    assert error is not None
    assert (error.code, error.what) == ("all-rows-excluded", text("all-rows-excluded"))
    begin(works, "one", request_of(tmp_path), stored.append)
    works.wait_all()
    assert stored
    assert state_of(works, "one").error is None


@pytest.mark.slow
@pytest.mark.parametrize("way", ["cancel", "close"])
def test_canceled_work_ends_at_once(works: Works, tmp_path: Path, way: str) -> None:
    stored: list[Json] = []
    begin(works, "long", request_of(tmp_path, steps=2000), stored.append)
    process = process_of(tmp_path)
    if way == "cancel":
        works.cancel(COUNTING, "long")
    else:
        works.close()
    until(lambda: is_gone(process), 10)
    assert work_of(works, "long").state == "stopped"
    assert not stored
    begin(works, "later", request_of(tmp_path), stored.append)
    works.wait_all()
    assert work_of(works, "later").state == ("done" if way == "cancel" else "stopped")


@pytest.mark.slow
def test_stopped_work_is_done_again_on_request_and_done_work_is_not(works: Works, tmp_path: Path) -> None:
    stored: list[Json] = []
    begin(works, "long", request_of(tmp_path, steps=20), stored.append)
    process_of(tmp_path)
    work = work_of(works, "long")
    assert works.stop(work)
    assert not works.stop(work)
    assert works.resume(work)
    assert not works.remove(work)
    works.wait_all()
    assert (work.state, stored) == ("done", [{"sum": 20}])
    assert not works.resume(work)
    assert works.remove(work)
    assert works.all() == []


def test_a_killed_process_is_reported_as_a_fault(works: Works, tmp_path: Path) -> None:
    begin(works, "long", request_of(tmp_path, steps=2000))
    process_of(tmp_path).kill()
    assert until(lambda: state_of(works, "long").error).code == "worker-ended-silently"
