"""Trainings: queue, list and describe them. `jobs` has the operations on jobs of any kind."""

from coverslip.app.requests import JobQueue, Paged, ServedWorkspace, api_router
from coverslip.app.schemas.runs import NewRun, RunChanges
from coverslip.app.schemas.system import problems
from coverslip.runs.log import LogLine
from coverslip.workspace.jobs import faults, runs, training
from coverslip.workspace.jobs.runs import RunState, RunStory
from coverslip.workspace.store.rows import Page

router = api_router("runs")


@router.get("/runs")
def list_runs(workspace: ServedWorkspace, paging: Paged) -> Page[RunState]:
    """The trainings that are not part of a study, the newest first."""
    return runs.list_runs(workspace, paging)


@router.post("/runs", status_code=201, responses=problems(404, 409, 422))
def create_run(workspace: ServedWorkspace, new: NewRun, queue: JobQueue) -> RunState:
    """Queue a training. Trainings and studies run one at a time."""
    job = training.queue_training(
        workspace,
        dataset_id=new.dataset_id,
        name=new.name,
        recipe=new.recipe,
        allow_leakage=new.allow_leakage,
        budget=new.budget,
        again_of=new.again_of,
    )
    queue.wake()
    return runs.run_state(workspace, job)


@router.get("/runs/{run_id}", responses=problems(404))
def get_run(workspace: ServedWorkspace, run_id: str) -> RunStory:
    """A training with its recipe, curves and notes so far."""
    return runs.run_story(workspace, run_id)


@router.patch("/runs/{run_id}", responses=problems(404, 422))
def change_run(workspace: ServedWorkspace, run_id: str, changes: RunChanges) -> RunState:
    """Rename a training. Its folder keeps its name."""
    training.rename(workspace, run_id, changes.name)
    return runs.run_state(workspace, run_id)


@router.get("/runs/{run_id}/log", responses=problems(404))
def list_log_lines(workspace: ServedWorkspace, run_id: str, paging: Paged) -> Page[LogLine]:
    """The important lines of a training's log, the newest first."""
    return faults.list_log_lines(workspace, run_id, paging)
