"""Datasets: what is asked for, and what was found in them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from coverslip.workspace.datasets.classes import Classes
from coverslip.workspace.viewing.filters import Text

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
