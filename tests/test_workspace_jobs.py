"""The state of jobs is read from their folders, processes and logs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from image_sets import images_at
from prediction_tables import written_prediction
from pydantic_core import to_json
from refusing import refusing
from small_workspace import FINETUNE, QUICK, busy_database, new_workspace, open_images, until, write_cells
from training_events import an_epoch

import coverslip as cs
from coverslip.datasets.index.records import DECISIONS
from coverslip.errors import BadDataset, BadRecipe, BadRun, Busy, Conflict, CoverslipError, NotFound
from coverslip.events import Noted, Progressed, as_json
from coverslip.images.reader import ReadPlan
from coverslip.machine import process_started
from coverslip.messages import ChooseOther, message
from coverslip.models import list_models
from coverslip.runs.log import MOST_LINES, FoldedLog, LogReader
from coverslip.runs.predictions import Prediction
from coverslip.runs.progress import LoggedProgress
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.recipe_keys import load_recipe, save_recipe
from coverslip.runs.training import BudgetRecord, budget_seconds
from coverslip.runtime.programs import (
    Program,
    failure_file,
    is_running,
    last_output,
    launch,
    python_command,
    recorded_failure,
)
from coverslip.workspace.correcting.corrections import correct
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.labels import resolve_overwritten, set_labels
from coverslip.workspace.datasets.sources import refresh_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs import queue as control
from coverslip.workspace.jobs.listing import story_of
from coverslip.workspace.jobs.queue import TRAININGS_QUEUE, JobOptions, Queue, Turns
from coverslip.workspace.jobs.records import (
    Job,
    change_if_unchanged,
    change_job,
    find_job,
    queued_ids,
    state_of,
    status_of,
)
from coverslip.workspace.lists import Row, images_of_job
from coverslip.workspace.predictions.predicting import _below, _refuse_outside
from coverslip.workspace.predictions.state import list_predictions
from coverslip.workspace.recipes import advised_models, recipe_of_dataset, validated_recipe
from coverslip.workspace.store.rows import Paging, dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.queueing import queue_training
from coverslip.workspace.trainings.results import fingerprint_of_code
from coverslip.workspace.viewing.images import Filters, ImagePage


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return new_workspace(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def cells(workspace: Workspace) -> str:
    return open_images(workspace, write_cells(workspace.roots[0] / "cells", 30), group_pattern=r"slide\d+")


def queued(workspace: Workspace, cells: str, **recipe: object) -> str:
    return queue_training(workspace, dataset_id=cells, name=None, recipe={**QUICK, **recipe})


def as_started(workspace: Workspace, run_id: str, **values: object) -> Job:
    change_job(workspace, run_id, state="started", queued=None, **values)
    return find_job(workspace, run_id)


def launched(folder: Path, *arguments: str) -> tuple[Program, float]:
    """A started program of Python, and when it started."""
    program = launch(python_command(*arguments), folder)
    return program, process_started(program.pid)


def state_at_end(workspace: Workspace, run_id: str, queue: Queue | None = None) -> str:
    """The state of a job whose process has ended, after a queue has recorded that."""
    queue = queue or Queue(workspace, Turns())
    until(lambda: queue.update() or find_job(workspace, run_id).state == "ended")
    return state_now(find_job(workspace, run_id))


def state_now(job: Job) -> str:
    return state_of(job, status_of(job))


def say(job: Job, **status: object) -> None:
    then = "2026-01-01T00:00:00+00:00"
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "status.json").write_text(json.dumps({"began": then, "heartbeat": then, **status}))


def test_a_queued_training_waits_in_order_and_can_be_taken_out(workspace: Workspace, cells: str) -> None:
    first, second = queued(workspace, cells), queued(workspace, cells)
    assert queued_ids(workspace, TRAININGS_QUEUE) == [first, second]
    assert story_of(workspace, second).queue_position == 2
    control.stop_job(workspace, first)
    assert story_of(workspace, first).state == "stopped"
    assert story_of(workspace, second).queue_position == 1
    control.resume_job(workspace, first)
    assert queued_ids(workspace, TRAININGS_QUEUE) == [second, first]
    for run_id in (first, second):
        control.remove_job(workspace, run_id)
    assert queued_ids(workspace, TRAININGS_QUEUE) == []
    control.restore_job(workspace, second)
    assert queued_ids(workspace, TRAININGS_QUEUE) == [second]
    control.remove_job(workspace, second)
    with pytest.raises(NotFound):
        find_job(workspace, second)


@pytest.mark.slow
def test_jobs_of_an_unknown_kind_delay_no_other(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells", 30))
    waiting_id, running_id, other_id = (queued(workspace, cells) for _ in range(3))
    change_job(workspace, waiting_id, kind="of a later version")
    as_started(workspace, running_id, kind="of a later version", pid=os.getpid(), process_started=process_started())
    queue = Queue(workspace, Turns())
    try:
        queue.update()
        assert find_job(workspace, waiting_id).state == "queued"
        assert find_job(workspace, other_id).state == "started"
    finally:
        for program, _ in queue._started:
            program.kill()
            program.wait()


@pytest.mark.slow
def test_a_job_that_takes_too_much_memory_is_ended_and_the_next_one_starts(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells", 30), group_pattern=r"slide\d+")
    first, second = queued(workspace, cells), queued(workspace, cells)
    queue = Queue(workspace, Turns(), JobOptions(most_bytes=30_000_000))  # an interpreter with NumPy takes more
    queue.start()
    try:
        until(lambda: story_of(workspace, second).state == "failed")
    finally:
        queue.close()
    for run_id in (first, second):
        state = story_of(workspace, run_id)
        assert state.state == "failed"
        assert state.error is not None
        assert state.error.code == "job-took-memory"
        assert state.error.parameters["taken"] > state.error.parameters["limit"] == 0.03
        job = find_job(workspace, run_id)
        assert not is_running(job.pid, job.process_started)
        say(job, state="running", pid=job.pid, process_started=job.process_started)
        assert state_now(job) == "failed"  # also after the job had begun to write
        control.resume_job(workspace, run_id)
        assert story_of(workspace, run_id).state == "queued"


def test_a_job_that_takes_too_much_memory_is_ended_although_the_reason_cannot_be_written(
    workspace: Workspace, cells: str
) -> None:
    programs = []
    for run_id in (queued(workspace, cells), queued(workspace, cells)):
        job = find_job(workspace, run_id)
        program, began = launched(job.folder, "-c", "import time; time.sleep(60)")
        as_started(workspace, run_id, pid=program.pid, process_started=began)
        failure_file(job.folder).mkdir()
        programs.append(program)
    Queue(workspace, Turns(), JobOptions(most_bytes=1)).update()
    assert [program.wait() for program in programs] == [-signal.SIGKILL] * 2


def test_a_time_budget_is_passed_on_with_the_requested_settings_alone(workspace: Workspace, cells: str) -> None:
    run = queue_training(workspace, dataset_id=cells, name=None, recipe={"epochs": 9}, budget="10m")
    job = find_job(workspace, run)
    assert "--budget=600s" in job.command
    good = queue_training(workspace, dataset_id=cells, name=None, recipe={}, preset="good")
    assert load_recipe(find_job(workspace, good).requested_recipe).stage == "instant"
    control.remove_job(workspace, good)
    # Of what stands in the recipe a plan changes nothing: the network must not.
    requested = load_recipe(job.requested_recipe)
    assert requested.epochs == 9
    assert "model" not in requested.model_fields_set
    with pytest.raises(BadRecipe) as refused:
        queue_training(workspace, dataset_id=cells, name=None, recipe={}, budget="soon")
    assert refused.value.code == "not-a-duration"
    control.remove_job(workspace, run)


def test_the_requested_settings_are_shown_beside_those_of_the_time_budget(workspace: Workspace, cells: str) -> None:
    run_id = queue_training(workspace, dataset_id=cells, name=None, recipe={"epochs": 9}, budget="2m")
    job = find_job(workspace, run_id)
    job.folder.mkdir()
    save_recipe(Recipe(epochs=9, stage="instant"), job.run.recipe_file)
    BudgetRecord(seconds=120.0, is_finetuned=True, ended="no time to fine-tune").write(job.run.budget_file)
    story = story_of(workspace, run_id)
    assert (story.recipe["stage"], story.requested_recipe["stage"]) == ("instant", "finetune")
    assert (story.requested_recipe["epochs"], story.budget_seconds) == (9, 120.0)
    control.remove_job(workspace, run_id)


@pytest.mark.parametrize(("budget", "seconds"), [("300h", 1_080_000), ("0.5s", 1)])
def test_however_long_or_short_a_time_budget_is_the_job_reads_it(
    workspace: Workspace, cells: str, budget: str, seconds: int
) -> None:
    run = queue_training(workspace, dataset_id=cells, name=None, recipe={}, budget=budget)
    (option,) = (word for word in find_job(workspace, run).command if word.startswith("--budget="))
    assert budget_seconds(option.removeprefix("--budget=")) == seconds
    control.remove_job(workspace, run)


def test_a_job_whose_process_died_is_interrupted_and_can_be_resumed(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process_started(process.pid)
    job = as_started(workspace, run_id, pid=process.pid, process_started=started, launched=time.time())
    assert state_now(job) == "starting"
    owner = {"pid": process.pid, "process_started": started, "host": os.uname().nodename}
    say(job, state="running", **owner)
    assert state_now(job) == "running"
    with pytest.raises(Conflict):
        control.remove_job(workspace, run_id)
    control.stop_job(workspace, run_id)
    assert (job.folder / "stop").exists()
    assert state_now(find_job(workspace, run_id)) == "stopping"
    process.kill()  # not waited for: what has ended but was not asked about counts as ended
    assert state_now(job) == "stopping"
    assert state_at_end(workspace, run_id) == "interrupted"
    process.wait()
    control.resume_job(workspace, run_id)
    assert not (job.folder / "stop").exists()
    control.remove_job(workspace, run_id)


def test_a_job_that_failed_has_ended_once_its_process_has(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = process_started(process.pid)
    job = as_started(workspace, run_id, pid=process.pid, process_started=started, launched=time.time())
    say(job, state="failed", pid=process.pid, process_started=started, host=os.uname().nodename)
    states = [state_now(job)]
    shutil.rmtree(job.folder)  # as an evaluation does that finds no label it knows
    states.append(state_now(job))
    process.kill()
    assert state_at_end(workspace, run_id) == "interrupted"
    process.wait()
    assert states == ["running", "starting"]
    control.remove_job(workspace, run_id)


WARNED = "import os, time; print('DeprecationWarning: old', flush=True); "


@pytest.mark.parametrize(
    ("code", "reason", "parameters"),
    [
        ("os.kill(os.getpid(), 9)", "job-ended-by-signal", {"signal": "SIGKILL"}),
        ("os._exit(3)", "job-ended-with-code", {"exit_code": 3}),
        ("raise MemoryError", "job-ended-with-error", {"reason": "MemoryError", "exit_code": 1}),
        ("os._exit(0)", "job-ended-silently", {}),
    ],
)
@pytest.mark.parametrize("has_begun", [False, True])
def test_a_job_that_dies_says_how_and_never_by_a_warning(
    workspace: Workspace, cells: str, code: str, reason: str, parameters: dict[str, object], has_begun: bool
) -> None:
    run_id = queued(workspace, cells)
    change_job(workspace, run_id, command=["-c", f"{WARNED}time.sleep(.3); {code}"])
    queue = Queue(workspace, Turns())
    queue.update()
    job = find_job(workspace, run_id)
    if has_begun:
        say(job, state="running", pid=job.pid, process_started=job.process_started, host=os.uname().nodename)
    assert until(lambda: queue.update() or find_job(workspace, run_id).state == "ended")
    state = story_of(workspace, run_id)
    assert (state.state, state.error and (state.error.code, dict(state.error.parameters))) == (
        "failed",
        (reason, parameters),
    )
    control.resume_job(workspace, run_id)
    control.remove_job(workspace, run_id)


def test_a_job_that_was_killed_on_another_computer_has_ended_with_the_process_that_waited_for_it(
    workspace: Workspace, cells: str
) -> None:
    run_id = queued(workspace, cells)
    change_job(workspace, run_id, command=["-c", "input()"])  # ends with an error: it has no input
    queue = Queue(workspace, Turns())
    queue.update()
    job, now = find_job(workspace, run_id), datetime.now(UTC).isoformat(timespec="seconds")
    say(job, state="running", pid=1, process_started=1.0, host="another computer", began=now, heartbeat=now)
    assert state_now(job) == "running"
    assert state_at_end(workspace, run_id, queue) == "failed"
    failure = recorded_failure(job.folder)
    assert failure is not None
    assert failure.code == "job-ended-with-error"
    control.resume_job(workspace, run_id)
    control.remove_job(workspace, run_id)


def test_a_job_whose_process_cannot_be_started_fails_with_the_reason(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    job = find_job(workspace, run_id)
    say(job, state="stopped", pid=1, process_started=process_started() + 1, host=os.uname().nodename)  # it is resumed
    job.log.mkdir()  # so that it cannot be opened
    Queue(workspace, Turns()).update()
    state = story_of(workspace, run_id)
    assert (state.state, state.error and state.error.code) == ("failed", "job-not-started")
    job.log.rmdir()
    control.resume_job(workspace, run_id)
    assert state_now(find_job(workspace, run_id)) == "queued"
    control.remove_job(workspace, run_id)


def test_a_job_that_could_not_be_started_because_the_database_was_busy_remains_in_the_queue(
    workspace: Workspace, cells: str
) -> None:
    run_id = queued(workspace, cells)
    with busy_database(workspace), pytest.raises(Busy):
        Queue(workspace, Turns()).update()
    job = find_job(workspace, run_id)
    assert (state_now(job), recorded_failure(job.folder)) == ("queued", None)
    control.remove_job(workspace, run_id)


def test_a_started_process_is_recorded_as_soon_as_the_database_is_free(
    workspace: Workspace, cells: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = queued(workspace, cells)
    change_job(workspace, run_id, command=["-c", "import time; time.sleep(60)"])
    queue = Queue(workspace, Turns())

    def fail(*_: object, **__: object) -> None:
        raise Busy("workspace-busy")

    with monkeypatch.context() as patch:
        patch.setattr(control, "change_job", fail)
        with pytest.raises(Busy):
            queue.update()
    queue.update()
    ((program, began),) = queue._started
    job = find_job(workspace, run_id)
    assert (job.state, job.pid, job.process_started) == ("started", program.pid, began)
    assert recorded_failure(job.folder) is None
    program.kill()
    assert state_at_end(workspace, run_id, queue) == "failed"
    control.remove_job(workspace, run_id)


@pytest.mark.parametrize("is_changed", [False, True], ids=["labels of folders", "labels of the app"])
def test_a_job_fails_if_files_of_its_labels_were_exchanged_while_it_waited(tmp_path: Path, is_changed: bool) -> None:
    workspace = new_workspace(tmp_path)
    folder = write_cells(workspace.roots[0] / "cells", 30)
    cells = open_images(workspace, folder)
    if is_changed:
        until(lambda: dataset_state(workspace, cells).state == "ready")
        set_labels(workspace, cells, images_at(workspace, cells, [1]), "medium")
    run_id = queued(workspace, cells)
    change_job(workspace, run_id, command=["-c", "", *find_job(workspace, run_id).command])  # does nothing
    first, second = sorted(folder.glob("*/*.png"))[:2]
    first.write_bytes(second.read_bytes())
    queue = Queue(workspace, Turns())
    until(lambda: queue.update() or find_job(workspace, run_id).state == "ended")
    error = story_of(workspace, run_id).error
    assert error is not None
    assert error.code == ("image-files-changed" if is_changed else "job-ended-silently")


def test_labels_of_overwritten_images_are_not_dropped_while_a_job_waits_with_them(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    folder = write_cells(workspace.roots[0] / "cells", 30)
    cells = open_images(workspace, folder)
    until(lambda: dataset_state(workspace, cells).state == "ready")
    labeled = images_at(workspace, cells, [1])
    set_labels(workspace, cells, labeled, "medium")
    run_id = queued(workspace, cells)
    file = sorted(folder.glob("*/*.png"))[1]
    file.write_bytes(file.read_bytes() + b"other bytes behind the image")
    refresh_dataset(workspace, cells)
    workspace.background.wait_all()
    with refusing(Conflict, "dataset-in-use"):
        resolve_overwritten(workspace, cells, labeled, is_kept=False)
    control.remove_job(workspace, run_id)
    assert resolve_overwritten(workspace, cells, labeled, is_kept=False)[1] == 1


def test_a_request_to_finish_holds_until_the_training_is_resumed_without_it(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells, **FINETUNE)
    job = find_job(workspace, run_id)
    control.stop_job(workspace, run_id)
    job.folder.mkdir(parents=True)
    save_recipe(Recipe(stage="finetune", split=SplitPlan(folds=0)), job.run.recipe_file)
    job.run.split_file.touch()
    control.finish_job(workspace, run_id)
    assert queued_ids(workspace, TRAININGS_QUEUE) == [run_id]
    assert job.run.finish_file.exists()
    control.stop_job(workspace, run_id)
    control.resume_job(workspace, run_id)
    assert not job.run.finish_file.exists()
    control.remove_job(workspace, run_id)


def test_a_training_of_two_steps_is_in_one_of_them_while_it_works(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells, init={"train_on": str(workspace.roots[0] / "cells")})
    steps = [story_of(workspace, run_id).step]
    for launched in (time.time(), 0.0):
        as_started(workspace, run_id, launched=launched)
        steps.append(story_of(workspace, run_id).step)
    assert steps == [None, 1, None]
    control.remove_job(workspace, run_id)


def refused_at_once(request: Callable[[], None]) -> list[CoverslipError]:
    """The response to the later of two requests for the same at the same moment."""
    both = Barrier(2)

    def ask() -> CoverslipError | None:
        both.wait()
        try:
            request()
        except (Conflict, NotFound) as error:
            return error
        return None

    with ThreadPoolExecutor(2) as threads:
        answers = [threads.submit(ask) for _ in range(2)]
        return [error for answer in answers if (error := answer.result()) is not None]


def test_of_two_requests_at_once_one_is_refused(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    for _ in range(10):
        control.stop_job(workspace, run_id)
        assert len(refused_at_once(lambda: control.resume_job(workspace, run_id))) == 1
        assert find_job(workspace, run_id).state == "queued"
        assert len(refused_at_once(lambda: control.remove_job(workspace, run_id))) == 1
        control.restore_job(workspace, run_id)
    control.remove_job(workspace, run_id)


def test_what_was_seen_before_the_queue_began_it_changes_nothing(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    seen = find_job(workspace, run_id)
    as_started(workspace, run_id, launched=time.time())
    for state in ("queued", "removed"):
        with pytest.raises(Conflict):
            change_if_unchanged(workspace, seen, state=state)
    assert find_job(workspace, run_id).state == "started"
    change_job(workspace, run_id, launched=0.0)
    control.remove_job(workspace, run_id)


def test_what_the_trash_no_longer_holds_cannot_come_back(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    control.remove_job(workspace, run_id)
    shutil.rmtree(workspace.trash / run_id)
    with pytest.raises(NotFound) as refused:
        control.restore_job(workspace, run_id)
    assert refused.value.code == "not-in-trash"


def test_a_deletion_or_restoration_that_was_not_recorded_can_be_repeated(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    folder = find_job(workspace, run_id).folder
    folder.mkdir()
    with busy_database(workspace), pytest.raises(Busy):
        control.remove_job(workspace, run_id)
    assert folder.is_dir()
    control.remove_job(workspace, run_id)
    with busy_database(workspace), pytest.raises(Busy):
        control.restore_job(workspace, run_id)
    control.restore_job(workspace, run_id)
    assert queued_ids(workspace, TRAININGS_QUEUE) == [run_id]
    assert folder.is_dir()
    assert not (workspace.trash / run_id).exists()
    control.remove_job(workspace, run_id)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_process_that_never_began_its_folder_leaves_why(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    job = as_started(workspace, run_id, launched=time.time() - 60)
    assert state_now(job) == "interrupted"  # nobody knows: the computer was switched off, say
    command = ["-m", "coverslip", "train", str(job.folder / "no_such_images"), "--out=other"]
    begun, started = launched(job.folder, *command)
    begun.wait()
    job = as_started(workspace, run_id, pid=begun.pid, process_started=started)
    assert state_at_end(workspace, run_id) == "failed"
    error = story_of(workspace, run_id).error
    assert error is not None
    assert (error.kind, error.file) == ("bad-dataset", str(job.folder / "no_such_images"))
    launched(job.folder, "-c", "print('second')")[0].wait()
    assert last_output(job.folder) == ["second"]
    control.remove_job(workspace, run_id)


def test_a_process_in_a_session_of_its_own_is_distinguished_from_a_later_one(tmp_path: Path) -> None:
    code = "import os, time; print(os.getsid(0) == os.getpid(), flush=True); time.sleep(60)"
    begun, started = launched(tmp_path / "job", "-c", code)
    assert is_running(begun.pid, started)
    assert not is_running(begun.pid, started - 100)
    assert until(lambda: last_output(tmp_path / "job")) == ["True"]
    begun.kill()
    assert until(lambda: not is_running(begun.pid, started))
    begun.wait()


def test_a_job_continues_and_can_be_stopped_after_the_clock_was_set(
    workspace: Workspace, cells: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    run_id = queued(workspace, cells)
    job = as_started(workspace, run_id, launched=time.time() + 3600)  # then the clock was set back by an hour
    assert state_now(job) == "interrupted"
    begun, started = launched(job.folder, "-c", "import time; time.sleep(60)")
    job = as_started(workspace, run_id, pid=begun.pid, process_started=started)
    owner = {"pid": begun.pid, "process_started": started, "host": os.uname().nodename}
    say(job, state="running", **owner)
    booted = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted - 3600)
    assert state_now(job) == "running"
    job.run.stop_file.touch()
    change_job(workspace, run_id, stop_requested=time.time() + 3600)  # before the clock was set back
    Queue(workspace, Turns()).update()
    assert until(lambda: begun.poll() == -signal.SIGTERM)


def test_a_recipe_names_its_start_by_a_run_and_its_classes_by_the_image_set(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    folder = find_job(workspace, run_id).folder
    recipe = validated_recipe(workspace, {"init": {"run": run_id}, "split.val": 0.3, "split": {"folds": 0}}, {})
    assert recipe.init.run == str(folder)  # type: ignore[union-attr]
    assert (recipe.split.val, recipe.split.folds) == (0.3, 0)
    planned = validated_recipe(workspace, {}, {"merge": {}, "drop": ["medium"], "rename": {}})
    assert planned.classes.drop == ("medium",)
    inner = {"train_on": str(workspace.roots[0]), "recipe": {"init": {"run": "/etc"}}}
    for key, path, init in (
        ("init.run", "/etc/nothing", {"run": "/etc/nothing"}),
        ("init.train_on", "/etc", {"train_on": "/etc"}),
        ("init.run", "/etc", inner),
    ):
        with pytest.raises(BadRecipe) as refused:
            validated_recipe(workspace, {"init": init}, {})
        assert isinstance(refused.value.__cause__, CoverslipError)
        assert refused.value.__cause__.code == ("missing-path" if path == "/etc/nothing" else "outside-roots")
        assert (refused.value.code, refused.value.file) == ("recipe-path-refused", Path(path))
        assert dict(refused.value.faults)[key].endswith(path)
        assert bool(refused.value.remedies) == (path == "/etc")
    with refusing(BadRecipe, "invalid-recipe") as unknown_key:
        validated_recipe(workspace, {"epochz": 3}, {})
    assert [key for key, _ in unknown_key.value.faults] == ["epochz"]
    control.remove_job(workspace, run_id)


def test_a_recipe_has_the_classes_in_the_order_of_the_set(workspace: Workspace) -> None:
    here, there = (write_cells(workspace.roots[0] / name, 6) for name in ("here", "there"))
    (there / "medium").rename(there / "zebra")
    made = sources.open_sources(workspace, [sources.Source(str(place)) for place in (here, there)]).id
    until(lambda: dataset_state(workspace, made).state == "ready")

    def order(**recipe: object) -> tuple[str, ...]:
        with workspace.engine.connect() as connection:
            return recipe_of_dataset(workspace, dataset_row(connection, made), recipe).classes.order

    assert order() == ()  # it is that of the names
    sources.change_dataset(workspace, made, {"classes": ["nobody's", "zebra", "medium", "large"]})
    assert order() == ("zebra", "medium", "large", "<script>")
    assert order(classes={"order": ["large"]}) == ("large",)
    assert order(**{"classes.order": []}) == ()
    assert order(classes={"drop": ["zebra"], "merge": {"other": ["<script>", "medium"]}}) == ("other", "large")
    assert order(classes={"rename": {"there/large": "huge"}, "drop": ["here/medium"]}) == (
        *("zebra", "large", "huge", "<script>"),
    )
    assert order(classes={"by_domain": True, "rename": {"here/large": "huge"}}) == (
        *("here/medium", "huge", "here/<script>", "there/zebra", "there/large", "there/<script>"),
    )
    sources.change_dataset(workspace, made, {"class_plan": {"drop": ["zebra"], "rename": {"medium": "z"}}})
    assert order() == ("z", "large", "<script>")


def test_every_network_is_described_in_plain_words() -> None:
    models = advised_models()
    assert {model.name for model in models} == {record.name for record in list_models()}
    assert [model.name for model in models if model.is_recommended] == [models[0].name] == [Recipe().model]
    assert not [model.name for model in models if model.title == model.name]


def test_a_log_is_folded_as_it_grows_and_torn_lines_wait_or_are_ignored(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log, reader = FoldedLog(file, LoggedProgress()), LogReader(file)
    assert log.refresh() == LoggedProgress()
    line = '{"n": 1, "time": 1.0, "event": "Noted", "text": "<script>é", "level": "info"}'
    file.write_text(line[:30])
    assert not log.refresh().has_begun
    assert reader.new_lines() == []
    file.write_text(f"{line}\n{line[:20]}\n{line.replace(': 1,', ': 2,')}\n")
    assert [note.text for note in log.refresh().notes] == ["<script>é"] * 2
    assert [log_line.n for log_line in log.lines] == [1, 2]
    assert [log_line.n for log_line in reader.new_lines()] == [1, 2]
    assert reader.new_lines() == []
    file.write_text(f"{line}\n")  # it was started again
    assert len(log.refresh().notes) == len(log.lines) == 1


def test_a_log_can_be_sent_whatever_names_it_contains_and_only_its_last_lines_are_kept(tmp_path: Path) -> None:
    line = '{"n": 1, "time": 1.0, "event": "Noted", "text": "a\\udcff.png", "level": "info"}\n'
    (tmp_path / "events.jsonl").write_text(line * (MOST_LINES + 1))
    log = FoldedLog(tmp_path / "events.jsonl", LoggedProgress())
    log.refresh()
    assert len(log.lines) == MOST_LINES
    assert json.loads(to_json(log.lines[0]))["text"] == "a?.png"


def test_lasting_lines_are_more_than_progress(tmp_path: Path) -> None:
    events = [
        Progressed(stage="reading-images", done=1, total=2),
        Noted(text="one <b>"),
        an_epoch(1, fold=2),
    ]
    lines = [{"n": n, "time": 5.0, **as_json(event)} for n, event in enumerate(events, start=1)]
    lines.append({"n": 4, "time": 6.0, "event": "OfALaterCoverslip", "what": 1})
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    log = FoldedLog(tmp_path / "events.jsonl", LoggedProgress())
    log.refresh()
    lasting = log.lines
    assert [(line.n, line.event) for line in lasting] == [(2, "Noted"), (3, "EpochEnded"), (4, "OfALaterCoverslip")]
    assert (lasting[0].values["text"], lasting[0].values["level"]) == ("one <b>", "info")
    assert (lasting[1].values["fold"], lasting[1].values["val_f1"]) == (2, 0.5)


def test_later_rows_of_an_image_get_its_correction(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    listed = [(Prediction(name, "a.png", None, "x", 0.75, "x", (0.75, 0.25)), ReadPlan()) for name in ("a", "b")]
    prediction = written_prediction(workspace, ("x", "y"), listed)
    file = workspace.predictions / "written" / "predictions.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:2]))  # the second row is not predicted yet
    assert images_of_job(workspace, prediction).decisions() == {"x": 1}
    correct(workspace, prediction, 0, "y")
    second = lines[2].replace(",{},,", ",{},0,")  # the row lists the first image again
    file.write_text("".join([*lines[:2], second[:20]]))  # a part of a row is not read
    assert images_of_job(workspace, prediction).decisions() == {"x": 1}
    file.write_text("".join([*lines[:2], second]))
    rows = [row for row, _ in images_of_job(workspace, prediction).every_row()]
    assert [(row.image_id, row.correction, row.corrected_by is None) for row in rows] == [
        ("a", "y", False),
        ("b", "y", False),
    ]
    correct(workspace, prediction, 1, None)
    assert images_of_job(workspace, prediction).counts().n_corrected == 0


@pytest.mark.parametrize("sort", ["position", "probability", "-probability"])
def test_pages_of_a_prediction_follow_each_other_whatever_others_there_are(sort: str, tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    for job_id, probabilities in (("a", [0.6, 0.9, 0.6, 0.9, 0.6, 0.9]), ("b", [0.9, 0.8, 0.7, 0.6, 0.9, 0.7])):
        rows = [Prediction(f"{k}", "", None, "x", p, "x", (p, 1 - p)) for k, p in enumerate(probabilities)]
        written_prediction(workspace, ("x", "y"), [(row, ReadPlan()) for row in rows], job_id)
        images_of_job(workspace, job_id)
    filters = Filters.model_validate({"sort": sort})
    for job_id in ("a", "b"):
        listed = images_of_job(workspace, job_id)
        pages = [listed.page(filters, limit=2)]
        while pages[-1].next is not None and len(pages) < 6:
            pages.append(listed.page(filters, after=pages[-1].next, limit=2))
        assert [row.row_id for page in pages for row in page.items] == listed.row_ids(filters).tolist()


def test_a_damaged_prediction_hides_no_other_prediction(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    row = Prediction("a", "a.png", None, "x", 0.75, "x", (0.75, 0.25))
    for job_id in ("damaged", "intact"):
        written_prediction(workspace, ("x", "y"), [(row, ReadPlan())] * 2, job_id)
    file = find_job(workspace, "damaged").run.predictions_file
    file.write_bytes(file.read_bytes() + b"a,half\n")
    with refusing(BadRun, "prediction-damaged"):
        images_of_job(workspace, "damaged")
    states = {state.id: state for state in list_predictions(workspace, Paging()).items}
    assert states["damaged"].state == "failed"
    assert states["damaged"].error is not None
    assert states["damaged"].error.code == "prediction-damaged"
    assert (states["intact"].error, states["intact"].n_done) == (None, 2)


def test_rows_whose_keys_are_missing_are_refused(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    row = Prediction("a", "a.png", None, "x", 0.75, "x", (0.75, 0.25))
    prediction = written_prediction(workspace, ("x", "y"), [(row, ReadPlan())])
    change_job(workspace, prediction, image_keys=str(tmp_path / "missing.csv"))
    with refusing(CoverslipError, "missing-path"):
        images_of_job(workspace, prediction)


@pytest.mark.slow
def test_many_rows_are_filtered_and_sorted_a_page_at_a_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    classes, n = ("<script>", "b"), 20_000
    probability = rng.uniform(0.5, 1, n).round(6)
    labels = rng.integers(0, 2, n)

    def said(k: int) -> Prediction:
        decision = "uncertain" if probability[k] < 0.6 else classes[0]
        p = float(probability[k])
        return Prediction(f"{k}.png", f"{k}.png", classes[labels[k]], classes[0], p, decision, (p, float("nan")))

    workspace = new_workspace(tmp_path)
    prediction = written_prediction(workspace, classes, [(said(k), ReadPlan(z="max")) for k in range(n)])

    def matching(filters: Filters) -> list[int]:
        matches: list[int] = images_of_job(workspace, prediction).row_ids(filters).tolist()
        return matches

    def page(filters: Filters, after: int | None = None) -> ImagePage[Row]:
        return images_of_job(workspace, prediction).page(filters, after=after, limit=10)

    wrong = Filters(only="misclassified", sort="-probability")
    expected = [int(k) for k in sorted(np.flatnonzero(labels == 1), key=lambda k: (-probability[k], k))]
    assert matching(wrong) == expected
    mistakes = page(wrong, expected[99])
    assert [row.row_id for row in mistakes.items] == expected[100:110]
    assert mistakes.next == expected[109]
    assert page(wrong, expected[-3]).next is None
    assert mistakes.items[0].probabilities["b"] is None
    assert len(matching(Filters(only="review"))) == int((probability < 0.6).sum())
    unsure = [int(k) for k in np.flatnonzero(probability < 0.6)]
    for k in (7, 5):
        correct(workspace, prediction, k, "b")
    corrected = page(Filters(only="corrected"))
    assert [(row.row_id, row.correction) for row in corrected.items] == [(5, "b"), (7, "b")]
    correct(workspace, prediction, unsure[0], "b")
    unsure = [k for k in unsure if k not in (5, 7)]
    assert matching(Filters(only="review")) == unsure[1:]
    assert matching(Filters(label="<script>", predicted="b")) == []
    assert "uncertain" in DECISIONS


def test_unreadable_rows_stand_last_and_labels_of_no_class_are_no_errors(tmp_path: Path) -> None:
    written = [
        Prediction("a", "a.png", "x", None, None, "unreadable", (), message("image-incomplete")),
        Prediction("b", "b.png", "x", "y", 0.75, "y", (0.25, 0.75)),
        Prediction("c", "c.png", "never taught", "y", 0.5, "y", (0.5, 0.5)),
    ]
    workspace = new_workspace(tmp_path)
    prediction = written_prediction(workspace, ("x", "y"), [(row, ReadPlan()) for row in written])

    def listed(**filters: str) -> list[str]:
        page = images_of_job(workspace, prediction).page(Filters.model_validate(filters), limit=10)
        return [row.image_id for row in page.items]

    assert listed(sort="probability") == ["c", "b", "a"]
    assert listed(sort="-probability") == ["b", "c", "a"]
    assert listed(only="misclassified") == ["b"]


def test_what_is_worked_out_of_changed_code_is_not_taken_for_new(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "words.py").write_text("a = 1")
    before = fingerprint_of_code(tmp_path)
    assert fingerprint_of_code(tmp_path) == before
    (tmp_path / "inner" / "words.py").write_text("a = 2")
    assert fingerprint_of_code(tmp_path) != before


def test_a_table_cannot_lead_a_prediction_outside_the_allowed_folders(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", write_cells(tmp_path / "outside", 3, is_sorted=False)
    write_cells(inside, 3, is_sorted=False)
    (inside / "table.csv").write_text("path\n" + "\n".join(str(file) for file in outside.iterdir()) + "\n")
    (inside / "linked").symlink_to(outside)
    may_read = _below([inside])
    _refuse_outside(cs.open_dataset([inside / f"slide0_00{k}.png" for k in range(3)], labeled=False), may_read)
    for source in (inside / "table.csv", inside / "linked"):
        with pytest.raises(BadDataset) as refused:
            _refuse_outside(cs.open_dataset(source, labeled=False), may_read)
        assert (refused.value.code, refused.value.remedies) == ("image-outside", (ChooseOther("root"),))
