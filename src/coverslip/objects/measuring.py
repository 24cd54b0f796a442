"""Measurements of objects: area, perimeter and solidity of their pixels, and the intensity of each channel."""

from dataclasses import replace

import numpy as np

from coverslip.datasets.names import one_line
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, progress_reporter
from coverslip.images.decoding import Fields, read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.messages import note
from coverslip.objects.outlines import Array
from coverslip.objects.table import INTENSITY, SHAPE, UNKNOWN, FieldImage, Objects

Region = tuple[int, int, int, int]  # x, y, width, height


def with_measurements(objects: Objects, emit: Emit) -> Objects:
    """Return the objects with measurements of the pixels whose centers are inside their outline, or else their box.

    Intensities are those of the file. They are of the plane that the object states, otherwise of the first time point
    and of the maximum over z-planes. Parts beyond the edge of a field are not measured. Objects of a field that cannot
    be read have no intensities, with a note.

    Args:
        objects: of fields whose sizes are known.
        emit: receives progress and notes.
    """
    values = {name: np.full(len(objects), np.nan) for name in SHAPE}
    report = progress_reporter(emit, "measuring-objects", "objects")
    bounds = np.cumsum([0, *objects.n_of_field]).tolist()
    for number, field in enumerate(objects.fields):
        planes, is_readable = Fields(), True
        for position in range(bounds[number], bounds[number + 1]):
            report(position, len(objects))
            region = _within(objects.box[position].tolist(), field)
            if region is None:
                continue
            mask = objects.mask([position], region)
            for name, value in zip(SHAPE, shape_of(mask), strict=True):
                values[name][position] = value
            if not is_readable or not mask.any():
                continue
            try:
                pixels = read_pixels(field.path, _plan(objects, position, field, region), fields=planes)
            except UnreadableImage as error:
                is_readable = False
                name = one_line(field.name)
                emit(Noted.of(note("field-not-measured", level="warning", field=name, reason=error.advice)))
                continue
            inside = pixels.array[mask].astype(np.float64)
            is_color = pixels.array.dtype == np.uint8
            names = _channel_names(inside.shape[1], pixels.channel_names, is_color=is_color)
            for channel, mean, total in zip(names, inside.mean(axis=0), inside.sum(axis=0), strict=True):
                for name, value in zip(INTENSITY, (mean, total), strict=True):
                    column = f"{name} {channel}".rstrip()
                    values.setdefault(column, np.full(len(objects), np.nan))[position] = value
    report(len(objects), len(objects))
    return replace(objects, measured=values)


def _within(box: list[int], field: FieldImage) -> Region | None:
    """Return the part of a box inside its field; None: there is none."""
    x, y, width, height = box
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, field.width), min(y + height, field.height)
    return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def _plan(objects: Objects, position: int, field: FieldImage, region: Region) -> ReadPlan:
    t, z = int(objects.t[position]), int(objects.z[position])
    plane = z if z != UNKNOWN else "max" if field.n_z > 1 else 0
    return ReadPlan(series=field.series or 0, t=max(t, 0), z=plane, region=region)


def _channel_names(n_channels: int, names: tuple[str, ...], *, is_color: bool) -> list[str]:
    """Return a different name for each channel: its number if the file gives none; empty for a single one."""
    short = [one_line(name, 40) for name in names]
    if len(set(filter(None, short))) == n_channels == len(short):
        return short
    if n_channels == 1:
        return [""]
    return ["red", "green", "blue"] if n_channels == 3 and is_color else [str(k) for k in range(1, n_channels + 1)]


def shape_of(mask: Array) -> tuple[float, float, float]:
    """Return the area and the perimeter of an object in pixels, and its area as a share of that of its convex hull.

    Sources: the perimeter is that of Benkrid and Crookes 2000 (Design and FPGA Implementation of a Perimeter
    Estimator), as in scikit-image; the convex hull is that of the corners of pixels.

    Args:
        mask: (height, width) bool; without a pixel, all values are NaN.
    """
    from scipy.ndimage import binary_erosion, convolve
    from scipy.spatial import ConvexHull

    area = int(mask.sum())
    if not area:
        return np.nan, np.nan, np.nan
    padded = np.pad(mask, 1)
    border = padded & ~binary_erosion(padded)
    neighbors = convolve(border.astype(np.uint8), _NEIGHBORS, mode="constant")
    y, x = np.nonzero(border)
    corners = np.concatenate([np.stack([x + right, y + below], axis=1) for right in (0, 1) for below in (0, 1)])
    return area, float(_LENGTHS[neighbors].sum()), area / float(ConvexHull(np.unique(corners, axis=0)).volume)


_NEIGHBORS = np.array([[10, 2, 10], [2, 1, 2], [10, 2, 10]], np.uint8)
_LENGTHS = np.zeros(50)  # of a pixel of the border, by the sum of its weighted neighbors on the border
_LENGTHS[[5, 7, 15, 17, 25, 27]] = 1
_LENGTHS[[21, 33]] = 2**0.5
_LENGTHS[[13, 23]] = (1 + 2**0.5) / 2
