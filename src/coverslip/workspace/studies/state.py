"""State of studies and of their trainings, read from their folders."""

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
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.studies.planning import PlannedTraining, planned

_listing = threading.Lock()


def runs_of(workspace: Workspace, study: Job, cells: list[Cell]) -> dict[Path, Job]:
    """The trainings of a study that have begun, by folder; those that are not listed yet are."""
    with _listing:
        known = _listed(workspace, study)
        unlisted = [cell for cell in cells if cell.run.folder not in known and is_run(cell.run.folder)]
        for cell in unlisted:
            _list(workspace, study, cell)
    return _listed(workspace, study) if unlisted else known


def _listed(workspace: Workspace, study: Job) -> dict[Path, Job]:
    return {job.folder: job for job in all_jobs(workspace, "train", study_id=study.id)}


def _list(workspace: Workspace, study: Job, cell: Cell) -> None:
    is_one = len(cell.dataset.path) == 1  # several datasets as one are none of the workspace's
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
    """A training of a study as it is now."""

    state: CellWord
    run_id: Annotated[str | None, Field(description="Its own pages; null before it has begun.")]
    headline: Headline | None
    seconds: Annotated[float | None, Field(description="That it took, where it is done.")]
    share: Annotated[float | None, Field(description="How much of it is done, where it goes on.")]
    error: str | None


@dataclass(frozen=True, slots=True)
class StudyState:
    """A study, as its folder says that it is now."""

    kind: Literal["study"]
    id: str
    name: str
    folder: str
    preset: str
    dataset_names: list[str]
    is_small: bool
    as_published: Annotated[bool, Field(description="Each dataset a second time, as the publication did it.")]
    state: State
    n_trainings: int
    n_done: int
    n_failed: int
    seconds_left: float | None
    has_comparison: Annotated[bool, Field(description="Written whenever the study ends or is stopped.")]
    error: Failure | None
    queue_position: Annotated[int | None, Field(description="1 is next.")]
    created: str
    ended: str | None


@dataclass(frozen=True, slots=True)
class StudyStory(StudyState):
    """A study with all that a page about it shows."""

    metric_title: str
    folds: int
    trainings: list[StudyTraining]
    notes: Annotated[list[str], Field(description="What is otherwise than in the publication.")]
    plan_text: Annotated[str, Field(description="`study.yaml`, as the command line takes it.")]


def list_studies(workspace: Workspace, paging: Paging) -> Page[StudyState]:
    """The studies, the newest first."""
    jobs, queue = all_jobs(workspace, "study"), waiting(workspace, "study")
    return Page([state_of_study(job, queue) for job in paging.of(jobs)], len(jobs))


def study_state(workspace: Workspace, study_id: str) -> StudyState:
    """One study.

    Raises:
        NotFound: there is none of this id.
    """
    return state_of_study(find_job(workspace, study_id, "study"), waiting(workspace, "study"))


def study_story(workspace: Workspace, study_id: str) -> StudyStory:
    """One study with its trainings.

    Raises:
        NotFound: there is none of this id.
        BadRecipe: its plan was damaged.
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
    """What a study is doing; `queue` has the ids of those that wait."""
    status = status_of(job)
    state = state_of(job, status)
    words: list[CellWord] = []
    names: list[str] = []
    error = why_failed(job, status) if state == "failed" else None
    try:
        words = [state_of_cell(cell).state for cell in cells_in(job.folder)]
        names = [dataset.name for dataset in plan_in(job.folder).datasets]
    except BadRecipe as damaged:  # the other studies are listed all the same
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
    """The trainings of a study as they are now, in the order in which they are begun."""
    cells = cells_in(study.folder)
    runs = runs_of(workspace, study, cells)
    return [_training(cell, runs.get(cell.run.folder)) for cell in cells]


def plan_in(folder: Path) -> StudyPlan:
    """The plan of a study.

    Raises:
        BadRecipe: it was damaged.
    """
    file = folder / "study.yaml"
    return _read(file, _version(file))[0]


def cells_in(folder: Path) -> list[Cell]:
    """The trainings that the plan of a study asks for.

    Raises:
        BadRecipe: it was damaged.
    """
    file = folder / "study.yaml"
    return _read(file, _version(file))[1]


def _version(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=32)
def _read(file: Path, version: int) -> tuple[StudyPlan, list[Cell]]:
    """As often as the file changes: pages that watch a study ask twice a second."""
    plan = load_plan(file)
    return plan, cells_of(plan, file.parent)


def _training(cell: Cell, run: Job | None) -> StudyTraining:
    found = state_of_cell(cell)
    is_done = found.state == "done"
    return StudyTraining(
        **{each.name: getattr(planned(cell), each.name) for each in fields(PlannedTraining)},
        state=found.state,
        run_id=run.id if run is not None else None,
        headline=headline_of(run.run) if is_done and run is not None else None,
        seconds=_seconds(cell) if is_done else None,
        share=round(folded_log(run).progress.share, 3) if found.state == "running" and run is not None else None,
        error=found.error,
    )


def _seconds(cell: Cell) -> float | None:
    try:
        return None if cell.run.status is None else cell.run.status.seconds_worked
    except BadRun:
        return None


@dataclass(frozen=True, slots=True)
class StudyEvents:
    """What those who watch a study are told, by the name of the event."""

    state: Annotated[StudyState, Field(description="As it is now: first, at each change, and last.")]
    cells: Annotated[list[StudyTraining], Field(description="Its trainings as they are now.")]


class WatchedStudy:
    """A study's state, and its trainings."""

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
