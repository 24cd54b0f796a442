"""Degraded images: blurred, darker or brighter, smaller, or noisy, as from another or a worse microscope."""

from zlib import crc32

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from coverslip.images.reader import Array


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
