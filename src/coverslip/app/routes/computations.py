"""Results that are computed on request in a separate process: start one, and read its state and its values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field

from coverslip.app.clients import Role
from coverslip.app.guard import check_is_editor, needs, record_change, writes_much
from coverslip.app.requests import Locate, ServedWorkspace, api_router
from coverslip.app.schemas import Body, located, problems
from coverslip.workspace.correcting.trained_images import LabelErrorsState, label_errors_state, start_label_check
from coverslip.workspace.dataset_maps import MapState, map_state, start_map
from coverslip.workspace.explanations import ExplanationState, explanation_state, start_explanation
from coverslip.workspace.leakage_estimates import LeakageEstimateState, leakage_estimate_state, start_leakage_estimate
from coverslip.workspace.live import LiveState, live_state, start_live
from coverslip.workspace.objects import ObjectsState, ObjectsToCollect, objects_state, start_objects
from coverslip.workspace.predictions.state import ObjectExport, ObjectExportState, export_state, start_export
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import StudyChoices, StudyTime, start_study_time, study_time
from coverslip.workspace.studies.state import StudyAnalysis, analysis_state, start_analysis

router = api_router("computations")

ComputationState = Annotated[
    LeakageEstimateState
    | LiveState
    | MapState
    | LabelErrorsState
    | ExplanationState
    | StudyAnalysis
    | StudyTime
    | ObjectsState
    | ObjectExportState,
    Field(discriminator="kind"),
]
_WithoutChoices = Literal["leakage-estimate", "dataset-map", "label-errors", "explanation", "study-analysis", "live"]

Subject = Annotated[
    str,
    Field(
        max_length=100,
        description="What the result is about: the ID of a dataset, a training or a prediction; for an explanation, "
        "JOB_ID.ROW_ID of the image; for an analysis of a study, STUDY_ID.ANALYSIS.",
    ),
]


class NewResult(Body):
    """A result to compute."""

    kind: _WithoutChoices
    """leakage-estimate: of about 2,000 images of a dataset, for its page and the reports of trainings, with shortcuts;
    dataset-map: on which similar images are near each other; label-errors: suspected ones in the images of a training,
    by classifiers not trained on the images; explanation: a heat map of an image that passed its sanity checks, and
    similar training images; study-analysis: for the results and the report of a study, `latency` (prediction time of
    each network), `distances` (of each dataset from its pretraining images) or `explanations` (heat maps of three test
    images for each network and initialization); live: the features of a dataset, by which its images without a label
    are predicted from then on. A random fifth of the images without a label is reserved as test set."""
    subject: Subject


class NewStudyTime(StudyChoices):
    """Estimate the time of a study, without starting it: each network is built and timed."""

    kind: Literal["study-time"]


class NewObjects(ObjectsToCollect):
    """Read the objects of the fields of a dataset from files of another program, or find them.

    The table of objects becomes a dataset of its own. Files are matched to fields by their names.
    """

    kind: Literal["objects"]
    subject: Subject


class NewObjectExport(ObjectExport):
    """Write the predicted objects for QuPath, ImageJ, CellProfiler and others, or their crops, with corrections."""

    kind: Literal["object-export"]
    subject: Subject


@dataclass(frozen=True, slots=True)
class _Kind:
    """How the result of a kind is read and started, and the role that may start it."""

    state: Callable[[Workspace, str], ComputationState]
    start: Callable[[Workspace, Any], ComputationState]  # Any: the body of the kind
    role: Role = "editor"


_KINDS = {
    "leakage-estimate": _Kind(leakage_estimate_state, lambda w, new: start_leakage_estimate(w, new.subject)),
    "live": _Kind(live_state, lambda w, new: start_live(w, new.subject), "annotator"),
    "dataset-map": _Kind(map_state, lambda w, new: start_map(w, new.subject), "annotator"),
    "label-errors": _Kind(label_errors_state, lambda w, new: start_label_check(w, new.subject)),
    "explanation": _Kind(explanation_state, lambda w, new: start_explanation(w, new.subject), "annotator"),
    "study-analysis": _Kind(analysis_state, lambda w, new: start_analysis(w, new.subject)),
    "study-time": _Kind(study_time, start_study_time),
    "objects": _Kind(objects_state, lambda w, new: start_objects(w, new.subject, new)),
    "object-export": _Kind(export_state, lambda w, new: start_export(w, new.subject, new)),
}


@router.get("/computations/{kind}/{subject}", responses=problems(409))
def get_computation(
    workspace: ServedWorkspace,
    kind: Literal[_WithoutChoices, "study-time", "objects", "object-export"],
    subject: str,
) -> ComputationState:
    """The result that was computed last, if any, and the progress of a new one."""
    return _KINDS[kind].state(workspace, subject)


@router.post("/computations", status_code=202, responses=located(202) | problems(404, 409))
@needs("annotator")
@writes_much
def create_computation(
    workspace: ServedWorkspace,
    request: Request,
    new: Annotated[NewResult | NewStudyTime | NewObjects | NewObjectExport, Field(discriminator="kind")],
    locate: Locate,
) -> ComputationState:
    """Compute a result in a separate process, unless this is in progress.

    An annotator may request explanations and maps, and switch live on.
    """
    kind = _KINDS[new.kind]
    if kind.role == "editor":
        check_is_editor(request)
    state = kind.start(workspace, new)
    record_change(request, f"{state.kind}/{state.subject}")
    locate("computations", state.kind, state.subject)
    return state
