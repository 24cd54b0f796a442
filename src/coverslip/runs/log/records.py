"""Records of a training's progress."""

from dataclasses import dataclass
from typing import Literal

from coverslip.events import CheckpointSelection
from coverslip.messages import Note
from coverslip.runs.training import Epoch

Stage = Literal["reading", "instant", "finetune", "measuring"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedNote(Note):
    """What the training wants known, and when it said so."""

    time: float  # seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """How many images train, validate and test."""

    n_train: int
    n_val: int
    n_test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantScores:
    """What the instant classifier, on frozen features, reached on validation images; scores lie in [0, 1]."""

    seconds: float
    val_accuracy: float | None
    val_macro_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTestScores:
    """What a fold reached on its test images, in [0, 1]."""

    accuracy: float | None
    macro_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A few validation images, the same in every epoch, and what the last epoch's network calls them."""

    image_ids: tuple[str, ...]
    labels: tuple[int, ...]  # numbers of classes, from 0
    classes: tuple[str, ...]
    epoch: int | None  # None before the first one
    predicted: tuple[int, ...]  # empty before it
    n_right: tuple[int, ...]  # of these images, epoch by epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What one training of a run has reached: the run's own, that of a fold, or pretraining on other images."""

    fold: int | None  # 1-based
    is_pretraining: bool
    parts: SplitCounts | None
    instant: InstantScores | None
    n_epochs: int | None  # at most, of its fine-tuning
    epochs: tuple[Epoch, ...]
    checkpoint_selection: CheckpointSelection | None  # the rule that keeps an epoch of fine-tuning
    best_epoch: int | None  # so far, by the primary metric on validation images
    selected_epoch: int | None  # where the best is kept, of those so far; where the last is, None until it is there
    selected_stage: Literal["instant", "finetune"] | None  # whose network is kept; None until that is decided
    has_early_dip: bool  # validation results became worse while the learning rate is high
    watched: Watched | None  # None before fine-tuning, and without validation images
    tested: FoldTestScores | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Work in progress that can be counted."""

    stage: str  # what is being done, for people
    done: int
    total: int
    unit: str
    per_second: float | None
    seconds_left: float | None  # of this work, when it was counted last


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where within an epoch a training is."""

    epoch: int  # 1-based
    step: int  # 1-based
    n_steps: int
    loss: float | None
    images_per_second: float
    epoch_seconds_left: float
    seconds_left: float  # of the whole fine-tuning, if it takes all its epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """How long a stage took, all sessions of work together."""

    stage: Stage
    seconds: float  # up to the last event
    since: float | None  # when that was (since 1970), of the current stage; None: it has ended
