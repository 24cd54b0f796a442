"""Of many classes, those to look at first: what is confused with what, and what is recognised worst."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images of one class that were called another."""

    true: int  # number of the class
    predicted: int
    n: int
    share: float  # of the images of the true class


def confused_pairs(matrix: np.ndarray, at_most: int) -> list[ConfusedPair]:
    """The mistakes that were made most often, most frequent first; of equals those that take more of their class.

    Args:
        matrix: (K, K) counts; rows are the true class, columns the predicted one.
        at_most: how many.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    share = wrong / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    true, predicted = np.nonzero(wrong)
    order = np.lexsort((-share[true, predicted], -wrong[true, predicted]))[:at_most]
    return [
        ConfusedPair(row, column, int(wrong[row, column]), float(share[row, column]))
        for row, column in zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    ]


def confused_classes(matrix: np.ndarray, at_most: int) -> list[int]:
    """Classes that are confused with each other most often, neighbours being pairs; filled up with the first others.

    Args:
        matrix: (K, K) counts.
        at_most: how many.
    """
    both_ways = np.triu(matrix + matrix.T, k=1)
    pairs = np.argsort(-both_ways, axis=None, kind="stable")[: at_most * at_most]
    by_confusion = np.stack(np.unravel_index(pairs, matrix.shape), axis=1).ravel().tolist()
    return list(dict.fromkeys([*by_confusion, *range(len(matrix))]))[:at_most]


def hardest_classes(f1: Sequence[float | None], at_most: int) -> list[int]:
    """Numbers of the classes of lowest F1, lowest first; those without one, which have no images, come last."""
    order = sorted(range(len(f1)), key=lambda k: 2.0 if (value := f1[k]) is None else value)
    return order[:at_most]
