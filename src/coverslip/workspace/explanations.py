"""Explanations of single images: start one, report its progress, and store the picture.

An image that a cross-validation fold tested is explained with the classifier of that fold, which made the prediction.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from coverslip.cache.file_hashes import FileHashes
from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.content_hashes import hash_files
from coverslip.datasets.index.opening import open_image_file
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import name_as_text
from coverslip.errors import Conflict, CoverslipError, NotFound, require_extra
from coverslip.events import Emit
from coverslip.files import sha256_json
from coverslip.images.reader import PLAN_COLUMNS, ReadPlan
from coverslip.processes import Json
from coverslip.runs.classifier import find_classifier, fingerprint_of
from coverslip.runs.folder import Run
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import find_job, kind_of, register_function
from coverslip.workspace.lists import NOT_FOUND, images_of_job
from coverslip.workspace.predictions.classifiers import classifier_job
from coverslip.workspace.store.workspace import Workspace

EXPLANATION = register_function("explanation", "coverslip.workspace.explanations:explain")
_N_NEAREST, _TILES_PER_ROW = 4, 2  # there is space for two next to a picture
EXPLANATIONS = Kind("app-explanations", bound_bytes=2 * 10**8)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationState(ResultState):
    """The progress of the explanation of an image."""

    kind: Literal["explanation"]
    fold: int | None
    """Cross-validation fold whose classifier is explained, from 1; null: the run's classifier."""
    seconds: float | None
    """Seconds since the request; null if none is in progress."""
    version: str
    """Changes with the classifier, the image and its true class."""


def explanation_state(workspace: Workspace, subject: str) -> ExplanationState:
    """Return the progress of the explanation of an image of a job; the subject is JOB_ID.ROW_ID.

    Raises:
        NotFound: there is no such job or row, or the image is missing.
        Conflict: nothing was measured yet, or there is no classifier.
    """
    job_id, row_id = _image_of(subject)
    request = _request(workspace, job_id, row_id)
    work = replace(computation(workspace, EXPLANATION, request.key), subject=subject)
    seconds = None if work.requested is None else time.time() - work.requested
    is_stored = work.state is None and _stored_picture(job_id, request.key) is not None
    state = work.of_result("ready" if is_stored else "not-requested")
    return ExplanationState(**state, fold=request.fold, seconds=seconds, version=request.key)


def _image_of(subject: str) -> tuple[str, int]:
    job_id, _, row_id = subject.rpartition(".")
    if not row_id.isdecimal():
        raise NotFound("no-such-row")
    return job_id, int(row_id)


def start_explanation(workspace: Workspace, subject: str) -> ExplanationState:
    """Start the explanation, unless it is finished or in progress.

    Raises:
        NotFound, Conflict: as `explanation_state`.
        ExtraNotInstalled: PyTorch is not installed, which heat maps need.
    """
    job_id, row_id = _image_of(subject)
    request = _request(workspace, job_id, row_id)
    if _stored_picture(job_id, request.key) is None:
        require_extra("train")
        request_result(
            workspace,
            EXPLANATION,
            request.key,
            {"job_id": job_id, "key": request.key, **request.content},
            name=request.name,
            subject=subject,
        )
    return explanation_state(workspace, subject)


def explanation_picture(workspace: Workspace, job_id: str, row_id: int) -> bytes:
    """Return a PNG of the explanation and of similar training images.

    Raises:
        NotFound: as `explanation_state`, or there is no explanation.
        Conflict: as `explanation_state`.
    """
    picture = _stored_picture(job_id, _request(workspace, job_id, row_id).key)
    if picture is None:
        raise NotFound("no-explanation-yet")
    return picture


@dataclass(frozen=True, slots=True)
class _Request:
    """One image to explain; the key changes with the job, the weights, the image and its true class."""

    content: Json
    key: str
    fold: int | None
    name: str  # of the image


def _stored_picture(job_id: str, key: str) -> bytes | None:
    with RecordStore(EXPLANATIONS, job_id) as store:
        return store.find([key]).get(key)


def _request(workspace: Workspace, job_id: str, row_id: int) -> _Request:
    """Return the request to the worker process for an image."""
    job = find_job(workspace, job_id)
    label, fold = None, None
    folder = job.folder if job.classifier_id is None else classifier_job(workspace, job.classifier_id).folder
    listed = images_of_job(workspace, job_id)
    (source,) = listed.sources([row_id])
    if kind_of(job).has_measurements:
        row, run = listed.facts(row_id), job.run
        fold = _fold_of(run, row.image_id)
        folder = folder if fold is None else run.fold(fold).folder
        label = row.correction or row.label
    if source == NOT_FOUND:
        raise NotFound("image-moved")
    try:
        weights = fingerprint_of(find_classifier(folder))
    except CoverslipError as error:
        raise Conflict("no-classifier-yet") from error
    file, plan = workspace.allowed_image(source.file, source.plan)
    with FileHashes() as hashes:
        digest = next(hash_files([ImageRecord("", file, None, None, "", None, plan)], hashes))
    content = {
        "run": str(folder),
        "tested": job.classifier_id is None,  # the rows of a training are predictions of its tested classifier
        "file": str(file),
        "plan": plan.model_dump(mode="json"),
        "label": label,
    }
    key = sha256_json([job_id, content, weights, digest])
    return _Request(content, key, fold, name_as_text(file.name))


def _fold_of(run: Run, image_id: str) -> int | None:
    """Return the cross-validation fold that tested an image; None after a single split."""
    if not run.is_cross_validated:
        return None
    return next((row.fold for row in run.split if row.image_id == image_id), None)


def explain(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Draw the explanation of an image, and store the picture.

    Raises:
        CoverslipError: the image, or the classifier, cannot be read.
    """
    from coverslip.inference.explain.explaining import explanation_of

    data = _one_image(arguments["file"], ReadPlan.model_validate(arguments["plan"]), arguments["label"])
    picture = explanation_of(
        arguments["run"],
        data,
        tested=arguments["tested"],
        n_nearest=_N_NEAREST,
        tiles_per_row=_TILES_PER_ROW,
        device="cpu",  # fast enough for single images; the GPU stays free for trainings
        emit=emit,
    )
    with RecordStore(EXPLANATIONS, arguments["job_id"]) as store:
        store.keep({arguments["key"]: picture})


def _one_image(file: str, plan: ReadPlan, label: str | None) -> Dataset:
    """Return a dataset of one image, read with its own plan instead of the classifier's."""
    opened = open_image_file(Path(file))
    record = replace(opened.records[0], label=label, plan=plan, stated=frozenset(PLAN_COLUMNS))
    return replace(opened, records=(record,))
