"""Confusion matrices, metrics computed from them, losses of probabilities, and the most frequent confusions.

The prediction is the decided class, by default the class of highest probability (the first of equals). Macro averages
are over the classes that occur in `label`, so that images of only some classes can be scored. They equal those of
scikit-learn with `labels=` these classes and `zero_division=0`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


def confusion_matrix(label: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (n_classes, n_classes) counts; rows are the true class, columns the predicted one."""
    cells = np.asarray(label) * n_classes + np.asarray(predicted)
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


class Margins(NamedTuple):
    """The counts of one or several confusion matrices that metrics need: (..., K) each."""

    right: np.ndarray  # correctly predicted images of each class
    n_true: np.ndarray  # images of each class
    n_predicted: np.ndarray  # images predicted as each class


def margins_of(confusion: np.ndarray) -> Margins:
    """Return the margins of (..., K, K) confusion matrices; counts may be fractional."""
    confusion = confusion.astype(np.float64)
    return Margins(np.einsum("...kk->...k", confusion), confusion.sum(axis=-1), confusion.sum(axis=-2))


def accuracy(margins: Margins) -> np.ndarray:
    """Return (...) the share of correctly predicted images. Without images, this and the metrics below are NaN."""
    right, n_true, _ = margins
    return _over(right.sum(axis=-1), n_true.sum(axis=-1))


def macro_recall(margins: Margins) -> np.ndarray:
    """Return the mean recall (share of images of a class that are predicted as it) over the classes that occur."""
    right, n_true, _ = margins
    return _macro(_over(right, n_true), n_true > 0)


def macro_precision(margins: Margins) -> np.ndarray:
    """Return the mean precision over the classes that occur; it is 0 for a class that is never predicted."""
    right, n_true, n_predicted = margins
    precision = np.where(n_predicted > 0, _over(right, n_predicted), 0.0)
    return _macro(precision, n_true > 0)


def macro_f1(margins: Margins) -> np.ndarray:
    """Return the mean F1, the harmonic mean of precision and recall, over the classes that occur."""
    right, n_true, n_predicted = margins
    return _macro(_over(2 * right, n_true + n_predicted), n_true > 0)


def _macro(of_class: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _over(np.where(present, of_class, 0.0).sum(axis=-1), present.sum(axis=-1))


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        share: np.ndarray = part / whole
    return share


def mcc(margins: Margins) -> np.ndarray:
    """Return the Matthews correlation coefficient of true and predicted classes (Gorodkin 2004).

    It is 1 for perfect predictions and 0 by chance; NaN if all images are of one class or are predicted as one.
    """
    right, n_true, n_predicted = margins
    n = n_true.sum(axis=-1)
    together = n * right.sum(axis=-1) - (n_true * n_predicted).sum(axis=-1)
    apart = (n**2 - (n_true**2).sum(axis=-1)) * (n**2 - (n_predicted**2).sum(axis=-1))
    return _over(together, np.sqrt(apart))


def kappa(margins: Margins) -> np.ndarray:
    """Return Cohen's kappa: the gain in accuracy over chance, as a share of the largest possible gain.

    It is NaN if all images are of one class and are predicted as it.
    """
    right, n_true, n_predicted = margins
    n = n_true.sum(axis=-1)
    by_chance = (n_true * n_predicted).sum(axis=-1) / n**2
    return _over(right.sum(axis=-1) / n - by_chance, 1 - by_chance)


def one_vs_rest_accuracy(margins: Margins) -> np.ndarray:
    """Return the mean accuracy of each class against the rest, over the classes that occur: AIMIC's equation 1.

    An error counts in two of K classes, and a correct prediction in all K, so the value is high with many classes.
    """
    right, n_true, n_predicted = margins
    n = n_true.sum(axis=-1)[..., None]
    return _macro(_over(n - n_true - n_predicted + 2 * right, n), n_true > 0)


def image_log_loss(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (n_images,) log losses: minus the natural logarithm of the true class's probability.

    Rows are normalized to sum to 1. Probabilities of 0 are clipped, so that losses are finite.
    """
    exact = np.asarray(probability, dtype=np.float64)
    tiny = np.finfo(exact.dtype).eps
    share = exact[np.arange(len(label)), label] / exact.sum(axis=1)
    loss: np.ndarray = -np.log(np.clip(share, tiny, 1 - tiny))
    return loss


def image_brier(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (n_images,) Brier scores: squared errors summed over classes, 0 to 2 (Brier 1950)."""
    of_label = probability[np.arange(len(label)), label]
    distance: np.ndarray = (probability**2).sum(axis=1) - 2 * of_label + 1
    return distance


def check_arrays(probability: np.ndarray, label: np.ndarray) -> None:
    """Raise ValueError if probabilities and labels do not match."""
    if len(label) == 0 or probability.ndim != 2 or probability.shape[:1] != np.shape(label):
        raise ValueError(
            f"probability {probability.shape} and label {np.shape(label)} need the same number of images, > 0"
        )
    if np.min(label) < 0 or np.max(label) >= probability.shape[1]:
        raise ValueError(f"labels must lie in [0, {probability.shape[1]}); found {np.min(label)} to {np.max(label)}")
    if not np.isfinite(probability).all():
        raise ValueError("probability has NaN or infinite entries; leave unreadable images out")


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images of one class that were predicted as another class."""

    true: int  # number of the class
    predicted: int
    n: int
    share: float  # of the images of the true class


def confused_pairs(matrix: np.ndarray, at_most: int) -> list[ConfusedPair]:
    """Return the most frequent confusions first; of equally frequent ones, those of a larger share of their class.

    Args:
        matrix: (K, K) counts; rows are the true class, columns the predicted one.
        at_most: largest number of pairs.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    share = wrong / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    true, predicted = np.nonzero(wrong)
    order = np.lexsort((-share[true, predicted], -wrong[true, predicted]))[:at_most]
    return [
        ConfusedPair(row, column, int(wrong[row, column]), float(share[row, column]))
        for row, column in zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    ]


def confused_classes(matrix: np.ndarray, at_most: int) -> list[int]:
    """Return the most frequently confused classes, both of a pair in sequence, then the first of the other classes.

    Args:
        matrix: (K, K) counts.
        at_most: largest number of classes.
    """
    both_ways = np.triu(matrix + matrix.T, k=1)
    pairs = np.argsort(-both_ways, axis=None, kind="stable")[: at_most * at_most]
    by_confusion = np.stack(np.unravel_index(pairs, matrix.shape), axis=1).ravel().tolist()
    return list(dict.fromkeys([*by_confusion, *range(len(matrix))]))[:at_most]


def hardest_classes(f1: Sequence[float | None], at_most: int) -> list[int]:
    """Return the numbers of the classes with the lowest F1, lowest first; classes without F1 (no images) come last."""
    order = sorted(range(len(f1)), key=lambda k: 2.0 if (value := f1[k]) is None else value)
    return order[:at_most]
