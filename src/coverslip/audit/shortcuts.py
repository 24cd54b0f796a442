"""Whether labels can be told from what has nothing to do with the object: a shortcut that a network would take.

A linear probe is asked for the labels of images that it was not fitted on, by the border of the image, by its background,
by its size or its format alone, and, to compare, by what a network sees in the whole image. Clean images have some
shortcuts too (the border of a crop may hold a part of a large cell), so what counts is the share of the whole image's
gain over chance that one of them reaches (Geirhos et al. 2020, Shortcut learning in deep neural networks).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from coverslip.audit.learning_curve import nested_order
from coverslip.training.linear_probe import held_out_logits

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

Source = Literal["border", "background", "size", "format"]

WARNING_SHARE = 0.5  # of the whole image's gain over chance
ADVICE_SHARE = 0.25
_N_TURNS = 5
_N_PERMUTATIONS = 40
_HIGHEST_P = 0.05
_MOST_COMPONENTS = 256
_SHRINKAGE = 0.1
_FEWEST_TURNS = 2  # that a class must be in, to be learnt from one and asked for in the other


@dataclass(frozen=True, slots=True)
class Told:
    """How well classes are told apart by something."""

    balanced_accuracy: float  # mean recall over classes, of images that were left out
    p: float  # share of random labels, ordered as the true ones are, that are told apart as well


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """What each source tells of the labels, beside the whole image."""

    chance: float  # balanced accuracy of guessing
    whole: Told
    by_source: Mapping[Source, Told]

    @property
    def has_signal(self) -> bool:
        """Whether the whole image tells anything at all."""
        return self.whole.p <= _HIGHEST_P

    def share(self, source: Source) -> float:
        """Of the whole image's gain over chance; 0 where the source tells nothing that chance could not."""
        told = self.by_source[source]
        gain = self.whole.balanced_accuracy - self.chance
        if told.p > _HIGHEST_P or gain <= 0:
            return 0.0
        return (told.balanced_accuracy - self.chance) / gain


def find_shortcuts(
    whole: Singles, sources: Mapping[Source, Singles], label: Ints, unit: Ints, *, seed: int = 0
) -> Shortcuts | None:
    """How well labels are told by parts of what is known of the images.

    Args:
        whole: (n, D) features of the whole images.
        sources: (n, d) numbers each; those that are the same for all images are no source.
        label: (n,) int in [0, K).
        unit: (n,) int: what must not be divided between fitting and asking.
        seed: equal seeds give equal results.

    Returns:
        None where fewer than two classes are in several units.
    """
    turn = np.floor(nested_order(label, unit, np.random.default_rng(seed)) * _N_TURNS).astype(np.int64)
    usable = _in_several_turns(label, turn)
    if len(np.unique(label[usable])) < 2:
        return None
    order = np.flatnonzero(usable)
    order = order[np.argsort(turn[order], kind="stable")]
    label = np.unique(label[order], return_inverse=True)[1]
    turn, unit = turn[order], unit[order]
    generator = np.random.default_rng([seed, 1])
    told = {
        source: _told(features[order], label, turn, unit, generator)
        for source, features in sources.items()
        if (features != features[0]).any()
    }
    by_whole = _told(_components(whole[order]), label, turn, unit, generator)
    return Shortcuts(1 / (int(label.max()) + 1), by_whole, told)


def _in_several_turns(label: Ints, turn: Ints) -> npt.NDArray[np.bool_]:
    n_turns = np.array([len(np.unique(turn[label == k])) for k in range(int(label.max()) + 1)])
    return np.asarray(n_turns >= _FEWEST_TURNS)[label]


def _told(features: Singles, label: Ints, turn: Ints, unit: Ints, generator: np.random.Generator) -> Told:
    observed = _balanced_accuracy(features, label, turn)
    n_as_well = 0
    for _ in range(_N_PERMUTATIONS):
        random = _labels_at_random(label, unit, generator)
        if _in_several_turns(random, turn).all():
            n_as_well += _balanced_accuracy(features, random, turn) >= observed
    return Told(observed, (1 + n_as_well) / (1 + _N_PERMUTATIONS))


def _labels_at_random(label: Ints, unit: Ints, generator: np.random.Generator) -> Ints:
    """The labels of the units in another order, laid on the images unit by unit.

    Images of one unit often share a label. Labels without such runs would be told apart less well by chance.
    """
    place = generator.permutation(int(unit.max()) + 1)
    random = np.empty_like(label)
    random[np.argsort(unit, kind="stable")] = label[np.argsort(place[unit], kind="stable")]
    return random


def _balanced_accuracy(features: Singles, label: Ints, turn: Ints) -> float:
    n_classes = int(label.max()) + 1
    logits = held_out_logits(features, label, turn, n_classes=n_classes, balanced=True, shrinkage=_SHRINKAGE)
    is_right = logits.argmax(axis=1) == label
    return float(np.mean([is_right[label == k].mean() for k in range(n_classes)]))


def _components(features: Singles) -> Singles:
    """(n, d) principal components of standardised features: all that differs much between the images, in fewer columns."""
    sd = features.std(axis=0, dtype=np.float64)
    standardised = (features - features.mean(axis=0, dtype=np.float64)) / np.maximum(sd, 1e-3 * np.median(sd) + 1e-12)
    variance, vectors = np.linalg.eigh((standardised @ standardised.T).astype(np.float32))
    n_kept = min(_MOST_COMPONENTS, max(1, int((variance > 1e-6 * variance[-1]).sum())))
    components: Singles = (vectors[:, -n_kept:] * np.sqrt(np.maximum(variance[-n_kept:], 0))).astype(np.float32)
    return components
