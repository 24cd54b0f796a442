"""Why a job failed."""

import re
from dataclasses import dataclass

from coverslip.runs import Status
from coverslip.workspace.jobs.processes import lines_of_last_process
from coverslip.workspace.jobs.records import Job

_FAULT_LINE = re.compile(r"^Error: (.+)$")


@dataclass(frozen=True, slots=True)
class Fault:
    """What happened, and what to do about it."""

    what: str
    do: str


def is_of_earlier_process(job: Job, status: Status) -> bool:
    """Whether the status was written before the job's last process was begun."""
    if job.process_started is None:
        return False
    return status.process_started < job.process_started - 1


def fault_of(job: Job, status: Status | None) -> Fault:
    """Why a job failed: as its status says, else as the last line that it printed."""
    if status is not None and not is_of_earlier_process(job, status):
        if status.what:
            return Fault(status.what, status.do or "")
        if status.state == "failed" and status.reason:
            return Fault(status.reason, "What the process printed may say more.")
    return fault_in_log(job) or Fault("It ended without a word", "Start it again; the computer may have been short.")


def fault_in_log(job: Job) -> Fault | None:
    """The error that the last process printed, or else its last line; None where it said nothing."""
    lines = [line.strip() for line in lines_of_last_process(job.log) if line.strip()]
    if not lines:
        return None
    found = next((match[1] for line in reversed(lines) if (match := _FAULT_LINE.match(line))), None)
    if found is None:
        return Fault(lines[-1], "This is a fault of coverslip; please report it, with what the process printed.")
    what, _, do = found.rpartition(". ")  # what happened, then the sentence that says what to do
    return Fault(what, do) if what else Fault(found, "")
