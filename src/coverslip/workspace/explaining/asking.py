"""Explanations of single images: start one, report its progress, and store the picture.

An image that a cross-validation fold tested is explained with the classifier of that fold, which made the prediction.
"""

import base64
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import CoverslipError, NotFound
from coverslip.files import sha256_json
from coverslip.messages import Failure
from coverslip.pipes import Json
from coverslip.runs import Run, find_classifier, fingerprint_of
from coverslip.workspace.jobs.records import find_job, no_classifier_yet
from coverslip.workspace.predictions.classifiers import place_of
from coverslip.workspace.predictions.measured import measured_row, row_of_measured
from coverslip.workspace.predictions.rows import NOT_FOUND, image_moved, image_source_of_row
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.workers.submit import Asked, StepProgress

EXPLANATIONS = register(
    Kind("app-explanations", "what speaks for a class in single images, in the app", RECORDS, bound_bytes=2 * 10**8)
)


@dataclass(frozen=True, slots=True)
class ExplanationState:
    """How far the picture is that explains one image."""

    state: Annotated[
        Literal["not-asked", "waiting", "drawing", "known"],
        Field(description="`waiting`: another explanation is drawn first. The newest request is next."),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until it is known.")]
    error: Annotated[Failure | None, Field(description="Why the last try, since the server began, came to nothing.")]
    fold: Annotated[
        int | None,
        Field(description="Cross-validation fold whose classifier is explained, from 1; null: the run's classifier."),
    ]
    seconds: Annotated[float | None, Field(description="Since the request; null where none goes on.")] = None


class Explaining:
    """The requested explanations, one at a time: each holds a network library in memory."""

    def __init__(self, home: Workspace) -> None:
        self._home, self._asked = home, Asked("coverslip.workspace.explaining.worker", home.readable)

    def state_of(self, job_id: str, k: int) -> ExplanationState:
        """How far the picture of the k-th image of a training, an evaluation or a prediction is.

        Raises:
            NotFound: there is nothing of this id, no row of that number, or the image is gone.
            Conflict: nothing was measured yet, or there is no classifier.
        """
        request = self._request(job_id, k)
        return self._state(job_id, request)

    def start(self, job_id: str, k: int) -> ExplanationState:
        """Draw it, unless it is there or being drawn; raises as `state_of`."""
        request = self._request(job_id, k)
        key = request.key
        if self._kept(job_id, key) is None:
            self._asked.start(key, request.question, lambda result: _keep(job_id, key, base64.b64decode(result["png"])))
        return self._state(job_id, request)

    def cancel(self, job_id: str, k: int) -> None:
        """Draw it no further; raises as `state_of`."""
        self._asked.cancel(self._request(job_id, k).key)

    def picture(self, job_id: str, k: int) -> bytes:
        """PNG of what speaks for the image's class, and what looks alike.

        Raises:
            NotFound: as `state_of`, or nobody has asked for it.
            Conflict: as `state_of`.
        """
        picture = self._kept(job_id, self._request(job_id, k).key)
        if picture is None:
            raise NotFound("no-explanation-yet")
        return picture

    def close(self) -> None:
        """End all of them."""
        self._asked.close()

    def _state(self, job_id: str, request: "_Request") -> ExplanationState:
        going_on = self._asked.state_of(request.key)
        if going_on.state is not None:
            state: Literal["waiting", "drawing"] = "waiting" if going_on.state == "waiting" else "drawing"
            return ExplanationState(state, going_on.progress, None, request.fold, going_on.seconds)
        if self._kept(job_id, request.key) is not None:
            return ExplanationState("known", None, None, request.fold)
        return ExplanationState("not-asked", None, going_on.error, request.fold)

    def _kept(self, job_id: str, key: str) -> bytes | None:
        with RecordStore(EXPLANATIONS, job_id) as kept:
            return kept.find([key]).get(key)

    def _request(self, job_id: str, k: int) -> "_Request":
        """What the worker process is asked for the k-th image."""
        job = find_job(self._home, job_id)
        label, fold = None, None
        if job.kind == "predict":
            source, place = (
                image_source_of_row(self._home, job_id, k),
                place_of(self._home, job.classifier_id or "").path,
            )
        else:
            row, source = row_of_measured(self._home, job_id, k), measured_row(self._home, job_id, k)
            run = job.run if job.kind == "train" else job.run.whole
            fold = _fold_of(run, row.image_id) if job.kind == "train" else None
            place = run.folder if fold is None else run.fold(fold).folder
            label = row.correction or row.label
        if source == NOT_FOUND:
            raise image_moved()
        try:
            weights = fingerprint_of(find_classifier(place))
        except CoverslipError as error:
            raise no_classifier_yet() from error
        file, plan = self._home.allowed_image(source.file, source.plan)
        stat = file.stat()
        question = {"run": str(place), "file": str(file), "plan": plan.model_dump(mode="json"), "label": label}
        return _Request(question, sha256_json([question, weights, stat.st_mtime_ns, stat.st_size]), fold)


@dataclass(frozen=True, slots=True)
class _Request:
    """One image to explain; the key changes with the weights, the image and its true class."""

    question: Json
    key: str
    fold: int | None


def _fold_of(run: Run, image_id: str) -> int | None:
    """The cross-validation fold that tested an image; None after a single split."""
    if not run.is_cross_validated:
        return None
    return next((row.fold for row in run.split if row.image_id == image_id), None)


def _keep(job_id: str, key: str, picture: bytes) -> None:
    with RecordStore(EXPLANATIONS, job_id) as kept:
        kept.keep({key: picture})
