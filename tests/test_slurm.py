"""Jobs of the app run as jobs of a real Slurm, whose programs are those of Debian."""

import getpass
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from parameters import only_first
from small_workspace import (
    FINETUNE,
    QUICK,
    new_workspace,
    open_images,
    predicted_here,
    studied_here,
    trained_here,
    until,
    write_cells,
)
from trained import results_without_times

from coverslip.cli import main
from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Event, Noted
from coverslip.runs.predictions import read_predictions
from coverslip.runtime.programs import kill_with_children, log_file, recorded_failure
from coverslip.runtime.slurm import Slurm
from coverslip.studies.cells import cells_of, state_of
from coverslip.studies.plan import StudyPlan, load_plan
from coverslip.studies.study import resume_study, run_study
from coverslip.workspace.jobs import queue as control
from coverslip.workspace.jobs.listing import story_of
from coverslip.workspace.jobs.queue import JobOptions, Queue, Turns
from coverslip.workspace.jobs.records import change_job, find_job
from coverslip.workspace.predictions.state import queue_prediction
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import StudyChoices, outlook, queue_study
from coverslip.workspace.studies.state import cells_in
from coverslip.workspace.trainings.queueing import queue_training

pytestmark = pytest.mark.xdist_group("slurm")

_PROGRAMS = ("munged", "sbatch", "slurmctld", "slurmd")


def program(name: str) -> str | None:
    """Return the path of a program; those of administrators are not in the PATH of everyone."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


@pytest.fixture(scope="module", autouse=True)
def slurm_cluster() -> Iterator[None]:
    """Run a cluster of this computer, with two processors."""
    if missing := [name for name in _PROGRAMS if program(name) is None]:
        pytest.skip(f"Slurm is not installed ({', '.join(missing)}). Run: .ci/programs")
    folder = Path(tempfile.mkdtemp(prefix="coverslip-slurm-"))
    name, user, (controller_port, node_port) = socket.gethostname().partition(".")[0], getpass.getuser(), free_ports()
    settings = f"""
