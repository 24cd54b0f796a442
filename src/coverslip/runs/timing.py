"""Expected seconds of each stage of a training: the one estimate of budgets, terminals, server and pages.

The seconds follow from the amount of work (`WorkPlanned`) and the pace of this computer (`Pace`), which is measured
before a training, and again while it runs.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from coverslip import events
from coverslip.events import EpochEnded, Event, Pace, Progressed, SetSizes, StepEnded, WorkPlanned

Stage = Literal["reading", "instant", "finetune", "measuring"]

STAGES: tuple[Stage, ...] = ("reading", "instant", "finetune", "measuring")
_REPRESENTATIVE = 0.2  # of the images
TRAINING_BY_EMBEDDING = 5.0  # duration of a training step on an image, in forward passes
_VALIDATION_BY_TRAINING = 1 / 3
_PATIENCES_OF_GAINS = 2.5
_AROUND_FINETUNING = 1.5  # seconds before its first epoch, and of the fit of the last layer after it
# Duration of other work, in fits of the instant classifier.
_LEARNING_CURVE_BY_FIT, _REFIT_BY_FIT = 1 / 3, 1.0


def stage_seconds(plan: WorkPlanned, pace: Pace, index: int = 0) -> Mapping[Stage, float]:
    """Return the expected seconds of each stage of one training of a run.

    Args:
        plan: of the run.
        pace: of this computer.
        index: of the training: folds from 0, then the training on all images, which has no test.
    """
    sizes, first, is_last = plan.sizes[index], plan.sizes[0], index == plan.n_folds
    if index == 0:
        n_embedded = first.n_train + first.n_val + plan.copies
    else:  # the features of all folds are cached
        n_embedded = first.n_test if index == 1 else 0.0
    return {
        "reading": pace.reading * first.n_images if index == 0 else 0.0,
        "instant": pace.embedding * n_embedded + fitting_seconds(plan, pace, index) if plan.has_instant else 0.0,
        "finetune": plan.n_epochs * _n_per_epoch(sizes) * pace.training
        + (_AROUND_FINETUNING if plan.n_epochs else 0.0),
        "measuring": pace.embedding * (plan.n_reprocessed[index] + sizes.n_test)
        + refit_seconds(plan, pace)
        + (pace.closing if is_last else pace.loading),
    }


def _n_per_epoch(sizes: SetSizes) -> float:
    """Return the number of images whose training steps take as long as an epoch with its validation."""
    return sizes.n_drawn + _VALIDATION_BY_TRAINING * sizes.n_selecting


def index_of(plan: WorkPlanned, fold: int | None) -> int:
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
    return fits_in_stage(is_last=index == plan.n_folds) * pace.fitting


def fits_in_stage(*, is_last: bool) -> float:
    """Return the duration of the instant stage after the features, in fits: the last training has a learning curve."""
    return 1 + is_last * _LEARNING_CURVE_BY_FIT


def refit_seconds(plan: WorkPlanned, pace: Pace) -> float:
    """Return the seconds of the fit of a delivered instant classifier on all images; 0 with fine-tuning."""
    if not plan.refits or plan.n_epochs:
        return 0.0
    return pace.embedding * plan.sizes[-1].n_test + _REFIT_BY_FIT * pace.fitting


def total_seconds(plan: WorkPlanned, pace: Pace) -> float:
    """Return the expected seconds of all trainings of a run."""
    return sum(sum(stage_seconds(plan, pace, index).values()) for index in range(plan.n_folds + 1))


def measured_pace(pace: Pace, plan: WorkPlanned, event: Event) -> Pace:
    """Return the pace, updated by an event of a training."""
    match event:
        case Progressed(stage=events.COMPUTING_FEATURES, per_second=per_second) if per_second:
            # The first images are hardly representative.
            weight = min(1.0, event.done / max(_REPRESENTATIVE * event.total, 1))
            return replace(pace, embedding=(1 - weight) * pace.embedding + weight / per_second)
        case StepEnded() if event.images_per_second > 0 and not pace.n_epochs:
            # The first steps are hardly representative.
            done = event.step / max(event.n_steps, 1)
            step = 1 / event.images_per_second
            return replace(pace, training=(1 - done) * pace.training + done * step)
        case EpochEnded() if event.epoch:
            epoch = event.seconds / max(_n_per_epoch(plan.sizes[index_of(plan, event.fold)]), 1)
            if pace.n_epochs and event.epoch == event.n_epochs:  # a time budget may cut the last epoch short
                return pace
            n_epochs = pace.n_epochs + 1
            mean = epoch if n_epochs == 1 else (pace.training + epoch) / 2
            return replace(pace, training=mean, n_epochs=n_epochs)
        case _:
            return pace
