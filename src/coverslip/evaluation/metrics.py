"""Metrics from confusion matrices, losses and rankings, points of ROC curves, and the most frequent confusions.

The prediction is the decided class, by default the class of highest probability (the first of equals). Macro averages
are over the classes that occur in `label`, so that images of only some classes can be scored. They equal those of
scikit-learn with `labels=` these classes and `zero_division=0`.
"""

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True)
class Influence:
    """The influence of images on one metric; see `intervals.py`."""

    of_image: np.ndarray  # (n_images,) derivative by the weight of each; their sum is about 0
    unseen: np.ndarray  # (K,) variance that the unseen image of each class adds
    smoothed: float  # the metric including the unseen images
    is_proportion: bool = False  # the metric is a share of images, so that its variance follows from its value
    of_error: float = 0.0  # derivative by the weight of an unseen incorrect image, of a mean loss


# Ranking metrics. The area under the ROC curve (AUROC) of a class against the rest is the probability that an image of
# the class has a higher score than another image; ties count half.

_NEXT_WORST = 0.85  # rank of the unseen image of a class, as a share of the worst observed rank or precision

_STILL_ABOVE = 0.5  # share of the images above all others of which an unseen other image ranks below


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A ranking metric of one score, and the influence of images on it."""

    value: float  # NaN if there are no images of the class, or no others
    of_image: np.ndarray  # (n,) derivative by the weight of each image
    of_worst: tuple[
        float, float
    ]  # of an unseen image of the class that ranks low, and of another unseen image that ranks high


OfScore = Callable[[np.ndarray, np.ndarray], Ranked]


def auroc(score: np.ndarray, is_class: np.ndarray) -> Ranked:
    """Return the area under the ROC curve.

    Args:
        score: (n,) float, high for the class.
        is_class: (n,) bool.
    """
    positive, negative = np.sort(score[is_class]), np.sort(score[~is_class])
    n_positive, n_negative = len(positive), len(negative)
    if not n_positive or not n_negative:
        return _undefined(len(score))
    won = np.empty(len(score))  # share of the opposite images that each image ranks correctly against
    won[is_class] = _midrank(negative, score[is_class]) / n_negative
    won[~is_class] = 1 - _midrank(positive, score[~is_class]) / n_positive
    area = float(won[is_class].mean())
    of_image = (won - area) / np.where(is_class, n_positive, n_negative)
    lost = [_worst_loss(won[side], area) for side in (is_class, ~is_class)]
    return Ranked(value=area, of_image=of_image, of_worst=(-lost[0] / n_positive, -lost[1] / n_negative))


def _worst_loss(won: np.ndarray, area: float) -> float:
    """Return how far an unseen image is below the mean: slightly more than the worst, or fully if all rank first."""
    return area - _NEXT_WORST * float(won.min()) if won.min() < 1 else area


def average_precision(score: np.ndarray, is_class: np.ndarray) -> Ranked:
    """Return the mean precision over the images of the class, each at its score. Args as of `auroc`.

    The value equals scikit-learn's `average_precision_score`. Images of other classes are not required.
    """
    n_positive = int(is_class.sum())
    if not n_positive:
        return _undefined(len(score))
    order = np.argsort(-score, kind="stable")
    last = np.searchsorted(-score[order], -score[order], side="right") - 1  # of images with equal scores
    right = np.cumsum(is_class[order])[last].astype(np.float64)
    n = last + 1.0
    precision = right / n
    value = float(precision[is_class[order]].mean())
    # An image changes the precision at its own score and at all lower ones.
    by_other = -right / n**2
    first = np.searchsorted(-score[order], -score[order], side="left")
    lower = np.concatenate([np.cumsum((is_class[order] * by_other)[::-1])[::-1], [0.0]])[first]
    lower_one = np.concatenate([np.cumsum((is_class[order] / n)[::-1])[::-1], [0.0]])[first]
    of_image = np.empty(len(score))
    of_image[order] = (lower + is_class[order] * (lower_one + precision - value)) / n_positive
    # An unseen image of another class ranks above half of the images that rank above all others. If it ranked above all
    # of them, intervals would be twice as wide (benchmarks/interval_coverage.py).
    n_above = int((score[is_class] > score[~is_class].max(initial=-np.inf)).sum())
    n_still_above = 0 if n_above == n_positive else int(_STILL_ABOVE * n_above)
    below = (is_class[order] * by_other)[is_class[order]][n_still_above:]
    worst = _worst_loss(precision[is_class[order]], value)
    return Ranked(value=value, of_image=of_image, of_worst=(-worst / n_positive, float(below.sum()) / n_positive))


def _undefined(n: int) -> Ranked:
    return Ranked(value=float("nan"), of_image=np.zeros(n), of_worst=(0.0, 0.0))


def _midrank(others: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return (n,) the number of sorted scores below each score; equal ones count half."""
    middle: np.ndarray = (np.searchsorted(others, score, "left") + np.searchsorted(others, score, "right")) / 2
    return middle


