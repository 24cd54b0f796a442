"""Bodies of requests and responses of the REST API."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, JsonValue, StringConstraints, model_validator
from pydantic.config import JsonDict

from coverslip.app.clients import Role
from coverslip.evaluation.decisions import DecideBy
from coverslip.events import SetSizes
from coverslip.experiments.presets import Preset
from coverslip.images.reader import CropSize
from coverslip.inference.spot_check import DEFAULT_N
from coverslip.messages import Remedy, text
from coverslip.runs.recipe_keys import Group, NamedSet, RecipeKey, key_names
from coverslip.workspace.datasets.pixel_options import PixelChoice
from coverslip.workspace.datasets.sources import Name, Source
from coverslip.workspace.datasets.state import Classes, DatasetState
from coverslip.workspace.exports import ExportTo
from coverslip.workspace.jobs.records import State
from coverslip.workspace.lists import Exclusion, Row
from coverslip.workspace.store.rows import Limit, Paging
from coverslip.workspace.studies.planning import StudyChoices
from coverslip.workspace.viewing.images import Filters, ImageSelection, Text
from coverslip.workspace.viewing.tiles import ChannelDisplay


class Body(BaseModel, extra="forbid"):
    """The body of a request."""


def _describe_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key}`" for key in key_names())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


Recipe = Annotated[
    dict[str, Any],  # Any: each key has its own type
    Field(examples=[{"model": "efficientnet_lite0", "split": {"folds": 5}}], json_schema_extra=_describe_keys),
]


# The app, recipes and problems.


@dataclass(frozen=True, slots=True)
class System:
    """The server and the computer that it runs on."""

    version: str
    workspace: Annotated[str, Field(description="The folder of the app.")]
    roots: Annotated[list[str], Field(description="Images can be opened in these folders and their subfolders.")]
    device: Annotated[str, Field(description="The device that trainings probably use: cpu, cuda or mps.")]
    n_cores: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Session:
    """The user who sends a request, and the project of its address."""

    user: Annotated[str | None, Field(description="The name of the user. null: the server has no accounts.")]
    is_admin: Annotated[bool, Field(description="May change accounts and projects.")]
    project: Annotated[str | None, Field(description="The name of the project. null: the server has no accounts.")]
    role: Annotated[Role, Field(description="What the user may do in the project.")]


@dataclass(frozen=True, slots=True)
class RecipeKeys:
    """The keys of a recipe and their groups, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
    sets: Annotated[list[NamedSet], Field(description="Names for the values of all keys of a section.")]


class TextOfRecipe(Body):
    """The content of a recipe file."""

    text: str = Field(
        max_length=1_000_000, description="YAML.", examples=["model: efficientnet_lite0\nsplit:\n  folds: 5\n"]
    )


class ChoicesOfRecipe(Body):
    """The values of a form."""

    recipe: Recipe
    is_complete: bool = Field(default=False, description="Write the defaults of all other keys too.")


_WHAT = {
    401: "Nobody is signed in, or the password is wrong.",
    403: "The role of the user does not allow this.",
    404: "Nothing has this ID.",
    409: "This is not possible in the current state.",
    412: "Other images match the filters now than those that the client listed.",
    413: "The request is larger than the server accepts.",
    428: "The request selects images by filters, and does not state which images the client listed.",
    429: "The client sends too much. Repeat the request after the seconds in `Retry-After`.",
}


class FieldProblem(BaseModel):
    """An error in one part of a request."""

    field: str
    message: str
    line: int | None = Field(default=None, description="Line in the text of the request, from 1.")


