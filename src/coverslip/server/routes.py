"""Accounts, projects and members: the routes of a server with accounts that belong to no project, and their bodies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field

from coverslip.app.clients import Role
from coverslip.app.files import TABLE, table_response
from coverslip.app.guard import IS_SCRIPT, SAFE_METHODS, USER, cookie_of, record_change
from coverslip.app.requests import Paged, api_router, from_app
from coverslip.app.schemas import Body, problems
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Forbidden, NotSignedIn
from coverslip.server import folder, projects, users
from coverslip.server.backups import BackupRuns, Backups
from coverslip.server.folder import AccountServer
from coverslip.server.folder import Request as RecordedRequest
from coverslip.server.projects import Member, Project, ProjectApps
from coverslip.server.users import MAX_PASSWORD, ScriptKey, User
from coverslip.workspace.store.rows import Page

Password = Annotated[str, Field(max_length=MAX_PASSWORD)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class SignIn(Body):
    """Name and password of a user."""

    name: Annotated[str, Field(max_length=200)]
    password: Password


class NewPassword(Body):
    """A password that an invited user sets."""

    password: Password


class PasswordChange(Body):
    """A user's new password."""

    current: Password
    new: Password


class NewUser(Body):
    """A new account."""

    name: Annotated[str, Field(max_length=64)]
    """With which the user signs in, in lower case."""
    is_admin: bool = False


class UserChanges(Body):
    """What changes in an account."""

    is_admin: bool | None = None
    is_active: bool | None = None


class NewScriptKey(Body):
    """A name for a new key."""

    name: Name


class NewProject(Body):
    """A new project."""

    name: Name
    roots: list[str] = Field(default_factory=list, max_length=100)
    """Folders of the server whose images the project may read, below the roots of the server. Without them, it reads
    uploaded images only."""
    max_bytes: int | None = Field(default=None, ge=2**20, lt=2**53)
    """Limit of its size. null: no limit."""


class MemberRole(Body):
    """The role of a member."""

    role: Role


@dataclass(frozen=True, slots=True)
class SignedInUser(DocumentedFields):
    """The user who sends the request."""

    user: User | None
    """null: nobody is signed in."""
    roots: list[str]
    """Folders that projects may read. Only administrators see them."""


@dataclass(frozen=True, slots=True)
class InvitedUser:
    """The user of an invitation."""

    name: str


@dataclass(frozen=True, slots=True)
class Invitation(DocumentedFields):
    """An invitation, which is shown once."""

    user: User
    path: str | None
    """Path of the page for a password; null: a proxy signs in."""


@dataclass(frozen=True, slots=True)
class MadeScriptKey(DocumentedFields):
    """A new key, which is shown once."""

    key: ScriptKey
    secret: str
    """For the header `Authorization: Bearer SECRET`."""


@dataclass(frozen=True, slots=True)
class UsableProject(DocumentedFields):
    """A project and what the user may do in it."""

    project: Project
    role: Role
    members: list[Member]
    """Only administrators see them."""
    n_bytes: int | None
    """Size of its folder without the trash; null: not measured yet."""
    is_served: bool
    """Whether it can be opened. If not, the log of the server says why."""


# The routes.

router = api_router("accounts")
Accounts = Annotated[AccountServer, from_app("accounts")]
Runs = Annotated[BackupRuns, from_app("backups")]
Served = Annotated[ProjectApps, from_app("projects")]


async def _signed_in(request: Request) -> User:
    user: User | None = request.scope.get(USER)
    if user is None:
        raise NotSignedIn("not-signed-in")
    if request.scope.get(IS_SCRIPT) and request.method not in SAFE_METHODS:
        raise Forbidden("script-may-not")
    return user


async def _admin(user: Annotated[User, Depends(_signed_in)]) -> User:
    if not user.is_admin:
        raise Forbidden("not-administrator")
    return user


SignedIn = Annotated[User, Depends(_signed_in)]
Admin = Annotated[User, Depends(_admin)]


@router.get("/session")
def get_session(server: Accounts, request: Request) -> SignedInUser:
    """The user who is signed in, if any."""
    return _session(server, request.scope.get(USER))


@router.post("/session", responses=problems(401, 429))
def sign_in(server: Accounts, body: SignIn, request: Request, response: Response) -> SignedInUser:
    """Sign in: the response sets a cookie. Scripts use a key instead."""
    user, secret = users.sign_in(server, body.name, body.password, client=_address(request))
    request.scope[USER] = user  # the activity names the user
    _set_cookie(request, response, secret)
    return _session(server, user)


@router.delete("/session", status_code=204)
def sign_out(server: Accounts, request: Request, response: Response) -> None:
    """Sign out."""
    name, secret = cookie_of(request.scope)
    if secret:
        users.sign_out(server, secret)
    response.delete_cookie(name, path=_cookie_path(request))


@router.get("/invitations/{invitation}")
def get_invitation(server: Accounts, invitation: str) -> InvitedUser:
    """The user of an invitation."""
    return InvitedUser(users.invited_user(server, invitation).name)


