"""What trainings reached: numbers, rows, pictures, files."""

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
from coverslip.app.requests import Home, Paged, api_router, received
from coverslip.app.schemas.datasets import FilteredPage
from coverslip.app.schemas.predictions import CorrectedRow, LabelCorrection
from coverslip.app.schemas.runs import Decision
from coverslip.app.schemas.system import problems
from coverslip.experiments.rethreshold import Thresholds
from coverslip.reports.comparing import Comparison
from coverslip.workspace.correcting.label_errors import LabelsToLookAt, labels_to_look_at, look_for_label_errors
from coverslip.workspace.correcting.since_training import ChangesSinceTraining, changes_since
from coverslip.workspace.correcting.tables import correct_measured
from coverslip.workspace.evaluations import comparing
from coverslip.workspace.jobs import downloads, results
from coverslip.workspace.jobs.results import Results
from coverslip.workspace.predictions import classifiers, deciding, measured, rows
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
def compare_runs(workspace: Home, run_id: Annotated[list[str], Query(description="Two or more.")]) -> Comparison:
    """Runs side by side: what differed, and each against the first on the images that both have measured."""
    return comparing.compared(workspace, run_id)


@router.get("/runs/{run_id}/results", responses=problems(404, 409, 422))
def get_results(workspace: Home, run_id: str) -> Results:
    """What a run reached, with the words of its report."""
    return results.results_of(workspace, run_id)


@router.get("/runs/{run_id}/thresholds", responses=problems(404, 409, 422))
def get_thresholds(workspace: Home, run_id: str) -> Thresholds:
    """By what threshold a classifier of two classes decides, and what others did on validation images."""
    return deciding.thresholds(workspace, run_id)


@router.put("/runs/{run_id}/decision", responses=problems(404, 409, 422))
def set_decision(workspace: Home, run_id: str, decision: Decision) -> Thresholds:
    """Let a classifier decide by a wish, fixed on validation images; its numbers and its report follow."""
    return deciding.decide(workspace, run_id, decision.model_dump())


@router.get("/runs/{run_id}/rows", responses=problems(404, 409))
def list_run_rows(workspace: Home, run_id: str, page: Annotated[FilteredPage, Query()]) -> Page[Row]:
    """The measured images, a page at a time."""
    return measured.page_of_measured(workspace, run_id, page, offset=page.offset, limit=page.limit)


@router.get("/runs/{run_id}/image-changes", responses=problems(404))
def count_image_changes(workspace: Home, run_id: str) -> ChangesSinceTraining:
    """How many images of a training's dataset were added, relabeled or removed since: whether to train again."""
    return changes_since(workspace, run_id)


@router.get("/runs/{run_id}/label-errors", responses=problems(404, 422))
def get_label_errors(workspace: Home, run_id: str) -> LabelsToLookAt:
    """Suspected label errors, by classifiers not trained on the images: training, validation and test."""
    return labels_to_look_at(workspace, run_id)


@router.post("/runs/{run_id}/label-errors", status_code=202, responses=problems(404, 409, 422))
def create_label_errors(workspace: Home, run_id: str) -> LabelsToLookAt:
    """Look for them, which may take minutes; ask again until they are known."""
    return look_for_label_errors(workspace, run_id)


@router.put("/runs/{run_id}/rows/{k}/correction", responses=problems(404, 409, 422))
def correct_run_row(workspace: Home, run_id: str, k: int, correction: LabelCorrection) -> CorrectedRow:
    """Give a measured image another label in the dataset that it comes from; it is kept at once."""
    row, change = correct_measured(workspace, run_id, k, correction.label)
    return CorrectedRow(row, change)


@router.get(
    "/runs/{run_id}/rows/{k}/thumbnail",
    response_class=Response,
    responses=IMAGE | problems(404, 422),
)
def get_run_row_thumbnail(
    workspace: Home, run_id: str, k: int, side: Annotated[int, Query(ge=16, le=512)] = 128
) -> Response:
    """A thumbnail of a measured image."""
    return image_response(rows.thumbnail_of(workspace, run_id, measured.measured_row(workspace, run_id, k), side))


@router.get(
    "/runs/{run_id}/rows/{k}/picture",
    response_class=Response,
    responses=PICTURE | problems(404, 422),
)
def get_run_row_picture(workspace: Home, run_id: str, k: int, view: Viewed) -> Response:
    """A measured image for the viewer."""
    return image_response(rows.picture_of(workspace, measured.measured_row(workspace, run_id, k), view))


@router.get(
    "/runs/{run_id}/report",
    response_class=HTMLResponse,
    responses=problems(404, 409),
)
def get_report(workspace: Home, run_id: str) -> StreamingResponse:
    """The report, with a policy that lets it run nothing."""
    return report_response(workspace, downloads.file_of_run(workspace, run_id, "report"))


@router.get(
    "/runs/{run_id}/figures/{name}",
    response_class=Response,
    responses=FIGURE | problems(404, 409, 422),
)
def get_figure(workspace: Home, run_id: str, name: FigureFile) -> StreamingResponse:
    """A drawing of the report, as SVG or PNG, or its numbers as CSV."""
    return figure_response(workspace, downloads.figure_of_run(workspace, run_id, name))


@router.get(
    "/runs/{run_id}/download/{what}",
    response_class=Response,
    responses=_FILES | problems(404, 409, 422),
)
def download_from_run(workspace: Home, run_id: str, what: Download) -> Response:
    """Something of a run as a file; `run` is its whole folder as a zip."""
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
def list_classifiers(workspace: Home, paging: Paged) -> Page[Classifier]:
    """What can predict: trained here, or brought as a file."""
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
async def import_classifier(workspace: Home, request: Request, name: str | None = None) -> Classifier:
    """Bring a `.coverslip` file into the workspace."""
    async with received(
        request, workspace.folder / "classifiers", most_bytes=_MOST_CLASSIFIER_BYTES, suffix=".coverslip"
    ) as file:
        brought = await run_in_threadpool(classifiers.bring, workspace, file, name)
    return await run_in_threadpool(classifiers.described, brought)


@router.delete("/classifiers/{classifier_id}", status_code=204, responses=problems(404))
def remove_classifier(workspace: Home, classifier_id: str) -> None:
    """Move a classifier that was brought to the workspace's trash. One that was trained here goes with its run."""
    classifiers.remove(workspace, classifier_id)


@router.post(
    "/classifiers/{classifier_id}/restore",
    responses=problems(404, 409),
)
def restore_classifier(workspace: Home, classifier_id: str) -> Classifier:
    """Take a classifier that was brought out of the trash."""
    return classifiers.described(classifiers.restore(workspace, classifier_id))
