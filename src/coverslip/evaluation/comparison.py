"""Differences between classifiers: paired by image, unpaired, and between training procedures on the same splits.

What both find easy or hard is the same for both, so the difference is far better known than either number: intervals
of the two that overlap say nothing about it. Images of one group (patient, slide, well) move together.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from coverslip.evaluation.intervals import FEWEST_GROUPS, Influence, Units, metric_with_interval, standard_error
from coverslip.evaluation.metrics import check_arrays
from coverslip.evaluation.results import LEVEL, Metric
from coverslip.evaluation.table import METRICS, MetricRecord, scored_metrics
from coverslip.messages import text


def independent_difference(
    first: Metric, second: Metric, names: tuple[str, str] = ("first set", "second set")
) -> Metric:
    """Return the second number minus the first, with an interval from both intervals.

    Each end of the interval combines the distances of both numbers to the ends of their own intervals (Zou and Donner
    2008, Construction of confidence limits about effect measures, method MOVER). Two intervals that overlap slightly
    can still have a difference that excludes 0.

    Args:
        first, second: the same metric of two sets of images without a common group.
        names: of the two sets, for the reason of a missing interval.

    Returns:
        `low` and `high` are None, with a reason, if one of the numbers has no interval.
    """
    if first.value is None or second.value is None:
        return Metric(value=None, reason=first.reason or second.reason)
    value = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        if first.low is None and second.low is None and first.reason == second.reason:
            return Metric(value=value, reason=first.reason)
        name, without = (names[1], second) if second.low is None else (names[0], first)
        reason = without.reason or text("no-interval")
        return Metric(value=value, reason=text("interval-of-set-missing", name=name, reason=reason))
    down = ((second.value - second.low) ** 2 + (first.high - first.value) ** 2) ** 0.5
    up = ((second.high - second.value) ** 2 + (first.value - first.low) ** 2) ** 0.5
    return Metric(value=value, low=value - down, high=value + up, method="difference of independent numbers (MOVER)")


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
    """Return each metric of the second classifier minus that of the first, with an interval.

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
        reason = text("interval-needs-images", n_needed=FEWEST_GROUPS)
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
    """Return the p-value of Student's t, or of the normal distribution with infinite degrees of freedom."""
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


_N_RESAMPLES = 10_000  # as in the chromosome paper (docs/papers/chromosomes_two_step.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureDifference:
    """How much better one way of training is than another, over splits. All in the metric's own unit."""

    n_splits: int
    df: int  # degrees of freedom of Student's t
    mean: float  # second minus first
    low: float | None  # of the 95 % interval; None where splits cannot tell
    high: float | None
    p: float | None  # two-sided, of no difference on average
    p_better: float | None  # probability that the second is better by more than the region of practical equivalence
    p_equal: float | None  # that both are equivalent
    p_worse: float | None


