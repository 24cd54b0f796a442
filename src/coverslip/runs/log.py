"""The event log of a training, and its progress and remaining time as computed from the events."""

import json
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

from pydantic import Field

from coverslip import events
from coverslip.events import (
    COMPUTING_FEATURES,
    SHOWN_AFTER_SECONDS,
    SHOWN_AFTER_SHARE,
    CheckpointSaved,
    CheckpointSelection,
    ClassifierSelected,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    InstantClassifierFitted,
    Noted,
    Pace,
    Progressed,
    RunEnded,
    RunStarted,
    SetSizes,
    StageStarted,
    StepEnded,
    ValidationImagesChosen,
    WorkPlanned,
    as_json,
    from_json,
)
from coverslip.files import finite_or_none, write_error
from coverslip.messages import Note, localized
from coverslip.runs.documents import FORMAT_VERSION
from coverslip.runs.folder import Run
from coverslip.runs.results import Epoch, has_early_dip, read_history, write_history
from coverslip.runs.status import StatusFile

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


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """The duration of a stage in all sessions of work."""

    stage: Stage
    seconds: Annotated[float, Field(description="Up to the last event.")]
    since: Annotated[float | None, Field(description="Time of its last event, since 1970; null: the stage has ended.")]


# Expected seconds of each stage of a training: the one estimate of budgets, terminals, server and pages.
#
# The seconds follow from the amount of work (`WorkPlanned`) and the pace of this computer (`Pace`). Unknown parts of
# the pace are derived from the measured ones, or replaced by usual values, which only weight the stages until the
# training has measured its own pace.

STAGES: tuple[Stage, ...] = ("reading", "instant", "finetune", "measuring")
_REPRESENTATIVE = 0.2  # of the images
TRAINING_BY_EMBEDDING = 5.0  # duration of a training step on an image, in forward passes
_VALIDATION_BY_TRAINING = 1 / 3
_PATIENCES_OF_GAINS = 2.5
_AROUND_FINETUNING = 3.0  # seconds before its first epoch, and of the fit of the last layer after it
# Duration of other work, in fits of the instant classifier.
_LEARNING_CURVE_BY_FIT, _REFIT_BY_FIT = 1 / 3, 1.0
_USUAL = Pace(reading=0.01, embedding=0.03, fitting=5.0, loading=2.0, closing=8.0)


def stage_seconds(plan: WorkPlanned, pace: Pace, index: int = 0) -> Mapping[Stage, float]:
    """Return the expected seconds of each stage of one training of a run.

    Args:
        plan: of the run.
        pace: of this computer.
        index: of the training: folds from 0, then the training on all images, which has no test.
    """
    sizes, first, is_last = plan.sizes[index], plan.sizes[0], index == plan.n_folds
    embedding = embedding_seconds(pace, plan)
    if index == 0:
        n_embedded = first.n_train + first.n_val + plan.copies
    else:  # the features of all folds are cached
        n_embedded = first.n_test if index == 1 else 0.0
    return {
        "reading": _or_usual(pace, "reading") * first.n_images if index == 0 else 0.0,
        "instant": embedding * n_embedded + fitting_seconds(plan, pace, index) if plan.has_instant else 0.0,
        "finetune": plan.n_epochs * _n_per_epoch(sizes) * training_seconds(pace, plan)
        + (_AROUND_FINETUNING if plan.n_epochs else 0.0),
        "measuring": embedding * (plan.n_reprocessed[index] + sizes.n_test)
        + refit_seconds(plan, pace)
        + _or_usual(pace, "closing" if is_last else "loading"),
    }


def _n_per_epoch(sizes: SetSizes) -> float:
    """Return the number of images whose training steps take as long as an epoch with its validation."""
    return sizes.n_drawn + _VALIDATION_BY_TRAINING * sizes.n_selecting


def _index_of(plan: WorkPlanned, fold: int | None) -> int:
    """Return the position of a training in its plan: of a fold, or else of the last one."""
    return plan.n_folds if fold is None else min(fold - 1, plan.n_folds)


def expected_epochs(n_epochs: int, patience: int, epoch: int = 0, best: int = 0) -> int:
    """Return the expected number of epochs with early stopping.

    The median of eight trainings from random weights improved until 2.5 times the patience, and later ones for half as
    long again. Less is expected with each epoch without a gain.

    Args:
        n_epochs: at most.
        patience: epochs without improvement after which fine-tuning ends.
        epoch: that ended last.
        best: epoch so far.
    """
    likely = max(best / 2, _PATIENCES_OF_GAINS * patience - best) * (1 - min(1.0, (epoch - best) / patience))
    return min(n_epochs, best + round(likely) + patience)


