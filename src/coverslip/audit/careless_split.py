"""What a careless split would have reported: the same classifier on images dealt out one by one, and in whole groups.

Where images of one patient, slide or field, or copies of one picture, lie on both sides of a split, a classifier is
asked about images that it has nearly seen. How much that is worth is measured here and not supposed: every image is
named once by a classifier fitted on others, dealt out either way, by a linear probe on frozen features and by the label
of the nearest image.
"""

from functools import partial

import numpy as np
import numpy.typing as npt

from coverslip.audit.gram_probe import gram_matrix, probe_logits
from coverslip.audit.learning_curve import nested_order
from coverslip.evaluation import Answers, metric_intervals, paired_differences
from coverslip.runs import CarelessAndHonest, WhatIf

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_N_TURNS = 5
_METRIC = "macro_f1"
_SHRINKAGE = 1.0  # the middle of those that trainings choose from; the same for both ways


def what_if(features: Singles, label: Ints, unit: Ints, *, seed: int = 0) -> WhatIf:
    """What a careless split would have reported, and an honest one.

    Args:
        features: (n, D) float32, frozen.
        label: (n,) int in [0, K).
        unit: (n,) int: what must not be divided; fewer units than images.
        seed: equal seeds give equal results.
    """
    gram = gram_matrix(features)
    orders = [nested_order(label, way, np.random.default_rng(seed)) for way in (np.arange(len(label)), unit)]
    careless, honest = ((order * _N_TURNS).astype(np.int64) for order in orders)
    probe, nearest = (
        _compared(named(careless), named(honest), label, unit)
        for named in (
            partial(_named_by_probe, gram, label, n_features=features.shape[1]),
            partial(_named_by_nearest, gram, label),
        )
    )
    return WhatIf(
        metric=_METRIC,
        careless=probe.careless,
        honest=probe.honest,
        difference=probe.difference,
        nearest_image=nearest,
        n_images=len(label),
        n_units=len(np.unique(unit)),
    )


def _compared(careless: Ints, honest: Ints, label: Ints, unit: Ints) -> CarelessAndHonest:
    """The metric of both, over units."""
    sure = np.eye(int(label.max()) + 1)
    one_by_one, in_units, group = Answers(sure[careless], careless), Answers(sure[honest], honest), unit.astype(str)
    return CarelessAndHonest(
        careless=metric_intervals(one_by_one.probability, label, group, metrics=[_METRIC])[_METRIC],
        honest=metric_intervals(in_units.probability, label, group, metrics=[_METRIC])[_METRIC],
        difference=paired_differences(in_units, one_by_one, label, group, metrics=[_METRIC])[_METRIC],
    )


def _named_by_probe(gram: Singles, label: Ints, turn: Ints, *, n_features: int) -> Ints:
    """(n,) class numbers by linear probes that were fitted on the other turns."""
    named = np.empty_like(label)
    for t in range(_N_TURNS):
        fitted, asked = np.flatnonzero(turn != t), np.flatnonzero(turn == t)
        logits = probe_logits(
            gram[np.ix_(fitted, fitted)],
            gram[np.ix_(asked, fitted)],
            label[fitted],
            n_classes=int(label.max()) + 1,
            n_features=n_features,
            shrinkage=_SHRINKAGE,
            balanced=False,
        )
        named[asked] = logits.argmax(axis=1)
    return named


def _named_by_nearest(gram: Singles, label: Ints, turn: Ints) -> Ints:
    """(n,) class numbers of the nearest image of the other turns, by the distance of standardised features."""
    squares = np.diag(gram)
    distance = squares[:, None] + squares - 2 * gram
    named: Ints = label[np.where(turn[:, None] == turn, np.inf, distance).argmin(axis=1)]
    return named
