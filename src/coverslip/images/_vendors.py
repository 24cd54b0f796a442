"""Readers of files of Zeiss (CZI), Leica (LIF), Nikon (ND2) and Olympus (OIB, OIF), by a package for each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.confining import open_image
from coverslip.images.reader import (
    Array,
    Decoded,
    OpenImage,
    Reader,
    Selection,
    Series,
    at_channels,
    check_size,
    damaged,
    starts,
)
from coverslip.messages import message, text

if TYPE_CHECKING:
    from czifile import CziFile, CziImage
    from liffile import LifImage
    from nd2 import ND2File
    from nd2.structures import FrameMetadata
    from oiffile import OifFile

# Reader of Zeiss CZI files, by the package czifile. Every scene is a series; tiles of a mosaic are one plane.
#
# The coarser levels of a pyramid are not offered.

_UM_PER_METER = 1e6


@contextmanager
def _open_czi(path: Path) -> Iterator[OpenImage]:
    from czifile import CziFile

    with open_image(path) as file, CziFile(file) as czi:
        yield _CziSource(czi)


class _CziSource:
    def __init__(self, file: "CziFile") -> None:
        self._scenes = list(file.scenes.values())
        self._metadata = file.xml_element

    def describe(self) -> tuple[Series, ...]:
        return tuple(map(self._describe, self._scenes))

    def _describe(self, image: "CziImage") -> Series:
        sizes = {axis: int(size) for axis, size in image.sizes.items()}
        sizes |= {axis: 1 for axis in "YX" if axis not in sizes}
        names = tuple(image.channels)
        return Series(
            "".join(sizes),
            tuple(sizes.values()),
            self._pixel_size,
            image.name if len(self._scenes) > 1 else "",
            dtype=str(image.dtype),
            channels=names if len(names) == sizes.get("C", 1) and "S" not in sizes else (),
            acquired=self._text(".//AcquisitionDateAndTime") or None,
        )

    @property
    def _pixel_size(self) -> tuple[float, float] | None:
        meters = [self._text(f".//Scaling/Items/Distance[@Id='{axis}']/Value") for axis in "XY"]
        try:
            width, height = (_UM_PER_METER * float(each) for each in meters)
        except ValueError:
            return None
        return (width, height) if min(width, height) > 0 else None

    def _text(self, path: str) -> str:
        return "" if self._metadata is None else str(self._metadata.findtext(path) or "")

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        image = self._scenes[selection.series]
        starts_at = dict(zip(image.dims, image.start, strict=True))
        x, y, _, _ = image.bbox
        window = selection.window
        region = (x + window.left, y + window.top, window.width, window.height)
        at = {axis: starts_at[axis] + position for axis, position in selection.at.items()}
        first = starts_at.get("C", 0)
        n_channels = image.sizes.get("C", 1)
        channels = selection.channels if "C" in image.sizes else None
        planes = []
        for channel in channels or range(n_channels):
            of_channel = {**at, "C": first + channel} if "C" in image.sizes else at
            array = image(roi=region, **of_channel).asarray(fillvalue=0, maxworkers=1)
            planes.append(array.reshape(window.height, window.width, -1))
        array = np.concatenate(planes, axis=2)
        return Decoded(array, 8 * array.dtype.itemsize)


CZI = Reader(
    name="CZI",
    title="Zeiss CZI",
    suffixes=(".czi",),
    is_this=starts(b"ZISRAWFILE"),
    open=_open_czi,
    package="czifile",
    python=(3, 12),  # older Python gets the package of 2019, which reads wrongly
    export=lambda: text("export-czi"),
)


# Reader of Leica LIF files, by the package liffile. Every image is a series, and so is every tile of a mosaic.

_MAX_SERIES = 100_000
_MOSAIC = "M"


@contextmanager
def _open_lif(path: Path) -> Iterator[OpenImage]:
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
    open=_open_lif,
    package="liffile",
    export=lambda: text("export-lif"),
)


# Reader of Nikon ND2 files, by the package nd2. Every stage position is a series.

_JULIAN_DAY_OF_1970 = 2440587.5
_PLANE_AXES = ("C", "Y", "X", "S")


class _Unmapped:
    """A binary file without a file descriptor, so that it is not mapped into memory.

    If a mapped file is truncated, the process is killed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:  # Any: a method of the file
        if name == "fileno":
            raise AttributeError(name)
        return getattr(self._file, name)


