"""Studies: comparisons of networks and initial weights. `jobs` has the operations on jobs of any kind."""

from coverslip.app.requests import Locate, Paged, ServedWorkspace, api_router
from coverslip.app.schemas.jobs import NewStudy
from coverslip.app.schemas.system import located, problems
from coverslip.workspace.store.rows import Page
from coverslip.workspace.studies import analyses, planning, state, times
from coverslip.workspace.studies.analyses import AnalysisName, StudyAnalysis
from coverslip.workspace.studies.planning import StudyChoices, StudyOutlook, StudyPreset
from coverslip.workspace.studies.state import NetworkFinding, StudyState, StudyStory
from coverslip.workspace.studies.times import StudyTime

router = api_router("studies")


@router.get("/study-presets")
def list_study_presets(paging: Paged) -> Page[StudyPreset]:
    """Studies of publications that can be repeated with other images."""
    return paging.page_of(planning.list_presets())


@router.post("/study-preview", responses=problems(404, 409))
def preview_study(workspace: ServedWorkspace, study: StudyChoices) -> StudyOutlook:
    """The trainings of a study, without starting any."""
    return planning.outlook(workspace, study)


@router.post("/study-times", status_code=202, responses=located(202) | problems(404, 409))
def create_study_time(workspace: ServedWorkspace, study: StudyChoices, locate: Locate) -> StudyTime:
    """Estimate the time of a study, without starting it: each network is built and timed in a separate process."""
    time = times.start_study_time(workspace, study)
    locate("study-times", time.id)
    return time


@router.get("/study-times/{time_id}")
def get_study_time(workspace: ServedWorkspace, time_id: str) -> StudyTime:
    """The expected time of a study, or the progress of its measurement."""
    return times.study_time(workspace, time_id)


@router.get("/studies")
def list_studies(workspace: ServedWorkspace, paging: Paged) -> Page[StudyState]:
    """The studies, the newest first."""
    return state.list_studies(workspace, paging)


@router.get("/datasets/{dataset_id}/network-findings")
def list_network_findings(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[NetworkFinding]:
    """The results of networks on this dataset in studies, the newest first."""
    return paging.page_of(state.findings_on(workspace, dataset_id))


@router.post("/studies", status_code=201, responses=located(201) | problems(404, 409))
def create_study(workspace: ServedWorkspace, new: NewStudy, locate: Locate) -> StudyState:
    """Queue a study with the current labels. Trainings and studies run one at a time."""
    job = planning.queue_study(workspace, new, name=new.name, budget=new.budget)
    locate("studies", job)
    return state.study_state(workspace, job)


@router.get("/studies/{study_id}")
def get_study(workspace: ServedWorkspace, study_id: str) -> StudyStory:
    """A study with the current state of its trainings. Those that have started are runs."""
    return state.study_story(workspace, study_id)


@router.get("/studies/{study_id}/analyses")
def list_study_analyses(workspace: ServedWorkspace, study_id: str, paging: Paged) -> Page[StudyAnalysis]:
    """Further analyses of the finished trainings of a study: prediction time, distances and explanations."""
    return paging.page_of(analyses.list_analyses(workspace, study_id))


@router.post("/studies/{study_id}/analyses/{analysis}", status_code=202, responses=located(202) | problems(409))
def create_study_analysis(
    workspace: ServedWorkspace, study_id: str, analysis: AnalysisName, locate: Locate
) -> StudyAnalysis:
    """Start an analysis in a separate process. Afterwards, the results and the report of the study contain it."""
    locate("studies", study_id, "analyses")
    return analyses.start_analysis(workspace, study_id, analysis)
