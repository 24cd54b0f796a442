"""Stop, resume, remove and restore jobs."""

import shutil
import time

from sqlalchemy import update

from coverslip.errors import Conflict
from coverslip.experiments.estimating import request_finish
from coverslip.files import write_error, write_text
from coverslip.runs import is_run
from coverslip.workspace.jobs.faults import folded_log
from coverslip.workspace.jobs.records import (
    Job,
    all_jobs,
    change_if_unchanged,
    change_job,
    drop_trainings_of,
    find_job,
)
from coverslip.workspace.jobs.runs import can_finish
from coverslip.workspace.jobs.state import ACTIVE, has_ended, state_of, status_of
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.rows import not_in_trash, original_location_taken
from coverslip.workspace.store.workspace import Workspace


def stop(workspace: Workspace, job_id: str) -> None:
    """Request a job to stop. A waiting job is removed from the queue.

    Raises:
        NotFound: there is no such job.
        Conflict: it has already ended.
    """
    job = find_job(workspace, job_id)
    if job.state == "queued":
        if _unqueue(workspace, job):
            return
        job = find_job(workspace, job_id)  # it was started meanwhile
    if state_of(job, status_of(job)) not in ACTIVE:
        raise Conflict("job-ended")
    if job.folder.is_dir():
        write_text(job.run.stop_file, "")
    if job.stop_asked is None:
        change_job(workspace, job_id, stop_asked=time.time())


def _unqueue(workspace: Workspace, job: Job) -> bool:
    """Remove a waiting job from the queue; return whether it was waiting."""
    waits = (db.jobs.c.id == job.id) & (db.jobs.c.state == "queued")
    stopped = update(db.jobs).where(waits).values(state="started", queued=None, stop_asked=time.time())
    with workspace.engine.begin() as connection:
        return bool(connection.execute(stopped).rowcount)


def resume(workspace: Workspace, job_id: str, *, finishes: bool = False) -> None:
    """Queue a job that ended early again. It resumes where it ended, except for evaluations, which are short.

    A finished study can also be resumed: failed trainings are retried.

    Args:
        workspace: the workspace of the job.
        job_id: the job.
        finishes: keep a request to end fine-tuning; otherwise such a request is withdrawn.

    Raises:
        NotFound: there is no such job.
        Conflict: it is waiting, running or finished.
    """
    job = find_job(workspace, job_id)
    state = state_of(job, status_of(job))
    if state == "done" and job.kind != "study":
        raise Conflict("job-finished")
    if not has_ended(state):
        raise _not_ended()
    command = list(job.command)
    if job.kind == "train" and is_run(job.folder):
        command = ["-m", "coverslip", "train", f"--{'finish' if finishes else 'resume'}={job.folder}"]
    job.run.stop_file.unlink(missing_ok=True)
    if not finishes:
        job.run.finish_file.unlink(missing_ok=True)
    reset = dict.fromkeys(("pid", "process_started", "launched", "stop_asked"))
    change_if_unchanged(workspace, job, state="queued", queued=time.time(), command=command, **reset)


def finish(workspace: Workspace, job_id: str) -> None:
    """End the fine-tuning of a training with its best epoch so far; calibration, test and report follow.

    A stopped training is queued again for this.

    Raises:
        NotFound: there is no such training.
        Conflict: it has ended, or it cannot be finished early.
    """
    job = find_job(workspace, job_id, "train")
    state = state_of(job, status_of(job))
    if not can_finish(job, state, folded_log(job).progress):
        raise Conflict("not-finished-early")
    request_finish(job.folder)
    if has_ended(state):
        resume(workspace, job_id, finishes=True)


def _not_ended() -> Conflict:
    return Conflict("job-not-ended")


def remove(workspace: Workspace, job_id: str) -> None:
    """Move a job and its files to the trash.

    Raises:
        NotFound: there is no such job.
        Conflict: it is running, or an evaluation of it has not ended.
    """
    job = find_job(workspace, job_id)
    if state_of(job, status_of(job)) in ACTIVE:
        raise _not_ended()
    classifiers = [job_id, *(each.id for each in all_jobs(workspace, "train", study_id=job_id))]
    evaluations = [
        each for classifier_id in classifiers for each in all_jobs(workspace, "evaluate", classifier_id=classifier_id)
    ]
    if any(not has_ended(state_of(each, status_of(each))) for each in evaluations):
        raise Conflict("job-being-evaluated")
    place = workspace.trash / job_id
    try:
        place.mkdir(parents=True, exist_ok=True)
        change_if_unchanged(workspace, job, state="removed", choices={**job.choices, "_was": job.state})
        for file in job.files:
            shutil.move(file, place / file.name)
        drop_trainings_of(workspace, job_id)
    except OSError as error:
        raise write_error(place, error) from error


def restore(workspace: Workspace, job_id: str) -> None:
    """Restore a job from the trash. A job that was waiting is queued again.

    Raises:
        NotFound: there is no such job in the trash.
        Conflict: something else is at its location.
    """
    job = find_job(workspace, job_id, is_removed=True)
    place = workspace.trash / job_id
    if not place.is_dir():
        raise not_in_trash()
    files = list(place.iterdir())
    if not job.folder.parent.is_dir():
        raise Conflict("training-removed")
    if any((job.folder.parent / file.name).exists() for file in files):
        raise original_location_taken(job.folder.name)
    for file in files:
        shutil.move(file, job.folder.parent / file.name)
    place.rmdir()
    choices = dict(job.choices)
    change_if_unchanged(workspace, job, state=choices.pop("_was", "started"), choices=choices)
