"""Jobs that compute a result on request: their progress, their order, their errors, and their end with the server."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from drawing import save_cells
from small_workspace import do_jobs, new_workspace, open_images, until

from coverslip.errors import Busy, Conflict, NotFound
from coverslip.messages import text
from coverslip.runs.status import StatusFile
from coverslip.runtime.programs import is_running
from coverslip.workspace import cleanup
from coverslip.workspace.jobs import queue as control
from coverslip.workspace.jobs.computing import Computation, cancel_result, computation, request_result
from coverslip.workspace.jobs.listing import list_jobs, list_log_lines, story_of
from coverslip.workspace.jobs.queue import Queue, Turns
from coverslip.workspace.jobs.records import (
    Job,
    add_job,
    change_job,
    find_job,
    register_function,
    unended_jobs,
    unregister,
)
from coverslip.workspace.objects import OBJECTS, objects_state
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
    assert state_of(workspace, "older") == Computation(KIND.name, "older", id=older.id)
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
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 10)
    if way == "close":  # the next server
        later = Queue(workspace, Turns())
        later.start()
        later.close()
        assert story_of(workspace, waiting.id).state == "stopped"
    assert story_of(workspace, job.id).state == "stopped"
    with pytest.raises(Conflict):
        control.stop_job(workspace, job.id)


SERVER = """
import sys
from pathlib import Path
from coverslip.workspace.jobs.records import register_function
from coverslip.workspace.jobs.queue import Queue
from coverslip.workspace.jobs.queue import Turns
from coverslip.workspace.store.workspace import Workspace

