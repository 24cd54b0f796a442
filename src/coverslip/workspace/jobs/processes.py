"""Long work in processes of their own, which outlive the server that began them."""

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
    """A process that was begun, and what tells it from a later one of the same number."""

    process: "subprocess.Popen[bytes]"
    pid: int
    started: float


def launch(arguments: Sequence[str], *, log: Path, failure: Path, folder: Path, readable: Sequence[Path]) -> Launched:
    """Begin `python ARGUMENTS` in a session of its own: closing or killing the server does not touch it.

    Args:
        arguments: after the interpreter.
        log: what it prints is added here.
        failure: where a command of coverslip leaves why it failed; what an earlier process left is removed.
        folder: that it works in.
        readable: as of `child_environment`.
    """
    import psutil

    failure.unlink(missing_ok=True)
    with log.open("ab") as out:
        out.write(_MARK + datetime.now(UTC).isoformat(timespec="seconds").encode() + b"\n")
        out.flush()
        process = subprocess.Popen(
            # -P: a file in the folder that is called like a module is not imported
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
    with suppress(psutil.Error, OSError):  # only an administrator may take back the server's own niceness
        child.nice(0)
    return Launched(process, process.pid, process_started(process.pid))


def is_running(pid: int | None, started: float | None) -> bool:
    """Whether the process that was begun then still works."""
    import psutil

    if pid is None or started is None:
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process_started(pid) - started) < 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's, so it is there
        return True


def terminate(pid: int | None, started: float | None) -> None:
    """Ask a process to end, if it is the one that was begun then."""
    if pid is not None and is_running(pid, started):
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)


def lines_of_last_process(log: Path, most: int = 60) -> list[str]:
    """The last lines that the process which was begun last printed."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 64 * 1024))
            _, _, own = (b"\n" + file.read()).rpartition(b"\n" + _MARK)
    except OSError:
        return []
    return own.decode(errors="replace").splitlines()[1:][-most:]
