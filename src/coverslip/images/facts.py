"""What is worth remembering about an image once it is decoded: identity, shape, depth and range of intensities."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coverslip.images._decoded import Array
from coverslip.images.reading import Pixels

Depth = Literal["uint8", "uint16", "float32"]

_LOW, _HIGH = 0.001, 0.999  # quantiles: a few hot or dead pixels do not set the range
# Pixels that the quantiles are taken of. Fewer for 8 bit, where they seldom matter and must not slow reading down.
_SAMPLE_PX = {"uint8": 4_096, "uint16": 32_768, "float32": 32_768}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Facts of one decoded image; small, so that those of 100,000 images fit into memory."""

    pixel_hash: str
    width_px: int
    height_px: int
    n_channels: int  # effective: 1 where red, green and blue are equal everywhere
    dtype: Depth
    bit_depth: int
    file_format: str
    n_planes: int
    low: tuple[float, ...]  # 0.1 percentile of each effective channel
    high: tuple[float, ...]  # 99.9 percentile
    note: str | None


def image_facts(pixels: Pixels) -> ImageFacts:
    """Return the facts of one image."""
    array = effective_channels(pixels.array)
    low, high = intensity_range(array)
    return ImageFacts(
        pixel_hash=_hash(array),
        width_px=array.shape[1],
        height_px=array.shape[0],
        n_channels=array.shape[2],
        dtype=depth_of(array),
        bit_depth=pixels.bit_depth,
        file_format=pixels.file_format,
        n_planes=pixels.n_planes,
        low=low,
        high=high,
        note=pixels.note,
    )


def pixel_hash(array: Array) -> str:
    """Return hex digest (128 bit) of the pixels alone: equal for equal pixels, whatever file, format or compression.

    Size, number of channels and depth count. Gray that is stored as RGB hashes as gray.

    Args:
        array: (H, W, C) uint8, uint16 or float32.
    """
    return _hash(effective_channels(array))


def effective_channels(array: Array) -> Array:
    """Return (H, W, 1) where three channels are equal everywhere, else the array itself."""
    if array.shape[2] != 3:
        return array
    rows = array[:: max(1, array.shape[0] // 8)]  # a few rows identify nearly every color image
    if not (_is_gray(rows) and _is_gray(array)):
        return array
    return np.ascontiguousarray(array[..., :1])


def intensity_range(array: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The 0.1 and 99.9 percentiles of each channel, by the next rank outwards; large images are sampled regularly.

    Args:
        array: (H, W, C).
    """
    step = max(1, int(np.sqrt(array.shape[0] * array.shape[1] / _SAMPLE_PX[depth_of(array)])))
    sample = array[::step, ::step].reshape(-1, array.shape[2])
    first = int(np.floor(_LOW * (len(sample) - 1)))
    last = int(np.ceil(_HIGH * (len(sample) - 1)))
    if array.dtype == np.uint8:
        counts = [np.bincount(sample[:, channel], minlength=256).cumsum() for channel in range(sample.shape[1])]
        pairs = [(int(np.searchsorted(c, first, "right")), int(np.searchsorted(c, last, "right"))) for c in counts]
    else:
        ranked = np.partition(sample, (first, last), axis=0)
        pairs = list(zip(ranked[first].tolist(), ranked[last].tolist(), strict=True))
    return tuple(float(low) for low, _ in pairs), tuple(float(high) for _, high in pairs)


def depth_of(array: Array) -> Depth:
    """Return the name of one of the three dtypes that pixels have.

    Raises:
        ValueError: the array is of another dtype.
    """
    match array.dtype.name:
        case "uint8":
            return "uint8"
        case "uint16":
            return "uint16"
        case "float32":
            return "float32"
    raise ValueError(f"pixels are uint8, uint16 or float32, not {array.dtype}")


def _is_gray(array: Array) -> bool:
    return bool(np.array_equal(array[..., 0], array[..., 1]) and np.array_equal(array[..., 0], array[..., 2]))


def _hash(array: Array) -> str:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{depth_of(array)} {array.shape}".encode())  # in hardware on most processors
    digest.update(little.data)
    return digest.hexdigest()[:32]
