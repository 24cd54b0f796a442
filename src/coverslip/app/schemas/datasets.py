"""Bodies of the REST API about datasets, images, labels and uploads."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from coverslip.workspace.datasets.classes import Classes
from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.store.rows import Paging
from coverslip.workspace.viewing.filters import Filters, Text

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Recipe = dict[str, Any]  # Any: checked as a recipe by the room that knows them


class NewSource(BaseModel):
    """A folder, table or file, and which domain its images belong to."""

    model_config = ConfigDict(extra="forbid")

    path: Text = Field(description="A folder of class folders, or a table; without labels also a plain folder or file.")
    domain: Name | None = Field(
        default=None,
        description="What the laboratory, device or day is called. Default: as its folder. Equal names: one domain.",
    )


Sources = Annotated[list[NewSource], Field(min_length=1, max_length=1_000)]


TableColumns = Annotated[
    dict[Name, Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")]], Field(max_length=100)
]
CropSize = Annotated[int, Field(ge=4, le=10_000)]


class TableToOpen(BaseModel):
    """A table, and how it is to be read."""

    model_config = ConfigDict(extra="forbid")

    path: Text
    columns: TableColumns = Field(
        default_factory=dict,
        description="What its columns hold, where the header does not tell: path, label, group, split, x, y and the "
        "like, to the column's name; an empty name ignores a column.",
    )
    crop_size: CropSize | None = Field(
        default=None, description="Side in pixels of the square around each point of a table."
    )


class NewDataset(BaseModel):
    """What to open."""

    model_config = ConfigDict(extra="forbid")

    sources: Sources
    name: Name | None = Field(default=None, description="Default: after the folder or table.")
    group: Text | None = Field(
        default=None, description="A column of the table that says which images belong together."
    )
    group_pattern: Text | None = Field(default=None, description="The same as a regular expression for paths.")
    is_labelled: bool = Field(default=True, description="Whether folders or a table give the labels.")
    columns: TableColumns = Field(default_factory=dict, description="As of a table's preview; for all tables.")
    crop_size: CropSize | None = Field(
        default=None, description="Side in pixels of the square around each point of a table."
    )


class DatasetChanges(BaseModel):
    """What to change; what is left out stays. Neither group nor group_pattern means no groups: give null for one."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    sources: Sources | None = Field(
        default=None,
        description="Where all images come from henceforth: to add or remove folders, or name their domains.",
    )
    group: Text | None = Field(default=None, description="A column of the table; null takes the groups away.")
    group_pattern: Text | None = Field(
        default=None, description="A regular expression for paths; null takes the groups away."
    )
    class_plan: Classes | None = None
    classes: Annotated[list[Name], Field(max_length=1_000)] | None = Field(
        default=None, description="Names in the order of their keys and colours, also of classes that no image has yet."
    )


class RecipeOf(BaseModel):
    """How a training would be done; what is left out takes its default."""

    model_config = ConfigDict(extra="forbid")

    recipe: Recipe = Field(default_factory=dict)


class TimeOf(RecipeOf):
    """The same, and its split, as `split-preview` says: with folds, that of the first."""

    n_train: int = Field(ge=1, le=10**9, description="Images to train on.")
    n_val: int = Field(ge=0, le=10**9, description="Images for validation.")
    n_test: int = Field(ge=0, le=10**9, description="Images to test on.")
    n_folds: int = Field(default=0, ge=0, le=100_000, description="0 for one split.")


class SplitOf(RecipeOf):
    """The same, and whether a predefined split may have the same pixels or groups on both sides."""

    allow_leakage: bool = False
    again_of: str | None = Field(default=None, description="An earlier training on this dataset, whose split is kept.")


class FilteredPage(Filters, Paging):
    """A page of the images that match."""


@dataclass(frozen=True, slots=True)
class Positions:
    """The images that match, in order."""

    items: Annotated[list[int], Field(description="Their places in the dataset, from 0.")]
    image_ids: Annotated[
        list[str], Field(description="Of the same images, in the same order: what labels and exclusions name them by.")
    ]
    total: int


ImageIds = Annotated[
    list[Annotated[Text, Field(min_length=1)]],
    Field(min_length=1, max_length=1_000_000, description="Their image_ids."),
]


class NewLabels(BaseModel):
    """One label for some images; null takes theirs away."""

    model_config = ConfigDict(extra="forbid")

    images: ImageIds
    label: Annotated[Text, Field(max_length=200)] | None


class ExclusionChange(BaseModel):
    """Images to leave out, or to take in again."""

    model_config = ConfigDict(extra="forbid")

    images: ImageIds
    is_excluded: bool


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
class ImagesExcluded:
    """What was excluded or included."""

    change: Annotated[str | None, Field(description="What to undo it by; null where all were so already.")]
    n: Annotated[int, Field(description="Images that were not so before.")]
    dataset: DatasetState


class ExclusionUndo(BaseModel):
    """An exclusion or inclusion to undo."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[Text, Field(min_length=1, description="As excluding or including the images returned it.")]


@dataclass(frozen=True, slots=True)
class ExclusionUndone:
    """An exclusion or inclusion that was undone."""

    n: Annotated[int, Field(description="Images that nobody excluded or included again since; the others stay.")]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class LabelsConfirmed:
    """What was confirmed, or is no longer."""

    images: Annotated[list[str], Field(description="image_ids of those that were not so before.")]


class NewUpload(BaseModel):
    """What is going to be sent."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    is_labelled: bool = Field(description="Whether sub-folders or a table give the labels.")


class TableReading(BaseModel):
    """How the table among the files is to be read."""

    model_config = ConfigDict(extra="forbid")

    columns: TableColumns = Field(default_factory=dict, description="As of a table's preview.")
    crop_size: CropSize | None = Field(
        default=None, description="Side in pixels of the square around each point of a table."
    )


class FinishUpload(BaseModel):
    """What to make of the files."""

    model_config = ConfigDict(extra="forbid")

    is_labelled: bool | None = Field(default=None, description="Other than was said at first.")
    table: TableReading | None = Field(
        default=None, description="Read the table of the upload so; null: by its header, if it gives the labels."
    )
    ignores_table: bool = Field(default=False, description="Make a dataset of the images alone.")
