"""Scores of an epoch: on training images from the results of its steps, and on validation images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.evaluation import METRICS, score
from coverslip.events import EpochEnded
from coverslip.losses.functions import ImageLoss
from coverslip.runs import Recipe
from coverslip.training.step import StepResult

Ints = npt.NDArray[np.int64]


class Diverged(Exception):
    """The loss or a logit is not a finite number."""


@dataclass(frozen=True, slots=True)
class EpochScores:
    """The loss and scores of some images."""

    loss: float  # mean over images, without smoothed labels, class weights and penalty
    penalty: float | None  # mean over the steps of training
    accuracy: float
    precision: float
    recall: float
    f1: float
    primary: float  # higher is better
    chosen_predicted: tuple[int, ...] = ()  # classes of the `ChosenImages`


def epoch_scores(logits: Tensor, label: Ints, recipe: Recipe, penalty: float | None = None) -> EpochScores:
    """Return the scores of (n, K) logits for (n,) labels.

    The loss of training and of validation images is the same quantity. Smoothed labels, class weights and a penalty
    are means of training, which must not select the epoch.

    Raises:
        Diverged: the loss, the penalty or a logit is not finite.
    """
    loss = float(ImageLoss(recipe.loss, recipe.loss_options)(logits, torch.from_numpy(label)) / len(logits))
    if not (np.isfinite([loss, penalty or 0.0]).all() and logits.isfinite().all()):
        raise Diverged
    primary = METRICS[recipe.primary_metric]
    shown = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
    scores = score(logits.double().softmax(dim=1).numpy(), label, names=(*shown, primary.name))
    return EpochScores(
        loss,
        penalty,
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
        train_penalty=train.penalty if train else None,
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
    """Logits and penalties of the steps of an epoch, kept on the device: copying them would block every step."""

    def __init__(self) -> None:
        self._logits: list[Tensor] = []
        self._penalties: list[Tensor] = []
        self._label: list[Tensor] = []

    def add(self, result: StepResult, label: Tensor) -> None:
        self._logits.append(result.logits.float())
        self._label.append(label)
        if result.penalty is not None:
            self._penalties.append(result.penalty)

    def scores(self, recipe: Recipe) -> EpochScores:
        logits, label = torch.cat(self._logits).cpu(), torch.cat(self._label).cpu().numpy()
        penalty = float(torch.stack(self._penalties).mean()) if self._penalties else None
        return epoch_scores(logits, label, recipe, penalty)
