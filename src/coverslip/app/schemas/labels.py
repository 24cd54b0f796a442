"""Labels that are given in the app."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.viewing.filters import Text

ImageIds = Annotated[
    list[Annotated[Text, Field(min_length=1)]],
    Field(min_length=1, max_length=1_000_000, description="Their image_ids."),
]


class NewLabels(BaseModel):
    """One label for some images; null takes theirs away."""

    model_config = ConfigDict(extra="forbid")

    images: ImageIds
    label: Annotated[Text, Field(max_length=200)] | None


class LeftOut(BaseModel):
    """Images to leave out, or to take in again."""

    model_config = ConfigDict(extra="forbid")

    images: ImageIds
    is_left_out: bool


class ConfirmedLabels(BaseModel):
    """Images whose labels are confirmed as right, or no longer."""

    model_config = ConfigDict(extra="forbid")

    images: ImageIds
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class LabelsGiven:
    """What was changed."""

    change: Annotated[int | None, Field(description="Number of the change; null where all had that label already.")]
    n: Annotated[int, Field(description="Images whose label changed.")]
    dataset: DatasetState


class LabelsStep(BaseModel):
    """A change of labels to undo or redo."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[int, Field(ge=0, lt=2**63, description="Its number, as giving the labels returned it.")]


@dataclass(frozen=True, slots=True)
class LabelsTakenBack:
    """What was undone or redone."""

    images: Annotated[list[str], Field(description="Their image_ids.")]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class ImagesLeftOut:
    """What was excluded or included."""

    change: Annotated[str | None, Field(description="What to undo it by; null where all were so already.")]
    n: Annotated[int, Field(description="Images that were not so before.")]
    dataset: DatasetState


class LeftOutUndo(BaseModel):
    """An exclusion or inclusion to undo."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[Text, Field(min_length=1, description="As excluding or including the images returned it.")]


@dataclass(frozen=True, slots=True)
class LeftOutUndone:
    """An exclusion or inclusion that was undone."""

    n: Annotated[int, Field(description="Images that nobody excluded or included again since; the others stay.")]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class LabelsConfirmed:
    """What was confirmed, or is no longer."""

    images: Annotated[list[str], Field(description="image_ids of those that were not so before.")]
