"""Scores of an epoch: on training images from the results of its steps, and on validation images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.evaluation import METRICS, score
from coverslip.events import EpochEnded
from coverslip.runs import Recipe

Ints = npt.NDArray[np.int64]


class Diverged(Exception):
    """The loss or a logit is not a finite number."""


@dataclass(frozen=True, slots=True)
class EpochScores:
    """The loss and scores of some images."""

    loss: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    primary: float  # higher is better
    chosen_predicted: tuple[int, ...] = ()  # classes of the `ChosenImages`


def epoch_scores(logits: Tensor, label: Ints, recipe: Recipe, loss: float) -> EpochScores:
    """Return the scores of (n, K) logits for (n,) labels.

    Raises:
        Diverged: the loss or a logit is not finite.
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
    """Return the event of an epoch with these scores of training and validation images."""
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


class StepResults:
    """Losses and logits of the steps of an epoch, kept on the device: copying them would block every step."""

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
