"""Calibration of probabilities: temperature scaling, calibration error, reliability bins, intercept and slope.

Temperature scaling follows Guo et al. 2017, On Calibration of Modern Neural Networks. It differs from the paper in one
point: the likelihood includes one error more than the validation images have (Platt 1999 smooths targets in the same
way). Without it, a network without errors on validation images would get probabilities of 0 and 1.

This temperature makes probabilities too low on average, because a few unusual images dominate the likelihood. The
temperature at which the mean probability is the accuracy (Clarté et al. 2023, Expectation Consistency for Calibration
of Neural Networks) is nearly unbiased, but unreliable with few errors. The temperature of a classifier is between them,
according to the number of errors (benchmarks/NOT_KEPT.md).

The calibration intercept shows whether probabilities are too high on average, and the slope whether they are too
extreme (Cox 1958, Two Further Applications of a Model for Binary Regression; Van Calster et al. 2019, Calibration: the
Achilles Heel of Predictive Analytics). With two classes, both compare the probability of the second class with its
frequency. With more classes, they compare the probability of the predicted class with the accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COLDEST, HOTTEST = 0.01, 10_000.0
_ERRORS_FOR_HALF = 30  # errors with which both temperatures count equally
_STEPS, _ENOUGH, _TOO_STEEP = 60, 1e-10, 50.0  # of Newton's method


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose top probability lies in (low, high]."""

    low: float
    high: float
    n: int
    confidence: float | None  # mean top probability; None if n is 0
    accuracy: float | None


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature: the divisor of logits with which probabilities fit the validation images best.

    Args:
        logits: (n_images, n_classes) float.
        label: (n_images,) int in [0, n_classes).

    Returns:
        A float in [0.01, 10,000]: above 1 if the network was overconfident, below 1 if it was underconfident. 1.0 if
        it cannot be estimated: there are no images, fewer than 2 classes, or all logits are equal.
    """
    from scipy.optimize import minimize_scalar

    logits = np.asarray(logits, dtype=np.float64)
    if len(label) == 0 or logits.shape[1] < 2 or not np.ptp(logits, axis=1).any():
        return 1.0
    optimum = minimize_scalar(
        lambda log_temperature: temperature_loss(logits, label, float(np.exp(log_temperature))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(optimum.x))


def calibrated_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature of a classifier, between the two estimates. Args and range as of `fit_temperature`."""
    by_likelihood, by_accuracy = fit_temperature(logits, label), matching_temperature(logits, label)
    n_wrong = int(np.sum(logits.argmax(axis=1) != label)) if len(label) else 0
    share = n_wrong / (n_wrong + _ERRORS_FOR_HALF)
    return float(by_likelihood ** (1 - share) * by_accuracy**share)


def matching_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature at which the mean probability of the predicted class is the accuracy. Args as above.

    The accuracy is that of half a correct and half an incorrect image more (Jeffreys), so that it is never 1.

    Returns:
        A float in [0.01, 10,000]; 1.0 if it cannot be estimated, as for `fit_temperature`.
    """
    from scipy.optimize import brentq

    logits = np.asarray(logits, dtype=np.float64)
    if len(label) == 0 or logits.shape[1] < 2 or not np.ptp(logits, axis=1).any():
        return 1.0
    accuracy = (np.sum(logits.argmax(axis=1) == label) + 0.5) / (len(label) + 1)

    def excess(log_temperature: float) -> float:
        return float(apply_temperature(logits, float(np.exp(log_temperature))).max(axis=1).mean() - accuracy)

    low, high = np.log(COLDEST), np.log(HOTTEST)
    if excess(low) <= 0 or excess(high) >= 0:
        return COLDEST if excess(low) <= 0 else HOTTEST
    return float(np.exp(brentq(excess, low, high, xtol=1e-6)))


def temperature_loss(logits: np.ndarray, label: np.ndarray, temperature: float) -> float:
    """Return the loss that `fit_temperature` minimizes: mean cross-entropy with one error spread over all images."""
    n_images, n_classes = logits.shape
    log_probability = _log_softmax(logits / temperature)
    true = log_probability[np.arange(n_images), label]
    others = (log_probability.sum(axis=1) - true) / (n_classes - 1)
    smoothing = 1 / (n_images + 2)
    return float(-((1 - smoothing) * true + smoothing * others).mean())


def apply_temperature(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Return (n_images, n_classes) probabilities: softmax of logits / temperature. It keeps the order of classes."""
    return np.asarray(np.exp(_log_softmax(np.asarray(logits, dtype=np.float64) / temperature)))


