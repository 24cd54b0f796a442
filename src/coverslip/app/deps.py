"""What routes are handed."""

from typing import Annotated

from fastapi import Depends, Query, Request

from coverslip.workspace.explaining.asking import Explaining
from coverslip.workspace.jobs.queue import Queue
from coverslip.workspace.looking.asking import Looking
from coverslip.workspace.looking.distances import Measuring
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Paging


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


def _queue(request: Request) -> Queue:
    queue: Queue = request.app.state.queue
    return queue


def _looking(request: Request) -> Looking:
    looking: Looking = request.app.state.looking
    return looking


def _explaining(request: Request) -> Explaining:
    explaining: Explaining = request.app.state.explaining
    return explaining


def _measuring(request: Request) -> Measuring:
    measuring: Measuring = request.app.state.measuring
    return measuring


Home = Annotated[Workspace, Depends(_workspace)]
JobQueue = Annotated[Queue, Depends(_queue)]
Looks = Annotated[Looking, Depends(_looking)]
Explanations = Annotated[Explaining, Depends(_explaining)]
Measures = Annotated[Measuring, Depends(_measuring)]
Paged = Annotated[Paging, Query()]
