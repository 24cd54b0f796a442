"""Background work beside requests: the queue of jobs, event streams, loaded classifiers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from coverslip.app.streams import ended_by_signals
from coverslip.images import decode_in_processes, interrupt_decoding
from coverslip.workspace import cleanup
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.explaining.explanations import Explanations
from coverslip.workspace.job_kinds import JOB_KINDS
from coverslip.workspace.jobs.queue import Queue
from coverslip.workspace.jobs.records import JobKind
from coverslip.workspace.jobs.watching import NewSource, Watching
from coverslip.workspace.leakage_audit.distances import DistanceMeasurements
from coverslip.workspace.leakage_audit.estimates import LeakageEstimates
from coverslip.workspace.predictions.classifiers import LoadedClassifiers
from coverslip.workspace.store.workspace import Workspace

_SECONDS_TO_END = 1.0  # for threads that may also be killed


def add_background(app: FastAPI, workspace: Workspace) -> None:
    """Create the services that routes use; `at_work` starts them."""
    app.state.queue, app.state.watching = Queue(workspace), Watching(workspace, _sources())
    app.state.classifiers, app.state.estimates = LoadedClassifiers(workspace), LeakageEstimates(workspace)
    app.state.explanations, app.state.distances = Explanations(workspace), DistanceMeasurements(workspace)


def _sources() -> dict[JobKind, NewSource]:
    return {kind: record.source for kind, record in JOB_KINDS.items()}


@asynccontextmanager
async def at_work(app: FastAPI) -> AsyncIterator[None]:
    """Run the background work while the server runs. Running jobs continue after the server ends."""
    workspace: Workspace = app.state.workspace
    with decode_in_processes(workspace.readable):  # a file that blocks its reader must not block the server
        async with _working(app, workspace):
            yield


@asynccontextmanager
async def _working(app: FastAPI, workspace: Workspace) -> AsyncIterator[None]:
    await asyncio.to_thread(cleanup.remove_partial_files, workspace)  # before the first request creates new ones
    workspace.background.start("tidying", lambda is_over: cleanup.tidy(workspace, is_over))
    await asyncio.to_thread(reading_images.begin, workspace)
    await asyncio.to_thread(app.state.queue.start)
    app.state.classifiers.start()
    try:
        with ended_by_signals(app.state.watching.close, interrupt_decoding):
            yield
    finally:
        app.state.watching.close()
        await asyncio.to_thread(_end, app, workspace)


def _end(app: FastAPI, workspace: Workspace) -> None:
    interrupt_decoding()
    app.state.queue.close()
    app.state.classifiers.close()
    app.state.estimates.close()
    app.state.explanations.close()
    app.state.distances.close()
    workspace.background.end_all(_SECONDS_TO_END)
