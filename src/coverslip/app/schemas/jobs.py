"""Bodies of the REST API about trainings, studies, predictions, evaluations and exports."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from coverslip.app.schemas import Body, Recipe
from coverslip.evaluation import DecideBy
from coverslip.inference.spot_check import DEFAULT_N
from coverslip.messages import text
from coverslip.workspace.correcting.joining import JoinStep
from coverslip.workspace.exports.state import ExportTo
from coverslip.workspace.jobs.state import State
from coverslip.workspace.lists.rows import Exclusion, Row
from coverslip.workspace.store.rows import Paging
from coverslip.workspace.studies.planning import StudyChoices


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
        Field(description="Number of the change of labels in the dataset; null for predictions, and without a change."),
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


class Correction(Answer):
    """An answer; to undo an answer, the earlier one."""

    undoes: Answer | None = Field(
        default=None, description="The answer to undo. This is refused if the answer of the image has changed."
    )


class NewSpotCheck(Body):
    """A spot check to draw, with the samples and conditions that are saved for the prediction."""

    n: int = Field(default=DEFAULT_N, ge=1, le=10_000, description="Images of each condition.")


class JoinedDataset(Body):
    """The dataset that corrected and confirmed images are added to."""

    dataset_id: str


class JoinUndo(Body):
    """An addition to undo."""

    dataset_id: str
    step: JoinStep = Field(description="As returned when the images were added.")


class DatasetOfPrediction(Body):
    """Which rows become labeled images: the corrected ones, or all."""

    only: Annotated[Literal["corrected", "all"], Field(description="`corrected`: also confirmed rows.")]
    name: str | None = Field(default=None, max_length=120, description="Default: named after the prediction.")


class NewExport(Body):
    """An export of a classifier for other programs."""

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


class NewEvaluation(Body):
    """Labeled images of the workspace to evaluate a training on."""

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
    rescale: bool = Field(default=False, description=_RESCALE)
