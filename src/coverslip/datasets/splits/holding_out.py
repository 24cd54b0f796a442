"""Images held out in turn: probabilities are calibrated on what a head says of images that it has not seen."""

from collections.abc import Sequence

import numpy as np

from coverslip.datasets.index import Dataset
from coverslip.datasets.quality import Scan, connected_components
from coverslip.datasets.splits.partition import Ints, fold_units
from coverslip.datasets.splits.splitting import classes_and_domains

_TURNS = 10  # the fewer images a head is fitted on, the more it overrates itself on new ones
# Of a class. On 1,200 nuclei by movie, 46 of a class's 47 images were in one movie: what a head that had seen one such
# nucleus said of the 46 outweighed all others, and the temperature was three times the best one (15.0, not 4.8).
_TOO_MANY = 0.5


def inner_folds(dataset: Dataset, scan: Scan, positions: Sequence[int], *, seed: int) -> Ints:
    """In which turn each image is held out while a head is fitted on the others.

    What is connected by a group or by copies is held out together. What would take half of a class's
    images with it, or more, never is: a head without them tells nothing of one that has them.

    Args:
        dataset, scan: the images.
        positions: of the images, all labelled and readable.
        seed: equal seeds give equal turns, whatever the order of records.

    Returns:
        (n,) from 0; -1 where an image is never held out. There are up to ten turns; none where everything belongs
        together.
    """
    order = sorted(range(len(positions)), key=lambda i: (dataset.records[positions[i]].image_id, positions[i]))
    places = [positions[i] for i in order]
    unit = connected_components(dataset, scan, places)
    label, domain = classes_and_domains(dataset, places)
    turn = np.empty(len(positions), dtype=np.intp)
    turn[order] = turns_of_units(label, unit, seed, domain)
    return turn


def turns_of_units(label: Ints, unit: Ints, seed: int, domain: Ints | None = None) -> Ints:
    """The same for arrays: (n,) class numbers from 0, units that stay together, domains."""
    n_units = len(set(unit.tolist()))
    if n_units < 2:
        return np.full(len(label), -1, dtype=np.intp)
    turn = fold_units(label, unit, min(_TURNS, n_units), seed, domain)
    n_of_class = np.bincount(label)
    held_out = np.zeros((turn.max() + 1, len(n_of_class)))
    np.add.at(held_out, (turn, label), 1)
    takes_half = held_out[turn, label] >= _TOO_MANY * n_of_class[label]
    turn[np.isin(unit, unit[takes_half])] = -1
    return turn
