"""Suspected label errors of a training's images. A search is started on request, while the server runs."""

import threading
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Event
from coverslip.messages import Failure
from coverslip.runs import CheckedClass, LabelIssue
from coverslip.workspace.jobs.records import Job, find_job, training_not_finished
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.tables import label_errors_now

_MOST_IMAGES = 2000

_failures: dict[str, Failure] = {}  # by run; as long as the server runs


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrorsState:
    """Suspected label errors of a training's images."""

    state: Annotated[
        Literal["unknown", "searching", "known", "failed"],
        Field(description="unknown: no search was started."),
    ]
    n: Annotated[int | None, Field(description="Number of misclassified images; null until the search is done.")] = None
    n_suspected: Annotated[
        int | None, Field(description="Number of labels that are probably wrong and not confirmed.")
    ] = None
    n_confirmed: Annotated[int, Field(description="Misclassified images whose labels were confirmed.")] = 0
    n_relabeled: Annotated[
        int,
        Field(description="Misclassified images that were relabeled since: no other number counts them."),
    ] = 0
    n_checked: int | None = None
    n_not_checked: int | None = None
    classes: list[CheckedClass]
    images: Annotated[
        list[LabelIssue],
        Field(description=f"The {_MOST_IMAGES:,} most likely errors that are not confirmed, in that order."),
    ]
    error: Failure | None = None


def label_errors_state(workspace: Workspace, run_id: str) -> LabelErrorsState:
    """Return the suspected label errors, without images that were relabeled or removed since the training.

    Raises:
        NotFound: there is no such training.
    """
    job = find_job(workspace, run_id, "train")
    if workspace.background.is_running(_thread_of(job)):
        return LabelErrorsState(state="searching", classes=[], images=[])
    with workspace.engine.connect() as connection:
        now = label_errors_now(connection, job.dataset_id or "", job.run)
    if now is not None:
        unchanged, left = now.unchanged, now.left
        return LabelErrorsState(
            state="known",
            n=len(unchanged.images),
            n_suspected=left.n_suspected,
            n_confirmed=len(unchanged.images) - len(left.images),
            n_relabeled=now.n_relabeled,
            n_checked=unchanged.n_checked,
            n_not_checked=unchanged.n_not_checked,
            classes=list(unchanged.classes),
            images=list(left.images[:_MOST_IMAGES]),
        )
    error = _failures.get(job.id)
    return LabelErrorsState(state="unknown" if error is None else "failed", classes=[], images=[], error=error)


def start_label_check(workspace: Workspace, run_id: str) -> LabelErrorsState:
    """Start the search for label errors, unless it is running.

    Raises:
        NotFound: there is no such training.
        Conflict: the training is not finished.
    """
    job = find_job(workspace, run_id, "train")
    if not job.run.is_done:
        raise training_not_finished()
    _failures.pop(job.id, None)
    workspace.background.start(_thread_of(job), lambda is_over: _search(job, is_over))
    return label_errors_state(workspace, run_id)


def _search(job: Job, is_over: threading.Event) -> None:
    from coverslip import pipeline

    def end_with_server(_: Event) -> None:
        if is_over.is_set():
            raise Stopped("label-search-stopped")

    try:
        pipeline.label_errors(job.folder, emit=end_with_server)
    except CoverslipError as error:
        _failures[job.id] = error.failure


def _thread_of(job: Job) -> str:
    return f"label errors {job.id}"
