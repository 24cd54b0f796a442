"""Evaluations of trainings on other labelled images."""

from pydantic import BaseModel, ConfigDict, Field


class NewEvaluation(BaseModel):
    """Labelled images of the workspace to measure a training on."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
