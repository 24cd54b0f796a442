"""Results by group and by subgroup, and the differences between subgroups.

The gap of a subgroup is its number minus that of all other images. Images of one group can be on both sides, so the
interval comes from the influence of every image on the difference, summed over groups.

A group's probabilities are those of the mean logarithm over its images. The sum would count each image as independent
evidence, though images of a patient resemble each other, and be sure of anything; the mean of probabilities or a vote
would let many doubtful images outweigh few sure ones. Only one class can be the group's, so groups with images of
several are excluded from these predictions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from coverslip.evaluation.influence import Influence, influence_on_mean
from coverslip.evaluation.intervals import FEWEST_GROUPS, Units, group_codes, metric_intervals, metric_with_interval
from coverslip.evaluation.metrics import confusion_matrix
from coverslip.evaluation.per_class import per_class
from coverslip.evaluation.results import OF_POSITIVE, GroupDecisions, Metric, SubgroupScores
from coverslip.evaluation.table import METRICS
from coverslip.messages import text

_LEAST = 1e-6  # a probability, so that one image cannot rule a class out: as finely as predictions are written
_FEWEST = 2  # groups


def group_decisions(
    probability: np.ndarray, label: np.ndarray, group: np.ndarray | None, positive: int | None
) -> GroupDecisions | None:
    """Return how often whole groups are named rightly; every group is one unit of the intervals.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names; images with an empty name are excluded. None for the whole: not known.
        positive: number of the positive one of two classes; None for others.

    Returns:
        None where groups are not known, all are single images, or most are of several classes.
    """
    if group is None:
        return None
    is_named = _is_named(group)
    probability, label, group = probability[is_named], label[is_named], group[is_named]
    if not len(group):
        return None
    code = group_codes(group)
    n_groups, n_classes = int(code.max()) + 1, probability.shape[1]
    counts = np.bincount(code * n_classes + label, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    is_pure = (counts > 0).sum(axis=1) == 1
    n_mixed = int((~is_pure).sum())
    if n_groups == len(label) or n_groups - n_mixed < max(_FEWEST, n_mixed):
        return None
    log = np.zeros((n_groups, n_classes))
    np.add.at(log, code, np.log(np.maximum(probability, _LEAST)))
    mean = (log / counts.sum(axis=1, keepdims=True))[is_pure]
    together = np.exp(mean - mean.max(axis=1, keepdims=True))
    together /= together.sum(axis=1, keepdims=True)
    true, decided = counts[is_pure].argmax(axis=1), together.argmax(axis=1)
    metrics = metric_intervals(together, true, None, predicted=decided, metrics=["accuracy", "balanced_accuracy"])
    if positive is not None:
        of_positive = per_class(together, true, decided)[positive].metrics
        metrics |= {name: of_positive[of_class] for name, of_class in OF_POSITIVE.items()}
    matrix = confusion_matrix(true, decided, n_classes)
    return GroupDecisions(
        n=len(true),
        n_mixed=n_mixed,
        n_alone=int((~is_named).sum()),
        metrics=metrics,
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
    )


def group_mean_accuracy(is_right: np.ndarray, group: np.ndarray | None) -> Metric | None:
    """Return the mean of the accuracies of groups; every group has the same weight and is one unit of the interval.

    Args:
        is_right: (n_images,) bool.
        group: (n_images,) names; images with an empty name are excluded. None for the whole: not known.

    Returns:
        None where no group is known.
    """
    if group is None or not (is_named := _is_named(group)).any():
        return None
    code = group_codes(group[is_named])
    accuracy = np.bincount(code, weights=is_right[is_named]) / np.bincount(code)
    no_class = np.zeros(len(accuracy), dtype=int)
    units = Units.of(no_class, np.arange(len(accuracy)), 1)
    metric = metric_with_interval(float(accuracy.mean()), influence_on_mean(accuracy, no_class, 1), units, "share")
    return replace(metric, n_groups=len(accuracy))


def _is_named(group: np.ndarray) -> np.ndarray:
    return np.array([name not in ("", None) for name in group.tolist()], dtype=bool)


SUBGROUP_METRICS = ("accuracy", "macro_f1")
_MOST_VALUES = 12  # a column with more is a number or a name, no subgroup
_MOST_COLUMNS = 8
_FEW_IMAGES = 20


def subgroups(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray,
    group: np.ndarray | None,
    columns: Mapping[str, np.ndarray],
) -> dict[str, dict[str, SubgroupScores]]:
    """Return numbers of the images with each value of each column.

    Columns with one value, with more than 12, or that only repeat the class are excluded; so are those beyond 8.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label, predicted: (n_images,) int in [0, n_classes).
        group: (n_images,) names of groups, or None.
        columns: (n_images,) text by the name of the column; an empty text is a value too.
    """
    texts = {name: np.array([str(v) for v in values]) for name, values in columns.items()}
    texts = {name: values for name, values in texts.items() if _makes_subgroups(values, label)}
    return {
        name: {
            value: _one(probability, label, predicted, group, values == value)
            for value in sorted(set(values.tolist()), key=lambda value: -int((values == value).sum()))
        }
        for name, values in list(texts.items())[:_MOST_COLUMNS]
    }


def _makes_subgroups(values: np.ndarray, label: np.ndarray) -> bool:
    n_values = len(set(values.tolist()))
    pairs = Counter(zip(values.tolist(), label.tolist(), strict=True))
    repeats_class = len(pairs) == n_values  # every value is of one class only
    return 1 < n_values <= _MOST_VALUES and not repeats_class


def _one(
    probability: np.ndarray, label: np.ndarray, predicted: np.ndarray, group: np.ndarray | None, is_in: np.ndarray
) -> SubgroupScores:
    own_group = None if group is None else group[is_in]
    n_groups = None if own_group is None else int(group_codes(own_group).max()) + 1
    return SubgroupScores(
        n=int(is_in.sum()),
        n_groups=n_groups,
        is_small=bool(is_in.sum() < _FEW_IMAGES or (n_groups is not None and n_groups < FEWEST_GROUPS)),
        n_missing=len(set(label.tolist()) - set(label[is_in].tolist())),
        metrics=metric_intervals(
            probability[is_in], label[is_in], own_group, predicted=predicted[is_in], metrics=SUBGROUP_METRICS
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
        return Metric(value=None, reason=text("other-images-of-other-classes"))
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
    n_groups = min(units.n_groups(is_in), units.n_groups(~is_in))
    influence = Influence(of_image, unseen, difference)
    metric = metric_with_interval(difference, influence, units, "real", n_groups=n_groups)
    if metric.low is None or metric.high is None:
        return metric
    return replace(metric, low=max(metric.low, -1.0), high=min(metric.high, 1.0))
