"""Numbers of groups (patients, slides): the mean accuracy over them, and one prediction for each.

A group's probabilities are those of the mean logarithm over its images. The sum would count each image as independent
evidence, though images of a patient resemble each other, and be sure of anything; the mean of probabilities or a vote
would let many doubtful images outweigh few sure ones. Only one class can be the group's, so groups with images of
several are left out of these predictions.
"""

from dataclasses import replace

import numpy as np

from coverslip.evaluation.influence import influence_on_mean
from coverslip.evaluation.intervals import Units, group_codes, metric_intervals, metric_with_interval
from coverslip.evaluation.metrics import confusion_matrix
from coverslip.evaluation.per_class import per_class
from coverslip.evaluation.results import OF_POSITIVE, GroupDecisions, Metric

_LEAST = 1e-6  # a probability, so that one image cannot rule a class out: as finely as predictions are written
_FEWEST = 2  # groups


def group_decisions(
    probability: np.ndarray, label: np.ndarray, group: np.ndarray | None, positive: int | None
) -> GroupDecisions | None:
    """How often whole groups are named rightly; every group is one unit of the intervals.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names; images with an empty name are left out. None for the whole: not known.
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
    own, decided = counts[is_pure].argmax(axis=1), together.argmax(axis=1)
    metrics = metric_intervals(together, own, None, predicted=decided, metrics=["accuracy", "balanced_accuracy"])
    if positive is not None:
        of_positive = per_class(together, own, decided)[positive].metrics
        metrics |= {name: of_positive[of_class] for name, of_class in OF_POSITIVE.items()}
    matrix = confusion_matrix(own, decided, n_classes)
    return GroupDecisions(
        n=len(own),
        n_mixed=n_mixed,
        n_alone=int((~is_named).sum()),
        metrics=metrics,
        confusion_matrix=tuple(map(tuple, matrix.tolist())),
    )


def group_mean_accuracy(is_right: np.ndarray, group: np.ndarray | None) -> Metric | None:
    """Return the mean of the accuracies of groups; every group has the same weight and is one unit of the interval.

    Args:
        is_right: (n_images,) bool.
        group: (n_images,) names; images with an empty name are left out. None for the whole: not known.

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
