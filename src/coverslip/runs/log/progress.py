"""How far a training is and what it has reached, folded from its events: one answer for terminals, server and pages."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from coverslip.events import (
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    InstantClassifierFitted,
    Noted,
    Progressed,
    RunEnded,
    RunStarted,
    StageStarted,
    StepEnded,
    ValidationImagesChosen,
)
from coverslip.messages import Note
from coverslip.runs.history import Epoch

Stage = Literal["reading", "instant", "finetune", "measuring"]

# Where each stage of one training begins and ends, as a rough share of its time.
_SPANS: dict[bool, dict[Stage, tuple[float, float]]] = {
    False: {"reading": (0.0, 0.4), "instant": (0.4, 0.9), "finetune": (0.9, 0.9), "measuring": (0.9, 1.0)},
    True: {"reading": (0.0, 0.05), "instant": (0.05, 0.15), "finetune": (0.15, 0.95), "measuring": (0.95, 1.0)},
}
# Work that is counted within a stage of its own; any other belongs to the stage that goes on.
_STAGE_OF_WORK: dict[str, Stage] = {
    "reading images": "reading",
    "preprocessing images": "reading",
    "predicting": "measuring",
}
_TELLING_SECONDS, _TELLING_SHARE = 10.0, 0.05  # before that, a pace of the whole is a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedNote(Note):
    """What the training wants known, and when it said so."""

    time: float  # seconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
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
    parts: Parts | None
    instant: InstantScores | None
    n_epochs: int | None  # at most, of its fine-tuning
    epochs: tuple[Epoch, ...]
    kept_epoch: int | None  # of those so far
    watched: Watched | None  # None before fine-tuning, and without validation images
    tested: FoldTestScores | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A countable piece of work that goes on."""

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


