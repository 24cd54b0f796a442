"""What routes take from requests: dependencies, and raw bodies written to a file as they arrive."""

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import RawIOBase
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from coverslip.app.guard import allow_body, announced
from coverslip.errors import CoverslipError, TooLarge
from coverslip.files import cannot_write
from coverslip.workspace.explaining.asking import Explaining
from coverslip.workspace.jobs.queue import Queue
from coverslip.workspace.leakage_audit.asking import Looking
from coverslip.workspace.leakage_audit.distances import Measuring
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Paging

API = "/api/v1"


def api_router(area: str, **options: Any) -> APIRouter:
    """A router of one area of the API; `options` (Any: each of its own type) are FastAPI's."""
    return APIRouter(prefix=API, tags=[area], generate_unique_id_function=lambda route: route.name, **options)


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Let `app` answer at the router's routes.

    `include_router` would build each of them once more for every application, though nothing is to be changed in routes
    that have their prefix.
    """
    app.router.routes.extend(router.routes)


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


@asynccontextmanager
async def received(request: Request, folder: Path, *, most_bytes: int, suffix: str) -> AsyncIterator[Path]:
    """The body as a file, which is gone afterwards unless it was moved away.

    Args:
        request: whose body has not been read.
        folder: that the file lies in.
        most_bytes: where more comes, the request is refused.
        suffix: that the file's name ends in.

    Raises:
        TooLarge: more was sent.
        CoverslipError: nothing was sent, or the disk is full.
    """
    allow_body(request, None)  # counted here
    if (announced(request.headers) or 0) > most_bytes:
        raise _too_large(most_bytes)
    opened, file = await run_in_threadpool(_new_file, folder, suffix)
    try:
        n_bytes = 0
        with opened:
            async for chunk in request.stream():
                n_bytes += len(chunk)
                if n_bytes > most_bytes:
                    raise _too_large(most_bytes)
                await run_in_threadpool(_write, opened, chunk, folder)
        if not n_bytes:
            raise CoverslipError("empty-request")
        yield file
    finally:
        file.unlink(missing_ok=True)


def _new_file(folder: Path, suffix: str) -> tuple[RawIOBase, Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=folder, suffix=suffix)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return os.fdopen(number, "wb", buffering=0), Path(name)  # what no disk takes is told at once, not when it closes


def _write(opened: RawIOBase, data: bytes, folder: Path) -> None:
    left = memoryview(data)
    try:
        while left:
            left = left[opened.write(left) or 0 :]
    except OSError as error:
        raise cannot_write(folder, error) from error


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge("file-too-large", n_mb=most_bytes // 2**20)


async def while_wanted(request: Request, answer: Callable[[Callable[[], bool]], Response]) -> Response:
    """What `answer` gives, in a thread; it is handed a function that says whether the client is still there."""
    is_gone = threading.Event()
    watching = asyncio.create_task(_watch(request, is_gone))
    try:
        return await run_in_threadpool(answer, lambda: not is_gone.is_set())
    finally:
        watching.cancel()


async def _watch(request: Request, is_gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    is_gone.set()
