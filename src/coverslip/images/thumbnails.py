"""Thumbnails of images for reports and pages."""

import io

import numpy as np
from PIL import Image

from coverslip.images.facts import Scaling, rescale, scaling_limits
from coverslip.images.preprocessing import resized
from coverslip.images.reader import Array


def as_webp(small: Array) -> bytes:
    """Return (height, width, 1 or 3) uint8 as the bytes of a WebP file."""
    buffer = io.BytesIO()
    Image.fromarray(small if small.shape[2] == 3 else small[..., 0]).save(buffer, "WEBP", quality=85)
    return buffer.getvalue()


def small_pixels(array: Array, side_px: int) -> Array:
    """Return (height, width, 1 or 3) uint8 of decoded pixels, the longer side at most `side_px`.

    Small images keep their size. Images deeper than 8 bit are scaled by the range of each channel, for viewing, not for
    measurements. Three channels are shown as red, green and blue; otherwise only the first channel is shown.
    """
    if array.shape[2] != 3:
        array = array[..., :1]
    scale = min(1.0, side_px / max(array.shape[:2]))
    if scale == 1 and array.dtype == np.uint8:
        return array
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    if array.dtype == np.uint8:
        image = Image.fromarray(array if array.shape[2] == 3 else array[..., 0])
        # `reducing_gap` first shrinks by an integer factor: twice as fast, without a visible difference.
        small: Array = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.4))
        return small if small.ndim == 3 else small[..., np.newaxis]
    low, high = scaling_limits(Scaling(mode="per-image"), array, array.shape[2])
    small_floats = resized(array, width, height, as_float=True)
    scaled: Array = np.rint(rescale(low, high, small_floats) * 255).astype(np.uint8)
    return scaled
