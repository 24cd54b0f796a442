"""Results of trainings: numbers, rows, pictures and files."""

import os
from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
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
from coverslip.app.requests import Paged, ServedWorkspace, api_router, received
from coverslip.app.schemas.datasets import FilteredPage
from coverslip.app.schemas.predictions import CorrectedRow, LabelCorrection
from coverslip.app.schemas.runs import Decision
from coverslip.app.schemas.system import problems
from coverslip.experiments.rethreshold import Thresholds
from coverslip.reports.comparison import Comparison
from coverslip.workspace import evaluations
from coverslip.workspace.correcting.corrections import correct_measured
from coverslip.workspace.correcting.label_errors import LabelErrorsState, label_errors_state, start_label_check
from coverslip.workspace.correcting.since_training import ChangesSinceTraining, changes_since
from coverslip.workspace.jobs import downloads, results
from coverslip.workspace.jobs.results import Results
from coverslip.workspace.predictions import classifiers, measured, rows
from coverslip.workspace.predictions.classifiers import Classifier
from coverslip.workspace.predictions.rows import Row
from coverslip.workspace.store.rows import Page

router = api_router("results")

_MOST_CLASSIFIER_BYTES = 2**31
Download = Literal["report", "model-card", "predictions", "confusion-matrix", "run", "classifier", "recipe"]
_TYPES: dict[Download, str] = {
    "report": "text/html",
    "model-card": "text/markdown",
    "predictions": "text/csv",
    "confusion-matrix": "text/csv",
    "run": "application/zip",
    "classifier": "application/octet-stream",
    "recipe": "application/yaml",
}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES.values()},
    }
}


@router.get("/comparison", responses=problems(404, 409, 422))
def compare_runs(
    workspace: ServedWorkspace, run_id: Annotated[list[str], Query(description="Two or more.")]
) -> Comparison:
    """Compare runs: how they differ, and each against the first on their common images."""
    return evaluations.compared(workspace, run_id)


@router.get("/runs/{run_id}/results", responses=problems(404, 409, 422))
def get_results(workspace: ServedWorkspace, run_id: str) -> Results:
    """The results of a run, with the text of its report."""
    return results.results_of(workspace, run_id)


@router.get("/runs/{run_id}/thresholds", responses=problems(404, 409, 422))
def get_thresholds(workspace: ServedWorkspace, run_id: str) -> Thresholds:
    """The decision threshold of a classifier of two classes, and the effect of others on validation images."""
    return classifiers.thresholds(workspace, run_id)


@router.put("/runs/{run_id}/decision", responses=problems(404, 409, 422))
def set_decision(workspace: ServedWorkspace, run_id: str, decision: Decision) -> Thresholds:
    """Change the decision threshold, chosen on validation images. Results and report are updated."""
    return classifiers.decide(workspace, run_id, decision.model_dump())


@router.get("/runs/{run_id}/rows", responses=problems(404, 409))
def list_run_rows(workspace: ServedWorkspace, run_id: str, page: Annotated[FilteredPage, Query()]) -> Page[Row]:
    """A page of the measured images."""
    return measured.page_of_measured(workspace, run_id, page, offset=page.offset, limit=page.limit)


@router.get("/runs/{run_id}/image-changes", responses=problems(404))
def count_image_changes(workspace: ServedWorkspace, run_id: str) -> ChangesSinceTraining:
    """How many images of the dataset were added, relabeled or removed since the training."""
    return changes_since(workspace, run_id)


@router.get("/runs/{run_id}/label-errors", responses=problems(404, 422))
def get_label_errors(workspace: ServedWorkspace, run_id: str) -> LabelErrorsState:
    """Suspected label errors in the training, validation and test set, by classifiers not trained on the images."""
    return label_errors_state(workspace, run_id)


@router.post("/runs/{run_id}/label-errors", status_code=202, responses=problems(404, 409, 422))
def create_label_errors(workspace: ServedWorkspace, run_id: str) -> LabelErrorsState:
    """Start the search for label errors, which may take minutes. Poll the state until it is done."""
    return start_label_check(workspace, run_id)


