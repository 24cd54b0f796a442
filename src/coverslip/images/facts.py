"""Facts of a decoded image (hash, shape, depth, intensity range), and the intensity scaling learned from them.

8-bit images use their full range. Deeper images rarely do, so their range is learned from the training images, per
channel and depth, and stored with the classifier. Every image is then scaled alike, and intensities (for example the
amount of DNA) stay comparable. Scaling each image by its own range would lose this information.
"""

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from coverslip.errors import BadDataset, UnreadableImage
from coverslip.images.reader import Array, PixelSize
from coverslip.images.reading import Pixels
from coverslip.messages import Message, message_of

Depth = Literal["uint8", "uint16", "float32"]
T = TypeVar("T")

_LOW, _HIGH = 0.001, 0.999  # quantiles, so that a few hot or dead pixels do not determine the range
# Pixels from which quantiles are computed. Fewer for 8 bit, which seldom needs quantiles, to keep reading fast.
_SAMPLE_PX = {"uint8": 4_096, "uint16": 32_768, "float32": 32_768}


class PixelFacts(NamedTuple):
    """Facts of one decoded image; a named tuple, since those of a million images are packed and unpacked."""

    pixel_hash: str
    width_px: int
    height_px: int
    n_channels: int  # effective: 1 if red, green and blue are equal in all pixels
    dtype: Depth
    bit_depth: int
    file_format: str
    n_planes: int
    low: tuple[float, ...]  # 0.1 percentile of each effective channel
    high: tuple[float, ...]  # 99.9 percentile
    note: Message | None
    pixel_size_um: PixelSize | None = None  # width and height of a pixel; None: unknown

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "PixelFacts":  # Any: JSON values
        """Return facts from the JSON of their fields.

        Raises:
            TypeError, KeyError: the fields are different.
        """
        fields: dict[str, Any] = {
            name: _shared(tuple(value) if isinstance(value, list) else value)
            for name, value in stored.items()
            if name not in ("pixel_hash", "note")
        }
        note = None if stored["note"] is None else _shared(message_of(stored["note"]))
        return cls(pixel_hash=stored["pixel_hash"], note=note, **fields)

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Return the fields as JSON."""
        return {**self._asdict(), "note": None if self.note is None else asdict(self.note)}


@lru_cache(maxsize=10_000, typed=True)
def _shared(value: T) -> T:
    """Return the value; the same object for equal values, since most facts of many images are equal."""
    return value


def image_facts(pixels: Pixels) -> PixelFacts:
    """Return the facts of one image."""
    array = effective_channels(pixels.array)
    low, high = map(_shared, intensity_range(array))
    return PixelFacts(
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
        pixel_size_um=pixels.pixel_size_um,
    )


def pixel_hash(array: Array) -> str:
    """Return the hex digest (128 bit) of the pixels, independent of file, format and compression.

    It depends on size, number of channels and depth. Gray that is stored as RGB has the hash of gray.

    Args:
        array: (H, W, C) uint8, uint16 or float32.
    """
    return _hash(effective_channels(array))


def effective_channels(array: Array) -> Array:
    """Return (H, W, 1) if three channels are equal in all pixels, else the array itself."""
    if array.shape[2] != 3:
        return array
    rows = array[:: max(1, array.shape[0] // 8)]  # a few rows identify nearly every color image
    if not (_is_gray(rows) and _is_gray(array)):
        return array
    return np.ascontiguousarray(array[..., :1])


def intensity_range(array: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the 0.1 and 99.9 percentiles of each channel, by the next outer rank; large images are subsampled.

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
    """Return the name of the dtype of pixels.

    Raises:
        ValueError: the dtype is not one of the three.
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
    digest = hashlib.sha256(f"{depth_of(array)} {array.shape}".encode())  # hardware-accelerated on most processors
    digest.update(little.data)
    return digest.hexdigest()[:32]


LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's convert("L")

_FULL_RANGE = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "float32": (0.0, 1.0)}
_IMAGES_LOW, _IMAGES_HIGH = 1, 99  # percentiles over images, so that one overexposed image does not determine the range
_FLOAT_SLACK = 1e-3  # tolerance for rounding by other programs


