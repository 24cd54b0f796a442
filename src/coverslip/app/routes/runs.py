"""Trainings: asking for them, watching them, ending them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coverslip.app.deps import Home
from coverslip.app.schemas.problems import problems
from coverslip.app.schemas.runs import NewRun, Removed, RunName
from coverslip.app.streams import LastKnown, Watched, events_in_document, told
from coverslip.runs.log import LogLine
from coverslip.workspace.jobs import acts, log, runs, training
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.jobs.runs import RunState, RunStory
from coverslip.workspace.store.rows import Page, page_of

router = APIRouter(tags=["runs"])


@router.get("/runs", operation_id="list_runs")
def list_runs(workspace: Home) -> Page[RunState]:
    """All trainings, the newest first."""
    return page_of(runs.all_runs(workspace))


@router.post("/runs", operation_id="queue_run", status_code=201, responses=problems(404, 409, 422))
def queue_run(workspace: Home, asked: NewRun, request: Request) -> RunState:
    """Queue a training; it begins when no other is at work."""
    job = training.queue_training(
        workspace,
        dataset_id=asked.dataset_id,
        name=asked.name,
        recipe=asked.recipe,
        allow_leakage=asked.allow_leakage,
    )
    request.app.state.queue.wake()
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


def _watched_run(workspace: Home, run_id: str) -> str:
    return find_job(workspace, run_id, "train").id


@router.get(
    "/runs/{run_id}/events",
    operation_id="watch_run",
    response_class=EventSourceResponse,
    responses=events_in_document(state="RunState", trainings="[Training]", log="LogLine") | problems(404),
)
async def watch_run(
    run_id: Annotated[str, Depends(_watched_run)], watching: Watched, after: LastKnown
) -> AsyncIterator[ServerSentEvent]:
    """`state`: the run as it is now; `trainings`: their curves so far; `log`: a line worth reading (id: its number).

    Begins with state and trainings, then the log from the start or after the given line; ends with a last state once
    the run has ended.
    """
    async for event in told(watching, run_id, after):
        yield event


@router.post("/runs/{run_id}/stop", operation_id="stop_run", responses=problems(404, 409))
def stop_run(workspace: Home, run_id: str, request: Request) -> RunState:
    """End a training; its best network so far is kept. One that waits is taken out of the queue."""
    acts.stop(workspace, run_id)
    request.app.state.queue.wake()
    return runs.run_state(workspace, run_id)


@router.post("/runs/{run_id}/resume", operation_id="resume_run", responses=problems(404, 409))
def resume_run(workspace: Home, run_id: str, request: Request) -> RunState:
    """Queue a training again that was stopped, interrupted or failed; it goes on where it was."""
    acts.resume(workspace, run_id, "train")
    request.app.state.queue.wake()
    return runs.run_state(workspace, run_id)


@router.delete("/runs/{run_id}", operation_id="remove_run", response_model=Removed, responses=problems(404, 409))
def remove_run(workspace: Home, run_id: str) -> object:
    """Move a training's folder to the workspace's trash."""
    acts.remove(workspace, run_id, "train")
    return {"undo_token": run_id}


@router.post("/runs/{run_id}/restore", operation_id="restore_run", responses=problems(404, 409))
def restore_run(workspace: Home, run_id: str) -> RunState:
    """Take a training out of the trash."""
    acts.restore(workspace, run_id, "train")
    return runs.run_state(workspace, run_id)
