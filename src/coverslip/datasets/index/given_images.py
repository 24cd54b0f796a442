"""Images that a program holds, arrays and Pillow's, as a reader would have found them in a file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from PIL import Image

from coverslip.errors import BadDataset
from coverslip.images import Decoded, Depth, decode_pillow

Axes = Literal["HWC", "CHW"]

_PLAIN_CHANNELS = 4  # that even an image of a few pixels may have


def is_image(given: object) -> bool:
    """Whether this is one image: Pillow's, or anything of two or three axes that NumPy makes an array of."""
    return isinstance(given, Image.Image) or n_axes(given) in (2, 3)


def n_axes(given: object) -> int | None:
    """How many axes an array has, of NumPy or of others that know how to become one; None: it is no array."""
    if isinstance(given, np.ndarray):
        return given.ndim
    return len(getattr(given, "shape", ())) if hasattr(given, "__array__") else None


def image_in_memory(given: Any, name: str, axes: Axes = "HWC") -> Decoded:  # Any: whatever becomes an array
    """An image as if it had been read from a lossless file of these pixels. Arrays are not copied.

    Args:
        given: as `is_image` says; truth values are black and white.
        name: of the image, for errors.
        axes: of an array with three: channels last or first. An array with two is grey.

    Raises:
        BadDataset: it has no pixels, does not hold real numbers, or as many channels as if its axes were others.
    """
    if isinstance(given, Image.Image):
        return _of_pillow(given, name)
    array = np.asarray(given)
    if array.ndim == 3 and axes == "CHW":
        array = array.transpose(1, 2, 0)
    if array.dtype.kind not in "buif":
        raise BadDataset(f"'{name}' is an array of {array.dtype}, not of numbers", do="Give whole numbers or floats.")
    _check_shape(array, name, axes)
    if array.dtype.kind == "b":
        return Decoded(array.astype(np.uint8) * np.uint8(255), bit_depth=1)
    return Decoded(array, bit_depth=8 * array.dtype.itemsize)


def _of_pillow(image: Image.Image, name: str) -> Decoded:
    try:
        return decode_pillow(image)  # it may be open but not read yet
    except (OSError, ValueError, SyntaxError) as error:
        raise BadDataset(f"'{name}' cannot be decoded: {error}", do="Leave it out, or give the file's path.") from error


def _check_shape(array: np.ndarray, name: str, axes: Axes) -> None:
    if 0 in array.shape:
        raise BadDataset(f"'{name}' has no pixels: its shape is {array.shape}", do="Leave it out.")
    if array.ndim == 3 and array.shape[2] > _PLAIN_CHANNELS and array.shape[2] >= min(array.shape[:2]):
        other = "CHW" if axes == "HWC" else "HWC"
        raise BadDataset(
            f"'{name}' would have {array.shape[2]} channels and {array.shape[0]} x {array.shape[1]} pixels",
            do=f"If channels stand elsewhere, say axes='{other}'; of a stack of grey images give list(stack).",
        )


def with_pixel_depth(tables: Sequence[Mapping[str, Decoded]], depth: Depth | None) -> list[dict[str, Decoded]]:
    """Convert arrays of 32-bit and 64-bit integers, in which NumPy often holds 8-bit and 16-bit pixels.

    All of them get the same depth: a dark image and a bright one of the same microscope stay comparable.

    Args:
        tables: the images of each table, by name.
        depth: of all of them. None stands for uint8 if every value fits, else uint16.

    Raises:
        BadDataset: a value is below 0 or too large for the depth.
    """
    wide = {name: image.array for images in tables for name, image in images.items() if _is_wide(image.array)}
    if depth is None:
        depth = "uint8" if all(array.max() <= np.iinfo(np.uint8).max for array in wide.values()) else "uint16"
    if depth != "float32":
        for name, array in wide.items():
            _check_range(array, name, depth)
    return [
        {name: _converted(image, depth) if name in wide else image for name, image in images.items()}
        for images in tables
    ]


def _is_wide(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu" and array.dtype.itemsize > np.dtype(np.uint16).itemsize


def _converted(image: Decoded, depth: Depth) -> Decoded:
    return replace(image, array=image.array.astype(depth), bit_depth=8 * np.dtype(depth).itemsize)


def _check_range(array: np.ndarray, name: str, depth: Depth) -> None:
    low, high, top = int(array.min()), int(array.max()), np.iinfo(depth).max
    if low < 0 or high > top:
        raise BadDataset(
            f"'{name}' is an array of {array.dtype} with values from {low:,} to {high:,}; {depth} pixels are 0 to "
            f"{top:,}",
            do="Rescale it, or convert it to float32.",
        )
