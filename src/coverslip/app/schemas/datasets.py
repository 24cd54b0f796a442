"""Bodies of the REST API about datasets, images, labels and uploads."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from coverslip.images import CropSize
from coverslip.workspace.datasets.pixel_options import PixelChoice
from coverslip.workspace.datasets.state import Classes, DatasetState
from coverslip.workspace.viewing.filters import Filters, ImageSelection, Text
from coverslip.workspace.viewing.tiles import ChannelDisplay

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$")]
Recipe = dict[str, Any]  # Any: `workspace.recipes` checks it


class NewSource(BaseModel):
    """A folder, table or file, and the domain of its images."""

    model_config = ConfigDict(extra="forbid")

    path: Text = Field(
        description="A folder of class folders, or a table; without labels, also a plain folder or file."
    )
    domain: Name | None = Field(
        default=None,
        description="Name of the laboratory, device or day. Default: the name of the folder. Equal names are one "
        "domain.",
    )


Sources = Annotated[list[NewSource], Field(min_length=1, max_length=1_000)]


TableColumns = Annotated[
    dict[Name, Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")]], Field(max_length=100)
]


class TableToOpen(BaseModel):
    """A table, and how to read it."""

    model_config = ConfigDict(extra="forbid")

    path: Text
    columns: TableColumns = Field(
        default_factory=dict,
        description="The column for each meaning that the header does not give (path, label, group, split, x, y "
        "and the like); an empty name ignores the meaning.",
    )
    crop_size: CropSize | None = Field(
        default=None,
        description="Side of the square around each point of a table, in pixels, or in µm as text (`32 um`).",
    )


_LABELS_OF_CLASSIFIER = (
    "A classifier that will predict the images. Class folders then give the labels, also without `is_labeled`, if one "
    "of them has the name of a class of the classifier."
)


class NewDataset(BaseModel):
    """A dataset to open."""

    model_config = ConfigDict(extra="forbid")

    sources: Sources
    name: Name | None = Field(default=None, description="Default: named after the folder or table.")
    group: Text | None = Field(default=None, description="The column of the table that gives the groups.")
    group_pattern: Text | None = Field(default=None, description="A regular expression that finds the groups in paths.")
    is_labeled: bool = Field(default=True, description="Whether folders or a table give the labels.")
    classifier_id: Text | None = Field(default=None, description=_LABELS_OF_CLASSIFIER)
    columns: TableColumns = Field(default_factory=dict, description="As for a table preview; for all tables.")
    crop_size: CropSize | None = Field(
        default=None,
        description="Side of the square around each point of a table, in pixels, or in µm as text (`32 um`).",
    )


class DatasetChanges(BaseModel):
    """The changes; missing fields stay as they are. To remove the groups, set group or group_pattern to null."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    sources: Sources | None = Field(
        default=None,
        description="All sources of the images from now on: add or remove folders, or name their domains.",
    )
    group: Text | None = Field(default=None, description="A column of the table; null removes the groups.")
    group_pattern: Text | None = Field(
        default=None, description="A regular expression for paths; null removes the groups."
    )
    group_merge: (
        Annotated[dict[Text, Annotated[list[Text], Field(max_length=1_000)]], Field(max_length=10_000)] | None
    ) = Field(
        default=None,
        description="Groups to join, because they are one group with several spellings: by the name of the joined "
        "group, the names of all. It replaces earlier joins; other groups, by a column or a pattern, end them.",
    )
    class_plan: Classes | None = None
    classes: Annotated[list[Name], Field(max_length=1_000)] | None = Field(
        default=None, description="Names in the order of their keys and colors, including classes without images."
    )
    pixels: PixelChoice | None = Field(
        default=None,
        description="The pixels of each file that are an image, in trainings and predictions. The images are read "
        "again, and labels are kept.",
    )
    display: Annotated[list[ChannelDisplay], Field(max_length=1_000)] | None = Field(
        default=None, description="How the viewer shows each channel of all images; an empty list: automatic."
    )


class RecipeOf(BaseModel):
    """The recipe of a training; missing keys have their defaults."""

    model_config = ConfigDict(extra="forbid")

    recipe: Recipe = Field(default_factory=dict)


class TimeOf(RecipeOf):
    """The same, and the sizes of its split as `split-preview` returns them; with folds, those of the first fold."""

    n_train: int = Field(ge=1, le=10**9, description="Images in the training set.")
    n_val: int = Field(ge=0, le=10**9, description="Images in the validation set.")
    n_test: int = Field(ge=0, le=10**9, description="Images in the test set.")
    n_folds: int = Field(default=0, ge=0, le=100_000, description="0 for one split.")


class SplitOf(RecipeOf):
    """The same, and whether a predefined split may have the same pixels or groups in training and test set."""

    allow_leakage: bool = False
    repeats_run: str | None = Field(
        default=None, description="An earlier training on this dataset whose split is reused."
    )


