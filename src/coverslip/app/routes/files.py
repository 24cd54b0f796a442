"""Files of jobs (reports, figures, downloads) under one address for all kinds of jobs, and exports of classifiers."""

import os
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import Field

from coverslip.app.files import (
    FIGURE,
    NO_SCRIPTS,
    TABLE_TYPES,
    FigureFile,
    Theme,
    figure_response,
    file_response,
    report_response,
    table_response,
)
from coverslip.app.guard import writes_much
from coverslip.app.requests import Locate, Paged, PreviewPool, ServedWorkspace, api_router
from coverslip.app.schemas import Body, located, problems
from coverslip.inference.export import Attribution
from coverslip.runs.recipe_keys import load_recipe, recipe_text
from coverslip.workspace import exports
from coverslip.workspace.correcting import draws
from coverslip.workspace.correcting.corrections import answered_table
from coverslip.workspace.exports import ExportState, ExportTo
from coverslip.workspace.figures import translated_figure
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions import samples, state
from coverslip.workspace.store.rows import Page
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings import results

router = api_router("files")

Download = Literal[
    "report",
    "model-card",
    "predictions",
    "confusion-matrix",
    "run",
    "classifier",
    "recipe",
    "results",
    "export",
    "objects",
    "objects-table",
    "samples",
    "samples-prism",
    "samples-report",
    "spot-check",
]
TextFormat = Literal["csv", "jsonl"]
_MEASURED = ("train", "evaluate")
_REPORTED = (*_MEASURED, "study")
_FILES: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's own type
    200: {
        "description": "The file.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in (
                "text/html",
                "text/markdown",
                "text/csv",
                "application/jsonl",
                "application/yaml",
                "application/zip",
                "application/octet-stream",
            )
        },
    }
}


@router.get("/jobs/{job_id}/report", response_class=HTMLResponse, responses=problems(409))
def get_report(workspace: ServedWorkspace, job_id: str) -> StreamingResponse:
    """The report of a training, an evaluation or a study, with a policy that blocks scripts."""
    return report_response(workspace, results.file_of_job(find_job(workspace, job_id, *_REPORTED), "report"))


@router.get("/jobs/{job_id}/figures/{name}", response_class=Response, responses=FIGURE | problems(409))
def get_figure(
    workspace: ServedWorkspace,
    pool: PreviewPool,
    job_id: str,
    name: FigureFile,
    theme: Annotated[Theme, Query(description="Of an SVG: its colors, for a light or a dark page.")] = "light",
) -> Response:
    """A figure of a report, as SVG or PNG with texts in the language of the page, or its numbers as CSV."""
    job = find_job(workspace, job_id, *_REPORTED)
    file = results.figure_of_job(job, name)
    return figure_response(workspace, file, theme, translated_figure(pool, job, file))


@router.get("/jobs/{job_id}/download/{what}", response_class=Response, responses=_FILES | problems(409))
def download(
    workspace: ServedWorkspace,
    job_id: str,
    what: Download,
    format: Annotated[TextFormat, Query(description="Of `predictions` of a prediction.")] = "csv",  # noqa: A002  its name
    top_k: Annotated[
        int | None, Query(ge=1, description="Number of most probable classes in place of all, as of `format`.")
    ] = None,
) -> Response:
    """A file of a job. It has the status 404 if jobs of this kind have no such file, and 409 if it is not written yet.

    | kind of job | files |
    |---|---|
    | training | `report`, `model-card`, `predictions`, `confusion-matrix`, `run` (its folder), `classifier`, `recipe` |
    | evaluation | `report`, `predictions`, `confusion-matrix` |
    | prediction | `predictions`, `objects`, `objects-table`, `spot-check` |
    | prediction, by sample | `samples`, `samples-prism`, `samples-report` |
    | study | `report`, `results` (a row for each finished training and fold) |
    | export | `export` |

    `objects-table` is written if the objects were found in whole fields. Folders are sent as a zip. If there are
    corrections, the table of a prediction has the columns `corrected`, `excluded`, `corrected_by` and `final_decision`:
    the correction or else the decision; empty for excluded images.
    """
    if what == "predictions" and (job := find_job(workspace, job_id)).kind == "predict":
        return _predictions(workspace, job, format, top_k)
    kinds, respond = _DOWNLOADS[what]
    return respond(workspace, find_job(workspace, job_id, *kinds))


def _predictions(workspace: Workspace, job: Job, format_: TextFormat, top_k: int | None) -> Response:
    text = answered_table(workspace, job.id, format_, top_k=top_k)
    if format_ == "csv":
        return table_response(text, "predictions.csv")
    headers = {"Content-Disposition": 'attachment; filename="predictions.jsonl"'}
    return StreamingResponse(text, media_type=TABLE_TYPES["jsonl"], headers=headers)


