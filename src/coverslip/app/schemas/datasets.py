"""Datasets: what is asked for, and what was found in them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from coverslip.workspace.datasets.classes import Classes
from coverslip.workspace.viewing.filters import Text

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Recipe = dict[str, Any]  # Any: checked as a recipe by the room that knows them


class NewDataset(BaseModel):
    """What to open."""

    model_config = ConfigDict(extra="forbid")

    sources: Annotated[list[Text], Field(min_length=1, max_length=1_000)] = Field(
        description="Folders of class folders, or tables; for images without labels also plain folders and files."
    )
    name: Name | None = Field(None, description="Default: after the folder or table.")
    group: Text | None = Field(None, description="A column of the table that says which images belong together.")
    group_pattern: Text | None = Field(None, description="The same as a regular expression for paths.")
    is_labelled: bool = Field(True, description="Whether folders or a table give the labels.")


class DatasetChanges(BaseModel):
    """What to change; what is left out stays. Neither group nor group_pattern means no groups: give null for one."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    group: Text | None = Field(None, description="A column of the table; null takes the groups away.")
    group_pattern: Text | None = Field(None, description="A regular expression for paths; null takes the groups away.")
    class_plan: Classes | None = None
    classes: Annotated[list[Name], Field(max_length=1_000)] | None = Field(
        None, description="Names in the order of their keys and colours, also of classes that no image has yet."
    )


class Spread(BaseModel):
    """Smallest, middle and largest."""

    min: float
    median: float
    max: float


class GroupFacts(BaseModel):
    """How images lie in groups."""

    n_groups: int
    images_per_group: Spread
    classes_per_group: Spread
    groups_per_class: dict[str, int]


class Duplicates(BaseModel):
    """Images with the same pixels, by path."""

    same_label: list[list[str]]
    conflicting: list[list[tuple[str, str | None]]] = Field(description="Paths and labels.")
    across_groups: list[list[tuple[str, str | None]]] = Field(description="Paths and groups.")


class GivenSplit(BaseModel):
    """A split that folders or a table give."""

    images: dict[str, int]
    leaking_groups: list[str]
    leaking_pixels: list[list[str]]
    leaking_chains: list[list[str]]


class Inspection(BaseModel):
    """What the images are like and what to do about it, as `coverslip inspect --json` tells it, with labels of now."""

    format_version: int
    root: str
    source: str
    n_images: int
    n_readable: int
    n_unlabelled: int
    classes: dict[str, int]
    domains: dict[str, int]
    groups: GroupFacts | None
    width_px: Spread | None
    height_px: Spread | None
    dtypes: dict[str, int]
    bit_depths: dict[str, int]
    channels: dict[str, int]
    formats: dict[str, int]
    planes: dict[str, int]
    reading_notes: dict[str, int]
    unreadable: list[tuple[str, str]] = Field(description="Paths and reasons.")
    duplicates: Duplicates
    imbalance_ratio: float | None
    given_split: GivenSplit | None
    notes: list[str]
    advice: list[str] = Field(description="What to do, the most important first.")


class Columns(BaseModel):
    """The columns of a dataset's tables."""

    columns: list[str]


class RecipeOf(BaseModel):
    """How a training would be done; what is left out takes its default."""

    model_config = ConfigDict(extra="forbid")

    recipe: Recipe = Field(default_factory=dict)
