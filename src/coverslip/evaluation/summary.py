"""All numbers of an evaluation: metrics with intervals, for each class and each domain."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from coverslip.evaluation.decisions import positive_class
from coverslip.evaluation.group_results import group_decisions, group_mean_accuracy, subgroups
from coverslip.evaluation.influence import Influence, influence_on_proportion
from coverslip.evaluation.intervals import (
    OnMetrics,
    Units,
    group_codes,
    ignore_metrics,
    metric_intervals,
    metric_with_interval,
)
from coverslip.evaluation.metrics import check_arrays, confusion_matrix
from coverslip.evaluation.per_class import per_class
from coverslip.evaluation.results import DomainScores, Evaluation, Metric
from coverslip.evaluation.table import METRICS, scored_metrics
from coverslip.messages import text


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
    """Return all metrics with their intervals: no NaN, no NumPy types.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        classes: names, in the order of the columns of `probability`.
        split: what the images are: "test", "val", the name of an evaluation.
        primary: the metric that choices were made by, one of `METRICS`.
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.
        group: (n_images,) names of groups, or None where none were given; see `metric_intervals`.
        domain: (n_images,) names of the domains; with more than one, `by_domain` has each one's metrics.
        probability_uncalibrated: as `probability`, before the temperature.
        positive: of two classes the one that is looked for; None: see `positive_class`.
        columns: (n_images,) text by the name of a column of the dataset's table, for subgroups.
        on_progress: called with the number of metrics that are done.

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
    overall = _numbers(probability, label, predicted, group, probability_uncalibrated, on_progress)
    return Evaluation(
        split=split,
        n=overall.n,
        n_groups=overall.n_groups,
        primary=primary,
        metrics=overall.metrics,
        per_class=dict(zip(classes, per_class(probability, label, predicted, group), strict=True)),
        by_domain=_by_domain(probability, label, predicted, group, domain, probability_uncalibrated),
        confusion_matrix=_whole_numbers(confusion_matrix(label, predicted, len(classes))),
        classes=tuple(classes),
        positive_class=positive,
        by_column=subgroups(probability, label, predicted, group, columns or {}),
        group_mean_accuracy=group_mean_accuracy(predicted == label, group),
        over_majority_class=_over_majority_class(label, predicted, group, len(classes)),
        n_ungrouped=0 if group is None else sum(name in ("", None) for name in group.tolist()),
        of_groups=group_decisions(probability, label, group, None if positive is None else names.index(positive)),
    )


def empty_evaluation(classes: Sequence[str], *, split: str, primary: str, reason: str) -> Evaluation:
    """Return an evaluation without numbers, where no image could be measured, and why."""
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
    """Return how much higher the accuracy is than that of always predicting the most frequent class.

    Both at the class proportions of these images, so that only how well each class is recognized is left to chance. On
    other images the accuracy of predicting one class is whatever share that class has there.
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
    metric = metric_with_interval(value, influence, Units.of(label, group, n_classes), "real")
    if metric.low is None or metric.high is None:
        return metric
    return replace(metric, low=max(metric.low, -1.0), high=min(metric.high, 1.0))


def _whole_numbers(counts: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in counts.tolist())


def _numbers(
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
        reason = text("no-uncalibrated-probabilities")
        before = dict.fromkeys(names, Metric(value=None, reason=reason))
    else:
        before = metric_intervals(uncalibrated, label, group, metrics=names)
    metrics = {**intervals, **before}
    return DomainScores(
        n=len(label),
        n_groups=None if group is None else int(group_codes(group).max()) + 1,
        metrics={name: metrics[name] for name in METRICS},
    )


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
        name: _numbers(
            probability[rows],
            label[rows],
            predicted[rows],
            None if group is None else group[rows],
            None if uncalibrated is None else uncalibrated[rows],
        )
        for name, rows in rows_of.items()
    }
