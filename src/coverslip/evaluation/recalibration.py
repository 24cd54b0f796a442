"""Calibration intercept and slope: whether probabilities are too high on the whole, and whether too extreme.

Cox 1958, Two Further Applications of a Model for Binary Regression; Van Calster et al. 2019, Calibration: the Achilles
Heel of Predictive Analytics. With two classes it is the probability of the second class and how often it is it; with
more, the probability of the predicted class and how often it is right.
"""

from dataclasses import dataclass

import numpy as np

_STEPS, _ENOUGH, _TOO_STEEP = 60, 1e-10, 50.0


@dataclass(frozen=True, slots=True)
class LineNumber:
    """The intercept or the slope."""

    value: float  # NaN where no line fits: all right, all wrong, or told apart by the probability without a mistake
    of_image: np.ndarray  # (n_images,) derivative by the weight of each image


def calibration_line(probability: np.ndarray, label: np.ndarray) -> tuple[LineNumber, LineNumber]:
    """Intercept (at slope 1) and slope (with an intercept of its own) of the logit of what is right on that given.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
    """
    is_right, given = _binary(probability, label)
    ones = np.ones((len(label), 1))
    intercept = _fitted(ones, given, is_right)
    slope = _fitted(np.column_stack([ones, given]), np.zeros(len(label)), is_right)
    return intercept, slope


def _binary(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is right, and the logit that was given to it; (n_images,) each."""
    from scipy.special import logit

    top = probability.argmax(axis=1)
    own, is_right = (
        (probability[:, 1], label == 1) if probability.shape[1] == 2 else (probability.max(axis=1), top == label)
    )
    tiny = np.finfo(np.float64).eps
    return is_right.astype(np.float64), logit(np.clip(own.astype(np.float64), tiny, 1 - tiny))


def _fitted(columns: np.ndarray, offset: np.ndarray, is_right: np.ndarray) -> LineNumber:
    """The last coefficient of a logistic regression by Newton's method."""
    from scipy.special import expit

    missing = LineNumber(float("nan"), np.zeros(len(is_right)))
    if is_right.all() or not is_right.any():
        return missing
    coefficients = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        expected = expit(columns @ coefficients + offset)
        curvature = (columns * (expected * (1 - expected))[:, None]).T @ columns
        if np.linalg.cond(curvature) > 1 / _ENOUGH:
            return missing
        step = np.linalg.solve(curvature, columns.T @ (is_right - expected))
        coefficients = coefficients + np.clip(step, -2, 2)
        if np.abs(step).max() < _ENOUGH:
            by_image = np.linalg.solve(curvature, columns.T * (is_right - expected))
            return LineNumber(float(coefficients[-1]), by_image[-1])
        if np.abs(coefficients[-1]) > _TOO_STEEP:
            return missing
    return missing
