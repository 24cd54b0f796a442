"""What those who watch a study are told."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.errors import NotFound
from coverslip.workspace.jobs.records import find_job, waiting
from coverslip.workspace.jobs.state import has_ended
from coverslip.workspace.jobs.watching import Look, Message, as_text
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.studies.state import StudyState, StudyTraining, state_of_study, trainings_of


@dataclass(frozen=True, slots=True)
class StudyEvents:
    """What those who watch a study are told, by the name of the event."""

    state: Annotated[StudyState, Field(description="As it is now: first, at each change, and last.")]
    cells: Annotated[list[StudyTraining], Field(description="Its trainings as they are now.")]


class WatchedStudy:
    """A study's state, and its trainings."""

    def __init__(self, workspace: Workspace, job_id: str) -> None:
        self._workspace, self._id = workspace, job_id

    def look(self) -> Look:
        try:
            job = find_job(self._workspace, self._id, "study")
        except NotFound:
            return Look({}, True, [])
        state = state_of_study(job, waiting(self._workspace, "study"))
        now = {"state": as_text(state), "cells": as_text(trainings_of(self._workspace, job))}
        return Look(now, has_ended(state.state), [])

    def backlog(self, after: int, up_to: int) -> list[Message]:
        return []
