"""Boxes in fields of view: cutting them out, and decoding a field once for all that lie in it."""

from coverslip.images.boxes.cutting import BEYOND_EDGE, border_colour, cut_out
from coverslip.images.boxes.fields import Fields

__all__ = ["BEYOND_EDGE", "Fields", "border_colour", "cut_out"]
