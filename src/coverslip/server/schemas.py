"""Bodies of the REST API of a server with accounts."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.app.clients import Role
from coverslip.app.schemas import Body
from coverslip.server.projects import Member, Project
from coverslip.server.users import MAX_PASSWORD, ScriptKey, User

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

    name: Annotated[str, Field(max_length=64, description="With which the user signs in, in lower case.")]
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
    roots: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="Folders of the server whose images the project may read, below the roots of the server. Without "
        "them, it reads uploaded images only.",
    )
    max_bytes: int | None = Field(default=None, ge=2**20, lt=2**53, description="Limit of its size. null: no limit.")


class MemberRole(Body):
    """The role of a member."""

    role: Role


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """The user who sends the request."""

    user: Annotated[User | None, Field(description="null: nobody is signed in.")]
    roots: Annotated[list[str], Field(description="Folders that projects may read. Only administrators see them.")]


@dataclass(frozen=True, slots=True)
class InvitedUser:
    """The user of an invitation."""

    name: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation, which is shown once."""

    user: User
    path: Annotated[str | None, Field(description="Path of the page for a password; null: a proxy signs in.")]


@dataclass(frozen=True, slots=True)
class MadeScriptKey:
    """A new key, which is shown once."""

    key: ScriptKey
    secret: Annotated[str, Field(description="For the header `Authorization: Bearer SECRET`.")]


@dataclass(frozen=True, slots=True)
class UsableProject:
    """A project and what the user may do in it."""

    project: Project
    role: Role
    members: Annotated[list[Member], Field(description="Only administrators see them.")]
    n_bytes: Annotated[int | None, Field(description="Size of its folder without the trash; null: not measured yet.")]
    is_served: Annotated[bool, Field(description="Whether it can be opened. If not, the log of the server says why.")]
