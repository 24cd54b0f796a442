"""Comparison of pairs of small pictures: alignment by rotation, scale and shift, then comparison in detail.

Inverse compositional alignment (Baker and Matthews 2004, Lucas-Kanade 20 years on) of similarities, for many pairs at
once. It is invariant to brightness and contrast of the pictures.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from coverslip.audit.small_pictures import (
    SIDE,
    disc,
    floats_of,
    grid,
    likely_rotations,
    pixel_masks_of,
    rotation_spectrum,
    warp,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_LEAST_OVERLAP = 0.5  # of the disc
_CONTRASTS = (0.2, 5.0)  # range of the contrast of one picture relative to the other in a step


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures, and the poses that align the second with the first."""

    first: Ints
    second: Ints  # rows of the pictures, then of their mirror images
    pose: Floats  # (n, 4), as of `warp`

    def __getitem__(self, selection: npt.NDArray[np.bool_] | Ints | slice) -> "Pairs":
        return Pairs(self.first[selection], self.second[selection], self.pose[selection])


@dataclass(frozen=True)
class Level:
    """Pictures at one resolution, and precomputed arrays for alignment to each of them."""

    side: int
    pictures: Floats  # (2 N, side²): unchanged, then mirrored
    mask: Floats  # (2 N, side²) of 0 and 1: valid pixels
    descent: Floats  # (N, 4, side²): gradients along the pose, times the inverse of their products


def make_level(pictures: Floats, coverage: Floats) -> Level:
    """Prepare (N, side, side) pictures; `coverage` has the same shape, and is 1 for a completely valid pixel."""
    n, side = len(pictures), pictures.shape[1]
    along_v, along_u = (gradient.reshape(n, side * side) for gradient in np.gradient(pictures, 2 / side, axis=(1, 2)))
    u, v = grid(side)
    steepest = np.stack((along_u * u + along_v * v, along_v * u - along_u * v, along_u, along_v), axis=1)
    is_valid = (coverage > 0.99).astype(np.float32)
    steepest = (steepest * (disc(side) * is_valid.reshape(n, 1, side * side))).astype(np.float32)
    products = np.matmul(steepest, steepest.transpose(0, 2, 1)).astype(np.float64)
    products += (1e-3 * np.trace(products, axis1=1, axis2=2)[:, None, None] + 1e-9) * np.eye(4)
    descent = np.matmul(np.linalg.inv(products).astype(np.float32), steepest)
    both = np.concatenate((pictures, pictures[:, :, ::-1])).reshape(2 * n, side * side)
    both_valid = np.concatenate((is_valid, is_valid[:, :, ::-1])).reshape(2 * n, side * side)
    return Level(side, both, both_valid, descent)


def align(level: Level, pairs: Pairs, n_steps: int) -> tuple[Pairs, Floats]:
    """Improve the poses step by step.

    Returns:
        The pairs in the best poses of all steps, and (n,) their correlation over common pixels; -1 if they overlap too
        little.
    """
    inner = disc(level.side).astype(np.float32)
    target, pose, in_target = level.pictures[pairs.first], pairs.pose, inner * level.mask[pairs.first]
    areas = (level.mask * inner).sum(axis=1)
    least = _LEAST_OVERLAP * np.minimum(areas[pairs.first], areas[pairs.second])
    best_pose, best = pose.copy(), np.full(len(pose), -1, np.float32)
    for _ in range(n_steps + 1):
        warped, inside = warp(level.pictures, pairs.second, pose, level.side, level.mask)
        weight = inside * in_target
        total = weight.sum(axis=1)
        first, second = centered(target, weight), centered(warped, weight)
        product, squares = _dot(first, second), _dot(second, second)
        score = product / np.sqrt(np.maximum(_dot(first, first) * squares, 1e-9))
        score[total < least] = -1
        is_better = score > best
        best[is_better], best_pose[is_better] = score[is_better], pose[is_better]
        contrast = np.clip(product / np.maximum(squares, 1e-6), *_CONTRASTS)
        error = second * contrast[:, None] - first
        pose = _after(pose, np.matmul(level.descent[pairs.first], error[:, :, None])[:, :, 0])
    return Pairs(pairs.first, pairs.second, best_pose), best


