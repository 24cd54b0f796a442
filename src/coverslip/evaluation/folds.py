"""What several folds say together, and how far it could be off though they share training images."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from coverslip.evaluation.results import LEVEL, Evaluation, FoldScores, FoldsScores, Metric
from coverslip.evaluation.table import METRICS, RANGES, Scale

METHOD = "corrected resampled t over folds"
# Degrees of freedom of what is expected beforehand, the spread by images alone. With two, intervals are as wide and
# hold the truth less often (`benchmarks/RESULTS.md`, coverage of intervals); with eight, hardly anything changes.
_FREEDOM_OF_IMAGES = 4


def over_folds(evaluations: Sequence[Evaluation], n_train: Sequence[int]) -> FoldsScores:
    """Each fold's numbers and their mean.

    The folds' networks share most of their training images, so their scores vary less than those of independent
    trainings would. The standard error is corrected for that: s² (1/k + n_test/n_train) in place of s²/k (Nadeau and
    Bengio 2003, Inference for the Generalization Error).

    Args:
        evaluations: the numbers of the images that each fold tested, in the order of the folds.
        n_train: images that each fold was trained on.
    """
    per_fold = tuple(
        FoldScores(fold=k, n=tested.n, n_groups=tested.n_groups, n_train=n, metrics=tested.metrics)
        for k, (tested, n) in enumerate(zip(evaluations, n_train, strict=True), start=1)
    )
    shared = _shared(per_fold)
    mean = {
        name: _mean(name, [tested[name].value for tested in evaluations], shared) for name in evaluations[0].metrics
    }
    return FoldsScores(per_fold=per_fold, mean=mean)


def with_folds(pooled: Evaluation, folds: FoldsScores, *, n_images: int) -> Evaluation:
    """The pooled numbers, with intervals for what they estimate: classifiers trained on as many images as the folds'.

    Which images were measured is one part of the luck, and which were trained on the other. The interval of pooled
    predictions knows only the first, the spread of a few folds is itself a matter of luck. So the folds' variance is
    averaged with what it would be if folds differed by their images alone (as in a moderated t test: Smyth 2004, Linear
    Models and Empirical Bayes Methods), is corrected as in `over_folds`, and widens the pooled interval to both sides.
    `benchmarks/interval_coverage.py` measures what that does.

    Args:
        pooled: numbers of all images, each as the fold that tested it predicted it.
        folds: of these images.
        n_images: all that the folds divided.
    """
    share = float(np.mean([fold.n_train for fold in folds.per_fold])) / n_images
    metrics = {name: _widened(name, metric, folds, share) for name, metric in pooled.metrics.items()}
    return replace(pooled, metrics=metrics, folds=folds)


def _widened(name: str, pooled: Metric, folds: FoldsScores, share: float) -> Metric:
    from scipy.special import ndtri

    if pooled.value is None or pooled.low is None or pooled.high is None:
        return pooled
    of_what = f"for classifiers trained on {share:.0%} of the images"
    known = _known(fold.metrics[name].value for fold in folds.per_fold if name in fold.metrics)
    if len(known) < len(folds.per_fold):
        method = f"{pooled.method}, out-of-fold: {of_what}; without the variance between training sets"
        return replace(pooled, method=method)
    of_pooled = ((pooled.high - pooled.low) / (2 * float(ndtri((1 + LEVEL) / 2)))) ** 2
    if not of_pooled > 0:
        return replace(pooled, method=f"{pooled.method}; {of_what}")
    by_images_alone = len(known) * of_pooled
    freedom = len(known) - 1
    of_one = (freedom * known.var(ddof=1) + _FREEDOM_OF_IMAGES * by_images_alone) / (freedom + _FREEDOM_OF_IMAGES)
    wider = max(1.0, float(np.sqrt(of_one * _shared(folds.per_fold) / of_pooled)))
    low, high = _stretched(pooled.value, pooled.low, pooled.high, wider, METRICS[name].scale)
    return replace(pooled, low=low, high=high, method=f"{pooled.method}, wider by the spread of folds; {of_what}")


def _shared(folds: Sequence[FoldScores]) -> float:
    """What a fold's variance is multiplied by for that of their mean."""
    return 1 / len(folds) + float(np.mean([fold.n / fold.n_train for fold in folds]))


def _known(values: Iterable[float | None]) -> np.ndarray:
    return np.array([value for value in values if value is not None], dtype=float)


def _stretched(value: float, low: float, high: float, by: float, scale: Scale) -> tuple[float, float]:
    """Both ends so many times as far from the value: of shares by their angles, so that none leaves its range."""
    bottom, top = RANGES[scale]
    if np.isinf(top):
        low, high = value - by * (value - low), value + by * (high - value)
        return max(low, bottom), high
    at, first, last = (float(np.arcsin(np.sqrt((each - bottom) / (top - bottom)))) for each in (value, low, high))
    angles = np.clip([at - by * (at - first), at + by * (last - at)], 0, np.pi / 2)
    low, high = (bottom + (top - bottom) * np.sin(angles) ** 2).tolist()
    return min(low, value), max(high, value)


def _mean(name: str, values: Sequence[float | None], shared: float) -> Metric:
    from scipy.special import stdtrit

    known = _known(values)
    if len(known) < len(values):
        missing = f"{len(values) - len(known)} of {len(values)} folds have no such number"
        return Metric(value=None, method=METHOD, reason=missing)
    value = float(known.mean())
    if METRICS[name].influence is None:
        return Metric(value=value, method=METHOD, reason=METRICS[name].no_interval)
    if known.std() < 1e-12:
        return Metric(value=value, method=METHOD, reason="every fold gives the same value: no interval")
    error = np.sqrt(known.var(ddof=1) * shared)
    reach = float(stdtrit(len(known) - 1, (1 + LEVEL) / 2) * error)
    bottom, top = RANGES[METRICS[name].scale]
    return Metric(value=value, low=max(value - reach, bottom), high=min(value + reach, top), method=METHOD)
