"""Two classifiers on the same images: by how much their numbers differ, and how far that difference could be luck.

What both find easy or hard is the same for both, so the difference is far better known than either number: intervals
of the two that overlap say nothing about it. Images of one group (patient, slide, well) move together.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from coverslip.evaluation.influence import Influence
from coverslip.evaluation.intervals import FEWEST_GROUPS, Units, metric_with_interval, standard_error
from coverslip.evaluation.metrics import check_arrays
from coverslip.evaluation.results import LEVEL, Metric
from coverslip.evaluation.table import METRICS, MetricRecord, scored_metrics

SAME_PREDICTIONS = "both give the same predictions"
_NOTHING = 1e-24  # variance of rounding


@dataclass(frozen=True, slots=True)
class Answers:
    """What one classifier says of some images."""

    probability: np.ndarray  # (n, K) float; rows sum to 1
    predicted: np.ndarray  # (n,) int, the class that was decided


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference(Metric):
    """A difference, its interval, and the p-value of the test that this interval inverts."""

    p: float | None = None  # two-sided, of no difference; None where there is no interval


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """The images that only one of two classifiers named rightly, and how likely so unequal counts are by chance."""

    n_first: int
    n_second: int
    p: float  # exact, two-sided; images counted as independent


def mcnemar(first_is_right: np.ndarray, second_is_right: np.ndarray) -> McNemar:
    """McNemar's exact test.

    Args:
        first_is_right, second_is_right: (n,) bool, of the same images.

    Returns:
        `p` is 1 where both were right and wrong on the same images. It takes images for independent: where groups are
        known, the interval of the difference tells more.
    """
    from scipy.special import bdtr

    n_first = int((first_is_right & ~second_is_right).sum())
    n_second = int((second_is_right & ~first_is_right).sum())
    n = n_first + n_second
    p = min(2 * float(bdtr(min(n_first, n_second), n, 0.5)), 1.0)
    return McNemar(n_first=n_first, n_second=n_second, p=p)


def paired_differences(
    first: Answers,
    second: Answers,
    label: np.ndarray,
    group: np.ndarray | None,
    *,
    metrics: Sequence[str] | None = None,
) -> dict[str, PairedDifference]:
    """Each metric of the second classifier minus that of the first, with an interval.

    An image's influence on the difference is that on the second's number minus that on the first's (`influence.py`);
    their sums over groups, or over images where no groups are known, give the standard error, with the corrections and
    degrees of freedom of all intervals (`intervals.py`): `difference ± t · standard error`. Accuracy without groups has
    the interval of Bonett and Price (2012, Adjusted Wald confidence interval for a difference of binomial proportions
    based on paired data), which holds where few images differ because it counts two more. Other metrics of predicted
    classes get the same share of variance: without it they find differences between equally good classifiers too often
    where few images differ (benchmarks/paired_differences.py).

    Args:
        first, second: what both say of the same images.
        label: (n,) int, the true classes.
        group: (n,) names; an empty name or None is a group of its own. None for the whole: images are alone.
        metrics: names out of `METRICS`; None takes all `scored_metrics`.

    Returns:
        Metric name to `PairedDifference`, from -1 to 1 (or unbounded). `low`, `high` and `p` are None, with a reason,
        if both classifiers give the same predictions or all images are of one group. `p` is below 0.05 exactly where
        the 95% interval excludes 0.

    Raises:
        ValueError: the arrays cannot belong together, or there is no such metric.
    """
    for answers in (first, second):
        check_arrays(answers.probability, label)
    records = [METRICS.find(name) for name in (scored_metrics() if metrics is None else metrics)]
    # Images by themselves are groups of one: few of them then have Student's t, exactly so for a mean.
    units = replace(Units.of(label, group, first.probability.shape[1]), has_groups=True)
    return {record.name: _difference(record, first, second, label, group, units) for record in records}


def _difference(
    record: MetricRecord, first: Answers, second: Answers, label: np.ndarray, group: np.ndarray | None, units: Units
) -> PairedDifference:
    of_first, of_second = ((answers.probability, label, answers.predicted) for answers in (first, second))
    value = record.value(*of_second) - record.value(*of_first)
    method = _method(group)
    if np.isnan(value):
        return PairedDifference(value=None, method=method, reason=record.undefined)
    if record.name == "accuracy" and group is None:
        return _bonett_price(first, second, label)
    if record.influence is None:
        return PairedDifference(value=value, method=method, reason=record.no_interval)
    if group is None and units.n < FEWEST_GROUPS:
        reason = f"a confidence interval needs at least {FEWEST_GROUPS} images"
        return PairedDifference(value=value, method=method, reason=reason)
    of_image = record.influence(*of_second).of_image - record.influence(*of_first).of_image
    if float((of_image**2).sum()) < _NOTHING:
        return PairedDifference(value=value, method=method, reason=SAME_PREDICTIONS)
    if record.is_counted:  # two images more that are predicted differently, as for accuracy: few say little of chance
        of_image *= (1 + 2 / np.count_nonzero(first.predicted != second.predicted)) ** 0.5
    influence = Influence(of_image, np.zeros(units.n_classes), value)
    metric = replace(metric_with_interval(value, influence, units, "real"), method=method)
    if metric.low is None or metric.high is None:
        return PairedDifference(**asdict(metric))
    if record.scale == "share":
        metric = replace(metric, low=max(metric.low, -1.0), high=min(metric.high, 1.0))
    return PairedDifference(**asdict(metric), p=_two_sided(value, *standard_error(influence, units)))


def _two_sided(value: float, error: float, freedom: float) -> float:
    """The p-value of Student's t, or of the normal distribution with infinite degrees of freedom."""
    from scipy.special import ndtr, stdtr

    ratio = -abs(value) / error
    return float(2 * (stdtr(freedom, ratio) if np.isfinite(freedom) else ndtr(ratio)))


def _bonett_price(first: Answers, second: Answers, label: np.ndarray) -> PairedDifference:
    from scipy.special import ndtri

    n = len(label)
    first_is_right, second_is_right = first.predicted == label, second.predicted == label
    n_better = int((second_is_right & ~first_is_right).sum())
    n_worse = int((first_is_right & ~second_is_right).sum())
    better, worse = (n_better + 1) / (n + 2), (n_worse + 1) / (n + 2)
    error = ((better + worse - (better - worse) ** 2) / (n + 2)) ** 0.5
    reach = float(ndtri((1 + LEVEL) / 2)) * error
    value, middle = (n_better - n_worse) / n, better - worse
    return PairedDifference(
        value=value,
        low=max(min(middle - reach, value), -1.0),
        high=min(max(middle + reach, value), 1.0),
        method="paired difference over images (Bonett and Price)",
        p=_two_sided(middle, error, np.inf),
    )


def _method(group: np.ndarray | None) -> str:
    over = "images" if group is None else "groups"
    return f"paired difference, infinitesimal jackknife over {over} (Student's t)"
