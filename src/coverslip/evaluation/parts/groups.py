"""Whole groups (patients, slides) decided by all their images together.

A group's probabilities are those of the mean logarithm over its images. The sum would count each image as independent
evidence, though images of a patient resemble each other, and be sure of anything; the mean of probabilities or a vote
would let many doubtful images outweigh few sure ones. Only one class can be the group's, so groups with images of
several are left out.
"""

import numpy as np

from coverslip.evaluation.intervals import group_codes, metric_intervals
from coverslip.evaluation.metrics import confusion_matrix
from coverslip.evaluation.per_class import per_class
from coverslip.evaluation.results import OF_POSITIVE, GroupDecisions

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
    is_named = np.array([name not in ("", None) for name in group.tolist()])
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