register_function("counting", "counting_functions:count")
Queue(Workspace(Path(sys.argv[1]), ()), Turns()).start()
print("started", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_computation_ends_with_its_server_if_that_is_killed(workspace: Workspace) -> None:
    command = [sys.executable, "-c", SERVER, str(workspace.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"started\n"
        job = request(workspace, "long", steps=2000)
        until(lambda: state_of(workspace, "long").progress)
        begun = find_job(workspace, job.id)
        server.kill()
    until(lambda: not is_running(begun.pid, begun.process_started), 10)
    Queue(workspace, Turns()).update()
    assert story_of(workspace, job.id).state == "interrupted"


@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_a_stopped_job_is_done_on_request_and_a_done_one_is_not(workspace: Workspace) -> None:
    job = request(workspace, "long", steps=20)
    until(lambda: state_of(workspace, "long").progress)
    control.stop_job(workspace, job.id)
    control.resume_job(workspace, job.id)
    until(lambda: story_of(workspace, job.id).state == "running")
    with pytest.raises(Conflict):
        control.remove_job(workspace, job.id)
    until(lambda: story_of(workspace, job.id).state == "done")
    assert results(workspace) == [20]
    with pytest.raises(Conflict):
        control.resume_job(workspace, job.id)
    until(lambda: all_ended(workspace))
    control.remove_job(workspace, job.id)
    assert list_jobs(workspace, Paging()).items == []
    assert list(workspace.jobs.iterdir()) == []


def starting(workspace: Workspace, job: Job) -> None:
    """A job whose process is being started."""
    change_job(workspace, job.id, state="started", queued=None, launched=time.time())


def test_a_request_is_not_lost_while_an_earlier_job_is_being_stopped(workspace: Workspace) -> None:
    earlier = request(workspace, "one")
    starting(workspace, earlier)
    assert request(workspace, "one").id == earlier.id
    cancel_result(workspace, KIND, "one")
    assert story_of(workspace, earlier.id).state == "stopping"
    later = request(workspace, "one")
    assert (later.id != earlier.id, state_of(workspace, "one").state) == (True, "waiting")
    assert story_of(workspace, earlier.id).state == "stopping"  # the queue ends its process


def test_a_job_ends_after_its_rows_are_stored_even_if_that_fails(workspace: Workspace) -> None:
    states: list[str] = []

    def store(_: Workspace, job: Job) -> None:
        states.append(find_job(workspace, job.id).state)
        raise OSError("a damaged table")

    unregister("counting")
    register_function("counting", "counting_functions:count", store_rows=store)
    jobs = [request(workspace, key) for key in ("one", "two")]
    for job in jobs:
        starting(workspace, job)
        change_job(workspace, job.id, launched=0.0)  # its server has died
    Queue(workspace, Turns()).update()
    assert states == ["started", "started"]
    assert [find_job(workspace, job.id).state for job in jobs] == ["ended", "ended"]


def test_computations_for_pages_of_a_removed_dataset_are_stopped(workspace: Workspace, tmp_path: Path) -> None:
    dataset_id = open_images(workspace, save_cells(tmp_path / "cells"))
    workspace.background.wait_all()
    for key, link in (("its", f"/computations/dataset-map/{dataset_id}"), ("another's", "/computations/dataset-map/x")):
        request_result(workspace, KIND, key, {}, name=key, link=link)
    cleanup.remove_dataset(workspace, dataset_id)
    assert [state_of(workspace, key).state for key in ("its", "another's")] == [None, "waiting"]


def test_computations_for_pages_of_a_removed_study_and_its_trainings_are_stopped(workspace: Workspace) -> None:
    folder = workspace.studies / "of-two"
    values = {"name": "", "dataset_name": "", "command": [], "choices": {}, "state": "ended", "queued": None}
    add_job(workspace, id="study", kind="study", folder=str(folder), **values)
    add_job(workspace, id="training", kind="train", study_id="study", folder=str(folder / "cells" / "one"), **values)
    for key, job_id in (("its", "training"), ("another's", "other")):
        request_result(workspace, KIND, key, {}, name=key, subject=f"{job_id}.1")
    control.remove_job(workspace, "study")
    assert [state_of(workspace, key).state for key in ("its", "another's")] == [None, "waiting"]


def test_the_trainings_of_a_study_stay_listed_if_its_deletion_fails(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workspace.studies / "of-two"
    values = {"name": "", "dataset_name": "", "command": [], "choices": {}, "state": "ended", "queued": None}
    add_job(workspace, id="study", kind="study", folder=str(folder), **values)
    add_job(workspace, id="training", kind="train", study_id="study", folder=str(folder / "cells" / "one"), **values)

    def fail(*_: object) -> None:
        raise Busy("workspace-busy")

    with monkeypatch.context() as patch:
        patch.setattr(control, "remove_trainings_of", fail)
        with pytest.raises(Busy):
            control.remove_job(workspace, "study")
    assert find_job(workspace, "training").state == "ended"
    control.remove_job(workspace, "study")
    with pytest.raises(NotFound):
        find_job(workspace, "training")


def test_a_training_that_was_deleted_before_its_study_can_be_restored_after_it(workspace: Workspace) -> None:
    folder = workspace.studies / "of-one"
    values = {"name": "", "dataset_name": "", "command": [], "choices": {}, "state": "ended", "queued": None}
    cell = folder / "cells" / "one"
    cell.mkdir(parents=True)
    add_job(workspace, id="study", kind="study", folder=str(folder), **values)
    add_job(workspace, id="training", kind="train", study_id="study", folder=str(cell), **values)
    for job_id in ("training", "study"):
        control.remove_job(workspace, job_id)
    for job_id in ("study", "training"):
        control.restore_job(workspace, job_id)
    assert find_job(workspace, "training").folder.is_dir()


def test_files_that_a_removed_computation_left_are_deleted_at_the_next_start(workspace: Workspace) -> None:
    removed, listed = request(workspace, "removed"), request(workspace, "listed")
    control.remove_job(workspace, removed.id)
    removed.folder.mkdir()  # by a process that was still ending
    removed.log.touch()
    cleanup.remove_partial_files(workspace)
    assert list(workspace.jobs.iterdir()) == [listed.folder]


def test_collected_objects_are_not_shown_before_their_dataset(workspace: Workspace, tmp_path: Path) -> None:
    dataset_id = open_images(workspace, save_cells(tmp_path / "cells"))
    workspace.background.wait_all()
    table = tmp_path / "objects.csv"
    request_result(
        workspace,
        OBJECTS,
        dataset_id,
        {},
        name="cells",
        choices={"table": str(table)},
    )
    job = find_job(workspace, objects_state(workspace, dataset_id).job_id or "")
    change_job(workspace, job.id, state="started", queued=None)
    StatusFile(job.run.status_file).write("done")
    table.with_suffix(".json").write_text("{}", encoding="utf-8")
    assert objects_state(workspace, dataset_id).state == "running"
    change_job(workspace, job.id, state="ended")
    assert objects_state(workspace, dataset_id).state == "not-requested"


@pytest.mark.slow
@pytest.mark.usefixtures("queue")
def test_jobs_that_are_killed_at_any_moment_say_so_and_leave_no_process(workspace: Workspace) -> None:
    random_s = random.Random(0)
    for number in range(6):
        job = request(workspace, f"job {number}", steps=2000)
        pid = until(lambda job=job: find_job(workspace, job.id).pid)
        time.sleep(random_s.uniform(0, 1.5))
        os.kill(pid, 9)
        state = until(lambda job=job: (now := story_of(workspace, job.id)).state in ("failed", "interrupted") and now)
        assert (state.state, state.error and state.error.code) == ("failed", "job-ended-by-signal")
        assert not is_running(pid, find_job(workspace, job.id).process_started)
    children = psutil.Process().children(recursive=True)
    assert [each for each in children if each.status() == psutil.STATUS_ZOMBIE] == []
    assert list_jobs(workspace, Paging(), states=["running", "starting", "stopping"]).items == []
