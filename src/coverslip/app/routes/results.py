"""Results of trainings, and evaluations on external test sets: numbers, rows, pictures and files."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from coverslip.app.guard import writes_much
from coverslip.app.requests import RAW_BODY, ClassifierId, Locate, Paged, ServedWorkspace, api_router, received
from coverslip.app.schemas import Body, located, problems
from coverslip.evaluation.decisions import DecideBy
from coverslip.experiments.rethreshold import Thresholds
from coverslip.images.preprocessing import MatchingPart
from coverslip.workspace import evaluations
from coverslip.workspace.adaptations import queue_adaptation
from coverslip.workspace.correcting.trained_images import (
    ChangesSinceTraining,
    changes_since,
)
from coverslip.workspace.evaluations import EvaluationState, JobComparison, TestSet
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions import classifiers
from coverslip.workspace.predictions.classifiers import ClassifierDescription, ListedClassifier
from coverslip.workspace.store.rows import Page
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.state import StudyResults, study_results
from coverslip.workspace.trainings import results
from coverslip.workspace.trainings.results import EvaluationResults, Results
from coverslip.workspace.trainings.state import RunStory, run_story

router = api_router("results")

_MOST_CLASSIFIER_BYTES = 2**31
_RESULTS: dict[str, Callable[[Workspace, str], Results | EvaluationResults | StudyResults]] = {
    "train": results.results_of,
    "evaluate": results.evaluation_results_of,
    "study": study_results,
}


@router.get("/comparison", responses=problems(404, 409))
def compare_runs(
    workspace: ServedWorkspace, run_id: Annotated[list[str], Query(description="Two or more.")]
) -> JobComparison:
    """Compare runs: how they differ, and each against the first on their common images."""
    return evaluations.compared(workspace, run_id)


@router.get("/jobs/{job_id}/results", responses=problems(409))
def get_results(workspace: ServedWorkspace, job_id: str) -> Results | EvaluationResults | StudyResults:
    """The results of a training, with the text of its report, of an evaluation, or of a study.

    Those of a study are written when it ends or is stopped.
    """
    return _RESULTS[find_job(workspace, job_id, *_RESULTS).kind](workspace, job_id)


@router.get("/runs/{run_id}/thresholds", responses=problems(409))
def get_thresholds(workspace: ServedWorkspace, run_id: str) -> Thresholds:
    """The decision threshold of a classifier of two classes, and the effect of others on validation images."""
    return results.thresholds(workspace, run_id)


class Decision(Body):
    """The decision rule; missing fields have their defaults."""

    decide_by: DecideBy = "highest"
    target: float = Field(default=0.95, gt=0, le=1)
    """Target sensitivity or specificity, if the rule uses one."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Threshold of the positive class, if the rule uses one."""
    error_rate: float | None = Field(default=None, gt=0, lt=1)
    """Target error rate among images that are not `uncertain`."""
    positive_class: str | None = None
    """One of two classes; null: unchanged."""


@router.put("/runs/{run_id}/decision", responses=problems(409))
def set_decision(workspace: ServedWorkspace, run_id: str, decision: Decision) -> Thresholds:
    """Change the decision threshold, chosen on validation images. Results and report are updated."""
    return results.set_decision(workspace, run_id, decision.model_dump())


@router.get("/runs/{run_id}/image-changes")
def count_image_changes(workspace: ServedWorkspace, run_id: str) -> ChangesSinceTraining:
    """How many images of the dataset were added, relabeled or removed since the training."""
    return changes_since(workspace, run_id)


@router.get("/classifiers")
def list_classifiers(workspace: ServedWorkspace, paging: Paged) -> Page[ListedClassifier]:
    """The classifiers: trained here, or imported from a file."""
    return classifiers.list_classifiers(workspace, paging)


@router.post("/classifiers", status_code=201, responses=located(201) | problems(413), openapi_extra=RAW_BODY)
@writes_much
async def import_classifier(
    workspace: ServedWorkspace,
    request: Request,
    locate: Locate,
    name: Annotated[str | None, Query(description="Default: its first classes.")] = None,
) -> ListedClassifier:
    """Import a `.coverslip` file into the workspace."""
    async with received(
        request, workspace.folder / "classifiers", most_bytes=_MOST_CLASSIFIER_BYTES, suffix=".coverslip"
    ) as file:
        classifier_id = await run_in_threadpool(classifiers.import_file, workspace, file, name)
    locate("classifiers", classifier_id)
    return await run_in_threadpool(classifiers.classifier_state, workspace, classifier_id)


@router.get("/classifiers/{classifier_id}")
def get_classifier(workspace: ServedWorkspace, classifier_id: ClassifierId) -> ClassifierDescription:
    """A classifier that was trained here or imported: its training images, and its metrics on test images."""
    return classifiers.classifier_card(workspace, classifier_id)


evaluations_router = api_router("evaluations")


@evaluations_router.get("/runs/{run_id}/evaluations")
def list_evaluations(workspace: ServedWorkspace, run_id: str, paging: Paged) -> Page[EvaluationState]:
    """The evaluations of a training on external test sets, the newest first."""
    return evaluations.list_evaluations(workspace, run_id, paging)


@evaluations_router.get("/runs/{run_id}/test-sets", responses=problems(409))
def list_test_sets(workspace: ServedWorkspace, run_id: str, paging: Paged) -> Page[TestSet]:
    """The datasets with images of a class of a training, the newest first."""
    return evaluations.test_sets(workspace, run_id, paging)


class NewEvaluation(Body):
    """Labeled images of the workspace to evaluate a training on."""

    dataset_id: str
    name: str | None = Field(default=None, max_length=120)
    """Default: named after the dataset."""
    rescale: bool = False
    """Rescale images of known pixel size to the pixel size of the training images."""


class NewAdaptation(Body):
    """Images of the workspace to adapt a training to; those with a label choose and check the adapted classifier."""

    dataset_id: str
    without: list[MatchingPart] = Field(default=[], max_length=3)
    """Parts of the matching that are switched off."""
    name: str | None = Field(default=None, max_length=120)
    """Default: named after the training and the dataset."""


@evaluations_router.post("/runs/{run_id}/adaptations", status_code=201, responses=located(201) | problems(409))
@writes_much
def create_adaptation(workspace: ServedWorkspace, run_id: str, new: NewAdaptation, locate: Locate) -> RunStory:
    """Queue the adaptation of a training to another laboratory. Its result is a new training, which is returned."""
    job = queue_adaptation(workspace, run_id, dataset_id=new.dataset_id, without=new.without, name=new.name)
    locate("jobs", job)
    return run_story(workspace, find_job(workspace, job))


@evaluations_router.post("/runs/{run_id}/evaluations", status_code=201, responses=located(201) | problems(409))
@writes_much
def create_evaluation(workspace: ServedWorkspace, run_id: str, new: NewEvaluation, locate: Locate) -> EvaluationState:
    """Queue an evaluation with the current labels. Evaluations run one at a time, also during a training."""
    job = evaluations.queue_evaluation(workspace, run_id, dataset_id=new.dataset_id, name=new.name, rescale=new.rescale)
    locate("jobs", job)
    return evaluations.evaluation_state(workspace, find_job(workspace, job))