def fitting_seconds(plan: WorkPlanned, pace: Pace, index: int) -> float:
    """Return the seconds of the instant stage after the features."""
    return fits_in_stage(is_last=index == plan.n_folds) * _or_usual(pace, "fitting")


def fits_in_stage(*, is_last: bool) -> float:
    """Return the duration of the instant stage after the features, in fits: the last training has a learning curve."""
    return 1 + is_last * _LEARNING_CURVE_BY_FIT


def refit_seconds(plan: WorkPlanned, pace: Pace) -> float:
    """Return the seconds of the fit of a delivered instant classifier on all images; 0 with fine-tuning."""
    if not plan.refits or plan.n_epochs:
        return 0.0
    return embedding_seconds(pace, plan) * plan.sizes[-1].n_test + _REFIT_BY_FIT * _or_usual(pace, "fitting")


def total_seconds(plan: WorkPlanned, pace: Pace) -> float:
    """Return the expected seconds of all trainings of a run."""
    return sum(sum(stage_seconds(plan, pace, index).values()) for index in range(plan.n_folds + 1))


def _or_usual(pace: Pace, name: str) -> float:
    """Return the measured seconds, else the usual ones."""
    seconds: float | None = getattr(pace, name)
    usual: float = getattr(_USUAL, name)
    return usual if seconds is None else seconds


def embedding_seconds(pace: Pace, plan: WorkPlanned) -> float:
    """Return the seconds of the forward passes of an image, estimated from a training step if not measured."""
    if pace.embedding is None and pace.training is not None:
        return pace.training * plan.tta / TRAINING_BY_EMBEDDING
    return _or_usual(pace, "embedding")


def training_seconds(pace: Pace, plan: WorkPlanned) -> float:
    """Return the seconds per image of a training step, estimated from forward passes if they were not measured."""
    if pace.training is not None:
        return pace.training
    return TRAINING_BY_EMBEDDING * embedding_seconds(pace, plan) / plan.tta


def scaled(pace: Pace, factor: float) -> Pace:
    """Return the pace of steps and forward passes that take `factor` times as long."""

    def times(seconds: float | None) -> float | None:
        return None if seconds is None else factor * seconds

    return replace(pace, embedding=times(pace.embedding), training=times(pace.training))


def measured_pace(pace: Pace, plan: WorkPlanned, event: Event) -> Pace:
    """Return the pace, updated by an event of a training."""
    match event:
        case Progressed(stage=events.COMPUTING_FEATURES, per_second=per_second) if per_second:
            # The first images are hardly representative.
            weight = 1.0 if pace.embedding is None else min(1.0, event.done / max(_REPRESENTATIVE * event.total, 1))
            return replace(pace, embedding=(1 - weight) * (pace.embedding or 0.0) + weight / per_second)
        case StepEnded() if event.images_per_second > 0 and not pace.n_epochs:
            # The first steps are hardly representative.
            done = event.step / max(event.n_steps, 1)
            step = 1 / event.images_per_second
            return replace(pace, training=(1 - done) * training_seconds(pace, plan) + done * step)
        case EpochEnded() if event.epoch:
            epoch = event.seconds / max(_n_per_epoch(plan.sizes[_index_of(plan, event.fold)]), 1)
            if pace.n_epochs and event.epoch == event.n_epochs:  # a time budget may cut the last epoch short
                return pace
            n_epochs = pace.n_epochs + 1
            mean = epoch if pace.training is None or n_epochs == 1 else (pace.training + epoch) / 2
            return replace(pace, training=mean, n_epochs=n_epochs)
        case _:
            return pace


def completed(pace: Pace, other: Pace) -> Pace:
    """Return the pace with the values of another one where it has none."""
    return replace(pace, **{name: value for name, value in asdict(other).items() if getattr(pace, name) is None})


# Progress and remaining time of a training, computed from its events for terminals, server and pages.
#
# The time includes the whole training: the instant classifier, all epochs with their validation, folds, the classifier
# trained on all images after the folds, test images and report. Measured times replace expected times.