def without_temperature(probability: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    """Return the softmax of the original logits, from probabilities that `apply_temperature` returned.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        temperature: above 0; a single value for all images, or (n_images,).

    Returns:
        (n_images, n_classes) float. Probabilities define logits up to a constant, which softmax ignores.
    """
    logits = np.log(np.maximum(probability, np.finfo(np.float64).tiny)) * np.reshape(temperature, (-1, 1))
    return apply_temperature(logits, 1.0)


N_BINS = 15  # of equal width, of the top probability over (0, 1]


def expected_calibration_error(probability: np.ndarray, label: np.ndarray) -> float:
    """Return the expected calibration error: the mean gap between confidence and accuracy, weighted by bin size.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).

    Returns:
        A float in [0, 1]; 0 is perfect. With few images, chance increases it: show `error_above_chance`
        instead.

    Raises:
        ValueError: there are no images, or the shapes disagree.
    """
    if len(label) == 0 or probability.shape[:1] != np.shape(label):
        raise ValueError(
            f"probability {probability.shape} and label {np.shape(label)} need the same number of images, > 0"
        )
    gap = np.bincount(confidence_bin(probability), weights=confidence_minus_accuracy(probability, label))
    return float(np.abs(gap).sum() / len(label))


def expected_error_of_calibrated(probability: np.ndarray) -> float:
    """Return the calibration error expected by chance for these probabilities, if they were perfectly calibrated.

    It is a mean of 20 to 200 simulations, fewer for many images. In each, each prediction of independent images is
    correct with its top probability. Accuracy then differs from confidence by chance, most in small bins.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
    """
    generator, confidence = np.random.default_rng(0), probability.max(axis=1)
    bins = confidence_bin(probability)
    n_draws = int(np.clip(2e6 / len(confidence), 20, 200))  # with many images, few simulations are as precise
    errors = np.empty(n_draws)
    for k in range(n_draws):
        gap = np.bincount(bins, weights=confidence - (generator.random(len(confidence)) < confidence))
        errors[k] = np.abs(gap).sum() / len(confidence)
    return float(errors.mean())


def design_effect_in_bins(probability: np.ndarray, label: np.ndarray, unit: np.ndarray) -> float:
    """Return how much larger the variance of gaps is than that of independent images, since units resemble each other.

    Args:
        probability, label: as in `expected_calibration_error`.
        unit: (n_images,) int: the group of each image.

    Returns:
        A float of at least 1: the ratio of the sums over bins, each divided by what independent images have on average.
    """
    bins, gap = confidence_bin(probability), confidence_minus_accuracy(probability, label)
    n = np.bincount(bins, minlength=N_BINS)
    residual = gap - (np.bincount(bins, weights=gap, minlength=N_BINS) / np.maximum(n, 1))[bins]
    _, cell = np.unique(bins * (int(unit.max()) + 1) + unit, return_inverse=True)
    bin_of_cell = np.zeros(int(cell.max()) + 1, int)
    bin_of_cell[cell] = bins
    n_of_cell, of_cell = np.bincount(cell), np.bincount(cell, weights=residual)
    of_units = len(gap) - float((n_of_cell**2 / n[bin_of_cell]).sum())
    of_images = float((n - 1)[n > 0].sum())
    if of_units <= 0 or not residual.any():
        return 1.0
    return max(1.0, float((of_cell**2).sum()) / of_units / (float((residual**2).sum()) / of_images))


def error_above_chance(error: np.ndarray, by_chance: float) -> np.ndarray:
    """Return calibration errors without the part that is expected by chance.

    Gaps by chance and true gaps add up as variances do, so squares are subtracted. Values below 0 are errors smaller
    than expected by chance. They are kept, since without them the mean over test sets would be too high.

    Source: benchmarks/calibration.py compares it with known errors.
    """
    excess = error**2 - by_chance**2
    signed: np.ndarray = np.sign(excess) * np.sqrt(np.abs(excess))
    return signed


def reliability_bins(probability: np.ndarray, label: np.ndarray) -> list[ReliabilityBin]:
    """Return the bins of `expected_calibration_error`, low to high, including empty bins. Args as of that function."""
    bins = confidence_bin(probability)
    confidence, is_correct = probability.max(axis=1), probability.argmax(axis=1) == label
    return [
        ReliabilityBin(
            low=b / N_BINS,
            high=(b + 1) / N_BINS,
            n=int(inside.sum()),
            confidence=float(confidence[inside].mean()) if inside.any() else None,
            accuracy=float(is_correct[inside].mean()) if inside.any() else None,
        )
        for b in range(N_BINS)
        for inside in (bins == b,)
    ]


def merged_bins(bins: Sequence[ReliabilityBin], fewest: int) -> list[ReliabilityBin]:
    """Return neighboring bins together, so that each has `fewest` images or more; without images, none.

    The accuracy of a bin with one or two images is 0, 0.5 or 1, whatever the probabilities are.
    """
    merged: list[ReliabilityBin] = []
    n_left = sum(each.n for each in bins)
    for each in bins:
        is_open = bool(merged) and (merged[-1].n < fewest or n_left < fewest)
        merged = [*merged[:-1], _together(merged[-1], each)] if is_open else [*merged, each]
        n_left -= each.n
    return [each for each in merged if each.n]


def _together(first: ReliabilityBin, second: ReliabilityBin) -> ReliabilityBin:
    n = first.n + second.n

    def mean(of_first: float | None, of_second: float | None) -> float | None:
        return ((of_first or 0) * first.n + (of_second or 0) * second.n) / n if n else None

    confidence, accuracy = mean(first.confidence, second.confidence), mean(first.accuracy, second.accuracy)
    return ReliabilityBin(first.low, second.high, n, confidence, accuracy)


def confidence_bin(probability: np.ndarray) -> np.ndarray:
    """Return (n_images,) int: the bin of each top probability; bins are closed on the right, as in the paper."""
    bins: np.ndarray = np.clip(np.ceil(probability.max(axis=1) * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    return bins


def confidence_minus_accuracy(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (n_images,) float: top probability minus 1 if the prediction is correct, else minus 0."""
    gap: np.ndarray = probability.max(axis=1) - (probability.argmax(axis=1) == label)
    return gap


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_probability


@dataclass(frozen=True, slots=True)
class LineParameter:
    """The intercept or the slope of the calibration line."""

    value: float  # NaN if no line fits: all are correct, all are wrong, or probabilities separate both
    of_image: np.ndarray  # (n_images,) derivative by the weight of each image


def calibration_line(probability: np.ndarray, label: np.ndarray) -> tuple[LineParameter, LineParameter]:
    """Return the intercept (with slope 1) and the slope (with a free intercept) of the calibration line.

    The line relates the log-odds of correct predictions to the predicted log-odds.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
    """
    is_correct, predicted_logit = _binary(probability, label)
    ones = np.ones((len(label), 1))
    intercept = _fitted(ones, predicted_logit, is_correct)
    slope = _fitted(np.column_stack([ones, predicted_logit]), np.zeros(len(label)), is_correct)
    return intercept, slope


def _binary(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the binary outcome and its predicted logit; (n_images,) each."""
    from scipy.special import logit

    top = probability.argmax(axis=1)
    score, is_correct = (
        (probability[:, 1], label == 1) if probability.shape[1] == 2 else (probability.max(axis=1), top == label)
    )
    tiny = np.finfo(np.float64).eps
    return is_correct.astype(np.float64), logit(np.clip(score.astype(np.float64), tiny, 1 - tiny))


def _fitted(columns: np.ndarray, offset: np.ndarray, is_correct: np.ndarray) -> LineParameter:
    """Return the last coefficient of a logistic regression by Newton's method."""
    from scipy.special import expit

    missing = LineParameter(float("nan"), np.zeros(len(is_correct)))
    if is_correct.all() or not is_correct.any():
        return missing
    coefficients = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        expected = expit(columns @ coefficients + offset)
        curvature = (columns * (expected * (1 - expected))[:, None]).T @ columns
        if np.linalg.cond(curvature) > 1 / _ENOUGH:
            return missing
        step = np.linalg.solve(curvature, columns.T @ (is_correct - expected))
        coefficients = coefficients + np.clip(step, -2, 2)
        if np.abs(step).max() < _ENOUGH:
            by_image = np.linalg.solve(curvature, columns.T * (is_correct - expected))
            return LineParameter(float(coefficients[-1]), by_image[-1])
        if np.abs(coefficients[-1]) > _TOO_STEEP:
            return missing
    return missing
