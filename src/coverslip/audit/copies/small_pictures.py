"""A small grey picture of every image, the same whatever its size, brightness or file format: what copies share."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from coverslip.audit.copies.warping import disc

Pictures = npt.NDArray[np.float32]

SIDE = 64  # px
_MOST_ELONGATED = 1.5  # beyond, the whole image is squeezed into the square; else its middle is taken
_RANGE = 4.0  # standard deviations that a byte covers on each side of the mean
_FLATTEST = 1e-3  # standard deviation as a share of the mean: below, there is nothing to recognise


def small_picture(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8] | None:
    """(SIDE, SIDE) uint8 of mean 128 and equal contrast in the disc; None for an image that is the same everywhere.

    Args:
        array: (H, W, C) of any type.
    """
    if np.issubdtype(array.dtype, np.floating):
        # The scale tells nothing, and sums of values near float32's largest would overflow.
        values = np.asarray(array, np.float32)
        array = values / (np.abs(values).max() or 1)
    grey = array.mean(axis=2, dtype=np.float32) if array.shape[2] > 1 else array[..., 0].astype(np.float32)
    height, width = grey.shape
    side = min(height, width)
    if max(height, width) <= _MOST_ELONGATED * side:
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    else:
        box = (0.0, 0.0, float(width), float(height))
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))
    inner = small[disc(SIDE).reshape(SIDE, SIDE)]  # the corners of a turned copy are filled with something else
    mean, deviation = float(inner.mean()), float(inner.std())
    if deviation <= _FLATTEST * max(abs(mean), 1e-9):
        return None
    standardised = (small - mean) * (127 / _RANGE / deviation)
    picture: npt.NDArray[np.uint8] = np.clip(np.rint(standardised) + 128, 0, 255).astype(np.uint8)
    return picture


def floats_of(pictures: npt.NDArray[np.uint8]) -> Pictures:
    """The pictures in standard deviations from their mean."""
    return (pictures.astype(np.float32) - 128) * np.float32(_RANGE / 127)
