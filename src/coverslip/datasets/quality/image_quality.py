"""Measures of image quality: whether the object is cut off, blurred or saturated."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """Saturation and cut are 0 if there is no problem, or none is measurable; larger sharpness is sharper."""

    saturated: float  # share of the object's pixels that are as bright as the file can hold, in all channels
    sharpness: float | None  # log of fine detail over coarse detail; None without either
    cut: float  # share of a side of the image along which the object in the middle is cut
