"""Combine the z-planes of an image: maximum, mean, the sharpest plane, or all of them as channels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.plan import ZPlane
from coverslip.images.reader import MAX_BYTES, Array, check_size

_MAX_PROJECTED_VALUES = 20_000_000_000  # pixels times channels over all planes of a projection


def combine_planes(path: Path, z: ZPlane, n_planes: int, read: Callable[[int], Array]) -> Array:
    """Return one plane by its number, the maximum, mean or sharpest of all planes, or all planes as channels.

    Planes are read one by one. The mean of integers is rounded to the nearest integer.

    Args:
        path: the file, for errors.
        z: the choice.
        n_planes: the number of planes.
        read: returns a plane, (H, W) or (H, W, C), by its number.

    Raises:
        UnreadableImage: there is no plane of that number, the planes differ in size, or they are too large.
    """
    if isinstance(z, int):
        if z >= n_planes:
            raise UnreadableImage("no-such-plane", file=path, plane=str(z), n_planes=int(n_planes))
        return read(z)
    if n_planes == 1:
        return read(0)
    if z == "channels":
        return _as_channels(path, n_planes, read)
    first = read(0)
    if n_planes * first.size > _MAX_PROJECTED_VALUES:
        n_values = int(n_planes * first.size)
        raise UnreadableImage(
            "projection-too-large", file=path, n_planes=int(n_planes), n_values=n_values, limit=_MAX_PROJECTED_VALUES
        )
    if z == "mean":
        return _mean(path, first, n_planes, read)
    result = first.copy()
    sharpness = _sharpness(first) if z == "best-focus" else 0.0
    for index in range(1, n_planes):
        plane = _same_shape(path, read(index), result)
        if z == "max":
            np.maximum(result, plane, out=result)
        elif (new := _sharpness(plane)) > sharpness:
            result, sharpness = plane.copy(), new
    return result


def _as_channels(path: Path, n_planes: int, read: Callable[[int], Array]) -> Array:
    """Return all planes, one after the other, as the channels of (H, W, C)."""
    first = read(0)
    check_size(path, first.shape[1], first.shape[0], MAX_BYTES, bytes_per_pixel=n_planes * first[:1, :1].nbytes)
    planes = [first, *(_same_shape(path, read(index), first) for index in range(1, n_planes))]
    return np.concatenate([np.atleast_3d(plane) for plane in planes], axis=2)


def _mean(path: Path, first: Array, n_planes: int, read: Callable[[int], Array]) -> Array:
    check_size(path, first.shape[1], first.shape[0], 2 * MAX_BYTES, bytes_per_pixel=8 * first[:1, :1].size)
    total, dtype = first.astype(np.float64), first.dtype
    del first
    for index in range(1, n_planes):
        total += _same_shape(path, read(index), total)
    total /= n_planes
    return (np.rint(total, out=total) if dtype.kind in "iu" else total).astype(dtype)


def _sharpness(plane: Array) -> float:
    """Return the mean of squared second differences along rows and columns, over all channels.

    Source: a variant of the modified Laplacian, operator LAP2 of Pertuz, Puig and Garcia 2013, Analysis of focus
    measure operators for shape-from-focus.
    """
    pixels = np.nan_to_num(plane.astype(np.float32))
    differences = (np.diff(pixels, n=2, axis=axis) for axis in (0, 1) if pixels.shape[axis] > 2)
    return sum(float((each**2).mean(dtype=np.float64)) for each in differences)


def _same_shape(path: Path, array: Array, first: Array) -> Array:
    if array.shape != first.shape:
        raise UnreadableImage("planes-differ-in-size", file=path)
    return array
