"""How the jobs of a server run."""

from dataclasses import dataclass

from coverslip.workspace.jobs.slurm import Slurm
from coverslip.workspace.jobs.turns import Turns

TRAININGS_QUEUE = "trainings"  # also of studies, which contain trainings


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How the jobs of a server run.

    Args:
        slurm: submits trainings and studies to a cluster; None: they run on this computer.
        most_bytes: the memory that a job on this computer may take, with its child processes; None: no limit.
    """

    slurm: Slurm | None = None
    most_bytes: int | None = None

    def turns(self, *, is_open: bool = True) -> Turns:
        """Return the queues of a server. With Slurm, trainings do not wait for each other."""
        return Turns(is_open=is_open, scheduled=() if self.slurm is None else (TRAININGS_QUEUE,))


DEFAULT = JobOptions()
