"""`training.json`, `budget.json` and `history.csv`: stages, calibration, time budget and epochs of a training."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from coverslip.errors import BadRecipe, BadRun
from coverslip.evaluation.decisions import OperatingPoint
from coverslip.events import CheckpointSelection, EpochEnded
from coverslip.messages import Message, text
from coverslip.runs.classifier import CalibrationImages
from coverslip.runs.documents import Document, Record, rows_of_table, write_table

StoppedBecause = Literal[
    "all epochs done", "no better epoch", "on request", "finished early", "out of time", "diverged"
]
FittedOn = Literal["training images", "training and validation images"]


class InstantStage(Record):
    """The linear probe on frozen features."""

    stage: Literal["instant"] = "instant"
    seconds: float
    engine: str
    """What ran the network; `cache` if all features were cached."""
    engine_difference: float | None
    """Largest difference from PyTorch in the check of the engine."""
    n_features: int
    head: Literal["kept", "fitted"]
    """`kept`: the head of the earlier run that provides the initial weights."""
    shrinkage: float | None
    """Shrinkage of the fitted linear probe."""
    fitted_on: FittedOn = "training images"
    """Images on which the last layer was fitted."""
    images_copied: int = 0
    """Training images with augmented copies, whose within-image covariance was added."""
    temperature: float
    val_accuracy: float | None
    val_macro_f1: float | None


class RefittedHead(Record):
    """A linear probe on fine-tuned features, whose calibrated logits are averaged with those of the trained head."""

    shrinkage: float
    share: float
    """Weight in the average, in [0, 1]; 0 uses the trained head only."""
    temperature: float
    """Temperature of its logits."""
    trained_temperature: float
    """Temperature of the trained head's logits."""
    fitted_on: FittedOn = "training images"
    """Images on which the probe was fitted."""


class FinetuneStage(Record):
    """Fine-tuning of all layers that are not frozen."""

    stage: Literal["finetune"] = "finetune"
    started_from: str
    seconds: float
    selected_epoch: int
    """1-based; 0 if no epoch was completed."""
    checkpoint_selection: CheckpointSelection = "last"
    """Which epoch is selected: the last, or the best on validation images."""
    epochs_run: int
    """Number of epochs. With a time budget, the last one may be incomplete."""
    epochs_planned: int
    """Number of epochs of the learning rate schedule."""
    n_steps: int = 0
    """Number of optimizer steps."""
    stopped_because: StoppedBecause
    images_per_second: float
    precision: Literal["float32", "bfloat16", "float16"]
    """Number format of the backbone in training steps; weights are stored in float32."""
    refitted: RefittedHead | None = None
    """Linear probe that is averaged with the trained head; null if there is none."""


StageRecord = Annotated[InstantStage | FinetuneStage, Field(discriminator="stage")]


class Calibration(Record):
    """How logits become probabilities and decisions."""

    calibrated_on: CalibrationImages = "validation images"
    """`validation images`: if the last layer was fitted on them too, predicted by layers fitted without them. `held-out
    training images`: predicted by linear probes fitted on all images of other groups. `the folds' images`:
    validation images of the folds, predicted by the networks of the folds."""
    temperature: float = 1.0
    """Logits are divided by it before the softmax."""
    set_floors: tuple[float, ...] | None = None
    """Smallest probability at which each class is in a prediction set."""
    operating_points: tuple[OperatingPoint, ...] | None = None
    """One per class; null: the most probable class is predicted."""
    uncertain_below: float = 0.0
    """Less probable predictions are `uncertain`."""
    uncertain_share: float = 0.0
    """Share of uncertain predictions among the images on which this threshold was selected."""


class RefitOnAll(Record):
    """The last layer that is fitted on training, validation and test images, and delivered beside the tested one."""

    n_images: int
    shrinkage: float
    """Selected on images that are held out in folds, or on validation images if there are many."""
    temperature: float
    """Fitted to logits of images that are held out in folds."""
    seconds: float


class TrainingRecord(Document):
    """`training.json`: the stages and the calibration of one network."""

    stages: tuple[StageRecord, ...]
    chosen: Literal["instant", "finetune"]
    """The stage whose network is selected."""
    calibration: Calibration
    refit_on_all: RefitOnAll | None = None
    """The last layer of the delivered classifier; null: it is that of the tested one."""
    notes: tuple[Message, ...] = ()
    """Notes for the user."""
    initialization_is_known: bool = True
    """Whether all training images of the initial weights are known."""

    @property
    def instant(self) -> InstantStage | None:
        """The instant stage; None without it."""
        return next((stage for stage in self.stages if isinstance(stage, InstantStage)), None)

    @property
    def finetune(self) -> FinetuneStage | None:
        """The fine-tuning; None without it."""
        return next((stage for stage in self.stages if isinstance(stage, FinetuneStage)), None)

    @property
    def selected_epoch(self) -> int:
        """The selected epoch of fine-tuning, 1-based; 0 if the instant classifier is selected."""
        return self.finetune.selected_epoch if self.finetune is not None and self.chosen == "finetune" else 0

    @property
    def seconds(self) -> float:
        """Duration of all stages."""
        return sum(stage.seconds for stage in self.stages)


_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"(?:{_NUMBER} ?h)? ?(?:{_NUMBER} ?m(?:in)?)? ?(?:{_NUMBER} ?s)?")


