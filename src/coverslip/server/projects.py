"""Projects, their members, and their applications, each over a workspace of its own."""

import asyncio
import logging
import os
import secrets
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update
from starlette.concurrency import run_in_threadpool

from coverslip.app.clients import Role
from coverslip.app.server import background_of, close_streams, create_app
from coverslip.app.streams import ended_by_signals
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError, NotFound
from coverslip.events import Emit, ignore
from coverslip.images.decoding import decode_in_processes, interrupt_decoding
from coverslip.messages import ChooseOther
from coverslip.server.folder import AccountServer, members, projects, users
from coverslip.server.users import USER_OF_KEY, Kind, User, find_user, row_of_key, user_in, user_of
from coverslip.workspace.jobs.queue import DEFAULT, JobOptions, Turns
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import now, replace_rows
from coverslip.workspace.store.workspace import Workspace, compute_pool, only_server, open_workspace

_MEMBER = (
    select(projects.c.id, members.c.role)
    .outerjoin(members, (members.c.project_id == projects.c.id) & (members.c.user_id == bindparam("user_id")))
    .where(projects.c.id == bindparam("project_id"), projects.c.removed.is_(None))
)
_USER_AND_MEMBER = (  # once: each request runs it
    USER_OF_KEY.add_columns(projects.c.id.label("served"), members.c.role)
    .outerjoin(projects, (projects.c.id == bindparam("project_id")) & projects.c.removed.is_(None))
    .outerjoin(members, (members.c.project_id == projects.c.id) & (members.c.user_id == users.c.id))
)


@dataclass(frozen=True, slots=True)
class Project(DocumentedFields):
    """A project: a workspace with members."""

    id: str
    name: str
    roots: list[str]
    """Folders of the server whose images the project may read."""
    max_bytes: int | None
    """Limit of the size of its folder. null: no limit."""
    created: str
    """ISO 8601, UTC."""
    is_removed: bool
    """It is not served. Its folder is kept, and it can be restored."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user who may use a project."""

    user_id: str
    name: str
    role: Role


def list_projects(server: AccountServer, user: User | None = None) -> list[Project]:
    """Return the projects that a user may use, by name; None or an administrator: all, including removed ones."""
    query = select(projects).order_by(projects.c.name, projects.c.id)
    if user is not None and not user.is_admin:
        query = query.join(members, members.c.project_id == projects.c.id)
        query = query.where(members.c.user_id == user.id, projects.c.removed.is_(None))
    with server.engine.connect() as connection:
        return [_project(row) for row in connection.execute(query).mappings()]


def find_project(server: AccountServer, project_id: str) -> Project:
    """Return a project by ID.

    Raises:
        NotFound: there is none.
    """
    with server.engine.connect() as connection:
        return _project(_project_row(connection, project_id))


def add_project(
    server: AccountServer, name: str, *, roots: Sequence[str] = (), max_bytes: int | None = None
) -> Project:
    """Add a project without members.

    Raises:
        CoverslipError: a root is outside the roots of the server.
    """
    project_id = secrets.token_hex(5)
    values = {"name": name, "roots": _allowed(server, roots), "max_bytes": max_bytes}
    with write_transaction(server.engine) as connection:
        connection.execute(insert(projects).values(id=project_id, created=now(), **values))
        return _project(_project_row(connection, project_id))


def change_project(
    server: AccountServer,
    project_id: str,
    *,
    name: str,
    roots: Sequence[str],
    max_bytes: int | None,
) -> Project:
    """Change the name, roots and limit of a project.

    Raises:
        NotFound: there is no such project.
        CoverslipError: a root is outside the roots of the server.
    """
    values = {"name": name, "roots": _allowed(server, roots), "max_bytes": max_bytes}
    with write_transaction(server.engine) as connection:
        _project_row(connection, project_id)
        connection.execute(update(projects).where(projects.c.id == project_id).values(**values))
        return _project(_project_row(connection, project_id))


def remove_project(server: AccountServer, project_id: str, *, is_removed: bool = True) -> Project:
    """Stop serving a project, or serve it again. Its folder and its members are kept.

    Raises:
        NotFound: there is no such project.
    """
    with write_transaction(server.engine) as connection:
        _project_row(connection, project_id)
        removed = now() if is_removed else None
        connection.execute(update(projects).where(projects.c.id == project_id).values(removed=removed))
        return _project(_project_row(connection, project_id))