_SHARE_TO_CORRECT = 0.1  # of the remaining time: a new estimate gradually replaces the previous one over this time
_MIN_SECONDS_TO_CORRECT = 3.0
_MOST_BEFORE_END = 0.99
_MOST_SLOWNESS = 3.0


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """The seconds left at a time (since 1970)."""

    seconds: float
    at: float

    def by(self, now: float) -> float:
        """Return the seconds left at `now`, since time passes between events too."""
        return max(0.0, self.seconds - max(0.0, now - self.at))

    def corrected(self, seconds: float, now: float) -> "TimeLeft":
        """Return a time closer to a new estimate by a weight that grows with time: the displayed time does not jump."""
        before = self.by(now)
        slowness = max(_MIN_SECONDS_TO_CORRECT, _SHARE_TO_CORRECT * min(seconds, before))
        weight = 1 - math.exp(-max(0.0, now - self.at) / slowness)
        return TimeLeft(before + weight * (seconds - before), now)


# The stage of each kind of work; other work belongs to the current stage.
_STAGE_OF_WORK: dict[str, Stage] = {
    "reading-images": "reading",
    "preprocessing-images": "reading",
    "predicting": "measuring",
}


_UNKNOWN = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedProgress:
    """The progress of a run, as computed from its events by `fold_event`."""

    has_pretraining: bool = False  # a training on other images comes before the run's own
    has_begun: bool = False
    trainings: tuple[Training, ...] = ()  # in the order of their start
    notes: tuple[TimedNote, ...] = ()
    n_folds: int = 0  # 0 without folds, or before their number is known
    n_folds_done: int = 0
    fold: int | None = None  # in training, 1-based
    is_pretraining: bool = False  # on other images, before the run's own training
    stage: Stage | None = None
    epoch: int | None = None  # last completed epoch of the current training
    n_epochs: int | None = None
    work: Work | None = None
    step: Step | None = None
    training_share: float = 0.0  # of the current training; never falls
    share: float = 0.0  # of the whole run; never falls
    plan: WorkPlanned | None = None  # of the run's own training
    plan_of_pretraining: WorkPlanned | None = None
    pace: Pace = _UNKNOWN
    n_embedded: int = 0  # images and copies whose features were computed in the current training
    left: TimeLeft | None = None  # of the whole run
    stages: tuple[StageTime, ...] = ()  # of the current training
    at: float | None = None  # time of the last event; None if no training is running
    worked: float = 0.0  # seconds of all sessions of work, without those of writing the report

    @property
    def may_take_longer(self) -> bool:
        """Whether fine-tuning takes longer than estimated if validation results improve further."""
        plan = self.plan_of_pretraining if self.is_pretraining else self.plan
        is_open = plan is not None and plan.patience is not None and self.stage != "measuring"
        return is_open and (self.n_epochs is None or plan is None or plan.n_epochs < self.n_epochs)


def fold_event(progress: LoggedProgress, event: Event, at: float) -> LoggedProgress:
    """Return the progress after one more event at the time `at` (seconds since 1970)."""
    progress = _timed(replace(progress, has_begun=True), event, at)
    match event:
        case Noted():
            return _noted(progress, event, at)
        case FoldStarted(is_pretraining=False):
            after = _with_training(replace(_new_training(progress, event), n_folds=event.n_folds), event)
        case FoldEnded(is_pretraining=False):
            after = _after_fold(progress, event)
        case RunEnded(is_pretraining=False, fold=None):
            share = 1.0 if event.state == "done" else progress.share
            pace = progress.pace if progress.plan is None else _measured(progress, progress.plan, event)
            ended = replace(progress, share=share, pace=pace, work=None, step=None)
            after = replace(ended, left=None, at=None, stages=_all_ended(progress.stages))
        case WorkPlanned(is_pretraining=True):
            after = replace(_new_training(progress, event), plan_of_pretraining=event, pace=event.pace, left=None)
        case WorkPlanned():
            after = replace(progress, plan=event, pace=event.pace, left=None)
        case _:
            is_another = event.is_pretraining != progress.is_pretraining
            after = _within_training(_new_training(progress, event) if is_another else progress, event, at)
    return after if isinstance(event, RunEnded) and event.fold is None else _estimated(_entered(after, at), event, at)


def _timed(progress: LoggedProgress, event: Event, at: float) -> LoggedProgress:
    """Return the progress with the passed time added to the current stage and to the total."""
    if progress.at is None or _is_resumed(progress, event):
        return replace(progress, stages=_all_ended(progress.stages), at=at)
    # The report states the time, and is written before this is known: its own time does not count.
    if progress.work is None or progress.work.stage != "writing-report":
        progress = replace(progress, worked=progress.worked + max(0.0, at - progress.at))
    stages = tuple(
        stage if stage.since is None else replace(stage, seconds=stage.seconds + max(0.0, at - stage.since), since=at)
        for stage in progress.stages
    )
    return replace(progress, stages=stages, at=at)


