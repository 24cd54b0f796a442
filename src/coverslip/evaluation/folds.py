"""What several folds say together: their mean, and how far it could be off though they share training images."""

from collections.abc import Sequence

import numpy as np

from coverslip.evaluation.results import LEVEL, Evaluation, FoldScores, FoldsScores, Metric
from coverslip.evaluation.table import METRICS

METHOD = "corrected resampled t over folds"


def over_folds(evaluations: Sequence[Evaluation], n_train: Sequence[int]) -> FoldsScores:
    """Each fold's numbers and their mean.

    The folds' networks share most of their training images, so their scores vary less than those of independent
    trainings would. The standard error is corrected for that: s² (1/k + n_test/n_train) in place of s²/k (Nadeau and
    Bengio 2003, Inference for the Generalization Error).

    Args:
        evaluations: the numbers of the images that each fold tested, in the order of the folds.
        n_train: images that each fold was trained on.
    """
    ratio = float(np.mean([tested.n / n for tested, n in zip(evaluations, n_train, strict=True)]))
    per_fold = tuple(
        FoldScores(fold=k, n=tested.n, n_groups=tested.n_groups, n_train=n, metrics=tested.metrics)
        for k, (tested, n) in enumerate(zip(evaluations, n_train, strict=True), start=1)
    )
    mean = {name: _mean(name, [tested[name].value for tested in evaluations], ratio) for name in evaluations[0].metrics}
    return FoldsScores(per_fold=per_fold, mean=mean)


def _mean(name: str, values: Sequence[float | None], test_to_train: float) -> Metric:
    from scipy.special import stdtrit

    known = np.array([value for value in values if value is not None])
    if len(known) < len(values):
        missing = f"{len(values) - len(known)} of {len(values)} folds have no such number"
        return Metric(value=None, method=METHOD, reason=missing)
    value = float(known.mean())
    if known.std() < 1e-12:
        return Metric(value=value, method=METHOD, reason="every fold gives the same value: no interval")
    error = np.sqrt(known.var(ddof=1) * (1 / len(known) + test_to_train))
    reach = float(stdtrit(len(known) - 1, (1 + LEVEL) / 2) * error)
    top = 1.0 if METRICS[name].scale == "share" else np.inf
    low, high = max(value - reach, 0.0), float(min(value + reach, top))
    return Metric(value=value, low=low, high=high, method=METHOD)
