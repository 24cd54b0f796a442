"""Boxes in fields of view."""

from coverslip.images.boxes.cutting import BEYOND_EDGE, border_colour, cut_out, middle_of, square_around

__all__ = ["BEYOND_EDGE", "border_colour", "cut_out", "middle_of", "square_around"]
