"""The kinds of jobs: a record of their differences, so that all jobs are handled in the same way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.workspace.evaluations import EvaluationEvents, EvaluationState, WatchedEvaluation, evaluation_state
from coverslip.workspace.jobs.records import JobKind
from coverslip.workspace.jobs.runs import RunState, run_state
from coverslip.workspace.jobs.watching import NewSource, RunEvents, WatchedTraining
from coverslip.workspace.predictions.state import PredictionEvents, PredictionState, WatchedPrediction, prediction_state
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.state import StudyEvents, StudyState, WatchedStudy, study_state

AnyState = RunState | EvaluationState | PredictionState | StudyState
JobState = Annotated[AnyState, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One kind of job.

    Args:
        state: returns the state of a job by its ID.
        source: the source of events of a job.
        events: a dataclass with a field for each event.
    """

    state: Callable[[Workspace, str], AnyState]
    source: NewSource
    events: type


JOB_KINDS: dict[JobKind, JobRecord] = {
    "train": JobRecord(run_state, WatchedTraining, RunEvents),
    "evaluate": JobRecord(evaluation_state, WatchedEvaluation, EvaluationEvents),
    "predict": JobRecord(prediction_state, WatchedPrediction, PredictionEvents),
    "study": JobRecord(study_state, WatchedStudy, StudyEvents),
}
