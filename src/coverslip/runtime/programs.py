"""Programs that work on a folder, in sessions of their own, so that they can outlive the process that started them.

Two files stand beside the folder, which may not exist yet: the output of the program, and the reason why it failed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.files import write_json
from coverslip.machine import process_started
from coverslip.messages import FAILURE_VARIABLE, Failure, failure, failure_of
from coverslip.runtime.slurm import Slurm

_SECONDS_TO_DIE = 1.0
_MARK = b"=== begun "
_WINDOWS_DETACHED = 0x00000008 | 0x00000200  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP
_ERROR = re.compile(r"\b\w*(?:error|exception)\b(?::|$)", re.IGNORECASE)

Program = subprocess.Popen[bytes]


def log_file(folder: Path) -> Path:
    """Return the file with the output of the programs of a folder."""
    return folder.with_name(f"{folder.name}.log")


def failure_file(folder: Path) -> Path:
    """Return the file in which the last program of a folder records its failure. It exists only after a failure."""
    return folder.with_name(f"{folder.name}.failure.json")


def python_command(*arguments: str) -> list[str]:
    """Return the command that runs Python with these arguments."""
    return [sys.executable, "-P", *arguments]  # -P: files in the folder are not imported as modules


def launch(
    command: Sequence[str],
    folder: Path,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    holds_stdin: bool = False,
    slurm: Slurm | None = None,
) -> Program:
    """Start a program. Its output is appended to the log of the folder, and an earlier failure is removed.

    Args:
        command: the program and its arguments.
        folder: what it works on.
        cwd: its working folder; None: that of this process.
        environment: its environment. A command of coverslip also learns where to record a failure.
        holds_stdin: leave its stdin open until this process ends, for `end_with_parent`.
        slurm: runs it as a job; None: on this computer.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    failure_file(folder).unlink(missing_ok=True)
    with log_file(folder).open("ab") as log:
        log.write(_MARK + datetime.now(UTC).isoformat(timespec="seconds").encode() + b"\n")
        log.flush()
        return subprocess.Popen(
            slurm.submitting(command, log_file(folder)) if slurm else command,
            stdin=subprocess.PIPE if holds_stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**environment, FAILURE_VARIABLE: str(failure_file(folder))},
            start_new_session=True,
            creationflags=_WINDOWS_DETACHED if os.name == "nt" else 0,
        )


def end_with_parent() -> None:
    """End this process when the one that launched it with an open stdin ends, however that ends."""

    def wait() -> None:
        # Without the lock of `sys.stdin`, with which Python would abort the process at its normal end.
        while os.read(sys.stdin.fileno(), 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="end with parent", daemon=True).start()


def is_running(pid: int | None, started: float | None) -> bool:
    """Return whether the process with this PID and start time is running."""
    import psutil

    if pid is None or started is None:
        return False
    try:
        process = psutil.Process(pid)
        # The exit status of a zombie was not read yet.
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


def kill_with_children(pid: int | None, started: float | None) -> None:
    """End the process with this PID and start time at once, with those that it started. Wait up to a second for it."""
    import psutil

    if pid is None or not is_running(pid, started):
        return
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                each.kill()
    until = time.monotonic() + _SECONDS_TO_DIE
    while is_running(pid, started) and time.monotonic() < until:
        time.sleep(0.005)


_MOST_LINES = 60  # of output


def last_output(folder: Path) -> list[str]:
    """Return the last lines of output of the last program of a folder."""
    try:
        with log_file(folder).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 64 * 1024))
            _, _, output = (b"\n" + file.read()).rpartition(b"\n" + _MARK)
    except OSError:
        return []
    return output.decode(errors="replace").splitlines()[1:][-_MOST_LINES:]


def exit_failure(folder: Path, exit_code: int) -> Failure:
    """Return how the last program of a folder ended: by a signal, or with an error of its output. Warnings are none."""
    if exit_code < 0:
        return failure("job-ended-by-signal", kind="ended", signal=_name_of_signal(-exit_code))
    if exit_code == 0:
        return failure("job-ended-silently", kind="ended")
    lines = (line.strip() for line in reversed(last_output(folder)))
    if error := next((line for line in lines if _ERROR.search(line)), None):
        return failure("job-ended-with-error", kind="ended", reason=error.rstrip("."), exit_code=exit_code)
    return failure("job-ended-with-code", kind="ended", exit_code=exit_code)


def _name_of_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a number without a name
        return str(number)


def record_failure(folder: Path, reason: Failure) -> None:
    """Record why the last program of a folder failed."""
    write_json(failure_file(folder), asdict(reason))


def record_exit(folder: Path, exit_code: int) -> None:
    """Record how the last program of a folder ended, unless the program recorded that itself."""
    if not failure_file(folder).exists():
        with suppress(CoverslipError):  # the disk is full
            record_failure(folder, exit_failure(folder, exit_code))


def recorded_failure(folder: Path) -> Failure | None:
    """Return why the last program of a folder failed, in the current language; None if that is not recorded."""
    try:
        return failure_of(json.loads(failure_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
