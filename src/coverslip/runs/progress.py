"""Progress and remaining time of a training, computed from its events for terminals, server and pages.

The time includes the whole training: the instant classifier, all epochs with their validation, folds, the classifier
trained on all images after the folds, test images and report. Measured times replace expected times.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from coverslip.documented_fields import DocumentedFields
from coverslip.events import (
    COMPUTING_FEATURES,
    SHOWN_AFTER_SECONDS,
    SHOWN_AFTER_SHARE,
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
    StageStarted,
    StepEnded,
    ValidationImagesChosen,
    WorkPlanned,
)
from coverslip.messages import Note
from coverslip.runs.timing import (
    STAGES,
    Stage,
    expected_epochs,
    fits_in_stage,
    fitting_seconds,
    index_of,
    measured_pace,
    stage_seconds,
)
from coverslip.runs.training import Epoch, has_early_dip


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
class Watched(DocumentedFields):
    """A few validation images, the same in every epoch, and their predictions by the network of the last epoch."""

    image_ids: tuple[str, ...]
    labels: tuple[int, ...]
    """Positions of the classes, from 0."""
    classes: tuple[str, ...]
    epoch: int | None
    """null before the first epoch."""
    predicted: tuple[int, ...]
    """Positions of the classes; empty before the first epoch."""
    n_right: tuple[int, ...]
    """Correctly predicted images in each epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(DocumentedFields):
    """The state of one training of a run: the run's own, that of a fold, or the pretraining."""

    fold: int | None
    """From 1; null: no fold."""
    is_pretraining: bool
    parts: SplitCounts | None
    instant: InstantScores | None
    n_epochs: int | None
    """The largest number; null: no fine-tuning."""
    epochs: tuple[Epoch, ...]
    checkpoint_selection: CheckpointSelection | None  # the rule that selects an epoch of fine-tuning
    best_epoch: int | None
    """So far, by the primary metric on validation images."""
    selected_epoch: int | None  # the best so far, or the last once it has ended, depending on the rule
    selected_stage: Literal["instant", "finetune"] | None  # None before the selection
    has_early_dip: bool
    """Validation results became worse at the high learning rate."""
    watched: Watched | None  # None before fine-tuning, and without validation images
    tested: FoldTestScores | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(DocumentedFields):
    """Countable work in progress."""

    stage: str = ""
    """An identifier of the stage, as in the events; empty if unknown."""
    title: str = ""
    """The name of the stage for users; empty if unknown."""
    done: int
    total: int
    """Of the same unit as `done`; 0 if unknown."""
    unit: str = ""
    """Of `done` and `total`; empty if unknown."""
    per_second: float | None = None
    seconds_left: float | None = None
    """null if unknown, or if the estimate is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(DocumentedFields):
    """The current step of an epoch."""

    epoch: int
    """From 1."""
    step: int  # 1-based
    n_steps: int
    loss: float | None
    images_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime(DocumentedFields):
    """The duration of a stage in all sessions of work."""

    stage: Stage
    seconds: float
    """Up to the last event."""
    since: float | None
    """Time of its last event, since 1970; null: the stage has ended."""


_SHARE_TO_CORRECT = 0.1  # of the remaining time: a new estimate gradually replaces the previous one over this time
_MIN_SECONDS_TO_CORRECT = 3.0
_MOST_BEFORE_END = 0.99
_MIN_SECONDS_LEFT = 1.0
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


_USUAL = Pace()


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
    work_left: TimeLeft | None = None  # of `work`; None if unknown
    step: Step | None = None
    training_share: float = 0.0  # of the current training; never falls
    share: float = 0.0  # of the whole run; never falls
    plan: WorkPlanned | None = None  # of the run's own training
    plan_of_pretraining: WorkPlanned | None = None
    pace: Pace = _USUAL
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
            ended = replace(progress, share=share, work=None, step=None)
            after = replace(ended, left=None, at=None, stages=_all_ended(progress.stages))
        case WorkPlanned(is_pretraining=True):
            after = replace(_new_training(progress, event), plan_of_pretraining=event, pace=event.pace, left=None)
        case WorkPlanned():
            after = replace(progress, plan=event, pace=event.pace, left=None)
        case _:
            is_another = event.is_pretraining != progress.is_pretraining
            after = _within_training(_new_training(progress, event) if is_another else progress, event, at)
    return after if isinstance(event, RunEnded) and event.fold is None else _estimated(_entered(after, at), event, at)


def seconds_left(progress: LoggedProgress, now: float) -> float | None:
    """Return the remaining seconds of the whole run at `now` (since 1970); None if unknown or used up."""
    is_early = progress.worked < SHOWN_AFTER_SECONDS and progress.share < SHOWN_AFTER_SHARE
    return None if progress.left is None or is_early else _unless_used_up(progress.left.by(now))


def work_by(progress: LoggedProgress, now: float) -> Work | None:
    """Return the countable work with its remaining seconds at `now` (since 1970), since time passes between events."""
    work, left = progress.work, progress.work_left
    return work if work is None or left is None else replace(work, seconds_left=_unless_used_up(left.by(now)))


def _unless_used_up(seconds: float) -> float | None:
    """Return the rounded seconds, or None if the estimate is used up: work that goes on takes an unknown time."""
    return round(seconds, 1) if seconds >= _MIN_SECONDS_LEFT else None


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
    pace = _measured(progress, plan, event)
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
    # If fine-tuning ends early, the rest of the expected work is skipped.
    is_new = progress.left is None or isinstance(event, ClassifierSelected)
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
        seconds = max(0.5, elapsed - progress.n_embedded * pace.embedding)
        return replace(pace, fitting=seconds / fits_in_stage(is_last=event.fold is None))
    if isinstance(event, RunEnded) and event.fold and progress.stage == "measuring":
        index = index_of(plan, event.fold)
        n_predicted = plan.sizes[index].n_test + (plan.n_reprocessed[index] if progress.epoch else 0)
        return replace(pace, loading=max(0.5, elapsed - n_predicted * pace.embedding))
    return pace


def _with_speed(pace: Pace, planned: Pace) -> Pace:
    """Return the pace with the other times in proportion to the measured forward passes, before they are measured."""
    names = ("fitting", "loading", "closing") if pace.n_epochs else ("training", "fitting", "loading", "closing")
    slowness = min(_MOST_SLOWNESS, max(1 / _MOST_SLOWNESS, pace.embedding / planned.embedding))
    return replace(pace, **{name: slowness * getattr(planned, name) for name in names})


def _seconds_of_stages(progress: LoggedProgress, pace: Pace | None) -> list[Mapping[Stage, float]]:
    """Return the seconds of each stage of all trainings, by a pace or, if it is None, as expected before the start."""
    plans = [plan for plan in (progress.plan_of_pretraining, progress.plan) if plan is not None]
    current = progress.plan_of_pretraining if progress.is_pretraining else progress.plan
    paces = [pace if pace is not None and plan is current else plan.pace for plan in plans]
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
        return max(0.0, fitting - max(0.0, elapsed - progress.n_embedded * progress.pace.embedding))
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


def _new_training(progress: LoggedProgress, event: Event) -> LoggedProgress:
    """Return the progress at the beginning of another training."""
    missing: dict[str, Any] = dict.fromkeys(("stage", "epoch", "n_epochs", "work", "step"))  # Any: all None
    if progress.is_pretraining and not event.is_pretraining and progress.plan is not None:
        progress = replace(progress, pace=progress.plan.pace)
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
            return _counted(progress, event, at)
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


def _counted(progress: LoggedProgress, event: Progressed, at: float) -> LoggedProgress:
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
    left = None if event.seconds_left is None else TimeLeft(event.seconds_left, at)
    stage = stage or "reading"
    return replace(progress, stage=stage, work=work, work_left=left, step=None, n_embedded=n_embedded)


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
    epochs = (*before, Epoch.of(event))
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
    if plan.patience is not None and plan.sizes[index_of(plan, event.fold)].n_selecting:
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