def _is_resumed(progress: LoggedProgress, event: Event) -> bool:
    """Return whether another process resumed the training: every training reads its images first."""
    is_reading = isinstance(event, Progressed) and event.stage == "reading-images" and not event.is_pretraining
    return is_reading and (progress.is_pretraining or progress.stage in ("instant", "finetune", "measuring"))


def _all_ended(stages: tuple[StageTime, ...]) -> tuple[StageTime, ...]:
    return tuple(replace(stage, since=None) for stage in stages)


def _entered(progress: LoggedProgress, at: float) -> LoggedProgress:
    """Return the progress with the current stage in its list of stages, which contains each stage once."""
    current = next((stage for stage in progress.stages if stage.since is not None), None)
    if progress.stage is None or (current is not None and current.stage == progress.stage):
        return progress
    before = next((stage for stage in progress.stages if stage.stage == progress.stage), None)
    others = _all_ended(tuple(stage for stage in progress.stages if stage is not before))
    begun = StageTime(stage=progress.stage, seconds=before.seconds if before else 0.0, since=at)
    stages = sorted((*others, begun), key=lambda each: STAGES.index(each.stage))
    return replace(progress, stages=tuple(stages))


def _estimated(progress: LoggedProgress, event: Event, at: float) -> LoggedProgress:
    """Return the progress with its shares and the remaining time of the whole run.

    Shares are those of the time that was expected before the start, so that they do not fall when the pace changes.
    The remaining time follows the measured pace.
    """
    plan = progress.plan_of_pretraining if progress.is_pretraining else progress.plan
    if plan is None:
        return progress
    before, pace = progress.pace, _measured(progress, plan, event)
    progress = replace(progress, pace=pace)
    planned, expected = _seconds_of_stages(progress, None), _seconds_of_stages(progress, pace)
    index, stage = _index(progress), progress.stage or "reading"
    index = min(index, len(expected) - 1)
    elapsed = next((each.seconds for each in progress.stages if each.since is not None), 0.0)
    fitting = fitting_seconds(plan, pace, plan.n_folds if progress.fold is None else 0)
    stage_left = _left_of_stage(progress, event, expected[index][stage], fitting, elapsed)
    stage_share = elapsed / max(elapsed + stage_left, 1e-9)
    later = STAGES[STAGES.index(stage) + 1 :]
    seconds = stage_left + sum(expected[index][each] for each in later)
    seconds += sum(sum(each.values()) for each in expected[index + 1 :])
    left_of_training = (1 - stage_share) * planned[index][stage] + sum(planned[index][each] for each in later)
    totals = [sum(each.values()) for each in planned]
    training_share = 1 - left_of_training / max(totals[index], 1e-9)
    share = 1 - (left_of_training + sum(totals[index + 1 :])) / max(sum(totals), 1e-9)
    # The first measurement replaces a guess. If fine-tuning ends early, the rest of the expected work is skipped.
    left = None
    if pace.embedding is not None or pace.training is not None:
        is_first = before.embedding is None and before.training is None
        is_new = progress.left is None or is_first or isinstance(event, ClassifierSelected)
        left = TimeLeft(seconds, at) if progress.left is None or is_new else progress.left.corrected(seconds, at)
    return replace(
        progress,
        left=left,
        training_share=max(progress.training_share, min(training_share, 1.0)),
        share=max(progress.share, min(share, _MOST_BEFORE_END)),
    )


def _measured(progress: LoggedProgress, plan: WorkPlanned, event: Event) -> Pace:
    """Return the pace of the training after an event."""
    pace = measured_pace(progress.pace, plan, event)
    if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES and not (event.fold or 1) > 1:
        pace = _with_speed(pace, plan.pace)
    elapsed = sum(each.seconds for each in progress.stages if each.since is not None)
    if isinstance(event, InstantClassifierFitted):
        seconds = max(0.5, elapsed - progress.n_embedded * (pace.embedding or 0.0))
        return replace(pace, fitting=seconds / fits_in_stage(is_last=event.fold is None))
    if isinstance(event, RunEnded) and progress.stage == "measuring":
        index = _index_of(plan, event.fold)
        n_predicted = plan.sizes[index].n_test + (plan.n_reprocessed[index] if progress.epoch else 0)
        is_refitted = any(each.code == "delivered-classifier" for each in progress.notes)
        of_refit = refit_seconds(plan, pace) if is_refitted else 0.0
        seconds = max(0.5, elapsed - n_predicted * (pace.embedding or 0.0) - of_refit)
        return replace(pace, loading=seconds) if event.fold else replace(pace, closing=seconds)
    return pace


