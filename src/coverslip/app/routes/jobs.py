"""What is done with a job of any kind, a training, an evaluation, a prediction: watched, stopped, explained."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coverslip.app.files import PICTURE, image_response
from coverslip.app.requests import Explanations, Home, JobQueue, api_router
from coverslip.app.schemas.system import problems
from coverslip.app.streams import LastKnown, Watched, events_in_document, events_of
from coverslip.workspace.explaining.asking import ExplanationState
from coverslip.workspace.job_kinds import JOB_KINDS, JobState
from coverslip.workspace.jobs import acts
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.home import Workspace

router = api_router("jobs")


def _known(workspace: Home, job_id: str) -> str:
    return find_job(workspace, job_id).id


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=events_in_document() | problems(404),
)
async def watch_job(
    job_id: Annotated[str, Depends(_known)], watching: Watched, after: LastKnown
) -> AsyncIterator[ServerSentEvent]:
    """A job as it goes on; what each event carries stands at `RunEvents`, `EvaluationEvents`,
    `PredictionEvents` and `StudyEvents`.

    Begins with what is so now, then the log from its start or after the given line. Ends with a last state once the job
    has ended; where it had ended before, with that alone.
    """
    async for event in events_of(watching, job_id, after):
        yield event


@router.post("/jobs/{job_id}/stop", responses=problems(404, 409))
def stop_job(workspace: Home, job_id: str, queue: JobQueue) -> JobState:
    """End a job; what it has reached so far is kept. One that waits is taken out of the queue."""
    acts.stop(workspace, job_id)
    queue.wake()
    return _state(workspace, job_id)


@router.post("/jobs/{job_id}/finish", responses=problems(404, 409))
def finish_job(workspace: Home, job_id: str, queue: JobQueue) -> JobState:
    """End a training's fine-tuning now, with its best epoch so far; then calibrate, test and report.

    A training that was stopped is queued again for that. The recipe says where fine-tuning ended.
    """
    acts.finish(workspace, job_id)
    queue.wake()
    return _state(workspace, job_id)


@router.post("/jobs/{job_id}/resume", responses=problems(404, 409))
def resume_job(workspace: Home, job_id: str, queue: JobQueue) -> JobState:
    """Queue a job again that was stopped, interrupted or failed; it goes on where it was.

    Of a study that is done, trainings that failed are tried again.
    """
    acts.resume(workspace, job_id)
    queue.wake()
    return _state(workspace, job_id)


@router.delete("/jobs/{job_id}", status_code=204, responses=problems(404, 409))
def remove_job(workspace: Home, job_id: str) -> None:
    """Move a job, with all that it made, to the workspace's trash."""
    acts.remove(workspace, job_id)


@router.post("/jobs/{job_id}/restore", responses=problems(404, 409))
def restore_job(workspace: Home, job_id: str, queue: JobQueue) -> JobState:
    """Take a job out of the trash, as it was."""
    acts.restore(workspace, job_id)
    queue.wake()
    return _state(workspace, job_id)


@router.get("/jobs/{job_id}/rows/{k}/explanation", responses=problems(404, 409, 422))
def get_explanation(explanations: Explanations, job_id: str, k: int) -> ExplanationState:
    """How far the picture is that explains the k-th image of a job's rows."""
    return explanations.state_of(job_id, k)


@router.post("/jobs/{job_id}/rows/{k}/explanation", status_code=202, responses=problems(404, 409, 422))
def create_explanation(explanations: Explanations, job_id: str, k: int) -> ExplanationState:
    """Draw where in an image the evidence lies, in a map that passed its checks, and training images like it.

    It is drawn in a process of its own. The first one of a classifier takes a minute: its maps are checked.
    """
    return explanations.start(job_id, k)


@router.delete("/jobs/{job_id}/rows/{k}/explanation", status_code=204, responses=problems(404, 409, 422))
def remove_explanation(explanations: Explanations, job_id: str, k: int) -> None:
    """Draw it no further; one that is drawn stays."""
    explanations.cancel(job_id, k)


@router.get(
    "/jobs/{job_id}/rows/{k}/explanation/picture", response_class=Response, responses=PICTURE | problems(404, 409, 422)
)
def get_explanation_picture(explanations: Explanations, job_id: str, k: int) -> Response:
    """The picture, once it is drawn."""
    return image_response(explanations.picture(job_id, k))


def _state(workspace: Workspace, job_id: str) -> JobState:
    return JOB_KINDS[find_job(workspace, job_id).kind].state(workspace, job_id)