class Problem(BaseModel):
    """Why a request could not be answered, and what to do about it."""

    type: str = Field(
        description="The address of the section of the help about this code.",
        json_schema_extra={"format": "uri-reference"},
    )
    kind: str = Field(description="The kind of problem: `bad-recipe`, `leakage-found`, `not-found`, …")
    code: str = Field(description="The message. It is stable; its text may change.")
    title: str = Field(description="What happened, in a sentence.")
    status: int
    detail: str = Field(description="What happened, where, and what to do.")
    file: str | None = Field(default=None, description="The affected file or folder.")
    do: str | None = Field(default=None, description="What to do about it.")
    parameters: dict[str, JsonValue] | None = Field(default=None, description="The parameters of the message.")
    remedies: list[Remedy] | None = Field(
        default=None,
        description="What to do as data, such as a recipe key and its value.",
    )
    errors: list[FieldProblem] | None = Field(default=None, description="The parts of the request that are wrong.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return the documented error responses of a route."""
    return {status: {"model": Problem, "description": _WHAT[status]} for status in statuses}


_SUCCESS = {201: "It was created.", 202: "The work was started. Its state is at the Location."}


def located(status: Literal[201, 202]) -> dict[int | str, dict[str, Any]]:  # Any: FastAPI's own type
    """Return the documented success of a route that calls `locate`."""
    schema = {"type": "string", "format": "uri-reference"}
    location = {"description": "The address of the result, relative to the server.", "schema": schema}
    return {status: {"description": _SUCCESS[status], "headers": {"Location": location}}}


# Datasets, images, labels and uploads.

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
    """The same, and the sizes of its sets as `split-preview` returns them."""

    sizes: list[SetSizes] = Field(min_length=1, max_length=100_000)


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

    change: Annotated[int | None, Field(description="ID of the change; null if all images had this label.")]
    n: Annotated[int, Field(description="Images whose label changed.")]
    dataset: DatasetState


@dataclass(frozen=True, slots=True)
class ImagesExcluded:
    """An exclusion or inclusion of images."""

    change: Annotated[int | None, Field(description="ID of the change; null if nothing changed.")]
    n: Annotated[int, Field(description="Images that changed.")]
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


# Trainings, studies, predictions, evaluations and exports.


class JobsPage(Paging):
    """A page of the jobs of some kinds and states."""

    kind: list[str] = Field(default_factory=list, max_length=20, description="Kinds of jobs; none: all.")
    state: list[State] = Field(default_factory=list, max_length=20, description="States of jobs; none: all.")


class NewRun(Body):
    """A training to queue."""

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    recipe: Recipe = Field(default_factory=dict)
    allow_leakage: bool = False
    preset: Preset | None = Field(
        default=None,
        description="first-look: instant classifier of images of half the side; good: instant classifier; best: with "
        "fine-tuning. It changes only keys of the recipe that have their default values. Null: best.",
    )
    budget: str | None = Field(
        default=None,
        max_length=40,
        description="Time budget: `90s`, `10m`, `1h30m`. Fine-tuning is adapted to it. Null: no limit.",
    )
    repeats_run: str | None = Field(
        default=None,
        description="An earlier training on the same dataset, for comparison: its test images stay test images, "
        "its validation images stay validation images. New images join the training set. Folds are split again.",
    )


class RunChanges(Body):
    """Changes of a training."""

    name: str = Field(min_length=1, max_length=120)


class Decision(Body):
    """The decision rule; missing fields have their defaults."""

    decide_by: DecideBy = "highest"
    target: float = Field(
        default=0.95, gt=0, le=1, description="Target sensitivity or specificity, if the rule uses one."
    )
    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="Threshold of the positive class, if the rule uses one."
    )
    error_rate: float | None = Field(
        default=None, gt=0, lt=1, description="Target error rate among images that are not `uncertain`."
    )
    positive_class: str | None = Field(default=None, description="One of two classes; null: unchanged.")


class NewStudy(StudyChoices):
    """A study to queue."""

    name: str | None = Field(default=None, max_length=120, description="Default: named after the preset.")
    budget: str | None = Field(
        default=None,
        max_length=40,
        description="Time limit of each start: `90s`, `10m`, `2h`. Trainings that would not end in time are left for "
        "`resume`. Null: no limit.",
    )


_RESCALE = "Rescale images of known pixel size to the pixel size of the training images."


class NewPrediction(Body):
    """Images to predict: a dataset of the workspace, or files and folders below the allowed roots."""

    classifier_id: str
    dataset_id: Annotated[str | None, Field(description="Without it, `sources` names the images.")] = None
    sources: Annotated[
        list[str] | None,
        Field(description="Absolute paths of files and folders, without `dataset_id`.", examples=[["/data/new"]]),
    ] = None
    name: str | None = Field(default=None, max_length=120, description="Default: named after the images.")
    prevalence: dict[str, float] = Field(
        default_factory=dict,
        description="Expected class proportions of these images, above 0 and below 1; other classes share the rest.",
        examples=[{"round": 0.1}],
    )
    rescale: bool = Field(default=False, description=_RESCALE)

    @model_validator(mode="after")
    def _one_kind_of_images(self) -> "NewPrediction":
        if (self.dataset_id is None) == (not self.sources):
            raise ValueError(text("either-dataset-or-sources"))
        return self


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """An image whose class was corrected."""

    row: Row
    change: Annotated[
        int | None,
        Field(description="ID of the change; null if nothing changed."),
    ]


class Answer(Body):
    """The correct class of an image, or why it is excluded; if both are null, the answer is removed."""

    label: str | None = Field(min_length=1, max_length=200)
    excluded: Exclusion | None = Field(default=None, description="The image shows none of the classes, or is unusable.")

    @model_validator(mode="after")
    def _one_answer(self) -> "Answer":
        if self.label is not None and self.excluded is not None:
            raise ValueError(text("either-label-or-excluded"))
        return self


class NewSpotCheck(Body):
    """A spot check to draw, with the samples and conditions that are saved for the prediction."""

    n: int = Field(default=DEFAULT_N, ge=1, le=10_000, description="Images of each condition.")


class JoinedDataset(Body):
    """The dataset that corrected and confirmed images are added to."""

    dataset_id: str


class DatasetOfPrediction(Body):
    """Which rows become labeled images: the corrected ones, or all."""

    only: Annotated[Literal["corrected", "all"], Field(description="`corrected`: also confirmed rows.")]
    name: str | None = Field(default=None, max_length=120, description="Default: named after the prediction.")


class NewExport(Body):
    """An export of a classifier for other programs."""

    to: ExportTo = Field(description="`onnx` (ONNX Runtime) or `bioimageio` (BioImage Model Zoo).")
    authors: list[Annotated[str, Field(max_length=200)]] | None = Field(
        default=None, max_length=100, description="Names of the authors. For `bioimageio`."
    )
    license: str | None = Field(
        default=None, max_length=100, description="An SPDX identifier such as `CC-BY-4.0`. For `bioimageio`."
    )
    citation: str | None = Field(
        default=None, max_length=2000, description="What to cite, with a DOI or an address. For `bioimageio`."
    )


class NewEvaluation(Body):
    """Labeled images of the workspace to evaluate a training on."""

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    rescale: bool = Field(default=False, description=_RESCALE)
