"""Any microscope file to pixels, what can be told about them, and how they are prepared for a network."""

from coverslip.images.facts import ImageFacts, effective_channels, image_facts, pixel_hash
from coverslip.images.plan import Plane, ReadPlan
from coverslip.images.preparation import PadColour, Preparation, Resize, prepare
from coverslip.images.reading import IMAGE_SUFFIXES, MAX_PIXELS, NO_SUCH_FILE, Pixels, read_pixels
from coverslip.images.scaling import Scaling, learn_scaling
from coverslip.images.thumbnails import small_pixels, thumbnail

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "NO_SUCH_FILE",
    "ImageFacts",
    "PadColour",
    "Pixels",
    "Plane",
    "Preparation",
    "ReadPlan",
    "Resize",
    "Scaling",
    "effective_channels",
    "image_facts",
    "learn_scaling",
    "pixel_hash",
    "prepare",
    "read_pixels",
    "small_pixels",
    "thumbnail",
]
