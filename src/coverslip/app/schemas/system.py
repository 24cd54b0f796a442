"""Bodies of the REST API about the app, recipes and problems."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from coverslip.messages import Remedy
from coverslip.runs.recipe import Group, NamedSet, RecipeKey


@dataclass(frozen=True, slots=True)
class System:
    """The server and the computer that it runs on."""

    version: str
    workspace: Annotated[str, Field(description="The folder in which the app keeps everything.")]
    roots: Annotated[list[str], Field(description="Images may be opened in these folders and below.")]
    device: Annotated[str, Field(description="What trainings most likely run on: cpu, cuda or mps.")]
    n_cores: int
    memory_mib: int
    activity: Annotated[
        str,
        Field(description="Changes when a job is asked for, begins, ends or is removed, and when datasets come or go."),
    ]


@dataclass(frozen=True, slots=True)
class RecipeKeys:
    """All choices of a recipe, and the groups they are in, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
    sets: Annotated[list[NamedSet], Field(description="Names that stand for all keys of a section.")]


class TextOfRecipe(BaseModel):
    """The content of a recipe file."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=1_000_000, description="YAML.")


class ChoicesOfRecipe(BaseModel):
    """What a form holds."""

    model_config = ConfigDict(extra="forbid")

    # Any: of each key its own
    recipe: dict[str, Any] = Field(description="Only what differs from the defaults; nested keys or dotted ones.")
    is_complete: bool = Field(default=False, description="Write the defaults of all other keys too.")


_WHAT = {
    404: "There is nothing of that id.",
    409: "It can't be done now: something else is going on.",
    413: "It is larger than the server takes.",
    422: "Something about the request is not valid; `title` and `do` say what.",
}


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    field: str
    message: str
    line: int | None = Field(default=None, description="Where it stands in a text that was sent, from 1.")


class Problem(BaseModel):
    """Why a request could not be answered, and what to do about it."""

    type: str = "about:blank"
    kind: str = Field(description="The kind of problem: `bad-recipe`, `leakage-found`, `not-found`, …")
    code: str = Field(description="The message. It is stable; its text may change.")
    title: str = Field(description="What happened, in a sentence.")
    status: int
    detail: str = Field(description="What happened, where, and what to do.")
    file: str | None = Field(default=None, description="The file or folder that it is about.")
    do: str | None = Field(default=None, description="What to do about it.")
    parameters: dict[str, JsonValue] | None = Field(default=None, description="The parameters of the message.")
    remedies: list[Remedy] | None = Field(
        default=None,
        description="What to do as data, where it is one of the known ones: a recipe's key and its value, …",
    )
    errors: list[FieldProblem] | None = Field(default=None, description="Which parts of the request are wrong.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """What a route may answer besides its result, for its documentation."""
    return {status: {"model": Problem, "description": _WHAT[status]} for status in statuses}
