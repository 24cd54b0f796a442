"""Class proportions (prevalence): probabilities for other proportions, and estimates of proportions.

All functions assume label shift: images of a class are distributed as in training, whatever its proportion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.results import Metric
from coverslip.messages import message

Floats = npt.NDArray[np.float64]

SHARES_METHOD = "Saerens EM, likelihood interval: sampling error of independent images only"
FEWEST_FOR_SHARES = 30  # for estimates of proportions
_MOST_STEPS, _CLOSE_ENOUGH = 2000, 1e-8
_N_HALVINGS = 24
_Z = 1.959964  # of 95 %
_FAR_FROM_AN_END = 5  # images of the class, and of the others, for an interval by the curvature of the likelihood


@dataclass(frozen=True, slots=True)
class PredictiveValues:
    """Positive and negative predictive value at a prevalence of the positive class."""

    prevalence: float
    ppv: float | None  # None if nothing is predicted as positive
    npv: float | None


def log_ratios(prior: Sequence[float], prevalence: Sequence[float]) -> Floats:
    """Return (K,) terms that convert log-probabilities from the class proportions `prior` to `prevalence`.

    Source: Elkan 2001, The Foundations of Cost-Sensitive Learning, theorem 2.
    """
    return np.log(np.asarray(prevalence, np.float64)) - np.log(np.asarray(prior, np.float64))


def at_prevalence(probability: Floats, prior: Sequence[float], prevalence: Sequence[float]) -> Floats:
    """Return (n, K) probabilities converted from the class proportions `prior` to `prevalence`."""
    weighted = probability * np.exp(log_ratios(prior, prevalence))
    shares: Floats = weighted / weighted.sum(axis=1, keepdims=True)
    return shares


def estimated_shares(probability: Floats, prior: Sequence[float]) -> tuple[Metric, ...]:
    """Return the estimated proportion of each class among images, from their probabilities.

    The estimate is by expectation maximization (Saerens, Latinne and Decaestecker 2002, Adjusting the Outputs of a
    Classifier to New a Priori Probabilities). The interval is by a likelihood ratio test, or by the curvature of the
    likelihood if that is wider. It includes the sampling error of independent images, but neither differences between
    groups, such as patients, nor errors of the probabilities. For images of new groups it is too narrow.

    Args:
        probability: (n, K), calibrated for the class proportions `prior`.
        prior: (K,) above 0.
    """
    n, n_classes = len(probability), len(prior)
    if n < FEWEST_FOR_SHARES:
        reason = message("shares-need-images", n_needed=FEWEST_FOR_SHARES, n_images=n)
        return (Metric(value=None, method=SHARES_METHOD, reason=reason),) * n_classes
    likelihood = _likelihood(probability, prior)
    share = _most_likely_shares(likelihood, np.asarray(prior, np.float64))
    error = _standard_errors(likelihood, share)
    return tuple(_with_interval(likelihood, share, k, float(error[k])) for k in range(n_classes))


def chance_of_shares(probability: Floats, prior: Sequence[float]) -> float:
    """Return the p-value of a likelihood ratio test of the class proportions `prior`.

    The test is for all proportions together, since of many intervals some exclude the true value by chance.

    Args:
        probability: (n, K), calibrated for the class proportions `prior`; n >= 1.
        prior: (K,) above 0.
    """
    from scipy.special import chdtrc

    expected = np.asarray(prior, np.float64) / sum(prior)
    likelihood = _likelihood(probability, expected)
    share = _most_likely_shares(likelihood, expected)
    gain = 2 * float((np.log(likelihood @ share) - np.log(likelihood @ expected)).sum())
    return float(chdtrc(len(expected) - 1, max(gain, 0.0)))


def _likelihood(probability: Floats, prior: Sequence[float] | Floats) -> Floats:
    """Return (n, K) likelihoods of the classes, relative to the largest of each image."""
    likelihood: Floats = probability / np.asarray(prior, np.float64)
    likelihood /= likelihood.max(axis=1, keepdims=True)
    return likelihood


def _most_likely_shares(likelihood: Floats, start: Floats) -> Floats:
    share: Floats = start / start.sum()
    for _ in range(_MOST_STEPS):
        joint = likelihood * share
        new_share: Floats = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        is_converged = bool(np.abs(new_share - share).max() < _CLOSE_ENOUGH)
        share = new_share
        if is_converged:
            break
    return share


def _standard_errors(likelihood: Floats, share: Floats) -> Floats:
    """Return (K,) from the Fisher information. Proportions sum to 1, so that of the most frequent class is not free."""
    relative = likelihood / (likelihood @ share)[:, None]  # (n, K): likelihood ratio of a class to the mixture
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
    low, high = _likelihood_interval(likelihood, share, k)
    if _FAR_FROM_AN_END <= value * n <= n - _FAR_FROM_AN_END:
        low, high = min(low, value - _Z * error), max(high, value + _Z * error)
    return Metric(value=value, low=max(low, 0.0), high=min(high, 1.0), method=SHARES_METHOD)


def _likelihood_interval(likelihood: Floats, share: Floats, k: int) -> tuple[float, float]:
    """Return the likelihood ratio interval of class k; the other classes keep their estimated ratios."""
    value = float(share[k])
    rest = np.delete(share, k)
    rest = rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / len(rest))
    of_class, of_rest = likelihood[:, k], np.delete(likelihood, k, axis=1) @ rest

    def is_accepted(at: float) -> bool:
        loss = np.log(value * of_class + (1 - value) * of_rest) - np.log(
            np.maximum(at * of_class + (1 - at) * of_rest, 1e-300)
        )
        return bool(2 * loss.sum() <= _Z**2)

    return _last_accepted(is_accepted, value, 0.0), _last_accepted(is_accepted, value, 1.0)


def _last_accepted(is_accepted: Callable[[float], bool], inside: float, end: float) -> float:
    """Return the last accepted value between `inside` and `end`, by bisection."""
    if is_accepted(end):
        return end
    outside = end
    for _ in range(_N_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if is_accepted(middle) else (inside, middle)
    return inside


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> PredictiveValues:
    """Return PPV and NPV by Bayes' theorem."""
    positive = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    negative = 1 - positive
    return PredictiveValues(
        prevalence,
        sensitivity * prevalence / positive if positive > 0 else None,
        specificity * (1 - prevalence) / negative if negative > 0 else None,
    )
