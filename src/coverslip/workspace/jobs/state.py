"""The state of jobs, always read from folders and processes, so that a restarted server has it."""

import platform
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection

from coverslip.errors import BadRun
from coverslip.messages import Failure, failure, language, localized_failure
from coverslip.runs import Status
from coverslip.runs.log import FoldedLog, LoggedProgress
from coverslip.runtime.programs import is_running, record_exit, recorded_failure
from coverslip.workspace.jobs.records import Job, unended_jobs


def record_end(job: Job, exit_code: int) -> None:
    """Record how the process of a job ended, unless it did so itself, or was to stop."""
    status = status_of(job)
    is_recorded = status is not None and not is_from_earlier_process(job, status) and status.state != "running"
    if not is_recorded and job.stop_requested is None:
        record_exit(job.folder, exit_code)


def is_from_earlier_process(job: Job, status: Status) -> bool:
    """Return whether the status was written before the job's last process started."""
    if job.process_started is None or job.launched is None:
        return False
    if status.host == platform.node() and status.process_started <= job.process_started:
        return status.process_started < job.process_started
    # Start times are relative to that of the computer, which may have restarted since. `began` has whole seconds.
    return datetime.fromisoformat(status.began).timestamp() < job.launched - 1


def failure_of_job(job: Job, status: Status | None) -> Failure:
    """Return why a job failed: by its status, else as it was recorded beside its folder."""
    if status is not None and not is_from_earlier_process(job, status):
        if status.failure is not None:
            return localized_failure(status.failure)
        if status.state == "failed" and status.reason:
            return failure("job-fault", kind="fault", reason=status.reason)
    return recorded_failure(job.folder) or failure("job-ended-silently", kind="ended")


_MOST_LOGS = 32

_logs: dict[tuple[Path, str], FoldedLog] = {}  # folded logs are kept, so that only new lines are read
_logs_lock = threading.Lock()


def folded_log(job: Job) -> FoldedLog:
    """Return the log of a job up to now, folded once for all callers."""
    key = (job.folder, language())
    with _logs_lock:
        log = _logs.pop(key, None) or FoldedLog(job.run.events_file, _initial_progress(job))
        _logs[key] = log
        while len(_logs) > _MOST_LOGS:
            del _logs[next(iter(_logs))]
    log.refresh()
    return log


def _initial_progress(job: Job) -> LoggedProgress:
    init = job.effective_choices.get("init")
    return LoggedProgress(has_pretraining=isinstance(init, dict) and "train_on" in init)


State = Literal["queued", "starting", "running", "stopping", "stopped", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What the states of all kinds of jobs have in common."""

    id: str
    name: str
    state: State
    error: Annotated[Failure | None, Field(description="Why it failed.")]
    created: Annotated[str, Field(description="Time of the request; ISO 8601, UTC.")]
    ended: Annotated[str | None, Field(description="Null until it ends; ISO 8601, UTC.")]


def facts_of(job: Job, status: Status | None, state: State) -> dict[str, Any]:  # Any: the fields of `JobFacts`
    """Return the values of `JobFacts`."""
    return {
        "id": job.id,
        "name": job.name,
        "state": state,
        "error": failure_of_job(job, status) if state == "failed" else None,
        "created": job.created,
        "ended": end_time(state, status),
    }


ACTIVE: frozenset[State] = frozenset({"starting", "running", "stopping"})

_LAUNCH_SECONDS = 10.0  # if the server dies before it records the PID, the state is unknown this long


def has_ended(state: State) -> bool:
    """Return whether a job is neither waiting nor running."""
    return state not in ACTIVE and state != "queued"


def has_process(job: Job) -> bool:
    """Return whether a process runs the job, started by the app or in a terminal."""
    if job.state == "started" and is_running(job.pid, job.process_started):
        return True
    status = status_of(job)
    return _is_being_launched(job) or (status is not None and status.is_alive)


def _is_being_launched(job: Job) -> bool:
    if job.state != "started" or job.pid is not None or job.launched is None:
        return False
    return 0 <= time.time() - job.launched < _LAUNCH_SECONDS  # negative: the clock was set back


def status_of(job: Job) -> Status | None:
    """Return the last status of its process; None before the first."""
    try:
        return job.run.status
    except BadRun:
        return None


def state_of(job: Job, status: Status | None) -> State:
    """Return the state of a job by its row, process and status."""
    if job.state == "queued":
        return "queued"
    if _is_being_launched(job):
        return "starting" if job.stop_requested is None else "stopping"
    is_current = status is not None and not is_from_earlier_process(job, status)
    if status is not None and is_current and status.state != "running":  # its process may still be ending
        # A process that failed may still remove its folder: before its end, the job could look as if it were starting.
        is_removing = status.state == "failed" and is_running(job.pid, job.process_started)
        return "running" if is_removing else status.state
    is_watched = job.state == "started" and job.pid is not None  # until the queue has recorded how its process ended
    if is_watched or has_process(job):
        if job.stop_requested is not None or job.run.stop_file.exists():
            return "stopping"
        return "running" if is_current else "starting"
    if recorded_failure(job.folder):
        return "failed"
    # Without a failure, nobody watched its end. If it was to stop, it was ended before it could write that.
    was_ended = job.stop_requested is not None and (job.key is not None or not is_current)
    return "stopped" if was_ended else "interrupted"


def end_time(state: State, status: Status | None) -> str | None:
    """Return when a job ended: ISO 8601, UTC; None if it has not ended or has no status."""
    return status.heartbeat if status is not None and has_ended(state) else None


def jobs_reading(connection: Connection, dataset_id: str) -> list[Job]:
    """Return the waiting and running jobs on a dataset whose files are their results."""
    jobs = [job for job in unended_jobs(connection) if job.key is None and dataset_id in job.dataset_ids]
    return [job for job in jobs if job.state == "queued" or has_process(job)]
