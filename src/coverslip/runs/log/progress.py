"""Progress and remaining time of a training, computed from its events for terminals, server and pages.

The time includes the whole training: the instant classifier, all epochs with their validation, folds, the classifier
trained on all images after the folds, test images and report. Measured times replace expected times.
"""

import math
import statistics
from dataclasses import asdict, dataclass, replace
from typing import Any

from coverslip import events
from coverslip.events import (
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
from coverslip.runs.log.records import (
    FoldTestScores,
    InstantScores,
    SplitCounts,
    Stage,
    StageTime,
    Step,
    TimedNote,
    Training,
    Watched,
    Work,
)
from coverslip.runs.training import Epoch, has_early_dip

USUAL_CLOSING = 15.0  # seconds for metrics, figures and report, before a training has measured them
TRAINING_BY_EMBEDDING = 3.5  # duration of a training step on an image, in forward passes
_VALIDATION_BY_TRAINING = 1 / 3
_SHARE_TO_CORRECT = 0.1  # of the remaining time: a new estimate gradually replaces the previous one over this time
_MIN_SECONDS_TO_CORRECT = 3.0


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


def measured_pace(pace: Pace, plan: WorkPlanned, event: Event, stage: str | None) -> Pace:
    """Return the pace, updated by an event."""
    match event:
        case Progressed(stage=events.COMPUTING_FEATURES, per_second=per_second) if per_second and stage == "instant":
            return replace(pace, embedding=1 / per_second)
        case StepEnded() if event.images_per_second > 0:
            step = (1 + _validation_share(plan)) / event.images_per_second
            expected = _training(plan, replace(pace, step=None))
            if expected is None:
                return replace(pace, step=step)
            # The first steps of an epoch are hardly representative.
            done = event.step / max(event.n_steps, 1)
            return replace(pace, step=(1 - done) * expected + done * step)
        case EpochEnded() if event.epoch and plan.n_drawn:
            epoch = event.seconds / plan.n_drawn
            is_first = pace.n_epochs == 0 or pace.training is None
            if not is_first and event.epoch == event.n_epochs:  # a time budget may cut the last epoch short
                return replace(pace, step=None, n_epochs=pace.n_epochs + 1)
            training = epoch if is_first or pace.training is None else (pace.training + epoch) / 2
            return replace(pace, training=training, step=None, n_epochs=pace.n_epochs + 1)
        case _:
            return pace


def training_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    """Return the expected seconds of a whole training; None if too little is known."""
    instant, epochs, closing = (of(plan, pace) for of in (_instant_seconds, _epochs_seconds, _closing_seconds))
    if instant is None or epochs is None or closing is None:
        return None
    n_images = plan.n_train + plan.n_val + plan.n_test
    seconds = (pace.reading or 0.0) * n_images + instant + epochs + closing
    return seconds + seconds_of_folds(plan, pace, plan.n_folds - 1) if plan.n_folds else seconds


def seconds_of_folds(plan: WorkPlanned, pace: Pace, n_folds: int, each: float | None = None) -> float:
    """Return the expected seconds of further folds, and of the training on all images after them.

    Args:
        plan: of the first fold.
        pace: so far.
        n_folds: number of folds that have not begun.
        each: seconds of a fold, if some were measured.
    """
    epochs, closing = _epochs_seconds(plan, pace) or 0.0, _closing_seconds(plan, pace) or 0.0
    n_images = plan.n_train + plan.n_val + plan.n_test
    report = USUAL_CLOSING if pace.closing is None else pace.closing
    if each is None:
        each = epochs + closing - report
    return n_folds * each + epochs * n_images / max(plan.n_train, 1) + report


def seconds_left_of_training(
    plan: WorkPlanned, pace: Pace, stage: str | None, event: Event, n_epochs_done: int, elapsed: float
) -> float | None:
    """Return the remaining seconds of the current training after an event; None if too little is known.

    Args:
        plan: of the training.
        pace: so far.
        stage: the current one.
        event: the latest one.
        n_epochs_done: complete epochs of the fine-tuning.
        elapsed: seconds since this stage began.
    """
    instant, epochs, closing = (of(plan, pace) for of in (_instant_seconds, _epochs_seconds, _closing_seconds))
    work_left = event.seconds_left or 0.0 if isinstance(event, Progressed) else 0.0
    if stage == "measuring":
        return None if closing is None else max(closing - elapsed, work_left)
    if closing is None or epochs is None:
        return None
    if stage == "finetune":
        done = n_epochs_done + _share_of_epoch(plan, event)
        return epochs * (1 - min(1.0, done / max(plan.n_epochs, 1))) + closing
    if instant is None:
        return None
    if stage == "instant":
        is_embedding = isinstance(event, Progressed) and event.stage == events.COMPUTING_FEATURES
        return (work_left if is_embedding else instant) + epochs + closing
    if isinstance(event, Progressed) and event.stage == "reading-images" and event.per_second:
        work_left += event.total / event.per_second  # images are read again for preprocessing
    return work_left + instant + epochs + closing


def _validation_share(plan: WorkPlanned) -> float:
    """Return the duration of validation, as a share of that of an epoch's steps."""
    return _VALIDATION_BY_TRAINING * plan.n_val / max(plan.n_drawn, 1)


def _share_of_epoch(plan: WorkPlanned, event: Event) -> float:
    if not isinstance(event, StepEnded):
        return 0.0
    return event.step / max(event.n_steps, 1) / (1 + _validation_share(plan))


def _instant_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    if not plan.has_instant:
        return 0.0
    embedding = _embedding(plan, pace)
    return None if embedding is None else embedding * (plan.n_train + plan.n_val + plan.copies)


def _embedding(plan: WorkPlanned, pace: Pace) -> float | None:
    """Return the seconds of the forward passes of an image, estimated from a training step if not measured."""
    training = pace.step or pace.training
    if pace.embedding is None and training is not None:
        return training * plan.tta / TRAINING_BY_EMBEDDING
    return pace.embedding


def _epochs_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    if not plan.n_epochs:
        return 0.0
    each = _training(plan, pace)
    return None if each is None else each * plan.n_drawn * plan.n_epochs


def _training(plan: WorkPlanned, pace: Pace) -> float | None:
    """Return the seconds per image of an epoch, estimated from forward passes if they were not measured."""
    each = pace.step or pace.training
    if each is None and pace.embedding is not None:
        return TRAINING_BY_EMBEDDING * pace.embedding / plan.tta * (1 + _validation_share(plan))
    return each


def _closing_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    """Return the seconds after training: repeated forward passes, test images, metrics and report."""
    embedding = _embedding(plan, pace)
    if embedding is None:
        return None
    return embedding * (plan.n_reprocessed + plan.n_test) + (USUAL_CLOSING if pace.closing is None else pace.closing)


# Where each stage of one training begins and ends, as a rough share of its time.
_SPANS: dict[bool, dict[Stage, tuple[float, float]]] = {
    False: {"reading": (0.0, 0.4), "instant": (0.4, 0.9), "finetune": (0.9, 0.9), "measuring": (0.9, 1.0)},
    True: {"reading": (0.0, 0.05), "instant": (0.05, 0.15), "finetune": (0.15, 0.95), "measuring": (0.95, 1.0)},
}
# The stage of each kind of work; other work belongs to the current stage.
_STAGE_OF_WORK: dict[str, Stage] = {
    "reading-images": "reading",
    "preprocessing-images": "reading",
    "predicting": "measuring",
}


_UNKNOWN = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a run, as computed from its events by `fold_event`."""

    is_finetuned: bool = True  # by its recipe
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
    training_share: float = 0.0  # of the current training
    share: float = 0.0  # of the whole run; never falls
    plan: WorkPlanned | None = None  # of the run's own training
    plan_of_pretraining: WorkPlanned | None = None
    pace: Pace = _UNKNOWN
    left: TimeLeft | None = None  # of the whole run
    ends_by: float | None = None  # end of the time budget; None without a budget
    stages: tuple[StageTime, ...] = ()  # of the current training
    at: float | None = None  # time of the last event; None if no training is running
    worked: float = 0.0  # seconds of all sessions of work, without those of writing the report
    fold_began: float | None = None
    fold_seconds: tuple[float, ...] = ()  # durations of the folds trained so far


def fold_event(progress: Progress, event: Event, at: float) -> Progress:
    """Return the progress after one more event at the time `at` (seconds since 1970)."""
    progress = _timed(replace(progress, has_begun=True), event, at)
    match event:
        case Noted():
            return _noted(progress, event, at)
        case FoldStarted(is_pretraining=False):
            begun = replace(_new_training(progress, event), n_folds=event.n_folds, fold_began=at)
            after = _with_training(begun, event)
        case FoldEnded(is_pretraining=False):
            after = _after_fold(progress, event, at)
        case RunEnded(is_pretraining=False, fold=None):
            share = 1.0 if event.state == "done" else progress.share
            ended = replace(progress, share=share, work=None, step=None)
            after = replace(ended, left=None, at=None, stages=_all_ended(progress.stages))
        case WorkPlanned(is_pretraining=True):
            begun = _new_training(progress, event)
            after = replace(_replanned(begun, event, at), plan_of_pretraining=event)
        case WorkPlanned():
            after = replace(_replanned(progress, event, at), plan=event)
        case _:
            is_another = event.is_pretraining != progress.is_pretraining
            after = _within_training(_new_training(progress, event) if is_another else progress, event, at)
    if not isinstance(event, RunEnded):
        after = _estimated(_entered(after, at), event, at)
    return replace(after, share=max(after.share, _share_of_whole(after)))


def _timed(progress: Progress, event: Event, at: float) -> Progress:
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


def _is_resumed(progress: Progress, event: Event) -> bool:
    """Return whether another process resumed the training: every training reads its images first."""
    is_reading = isinstance(event, Progressed) and event.stage == "reading-images" and not event.is_pretraining
    return is_reading and (progress.is_pretraining or progress.stage in ("instant", "finetune", "measuring"))


def _all_ended(stages: tuple[StageTime, ...]) -> tuple[StageTime, ...]:
    return tuple(replace(stage, since=None) for stage in stages)


def _entered(progress: Progress, at: float) -> Progress:
    """Return the progress with the current stage in its list of stages, which contains each stage once."""
    current = next((stage for stage in progress.stages if stage.since is not None), None)
    if progress.stage is None or (current is not None and current.stage == progress.stage):
        return progress
    before = next((stage for stage in progress.stages if stage.stage == progress.stage), None)
    others = _all_ended(tuple(stage for stage in progress.stages if stage is not before))
    begun = StageTime(stage=progress.stage, seconds=before.seconds if before else 0.0, since=at)
    order = list(_SPANS[True])
    return replace(progress, stages=tuple(sorted((*others, begun), key=lambda each: order.index(each.stage))))


def _estimated(progress: Progress, event: Event, at: float) -> Progress:
    """Return the progress with the remaining time of the whole run."""
    plan = progress.plan_of_pretraining if progress.is_pretraining else progress.plan
    if plan is None:
        return progress
    if progress.n_epochs and plan.n_epochs:
        plan = replace(plan, n_epochs=progress.n_epochs)  # a time budget can change it
    pace = measured_pace(progress.pace, plan, event, progress.stage)
    progress = replace(progress, pace=pace)
    elapsed = next((stage.seconds for stage in progress.stages if stage.since is not None), 0.0)
    seconds = seconds_left_of_training(plan, pace, progress.stage, event, progress.epoch or 0, elapsed)
    if seconds is None:
        return progress
    if progress.is_pretraining:
        after = None if progress.plan is None else training_seconds(progress.plan, pace)
        if after is None:
            return progress
        seconds += after
    elif progress.n_folds and progress.fold is not None:
        each = statistics.median(progress.fold_seconds[1:]) if len(progress.fold_seconds) > 1 else None
        # The report comes after all folds.
        report = USUAL_CLOSING if pace.closing is None else pace.closing
        seconds = max(0.0, seconds - report) + seconds_of_folds(plan, pace, progress.n_folds - progress.fold, each)
    # If fine-tuning was finished early, much of the expected work is skipped.
    is_new = progress.left is None or isinstance(event, ClassifierSelected)
    left = TimeLeft(seconds, at) if progress.left is None or is_new else progress.left.corrected(seconds, at)
    if progress.ends_by is not None:
        left = TimeLeft(min(left.seconds, max(0.0, progress.ends_by - at)), at)
    return replace(progress, left=left)


def _replanned(progress: Progress, event: WorkPlanned, at: float) -> Progress:
    """Return the progress with the pace of earlier trainings and the end of the time budget."""
    ends_by = None if event.limit_seconds is None else at + event.limit_seconds
    return replace(progress, pace=event.pace, left=None, ends_by=ends_by)


def _noted(progress: Progress, event: Noted, at: float) -> Progress:
    """Keep the note. The pace on larger images does not apply to smaller ones; the final classifier is a training."""
    if event.code == "refit":
        parts = SplitCounts(n_train=event.parameters["n_images"], n_val=0, n_test=0)
        progress = _with_training(progress, event, parts=parts)
    pace = progress.pace
    if event.code == "smaller-images":
        pace = Pace(reading=pace.reading, closing=pace.closing)
    return replace(progress, notes=(*progress.notes, _timed_note(event, at)), pace=pace)


def _timed_note(event: Noted, at: float) -> TimedNote:
    return TimedNote(
        time=at,
        code=event.code,
        text=event.text,
        level=event.level,
        parameters=event.parameters,
        remedies=event.remedies,
    )


def seconds_left(progress: Progress, now: float) -> float | None:
    """Return the remaining seconds of the whole run at `now` (since 1970); None if they are not known yet."""
    return None if progress.left is None else round(progress.left.by(now), 1)


def _new_training(progress: Progress, event: Event) -> Progress:
    """Return the progress at the beginning of another training."""
    missing: dict[str, Any] = dict.fromkeys(("stage", "epoch", "n_epochs", "work", "step"))  # Any: all None
    return replace(
        progress,
        fold=event.fold,
        is_pretraining=event.is_pretraining,
        has_pretraining=progress.has_pretraining or event.is_pretraining,
        training_share=0.0,
        stages=(),
        **missing,
    )


def _after_fold(progress: Progress, event: FoldEnded, at: float) -> Progress:
    tested = FoldTestScores(accuracy=event.accuracy, macro_f1=event.macro_f1)
    after = replace(_with_training(progress, event, tested=tested), n_folds=event.n_folds)
    n_done = max(progress.n_folds_done, event.fold or 0)
    seconds = progress.fold_seconds
    if progress.stages and progress.fold_began is not None:  # else it was done before
        seconds = (*seconds, at - progress.fold_began)
    return replace(_new_training(after, event), fold=None, n_folds_done=n_done, fold_seconds=seconds)


def _within_training(progress: Progress, event: Event, at: float) -> Progress:
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
            return _moved(_with_training(entered, event, **changes), 0.0)
        case ClassifierSelected():
            selected: dict[str, Any] = {
                "selected_stage": event.stage,
                "selected_epoch": event.epoch,
            }  # Any: as in `changes`
            if event.checkpoint_selection is not None:
                selected["checkpoint_selection"] = event.checkpoint_selection
            entered = replace(progress, stage="measuring", work=None, step=None)
            return _moved(_with_training(entered, event, **selected), 0.0)
        case InstantClassifierFitted():
            scores = InstantScores(
                seconds=event.seconds, val_accuracy=event.val_accuracy, val_macro_f1=event.val_macro_f1
            )
            return _moved(_with_training(replace(progress, work=None), event, instant=scores), 1.0)
        case ValidationImagesChosen():
            return _with_training(progress, event, watched=_watched_images(_training_of(progress, event), event))
        case StepEnded():
            return _stepped(progress, event)
        case EpochEnded():
            return _after_epoch(progress, event)
        case _:
            return progress


def _counted(progress: Progress, event: Progressed) -> Progress:
    share = event.done / max(event.total, 1)
    # A resumed training reads its images first, whatever its stage was before.
    stage = _STAGE_OF_WORK.get(event.stage, progress.stage)
    if stage is None:
        stage = "reading"
    if stage == "reading":  # images are read twice: for the scan and for preprocessing
        share = share / 2 if event.stage == "reading-images" else 0.5 + share / 2
    work = Work(
        stage=event.stage,
        title=event.title,
        done=event.done,
        total=event.total,
        unit=event.unit_name,
        per_second=event.per_second,
        seconds_left=event.seconds_left,
    )
    return _moved(replace(progress, stage=stage, work=work, step=None), share)


def _stepped(progress: Progress, event: StepEnded) -> Progress:
    step = Step(
        epoch=event.epoch,
        step=event.step,
        n_steps=event.n_steps,
        loss=_finite(event.loss),
        images_per_second=event.images_per_second,
        epoch_seconds_left=event.epoch_seconds_left,
        seconds_left=event.seconds_left,
    )
    after = replace(progress, stage="finetune", n_epochs=event.n_epochs, work=None, step=step)
    n_done, n_all = (event.epoch - 1) * event.n_steps + event.step, event.n_epochs * event.n_steps
    return _moved(_with_training(after, event), n_done / max(n_all, 1))


def _after_epoch(progress: Progress, event: EpochEnded) -> Progress:
    training = _training_of(progress, event)
    # An epoch that is repeated after a crash replaces the lost one and all epochs after it.
    before = tuple(epoch for epoch in training.epochs if epoch.epoch < event.epoch)
    best = training.best_epoch if any(epoch.epoch == training.best_epoch for epoch in before) else None
    best = event.epoch if event.is_best else best
    selected = None if training.checkpoint_selection == "last" else best
    after = replace(progress, stage="finetune", epoch=event.epoch, n_epochs=event.n_epochs)
    if after.plan is not None and not event.is_pretraining:  # a time budget changes their number
        after = replace(after, plan=replace(after.plan, n_epochs=event.n_epochs))
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
    return _moved(after, event.epoch / max(event.n_epochs, 1))


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


def _training_of(progress: Progress, event: Event) -> Training:
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


def _with_training(progress: Progress, event: Event, **changes: Any) -> Progress:  # Any: each field its own type
    """Return the progress with a change of the event's training, which is added if it is new."""
    before = _training_of(progress, event)
    is_listed = before in progress.trainings
    if is_listed and not changes:
        return progress
    after = replace(before, **changes)
    others = progress.trainings if is_listed else (*progress.trainings, before)
    return replace(progress, trainings=tuple(after if training is before else training for training in others))


def _moved(progress: Progress, share: float) -> Progress:
    """Return the progress with this share of the current stage done."""
    low, high = _SPANS[progress.is_finetuned][progress.stage or "reading"]
    return replace(progress, training_share=max(progress.training_share, low + (high - low) * min(share, 1.0)))


def _share_of_whole(progress: Progress) -> float:
    if progress.at is not None and progress.left is not None:
        left = progress.left.by(progress.at)
        return min(progress.worked / max(progress.worked + left, 1e-9), 0.99)
    # The images of the training are scanned before its pretraining.
    is_before_all = progress.has_pretraining and not progress.trainings
    if progress.plan is not None or is_before_all:  # its remaining time will be known soon
        return progress.share
    n_before = int(progress.has_pretraining)
    n_trainings = n_before + (progress.n_folds + 1 if progress.n_folds else 1)
    n_folds_before = progress.fold - 1 if progress.fold else progress.n_folds_done
    n_ended = 0 if progress.is_pretraining else n_before + n_folds_before
    return min((min(n_ended, n_trainings - 1) + progress.training_share) / n_trainings, 1.0)
