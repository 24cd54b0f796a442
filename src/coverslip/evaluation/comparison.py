"""Differences between classifiers on the same or other images, and between procedures; the agreement of readers.

Paired differences are more precise than the two metrics, because both classifiers predict the same images. Overlapping
intervals of the two metrics therefore say nothing about the difference. Images of one group (patient, slide, well) are
resampled as a whole.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.intervals import (
    FEWEST_GROUPS,
    Units,
    influence_on_counts,
    influence_on_proportion,
    metric_with_interval,
    standard_error,
)
from coverslip.evaluation.metrics import Influence, check_arrays, confusion_matrix, kappa, margins_of
from coverslip.evaluation.results import LEVEL, Metric, values_by_field
from coverslip.evaluation.table import METRICS, MetricRecord, scored_metrics, value_with_groups
from coverslip.messages import Message, message


def independent_difference(
    first: Metric, second: Metric, names: tuple[str, str] = ("first set", "second set")
) -> Metric:
    """Return the second metric minus the first, with an interval from both intervals.

    Each end of the interval combines the distances of both values to the ends of their intervals (Zou and Donner
    2008, Construction of confidence limits about effect measures, method MOVER). Two intervals that overlap slightly
    can still have a difference that excludes 0.

    Args:
        first, second: the same metric of two sets of images without a common group.
        names: of the two sets, for the reason of a missing interval.

    Returns:
        `low` and `high` are None, with a reason, if one of the metrics has no interval.
    """
    if first.value is None or second.value is None:
        return Metric(value=None, reason=first.reason or second.reason)
    value = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        if first.low is None and second.low is None and first.reason == second.reason:
            return Metric(value=value, reason=first.reason)
        name, without = (names[1], second) if second.low is None else (names[0], first)
        reason = without.reason or message("no-interval")
        return Metric(value=value, reason=message("interval-of-set-missing", name=name, reason=reason))
    down = ((second.value - second.low) ** 2 + (first.high - first.value) ** 2) ** 0.5
    up = ((second.high - second.value) ** 2 + (first.value - first.low) ** 2) ** 0.5
    return Metric(value=value, low=value - down, high=value + up, method="difference of independent numbers (MOVER)")


SAME_PREDICTIONS = message("same-predictions")
_ROUNDING_VARIANCE = 1e-24


@dataclass(frozen=True, slots=True)
class Answers:
    """The predictions of one classifier for some images."""

    probability: np.ndarray  # (n, K) float; rows sum to 1
    predicted: np.ndarray  # (n,) int, the decided class


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference(Metric):
    """A difference, its interval, and the p-value of the test that this interval inverts."""

    p: float | None = None  # two-sided, of no difference; None if there is no interval


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar(DocumentedFields):
    """The numbers of images that only one of two classifiers predicted correctly, and McNemar's p-value.

    With groups, it would be too small: the p-value of the paired difference in accuracy is over groups.
    """

    n_first: int
    """Images that only the first run predicts correctly."""
    n_second: int
    """Images that only the second run predicts correctly."""
    p: float | None
    """Exact, two-sided; null if images are not independent."""
    reason: Message | None = None
    """Why there is no p-value."""


def mcnemar(first_is_correct: np.ndarray, second_is_correct: np.ndarray, *, are_independent: bool = True) -> McNemar:
    """Return the result of McNemar's exact test.

    Args:
        first_is_correct, second_is_correct: (n,) bool, of the same images.
        are_independent: whether no images share a group.

    Returns:
        `p` is 1 if both are correct on the same images, and None, with a reason, if images are not independent.
    """
    from scipy.special import bdtr

    n_first = int((first_is_correct & ~second_is_correct).sum())
    n_second = int((second_is_correct & ~first_is_correct).sum())
    if not are_independent:
        return McNemar(n_first=n_first, n_second=n_second, p=None, reason=message("mcnemar-of-groups"))
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
    are_groups: bool = True,
) -> dict[str, PairedDifference]:
    """Return each metric of the second classifier minus that of the first, with an interval.

    The influence of an image on the difference is its influence on the second metric minus that on the first. The sums
    over groups, or over images without groups, give the standard error, with the corrections and degrees of freedom of
    all intervals (`intervals.py`): `difference ± t · standard error`. Accuracy without groups has the interval of
    Bonett and Price (2012, Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data). It adds two images with different predictions, and is valid with few of them. For other metrics of predicted
    classes, the variance is increased by the same factor. Without it, differences between equally good classifiers are
    significant too often if few predictions differ.

    Args:
        first, second: predictions for the same images.
        label: (n,) int, the true classes.
        group: (n,) names; each empty name or None is a separate group. None treats images as independent.
        metrics: names out of `METRICS`; None takes all `scored_metrics`.
        are_groups: False: `group` has the names of images that were copied.

    Returns:
        Metric name to `PairedDifference`, from -1 to 1 (or unbounded). `low`, `high` and `p` are None, with a reason,
        if both classifiers give the same predictions or all images are of one group. `p` is below 0.05 exactly if
        the 95% interval excludes 0.

    Raises:
        ValueError: the arrays do not match, or there is no such metric.
    """
    for answers in (first, second):
        check_arrays(answers.probability, label)
    records = [METRICS.find(name) for name in (scored_metrics() if metrics is None else metrics)]
    # Single images are groups of one image, so that Student's t applies with few of them, exactly for a mean.
    units = replace(Units.of(label, group, first.probability.shape[1]), has_groups=True)
    method = _method("groups" if are_groups and group is not None else "images")
    return {record.name: _difference(record, first, second, label, group, units, method) for record in records}


def _difference(
    record: MetricRecord,
    first: Answers,
    second: Answers,
    label: np.ndarray,
    group: np.ndarray | None,
    units: Units,
    method: str,
) -> PairedDifference:
    of_first, of_second = ((answers.probability, label, answers.predicted) for answers in (first, second))
    values = [value_with_groups(record.name, *of_each, group) for of_each in (of_first, of_second)]
    value = values[1] - values[0]
    if np.isnan(value):
        return PairedDifference(value=None, method=method, reason=record.undefined)
    if record.name == "accuracy" and group is None:
        return _bonett_price(first, second, label)
    if record.influence is None:
        return PairedDifference(value=value, method=method, reason=record.no_interval)
    if group is None and units.n < FEWEST_GROUPS:
        reason = message("interval-needs-images", n_needed=FEWEST_GROUPS)
        return PairedDifference(value=value, method=method, reason=reason)
    of_image = record.influence(*of_second).of_image - record.influence(*of_first).of_image
    if float((of_image**2).sum()) < _ROUNDING_VARIANCE:
        return PairedDifference(value=value, method=method, reason=SAME_PREDICTIONS)
    if record.is_counted:  # adds two images with different predictions, as for accuracy
        of_image *= (1 + 2 / np.count_nonzero(first.predicted != second.predicted)) ** 0.5
    influence = Influence(of_image, np.zeros(units.n_classes), value)
    metric = replace(metric_with_interval(value, influence, units, "real"), method=method)
    if metric.low is None or metric.high is None:
        return PairedDifference(**values_by_field(metric))
    if record.scale == "share":
        metric = replace(metric, low=max(metric.low, -1.0), high=min(metric.high, 1.0))
    return PairedDifference(**values_by_field(metric), p=_two_sided(value, *standard_error(influence, units)))


def _two_sided(value: float, error: float, freedom: float) -> float:
    """Return the p-value of Student's t, or of the normal distribution with infinite degrees of freedom."""
    from scipy.special import ndtr, stdtr

    ratio = -abs(value) / error
    return float(2 * (stdtr(freedom, ratio) if np.isfinite(freedom) else ndtr(ratio)))


