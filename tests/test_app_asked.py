"""Work that somebody waits for: told as it goes on, one after the other, and never longer alive than the server."""

import os
import time
from pathlib import Path

import psutil
import pytest
from small_workspace import Json, until

from coverslip.workspace.workers.submit import WorkQueue, WorkState

WORKER = """
import os, sys, time
from pathlib import Path
from coverslip.errors import CoverslipError
from coverslip.events import Progressed
from coverslip.workspace.workers.worker import answer

def work(question, emit):
    print("what a library prints")
    Path(question["pid"]).write_text(str(os.getpid()))
    if question["error"]:
        raise CoverslipError(question["error"], do="Look again.")
    for done in range(question["steps"]):
        emit(Progressed(stage="counting", done=done, total=question["steps"]))
        time.sleep(0.05)
    return {"sum": question["steps"]}

sys.exit(answer(work))
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkQueue:
    (tmp_path / "counting_worker.py").write_text(WORKER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return WorkQueue("counting_worker", (tmp_path,))


def question(tmp_path: Path, steps: int = 1, error: str = "") -> Json:
    return {"steps": steps, "error": error, "pid": str(tmp_path / "pid")}


def process_of(tmp_path: Path) -> psutil.Process:
    return psutil.Process(int(until(lambda: (file := tmp_path / "pid").is_file() and file.read_text())))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_result_is_kept_and_progress_told_until_then(asked: WorkQueue, tmp_path: Path) -> None:
    kept: list[Json] = []
    asked.start("first", question(tmp_path, steps=20), kept.append)
    until(lambda: asked.state_of("first").state == "working")
    asked.start("second", question(tmp_path), kept.append)
    assert asked.state_of("second").state == "waiting"
    going_on = until(lambda: (now := asked.state_of("first")).progress and now)
    assert (going_on.state, going_on.progress.stage, going_on.progress.total) == ("working", "counting", 20)
    until(lambda: len(kept) == 2)
    assert kept == [{"sum": 20}, {"sum": 1}]
    until(lambda: asked.state_of("second") == WorkState(None, None, None))


def test_the_newest_request_is_next_and_a_cancelled_one_is_dropped(asked: WorkQueue, tmp_path: Path) -> None:
    kept: list[Json] = []
    asked.start("first", question(tmp_path, steps=20), kept.append)
    until(lambda: asked.state_of("first").state == "working")
    for steps, key in enumerate(("older", "dropped", "newer"), start=1):
        asked.start(key, question(tmp_path, steps), kept.append)
    asked.start("older", question(tmp_path, 1), kept.append)  # somebody looks at it again
    asked.cancel("dropped")
    assert asked.state_of("dropped") == WorkState(None, None, None)
    before = asked.state_of("newer").seconds
    assert before is not None
    until(lambda: len(kept) == 3)
    assert [result["sum"] for result in kept] == [20, 1, 3]
    until(lambda: asked.state_of("newer") == WorkState(None, None, None))


def test_why_there_is_no_result_is_told_until_it_is_asked_for_again(asked: WorkQueue, tmp_path: Path) -> None:
    kept: list[Json] = []
    asked.start("one", question(tmp_path, error="The image is gone"), kept.append)
    error = until(lambda: asked.state_of("one").error)
    assert (error.what, error.do) == ("The image is gone", "Look again.")
    asked.start("one", question(tmp_path), kept.append)
    until(lambda: kept)
    assert asked.state_of("one").error is None


@pytest.mark.parametrize("way", ["cancel", "close"])
def test_what_nobody_waits_for_any_more_ends_at_once(asked: WorkQueue, tmp_path: Path, way: str) -> None:
    kept: list[Json] = []
    asked.start("long", question(tmp_path, steps=2000), kept.append)
    process = process_of(tmp_path)
    if way == "cancel":
        asked.cancel("long")
    else:
        asked.close()
    until(lambda: is_gone(process), 10)
    assert asked.state_of("long") == WorkState(None, None, None)
    time.sleep(0.1)
    assert not kept


def test_a_process_that_is_killed_is_a_fault_and_not_waited_for(asked: WorkQueue, tmp_path: Path) -> None:
    asked.start("long", question(tmp_path, steps=2000), lambda _: None)
    process_of(tmp_path).kill()
    assert until(lambda: asked.state_of("long").error).code == "worker-ended-silently"
