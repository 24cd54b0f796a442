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
        description="Shares of classes that are known of these images, above 0 and below 1; others divide the rest.",
    )

    @model_validator(mode="after")
    def _one_kind_of_images(self) -> "NewPrediction":
        if (self.dataset_id is None) == (not self.sources):
            raise ValueError(text("either-dataset-or-sources"))
        return self


class LabelCorrection(BaseModel):
    """What a measured image really shows; null takes the correction back."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(min_length=1, max_length=200)


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """A measured image whose label was corrected."""

    row: Row
    change: Annotated[
        int | None, Field(description="Number of the change of the dataset's labels; null where none was changed.")
    ]


class Answer(BaseModel):
    """What an image really shows, or why it is excluded; both null take the answer back."""

    model_config = ConfigDict(extra="forbid")

    label: str | None = Field(min_length=1, max_length=200)
    excluded: Exclusion | None = Field(default=None, description="The image shows none of the classes, or is unusable.")

    @model_validator(mode="after")
    def _one_answer(self) -> "Answer":
        if self.label is not None and self.excluded is not None:
            raise ValueError(text("either-label-or-excluded"))
        return self


class Correction(Answer):
    """An answer, or the earlier one where an answer is undone."""

    undoes: Answer | None = Field(
        default=None, description="The answer that is undone. It is refused where the image has another one by now."
    )


class JoinedDataset(BaseModel):
    """The dataset that corrected and confirmed images are added to."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str


class JoinUndo(BaseModel):
    """An addition to undo."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    step: JoinStep = Field(description="As adding the images returned it.")


class DatasetOfPrediction(BaseModel):
    """Which rows become labelled images: those that were corrected, or all."""

    model_config = ConfigDict(extra="forbid")

    only: Literal["corrected", "all"]
    name: str | None = Field(default=None, max_length=120)


class NewEvaluation(BaseModel):
    """Labelled images of the workspace to measure a training on."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(default=None, max_length=120, description="Default: named after the dataset.")