def _with_speed(pace: Pace, planned: Pace) -> Pace:
    """Return the pace with the other times in proportion to the measured forward passes, before they are measured."""
    if pace.embedding is None or not planned.embedding:
        return pace
    slowness = min(_MOST_SLOWNESS, max(1 / _MOST_SLOWNESS, pace.embedding / planned.embedding))

    def times(seconds: float | None) -> float | None:
        return None if seconds is None else slowness * seconds

    return replace(pace, fitting=times(planned.fitting), loading=times(planned.loading), closing=times(planned.closing))


def _seconds_of_stages(progress: LoggedProgress, pace: Pace | None) -> list[Mapping[Stage, float]]:
    """Return the seconds of each stage of all trainings, by a pace or, if it is None, as expected before the start."""
    plans = [plan for plan in (progress.plan_of_pretraining, progress.plan) if plan is not None]
    current = progress.plan_of_pretraining if progress.is_pretraining else progress.plan
    paces = [plan.pace if pace is None else pace if plan is current else completed(plan.pace, pace) for plan in plans]
    return [
        stage_seconds(plan, each, i) for plan, each in zip(plans, paces, strict=True) for i in range(plan.n_folds + 1)
    ]


def _index(progress: LoggedProgress) -> int:
    """Return the number of trainings before the current one."""
    if progress.is_pretraining:
        return 0
    before = progress.plan_of_pretraining
    n_before = 0 if before is None else before.n_folds + 1
    return n_before + (progress.n_folds_done if progress.fold is None else progress.fold - 1)


def _left_of_stage(progress: LoggedProgress, event: Event, expected: float, fitting: float, elapsed: float) -> float:
    """Return the remaining seconds of the current stage, which is expected to take `expected` seconds in all.

    `fitting` is the part of the instant stage after the features.
    """
    work, plan = progress.work, progress.plan_of_pretraining if progress.is_pretraining else progress.plan
    if progress.stage == "finetune" and plan is not None:
        in_epoch = event.step / max(event.n_steps, 1) if isinstance(event, StepEnded) else 0.0
        return expected * (1 - min(1.0, ((progress.epoch or 0) + in_epoch) / max(plan.n_epochs, 1)))
    work_left = None if work is None else _left_of_work(work)
    if work is not None and work_left is not None and work.stage == "writing-report":  # the last work
        return work_left
    if progress.stage == "instant" and work is not None and work.stage == COMPUTING_FEATURES:
        return fitting + (max(0.0, expected - fitting - elapsed) if work_left is None else work_left)
    if progress.stage == "instant":
        return max(0.0, fitting - max(0.0, elapsed - progress.n_embedded * (progress.pace.embedding or 0.0)))
    return work_left if work_left and progress.stage != "measuring" else max(work_left or 0.0, expected - elapsed)


def _left_of_work(work: Work) -> float | None:
    """Return the remaining seconds of counted work by its pace; None if that is not known."""
    if work.seconds_left is not None:
        left = work.seconds_left
    elif work.done and work.per_second:
        left = (work.total - work.done) / work.per_second
    else:
        return None
    is_repeated = work.stage == "reading-images" and work.per_second  # images are read again for preprocessing
    return left + (work.total / work.per_second if is_repeated and work.per_second else 0.0)


def _noted(progress: LoggedProgress, event: Noted, at: float) -> LoggedProgress:
    """Keep the note. The final classifier is a training."""
    if event.code == "refit":
        parts = SplitCounts(n_train=event.parameters["n_images"], n_val=0, n_test=0)
        progress = _with_training(progress, event, parts=parts)
    return replace(progress, notes=(*progress.notes, _timed_note(event, at)))


def _timed_note(event: Noted, at: float) -> TimedNote:
    return TimedNote(
        time=at,
        code=event.code,
        text=event.text,
        level=event.level,
        parameters=event.parameters,
        remedies=event.remedies,
    )


def seconds_left(progress: LoggedProgress, now: float) -> float | None:
    """Return the remaining seconds of the whole run at `now` (since 1970); None if they are not known yet."""
    is_early = progress.worked < SHOWN_AFTER_SECONDS and progress.share < SHOWN_AFTER_SHARE
    return None if progress.left is None or is_early else round(progress.left.by(now), 1)


