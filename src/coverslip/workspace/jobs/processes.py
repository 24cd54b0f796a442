"""Processes of jobs, which outlive the server that started them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coverslip.machine import process_started
from coverslip.messages import FAILURE_VARIABLE
from coverslip.workspace.workers.submit import child_environment

_MARK = b"=== begun "
_WINDOWS_DETACHED = 0x00000008 | 0x00000200  # DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP


@dataclass(frozen=True, slots=True)
class Launched:
    """A started process, and its start time, which distinguishes it from a later process with the same PID."""

    process: "subprocess.Popen[bytes]"
    pid: int
    started: float


def launch(arguments: Sequence[str], *, log: Path, failure: Path, folder: Path, readable: Sequence[Path]) -> Launched:
    """Start `python ARGUMENTS` in a new session, so that it survives the end of the server.

    Args:
        arguments: the arguments after the interpreter.
        log: the file to which its output is appended.
        failure: the file in which a command of coverslip records its failure; an earlier file is removed.
        folder: its working folder.
        readable: as for `child_environment`.
    """
    import psutil

    failure.unlink(missing_ok=True)
    with log.open("ab") as out:
        out.write(_MARK + datetime.now(UTC).isoformat(timespec="seconds").encode() + b"\n")
        out.flush()
        process = subprocess.Popen(
            # -P: files in the folder are not imported as modules
            [sys.executable, "-P", *arguments],
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


def lines_of_last_process(log: Path, most: int = 60) -> list[str]:
    """Return the last lines of output of the last process."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 64 * 1024))
            _, _, output = (b"\n" + file.read()).rpartition(b"\n" + _MARK)
    except OSError:
        return []
    return output.decode(errors="replace").splitlines()[1:][-most:]
