"""Which of two classifiers validation images prefer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.evaluation import METRICS, apply_temperature, fit_temperature, score
from coverslip.events import EpochEnded
from coverslip.runs import Recipe

Ints = npt.NDArray[np.int64]


class Diverged(Exception):
    """The loss is no longer a number."""


@dataclass(frozen=True, slots=True)
class EpochScores:
    """The loss and scores of some images."""

    loss: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    primary: float  # higher is better
    chosen_predicted: tuple[int, ...] = ()  # of validation images that people watch: see `ChosenImages`


def epoch_scores(logits: Tensor, label: Ints, recipe: Recipe, loss: float) -> EpochScores:
    """The scores of (n, K) logits for (n,) labels.

    Raises:
        Diverged: the loss or a logit is no number.
    """
    if not (np.isfinite(loss) and logits.isfinite().all()):
        raise Diverged
    primary = METRICS[recipe.primary_metric]
    shown = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    scores = score(logits.double().softmax(dim=1).numpy(), label, names=(*shown, primary.name))
    return EpochScores(
        loss,
        scores["accuracy"],
        scores["macro_precision"],
        scores["macro_recall"],
        scores["macro_f1"],
        primary.as_higher_is_better(scores[primary.name]),
    )


def epoch_ended(
    train: EpochScores | None,
    val: EpochScores | None,
    *,
    epoch: int,
    n_epochs: int,
    seconds: float,
    learning_rate: float,
    is_best: bool = False,
    seconds_left: float | None = None,
) -> EpochEnded:
    """The event of an epoch with these scores of training and validation images."""
    return EpochEnded(
        epoch=epoch,
        n_epochs=n_epochs,
        seconds=seconds,
        learning_rate=learning_rate,
        train_loss=train.loss if train else None,
        train_accuracy=train.accuracy if train else None,
        train_precision=train.precision if train else None,
        train_recall=train.recall if train else None,
        train_f1=train.f1 if train else None,
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        val_precision=val.precision if val else None,
        val_recall=val.recall if val else None,
        val_f1=val.f1 if val else None,
        is_best=is_best,
        seconds_left=seconds_left,
        chosen_predicted=val.chosen_predicted if val else (),
    )


class StepsSeen:
    """What the steps of an epoch gave. It stays on the device: to fetch it would be to wait for it in every step."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._logits: list[Tensor] = []
        self._label: list[Tensor] = []

    def add(self, loss: Tensor, logits: Tensor, label: Tensor) -> None:
        self._losses.append(loss)
        self._logits.append(logits.float())
        self._label.append(label)

    def scores(self, recipe: Recipe) -> EpochScores:
        logits, label = torch.cat(self._logits).cpu(), torch.cat(self._label).cpu().numpy()
        return epoch_scores(logits, label, recipe, float(torch.stack(self._losses).mean()))


_N_RESAMPLES = 60
_NOISE_SHARE = 0.5  # of a standard error: a smaller difference is mostly chance
_ERRORS_TO_SHOW = 2.0  # standard errors: the usual sign of a difference that is not chance

Floats = npt.NDArray[np.float64]


def rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """The primary metric, then the calibrated log loss where that is equal; higher is better.

    Args:
        logits: (n_val, K).
        label: (n_val,) int in [0, K).
        recipe: names the primary metric.
    """
    return primary_score(logits, label, recipe), -calibrated_log_loss(logits, label)


def calibrated_log_loss(logits: Floats, label: Ints) -> float:
    """The log loss of (n, K) logits at the temperature that is best for them."""
    return _value("log_loss", apply_temperature(logits, fit_temperature(logits, label)), label)


def is_preferred(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Whether validation images prefer one classifier to another.

    The primary metric decides where it differs by more than half of the standard error of that difference. Where it
    does not, the difference is mostly chance: two images of a rare class turn it round. Then the calibrated log loss
    decides, to which every image contributes by the probability of its class.

    Args:
        challenger: (n_val, K) logits.
        incumbent: (n_val, K) logits of what is kept where neither is preferred.
        label: (n_val,) int in [0, K).
        recipe: names the primary metric; its seed draws the resampled images.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    difference = new[0] - old[0]
    if not np.isfinite(difference):  # it is not defined for one of them, or for both
        return new > old
    if abs(difference) > _NOISE_SHARE * _difference_error(challenger, incumbent, label, recipe):
        return difference > 0
    return new[1] > old[1]


def is_significantly_worse(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Whether validation images show a classifier to be worse that was expected to be better.

    They do where the primary metric is lower by more than two standard errors of the difference; where that is not
    defined, the calibrated log loss decides. Some fifty validation images err by about as much as fine-tuning
    usually gains, and against it: they have chosen the shrinkage of the instant classifier (benchmarks/RESULTS.md).

    Args:
        challenger, incumbent, label, recipe: as for `is_preferred`.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    if not np.isfinite(new[0] - old[0]):
        return new < old
    return old[0] - new[0] > _ERRORS_TO_SHOW * _difference_error(challenger, incumbent, label, recipe)


def _difference_error(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> float:
    """Standard error of how much two classifiers differ in the primary metric, over images drawn again and again."""
    metric, generator = METRICS[recipe.primary_metric], np.random.default_rng(recipe.seed)
    pair = [
        apply_temperature(logits, fit_temperature(logits, label) if metric.needs_calibration else 1.0)
        for logits in (challenger, incumbent)
    ]
    differences = []
    for _ in range(_N_RESAMPLES):
        drawn = generator.integers(len(label), size=len(label))
        new, old = (metric.value(p[drawn], label[drawn], p[drawn].argmax(axis=1)) for p in pair)
        differences.append(new - old)
    defined = np.array(differences)[np.isfinite(differences)]
    return float(defined.std()) if len(defined) else 0.0


def primary_score(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """The primary metric, higher is better."""
    return METRICS[recipe.primary_metric].as_higher_is_better(primary_value(logits, label, recipe))


def primary_value(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """The primary metric as it is shown."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return _value(metric.name, apply_temperature(logits, 1.0), label)


def _value(metric: str, probability: Floats, label: Ints) -> float:
    """One metric alone: of many classes AUROC takes longer than all others."""
    return METRICS[metric].value(probability, label, probability.argmax(axis=1))
