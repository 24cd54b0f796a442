"""What an image shows around its object: numbers that should not tell one class from another."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_LONGEST_SIDE = 128  # px, that is looked at
_BORDER_SHARE = 1 / 8  # of the shorter side
_BLOCKS_A_SIDE = 5  # that the border is divided into, corners included
_MOST_DEVIATIONS = 3.0  # from the border's median, within which a pixel is background
_DEVIATIONS_OF_NORMAL = 1.4826  # a standard deviation in median absolute deviations
_FEWEST_BACKGROUND_PX = 16
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def border_features(image: Floats) -> Floats:
    """(80 C,): mean, standard deviation, least, largest and roughness of the 16 blocks along the border.

    Args:
        image: (H, W, C), 2 pixels a side at least.
    """
    image = reduced(image)
    height, width, _ = image.shape
    rows, columns = _block_edges(height), _block_edges(width)
    last = _BLOCKS_A_SIDE - 1
    described = [
        _described(image[rows[i] : rows[i + 1], columns[j] : columns[j + 1]])
        for i in range(_BLOCKS_A_SIDE)
        for j in range(_BLOCKS_A_SIDE)
        if i in (0, last) or j in (0, last)
    ]
    return np.concatenate(described)


def background_features(image: Floats) -> Floats:
    """(7 C,): quantiles, standard deviation and roughness of the pixels that look like the border.

    Where they lie and how many they are is left out: that is the object's shape and size.

    Args:
        image: (H, W, C), 2 pixels a side at least.
    """
    image = reduced(image)
    border = image[_is_border(image.shape[0], image.shape[1])]
    middle = np.median(border, axis=0)
    deviation = _DEVIATIONS_OF_NORMAL * np.median(np.abs(border - middle), axis=0)
    # A flat border has no deviation: what differs from it by less than a grey level of 8 bits is background.
    is_background = (np.abs(image - middle) <= np.maximum(_MOST_DEVIATIONS * deviation, 1 / 255)).all(axis=2)
    if is_background.sum() < _FEWEST_BACKGROUND_PX:
        is_background = _is_border(image.shape[0], image.shape[1])
    background = image[is_background]
    beside = is_background[:, 1:] & is_background[:, :-1]
    steps = np.abs(np.diff(image, axis=1))[beside]
    roughness = steps.mean(axis=0) if len(steps) else np.zeros(image.shape[2], np.float32)
    quantiles = np.quantile(background, _QUANTILES, axis=0).ravel()
    return np.concatenate([quantiles, background.std(axis=0), roughness]).astype(np.float32)


def reduced(image: Floats) -> Floats:
    """Means of squares of pixels, so that the longer side is short: what takes time grows with the area."""
    return reduced_by_rows(image, lambda rows: rows)


def reduced_by_rows(array: npt.NDArray[Any], change: Callable[[npt.NDArray[Any]], Floats]) -> Floats:
    """`reduced(change(array))`, some rows at a time so that what it needs meanwhile stays small.

    Args:
        array: (H, W, C).
        change: gives rows their final values, each by itself.
    """
    factor = max(array.shape[:2]) // _LONGEST_SIDE + 1
    height, width = (side // factor * factor for side in array.shape[:2])
    if factor == 1 or not height or not width:
        return change(array)

    def means(top: int) -> Floats:
        rows = change(array[top : top + factor, :width])
        of_row: Floats = rows.reshape(1, factor, width // factor, factor, rows.shape[2]).mean(axis=(1, 3))
        return of_row

    return np.concatenate([means(top) for top in range(0, height, factor)])


def _block_edges(side: int) -> list[int]:
    """Where blocks begin along a side, and where the last one ends; each holds a pixel at least, if need be shared."""
    border = max(1, round(side * _BORDER_SHARE))
    inner = np.linspace(border, max(side - border, border + 1), _BLOCKS_A_SIDE - 1).round().astype(int)
    edges = [0, *inner.tolist(), side]
    return [min(edge, side - 1) for edge in edges[:-1]] + [side]


def _described(block: Floats) -> Floats:
    if not block.size:  # sides of a few pixels have fewer than five blocks
        return np.zeros(5 * block.shape[2], np.float32)
    pixels = block.reshape(-1, block.shape[2])
    steps = np.abs(np.diff(block, axis=1)).reshape(-1, block.shape[2])
    roughness = steps.mean(axis=0) if len(steps) else np.zeros(block.shape[2], np.float32)
    return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), pixels.min(axis=0), pixels.max(axis=0), roughness])


def _is_border(height: int, width: int) -> npt.NDArray[np.bool_]:
    """(H, W), true along the edge."""
    inside = max(1, round(min(height, width) * _BORDER_SHARE))
    border = np.ones((height, width), dtype=np.bool_)
    border[inside : height - inside, inside : width - inside] = False
    return border
