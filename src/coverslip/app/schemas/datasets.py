"""Bodies of the REST API about datasets, images, labels and uploads."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from coverslip.app.schemas import Body, Recipe
from coverslip.images import CropSize
from coverslip.workspace.datasets.pixel_options import PixelChoice
from coverslip.workspace.datasets.sources import Name, Source
from coverslip.workspace.datasets.state import Classes, DatasetState
from coverslip.workspace.store.rows import Limit
from coverslip.workspace.viewing.lists import Filters, ImageSelection, Text
from coverslip.workspace.viewing.tiles import ChannelDisplay

GroupPattern = Annotated[Text, Field(examples=[r"slide\d+"])]


Sources = Annotated[list[Source], Field(min_length=1, max_length=1_000)]


TableColumns = Annotated[
    dict[Name, Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")]], Field(max_length=100)
]


class TableReading(Body):
    """How to read tables."""

    columns: TableColumns = Field(
        default_factory=dict,
        description="The column for each meaning that the header does not give (path, label, group, split, x, y "
        "and the like); an empty name ignores the meaning.",
        examples=[{"label": "cell type"}],
    )
    crop_size: CropSize | None = Field(
        default=None,
        description="Side of the square around each point of a table, in pixels, or in µm as text (`32 um`).",
    )


class TableToOpen(TableReading):
    """A table, and how to read it."""

    path: Text = Field(description="Absolute path of the table.", examples=["/data/cells.csv"])


_LABELS_OF_CLASSIFIER = (
    "A classifier that will predict the images. Class folders then give the labels, also without `is_labeled`, if one "
    "of them has the name of a class of the classifier."
)


class NewDataset(TableReading):
    """A dataset to open."""

    sources: Sources
    name: Name | None = Field(default=None, description="Default: named after the folder or table.")
    group: Text | None = Field(default=None, description="The column of the table that gives the groups.")
    group_pattern: GroupPattern | None = Field(
        default=None, description="A regular expression that finds the groups in paths."
    )
    is_labeled: bool = Field(default=True, description="Whether folders or a table give the labels.")
    classifier_id: Text | None = Field(default=None, description=_LABELS_OF_CLASSIFIER)


class DatasetChanges(Body):
    """The changes; missing fields stay as they are. To remove the groups, set group or group_pattern to null."""

    name: Name | None = None
    sources: Sources | None = Field(
        default=None,
        description="All sources of the images from now on: add or remove folders, or name their domains.",
    )
    group: Text | None = Field(default=None, description="A column of the table; null removes the groups.")
    group_pattern: GroupPattern | None = Field(
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


class RecipeOf(Body):
    """The recipe of a training; missing keys have their defaults."""

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
    limit: Limit = 200


class NewLabels(ImageSelection):
    """A label for some images; null removes their labels."""

    label: Annotated[Text, Field(max_length=200)] | None


class ExclusionChange(ImageSelection):
    """Images to exclude or include."""

    is_excluded: Annotated[bool, Field(description="Exclude the images; false includes them.")]


class ConfirmedLabels(ImageSelection):
    """Images whose labels are confirmed, or whose confirmation is removed."""

    is_confirmed: Annotated[bool, Field(description="Confirm the labels; false removes the confirmations.")]


@dataclass(frozen=True, slots=True)
class LabelsGiven:
    """A change of labels."""

    change: Annotated[int | None, Field(description="Number of the change; null if all images had this label.")]
    n: Annotated[int, Field(description="Images whose label changed.")]
    dataset: DatasetState


class LabelsStep(Body):
    """A change of labels to undo or redo."""

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


class ExclusionUndo(Body):
    """An exclusion or inclusion to undo."""

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


class NewSecondReading(Body):
    """How many further images to draw for a second reading."""

    n: int = Field(default=100, ge=1, le=1_000_000, description="At most all labeled images are drawn.")


class ReadingOf(Body):
    """The label of an image by a reader."""

    label: Annotated[Text, Field(max_length=200)] | None = Field(
        description="A class of the dataset; null removes the reading."
    )


class DecidedLabel(Body):
    """The label that is decided for an image whose readings differ."""

    label: Annotated[Text, Field(max_length=200)] = Field(description="A class of the dataset.")


class NewSuggestions(Body):
    """How many images to suggest for labeling."""

    n: int = Field(default=20, ge=1, le=1_000)


class NewUpload(Body):
    """An upload to start."""

    name: Name
    is_labeled: bool = Field(description="Whether sub-folders or a table give the labels.")


class FinishUpload(Body):
    """How to create a dataset of the files."""

    is_labeled: bool | None = Field(default=None, description="Overrides the value from the start of the upload.")
    classifier_id: Text | None = Field(default=None, description=_LABELS_OF_CLASSIFIER)
    table: TableReading | None = Field(
        default=None, description="How to read the table of the upload; null: by its header, if it gives the labels."
    )
    ignores_table: bool = Field(default=False, description="Create a dataset of the images alone.")
