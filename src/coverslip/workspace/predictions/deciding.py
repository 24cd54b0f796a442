"""Decision thresholds of classifiers: show and change them, and record those of predictions."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from coverslip import pipeline
from coverslip.errors import Conflict
from coverslip.events import ignore
from coverslip.experiments.rethreshold import Thresholds, thresholds_of
from coverslip.runs import ClassifierCard
from coverslip.runs.documents import Document
from coverslip.workspace.jobs.records import Job, find_job, no_results_yet
from coverslip.workspace.store.workspace import Workspace

BEGUN = "begun.json"


class Begun(Document):
    """The classifier, images and thresholds of a prediction's rows."""

    classifier: str = Field(description="Fingerprint of the classifier.")
    images: str = Field(description="Fingerprint of the images.")
    thresholds: tuple[float, ...] | None = Field(
        description="Threshold of each class; null: the most probable class is predicted."
    )
    uncertain_below: float = Field(description="Less probable predictions are uncertain; 0 marks none.")

    def is_as_now(self, card: ClassifierCard, *, has_stated_shares: bool) -> bool:
        """Return whether the classifier still uses these thresholds. With stated class proportions, it uses none."""
        now = None if has_stated_shares else card.operating_points
        return (self.thresholds, self.uncertain_below) == (now, card.uncertain_below)


def thresholds(workspace: Workspace, run_id: str) -> Thresholds:
    """Return the possible thresholds of a classifier of two classes.

    Raises:
        NotFound: there is no such run.
        Conflict: it is not finished, or does not have two classes.
    """
    thresholds_of_run = thresholds_of(_finished(workspace, run_id).run)
    if thresholds_of_run is None:
        raise Conflict("no-threshold-to-choose")
    return thresholds_of_run


def decide(
    workspace: Workspace, run_id: str, choices: Mapping[str, Any]
) -> Thresholds:  # Any: each key has its own type
    """Change the decision threshold of a run, and update its results and report.

    Raises:
        NotFound, Conflict: as `thresholds`.
        BadRecipe: a choice is not valid.
        BadRun: its images are missing.
    """
    thresholds(workspace, run_id)
    pipeline.decide(_finished(workspace, run_id).folder, **choices, emit=ignore)
    return thresholds(workspace, run_id)


def _finished(workspace: Workspace, run_id: str) -> Job:
    job = find_job(workspace, run_id, "train")
    if not job.run.is_done or not job.run.is_measured:
        raise no_results_yet()
    return job