def list_members(server: AccountServer, project_id: str) -> list[Member]:
    """Return the members of a project by name.

    Raises:
        NotFound: there is no such project.
    """
    query = select(users.c.id, users.c.name, members.c.role).join(members, members.c.user_id == users.c.id)
    with server.engine.connect() as connection:
        _project_row(connection, project_id)
        rows = connection.execute(query.where(members.c.project_id == project_id).order_by(users.c.name))
        return [Member(row.id, row.name, row.role) for row in rows]


def set_member(server: AccountServer, project_id: str, user_id: str, role: Role) -> Role | None:
    """Let a user use a project in this role; return the role before.

    Raises:
        NotFound: there is no such project or user.
    """
    find_user(server, user_id)
    row = {"project_id": project_id, "user_id": user_id, "role": role}
    is_member = (members.c.project_id == project_id) & (members.c.user_id == user_id)
    with write_transaction(server.engine) as connection:
        _project_row(connection, project_id)
        before: Role | None = connection.execute(select(members.c.role).where(is_member)).scalar()
        replace_rows(connection, members, [row])
    return before


def remove_member(server: AccountServer, project_id: str, user_id: str) -> None:
    """End the membership of a user, if there is one.

    Raises:
        NotFound: there is no such project.
    """
    is_member = (members.c.project_id == project_id) & (members.c.user_id == user_id)
    with write_transaction(server.engine) as connection:
        _project_row(connection, project_id)
        connection.execute(delete(members).where(is_member))


def role_in(server: AccountServer, project_id: str, user: User) -> Role | None:
    """Return the role of a user in a project that is served; None: the user may not know of it."""
    with server.engine.connect() as connection:
        row = connection.execute(_MEMBER, {"project_id": project_id, "user_id": user.id}).first()
    return None if row is None else _role(user, row.role)


def user_and_role(server: AccountServer, secret: str, kind: Kind, project_id: str) -> tuple[User | None, Role | None]:
    """Return the active user of a secret, and the role of this user in a project, by one query.

    Both are None without a valid secret. The role is also None if the user may not know of the project, and if
    `project_id` is empty.
    """
    if not project_id:
        return user_of(server, secret, kind), None
    row = row_of_key(server, _USER_AND_MEMBER, secret, kind, project_id=project_id)
    if row is None:
        return None, None
    user = user_in(row)
    return user, None if row["served"] is None else _role(user, row["role"])


def _role(user: User, role: Role | None) -> Role | None:
    return "editor" if user.is_admin else role


def workspace_of(server: AccountServer, project: Project) -> Workspace:
    """Return the workspace of a project. Without roots, it reads uploaded images only.

    Raises:
        CoverslipError: it cannot be created, or a root no longer exists or is not allowed any more.
    """
    folder = server.projects / project.id
    roots = _allowed(server, project.roots)  # the server may have other roots now
    opened = open_workspace(folder, tuple(map(Path, roots)) or (folder,))
    return Workspace(opened.folder, opened.roots if project.roots else ())


def _allowed(server: AccountServer, roots: Sequence[str]) -> list[str]:
    """Return the real paths of folders in the roots of the server."""
    allowed = []
    for root in roots:
        real = Path(root).expanduser().resolve()
        if not real.is_dir():
            raise CoverslipError("missing-root", file=real, remedies=(ChooseOther("root"),))
        if not any(real.is_relative_to(outer) for outer in server.roots):
            outer_roots = ", ".join(map(str, server.roots)) or "–"
            raise CoverslipError("outside-roots", file=real, remedies=(ChooseOther("root"),), roots=outer_roots)
        if real.is_relative_to(server.folder) or server.folder.is_relative_to(real):
            raise CoverslipError("root-contains-server", file=real, remedies=(ChooseOther("root"),))
        allowed.append(str(real))
    return allowed


def _project_row(connection: Connection, project_id: str) -> RowMapping:
    row = connection.execute(select(projects).where(projects.c.id == project_id)).mappings().first()
    if row is None:
        raise NotFound("no-such-project")
    return row


def _project(row: RowMapping) -> Project:
    return Project(
        id=row["id"],
        name=row["name"],
        roots=row["roots"],
        max_bytes=row["max_bytes"],
        created=row["created"],
        is_removed=row["removed"] is not None,
    )


# The applications.

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
