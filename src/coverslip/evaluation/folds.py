"""Metrics over cross-validation folds, with intervals that include the variance between folds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from coverslip.evaluation.intervals import RANGES, Scale
from coverslip.evaluation.results import LEVEL, Evaluation, FoldScores, FoldsScores, Metric, SubgroupScores
from coverslip.evaluation.table import METRICS
from coverslip.messages import message

METHOD = "corrected resampled t over folds"
# Degrees of freedom of the prior for the variance between folds, which is the variance from images alone. With two,
# intervals are as wide and cover the true value less often (`benchmarks/interval_coverage.py`). With
# eight, results hardly change.
_FREEDOM_OF_IMAGES = 4
_LEAST_VARIANCE = 1e-24  # of a metric, below which its interval is not widened


def over_folds(evaluations: Sequence[Evaluation], n_train: Sequence[int]) -> FoldsScores:
    """Return the metrics of each fold, and their mean.

    The folds' networks share most of their training images, so their scores vary less than those of independent
    trainings. The standard error is corrected for that: s² (1/k + n_test/n_train) replaces s²/k (Nadeau and Bengio
    2003, Inference for the Generalization Error).

    Args:
        evaluations: the metrics of the images that each fold tested, in the order of the folds.
        n_train: number of training images of each fold.
    """
    per_fold = tuple(
        FoldScores(
            fold=k,
            n=tested.n,
            n_groups=tested.n_groups,
            n_ungrouped=tested.n_ungrouped,
            n_train=n,
            metrics=tested.metrics,
        )
        for k, (tested, n) in enumerate(zip(evaluations, n_train, strict=True), start=1)
    )
    variance_factor = 1 / len(per_fold) + float(np.mean([fold.n / fold.n_train for fold in per_fold]))
    mean = {
        name: _mean(name, [tested[name].value for tested in evaluations], variance_factor)
        for name in evaluations[0].metrics
    }
    return FoldsScores(per_fold=per_fold, mean=mean)


def with_folds(
    pooled: Evaluation, tested: Sequence[Evaluation], n_train: Sequence[int], *, n_images: int
) -> Evaluation:
    """Return the pooled metrics with wider intervals, which include the variance between trainings.

    The metrics estimate the performance of classifiers trained on as many images as those of the folds. Their variance
    has two sources: the tested images and the training images. The interval of pooled predictions covers only the
    first, and the variance of a few folds is imprecise. Therefore the variance between folds is averaged with the
    variance expected if folds differed by their images alone (as in a moderated t test: Smyth 2004, Linear Models and
    Empirical Bayes Methods), and corrected as in `over_folds`. The result widens the pooled interval on both sides.
    `benchmarks/interval_coverage.py` measures the coverage.

    Args:
        pooled: metrics of all images, each predicted by the fold that tested it.
        tested, n_train: as in `over_folds`.
        n_images: number of images in all folds.
    """
    widening = _Widening(
        n_folds=len(tested),
        correction=float(np.mean([fold.n / n for fold, n in zip(tested, n_train, strict=True)])),
        of_what=f"for classifiers trained on {float(np.mean(n_train)) / n_images:.0%} of the images",
    )
    return replace(
        pooled,
        metrics=widening(pooled.metrics, [fold.metrics for fold in tested]),
        per_class={
            name: replace(
                scores, metrics=widening(scores.metrics, _metrics(fold.per_class.get(name) for fold in tested))
            )
            for name, scores in pooled.per_class.items()
        },
        by_domain={
            name: replace(
                scores, metrics=widening(scores.metrics, _metrics(fold.by_domain.get(name) for fold in tested))
            )
            for name, scores in pooled.by_domain.items()
        },
        by_column={
            column: {
                value: _widened_subgroup(
                    scores, [fold.by_column.get(column, {}).get(value) for fold in tested], widening
                )
                for value, scores in values.items()
            }
            for column, values in pooled.by_column.items()
        },
        of_groups=pooled.of_groups
        and replace(
            pooled.of_groups,
            metrics=widening(pooled.of_groups.metrics, _metrics(fold.of_groups for fold in tested)),
        ),
        group_mean_accuracy=_widened_metric(
            pooled.group_mean_accuracy, [fold.group_mean_accuracy for fold in tested], widening, "share"
        ),
        over_majority_class=_widened_metric(
            pooled.over_majority_class, [fold.over_majority_class for fold in tested], widening, "correlation"
        ),
        folds=over_folds(tested, n_train),
    )


class _HasMetrics(Protocol):
    @property
    def metrics(self) -> Mapping[str, Metric]: ...


def _metrics(of_folds: Iterable[_HasMetrics | None]) -> list[Mapping[str, Metric]]:
    """Return the metrics of the folds that tested such images."""
    return [of_fold.metrics for of_fold in of_folds if of_fold is not None]


def _widened_metric(
    pooled: Metric | None, of_folds: Sequence[Metric | None], widening: "_Widening", scale: Scale
) -> Metric | None:
    """Return a single metric with a wider interval."""
    by_fold = [{"metric": of_fold} for of_fold in of_folds if of_fold is not None]
    return pooled and widening({"metric": pooled}, by_fold, scale=scale)["metric"]


def _widened_subgroup(
    pooled: SubgroupScores, of_folds: Sequence[SubgroupScores | None], widening: "_Widening"
) -> SubgroupScores:
    gaps = [of_fold.gaps for of_fold in of_folds if of_fold is not None]
    return replace(
        pooled,
        metrics=widening(pooled.metrics, _metrics(of_folds)),
        gaps=widening(pooled.gaps, gaps, scale="correlation"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Widening:
    """Widens intervals of pooled predictions by the variance between trainings."""

    n_folds: int
    correction: float  # for shared training images: mean ratio of test to training images of a fold
    of_what: str  # what the metrics estimate, for `Metric.method`

    def __call__(
        self, pooled: Mapping[str, Metric], of_folds: Sequence[Mapping[str, Metric]], scale: Scale | None = None
    ) -> dict[str, Metric]:
        """Return each metric with a wider interval.

        Args:
            pooled: the metrics of all images.
            of_folds: the same metrics of each fold that has them.
            scale: of the metrics. None takes the scale of the metrics table, or "share" for other metrics.
        """
        return {
            name: self._widened(
                metric,
                _defined(of_fold[name].value for of_fold in of_folds if name in of_fold),
                scale or (METRICS[name].scale if name in METRICS else "share"),
            )
            for name, metric in pooled.items()
        }

    def _widened(self, pooled: Metric, values: np.ndarray, scale: Scale) -> Metric:
        from scipy.special import ndtri

        if pooled.value is None or pooled.low is None or pooled.high is None:
            return pooled
        of_pooled = ((pooled.high - pooled.low) / (2 * float(ndtri((1 + LEVEL) / 2)))) ** 2
        if of_pooled < _LEAST_VARIANCE:
            return replace(pooled, method=f"{pooled.method}; {self.of_what}")
        n_defined = len(values) or self.n_folds
        squares = float(np.square(values - values.mean()).sum()) if len(values) else 0.0
        freedom = max(len(values) - 1, 0)
        of_one = (squares + _FREEDOM_OF_IMAGES * n_defined * of_pooled) / (freedom + _FREEDOM_OF_IMAGES)
        wider = max(1.0, float(np.sqrt(of_one * (1 / n_defined + self.correction) / of_pooled)))
        low, high = _stretched(pooled.value, pooled.low, pooled.high, wider, scale)
        method = f"{pooled.method}, wider for the variance between folds; {self.of_what}"
        return replace(pooled, low=low, high=high, method=method)


def _defined(values: Iterable[float | None]) -> np.ndarray:
    return np.array([value for value in values if value is not None], dtype=float)


def _stretched(value: float, low: float, high: float, by: float, scale: Scale) -> tuple[float, float]:
    """Return the interval widened by a factor; bounded scales are widened as angles, so that ends stay in range."""
    bottom, top = RANGES[scale]
    if np.isinf(top):
        low, high = value - by * (value - low), value + by * (high - value)
        return max(low, bottom), high
    at, first, last = (float(np.arcsin(np.sqrt((each - bottom) / (top - bottom)))) for each in (value, low, high))
    angles = np.clip([at - by * (at - first), at + by * (last - at)], 0, np.pi / 2)
    low, high = (bottom + (top - bottom) * np.sin(angles) ** 2).tolist()
    return min(low, value), max(high, value)


def _mean(name: str, values: Sequence[float | None], variance_factor: float) -> Metric:
    from scipy.special import stdtrit

    numbers = _defined(values)
    if len(numbers) < len(values):
        missing = message("folds-without-value", n_missing=len(values) - len(numbers), n_folds=len(values))
        return Metric(value=None, method=METHOD, reason=missing)
    value = float(numbers.mean())
    if not METRICS[name].has_interval:
        return Metric(value=value, method=METHOD, reason=METRICS[name].no_interval)
    if numbers.std() < 1e-12:
        return Metric(value=value, method=METHOD, reason=message("folds-of-equal-value"))
    error = np.sqrt(numbers.var(ddof=1) * variance_factor)
    reach = float(stdtrit(len(numbers) - 1, (1 + LEVEL) / 2) * error)
    bottom, top = RANGES[METRICS[name].scale]
    return Metric(value=value, low=max(value - reach, bottom), high=min(value + reach, top), method=METHOD)
