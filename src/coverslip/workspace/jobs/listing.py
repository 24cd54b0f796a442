"""List, stop and resume all jobs: processes with a folder, which outlive the server, and works, which end with it.

A job with a folder is one row of the table of jobs, and its kind is one record. A work is known while the server runs.
Its result is stored in a cache, a run or a dataset, so that nothing is lost with it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import Conflict, NotFound
from coverslip.messages import Failure
from coverslip.runs.log import LogLine, lasting_lines, localized_line
from coverslip.runtime.programs import last_output
from coverslip.workspace.jobs import control
from coverslip.workspace.jobs.kinds import JobProgress, Source, StateSource, kind_of, queued_ids
from coverslip.workspace.jobs.records import Job, find_job, listed_jobs
from coverslip.workspace.jobs.state import (
    ACTIVE,
    State,
    end_time,
    failure_of_job,
    has_ended,
    state_of,
    status_of,
)
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import Work

Action = Literal["stop", "finish", "resume", "remove"]


@dataclass(frozen=True, slots=True)
class JobState:
    """The current state of a job of any kind."""

    id: str
    kind: Annotated[str, Field(description="The kind of job, such as `train` or `leakage-estimate`.")]
    name: Annotated[str, Field(description="Its own name, or that of the images or the training that it is about.")]
    state: State
    progress: Annotated[JobProgress | None, Field(description="Null if it is not running, or before the first report.")]
    dataset_ids: Annotated[list[str], Field(description="The datasets that it reads.")]
    queue_position: Annotated[int | None, Field(description="1 is next; null if it is not waiting.")]
    error: Annotated[Failure | None, Field(description="Why it failed.")]
    actions: Annotated[
        list[Action],
        Field(description="Requests that are possible now. A removed job is restored only if it is lasting."),
    ]
    is_lasting: Annotated[
        bool,
        Field(description="Whether it has a folder and outlives the server. Other jobs are forgotten with the server."),
    ]
    created: Annotated[str, Field(description="When it was requested; ISO 8601, UTC.")]
    ended: Annotated[str | None, Field(description="Null until it ends; ISO 8601, UTC.")]
    links: Annotated[
        dict[str, str],
        Field(description="Paths below `/api/v1`: `self`, `events`, `log`, and `result`, which describes its details."),
    ]


@dataclass(frozen=True, slots=True)
class JobEvents:
    """The events of a job that ends with the server, by name."""

    state: Annotated[JobState, Field(description="The current state: first, after each change, and last.")]


def list_jobs(
    workspace: Workspace, paging: Paging, *, kinds: Sequence[str] = (), states: Sequence[State] = ()
) -> Page[JobState]:
    """Return the jobs of these kinds and states, or of all, the newest first."""
    jobs: list[Job | Work] = [*listed_jobs(workspace), *workspace.works.all()]
    selected = [job for job in jobs if not kinds or _kind_name(job) in kinds]
    selected.sort(key=_created, reverse=True)
    if states:
        selected = [job for job in selected if _state_of(job) in states]
    return Page([_described(workspace, job) for job in paging.of(selected)], len(selected))


def job_state(workspace: Workspace, job_id: str) -> JobState:
    """Return the state of a job.

    Raises:
        NotFound: there is no such job.
    """
    return _described(workspace, _find(workspace, job_id))


def list_log_lines(workspace: Workspace, job_id: str, paging: Paging) -> Page[LogLine]:
    """Return the important events of a job, the newest first; without events, the last lines of its output.

    Raises:
        NotFound: there is no such job.
    """
    job = _find(workspace, job_id)
    if isinstance(job, Work):
        lines = [localized_line(LogLine(**asdict(line))) for line in job.log]
    else:
        lines = lasting_lines(job.run.events_file) or _output_of(job)
    return paging.page_of(lines[::-1])


def stop_job(workspace: Workspace, job_id: str) -> None:
    """Request a job to stop. A waiting job is removed from the queue.

    Raises:
        NotFound: there is no such job.
        Conflict: it has already ended.
    """
    if (work := workspace.works.find(job_id)) is None:
        control.stop_job(workspace, job_id)
    elif not workspace.works.stop(work):
        raise Conflict("job-ended")


def resume_job(workspace: Workspace, job_id: str) -> None:
    """Queue a job that ended early again.

    Raises:
        NotFound: there is no such job.
        Conflict: it is waiting, running or finished.
    """
    if (work := workspace.works.find(job_id)) is None:
        control.resume_job(workspace, job_id)
    elif not workspace.works.resume(work):
        raise Conflict("job-finished" if work.state == "done" else "job-not-ended")


def remove_job(workspace: Workspace, job_id: str) -> None:
    """Move a job with its files to the trash. A work without files is only removed from the list.

    Raises:
        NotFound: there is no such job.
        Conflict: it is running, or a job inside its folder has not ended.
    """
    if (work := workspace.works.find(job_id)) is None:
        control.remove_job(workspace, job_id)
    elif not workspace.works.remove(work):
        raise Conflict("job-not-ended")


def new_source(workspace: Workspace, job_id: str) -> Source:
    """Return the source of the events of a job.

    Raises:
        NotFound: there is no such job.
    """
    job = _find(workspace, job_id)
    if isinstance(job, Work):
        return StateSource(_events_of_work, workspace, job_id)
    return kind_of(job).source(workspace, job_id)


def _events_of_work(workspace: Workspace, work_id: str) -> JobEvents:
    work = workspace.works.find(work_id)
    if work is None:
        raise NotFound("no-such-job")
    return JobEvents(_described_work(workspace, work))


def _find(workspace: Workspace, job_id: str) -> Job | Work:
    return workspace.works.find(job_id) or find_job(workspace, job_id)


def _kind_name(job: Job | Work) -> str:
    return job.kind.name if isinstance(job, Work) else job.kind


def _created(job: Job | Work) -> str:
    return _time(job.created) if isinstance(job, Work) else job.created


def _state_of(job: Job | Work) -> State:
    return job.state if isinstance(job, Work) else state_of(job, status_of(job))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _described(workspace: Workspace, job: Job | Work) -> JobState:
    return _described_work(workspace, job) if isinstance(job, Work) else _described_job(workspace, job)


def _described_job(workspace: Workspace, job: Job) -> JobState:
    kind, status = kind_of(job), status_of(job)
    state = state_of(job, status)
    queue = queued_ids(workspace, kind.queue) if state == "queued" else []
    return JobState(
        id=job.id,
        kind=job.kind,
        name=job.name,
        state=state,
        progress=kind.progress(job) if state in ACTIVE else None,
        dataset_ids=job.dataset_ids,
        queue_position=queue.index(job.id) + 1 if job.id in queue else None,
        error=failure_of_job(job, status) if state == "failed" else None,
        actions=_actions(state, can_resume_finished=kind.can_resume_finished, can_finish=kind.can_finish(job, state)),
        is_lasting=True,
        created=job.created,
        ended=end_time(state, status),
        links=_links(job.id, f"/{kind.collection}/{job.id}"),
    )


def _described_work(workspace: Workspace, work: Work) -> JobState:
    progress = None if work.has_ended else work.progress
    waiting = [each.id for each in workspace.works.all() if each.kind == work.kind and each.state == "queued"]
    return JobState(
        id=work.id,
        kind=work.kind.name,
        name=work.name,
        state=work.state,
        progress=None
        if progress is None
        else JobProgress(progress.done, progress.total, progress.stage, progress.seconds_left),
        dataset_ids=[] if work.dataset_id is None else [work.dataset_id],
        queue_position=waiting.index(work.id) + 1 if work.id in waiting else None,
        error=work.error,
        actions=_actions(work.state, can_resume_finished=False, can_finish=False),
        is_lasting=False,
        created=_time(work.created),
        ended=None if work.ended is None else _time(work.ended),
        links=_links(work.id, work.link),
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


def _links(job_id: str, result: str) -> dict[str, str]:
    path = f"/jobs/{job_id}"
    return {"self": path, "events": f"{path}/events", "log": f"{path}/log", "result": result}


def _output_of(job: Job) -> list[LogLine]:
    try:
        written = job.log.stat().st_mtime
    except OSError:
        return []
    lines = [line for line in last_output(job.folder) if line.strip()]
    return [LogLine(n, written, "Output", {"text": line}) for n, line in enumerate(lines, start=1)]
