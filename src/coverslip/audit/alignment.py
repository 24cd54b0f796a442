"""Comparison of pairs of images by small grayscale pictures: descriptors, alignment, then comparison in detail.

Inverse compositional alignment (Baker and Matthews 2004, Lucas-Kanade 20 years on) of similarities, for many pairs at
once. It is invariant to brightness and contrast of the pictures.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from coverslip.images import effective_channels

# Small grayscale pictures of images, and descriptors that are nearly invariant to rotation, mirroring and shifts.
#
# There are two polar transforms: of the picture itself, whose circular correlation gives the rotation of a duplicate,
# and of its power spectrum, which is invariant to shifts. The magnitudes of their Fourier coefficients along the angle
# are invariant to rotation and mirroring (Casasent and Psaltis 1976, Position, rotation and scale invariant optical
# correlation).
#
# A pose is (a, b, x, y): the point (u, v) of the result, from the middle of the picture in units of half its side, has
# the value at (a u - b v + x, b u + a v + y). Mirroring is applied before, to the picture itself.

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_AT_ONCE = 32  # pictures: intermediate results stay in the processor's cache


@cache
def grid(side: int) -> tuple[Floats, Floats]:
    """Return (side²,) horizontal and (side²,) vertical positions of the pixels, from -1 to 1."""
    line = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    return np.tile(line, side), np.repeat(line, side)


@cache
def disc(side: int) -> Bools:
    """Return (side²,): whether a pixel is in the largest disc, since rotated duplicates have other corners."""
    u, v = grid(side)
    return np.asarray(u * u + v * v <= 1.0)


def warp(
    pictures: Floats, which: npt.NDArray[np.intp], pose: Floats, side: int, has_pixel: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return (n, side²) pictures in their poses, by bilinear interpolation, and masks of valid pixels in the disc.

    Args:
        pictures: (N, side²).
        has_pixel: (N, side²) of 0 and 1, masks of valid pixels; None: all are valid.
        which: (n,) rows of `pictures`.
        pose: (n, 4).
    """
    is_whole = np.ones(len(pictures), bool) if has_pixel is None else has_pixel.min(axis=1) > 0
    warped = np.empty((len(which), side * side), np.float32)
    inside = np.empty_like(warped)
    for start in range(0, len(which), _AT_ONCE):
        batch = slice(start, start + _AT_ONCE)
        warped[batch], inside[batch] = _warp(
            pictures, which[batch], pose[batch], side, has_pixel, is_whole[which[batch]]
        )
    return warped, inside


def _warp(
    pictures: Floats, which: npt.NDArray[np.intp], pose: Floats, side: int, has_pixel: Floats | None, is_whole: Bools
) -> tuple[Floats, Floats]:
    u, v = grid(side)
    a, b, x, y = (pose[:, k, None] for k in range(4))
    column, row = a * u - b * v + x, b * u + a * v + y
    inside = (column * column + row * row <= 1.0).astype(np.float32)
    half = np.float32(side / 2)
    column = np.clip((column + 1) * half - np.float32(0.5), 0, side - 1.001)
    row = np.clip((row + 1) * half - np.float32(0.5), 0, side - 1.001)
    left_column, top_row = column.astype(np.int32), row.astype(np.int32)
    column -= left_column
    row -= top_row
    flat = pictures.reshape(-1)
    at = top_row * side + left_column + (which * (side * side))[:, None]
    upper = flat[at] * (1 - column) + flat[at + 1] * column
    if has_pixel is not None:
        partial = np.flatnonzero(~is_whole)
        nearest = at[partial] + (column[partial] > 0.5) + (row[partial] > 0.5) * side
        inside[partial] *= has_pixel.reshape(-1)[nearest]
    at += side
    lower = flat[at] * (1 - column) + flat[at + 1] * column
    return upper * (1 - row) + lower * row, inside


SIDE = 64  # px
_MOST_ELONGATED = (
    1.5  # aspect ratio from which the picture shows the whole image with empty sides, instead of its middle
)
_RANGE = 4.0  # standard deviations that a byte covers on each side of the mean
_FLATTEST = 1e-3  # standard deviation as a share of the mean, below which an image is uniform
_EVEN = 0.02  # of the range of brightness: largest variation of filled corners
_EMPTY_BORDER = 0.98  # of the border's pixels, for a frame to count as empty
_OBJECT = 0.1  # of the range of brightness: least difference from the frame
_REACH = 1.9  # times the root mean square distance of an object's pixels from its middle: 1.4 for discs, 1.7 for rods
_SMALL_OBJECT = 0.75  # of the frame: smaller objects are magnified
_STRAIGHT = 0.04  # of its width: largest deviation from a line of the edge of a corner filled after rotation


