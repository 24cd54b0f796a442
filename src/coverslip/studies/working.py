"""The status of the work on a study, in `status.json`."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coverslip.errors import CoverslipError, Stopped
from coverslip.runs import Run, StatusFile
from coverslip.stopping import signals_stop


@contextmanager
def working_on(folder: Path) -> Iterator[StatusFile]:
    """Record the status of the work on a study, and how it ended.

    Args:
        folder: of the study.

    Yields:
        The status file, which receives progress.
    """
    status = StatusFile(Run(folder).status_file)
    with signals_stop():
        status.say("running")
        try:
            yield status
            status.say("done", seconds_left=None)
        except BaseException as error:
            is_stop = isinstance(error, Stopped | KeyboardInterrupt)
            failure = error.failure if isinstance(error, CoverslipError) and not is_stop else None
            with suppress(CoverslipError, OSError):  # if the disk is full, `error` is more important
                reason = str(error) or type(error).__name__
                status.say("stopped" if is_stop else "failed", reason=reason, failure=failure, seconds_left=None)
            raise
