"""Whether labels can be told from what has nothing to do with the object: a shortcut that a network would take.

A linear probe is asked for the labels of images that it was not fitted on: by the border of the image, its background,
its size or its format alone, and, to compare, by what a network sees in the whole image. Clean images have some
shortcuts too (the border of a crop may hold a part of a large cell), so what counts is the share of the whole image's
gain over chance that one of them reaches (Geirhos et al. 2020, Shortcut learning in deep neural networks).
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from coverslip.audit.batches import of_one_class
from coverslip.audit.learning_curve import nested_order
from coverslip.datasets import Signal, SignalSource, Told, ToldByColumn
from coverslip.events import OnProgress, ignore_progress
from coverslip.training.linear_probe import held_out_logits

Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

_N_TURNS = 5
_N_PERMUTATIONS = 40
_MOST_COMPONENTS = 256
_SHRINKAGE = 0.1
_FEWEST_UNITS = 2  # of a class, to be learnt from one and asked for in the other


def signal_of(
    whole: Singles,
    sources: Mapping[SignalSource, Singles],
    label: Ints,
    unit: Ints,
    *,
    columns: Mapping[str, Ints] | None = None,
    seed: int = 0,
    on_progress: OnProgress = ignore_progress,
) -> Signal | None:
    """How well labels are told by parts of what is known of the images.

    Args:
        whole: (n, D) features of the whole images.
        sources: (n, d) numbers each; those that are the same for all images are no source.
        label: (n,) int in [0, K).
        unit: (n,) int: what must not be divided between fitting and asking.
        columns: (n,) numbers of the values of columns that may be batches, by name.
        seed: equal seeds give equal results.
        on_progress: told of each probe that is fitted.

    Returns:
        None where fewer than two classes are in several units.
    """
    n_units = np.array([len(np.unique(unit[label == k])) for k in range(int(label.max()) + 1)])
    usable = (n_units >= _FEWEST_UNITS)[label]
    if len(np.unique(label[usable])) < 2:
        return None
    label, unit = (np.unique(numbers[usable], return_inverse=True)[1] for numbers in (label, unit))
    generator = np.random.default_rng(seed)
    asked: dict[SignalSource | None, Singles] = {
        source: features[usable] for source, features in sources.items() if (features != features[0]).any()
    }
    asked[None] = _components(whole[usable])
    told, n_probes = dict[SignalSource | None, Told](), 1 + _N_PERMUTATIONS
    for k, (source, features) in enumerate(asked.items()):
        tell = partial(_tell_rest, on_progress, k * n_probes, len(asked) * n_probes)
        told[source] = _told(features, label, unit, generator, tell)
    by_whole = told.pop(None)
    by_column = {
        name: _told_by_column(value[usable], asked[None], label, unit, generator)
        for name, value in (columns or {}).items()
    }
    by_source = {source: each for source, each in told.items() if source}
    return Signal(1 / (int(label.max()) + 1), by_whole, by_source, by_column)


def _told_by_column(
    value: Ints, whole: Singles, label: Ints, unit: Ints, generator: np.random.Generator
) -> ToldByColumn:
    one_hot = np.eye(int(value.max()) + 1, dtype=np.float32)[value]
    told = _told(one_hot, label, unit, generator, lambda done: None)
    gains, sizes = [0.0], [0]
    for images, values in of_one_class(value, label):
        chance = 1 / (int(values.max()) + 1)
        reached = _balanced_accuracy(whole[images], values, np.arange(len(images)), generator)
        gains.append((reached - chance) / (1 - chance))
        sizes.append(len(images))
    seen = float(np.average(gains, weights=sizes)) if sum(sizes) else 0.0
    return ToldByColumn(told, max(0.0, seen))


def _tell_rest(on_progress: OnProgress, before: int, total: int, done: int) -> None:
    on_progress(before + done, total)


def _told(
    features: Singles, label: Ints, unit: Ints, generator: np.random.Generator, tell: Callable[[int], None]
) -> Told:
    observed = _balanced_accuracy(features, label, unit, generator)
    by_chance = []
    for done in range(1, 1 + _N_PERMUTATIONS):
        tell(done)
        at_random = _labels_at_random(label, unit, generator)
        by_chance.append(_balanced_accuracy(features, at_random, unit, generator))
    tell(1 + _N_PERMUTATIONS)
    return Told(observed, (1 + sum(chance >= observed for chance in by_chance)) / (1 + _N_PERMUTATIONS))


def _labels_at_random(label: Ints, unit: Ints, generator: np.random.Generator) -> Ints:
    """The labels of the units in another order, laid on the images unit by unit, in any order within each.

    Images of one unit often share a label. Labels without such runs would be told apart less well by chance.
    """
    place = generator.permutation(int(unit.max()) + 1)
    random = np.empty_like(label)
    # Within a unit in random order, or units of the same composition would get their own labels back.
    random[np.lexsort((generator.random(len(unit)), unit))] = label[np.argsort(place[unit], kind="stable")]
    return random


def _balanced_accuracy(features: Singles, label: Ints, unit: Ints, generator: np.random.Generator) -> float:
    """Of images that were left out, in five turns that are dealt out anew by these labels."""
    turn = (nested_order(label, unit, generator) * _N_TURNS).astype(np.int64)
    n_classes = int(label.max()) + 1
    n_turns = np.array([len(np.unique(turn[label == k])) for k in range(n_classes)])
    asked = (n_turns > 1)[label]  # a class in a single turn cannot be learnt where it is asked for
    if len(np.unique(label[asked])) < 2:
        return 1 / n_classes
    order = np.flatnonzero(asked)[np.argsort(turn[asked], kind="stable")]
    label = np.unique(label[order], return_inverse=True)[1]
    n_classes = int(label.max()) + 1
    logits = held_out_logits(
        features[order], label, turn[order], n_classes=n_classes, balanced=True, shrinkage=_SHRINKAGE
    )
    is_right = logits.argmax(axis=1) == label
    return float(np.mean([is_right[label == k].mean() for k in range(n_classes)]))


def _components(features: Singles) -> Singles:
    """(n, d) principal components of standardised features: most of what differs, in fewer columns."""
    sd = features.std(axis=0, dtype=np.float64)
    standardised = (features - features.mean(axis=0, dtype=np.float64)) / np.maximum(sd, 1e-3 * np.median(sd) + 1e-12)
    variance, vectors = np.linalg.eigh((standardised @ standardised.T).astype(np.float32))
    n_kept = min(_MOST_COMPONENTS, max(1, int((variance > 1e-6 * variance[-1]).sum())))
    components: Singles = (vectors[:, -n_kept:] * np.sqrt(np.maximum(variance[-n_kept:], 0))).astype(np.float32)
    return components
