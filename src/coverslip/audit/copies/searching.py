"""Which pairs of pictures are worth comparing: neighbours by numbers that turning and shifting hardly change.

What these numbers do under such changes differs between cells and chromosomes, so it is learnt from the pictures at
hand: some are turned, shifted, scaled and overexposed at random, and numbers that this changes count less.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.describing import describe
from coverslip.audit.copies.small_pictures import floats_of
from coverslip.audit.copies.warping import warp
from coverslip.stopping import BY_SIGNAL, Stop

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_N_CHANGED = 800  # pictures, some several times where there are fewer
_MOST_SHIFTED = 0.1  # of the side, by moving and by cropping
_BRIGHTEST = (1.0, 5.0)  # standard deviations from the mean, beyond which an image is saturated
_N_NUMBERS = 48
_N_NEIGHBOURS = 20
_FARTHEST = 2.5  # times the distance that 99 % of the changed pictures keep from what they were
_N_UNRELATED = 600  # pairs
_AT_ONCE = 1000  # pictures


@dataclass(frozen=True)
class Candidates:
    """Pairs of rows that may be copies, each once, and pairs that resemble each other but are hardly copies."""

    first: Ints
    second: Ints
    unrelated_first: Ints
    unrelated_second: Ints
    places: Floats  # (N, d) what describes each picture: near are those that resemble each other


def candidate_pairs(pictures: npt.NDArray[np.uint8], *, stop: Stop = BY_SIGNAL) -> Candidates:
    """Which of (N, side, side) pictures to compare, three of them at least; found without comparing pixels."""
    numbers = np.concatenate([describe(floats_of(block)) for block in _blocks(pictures, stop)])
    places, farthest = numbers - numbers.mean(axis=0), np.inf
    if len(pictures) > _N_NEIGHBOURS + 1:  # fewer are all compared with one another
        weights, farthest = _learn(pictures, numbers)
        places = (places @ weights).astype(np.float32)
    nearest, distance = _nearest(places, min(_N_NEIGHBOURS, len(places) - 1), stop)
    row, column = np.nonzero(distance <= farthest)
    first, second = _each_once(row, nearest[row, column], len(places))
    generator = np.random.default_rng(1)
    some = generator.choice(len(places), min(_N_UNRELATED, len(places)), replace=False)
    far = generator.integers(nearest.shape[1] // 2, nearest.shape[1], len(some))
    return Candidates(first, second, some, nearest[some, far], places)


def _nearest(places: Floats, n: int, stop: Stop) -> tuple[Ints, Floats]:
    """(N, n) rows of the nearest others, and the squares of their distances, both in order."""
    squares = np.einsum("nd,nd->n", places, places)
    nearest, distances = np.empty((len(places), n), np.intp), np.empty((len(places), n), np.float32)
    for start in range(0, len(places), _AT_ONCE):
        stop.check()
        block = slice(start, start + _AT_ONCE)
        distance = squares[block, None] + squares - 2 * (places[block] @ places.T)
        rows = np.arange(len(distance))
        distance[rows, rows + start] = np.inf
        some = np.argpartition(distance, n - 1, axis=1)[:, :n]
        far = np.take_along_axis(distance, some, axis=1)
        order = np.argsort(far, axis=1)
        nearest[block], distances[block] = (np.take_along_axis(of, order, axis=1) for of in (some, far))
    return nearest, distances


def _each_once(first: Ints, second: Ints, n: int) -> tuple[Ints, Ints]:
    pair = np.unique(np.minimum(first, second) * n + np.maximum(first, second))
    return pair // n, pair % n


def _learn(pictures: npt.NDArray[np.uint8], numbers: Floats) -> tuple[Floats, float]:
    """(D, d) weights that make what changed pictures differ by small, and the square of the farthest distance."""
    from scipy.linalg import eigh

    generator = np.random.default_rng(0)
    chosen = np.resize(generator.permutation(len(pictures)), _N_CHANGED)
    difference = describe(_changed(floats_of(pictures[chosen]), generator)) - numbers[chosen]
    within = (difference.T @ difference).astype(np.float64) / len(difference)
    within += (1e-3 * np.trace(within) / len(within) + 1e-9) * np.eye(len(within))
    weights = eigh(np.cov(numbers.T.astype(np.float64)), within)[1][:, ::-1][:, :_N_NUMBERS]
    distance = ((difference @ weights) ** 2).sum(axis=1)
    return weights.astype(np.float32), float(_FARTHEST * np.quantile(distance, 0.99))


def _changed(pictures: Floats, generator: np.random.Generator) -> Floats:
    """Each turned at random, shifted, scaled, and overexposed; what describes them does not know of mirroring."""
    n, side = len(pictures), pictures.shape[1]
    angle, scale = generator.uniform(0, 2 * np.pi, n), generator.uniform(1 - _MOST_SHIFTED, 1 + _MOST_SHIFTED, n)
    shift = generator.uniform(-_MOST_SHIFTED, _MOST_SHIFTED, (2, n))
    pose = np.stack((scale * np.cos(angle), scale * np.sin(angle), *shift), axis=1).astype(np.float32)
    warped = warp(pictures.reshape(n, -1), np.arange(n), pose, side)[0]
    return np.minimum(warped, generator.uniform(*_BRIGHTEST, (n, 1)).astype(np.float32)).reshape(pictures.shape)


def _blocks(pictures: npt.NDArray[np.uint8], stop: Stop) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(pictures), _AT_ONCE):
        stop.check()
        yield pictures[start : start + _AT_ONCE]
