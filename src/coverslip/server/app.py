"""The server with accounts: signing in, and the application of each project below its own address.

A project is served by an application of its own at `/projects/ID/`, over its own workspace. So no ID of another project
exists there, and every route, present and future, is confined to the project. This module decides who may use it.
"""

import asyncio
import ipaddress
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coverslip.app.clients import Change, Role
from coverslip.app.files import add_pages
from coverslip.app.guard import (
    CHANGE,
    IS_FULL,
    IS_SCRIPT,
    PORT,
    PROJECT,
    ROLE,
    SAFE_METHODS,
    USER,
    Door,
    Guard,
    cookie_of,
)
from coverslip.app.problems import logged_to, problem
from coverslip.app.requests import API, as_text
from coverslip.app.server import address_of, bound_socket, names_of, new_app, outer_name, run_until_ended, runner_of
from coverslip.errors import CoverslipError, NotFound
from coverslip.events import Emit, ignore
from coverslip.messages import failure
from coverslip.server import folder, users
from coverslip.server.backups import BackupRuns
from coverslip.server.folder import AccountServer
from coverslip.server.projects import ProjectApps, Report, role_in, user_and_role
from coverslip.server.routes import router
from coverslip.server.users import User
from coverslip.workspace.jobs.queue import DEFAULT, JobOptions
from coverslip.workspace.store.rows import acting_as
from coverslip.workspace.store.workspace import only_server, refuse_network_drive

if TYPE_CHECKING:
    import socket

    import uvicorn

_CHECK_SECONDS = 10.0  # between two checks whether the user may still use a project while a response is sent
_TRIM_SECONDS = 24 * 3600.0  # between deletions of old activity
_INVITATIONS = f"{API}/invitations/"  # an address below is a secret
_log = logging.getLogger("coverslip")
_PEER = "coverslip.peer"  # in the scope of a request: the address of the other end of the connection


@dataclass(frozen=True, slots=True)
class Proxies:
    """Reverse proxies whose headers are trusted."""

    addresses: tuple[str, ...] = ()  # of proxies, or networks of them
    user_header: str | None = None  # with the name of the user whom the proxy has signed in

    def includes(self, address: str) -> bool:
        """Return whether this is the address of a proxy."""
        try:
            client = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(client in ipaddress.ip_network(each, strict=False) for each in self.addresses)


