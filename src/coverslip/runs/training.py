"""`training.json` and `budget.json`: how a network was trained, and what validation images chose."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from coverslip.errors import BadRecipe
from coverslip.evaluation import OperatingPoint
from coverslip.events import CheckpointSelection
from coverslip.messages import duration, text
from coverslip.runs.classifier import CalibrationImages
from coverslip.runs.documents import Document

StoppedBecause = Literal[
    "all epochs done", "no better epoch", "on request", "finished early", "out of time", "does not fit", "diverged"
]


FittedOn = Literal["training images", "training and validation images"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InstantStage(_Part):
    """The linear probe on frozen features."""

    stage: Literal["instant"] = "instant"
    seconds: float
    engine: str = Field(description="What ran the network; `cache` where all features were there.")
    engine_difference: float | None = Field(description="Largest one from PyTorch that was met when it was checked.")
    n_features: int
    head: Literal["kept", "fitted"] = Field(
        description="`kept`: that of the earlier run whose weights are the initialization."
    )
    shrinkage: float | None = Field(description="Of the linear probe that was fitted.")
    fitted_on: FittedOn = Field(default="training images", description="Images that the last layer was fitted on.")
    images_copied: int = Field(
        default=0, description="Training images with augmented copies, whose covariance within an image was added."
    )
    temperature: float
    val_accuracy: float | None
    val_macro_f1: float | None


class RefittedHead(_Part):
    """A linear probe on fine-tuned features, whose calibrated logits are averaged with those of the trained head."""

    shrinkage: float
    share: float = Field(description="Of the average, in [0, 1]; 0 keeps the trained head.")
    temperature: float = Field(description="Of its logits.")
    trained_temperature: float = Field(description="Of the trained head's logits.")
    fitted_on: FittedOn = Field(default="training images", description="Images that the probe was fitted on.")


class FinetuneStage(_Part):
    """All layers that are not frozen, trained by gradients."""

    stage: Literal["finetune"] = "finetune"
    started_from: str
    seconds: float
    selected_epoch: int = Field(description="1-based; 0 where none was completed.")
    checkpoint_selection: CheckpointSelection = Field(
        default="last", description="Which epoch was kept: the last, or the best on validation images."
    )
    epochs_run: int = Field(description="The last one may be a part of one, under a time budget.")
    epochs_planned: int = Field(description="That the learning rate was to fall over.")
    n_steps: int = Field(default=0, description="Steps of the optimizer that were taken.")
    stopped_because: StoppedBecause
    images_per_second: float
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        description="What the backbone computed in during a step; weights stay in float32."
    )
    refitted: RefittedHead | None = Field(
        default=None, description="What the last layer was averaged with; null: it stayed as it was trained."
    )


StageRecord = Annotated[InstantStage | FinetuneStage, Field(discriminator="stage")]


class Calibration(_Part):
    """What turns logits into decisions."""

    calibrated_on: CalibrationImages = Field(
        default="validation images",
        description="`validation images`: where the last layer was fitted on them too, by layers that were fitted "
        "without them. `held-out training images`: what linear probes fitted on nine tenths of the images said "
        "of the others. `the folds' images`: what the folds' networks said of images that they were not fitted on.",
    )
    temperature: float = Field(default=1.0, description="Logits are divided by it before the softmax.")
    set_floors: tuple[float, ...] | None = Field(
        default=None, description="The probability from which on each class is in a prediction set."
    )
    operating_points: tuple[OperatingPoint, ...] | None = Field(
        default=None, description="One per class; null: the most probable class is predicted."
    )
    uncertain_below: float = Field(default=0.0, description="Less probable predictions are called uncertain.")
    uncertain_share: float = Field(default=0.0, description="Of the images that this threshold was chosen on.")


class TrainingRecord(Document):
    """How one network came about."""

    stages: tuple[StageRecord, ...]
    chosen: Literal["instant", "finetune"] = Field(description="The stage whose network is kept.")
    calibration: Calibration
    notes: tuple[str, ...] = Field(default=(), description="What the user should know of it.")
    initialization_is_known: bool = Field(
        default=True, description="Whether all images are known that the initial weights were trained on."
    )

    @property
    def instant(self) -> InstantStage | None:
        """The first stage, where there was one."""
        return next((stage for stage in self.stages if isinstance(stage, InstantStage)), None)

    @property
    def finetune(self) -> FinetuneStage | None:
        """The second stage, where there was one."""
        return next((stage for stage in self.stages if isinstance(stage, FinetuneStage)), None)

    @property
    def selected_epoch(self) -> int:
        """Of fine-tuning, 1-based; 0 where its network is not the one that is kept."""
        return self.finetune.selected_epoch if self.finetune is not None and self.chosen == "finetune" else 0

    @property
    def seconds(self) -> float:
        """That all stages took."""
        return sum(stage.seconds for stage in self.stages)


PRESETS = {"quick": 120.0, "balanced": 600.0, "best": 3600.0}  # seconds

_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_NUMBER} ?h)? ?(?:{_NUMBER} ?m(?:in)?)? ?(?:{_NUMBER} ?s)?")


def budget_seconds(budget: float | str) -> float:
    """A time budget in seconds.

    Args:
        budget: seconds; or a text: `90s`, `10m`, `1h30m`, or one of `quick`, `balanced` and `best`.

    Raises:
        BadRecipe: it is no length of time.
    """
    seconds = _seconds(budget.strip().lower()) if isinstance(budget, str) else float(budget)
    if seconds is None or not 0 < seconds < 1e8:
        raise BadRecipe("not-a-duration", budget=str(budget), presets=", ".join(PRESETS))
    return seconds


def _seconds(budget: str) -> float | None:
    if budget in PRESETS:
        return PRESETS[budget]
    match = _TIME.fullmatch(budget)
    if match is None or not any(match.groups()):
        return None
    return sum(float(number or 0) * unit for number, unit in zip(match.groups(), (3600, 60, 1), strict=True))


class BudgetRecord(Document):
    """How a run used its time budget; without one there is no such file."""

    seconds: float = Field(description="Time limit of the whole run.")
    used_seconds: float = Field(default=0.0, description="Time used before the run was resumed.")
    adds_epochs: bool = Field(default=False, description="Whether the recipe left the number of epochs open.")
    is_finetuned: bool = Field(default=False, description="Whether the recipe asked for fine-tuning.")
    is_fixed: bool = Field(
        default=False,
        description="The recipe of folds holds all that was chosen: nothing is adapted any more.",
    )
    reserve_seconds: float = Field(default=0.0, description="Kept for folds without fine-tuning, if the time is over.")
    epochs: int | None = Field(default=None, description="Planned epochs.")
    epochs_run: float | None = Field(default=None, description="Completed epochs; null without fine-tuning.")
    image_size: int | None = Field(default=None, description="Image size of fine-tuning.")
    full_image_size: int | None = Field(
        default=None, description="Image size without a budget; null if it was not reduced."
    )
    instant_image_size: int | None = Field(
        default=None,
        description="Image size of the first instant classifier, where a smaller one was tried next.",
    )
    sufficient_seconds: float | None = Field(
        default=None, description="Estimated for all epochs at the full image size; null where they were run."
    )
    least_seconds: float | None = Field(
        default=None, description="Estimated for fine-tuning at the smallest image size; null where it had time."
    )
    least_image_size: int | None = Field(default=None, description="That image size.")
    ended: (
        Literal[
            "fine-tuned",
            "instant classifier",
            "larger instant classifier",
            "no time to fine-tune",
            "no time to fine-tune folds",
        ]
        | None
    ) = None

    @property
    def for_some(self) -> str:
        """Sentence on the time that would allow fine-tuning at all; empty where that is not known."""
        if self.least_seconds is None:
            return ""
        return text("time-for-fine-tuning", duration=duration(self.least_seconds), image_size=self.least_image_size)

    @property
    def is_reduced(self) -> bool:
        """Whether images are smaller than without a budget."""
        return bool(self.image_size and self.full_image_size and self.image_size < self.full_image_size)
