"""What a refused piece of work leaves behind: nothing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from coverslip.errors import CoverslipError
from coverslip.runs.folder import Run


@contextmanager
def no_folder_after(refusal: type[CoverslipError], run: Run) -> Iterator[None]:
    """Remove the folder of a run or an evaluation after a refusal, if the folder is new and holds no pretraining."""
    is_new, is_parent_new = not run.folder.exists(), not run.folder.parent.exists()
    try:
        yield
    except refusal:
        if is_new and not run.pretraining.folder.exists():
            shutil.rmtree(run.folder, ignore_errors=True)
            if is_parent_new:
                with suppress(OSError):  # it holds other runs
                    run.folder.parent.rmdir()
        raise
