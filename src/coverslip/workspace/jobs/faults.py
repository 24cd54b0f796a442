"""Why a job failed, and its log."""

import json
import threading
from datetime import datetime
from pathlib import Path

from coverslip.messages import Failure, failure, failure_of
from coverslip.runs import Status
from coverslip.runs.log import FoldedLog, LogLine, Progress, lasting_lines
from coverslip.workspace.jobs.processes import lines_of_last_process
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.store.workspace import Workspace


def is_of_earlier_process(job: Job, status: Status) -> bool:
    """Return whether the status was written before the job's last process started."""
    if job.process_started is None or job.launched is None or status.process_started == job.process_started:
        return False
    return datetime.fromisoformat(status.began).timestamp() < job.launched - 1


def why_failed(job: Job, status: Status | None) -> Failure:
    """Return why a job failed: by its status, else by the failure file of its last process, else by its output."""
    if status is not None and not is_of_earlier_process(job, status):
        if status.failure is not None:
            return status.failure
        if status.state == "failed" and status.reason:
            return _fault(status.reason)
    return failure_before_work(job) or failure("job-ended-silently", kind="ended")


def _fault(reason: str) -> Failure:
    return failure("job-fault", kind="fault", reason=reason)


def failure_before_work(job: Job) -> Failure | None:
    """Return how the last process failed before its folder existed; None if there is no trace."""
    try:
        return failure_of(json.loads(job.failure_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    lines = [line.strip() for line in lines_of_last_process(job.log) if line.strip()]
    return _fault(lines[-1]) if lines else None


_LOGS_KEPT = 32

_logs: dict[Path, FoldedLog] = {}  # folded logs are kept, so that only new lines are read
_logs_lock = threading.Lock()


def folded_log(job: Job) -> FoldedLog:
    """Return the log of a job up to now, folded once for all callers."""
    with _logs_lock:
        log = _logs.pop(job.folder, None) or FoldedLog(job.run.events_file, _before_first_event(job))
        _logs[job.folder] = log
        while len(_logs) > _LOGS_KEPT:
            del _logs[next(iter(_logs))]
    log.refresh()
    return log


def _before_first_event(job: Job) -> Progress:
    choices = job.settled_choices
    init = choices.get("init")
    is_finetuned = choices.get("stage") != "instant" or init == "scratch"
    return Progress(is_finetuned=is_finetuned, has_pretraining=isinstance(init, dict) and "train_on" in init)


def list_log_lines(workspace: Workspace, run_id: str, paging: Paging) -> Page[LogLine]:
    """Return the important lines of a training's log, the newest first.

    Raises:
        NotFound: there is no such training.
    """
    lines = lasting_lines(find_job(workspace, run_id, "train").run.events_file)
    return paging.page_of(lines[::-1])