def _new_training(progress: LoggedProgress, event: Event) -> LoggedProgress:
    """Return the progress at the beginning of another training."""
    missing: dict[str, Any] = dict.fromkeys(("stage", "epoch", "n_epochs", "work", "step"))  # Any: all None
    if progress.is_pretraining and not event.is_pretraining and progress.plan is not None:
        pace = completed(progress.plan.pace, progress.pace)  # its own steps are measured again
        progress = replace(progress, pace=replace(pace, n_epochs=0))
    return replace(
        progress,
        fold=event.fold,
        is_pretraining=event.is_pretraining,
        has_pretraining=progress.has_pretraining or event.is_pretraining,
        training_share=0.0,
        n_embedded=0,
        stages=(),
        **missing,
    )


def _after_fold(progress: LoggedProgress, event: FoldEnded) -> LoggedProgress:
    tested = FoldTestScores(accuracy=event.accuracy, macro_f1=event.macro_f1)
    after = replace(_with_training(progress, event, tested=tested), n_folds=event.n_folds)
    n_done = max(progress.n_folds_done, event.fold or 0)
    return replace(_new_training(after, event), fold=None, n_folds_done=n_done)


def _within_training(progress: LoggedProgress, event: Event, at: float) -> LoggedProgress:
    match event:
        case Progressed():
            return _counted(progress, event)
        case RunStarted():
            parts = SplitCounts(n_train=event.n_train, n_val=event.n_val, n_test=event.n_test)
            return _with_training(progress, event, parts=parts)
        case StageStarted():
            stage: Stage = "finetune" if event.stage == "finetune" else "instant"
            n_epochs = event.n_epochs or progress.n_epochs
            entered = replace(progress, stage=stage, n_epochs=n_epochs, work=None, step=None)
            changes: dict[str, Any] = {"n_epochs": n_epochs}  # Any: of each field its own
            if event.checkpoint_selection is not None:
                changes["checkpoint_selection"] = event.checkpoint_selection
            return _with_epochs(_with_training(entered, event, **changes), event)
        case ClassifierSelected():
            selected: dict[str, Any] = {
                "selected_stage": event.stage,
                "selected_epoch": event.epoch,
            }  # Any: as in `changes`
            if event.checkpoint_selection is not None:
                selected["checkpoint_selection"] = event.checkpoint_selection
            entered = replace(progress, stage="measuring", work=None, step=None)
            if event.stage == "instant" and event.fold is None:  # other folds may still select fine-tuning
                entered = _with_plan(entered, event, 0)
            return _with_training(entered, event, **selected)
        case InstantClassifierFitted():
            scores = InstantScores(
                seconds=event.seconds, val_accuracy=event.val_accuracy, val_macro_f1=event.val_macro_f1
            )
            return _with_training(replace(progress, work=None), event, instant=scores)
        case ValidationImagesChosen():
            return _with_training(progress, event, watched=_watched_images(_training_of(progress, event), event))
        case StepEnded():
            return _stepped(progress, event)
        case EpochEnded():
            return _after_epoch(progress, event)
        case _:
            return progress


def _counted(progress: LoggedProgress, event: Progressed) -> LoggedProgress:
    # A resumed training reads its images first, whatever its stage was before.
    stage = _STAGE_OF_WORK.get(event.stage, progress.stage)
    work = Work(
        stage=event.stage,
        title=event.title,
        done=event.done,
        total=event.total,
        unit=event.unit_name,
        per_second=event.per_second,
        seconds_left=event.seconds_left,
    )
    n_embedded = event.done if event.stage == COMPUTING_FEATURES else progress.n_embedded
    return replace(progress, stage=stage or "reading", work=work, step=None, n_embedded=n_embedded)


def _stepped(progress: LoggedProgress, event: StepEnded) -> LoggedProgress:
    step = Step(
        epoch=event.epoch,
        step=event.step,
        n_steps=event.n_steps,
        loss=_finite(event.loss),
        images_per_second=event.images_per_second,
    )
    after = replace(progress, stage="finetune", n_epochs=event.n_epochs, work=None, step=step)
    return _with_epochs(_with_training(after, event), event)


def _after_epoch(progress: LoggedProgress, event: EpochEnded) -> LoggedProgress:
    training = _training_of(progress, event)
    # An epoch that is repeated after a crash replaces the lost one and all epochs after it.
    before = tuple(epoch for epoch in training.epochs if epoch.epoch < event.epoch)
    best = training.best_epoch if any(epoch.epoch == training.best_epoch for epoch in before) else None
    best = event.epoch if event.is_best else best
    selected = None if training.checkpoint_selection == "last" else best
    after = replace(progress, stage="finetune", epoch=event.epoch, n_epochs=event.n_epochs)
    watched = _with_predictions(training.watched, event, n_before=len(before))
    epochs = (*before, _epoch(event))
    after = _with_training(
        after,
        event,
        epochs=epochs,
        n_epochs=event.n_epochs,
        best_epoch=best,
        selected_epoch=selected,
        has_early_dip=training.checkpoint_selection == "last" and has_early_dip(epochs, event.n_epochs),
        watched=watched,
    )
    return _with_epochs(after, event)