def create_accounts_app(
    server: AccountServer,
    *,
    user_header: str | None = None,
    options: JobOptions = DEFAULT,
    activity_days: int | None = None,
    backups: Path | None = None,
    report: Report = lambda _, __: None,
    emit: Emit = ignore,
) -> FastAPI:
    """Create the application for accounts and projects, without the projects themselves.

    Args:
        server: the folder of the server.
        user_header: the header with the name of the user whom a proxy has signed in.
        options: how the jobs of projects run.
        activity_days: for how long activity is kept; None: forever.
        backups: the folder for backups that administrators start; None: they cannot start any.
        report, emit: as of `ProjectApps`.
    """
    backup_runs = BackupRuns(server, backups)
    projects = ProjectApps(server, options, report, emit)

    @asynccontextmanager
    async def at_work(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(users.delete_expired_keys, server)
        trimming = None if activity_days is None else asyncio.create_task(_trim_activity(server, activity_days))
        try:
            await run_in_threadpool(backup_runs.open)
            async with projects.serving():
                yield
        finally:
            await run_in_threadpool(backup_runs.close)
            if trimming is not None:
                trimming.cancel()

    app = new_app("coverslip: accounts", at_work, (router,))
    app.state.accounts, app.state.projects, app.state.user_header = server, projects, user_header
    app.state.backups = backup_runs
    add_pages(app, mode="accounts")
    return app


async def _trim_activity(server: AccountServer, days: int) -> None:
    """Delete older records, now and once a day."""
    while True:
        try:
            await run_in_threadpool(folder.delete_older, server, days)
        except CoverslipError:  # the database is busy or full
            _log.exception("old activity could not be deleted")
        await asyncio.sleep(_TRIM_SECONDS)


class AccountsGate:
    """Find out who sends a request, and pass it to the application of its project, or to that for accounts."""

    def __init__(self, app: FastAPI, proxies: Proxies, base: str = "") -> None:
        self._app, self._proxies, self._base = app, proxies, base
        self._server: AccountServer = app.state.accounts
        self._projects: ProjectApps = app.state.projects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if not path.startswith(f"{self._base}/"):
            await RedirectResponse(f"{self._base}/")(scope, receive, send)
            return
        if "\0" in path:
            await problem(404, failure("unknown-address", kind="not-found"))(scope, receive, send)
            return
        inner = path.removeprefix(self._base)
        below = inner.removeprefix("/projects/") if inner.startswith("/projects/") else ""
        project_id, slash, _ = below.partition("/")
        scope = {**scope, "root_path": self._base, USER: None, CHANGE: Change()}
        status = 500
        try:
            answer: ASGIApp = await run_in_threadpool(self._answer, scope, project_id, is_inside=bool(slash))
        except CoverslipError as error:  # the database is busy or full
            answer = problem(503, error.failure, headers={"Retry-After": "2"})
        user: User | None = scope[USER]
        checked, is_ended = time.monotonic(), False

        async def sending(message: Message) -> None:
            nonlocal status, checked, is_ended
            if message["type"] == "http.response.start":
                status = message["status"]
            elif ROLE in scope and time.monotonic() - checked > _CHECK_SECONDS:  # a stream, or a large file
                checked = time.monotonic()
                if not await run_in_threadpool(self._may_still, scope, project_id):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    is_ended = True
                    raise OSError("the user may not use the project any more")  # as if the client were gone
            await send(message)

        try:
            with acting_as("" if user is None else user.name):
                await answer(scope, receive, sending)
        except Exception:
            if not is_ended:
                raise
        finally:
            is_sign_in = inner.startswith((f"{API}/session", _INVITATIONS))
            if scope["method"] not in SAFE_METHODS and (scope[USER] is not None or is_sign_in):
                await run_in_threadpool(self._record, scope, project_id or None, inner, status)

    def _answer(self, scope: Scope, project_id: str, *, is_inside: bool) -> ASGIApp:
        """Return what answers a request, and note its user in `scope`. One thread answers all questions at once."""
        scope[USER], role = self._user_and_role(scope, project_id)
        if not project_id:
            return self._app
        if not is_inside:
            return RedirectResponse(f"{self._base}/projects/{quote(project_id)}/")
        return self._project(scope, project_id, role)

    def _user_and_role(self, scope: Scope, project_id: str) -> tuple[User | None, Role | None]:
        """Return the user of a request and the role in a project, and note in `scope` whether a script sent it."""
        headers = Headers(scope=scope)
        header = self._proxies.user_header
        if header is not None and self._proxies.includes(scope.get(_PEER, "")) and (names := headers.getlist(header)):
            user = users.user_of_proxy(self._server, as_text(names[0])) if len(names) == 1 else None
            return user, role_in(self._server, project_id, user) if user is not None and project_id else None
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            scope[IS_SCRIPT] = True
            return user_and_role(self._server, secret.strip(), "script", project_id)
        _, session = cookie_of(scope)
        return (None, None) if session is None else user_and_role(self._server, session, "session", project_id)

    def _may_still(self, scope: Scope, project_id: str) -> bool:
        """Return whether the user of a request may use the project of its address now."""
        _, role = self._user_and_role(scope, project_id)
        return role is not None

    def _project(self, scope: Scope, project_id: str, role: Role | None) -> ASGIApp:
        """Return the application of a project, or the response that refuses the request. `scope` is changed."""
        user: User | None = scope[USER]
        is_api = scope["path"].removeprefix(f"{self._base}/projects/{project_id}").startswith("/api/")
        if user is None:
            if is_api:
                return problem(401, failure("not-signed-in", kind="not-signed-in"))
            target = quote(f"projects/{project_id}/")
            return RedirectResponse(f"{self._base}/sign-in?to={target}", 303)
        served = None if role is None else self._projects.served(project_id)
        if served is None:
            if is_api:
                return problem(404, failure("no-such-project", kind="not-found"))
            return RedirectResponse(f"{self._base}/", 303)
        is_full = self._projects.is_full(project_id)
        root_path = f"{self._base}/projects/{project_id}"
        scope.update({"root_path": root_path, ROLE: role, PROJECT: served[0], IS_FULL: is_full})
        return served[1]

    def _record(self, scope: Scope, project_id: str | None, path: str, status: int) -> None:
        user: User | None = scope[USER]
        try:
            folder.record(
                self._server,
                user="" if user is None else user.name,
                project_id=project_id,
                method=scope["method"],
                path=_INVITATIONS if path.startswith(_INVITATIONS) else path[:1_000],
                status=status,
                address=(scope.get("client") or ("",))[0],
                change=scope[CHANGE] if status < HTTPStatus.BAD_REQUEST else Change(),
            )
        except CoverslipError:  # the response is sent already
            _log.exception("a request could not be recorded")


class _Peer:
    """Note the other end of the connection, before a proxy's headers replace it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, _PEER: (scope.get("client") or ("",))[0]}
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class RunningServer:
    """A server with accounts that has its port and is ready to run."""

    address: str
    invitation: str | None  # the address where the first administrator sets a password
    runner: "uvicorn.Server"
    socket: "socket.socket" = field(repr=False)

    def run(self) -> None:
        """Answer requests until Ctrl-C, SIGTERM or SIGHUP."""
        run_until_ended(self.runner, self.socket)


@contextmanager
def open_accounts_server(
    server: AccountServer,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    names: Sequence[str] = (),
    proxies: Proxies = Proxies(),
    base: str = "",
    admin: str | None = None,
    resets_password: bool = False,
    options: JobOptions = DEFAULT,
    activity_days: int | None = None,
    backups: Path | None = None,
    report: Report = lambda _, __: None,
    emit: Emit = ignore,
) -> Iterator[RunningServer]:
    """Open a server with accounts.

    Args:
        server: its folder.
        host: the address to listen at.
        port: the port. A proxy in front of the server sends passwords to it, so no other port is taken.
        names: further names, with the port if it is not that of the scheme, under which browsers reach the server.
        proxies: reverse proxies in front of it.
        base: the path below which everything is served, without a slash at its end.
        admin: the name of an administrator, who gets an invitation if there is no password yet. The account is created
            if needed.
        resets_password: whether this administrator gets an invitation in any case.
        options: how the jobs of projects run.
        activity_days: for how long activity is kept; None: forever.
        backups: the folder for backups that administrators start; None: they cannot start any.
        report, emit: as of `ProjectApps`.

    Raises:
        CoverslipError: another server uses the folder, it cannot be used, or this computer has no such address.
    """
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    with ExitStack() as stack:
        refuse_network_drive(server.folder)
        stack.enter_context(only_server(server.folder))
        stack.callback(server.engine.dispose)
        server.check_database()
        invitation = None if admin is None else _invite_admin(server, admin, proxies, resets_password)
        bound = stack.enter_context(bound_socket(host, port, n_ports=1))
        port = int(bound.getsockname()[1])
        door = Door(names_of(host, port) | {name.lower() for name in names}, port)
        app = create_accounts_app(
            server,
            user_header=proxies.user_header,
            options=options,
            activity_days=activity_days,
            backups=backups,
            report=report,
            emit=emit,
        )
        gate: ASGIApp = Guard(AccountsGate(app, proxies, base), door)
        if proxies.addresses:
            # uvicorn and Starlette have different types for the same interface
            gate = ProxyHeadersMiddleware(gate, trusted_hosts=list(proxies.addresses))  # type: ignore[arg-type,assignment]
        stack.enter_context(logged_to(server.log))
        address = f"{address_of(outer_name(host), port).rstrip('/')}{base}/"
        first = None if invitation is None else f"{address}invitation/{invitation}"
        yield RunningServer(address, first, runner_of(_Peer(gate)), bound)


def _invite_admin(server: AccountServer, name: str, proxies: Proxies, resets_password: bool) -> str | None:
    try:
        user = users.find_user_by_name(server, name)
    except NotFound:
        user = users.add_user(server, name, is_admin=True, has_proxy=proxies.user_header is not None)
    if not (user.is_admin and user.is_active):
        user = users.change_user(server, user.id, is_admin=True, is_active=True)
    needs_invitation = not user.has_proxy and (resets_password or not user.has_password)
    return users.invite(server, user.id) if needs_invitation else None
