"""One process at a time works in the folder of a run, an evaluation or a study.

The lock is one of the operating system on a file in the folder, which stays there: it ends with its process, however
that ends, so that a dead one holds nobody up. Some network file systems have no locks: there, only the heartbeat of
`status.json` shows that another process is at work. A process must not open its own lock file: closing it again would
give the lock back.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

from coverslip.cache import sole_lock
from coverslip.errors import BadRun, Conflict
from coverslip.messages import ChooseOther

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
        raise _not_usable(folder, f"made: {error.strerror}") from error
    try:
        lock: AbstractContextManager[object] = closing(sole_lock(folder / WORK_LOCK, wait_s=_WAIT_S))
    except OSError:
        lock = nullcontext()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # its higher bits are details
            raise _not_usable(folder, f"locked: {error}") from error
        raise Conflict("Another process works in this folder", file=folder, do="Stop that process first.") from error
    with lock:
        yield


def _not_usable(folder: Path, why: str) -> BadRun:
    what = f"The folder could not be {why}"
    return BadRun(what, file=folder, do="Choose another folder.", remedies=(ChooseOther("output"),))
