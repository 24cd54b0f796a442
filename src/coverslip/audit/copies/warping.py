"""Pictures turned, mirrored, shifted and scaled: many at once, in plain arrays.

A pose is (a, b, x, y): the point (u, v) of the result, from the middle of the picture in units of half its side, is
looked up at (a u - b v + x, b u + a v + y). Mirroring is done before, of the picture itself.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_AT_ONCE = 32  # pictures: what is computed on the way stays in the processor's cache


@cache
def grid(side: int) -> tuple[Floats, Floats]:
    """(side²,) horizontal and (side²,) vertical places of the pixels, from -1 to 1."""
    line = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1).astype(np.float32)
    return np.tile(line, side), np.repeat(line, side)


@cache
def disc(side: int) -> Bools:
    """(side²,) whether a pixel lies in the largest disc: turned copies have other corners."""
    u, v = grid(side)
    return np.asarray(u * u + v * v <= 1.0)


def warp(
    pictures: Floats, which: npt.NDArray[np.intp], pose: Floats, side: int, known: Floats | None = None
) -> tuple[Floats, Floats]:
    """(n, side²) pictures in their poses, by bilinear interpolation, and where they have pixels of the disc.

    Args:
        pictures: (N, side²).
        known: (N, side²) of 0 and 1, where they have pixels; everywhere, if not given.
        which: (n,) rows of `pictures`.
        pose: (n, 4).
    """
    is_whole = np.ones(len(pictures), bool) if known is None else known.min(axis=1) > 0
    warped = np.empty((len(which), side * side), np.float32)
    inside = np.empty_like(warped)
    for start in range(0, len(which), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        warped[some], inside[some] = _warp(pictures, which[some], pose[some], side, known, is_whole[which[some]])
    return warped, inside


def _warp(
    pictures: Floats, which: npt.NDArray[np.intp], pose: Floats, side: int, known: Floats | None, is_whole: Bools
) -> tuple[Floats, Floats]:
    u, v = grid(side)
    a, b, x, y = (pose[:, k, None] for k in range(4))
    column, row = a * u - b * v + x, b * u + a * v + y
    inside = (column * column + row * row <= 1.0).astype(np.float32)
    half = np.float32(side / 2)
    column = np.clip((column + 1) * half - np.float32(0.5), 0, side - 1.001)
    row = np.clip((row + 1) * half - np.float32(0.5), 0, side - 1.001)
    left, top = column.astype(np.int32), row.astype(np.int32)
    column -= left
    row -= top
    flat = pictures.reshape(-1)
    at = top * side + left + (which * (side * side))[:, None]
    upper = flat[at] * (1 - column) + flat[at + 1] * column
    if known is not None:
        partly = np.flatnonzero(~is_whole)
        nearest = at[partly] + (column[partly] > 0.5) + (row[partly] > 0.5) * side
        inside[partly] *= known.reshape(-1)[nearest]
    at += side
    lower = flat[at] * (1 - column) + flat[at + 1] * column
    return upper * (1 - row) + lower * row, inside
