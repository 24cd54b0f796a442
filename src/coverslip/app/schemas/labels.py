"""Labels that are given in the app."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.viewing.filters import Text


class NewLabels(BaseModel):
    """One label for some images; null takes theirs away."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(min_length=1, max_length=1_000_000)]
    label: Annotated[Text, Field(max_length=200)] | None


class LeftOut(BaseModel):
    """Images to leave out, or to take in again."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(min_length=1, max_length=1_000_000)]
    is_left_out: bool


class ConfirmedLabels(BaseModel):
    """Images whose labels are confirmed as right, or no longer."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(min_length=1, max_length=1_000_000)]
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class LabelsGiven:
    """What was changed."""

    change: Annotated[int | None, Field(description="Number of the change; null where all had that label already.")]
    n: Annotated[int, Field(description="Images whose label changed.")]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class LabelsTakenBack:
    """What was undone or done again; no image where there was nothing."""

    change: int | None
    images: list[int]
    dataset: DatasetState
