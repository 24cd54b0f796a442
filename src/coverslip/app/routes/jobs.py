"""What is done with a job of any kind, a training, an evaluation, a prediction: watched, stopped, resumed, removed."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from coverslip.app.deps import Home, JobQueue
from coverslip.app.routing import api_router
from coverslip.app.schemas.problems import problems
from coverslip.app.streams import LastKnown, Watched, events_in_document, events_of
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


def _state(workspace: Workspace, job_id: str) -> JobState:
    return JOB_KINDS[find_job(workspace, job_id).kind].state(workspace, job_id)
