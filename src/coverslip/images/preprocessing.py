"""Preprocessing of pixels for a network, the same in training and prediction.

Degraded images: blurred, darker or brighter, smaller, or noisy, as from another or a worse microscope.

Resampling of images to the pixel size of a classifier, before preprocessing.

If the training images had about the same width and height, the rescaled image is also cut or padded to these, about
its center. Otherwise preprocessing would fit it to the square again, and undo the scale.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from coverslip.errors import UnreadableImage
from coverslip.images.facts import LUMINANCE, Scaling, effective_channels, pixel_hash, rescale, scaling_limits
from coverslip.images.plan import ReadPlan
from coverslip.images.reader import MAX_BYTES, Array, PixelSize, Size, check_size
from coverslip.images.reading import Pixels, border_color
from coverslip.messages import Message

Resize = Literal["pad", "stretch", "crop", "canvas"]
PadColor = Literal["auto", "black", "white"]
MAX_SIDE_PX = 1024  # of the network input in pixels; one image of 4,096 would need gigabytes
_LARGE_PLANE = 2**24  # pixels
_REACH = 2  # filter radius plus a margin of 1, in source pixels, or in source pixels per target pixel if it shrinks
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Degradation(BaseModel):
    """Changes of an image before it is resized; the defaults change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blur: float = Field(default=0, ge=0, le=100, description="Sigma of a Gaussian blur, in pixels of the image.")
    brightness: float = Field(default=1, gt=0, le=10, description="Factor of every intensity.")
    scale: float = Field(default=1, ge=0.1, le=10, description="Factor of the size of the content.")
    noise: float = Field(
        default=0, ge=0, le=10, description="Standard deviation of Gaussian noise, relative to the range of the image."
    )


def degraded(image: Array, degradation: Degradation) -> Array:
    """Return the degraded (H, W, C) image, of the same shape and type. Equal images get equal noise."""
    from scipy import ndimage

    values = image.astype(np.float32) * np.float32(degradation.brightness)
    if degradation.blur:
        values = ndimage.gaussian_filter(values, (degradation.blur, degradation.blur, 0), mode="nearest")
    if degradation.scale != 1:
        values = _scaled(values, degradation.scale)
    if degradation.noise:
        rng = np.random.default_rng(crc32(np.ascontiguousarray(image).data))
        sd = degradation.noise * float(np.ptp(image))
        values = values + rng.normal(0, sd, values.shape).astype(np.float32)
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


class Preprocessing(BaseModel):
    """How images are resized to squares; stored with the classifier, so that prediction uses the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: int = Field(gt=0, le=MAX_SIDE_PX, description="Side in pixels of the square network input.")
    channels: int = Field(default=3, gt=0, description="Channels of the network input.")
    resize: Resize = Field(
        default="pad",
        description="`pad` keeps the aspect ratio and pads; `stretch` changes the aspect ratio; `crop` keeps the "
        "aspect ratio and crops the longer side; `canvas` is `pad` with one scale for all images.",
    )
    canvas_px: int | None = Field(
        default=None,
        gt=0,
        description="For `canvas`: image pixels along the side of the square. Larger images are shrunk to fit.",
    )
    pad_color: PadColor = Field(
        default="auto",
        description="Padding of `pad` and `canvas`: the color of the image border, intensity 0, or 1.",
    )
    scaling: Scaling = Field(default_factory=Scaling, description="The intensities that are mapped to 0 and 1.")
    depth: Literal["uint8", "uint16"] = Field(
        default="uint8", description="Number of steps between 0 and 1: 255 or 65,535."
    )
    plan: ReadPlan = Field(default_factory=ReadPlan, description="The pixels of a file that are read.")
    degradation: Degradation | None = Field(
        default=None, description="Changes of every image before it is resized, in training and prediction."
    )

    @model_validator(mode="after")
    def _check_canvas(self) -> "Preprocessing":
        if (self.resize == "canvas") != (self.canvas_px is not None):
            raise ValueError("canvas_px is required for resize = canvas, and only allowed with it")
        return self

    @model_serializer(mode="wrap")
    def _omit_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: JSON values
        """Omit newer fields with default values, so that model cards and cache keys of older versions stay the same."""
        saved: dict[str, Any] = handler(self)
        unused = {"canvas_px": None, "pad_color": "auto", "degradation": None}
        return {name: value for name, value in saved.items() if name not in unused or value != unused[name]}

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


def preprocess_image(image: Pixels, preprocessing: Preprocessing, *, is_hashed: bool) -> PreprocessedImage:
    """Preprocess a decoded image, with the hash of its pixels if `is_hashed`.

    Raises:
        UnreadableImage: as of `preprocess`.
    """
    array = image.array
    height, width = array.shape[:2]
    return PreprocessedImage(
        preprocess(array, preprocessing),
        width,
        height,
        effective_channels(array).shape[2],
        array.dtype.name,
        image.note,
        pixel_hash(array) if is_hashed else None,
        image.pixel_size_um,
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
    if low is None or high is None:
        return square
    top = np.float32(np.iinfo(preprocessing.depth).max)
    levels: Array = np.rint(rescale(low, high, square) * top).astype(preprocessing.depth)
    return levels


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
    match preprocessing.resize:
        case "stretch":
            return resized(array, side, side, as_float=as_float)
        case "crop":
            short = min(height, width)
            left, top = (width - short) / 2, (height - short) / 2
            return resized(array, side, side, (left, top, left + short, top + short), as_float=as_float)
    scale = side / max(height, width, preprocessing.canvas_px or 0)
    new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
    inner = resized(array, new_width, new_height, as_float=as_float)
    if inner.shape[:2] == (side, side):
        return inner
    square = np.empty((side, side, array.shape[2]), dtype)
    square[:] = _pad_color(array, preprocessing.pad_color, dtype)
    y, x = (side - new_height) // 2, (side - new_width) // 2
    square[y : y + new_height, x : x + new_width] = inner
    return square


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
    """The pixel size and the frame of the training images of a classifier."""

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
