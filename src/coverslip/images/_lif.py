"""Reader of Leica LIF files, by the package liffile. Every image is a series, and so is every tile of a mosaic."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.images.confining import open_image
from coverslip.images.reader import Array, Decoded, OpenImage, Reader, Selection, Series, check_size
from coverslip.messages import text

if TYPE_CHECKING:
    from liffile import LifImage

_MAX_SERIES = 100_000
_MOSAIC = "M"
_UM_PER_METER = 1e6


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    from liffile import LifFile

    with open_image(path) as file, LifFile(file) as lif:
        yield _LifSource(path, list(lif.images), lif.datetime.isoformat() if lif.datetime else None)


class _LifSource:
    def __init__(self, path: Path, images: "list[LifImage]", acquired: str | None) -> None:
        self._path, self._acquired = path, acquired
        # image, and the tile of its mosaic
        self._series = [
            (image, tile) for image in images for tile in range(min(image.sizes.get(_MOSAIC, 1), _MAX_SERIES))
        ][:_MAX_SERIES]

    def describe(self) -> tuple[Series, ...]:
        return tuple(self._describe(image, tile) for image, tile in self._series)

    def _describe(self, image: "LifImage", tile: int) -> Series:
        sizes = {axis: int(size) for axis, size in image.sizes.items() if axis != _MOSAIC}
        axes = _letters(tuple(sizes))
        n_tiles = image.sizes.get(_MOSAIC, 1)
        series = Series(axes, tuple(sizes.values()), dtype=str(image.dtype))
        names = [channel.lut_name for channel in image._channels]
        is_named = len(names) == series.n_channels and "S" not in axes and len(set(names)) == len(names)
        return Series(
            axes,
            tuple(sizes.values()),
            _pixel_size(image, series),
            image.path if n_tiles == 1 else f"{image.path} {tile + 1}/{n_tiles}",
            dtype=str(image.dtype),
            channels=tuple(names) if is_named else (),
            position_um=_position(image, tile),
            acquired=self._acquired,
        )

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        image, tile = self._series[selection.series]
        series = self._describe(image, tile)
        row, column = series.plane_axes
        names = dict(zip(series.axes, (axis for axis in image.sizes if axis != _MOSAIC), strict=True))
        at = {names[axis]: position for axis, position in selection.at.items()}
        if _MOSAIC in image.sizes:
            at[_MOSAIC] = tile
        frames = image.frames
        n_frame = int(np.prod(frames.frame_shape)) * image.dtype.itemsize
        check_size(self._path, series.size(column), series.size(row), max_bytes, bytes_per_pixel=image.dtype.itemsize)
        check_size(self._path, n_frame, 1, max_bytes)
        n_channels = series.n_channels
        shape = [series.size(axis) for axis in series.channel_axes]
        planes = []
        for channel in selection.channels or range(n_channels):
            positions = dict(zip(series.channel_axes, np.unravel_index(channel, shape or [1]), strict=False))
            of_channel = {**at, **{names[axis]: int(position) for axis, position in positions.items()}}
            planes.append(self._plane(image, of_channel, names[row], names[column])[selection.window.of_array])
        bits = max((channel.resolution for channel in image._channels), default=8 * image.dtype.itemsize)
        return Decoded(np.stack(planes, axis=2), int(bits))

    def _plane(self, image: "LifImage", at: dict[str, int], row: str, column: str) -> Array:
        """Return one channel; a frame of the file has two of the axes, and is read once for each row if need be."""
        frame_axes = image.frames.frame_dims
        inner = {axis: position for axis, position in at.items() if axis in frame_axes}
        outer = {axis: position for axis, position in at.items() if axis not in frame_axes}
        outside = [axis for axis in (row, column) if axis not in frame_axes]
        if not outside:
            return self._of_frame(image, outer, inner, (row, column))
        size = image.sizes[outside[0]]
        parts = [self._of_frame(image, {**outer, outside[0]: k}, inner, (row, column)) for k in range(size)]
        return np.stack(parts, axis=0 if outside[0] == row else 1)

    @staticmethod
    def _of_frame(image: "LifImage", outer: dict[str, int], inner: dict[str, int], axes: tuple[str, str]) -> Array:
        frame: Array = np.asarray(image.frame(**outer))
        remaining = [axis for axis in image.frames.frame_dims if axis not in inner]
        frame = frame[tuple(inner.get(axis, slice(None)) for axis in image.frames.frame_dims)]
        order = [remaining.index(axis) for axis in axes if axis in remaining]
        return frame.transpose(order)


def _letters(labels: tuple[str, ...]) -> str:
    """Return a letter for each dimension; liffile numbers repeated ones, such as C0."""
    axes = ""
    for label in labels:
        unused = (letter for letter in f"{label[0]}QIJKUVW" if letter not in axes)
        axes += next(unused)
    return axes


def _pixel_size(image: "LifImage", series: Series) -> tuple[float, float] | None:
    row, column = series.plane_axes
    sizes = []
    for axis in (column, row):
        dimension = next((each for each in image._dimensions if each.label == axis), None)
        if dimension is None or dimension.unit != "m" or dimension.number_elements < 2 or dimension.length <= 0:
            return None
        # The length is the distance from the center of the first pixel to that of the last one.
        sizes.append(_UM_PER_METER * dimension.length / (dimension.number_elements - 1))
    return sizes[0], sizes[1]


def _position(image: "LifImage", tile: int) -> tuple[float, ...] | None:
    scan = image.tilescan
    if scan is None or tile >= len(scan):
        return None
    return tuple(_UM_PER_METER * float(scan[axis][tile]) for axis in ("pos_x", "pos_y"))


LIF = Reader(
    name="LIF",
    title="Leica LIF",
    suffixes=(".lif",),
    is_this=lambda head: head.startswith(b"\x70\0\0\0") and head[8:9] == b"\x2a",
    open=_open,
    package="liffile",
    export=lambda: text("export-lif"),
)
