"""What those who watch a training are told."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.errors import NotFound
from coverslip.runs.log import LogLine, LogReader, Training, lasting_lines
from coverslip.workspace.jobs.log import folded_log
from coverslip.workspace.jobs.records import find_job, waiting
from coverslip.workspace.jobs.runs import RunState, state_of_run
from coverslip.workspace.jobs.state import has_ended
from coverslip.workspace.jobs.watching import Look, Message, as_text
from coverslip.workspace.store.home import Workspace


@dataclass(frozen=True, slots=True)
class RunEvents:
    """What those who watch a training are told, by the name of the event."""

    state: Annotated[RunState, Field(description="As it is now: first, at each change, and last.")]
    trainings: Annotated[tuple[Training, ...], Field(description="Its curves so far.")]
    log: Annotated[LogLine, Field(description="A line that is worth reading; the event's id is its number.")]


class WatchedTraining:
    """A run's state, the curves of its trainings, and the lines of its log that are worth reading."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id
        self._log = find_job(workspace, job_id, "train").run.events_file
        self._reader = LogReader(self._log)
        self._told: tuple[tuple[Training, ...], str] = ((), "[]")

    def look(self) -> Look:
        try:
            job = find_job(self._workspace, self._id, "train")
        except NotFound:
            return Look({}, True, [])
        state = state_of_run(job, waiting(self._workspace, "train"))
        # After the state: what a process wrote before it ended is not missed.
        trainings = folded_log(job).progress.trainings
        self._reader.has_begun_anew()
        lines = [_as_message(line) for line in self._reader.new_lines() if line.is_lasting]
        now = {"state": as_text(state), "trainings": self._trainings_as_text(trainings)}
        return Look(now, has_ended(state.state), lines)

    def _trainings_as_text(self, trainings: tuple[Training, ...]) -> str:
        if trainings is not self._told[0]:  # they change with epochs, not with steps
            self._told = (trainings, as_text(trainings))
        return self._told[1]

    def backlog(self, after: int, up_to: int) -> list[Message]:
        if after >= up_to:
            return []
        return [_as_message(line) for line in lasting_lines(self._log) if after < line.n <= up_to]


def _as_message(line: LogLine) -> Message:
    return Message("log", as_text(line), line.n)