@dataclass(frozen=True, slots=True)
class _Left:
    """So many seconds were left at a time (since 1970)."""

    seconds: float
    at: float

    def by(self, now: float) -> float:
        return round(max(0.0, self.seconds - max(0.0, now - self.at)), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run so far, as its events tell it. `fold_event` gives the next one."""

    is_finetuned: bool = True  # as its recipe says, before the first event
    has_pretraining: bool = False  # a training on other images comes before the run's own
    has_begun: bool = False
    trainings: tuple[Training, ...] = ()  # in the order that they began
    notes: tuple[TimedNote, ...] = ()
    n_folds: int = 0  # 0 without folds, or before they are known
    n_folds_done: int = 0
    fold: int | None = None  # that is being trained, 1-based
    is_pretraining: bool = False  # on other images, before the run's own training
    stage: Stage | None = None
    epoch: int | None = None  # that ended last, of the training that goes on
    n_epochs: int | None = None
    work: Work | None = None
    step: Step | None = None
    training_share: float = 0.0  # of the training that goes on
    share: float = 0.0  # of the whole run; never falls
    # What the time that is left is told by: it runs on between events.
    left: _Left | None = None  # of the training that goes on
    left_of_all: _Left | None = None  # of all that comes after the folds so far
    began: tuple[float, float] | None = None  # when this process began to work, and the share of the whole by then


def fold_event(progress: Progress, event: Event, at: float) -> Progress:
    """`progress` after one more event, which happened at `at` (seconds since 1970)."""
    if progress.began is None:
        progress = replace(progress, has_begun=True, began=(at, progress.share))
    match event:
        case Noted():
            return replace(progress, notes=(*progress.notes, _timed(event, at)))
        case FoldStarted(is_pretraining=False):
            after = replace(_with_training(_anew(progress, event), event), n_folds=event.n_folds)
        case FoldEnded(is_pretraining=False):
            after = _after_fold(progress, event, at)
        case RunEnded(is_pretraining=False, fold=None):
            share = 1.0 if event.state == "done" else progress.share
            ended = replace(progress, share=share, work=None, step=None)
            after = replace(ended, began=None, left=None, left_of_all=None)
        case _:
            is_another = event.is_pretraining != progress.is_pretraining
            after = _within_training(_anew(progress, event) if is_another else progress, event, at)
    return replace(after, share=max(after.share, _share_of_whole(after)))


def _timed(event: Noted, at: float) -> TimedNote:
    return TimedNote(
        time=at, code=event.code, text=event.text, level=event.level, values=event.values, remedies=event.remedies
    )


def seconds_left(progress: Progress, now: float) -> float | None:
    """Seconds that the whole run takes from `now` (since 1970) on; None where that cannot be told yet."""
    if progress.left_of_all is not None:
        return progress.left_of_all.by(now)
    is_one_of_many = bool(progress.n_folds or progress.is_pretraining)
    if progress.left is not None and not is_one_of_many:
        return progress.left.by(now)
    if progress.began is None or not is_one_of_many:
        return None
    began, share_before = progress.began
    seconds, share = now - began, progress.share - share_before
    if seconds < _TELLING_SECONDS or share < _TELLING_SHARE:
        return None
    return round(seconds / share * (1 - progress.share), 1)


def _anew(progress: Progress, event: Event) -> Progress:
    """Another training begins."""
    nothing: dict[str, Any] = dict.fromkeys(("stage", "epoch", "n_epochs", "work", "step", "left"))  # Any: all None
    return replace(progress, fold=event.fold, is_pretraining=event.is_pretraining, training_share=0.0, **nothing)


def _after_fold(progress: Progress, event: FoldEnded, at: float) -> Progress:
    left = None if event.seconds_left is None else _Left(event.seconds_left, at)
    tested = FoldTestScores(accuracy=event.accuracy, macro_f1=event.macro_f1)
    after = replace(_with_training(progress, event, tested=tested), n_folds=event.n_folds, left_of_all=left)
    n_done = max(progress.n_folds_done, event.fold or 0)
    return replace(_anew(after, event), fold=None, n_folds_done=n_done)


def _within_training(progress: Progress, event: Event, at: float) -> Progress:
    match event:
        case Progressed():
            return _counted(progress, event, at)
        case RunStarted():
            parts = Parts(n_train=event.n_train, n_val=event.n_val, n_test=event.n_test)
            return _with_training(progress, event, parts=parts)
        case StageStarted():
            stage: Stage = "finetune" if event.stage == "finetune" else "instant"
            n_epochs = event.n_epochs or progress.n_epochs
            entered = replace(progress, stage=stage, n_epochs=n_epochs, work=None, step=None)
            return _moved(_with_training(entered, event, n_epochs=n_epochs), 0.0)
        case InstantClassifierFitted():
            scores = InstantScores(
                seconds=event.seconds, val_accuracy=event.val_accuracy, val_macro_f1=event.val_macro_f1
            )
            return _moved(_with_training(replace(progress, work=None), event, instant=scores), 1.0)
        case ValidationImagesChosen():
            return _with_training(progress, event, watched=_watched_anew(_training_of(progress, event), event))
        case StepEnded():
            return _stepped(progress, event, at)
        case EpochEnded():
            return _after_epoch(progress, event, at)
        case _:
            return progress


def _counted(progress: Progress, event: Progressed, at: float) -> Progress:
    share = event.done / max(event.total, 1)
    # A training that goes on looks at its images first, whatever it was at before.
    stage = _STAGE_OF_WORK.get(event.stage, progress.stage)
    if stage is None:
        stage = "reading"
    if stage == "reading":  # once to look at images, once to prepare them
        share = share / 2 if event.stage == "reading images" else 0.5 + share / 2
    work = Work(
        stage=event.stage,
        done=event.done,
        total=event.total,
        unit=event.unit,
        per_second=event.per_second,
        seconds_left=event.seconds_left,
    )
    is_last = stage == "measuring" or (stage == "instant" and not progress.is_finetuned)
    left = _Left(event.seconds_left, at) if is_last and event.seconds_left is not None else None
    return _moved(replace(progress, stage=stage, work=work, step=None, left=left), share)


def _stepped(progress: Progress, event: StepEnded, at: float) -> Progress:
    n_epochs = progress.n_epochs or event.epoch
    step = Step(
        epoch=event.epoch,
        step=event.step,
        n_steps=event.n_steps,
        loss=_finite(event.loss),
        images_per_second=event.images_per_second,
        epoch_seconds_left=event.epoch_seconds_left,
        seconds_left=event.seconds_left,
    )
    left = _Left(event.seconds_left, at)
    after = replace(progress, stage="finetune", n_epochs=n_epochs, work=None, step=step, left=left)
    n_done, n_all = (event.epoch - 1) * event.n_steps + event.step, n_epochs * event.n_steps
    return _moved(_with_training(after, event), n_done / max(n_all, 1))


def _after_epoch(progress: Progress, event: EpochEnded, at: float) -> Progress:
    training = _training_of(progress, event)
    # One that is repeated after a crash takes the place of the one that was lost, and of all after it.
    before = tuple(epoch for epoch in training.epochs if epoch.epoch < event.epoch)
    kept_before = training.kept_epoch if any(epoch.epoch == training.kept_epoch for epoch in before) else None
    kept = event.epoch if event.is_kept else kept_before
    after = replace(
        progress,
        stage="finetune",
        epoch=event.epoch,
        n_epochs=event.n_epochs,
        left=None if event.seconds_left is None else _Left(event.seconds_left, at),
    )
    watched = _after_look(training.watched, event, n_before=len(before))
    epochs = (*before, _epoch(event))
    after = _with_training(after, event, epochs=epochs, n_epochs=event.n_epochs, kept_epoch=kept, watched=watched)
    return _moved(after, event.epoch / max(event.n_epochs, 1))


def _watched_anew(training: Training, event: ValidationImagesChosen) -> Watched:
    """A training that goes on tells of its images again: what is known of them stays."""
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


def _after_look(watched: Watched | None, event: EpochEnded, n_before: int) -> Watched | None:
    if watched is None or len(event.chosen_predicted) != len(watched.labels):
        return watched
    n_right = sum(a == b for a, b in zip(event.chosen_predicted, watched.labels, strict=True))
    of_epochs = (*watched.n_right[:n_before], n_right)
    return replace(watched, epoch=event.epoch, predicted=event.chosen_predicted, n_right=of_epochs)


def _epoch(event: EpochEnded) -> Epoch:
    values: dict[str, Any] = asdict(Epoch.of(event))  # Any: numbers
    for name, value in values.items():
        values[name] = _finite(value) if isinstance(value, float) else value
    return Epoch(**values)


def _finite(value: float | None) -> float | None:
    """The log says null where a loss is NaN or infinite; so do events that never were in one."""
    return value if value is not None and math.isfinite(value) else None


def _training_of(progress: Progress, event: Event) -> Training:
    for training in progress.trainings:
        if (training.fold, training.is_pretraining) == (event.fold, event.is_pretraining):
            return training
    empty = ("parts", "instant", "n_epochs", "kept_epoch", "watched", "tested")
    nothing: dict[str, Any] = dict.fromkeys(empty)  # Any: all None
    return Training(fold=event.fold, is_pretraining=event.is_pretraining, epochs=(), **nothing)


def _with_training(progress: Progress, event: Event, **changes: Any) -> Progress:  # Any: each field its own type
    """The training that the event is about changed; it is added where it is new."""
    before = _training_of(progress, event)
    is_known = before in progress.trainings
    if is_known and not changes:
        return progress
    after = replace(before, **changes)
    others = progress.trainings if is_known else (*progress.trainings, before)
    return replace(progress, trainings=tuple(after if training is before else training for training in others))


def _moved(progress: Progress, share: float) -> Progress:
    """So much of the stage is done."""
    low, high = _SPANS[progress.is_finetuned][progress.stage or "reading"]
    return replace(progress, training_share=max(progress.training_share, low + (high - low) * min(share, 1.0)))


def _share_of_whole(progress: Progress) -> float:
    n_before = int(progress.has_pretraining)
    n_trainings = n_before + (progress.n_folds + 1 if progress.n_folds else 1)
    n_folds_before = progress.fold - 1 if progress.fold else progress.n_folds_done
    n_ended = 0 if progress.is_pretraining else n_before + n_folds_before
    return min((min(n_ended, n_trainings - 1) + progress.training_share) / n_trainings, 1.0)
