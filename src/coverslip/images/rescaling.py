"""Resampling of images to the pixel size of a classifier, before preprocessing.

If the training images had about the same width and height, the rescaled image is also cut or padded to these, about
its center. Otherwise preprocessing would fit it to the square again, and undo the scale.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverslip.images.preprocessing import Box, resized
from coverslip.images.reader import MAX_BYTES, Array, PixelSize, Size, check_size
from coverslip.images.reading import border_color


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
