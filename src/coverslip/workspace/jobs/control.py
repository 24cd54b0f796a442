"""Queue trainings; stop, resume, finish, remove and restore jobs of any kind; adopt runs from outside the app."""

import math
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import update

from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.experiments.run_state import request_finish
from coverslip.files import write_error, write_text
from coverslip.models import check_weights, model_info
from coverslip.runs import budget_seconds, is_run, open_run, save_recipe
from coverslip.workspace.datasets.snapshots import training_images
from coverslip.workspace.jobs.kinds import kind_of, list_unlisted_jobs
from coverslip.workspace.jobs.previews import refuse_untrainable
from coverslip.workspace.jobs.records import (
    Job,
    add_job,
    change_if_unchanged,
    change_job,
    find_job,
    job_folders,
    jobs_inside,
    new_job_folder,
    remove_trainings_of,
    requested_recipe,
    unused_name,
)
from coverslip.workspace.jobs.state import ACTIVE, has_ended, state_of, status_of
from coverslip.workspace.jobs.trainings import TRAINING
from coverslip.workspace.recipes import keeping_split_of, recipe_grouping, recipe_of_dataset
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.keys import keys_of_dataset
from coverslip.workspace.store.rows import refuse_unready
from coverslip.workspace.store.workspace import Workspace


def queue_training(
    workspace: Workspace,
    *,
    dataset_id: str,
    name: str | None,
    recipe: Mapping[str, Any],
    allow_leakage: bool = False,
    budget: str | None = None,
    repeats_run: str | None = None,
) -> str:
    """Queue a training; return its ID.

    Args:
        workspace: the workspace of the training.
        dataset_id: a dataset of labeled images.
        name: the name; by default that of the dataset.
        recipe: values that differ from the defaults, nested or with dotted keys; `init.run` may be the ID of a run.
        allow_leakage: accept a predefined split with the same pixels or groups in training and test set.
        budget: the time budget; fine-tuning is adapted to it.
        repeats_run: an earlier training on the same dataset: each image stays in its set.

    Raises:
        NotFound, Conflict: the dataset does not exist or is not ready, or the earlier split cannot be reused.
        BadRecipe: a key or value is not valid, or the budget is no length of time.
        WeightsUnavailable: the pretrained weights of the network are not available.
        CoverslipError: the split is refused, for example because a set or a class would be empty.
    """
    budget_options = [] if budget is None else [f"--budget={math.ceil(budget_seconds(budget))}s"]
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    full_recipe = recipe_of_dataset(workspace, dataset, recipe)
    if full_recipe.init == "imagenet":
        check_weights(model_info(full_recipe.model))
    refuse_untrainable(workspace, dataset_id, recipe, allow_leakage=allow_leakage, repeats_run=repeats_run)
    if repeats_run is not None:
        full_recipe = keeping_split_of(workspace, repeats_run, dataset_id, full_recipe)
    images = training_images(workspace, dataset_id, grouped=recipe_grouping(workspace, dataset, recipe))
    name = name or unused_name(workspace, TRAINING.name, dataset.name)
    job_id, folder = new_job_folder(workspace.runs, name)
    recipe_file = requested_recipe(folder)
    save_recipe(full_recipe, recipe_file, only_set=True)
    leakage_options = ["--allow-leakage"] if allow_leakage else []
    options = [*images.options, *leakage_options, *budget_options, f"--recipe={recipe_file}", f"--out={folder}"]
    add_job(
        workspace,
        id=job_id,
        kind=TRAINING.name,
        name=name,
        dataset_id=dataset_id,
        dataset_name=dataset.name,
        repeats_run=repeats_run,
        folder=str(folder),
        command=["-m", "coverslip", "train", *options, "--", *images.sources],
        choices=full_recipe.model_dump(mode="json"),
        image_keys=keys_of_dataset(workspace, dataset_id),
    )
    return job_id


def rename_run(workspace: Workspace, run_id: str, name: str) -> None:
    """Rename a training."""
    find_job(workspace, run_id, TRAINING.name)
    change_job(workspace, run_id, name=name)


def adopt_runs(workspace: Workspace) -> None:
    """Add run folders of the workspace that are not in its tables: trained in a terminal, or copied there."""
    folders = job_folders(workspace).listed
    for folder in sorted(workspace.runs.glob("*")):
        if is_run(folder) and str(folder) not in folders:
            with suppress(CoverslipError):  # incomplete and damaged runs are not listed
                _adopt(workspace, folder)


def _adopt(workspace: Workspace, folder: Path) -> None:
    run = open_run(folder)
    sources = run.environment.opened.sources
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind=TRAINING.name,
        name=folder.name,
        dataset_name=Path(sources[0]).name if sources else "",
        folder=str(folder),
        command=["-m", "coverslip", "train", f"--resume={folder}"],
        choices=run.recipe.model_dump(mode="json"),
        state="started",
        queued=None,
    )


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
    """Move a job and its files to the trash.

    Raises:
        NotFound: there is no such job.
        Conflict: it is running, or a job inside its folder has not ended.
    """
    job = find_job(workspace, job_id)
    if state_of(job, status_of(job)) in ACTIVE:
        raise Conflict("job-not-ended")
    for each in jobs_inside(workspace, job):
        if not has_ended(state_of(each, status_of(each))):
            raise Conflict("job-in-use", name=each.name)
    trash_folder = workspace.trash / job_id
    try:
        trash_folder.mkdir(parents=True, exist_ok=True)
        change_if_unchanged(workspace, job, state="removed", choices={**job.choices, "_was": job.state})
        for file in job.files:
            shutil.move(file, trash_folder / file.name)
        remove_trainings_of(workspace, job_id)
    except OSError as error:
        raise write_error(trash_folder, error) from error


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
