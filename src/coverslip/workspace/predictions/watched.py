"""What those who watch a prediction are told."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.errors import NotFound
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.jobs.state import has_ended
from coverslip.workspace.jobs.watching import Look, Message, as_text
from coverslip.workspace.predictions.state import PredictionState, state_of_prediction
from coverslip.workspace.store.home import Workspace


@dataclass(frozen=True, slots=True)
class RowsSoFar:
    """How many rows a prediction has."""

    n: int


@dataclass(frozen=True, slots=True)
class PredictionEvents:
    """What those who watch a prediction are told, by the name of the event."""

    state: Annotated[PredictionState, Field(description="As it is now: first, at each change, and last.")]
    rows: Annotated[RowsSoFar, Field(description="There are more rows: pages ask for those that they show.")]


class WatchedPrediction:
    """A prediction's state, and how many rows there are."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id

    def look(self) -> Look:
        try:
            job = find_job(self._workspace, self._id, "predict")
        except NotFound:
            return Look({}, True, [])
        state = state_of_prediction(self._workspace, job)
        now = {"state": as_text(state), "rows": as_text(RowsSoFar(state.n_done))}
        return Look(now, has_ended(state.state), [])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return []