def _with_epochs(progress: LoggedProgress, event: Event) -> LoggedProgress:
    """Return the progress with the expected number of epochs: a time budget or early stopping can change it."""
    plan = progress.plan_of_pretraining if event.is_pretraining else progress.plan
    if plan is None or not progress.n_epochs:
        return progress
    n_epochs = progress.n_epochs
    if plan.patience is not None and plan.sizes[_index_of(plan, event.fold)].n_selecting:
        best = _training_of(progress, event).best_epoch or 0
        n_epochs = expected_epochs(n_epochs, plan.patience, progress.epoch or 0, best)
    return _with_plan(progress, event, n_epochs)


def _with_plan(progress: LoggedProgress, event: Event, n_epochs: int) -> LoggedProgress:
    """Return the progress with another number of epochs in the plan of the event's training."""
    if event.is_pretraining:
        plan = progress.plan_of_pretraining
        return replace(progress, plan_of_pretraining=None if plan is None else replace(plan, n_epochs=n_epochs))
    return replace(progress, plan=None if progress.plan is None else replace(progress.plan, n_epochs=n_epochs))


def _watched_images(training: Training, event: ValidationImagesChosen) -> Watched:
    """Return the watched images. A resumed training emits them again, and their results are kept."""
    before = training.watched
    if before is not None and before.image_ids == event.image_ids:
        return before
    return Watched(
        image_ids=event.image_ids,
        labels=event.labels,
        classes=event.classes,
        epoch=None,
        predicted=(),
        n_right=(),
    )


def _with_predictions(watched: Watched | None, event: EpochEnded, n_before: int) -> Watched | None:
    if watched is None or len(event.chosen_predicted) != len(watched.labels):
        return watched
    n_right = sum(a == b for a, b in zip(event.chosen_predicted, watched.labels, strict=True))
    n_right_by_epoch = (*watched.n_right[:n_before], n_right)
    return replace(watched, epoch=event.epoch, predicted=event.chosen_predicted, n_right=n_right_by_epoch)


def _epoch(event: EpochEnded) -> Epoch:
    values: dict[str, Any] = asdict(Epoch.of(event))  # Any: numbers
    for name, value in values.items():
        values[name] = _finite(value) if isinstance(value, float) else value
    return Epoch(**values)


def _finite(value: float | None) -> float | None:
    """Return None for a value that is NaN or infinite, as in the log."""
    return value if value is not None and math.isfinite(value) else None


def _training_of(progress: LoggedProgress, event: Event) -> Training:
    for training in progress.trainings:
        if (training.fold, training.is_pretraining) == (event.fold, event.is_pretraining):
            return training
    empty = (
        "parts",
        "instant",
        "n_epochs",
        "checkpoint_selection",
        "best_epoch",
        "selected_epoch",
        "selected_stage",
        "watched",
        "tested",
    )
    missing: dict[str, Any] = dict.fromkeys(empty)  # Any: all None
    return Training(fold=event.fold, is_pretraining=event.is_pretraining, epochs=(), has_early_dip=False, **missing)


def _with_training(
    progress: LoggedProgress, event: Event, **changes: Any
) -> LoggedProgress:  # Any: each field its own type
    """Return the progress with a change of the event's training, which is added if it is new."""
    before = _training_of(progress, event)
    is_listed = before in progress.trainings
    if is_listed and not changes:
        return progress
    after = replace(before, **changes)
    others = progress.trainings if is_listed else (*progress.trainings, before)
    return replace(progress, trainings=tuple(after if training is before else training for training in others))


# `events.jsonl` and `history.csv`: write and read the events of a training as they happen.

