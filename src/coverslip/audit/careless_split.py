"""What a careless split would have reported: the same classifiers with images dealt out one by one, and in whole groups.

Where images of one patient, slide or field, or copies of one picture, lie on both sides of a split, a classifier is
asked about images that it has nearly seen. How much that is worth is measured here and not supposed: every image is
named once by a classifier fitted on others, dealt out either way, by a linear probe on frozen features and by the label
of the nearest image.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.audit.gram_probe import gram_matrix, probe_logits
from coverslip.audit.learning_curve import nested_order

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_N_TURNS = 5
_SHRINKAGE = 1.0  # the middle of those that trainings choose from; the same for both ways


@dataclass(frozen=True, slots=True)
class NamedBothWays:
    """Class numbers for every image by classifiers that were not fitted on it."""

    careless: Ints  # (n,) images dealt out one by one
    honest: Ints  # (n,) whole groups, copies together


def named_by_probe(features: Singles, label: Ints, unit: Ints, *, balanced: bool, seed: int = 0) -> NamedBothWays:
    """By linear probes.

    Args:
        features: (n, D) float32, frozen.
        label: (n,) int in [0, K).
        unit: (n,) int: what must not be divided.
        balanced: every class counts the same to the probes, however many images it has.
        seed: equal seeds give equal results.
    """
    gram, n_classes = gram_matrix(features), int(label.max()) + 1

    def name(turn: Ints) -> Ints:
        named = np.empty_like(label)
        for t in range(_N_TURNS):
            fitted, asked = np.flatnonzero(turn != t), np.flatnonzero(turn == t)
            logits = probe_logits(
                gram[np.ix_(fitted, fitted)],
                gram[np.ix_(asked, fitted)],
                label[fitted],
                n_classes=n_classes,
                n_features=features.shape[1],
                shrinkage=_SHRINKAGE,
                balanced=balanced,
            )
            named[asked] = logits.argmax(axis=1)
        return named

    careless, honest = _turns(label, unit, seed)
    return NamedBothWays(name(careless), name(honest))


def named_by_nearest(features: Singles, label: Ints, unit: Ints, *, seed: int = 0) -> NamedBothWays:
    """By the label of the nearest image, by the distance of standardised features; arguments as for `named_by_probe`."""
    gram = gram_matrix(features)
    squares = np.diag(gram)
    distance = squares[:, None] + squares - 2 * gram

    def name(turn: Ints) -> Ints:
        others = np.where(turn[:, None] == turn, np.inf, distance)
        return label[others.argmin(axis=1)]

    careless, honest = _turns(label, unit, seed)
    return NamedBothWays(name(careless), name(honest))


def _turns(label: Ints, unit: Ints, seed: int) -> tuple[Ints, Ints]:
    """In which of five turns each image is left out: dealt out one by one, and in units."""
    ways = (np.arange(len(label)), unit)
    orders = (nested_order(label, way, np.random.default_rng(seed)) for way in ways)
    careless, honest = ((order * _N_TURNS).astype(np.int64) for order in orders)
    return careless, honest
