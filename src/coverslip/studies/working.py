"""Who works on a study says in `status.json` what it is doing."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coverslip.errors import CoverslipError, Stopped
from coverslip.runs import Run, StatusFile
from coverslip.stopping import signals_stop


@contextmanager
def working_on(folder: Path) -> Iterator[StatusFile]:
    """Leave word of the work on a study, and of how it ended.

    Args:
        folder: of the study.

    Yields:
        Where it is said how far the work is.
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
            with suppress(CoverslipError, OSError):  # on a full disk `error` matters more
                reason = str(error) or type(error).__name__
                status.say("stopped" if is_stop else "failed", reason=reason, failure=failure, seconds_left=None)
            raise
