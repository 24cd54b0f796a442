"""Sets of classes that hold an image's true one as often as promised, whatever the probabilities are worth.

Class-conditional split conformal prediction (Vovk, Gammerman and Shafer 2005; Vovk 2012, Conditional Validity of
Inductive Conformal Predictors): a class is in an image's set if its probability is no lower than it is for most images
of that class, or if it is the most probable one. Of new images of each class 90 % or more have it in their set, on
average over calibration images, and however frequent the class is, as long as they are like the calibration images and
nothing was chosen on these.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL = 0.9  # share of images of each class whose set holds it


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """How often sets held the true class."""

    n: int
    n_covered: int
    n_single: int  # sets of one class
    mean_size: float


def images_needed(level: float = LEVEL) -> int:
    """Of each class: with fewer, the promise is kept only where the class is in every set."""
    return math.ceil(round(1 / (1 - level), 9)) - 1


def set_floors(probability: Floats, label: Ints, level: float = LEVEL) -> tuple[float, ...] | None:
    """(K,) the probability from which on each class is in an image's set; None where every class has too few images.

    A class of too few images has a floor of 0, and is in every set: that keeps the promise for it, and the others'
    sets tell as much as they would without it. A floor from the images of all classes would promise it nothing.

    Args:
        probability: (n, K) of images that were not fitted on.
        label: (n,) in [0, K).
        level: share of images of each class whose set shall hold it.
    """
    floors = [_floor(probability[label == k, k], level) for k in range(probability.shape[1])]
    return tuple(floors) if any(floors) else None


def _floor(probability: Floats, level: float) -> float:
    """Return the floor of a class whose images have these (n,) probabilities of being it."""
    n = len(probability)
    if n < images_needed(level):
        return 0.0
    # The k-th smallest score 1 - p with k = ceil((n + 1) level) is the (n + 1 - k)-th smallest probability.
    return float(np.sort(probability)[n - math.ceil(round((n + 1) * level, 9))])


def classes_in_sets(probability: Floats, floors: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return (n, K) whether a class is in an image's set.

    The most probable class is in every set: it is right for most of the images whose set would be empty without it.

    Args:
        probability: (n, K).
        floors: (K,) of `set_floors`.
    """
    is_in_set = probability >= np.array(floors)
    is_in_set[np.arange(len(probability)), probability.argmax(axis=1)] = True
    return is_in_set


def set_coverage(is_in_set: npt.NDArray[np.bool_], label: Ints) -> SetCoverage:
    """Return how often sets held the true class.

    Args:
        is_in_set: (n, K).
        label: (n,) in [0, K).
    """
    sizes = is_in_set.sum(axis=1)
    return SetCoverage(
        n=len(label),
        n_covered=int(is_in_set[np.arange(len(label)), label].sum()),
        n_single=int((sizes == 1).sum()),
        mean_size=float(sizes.mean()) if len(label) else 0.0,
    )
