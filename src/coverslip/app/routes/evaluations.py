"""Evaluations of finished trainings on external test sets."""

from typing import Annotated, Any, Literal

from fastapi import Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from coverslip.app.files import (
    FIGURE,
    IMAGE,
    PICTURE,
    FigureFile,
    Viewed,
    figure_response,
    file_response,
    image_response,
    report_response,
)
from coverslip.app.requests import JobQueue, Paged, ServedWorkspace, api_router
from coverslip.app.schemas.datasets import FilteredPage
from coverslip.app.schemas.predictions import CorrectedRow, LabelCorrection, NewEvaluation
from coverslip.app.schemas.system import problems
from coverslip.workspace import evaluations
from coverslip.workspace.correcting.corrections import correct_measured
from coverslip.workspace.evaluations import EvaluationOutlook, EvaluationState
from coverslip.workspace.jobs import downloads, results
from coverslip.workspace.jobs.results import EvaluationResults
from coverslip.workspace.predictions import measured, rows
from coverslip.workspace.predictions.rows import Row
from coverslip.workspace.store.rows import Page

router = api_router("evaluations")

_TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/runs/{run_id}/evaluations", responses=problems(404))
def list_evaluations(workspace: ServedWorkspace, run_id: str, paging: Paged) -> Page[EvaluationState]:
    """The evaluations of a training on external test sets, the newest first."""
    return evaluations.list_evaluations(workspace, run_id, paging)


@router.get("/runs/{run_id}/evaluation-outlook", responses=problems(404, 409, 422))
def get_evaluation_outlook(
    workspace: ServedWorkspace, run_id: str, dataset_id: Annotated[str, Query()]
) -> EvaluationOutlook:
    """How many images of a dataset an evaluation could use: their known classes, and images used in training."""
    return evaluations.outlook(workspace, run_id, dataset_id)


@router.post(
    "/runs/{run_id}/evaluations",
    status_code=201,
    responses=problems(404, 409, 422),
)
def create_evaluation(workspace: ServedWorkspace, run_id: str, new: NewEvaluation, queue: JobQueue) -> EvaluationState:
    """Queue an evaluation with the current labels. Evaluations run one at a time, also during a training."""
    job = evaluations.queue_evaluation(workspace, run_id, dataset_id=new.dataset_id, name=new.name)
    queue.wake()
    return evaluations.evaluation_state(workspace, job)


@router.get("/evaluations/{evaluation_id}", responses=problems(404))
def get_evaluation(workspace: ServedWorkspace, evaluation_id: str) -> EvaluationState:
    """The current state of an evaluation."""
    return evaluations.evaluation_state(workspace, evaluation_id)


@router.get(
    "/evaluations/{evaluation_id}/results",
    responses=problems(404, 409, 422),
)
def get_evaluation_results(workspace: ServedWorkspace, evaluation_id: str) -> EvaluationResults:
    """The results on these images."""
    return results.evaluation_results_of(workspace, evaluation_id)


@router.get("/evaluations/{evaluation_id}/rows", responses=problems(404, 409))
def list_evaluation_rows(
    workspace: ServedWorkspace, evaluation_id: str, page: Annotated[FilteredPage, Query()]
) -> Page[Row]:
    """A page of the measured images."""
    return measured.page_of_measured(workspace, evaluation_id, page, offset=page.offset, limit=page.limit)


@router.put("/evaluations/{evaluation_id}/rows/{k}/correction", responses=problems(404, 409, 422))
def correct_evaluation_row(
    workspace: ServedWorkspace, evaluation_id: str, k: int, correction: LabelCorrection
) -> CorrectedRow:
    """Change the label of a measured image in its dataset. The label is saved at once."""
    row, change = correct_measured(workspace, evaluation_id, k, correction.label)
    return CorrectedRow(row, change)


@router.get(
    "/evaluations/{evaluation_id}/rows/{k}/thumbnail",
    response_class=Response,
    responses=IMAGE | problems(404, 409, 422),
)
def get_evaluation_row_thumbnail(
    workspace: ServedWorkspace, evaluation_id: str, k: int, side: Annotated[int, Query(ge=16, le=512)] = 128
) -> Response:
    """A thumbnail of a measured image."""
    row = measured.measured_row(workspace, evaluation_id, k)
    return image_response(rows.thumbnail_of(workspace, evaluation_id, row, side))


@router.get(
    "/evaluations/{evaluation_id}/rows/{k}/picture",
    response_class=Response,
    responses=PICTURE | problems(404, 409, 422),
)
def get_evaluation_row_picture(workspace: ServedWorkspace, evaluation_id: str, k: int, view: Viewed) -> Response:
    """A measured image for the viewer."""
    return image_response(rows.picture_of(workspace, measured.measured_row(workspace, evaluation_id, k), view))


@router.get("/evaluations/{evaluation_id}/report", response_class=HTMLResponse, responses=problems(404, 409))
def get_evaluation_report(workspace: ServedWorkspace, evaluation_id: str) -> StreamingResponse:
    """The report on these images, with a policy that blocks scripts."""
    return report_response(workspace, downloads.file_of_evaluation(workspace, evaluation_id, "report"))


@router.get(
    "/evaluations/{evaluation_id}/figures/{name}",
    response_class=Response,
    responses=FIGURE | problems(404, 409, 422),
)
def get_evaluation_figure(workspace: ServedWorkspace, evaluation_id: str, name: FigureFile) -> StreamingResponse:
    """A figure of the report on these images, as SVG or PNG, or its numbers as CSV."""
    return figure_response(workspace, downloads.figure_of_evaluation(workspace, evaluation_id, name))


@router.get(
    "/evaluations/{evaluation_id}/download/{what}",
    response_class=StreamingResponse,
    responses=_TABLE | problems(404, 409),
)
def download_from_evaluation(
    workspace: ServedWorkspace, evaluation_id: str, what: Literal["predictions", "confusion-matrix"]
) -> StreamingResponse:
    """The measured images with labels and predictions, or the confusion matrix."""
    file = downloads.file_of_evaluation(workspace, evaluation_id, what)
    return file_response(workspace, file, "text/csv", name=f"{file.parent.name}-{file.name}")
