"""Explanations of single images: start one, report its progress, and store the picture.

An image that a cross-validation fold tested is explained with the classifier of that fold, which made the prediction.
"""

import base64
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import sha256_json
from coverslip.messages import Failure
from coverslip.processes import Json
from coverslip.runs import Run, find_classifier, fingerprint_of
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.classifiers import location_of
from coverslip.workspace.predictions.measured import row_of_measured, source_of_measured
from coverslip.workspace.predictions.rows import NOT_FOUND, image_source_of_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import StepProgress, WorkQueue

EXPLANATIONS = register(
    Kind("app-explanations", "explanations of single images in the app", RECORDS, bound_bytes=2 * 10**8)
)


@dataclass(frozen=True, slots=True)
class ExplanationState:
    """The progress of the explanation of an image."""

    state: Annotated[
        Literal["not-requested", "waiting", "running", "ready"],
        Field(description="waiting: another explanation is drawn first. The newest request is next."),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until the first report.")]
    error: Annotated[Failure | None, Field(description="Why the last attempt since the server started failed.")]
    fold: Annotated[
        int | None,
        Field(description="Cross-validation fold whose classifier is explained, from 1; null: the run's classifier."),
    ]
    seconds: Annotated[float | None, Field(description="Seconds since the request; null if none is in progress.")] = (
        None
    )


class Explanations:
    """Requests for explanations. One is drawn at a time, because each loads a deep learning library."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._queue = WorkQueue("coverslip.workspace.tasks:explain", workspace.readable)

    def state_of(self, job_id: str, row_id: int) -> ExplanationState:
        """Return the progress of the explanation of an image of a job.

        Raises:
            NotFound: there is no such job or row, or the image is missing.
            Conflict: nothing was measured yet, or there is no classifier.
        """
        return self._state(job_id, self._request(job_id, row_id))

    def start(self, job_id: str, row_id: int) -> ExplanationState:
        """Start the explanation, unless it is finished or in progress; raises as `state_of`."""
        request = self._request(job_id, row_id)
        if self._stored(job_id, request.key) is None:
            self._queue.start(request.key, request.content, lambda result: _store(job_id, request.key, result))
        return self._state(job_id, request)

    def cancel(self, job_id: str, row_id: int) -> None:
        """Cancel the explanation; raises as `state_of`."""
        self._queue.cancel(self._request(job_id, row_id).key)

    def picture(self, job_id: str, row_id: int) -> bytes:
        """Return a PNG of the explanation and of similar training images.

        Raises:
            NotFound: as `state_of`, or there is no explanation.
            Conflict: as `state_of`.
        """
        picture = self._stored(job_id, self._request(job_id, row_id).key)
        if picture is None:
            raise NotFound("no-explanation-yet")
        return picture

    def close(self) -> None:
        """Cancel all requests."""
        self._queue.close()

    def _state(self, job_id: str, request: "_Request") -> ExplanationState:
        work = self._queue.state_of(request.key)
        if work.state is not None:
            return ExplanationState(work.state, work.progress, None, request.fold, work.seconds)
        if self._stored(job_id, request.key) is not None:
            return ExplanationState("ready", None, None, request.fold)
        return ExplanationState("not-requested", None, work.error, request.fold)

    def _stored(self, job_id: str, key: str) -> bytes | None:
        with RecordStore(EXPLANATIONS, job_id) as store:
            return store.find([key]).get(key)

    def _request(self, job_id: str, row_id: int) -> "_Request":
        """Return the request to the worker process for an image."""
        job = find_job(self._workspace, job_id)
        label, fold = None, None
        if job.kind == "predict":
            source = image_source_of_row(self._workspace, job_id, row_id)
            folder = location_of(self._workspace, job.classifier_id or "").path
        else:
            row = row_of_measured(self._workspace, job_id, row_id)
            source = source_of_measured(self._workspace, job_id, row_id)
            run = job.run if job.kind == "train" else job.run.parent_run
            fold = _fold_of(run, row.image_id) if job.kind == "train" else None
            folder = run.folder if fold is None else run.fold(fold).folder
            label = row.correction or row.label
        if source == NOT_FOUND:
            raise NotFound("image-moved")
        try:
            weights = fingerprint_of(find_classifier(folder))
        except CoverslipError as error:
            raise Conflict("no-classifier-yet") from error
        file, plan = self._workspace.allowed_image(source.file, source.plan)
        stat = file.stat()
        content = {"run": str(folder), "file": str(file), "plan": plan.model_dump(mode="json"), "label": label}
        return _Request(content, sha256_json([content, weights, stat.st_mtime_ns, stat.st_size]), fold)


@dataclass(frozen=True, slots=True)
class _Request:
    """One image to explain; the key changes with the weights, the image and its true class."""

    content: Json
    key: str
    fold: int | None


def _fold_of(run: Run, image_id: str) -> int | None:
    """Return the cross-validation fold that tested an image; None after a single split."""
    if not run.is_cross_validated:
        return None
    return next((row.fold for row in run.split if row.image_id == image_id), None)


def _store(job_id: str, key: str, result: Json) -> None:
    with RecordStore(EXPLANATIONS, job_id) as store:
        store.keep({key: base64.b64decode(result["png"])})
