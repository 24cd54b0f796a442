"""Which of two classifiers validation images prefer."""

import numpy as np
import numpy.typing as npt

from coverslip.evaluation import METRICS, apply_temperature, fit_temperature, score
from coverslip.runs import Recipe

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """The primary metric, then the calibrated log loss where that is equal; higher is better.

    Args:
        logits: (n_val, K).
        label: (n_val,) int in [0, K).
        recipe: names the primary metric.
    """
    calibrated = apply_temperature(logits, fit_temperature(logits, label))
    return primary_score(logits, label, recipe), -score(calibrated, label)["log_loss"]


def primary_score(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """The primary metric, higher is better."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return metric.as_higher_is_better(score(apply_temperature(logits, 1.0), label)[metric.name])
