"""Trainings: how they are asked for and named."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from coverslip.runs import recipe_keys


def _tell_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key.key}`" for key in recipe_keys())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


class NewRun(BaseModel):
    """A training to queue."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(None, max_length=120, description="Default: named after the dataset.")
    # Any: of each key its own
    recipe: dict[str, Any] = Field(default_factory=dict, json_schema_extra=_tell_keys)
    allow_leakage: bool = False


class RunChanges(BaseModel):
    """What to change."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)
