"""Thumbnails for reports and pages."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from coverslip.images._decoded import Array
from coverslip.images.decoding import read_pixels
from coverslip.images.plan import ReadPlan
from coverslip.images.preprocessing import resized
from coverslip.images.reading import WHOLE_IMAGE
from coverslip.images.scaling import Scaling, limits, within


def thumbnail(path: Path, side_px: int = 128, *, plan: ReadPlan = WHOLE_IMAGE) -> bytes:
    """Return the image as WebP bytes, its longer side at most `side_px`; small images keep their size.

    Deeper than 8 bit, each channel is stretched over its own range, to be looked at and not to be measured.
    Three channels are shown as red, green and blue; of any other number only the first is shown.

    Raises:
        UnreadableImage: the file cannot be read.
    """
    small = small_pixels(read_pixels(path, plan).array, side_px)
    buffer = io.BytesIO()
    Image.fromarray(small if small.shape[2] == 3 else small[..., 0]).save(buffer, "WEBP", quality=85)
    return buffer.getvalue()


def small_pixels(array: Array, side_px: int) -> Array:
    """(height, width, 1 or 3) uint8, the longer side at most `side_px`; as `thumbnail` says, of pixels already read."""
    if array.shape[2] != 3:
        array = array[..., :1]
    scale = min(1.0, side_px / max(array.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    if array.dtype == np.uint8:
        image = Image.fromarray(array if array.shape[2] == 3 else array[..., 0])
        # Large ones are shrunk by a whole number first: twice as fast, and no eye sees it in a thumbnail.
        small: Array = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.4))
        return small if small.ndim == 3 else small[..., np.newaxis]
    low, high = limits(Scaling(mode="per-image"), array, array.shape[2])
    deep = resized(array, width, height, as_float=True)
    stretched: Array = np.rint(within(low, high, deep) * 255).astype(np.uint8)
    return stretched
