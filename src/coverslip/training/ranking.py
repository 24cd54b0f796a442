"""Which of two classifiers validation images prefer."""

import numpy as np
import numpy.typing as npt

from coverslip.evaluation import METRICS, apply_temperature, fit_temperature
from coverslip.runs import Recipe

_N_RESAMPLES = 60
_NOISE_SHARE = 0.5  # of a standard error: a smaller difference is mostly chance
_ERRORS_TO_SHOW = 2.0  # standard errors: the usual sign of a difference that is not chance

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """The primary metric, then the calibrated log loss where that is equal; higher is better.

    Args:
        logits: (n_val, K).
        label: (n_val,) int in [0, K).
        recipe: names the primary metric.
    """
    return primary_score(logits, label, recipe), -calibrated_log_loss(logits, label)


def calibrated_log_loss(logits: Floats, label: Ints) -> float:
    """The log loss of (n, K) logits at the temperature that is best for them."""
    return _value("log_loss", apply_temperature(logits, fit_temperature(logits, label)), label)


def is_preferred(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Whether validation images prefer one classifier to another.

    The primary metric decides where it differs by more than half of the standard error of that difference. Where it
    does not, the difference is mostly chance: two images of a rare class turn it round. Then the calibrated log loss
    decides, to which every image contributes by the probability of its class.

    Args:
        challenger: (n_val, K) logits.
        incumbent: (n_val, K) logits of what is kept where neither is preferred.
        label: (n_val,) int in [0, K).
        recipe: names the primary metric; its seed draws the resampled images.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    difference = new[0] - old[0]
    if not np.isfinite(difference):  # it is not defined for one of them, or for both
        return new > old
    if abs(difference) > _NOISE_SHARE * _difference_error(challenger, incumbent, label, recipe):
        return difference > 0
    return new[1] > old[1]


def is_significantly_worse(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> bool:
    """Whether validation images show a classifier to be worse that was expected to be better.

    They do where the primary metric is lower by more than two standard errors of the difference; where that is not
    defined, the calibrated log loss decides. Some fifty validation images err by about as much as fine-tuning
    usually gains, and against it: they have chosen the shrinkage of the instant classifier (benchmarks/RESULTS.md).

    Args:
        challenger, incumbent, label, recipe: as for `is_preferred`.
    """
    new, old = rank(challenger, label, recipe), rank(incumbent, label, recipe)
    if not np.isfinite(new[0] - old[0]):
        return new < old
    return old[0] - new[0] > _ERRORS_TO_SHOW * _difference_error(challenger, incumbent, label, recipe)


def _difference_error(challenger: Floats, incumbent: Floats, label: Ints, recipe: Recipe) -> float:
    """Standard error of how much two classifiers differ in the primary metric, over images drawn again and again."""
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
    """The primary metric, higher is better."""
    return METRICS[recipe.primary_metric].as_higher_is_better(primary_value(logits, label, recipe))


def primary_value(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """The primary metric as it is shown."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return _value(metric.name, apply_temperature(logits, 1.0), label)


def _value(metric: str, probability: Floats, label: Ints) -> float:
    """One metric alone: of many classes AUROC takes longer than all others."""
    return METRICS[metric].value(probability, label, probability.argmax(axis=1))
