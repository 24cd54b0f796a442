"""List all jobs, and describe their current states."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coverslip.runs.log import LogLine, LogReader
from coverslip.runs.progress import Work
from coverslip.runtime.programs import last_output, recorded_failure
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    JobFacts,
    State,
    facts_of,
    find_job,
    find_jobs,
    has_ended,
    job_kinds,
    kind_of,
    state_of,
    status_of,
)
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Workspace

Action = Literal["stop", "finish", "resume", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState(JobFacts):
    """The current state of a job of any kind."""

    kind: str
    """The kind of job, such as `train` or `leakage-estimate`."""
    name: str
    """Its own name, or that of the images or the training that it is about."""
    progress: Work | None
    """Null if it is not running, or before the first report."""
    dataset_ids: list[str]
    """The datasets that it reads."""
    actions: list[Action]
    """Requests that are possible now. A removed job is restored only if it is lasting."""
    is_lasting: bool
    """Whether its files are its result, and it outlives the server. Other jobs compute what pages show: they end with
    the server, and the last of them are listed."""
    result: str | None
    """Path below `/api/v1` of the result that it computes for pages; null if it is lasting."""


def list_jobs(
    workspace: Workspace, paging: Paging, *, kinds: Sequence[str] = (), states: Sequence[State] = ()
) -> Page[JobState]:
    """Return the jobs of these kinds and states, or of all, the newest first.

    Jobs of kinds of other versions are not listed.
    """
    jobs = find_jobs(workspace)
    removed = {job.folder for job in jobs if job.state == "removed"}  # with the jobs in their folders
    jobs = [job for job in jobs if removed.isdisjoint((job.folder, *job.folder.parents))]
    current = job_kinds()
    jobs = [job for job in jobs if job.kind in current and (not kinds or job.kind in kinds)]
    if states:
        jobs = [job for job in jobs if state_of(job, status_of(job)) in states]
    return Page([job_state(workspace, job) for job in paging.of(jobs)], len(jobs))


def story_of(workspace: Workspace, job_id: str, kind: str | None = None) -> Any:  # Any: a dataclass of its kind
    """Return what is known of a job: its state, and what is specific to its kind.

    Args:
        workspace: the workspace.
        job_id: the job.
        kind: its kind; None: any.

    Raises:
        NotFound: there is no such job of this kind.
    """
    job = find_job(workspace, job_id, *([] if kind is None else [kind]))
    return (kind_of(job).story or job_state)(workspace, job)


def list_log_lines(workspace: Workspace, job_id: str, paging: Paging) -> Page[LogLine]:
    """Return the important events of a job, the newest first. Before them are the last lines of output if it died.

    Raises:
        NotFound: there is no such job.
    """
    job = find_job(workspace, job_id)
    lines = [line for line in LogReader(job.run.events_file).new_lines() if line.is_lasting]
    if not lines or recorded_failure(job.folder):
        lines += _output_of(job, lines[-1].n if lines else 0)
    return paging.page_of(lines[::-1])


def job_state(workspace: Workspace, job: Job) -> JobState:
    """Return the state of a job of any kind."""
    kind, status = kind_of(job), status_of(job)
    state = state_of(job, status)
    return JobState(
        **facts_of(workspace, job, status, state),
        kind=job.kind,
        progress=kind.progress(job) if state in ACTIVE else None,
        dataset_ids=job.dataset_ids,
        actions=_actions(state, can_resume_finished=kind.can_resume_finished, can_finish=kind.can_finish(job, state)),
        is_lasting=not kind.ends_with_server,
        result=None if job.key is None else job.choices["link"],
    )


def _actions(state: State, *, can_resume_finished: bool, can_finish: bool) -> list[Action]:
    actions: list[Action] = []
    if not has_ended(state):
        actions.append("stop")
    if can_finish:
        actions.append("finish")
    if has_ended(state) and (state != "done" or can_resume_finished):
        actions.append("resume")
    if state not in ACTIVE:
        actions.append("remove")
    return actions


def _output_of(job: Job, after: int) -> list[LogLine]:
    try:
        written = job.log.stat().st_mtime
    except OSError:
        return []
    lines = [line for line in last_output(job.folder) if line.strip()]
    return [LogLine(n, written, "Output", {}, line) for n, line in enumerate(lines, start=after + 1)]