def by_class(of_score: OfScore, probability: np.ndarray, label: np.ndarray) -> list[Ranked]:
    """Return the `auroc` or `average_precision` of each class against the rest."""
    return [of_score(column, label == k) for k, column in enumerate(probability.T)]


def macro_value(ranked: Sequence[Ranked]) -> float:
    """Return the mean over classes with a defined value; NaN if there are none."""
    defined = [each.value for each in ranked if not np.isnan(each.value)]
    return float(np.mean(defined)) if defined else float("nan")


def macro_influence(ranked: Sequence[Ranked], label: np.ndarray) -> Influence:
    """Return the influence on `macro_value`, which must be defined."""
    n_classes, value = len(ranked), macro_value(ranked)
    defined = [each for each in ranked if not np.isnan(each.value)]
    of_image = np.sum([each.of_image for each in defined], axis=0) / len(defined)
    positive, negative = np.array([each.of_worst for each in ranked]).T / len(defined)
    # The worst possible image ranks last in its class and first in another class.
    worst = positive + (negative.sum() - negative) / max(n_classes - 1, 1)
    worst = np.where(np.bincount(label, minlength=n_classes) > 0, worst, 0.0)
    return Influence(of_image, worst**2 / 2, value + float(worst.sum()) / 2)


def micro_auroc(probability: np.ndarray, label: np.ndarray) -> Ranked:
    """Return the AUROC of all pairs of image and class: correct pairs should have higher scores than incorrect ones."""
    return auroc(probability.ravel(), np.eye(probability.shape[1], dtype=bool)[label].ravel())


def micro_influence(probability: np.ndarray, label: np.ndarray) -> Influence:
    """Return the influence on `micro_auroc`."""
    n_classes, ranked = probability.shape[1], micro_auroc(probability, label)
    worst = np.where(np.bincount(label, minlength=n_classes) > 0, sum(ranked.of_worst), 0.0)
    of_image = ranked.of_image.reshape(-1, n_classes).sum(axis=1)
    return Influence(of_image, worst**2 / 2, ranked.value + float(worst.sum()) / 2)


_MOST_RATES = 2001


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve, in drawing order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


def roc_curve(score: np.ndarray, is_class: np.ndarray, *, n_points: int = 200) -> Curve | None:
    """Return the false positive rate (x) against the true positive rate (y), from (0, 0) to (1, 1).

    Args:
        score: (n_images,) float, high for the class.
        is_class: (n_images,) bool.
        n_points: largest number of points. If there are more corners, points are omitted evenly.

    Returns:
        The curve, or None if there are no images of the class, or no others.
    """
    right, wrong = _cumulated(score, is_class)
    if right[-1] == 0 or wrong[-1] == 0:
        return None
    x, y = np.concatenate([[0.0], wrong / wrong[-1]]), np.concatenate([[0.0], right / right[-1]])
    return _thinned(x, y, n_points)


