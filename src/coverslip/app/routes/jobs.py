"""Jobs of any kind, trainings, studies, and the trash: list, queue, watch, stop, resume, remove and restore."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse
from pydantic import Field

from coverslip.app.files import PICTURE
from coverslip.app.guard import check_has_space, check_is_editor, needs, writes_much
from coverslip.app.requests import Locate, Paged, ServedWorkspace, api_router, from_app
from coverslip.app.routes.images import NOT_MODIFIED, Etag, ListedRowId, Version, image_response
from coverslip.app.schemas import Body, Recipe, located, problems
from coverslip.app.streams import count_stream
from coverslip.experiments.presets import Preset
from coverslip.runs.log import LogLine
from coverslip.workspace import explanations
from coverslip.workspace.changes import Changed, Changes
from coverslip.workspace.cleanup import DeletedItem, list_deleted
from coverslip.workspace.evaluations import EvaluationState
from coverslip.workspace.exports import ExportState
from coverslip.workspace.jobs import listing, queue
from coverslip.workspace.jobs.listing import JobState
from coverslip.workspace.jobs.records import State, find_job
from coverslip.workspace.predictions.state import PredictionState
from coverslip.workspace.store.rows import Page, Paging
from coverslip.workspace.studies import planning
from coverslip.workspace.studies import state as study_states
from coverslip.workspace.studies.planning import StudyChoices, StudyPreset
from coverslip.workspace.studies.state import NetworkFinding, StudyState, StudyStory
from coverslip.workspace.trainings import queueing
from coverslip.workspace.trainings import state as training_states
from coverslip.workspace.trainings.state import RunState, RunStory

JobStory = RunStory | StudyStory | EvaluationState | PredictionState | ExportState | JobState

router = api_router("jobs")


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses=problems(429),
    dependencies=[Depends(count_stream)],
)
async def watch_workspace(
    changes: Annotated[Changes, from_app("changes")],
    after: Annotated[
        str | None, Query(max_length=40, description="The `number` of the last message that the client has.")
    ] = None,
    job: Annotated[
        list[Annotated[str, Field(max_length=40)]],
        Query(max_length=50, description="IDs of jobs to follow: the messages contain their changed values."),
    ] = [],  # noqa: B006
) -> AsyncIterator[Changed]:
    """What changes in the workspace, and the followed jobs: one stream for all tabs of a browser, which never ends.

    Topics are `jobs/ID` and the kind of the job, `datasets/ID` and `datasets`, `colors/ID`, `activity` if a job or a
    dataset was added or removed or has another state, and `*` for anything.
    """
    async for change in changes.follow(after, job):
        yield change


class JobsPage(Paging):
    """A page of the jobs of some kinds and states."""

    kind: list[str] = Field(default_factory=list, max_length=20, description="Kinds of jobs; none: all.")
    state: list[State] = Field(default_factory=list, max_length=20, description="States of jobs; none: all.")


@router.get("/jobs")
def list_jobs(workspace: ServedWorkspace, page: Annotated[JobsPage, Query()]) -> Page[JobState]:
    """The jobs of all kinds, the newest first: work of more than two seconds, and imported classifiers."""
    return listing.list_jobs(workspace, page, kinds=page.kind, states=page.state)


@router.get("/jobs/{job_id}")
def get_job(
    workspace: ServedWorkspace,
    job_id: str,
    kind: Annotated[str | None, Query(max_length=40, description="A job of another kind has the status 404.")] = None,
) -> JobStory:
    """The current state of a job with its progress, and what is specific to its kind.

    Of a training, these are its recipe, curves and notes so far, and of a study the states of its trainings.
    """
    story: JobStory = listing.story_of(workspace, job_id, kind)
    return story


@router.get("/jobs/{job_id}/log")
def list_log_lines(workspace: ServedWorkspace, job_id: str, paging: Paged) -> Page[LogLine]:
    """The important events of a job, the newest first. Without events, the last lines of the output of its process."""
    return listing.list_log_lines(workspace, job_id, paging)


_ACTIONS = {
    "stop": queue.stop_job,
    "finish": queue.finish_job,
    "resume": queue.resume_job,
    "restore": queue.restore_job,
}


@router.post("/jobs/{job_id}/{action}", responses=problems(409))
@needs("annotator")
def act_on_job(
    workspace: ServedWorkspace,
    job_id: str,
    action: Literal["stop", "finish", "resume", "restore"],
    request: Request,
) -> JobState:
    """Stop, finish, resume or restore a job.

    - stop: its progress up to this point is saved, if it has files. A waiting job is removed from the queue. An
      annotator may stop jobs that compute a result for a page, such as a map. An earlier result is kept.
    - finish: end the fine-tuning of a training now with the best epoch so far, then calibrate, test and report. A
      stopped training is queued again for this. The recipe records where fine-tuning ended.
    - resume: queue a stopped, interrupted or failed job again. It resumes where it ended. In a finished study, failed
      trainings are retried.
    - restore: take it out of the trash.
    """
    if action != "stop" or find_job(workspace, job_id).key is None:
        check_is_editor(request)
    if action == "resume":
        check_has_space(request)
    _ACTIONS[action](workspace, job_id)
    return listing.job_state(workspace, find_job(workspace, job_id))


@router.delete("/jobs/{job_id}", status_code=204, responses=problems(409))
def remove_job(workspace: ServedWorkspace, job_id: str) -> None:
    """Move a job and its results to the trash of the workspace. A job without files is only removed from the list."""
    queue.remove_job(workspace, job_id)


@router.get(
    "/jobs/{job_id}/rows/{row_id}/explanation/picture",
    response_class=Response,
    responses=PICTURE | NOT_MODIFIED | problems(409),
)
def get_explanation_picture(
    workspace: ServedWorkspace, job_id: str, row_id: ListedRowId, v: Version = None, etag: Etag = None
) -> Response:
    """The picture of a finished explanation."""
    return image_response(explanations.explanation_picture(workspace, job_id, row_id), v, etag)


runs_router = api_router("runs")


@runs_router.get("/runs")
def list_runs(workspace: ServedWorkspace, paging: Paged) -> Page[RunState]:
    """The trainings that are not part of a study, the newest first."""
    return training_states.list_runs(workspace, paging)


class NewRun(Body):
    """A training to queue."""

    dataset_id: str
    name: str | None = Field(default=None, max_length=120)
    """Default: named after the dataset."""
    recipe: Recipe = Field(default_factory=dict)
    allow_leakage: bool = False
    preset: Preset | None = None
    """first-look: instant classifier of images of half the side; good: instant classifier; best: with fine-tuning. It
    changes only keys of the recipe that have their default values. Null: best."""
    budget: str | None = Field(default=None, max_length=40)
    """Time budget: `90s`, `10m`, `1h30m`. Fine-tuning is adapted to it. Null: no limit."""
    repeats_run: str | None = None
    """An earlier training on the same dataset, for comparison: its test images stay test images, its validation images
    stay validation images. New images join the training set. Folds are split again."""


@runs_router.post("/runs", status_code=201, responses=located(201) | problems(404, 409))
@writes_much
def create_run(workspace: ServedWorkspace, new: NewRun, locate: Locate) -> RunStory:
    """Queue a training. Trainings and studies run one at a time."""
    job = queueing.queue_training(
        workspace,
        dataset_id=new.dataset_id,
        name=new.name,
        recipe=new.recipe,
        allow_leakage=new.allow_leakage,
        preset=new.preset or "best",
        budget=new.budget,
        repeats_run=new.repeats_run,
    )
    locate("jobs", job)
    return training_states.run_story(workspace, find_job(workspace, job))


class RunChanges(Body):
    """Changes of a training."""

    name: str = Field(min_length=1, max_length=120)


@runs_router.patch("/runs/{run_id}")
def change_run(workspace: ServedWorkspace, run_id: str, changes: RunChanges) -> RunStory:
    """Rename a training. Its folder keeps its name."""
    queueing.rename_run(workspace, run_id, changes.name)
    return training_states.run_story(workspace, find_job(workspace, run_id))


trash_router = api_router("trash")


@trash_router.get("/trash")
def list_trash(workspace: ServedWorkspace, paging: Paged) -> Page[DeletedItem]:
    """Deleted jobs and datasets that can be restored, the latest deletion first."""
    return list_deleted(workspace, paging)


# Studies: comparisons of networks and initial weights.

studies_router = api_router("studies")


@studies_router.get("/study-presets")
def list_study_presets(paging: Paged) -> Page[StudyPreset]:
    """Studies of publications that can be repeated with other images."""
    return paging.page_of(planning.list_presets())


@studies_router.get("/studies")
def list_studies(workspace: ServedWorkspace, paging: Paged) -> Page[StudyState]:
    """The studies, the newest first."""
    return study_states.list_studies(workspace, paging)


@studies_router.get("/datasets/{dataset_id}/network-findings")
def list_network_findings(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[NetworkFinding]:
    """The results of networks on this dataset in studies, the newest first."""
    return paging.page_of(study_states.findings_on(workspace, dataset_id))


class NewStudy(StudyChoices):
    """A study to queue."""

    name: str | None = Field(default=None, max_length=120)
    """Default: named after the preset."""
    budget: str | None = Field(default=None, max_length=40)
    """Time limit of each start: `90s`, `10m`, `2h`. Trainings that would not end in time are left for `resume`. Null:
    no limit."""


@studies_router.post("/studies", status_code=201, responses=located(201) | problems(404, 409))
@writes_much
def create_study(workspace: ServedWorkspace, new: NewStudy, locate: Locate) -> StudyStory:
    """Queue a study with the current labels. Trainings and studies run one at a time."""
    job = planning.queue_study(workspace, new, name=new.name, budget=new.budget)
    locate("jobs", job)
    return study_states.study_story(workspace, find_job(workspace, job))