@contextmanager
def _open_nd2(path: Path) -> Iterator[OpenImage]:
    from nd2 import ND2File

    with open_image(path) as file:
        n_bytes = file.seek(0, 2)
        file.seek(0)
        with ND2File(_Unmapped(file)) as nd2:
            yield _Nd2Source(path, nd2, n_bytes)


class _Nd2Source:
    def __init__(self, path: Path, file: "ND2File", n_bytes: int) -> None:
        self._path, self._file, self._n_bytes = path, file, n_bytes
        self._sizes = dict(file.sizes)

    def describe(self) -> tuple[Series, ...]:
        sizes = {axis: int(size) for axis, size in self._sizes.items() if axis != "P"}
        sizes |= {axis: 1 for axis in "YX" if axis not in sizes}  # nd2 drops axes of length 1
        voxel = self._file.voxel_size()
        dtype = self._file.dtype
        names = self._file._position_names() if self._n_positions > 1 else [""]
        return tuple(
            Series(
                "".join(sizes),
                tuple(sizes.values()),
                (float(voxel.x), float(voxel.y)) if voxel.x > 0 and voxel.y > 0 else None,
                names[position] if position < len(names) else "",
                dtype=str(dtype),
                channels=self._channels,
                position_um=self._stage(position),
                acquired=self._acquired(position),
            )
            for position in range(self._n_positions)
        )

    @property
    def _n_positions(self) -> int:
        return int(self._sizes.get("P", 1))

    @property
    def _channels(self) -> tuple[str, ...]:
        names = tuple(map(str, self._file._channel_names))
        return names if len(names) == self._sizes.get("C", 1) and "S" not in self._sizes else ()

    @cached_property
    def _frames(self) -> dict[tuple[tuple[str, int], ...], int]:
        """The number of the frame of each position on the axes of stage, time, z and others.

        The order of the loops differs between files, so that it is taken from the file.
        """
        axes = [axis for axis in self._sizes if axis not in _PLANE_AXES]
        indices = self._file.loop_indices
        return {tuple((axis, each.get(axis, 0)) for axis in axes): number for number, each in enumerate(indices)}

    def _number(self, at: dict[str, int]) -> int:
        axes = [axis for axis in self._sizes if axis not in _PLANE_AXES]
        number = self._frames.get(tuple((axis, at.get(axis, 0)) for axis in axes))
        reader = self._file._rdr
        offset = None if number is None else reader._frame_offsets.get(number)
        # nd2 returns zeros for a frame that is missing or truncated.
        if number is None or offset is None:
            raise damaged(self._path, message("frame-missing", frame=str(at)))
        attributes = self._file.attributes
        n_bytes = 1 if attributes.compressionType else attributes.heightPx * (attributes.widthBytes or 0)
        if offset + n_bytes > self._n_bytes:
            raise damaged(self._path, message("frame-missing", frame=str(at)))
        return number

    def _stage(self, position: int) -> tuple[float, ...] | None:
        frame = self._first_frame(position)
        if frame is None:
            return None
        where = frame.channels[0].position.stagePositionUm
        return tuple(float(each) for each in where)

    def _acquired(self, position: int) -> str | None:
        frame = self._first_frame(position)
        days = frame.channels[0].time.absoluteJulianDayNumber - _JULIAN_DAY_OF_1970 if frame else 0.0
        if not 0 < days < 1e5:
            return None
        return (datetime.fromtimestamp(0, UTC) + timedelta(days=days)).isoformat(timespec="seconds")

    def _first_frame(self, position: int) -> "FrameMetadata | None":
        from nd2.structures import FrameMetadata

        try:
            frame = self._file.frame_metadata(self._number({"P": position}))
        except Exception:  # noqa: BLE001 - metadata of older files have other shapes; pixels are read without them
            return None
        return frame if isinstance(frame, FrameMetadata) and frame.channels else None

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        attributes = self._file.attributes
        n_components = int(attributes.componentCount)
        item = self._file.dtype.itemsize
        check_size(
            self._path, attributes.widthPx or 0, attributes.heightPx, max_bytes, bytes_per_pixel=n_components * item
        )
        frame = self._file.read_frame(self._number({"P": selection.series, **selection.at}))
        array = self._upright(np.asarray(frame))[selection.window.of_array]
        depth = attributes.bitsPerComponentSignificant or 8 * item
        return Decoded(at_channels(array, selection.channels), int(depth))

    def _upright(self, frame: Array) -> Array:
        """Return (H, W, C) of a frame, whose axes of length 1 nd2 drops."""
        height, width = self._file.attributes.heightPx, self._file.attributes.widthPx or 1
        n_channels, n_samples = self._file.attributes.channelCount or 1, self._file.components_per_channel
        planes = frame.reshape(n_channels, height, width, n_samples)
        return planes.transpose(1, 2, 0, 3).reshape(height, width, -1)


