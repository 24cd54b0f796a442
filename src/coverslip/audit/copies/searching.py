"""Which pairs of pictures are worth comparing: neighbours by numbers that turning and shifting hardly change.

What these numbers do under such changes differs between cells and chromosomes, so it is learnt from the pictures at
hand: some are turned, shifted, scaled and overexposed at random, and numbers that this changes count less.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.describing import describe
from coverslip.audit.copies.small_pictures import floats_of
from coverslip.audit.copies.warping import disc, warp
from coverslip.events import Emit, ignore, telling
from coverslip.stopping import BY_SIGNAL, Stop

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_N_CHANGED = 400  # pictures, some several times where there are fewer; 200 lose copies, 800 find no more
_MOST_SHIFTED = 0.1  # of the side, by moving and by cropping
_BRIGHTEST = (1.0, 5.0)  # standard deviations from the mean, beyond which an image is saturated
_N_NUMBERS = 48
_N_NEIGHBOURS = 8
_CROPPED, _CROPPED_AT = 0.08, ((0, 0), (0.08, 0.08), (-0.08, -0.08))  # what crops lose changes the numbers most, so
_N_CROPPED = 4  # pictures are also looked for as if they were cropped, and so many neighbours of these compared
_FARTHEST = 2.5  # times the distance that 99 % of the changed pictures keep from what they were
_AT_ONCE = 1000  # pictures


def candidate_pairs(
    pictures: npt.NDArray[np.uint8], *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
) -> tuple[Ints, Ints]:
    """Which of (N, side, side) pictures to compare, two of them at least; found without comparing pixels.

    Returns:
        (n,) and (n,) rows: pairs that may be copies, each once.
    """
    n = len(pictures)
    if n <= _N_NEIGHBOURS + 1:  # so few are all compared with one another
        return np.triu_indices(n, 1)
    step = _steps(n, 2 * (1 + len(_CROPPED_AT)), emit, stop)
    numbers = _described(pictures, step)
    weights, farthest = _learn(pictures, numbers)
    places = (numbers @ weights).astype(np.float32)
    found = [_near(places, places, _N_NEIGHBOURS, farthest, step)]
    for x, y in _CROPPED_AT:
        cropped = _described(pictures, step, np.array(((1 - _CROPPED, 0, x, y),), np.float32))
        found.append(_near((cropped @ weights).astype(np.float32), places, _N_CROPPED, farthest, step))
    return _each_once(np.concatenate([rows for rows, _ in found]), np.concatenate([rows for _, rows in found]), n)


def _steps(n: int, n_passes: int, emit: Emit, stop: Stop) -> Callable[[], None]:
    """What is called after each block of pictures, in so many passes through all of them."""
    tell, total, done = telling(emit, "near-duplicates 1 of 3: finding candidates", "images"), -(-n // _AT_ONCE), 0

    def step() -> None:
        nonlocal done
        stop.check()
        done += 1
        tell(n * done // (total * n_passes), n)

    return step


def _described(pictures: npt.NDArray[np.uint8], step: Callable[[], None], pose: Floats | None = None) -> Floats:
    """(N, D) numbers of the pictures, as they are or all in one pose."""
    numbers = []
    for start in range(0, len(pictures), _AT_ONCE):
        block = floats_of(pictures[start : start + _AT_ONCE])
        numbers.append(describe(block if pose is None else _posed(block, pose)))
        step()
    return np.concatenate(numbers)


def _near(asking: Floats, places: Floats, n: int, farthest: float, step: Callable[[], None]) -> tuple[Ints, Ints]:
    """Rows of `asking`, and of the places that are among the n nearest to it, itself not, and not too far."""
    squares = np.einsum("nd,nd->n", places, places)
    rows, columns = [], []
    for start in range(0, len(asking), _AT_ONCE):
        block = asking[start : start + _AT_ONCE]
        distance = squares - 2 * (block @ places.T)
        distance += np.einsum("nd,nd->n", block, block)[:, None]
        here = np.arange(len(block))
        distance[here, here + start] = np.inf
        nearest = np.argpartition(distance, n - 1, axis=1)[:, :n]
        row, column = np.nonzero(np.take_along_axis(distance, nearest, axis=1) <= farthest)
        rows.append(row + start)
        columns.append(nearest[row, column])
        step()
    return np.concatenate(rows), np.concatenate(columns)


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
    n = len(pictures)
    angle, scale = generator.uniform(0, 2 * np.pi, n), generator.uniform(1 - _MOST_SHIFTED, 1 + _MOST_SHIFTED, n)
    shift = generator.uniform(-_MOST_SHIFTED, _MOST_SHIFTED, (2, n))
    pose = np.stack((scale * np.cos(angle), scale * np.sin(angle), *shift), axis=1).astype(np.float32)
    brightest = generator.uniform(*_BRIGHTEST, (n, 1, 1)).astype(np.float32)
    return np.minimum(_posed(pictures, pose), brightest)


def _posed(pictures: Floats, pose: Floats) -> Floats:
    """Each in its pose, or all in one; of the same contrast as before."""
    n, side = len(pictures), pictures.shape[1]
    posed = warp(pictures.reshape(n, -1), np.arange(n), np.broadcast_to(pose, (n, 4)), side)[0]
    inner = disc(side)
    posed -= posed[:, inner].mean(axis=1, keepdims=True)
    posed /= np.maximum(posed[:, inner].std(axis=1, keepdims=True), 1e-3)
    return posed.reshape(pictures.shape)
