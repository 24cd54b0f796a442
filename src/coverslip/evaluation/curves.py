"""Points of ROC and precision-recall curves, thinned for drawing."""

from dataclasses import dataclass

import numpy as np


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


def _cumulated(score: np.ndarray, is_class: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many images of the class, and how many others, score at least each distinct score, high to low."""
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
        kept = np.unique(np.linspace(0, len(x) - 1, n_points).round().astype(int))
        x, y = x[kept], y[kept]
    return Curve(tuple(map(float, x)), tuple(map(float, y)))
