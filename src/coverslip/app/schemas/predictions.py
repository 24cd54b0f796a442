"""Bodies of the REST API about predictions and evaluations."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from coverslip.messages import text
from coverslip.workspace.correcting.joining import JoinStep
from coverslip.workspace.predictions.rows import Exclusion, Row


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

    @model_validator(mode="after")
    def _one_kind_of_images(self) -> "NewPrediction":
        if (self.dataset_id is None) == (not self.sources):
            raise ValueError(text("either-dataset-or-sources"))
        return self


class LabelCorrection(BaseModel):
    """The corrected label of a measured image; null removes the correction."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(min_length=1, max_length=200)


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """A measured image whose label was corrected."""

    row: Row
    change: Annotated[
        int | None, Field(description="Number of the change of the dataset's labels; null if none was changed.")
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
        default=None, description="The answer to undo. This is refused if the image has another answer by now."
    )


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


class NewEvaluation(BaseModel):
    """Labeled images of the workspace to evaluate a training on."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
