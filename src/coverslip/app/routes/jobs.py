"""Jobs of any kind, trainings, and the trash: list, queue, watch, stop, resume, remove, restore and explain."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coverslip.app.files import PICTURE, image_response
from coverslip.app.requests import Locate, Paged, ServedWorkspace, api_router
from coverslip.app.routes.images import ListedRowId
from coverslip.app.schemas.jobs import JobsPage, NewRun, RunChanges
from coverslip.app.schemas.system import located, problems
from coverslip.app.streams import (
    EVENTS,
    FollowedJobs,
    LastChange,
    LastEvent,
    ServedChanges,
    Watched,
    count_stream,
    events_of,
    events_of_workspace,
)
from coverslip.app.users import check_is_editor
from coverslip.runs.log import LogLine
from coverslip.workspace import explanations
from coverslip.workspace.cleanup import DeletedItem, list_deleted
from coverslip.workspace.explanations import ExplanationState
from coverslip.workspace.jobs import control, listing
from coverslip.workspace.jobs.listing import JobState
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.rows import Page
from coverslip.workspace.trainings import queueing, runs
from coverslip.workspace.trainings.runs import RunState, RunStory

router = api_router("jobs")


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses=EVENTS | problems(429),
    dependencies=[Depends(count_stream)],
)
async def watch_workspace(
    changes: ServedChanges,
    watching: Watched,
    after: LastChange,
    job: FollowedJobs = [],  # noqa: B006
) -> AsyncIterator[ServerSentEvent]:
    """What changes in the workspace, and the events of the named jobs: one stream for all tabs of a browser.

    `WorkspaceEvents` describes the data. Topics are `jobs/ID` and the kind of the job, `datasets/ID` and `datasets`,
    `colors/ID`, `activity` if a job or a dataset was added or removed or has another state, and `*` for anything.
    """
    async for event in events_of_workspace(changes, watching, after, job):
        yield event


@router.get("/jobs")
def list_jobs(workspace: ServedWorkspace, page: Annotated[JobsPage, Query()]) -> Page[JobState]:
    """The jobs of all kinds, the newest first: everything that takes more than two seconds."""
    return listing.list_jobs(workspace, page, kinds=page.kind, states=page.state)


@router.get("/jobs/{job_id}")
def get_job(workspace: ServedWorkspace, job_id: str) -> JobState:
    """The current state of a job, with its progress, and the address of its details."""
    return listing.job_state(workspace, job_id)


def _existing_id(workspace: ServedWorkspace, job_id: str) -> str:
    return listing.job_state(workspace, job_id).id


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=EVENTS | problems(429),
    dependencies=[Depends(count_stream)],
)
async def watch_job(
    job_id: Annotated[str, Depends(_existing_id)], watching: Watched, after: LastEvent
) -> AsyncIterator[ServerSentEvent]:
    """The events of a job: `RunEvents`, `EvaluationEvents`, `ExportEvents`, `PredictionEvents` or `StudyEvents`.

    `JobEvents` describes the data of other jobs. The stream starts with the current state, then the log from its start
    or after the given line. It ends with a last state when the job has ended. If the job had ended before, it contains
    only that state.
    """
    async for event in events_of(watching, job_id, after):
        yield event


@router.get("/jobs/{job_id}/log")
def list_log_lines(workspace: ServedWorkspace, job_id: str, paging: Paged) -> Page[LogLine]:
    """The important events of a job, the newest first. Without events, the last lines of the output of its process."""
    return listing.list_log_lines(workspace, job_id, paging)


@router.post("/jobs/{job_id}/stop", responses=problems(409))
def stop_job(workspace: ServedWorkspace, job_id: str, request: Request) -> JobState:
    """Stop a job. Its progress up to this point is saved, if it has files. A waiting job is removed from the queue.

    An annotator may stop jobs that compute a result for a page, such as a map. An earlier result is kept.
    """
    if find_job(workspace, job_id).key is None:
        check_is_editor(request)
    control.stop_job(workspace, job_id)
    return listing.job_state(workspace, job_id)


@router.post("/jobs/{job_id}/finish", responses=problems(409))
def finish_job(workspace: ServedWorkspace, job_id: str) -> JobState:
    """End the fine-tuning of a training now with the best epoch so far, then calibrate, test and report.

    A stopped training is queued again for this. The recipe records where fine-tuning ended.
    """
    control.finish_job(workspace, job_id)
    return listing.job_state(workspace, job_id)


@router.post("/jobs/{job_id}/resume", responses=problems(409))
def resume_job(workspace: ServedWorkspace, job_id: str) -> JobState:
    """Queue a stopped, interrupted or failed job again. It resumes where it ended.

    In a finished study, failed trainings are retried.
    """
    control.resume_job(workspace, job_id)
    return listing.job_state(workspace, job_id)


@router.delete("/jobs/{job_id}", status_code=204, responses=problems(409))
def remove_job(workspace: ServedWorkspace, job_id: str) -> None:
    """Move a job and its results to the trash of the workspace. A job without files is only removed from the list."""
    control.remove_job(workspace, job_id)


@router.post("/jobs/{job_id}/restore", responses=problems(409))
def restore_job(workspace: ServedWorkspace, job_id: str) -> JobState:
    """Restore a job from the trash."""
    control.restore_job(workspace, job_id)
    return listing.job_state(workspace, job_id)


@router.get("/jobs/{job_id}/rows/{row_id}/explanation", responses=problems(409))
def get_explanation(workspace: ServedWorkspace, job_id: str, row_id: ListedRowId) -> ExplanationState:
    """The progress of the explanation of a row of a job."""
    return explanations.explanation_state(workspace, job_id, row_id)


@router.post("/jobs/{job_id}/rows/{row_id}/explanation", status_code=202, responses=located(202) | problems(409))
def create_explanation(
    workspace: ServedWorkspace, job_id: str, row_id: ListedRowId, locate: Locate
) -> ExplanationState:
    """Draw the explanation of an image: a heat map that passed its sanity checks, and similar training images.

    A separate process draws it. The first explanation of a classifier takes a minute, because its maps are checked.
    """
    locate("jobs", job_id, "rows", row_id, "explanation")
    return explanations.start_explanation(workspace, job_id, row_id)


@router.get(
    "/jobs/{job_id}/rows/{row_id}/explanation/picture", response_class=Response, responses=PICTURE | problems(409)
)
def get_explanation_picture(workspace: ServedWorkspace, job_id: str, row_id: ListedRowId) -> Response:
    """The picture of a finished explanation."""
    return image_response(explanations.explanation_picture(workspace, job_id, row_id))


runs_router = api_router("runs")


@runs_router.get("/runs")
def list_runs(workspace: ServedWorkspace, paging: Paged) -> Page[RunState]:
    """The trainings that are not part of a study, the newest first."""
    return runs.list_runs(workspace, paging)


@runs_router.post("/runs", status_code=201, responses=located(201) | problems(404, 409))
def create_run(workspace: ServedWorkspace, new: NewRun, locate: Locate) -> RunState:
    """Queue a training. Trainings and studies run one at a time."""
    job = queueing.queue_training(
        workspace,
        dataset_id=new.dataset_id,
        name=new.name,
        recipe=new.recipe,
        allow_leakage=new.allow_leakage,
        budget=new.budget,
        repeats_run=new.repeats_run,
    )
    locate("runs", job)
    return runs.run_state(workspace, job)


@runs_router.get("/runs/{run_id}")
def get_run(workspace: ServedWorkspace, run_id: str) -> RunStory:
    """A training with its recipe, curves and notes so far."""
    return runs.run_story(workspace, run_id)


@runs_router.patch("/runs/{run_id}")
def change_run(workspace: ServedWorkspace, run_id: str, changes: RunChanges) -> RunState:
    """Rename a training. Its folder keeps its name."""
    queueing.rename_run(workspace, run_id, changes.name)
    return runs.run_state(workspace, run_id)


trash_router = api_router("trash")


@trash_router.get("/trash")
def list_trash(workspace: ServedWorkspace, paging: Paged) -> Page[DeletedItem]:
    """Deleted jobs, classifiers and datasets that can be restored, the latest deletion first."""
    return list_deleted(workspace, paging)
