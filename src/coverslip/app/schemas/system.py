"""Bodies of the REST API about the app, recipes and problems."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from coverslip.app.clients import Role
from coverslip.app.schemas import Body, Recipe
from coverslip.messages import Remedy
from coverslip.runs.recipe import Group, NamedSet, RecipeKey


@dataclass(frozen=True, slots=True)
class System:
    """The server and the computer that it runs on."""

    version: str
    workspace: Annotated[str, Field(description="The folder of the app.")]
    roots: Annotated[list[str], Field(description="Images can be opened in these folders and their subfolders.")]
    device: Annotated[str, Field(description="The device that trainings probably use: cpu, cuda or mps.")]
    n_cores: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Session:
    """The user who sends a request, and the project of its address."""

    user: Annotated[str | None, Field(description="The name of the user. null: the server has no accounts.")]
    is_admin: Annotated[bool, Field(description="May change accounts and projects.")]
    project: Annotated[str | None, Field(description="The name of the project. null: the server has no accounts.")]
    role: Annotated[Role, Field(description="What the user may do in the project.")]


@dataclass(frozen=True, slots=True)
class RecipeKeys:
    """The keys of a recipe and their groups, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
    sets: Annotated[list[NamedSet], Field(description="Names for the values of all keys of a section.")]


class TextOfRecipe(Body):
    """The content of a recipe file."""

    text: str = Field(
        max_length=1_000_000, description="YAML.", examples=["model: efficientnet_lite0\nsplit:\n  folds: 5\n"]
    )


class ChoicesOfRecipe(Body):
    """The values of a form."""

    recipe: Recipe
    is_complete: bool = Field(default=False, description="Write the defaults of all other keys too.")


_WHAT = {
    401: "Nobody is signed in, or the password is wrong.",
    403: "The role of the user does not allow this.",
    404: "Nothing has this ID.",
    409: "This is not possible in the current state.",
    412: "Other images match the filters now than those that the client listed.",
    413: "The request is larger than the server accepts.",
    428: "The request selects images by filters, and does not state which images the client listed.",
    429: "The client sends too much. Repeat the request after the seconds in `Retry-After`.",
}


class FieldProblem(BaseModel):
    """An error in one part of a request."""

    field: str
    message: str
    line: int | None = Field(default=None, description="Line in the text of the request, from 1.")


class Problem(BaseModel):
    """Why a request could not be answered, and what to do about it."""

    type: str = Field(
        description="The address of the section of the help about this code.",
        json_schema_extra={"format": "uri-reference"},
    )
    kind: str = Field(description="The kind of problem: `bad-recipe`, `leakage-found`, `not-found`, …")
    code: str = Field(description="The message. It is stable; its text may change.")
    title: str = Field(description="What happened, in a sentence.")
    status: int
    detail: str = Field(description="What happened, where, and what to do.")
    file: str | None = Field(default=None, description="The affected file or folder.")
    do: str | None = Field(default=None, description="What to do about it.")
    parameters: dict[str, JsonValue] | None = Field(default=None, description="The parameters of the message.")
    remedies: list[Remedy] | None = Field(
        default=None,
        description="What to do as data, such as a recipe key and its value.",
    )
    errors: list[FieldProblem] | None = Field(default=None, description="The parts of the request that are wrong.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return the documented error responses of a route."""
    return {status: {"model": Problem, "description": _WHAT[status]} for status in statuses}


_SUCCESS = {201: "It was created.", 202: "The work was started. Its state is at the Location."}


def located(status: Literal[201, 202]) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return the documented success of a route that calls `locate`."""
    schema = {"type": "string", "format": "uri-reference"}
    location = {"description": "The address of the result, relative to the server.", "schema": schema}
    return {status: {"description": _SUCCESS[status], "headers": {"Location": location}}}
