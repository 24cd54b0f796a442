"""Studies: networks and ways to start compared. What is done with jobs of any kind, theirs too, is in `jobs`."""

from typing import Any

from fastapi import Response
from fastapi.responses import HTMLResponse, StreamingResponse

from coverslip.app.files import FIGURE, FigureFile, figure_response, file_response, report_response
from coverslip.app.requests import Home, JobQueue, Paged, api_router
from coverslip.app.schemas.runs import NewStudy, StudyAsked
from coverslip.app.schemas.system import problems
from coverslip.workspace.store.rows import Page
from coverslip.workspace.studies import planning, results, state
from coverslip.workspace.studies.planning import StudyChoices, StudyOutlook, StudyPreset
from coverslip.workspace.studies.results import NetworkFinding, StudyResults
from coverslip.workspace.studies.state import StudyState, StudyStory

router = api_router("studies")

_TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/study-presets")
def list_study_presets() -> list[StudyPreset]:
    """Studies of publications, to be done on one's own images."""
    return planning.list_presets()


@router.post("/study-preview", responses=problems(404, 409, 422))
def preview_study(workspace: Home, asked: StudyAsked) -> StudyOutlook:
    """All trainings that a study would do, without beginning any."""
    return planning.outlook(workspace, _choices(asked))


@router.get("/studies")
def list_studies(workspace: Home, paging: Paged) -> Page[StudyState]:
    """The studies, the newest first."""
    return state.list_studies(workspace, paging)


@router.get("/datasets/{dataset_id}/network-findings", responses=problems(404))
def list_network_findings(workspace: Home, dataset_id: str, paging: Paged) -> Page[NetworkFinding]:
    """How networks did on this dataset in studies, the newest first."""
    return paging.page_of(results.findings_on(workspace, dataset_id))


@router.post("/studies", status_code=201, responses=problems(404, 409, 422))
def create_study(workspace: Home, new: NewStudy, queue: JobQueue) -> StudyState:
    """Queue a study, with the labels of now; it begins when no training, nor another study, is at work."""
    job = planning.queue_study(workspace, _choices(new), name=new.name)
    queue.wake()
    return state.study_state(workspace, job)


@router.get("/studies/{study_id}", responses=problems(404, 422))
def get_study(workspace: Home, study_id: str) -> StudyStory:
    """One study with its trainings as they are now; those that have begun are runs."""
    return state.study_story(workspace, study_id)


@router.get("/studies/{study_id}/results", responses=problems(404, 409, 422))
def get_study_results(workspace: Home, study_id: str) -> StudyResults:
    """What it shows: written when it ends, or is stopped."""
    return results.study_results(workspace, study_id)


@router.get("/studies/{study_id}/report", response_class=HTMLResponse, responses=problems(404, 409))
def get_study_report(workspace: Home, study_id: str) -> StreamingResponse:
    """The comparison as a page, with a policy that lets it run nothing."""
    return report_response(workspace, results.file_of_study(workspace, study_id, "report.html"))


@router.get("/studies/{study_id}/table", response_class=StreamingResponse, responses=_TABLE | problems(404, 409))
def get_study_table(workspace: Home, study_id: str) -> StreamingResponse:
    """`results.csv`: a row for each training and fold, as far as they are."""
    file = results.file_of_study(workspace, study_id, "results.csv")
    return file_response(workspace, file, "text/csv", name=f"{file.parent.name}-{file.name}")


@router.get("/studies/{study_id}/figures/{name}", response_class=Response, responses=FIGURE | problems(404, 422))
def get_study_figure(workspace: Home, study_id: str, name: FigureFile) -> StreamingResponse:
    """A drawing of the comparison, as SVG or PNG, or its numbers as CSV."""
    return figure_response(workspace, results.figure_of_study(workspace, study_id, name))


def _choices(asked: StudyAsked) -> StudyChoices:
    return StudyChoices(
        preset=asked.preset,
        dataset_ids=tuple(dict.fromkeys(asked.dataset_ids)),
        is_small=asked.is_small,
        as_published=asked.as_published,
        plan_text=asked.plan,
    )
