"""Measures of the benefit of pretraining: LogME, and the rank correlation of a measure with the measured gain.

LogME: how well the features of a pretrained network explain the labels of a dataset, without training.

You, Liu, Wang and Long 2021, LogME: Practical Assessment of Pre-trained Models for Transfer Learning: the logarithm of
the evidence of a linear model with Gaussian noise, per image, at its best precisions, averaged over classes.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.results import LEVEL, Metric

_MOST_STEPS, _TOLERANCE = 100, 1e-4


def logme(features: npt.NDArray[np.floating], label: npt.NDArray[np.integer]) -> float:
    """Return LogME; higher means that a linear model of the features explains the labels better.

    Args:
        features: (n, d) of the images.
        label: (n,) class of each image.

    Raises:
        ValueError: there are fewer than two images or classes.
    """
    classes = np.unique(label)
    if len(features) != len(label) or len(classes) < 2:
        raise ValueError("there must be a label for each image, and two classes")
    rows = np.asarray(features, dtype=np.float64)
    left, singular, _ = np.linalg.svd(rows, full_matrices=False)
    spectrum = np.square(singular)
    return float(np.mean([_log_evidence(left, spectrum, rows.shape[1], label == name) for name in classes]))


def _log_evidence(left: np.ndarray, spectrum: np.ndarray, d: int, is_class: np.ndarray) -> float:
    """Return the maximum of the log evidence of one class against the rest, divided by the number of images.

    `alpha` is the precision of the weights and `beta` that of the noise; MacKay's fixed point finds their maximum.
    """
    y = is_class.astype(np.float64)
    n = len(y)
    projected = np.square(left.T @ y)
    beyond = max(float(y @ y - projected.sum()), 0.0)  # part of the labels outside the span of the features
    alpha = beta = 1.0
    for _ in range(_MOST_STEPS):
        weight, residual = _moments(projected, spectrum, beyond, alpha / beta)
        effective = float((spectrum / (spectrum + alpha / beta)).sum())
        alpha, beta, before = effective / (weight + 1e-10), (n - effective) / (residual + 1e-10), alpha / beta
        if abs(alpha / beta - before) <= _TOLERANCE * before:
            break
    weight, residual = _moments(projected, spectrum, beyond, alpha / beta)
    log_determinant = float(np.log(alpha + beta * spectrum).sum()) + (d - len(spectrum)) * math.log(alpha)
    evidence = n * math.log(beta) + d * math.log(alpha) - n * math.log(2 * math.pi)
    return 0.5 * (evidence - beta * residual - alpha * weight - log_determinant) / n


def _moments(projected: np.ndarray, spectrum: np.ndarray, beyond: float, ratio: float) -> tuple[float, float]:
    """Return the squared length of the mean weights, and of the residuals, at `ratio` = alpha / beta."""
    weight = float((spectrum * projected / np.square(spectrum + ratio)).sum())
    residual = float((projected * np.square(ratio / (spectrum + ratio))).sum()) + beyond
    return weight, residual


_N_RESAMPLES = 2000


def rank_correlation(measure: Sequence[float], gain: Sequence[float]) -> Metric:
    """Return Spearman's rank correlation of a measure with the gain, with a bootstrap interval over pairs.

    Pairs share sources and targets, so the interval is too narrow by an unknown amount.

    Args:
        measure: of each pair of source and target.
        gain: of each pair.
    """
    x, y = np.asarray(measure, dtype=float), np.asarray(gain, dtype=float)
    return _bootstrapped(len(x), lambda rows: _spearman(x[rows], y[rows]), "bootstrap over pairs")


def rank_correlation_within(measure: Sequence[float], gain: Sequence[float], target: Sequence[str]) -> Metric:
    """Return the mean over targets of the rank correlation over sources, with a bootstrap interval over targets.

    Args:
        measure, gain: as of `rank_correlation`.
        target: of each pair. Targets with fewer than three sources are ignored.
    """
    x, y, names = np.asarray(measure, dtype=float), np.asarray(gain, dtype=float), np.asarray(target)
    within = [_spearman(x[names == name], y[names == name]) for name in dict.fromkeys(target)]
    values = np.array([value for value in within if np.isfinite(value)])
    return _bootstrapped(len(values), lambda rows: float(values[rows].mean()), "bootstrap over targets")


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def _bootstrapped(n: int, value: Callable[[np.ndarray], float], method: str) -> Metric:
    estimate = value(np.arange(n)) if n else math.nan
    if not math.isfinite(estimate):
        return Metric(value=None, method=method)
    generator = np.random.default_rng(0)
    resampled = np.array([value(generator.integers(0, n, n)) for _ in range(_N_RESAMPLES)])
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    low, high = np.quantile(resampled[np.isfinite(resampled)], ends) if n > 2 else (None, None)
    return Metric(
        value=estimate,
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        method=method,
    )
