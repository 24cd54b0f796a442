"""Why a job failed."""

import json
from datetime import datetime

from coverslip.messages import Failure, failure_of
from coverslip.runs import Status
from coverslip.workspace.jobs.processes import lines_of_last_process
from coverslip.workspace.jobs.records import Job


def is_of_earlier_process(job: Job, status: Status) -> bool:
    """Whether the status was written before the job's last process was begun."""
    if job.process_started is None or job.launched is None or status.process_started == job.process_started:
        return False
    return datetime.fromisoformat(status.began).timestamp() < job.launched - 1


def why_failed(job: Job, status: Status | None) -> Failure:
    """Why a job failed: as its status says, else as its last process left it behind, else by what that printed."""
    if status is not None and not is_of_earlier_process(job, status):
        if status.failure is not None:
            return status.failure
        if status.state == "failed" and status.reason:
            do = "This is a fault of coverslip; please report it, with what the process printed."
            return Failure(code="fault", what=status.reason, do=do)
    return failure_before_work(job) or Failure(
        code="ended",
        what="The process ended without saying why",
        do="Start it again. The computer may have run out of memory or been switched off.",
    )


def failure_before_work(job: Job) -> Failure | None:
    """How the last process failed before it had a folder to say so in; None where it left no trace of that."""
    try:
        return failure_of(json.loads(job.failure_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    lines = [line.strip() for line in lines_of_last_process(job.log) if line.strip()]
    if not lines:
        return None
    do = "This is a fault of coverslip; please report it, with what the process printed."
    return Failure(code="fault", what=lines[-1], do=do)
