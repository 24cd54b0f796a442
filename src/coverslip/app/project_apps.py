"""The applications of the projects of a server with accounts, each over a workspace of its own."""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from coverslip.accounts.projects import Project, list_projects, workspace_of
from coverslip.accounts.server import AccountServer
from coverslip.app.server import create_app
from coverslip.errors import CoverslipError
from coverslip.workspace.jobs.turns import Turns
from coverslip.workspace.store.serving import only_server

_SIZE_SECONDS = 60.0  # between measurements of the sizes of projects


class ProjectApps:
    """The applications of the projects that are served. They are opened and closed in the event loop."""

    def __init__(self, server: AccountServer) -> None:
        self._server, self._turns = server, Turns()
        self._apps: dict[str, tuple[Project, FastAPI, AsyncExitStack]] = {}
        self._sizes: dict[str, int] = {}
        self._must_end = threading.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve all projects during the block."""
        measuring = threading.Thread(target=self._measure, name="sizes of projects", daemon=True)
        try:
            for project in await run_in_threadpool(list_projects, self._server):
                if not project.is_removed:
                    with suppress(CoverslipError):  # its folder is missing; the other projects are served
                        await self.open(project)
            measuring.start()
            yield
        finally:
            self._must_end.set()
            for project_id in reversed(list(self._apps)):
                await self.close(project_id)

    async def open(self, project: Project) -> None:
        """Serve a project, if it is not served.

        Raises:
            CoverslipError: its workspace cannot be used.
        """
        if project.id in self._apps:
            return
        workspace = await run_in_threadpool(workspace_of, self._server, project)
        app = create_app(workspace, self._turns)
        async with AsyncExitStack() as stack:
            stack.enter_context(only_server(workspace.folder))
            stack.callback(workspace.engine.dispose)
            await stack.enter_async_context(app.router.lifespan_context(app))
            self._apps[project.id] = project, app, stack.pop_all()

    async def close(self, project_id: str) -> None:
        """Stop serving a project."""
        if served := self._apps.pop(project_id, None):
            await served[2].aclose()

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
                self._sizes[project_id] = _size(self._server.projects / project_id)
            self._must_end.wait(_SIZE_SECONDS)


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # removed meanwhile
                total += Path(parent, name).lstat().st_size
    return total
