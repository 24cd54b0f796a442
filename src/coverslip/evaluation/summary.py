"""The evaluation of predictions: metrics with intervals overall, by class, domain, group and subgroup, over folds.

The gap of a subgroup is its metric minus that of all other images. Images of one group can be on both sides, so the
interval is computed from the influence of every image on the difference, summed over groups.

The probabilities of a group are computed from the mean log-probabilities of its images. The sum would treat images as
independent evidence and would be overconfident, since images of a patient resemble each other. With a mean of
probabilities or a majority vote, many uncertain images would outweigh a few certain ones. A group has only one class,
so groups with images of several classes are excluded from these predictions.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict

import numpy as np

from coverslip.counts import count_groups
from coverslip.evaluation.decisions import positive_class
from coverslip.evaluation.intervals import (
    FEWEST_GROUPS,
    RANGES,
    Scale,
    Units,
    difference_with_interval,
    group_codes,
    has_group_name,
    influence_on_mean,
    influence_on_proportion,
    metric_with_interval,
)
from coverslip.evaluation.metrics import (
    Influence,
    check_arrays,
    confusion_matrix,
)
from coverslip.evaluation.results import (
    LEVEL,
    OF_POSITIVE,
    ClassScores,
    DomainScores,
    Evaluation,
    FoldScores,
    FoldsScores,
    GroupDecisions,
    Metric,
    SubgroupScores,
)
from coverslip.evaluation.table import (
    CLASS_METRICS,
    METRICS,
    ClassImages,
    OnMetrics,
    ignore_metrics,
    metric_intervals,
    scored_metrics,
)
from coverslip.messages import Message, joined, message


def evaluate_predictions(
    probability: np.ndarray,
    label: np.ndarray,
    classes: Sequence[str],
    *,
    split: str,
    primary: str,
    predicted: np.ndarray | None = None,
    group: np.ndarray | None = None,
    domain: np.ndarray | None = None,
    probability_uncalibrated: np.ndarray | None = None,
    positive: str | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
    on_progress: OnMetrics = ignore_metrics,
) -> Evaluation:
    """Return all metrics with their intervals, without NaN and NumPy types.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        classes: names, in the order of the columns of `probability`.
        split: which images: "test", "val", or the name of an evaluation.
        primary: metric by which choices were made, one of `METRICS`.
        predicted: (n_images,) int, the decided class; None takes the class of highest probability.
        group: (n_images,) names of groups, or None without groups; see `metric_intervals`.
        domain: (n_images,) names of the domains. With several domains, `by_domain` has the metrics of each.
        probability_uncalibrated: as `probability`, before temperature scaling.
        positive: of two classes, the one to detect; None: see `positive_class`.
        columns: (n_images,) text by the name of a column of the dataset's table, for subgroups.
        on_progress: called with the number of finished metrics.

    Raises:
        ValueError: as in `score`, or the number of classes or the primary metric does not fit.
    """
    check_arrays(probability, label)
    if len(classes) != probability.shape[1]:
        raise ValueError(f"{len(classes)} class names for {probability.shape[1]} columns of probability")
    METRICS.find(primary)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    names = list(classes)
    positive = positive_class(names, positive)
    overall = _domain_scores(probability, label, predicted, group, probability_uncalibrated, on_progress)
    return Evaluation(
        split=split,
        n=overall.n,
        n_groups=overall.n_groups,
        n_ungrouped=overall.n_ungrouped,
        primary=primary,
        metrics=overall.metrics,
        per_class=dict(zip(classes, per_class(probability, label, predicted, group), strict=True)),
        by_domain=_by_domain(probability, label, predicted, group, domain, probability_uncalibrated),
        confusion_matrix=tuple(map(tuple, confusion_matrix(label, predicted, len(classes)).tolist())),
        classes=tuple(classes),
        positive_class=positive,
        by_column=subgroups(probability, label, predicted, group, columns or {}),
        group_mean_accuracy=group_mean_accuracy(predicted == label, group),
        over_majority_class=_over_majority_class(label, predicted, group, len(classes)),
        of_groups=group_decisions(probability, label, group, None if positive is None else names.index(positive)),
    )


def empty_evaluation(classes: Sequence[str], *, split: str, primary: str, reason: Message) -> Evaluation:
    """Return an evaluation without values, and the reason: no image could be evaluated."""
    return Evaluation(
        split=split,
        n=0,
        n_groups=None,
        primary=primary,
        metrics=dict.fromkeys(METRICS, Metric(value=None, reason=reason)),
        per_class={},
        by_domain={},
        confusion_matrix=tuple((0,) * len(classes) for _ in classes),
        classes=tuple(classes),
    )


def _over_majority_class(label: np.ndarray, predicted: np.ndarray, group: np.ndarray | None, n_classes: int) -> Metric:
    """Return the accuracy minus that of always predicting the most frequent class.

    Both accuracies use the class proportions of these images, so the interval includes only the variance of the recall
    of each class.
    """
    share = np.bincount(label, minlength=n_classes) / len(label)
    influence = Influence(np.zeros(len(label)), np.zeros(n_classes), -float(share.max()))
    for k in np.flatnonzero(share):
        of_class = influence_on_proportion(predicted == label, label == k, label, n_classes)
        influence = Influence(
            of_image=influence.of_image + share[k] * of_class.of_image,
            unseen=influence.unseen + share[k] ** 2 * of_class.unseen,
            smoothed=influence.smoothed + float(share[k]) * of_class.smoothed,
        )
    value = float((predicted == label).mean() - share.max())
    return difference_with_interval(value, influence, Units.of(label, group, n_classes))


def _domain_scores(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    group: np.ndarray | None,
    uncalibrated: np.ndarray | None,
    on_progress: OnMetrics = ignore_metrics,
) -> DomainScores:
    intervals = metric_intervals(probability, label, group, predicted=predicted, on_progress=on_progress)
    names = [name for name in METRICS if name not in scored_metrics()]
    if uncalibrated is None:
        reason = message("no-uncalibrated-probabilities")
        uncalibrated_metrics = dict.fromkeys(names, Metric(value=None, reason=reason))
    else:
        uncalibrated_metrics = metric_intervals(uncalibrated, label, group, metrics=names)
    metrics = {**intervals, **uncalibrated_metrics}
    return DomainScores(
        n=len(label),
        **_group_counts(group),
        metrics={name: metrics[name] for name in METRICS},
    )


class _GroupCounts(TypedDict):
    n_groups: int | None
    n_ungrouped: int


def _group_counts(group: np.ndarray | None) -> _GroupCounts:
    if group is None:
        return {"n_groups": None, "n_ungrouped": 0}
    groups = count_groups(group.tolist())
    return {"n_groups": groups.n_groups, "n_ungrouped": groups.n_ungrouped}


def _by_domain(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    group: np.ndarray | None,
    domain: np.ndarray | None,
    uncalibrated: np.ndarray | None,
) -> dict[str, DomainScores]:
    names = [] if domain is None else sorted({str(name) for name in domain})
    if domain is None or len(names) < 2:
        return {}
    rows_of = {name: np.array([str(image_domain) == name for image_domain in domain]) for name in names}
    return {
        name: _domain_scores(
            probability[rows],
            label[rows],
            predicted[rows],
            None if group is None else group[rows],
            None if uncalibrated is None else uncalibrated[rows],
        )
        for name, rows in rows_of.items()
    }


def per_class(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None = None,
    group: np.ndarray | None = None,
    has_group: np.ndarray | None = None,
) -> list[ClassScores]:
    """Return the scores of each class, in the order of columns.

    They are those of `CLASS_METRICS`. An undefined value is None, with a `reason`.
    Args and errors as of `metric_intervals`.
    """
    check_arrays(probability, label)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    units = Units.of(label, group, probability.shape[1], has_group)
    return [_class_scores(probability[:, k], label == k, predicted == k, units) for k in range(probability.shape[1])]


def _class_scores(score: np.ndarray, is_class: np.ndarray, is_predicted: np.ndarray, units: Units) -> ClassScores:
    units = replace(units, label=is_class.astype(int), n_classes=2)
    images = ClassImages(score, is_class, is_predicted, units)
    missing = (images.none_of_class, images.none_predicted, images.none_of_others)
    return ClassScores(
        n=int(is_class.sum()),
        metrics={name: record.value(images) for name, record in CLASS_METRICS.items()},
        reason=joined(reason for reason in missing if reason),
    )


_LEAST_PROBABILITY = (
    1e-6  # smallest probability of a class, as in predictions.csv, so that one image cannot exclude a class
)
_FEWEST_GROUPS = 2


def group_decisions(
    probability: np.ndarray, label: np.ndarray, group: np.ndarray | None, positive: int | None
) -> GroupDecisions | None:
    """Return metrics of predictions for whole groups; each group is one unit of the intervals.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names; images with an empty name are excluded. None if groups are unknown.
        positive: number of the positive class of two; None for more classes.

    Returns:
        None if groups are unknown, all are single images, or most have images of several classes.
    """
    if group is None:
        return None
    is_named = has_group_name(group)
    probability, label, group = probability[is_named], label[is_named], group[is_named]
    if not len(group):
        return None
    code = group_codes(group)
    n_groups, n_classes = int(code.max()) + 1, probability.shape[1]
    counts = np.bincount(code * n_classes + label, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    is_pure = (counts > 0).sum(axis=1) == 1
    n_mixed = int((~is_pure).sum())
    if n_groups == len(label) or n_groups - n_mixed < max(_FEWEST_GROUPS, n_mixed):
        return None
    log = np.zeros((n_groups, n_classes))
    np.add.at(log, code, np.log(np.maximum(probability, _LEAST_PROBABILITY)))
    mean = (log / counts.sum(axis=1, keepdims=True))[is_pure]
    group_probability = np.exp(mean - mean.max(axis=1, keepdims=True))
    group_probability /= group_probability.sum(axis=1, keepdims=True)
    true_class, predicted_class = counts[is_pure].argmax(axis=1), group_probability.argmax(axis=1)
    metrics = metric_intervals(
        group_probability, true_class, None, predicted=predicted_class, metrics=["accuracy", "balanced_accuracy"]
    )
    if positive is not None:
        of_positive = per_class(group_probability, true_class, predicted_class)[positive].metrics
        metrics |= {name: of_positive[of_class] for name, of_class in OF_POSITIVE.items()}
    matrix = confusion_matrix(true_class, predicted_class, n_classes)
    return GroupDecisions(
        n=len(true_class),
        n_mixed=n_mixed,
        n_alone=int((~is_named).sum()),
        metrics=metrics,
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
    )


def group_mean_accuracy(is_right: np.ndarray, group: np.ndarray | None) -> Metric | None:
    """Return the mean accuracy of groups; each group has the same weight and is one unit of the interval.

    Args:
        is_right: (n_images,) bool.
        group: (n_images,) names; images with an empty name are excluded. None if groups are unknown.

    Returns:
        None if no group is named.
    """
    if group is None or not (is_named := has_group_name(group)).any():
        return None
    code = group_codes(group[is_named])
    accuracy = np.bincount(code, weights=is_right[is_named]) / np.bincount(code)
    no_class = np.zeros(len(accuracy), dtype=int)
    units = Units.of(no_class, np.arange(len(accuracy)), 1)
    metric = metric_with_interval(float(accuracy.mean()), influence_on_mean(accuracy, no_class, 1), units, "share")
    return replace(metric, n_groups=len(accuracy))


SUBGROUP_METRICS = ("accuracy", "macro_f1")
MOST_SUBGROUPS = 12  # columns with more values are numbers or names, not subgroups
_MOST_COLUMNS = 8
_FEW_IMAGES = 20


def subgroups(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    group: np.ndarray | None,
    columns: Mapping[str, np.ndarray],
) -> dict[str, dict[str, SubgroupScores]]:
    """Return metrics of the images with each value of each column.

    Up to 8 columns are used. Columns with one value or more than 12, or with a single class per value, are excluded.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label, predicted: (n_images,) int in [0, n_classes).
        group: (n_images,) names of groups, or None.
        columns: (n_images,) text by name of the column; an empty text is a value too.
    """
    text_columns = {name: np.array([str(v) for v in values]) for name, values in columns.items()}
    text_columns = {name: values for name, values in text_columns.items() if _makes_subgroups(values, label)}
    return {
        name: {
            value: _subgroup(probability, label, predicted, group, values == value)
            for value, _ in sorted(Counter(values.tolist()).items(), key=lambda item: (-item[1], item[0]))
        }
        for name, values in list(text_columns.items())[:_MOST_COLUMNS]
    }


def _makes_subgroups(values: np.ndarray, label: np.ndarray) -> bool:
    n_values = len(set(values.tolist()))
    pairs = Counter(zip(values.tolist(), label.tolist(), strict=True))
    is_within_classes = len(pairs) == n_values  # each value occurs in one class only
    return 1 < n_values <= MOST_SUBGROUPS and not is_within_classes


def _subgroup(
    probability: np.ndarray, label: np.ndarray, predicted: np.ndarray, group: np.ndarray | None, is_in: np.ndarray
) -> SubgroupScores:
    subgroup_group = None if group is None else group[is_in]
    n_units = int(is_in.sum()) if subgroup_group is None else count_groups(subgroup_group.tolist()).n_units
    return SubgroupScores(
        n=int(is_in.sum()),
        **_group_counts(subgroup_group),
        is_small=bool(is_in.sum() < _FEW_IMAGES or n_units < FEWEST_GROUPS),
        n_missing=len(set(label.tolist()) - set(label[is_in].tolist())),
        metrics=metric_intervals(
            probability[is_in], label[is_in], subgroup_group, predicted=predicted[is_in], metrics=SUBGROUP_METRICS
        ),
        gaps={name: _gap(name, probability, label, predicted, group, is_in) for name in SUBGROUP_METRICS},
    )


def _gap(
    name: str,
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    group: np.ndarray | None,
    is_in: np.ndarray,
) -> Metric:
    if name != "accuracy" and set(label[is_in].tolist()) != set(label[~is_in].tolist()):
        return Metric(value=None, reason=message("other-images-of-other-classes"))
    record, units = METRICS[name], Units.of(label, group, probability.shape[1])
    assert record.influence is not None, "subgroups are compared by metrics with intervals"
    of_image, unseen, values = np.zeros(len(label)), np.zeros(units.n_classes), []
    for sign, rows in ((1, is_in), (-1, ~is_in)):
        part = (probability[rows], label[rows], predicted[rows])
        influence = record.influence(*part)
        of_image[rows] = sign * influence.of_image
        unseen += influence.unseen
        values.append(record.value(*part))
    difference = float(values[0] - values[1])
    n_units = min(units.n_counted(is_in), units.n_counted(~is_in))
    influence = Influence(of_image, unseen, difference)
    return difference_with_interval(difference, influence, units, n_units=n_units)


# Metrics over cross-validation folds, with intervals that include the variance between folds.

FOLDS_METHOD = "corrected resampled t over folds"
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
                [of_fold[name] for of_fold in of_folds if name in of_fold and of_fold[name].value is not None],
                scale or (METRICS[name].scale if name in METRICS else "share"),
            )
            for name, metric in pooled.items()
        }

    def _widened(self, pooled: Metric, of_folds: Sequence[Metric], scale: Scale) -> Metric:
        if pooled.value is None or pooled.low is None or pooled.high is None:
            return pooled
        of_pooled = _variance(pooled) or 0.0
        if of_pooled < _LEAST_VARIANCE:
            return replace(pooled, method=f"{pooled.method}; {self.of_what}")
        values = _defined(each.value for each in of_folds)
        n_defined = len(values) or self.n_folds
        weights = np.ones(len(values))
        if scale == "real":  # a calibration line through few images is far less precise than their number says
            expected = n_defined * of_pooled
            weights = np.minimum(1.0, expected / np.array([_variance(each) or expected for each in of_folds]))
        center = float(np.average(values, weights=weights)) if weights.any() else 0.0
        squares = float((weights * np.square(values - center)).sum())
        freedom = max(len(values) - 1, 0)
        of_one = (squares + _FREEDOM_OF_IMAGES * n_defined * of_pooled) / (freedom + _FREEDOM_OF_IMAGES)
        wider = max(1.0, float(np.sqrt(of_one * (1 / n_defined + self.correction) / of_pooled)))
        low, high = _stretched(pooled.value, pooled.low, pooled.high, wider, scale)
        method = f"{pooled.method}, wider for the variance between folds; {self.of_what}"
        return replace(pooled, low=low, high=high, method=method)


def _variance(metric: Metric) -> float | None:
    """Return the variance that the interval of a metric implies; None without an interval."""
    from scipy.special import ndtri

    if metric.low is None or metric.high is None:
        return None
    return ((metric.high - metric.low) / (2 * float(ndtri((1 + LEVEL) / 2)))) ** 2


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
        return Metric(value=None, method=FOLDS_METHOD, reason=missing)
    value = float(numbers.mean())
    if not METRICS[name].has_interval:
        return Metric(value=value, method=FOLDS_METHOD, reason=METRICS[name].no_interval)
    if numbers.std() < 1e-12:
        return Metric(value=value, method=FOLDS_METHOD, reason=message("folds-of-equal-value"))
    error = np.sqrt(numbers.var(ddof=1) * variance_factor)
    reach = float(stdtrit(len(numbers) - 1, (1 + LEVEL) / 2) * error)
    bottom, top = RANGES[METRICS[name].scale]
    return Metric(value=value, low=max(value - reach, bottom), high=min(value + reach, top), method=FOLDS_METHOD)