def _saved(name: results.JobFile, media_type: str) -> Callable[[Workspace, Job], Response]:
    """Return a function that sends a file of the folder of a job."""

    def respond(workspace: Workspace, job: Job) -> Response:
        file = results.file_of_job(job, name)
        return file_response(workspace, file, media_type, name=f"{file.parent.name}-{file.name}")

    return respond


def _recipe(_: Workspace, job: Job) -> Response:
    """Send the recipe of a training with absolute paths, so that it can be used elsewhere on this computer."""
    file = results.file_of_job(job, "recipe")
    headers = {"Content-Disposition": results.disposition(f"{job.folder.name}-{file.name}")}
    return Response(recipe_text(load_recipe(file)), media_type="application/yaml", headers=headers)


def _classifier(workspace: Workspace, job: Job) -> Response:
    name, stream = results.classifier_of(workspace, job.id)
    headers = {
        "Content-Disposition": results.disposition(name),
        "Content-Length": str(os.fstat(stream.fileno()).st_size),
    }
    return StreamingResponse(results.file_chunks(stream), media_type="application/octet-stream", headers=headers)


def _zipped(files: Callable[[Workspace, str], tuple[str, Iterator[bytes]]]) -> Callable[[Workspace, Job], Response]:
    """Return a function that sends the files of a job as a zip."""

    def respond(workspace: Workspace, job: Job) -> Response:
        name, chunks = files(workspace, job.id)
        headers = {"Content-Disposition": results.disposition(name)}
        return StreamingResponse(chunks, media_type="application/zip", headers=headers)

    return respond


def _table(text: Callable[[Workspace, str], str], name: str) -> Callable[[Workspace, Job], Response]:
    """Return a function that sends a table of a prediction."""
    return lambda workspace, job: table_response([text(workspace, job.id)], name)


def _samples_report(workspace: Workspace, job: Job) -> Response:
    headers = {"Content-Disposition": 'attachment; filename="proportions.html"', "Content-Security-Policy": NO_SCRIPTS}
    return Response(samples.report_page(workspace, job.id), media_type="text/html", headers=headers)


# The kinds of jobs that have the file, and the function that sends it.
_DOWNLOADS: dict[Download, tuple[tuple[str, ...], Callable[[Workspace, Job], Response]]] = {
    "report": (_REPORTED, _saved("report", "text/html")),
    "model-card": (("train",), _saved("model-card", "text/markdown")),
    "predictions": (_MEASURED, _saved("predictions", "text/csv")),
    "confusion-matrix": (_MEASURED, _saved("confusion-matrix", "text/csv")),
    "run": (("train",), _zipped(results.zipped_run)),
    "classifier": (("train",), _classifier),
    "recipe": (("train",), _recipe),
    "results": (("study",), _saved("results", "text/csv")),
    "export": (("export",), _zipped(exports.download)),
    "objects": (("predict",), _zipped(state.download)),
    "objects-table": (("predict",), _saved("objects-table", "text/csv")),
    "samples": (("predict",), _table(samples.summary_table, "samples.csv")),
    "samples-prism": (("predict",), _table(samples.grouped_table, "prism.csv")),
    "samples-report": (("predict",), _samples_report),
    "spot-check": (("predict",), _table(draws.labels_table, "spot_check.csv")),
}


# Exports of classifiers for other programs: queue them, follow them, and download the result.

exports_router = api_router("exports")


@exports_router.get("/runs/{run_id}/exports")
def list_exports(workspace: ServedWorkspace, run_id: str, paging: Paged) -> Page[ExportState]:
    """The exports of the classifier of a training, the newest first."""
    return exports.list_exports(workspace, run_id, paging)


class NewExport(Body):
    """An export of a classifier for other programs."""

    to: ExportTo
    """`onnx` (ONNX Runtime) or `bioimageio` (BioImage Model Zoo)."""
    authors: list[Annotated[str, Field(max_length=200)]] | None = Field(default=None, max_length=100)
    """Names of the authors. For `bioimageio`."""
    license: str | None = Field(default=None, max_length=100)
    """An SPDX identifier such as `CC-BY-4.0`. For `bioimageio`."""
    citation: str | None = Field(default=None, max_length=2000)
    """What to cite, with a DOI or an address. For `bioimageio`."""


@exports_router.post("/runs/{run_id}/exports", status_code=201, responses=located(201) | problems(409))
@writes_much
def create_export(workspace: ServedWorkspace, run_id: str, new: NewExport, locate: Locate) -> ExportState:
    """Queue an export. It is opened again and compared with the classifier on images of the run, and refused if they
    do not agree. Exports run one at a time, also during a training.
    """
    attribution = Attribution(tuple(new.authors or ()), new.license, new.citation)
    job = exports.queue_export(workspace, run_id, new.to, attribution)
    locate("jobs", job)
    return exports.export_state(workspace, find_job(workspace, job))
