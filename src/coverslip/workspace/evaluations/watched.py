"""What those who watch an evaluation are told."""

from coverslip.errors import NotFound
from coverslip.workspace.evaluations.state import evaluation_state
from coverslip.workspace.jobs.state import has_ended
from coverslip.workspace.jobs.watching import Look, Message, as_text
from coverslip.workspace.store.home import Workspace


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