def small_picture(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8] | None:
    """Return (SIDE, SIDE) uint8 of mean 128 and equal contrast in the disc; None for a uniform image.

    A byte is odd if the image has a pixel there, and even beyond its edges and in corners filled after rotation. If an
    object is in a large empty frame, the picture shows only the object, so that its detail is not lost.

    Args:
        array: (H, W, C) of any type.
    """
    if np.issubdtype(array.dtype, np.floating):
        # The scale is arbitrary, and sums of values near the float32 maximum would overflow.
        values = np.asarray(array, np.float32)
        array = values / (np.abs(values).max() or 1)
    array = effective_channels(array)  # gray that is stored as RGB has the hash of gray
    gray = array[..., 0].astype(np.float32)
    for channel in range(1, array.shape[2]):  # `mean` along the last axis takes ten times as long
        np.add(gray, array[..., channel], out=gray)
    gray /= np.float32(array.shape[2])
    height, width = gray.shape
    has_pixel = ~_filled_corners(gray)
    middle, radius = (width / 2, height / 2), min(width, height) / 2
    if max(width, height) > _MOST_ELONGATED * 2 * radius:
        radius = max(width, height) / 2
    middle, radius = _object(gray, has_pixel, middle, radius)
    small, is_image = _cut(gray, has_pixel, middle, radius)
    inner = small[disc(SIDE).reshape(SIDE, SIDE) & is_image]  # without filled corners of rotated duplicates
    if not inner.size:
        return None
    mean, deviation = float(inner.mean()), float(inner.std())
    if deviation <= _FLATTEST * max(abs(mean), 1e-9):
        return None
    standardized = (small - mean) * (127 / _RANGE / deviation)
    even_bytes = np.clip(np.rint(standardized) + 128, 0, 255).astype(np.uint8) & 254
    picture: npt.NDArray[np.uint8] = (even_bytes | is_image).astype(np.uint8)
    return picture


def floats_of(pictures: npt.NDArray[np.uint8]) -> Floats:
    """Return pictures in standard deviations from their mean; pixels without image have the value of the border."""
    return (pictures.astype(np.float32) - 128) * np.float32(_RANGE / 127)


def pixel_masks_of(pictures: npt.NDArray[np.uint8]) -> Bools:
    """Return masks of the pixels that the images have."""
    return (pictures & 1).astype(bool)


def _object(
    gray: Floats, has_pixel: Bools, middle: tuple[float, float], radius: float
) -> tuple[tuple[float, float], float]:
    """Return a disc around the object in an empty frame; else the unchanged middle and radius."""
    border = _border(gray)[_border(has_pixel)]
    if not border.size:
        return middle, radius
    border_value, least = np.median(border), _OBJECT * float(np.ptp(gray[has_pixel]))
    if np.mean(np.abs(border - border_value) <= least) < _EMPTY_BORDER:
        return middle, radius
    row, column = np.nonzero((np.abs(gray - border_value) > least) & has_pixel)
    if not row.size:
        return middle, radius
    x, y = float(column.mean() + 0.5), float(row.mean() + 0.5)
    reach = max(_REACH * float(np.sqrt(column.var() + row.var())), 2.0)
    return ((x, y), reach) if reach < _SMALL_OBJECT * radius else (middle, radius)


def _cut(gray: Floats, has_pixel: Bools, middle: tuple[float, float], radius: float) -> tuple[Floats, Bools]:
    """Return the square around a disc at (SIDE, SIDE), and the mask of its image pixels."""
    height, width = gray.shape
    (x, y) = middle
    pad = max(0, int(np.ceil(max(radius - x, radius - y, x + radius - width, y + radius - height))))
    if pad or not has_pixel.all():
        border = _border(gray)[_border(has_pixel)]
        fill = np.float32(np.median(border) if border.size else 0)
        gray = np.pad(np.where(has_pixel, gray, fill), pad, constant_values=fill)
        has_pixel = np.pad(has_pixel, pad)
    box = (x + pad - radius, y + pad - radius, x + pad + radius, y + pad + radius)
    box = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], gray.shape[1]), min(box[3], gray.shape[0]))
    small = np.asarray(Image.fromarray(gray).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))
    if has_pixel.all():
        return small, np.ones((SIDE, SIDE), bool)
    share = np.asarray(
        Image.fromarray(has_pixel.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box)
    )
    return small, share > 0.9 * share.max()  # a very thin image covers no pixel of the small picture completely