def budget_seconds(budget: float | str) -> float:
    """Return a time budget in seconds.

    Args:
        budget: seconds, or a text such as `90s`, `10m` or `1h30m`.

    Raises:
        BadRecipe: the budget is not a duration.
    """
    seconds = _seconds(budget.strip().lower()) if isinstance(budget, str) else float(budget)
    if seconds is None or not 0 < seconds < 1e8:
        raise BadRecipe("not-a-duration", budget=str(budget))
    return seconds


def _seconds(budget: str) -> float | None:
    match = _TIME.fullmatch(budget)
    if match is None or not any(match.groups()):
        return None
    return sum(float(number or 0) * unit for number, unit in zip(match.groups(), (3600, 60, 1), strict=True))


class BudgetRecord(Document):
    """`budget.json`: how a run used its time budget. Without a time budget, there is no such file."""

    seconds: float
    """Time limit of the whole run."""
    used_seconds: float = 0.0
    """Time used before the run was resumed."""
    adds_epochs: bool = False
    """Whether the recipe left the number of epochs open."""
    is_finetuned: bool = False
    """Whether the recipe asked for fine-tuning."""
    is_fixed: bool = False
    """Whether the training is chosen, and written to the recipe."""
    reserve_seconds: float = 0.0
    """Time reserved for the work after fine-tuning; for folds without fine-tuning, if time runs out."""
    epochs: int | None = None
    """Planned epochs."""
    epochs_run: float | None = None
    """Completed epochs; null without fine-tuning."""
    preset: Literal["first-look", "good", "best"] | None = None
    """The preset for which there is time; null before the choice."""
    sufficient_seconds: float | None = None
    """Estimated budget for all epochs; null if they were run."""
    ended: Literal["fine-tuned", "instant classifier", "no time to fine-tune"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """A row of `history.csv`: the results of one epoch. Scores are in [0, 1]; None if not measured."""

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
    train_penalty: float | None = None  # mean over the steps; None: the loss has none

    @staticmethod
    def of(event: EpochEnded) -> "Epoch":
        """Return the row of an epoch that has ended. Values that are not finite become None."""
        numbers = {name: getattr(event, name) for name in _HISTORY_COLUMNS if name != "epoch"}
        finite = {name: value if value is not None and isfinite(value) else None for name, value in numbers.items()}
        return Epoch(epoch=event.epoch, **finite)


EARLY_DIP = (
    "Validation results are usually worse while the learning rate is high. They usually recover only when it falls."
)
_HIGH_SHARE = 0.25  # of the largest learning rate
_WORSE_BY = 0.01  # in F1: smaller differences are a few images only


def has_early_dip(epochs: Sequence[Epoch], n_epochs: int) -> bool:
    """Return whether validation results became worse than before fine-tuning while the learning rate was high.

    Args:
        epochs: so far. Without epoch 0, the initial network, the result is False.
        n_epochs: of the whole fine-tuning. In fewer than 3 epochs, the learning rate hardly falls.
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
_HISTORY_COLUMNS = tuple(field.name for field in fields(Epoch))
_PENALTY = "train_penalty"
_SHARE_ENDINGS = ("_accuracy", "_precision", "_recall", "_f1")
_MOST_LOSS = float(np.finfo(np.float32).max)  # of a loss: networks compute in float32
_MOST_EPOCHS = 1_000_000


def write_history(file: Path, epochs: Iterable[Epoch]) -> None:
    """Write `history.csv`, completely or not at all. Without a penalty, it has no column of penalties."""
    rows = [asdict(row) for row in epochs]
    has_penalty = any(row[_PENALTY] is not None for row in rows)
    columns = [name for name in _HISTORY_COLUMNS if has_penalty or name != _PENALTY]
    write_table(file, columns, ({name: "" if row[name] is None else row[name] for name in columns} for row in rows))


def read_history(file: Path) -> tuple[Epoch, ...]:
    """Return the rows of `history.csv`; empty without fine-tuning.

    Raises:
        BadRun: the table is damaged.
    """
    if not file.is_file():
        return ()
    try:
        return tuple(_epoch(row) for row in rows_of_table(file))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun("damaged-training-table", file=file, reason=str(error)) from error


def _epoch(row: dict[str, str]) -> Epoch:
    numbers = {name: _finite_number(name, row[name]) for name in _HISTORY_COLUMNS if name not in ("epoch", _PENALTY)}
    numbers[_PENALTY] = _finite_number(_PENALTY, row.get(_PENALTY, ""))
    epoch = int(row["epoch"])
    if not 0 <= epoch <= _MOST_EPOCHS:
        raise ValueError(text("unknown-epoch-number", epoch=epoch))
    return Epoch(epoch=epoch, **numbers)


def _finite_number(name: str, cell: str) -> float | None:
    """Return the number of a cell; None for an empty cell. Raises ValueError for values that no training writes."""
    if not cell:
        return None
    value = float(cell)
    least, most = (0.0, 1.0) if name.endswith(_SHARE_ENDINGS) else (-_MOST_LOSS, _MOST_LOSS)
    if not least <= value <= most:
        raise ValueError(text("number-out-of-range", name=name, value=cell, low=f"{least:g}", high=f"{most:g}"))
    return value
