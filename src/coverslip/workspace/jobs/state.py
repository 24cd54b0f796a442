"""Processes of jobs, which outlive the server that started them; their state, failures and logs.

The state is always read from folders and processes, so that a restarted server has it.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from coverslip.errors import BadRun
from coverslip.files import write_json
from coverslip.machine import process_started
from coverslip.messages import FAILURE_VARIABLE, Failure, failure, failure_of, language, localized_failure
from coverslip.runs import Status
from coverslip.runs.log import FoldedLog, Progress
from coverslip.workspace.jobs.records import Job, unended_jobs
from coverslip.workspace.jobs.slurm import Slurm
from coverslip.workspace.workers import child_environment

_MARK = b"=== begun "
_WINDOWS_DETACHED = 0x00000008 | 0x00000200  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP


@dataclass(frozen=True, slots=True)
class Launched:
    """A started process, and its start time, which distinguishes it from a later process with the same PID."""

    process: "subprocess.Popen[bytes]"
    pid: int
    started: float


def launch(
    arguments: Sequence[str],
    *,
    log: Path,
    failure: Path,
    folder: Path,
    readable: Sequence[Path],
    slurm: Slurm | None = None,
) -> Launched:
    """Start `python ARGUMENTS` in a new session, so that it survives the end of the server.

    Args:
        arguments: the arguments after the interpreter.
        log: the file to which its output is appended.
        failure: the file in which a command of coverslip records its failure; an earlier file is removed.
        folder: its working folder.
        readable: as for `child_environment`.
        slurm: submits the process to a cluster; None: it runs on this computer.
    """
    import psutil

    command = [sys.executable, "-P", *arguments]  # -P: files in the folder are not imported as modules
    failure.unlink(missing_ok=True)
    with log.open("ab") as out:
        out.write(_MARK + datetime.now(UTC).isoformat(timespec="seconds").encode() + b"\n")
        out.flush()
        process = subprocess.Popen(
            command if slurm is None else slurm.submitting(command, log),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**child_environment(readable), FAILURE_VARIABLE: str(failure)},
            start_new_session=True,
            creationflags=_WINDOWS_DETACHED if os.name == "nt" else 0,
        )
    child = psutil.Process(process.pid)
    with suppress(psutil.Error, OSError):  # only an administrator may reset the niceness of the server
        child.nice(0)
    return Launched(process, process.pid, process_started(process.pid))


def is_running(pid: int | None, started: float | None) -> bool:
    """Return whether the process with this PID and start time is running."""
    import psutil

    if pid is None or started is None:
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process_started(pid) - started) < 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # a process of another user, so it exists
        return True


def terminate(pid: int | None, started: float | None) -> None:
    """Send SIGTERM to the process with this PID and start time."""
    if pid is not None and is_running(pid, started):
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)


def end_for_memory(job: Job, n_bytes: int, most_bytes: int) -> None:
    """End the processes of a job at once, and record that they took more memory than allowed."""
    import psutil

    if job.pid is None or not is_running(job.pid, job.process_started):
        return
    reason = failure("job-took-memory", kind="memory", taken=n_bytes / 1e9, limit=most_bytes / 1e9)
    write_json(job.failure_file, asdict(reason))
    with suppress(psutil.Error):
        process = psutil.Process(job.pid)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                each.kill()


def record_signal(job: Job, exit_code: int) -> None:
    """Record that a signal ended the process of a job before its folder existed: its last output is not the cause."""
    status = status_of(job)
    is_in_folder = status is not None and not is_from_earlier_process(job, status)
    if exit_code >= 0 or is_in_folder or job.stop_requested is not None or job.failure_file.exists():
        return
    with suppress(ValueError):  # a number without a name
        name = signal.Signals(-exit_code).name
        write_json(job.failure_file, asdict(failure("job-ended-by-signal", kind="ended", signal=name)))


def lines_of_last_process(log: Path, n_most: int = 60) -> list[str]:
    """Return the last lines of output of the last process."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 64 * 1024))
            _, _, output = (b"\n" + file.read()).rpartition(b"\n" + _MARK)
    except OSError:
        return []
    return output.decode(errors="replace").splitlines()[1:][-n_most:]


def is_from_earlier_process(job: Job, status: Status) -> bool:
    """Return whether the status was written before the job's last process started."""
    if job.process_started is None or job.launched is None:
        return False
    if status.host == platform.node() and status.process_started <= job.process_started:
        return status.process_started < job.process_started
    # Start times are relative to that of the computer, which may have restarted since. `began` has whole seconds.
    return datetime.fromisoformat(status.began).timestamp() < job.launched - 1


def failure_of_job(job: Job, status: Status | None) -> Failure:
    """Return why a job failed: by its status, else by the failure file of its last process, else by its output."""
    if status is not None and not is_from_earlier_process(job, status):
        if status.failure is not None:
            return localized_failure(status.failure)
        if status.state == "failed" and status.reason:
            return _fault(status.reason)
    return failure_before_start(job) or failure("job-ended-silently", kind="ended")


def _fault(reason: str) -> Failure:
    return failure("job-fault", kind="fault", reason=reason)


def failure_before_start(job: Job) -> Failure | None:
    """Return how the last process failed before its folder existed; None if there is no trace."""
    if recorded := _recorded_failure(job):
        return recorded
    lines = [line.strip() for line in lines_of_last_process(job.log) if line.strip()]
    return _fault(lines[-1]) if lines else None


def _recorded_failure(job: Job) -> Failure | None:
    try:
        return failure_of(json.loads(job.failure_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


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


def _initial_progress(job: Job) -> Progress:
    choices = job.effective_choices
    init = choices.get("init")
    is_finetuned = choices.get("stage") != "instant" or init == "scratch"
    return Progress(is_finetuned=is_finetuned, has_pretraining=isinstance(init, dict) and "train_on" in init)


State = Literal["queued", "starting", "running", "stopping", "stopped", "done", "failed", "interrupted"]
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
        return "starting"
    is_current = status is not None and not is_from_earlier_process(job, status)
    if status is not None and is_current and status.state != "running":  # its process may still be ending
        # A process that failed may still remove its folder: before its end, the job could look as if it were starting.
        is_removing = status.state == "failed" and is_running(job.pid, job.process_started)
        return "running" if is_removing else status.state
    if has_process(job):
        if job.stop_requested is not None or job.run.stop_file.exists():
            return "stopping"
        return "running" if is_current else "starting"
    if is_current:
        return "failed" if _recorded_failure(job) else "interrupted"
    if job.stop_requested is not None:  # it was ended before it could write a status
        return "stopped"
    return "failed" if failure_before_start(job) else "interrupted"


def end_time(state: State, status: Status | None) -> str | None:
    """Return when a job ended: ISO 8601, UTC; None if it has not ended or has no status."""
    return status.heartbeat if status is not None and has_ended(state) else None


def jobs_reading(connection: Connection, dataset_id: str) -> list[Job]:
    """Return the waiting and running jobs on a dataset."""
    jobs = [job for job in unended_jobs(connection) if dataset_id in job.dataset_ids]
    return [job for job in jobs if job.state == "queued" or has_process(job)]
