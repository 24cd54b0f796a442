"""Further analyses of the trainings of a study: prediction time, distances to pretraining images, and explanations.

Each runs in a separate process, stores its results in the folder of the study and writes the comparison again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import Conflict
from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.studies import state_of as state_of_cell
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.kinds import job_kinds, register_function
from coverslip.workspace.jobs.queue import TRAININGS_QUEUE
from coverslip.workspace.jobs.records import Job, find_job, started_jobs
from coverslip.workspace.jobs.state import has_ended, has_process, state_of, status_of
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.state import STUDY, cells_in, comparison_of

# One kind: two analyses at a time would slow each other, and the prediction times would be wrong.
STUDY_ANALYSIS = register_function("study-analysis", "coverslip.workspace.studies.analyses:analyze_study")
AnalysisName = Literal["latency", "distances", "explanations"]
_NAMES: tuple[AnalysisName, ...] = ("latency", "distances", "explanations")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnalysis(ResultState):
    """A further analysis of a study, and its progress."""

    name: Annotated[
        AnalysisName,
        Field(
            description="latency: prediction time of each network; distances: of each dataset from its pretraining "
            "images; explanations: heat maps of three test images for each network and initialization."
        ),
    ]


def list_analyses(workspace: Workspace, study_id: str) -> list[StudyAnalysis]:
    """Return the analyses of a study.

    Raises:
        NotFound: there is no such study.
        BadRecipe: its plan is damaged.
        BadRun: its comparison is damaged.
    """
    study = find_job(workspace, study_id, STUDY.name)
    possible, stored = set(_possible(study)), set(_stored(study))
    return [
        _analysis(workspace, study_id, name, is_possible=name in possible, is_stored=name in stored) for name in _NAMES
    ]


def start_analysis(workspace: Workspace, study_id: str, name: AnalysisName) -> StudyAnalysis:
    """Start an analysis of a study, also if there are earlier results; return its state.

    Raises:
        NotFound: there is no such study.
        Conflict: the study has not ended, no training that the analysis needs has finished, or a training is running,
            which would make the measured prediction time wrong.
        BadRecipe, BadRun: as `list_analyses`.
    """
    study = find_job(workspace, study_id, STUDY.name)
    if not has_ended(state_of(study, status_of(study))):
        raise Conflict("study-not-ended")
    if name not in _possible(study):
        raise Conflict("no-training-to-analyze", is_distance=name == "distances")
    if name == "latency" and (running := _running_trainings(workspace)):
        raise Conflict("training-while-timing", name=running[0].name)
    request_result(
        workspace,
        STUDY_ANALYSIS,
        _key(study_id, name),
        {"folder": str(study.folder), "analysis": name},
        name=study.name,
        link=f"/studies/{study_id}/analyses",
    )
    return _analysis(workspace, study_id, name, is_possible=True, is_stored=name in _stored(study))


def _key(study_id: str, name: AnalysisName) -> str:
    return f"{study_id} {name}"


def _possible(study: Job) -> Iterator[AnalysisName]:
    finished = [
        cell for cell in cells_in(study.folder) if not cell.is_pretraining and state_of_cell(cell).state == "done"
    ]
    if finished:
        yield from ("latency", "explanations")
    if any(cell.starts_from is not None for cell in finished):
        yield "distances"


def _running_trainings(workspace: Workspace) -> list[Job]:
    """Return the running trainings and studies. A process that only has to exit, with its results written, is none."""
    kinds = {kind.name for kind in job_kinds().values() if kind.queue == TRAININGS_QUEUE}
    started = [job for job in started_jobs(workspace) if job.kind in kinds and has_process(job)]
    return [job for job in started if not has_ended(state_of(job, status_of(job)))]


def _stored(study: Job) -> Iterator[AnalysisName]:
    """Yield the analyses whose results are in the comparison. Results of a canceled one are not."""
    try:
        comparison = comparison_of(study)
    except Conflict:
        return
    results = {
        "latency": comparison.latencies,
        "distances": comparison.distances,
        "explanations": comparison.heat_maps,
    }
    yield from (name for name in _NAMES if results[name])


def _analysis(
    workspace: Workspace, study_id: str, name: AnalysisName, *, is_possible: bool, is_stored: bool
) -> StudyAnalysis:
    work = computation(workspace, STUDY_ANALYSIS, _key(study_id, name))
    state = "ready" if is_stored else "not-requested" if is_possible else "not-possible"
    return StudyAnalysis(**work.of_result(state), name=name)


def analyze_study(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Measure prediction times or distances of a study, or draw explanations. The folder of the study stores them.

    Raises:
        CoverslipError: the study does not exist any more, or its files are damaged.
    """
    from coverslip.studies import study_comparison

    analysis = arguments["analysis"]
    study_comparison(
        arguments["folder"],
        bench=analysis == "latency",
        distances=analysis == "distances",
        explain=analysis == "explanations",
        emit=emit,
    )