@router.post("/invitations/{invitation}")
def accept_invitation(
    server: Accounts, invitation: str, body: NewPassword, request: Request, response: Response
) -> SignedInUser:
    """Set the password of an invited user, who is signed in then."""
    user, secret = users.accept_invitation(server, invitation, body.password)
    request.scope[USER] = user  # the activity names the user
    _set_cookie(request, response, secret)
    return _session(server, user)


@router.put("/password", status_code=204, responses=problems(401, 429))
def change_password(
    server: Accounts, user: SignedIn, body: PasswordChange, request: Request, response: Response
) -> None:
    """Change the password of the user. All other sessions end."""
    secret = users.change_password(server, user, body.current, body.new, client=_address(request))
    _set_cookie(request, response, secret)


@router.get("/script-keys", responses=problems(401))
def list_script_keys(server: Accounts, user: SignedIn, paging: Paged) -> Page[ScriptKey]:
    """The keys with which scripts of the user send requests, the newest first."""
    return paging.page_of(users.list_script_keys(server, user))


@router.post("/script-keys", responses=problems(401))
def create_script_key(server: Accounts, user: SignedIn, body: NewScriptKey) -> MadeScriptKey:
    """A new key for scripts. It may do what the user may."""
    key, secret = users.add_script_key(server, user, body.name)
    return MadeScriptKey(key, secret)


@router.delete("/script-keys/{key_id}", status_code=204, responses=problems(401))
def remove_script_key(server: Accounts, user: SignedIn, key_id: str) -> None:
    """Make a key for scripts invalid."""
    users.remove_script_key(server, user, key_id)


@router.get("/users", responses=problems(401, 403))
def list_users(server: Accounts, _: Admin, paging: Paged) -> Page[User]:
    """All accounts by name."""
    return paging.page_of(users.list_users(server))


@router.post("/users", responses=problems(401, 403, 409))
def create_user(server: Accounts, _: Admin, body: NewUser, request: Request) -> Invitation:
    """A new account, and the invitation with which its user sets a password. If a proxy signs in, there is none."""
    has_proxy = request.app.state.user_header is not None
    user = users.add_user(server, body.name, is_admin=body.is_admin, has_proxy=has_proxy)
    record_change(request, user.name, after=_rights(user))
    return Invitation(user, None) if has_proxy else _invitation(server, user, request)


@router.patch("/users/{user_id}", responses=problems(401, 403, 409))
def change_user(server: Accounts, _: Admin, user_id: str, body: UserChanges, request: Request) -> User:
    """Change what a user may do. A user who is made inactive is signed out."""
    before = users.find_user(server, user_id)
    user = users.change_user(server, user_id, is_admin=body.is_admin, is_active=body.is_active)
    record_change(request, user.name, before=_rights(before), after=_rights(user))
    return user


@router.delete("/users/{user_id}", status_code=204, responses=problems(401, 403, 409))
def remove_user(server: Accounts, _: Admin, user_id: str, request: Request) -> None:
    """Remove an account. Labels and trainings keep the name of the user, which no new account can get."""
    user = users.find_user(server, user_id)
    users.remove_user(server, user_id)
    record_change(request, user.name, before=_rights(user), after="removed")


@router.post("/users/{user_id}/restore", responses=problems(401, 403))
def restore_user(server: Accounts, _: Admin, user_id: str, request: Request) -> User:
    """Restore a removed account, without password, projects and the rights of an administrator."""
    user = users.restore_user(server, user_id)
    record_change(request, user.name, before="removed", after=_rights(user))
    return user


@router.post("/users/{user_id}/invitation", responses=problems(401, 403, 409))
def create_invitation(server: Accounts, _: Admin, user_id: str, request: Request) -> Invitation:
    """A new invitation, for example for a forgotten password. Earlier ones become invalid."""
    user = users.find_user(server, user_id)
    record_change(request, user.name)
    return _invitation(server, user, request)


@router.get("/projects", responses=problems(401))
def list_projects(server: Accounts, user: SignedIn, served: Served, paging: Paged) -> Page[UsableProject]:
    """The projects that the user may use. Administrators see all, also those that are not served."""
    page = paging.page_of(projects.list_projects(server, user))
    return Page([_usable(server, each, user, served) for each in page.items], page.total)


@router.post("/projects", responses=problems(401, 403))
async def create_project(
    server: Accounts, user: Admin, served: Served, body: NewProject, request: Request
) -> UsableProject:
    """A new project, without members."""
    values = body.model_dump()
    project = await run_in_threadpool(lambda: projects.add_project(server, **values))
    record_change(request, project.name, after=_settings(project))
    return await _updated(server, user, served, project.id)


