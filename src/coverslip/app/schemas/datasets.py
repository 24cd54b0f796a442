"""Sets of images: how they are opened, what they hold, what a split would make of them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from coverslip.workspace.datasets.listing import Kind, State
from coverslip.workspace.viewing.filters import Text

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Recipe = dict[str, Any]  # Any: checked as a recipe by the room that knows them


class ReadingProgress(BaseModel):
    """How far the reading of all images is."""

    done: int
    total: int
    seconds_left: float | None


class ReadingFault(BaseModel):
    """Why a set of images could not be read, and what to do about it."""

    what: str
    file: str | None
    do: str


class ClassCount(BaseModel):
    """A class as images are labelled now."""

    name: str
    n: int = Field(description="Images that have this label now.")
    color_index: int = Field(description="Its place among the classes, from 0: colour and key follow it.")


class Groups(BaseModel):
    """What a split must not divide."""

    by: Literal["column", "pattern"] | None
    value: str | None = Field(description="The column's name, or the regular expression.")
    n_groups: int


class DomainCount(BaseModel):
    """Images of one source, where there are several."""

    name: str
    n: int


class Classes(BaseModel):
    """Classes as trainings will see them: joined, left out, called otherwise."""

    model_config = ConfigDict(extra="forbid")

    merge: dict[str, list[str]] = Field(default_factory=dict, description="The new name, then the old ones.")
    drop: list[str] = Field(default_factory=list, description="Classes whose images are left out.")
    rename: dict[str, str] = Field(default_factory=dict, description="Old name, new name.")


class Dataset(BaseModel):
    """A set of images."""

    id: str
    name: str
    sources: list[str] = Field(description="Absolute paths of its folders, tables or files.")
    kind: Kind
    state: State
    is_labelled: bool = Field(description="Whether it was opened with labels from its folders or table.")
    progress: ReadingProgress | None
    error: ReadingFault | None
    n_images: int
    n_labelled: int
    n_unreadable: int
    classes: list[ClassCount]
    groups: Groups
    domains: list[DomainCount] = Field(description="Empty where all images come from one source.")
    n_label_changes: int = Field(description="Images whose label differs from that of their folder or table.")
    can_undo: bool
    can_redo: bool
    class_plan: Classes
    created: str
    thumbnail_images: list[int] = Field(description="Up to 12 readable images of as many classes as there are.")


class DatasetList(BaseModel):
    """All sets of images, newest first."""

    items: list[Dataset]
    total: int


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


class Columns(BaseModel):
    """The columns of a dataset's tables."""

    columns: list[str]


class GroupExample(BaseModel):
    """What a pattern finds in one path: the group, and where in the path it stands."""

    path: str
    group: str | None
    start: int | None
    end: int | None


class GroupCount(BaseModel):
    """A group and its images."""

    group: str
    n: int


class GroupPreview(BaseModel):
    """What groups a pattern or column would make."""

    n_groups: int
    n_unmatched: int = Field(description="Images that would each be a group of their own.")
    examples: list[GroupExample]
    largest: list[GroupCount]


class RecipeOf(BaseModel):
    """How a training would be done; what is left out takes its default."""

    model_config = ConfigDict(extra="forbid")

    recipe: Recipe = Field(default_factory=dict)


class SplitPart(BaseModel):
    """One side of a split."""

    part: Literal["train", "val", "test", "left-out"]
    n: int
    n_groups: int


class FoldPart(BaseModel):
    """What one fold tests."""

    fold: int
    n: int
    n_groups: int


class ClassSplit(BaseModel):
    """Images of one class on each side."""

    model_config = ConfigDict(populate_by_name=True)

    class_name: str = Field(alias="class")
    train: int
    val: int
    test: int


class SplitPreview(BaseModel):
    """What a training with this recipe would train on, choose by and test on."""

    notes: list[str]
    n_folds: int = Field(description="0: one split. Otherwise parts and by_class are those of the first fold.")
    parts: list[SplitPart]
    folds: list[FoldPart] = Field(description="What each fold tests; empty for one split.")
    by_class: list[ClassSplit]
