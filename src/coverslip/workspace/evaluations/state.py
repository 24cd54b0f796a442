"""The state of evaluations, read from their folders."""

import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import BadRun, NotFound
from coverslip.messages import Failure
from coverslip.runs import Run
from coverslip.runs.environment import Opened
from coverslip.runs.log import TimedNote, Work
from coverslip.workspace.jobs.faults import folded_log, why_failed
from coverslip.workspace.jobs.records import Job, add_job, all_jobs, find_job, waiting
from coverslip.workspace.jobs.runs import Headline, evaluation_of, headline_of
from coverslip.workspace.jobs.state import ACTIVE, State, has_ended, state_of, status_of
from coverslip.workspace.jobs.watching import JobSnapshot, Message, as_text
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Workspace

_listing = threading.Lock()


@dataclass(frozen=True, slots=True)
class EvaluationState:
    """The current state of an evaluation on an external test set."""

    kind: Literal["evaluate"]
    id: str
    name: str
    run_id: str
    run_name: str
    folder: str
    dataset_id: str | None
    dataset_name: str
    state: State
    work: Annotated[Work | None, Field(description="The step in progress.")]
    n: Annotated[int | None, Field(description="Number of measured images.")]
    n_used_in_training: Annotated[
        int | None, Field(description="Images that were used in training, and duplicates of them.")
    ]
    headline: Headline | None
    notes: tuple[TimedNote, ...]
    error: Failure | None
    queue_position: Annotated[int | None, Field(description="1 is next.")]
    created: str
    ended: str | None


def list_evaluations(workspace: Workspace, run_id: str, paging: Paging) -> Page[EvaluationState]:
    """Return the evaluations of a training, the newest first.

    Raises:
        NotFound: there is no such training.
    """
    run = find_job(workspace, run_id, "train")
    with _listing:
        _list_unlisted(workspace, run)
    jobs = all_jobs(workspace, "evaluate", classifier_id=run_id)
    queue = waiting(workspace, "evaluate")
    return Page([_state_of(job, run.name, queue) for job in paging.of(jobs)], len(jobs))


def evaluation_state(workspace: Workspace, evaluation_id: str) -> EvaluationState:
    """Return the state of an evaluation.

    Raises:
        NotFound: there is no such evaluation.
    """
    job = find_job(workspace, evaluation_id, "evaluate")
    run = find_job(workspace, job.classifier_id or "", "train")
    return _state_of(job, run.name, waiting(workspace, "evaluate"))


def _state_of(job: Job, run_name: str, queue: list[str]) -> EvaluationState:
    status = status_of(job)
    state = state_of(job, status)
    measured = evaluation_of(job) if state == "done" else None
    progress = folded_log(job).progress
    return EvaluationState(
        kind="evaluate",
        id=job.id,
        name=job.name,
        run_id=job.classifier_id or "",
        run_name=run_name,
        folder=str(job.folder),
        dataset_id=job.dataset_id,
        dataset_name=job.dataset_name,
        state=state,
        work=progress.work if state in ACTIVE else None,
        n=None if measured is None else measured.n,
        n_used_in_training=_n_seen(job.run) if measured is not None else None,
        headline=headline_of(job.run) if measured is not None else None,
        notes=progress.notes,
        error=why_failed(job, status) if state == "failed" else None,
        queue_position=queue.index(job.id) + 1 if job.id in queue else None,
        created=job.created,
        ended=None if state in ACTIVE or state == "queued" or status is None else status.heartbeat,
    )


def _n_seen(evaluation: Run) -> int | None:
    with suppress(BadRun):
        images = evaluation.evaluated_images
        return None if images is None else images.n_used_in_training
    return None


def _list_unlisted(workspace: Workspace, run: Job) -> None:
    """List evaluations from the command line that are in the run's folder and know their images."""
    folders = {str(job.folder) for job in all_jobs(workspace, "evaluate", classifier_id=run.id)}
    for evaluation in run.run.evaluations:
        with suppress(BadRun):  # a damaged evaluation is not listed
            images = evaluation.evaluated_images
            if images is not None and str(evaluation.folder) not in folders:
                _list(workspace, run, evaluation, images.opened)


def _list(workspace: Workspace, run: Job, evaluation: Run, opened: Opened) -> None:
    grouping = [f"--group={opened.group}"] if opened.group else []
    grouping += [f"--group-pattern={opened.group_pattern}"] if opened.group_pattern else []
    options = [*grouping, f"--name={evaluation.folder.name}"]
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind="evaluate",
        name=evaluation.folder.name,
        dataset_name=Path(opened.sources[0]).name,
        classifier_id=run.id,
        folder=str(evaluation.folder),
        command=["-m", "coverslip", "evaluate", *options, "--", str(run.folder), *opened.sources],
        choices={"sources": list(opened.sources)},
        state="started",
        queued=None,
    )


@dataclass(frozen=True, slots=True)
class EvaluationEvents:
    """The events of an evaluation by name."""

    state: Annotated[EvaluationState, Field(description="The current state: first, after each change, and last.")]


class WatchedEvaluation:
    """The source of the events of an evaluation."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id

    def snapshot(self) -> JobSnapshot:
        try:
            state = evaluation_state(self._workspace, self._id)
        except NotFound:
            return JobSnapshot({}, True, [])
        return JobSnapshot({"state": as_text(state)}, has_ended(state.state), [])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return []
