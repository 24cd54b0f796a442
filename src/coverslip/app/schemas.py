"""Bodies of the REST API that several of its areas have, and the documented errors."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, model_validator
from pydantic.config import JsonDict

from coverslip.documented_fields import DocumentedModel
from coverslip.messages import Remedy, text
from coverslip.runs.recipe_keys import key_names
from coverslip.workspace.lists import Exclusion


class Body(DocumentedModel, extra="forbid"):
    """The body of a request."""


def _describe_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key}`" for key in key_names())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


Recipe = Annotated[
    dict[str, Any],  # Any: each key has its own type
    Field(examples=[{"model": "efficientnet_lite0", "split": {"folds": 5}}], json_schema_extra=_describe_keys),
]


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


class FieldProblem(DocumentedModel):
    """An error in one part of a request."""

    field: str
    message: str
    line: int | None = None
    """Line in the text of the request, from 1."""


class Problem(DocumentedModel):
    """Why a request could not be answered, and what to do about it."""

    type: str = Field(json_schema_extra={"format": "uri-reference"})
    """The address of the section of the help about this code."""
    kind: str
    """The kind of problem: `bad-recipe`, `leakage-found`, `not-found`, …"""
    code: str
    """The message. It is stable; its text may change."""
    title: str
    """What happened, in a sentence."""
    status: int
    detail: str
    """What happened, where, and what to do."""
    file: str | None = None
    """The affected file or folder."""
    do: str | None = None
    """What to do about it."""
    parameters: dict[str, JsonValue] | None = None
    """The parameters of the message."""
    remedies: list[Remedy] | None = None
    """What to do as data, such as a recipe key and its value."""
    errors: list[FieldProblem] | None = None
    """The parts of the request that are wrong."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return the documented error responses of a route."""
    return {status: {"model": Problem, "description": _WHAT[status]} for status in statuses}


_SUCCESS = {201: "It was created.", 202: "The work was started. Its state is at the Location."}


def located(status: Literal[201, 202]) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return the documented success of a route that calls `locate`."""
    schema = {"type": "string", "format": "uri-reference"}
    location = {"description": "The address of the result, relative to the server.", "schema": schema}
    return {status: {"description": _SUCCESS[status], "headers": {"Location": location}}}


class Answer(Body):
    """The correct class of an image, or why it is excluded; if both are null, the answer is removed."""

    label: str | None = Field(min_length=1, max_length=200)
    excluded: Exclusion | None = None
    """The image shows none of the classes, or is unusable."""

    @model_validator(mode="after")
    def _one_answer(self) -> "Answer":
        if self.label is not None and self.excluded is not None:
            raise ValueError(text("either-label-or-excluded"))
        return self
