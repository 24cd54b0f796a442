"""Boxes in fields of view: cutting them out; `fields` keeps a field for all that lie in it."""

from coverslip.images.boxes.cutting import BEYOND_EDGE, border_colour, cut_out

__all__ = ["BEYOND_EDGE", "border_colour", "cut_out"]