@router.put("/projects/{project_id}", responses=problems(401, 403))
async def change_project(
    server: Accounts, user: Admin, served: Served, project_id: str, body: NewProject, request: Request
) -> UsableProject:
    """Change the name, roots and limit of a project. New roots interrupt what its members are doing."""
    values = body.model_dump()
    before = await run_in_threadpool(projects.find_project, server, project_id)
    project = await run_in_threadpool(lambda: projects.change_project(server, project_id, **values))
    record_change(request, project.name, before=_settings(before), after=_settings(project))
    return await _updated(server, user, served, project_id)


@router.delete("/projects/{project_id}", status_code=204, responses=problems(401, 403))
async def remove_project(server: Accounts, user: Admin, served: Served, project_id: str, request: Request) -> None:
    """Stop serving a project. Its folder is kept; running trainings continue. It can be restored."""
    project = await run_in_threadpool(lambda: projects.remove_project(server, project_id))
    record_change(request, project.name, after="removed")
    await _updated(server, user, served, project_id)


@router.post("/projects/{project_id}/restore", responses=problems(401, 403))
async def restore_project(
    server: Accounts, user: Admin, served: Served, project_id: str, request: Request
) -> UsableProject:
    """Serve a removed project again."""
    project = await run_in_threadpool(lambda: projects.remove_project(server, project_id, is_removed=False))
    record_change(request, project.name, before="removed")
    return await _updated(server, user, served, project_id)


@router.put("/projects/{project_id}/members/{user_id}", status_code=204, responses=problems(401, 403))
def set_member(server: Accounts, _: Admin, project_id: str, user_id: str, body: MemberRole, request: Request) -> None:
    """Let a user use a project in a role."""
    before = projects.set_member(server, project_id, user_id, body.role)
    record_change(request, users.find_user(server, user_id).name, before=before or "", after=body.role)


@router.delete("/projects/{project_id}/members/{user_id}", status_code=204, responses=problems(401, 403))
def remove_member(server: Accounts, _: Admin, project_id: str, user_id: str, request: Request) -> None:
    """End the membership of a user."""
    member = next((each for each in projects.list_members(server, project_id) if each.user_id == user_id), None)
    projects.remove_member(server, project_id, user_id)
    if member is not None:
        record_change(request, member.name, before=member.role)


@router.get("/activity", responses=problems(401, 403))
def list_activity(server: Accounts, _: Admin, paging: Paged) -> Page[RecordedRequest]:
    """Requests that changed something, and attempts to sign in, the newest first."""
    return folder.list_requests(server, paging)


@router.get("/download/activity", response_class=StreamingResponse, responses=TABLE | problems(401, 403))
def download_activity(server: Accounts, _: Admin) -> StreamingResponse:
    """All recorded requests as a CSV table, the oldest first."""
    lines: Iterable[str] = folder.requests_as_csv(server)
    return table_response(lines, "activity.csv")


@router.get("/backups", responses=problems(401, 403))
def get_backups(backups: Runs, _: Admin) -> Backups:
    """Complete backups in the folder for them, and the progress of the one that is written now."""
    return backups.state()


@router.post("/backups", status_code=202, responses=problems(401, 403, 404, 409))
def create_backup(backups: Runs, _: Admin) -> Backups:
    """Start a backup of accounts and all projects in a new folder, while the server runs."""
    return backups.start()


@router.post("/backups/stop", responses=problems(401, 403))
def stop_backup(backups: Runs, _: Admin) -> Backups:
    """Stop the backup that is written now, if there is one. Nothing of it remains."""
    backups.stop()
    return backups.state()


def _session(server: AccountServer, user: User | None) -> SignedInUser:
    return SignedInUser(user, [str(root) for root in server.roots] if user is not None and user.is_admin else [])


def _rights(user: User) -> str:
    return ("administrator" if user.is_admin else "user") + ("" if user.is_active else ", blocked")


def _settings(project: Project) -> str:
    limit = "" if project.max_bytes is None else f"{project.max_bytes} bytes"
    return "; ".join(filter(None, [project.name, *project.roots, limit]))


def _invitation(server: AccountServer, user: User, request: Request) -> Invitation:
    secret = users.invite(server, user.id)
    return Invitation(user, f"{request.scope.get('root_path', '')}/invitation/{secret}")


async def _updated(server: AccountServer, user: User, served: ProjectApps, project_id: str) -> UsableProject:
    project = await served.update(project_id)
    return await run_in_threadpool(_usable, server, project, user, served)


def _usable(server: AccountServer, project: Project, user: User, served: ProjectApps) -> UsableProject:
    return UsableProject(
        project=project,
        role=projects.role_in(server, project.id, user) or "editor",
        members=projects.list_members(server, project.id) if user.is_admin else [],
        n_bytes=served.n_bytes(project.id),
        is_served=served.served(project.id) is not None,
    )


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host


def _cookie_path(request: Request) -> str:
    return f"{request.scope.get('root_path', '')}/"


def _set_cookie(request: Request, response: Response, secret: str) -> None:
    name, _ = cookie_of(request.scope)
    response.set_cookie(
        name,
        secret,
        max_age=users.SESSION_DAYS * 24 * 3600,
        path=_cookie_path(request),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