ClusterName=test
SlurmctldHost={name}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={controller_port}
SlurmdPort={node_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
KillWait=5
SchedulerParameters=batch_sched_delay=0,bf_interval=1
NodeName={name} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
SlurmdParameters=config_overrides
"""
    (folder / "slurm.conf").write_text(settings)
    key = folder / "munge.key"
    key.write_bytes(bytes(range(256)) * 4)
    key.chmod(0o600)
    munge = [f"--{option}={folder}/munge.{option}" for option in ("socket", "pid-file", "log-file", "seed-file")]
    processes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        try:
            for command in (
                ["munged", "--force", "--foreground", f"--key-file={key}", *munge],
                ["slurmctld", "-D"],
                ["slurmd", "-D"],
            ):
                with (folder / f"{command[0]}.out").open("wb") as out:
                    started = [program(command[0]) or "", *command[1:]]
                    processes.append(subprocess.Popen(started, stdout=out, stderr=subprocess.STDOUT))
                    psutil.Process(processes[-1].pid).cpu_affinity([])  # all cores, unlike this test
                if command[0] == "munged":
                    until((folder / "munge.socket").exists, seconds=30)
            until(lambda: "idle" in output("sinfo", "--noheader", "--format=%T"), seconds=60)
            yield
        finally:
            psutil.wait_procs(waiting_processes(), timeout=60)  # without Slurm, they would wait for ever
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(timeout=60)
            shutil.rmtree(folder, ignore_errors=True)


def waiting_processes() -> list[psutil.Process]:
    """Return the processes that wait for the end of jobs in Slurm."""
    commands = {each: each.as_dict(["cmdline"], ad_value=[])["cmdline"] for each in psutil.Process().children()}
    return [process for process, command in commands.items() if "coverslip.runtime.slurm" in command]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return new_workspace(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def cells(workspace: Workspace) -> str:
    return open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")


@contextmanager
def queue(workspace: Workspace, options: str) -> Iterator[None]:
    """Run the queue of the workspace during the block, with options of `sbatch`."""
    how = JobOptions(Slurm.of(options))
    queue = Queue(workspace, Turns(), how)
    queue.start()
    try:
        yield
    finally:
        queue.close()


def queued(workspace: Workspace, cells: str) -> str:
    return queue_training(workspace, dataset_id=cells, name=None, recipe=dict(QUICK))


def state(workspace: Workspace, run_id: str) -> str:
    return story_of(workspace, run_id).state


def jobs_of_slurm() -> list[str]:
    return output("squeue", "--noheader", "--format=%T").splitlines()


def test_trainings_are_submitted_at_once_and_end_as_on_this_computer(workspace: Workspace, cells: str) -> None:
    first, second = (queued(workspace, cells) for _ in range(2))
    with queue(workspace, "--exclusive"):  # so that the second waits in Slurm
        until(lambda: sorted(jobs_of_slurm()) == ["PENDING", "RUNNING"], seconds=60)
        control.stop_job(workspace, second)
        until(lambda: [state(workspace, run_id) for run_id in (first, second)] == ["done", "stopped"], seconds=240)
    on_this_computer = trained_here(workspace, cells, QUICK)
    results, expected = (find_job(workspace, run_id).run.metrics for run_id in (first, on_this_computer))
    assert results.confusion_matrix == expected.confusion_matrix
    for name, metric in results.metrics.items():  # other numbers of threads have other rounding errors
        assert metric.value == pytest.approx(expected.metrics[name].value, rel=1e-3, abs=1e-3), name
    until(lambda: jobs_of_slurm() == [], seconds=60)


@pytest.mark.exhaustive
def test_a_training_that_waits_in_slurm_begins_when_another_one_has_ended(workspace: Workspace, cells: str) -> None:
    ids = [queued(workspace, cells) for _ in range(2)]
    with queue(workspace, "--exclusive"):
        until(lambda: [state(workspace, run_id) for run_id in ids] == ["done", "done"], seconds=240)
    first, second = (find_job(workspace, run_id).run for run_id in ids)
    assert first.metrics == second.metrics
    assert first.status.began <= first.status.heartbeat <= second.status.began


@pytest.mark.exhaustive
def test_a_study_and_a_prediction_in_slurm_have_the_results_of_this_computer(workspace: Workspace, cells: str) -> None:
    run = trained_here(workspace, cells, QUICK)
    choices = StudyChoices(preset=None, dataset_ids=(cells,))
    plan = {**yaml.safe_load(outlook(workspace, choices).plan_text), "models": [QUICK["model"]], "folds": 0}
    plan["recipe"] = {"stage": "instant", "image_size": 32, "tta": 1}
    choices = choices.model_copy(update={"plan": yaml.safe_dump(plan)})
    ids = [queue_prediction(workspace, classifier_id=run, dataset_id=cells), queue_study(workspace, choices)]
    with queue(workspace, ""):
        until(lambda: len(jobs_of_slurm()) == 2, seconds=60)
        until(lambda: [story_of(workspace, job_id).state for job_id in ids] == ["done", "done"], seconds=240)
    ids += [predicted_here(workspace, run, cells), studied_here(workspace, choices, "Here")]
    there, study_there, here, study_here = (find_job(workspace, job_id).folder for job_id in ids)
    rows, rows_here = (read_predictions(folder / "predictions.csv") for folder in (there, here))
    assert len(rows) == 60
    for row, row_here in zip(rows, rows_here, strict=True):
        assert (row.image_id, row.decision) == (row_here.image_id, row_here.decision)
        assert row.probabilities == pytest.approx(row_here.probabilities, abs=1e-3)
    metrics, metrics_here = ([cell.run.metrics for cell in cells_in(folder)] for folder in (study_there, study_here))
    assert len(metrics) == 1
    assert metrics[0].confusion_matrix == metrics_here[0].confusion_matrix


def plan_of_study(folder: Path, **changes: object) -> StudyPlan:
    return StudyPlan.model_validate(
        {
            "datasets": [{"path": str(write_cells(folder / "cells"))}],
            "models": [QUICK["model"]],
            "regimes": ["imagenet"],
            "seeds": [0, 1],
            "folds": 0,
            "threads": 1,
            "recipe": {"stage": "instant", "image_size": 32, "tta": 1},
            **changes,
        }
    )


@pytest.mark.exhaustive  # the tests of the app, of resumption and of failures do the same in parts
def test_each_training_of_a_study_is_a_job_with_the_results_of_this_computer(
    finetuned_study: Path, tmp_path: Path
) -> None:
    plan, n_jobs = finetuned_study / "study.yaml", list[int]()
    run_study(plan, out=tmp_path / "there", on="slurm", emit=lambda _: n_jobs.append(len(jobs_of_slurm())))
    assert max(n_jobs) >= 2
    assert results_without_times(tmp_path / "there") == results_without_times(finetuned_study)
    cells = cells_of(load_plan(plan), tmp_path / "there")
    assert [cell.run.environment.machine.n_threads for cell in cells] == [1] * 4


def occupy() -> str:
    """Submit a job that occupies the cluster, and return its number."""
    number = output("sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--wrap", "sleep 600")
    until(lambda: jobs_of_slurm() == ["RUNNING"], seconds=60)
    return number


STUDY = """
import sys
from coverslip.studies.study import run_study

run_study(sys.argv[1], out=sys.argv[2], on="slurm")
"""


# If this computer restarts, the processes that wait for jobs end too.
@pytest.mark.parametrize("is_restarted", only_first(1, [True, False]))
def test_a_resumed_study_waits_for_the_jobs_of_a_killed_study(tmp_path: Path, is_restarted: bool) -> None:
    plan, folder, number = plan_of_study(tmp_path), tmp_path / "study", occupy()
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan.model_dump(mode="json", exclude_unset=True)))
    command = [sys.executable, "-c", STUDY, str(tmp_path / "plan.yaml"), str(folder)]
    with subprocess.Popen(command) as study:
        until(lambda: jobs_of_slurm().count("PENDING") == 2, seconds=60)
        submitting = psutil.Process(study.pid).children(recursive=True)
        study.kill()
    if is_restarted:
        for process in submitting:
            process.kill()

    def start_jobs(event: Event) -> None:
        if isinstance(event, Noted) and event.code == "cell-begun":
            subprocess.run(["scancel", number], check=True)

    resume_study(folder, on="slurm", emit=start_jobs)
    cells = cells_of(plan, folder)
    assert [state_of(cell).state for cell in cells] == ["done", "done"]
    assert [log_file(cell.run.folder).read_bytes().count(b"=== begun ") for cell in cells] == [1, 1]
    until(lambda: jobs_of_slurm() == [], seconds=60)


def test_a_training_of_a_study_that_slurm_ends_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    plan = plan_of_study(tmp_path, seeds=[0], recipe={"image_size": 32, "tta": 1, "stage": "finetune", "epochs": 1000})
    (cell,) = cells_of(plan, tmp_path / "study")

    def end_job(event: Event) -> None:
        if isinstance(event, Noted) and event.code == "cell-begun":
            until(lambda: state_of(cell).state == "running", seconds=120)
            (number,) = output("squeue", "--noheader", "--format=%i").splitlines()
            subprocess.run(["scancel", number], check=True)  # as at the end of the time limit

    run_study(plan, out=tmp_path / "study", on="slurm", emit=end_job)
    failure = recorded_failure(cell.run.folder)
    assert failure is not None
    assert (failure.code, failure.parameters["state"]) == ("slurm-ended-job", "CANCELLED")
    assert state_of(cell).state == "failed"
    until(lambda: jobs_of_slurm() == [], seconds=60)


@pytest.mark.exhaustive
def test_the_jobs_of_a_study_that_is_stopped_are_cancelled(tmp_path: Path) -> None:
    plan, folder, number = plan_of_study(tmp_path), tmp_path / "study", occupy()

    def stop_with_jobs(_: Event) -> None:
        if not (folder / "stop").exists():
            until(lambda: jobs_of_slurm().count("PENDING") == 2, seconds=60)
            (folder / "stop").touch()

    with pytest.raises(Stopped):
        run_study(plan, out=folder, on="slurm", emit=stop_with_jobs)
    until(lambda: jobs_of_slurm() == ["RUNNING"], seconds=60)
    subprocess.run(["scancel", number], check=True)
    until(lambda: jobs_of_slurm() == [], seconds=60)
    assert [state_of(cell).state for cell in cells_of(plan, folder)] == ["not begun", "not begun"]


@pytest.mark.exhaustive
def test_a_training_that_waits_in_slurm_is_cancelled(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    with queue(workspace, "--begin=now+1hour"):
        until(lambda: jobs_of_slurm() == ["PENDING"], seconds=60)
        until(lambda: "BeginTime" in " ".join(story_of(workspace, run_id).log_tail), seconds=60)
        assert state(workspace, run_id) == "starting"
        control.stop_job(workspace, run_id)
        until(lambda: state(workspace, run_id) == "stopped", seconds=60)
        until(lambda: jobs_of_slurm() == [], seconds=60)


@pytest.mark.exhaustive
def test_a_training_that_slurm_ends_is_stopped_and_can_be_resumed(workspace: Workspace, cells: str) -> None:
    run_id = queue_training(workspace, dataset_id=cells, name=None, recipe={**FINETUNE, "epochs": 10_000})
    with queue(workspace, ""):
        until(lambda: state(workspace, run_id) == "running", seconds=120)
        (number,) = output("squeue", "--noheader", "--format=%i").splitlines()
        subprocess.run(["scancel", number], check=True)  # as at the end of the time limit
        until(lambda: state(workspace, run_id) == "stopped", seconds=60)
        control.resume_job(workspace, run_id)
        until(lambda: state(workspace, run_id) == "running", seconds=120)
        control.stop_job(workspace, run_id)
        until(lambda: state(workspace, run_id) == "stopped", seconds=120)


def test_options_that_slurm_refuses_are_the_reason_of_the_failure(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    with queue(workspace, "--partition=none"):
        until(lambda: state(workspace, run_id) == "failed", seconds=60)
    failure = recorded_failure(find_job(workspace, run_id).folder)
    assert failure is not None
    assert "partition" in str(failure.parameters["reason"])
    until(lambda: jobs_of_slurm() == [], seconds=60)  # those of other tests end a little later


def test_a_job_that_waits_in_slurm_is_cancelled_after_this_computer_restarted(workspace: Workspace, cells: str) -> None:
    run_id, options = queued(workspace, cells), "--begin=now+1hour"
    with queue(workspace, options):
        until(lambda: jobs_of_slurm() == ["PENDING"], seconds=60)
    job = find_job(workspace, run_id)
    kill_with_children(job.pid, job.process_started)
    with queue(workspace, options):
        until(lambda: state(workspace, run_id) == "interrupted", seconds=60)
    assert jobs_of_slurm() == []


def test_a_job_that_fails_in_slurm_says_why(workspace: Workspace, cells: str) -> None:
    run_id = queued(workspace, cells)
    change_job(workspace, run_id, command=["-c", "raise MemoryError"])
    with queue(workspace, ""):
        until(lambda: state(workspace, run_id) == "failed", seconds=60)
    failure = recorded_failure(find_job(workspace, run_id).folder)
    assert failure is not None
    assert (failure.code, failure.parameters["reason"]) == ("job-ended-with-error", "MemoryError")
    until(lambda: jobs_of_slurm() == [], seconds=60)


@pytest.mark.parametrize("command", ["app", "server"])
def test_a_server_without_slurm_or_with_unreadable_options_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["app", "--workspace", str(tmp_path / "w")] if command == "app" else ["server", str(tmp_path / "s")]
    with pytest.raises(CoverslipError) as refused:
        Slurm.of('"')
    assert refused.value.code == "slurm-options"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([*arguments, "--slurm", "--partition=gpu"]) == 1
    assert "sbatch" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
