"""What several folds say together, and how far it could be off though they share training images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coverslip.evaluation.results import LEVEL, Evaluation, FoldScores, FoldsScores, Metric
from coverslip.evaluation.table import METRICS, RANGES

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


def with_folds(pooled: Evaluation, folds: FoldsScores, *, n_images: int) -> Evaluation:
    """The pooled numbers, with intervals for what they estimate: classifiers trained on as many images as the folds'.

    Which images were measured is one part of the luck, and which were trained on the other. The interval of pooled
    predictions knows only the first. So each end is the further of its own and of the corrected resampled t's, whose
    reach is set about the pooled number.

    Args:
        pooled: numbers of all images, each as the fold that tested it predicted it.
        folds: of these images.
        n_images: all that the folds divided.
    """
    share = float(np.mean([fold.n_train for fold in folds.per_fold])) / n_images
    metrics = {name: _of_both(name, metric, folds.mean.get(name), share) for name, metric in pooled.metrics.items()}
    return replace(pooled, metrics=metrics, folds=folds)


def _of_both(name: str, pooled: Metric, mean: Metric | None, share: float) -> Metric:
    if pooled.value is None or pooled.low is None or pooled.high is None:
        return pooled
    of_what = f"for classifiers trained on {share:.0%} of the images"
    if mean is None or mean.value is None or mean.low is None or mean.high is None:
        return replace(pooled, method=f"{pooled.method}, out-of-fold: {of_what}; it does not allow for their luck")
    bottom, top = RANGES[METRICS[name].scale]
    low = min(pooled.low, max(pooled.value - (mean.value - mean.low), bottom))
    high = max(pooled.high, min(pooled.value + (mean.high - mean.value), top))
    method = f"{METHOD}, or {pooled.method}, whichever reaches further; {of_what}"
    return replace(pooled, low=low, high=high, method=method)


def _mean(name: str, values: Sequence[float | None], test_to_train: float) -> Metric:
    from scipy.special import stdtrit

    known = np.array([value for value in values if value is not None])
    if len(known) < len(values):
        missing = f"{len(values) - len(known)} of {len(values)} folds have no such number"
        return Metric(value=None, method=METHOD, reason=missing)
    value = float(known.mean())
    if METRICS[name].influence is None:
        return Metric(value=value, method=METHOD, reason=METRICS[name].no_interval)
    if known.std() < 1e-12:
        return Metric(value=value, method=METHOD, reason="every fold gives the same value: no interval")
    error = np.sqrt(known.var(ddof=1) * (1 / len(known) + test_to_train))
    reach = float(stdtrit(len(known) - 1, (1 + LEVEL) / 2) * error)
    bottom, top = RANGES[METRICS[name].scale]
    return Metric(value=value, low=max(value - reach, bottom), high=min(value + reach, top), method=METHOD)
