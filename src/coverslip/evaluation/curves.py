"""Points of ROC and precision-recall curves, thinned for drawing."""

from dataclasses import dataclass

import numpy as np

_MOST_RATES = 2001


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve, in drawing order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


def roc_curve(score: np.ndarray, is_class: np.ndarray, *, n_points: int = 200) -> Curve | None:
    """False positive rate (x) against true positive rate (y), from (0, 0) to (1, 1).

    Args:
        score: (n_images,) float, high for the class.
        is_class: (n_images,) bool.
        n_points: most points kept; corners go first where they are many.

    Returns:
        The curve, or None where images of the class, or others, are missing.
    """
    right, wrong = _cumulated(score, is_class)
    if right[-1] == 0 or wrong[-1] == 0:
        return None
    x, y = np.concatenate([[0.0], wrong / wrong[-1]]), np.concatenate([[0.0], right / right[-1]])
    return _thinned(x, y, n_points)


def pr_curve(score: np.ndarray, is_class: np.ndarray, *, n_points: int = 200) -> Curve | None:
    """Recall (x, rising) against precision (y). Args as in `roc_curve`; None where no image is of the class."""
    right, wrong = _cumulated(score, is_class)
    if right[-1] == 0:
        return None
    return _thinned(right / right[-1], right / (right + wrong), n_points)


def micro_roc_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the ROC curve of all pairs of an image and a class at once; the area below it is micro-AUROC.

    Args:
        probability: (n_images, n_classes) float.
        label: (n_images,) int in [0, n_classes).
    """
    return roc_curve(probability.ravel(), _is_own(probability, label))


def macro_roc_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the mean of the classes' ROC curves at each false positive rate; the area below it is macro-AUROC.

    Args as of `micro_roc_curve`; None where no class has a curve. Of very many rates 2,001 stand for all.
    """
    curves = [roc_curve(probability[:, k], label == k, n_points=_MOST_RATES) for k in range(probability.shape[1])]
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
    """Likewise the precision-recall curve of all pairs of an image and a class."""
    return pr_curve(probability.ravel(), _is_own(probability, label))


def _is_own(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    is_label = np.zeros(probability.shape, dtype=bool)
    is_label[np.arange(len(label)), label] = True
    return is_label.ravel()


def _both_ends(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(2, n) where a rising curve of straight pieces begins and ends at each place in [0, 1]; they differ at steps."""
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
    """Return how many images of the class, and how many others, score at least each distinct score, high to low."""
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