def centered(pictures: Floats, weight: Floats) -> Floats:
    """Return pictures minus their mean in the mask `weight`, and 0 outside."""
    mean = _dot(pictures, weight) / np.maximum(weight.sum(axis=1), 1)
    result: Floats = (pictures - mean[:, None]) * weight
    return result


def correlation(first: Floats, second: Floats, weight: Floats) -> Floats:
    """Return (n,) correlations of the rows in the mask `weight`."""
    first, second = centered(first, weight), centered(second, weight)
    result: Floats = _dot(first, second) / np.sqrt(np.maximum(_dot(first, first) * _dot(second, second), 1e-9))
    return result


def _dot(first: Floats, second: Floats) -> Floats:
    products: Floats = np.einsum("np,np->n", first, second)
    return products


def _after(pose: Floats, step: Floats) -> Floats:
    """Return the pose after the inverse of a small step of the first picture."""
    a, b, x, y = pose.T
    grown, rotated, right, down = step[:, 0] + 1, *step[:, 1:].T
    norm = np.maximum(grown * grown + rotated * rotated, 1e-6)
    ia, ib = grown / norm, -rotated / norm
    ix, iy = -(ia * right - ib * down), -(ib * right + ia * down)
    return np.stack((a * ia - b * ib, b * ia + a * ib, a * ix - b * iy + x, b * ix + a * iy + y), axis=1)


Bytes = npt.NDArray[np.uint8]

_N_ROTATIONS = 4  # candidates, of the picture and of its mirror image
_COARSE, _MIDDLE = 16, 32  # px
_LEAST_COARSE, _LEAST_MIDDLE = 0.8, 0.92  # correlations below which a pair is excluded
_SD = 1.0, 2.0  # px of the small picture: noise and compression artifacts are finer, detail is between
_LEAST_DETAIL_PX = 64  # pixels with detail; with fewer, pictures are dots, which are all similar
_RIM = 0.9  # of the disc's area, within which blurs include no pixels outside
_SHARPEST = 0.9999  # largest correlation that is distinguished
AT_ONCE = 500  # pairs

# Sum of Fisher's z of both correlations. Simple shapes, whose outlines always correlate, thus need a higher correlation
# than textures. All pairs of different synthetic images are below it: benchmarks/copies.py --thresholds.
_LEAST_LIKENESS = 4.4
# Chromosomes of one class are similar at some angle. Of 142 pairs among 20,000 real images, this excludes 86, and no
# planted duplicate. 4.8 would exclude 100, but also a fifth of the duplicates in an augmented dataset.
_ODD_ANGLE = 3.0  # degrees from a right angle
_LEAST_LIKENESS_AT_ODD_ANGLES = 4.6
_LEAST_ADVANTAGE = 2.0  # in the same units: of the similarity of duplicates over that after rotation by right angles


@dataclass(frozen=True)
class Matches:
    """Aligned pairs, and their similarity."""

    first: Ints
    second: Ints
    whole: Floats  # correlation of the pictures without their noise
    fine: Floats  # correlation of their detail
    is_askew: npt.NDArray[np.bool_]  # whether their rotation is not a right angle

    @property
    def likeness(self) -> Floats:
        """(n,) similarity; higher is more similar."""
        z: Floats = np.arctanh(np.clip((self.whole, self.fine), 0, _SHARPEST)).sum(axis=0)
        return z

    @property
    def are_duplicates(self) -> npt.NDArray[np.bool_]:
        """(n,) whether pairs are near-duplicates."""
        least = np.where(self.is_askew, _LEAST_LIKENESS_AT_ODD_ANGLES, _LEAST_LIKENESS)
        return np.asarray(self.likeness >= least)


