"""Background work beside requests: the queue of jobs, event streams, loaded classifiers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from coverslip.app.streams import ended_by_signals
from coverslip.images import decoding_apart, interrupt_decoding
from coverslip.workspace import tidying
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.explaining.asking import Explaining
from coverslip.workspace.job_kinds import JOB_KINDS
from coverslip.workspace.jobs.queue import Queue
from coverslip.workspace.jobs.records import JobKind
from coverslip.workspace.jobs.watching import NewSource, Watching
from coverslip.workspace.leakage_audit.asking import Looking
from coverslip.workspace.leakage_audit.distances import Measuring
from coverslip.workspace.predictions.classifying import Classifying
from coverslip.workspace.store.home import Workspace

_SECONDS_TO_END = 1.0  # for threads that may also be killed


def add_background(app: FastAPI, workspace: Workspace) -> None:
    """Give routes what they hand work to; `at_work` begins it."""
    app.state.queue, app.state.watching = Queue(workspace), Watching(workspace, _sources())
    app.state.classifying, app.state.looking = Classifying(workspace), Looking(workspace)
    app.state.explaining, app.state.measuring = Explaining(workspace), Measuring(workspace)


def _sources() -> dict[JobKind, NewSource]:
    return {kind: record.source for kind, record in JOB_KINDS.items()}


@asynccontextmanager
async def at_work(app: FastAPI) -> AsyncIterator[None]:
    """As long as the server runs; jobs that are at work go on after it."""
    workspace: Workspace = app.state.workspace
    with decoding_apart(workspace.readable):  # a file that hangs its reader shall not hang the server
        async with _working(app, workspace):
            yield


@asynccontextmanager
async def _working(app: FastAPI, workspace: Workspace) -> AsyncIterator[None]:
    await asyncio.to_thread(tidying.remove_partial_files, workspace)  # before the first request makes new ones
    workspace.background.start("tidying", lambda is_over: tidying.tidy(workspace, is_over))
    await asyncio.to_thread(reading_images.begin, workspace)
    await asyncio.to_thread(app.state.queue.start)
    app.state.classifying.start()
    try:
        with ended_by_signals(app.state.watching.close, interrupt_decoding):
            yield
    finally:
        app.state.watching.close()
        await asyncio.to_thread(_end, app, workspace)


def _end(app: FastAPI, workspace: Workspace) -> None:
    interrupt_decoding()
    app.state.queue.close()
    app.state.classifying.close()
    app.state.looking.close()
    app.state.explaining.close()
    app.state.measuring.close()
    workspace.background.end_all(_SECONDS_TO_END)
