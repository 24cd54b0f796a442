"""Jobs that compute a result on request: their progress, their order, their errors, and their end with the server."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from small_workspace import do_jobs, new_workspace, until

from coverslip.errors import Conflict, NotFound
from coverslip.messages import text
from coverslip.runtime.programs import is_running
from coverslip.workspace.jobs import control
from coverslip.workspace.jobs.computing import Computation, cancel_result, computation, request_result
from coverslip.workspace.jobs.kinds import register_function, unregister
from coverslip.workspace.jobs.listing import job_state, list_jobs, list_log_lines
from coverslip.workspace.jobs.queue import Queue
from coverslip.workspace.jobs.records import Job, find_job, unended_jobs
from coverslip.workspace.jobs.turns import Turns
from coverslip.workspace.store.rows import Paging
from coverslip.workspace.store.workspace import Workspace

FUNCTIONS = """
import time
from pathlib import Path
from coverslip.errors import CoverslipError
from coverslip.events import Progressed

def count(workspace, arguments, emit):
    print("DeprecationWarning: what a library prints", flush=True)
    if arguments["error"]:
        raise CoverslipError(arguments["error"])
    for done in range(arguments["steps"]):
        emit(Progressed(stage="counting", done=done, total=arguments["steps"]))
        time.sleep(0.05)
    with open(workspace.folder / "results.txt", "a") as file:
        file.write(f"{arguments['steps']}\\n")
"""
KIND = register_function("counting", "counting_functions:count")
unregister("counting")  # only known to these tests


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    (tmp_path / "counting_functions.py").write_text(FUNCTIONS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return new_workspace(tmp_path)


@pytest.fixture(autouse=True)
def kind() -> Iterator[None]:
    register_function("counting", "counting_functions:count")
    yield
    unregister("counting")


@pytest.fixture
def queue(workspace: Workspace) -> Iterator[Queue]:
    queue = Queue(workspace, Turns())
    queue.start()
    yield queue
    queue.close()


def request(workspace: Workspace, key: str, steps: int = 1, error: str = "") -> Job:
    request_result(workspace, KIND, key, {"steps": steps, "error": error}, name=key, link="/")
    return find_job(workspace, state_of(workspace, key).id or "")


def state_of(workspace: Workspace, key: str) -> Computation:
    return computation(workspace, KIND, key)


def results(workspace: Workspace) -> list[int]:
    file = workspace.folder / "results.txt"
    return list(map(int, file.read_text().split())) if file.exists() else []


def all_ended(workspace: Workspace) -> bool:
    with workspace.engine.connect() as connection:
        return not unended_jobs(connection)


@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_the_newest_request_is_next_and_a_canceled_one_is_dropped(workspace: Workspace) -> None:
    first = request(workspace, "first", steps=40)
    progress = until(lambda: state_of(workspace, "first").progress)
    assert (progress.stage, progress.total) == ("counting", 40)
    for steps, key in enumerate(("older", "dropped", "newer"), start=1):
        request(workspace, key, steps)
    assert request(workspace, "first", steps=40).id == first.id  # it is running
    older = request(workspace, "older")  # somebody requests it again
    cancel_result(workspace, KIND, "dropped")
    assert [state_of(workspace, key).state for key in ("dropped", "newer")] == [None, "waiting"]
    until(lambda: all_ended(workspace))
    assert results(workspace) == [40, 1, 3]
    listed = {job.name: job.state for job in list_jobs(workspace, Paging(), kinds=["counting"]).items}
    assert listed == {"first": "done", "older": "done", "dropped": "stopped", "newer": "done"}
    assert state_of(workspace, "older") == Computation(id=older.id)
    assert [line.event for line in list_log_lines(workspace, first.id, Paging()).items] == ["RunEnded"]


def test_an_error_is_reported_until_the_next_request(workspace: Workspace) -> None:
    earlier = request(workspace, "one", error="all-rows-excluded")
    do_jobs(workspace)
    error = state_of(workspace, "one").error
    assert error is not None
    assert (error.code, error.what) == ("all-rows-excluded", text("all-rows-excluded"))
    request(workspace, "one")
    do_jobs(workspace)
    assert (results(workspace), state_of(workspace, "one").error) == ([1], None)
    with pytest.raises(NotFound):
        find_job(workspace, earlier.id)
    assert not earlier.folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["cancel", "close"])
def test_a_canceled_job_ends_at_once_with_its_process(workspace: Workspace, queue: Queue, way: str) -> None:
    job = request(workspace, "long", steps=2000)
    until(lambda: state_of(workspace, "long").progress)
    waiting = request(workspace, "waiting")
    process = psutil.Process(find_job(workspace, job.id).pid)
    if way == "cancel":
        cancel_result(workspace, KIND, "long")
    else:
        queue.close()
        assert job_state(workspace, waiting.id).state == "stopped"
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 10)
    assert job_state(workspace, job.id).state == "stopped"
    with pytest.raises(Conflict):
        control.stop_job(workspace, job.id)


@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_a_stopped_job_is_done_on_request_and_a_done_one_is_not(workspace: Workspace) -> None:
    job = request(workspace, "long", steps=20)
    until(lambda: state_of(workspace, "long").progress)
    control.stop_job(workspace, job.id)
    control.resume_job(workspace, job.id)
    until(lambda: job_state(workspace, job.id).state == "running")
    with pytest.raises(Conflict):
        control.remove_job(workspace, job.id)
    until(lambda: job_state(workspace, job.id).state == "done")
    assert results(workspace) == [20]
    with pytest.raises(Conflict):
        control.resume_job(workspace, job.id)
    until(lambda: all_ended(workspace))
    control.remove_job(workspace, job.id)
    assert list_jobs(workspace, Paging()).items == []
    assert list(workspace.jobs.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_jobs_that_are_killed_at_any_moment_say_so_and_leave_no_process(workspace: Workspace) -> None:
    random_s = random.Random(0)
    for number in range(6):
        job = request(workspace, f"job {number}", steps=2000)
        pid = until(lambda job=job: find_job(workspace, job.id).pid)
        time.sleep(random_s.uniform(0, 1.5))
        os.kill(pid, 9)
        state = until(lambda job=job: (now := job_state(workspace, job.id)).state in ("failed", "interrupted") and now)
        assert (state.state, state.error and state.error.code) == ("failed", "job-ended-by-signal")
        assert not is_running(pid, find_job(workspace, job.id).process_started)
    children = psutil.Process().children(recursive=True)
    assert [each for each in children if each.status() == psutil.STATUS_ZOMBIE] == []
    assert list_jobs(workspace, Paging(), states=["running", "starting", "stopping"]).items == []
