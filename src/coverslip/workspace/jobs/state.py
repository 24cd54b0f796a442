"""The state of jobs, always read from their folders and processes, so that a restarted server has it."""

import time
from typing import Literal

from sqlalchemy import Connection

from coverslip.errors import BadRun
from coverslip.runs import Status
from coverslip.workspace.jobs.faults import failure_before_work, is_of_earlier_process
from coverslip.workspace.jobs.processes import is_running
from coverslip.workspace.jobs.records import Job, unended_jobs

State = Literal["queued", "starting", "running", "stopping", "stopped", "done", "failed", "interrupted"]
ACTIVE: frozenset[State] = frozenset({"starting", "running", "stopping"})

_LAUNCH_SECONDS = 10.0  # if the server dies before it records the PID, the state is unknown this long


def has_ended(state: State) -> bool:
    """Return whether a job is neither waiting nor running."""
    return state not in ACTIVE and state != "queued"


def is_at_work(job: Job) -> bool:
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
        return "starting"
    is_own = status is not None and not is_of_earlier_process(job, status)
    if status is not None and is_own and status.state != "running":  # its process may still be ending
        return status.state
    if is_at_work(job):
        if job.stop_asked is not None or job.run.stop_file.exists():
            return "stopping"
        return "running" if is_own else "starting"
    if is_own:
        return "interrupted"
    if job.stop_asked is not None:  # it was ended before it could write a status
        return "stopped"
    return "failed" if failure_before_work(job) else "interrupted"


def jobs_reading(connection: Connection, dataset_id: str) -> list[Job]:
    """Return the waiting and running jobs on a dataset."""
    jobs = unended_jobs(connection, dataset_id)
    return [job for job in jobs if job.state == "queued" or is_at_work(job)]
