"""Numbers that stay nearly the same when a picture is turned, mirrored, shifted a little, or cropped a little.

Two polar transforms: of the picture itself, whose circular correlation tells by how much a copy is turned, and of its
power spectrum, which does not know of shifts. Magnitudes of their Fourier coefficients along the angle do not know of
turns or mirroring (Casasent and Psaltis 1976, Position, rotation and scale invariant optical correlation).
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.warping import disc, grid

Floats = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]
Ints = npt.NDArray[np.intp]

N_ANGLES = 64
_N_RINGS = 12
_N_WAVES = 7  # Fourier coefficients along the angle, of each ring, that describe
_N_QUANTILES = 16
_AT_ONCE = 32  # pictures: what is computed on the way stays in the processor's cache


@cache
def _polar_points(side: int, n_rings: int, n_angles: int, outermost: float) -> tuple[Floats, Floats]:
    radius = (np.arange(n_rings) + 0.5) / n_rings * outermost
    angle = np.arange(n_angles) * (2 * np.pi / n_angles)
    column = (radius[:, None] * np.cos(angle) + 1) * side / 2 - 0.5
    row = (radius[:, None] * np.sin(angle) + 1) * side / 2 - 0.5
    return row.astype(np.float32), column.astype(np.float32)


def polar(pictures: Floats, *, n_rings: int = _N_RINGS, outermost: float = 0.97) -> Floats:
    """(N, rings, N_ANGLES) of (N, side, side) pictures."""
    side = pictures.shape[1]
    row, column = _polar_points(side, n_rings, N_ANGLES, outermost)
    top, left = np.clip(row.astype(int), 0, side - 2), np.clip(column.astype(int), 0, side - 2)
    down, right = row - top, column - left
    upper = pictures[:, top, left] * (1 - right) + pictures[:, top, left + 1] * right
    lower = pictures[:, top + 1, left] * (1 - right) + pictures[:, top + 1, left + 1] * right
    rings: Floats = (upper * (1 - down) + lower * down).astype(np.float32)
    return rings


def turning(pictures: Floats) -> Complex:
    """(N, rings, waves) Fourier coefficients along the angle, for `likely_turns`; outer rings count more."""
    from scipy.fft import rfft

    rings = polar(pictures)
    rings -= rings.mean(axis=(1, 2), keepdims=True)
    weight = np.sqrt((np.arange(rings.shape[1]) + 0.5) / rings.shape[1]).astype(np.float32)
    waves: Complex = rfft(rings * weight[:, None], axis=2).astype(np.complex64)
    return waves


def likely_turns(first: Complex, second: Complex, n: int) -> Floats:
    """(pairs, n) angles, in radians, that turn the second pictures best onto the first."""
    from scipy.fft import irfft

    products = (np.conj(first) * second).sum(axis=1)
    products[:, 0] = 0
    match = irfft(products, n=N_ANGLES, axis=1)
    is_peak = (match >= np.roll(match, 1, axis=1)) & (match >= np.roll(match, -1, axis=1))
    peaks = np.where(is_peak, match, -np.inf)
    return np.argsort(-peaks, axis=1)[:, :n].astype(np.float32) * np.float32(2 * np.pi / N_ANGLES)


def describe(pictures: Floats) -> Floats:
    """(N, D) numbers of (N, side, side) pictures, one of them at least."""
    return np.concatenate([_described(pictures[k : k + _AT_ONCE]) for k in range(0, len(pictures), _AT_ONCE)])


def _described(pictures: Floats) -> Floats:
    n, side = len(pictures), pictures.shape[1]
    inner = disc(side)
    inside = pictures.reshape(n, -1)[:, inner]
    centred = (inside - inside.mean(axis=1, keepdims=True)) / np.maximum(inside.std(axis=1, keepdims=True), 1e-6)
    ranked = np.sort(centred, axis=1)
    pictures = pictures / np.maximum(inside.std(axis=1), 1e-6)[:, None, None]
    at = ((np.arange(_N_QUANTILES) + 0.5) / _N_QUANTILES * ranked.shape[1]).astype(int)
    waves = np.abs(turning(pictures))[:, :, :_N_WAVES].reshape(n, -1) / N_ANGLES
    return np.concatenate((ranked[:, at], waves, _spectrum(pictures)), axis=1).astype(np.float32)


def _spectrum(pictures: Floats) -> Floats:
    """Logarithms of the power spectrum in rings, and how it varies along the angle."""
    from scipy.fft import fft2, fftshift, rfft  # of single precision in a tenth of NumPy's time

    side = pictures.shape[1]
    u, v = grid(side)
    window = np.cos(np.minimum(np.hypot(u, v), 1) * (np.pi / 2)).reshape(side, side) ** 2  # round: corners do not count
    windowed = (pictures - (pictures * window).sum(axis=(1, 2), keepdims=True) / window.sum()) * window
    power = np.abs(fftshift(fft2(windowed), axes=(1, 2))).astype(np.float32)
    middle = power[:, side // 4 : side // 4 + side // 2, side // 4 : side // 4 + side // 2]
    rings = polar(np.log(middle + 1), n_rings=8, outermost=0.95)
    waves = np.abs(rfft(rings, axis=2))[:, :, (0, 2, 4, 6)] / N_ANGLES
    described: Floats = waves.reshape(len(pictures), -1).astype(np.float32)
    return described
