"""How well one picture can be laid over another: turned, shifted, scaled, until they differ least.

Inverse compositional alignment (Baker and Matthews 2004, Lucas-Kanade 20 years on) of similarities, for many pairs at
once; brightness and contrast of the pictures do not count.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.warping import disc, grid, warp

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_LEAST_OVERLAP = 0.5  # of the disc
_CONTRASTS = (0.2, 5.0)  # of one picture to the other, that a step may reckon with


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures, and the poses of the second on the first."""

    first: Ints
    second: Ints  # rows of the pictures, then of their mirror images
    pose: Floats  # (n, 4), as of `warp`

    def __getitem__(self, kept: npt.NDArray[np.bool_] | Ints | slice) -> "Pairs":
        return Pairs(self.first[kept], self.second[kept], self.pose[kept])


@dataclass(frozen=True)
class Level:
    """Some pictures at one size, and what aligning to each of them takes."""

    side: int
    pictures: Floats  # (2 N, side²): as they are, then mirrored
    known: Floats  # (2 N, side²) of 0 and 1: where they have pixels
    descent: Floats  # (N, 4, side²): gradients along the pose, times the inverse of their products


def make_level(pictures: Floats, known: Floats) -> Level:
    """Prepare (N, side, side) pictures; `known` is of the same shape, 1 where all of a pixel is known."""
    n, side = len(pictures), pictures.shape[1]
    along_v, along_u = (gradient.reshape(n, side * side) for gradient in np.gradient(pictures, 2 / side, axis=(1, 2)))
    u, v = grid(side)
    steepest = np.stack((along_u * u + along_v * v, along_v * u - along_u * v, along_u, along_v), axis=1)
    is_known = (known > 0.99).astype(np.float32)
    steepest = (steepest * (disc(side) * is_known.reshape(n, 1, side * side))).astype(np.float32)
    products = np.matmul(steepest, steepest.transpose(0, 2, 1)).astype(np.float64)
    products += (1e-3 * np.trace(products, axis1=1, axis2=2)[:, None, None] + 1e-9) * np.eye(4)
    descent = np.matmul(np.linalg.inv(products).astype(np.float32), steepest)
    both = np.concatenate((pictures, pictures[:, :, ::-1])).reshape(2 * n, side * side)
    both_known = np.concatenate((is_known, is_known[:, :, ::-1])).reshape(2 * n, side * side)
    return Level(side, both, both_known, descent)


def align(level: Level, pairs: Pairs, n_steps: int) -> tuple[Pairs, Floats]:
    """Improve the poses step by step.

    Returns:
        The pairs in the best poses that were seen, and (n,) their correlation where both have pixels; -1 where they
        overlap too little.
    """
    inner = disc(level.side).astype(np.float32)
    target, pose, in_target = level.pictures[pairs.first], pairs.pose, inner * level.known[pairs.first]
    areas = (level.known * inner).sum(axis=1)
    least = _LEAST_OVERLAP * np.minimum(areas[pairs.first], areas[pairs.second])
    best_pose, best = pose.copy(), np.full(len(pose), -1, np.float32)
    for _ in range(n_steps + 1):
        warped, inside = warp(level.pictures, pairs.second, pose, level.side, level.known)
        weight = inside * in_target
        total = weight.sum(axis=1)
        first, second = centred(target, weight), centred(warped, weight)
        product, squares = _dot(first, second), _dot(second, second)
        score = product / np.sqrt(np.maximum(_dot(first, first) * squares, 1e-9))
        score[total < least] = -1
        is_better = score > best
        best[is_better], best_pose[is_better] = score[is_better], pose[is_better]
        contrast = np.clip(product / np.maximum(squares, 1e-6), *_CONTRASTS)
        error = second * contrast[:, None] - first
        pose = _after(pose, np.matmul(level.descent[pairs.first], error[:, :, None])[:, :, 0])
    return Pairs(pairs.first, pairs.second, best_pose), best


def centred(pictures: Floats, weight: Floats) -> Floats:
    """Without the mean of what `weight` (0 or 1) counts, and 0 elsewhere."""
    mean = _dot(pictures, weight) / np.maximum(weight.sum(axis=1), 1)
    result: Floats = (pictures - mean[:, None]) * weight
    return result


def correlation(first: Floats, second: Floats, weight: Floats) -> Floats:
    """(n,) of the rows, where `weight` is 1."""
    first, second = centred(first, weight), centred(second, weight)
    result: Floats = _dot(first, second) / np.sqrt(np.maximum(_dot(first, first) * _dot(second, second), 1e-9))
    return result


def _dot(first: Floats, second: Floats) -> Floats:
    products: Floats = np.einsum("np,np->n", first, second)
    return products


def _after(pose: Floats, step: Floats) -> Floats:
    """The pose after the inverse of a small step of the first picture."""
    a, b, x, y = pose.T
    grown, turned, right, down = step[:, 0] + 1, *step[:, 1:].T
    norm = np.maximum(grown * grown + turned * turned, 1e-6)
    ia, ib = grown / norm, -turned / norm
    ix, iy = -(ia * right - ib * down), -(ib * right + ia * down)
    return np.stack((a * ia - b * ib, b * ia + a * ib, a * ix - b * iy + x, b * ix + a * iy + y), axis=1)
