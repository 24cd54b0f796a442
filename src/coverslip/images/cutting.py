"""Cutting a box out of a plane; where it reaches beyond the edge, its size is kept and the rest filled up."""

from pathlib import Path

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images._decoded import Array

BEYOND_EDGE = "the box reaches beyond the edge of its image, and is filled up with the color of its border"


def cut_out(path: Path, array: Array, box: tuple[int, int, int, int], max_bytes: int) -> Array:
    """(height, width, C) of the box. What lies beyond the image's edge takes the median color of the part's border.

    Args:
        path: of the image, for messages.
        array: (H, W, C).
        box: x, y, width, height in pixels; x and y may be negative.
        max_bytes: a box that takes more is refused.

    Raises:
        UnreadableImage: the box lies wholly outside, or is too large.
    """
    x, y, width, height = box
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, array.shape[1]), min(y + height, array.shape[0])
    if left >= right or top >= bottom:
        raise _refused(path, array, box, is_outside=True)
    if width * height * array.shape[2] * array.itemsize > max_bytes:
        raise _refused(path, array, box, is_outside=False)
    part = array[top:bottom, left:right]
    if part.shape[:2] == (height, width):
        return part
    filled = np.empty((height, width, array.shape[2]), array.dtype)
    filled[:] = border_color(part)
    filled[top - y : bottom - y, left - x : right - x] = part
    return filled


def square_around(point: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """Return the box (x, y, width, height) of this side with a point in its middle."""
    return point[0] - side // 2, point[1] - side // 2, side, side


def middle_of(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the point that `square_around` made a box of."""
    return box[0] + box[2] // 2, box[1] + box[3] // 2


def border_color(array: Array) -> Array:
    """(C,) median of the outermost pixels; the lower of two middle values, so that it is one of the image's own."""
    border = np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]])
    middle = (len(border) - 1) // 2
    color: Array = np.partition(border, middle, axis=0)[middle]
    return color


def _refused(path: Path, array: Array, box: tuple[int, int, int, int], *, is_outside: bool) -> UnreadableImage:
    x, y, width, height = map(str, box)
    image_height, image_width = array.shape[:2]
    return UnreadableImage(
        "box-outside-image" if is_outside else "box-too-large",
        file=path,
        x=x,
        y=y,
        width=width,
        height=height,
        image_width=image_width,
        image_height=image_height,
    )