def procedure_difference(
    differences: Sequence[float], *, test_to_train: float, equivalence: float = 0.01, n_units: int | None = None
) -> ProcedureDifference:
    """Return the corrected resampled t test, and what the same distribution says of practical equivalence.

    Trainings on several splits of the same images share most of their training images, so their differences vary less
    than those of independent studies would: the variance of their mean is s² (1/J + n_test/n_train) in place of s²/J
    (Nadeau and Bengio 2003, Inference for the Generalization Error). The probabilities are those of the Bayesian
    correlated t test (Corani and Benavoli 2015), whose posterior is the same t distribution.

    Splitting the same groups again and again tells no more than the groups do: Student's t has no more degrees of
    freedom than there are groups, less one. Without that, ten repeats of five folds of ten groups find a difference
    where there is none in 8 of 100 studies (benchmarks/study_error_rate.py).

    Args:
        differences: (J,) of the metric, second minus first, one per split; seeds of one split averaged before.
        test_to_train: test images per image of a split that is not tested. Validation images and those that a cap
            excludes from training count among the latter: splits share them, too.
        equivalence: half the width of the region of practical equivalence about 0.
        n_units: groups that all splits share out; images, where they are alone. None: not known.

    Returns:
        Only the mean where there are fewer than two splits, or all differences are alike.

    Raises:
        ValueError: no differences, or no training images.
    """
    from scipy.special import stdtr, stdtrit

    values = np.asarray(differences, dtype=float)
    if not len(values) or not 0 <= test_to_train < math.inf:
        raise ValueError("there must be a difference, and training images")
    mean = float(values.mean())
    df = min(len(values), n_units or len(values)) - 1
    if df < 1 or values.std() < 1e-12:
        return ProcedureDifference(
            n_splits=len(values),
            df=df,
            mean=mean,
            low=None,
            high=None,
            p=None,
            p_better=None,
            p_equal=None,
            p_worse=None,
        )
    error = math.sqrt(values.var(ddof=1) * (1 / len(values) + test_to_train))
    reach = float(stdtrit(df, (1 + LEVEL) / 2)) * error
    worse = float(stdtr(df, (-equivalence - mean) / error))
    better = float(stdtr(df, (mean - equivalence) / error))
    return ProcedureDifference(
        n_splits=len(values),
        df=df,
        mean=mean,
        low=mean - reach,
        high=mean + reach,
        p=float(2 * stdtr(df, -abs(mean) / error)),
        p_better=better,
        p_equal=max(0.0, 1 - better - worse),
        p_worse=worse,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AsIfIndependent:
    """What usual tests say, which take splits for independent studies and find differences where there are none."""

    t_p: float  # paired t test over splits, two-sided
    bootstrap_low: float  # splits drawn with replacement: 95 % of the means lie between, in the metric's unit
    bootstrap_high: float

    @property
    def bootstrap_shows(self) -> bool:
        """Return whether the bootstrap interval excludes zero."""
        return self.bootstrap_low > 0 or self.bootstrap_high < 0


def as_if_independent(differences: Sequence[float]) -> AsIfIndependent | None:
    """Return the paired t test and the percentile bootstrap over splits, to be shown beside `procedure_difference`.

    Both forget that splits share training images, and a bootstrap of five values is too narrow even where they do not.
    How often they err: benchmarks/study_error_rate.py.

    Args:
        differences: (J,) of the metric, second minus first, one per split.

    Returns:
        None where there are fewer than two splits, or all differences are alike.
    """
    from scipy.special import stdtr

    values = np.asarray(differences, dtype=float)
    if len(values) < 2 or values.std() < 1e-12:
        return None
    t = values.mean() / math.sqrt(values.var(ddof=1) / len(values))
    drawn = np.random.default_rng(0).integers(len(values), size=(_N_RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return AsIfIndependent(
        t_p=float(2 * stdtr(len(values) - 1, -abs(t))), bootstrap_low=float(low), bootstrap_high=float(high)
    )


def units_to_show(difference: ProcedureDifference, n_units: int, *, effect: float) -> int | None:
    """Return how many groups would show a difference of this size in four of five studies.

    The standard error falls with the root of their number, as far as it comes from which images there are.

    Args:
        difference: of `n_units` groups.
        n_units: groups, or images where they are alone.
        effect: the difference to be shown, in the metric's unit.

    Returns:
        None where there is no interval to go by, or no effect.
    """
    from scipy.special import ndtri, stdtrit

    if difference.low is None or difference.high is None or effect <= 0:
        return None
    error = (difference.high - difference.low) / 2 / float(stdtrit(difference.df, (1 + LEVEL) / 2))
    return math.ceil(n_units * (float(ndtri((1 + LEVEL) / 2) + ndtri(0.8)) * error / effect) ** 2)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Return each p adjusted for all tests made together (Holm 1979); None where there is none.

    Args:
        p: from 0 to 1, in any order.
    """
    ranked = sorted((value, i) for i, value in enumerate(p) if value is not None)
    adjusted: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, i) in enumerate(ranked):
        largest = max(largest, min(1.0, value * (len(ranked) - rank)))
        adjusted[i] = largest
    return adjusted
