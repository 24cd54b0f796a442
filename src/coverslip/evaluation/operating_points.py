"""What validation images set about decisions: which class an image is, and when it is better left to a person.

An image is of the most probable class, or of the one that exceeds its own threshold most.

Tran, Meunier and Cheriet (Multi-domain learning CNN model for microscopy image classification), whose network misses a
lymphoma that it ranks well, propose to take the class's threshold from its ROC curve, and leave open which. Here it is
the point of the one-vs-rest curve on validation images where sensitivity + specificity - 1 is largest (Youden 1950,
Index for Rating Diagnostic Tests).

For calibrated probabilities that point is the class's share of the images. Dividing by it takes the advantage from
frequent classes: balanced accuracy tends to rise, at the price of accuracy and of the precision of rare classes. Each
threshold is the best one for its class against the rest, not all together the best for telling classes apart: searching
for those would fit few validation images too closely.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Probabilities are told apart as finely as predictions.csv shows them. A threshold between finer ones would have no
# room of its own, and one nearer to 0 would let next to nothing outweigh a sure prediction of another class.
_DIGITS = 6
# Images that a threshold must rest on. Where a class has a single one, the best point lies just below that image's
# score, be it next to 0: with 3 basophils among 351 cells (blood_bccd) a fold called 113 of its 117 cells basophils.
_FEWEST = 5
_ERROR_KEPT = 0.5  # share of the error rate that decided images may have
_SHARE_DECIDED = 0.8  # least share of images that must stay decided


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold of one class, and what it does on the images that it was chosen on."""

    threshold: float  # in (0, 1)
    n: int  # images of the class
    sensitivity: float | None  # share of the class that reaches the threshold; None where `reason` says why
    specificity: float | None  # share of the others that does not
    reason: str | None = None  # why the threshold is the neutral 1 / n_classes


def operating_points(probability: np.ndarray, label: np.ndarray) -> tuple[OperatingPoint, ...]:
    """The point of each class's ROC curve with the largest Youden index.

    Thresholds lie half-way between neighbouring probabilities. Of equally good ones it is the one nearest to
    1 / n_classes, which changes least, and the lower one of two that are as near. A class whose curve says nothing
    (fewer than 5 images of it, or of all others, or no threshold better than chance) gets 1 / n_classes itself.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1. There may be no images.
        label: (n_images,) int in [0, n_classes).

    Returns:
        One per class. Two classes have one curve, drawn from either end: the second threshold is 1 minus the first, so
        that `decided_classes` gives the first class exactly where its probability reaches its threshold.
    """
    n_classes = probability.shape[1]
    points = tuple(_operating_point(probability[:, k], label == k, 1 / n_classes) for k in range(n_classes))
    if n_classes != 2:
        return points
    first, second = points
    second = OperatingPoint(
        threshold=1 - first.threshold,
        n=second.n,
        sensitivity=first.specificity,
        specificity=first.sensitivity,
        reason=first.reason and (second.reason or first.reason),
    )
    return first, second


def decided_classes(probability: np.ndarray, thresholds: Sequence[float] | None) -> np.ndarray:
    """(n_images,) int: the class whose probability is largest in proportion to its threshold, the first of equals.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        thresholds: one per class, in (0, 1); None takes the class of the highest probability.
    """
    weighed = probability if thresholds is None else probability / np.asarray(thresholds)
    decided: np.ndarray = weighed.argmax(axis=1)
    return decided


def _operating_point(score: np.ndarray, is_class: np.ndarray, neutral: float) -> OperatingPoint:
    n, n_other = int(is_class.sum()), int((~is_class).sum())
    if min(n, n_other) < _FEWEST:
        which = "this class" if n < _FEWEST else "other classes"
        return OperatingPoint(neutral, n, None, None, f"fewer than {_FEWEST} validation images of {which}")
    score = np.round(score, _DIGITS)
    levels = np.unique(score)
    midway = (levels[:-1] + levels[1:]) / 2
    n_found = n - np.searchsorted(np.sort(score[is_class]), levels[1:])  # images of the class above each threshold
    false = n_other - np.searchsorted(np.sort(score[~is_class]), levels[1:])
    index = n_found * n_other - false * n  # Youden's times n * n_other: whole numbers, so that equals are equal
    if index.max(initial=0) <= 0:
        return OperatingPoint(neutral, n, None, None, "no threshold is better than chance on validation images")
    best = np.flatnonzero(index == index.max())
    chosen = best[np.argmin(np.abs(midway[best] - neutral))]
    return OperatingPoint(float(midway[chosen]), n, float(n_found[chosen] / n), float(1 - false[chosen] / n_other))


def learn_decisions(
    probability: np.ndarray, label: np.ndarray, *, by_roc: bool
) -> tuple[tuple[OperatingPoint, ...] | None, float]:
    """Each class's operating point (None unless `by_roc`), and the `uncertain_threshold` of what is decided by them.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        by_roc: whether classes are decided by operating points; else the most probable class is.
    """
    points = operating_points(probability, label) if by_roc else None
    predicted = decided_classes(probability, [point.threshold for point in points] if points else None)
    return points, uncertain_threshold(probability, label, predicted)


def uncertain_threshold(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None = None,
) -> float:
    """The probability below which a prediction is called `uncertain`, chosen on validation images.

    The rule in words: set aside as few images as it takes to halve the share of mistakes among those that are decided,
    and never more than one image in five. Where halving would cost more than that, it is the best share of mistakes
    that setting aside one in five can give.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.

    Returns:
        A float in [0, 1]; decide where the predicted class has at least this probability. 0.0 where there are no
        validation images, no mistakes among them, or setting images aside would not lower the error rate. It lies
        half-way between the last image set aside and the first one decided, so that rounding does not move an image
        across.
    """
    if len(label) == 0:
        return 0.0
    if predicted is None:
        predicted = probability.argmax(axis=1)
    confidence = probability[np.arange(len(label)), predicted]
    order = np.argsort(confidence, kind="stable")
    confidence, is_wrong = confidence[order], (predicted != label)[order]
    n_images, n_wrong = len(label), int(is_wrong.sum())
    if n_wrong == 0:
        return 0.0
    starts = np.flatnonzero(np.diff(confidence, prepend=-np.inf) > 0)  # equal probabilities stay together
    starts = starts[n_images - starts >= _SHARE_DECIDED * n_images]
    wrong_kept = n_wrong - np.concatenate([[0], np.cumsum(is_wrong)])[starts]
    error = wrong_kept / (n_images - starts)
    enough = np.flatnonzero(error <= _ERROR_KEPT * n_wrong / n_images)
    first = int(starts[enough[0] if len(enough) else np.argmin(error)])
    return 0.0 if first == 0 else float((confidence[first - 1] + confidence[first]) / 2)
