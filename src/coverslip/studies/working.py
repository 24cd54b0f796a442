"""One process at a time works on a study's folder, and says in `status.json` what it is doing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from coverslip.cache import sole_lock
from coverslip.errors import Conflict, CoverslipError, Stopped
from coverslip.runs import Run, StatusFile
from coverslip.stopping import signals_stop


@contextmanager
def working_on(folder: Path) -> Iterator[StatusFile]:
    """Keep other processes away from a study, and leave word of how the work on it ended.

    Args:
        folder: of the study.

    Yields:
        Where it is said how far the work is.

    Raises:
        Conflict: another process works on this study.
    """
    try:
        lock = sole_lock(folder / "study.lock", wait_s=0)
    except sqlite3.OperationalError as error:
        raise Conflict("Another process works on this study", file=folder, do="Wait until it ends.") from error
    status = StatusFile(Run(folder).status_file)
    with closing(lock), signals_stop():
        status.say("running")
        try:
            yield status
            status.say("done", seconds_left=None)
        except BaseException as error:
            is_stop = isinstance(error, Stopped | KeyboardInterrupt)
            failure = error.failure if isinstance(error, CoverslipError) and not is_stop else None
            with suppress(CoverslipError, OSError):  # on a full disk `error` matters more
                reason = str(error) or type(error).__name__
                status.say("stopped" if is_stop else "failed", reason=reason, failure=failure, seconds_left=None)
            raise