@router.put("/runs/{run_id}/rows/{k}/correction", responses=problems(404, 409, 422))
def correct_run_row(workspace: ServedWorkspace, run_id: str, k: int, correction: LabelCorrection) -> CorrectedRow:
    """Change the label of a measured image in its dataset. The label is saved at once."""
    row, change = correct_measured(workspace, run_id, k, correction.label)
    return CorrectedRow(row, change)


@router.get(
    "/runs/{run_id}/rows/{k}/thumbnail",
    response_class=Response,
    responses=IMAGE | problems(404, 422),
)
def get_run_row_thumbnail(
    workspace: ServedWorkspace, run_id: str, k: int, side: Annotated[int, Query(ge=16, le=512)] = 128
) -> Response:
    """A thumbnail of a measured image."""
    return image_response(rows.thumbnail_of(workspace, run_id, measured.measured_row(workspace, run_id, k), side))


@router.get(
    "/runs/{run_id}/rows/{k}/picture",
    response_class=Response,
    responses=PICTURE | problems(404, 422),
)
def get_run_row_picture(workspace: ServedWorkspace, run_id: str, k: int, view: Viewed) -> Response:
    """A measured image for the viewer."""
    return image_response(rows.picture_of(workspace, measured.measured_row(workspace, run_id, k), view))


@router.get(
    "/runs/{run_id}/report",
    response_class=HTMLResponse,
    responses=problems(404, 409),
)
def get_report(workspace: ServedWorkspace, run_id: str) -> StreamingResponse:
    """The report, with a policy that blocks scripts."""
    return report_response(workspace, downloads.file_of_run(workspace, run_id, "report"))


@router.get(
    "/runs/{run_id}/figures/{name}",
    response_class=Response,
    responses=FIGURE | problems(404, 409, 422),
)
def get_figure(workspace: ServedWorkspace, run_id: str, name: FigureFile) -> StreamingResponse:
    """A figure of the report, as SVG or PNG, or its numbers as CSV."""
    return figure_response(workspace, downloads.figure_of_run(workspace, run_id, name))


@router.get(
    "/runs/{run_id}/download/{what}",
    response_class=Response,
    responses=_FILES | problems(404, 409, 422),
)
def download_from_run(workspace: ServedWorkspace, run_id: str, what: Download) -> Response:
    """A file of a run; `run` is its folder as a zip."""
    if what == "run":
        name, whole = downloads.zipped_run(workspace, run_id)
        headers = {"Content-Disposition": downloads.disposition(name)}
        return StreamingResponse(whole, media_type=_TYPES[what], headers=headers)
    if what == "classifier":
        name, packed = downloads.classifier_of(workspace, run_id)
        headers = {
            "Content-Disposition": downloads.disposition(name),
            "Content-Length": str(os.fstat(packed.fileno()).st_size),
        }
        return StreamingResponse(downloads.sent(packed), media_type=_TYPES[what], headers=headers)
    file = downloads.file_of_run(workspace, run_id, what)
    return file_response(workspace, file, _TYPES[what], name=f"{file.parent.name}-{file.name}")


@router.get("/classifiers")
def list_classifiers(workspace: ServedWorkspace, paging: Paged) -> Page[Classifier]:
    """The classifiers: trained here, or imported from a file."""
    return classifiers.list_classifiers(workspace, paging)


@router.post(
    "/classifiers",
    status_code=201,
    responses=problems(413, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def import_classifier(workspace: ServedWorkspace, request: Request, name: str | None = None) -> Classifier:
    """Import a `.coverslip` file into the workspace."""
    async with received(
        request, workspace.folder / "classifiers", most_bytes=_MOST_CLASSIFIER_BYTES, suffix=".coverslip"
    ) as file:
        imported = await run_in_threadpool(classifiers.import_file, workspace, file, name)
    return await run_in_threadpool(classifiers.described, imported)


@router.delete("/classifiers/{classifier_id}", status_code=204, responses=problems(404))
def remove_classifier(workspace: ServedWorkspace, classifier_id: str) -> None:
    """Move an imported classifier to the trash. A classifier that was trained here is removed with its run."""
    classifiers.remove(workspace, classifier_id)


@router.post(
    "/classifiers/{classifier_id}/restore",
    responses=problems(404, 409),
)
def restore_classifier(workspace: ServedWorkspace, classifier_id: str) -> Classifier:
    """Restore an imported classifier from the trash."""
    return classifiers.described(classifiers.restore(workspace, classifier_id))