def _border(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((array[0], array[-1], array[1:-1, 0], array[1:-1, -1]))


def _filled_corners(gray: Floats) -> Bools:
    """Return the mask of pixels that were filled after rotation: uniform triangles in at least two corners."""
    from scipy.ndimage import label

    tolerance, patch = _EVEN * float(np.ptp(gray)), 1 + min(gray.shape) // 25
    filled, n = np.zeros(gray.shape, bool), 0
    for down, right in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        rotated, corner = gray[::down, ::right], filled[::down, ::right]
        if np.ptp(rotated[:patch, :patch]) > tolerance:
            continue
        components = label(np.abs(rotated - rotated[0, 0]) <= tolerance)[0]
        component = components == components[0, 0]
        lengths = component.sum(axis=1)
        lengths = lengths[: np.count_nonzero(lengths)]
        line = lengths[0] * (1 - np.arange(len(lengths)) / len(lengths))
        if len(lengths) < len(gray) and np.abs(lengths - line).mean() <= max(0.75, _STRAIGHT * lengths[0]):
            corner |= component
            n += 1
    return filled if n >= 2 else np.zeros(gray.shape, bool)


Complex = npt.NDArray[np.complex64]
Ints = npt.NDArray[np.intp]

N_ANGLES = 64
_N_RINGS = 12
_N_WAVES = 7  # Fourier coefficients along the angle, of each ring, in the descriptor
_N_QUANTILES = 16


@cache
def _polar_points(side: int, n_rings: int, n_angles: int, outermost: float) -> tuple[Floats, Floats]:
    radius = (np.arange(n_rings) + 0.5) / n_rings * outermost
    angle = np.arange(n_angles) * (2 * np.pi / n_angles)
    column = (radius[:, None] * np.cos(angle) + 1) * side / 2 - 0.5
    row = (radius[:, None] * np.sin(angle) + 1) * side / 2 - 0.5
    return row.astype(np.float32), column.astype(np.float32)


def polar(pictures: Floats, *, n_rings: int = _N_RINGS, outermost: float = 0.97) -> Floats:
    """Return the polar transform (N, rings, N_ANGLES) of (N, side, side) pictures."""
    side = pictures.shape[1]
    row, column = _polar_points(side, n_rings, N_ANGLES, outermost)
    top_row, left_column = np.clip(row.astype(int), 0, side - 2), np.clip(column.astype(int), 0, side - 2)
    down, right = row - top_row, column - left_column
    upper = pictures[:, top_row, left_column] * (1 - right) + pictures[:, top_row, left_column + 1] * right
    lower = pictures[:, top_row + 1, left_column] * (1 - right) + pictures[:, top_row + 1, left_column + 1] * right
    rings: Floats = (upper * (1 - down) + lower * down).astype(np.float32)
    return rings


def rotation_spectrum(pictures: Floats) -> Complex:
    """Return (N, rings, waves) Fourier coefficients along the angle, for `likely_rotations`; outer rings count more."""
    from scipy.fft import rfft

    rings = polar(pictures)
    rings -= rings.mean(axis=(1, 2), keepdims=True)
    weight = np.sqrt((np.arange(rings.shape[1]) + 0.5) / rings.shape[1]).astype(np.float32)
    waves: Complex = rfft(rings * weight[:, None], axis=2).astype(np.complex64)
    return waves


def likely_rotations(first: Complex, second: Complex, n: int) -> Floats:
    """Return (pairs, n) angles, in radians, that best rotate the second pictures onto the first."""
    from scipy.fft import irfft

    products = (np.conj(first) * second).sum(axis=1)
    products[:, 0] = 0
    match = irfft(products, n=N_ANGLES, axis=1)
    is_peak = (match >= np.roll(match, 1, axis=1)) & (match >= np.roll(match, -1, axis=1))
    peaks = np.where(is_peak, match, -np.inf)
    return np.argsort(-peaks, axis=1)[:, :n].astype(np.float32) * np.float32(2 * np.pi / N_ANGLES)


def describe(pictures: Floats) -> Floats:
    """Return (N, D) descriptors of (N, side, side) pictures; N is at least 1."""
    return np.concatenate([_described(pictures[k : k + _AT_ONCE]) for k in range(0, len(pictures), _AT_ONCE)])


def _described(pictures: Floats) -> Floats:
    n, side = len(pictures), pictures.shape[1]
    inner = disc(side)
    inside = pictures.reshape(n, -1)[:, inner]
    centered = (inside - inside.mean(axis=1, keepdims=True)) / np.maximum(inside.std(axis=1, keepdims=True), 1e-6)
    ranked = np.sort(centered, axis=1)
    pictures = pictures / np.maximum(inside.std(axis=1), 1e-6)[:, None, None]
    at = ((np.arange(_N_QUANTILES) + 0.5) / _N_QUANTILES * ranked.shape[1]).astype(int)
    waves = np.abs(rotation_spectrum(pictures))[:, :, :_N_WAVES].reshape(n, -1) / N_ANGLES
    return np.concatenate((ranked[:, at], waves, _spectrum(pictures)), axis=1).astype(np.float32)


def _spectrum(pictures: Floats) -> Floats:
    """Return logarithms of the power spectrum in rings, and its variation along the angle."""
    from scipy.fft import fft2, fftshift, rfft  # in single precision, ten times as fast as NumPy

    side = pictures.shape[1]
    u, v = grid(side)
    window = (
        np.cos(np.minimum(np.hypot(u, v), 1) * (np.pi / 2)).reshape(side, side) ** 2
    )  # round: corners have no weight
    windowed = (pictures - (pictures * window).sum(axis=(1, 2), keepdims=True) / window.sum()) * window
    power = np.abs(fftshift(fft2(windowed), axes=(1, 2))).astype(np.float32)
    middle = power[:, side // 4 : side // 4 + side // 2, side // 4 : side // 4 + side // 2]
    rings = polar(np.log(middle + 1), n_rings=8, outermost=0.95)
    waves = np.abs(rfft(rings, axis=2))[:, :, (0, 2, 4, 6)] / N_ANGLES
    described: Floats = waves.reshape(len(pictures), -1).astype(np.float32)
    return described


# Comparison of pairs of small pictures: alignment by rotation, scale and shift, then comparison in detail.

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
