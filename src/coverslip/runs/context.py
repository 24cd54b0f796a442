"""The context of a training: its folder, device, listener, stop request and deadline."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.events import Emit, ignore
from coverslip.runs.folder import Run
from coverslip.stopping import BY_SIGNAL, NO_DEADLINE, Deadline, Stop, TimeLimit


@dataclass(frozen=True, slots=True)
class RunContext:
    """The surroundings of one training; it can be passed to another process, as far as its listener can."""

    folder: Path  # the run folder
    device: str = "cpu"  # as PyTorch names it
    emit: Emit = ignore  # receives all events
    stop: Stop = BY_SIGNAL  # whether to end
    deadline: Deadline = NO_DEADLINE  # of all work: fine-tuning without a limit of its own raises there
    limit: TimeLimit | None = None  # that the number of steps of fine-tuning is adapted to

    @property
    def run(self) -> Run:
        """Return the run; its files are read again."""
        return Run(self.folder)

    @property
    def is_finish_requested(self) -> bool:
        """Whether fine-tuning shall end now, with the best epoch so far, and the rest of the training follow."""
        return self.run.finish_file.exists()

    def telling(self, emit: Emit) -> "RunContext":
        """The same with another listener."""
        return replace(self, emit=emit)

    def ending(self, deadline: Deadline) -> "RunContext":
        """The same with another deadline."""
        return replace(self, deadline=deadline)

    def inside(self, folder: Path, emit: Emit) -> "RunContext":
        """For a training inside this one: a fold, or pretraining."""
        return replace(self, folder=folder, emit=emit)


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