def align_coarsely(pictures: Bytes, first: Ints, second: Ints) -> tuple[Pairs, Floats]:
    """Align the second pictures coarsely to the first; pairs that differ at low resolution are excluded.

    Args:
        pictures: (N, SIDE, SIDE).
        first, second: (n,) rows.

    Returns:
        m pairs of rows, with N added to the second row where it is mirrored, and (m,) their correlations.
    """
    used, row_of = np.unique(np.concatenate((first, second)), return_inverse=True)
    whole, coverage = floats_of(pictures[used]), pixel_masks_of(pictures[used]).astype(np.float32)
    pairs = _rotated(_shrunk(whole, _MIDDLE), row_of[: len(first)], row_of[len(first) :])
    coarse = make_level(_smooth(_shrunk(whole, _COARSE), 0.7), _shrunk(coverage, _COARSE))
    pairs, score = align(coarse, pairs, 2)
    best = score.reshape(-1, 2 * _N_ROTATIONS).argmax(axis=1) + np.arange(len(first)) * 2 * _N_ROTATIONS
    pairs = pairs[best[score[best] > _LEAST_COARSE]]
    pairs, score = align(make_level(_shrunk(whole, _MIDDLE), _shrunk(coverage, _MIDDLE)), pairs, 6)
    pairs, score = pairs[score > _LEAST_MIDDLE], score[score > _LEAST_MIDDLE]
    is_mirrored = pairs.second >= len(used)
    second = used[pairs.second % len(used)] + is_mirrored * len(pictures)
    return Pairs(used[pairs.first], second, pairs.pose), score


def compare(pictures: Bytes, aligned: Pairs) -> Matches:
    """Return the similarity of coarsely aligned (N, SIDE, SIDE) pictures."""
    used, pairs = _only_needed(len(pictures), aligned)
    whole = floats_of(pictures[used])
    level = make_level(whole, pixel_masks_of(pictures[used]).astype(np.float32))
    pairs, _ = align(level, pairs, 8)
    whole_fit, fine_fit = _correlations(whole, level, pairs)
    matches = Matches(aligned.first, aligned.second % len(pictures), whole_fit, fine_fit, _is_askew(pairs))
    is_simple_shape = _is_rotation_invariant(whole, level, pairs, matches)
    return replace(matches, fine=np.where(is_simple_shape, np.float32(0), fine_fit))


def _is_rotation_invariant(pictures: Floats, level: Level, pairs: Pairs, matches: Matches) -> npt.NDArray[np.bool_]:
    """Return (n,) whether pairs are as similar after other rotations: simple discs and rods."""
    is_simple_shape = np.zeros(len(pairs.first), bool)
    candidates = np.flatnonzero(matches.are_duplicates)
    if not len(candidates):
        return is_simple_shape
    rotation = np.exp(1j * np.pi / 2 * np.arange(1, 4))
    rotated = pairs[np.repeat(candidates, len(rotation))]
    middle, rotation = _middles(pictures)[rotated.first], np.tile(rotation, len(candidates))
    scaled, shift = (rotated.pose[:, k] + 1j * rotated.pose[:, k + 1] for k in (0, 2))
    scaled, shift = scaled * rotation, shift + scaled * middle * (1 - rotation)
    pose = np.stack((scaled.real, scaled.imag, shift.real, shift.imag), axis=1).astype(np.float32)
    rotated, _ = align(level, Pairs(rotated.first, rotated.second, pose), 4)
    fit = Matches(rotated.first, rotated.second, *_correlations(pictures, level, rotated), _is_askew(rotated))
    best = fit.likeness.reshape(len(candidates), -1).max(axis=1)
    is_simple_shape[candidates] = matches.likeness[candidates] - best < _LEAST_ADVANTAGE
    return is_simple_shape


def _is_askew(pairs: Pairs) -> npt.NDArray[np.bool_]:
    angle = np.degrees(np.arctan2(pairs.pose[:, 1], pairs.pose[:, 0]))
    return np.asarray(np.abs((angle + 45) % 90 - 45) > _ODD_ANGLE)


