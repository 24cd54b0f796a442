"""Facts of decoded images, and preprocessing of pixels for a network, the same in training and prediction.

8-bit images use their full range. Deeper images rarely do, so their range is learned from the training images, per
channel and depth, and stored with the classifier. Every image is then scaled alike, and intensities (for example the
amount of DNA) stay comparable. Scaling each image by its own range would lose this information.
"""

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar
from zlib import crc32

import numpy as np
from PIL import Image
from pydantic import ConfigDict, Field, model_validator

from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.images.reader import MAX_BYTES, Array, PixelSize, ReadPlan, Size, check_size
from coverslip.images.reading import Pixels, border_color
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
    channel_names: tuple[str, ...] = ()  # in the file; empty: not all channels have one

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
        pixel_hash=pixel_hash(replace(pixels, array=array)),
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
        channel_names=_shared(pixels.channel_names),
    )


def pixel_hash(image: Pixels) -> str:
    """Return the hex digest (128 bit) of the pixels, independent of file, format and compression.

    It depends on size, number of channels and depth. Gray that is stored as RGB has the hash of gray. Channels with
    names are hashed in the alphabetical order of the names, unless channels were chosen, because equal pixels are
    different images if other stains are meant.
    """
    return _hash(effective_channels(in_order(image, [sorted(normalized_names(image.channel_names))])))


def key_in_order(facts: PixelFacts, orders: Iterable[Sequence[str]], *, are_chosen: bool) -> str:
    """Return a hash (128 bit) of the pixels with the channels as a network with these orders sees them.

    It is the hash of the pixels, unless the network sees the channels in another order than that of the hash.

    Args:
        facts: of the image.
        orders: of the names of channels, from `Preprocessing.channel_names`.
        are_chosen: whether channels were chosen, whose order is then meant.
    """
    names = facts.channel_names
    if are_chosen or not names:
        return facts.pixel_hash
    hashed, seen = (
        channel_order(names, each) or tuple(range(len(names))) for each in ([sorted(normalized_names(names))], orders)
    )
    if hashed == seen:
        return facts.pixel_hash
    positions = [hashed.index(channel) for channel in seen]
    return hashlib.sha256(f"{facts.pixel_hash} {positions}".encode()).hexdigest()[:32]


def in_order(image: Pixels, orders: Iterable[Sequence[str]]) -> Array:
    """Return the pixels with the channels in the one of these orders that has the same names, unless chosen."""
    names, array = image.channel_names, image.array
    if image.has_chosen_channels or len(names) != array.shape[2]:
        return array
    order = channel_order(names, orders)
    return array if order is None else np.take(array, order, axis=2)


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


class Scaling(DocumentedModel):
    """The range of intensities that is mapped to [0, 1]; values outside are clipped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["full", "training-range", "per-image"] = "full"
    """`full`: the full range of the depth; `training-range`: the range of the training images; `per-image`: the range
    of each image, which removes differences of intensity between images."""
    ranges: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)
    """For `training-range`: one (low, high) per channel by depth (uint8, uint16, float32). A depth that is not listed
    uses its full range."""

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


# Channels by their names.

_MOST_NAMINGS = 8  # of the channels; if there are more, the names contain something else than the stain


def normalized_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of channels as they are compared: without regard to case."""
    return tuple(name.strip().casefold() for name in names)


def are_numbers(names: Sequence[str]) -> bool:
    """Return whether names only count the channels, from 0 or 1."""
    matches = [re.fullmatch(r"(.*?)(\d{1,4})", name) for name in names]
    numbers = [int(match[2]) for match in matches if match is not None]
    is_one_word = len({match and match[1] for match in matches}) == 1
    return is_one_word and numbers in (list(range(len(names))), list(range(1, len(names) + 1)))


