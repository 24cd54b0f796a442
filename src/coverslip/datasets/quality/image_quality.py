"""What is measured of an image to tell whether its object is cut off, blurred or saturated."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """Each is 0 where nothing is wrong, or nothing can be told, but for sharpness, of which larger is sharper."""

    saturated: float  # share of the object's pixels that are as bright as the file can hold, in all channels
    sharpness: float | None  # log of fine detail over coarse detail; None where there is neither
    cut: float  # share of a side of the image along which the object in the middle is cut
