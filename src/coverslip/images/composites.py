"""Channels of an image as one picture: their colors by names, whatever their order in a file, added up."""

import re
from collections.abc import Sequence

import numpy as np

from coverslip.images.preprocessing import are_numbers, normalized_names
from coverslip.images.reader import Array

_MOST_VISIBLE = 7  # channels that are shown at first, as in a composite of Fiji
_COLORS = ("ff0000", "00ff00", "0000ff", "ffffff", "00ffff", "ff00ff", "ffff00")  # the order of Fiji
_TWO_COLORS = ("ff00ff", "00ff00")  # magenta and green, which color-blind people distinguish
# Colors of channels by words in their names; dyes have about the color of their emission.
_NAMED_COLORS = (
    (re.compile(r"^gr[ae]ys?$", re.I), "ffffff"),
    (re.compile(r"^cyan$", re.I), "00ffff"),
    (re.compile(r"^yellow$", re.I), "ffff00"),
    (re.compile(r"^b(?:lue)?$|dapi|hoechst|405|bfp|cfp", re.I), "0000ff"),
    (re.compile(r"^g(?:reen)?$|fitc|gfp|488|yfp|cy2|fluo-?4", re.I), "00ff00"),
    (re.compile(r"^r(?:ed)?$|tritc|rfp|cherry|texas|tomato|rhod|cy3|5[56]\d|594", re.I), "ff0000"),
    (re.compile(r"^magenta$|cy5|6[34]\d|far.?red", re.I), "ff00ff"),
    (re.compile(r"\bmono\b|bright|\bbf\b|\bdic\b|phase|\btl\b|trans|\btd\b", re.I), "ffffff"),
)


def by_name(names: Sequence[str]) -> list[int]:
    """Return the numbers of channels in the order of their names, so that files of any order are shown alike."""
    plain = normalized_names(names)
    return list(range(len(names))) if are_numbers(plain) else sorted(range(len(names)), key=plain.__getitem__)


def first_visible(names: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of the channels that are shown at first."""
    return tuple(sorted(by_name(names)[:_MOST_VISIBLE]))


def channel_colors(names: Sequence[str]) -> list[str]:
    """Return a color for each channel: by its name, else one that no other channel has, in the order of the names.

    If several names have one color, such as FITC and GFP, it is that of the first.

    Args:
        names: of the channels; empty texts: none.
    """
    if len(names) == 1:
        return ["ffffff"]
    colors = [next((color for pattern, color in _NAMED_COLORS if pattern.search(name)), "") for name in names]
    in_order = by_name(names)
    for k, number in enumerate(in_order):
        if colors[number] in {colors[earlier] for earlier in in_order[:k]}:
            colors[number] = ""
    order = _TWO_COLORS if len(names) == 2 else _COLORS
    unused = [color for color in order if color not in colors] or list(order)
    for number in in_order:
        if not colors[number]:
            colors[number] = unused.pop(0)
            unused = unused or list(order)
    return colors


def composite(arrays: Sequence[Array], colors: Sequence[str], limits: Sequence[tuple[float, float]]) -> Array:
    """Return the sum of channels in their colors, (height, width, 3) uint8.

    Args:
        arrays: the channels, each (height, width) uint8, uint16 or float32.
        colors: six hexadecimal digits each.
        limits: the intensities that are shown black and in the full color; values between are linear.
    """
    if arrays[0].dtype == np.uint8 and set(limits) == {(0.0, 255.0)} and list(colors) == list(_COLORS[:3]):
        return np.ascontiguousarray(np.stack(arrays, axis=-1))
    total = np.zeros((*arrays[0].shape, 3), np.float32)
    for array, color, (low, high) in zip(arrays, colors, limits, strict=True):
        levels = _levels(array, low, high)
        for k in range(3):
            if share := int(color[2 * k : 2 * k + 2], 16) / 255:
                total[..., k] += levels * np.float32(share)
    return np.asarray(np.rint(np.minimum(total, 255)), np.uint8)


def _levels(array: Array, low: float, high: float) -> Array:
    """Return intensities mapped to 0 to 255, float32."""
    spread = max(high - low, float(np.finfo(np.float32).tiny))

    def scaled(values: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(np.clip((values - np.float64(low)) / spread, 0, 1) * 255, np.float32)

    if array.dtype.kind == "u":  # a table of all values is faster
        table = scaled(np.arange(np.iinfo(array.dtype).max + 1))
        levels: Array = table[array]
        return levels
    return scaled(array)
