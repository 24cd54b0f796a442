"""By what thresholds a training's classifier decides, choosing others, and by which ones images were predicted."""

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
from coverslip.workspace.store.home import Workspace

BEGUN = "begun.json"


class Begun(Document):
    """What a prediction's rows are of, and by what they are decided."""

    classifier: str = Field(description="Fingerprint of the classifier.")
    images: str = Field(description="Fingerprint of the images.")
    thresholds: tuple[float, ...] | None = Field(
        description="Of each class; null: the most probable class is predicted."
    )
    uncertain_below: float = Field(description="Less probable predictions are uncertain; 0 marks none.")

    def is_as_now(self, card: ClassifierCard, *, has_stated_shares: bool) -> bool:
        """Whether the classifier would decide images in this way now; stated class shares set thresholds aside."""
        now = None if has_stated_shares else card.operating_points
        return (self.thresholds, self.uncertain_below) == (now, card.uncertain_below)


def thresholds(workspace: Workspace, run_id: str) -> Thresholds:
    """What there is to choose for a classifier of two classes.

    Raises:
        NotFound: there is no such run.
        Conflict: it is not finished, or does not tell two classes apart.
    """
    found = thresholds_of(_finished(workspace, run_id).run)
    if found is None:
        raise Conflict("no-threshold-to-choose")
    return found


def decide(workspace: Workspace, run_id: str, choices: Mapping[str, Any]) -> Thresholds:  # Any: of each key its own
    """Choose another threshold by a wish; numbers and report of the run follow.

    Raises:
        NotFound, Conflict: as above.
        BadRecipe: the wish is not valid.
        BadRun: its images are gone.
    """
    thresholds(workspace, run_id)
    pipeline.decide(_finished(workspace, run_id).folder, **choices, emit=ignore)
    return thresholds(workspace, run_id)


def _finished(workspace: Workspace, run_id: str) -> Job:
    job = find_job(workspace, run_id, "train")
    if not job.run.is_done or not job.run.is_measured:
        raise no_results_yet()
    return job
