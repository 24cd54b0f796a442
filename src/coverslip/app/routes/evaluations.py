"""Finished trainings measured on other labelled images."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coverslip.app.deps import Home
from coverslip.app.pictures import IMAGE, PICTURE, Viewed, image_answer
from coverslip.app.schemas.evaluations import NewEvaluation
from coverslip.app.schemas.images import FilteredPage
from coverslip.app.schemas.problems import problems
from coverslip.app.streams import Watched, events_in_document, told
from coverslip.workspace.evaluations import asking, state
from coverslip.workspace.evaluations.asking import EvaluationOutlook
from coverslip.workspace.evaluations.state import EvaluationState
from coverslip.workspace.jobs import acts, downloads, results
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.jobs.results import Measurement
from coverslip.workspace.predictions import measured, pictures
from coverslip.workspace.predictions.rows import Row
from coverslip.workspace.store.rows import Page, page_of

router = APIRouter(tags=["evaluations"])

_TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/runs/{run_id}/evaluations", operation_id="list_evaluations", responses=problems(404))
def list_evaluations(workspace: Home, run_id: str) -> Page[EvaluationState]:
    """All evaluations of a training on other images, the newest first."""
    return page_of(state.evaluations_of(workspace, run_id))


@router.get(
    "/runs/{run_id}/evaluation-outlook", operation_id="get_evaluation_outlook", responses=problems(404, 409, 422)
)
def get_evaluation_outlook(workspace: Home, run_id: str, dataset_id: Annotated[str, Query()]) -> EvaluationOutlook:
    """What an evaluation on a dataset would rest on: classes that are known, images that training has seen."""
    return asking.outlook(workspace, run_id, dataset_id)


@router.post(
    "/runs/{run_id}/evaluations",
    operation_id="queue_evaluation",
    status_code=201,
    responses=problems(404, 409, 422),
)
def queue_evaluation(workspace: Home, run_id: str, asked: NewEvaluation, request: Request) -> EvaluationState:
    """Queue an evaluation, with the labels of now; it begins when no other is at work, also beside a training."""
    job = asking.queue_evaluation(workspace, run_id, dataset_id=asked.dataset_id, name=asked.name)
    request.app.state.queue.wake()
    return state.evaluation_state(workspace, job)


@router.get("/evaluations/{evaluation_id}", operation_id="get_evaluation", responses=problems(404))
def get_evaluation(workspace: Home, evaluation_id: str) -> EvaluationState:
    """One evaluation as it is now."""
    return state.evaluation_state(workspace, evaluation_id)


def _watched_evaluation(workspace: Home, evaluation_id: str) -> str:
    return find_job(workspace, evaluation_id, "evaluate").id


@router.get(
    "/evaluations/{evaluation_id}/events",
    operation_id="watch_evaluation",
    response_class=EventSourceResponse,
    responses=events_in_document(state="EvaluationState") | problems(404),
)
async def watch_evaluation(
    evaluation_id: Annotated[str, Depends(_watched_evaluation)], watching: Watched
) -> AsyncIterator[ServerSentEvent]:
    """`state`: the evaluation as it is now; ends with a last one once it has ended."""
    async for event in told(watching, evaluation_id):
        yield event


@router.get(
    "/evaluations/{evaluation_id}/results",
    operation_id="get_evaluation_results",
    responses=problems(404, 409, 422),
)
def get_evaluation_results(workspace: Home, evaluation_id: str) -> Measurement:
    """How the classifier did on these images."""
    return results.measurement_of(workspace, evaluation_id)


@router.get("/evaluations/{evaluation_id}/rows", operation_id="list_evaluation_rows", responses=problems(404, 409))
def list_evaluation_rows(workspace: Home, evaluation_id: str, asked: Annotated[FilteredPage, Query()]) -> Page[Row]:
    """The measured images, a page at a time."""
    return measured.page_of_measured(workspace, evaluation_id, asked, offset=asked.offset, limit=asked.limit)


@router.get(
    "/evaluations/{evaluation_id}/rows/{k}/thumbnail",
    operation_id="get_evaluation_row_thumbnail",
    response_class=Response,
    responses=IMAGE | problems(404, 409, 422),
)
def get_evaluation_row_thumbnail(
    workspace: Home, evaluation_id: str, k: int, side: Annotated[int, Query(ge=16, le=512)] = 128
) -> Response:
    """A thumbnail of a measured image."""
    row = measured.measured_row(workspace, evaluation_id, k)
    return image_answer(pictures.thumbnail_of(workspace, evaluation_id, row, side))


@router.get(
    "/evaluations/{evaluation_id}/rows/{k}/picture",
    operation_id="get_evaluation_row_picture",
    response_class=Response,
    responses=PICTURE | problems(404, 409, 422),
)
def get_evaluation_row_picture(workspace: Home, evaluation_id: str, k: int, view: Viewed) -> Response:
    """A measured image for the viewer."""
    return image_answer(pictures.picture_of(workspace, measured.measured_row(workspace, evaluation_id, k), view))


@router.get(
    "/evaluations/{evaluation_id}/csv",
    operation_id="download_evaluation",
    response_class=FileResponse,
    responses=_TABLE | problems(404, 409),
)
def download_evaluation(workspace: Home, evaluation_id: str) -> FileResponse:
    """`predictions.csv`: each measured image, its label, and what the classifier said."""
    file = downloads.predictions_of_evaluation(workspace, evaluation_id)
    return FileResponse(file, media_type="text/csv", filename=f"{file.parent.name}-{file.name}")


@router.post("/evaluations/{evaluation_id}/stop", operation_id="stop_evaluation", responses=problems(404, 409))
def stop_evaluation(workspace: Home, evaluation_id: str, request: Request) -> EvaluationState:
    """End an evaluation; one that waits is taken out of the queue."""
    acts.stop(workspace, find_job(workspace, evaluation_id, "evaluate").id)
    request.app.state.queue.wake()
    return state.evaluation_state(workspace, evaluation_id)


@router.post("/evaluations/{evaluation_id}/resume", operation_id="resume_evaluation", responses=problems(404, 409))
def resume_evaluation(workspace: Home, evaluation_id: str, request: Request) -> EvaluationState:
    """Queue an evaluation again that was stopped, interrupted or failed; it begins anew."""
    acts.resume(workspace, evaluation_id, "evaluate")
    request.app.state.queue.wake()
    return state.evaluation_state(workspace, evaluation_id)


@router.delete(
    "/evaluations/{evaluation_id}", operation_id="remove_evaluation", status_code=204, responses=problems(404, 409)
)
def remove_evaluation(workspace: Home, evaluation_id: str) -> None:
    """Move an evaluation to the workspace's trash."""
    acts.remove(workspace, evaluation_id, "evaluate")


@router.post("/evaluations/{evaluation_id}/restore", operation_id="restore_evaluation", responses=problems(404, 409))
def restore_evaluation(workspace: Home, evaluation_id: str, request: Request) -> EvaluationState:
    """Take an evaluation out of the trash; its training must be there."""
    acts.restore(workspace, evaluation_id, "evaluate")
    request.app.state.queue.wake()
    return state.evaluation_state(workspace, evaluation_id)
