"""Trainings as a kind of job: their events and progress. Queue, rename, resume and finish them; adopt other runs."""

import math
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from coverslip.errors import CoverslipError, NotFound
from coverslip.models import check_weights, model_info
from coverslip.runs import budget_seconds, is_run, open_run, save_recipe
from coverslip.runs.log import LogLine, LogReader, Training, lasting_lines, seconds_left
from coverslip.workspace.datasets.snapshots import refuse_exchanged_files, training_images
from coverslip.workspace.jobs.kinds import (
    JobEvent,
    JobKind,
    JobProgress,
    JobSnapshot,
    as_text,
    queued_ids,
    register,
)
from coverslip.workspace.jobs.queue import TRAININGS_QUEUE
from coverslip.workspace.jobs.records import (
    Job,
    add_job,
    change_job,
    find_job,
    job_folders,
    new_job_folder,
    requested_recipe,
    unused_name,
)
from coverslip.workspace.jobs.state import State, folded_log, has_ended
from coverslip.workspace.recipes import keeping_split_of, recipe_grouping, recipe_of_dataset
from coverslip.workspace.store.rows import keys_of_dataset, refuse_unready
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.previews import refuse_untrainable
from coverslip.workspace.trainings.runs import RunState, can_finish, state_of_run


@dataclass(frozen=True, slots=True)
class RunEvents:
    """The events of a training by name."""

    state: Annotated[RunState, Field(description="The current state: first, after each change, and last.")]
    trainings: Annotated[tuple[Training, ...], Field(description="The curves so far.")]
    log: Annotated[LogLine, Field(description="An important line; its number is the ID of the event.")]


class TrainingSource:
    """The source of the events of a training: state, curves, and important lines of the log."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id
        self._log = find_job(workspace, job_id, TRAINING.name).run.events_file
        self._reader = LogReader(self._log)
        self._last_sent: tuple[tuple[Training, ...], str] = ((), "[]")

    def snapshot(self) -> JobSnapshot:
        try:
            job = find_job(self._workspace, self._id, TRAINING.name)
        except NotFound:
            return JobSnapshot({}, True, [])
        state = state_of_run(job, queued_ids(self._workspace, TRAININGS_QUEUE))
        # Read after the state, so that the last lines before the end are included.
        trainings = folded_log(job).progress.trainings
        self._reader.was_replaced()
        lines = [_as_message(line) for line in self._reader.new_lines() if line.is_lasting]
        now = {"state": as_text(state), "trainings": self._trainings_as_text(trainings)}
        return JobSnapshot(now, has_ended(state.state), lines)

    def _trainings_as_text(self, trainings: tuple[Training, ...]) -> str:
        if trainings is not self._last_sent[0]:  # they change after epochs, not after steps
            self._last_sent = (trainings, as_text(trainings))
        return self._last_sent[1]

    def backlog(self, after: int, up_to: int) -> list[JobEvent]:
        if after >= up_to:
            return []
        return [_as_message(line) for line in lasting_lines(self._log) if after < line.n <= up_to]


def _as_message(line: LogLine) -> JobEvent:
    return JobEvent("log", as_text(line), line.n)


def _resume_command(job: Job, is_finishing: bool) -> list[str]:
    if not is_run(job.folder):
        return list(job.command)
    return ["-m", "coverslip", "train", f"--{'finish' if is_finishing else 'resume'}={job.folder}"]


def _can_finish(job: Job, state: State) -> bool:
    return can_finish(job, state, folded_log(job).progress)


def _progress(job: Job) -> JobProgress | None:
    progress = folded_log(job).progress
    if not progress.has_begun:
        return None
    stage = progress.stage if progress.work is None else progress.work.stage
    return JobProgress(int(progress.share * 100), 100, stage, seconds_left(progress, time.time()))


TRAINING = register(
    JobKind(
        name="train",
        collection="runs",
        queue=TRAININGS_QUEUE,
        can_be_submitted=True,
        events=RunEvents,
        source=TrainingSource,
        progress=_progress,
        has_measurements=True,
        resume_command=_resume_command,
        can_finish=_can_finish,
        refuse=refuse_exchanged_files,
    )
)


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
