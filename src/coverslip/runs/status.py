"""`status.json` with a heartbeat, which shows whether a process is alive, and the lock of a run folder.

The lock is one of the operating system on a file in the folder, which stays there. It ends with its process, so that a
dead process does not block others. Some network file systems have no locks: there, only the heartbeat of `status.json`
shows that another process is working. A process must not open its own lock file: closing it again would release the
lock.
"""

import os
import platform
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from coverslip.cache import exclusive_lock
from coverslip.errors import BadRun, Conflict
from coverslip.machine import process_started
from coverslip.messages import ChooseOther, Failure, Note, text
from coverslip.runs.documents import Document


def _moment(time_stamp: str) -> str:
    """ISO 8601 with its offset from UTC."""
    if datetime.fromisoformat(time_stamp).utcoffset() is None:
        raise ValueError(text("time-without-offset"))
    return time_stamp


State = Literal["running", "done", "stopped", "failed"]

Moment = Annotated[str, AfterValidator(_moment)]

_SILENT_SECONDS = 300.0  # without a heartbeat: long stretches such as decoding one huge image do not beat


class Status(Document):
    """What the process that works, or worked, on a folder last said."""

    state: State
    host: str
    pid: int = Field(ge=0, lt=2**31)
    process_started: float  # `machine.process_started`: distinguishes a process from a later one with the same number
    began: Moment  # when it began to work on the folder
    heartbeat: Moment
    reason: str | None = None  # of an end before its time
    failure: Failure | None = None  # the same as data, where it is an error of ours
    epoch: int | None = None
    n_epochs: int | None = None
    n_total: int | None = None  # images of a prediction
    seconds_left: float | None = None
    notes: tuple[Note, ...] = ()

    @property
    def seconds_worked(self) -> float:
        """From its beginning to its last heartbeat."""
        return (datetime.fromisoformat(self.heartbeat) - datetime.fromisoformat(self.began)).total_seconds()

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs: its number may have gone to another one since."""
        import psutil

        if self.state != "running":
            return False
        if self.host != platform.node():  # a shared disk: only the heartbeat can be seen from here
            silent = datetime.now(UTC) - datetime.fromisoformat(self.heartbeat)
            return silent.total_seconds() < _SILENT_SECONDS
        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:  # ended; its exit status was not read yet
                return False
            return abs(process_started(self.pid) - self.process_started) < 1
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:  # another user's, so it is there
            return True


class StatusFile:
    """Writes the status of this process's work into a folder."""

    _SECONDS_BETWEEN = 5.0

    def __init__(self, file: Path) -> None:
        self._file = file
        self._values: dict[str, Any] = {}  # Any: of each field its own
        self._written = 0.0
        self._began = datetime.now(UTC).isoformat(timespec="seconds")

    def say(self, state: State, **more: object) -> None:
        """Write the state and whatever belongs to it at once."""
        self._values = {**self._values, "state": state, **more}
        self._write()

    def beat(self, **more: object) -> None:
        """Renew the heartbeat, written at most every few seconds."""
        self._values |= more
        if time.monotonic() - self._written > self._SECONDS_BETWEEN:
            self._write()

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


WORK_LOCK = "work.lock"
_WAIT_S = 1.0  # two that begin in the same moment may refuse each other at first


@contextmanager
def work_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process and thread during the block. The folder is created if there is none.

    Raises:
        BadRun: the folder cannot be made, or no file can be written in it.
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
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # its higher bits are details
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
