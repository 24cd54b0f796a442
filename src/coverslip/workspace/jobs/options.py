"""How the jobs of a server run."""

from dataclasses import dataclass

from coverslip.runtime.slurm import Slurm

TRAININGS_QUEUE = "trainings"  # also of studies, which contain trainings


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How the jobs of a server run.

    Args:
        slurm: submits jobs of some kinds to a cluster; None: all run on this computer.
        most_bytes: the memory that a job on this computer may take, with its child processes; None: no limit.
    """

    slurm: Slurm | None = None
    most_bytes: int | None = None


DEFAULT = JobOptions()
