"""Small grayscale pictures of images, and descriptors that are nearly invariant to rotation, mirroring and shifts.

There are two polar transforms: of the picture itself, whose circular correlation gives the rotation of a duplicate, and
of its power spectrum, which is invariant to shifts. The magnitudes of their Fourier coefficients along the angle are
invariant to rotation and mirroring (Casasent and Psaltis 1976, Position, rotation and scale invariant optical
correlation).

A pose is (a, b, x, y): the point (u, v) of the result, from the middle of the picture in units of half its side, has
the value at (a u - b v + x, b u + a v + y). Mirroring is applied before, to the picture itself.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from coverslip.images.preprocessing import effective_channels

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
    return np.concatenate([_descriptors_at_once(pictures[k : k + _AT_ONCE]) for k in range(0, len(pictures), _AT_ONCE)])


def _descriptors_at_once(pictures: Floats) -> Floats:
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