_PASSING = frozenset(
    kind.__name__ for kind in (Progressed, StepEnded, CheckpointSaved, ValidationImagesChosen, WorkPlanned)
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """An event in the log, as data."""

    n: Annotated[int, Field(description="1-based number of the line in the log.")]
    time: Annotated[float, Field(description="Seconds since 1970.")]
    event: str  # name of the event class
    values: dict[str, Any]  # Any: JSON values
    text: str = ""  # for users, in their language; empty for mere progress

    @property
    def is_lasting(self) -> bool:
        """Whether the line is more than progress, so that it is of interest later."""
        return self.event not in _PASSING


def _localized(line: LogLine) -> LogLine:
    """Return a line with its text in the current language, which a note has also among its values."""
    values = line.values
    if line.event == "Noted":  # logs of other programs may lack the code
        note_text = localized(str(values["text"]), str(values.get("code", "")), values.get("parameters", {}))
        return replace(line, values={**values, "text": note_text}, text=note_text)
    if not line.is_lasting:
        return line
    event = from_json({"event": line.event, **values})
    return replace(line, text=line.event if event is None else str(event))


def lasting_lines(file: Path) -> list[LogLine]:
    """Return the lines of a log, without mere progress."""
    return [line for line in LogReader(file).new_lines() if line.is_lasting]


class LogReader:
    """Reads one `events.jsonl` as it grows. An incomplete last line is read once it is complete.

    Notes are in the current language.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._offset = file, 0

    def was_replaced(self) -> bool:
        """Return whether a shorter file replaced the log. It is then read from its beginning."""
        try:
            is_shorter = self._file.stat().st_size < self._offset
        except OSError:
            return False
        if is_shorter:
            self._offset = 0
        return is_shorter

    def new_lines(self) -> list[LogLine]:
        """Return the lines written since the last call."""
        try:
            with self._file.open("rb") as opened:
                opened.seek(self._offset)
                data = opened.read()
        except OSError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [line for raw in complete.splitlines() if (line := _line(raw)) is not None]


def _line(raw: bytes) -> LogLine | None:
    """Parse a line. Return None for the line with the format version and for an incomplete or foreign line."""
    try:
        values = json.loads(raw)
        n, time, event = (values.pop(name) for name in ("n", "time", "event"))
        return _localized(LogLine(int(n), float(time), str(event), values))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


class FoldedLog:
    """The progress of a training, updated from its log. Notes and names of stages are in the language of its reader."""

    def __init__(self, file: Path, before: LoggedProgress) -> None:
        self._reader, self._before, self._lock = LogReader(file), before, threading.Lock()
        self.progress, self.last_event = before, 0

    def refresh(self) -> LoggedProgress:
        """Read new lines of the log, and return the current progress."""
        with self._lock:
            if self._reader.was_replaced():
                self.progress, self.last_event = self._before, 0
            for line in self._reader.new_lines():
                self.last_event = line.n
                event = from_json({**line.values, "event": line.event})
                if event is not None:
                    self.progress = fold_event(self.progress, event, line.time)
            return self.progress


_SECONDS_BETWEEN_STEPS = 1.0


class RunLog:
    """A listener that writes events to `events.jsonl` (steps at most once per second), and epochs to `history.csv`.

    The first line of the log is its format version. Every event has a sequence number. Readers skip a line that a crash
    has cut off.
    """

    def __init__(self, run: Run, status: StatusFile) -> None:
        self._run, self._status = run, status
        self._last_step = 0.0
        self._epochs = {row.epoch: row for row in read_history(run.history_file)}  # not empty if the run is resumed
        file = run.events_file
        before = file.read_bytes() if file.exists() else b""
        self._number = before.count(b'{"n": ')
        self._file = file.open("a", encoding="utf-8", errors="backslashreplace")  # as `write_text` does
        if not before:
            self._write({"format_version": FORMAT_VERSION})
        elif not before.endswith(b"\n"):
            self._file.write("\n")  # ends a line that a crash has cut off

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as closing:  # the disk is full; an earlier error is more informative
            if error is None:
                raise write_error(self._run.events_file, closing) from closing

    def __call__(self, event: Event) -> None:
        match event:
            case StepEnded() | Progressed():
                self._status.beat()
                is_last = isinstance(event, Progressed) and event.done >= event.total
                if time.monotonic() - self._last_step < _SECONDS_BETWEEN_STEPS and not is_last:
                    return
                self._last_step = time.monotonic()
            case EpochEnded(fold=None, is_pretraining=False):  # folds and pretraining have their own history
                # An epoch that is repeated after a crash replaces the lost one.
                self._epochs[event.epoch] = Epoch.of(event)
                write_history(self._run.history_file, self._epochs.values())
                self._status.beat(epoch=event.epoch, n_epochs=event.n_epochs)
            case _:
                pass
        self._number += 1
        values = {key: finite_or_none(v) if isinstance(v, float) else v for key, v in as_json(event).items()}
        self._write({"n": self._number, "time": round(time.time(), 3), **values})

    def _write(self, line: dict[str, object]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise write_error(self._run.events_file, error) from error
