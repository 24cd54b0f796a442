"""The logs of trainings, each folded once for all who ask."""

import threading
from pathlib import Path

from coverslip.runs.log import FoldedLog, LogLine, Progress, lasting_lines
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Page, Paging

_LOGS_KEPT = 32

_logs: dict[Path, FoldedLog] = {}  # a log that was folded is not folded from its beginning again
_logs_lock = threading.Lock()


def folded_log(job: Job) -> FoldedLog:
    """A training's or an evaluation's log as far as it goes, folded once for all who ask."""
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
    """The lines of a training's log that are worth reading, the newest first.

    Raises:
        NotFound: there is no training of this id.
    """
    lines = lasting_lines(find_job(workspace, run_id, "train").run.events_file)
    return paging.page_of(lines[::-1])
