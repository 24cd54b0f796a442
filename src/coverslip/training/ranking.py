"""Which of two classifiers validation images prefer."""

import numpy as np
import numpy.typing as npt

from coverslip.evaluation import LOWER_IS_BETTER, apply_temperature, fit_temperature, score
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
    """The primary metric, higher is better; by log loss only after calibration, which every classifier gets."""
    if recipe.primary_metric == "log_loss":
        logits = logits / fit_temperature(logits, label)
    value = score(apply_temperature(logits, 1.0), label)[recipe.primary_metric]
    value = -value if recipe.primary_metric in LOWER_IS_BETTER else value
    return value if np.isfinite(value) else float("-inf")