def _bonett_price(first: Answers, second: Answers, label: np.ndarray) -> PairedDifference:
    from scipy.special import ndtri

    n = len(label)
    first_is_correct, second_is_correct = first.predicted == label, second.predicted == label
    n_better = int((second_is_correct & ~first_is_correct).sum())
    n_worse = int((first_is_correct & ~second_is_correct).sum())
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


def _method(unit: Literal["images", "groups"]) -> str:
    return f"paired difference, infinitesimal jackknife over {unit} (Student's t)"


_N_RESAMPLES = 10_000  # as in the chromosome paper (docs/papers/chromosomes_two_step.md)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureDifference(DocumentedFields):
    """The difference between two training procedures over splits, in the unit of the metric."""

    n_splits: int
    df: int  # degrees of freedom of Student's t
    mean: float
    """Second minus first."""
    low: float | None  # of the 95 % interval; None if it cannot be estimated
    high: float | None
    p: float | None  # two-sided, of no difference on average
    p_better: float | None
    """Probability that the second is better, not just equivalent."""
    p_equal: float | None  # probability of practical equivalence
    p_worse: float | None
    """Probability that it is worse, not just equivalent."""


def procedure_difference(
    differences: Sequence[float], *, test_to_train: float, equivalence: float = 0.01, n_units: int | None = None
) -> ProcedureDifference:
    """Return the corrected resampled t test, and probabilities of practical equivalence.

    Trainings on several splits of the same images share most of their training images, so their differences vary less
    than those of independent studies. The variance of their mean is s² (1/J + n_test/n_train) instead of s²/J (Nadeau
    and Bengio 2003, Inference for the Generalization Error). The probabilities are those of the Bayesian correlated t
    test (Corani and Benavoli 2015), whose posterior is the same t distribution.

    More splits of the same groups add no information beyond these groups, so the degrees of freedom of Student's t are
    at most the number of groups minus 1. Without this limit, ten repeats of five folds of ten groups give a significant
    result in 8 of 100 studies without a difference (benchmarks/study_error_rate.py).

    Args:
        differences: (J,) of the metric, second minus first, one per split; averaged over the seeds of a split.
        test_to_train: ratio of test images to all other images of a split. The latter include validation images and
            images that a cap excludes from training, since splits share them too.
        equivalence: half the width of the region of practical equivalence about 0.
        n_units: number of groups in all splits, or of images without groups. None: unknown.

    Returns:
        Only the mean if there are fewer than two splits, or all differences are equal.

    Raises:
        ValueError: there are no differences, or no training images.
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
class AsIfIndependent(DocumentedFields):
    """Results of common tests that treat splits as independent studies, with too many false positives."""

    t_p: float
    """Of a two-sided paired t test over splits."""
    bootstrap_low: float
    """The 95% percentile interval over resampled splits."""
    bootstrap_high: float

    @property
    def bootstrap_shows(self) -> bool:
        """Whether the bootstrap interval excludes zero."""
        return self.bootstrap_low > 0 or self.bootstrap_high < 0


def as_if_independent(differences: Sequence[float]) -> AsIfIndependent | None:
    """Return the paired t test and the percentile bootstrap over splits, for comparison with `procedure_difference`.

    Both ignore that splits share training images, and a bootstrap of five values is too narrow in any case. Error
    rates: benchmarks/study_error_rate.py.

    Args:
        differences: (J,) of the metric, second minus first, one per split.

    Returns:
        None if there are fewer than two splits, or all differences are equal.
    """
    from scipy.special import stdtr

    values = np.asarray(differences, dtype=float)
    if len(values) < 2 or values.std() < 1e-12:
        return None
    t = values.mean() / math.sqrt(values.var(ddof=1) / len(values))
    resampled = np.random.default_rng(0).integers(len(values), size=(_N_RESAMPLES, len(values)))
    low, high = np.quantile(values[resampled].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return AsIfIndependent(
        t_p=float(2 * stdtr(len(values) - 1, -abs(t))), bootstrap_low=float(low), bootstrap_high=float(high)
    )


def units_to_show(difference: ProcedureDifference, n_units: int, *, effect: float) -> int | None:
    """Return the number of groups with which a difference of this size is significant in four of five studies.

    The standard error is assumed to decrease with the square root of their number.

    Args:
        difference: result with `n_units` groups.
        n_units: number of groups, or of images without groups.
        effect: the difference to detect, in the unit of the metric.

    Returns:
        None if there is no interval, or no effect.
    """
    from scipy.special import ndtri, stdtrit

    if difference.low is None or difference.high is None or effect <= 0:
        return None
    error = (difference.high - difference.low) / 2 / float(stdtrit(difference.df, (1 + LEVEL) / 2))
    return math.ceil(n_units * (float(ndtri((1 + LEVEL) / 2) + ndtri(0.8)) * error / effect) ** 2)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Return each p-value adjusted for all tests together (Holm 1979); None stays None.

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


# Agreement of two readers who labeled the same images: percent agreement and Cohen's kappa, with intervals.
#
# Kappa is the agreement beyond chance, as a share of the largest possible one (Cohen 1960, A Coefficient of Agreement
# for Nominal Scales). Chance is computed from how often each reader uses each class, so kappa is low for rare classes
# even if readers rarely differ; the counts of both readers are therefore reported with it. Intervals are those of
# `intervals.py`: with groups, images of a group are not independent.


@dataclass(frozen=True, slots=True)
class Agreement(DocumentedFields):
    """How far two readers agree."""

    n: int
    """Images that both labeled."""
    n_groups: int | None  # of these images; None without groups
    agreement: Metric
    """Share of images with equal labels."""
    kappa: Metric
    """Cohen's kappa; its value is null if both used one class only."""
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each class of the first reader, a column for each of the second."""


def agreement_of(
    first: Sequence[str], second: Sequence[str], classes: Sequence[str], group: Sequence[str | None] | None = None
) -> Agreement:
    """Return the agreement of two readers.

    Args:
        first: (n,) labels of one reader, at least one.
        second: (n,) labels of the other reader, of the same images.
        classes: all classes, in order; classes that neither used are left out.
        group: (n,) groups of the images; None: images are independent.
    """
    used = [name for name in classes if name in {*first, *second}]
    number = {name: k for k, name in enumerate(used)}
    a, b = (np.array([number[name] for name in labels]) for labels in (first, second))
    units = Units.of(a, None if group is None else np.array(group, object), len(used))
    counts = confusion_matrix(a, b, len(used))
    is_equal = a == b
    share = influence_on_proportion(is_equal, np.ones(len(a), bool), a, len(used))
    percent = metric_with_interval(float(is_equal.mean()), share, units, "share")
    value = float(kappa(margins_of(counts)))
    of_kappa = Metric(value=None, method=units.method, reason=message("kappa-of-one-class"))
    if np.isfinite(value):
        of_kappa = metric_with_interval(value, influence_on_counts(kappa, a, b, len(used)), units, "correlation")
    return Agreement(
        n=len(a),
        n_groups=units.n_groups(np.ones(len(a), bool)),
        agreement=replace(percent, n_correct=None, n_images=None, n_groups=None),
        kappa=of_kappa,
        classes=tuple(used),
        counts=tuple(tuple(int(n) for n in row) for row in counts),
    )
