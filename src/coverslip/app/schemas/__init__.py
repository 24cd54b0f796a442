"""Bodies of requests and responses, one file for each area."""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from coverslip.runs.recipe import key_names


class Body(BaseModel, extra="forbid"):
    """The body of a request."""


def _describe_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key}`" for key in key_names())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


Recipe = Annotated[
    dict[str, Any],  # Any: each key has its own type
    Field(examples=[{"model": "efficientnet_lite0", "split": {"folds": 5}}], json_schema_extra=_describe_keys),
]