class Scaling(BaseModel):
    """The range of intensities that is mapped to [0, 1]; values outside are clipped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["full", "training-range", "per-image"] = Field(
        default="full",
        description="`full`: the full range of the depth; `training-range`: the range of the training images; "
        "`per-image`: the range of each image, which removes differences of intensity between images.",
    )
    ranges: dict[str, tuple[tuple[float, float], ...]] = Field(
        default_factory=dict,
        description="For `training-range`: one (low, high) per channel by depth (uint8, uint16, float32). "
        "A depth that is not listed uses its full range.",
    )

    @property
    def is_identity_for_uint8(self) -> bool:
        """Whether 8-bit pixels stay unchanged."""
        return self.mode == "full" or (self.mode == "training-range" and "uint8" not in self.ranges)


def learn_scaling(
    facts: Sequence[PixelFacts], mode: Literal["auto", "full", "training-range", "per-image"], n_channels: int
) -> Scaling:
    """Return the scaling from facts of the training images only.

    `auto` is `full` if all images are 8-bit. Otherwise it is `training-range` for every depth, including the 8-bit
    images of a mixed dataset, so that the depths are comparable. A range extends from the 1st percentile of the low
    ends of the images to the 99th percentile of their high ends; high is always above low. Gray images contribute to
    every channel, color images to one channel by luminance. Images whose channels do not fit are ignored.

    Raises:
        BadDataset: `full` is requested, but float images have values outside [0, 1], for which it is not defined.
    """
    if mode == "auto":
        mode = "full" if all(fact.dtype == "uint8" for fact in facts) else "training-range"
    if mode == "full":
        _check_floats(facts)
    if mode != "training-range":
        return Scaling(mode=mode)
    ends: dict[str, array[float]] = {}  # low and high end of each channel of each image
    for fact in facts:
        low, high = _for_channels(fact.low, n_channels), _for_channels(fact.high, n_channels)
        if low and high:
            ends.setdefault(fact.dtype, array("d")).extend((*low, *high))
    ranges = {
        depth: _range_over_images(np.frombuffer(ends[depth]).reshape(-1, 2, n_channels)) for depth in sorted(ends)
    }
    return Scaling(mode=mode, ranges=ranges)


def scaling_limits(scaling: Scaling, array: Array, n_channels: int) -> tuple[Array, Array]:
    """Return (low, high), each (n_channels,) float32: the values of (H, W, 1 or n_channels) mapped to 0 and 1.

    Raises:
        UnreadableImage: a float image has values outside [0, 1], and training had no float images.
    """
    depth = depth_of(array)
    if scaling.mode == "per-image":
        low, high = (_for_channels(ends, n_channels) for ends in intensity_range(array))
        pairs = tuple(_separated(a, b) for a, b in zip(low, high, strict=True))
    elif depth in scaling.ranges and len(scaling.ranges[depth]) == n_channels:
        pairs = scaling.ranges[depth]
    else:
        pairs = (_FULL_RANGE[depth],) * n_channels
        if depth == "float32" and (array.min() < -_FLOAT_SLACK or array.max() > 1 + _FLOAT_SLACK):
            raise UnreadableImage("float-range-unknown")
    return np.array([a for a, _ in pairs], np.float32), np.array([b for _, b in pairs], np.float32)


def rescale(low: Array, high: Array, values: Array) -> Array:
    """Map float32 values linearly to [0, 1]: `low` and below become 0, `high` and above become 1."""
    values = np.clip(values, low, high)
    if (high.astype(np.float64) - low).max() > np.finfo(np.float32).max:  # halving is exact for numbers so large
        low, high, values = low / 2, high / 2, values / 2
    rescaled: Array = (values - low) / (high - low)
    return rescaled


def _range_over_images(ends: Array) -> tuple[tuple[float, float], ...]:
    """Return the range of each channel from the (n, 2, C) ends of images."""
    low, high = np.percentile(ends[:, 0], _IMAGES_LOW, axis=0), np.percentile(ends[:, 1], _IMAGES_HIGH, axis=0)
    return tuple(_separated(float(a), float(b)) for a, b in zip(low, high, strict=True))


def _separated(low: float, high: float) -> tuple[float, float]:
    """Return the pair with high above low, even if an image has a single intensity."""
    return (low, high) if np.float32(high) > np.float32(low) else (low, low + max(1.0, abs(low) * 1e-3))


def _for_channels(values: tuple[float, ...], n_channels: int) -> tuple[float, ...]:
    if len(values) == n_channels:
        return values
    if len(values) == 1:
        return values * n_channels
    if len(values) == 3 and n_channels == 1:
        return (sum(weight * value for weight, value in zip(LUMINANCE, values, strict=True)),)
    return ()


def _check_floats(facts: Sequence[PixelFacts]) -> None:
    n_outside = sum(
        fact.dtype == "float32" and (min(fact.low) < -_FLOAT_SLACK or max(fact.high) > 1 + _FLOAT_SLACK)
        for fact in facts
    )
    if n_outside:
        raise BadDataset("full-scaling-of-floats", n_outside=int(n_outside), n_images=len(facts))
