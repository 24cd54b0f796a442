"""Suspected label errors, by the probabilities of classifiers that were not trained on the images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEWEST_IMAGES = 10  # of a class: with fewer a rare look can't be told from a wrong label


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """What speaks against each label."""

    score: Floats  # (n,) 1 - probability of the label
    suggested: Ints  # (n,) the most probable class
    is_checked: npt.NDArray[np.bool_]  # (n,) its class has images enough
    is_misclassified: npt.NDArray[np.bool_]  # (n,) another class is more probable than the label

    @property
    def ranked(self) -> Ints:
        """Positions of the misclassified images, most likely label errors first."""
        order = np.argsort(-self.score, kind="stable")
        return order[self.is_misclassified[order]]


def count_suspected_errors(probability: Floats, label: Ints) -> int:
    """How many labels are probably wrong: the off-diagonal of the confident joint.

    An image counts for another class where that class is the most probable of those whose probability reaches the mean
    that images with this label have. Images between two classes that look alike mostly do not reach it, so this number
    is smaller than the number of misclassified images.
    Formula: Northcutt, Jiang and Chuang 2021, Confident Learning, section 3.1.

    Args:
        probability: (n, K) out-of-fold, calibrated.
        label: (n,) in [0, K).
    """
    n_of = np.bincount(label, minlength=probability.shape[1])
    own = probability[np.arange(len(label)), label]
    mean = np.bincount(label, own, probability.shape[1]) / np.maximum(n_of, 1)
    threshold = np.where(n_of >= FEWEST_IMAGES, mean, np.inf)
    confident = np.where(probability >= threshold, probability, -1.0)
    is_counted = (confident.max(axis=1) >= 0) & (n_of[label] >= FEWEST_IMAGES)
    return int((is_counted & (confident.argmax(axis=1) != label) & (probability.argmax(axis=1) != label)).sum())


def label_issues(probability: Floats, label: Ints) -> LabelIssues:
    """Rank labels by how likely they are wrong, by self-confidence.

    That ranking found as many or more of the labels that were flipped at random than the difference to the next class
    did, and as many or fewer of those flipped between classes that resemble each other (benchmarks/label_errors.py).
    Formula: Northcutt, Jiang and Chuang 2021, Confident Learning, section 3.2.

    Args:
        probability: (n, K) out-of-fold, calibrated.
        label: (n,) in [0, K).
    """
    suggested = probability.argmax(axis=1)
    is_checked = np.bincount(label, minlength=probability.shape[1])[label] >= FEWEST_IMAGES
    own = probability[np.arange(len(label)), label]
    is_misclassified = is_checked & (probability.max(axis=1) > own)
    return LabelIssues(np.clip(1 - own, 0, 1), suggested, is_checked, is_misclassified)
