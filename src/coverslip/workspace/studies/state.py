"""The state of studies and their trainings, read from their folders."""

import secrets
import threading
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import BadRecipe, BadRun, NotFound
from coverslip.evaluation import METRICS
from coverslip.messages import Failure
from coverslip.runs import is_run
from coverslip.runs.recipe import as_yaml
from coverslip.studies import Cell, CellWord, StudyPlan, cells_of, load_plan
from coverslip.studies import state_of as state_of_cell
from coverslip.workspace.jobs.faults import folded_log, why_failed
from coverslip.workspace.jobs.records import Job, add_job, all_jobs, find_job, waiting
from coverslip.workspace.jobs.runs import Headline, headline_of
from coverslip.workspace.jobs.state import ACTIVE, State, has_ended, state_of, status_of
from coverslip.workspace.jobs.watching import JobSnapshot, Message, as_text
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import PlannedTraining, planned

_listing = threading.Lock()


def runs_of(workspace: Workspace, study: Job, cells: list[Cell]) -> dict[Path, Job]:
    """Return the started trainings of a study by folder, and list those that are not listed yet."""
    with _listing:
        listed = _listed(workspace, study)
        unlisted = [cell for cell in cells if cell.run.folder not in listed and is_run(cell.run.folder)]
        for cell in unlisted:
            _list(workspace, study, cell)
    return _listed(workspace, study) if unlisted else listed


def _listed(workspace: Workspace, study: Job) -> dict[Path, Job]:
    return {job.folder: job for job in all_jobs(workspace, "train", study_id=study.id)}


def _list(workspace: Workspace, study: Job, cell: Cell) -> None:
    is_one = len(cell.dataset.path) == 1  # several datasets as one are not a dataset of the workspace
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind="train",
        name=f"{study.name}: {cell.label}" + (f", {cell.repeat}" if cell.repeat > 1 else ""),
        dataset_id=study.choices["dataset_of"].get(cell.dataset.path[0]) if is_one else None,
        dataset_name=cell.dataset.name,
        study_id=study.id,
        folder=str(cell.run.folder),
        command=["-m", "coverslip", "train", f"--resume={cell.run.folder}"],
        choices=cell.recipe.model_dump(mode="json"),
        state="started",
        queued=None,
    )


@dataclass(frozen=True, slots=True)
class StudyTraining(PlannedTraining):
    """The current state of a training of a study."""

    state: CellWord
    run_id: Annotated[str | None, Field(description="The run of the training; null before its start.")]
    headline: Headline | None
    seconds: Annotated[float | None, Field(description="Duration of a finished training.")]
    share: Annotated[float | None, Field(description="Progress of a running training.")]
    error: str | None


@dataclass(frozen=True, slots=True)
class StudyState:
    """The current state of a study."""

    kind: Literal["study"]
    id: str
    name: str
    folder: str
    preset: str
    dataset_names: list[str]
    is_small: bool
    as_published: Annotated[
        bool, Field(description="Whether each dataset is repeated with the protocol of the publication.")
    ]
    state: State
    n_trainings: int
    n_done: int
    n_failed: int
    seconds_left: float | None
    has_comparison: Annotated[
        bool, Field(description="Whether a comparison exists; it is written when the study ends or is stopped.")
    ]
    error: Failure | None
    queue_position: Annotated[int | None, Field(description="1 is next.")]
    created: str
    ended: str | None


@dataclass(frozen=True, slots=True)
class StudyStory(StudyState):
    """A study with the details of its page."""

    metric_title: str
    folds: int
    trainings: list[StudyTraining]
    notes: Annotated[list[str], Field(description="Differences from the publication.")]
    plan_text: Annotated[str, Field(description="`study.yaml` for the command line.")]


def list_studies(workspace: Workspace, paging: Paging) -> Page[StudyState]:
    """Return the studies, the newest first."""
    jobs, queue = all_jobs(workspace, "study"), waiting(workspace, "study")
    return Page([state_of_study(job, queue) for job in paging.of(jobs)], len(jobs))


def study_state(workspace: Workspace, study_id: str) -> StudyState:
    """Return the state of a study.

    Raises:
        NotFound: there is no such study.
    """
    return state_of_study(find_job(workspace, study_id, "study"), waiting(workspace, "study"))


