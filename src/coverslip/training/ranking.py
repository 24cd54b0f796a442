"""Comparison of two classifiers by validation images."""

import numpy as np
import numpy.typing as npt

from coverslip.evaluation import METRICS, apply_temperature, fit_temperature
from coverslip.runs import Recipe

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_N_RESAMPLES = 60
_NOISE_SHARE = 0.5  # of a standard error: smaller differences are mostly chance
_SIGNIFICANT_ERRORS = 2.0  # standard errors of a significant difference


def rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """Return the primary metric and the negative calibrated log loss, which breaks ties; higher is better.

    Args:
        logits: (n_val, K).
        label: (n_val,) int in [0, K).
        recipe: names the primary metric.
    """
    return primary_score(logits, label, recipe), -calibrated_log_loss(logits, label)


def calibrated_log_loss(logits: Floats, label: Ints) -> float:
    """Return the log loss of (n, K) logits at their best temperature."""
    return _value("log_loss", apply_temperature(logits, fit_temperature(logits, label)), label)


def is_preferred(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Return whether a classifier is better than another on validation images.

    The primary metric decides if it differs by more than half of the standard error of the difference. A smaller
    difference is mostly chance: two images of a rare class can reverse it. Then the calibrated log loss decides, to
    which every image contributes by the probability of its class.

    Args:
        challenger: (n_val, K) logits.
        incumbent: (n_val, K) logits of the classifier that is kept if neither is better.
        label: (n_val,) int in [0, K).
        recipe: names the primary metric; its seed draws the resampled images.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    difference = new[0] - old[0]
    if not np.isfinite(difference):  # not defined for at least one of them
        return new > old
    if abs(difference) > _NOISE_SHARE * _difference_error(challenger, incumbent, label, recipe):
        return difference > 0
    return new[1] > old[1]


def is_significantly_worse(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Return whether a classifier is significantly worse than another on validation images.

    It is if the primary metric is lower by more than two standard errors of the difference. If the metric is not
    defined, the calibrated log loss decides. With about fifty validation images, the error is about as large as the
    usual gain by fine-tuning, and favors the instant classifier, whose shrinkage was selected on these images
    (benchmarks/NOT_KEPT.md).

    Args:
        challenger, incumbent, label, recipe: as for `is_preferred`.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    if not np.isfinite(new[0] - old[0]):
        return new < old
    return old[0] - new[0] > _SIGNIFICANT_ERRORS * _difference_error(challenger, incumbent, label, recipe)


def _difference_error(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> float:
    """Return the bootstrap standard error of the difference of two classifiers in the primary metric."""
    metric, generator = METRICS[recipe.primary_metric], np.random.default_rng(recipe.seed)
    pair = [
        apply_temperature(logits, fit_temperature(logits, label) if metric.needs_calibration else 1.0)
        for logits in (challenger, incumbent)
    ]
    differences = []
    for _ in range(_N_RESAMPLES):
        drawn = generator.integers(len(label), size=len(label))
        new, old = (metric.value(p[drawn], label[drawn], p[drawn].argmax(axis=1)) for p in pair)
        differences.append(new - old)
    defined = np.array(differences)[np.isfinite(differences)]
    return float(defined.std()) if len(defined) else 0.0


def primary_score(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """Return the primary metric with the sign for which higher is better."""
    return METRICS[recipe.primary_metric].as_higher_is_better(primary_value(logits, label, recipe))


def primary_value(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """Return the primary metric as displayed."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return _value(metric.name, apply_temperature(logits, 1.0), label)


def _value(metric: str, probability: Floats, label: Ints) -> float:
    """Return a single metric: with many classes, AUROC takes longer than all other metrics."""
    return METRICS[metric].value(probability, label, probability.argmax(axis=1))
