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


def cross_fitted_rank(logits: Floats, label: Ints, recipe: Recipe) -> tuple[float, float]:
    """As `rank`, each half of the validation images being calibrated by the temperature of the other half.

    Between networks that differ, a temperature that was fitted on the images it is judged by flatters the surer one.
    """
    halves = np.arange(len(label)) % 2
    calibrated = np.empty_like(logits, dtype=np.float64)
    for half in (0, 1):
        temperature = fit_temperature(logits[halves != half], label[halves != half])
        calibrated[halves == half] = apply_temperature(logits[halves == half], temperature)
    metric = METRICS[recipe.primary_metric]
    scores = score(calibrated if metric.needs_calibration else apply_temperature(logits, 1.0), label)
    return metric.as_higher_is_better(scores[metric.name]), -score(calibrated, label)["log_loss"]


def primary_score(logits: Floats, label: Ints, recipe: Recipe) -> float:
    """The primary metric, higher is better."""
    metric = METRICS[recipe.primary_metric]
    if metric.needs_calibration:
        logits = logits / fit_temperature(logits, label)
    return metric.as_higher_is_better(score(apply_temperature(logits, 1.0), label)[metric.name])
