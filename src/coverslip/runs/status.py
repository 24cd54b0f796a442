"""`status.json` with a heartbeat, which shows whether a process is alive, and the lock of a run folder.

The lock is a lock of the operating system on a file in the folder. The file stays in the folder, but the lock ends with
its process, so that a dead process does not block others. Some network file systems have no locks. There, only the
heartbeat of `status.json` shows that another process is working. A process must not open its own lock file, since
closing the file would release the lock.
"""

import os
import platform
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from coverslip.cache import exclusive_lock
from coverslip.errors import BadRun, Conflict, CoverslipError, Stopped
from coverslip.machine import process_started
from coverslip.messages import ChooseOther, Failure, Note, text
from coverslip.runs.documents import Document
from coverslip.stopping import signals_stop


def _validated_time(time_stamp: str) -> str:
    """Validate a time in ISO 8601 with its offset from UTC."""
    if datetime.fromisoformat(time_stamp).utcoffset() is None:
        raise ValueError(text("time-without-offset"))
    return time_stamp


State = Literal["running", "done", "stopped", "failed"]

Moment = Annotated[str, AfterValidator(_validated_time)]

_SILENT_SECONDS = 300.0  # without a heartbeat; decoding one huge image, for example, renews no heartbeat


class Status(Document):
    """`status.json`: the last status of the process that works or worked on a folder."""

    state: State
    host: str
    pid: int = Field(ge=0, lt=2**31)
    process_started: float  # `machine.process_started`: distinguishes a process from a later one with the same number
    began: Moment  # start of the work on the folder
    heartbeat: Moment
    reason: str | None = None  # of an early end
    failure: Failure | None = None  # the reason as data, if it is a CoverslipError
    epoch: int | None = None
    n_epochs: int | None = None
    n_total: int | None = None  # number of images of a prediction
    n_done: int | None = None  # of these
    seconds_left: float | None = None
    notes: tuple[Note, ...] = ()

    @property
    def seconds_worked(self) -> float:
        """Seconds from the start of the work to its last heartbeat."""
        return (datetime.fromisoformat(self.heartbeat) - datetime.fromisoformat(self.began)).total_seconds()

    @property
    def is_alive(self) -> bool:
        """Whether the process is still running, and not a later one with the same number."""
        import psutil

        if self.state != "running":
            return False
        if self.host != platform.node():  # a process of another computer is only visible by its heartbeat
            silent = datetime.now(UTC) - datetime.fromisoformat(self.heartbeat)
            return silent.total_seconds() < _SILENT_SECONDS
        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:  # ended, but its exit status was not read yet
                return False
            return abs(process_started(self.pid) - self.process_started) < 1
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:  # a process of another user, so it exists
            return True


class StatusFile:
    """Writes the status of this process's work into a folder."""

    _SECONDS_BETWEEN = 5.0

    def __init__(self, file: Path) -> None:
        self._file = file
        self._values: dict[str, Any] = {}  # Any: each field has its own type
        self._written = 0.0
        self._began = datetime.now(UTC).isoformat(timespec="seconds")

    def write(self, state: State, **more: object) -> None:
        """Write the state and further fields immediately."""
        self._values = {**self._values, "state": state, **more}
        self._write()

    def beat(self, **more: object) -> None:
        """Update fields and renew the heartbeat. The file is written at most every few seconds."""
        self._values |= more
        if time.monotonic() - self._written > self._SECONDS_BETWEEN:
            self._write()

    @contextmanager
    def recording(self) -> Iterator["StatusFile"]:
        """Record that the work of the block runs, and how it ended. A signal requests a stop of it."""
        with signals_stop():
            self.write("running")
            try:
                yield self
                self.write("done", seconds_left=None)
            except BaseException as error:
                state: State = "stopped" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"
                failure = error.failure if isinstance(error, CoverslipError) else None
                with suppress(CoverslipError, OSError):  # if the disk is full, `error` is more important
                    self.write(state, reason=str(error) or type(error).__name__, failure=failure, seconds_left=None)
                raise

    def _write(self) -> None:
        self._written = time.monotonic()
        Status(
            host=platform.node(),
            pid=os.getpid(),
            process_started=process_started(),
            began=self._began,
            heartbeat=datetime.now(UTC).isoformat(timespec="seconds"),
            **self._values,
        ).write(self._file)


def mark_interrupted(file: Path) -> bool:
    """Let the status of a copied folder name no process of this computer, so that its work can be resumed.

    Returns:
        Whether a process worked on the original folder.
    """
    try:
        status = Status.read(file)
    except BadRun:
        return False
    if status.state != "running":
        return False
    status.model_copy(update={"host": platform.node(), "pid": 0, "process_started": 0.0}).write(file)
    return True


WORK_LOCK = "work.lock"
_WAIT_S = 1.0  # processes that start simultaneously may first block each other


@contextmanager
def work_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process and thread during the block. The folder is created if there is none.

    Raises:
        BadRun: the folder cannot be created, or no file can be written in it.
        Conflict: another process works there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_not_created(folder, error) from error
    try:
        lock: AbstractContextManager[object] = closing(exclusive_lock(folder / WORK_LOCK, wait_s=_WAIT_S))
    except OSError:
        lock = nullcontext()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # higher bits are extended codes
            raise BadRun(
                "folder-not-locked", file=folder, remedies=(ChooseOther("output"),), reason=str(error)
            ) from error
        raise folder_in_use(folder) from error
    with lock:
        yield


def folder_in_use(folder: Path) -> Conflict:
    """Return the error for a folder in which another process is working."""
    return Conflict("folder-in-use", file=folder)


def folder_not_created(folder: Path, error: OSError) -> BadRun:
    """Return the error for a folder that cannot be created."""
    reason = error.strerror or str(error)
    return BadRun("folder-not-created", file=folder, remedies=(ChooseOther("output"),), reason=reason)
