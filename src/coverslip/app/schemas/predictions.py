"""Predictions of new images."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coverslip.app.schemas.runs import Fault, State


class Prediction(BaseModel):
    """A classifier at work on new images, as its folder says that it is now."""

    id: str
    name: str
    run_id: str
    run_name: str
    dataset_id: str | None
    state: State
    n_done: int
    n_total: int | None = Field(description="Null until the images are found.")
    seconds_left: float | None
    decisions: dict[str, int] = Field(description="Images by decision, most frequent first.")
    classes: list[str]
    created: str
    ended: str | None
    n_corrected: int
    n_review: int = Field(description="Images that no class was decided for, and that nobody has corrected yet.")
    error: Fault | None
    notes: list[str] = Field(description="What is unusual about these images.")


class PredictionList(BaseModel):
    items: list[Prediction]
    total: int


class NewPrediction(BaseModel):
    """Images to predict: an image set of the workspace, or files and folders below the allowed roots."""

    model_config = ConfigDict(extra="forbid")

    run_id: str
    dataset_id: str | None = None
    sources: list[str] | None = None
    name: str | None = Field(None, max_length=120)

    @model_validator(mode="after")
    def _one_kind_of_images(self) -> "NewPrediction":
        if (self.dataset_id is None) == (not self.sources):
            raise ValueError("give either dataset_id or sources")
        return self


class Correction(BaseModel):
    """What an image really shows; null takes a correction back."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(min_length=1, max_length=200)


class DatasetOfPrediction(BaseModel):
    """Which rows become labelled images: those that were corrected, or all."""

    model_config = ConfigDict(extra="forbid")

    only: Literal["corrected", "all"]
    name: str | None = Field(None, max_length=120)
