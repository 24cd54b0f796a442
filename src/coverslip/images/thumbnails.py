"""Small pictures for reports and pages."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from coverslip.images.plan import ReadPlan
from coverslip.images.preparation import resized
from coverslip.images.reading import WHOLE_IMAGE, read_pixels
from coverslip.images.scaling import Scaling, limits


def thumbnail(path: Path, side_px: int = 128, *, plan: ReadPlan = WHOLE_IMAGE) -> bytes:
    """The image as WebP bytes, its longer side at most `side_px`; small images keep their size.

    Deeper than 8 bit, each channel is stretched over its own range, to be looked at and not to be measured.
    Three channels are shown as red, green and blue; of any other number only the first is shown.

    Raises:
        UnreadableImage: the file cannot be read.
    """
    array = read_pixels(path, plan).array
    if array.shape[2] != 3:
        array = array[..., :1]
    scale = min(1.0, side_px / max(array.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in array.shape[:2])
    small = resized(array if array.dtype == np.uint8 else array.astype(np.float32), width, height)
    if array.dtype != np.uint8:
        low, high = limits(Scaling(mode="per-image"), array, array.shape[2])
        small = np.rint(np.clip((small - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small if small.shape[2] == 3 else small[..., 0]).save(buffer, "WEBP", quality=85)
    return buffer.getvalue()
