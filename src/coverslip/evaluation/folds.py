"""What several folds say together: their mean, and how far it could be off though they share training images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coverslip.evaluation.intervals import Interval

METHOD = "corrected resampled t over folds"


def over_folds(
    found: Sequence[Mapping[str, Any]],  # Any: JSON values
    n_train: Sequence[int],
    *,
    level: float = 0.95,
) -> dict[str, Any]:
    """Each fold's numbers and their mean, for `metrics.json`.

    The folds' networks share most of their training images, so their scores vary less than those of independent
    trainings would. The standard error is corrected for that: s² (1/k + n_test/n_train) in place of s²/k (Nadeau and
    Bengio 2003, Inference for the Generalization Error).

    Args:
        found: what each fold's `metrics.json` holds, in the order of the folds.
        n_train: images that each fold was trained on.
        level: nominal coverage in (0, 1).

    Returns:
        `per_fold`, a list with each fold's number, n, n_groups and metrics, and `mean`, by metric.
    """
    ratio = float(np.mean([one["n"] / n for one, n in zip(found, n_train, strict=True)]))
    per_fold = [
        {"fold": k, "n": one["n"], "n_groups": one["n_groups"], "metrics": one["metrics"]}
        for k, one in enumerate(found, start=1)
    ]
    names = found[0]["metrics"]
    mean = {name: _mean(name, [one["metrics"][name]["value"] for one in found], ratio, level) for name in names}
    return {"per_fold": per_fold, "mean": {name: interval.as_json() for name, interval in mean.items()}}


def _mean(name: str, values: Sequence[float | None], test_to_train: float, level: float) -> Interval:
    from scipy.stats import t

    known = np.array([value for value in values if value is not None])
    if len(known) < len(values):
        missing = len(values) - len(known)
        return Interval(None, None, None, level, METHOD, f"{missing} of {len(values)} folds have no such number")
    value = float(known.mean())
    if known.std() < 1e-12:
        return Interval(value, None, None, level, METHOD, "every fold gives the same value: no interval")
    error = np.sqrt(known.var(ddof=1) * (1 / len(known) + test_to_train))
    reach = float(t.ppf((1 + level) / 2, len(known) - 1) * error)
    top = np.inf if name == "log_loss" else 1.0
    return Interval(value, max(value - reach, 0.0), float(min(value + reach, top)), level, METHOD)
