"""How long a training still takes: how much there is to do, by how quick this computer was at it so far.

All of the training counts: the instant classifier, every epoch with its validation, folds and the classifier that is
trained on all images after them, test images and report. What was measured takes the place of what was expected.
"""

import math
from dataclasses import dataclass, replace

from coverslip import events
from coverslip.events import EpochEnded, Event, Pace, Progressed, StepEnded, WorkPlanned

USUAL_CLOSING = 15.0  # seconds for numbers, figures and report, where no training has run before
TRAINING_BY_EMBEDDING = 3.5  # a step on an image takes so many times as long as a look at it
_VALIDATION_BY_TRAINING = 1 / 3
_SHARE_TO_CORRECT = 0.1  # of the time that is left, over which a new estimate takes the place of the one before
_MIN_SECONDS_TO_CORRECT = 3.0


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """So many seconds were left at a time (since 1970)."""

    seconds: float
    at: float

    def by(self, now: float) -> float:
        """Seconds left at `now`: time passes between events too."""
        return max(0.0, self.seconds - max(0.0, now - self.at))

    def corrected(self, seconds: float, now: float) -> "TimeLeft":
        """Closer to a new estimate, the more so the more time has passed: what people read shall not jump."""
        before = self.by(now)
        slowness = max(_MIN_SECONDS_TO_CORRECT, _SHARE_TO_CORRECT * min(seconds, before))
        weight = 1 - math.exp(-max(0.0, now - self.at) / slowness)
        return TimeLeft(before + weight * (seconds - before), now)


def measured_pace(pace: Pace, plan: WorkPlanned, event: Event, stage: str | None) -> Pace:
    """The pace after an event that tells some of it."""
    match event:
        case Progressed(stage=events.COMPUTING_FEATURES, per_second=per_second) if per_second and stage == "instant":
            return replace(pace, embedding=1 / per_second)
        case StepEnded() if event.images_per_second > 0:
            step = (1 + _validation_share(plan)) / event.images_per_second
            expected = _training(plan, replace(pace, step=None))
            if expected is None:
                return replace(pace, step=step)
            # The first steps of an epoch say little of all of it.
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
    """For all of a training; None where too little is known."""
    instant, epochs, closing = (of(plan, pace) for of in (_instant_seconds, _epochs_seconds, _closing_seconds))
    if instant is None or epochs is None or closing is None:
        return None
    n_images = plan.n_train + plan.n_val + plan.n_test
    seconds = (pace.reading or 0.0) * n_images + instant + epochs + closing
    return seconds + seconds_of_folds(plan, pace, plan.n_folds - 1) if plan.n_folds else seconds


def seconds_of_folds(plan: WorkPlanned, pace: Pace, n_folds: int, each: float | None = None) -> float:
    """For so many more folds, and the training on all images after them.

    Args:
        plan: of the first fold.
        pace: as it is known.
        n_folds: that have not begun.
        each: seconds of a fold, where some were measured.
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
    """For the training that goes on, after an event; None where too little is known.

    Args:
        plan: of it.
        pace: as it is known.
        stage: that it is in.
        event: that has just happened.
        n_epochs_done: whole epochs of its fine-tuning.
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
    if isinstance(event, Progressed) and event.stage == "reading images" and event.per_second:
        work_left += event.total / event.per_second  # they are read again to be preprocessed
    return work_left + instant + epochs + closing


def _validation_share(plan: WorkPlanned) -> float:
    """How long validation takes, as a share of an epoch's steps."""
    return _VALIDATION_BY_TRAINING * plan.n_val / max(plan.n_drawn, 1)


def _share_of_epoch(plan: WorkPlanned, event: Event) -> float:
    if not isinstance(event, StepEnded):
        return 0.0
    return event.step / max(event.n_steps, 1) / (1 + _validation_share(plan))


def _instant_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    if not plan.has_instant:
        return 0.0
    embedding = _embedding(pace)
    return None if embedding is None else embedding * (plan.n_train + plan.n_val + plan.copies)


def _embedding(pace: Pace) -> float | None:
    """Seconds for a look at an image, by those of a step on it where no other is known."""
    training = pace.step or pace.training
    if pace.embedding is None and training is not None:
        return training / TRAINING_BY_EMBEDDING
    return pace.embedding


def _epochs_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    if not plan.n_epochs:
        return 0.0
    each = _training(plan, pace)
    return None if each is None else each * plan.n_drawn * plan.n_epochs


def _training(plan: WorkPlanned, pace: Pace) -> float | None:
    """Seconds for an image in an epoch, by those of a look at it where no other is known."""
    each = pace.step or pace.training
    if each is None and pace.embedding is not None:
        return TRAINING_BY_EMBEDDING * pace.embedding * (1 + _validation_share(plan))
    return each


def _closing_seconds(plan: WorkPlanned, pace: Pace) -> float | None:
    """After training: what the network looks at once more, test images, numbers and report."""
    embedding = _embedding(pace)
    if embedding is None:
        return None
    return embedding * (plan.n_again + plan.n_test) + (USUAL_CLOSING if pace.closing is None else pace.closing)