ListedRow = Annotated[int, Field(ge=0, lt=2**32)]


class _RowsOrFilters(Filters):
    rows: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}(,[0-9]{1,10}){0,255}$")] | None = Field(
        default=None,
        description="Up to 256 row_ids, such as 3,1,2, instead of filters. The response has their order, without "
        "missing images.",
    )

    @property
    def row_ids(self) -> list[int] | None:
        """Return the requested row_ids; None if filters are requested."""
        return None if self.rows is None else [int(text) for text in self.rows.split(",")]

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.rows is not None and self.model_fields_set != {"rows"}:
            raise ValueError("rows cannot be combined with other parameters")
        return self


class ListQuery(_RowsOrFilters):
    """Filters and the image that precedes the page, or the row_ids of images."""

    after: ListedRow | None = Field(
        default=None, description="The row_id of the last image of the page before, which `next` gives."
    )
    limit: int = Field(default=200, ge=1, le=2_000)


class NewLabels(ImageSelection):
    """A label for some images; null removes their labels."""

    label: Annotated[Text, Field(max_length=200)] | None


class ExclusionChange(ImageSelection):
    """Images to exclude or include."""

    is_excluded: bool


class ConfirmedLabels(ImageSelection):
    """Images whose labels are confirmed, or whose confirmation is removed."""

    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class LabelsGiven:
    """A change of labels."""

    change: Annotated[int | None, Field(description="Number of the change; null if all images had this label.")]
    n: Annotated[int, Field(description="Images whose label changed.")]
    dataset: DatasetState


class LabelsStep(BaseModel):
    """A change of labels to undo or redo."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[
        int, Field(ge=0, lt=2**63, description="Number of the change, as returned when the labels were changed.")
    ]


@dataclass(frozen=True, slots=True)
class LabelsTakenBack:
    """A change of labels that was undone or redone."""

    n: Annotated[int, Field(description="Images whose label changed.")]
    rows: Annotated[list[int], Field(description="row_ids of the first 1,000 of them.")]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class ImagesExcluded:
    """An exclusion or inclusion of images."""

    change: Annotated[str | None, Field(description="ID for undo; null if nothing changed.")]
    n: Annotated[int, Field(description="Images that changed.")]
    dataset: DatasetState


class ExclusionUndo(BaseModel):
    """An exclusion or inclusion to undo."""

    model_config = ConfigDict(extra="forbid")

    change: Annotated[Text, Field(min_length=1, description="As returned when the images were excluded or included.")]


@dataclass(frozen=True, slots=True)
class ExclusionUndone:
    """An exclusion or inclusion that was undone."""

    n: Annotated[
        int, Field(description="Images that were not excluded or included since then; the others stay as they are.")
    ]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class LabelsConfirmed:
    """A confirmation of labels, or its removal."""

    rows: Annotated[list[int], Field(description="row_ids of the images that changed.")]


class NewSecondReading(BaseModel):
    """How many further images to draw for a second reading."""

    model_config = ConfigDict(extra="forbid")

    n: int = Field(default=100, ge=1, le=1_000_000, description="At most all labeled images are drawn.")


class ReadingOf(BaseModel):
    """The label of an image by a reader."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[Text, Field(max_length=200)] | None = Field(
        description="A class of the dataset; null removes the reading."
    )


class DecidedLabel(BaseModel):
    """The label that is decided for an image whose readings differ."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[Text, Field(max_length=200)] = Field(description="A class of the dataset.")


class NewSuggestions(BaseModel):
    """How many images to suggest for labeling."""

    model_config = ConfigDict(extra="forbid")

    n: int = Field(default=20, ge=1, le=1_000)


class NewUpload(BaseModel):
    """An upload to start."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    is_labeled: bool = Field(description="Whether sub-folders or a table give the labels.")


class TableReading(BaseModel):
    """How to read the table among the files."""

    model_config = ConfigDict(extra="forbid")

    columns: TableColumns = Field(default_factory=dict, description="As for a table preview.")
    crop_size: CropSize | None = Field(
        default=None,
        description="Side of the square around each point of a table, in pixels, or in µm as text (`32 um`).",
    )


class FinishUpload(BaseModel):
    """How to create a dataset of the files."""

    model_config = ConfigDict(extra="forbid")

    is_labeled: bool | None = Field(default=None, description="Overrides the value from the start of the upload.")
    classifier_id: Text | None = Field(default=None, description=_LABELS_OF_CLASSIFIER)
    table: TableReading | None = Field(
        default=None, description="How to read the table of the upload; null: by its header, if it gives the labels."
    )
    ignores_table: bool = Field(default=False, description="Create a dataset of the images alone.")
