"""Parts of a training's progress: notes, scores, watched images, work, steps and stages."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.events import CheckpointSelection
from coverslip.messages import Note
from coverslip.runs.training import Epoch

Stage = Literal["reading", "instant", "finetune", "measuring"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedNote(Note):
    """A note of the training, and its time."""

    time: float  # seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """Number of training, validation and test images."""

    n_train: int
    n_val: int
    n_test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantScores:
    """Validation scores of the instant classifier, in [0, 1], and the duration of its training."""

    seconds: float
    val_accuracy: float | None
    val_macro_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTestScores:
    """Scores of a fold on its test images, in [0, 1]."""

    accuracy: float | None
    macro_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A few validation images, the same in every epoch, and their predictions by the network of the last epoch."""

    image_ids: tuple[str, ...]
    labels: Annotated[tuple[int, ...], Field(description="Positions of the classes, from 0.")]
    classes: tuple[str, ...]
    epoch: Annotated[int | None, Field(description="null before the first epoch.")]
    predicted: Annotated[tuple[int, ...], Field(description="Positions of the classes; empty before the first epoch.")]
    n_right: Annotated[tuple[int, ...], Field(description="Correctly predicted images in each epoch.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The state of one training of a run: the run's own, that of a fold, or the pretraining."""

    fold: Annotated[int | None, Field(description="From 1; null: no fold.")]
    is_pretraining: bool
    parts: SplitCounts | None
    instant: InstantScores | None
    n_epochs: Annotated[int | None, Field(description="The largest number; null: no fine-tuning.")]
    epochs: tuple[Epoch, ...]
    checkpoint_selection: CheckpointSelection | None  # the rule that selects an epoch of fine-tuning
    best_epoch: Annotated[int | None, Field(description="So far, by the primary metric on validation images.")]
    selected_epoch: int | None  # the best so far, or the last once it has ended, depending on the rule
    selected_stage: Literal["instant", "finetune"] | None  # None before the selection
    has_early_dip: Annotated[bool, Field(description="Validation results became worse at the high learning rate.")]
    watched: Watched | None  # None before fine-tuning, and without validation images
    tested: FoldTestScores | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Countable work in progress."""

    stage: str  # an identifier, as in the events
    title: str  # the name of the stage for users
    done: int
    total: int
    unit: Annotated[str, Field(description="Of `done` and `total`.")]
    per_second: float | None
    seconds_left: float | None  # of this work, at its last event


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The current step of an epoch."""

    epoch: Annotated[int, Field(description="From 1.")]
    step: int  # 1-based
    n_steps: int
    loss: float | None
    images_per_second: float
    epoch_seconds_left: Annotated[float, Field(description="Expected seconds to the end of the epoch.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """The duration of a stage in all sessions of work."""

    stage: Stage
    seconds: Annotated[float, Field(description="Up to the last event.")]
    since: Annotated[float | None, Field(description="Time of its last event, since 1970; null: the stage has ended.")]