ND2 = Reader(
    name="ND2",
    title="Nikon ND2",
    suffixes=(".nd2",),
    is_this=starts(b"\xda\xce\xbe\x0a"),
    open=_open_nd2,
    package="nd2",
    export=lambda: text("export-nd2"),
)


# Reader of Olympus OIB and OIF files, by the package oiffile. Each plane is a small TIFF inside the file.

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # also Zeiss ZVI and others
_SETTINGS = b"\xff\xfe[\0"  # the first section of settings in UTF-16


@contextmanager
def _open_oif(path: Path) -> Iterator[OpenImage]:
    from oiffile import OifFile, oiffile

    oiffile.open = _open_for_oiffile  # replaces the builtin in this module
    try:
        file = OifFile(path)
    except (FileNotFoundError, KeyError) as error:  # another compound file has no OibInfo.txt
        with open_image(path) as opened:
            is_compound = opened.read(8) == _COMPOUND
        if not is_compound:
            raise
        advice = text("export-oib")
        raise UnreadableImage("format-not-read", file=path, title="Zeiss ZVI", advice=advice) from error
    with file:
        yield _OifSource(path, file)


def _open_for_oiffile(file: str, mode: str = "r", **options: Any) -> IO[Any]:  # Any: as for the builtin
    return open_image(Path(file)) if mode == "rb" else Path(file).open(mode, **options)


class _OifSource:
    def __init__(self, path: Path, file: "OifFile") -> None:
        self._path, self._file = path, file

    def describe(self) -> tuple[Series, ...]:
        return tuple(self._describe(number) for number in range(len(self._file.series)))

    def _describe(self, number: int) -> Series:
        series = self._file.series[number]
        first = self._plane(next(iter(series)))
        settings = self._file.mainfile
        image: Mapping[str, Any] = settings.get("Reference Image Parameter", {})
        scale = [float(image.get(f"{side}ConvertValue", 0)) for side in ("Width", "Height")]
        is_um = image.get("WidthUnit") == image.get("HeightUnit") == "um" and min(scale) > 0
        n_channels = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
        channels = [settings.get(f"GUI Channel {k} Parameters", {}) for k in range(1, n_channels + 1)]
        names = tuple(str(each.get("DyeName") or each.get("CH Name") or "") for each in channels)
        date = settings.get("Acquisition Parameters Common", {}).get("ImageCaputreDate")  # the file's own spelling
        return Series(
            f"{series.axes}YX",
            (*map(int, series.shape), *first.shape),
            (scale[0], scale[1]) if is_um else None,
            dtype=first.dtype.name,
            channels=names if all(names) else (),
            acquired=str(date).replace(" ", "T") if date else None,
        )

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        series = self._file.series[selection.series]
        names = dict(zip(series.indices, series, strict=True))
        n_channels = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
        planes = []
        for channel in selection.channels or range(n_channels):
            at = {**selection.at, "C": channel}
            name = names.get(tuple(at[axis] for axis in series.axes))
            if name is None:
                raise damaged(self._path, message("frame-missing", frame=str(at)))
            planes.append(self._plane(name, max_bytes)[selection.window.of_array])
        bits = int(self._file.mainfile["Reference Image Parameter"]["ValidBitCounts"])
        return Decoded(np.stack(planes, axis=2), bits)

    def _plane(self, name: str, max_bytes: int | None = None) -> Array:
        from tifffile import TiffFile

        with self._file.open_file(name) as file, TiffFile(file) as tiff:
            page = tiff.pages.first
            if max_bytes is not None and page.dtype is not None:
                check_size(
                    self._path, page.imagewidth, page.imagelength, max_bytes, bytes_per_pixel=page.dtype.itemsize
                )
            return np.asarray(page.asarray())


OIF = Reader(
    name="OIB",
    title="Olympus OIB and OIF",
    suffixes=(".oib", ".oif"),
    is_this=starts(_COMPOUND, _SETTINGS),
    open=_open_oif,
    package="oiffile",
    export=lambda: text("export-oib"),
)
