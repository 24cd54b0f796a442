"""Bodies of the REST API about trainings, studies, predictions, evaluations and exports."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from coverslip.evaluation import DecideBy
from coverslip.inference.spot_check import DEFAULT_N
from coverslip.messages import text
from coverslip.runs.recipe import key_names
from coverslip.workspace.correcting.joining import JoinStep
from coverslip.workspace.exports.state import ExportTo
from coverslip.workspace.jobs.state import State
from coverslip.workspace.lists.rows import Exclusion, Row
from coverslip.workspace.store.rows import Paging


def _describe_keys(schema: JsonDict) -> None:
    keys = ", ".join(f"`{key}`" for key in key_names())
    schema["description"] = f"Only what differs from the defaults; nested keys or dotted ones. Keys: {keys}."


class JobsPage(Paging):
    """A page of the jobs of some kinds and states."""

    kind: list[str] = Field(default_factory=list, max_length=20, description="Kinds of jobs; none: all.")
    state: list[State] = Field(default_factory=list, max_length=20, description="States of jobs; none: all.")


class NewRun(BaseModel):
    """A training to queue."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    # Any: each key has its own type
    recipe: dict[str, Any] = Field(default_factory=dict, json_schema_extra=_describe_keys)
    allow_leakage: bool = False
    budget: str | None = Field(
        default=None,
        max_length=40,
        description="Time budget: `90s`, `10m`, `1h30m`, or `quick` (2 minutes), `balanced` (10 minutes), "
        "`best` (1 hour). Fine-tuning is adapted to it. Null: no limit.",
    )
    repeats_run: str | None = Field(
        default=None,
        description="An earlier training on the same dataset, for comparison: its test images stay test images, "
        "its validation images stay validation images. New images join the training set. Folds are split again.",
    )


class RunChanges(BaseModel):
    """Changes of a training."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)


class Decision(BaseModel):
    """The decision rule; missing fields have their defaults."""

    model_config = ConfigDict(extra="forbid")

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


class StudyRequest(BaseModel):
    """A publication's study, or a comparison of chosen networks, on datasets of the workspace."""

    model_config = ConfigDict(extra="forbid")

    preset: str | None = Field(
        default=None,
        max_length=60,
        description="See `GET /study-presets`. Null: the chosen networks with the default recipe and five folds.",
    )
    dataset_ids: list[str] = Field(
        min_length=1, max_length=100, description="Labeled datasets, in the order in which they are shown."
    )
    networks: list[str] = Field(
        default_factory=list,
        max_length=200,
        description="Networks of the preset, which keep their recipes, or names of `GET /models`. Empty: those of the "
        "preset.",
    )
    initial_weights: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="`imagenet`, `scratch`, `frozen` (ImageNet, only the last layer is trained), or initial weights of "
        "the preset. Empty: those of the preset, unless there are `pretraining_ids`.",
    )
    pretraining_ids: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Other labeled datasets. For each, networks that are pretrained on it are compared, too.",
    )
    is_small: bool = Field(
        default=False,
        description="A quick demonstration: networks whose weights come with the installation, few small images, "
        "two epochs.",
    )
    as_published: bool = Field(
        default=False,
        description="Repeat every dataset with the protocol of the publication, and compare the results.",
    )
    plan: str | None = Field(
        default=None,
        max_length=2**20,
        description="`study.yaml` of a preview, with changes; it can use the images of these datasets only. "
        "Null: the plan of the other choices.",
    )

    @model_validator(mode="after")
    def _preset_has_its_options(self) -> "StudyRequest":
        if self.preset is None and (self.is_small or self.as_published):
            raise ValueError(text("options-without-preset"))
        return self


class NewStudy(StudyRequest):
    """A study to queue."""

    name: str | None = Field(default=None, max_length=120, description="Default: named after the preset.")
    budget: str | None = Field(
        default=None,
        max_length=40,
        description="Time limit of each start: `90s`, `10m`, `2h`. Trainings that would not end in time are left for "
        "`resume`. Null: no limit.",
    )


_RESCALE = "Rescale images of known pixel size to the pixel size of the training images."


class NewPrediction(BaseModel):
    """Images to predict: a dataset of the workspace, or files and folders below the allowed roots."""

    model_config = ConfigDict(extra="forbid")

    classifier_id: str
    dataset_id: str | None = None
    sources: list[str] | None = None
    name: str | None = Field(default=None, max_length=120)
    prevalence: dict[str, float] = Field(
        default_factory=dict,
        description="Expected class proportions of these images, above 0 and below 1; other classes share the rest.",
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
        Field(description="Number of the change of labels in the dataset; null for predictions, and without a change."),
    ]


class Answer(BaseModel):
    """The correct class of an image, or why it is excluded; if both are null, the answer is removed."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(min_length=1, max_length=200)
    excluded: Exclusion | None = Field(default=None, description="The image shows none of the classes, or is unusable.")

    @model_validator(mode="after")
    def _one_answer(self) -> "Answer":
        if self.label is not None and self.excluded is not None:
            raise ValueError(text("either-label-or-excluded"))
        return self


class Correction(Answer):
    """An answer; to undo an answer, the earlier one."""

    undoes: Answer | None = Field(
        default=None, description="The answer to undo. This is refused if the answer of the image has changed."
    )


class NewSpotCheck(BaseModel):
    """A spot check to draw, with the samples and conditions that are saved for the prediction."""

    model_config = ConfigDict(extra="forbid")

    n: int = Field(default=DEFAULT_N, ge=1, le=10_000, description="Images of each condition.")


class JoinedDataset(BaseModel):
    """The dataset that corrected and confirmed images are added to."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str


class JoinUndo(BaseModel):
    """An addition to undo."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    step: JoinStep = Field(description="As returned when the images were added.")


class DatasetOfPrediction(BaseModel):
    """Which rows become labeled images: the corrected ones, or all."""

    model_config = ConfigDict(extra="forbid")

    only: Literal["corrected", "all"]
    name: str | None = Field(default=None, max_length=120)


class NewExport(BaseModel):
    """An export of a classifier for other programs."""

    model_config = ConfigDict(extra="forbid")

    to: ExportTo = Field(
        description="`onnx` (ONNX Runtime), `openvino`, `pt2` (PyTorch) or `bioimageio` (BioImage Model Zoo)."
    )
    authors: list[Annotated[str, Field(max_length=200)]] | None = Field(
        default=None, max_length=100, description="Names of the authors. For `bioimageio`."
    )
    license: str | None = Field(
        default=None, max_length=100, description="An SPDX identifier such as `CC-BY-4.0`. For `bioimageio`."
    )
    citation: str | None = Field(
        default=None, max_length=2000, description="What to cite, with a DOI or an address. For `bioimageio`."
    )


class NewEvaluation(BaseModel):
    """Labeled images of the workspace to evaluate a training on."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    rescale: bool = Field(default=False, description=_RESCALE)
