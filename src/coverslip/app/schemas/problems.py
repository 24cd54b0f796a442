"""What went wrong, in one form for everything (RFC 9457)."""

from typing import Any

from pydantic import BaseModel, Field, JsonValue

from coverslip.messages import Remedy

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
    code: str = Field(description="What kind of problem it is: `bad-recipe`, `leakage-found`, `not-found`, …")
    title: str = Field(description="What happened, in a sentence.")
    status: int
    detail: str = Field(description="What happened, where, and what to do.")
    file: str | None = Field(default=None, description="The file or folder that it is about.")
    do: str | None = Field(default=None, description="What to do about it.")
    values: dict[str, JsonValue] | None = Field(default=None, description="What the sentences tell, for programs.")
    remedies: list[Remedy] | None = Field(
        default=None,
        description="What to do as data, where it is one of the known ones: a recipe's key and its value, …",
    )
    errors: list[FieldProblem] | None = Field(default=None, description="Which parts of the request are wrong.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """What a route may answer besides its result, for its documentation."""
    return {status: {"model": Problem, "description": _WHAT[status]} for status in statuses}
