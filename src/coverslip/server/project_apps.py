"""The applications of the projects of a server with accounts, each over a workspace of its own."""

import asyncio
import logging
import os
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from coverslip.app.server import background_of, close_streams, create_app
from coverslip.app.streams import ended_by_signals
from coverslip.errors import CoverslipError
from coverslip.events import Emit, ignore
from coverslip.images import decode_in_processes, interrupt_decoding
from coverslip.server.folder import AccountServer
from coverslip.server.projects import Project, find_project, list_projects, workspace_of
from coverslip.workspace.jobs.queue import DEFAULT, JobOptions, Turns
from coverslip.workspace.store.serving import only_server
from coverslip.workspace.store.workspace import compute_pool

_log = logging.getLogger("coverslip")
_BUSY_SECONDS = 2.0  # after which a thread computes, so that no project waits for another
_SIZE_SECONDS = 60.0  # between measurements of the sizes of projects
Report = Callable[[Project, CoverslipError | OSError], None]


class ProjectApps:
    """The applications of the projects that are served. They are opened and closed in the event loop.

    Args:
        server: the server with the projects.
        options: how their jobs run.
        report: receives a project that cannot be served when the server starts, and the reason.
        emit: receives progress events of upgrades of workspaces.
    """

    def __init__(
        self,
        server: AccountServer,
        options: JobOptions = DEFAULT,
        report: Report = lambda _, __: None,
        emit: Emit = ignore,
    ) -> None:
        self._report, self._emit = report, emit
        self._server, self._options, self._turns = server, options, Turns(is_open=False)
        self._apps: dict[str, tuple[Project, FastAPI, AsyncExitStack]] = {}
        self._changing = defaultdict[str, asyncio.Lock](asyncio.Lock)  # a project is opened or closed
        self._sizes: dict[str, int] = {}
        self._pool = compute_pool(_BUSY_SECONDS)  # the pages of one user must not delay the others
        self._must_end = threading.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve all projects during the block."""
        measuring = threading.Thread(target=self._measure, name="sizes of projects", daemon=True)
        with (
            decode_in_processes((*self._server.roots, self._server.projects)),
            ended_by_signals(self._close_streams, interrupt_decoding),
        ):
            try:
                for project in await run_in_threadpool(list_projects, self._server):
                    try:
                        await self.update(project.id)
                    except (CoverslipError, OSError) as error:  # its folder is missing, for example
                        _log.exception("the project %s cannot be served", project.id)
                        self._report(project, error)  # the others are served
                self._turns.open()
                measuring.start()
                yield
            finally:
                self._must_end.set()
                interrupt_decoding()
                await run_in_threadpool(self._pool.close)
                for project_id in reversed(list(self._apps)):
                    await self._close(project_id)

    async def update(self, project_id: str) -> Project:
        """Serve a project as it is in the table now: open, close or open it again.

        Raises:
            CoverslipError: its workspace cannot be used.
        """
        async with self._changing[project_id]:
            project = await run_in_threadpool(find_project, self._server, project_id)
            served = self._apps.get(project_id)
            if served is not None and not project.is_removed and project.roots == served[0].roots:
                self._apps[project_id] = (project, *served[1:])
                return project
            await self._close(project_id)
            if not project.is_removed:
                await self._open(project)
            return project

    async def _open(self, project: Project) -> None:
        async with AsyncExitStack() as stack:
            app = await run_in_threadpool(self._created, project, stack)
            await stack.enter_async_context(background_of(app))
            self._apps[project.id] = project, app, stack.pop_all()

    def _created(self, project: Project, stack: AsyncExitStack) -> FastAPI:
        workspace = replace(workspace_of(self._server, project), pool=self._pool)
        stack.enter_context(only_server(workspace.folder))
        stack.callback(workspace.engine.dispose)
        workspace.check_database(self._emit)
        app = create_app(workspace, self._turns, self._options)
        stack.callback(app.state.queue.close)  # also if its background work cannot start
        return app

    async def _close(self, project_id: str) -> None:
        if served := self._apps.pop(project_id, None):
            await served[2].aclose()

    def _close_streams(self) -> None:
        for _, app, _ in self._apps.values():
            close_streams(app)

    def served(self, project_id: str) -> tuple[Project, FastAPI] | None:
        """Return a project that is served and its application."""
        served = self._apps.get(project_id)
        return None if served is None else served[:2]

    def n_bytes(self, project_id: str) -> int | None:
        """Return the size of the folder of a project at the last measurement."""
        return self._sizes.get(project_id)

    def is_full(self, project_id: str) -> bool:
        """Return whether a project has reached its limit."""
        served = self._apps.get(project_id)
        limit = None if served is None else served[0].max_bytes
        return limit is not None and self._sizes.get(project_id, 0) >= limit

    def _measure(self) -> None:
        while not self._must_end.is_set():
            for project_id in list(self._apps):
                folder = self._server.projects / project_id
                self._sizes[project_id] = _size(folder) - _size(folder / "trash")  # which empties itself
            self._must_end.wait(_SIZE_SECONDS)


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # removed meanwhile
                total += Path(parent, name).lstat().st_size
    return total
