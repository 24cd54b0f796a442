"""Stop, resume, finish, remove and restore jobs of any kind."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import update

from coverslip.errors import Conflict, NotFound
from coverslip.experiments.run_state import request_finish
from coverslip.files import write_error, write_text
from coverslip.runtime.programs import kill_with_children
from coverslip.workspace.jobs.kinds import kind_of, list_unlisted_jobs
from coverslip.workspace.jobs.records import (
    Job,
    change_if_unchanged,
    change_job,
    find_job,
    jobs_inside,
    mark_ended,
    remove_files,
    remove_rows,
    remove_trainings_of,
    unended_jobs,
)
from coverslip.workspace.jobs.state import ACTIVE, has_ended, state_of, status_of
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.workspace import Workspace


def stop_job(workspace: Workspace, job_id: str) -> None:
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
    if job.stop_requested is None:
        change_job(workspace, job_id, stop_requested=time.time())
    if job.key is not None and job.pid is not None:  # else the queue ends it
        kill_with_children(job.pid, job.process_started)
        mark_ended(workspace, job)


def _unqueue(workspace: Workspace, job: Job) -> bool:
    """Remove a waiting job from the queue; return whether it was waiting."""
    is_waiting = (db.jobs.c.id == job.id) & (db.jobs.c.state == "queued")
    update_query = update(db.jobs).where(is_waiting).values(state="started", queued=None, stop_requested=time.time())
    with write_transaction(workspace.engine) as connection:
        return bool(connection.execute(update_query).rowcount)


def resume_job(workspace: Workspace, job_id: str, *, finishes: bool = False) -> None:
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
    kind = kind_of(job)
    if state == "done" and not kind.can_resume_finished:
        raise Conflict("job-finished")
    if not has_ended(state):
        raise Conflict("job-not-ended")
    command = kind.resume_command(job, finishes)
    job.run.stop_file.unlink(missing_ok=True)
    if not finishes:
        job.run.finish_file.unlink(missing_ok=True)
    reset = dict.fromkeys(("pid", "process_started", "launched", "stop_requested"))
    change_if_unchanged(workspace, job, state="queued", queued=time.time(), command=command, **reset)


def finish_job(workspace: Workspace, job_id: str) -> None:
    """Finish a job early with what it has: a training calibrates, tests and reports its best epoch so far.

    A stopped job is queued again for this.

    Raises:
        NotFound: there is no such job.
        Conflict: it has ended, or it cannot be finished early.
    """
    job = find_job(workspace, job_id)
    state = state_of(job, status_of(job))
    if not kind_of(job).can_finish(job, state):
        raise Conflict("not-finished-early")
    request_finish(job.folder)
    if has_ended(state):
        resume_job(workspace, job_id, finishes=True)


def remove_job(workspace: Workspace, job_id: str) -> None:
    """Move a job and its files to the trash. One whose result is stored elsewhere is removed.

    Computations whose results belong to it, or to a job inside its folder, are stopped.

    Raises:
        NotFound: there is no such job.
        Conflict: it is running, or a job inside its folder has not ended.
    """
    job = find_job(workspace, job_id)
    if state_of(job, status_of(job)) in ACTIVE:
        raise Conflict("job-not-ended")
    if job.key is not None:
        change_if_unchanged(workspace, job, state="removed")
        with write_transaction(workspace.engine) as connection:
            remove_rows(connection, [job])
        remove_files([job])
        return
    removed = [job, *jobs_inside(workspace, job)]
    for each in removed[1:]:
        if not has_ended(state_of(each, status_of(each))):
            raise Conflict("job-in-use", name=each.name)
    stop_computations(workspace, lambda each: any(f"/{of.id}/" in each.choices["link"] for of in removed))
    trash_folder = workspace.trash / job_id
    try:
        trash_folder.mkdir(parents=True, exist_ok=True)
        change_if_unchanged(workspace, job, state="removed", choices={**job.choices, "_was": job.state})
        for file in job.files:
            shutil.move(file, trash_folder / file.name)
        remove_trainings_of(workspace, job_id)
    except OSError as error:
        raise write_error(trash_folder, error) from error


def stop_computations(workspace: Workspace, is_meant: Callable[[Job], bool]) -> None:
    """Stop computations that have not ended, such as those whose results belong to a job that is removed."""
    with workspace.engine.connect() as connection:
        computations = [each for each in unended_jobs(connection) if each.key is not None]
    for each in filter(is_meant, computations):
        with suppress(Conflict, NotFound):  # it has ended meanwhile
            stop_job(workspace, each.id)


def restore_job(workspace: Workspace, job_id: str) -> None:
    """Restore a job from the trash. A job that was waiting is queued again.

    Raises:
        NotFound: there is no such job in the trash.
        Conflict: something else is at its location.
    """
    job = find_job(workspace, job_id, is_removed=True)
    trash_folder = workspace.trash / job_id
    if not trash_folder.is_dir():
        raise NotFound("not-in-trash")
    files = list(trash_folder.iterdir())
    if not job.folder.parent.is_dir():
        raise Conflict("training-removed")
    if any((job.folder.parent / file.name).exists() for file in files):
        raise Conflict("original-location-taken", name=job.folder.name)
    for file in files:
        shutil.move(file, job.folder.parent / file.name)
    trash_folder.rmdir()
    choices = dict(job.choices)
    change_if_unchanged(workspace, job, state=choices.pop("_was", "started"), choices=choices)
    list_unlisted_jobs(workspace)