def usual_orders(names_of_images: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Return the most frequent order of each set of names of channels; nothing if there are too many sets.

    Args:
        names_of_images: the names of the channels of each image; nothing of an image without names.
    """
    usual: dict[tuple[str, ...], tuple[str, ...]] = {}
    for names, _ in Counter(names_of_images).most_common():
        if names:
            usual.setdefault(tuple(sorted(normalized_names(names))), names)
    return tuple(sorted(usual.values())) if len(usual) <= _MOST_NAMINGS else ()


def in_orders(names: Sequence[str], orders: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the one of these orders with the same names; without one, the names as they are."""
    plain = sorted(normalized_names(names))
    return next((order for order in orders if sorted(normalized_names(order)) == plain), tuple(names))


def channel_order(names: Sequence[str], orders: Iterable[Sequence[str]]) -> tuple[int, ...] | None:
    """Return the positions of named channels in the one of these orders with the same names.

    None: the names have this order already, there is no such order, or two channels have the same name.
    """
    plain = normalized_names(names)
    same = [order for order in map(normalized_names, orders) if sorted(order) == sorted(plain)]
    if not same or plain in same or len(set(plain)) < len(plain):
        return None
    return tuple(plain.index(name) for name in same[0])


# Preprocessing of pixels for a network.

Resize = Literal["pad", "stretch", "crop", "canvas"]
PadColor = Literal["auto", "black", "white"]
MAX_SIDE_PX = 1024  # of the network input in pixels; one image of 4,096 would need gigabytes
_LARGE_PLANE = 2**24  # pixels
_REACH = 2  # filter radius plus a margin of 1, in source pixels, or in source pixels per target pixel if it shrinks
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Degradation(DocumentedModel):
    """Changes of an image before it is resized, as by another or a worse microscope; the defaults change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blur: float = Field(default=0, ge=0, le=100)
    """Sigma of a Gaussian blur, in pixels of the image."""
    scale: float = Field(default=1, ge=0.1, le=10)
    """Factor of the size of the content."""
    noise: float = Field(default=0, ge=0, le=10)
    """Standard deviation of Gaussian noise, relative to the range of the image."""


def degraded(image: Array, degradation: Degradation) -> Array:
    """Return the degraded (H, W, C) image, of the same shape and type. Equal images get equal noise."""
    from scipy import ndimage

    values = image.astype(np.float32)
    if degradation.blur:
        values = ndimage.gaussian_filter(values, (degradation.blur, degradation.blur, 0), mode="nearest")
    if degradation.scale != 1:
        values = _scaled(values, degradation.scale)
    if degradation.noise:
        rng = np.random.default_rng(crc32(np.ascontiguousarray(image).data))
        sd = degradation.noise * float(np.ptp(image))
        values = values + np.asarray(rng.normal(0, sd, values.shape), np.float32)
    if np.issubdtype(image.dtype, np.integer):
        limits = np.iinfo(image.dtype)
        values = np.rint(values).clip(limits.min, limits.max)
    return values.astype(image.dtype)


def _scaled(values: Array, factor: float) -> Array:
    """Return the content scaled about the center. Pixels beyond the original edge repeat the edge."""
    from scipy import ndimage

    if factor < 1:  # a low-pass filter prevents aliasing
        sigma = (1 / factor - 1) / 2
        values = ndimage.gaussian_filter(values, (sigma, sigma, 0), mode="nearest")
    middle = (np.array(values.shape[:2]) - 1) / 2
    offset = middle - middle / factor
    layers = [
        ndimage.affine_transform(layer, [1 / factor, 1 / factor], offset=offset, order=1, mode="nearest")
        for layer in np.moveaxis(values, -1, 0)
    ]
    return np.stack(layers, axis=-1)


MatchingPart = Literal["zoom", "stain", "invert"]


class Matching(DocumentedModel):
    """Changes that make the images of several laboratories alike; the defaults change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zoom: float = Field(default=1, ge=1, le=8)
    """Factor by which the center of an image is enlarged."""
    is_inverted: bool = False
    """Whether dark becomes bright, for images whose background differs."""
    has_fixed_stain: bool = False
    """Whether mean and standard deviation of each image in CIELAB are set to fixed values (Reinhard et al. 2001, Color
    Transfer between Images). For images in color."""

    @property
    def changes_colors(self) -> bool:
        """Whether it changes more than the size of the content."""
        return self.is_inverted or self.has_fixed_stain

    def colors(self, pixels: Array) -> Array:
        """Return (H, W, C) pixels of the same depth with matched colors."""
        if not self.changes_colors:
            return pixels
        top = np.iinfo(pixels.dtype).max
        pixels = top - pixels if self.is_inverted else pixels
        if not self.has_fixed_stain:
            return pixels
        lab = _lab_of(pixels / np.float32(top))
        mean, sd = lab.mean(axis=(0, 1)), np.maximum(lab.std(axis=(0, 1)), LEAST_LAB_SD)
        matched = _rgb_of((lab - mean) * (np.array(LAB_SD, np.float32) / sd) + np.array(LAB_MEAN, np.float32))
        levels: Array = np.rint(matched * np.float32(top)).astype(pixels.dtype)
        return levels


LAB_MEAN, LAB_SD = (70.0, 10.0, 0.0), (15.0, 10.0, 10.0)
LEAST_LAB_SD = 1.0  # noise of an image of one color is not amplified
# From linear red, green and blue (sRGB) to X, Y and Z, relative to the white D65.
_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
RGB_TO_XYZ = np.array(_XYZ) / np.array([[0.95047], [1.0], [1.08883]])
# From cube roots of X, Y and Z to L*, a* and b*, of which 16 is subtracted from the first.
XYZ_TO_LAB = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
CIE_BEND = 6 / 29  # cube root of X, Y or Z below which the root is replaced by a line
SRGB_BEND, SRGB_SLOPE, SRGB_OFFSET, SRGB_POWER = 0.0031308, 12.92, 0.055, 2.4
_TINY = np.float32(1e-12)


def _lab_of(rgb: Array) -> Array:
    """Return CIELAB of sRGB, both (H, W, 3) float32; sRGB is in [0, 1]."""
    curved = _power((rgb + np.float32(SRGB_OFFSET)) / np.float32(1 + SRGB_OFFSET), SRGB_POWER)
    linear = np.where(rgb > SRGB_BEND * SRGB_SLOPE, curved, rgb / np.float32(SRGB_SLOPE))
    xyz = linear @ RGB_TO_XYZ.T.astype(np.float32)
    line = xyz / np.float32(3 * CIE_BEND**2) + np.float32(4 / 29)
    roots = np.where(xyz > CIE_BEND**3, _power(xyz, 1 / 3), line)
    lab: Array = roots @ XYZ_TO_LAB.T.astype(np.float32) - np.array([16, 0, 0], np.float32)
    return lab


def _rgb_of(lab: Array) -> Array:
    """Return sRGB, clipped to [0, 1], of CIELAB, both (H, W, 3) float32."""
    roots = (lab + np.array([16, 0, 0], np.float32)) @ np.linalg.inv(XYZ_TO_LAB).T.astype(np.float32)
    line = np.float32(3 * CIE_BEND**2) * (roots - np.float32(4 / 29))
    xyz = np.where(roots > CIE_BEND, roots * roots * roots, line)
    linear = np.clip(xyz @ np.linalg.inv(RGB_TO_XYZ).T.astype(np.float32), 0, 1)
    curved = np.float32(1 + SRGB_OFFSET) * _power(linear, 1 / SRGB_POWER) - np.float32(SRGB_OFFSET)
    rgb: Array = np.where(linear > SRGB_BEND, curved, linear * np.float32(SRGB_SLOPE))
    return rgb


def _power(base: Array, exponent: float) -> Array:
    """Return a power of numbers that are not negative, several times as fast as NumPy's."""
    power: Array = np.exp(np.log(np.maximum(base, _TINY)) * np.float32(exponent))
    return power


class Preprocessing(DocumentedModel):
    """How images are resized to squares; stored with the classifier, so that prediction uses the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = Field(gt=0, le=MAX_SIDE_PX)
    """Side in pixels of the square network input."""
    channels: int = Field(default=3, gt=0)
    """Channels of the network input."""
    resize: Resize = "pad"
    """`pad` keeps the aspect ratio and pads; `stretch` changes the aspect ratio; `crop` keeps the aspect ratio and
    crops the longer side; `canvas` is `pad` with one scale for all images."""
    canvas_px: int | None = Field(default=None, gt=0)
    """For `canvas`: image pixels along the side of the square. Larger images are shrunk to fit."""
    pad_color: PadColor = "auto"
    """Padding of `pad` and `canvas`: the color of the image border, intensity 0, or 1."""
    scaling: Scaling = Field(default_factory=Scaling)
    """The intensities that are mapped to 0 and 1."""
    depth: Literal["uint8", "uint16"] = "uint8"
    """Number of steps between 0 and 1: 255 or 65,535."""
    plan: ReadPlan = Field(default_factory=ReadPlan)
    """The pixels of a file that are read."""
    degradation: Degradation | None = None
    """Changes of every image before it is resized, in training and prediction."""
    matching: Matching | None = None
    """Changes of every image that make it like those of another laboratory: the zoom while it is resized, the colors
    after it."""
    channel_names: tuple[tuple[str, ...], ...] = ()
    """The names of the channels in the files of the training images, in the order of the network input; several lists
    if files have different names. Channels of images whose files give these names another order are reordered, unless
    channels were chosen. Empty: files name no channels, or in too many ways."""

    @model_validator(mode="after")
    def _check_canvas(self) -> "Preprocessing":
        if (self.resize == "canvas") != (self.canvas_px is not None):
            raise ValueError("canvas_px is required for resize = canvas, and only allowed with it")
        if self.matching is not None and self.matching.has_fixed_stain and self.channels != 3:
            raise ValueError("a stain is matched in three channels only")
        return self

    @property
    def before_colors(self) -> "Preprocessing":
        """Without the matching of colors, which follows resizing."""
        if self.matching is None:
            return self
        zoom = self.matching.zoom
        return self.model_copy(update={"matching": Matching(zoom=zoom) if zoom != 1 else None})

    def is_too_large(self, width_px: int, height_px: int) -> bool:
        """Return whether an image of this size must be shrunk to fit the canvas, and loses the common scale."""
        return self.canvas_px is not None and max(width_px, height_px) > self.canvas_px


@dataclass(frozen=True, slots=True)
class PreprocessedImage:
    """One preprocessed image, and properties of the image before preprocessing."""

    pixels: Array  # (S, S, C) uint8 or uint16
    width_px: int
    height_px: int
    n_channels: int  # effective: 1 if all are equal
    dtype: str
    note: Message | None  # anomaly in reading the image; equal for equal causes
    pixel_hash: str | None  # of the image as read; None unless requested
    pixel_size_um: PixelSize | None = None  # of the image as read; None: unknown
    is_rescaled: bool = False  # width and height are then those of the rescaled image
    channel_names: tuple[str, ...] = ()  # in the file; empty: not all channels have one
    is_reordered: bool = False  # whether channels are in the order of the training, which is not that of the file


def preprocess_image(image: Pixels, preprocessing: Preprocessing, *, is_hashed: bool) -> PreprocessedImage:
    """Preprocess a decoded image, with the hash of its pixels if `is_hashed`.

    Raises:
        UnreadableImage: as of `preprocess`.
    """
    array = in_order(image, preprocessing.channel_names)
    height, width = array.shape[:2]
    return PreprocessedImage(
        preprocess(array, preprocessing),
        width,
        height,
        effective_channels(array).shape[2],
        array.dtype.name,
        image.note,
        pixel_hash(image) if is_hashed else None,
        image.pixel_size_um,
        channel_names=image.channel_names,
        is_reordered=array is not image.array,
    )


def preprocess(array: Array, preprocessing: Preprocessing) -> Array:
    """Return (S, S, channels) of dtype `preprocessing.depth`, writable; value / dtype maximum is an intensity.

    Gray is repeated over the channels. Three channels become one by luminance, exact if they are equal. Resampling is
    bilinear with antialiasing (Pillow). Padding has the median color of the outermost pixels, which avoids an
    artificial edge, or the lowest or highest intensity.

    Args:
        array: (H, W, C) uint8, uint16 or float32, from `read_pixels`.
        preprocessing: size, channels, scaling and depth.

    Raises:
        UnreadableImage: the channels do not fit, or the scaling has no range for a float image.
    """
    if preprocessing.degradation is not None:
        array = degraded(array, preprocessing.degradation)
    array = _fit_channels(array, preprocessing.channels)
    is_quick = (
        array.dtype == np.uint8 and preprocessing.depth == "uint8" and preprocessing.scaling.is_identity_for_uint8
    )
    # Per-image ranges are computed before resizing, which averages small structures.
    low, high = (None, None) if is_quick else scaling_limits(preprocessing.scaling, array, preprocessing.channels)
    square = _square(array, preprocessing, np.dtype(np.uint8 if is_quick else np.float32))
    square = _repeated(square, preprocessing.channels)
    if low is not None and high is not None:
        top = np.float32(np.iinfo(preprocessing.depth).max)
        square = np.rint(rescale(low, high, square) * top).astype(preprocessing.depth)
    return square if preprocessing.matching is None else preprocessing.matching.colors(square)


def resized(array: Array, width: int, height: int, box: Box | None = None, *, as_float: bool = False) -> Array:
    """Resize an (H, W, C) array, or a box of it, to (height, width, C), bilinear and antialiased.

    uint8 stays uint8 unless `as_float`; other dtypes become float32, one channel and block of rows at a time.
    """
    dtype = np.dtype(np.uint8 if array.dtype == np.uint8 and not as_float else np.float32)
    if dtype == np.uint8 and array.shape[2] == 3:
        return np.array(_resize(Image.fromarray(array), width, height, box))
    whole = box or (0, 0, array.shape[1], array.shape[0])
    planes = (array[..., channel] for channel in range(array.shape[2]))
    return np.stack([_resized_plane(plane, width, height, whole, dtype) for plane in planes], axis=-1)


def _resized_plane(plane: Array, width: int, height: int, box: Box, dtype: np.dtype[Any]) -> Array:
    """Resize a box of an (H, W) plane to (height, width) of `dtype`; a large plane is converted in blocks of rows."""
    left, top, right, bottom = box
    scale = (bottom - top) / height  # source rows per target row
    n_rows = height if plane.size <= _LARGE_PLANE else max(1, int(_LARGE_PLANE / 4 / plane.shape[1] / scale))
    blocks = []
    for start in range(0, height, n_rows):
        end = min(start + n_rows, height)
        first, last = top + start * scale, bottom if end == height else top + end * scale
        first_row = max(0, int(first - _REACH * max(scale, 1))) if n_rows < height else 0
        rows = plane[first_row : int(last + _REACH * max(scale, 1)) + 1] if n_rows < height else plane
        image = Image.fromarray(np.ascontiguousarray(rows, dtype))
        blocks.append(
            np.asarray(_resize(image, width, end - start, (left, first - first_row, right, last - first_row)))
        )
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _resize(image: Image.Image, width: int, height: int, box: Box | None) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BILINEAR, box)


def _square(array: Array, preprocessing: Preprocessing, dtype: np.dtype[Any]) -> Array:
    as_float = dtype != np.uint8
    side, (height, width) = preprocessing.image_size, array.shape[:2]
    zoom = 1 if preprocessing.matching is None else preprocessing.matching.zoom
    match preprocessing.resize:
        case "stretch":
            return resized(array, side, side, _center(width, height, width / zoom, height / zoom), as_float=as_float)
        case "crop":
            short = min(height, width) / zoom
            return resized(array, side, side, _center(width, height, short, short), as_float=as_float)
    extent = max(height, width, preprocessing.canvas_px or 0) / zoom  # image pixels along the side of the square
    visible_width, visible_height = min(width, extent), min(height, extent)
    scale = side / extent
    new_height, new_width = max(1, round(visible_height * scale)), max(1, round(visible_width * scale))
    box = _center(width, height, visible_width, visible_height)
    inner = resized(array, new_width, new_height, box, as_float=as_float)
    if inner.shape[:2] == (side, side):
        return inner
    square = np.empty((side, side, array.shape[2]), dtype)
    square[:] = _pad_color(array, preprocessing.pad_color, dtype)
    y, x = (side - new_height) // 2, (side - new_width) // 2
    square[y : y + new_height, x : x + new_width] = inner
    return square


def _center(width: int, height: int, box_width: float, box_height: float) -> Box:
    """Return the box of this size about the center of an image."""
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return left, top, left + box_width, top + box_height


def _pad_color(array: Array, pad_color: PadColor, dtype: np.dtype[Any]) -> Array:
    """Return the (C,) padding color in image units. Float black and white are infinite; scaling clips them."""
    match pad_color:
        case "auto":
            return border_color(array)
        case "black":
            level = 0 if dtype == np.uint8 else -np.inf
        case "white":
            level = 255 if dtype == np.uint8 else np.inf
    return np.full(array.shape[2], level, dtype)


def _fit_channels(array: Array, n_channels: int) -> Array:
    """Return the array with `n_channels` channels, or with one channel that must be repeated."""
    n_in_image = array.shape[2]
    if n_in_image in (1, n_channels):
        return array
    if n_in_image == 3 and n_channels == 1:
        return _luminance(array)
    raise UnreadableImage("channels-do-not-fit", n_channels=n_in_image, n_needed=n_channels)


def _luminance(array: Array) -> Array:
    if array.dtype == np.uint8:
        return np.asarray(Image.fromarray(array).convert("L"))[..., np.newaxis]
    red = array[..., :1].astype(np.float64)  # differences to red make the result exact if all three are equal
    light = red + (array[..., 1:2] - red) * LUMINANCE[1] + (array[..., 2:3] - red) * LUMINANCE[2]
    return (np.rint(light) if array.dtype.kind == "u" else light).astype(array.dtype)


def _repeated(array: Array, n_channels: int) -> Array:
    return array if array.shape[2] == n_channels else np.repeat(array, n_channels, axis=2)


@dataclass(frozen=True, slots=True)
class Rescaling:
    """The pixel size and the frame of the training images of a classifier, to which other images are resampled.

    The frame is set if the training images had about the same width and height. Otherwise preprocessing would fit the
    resampled image to the square again, and undo the scale."""

    pixel_size_um: PixelSize
    frame: Size | None  # width and height of the training images in pixels; None: they differ

    def size_of(self, size: Size, pixel_size_um: PixelSize) -> Size:
        """Return width and height of an image of this size after it is rescaled, without a frame."""
        width, height = (
            max(1, round(n * um / target))
            for n, um, target in zip(size, pixel_size_um, self.pixel_size_um, strict=True)
        )
        return width, height

    def source_size_of(self, size: Size, pixel_size_um: PixelSize) -> Size:
        """Return width and height of the region that covers as much as one of this size in the training images."""
        return Rescaling(pixel_size_um, None).size_of(size, self.pixel_size_um)


def rescaled(path: Path, array: Array, size: Size, frame: Size | None = None) -> Array:
    """Return an image resampled to a size, then cut or padded to a frame, in its depth.

    Args:
        path: of the image, for errors.
        array: (H, W, C) pixels.
        size: width and height after resampling.
        frame: width and height of the result; None: those of `size`. Padding has the color of the border.

    Raises:
        UnreadableImage: the result would be too large.
    """
    height, width = array.shape[:2]
    if (width, height) == size and frame in (None, size):
        return array
    visible = size if frame is None else (min(size[0], frame[0]), min(size[1], frame[1]))
    for each in (visible, frame or visible):
        check_size(path, *each, MAX_BYTES, bytes_per_pixel=array.shape[2] * array.itemsize)
    left, top = ((size[axis] - visible[axis]) / 2 / size[axis] for axis in (0, 1))  # shares of width and height
    box: Box = (left * width, top * height, (1 - left) * width, (1 - top) * height)
    inner = resized(array, *visible, box)
    if array.dtype.kind == "u":
        inner = np.rint(inner).astype(array.dtype)
    if frame is None or visible == frame:
        return inner
    framed = np.empty((frame[1], frame[0], array.shape[2]), array.dtype)
    framed[:] = border_color(inner)
    x, y = (frame[0] - visible[0]) // 2, (frame[1] - visible[1]) // 2
    framed[y : y + visible[1], x : x + visible[0]] = inner
    return framed
