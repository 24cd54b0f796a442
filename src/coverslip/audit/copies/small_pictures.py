"""A small grey picture of every image, the same whatever its size, brightness or file format: what copies share."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from coverslip.audit.copies.warping import disc
from coverslip.images import effective_channels

Pictures = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SIDE = 64  # px
_MOST_ELONGATED = 1.5  # beyond, the whole image is shown, with nothing at its sides; else its middle
_RANGE = 4.0  # standard deviations that a byte covers on each side of the mean
_FLATTEST = 1e-3  # standard deviation as a share of the mean: below, there is nothing to recognise
_EVEN = 0.02  # of the range of brightness: how much filled corners may vary
_EMPTY_BORDER = 0.98  # of the border's pixels, for a frame to count as empty
_OBJECT = 0.1  # of the range of brightness, from what the frame shows
_REACH = 1.9  # times the root mean square distance of an object's pixels from its middle: 1.4 for discs, 1.7 for rods
_SMALL_OBJECT = 0.75  # of the frame: objects that fill less of it are shown larger
_STRAIGHT = 0.04  # of its width: how far the long side of a corner that was filled after turning is from a line


def small_picture(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8] | None:
    """(SIDE, SIDE) uint8 of mean 128 and equal contrast in the disc; None for an image that is the same everywhere.

    A byte is odd where the image has a pixel, and even beyond its edges and in corners that were filled after turning.
    An object in a large empty frame is shown alone, so that its detail is not lost.

    Args:
        array: (H, W, C) of any type.
    """
    if np.issubdtype(array.dtype, np.floating):
        # The scale tells nothing, and sums of values near float32's largest would overflow.
        values = np.asarray(array, np.float32)
        array = values / (np.abs(values).max() or 1)
    array = effective_channels(array)  # grey that is stored as RGB has the hash of grey
    grey = array[..., 0].astype(np.float32)
    for channel in range(1, array.shape[2]):  # `mean` along the last axis takes ten times as long
        np.add(grey, array[..., channel], out=grey)
    grey /= np.float32(array.shape[2])
    height, width = grey.shape
    known = ~_filled_corners(grey)
    middle, radius = (width / 2, height / 2), min(width, height) / 2
    if max(width, height) > _MOST_ELONGATED * 2 * radius:
        radius = max(width, height) / 2
    middle, radius = _object(grey, known, middle, radius)
    small, shown = _cut(grey, known, middle, radius)
    inner = small[disc(SIDE).reshape(SIDE, SIDE) & shown]  # the corners of a turned copy are filled with something else
    if not inner.size:
        return None
    mean, deviation = float(inner.mean()), float(inner.std())
    if deviation <= _FLATTEST * max(abs(mean), 1e-9):
        return None
    standardised = (small - mean) * (127 / _RANGE / deviation)
    even = np.clip(np.rint(standardised) + 128, 0, 255).astype(np.uint8) & 254
    picture: npt.NDArray[np.uint8] = (even | shown).astype(np.uint8)
    return picture


def floats_of(pictures: npt.NDArray[np.uint8]) -> Pictures:
    """The pictures in standard deviations from their mean; where the image has no pixel, as its border."""
    return (pictures.astype(np.float32) - 128) * np.float32(_RANGE / 127)


def known_of(pictures: npt.NDArray[np.uint8]) -> Bools:
    """Where the images have pixels."""
    return (pictures & 1).astype(bool)


def _object(
    grey: Pictures, known: Bools, middle: tuple[float, float], radius: float
) -> tuple[tuple[float, float], float]:
    """A disc around the middle of what stands in an empty frame; else the middle and radius as given."""
    border = _border(grey)[_border(known)]
    if not border.size:
        return middle, radius
    even, least = np.median(border), _OBJECT * float(np.ptp(grey[known]))
    if np.mean(np.abs(border - even) <= least) < _EMPTY_BORDER:
        return middle, radius
    row, column = np.nonzero((np.abs(grey - even) > least) & known)
    if not row.size:
        return middle, radius
    x, y = float(column.mean() + 0.5), float(row.mean() + 0.5)
    reach = max(_REACH * float(np.sqrt(column.var() + row.var())), 2.0)
    return ((x, y), reach) if reach < _SMALL_OBJECT * radius else (middle, radius)


def _cut(grey: Pictures, known: Bools, middle: tuple[float, float], radius: float) -> tuple[Pictures, Bools]:
    """The square around a disc at (SIDE, SIDE), and where it shows pixels that are known."""
    height, width = grey.shape
    (x, y) = middle
    pad = max(0, int(np.ceil(max(radius - x, radius - y, x + radius - width, y + radius - height))))
    if pad or not known.all():
        border = _border(grey)[_border(known)]
        fill = np.float32(np.median(border) if border.size else 0)
        grey = np.pad(np.where(known, grey, fill), pad, constant_values=fill)
        known = np.pad(known, pad)
    box = (x + pad - radius, y + pad - radius, x + pad + radius, y + pad + radius)
    box = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], grey.shape[1]), min(box[3], grey.shape[0]))
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))
    if known.all():
        return small, np.ones((SIDE, SIDE), bool)
    share = np.asarray(Image.fromarray(known.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BILINEAR, box))
    return small, share > 0.9 * share.max()  # a very thin image has no pixel of the small picture for itself


def _border(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate((array[0], array[-1], array[1:-1, 0], array[1:-1, -1]))


def _filled_corners(grey: Pictures) -> Bools:
    """Where the image was filled after turning: even triangles in its corners, two of them at least."""
    from scipy.ndimage import label

    tolerance, patch = _EVEN * float(np.ptp(grey)), 1 + min(grey.shape) // 25
    filled, n = np.zeros(grey.shape, bool), 0
    for down, right in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        turned, corner = grey[::down, ::right], filled[::down, ::right]
        if np.ptp(turned[:patch, :patch]) > tolerance:
            continue
        parts = label(np.abs(turned - turned[0, 0]) <= tolerance)[0]
        part = parts == parts[0, 0]
        lengths = part.sum(axis=1)
        lengths = lengths[: np.count_nonzero(lengths)]
        line = lengths[0] * (1 - np.arange(len(lengths)) / len(lengths))
        if len(lengths) < len(grey) and np.abs(lengths - line).mean() <= max(0.75, _STRAIGHT * lengths[0]):
            corner |= part
            n += 1
    return filled if n >= 2 else np.zeros(grey.shape, bool)
