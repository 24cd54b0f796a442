"""Other shares of the classes than among the images that a classifier learnt from: pure functions of arrays.

All of it takes for granted that images of a class look as those of training do, however frequent the class is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.results import Metric
from coverslip.messages import text

Floats = npt.NDArray[np.float64]

METHOD = "Saerens EM, likelihood interval: sampling error of independent images only"
FEWEST_IMAGES = 30  # to estimate shares from
_MOST_STEPS, _CLOSE_ENOUGH = 2000, 1e-8
_N_HALVINGS = 24
_Z = 1.959964  # of 95 %
_FAR_FROM_AN_END = 5  # images of a class, or of the others: from there on the curvature tells how sure its share is


@dataclass(frozen=True, slots=True)
class PredictiveValues:
    """How often a positive and a negative answer are right where the positive class has that share."""

    prevalence: float
    ppv: float | None  # None: nothing is called positive
    npv: float | None


def log_ratios(prior: Sequence[float], prevalence: Sequence[float]) -> Floats:
    """Return (K,) what to add to log-probabilities so that they are of images among which classes have other shares.

    Elkan 2001, The Foundations of Cost-Sensitive Learning, theorem 2.
    """
    return np.log(np.asarray(prevalence, np.float64)) - np.log(np.asarray(prior, np.float64))


def at_prevalence(probability: Floats, prior: Sequence[float], prevalence: Sequence[float]) -> Floats:
    """(n, K) probabilities where classes have other shares than those that the probabilities take for granted."""
    weighted = probability * np.exp(log_ratios(prior, prevalence))
    shares: Floats = weighted / weighted.sum(axis=1, keepdims=True)
    return shares


def estimated_shares(probability: Floats, prior: Sequence[float]) -> tuple[Metric, ...]:
    """Return the share of each class among images, from their probabilities.

    Expectation maximization (Saerens, Latinne and Decaestecker 2002, Adjusting the Outputs of a Classifier to New a
    Priori Probabilities). The interval holds the shares of one class that are likely enough, or, where that is wider,
    those by the curvature of the likelihood of all shares. It includes the sampling error of independent images
    (benchmarks/prevalence.py), not differences between groups, such as patients, nor errors of the probabilities: on
    images of new groups it is too narrow (benchmarks/prevalence_groups.py).

    Args:
        probability: (n, K), calibrated where classes have the shares `prior`.
        prior: (K,) above 0.
    """
    n, n_classes = len(probability), len(prior)
    if n < FEWEST_IMAGES:
        reason = text("shares-need-images", n_needed=FEWEST_IMAGES, n_images=n)
        return (Metric(value=None, method=METHOD, reason=reason),) * n_classes
    likelihood = _likelihood(probability, prior)
    share = _most_likely_shares(likelihood, np.asarray(prior, np.float64))
    error = _standard_errors(likelihood, share)
    return tuple(_with_interval(likelihood, share, k, float(error[k])) for k in range(n_classes))


def chance_of_shares(probability: Floats, prior: Sequence[float]) -> float:
    """How often images among which classes have the shares `prior` would fit other shares as much better as these do.

    A likelihood ratio test of all shares together: of intervals of many classes some always miss by chance.

    Args:
        probability: (n, K), calibrated where classes have the shares `prior`; n >= 1.
        prior: (K,) above 0.
    """
    from scipy.special import chdtrc

    expected = np.asarray(prior, np.float64) / sum(prior)
    likelihood = _likelihood(probability, expected)
    share = _most_likely_shares(likelihood, expected)
    gain = 2 * float((np.log(likelihood @ share) - np.log(likelihood @ expected)).sum())
    return float(chdtrc(len(expected) - 1, max(gain, 0.0)))


def _likelihood(probability: Floats, prior: Sequence[float] | Floats) -> Floats:
    """Return (n, K) how likely each class makes an image, beside the likeliest one."""
    likelihood: Floats = probability / np.asarray(prior, np.float64)
    likelihood /= likelihood.max(axis=1, keepdims=True)
    return likelihood


def _most_likely_shares(likelihood: Floats, start: Floats) -> Floats:
    share: Floats = start / start.sum()
    for _ in range(_MOST_STEPS):
        joint = likelihood * share
        newer: Floats = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        is_there = bool(np.abs(newer - share).max() < _CLOSE_ENOUGH)
        share = newer
        if is_there:
            break
    return share


def _standard_errors(likelihood: Floats, share: Floats) -> Floats:
    """Return (K,) by the information of shares that sum to one: those of all classes but the most frequent are free."""
    relative = likelihood / (likelihood @ share)[:, None]  # (n, K): how much likelier a class makes an image
    base = int(share.argmax())
    free = [k for k in range(len(share)) if k != base]
    slope = relative[:, free] - relative[:, [base]]
    covariance = np.linalg.pinv(slope.T @ slope)
    error = np.zeros(len(share))
    error[free] = np.sqrt(np.maximum(covariance.diagonal(), 0))
    error[base] = np.sqrt(max(float(covariance.sum()), 0.0))
    return error


def _with_interval(likelihood: Floats, share: Floats, k: int, error: float) -> Metric:
    value, n = float(share[k]), len(likelihood)
    low, high = _likely_enough(likelihood, share, k)
    if _FAR_FROM_AN_END <= value * n <= n - _FAR_FROM_AN_END:
        low, high = min(low, value - _Z * error), max(high, value + _Z * error)
    return Metric(value=value, low=max(low, 0.0), high=min(high, 1.0), method=METHOD)


def _likely_enough(likelihood: Floats, share: Floats, k: int) -> tuple[float, float]:
    """The shares of class k that a likelihood ratio test at 5 % keeps; the others stand to each other as estimated."""
    value = float(share[k])
    rest = np.delete(share, k)
    rest = rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / len(rest))
    of_class, of_others = likelihood[:, k], np.delete(likelihood, k, axis=1) @ rest

    def is_kept(at: float) -> bool:
        loss = np.log(value * of_class + (1 - value) * of_others) - np.log(
            np.maximum(at * of_class + (1 - at) * of_others, 1e-300)
        )
        return bool(2 * loss.sum() <= _Z**2)

    return _last_kept(is_kept, value, 0.0), _last_kept(is_kept, value, 1.0)


def _last_kept(is_kept: Callable[[float], bool], inside: float, end: float) -> float:
    """By halving."""
    if is_kept(end):
        return end
    outside = end
    for _ in range(_N_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_kept(middle) else (inside, middle)
    return inside


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> PredictiveValues:
    """PPV and NPV by Bayes' theorem."""
    positive = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    negative = 1 - positive
    return PredictiveValues(
        prevalence,
        sensitivity * prevalence / positive if positive > 0 else None,
        specificity * (1 - prevalence) / negative if negative > 0 else None,
    )