def _middles(pictures: Floats) -> npt.NDArray[np.complex128]:
    """Return (N,) the center of the object of each picture, as u + iv."""
    u, v = grid(SIDE)
    flat = pictures.reshape(-1, SIDE * SIDE)
    weight = (flat - np.median(flat, axis=1, keepdims=True)) ** 2 * disc(SIDE)
    middle: npt.NDArray[np.complex128] = weight @ (u + 1j * v) / np.maximum(weight.sum(axis=1), 1e-9)
    return middle


def _only_needed(n: int, pairs: Pairs) -> tuple[Ints, Pairs]:
    """Return the rows, of n pictures, in any pair, and the pairs with indices into these rows."""
    n_pairs = len(pairs.first)
    used, row_of = np.unique(np.concatenate((pairs.first, pairs.second % n)), return_inverse=True)
    is_mirrored = pairs.second >= n
    return used, Pairs(row_of[:n_pairs], row_of[n_pairs:] + is_mirrored * len(used), pairs.pose)


def _rotated(pictures: Floats, first: Ints, second: Ints) -> Pairs:
    """Return every pair in each of its likely rotations, unchanged and mirrored."""
    waves, mirrored = rotation_spectrum(pictures), rotation_spectrum(pictures[:, :, ::-1])
    unmirrored_angles = likely_rotations(waves[first], waves[second], _N_ROTATIONS)
    angle = np.concatenate((unmirrored_angles, likely_rotations(waves[first], mirrored[second], _N_ROTATIONS)), axis=1)
    is_mirrored = np.repeat((0, 1), _N_ROTATIONS)
    source = (second[:, None] + is_mirrored * len(pictures)).reshape(-1)
    flat = angle.reshape(-1)
    pose = np.stack((np.cos(flat), np.sin(flat), np.zeros_like(flat), np.zeros_like(flat)), axis=1)
    return Pairs(np.repeat(first, 2 * _N_ROTATIONS), source, pose)


def _correlations(pictures: Floats, level: Level, pairs: Pairs) -> tuple[Floats, Floats]:
    """Return (n,) correlations of the pictures without noise, and (n,) of their detail; 0 for mere dots."""
    smooth = _smooth(pictures, _SD[0])
    u, v = grid(SIDE)
    inner = (disc(SIDE) & (u * u + v * v <= _RIM)).astype(np.float32)
    correlations = []
    for layer in (smooth, smooth - _smooth(pictures, _SD[1])):
        both = np.concatenate((layer, layer[:, :, ::-1])).reshape(2 * len(layer), SIDE * SIDE)
        warped, inside = warp(both, pairs.second, pairs.pose, SIDE, level.mask)
        correlations.append(correlation(both[pairs.first], warped, inside * inner * level.mask[pairs.first]))
    squares = (both * inner) ** 2
    n_detail = squares.sum(axis=1) ** 2 / np.maximum((squares * squares).sum(axis=1), 1e-12)  # effective number
    return correlations[0], np.where(n_detail[pairs.first] < _LEAST_DETAIL_PX, np.float32(0), correlations[1])


def _shrunk(pictures: Floats, side: int) -> Floats:
    step = pictures.shape[1] // side
    small: Floats = pictures.reshape(-1, side, step, side, step).mean(axis=(2, 4))
    return small


def _smooth(pictures: Floats, sd: float) -> Floats:
    blur = _blur(pictures.shape[1], sd)
    smooth: Floats = np.matmul(np.matmul(blur, pictures), blur.T)  # faster than filters for small pictures
    return smooth


@cache
def _blur(side: int, sd: float) -> Floats:
    """Return (side, side) weights of a Gaussian along a side."""
    pixel = np.arange(side)
    weight = np.exp(-(((pixel[:, None] - pixel) / sd) ** 2) / 2)
    blur: Floats = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return blur
