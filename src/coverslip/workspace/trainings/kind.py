"""Trainings as a kind of job: their events, their progress, and how they are resumed and finished early."""

import time
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.errors import NotFound
from coverslip.runs import is_run
from coverslip.runs.log import LogLine, LogReader, Training, lasting_lines, seconds_left
from coverslip.workspace.datasets.snapshots import refuse_exchanged_files
from coverslip.workspace.jobs.kinds import (
    JobKind,
    JobProgress,
    JobSnapshot,
    Message,
    as_text,
    queued_ids,
    register,
)
from coverslip.workspace.jobs.options import TRAININGS_QUEUE
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.jobs.state import State, folded_log, has_ended
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.runs import RunState, can_finish, state_of_run


@dataclass(frozen=True, slots=True)
class RunEvents:
    """The events of a training by name."""

    state: Annotated[RunState, Field(description="The current state: first, after each change, and last.")]
    trainings: Annotated[tuple[Training, ...], Field(description="The curves so far.")]
    log: Annotated[LogLine, Field(description="An important line; its number is the ID of the event.")]


class TrainingSource:
    """The source of the events of a training: state, curves, and important lines of the log."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id
        self._log = find_job(workspace, job_id, TRAINING.name).run.events_file
        self._reader = LogReader(self._log)
        self._last_sent: tuple[tuple[Training, ...], str] = ((), "[]")

    def snapshot(self) -> JobSnapshot:
        try:
            job = find_job(self._workspace, self._id, TRAINING.name)
        except NotFound:
            return JobSnapshot({}, True, [])
        state = state_of_run(job, queued_ids(self._workspace, TRAININGS_QUEUE))
        # Read after the state, so that the last lines before the end are included.
        trainings = folded_log(job).progress.trainings
        self._reader.was_replaced()
        lines = [_as_message(line) for line in self._reader.new_lines() if line.is_lasting]
        now = {"state": as_text(state), "trainings": self._trainings_as_text(trainings)}
        return JobSnapshot(now, has_ended(state.state), lines)

    def _trainings_as_text(self, trainings: tuple[Training, ...]) -> str:
        if trainings is not self._last_sent[0]:  # they change after epochs, not after steps
            self._last_sent = (trainings, as_text(trainings))
        return self._last_sent[1]

    def backlog(self, after: int, up_to: int) -> list[Message]:
        if after >= up_to:
            return []
        return [_as_message(line) for line in lasting_lines(self._log) if after < line.n <= up_to]


def _as_message(line: LogLine) -> Message:
    return Message("log", as_text(line), line.n)


def _resume_command(job: Job, is_finishing: bool) -> list[str]:
    if not is_run(job.folder):
        return list(job.command)
    return ["-m", "coverslip", "train", f"--{'finish' if is_finishing else 'resume'}={job.folder}"]


def _can_finish(job: Job, state: State) -> bool:
    return can_finish(job, state, folded_log(job).progress)


def _progress(job: Job) -> JobProgress | None:
    progress = folded_log(job).progress
    if not progress.has_begun:
        return None
    stage = progress.stage if progress.work is None else progress.work.stage
    return JobProgress(int(progress.share * 100), 100, stage, seconds_left(progress, time.time()))


TRAINING = register(
    JobKind(
        name="train",
        collection="runs",
        queue=TRAININGS_QUEUE,
        can_be_submitted=True,
        events=RunEvents,
        source=TrainingSource,
        progress=_progress,
        has_measurements=True,
        resume_command=_resume_command,
        can_finish=_can_finish,
        refuse=refuse_exchanged_files,
    )
)
