"""Trainings: queued, listed, told of. What is done with jobs of any kind, theirs too, is in `jobs`."""

from typing import Annotated

from fastapi import APIRouter, Query

from coverslip.app.deps import Home, JobQueue
from coverslip.app.schemas.problems import problems
from coverslip.app.schemas.runs import NewRun, RunName
from coverslip.runs.log import LogLine
from coverslip.workspace.jobs import log, runs, training
from coverslip.workspace.jobs.runs import RunState, RunStory
from coverslip.workspace.store.rows import Page, page_of

router = APIRouter(tags=["runs"])


@router.get("/runs", operation_id="list_runs")
def list_runs(workspace: Home) -> Page[RunState]:
    """All trainings, the newest first."""
    return page_of(runs.all_runs(workspace))


@router.post("/runs", operation_id="queue_run", status_code=201, responses=problems(404, 409, 422))
def queue_run(workspace: Home, asked: NewRun, queue: JobQueue) -> RunState:
    """Queue a training; it begins when no other is at work."""
    job = training.queue_training(
        workspace,
        dataset_id=asked.dataset_id,
        name=asked.name,
        recipe=asked.recipe,
        allow_leakage=asked.allow_leakage,
    )
    queue.wake()
    return runs.run_state(workspace, job)


@router.get("/runs/{run_id}", operation_id="get_run", responses=problems(404))
def get_run(workspace: Home, run_id: str) -> RunStory:
    """One training with its recipe, curves and notes so far."""
    return runs.run_story(workspace, run_id)


@router.patch("/runs/{run_id}", operation_id="rename_run", responses=problems(404, 422))
def rename_run(workspace: Home, run_id: str, name: RunName) -> RunState:
    """Call a training something else; its folder keeps its name."""
    training.rename(workspace, run_id, name.name)
    return runs.run_state(workspace, run_id)


@router.get("/runs/{run_id}/log", operation_id="get_log", responses=problems(404))
def get_log(workspace: Home, run_id: str, limit: Annotated[int, Query(ge=1, le=10_000)] = 2_000) -> Page[LogLine]:
    """The last lines of a training's log that are worth reading."""
    return Page(*log.log_of(workspace, run_id, limit))
