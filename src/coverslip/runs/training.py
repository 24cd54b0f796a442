"""`history.csv`, `training.json` and `budget.json`: how a network was trained, and what validation images chose."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from coverslip.errors import BadRecipe, BadRun
from coverslip.evaluation import OperatingPoint
from coverslip.events import CheckpointSelection, EpochEnded
from coverslip.messages import duration, text
from coverslip.runs.classifier import CalibrationImages
from coverslip.runs.documents import Document, read_table, write_table

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """How one pass over the training images ended; shares lie in [0, 1], and None stands where nothing was measured."""

    epoch: int
    seconds: float | None
    learning_rate: float | None
    train_loss: float | None
    train_accuracy: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_precision: float | None
    val_recall: float | None
    val_f1: float | None
    train_precision: float | None
    train_recall: float | None
    train_f1: float | None

    @staticmethod
    def of(event: EpochEnded) -> "Epoch":
        """The row of an epoch that has just ended; a mean over steps of which one overflowed is none."""
        numbers = {name: getattr(event, name) for name in _COLUMNS if name != "epoch"}
        finite = {name: value if value is not None and isfinite(value) else None for name, value in numbers.items()}
        return Epoch(epoch=event.epoch, **finite)


EARLY_DIP = (
    "Validation results are usually worse while the learning rate is high. They usually recover only when it falls."
)
_HIGH_SHARE = 0.25  # of the largest learning rate
_WORSE_BY = 0.01  # F1 or accuracy: a difference of a few images is not a dip


def has_early_dip(epochs: Sequence[Epoch], n_epochs: int) -> bool:
    """Whether validation results became worse than before fine-tuning while the learning rate was high.

    Args:
        epochs: so far; without epoch 0 there is nothing to compare with.
        n_epochs: of the whole fine-tuning: a learning rate that does not fall in the second half explains nothing.
    """
    if not epochs or epochs[0].epoch != 0 or n_epochs < _FEWEST_EPOCHS:
        return False
    highest = max(epoch.learning_rate or 0.0 for epoch in epochs)
    before = epochs[0].val_f1
    return before is not None and any(
        epoch.val_f1 is not None
        and epoch.val_f1 < before - _WORSE_BY
        and (epoch.learning_rate or 0.0) >= _HIGH_SHARE * highest
        for epoch in epochs[1:]
    )


_FEWEST_EPOCHS = 3
_COLUMNS = tuple(field.name for field in fields(Epoch))
_SHARES = ("_accuracy", "_precision", "_recall", "_f1")
_MOST = float(np.finfo(np.float32).max)  # a loss is a mean of what networks give
_MOST_EPOCHS = 1_000_000


def write_history(file: Path, epochs: Iterable[Epoch]) -> None:
    """Write the table, whole or not at all."""
    write_table(file, _COLUMNS, ({k: "" if v is None else v for k, v in asdict(row).items()} for row in epochs))


def read_history(file: Path) -> tuple[Epoch, ...]:
    """The rows of the table; none where there was no fine-tuning.

    Raises:
        BadRun: it is damaged.
    """
    if not file.is_file():
        return ()
    try:
        return tuple(_epoch(row) for row in read_table(file))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun("damaged-training-table", file=file, reason=str(error)) from error


def _epoch(row: dict[str, str]) -> Epoch:
    numbers = {name: _number(name, row[name]) for name in _COLUMNS if name != "epoch"}
    epoch = int(row["epoch"])
    if not 0 <= epoch <= _MOST_EPOCHS:
        raise ValueError(text("unknown-epoch-number", epoch=epoch))
    return Epoch(epoch=epoch, **numbers)


def _number(name: str, cell: str) -> float | None:
    """What no training writes could not be drawn either: NaN, a share of 2, a loss of 1e308."""
    if not cell:
        return None
    value = float(cell)
    least, most = (0.0, 1.0) if name.endswith(_SHARES) else (-_MOST, _MOST)
    if not least <= value <= most:
        raise ValueError(text("number-out-of-range", name=name, value=cell, low=f"{least:g}", high=f"{most:g}"))
    return value
