"""Trainings: how they are asked for, how they go on, what they left."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from coverslip.runs.log import LogLine
from coverslip.workspace.jobs.runs import RunState
from coverslip.workspace.predictions.classifiers import Classifier


class RunList(BaseModel):
    items: list[RunState]
    total: int


class LogLines(BaseModel):
    items: list[LogLine]
    total: int


class NewRun(BaseModel):
    """A training to queue."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(None, max_length=120, description="Default: named after the image set.")
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="Only what differs from the defaults; nested keys or dotted ones."
    )
    allow_leakage: bool = False


class RunName(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)


class Removed(BaseModel):
    """What was moved to the trash can come back."""

    undo_token: str


class ClassifierList(BaseModel):
    items: list[Classifier]
    total: int