def study_story(workspace: Workspace, study_id: str) -> StudyStory:
    """Return a study with its trainings.

    Raises:
        NotFound: there is no such study.
        BadRecipe: its plan is damaged.
    """
    job = find_job(workspace, study_id, "study")
    state = state_of_study(job, waiting(workspace, "study"))
    plan = plan_in(job.folder)
    return StudyStory(
        **{each.name: getattr(state, each.name) for each in fields(StudyState)},
        metric_title=METRICS[plan.primary_metric].title,
        folds=plan.folds,
        trainings=trainings_of(workspace, job),
        notes=list(plan.notes),
        plan_text=as_yaml(plan.model_dump(mode="json", exclude_defaults=True)),
    )


def state_of_study(job: Job, queue: list[str]) -> StudyState:
    """Return the state of a study; `queue` contains the IDs of waiting studies."""
    status = status_of(job)
    state = state_of(job, status)
    words: list[CellWord] = []
    names: list[str] = []
    error = why_failed(job, status) if state == "failed" else None
    try:
        words = [state_of_cell(cell).state for cell in cells_in(job.folder)]
        names = [dataset.name for dataset in plan_in(job.folder).datasets]
    except BadRecipe as damaged:  # a damaged study must not hide the others
        state, error = "failed", damaged.failure
    is_active = state in ACTIVE
    return StudyState(
        kind="study",
        id=job.id,
        name=job.name,
        folder=str(job.folder),
        preset=str(job.choices.get("preset", "")),
        dataset_names=names,
        is_small=bool(job.choices.get("is_small")),
        as_published=bool(job.choices.get("as_published")),
        state=state,
        n_trainings=len(words),
        n_done=words.count("done"),
        n_failed=words.count("failed"),
        seconds_left=status.seconds_left if status is not None and state == "running" else None,
        has_comparison=(job.folder / "comparison.json").is_file(),
        error=error,
        queue_position=queue.index(job.id) + 1 if job.id in queue else None,
        created=job.created,
        ended=None if is_active or state == "queued" or status is None else status.heartbeat,
    )


def trainings_of(workspace: Workspace, study: Job) -> list[StudyTraining]:
    """Return the current state of the trainings of a study, in the order of their start."""
    cells = cells_in(study.folder)
    runs = runs_of(workspace, study, cells)
    return [_training(cell, runs.get(cell.run.folder)) for cell in cells]


def plan_in(folder: Path) -> StudyPlan:
    """Return the plan of a study.

    Raises:
        BadRecipe: it is damaged.
    """
    file = folder / "study.yaml"
    return _read(file, _version(file))[0]


def cells_in(folder: Path) -> list[Cell]:
    """Return the trainings of the plan of a study.

    Raises:
        BadRecipe: it is damaged.
    """
    file = folder / "study.yaml"
    return _read(file, _version(file))[1]


def _version(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=32)
def _read(file: Path, version: int) -> tuple[StudyPlan, list[Cell]]:
    """Read a plan, cached by the version of its file: pages poll it twice a second."""
    plan = load_plan(file)
    return plan, cells_of(plan, file.parent)


def _training(cell: Cell, run: Job | None) -> StudyTraining:
    cell_state = state_of_cell(cell)
    is_done = cell_state.state == "done"
    return StudyTraining(
        **{each.name: getattr(planned(cell), each.name) for each in fields(PlannedTraining)},
        state=cell_state.state,
        run_id=run.id if run is not None else None,
        headline=headline_of(run.run) if is_done and run is not None else None,
        seconds=_seconds(cell) if is_done else None,
        share=round(folded_log(run).progress.share, 3) if cell_state.state == "running" and run is not None else None,
        error=cell_state.error,
    )


def _seconds(cell: Cell) -> float | None:
    try:
        return None if cell.run.status is None else cell.run.status.seconds_worked
    except BadRun:
        return None


@dataclass(frozen=True, slots=True)
class StudyEvents:
    """The events of a study by name."""

    state: Annotated[StudyState, Field(description="The current state: first, after each change, and last.")]
    cells: Annotated[list[StudyTraining], Field(description="The current state of its trainings.")]


class WatchedStudy:
    """The source of the events of a study: its state and trainings."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id

    def snapshot(self) -> JobSnapshot:
        try:
            job = find_job(self._workspace, self._id, "study")
        except NotFound:
            return JobSnapshot({}, True, [])
        state = state_of_study(job, waiting(self._workspace, "study"))
        now = {"state": as_text(state), "cells": as_text(trainings_of(self._workspace, job))}
        return JobSnapshot(now, has_ended(state.state), [])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return []
