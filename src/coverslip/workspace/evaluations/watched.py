"""What those who watch an evaluation are told."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.errors import NotFound
from coverslip.workspace.evaluations.state import EvaluationState, evaluation_state
from coverslip.workspace.jobs.state import has_ended
from coverslip.workspace.jobs.watching import Look, Message, as_text
from coverslip.workspace.store.home import Workspace


@dataclass(frozen=True, slots=True)
class EvaluationEvents:
    """What those who watch an evaluation are told, by the name of the event."""

    state: Annotated[EvaluationState, Field(description="As it is now: first, at each change, and last.")]


class WatchedEvaluation:
    """An evaluation's state."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id

    def look(self) -> Look:
        try:
            state = evaluation_state(self._workspace, self._id)
        except NotFound:
            return Look({}, True, [])
        return Look({"state": as_text(state)}, has_ended(state.state), [])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return []