def pr_curve(score: np.ndarray, is_class: np.ndarray, *, n_points: int = 200) -> Curve | None:
    """Return recall (x, rising) against precision (y). Args as of `roc_curve`; None without images of the class."""
    right, wrong = _cumulated(score, is_class)
    if right[-1] == 0:
        return None
    return _thinned(right / right[-1], right / (right + wrong), n_points)


def micro_roc_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the ROC curve of all pairs of image and class; the area below it is the micro-AUROC.

    Args:
        probability: (n_images, n_classes) float.
        label: (n_images,) int in [0, n_classes).
    """
    return roc_curve(probability.ravel(), _is_label(probability, label))


def macro_roc_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the mean of the classes' ROC curves at each false positive rate; the area below it is the macro-AUROC.

    Args as of `micro_roc_curve`; None if no class has a curve.
    """
    is_class = label[:, None] == np.arange(probability.shape[1])
    return mean_roc_curve(
        [roc_curve(*columns, n_points=_MOST_RATES) for columns in zip(probability.T, is_class.T, strict=True)]
    )


def mean_roc_curve(curves: Sequence[Curve | None]) -> Curve | None:
    """Return the mean of ROC curves at each false positive rate (at most 2,001 rates); None without curves."""
    points = [(np.array(curve.x), np.array(curve.y)) for curve in curves if curve is not None]
    if not points:
        return None
    rates = np.unique(np.concatenate([x for x, _ in points]))
    if len(rates) > _MOST_RATES:
        rates = np.linspace(0, 1, _MOST_RATES)
    ends = np.mean([_both_ends(x, y, rates) for x, y in points], axis=0)  # (2, n_rates): a curve may step up at a rate
    x, y = np.repeat(rates, 2), ends.T.ravel()
    is_new = np.append(True, (np.diff(x) != 0) | (np.diff(y) != 0))
    return _thinned(x[is_new], y[is_new], 200)


def micro_pr_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the precision-recall curve of all pairs of image and class. Args as of `micro_roc_curve`."""
    return pr_curve(probability.ravel(), _is_label(probability, label))


def _is_label(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    is_label = np.zeros(probability.shape, dtype=bool)
    is_label[np.arange(len(label)), label] = True
    return is_label.ravel()


def _both_ends(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return (2, n): the lowest and highest y of a rising, piecewise linear curve at each x; they differ at steps."""
    places, first = np.unique(x, return_index=True)
    last = np.append(first[1:], len(x)) - 1
    low, high = y[first], y[last]
    left = np.searchsorted(places, at, side="right") - 1
    right = np.minimum(left + 1, len(places) - 1)
    share = (at - places[left]) / np.maximum(places[right] - places[left], 1e-300)
    between = high[left] + share * (low[right] - high[left])
    is_place = places[left] == at
    return np.array([np.where(is_place, low[left], between), np.where(is_place, high[left], between)])


def _cumulated(score: np.ndarray, is_class: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of images of the class, and of others, at or above each distinct score, high to low."""
    if len(score) == 0:
        return np.zeros(1), np.zeros(1)
    order = np.argsort(-score, kind="stable")
    last_of_equal = np.flatnonzero(np.diff(score[order], append=-np.inf))
    right = np.cumsum(is_class[order])[last_of_equal].astype(float)
    return right, last_of_equal + 1 - right


def _thinned(x: np.ndarray, y: np.ndarray, n_points: int) -> Curve:
    # A point on a straight horizontal or vertical run adds nothing to the drawing.
    inner = (np.diff(x[:-1]) * np.diff(y[1:]) - np.diff(x[1:]) * np.diff(y[:-1])) != 0
    x, y = (axis[np.concatenate([[True], inner, [True]])] if len(axis) > 2 else axis for axis in (x, y))
    if len(x) > n_points:
        indices = np.unique(np.linspace(0, len(x) - 1, n_points).round().astype(int))
        x, y = x[indices], y[indices]
    return Curve(tuple(map(float, x)), tuple(map(float, y)))
