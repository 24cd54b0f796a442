"""Comparisons of trainings or evaluations."""

from collections.abc import Sequence

from coverslip.errors import Conflict, CoverslipError
from coverslip.messages import text
from coverslip.reports.comparing import MOST_RUNS, Comparison, compare
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.workspace import Workspace


def compared(workspace: Workspace, run_ids: Sequence[str]) -> Comparison:
    """Compare runs, and test each against the first on their common images.

    Raises:
        NotFound: there is no such run or evaluation.
        Conflict: one has no results yet.
        CoverslipError: there are fewer than two runs, or too many.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 2 <= len(ids) <= MOST_RUNS:
        raise CoverslipError("runs-to-compare", n_max=MOST_RUNS)
    jobs = [_measured(workspace, run_id) for run_id in ids]
    return compare([job.run for job in jobs], [(job.id, _name(workspace, job)) for job in jobs])


def _measured(workspace: Workspace, run_id: str) -> Job:
    job = find_job(workspace, run_id, "train", "evaluate")
    if not job.run.is_measured:
        raise Conflict("not-measured-yet", name=job.name)
    return job


def _name(workspace: Workspace, job: Job) -> str:
    """Return the name of the training, for an evaluation with the name of its images."""
    if job.kind == "train":
        return job.name
    training = find_job(workspace, job.classifier_id or "", "train").name
    return text("training-on-images", training=training, dataset=job.name)
