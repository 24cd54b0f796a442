"""Whether a probability of 0.8 is right in 8 of 10 cases, and the one number that mends it.

Temperature scaling after Guo et al. 2017, On Calibration of Modern Neural Networks. It differs from the paper in one
point: the likelihood counts one mistake more than the validation images show (Platt 1999 smooths his targets in the
same way). Without it, a network that is right on every validation image would become certain of everything.

Calibration intercept and slope say whether probabilities are too high on the whole, and whether too extreme: Cox 1958,
Two Further Applications of a Model for Binary Regression; Van Calster et al. 2019, Calibration: the Achilles Heel of
Predictive Analytics. With two classes it is the probability of the second class and how often it is it; with more, the
probability of the predicted class and how often it is right.
"""

from dataclasses import dataclass

import numpy as np

COLDEST, HOTTEST = 0.01, 10_000.0
_STEPS, _ENOUGH, _TOO_STEEP = 60, 1e-10, 50.0  # of Newton's method


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose top probability lies in (low, high]."""

    low: float
    high: float
    n: int
    confidence: float | None  # mean top probability; None where n is 0
    accuracy: float | None


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> float:
    """Return the number that logits are divided by so that probabilities fit the validation images best.

    Args:
        logits: (n_images, n_classes) float.
        label: (n_images,) int in [0, n_classes).

    Returns:
        A float in [0.01, 10,000]: above 1 the network was too sure of itself, below 1 too modest. 1.0 where nothing can
        be learnt: no images, fewer than 2 classes, or logits that are all equal.
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


def temperature_loss(logits: np.ndarray, label: np.ndarray, temperature: float) -> float:
    """What `fit_temperature` minimizes: mean cross-entropy with one imagined mistake shared out over the images."""
    n_images, n_classes = logits.shape
    log_probability = _log_softmax(logits / temperature)
    true = log_probability[np.arange(n_images), label]
    others = (log_probability.sum(axis=1) - true) / (n_classes - 1)
    doubt = 1 / (n_images + 2)
    return float(-((1 - doubt) * true + doubt * others).mean())


def apply_temperature(logits: np.ndarray, temperature: float) -> np.ndarray:
    """(n_images, n_classes) probabilities: softmax of logits / temperature. The order of classes never changes."""
    return np.asarray(np.exp(_log_softmax(np.asarray(logits, dtype=np.float64) / temperature)))


def without_temperature(probability: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    """Return the softmax of the logits as the network gave them, from probabilities that `apply_temperature` made.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        temperature: above 0; one for all, or (n_images,).

    Returns:
        (n_images, n_classes) float. Logits are known from probabilities up to a constant, which softmax forgets.
    """
    logits = np.log(np.maximum(probability, np.finfo(np.float64).tiny)) * np.reshape(temperature, (-1, 1))
    return apply_temperature(logits, 1.0)


def expected_calibration_error(probability: np.ndarray, label: np.ndarray, *, n_bins: int = 15) -> float:
    """Average gap between confidence and accuracy, weighted by bin size.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        n_bins: equal-width bins of the top probability over (0, 1].

    Returns:
        A float in [0, 1]; 0 is perfect. With few images it overstates the gap of a calibrated network: report n
        beside it.

    Raises:
        ValueError: there are no images, or the shapes disagree.
    """
    if len(label) == 0 or probability.shape[:1] != np.shape(label):
        raise ValueError(
            f"probability {probability.shape} and label {np.shape(label)} need the same number of images, > 0"
        )
    gap = np.bincount(confidence_bin(probability, n_bins), weights=confidence_minus_accuracy(probability, label))
    return float(np.abs(gap).sum() / len(label))


def expected_error_of_calibrated(probability: np.ndarray, *, n_bins: int = 15) -> float:
    """Return the expected calibration error that these very probabilities would show if they were perfectly calibrated.

    Even then the share that is right differs from the probability by chance, in small bins much: this is the mean of
    `calibration_errors_by_chance`. Args as there.
    """
    return float(calibration_errors_by_chance(probability, n_bins=n_bins).mean())


def calibration_errors_by_chance(probability: np.ndarray, *, n_bins: int = 15) -> np.ndarray:
    """Return simulated expected calibration errors of a perfectly calibrated classifier with these probabilities.

    In each simulation, every image is right with its top probability.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        n_bins: as in `expected_calibration_error`.

    Returns:
        (n_simulations,) float; 20 to 200, fewer for many images.
    """
    generator, confidence = np.random.default_rng(0), probability.max(axis=1)
    bins = confidence_bin(probability, n_bins)
    n_draws = int(np.clip(2e6 / len(confidence), 20, 200))  # many images need few for the same precision
    errors = np.empty(n_draws)
    for k in range(n_draws):
        gap = np.bincount(bins, weights=confidence - (generator.random(len(confidence)) < confidence))
        errors[k] = np.abs(gap).sum() / len(confidence)
    return errors


def reliability_bins(probability: np.ndarray, label: np.ndarray, *, n_bins: int = 15) -> list[ReliabilityBin]:
    """Return the bins behind the expected calibration error, low to high; empty ones are kept. Args as there."""
    bins = confidence_bin(probability, n_bins)
    confidence, is_right = probability.max(axis=1), probability.argmax(axis=1) == label
    return [
        ReliabilityBin(
            low=b / n_bins,
            high=(b + 1) / n_bins,
            n=int(inside.sum()),
            confidence=float(confidence[inside].mean()) if inside.any() else None,
            accuracy=float(is_right[inside].mean()) if inside.any() else None,
        )
        for b in range(n_bins)
        for inside in (bins == b,)
    ]


def confidence_bin(probability: np.ndarray, n_bins: int) -> np.ndarray:
    """Return (n_images,) int: the bin of each top probability; bins are closed on the right, as in the paper."""
    bins: np.ndarray = np.clip(np.ceil(probability.max(axis=1) * n_bins).astype(int) - 1, 0, n_bins - 1)
    return bins


def confidence_minus_accuracy(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (n_images,) float: top probability minus 1 where the prediction is right, minus 0 where it is wrong."""
    gap: np.ndarray = probability.max(axis=1) - (probability.argmax(axis=1) == label)
    return gap


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_probability


@dataclass(frozen=True, slots=True)
class LineNumber:
    """The intercept or the slope."""

    value: float  # NaN where no line fits: all right, all wrong, or separated by the probability without an error
    of_image: np.ndarray  # (n_images,) derivative by the weight of each image


def calibration_line(probability: np.ndarray, label: np.ndarray) -> tuple[LineNumber, LineNumber]:
    """Intercept (at slope 1) and slope (with an intercept of its own) of the logit of what is right on that given.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
    """
    is_right, predicted_logit = _binary(probability, label)
    ones = np.ones((len(label), 1))
    intercept = _fitted(ones, predicted_logit, is_right)
    slope = _fitted(np.column_stack([ones, predicted_logit]), np.zeros(len(label)), is_right)
    return intercept, slope


def _binary(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is right, and the logit that was given to it; (n_images,) each."""
    from scipy.special import logit

    top = probability.argmax(axis=1)
    score, is_right = (
        (probability[:, 1], label == 1) if probability.shape[1] == 2 else (probability.max(axis=1), top == label)
    )
    tiny = np.finfo(np.float64).eps
    return is_right.astype(np.float64), logit(np.clip(score.astype(np.float64), tiny, 1 - tiny))


def _fitted(columns: np.ndarray, offset: np.ndarray, is_right: np.ndarray) -> LineNumber:
    """Return the last coefficient of a logistic regression by Newton's method."""
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
