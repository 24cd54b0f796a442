"""Explanations of predictions: checked heat maps and the nearest training images."""

from coverslip.errors import require_extra

require_extra("train")
