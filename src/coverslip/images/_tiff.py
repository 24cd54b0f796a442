"""Reader of TIFF files from microscopes.

tifffile reads all files, except those whose byte order is wrong and color spaces that it does not convert, which Pillow
reads.

Axes: a page is a channel if the file declares axis C (ImageJ, OME and shaped TIFFs); samples of a pixel (axis S) are
channels too. Axis T counts time points, any other axis (Z, unknown) z-planes, first axis slowest. Of a region, only the
strips or tiles are decoded that it touches.

Values are those of the file. The color table of an ImageJ or OME file is a display setting, and is not applied. ImageJ
stores signed 16-bit values as unsigned ones with an offset in its metadata, which is subtracted. A reduced copy or a
mask of an image is never the first series, even if it is the first page.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from itertools import product
from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from coverslip.errors import UnreadableImage
from coverslip.images._pillow import TRANSPOSED, image_to_array, open_with_pillow, oriented
from coverslip.images._tiff_guard import (
    JPEG,
    check_pages,
    check_series,
    coded_size,
    declares_its_size,
    open_tiff,
)
from coverslip.images.confining import open_image
from coverslip.images.reader import (
    UM_PER_UNIT,
    Array,
    Decoded,
    OpenImage,
    Reader,
    Selection,
    Series,
    Size,
    Window,
    at_channels,
    by_rows,
    check_size,
    cmyk_to_rgb,
    damaged,
    palette_to_color,
    starts,
)
from coverslip.messages import message

if TYPE_CHECKING:
    from tifffile import FileHandle, TiffFile, TiffFrame, TiffPage, TiffPageSeries

_CENTIMETER = 3  # ResolutionUnit
_SCREEN_UM = 40.0  # per pixel, of 600 pixels per inch; the pixels of microscopes are smaller
_SMALLEST_UM = 1e-5  # per pixel; those of electron microscopes are larger


def _pixel_size(tiff: "TiffFile", number: int, series: "TiffPageSeries") -> tuple[float, float] | None:
    if tiff.ome_metadata:
        return _ome_pixel_size(tiff.ome_metadata, number)
    page = series.keyframe
    if tiff.lsm_metadata:
        return _if_positive(*(1e6 * float(tiff.lsm_metadata.get(f"VoxelSize{axis}", 0)) for axis in "XY"))
    if tiff.is_svs and (size := _MICRONS_PER_PIXEL.search(tiff.pages.first.description)):
        # The thumbnail repeats the text of the slide; the label and the macro photo have another size, too.
        return _if_positive(float(size[1]), float(size[1])) if number == 0 else None
    if tiff.imagej_metadata:
        return _size_from_resolution(page, UM_PER_UNIT.get(str(tiff.imagej_metadata.get("unit")).lower()))
    # Resolutions per inch are ignored: desktop programs write 72 per inch for every image.
    return _size_from_resolution(page, UM_PER_UNIT["cm"] if page.resolutionunit == _CENTIMETER else None)


_MICRONS_PER_PIXEL = re.compile(r"\|\s*MPP\s*=\s*(\d*\.?\d+)")  # in the description of an SVS


def _ome_pixel_size(xml: str, number: int) -> tuple[float, float] | None:
    pixels = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    if number >= len(pixels):
        return None
    attributes = _attributes(pixels[number])
    sizes = []
    for axis in "XY":
        unit = UM_PER_UNIT.get(attributes.get(f"PhysicalSize{axis}Unit", "µm").lower())
        try:
            sizes.append(float(attributes[f"PhysicalSize{axis}"]) * (unit or 0))
        except (KeyError, ValueError):
            return None
    return _if_positive(*sizes)


def _size_from_resolution(page: "TiffPage", um_per_unit: float | None) -> tuple[float, float] | None:
    """Return the pixel size from the tags XResolution and YResolution, in pixels per unit."""
    if um_per_unit is None or not {"XResolution", "YResolution"} <= {tag.name for tag in page.tags}:
        return None
    sizes = []
    for name in ("XResolution", "YResolution"):
        pixels, units = page.tags[name].value
        sizes.append(um_per_unit * units / pixels if pixels else 0.0)
    return _if_of_microscope(*sizes)


def _if_positive(width: float, height: float) -> tuple[float, float] | None:
    return (width, height) if min(width, height) > 0 else None


def _if_of_microscope(width: float, height: float) -> tuple[float, float] | None:
    """Return the size unless it comes from the resolution of a screen or a printer, such as 72 pixels per inch."""
    return (width, height) if min(width, height) >= _SMALLEST_UM and max(width, height) < _SCREEN_UM else None


_STRIPS, _STRIP_BYTES = 273, 279
_OLD_JPEG, _JPEG_FILE = 6, 513  # a compression, and the offset of a complete JPEG
_MIN_IS_WHITE, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 3, 5, 6, 8
_COLOR_SPACES = {_YCBCR: "YCbCr", _LAB: "CIELab"}
_ALPHA = {1, 2}  # ExtraSamples: associated and unassociated alpha; 0 is an unspecified channel
_SWAPPED = (b"MM*\0", b"II\0*")
# Warnings of tifffile that mean lost pages: it continues with the remaining pages, or with zeros in place of them.
# TiffTag 270 is the description, which declares the axes.
_LOST_PAGES = re.compile(r"invalid page offset|invalid offset to page|corrupted tag list|corrupted file|TiffTag 270 ")


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    """Open a TIFF with tifffile, or with Pillow if its byte order is wrong.

    Raises:
        UnreadableImage: the file declares too many pages, or its pages form a circle.
        Exception: any exception of tifffile for damaged bytes.
    """
    check_pages(path)
    if _is_swapped(path):
        with open_with_pillow(path) as source:
            if getattr(source.image, "n_frames", 1) > 1:
                raise UnreadableImage("image-kind-not-read", file=path, reason=message("tiff-swapped-pages"))
            yield source
    else:
        with open_tiff(path) as (tiff, warnings):
            yield _TiffSource(path, tiff, warnings)


def _is_swapped(path: Path) -> bool:
    """Return whether the magic number has the wrong byte order; Pillow reads such files."""
    with open_image(path) as file:
        return file.read(4) in _SWAPPED


class _TiffSource:
    """A TIFF that is open with tifffile."""

    def __init__(self, path: Path, tiff: "TiffFile", warnings: list[str]) -> None:
        self._path, self._tiff, self._warnings = path, tiff, warnings

    def describe(self) -> tuple[Series, ...]:
        """Return every series.

        Raises:
            UnreadableImage: a series has too many planes, or there are no series.
            Exception: any exception of tifffile for damaged bytes.
        """
        if not self._tiff.series:
            raise damaged(self._path, message("tiff-without-pages"))
        check_series(self._path, self._tiff)
        return tuple(self._series(number, series) for number, series in self._all_series)

    @cached_property
    def _all_series(self) -> "list[tuple[int, TiffPageSeries]]":
        """The series with their numbers in the file; reduced copies and masks of an image follow the others."""

        def belongs_to_another(numbered: "tuple[int, TiffPageSeries]") -> bool:
            page = numbered[1].keyframe
            return bool(page.is_reduced or page.is_mask)

        return sorted(enumerate(self._tiff.series), key=belongs_to_another)

    @cached_property
    def _has_display_table(self) -> bool:
        """Whether a color table only describes how a program displays the values."""
        return bool(self._tiff.is_imagej or self._tiff.is_ome)

    @cached_property
    def _is_signed_by_imagej(self) -> bool:
        about = self._tiff.imagej_metadata or {}
        return (about.get("cf", 0), about.get("c0"), about.get("c1")) == (0, -32768, 1)

    def _series(self, number: int, series: "TiffPageSeries") -> Series:
        axes, shape = _distinct_axes(series), tuple(map(int, series.shape))
        if not self._has_display_table and _has_color_palette(series.keyframe):
            if "S" not in axes:
                axes, shape = f"{axes}S", (*shape, 1)
            n_samples = 3 if shape[axes.index("S")] - _n_alpha(series.keyframe) == 1 else shape[axes.index("S")]
            shape = tuple(n_samples if axis == "S" else n for axis, n in zip(axes, shape, strict=True))
        size, levels = _pixel_size(self._tiff, number, series), _level_sizes(series)
        if _orientation(series.keyframe) in TRANSPOSED and {"Y", "X"} <= set(axes):
            size, levels = None if size is None else size[::-1], tuple((height, width) for width, height in levels)
            sizes = dict(zip(axes, shape, strict=True))
            sizes |= {"Y": sizes["X"], "X": sizes["Y"]}
            shape = tuple(sizes[axis] for axis in axes)
        dtype = "" if series.dtype is None else str(series.dtype)
        about = _OmeImage.of(self._tiff.ome_metadata, number) if self._tiff.ome_metadata else None
        return Series(
            axes,
            shape,
            size,
            series.name,
            dtype="uint8" if dtype == "bool" else "int16" if self._is_signed(series) else dtype,
            channels=about.channels if about else _lsm_channels(self._tiff) or _imagej_channels(self._tiff, series),
            levels=levels,
            position_um=about.position_um if about else None,
            acquired=about.acquired if about else None,
        )

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        """Return the pixels of a region.

        Raises:
            UnreadableImage: the strips or tiles of the region are too large or truncated.
            Exception: any exception of tifffile for damaged bytes.
        """
        path, warnings = self._path, self._warnings
        series = self._all_series[selection.series][1]
        level = series.levels[selection.level]
        if any(map(_LOST_PAGES.search, warnings)):
            raise damaged(path, message("tiff-pages-missing", complaint=_summary(warnings[0])))
        page = level.keyframe
        sizes = dict(zip(level.axes, level.shape, strict=True))
        orientation = _orientation(series.keyframe)  # the pages of coarser levels need not repeat it
        photometric, compression = int(page.photometric), int(page.compression)
        is_for_pillow = photometric == _LAB or (photometric == _YCBCR and compression not in JPEG)
        # The tables of an old-style JPEG can be in tags, which tifffile does not read.
        is_for_pillow |= compression == _OLD_JPEG and _JPEG_FILE not in page.tags
        window: Window | None = selection.window
        if is_for_pillow or orientation != 1 or (selection.window.width, selection.window.height) == _size(level):
            window = None
            n_channels = sizes.get("C", 1) if selection.channels is None else len(selection.channels)
            _check_sizes(path, page, sizes | {"C": n_channels}, max_bytes)
        if not page.is_final:
            width, length, depth, samples = _segment_shape(page)
            item = page.dtype.itemsize if page.dtype else 1
            check_size(path, width, length, max_bytes, bytes_per_pixel=depth * samples * item)
        if is_for_pillow:  # color spaces that tifffile does not convert
            decoded = self._read_with_pillow(level, selection)
        else:
            array = _Plane(path, level, selection, window, max_bytes).read()
            array = _to_intensities(
                path, array, page, has_display_table=self._has_display_table, is_imagej=bool(self._tiff.is_imagej)
            )
            if self._is_signed(level):
                array = (array ^ np.uint16(0x8000)).view(np.int16)
            decoded = Decoded(oriented(array, orientation), int(page.bitspersample))
        array = decoded.array if window is not None else decoded.array[selection.window.of_array]
        note = message("tifffile-complains", complaint=_summary(warnings[0])) if warnings else None
        if "<BinaryOnly" in (self._tiff.ome_metadata or ""):
            note = message("ome-in-companion")
        return Decoded(array, decoded.bit_depth, note)

    def _is_signed(self, series: "TiffPageSeries") -> bool:
        return self._is_signed_by_imagej and series.dtype == np.uint16

    def _read_with_pillow(self, level: "TiffPageSeries", selection: Selection) -> Decoded:
        """Decode the selected page in a color space that tifffile does not convert.

        Raises:
            UnreadableImage: Pillow does not convert it either, or does not reach the page.
        """
        keyframe, axes = level.keyframe, _distinct_axes(level)
        color_space, bits = _COLOR_SPACES.get(int(keyframe.photometric), "old-style JPEG"), int(keyframe.bitspersample)
        n_lead = len(level.shape) - len(keyframe.shape)
        lead = level.shape[:n_lead]
        page = level.pages[int(np.ravel_multi_index([selection.at.get(axis, 0) for axis in axes[:n_lead]], lead))]
        if bits != 8 or page is None or len(page.treeindex) > 1:
            raise UnreadableImage("color-space", file=self._path, color_space=color_space, bits=bits)
        with open_image(self._path) as file, Image.open(file, formats=("TIFF",)) as image:
            image.seek(page.index)
            image.load()
            return Decoded(at_channels(np.atleast_3d(image_to_array(image)), selection.channels), 8)


_MORE_AXES = "QIJKUVWDG"  # of axes that repeat a letter, which only count pages


def _distinct_axes(series: "TiffPageSeries") -> str:
    """Return the axes with other letters for repeated ones, such as QQYX."""
    axes = ""
    for axis in series.axes:
        unused = (letter for letter in _MORE_AXES if letter not in series.axes + axes)
        axes += axis if axis not in axes or axis in "YX" else next(unused, axis)
    return axes


def _level_sizes(series: "TiffPageSeries") -> tuple[Size, ...]:
    levels = [level for level in series.levels if {"Y", "X"} <= set(level.axes)]
    return tuple(map(_size, levels)) if len(levels) == len(series.levels) > 1 else ()


def _size(series: "TiffPageSeries") -> Size:
    return int(series.shape[series.axes.index("X")]), int(series.shape[series.axes.index("Y")])


def _orientation(page: "TiffPage") -> int:
    tag = page.tags.get("Orientation")
    return int(tag.value) if tag else 1


def _n_alpha(page: "TiffPage") -> int:
    return sum(int(kind) in _ALPHA for kind in page.extrasamples)


def _has_color_palette(page: "TiffPage") -> bool:
    if int(page.photometric) != _PALETTE or page.colormap is None:
        return False
    palette = np.asarray(page.colormap)
    return not bool((palette == palette[:1]).all())


def _lsm_channels(tiff: "TiffFile") -> tuple[str, ...]:
    colors = (tiff.lsm_metadata or {}).get("ChannelColors") or {}
    return tuple(map(str, colors.get("ColorNames") or ()))


def _imagej_channels(tiff: "TiffFile", series: "TiffPageSeries") -> tuple[str, ...]:
    """Return the labels of the slices of ImageJ if they name channels, not the position of a slice or its file."""
    labels = (tiff.imagej_metadata or {}).get("Labels") or ()
    is_of_channels = series.axes == "CYX" and len(labels) == series.shape[0]
    return () if not is_of_channels or any(map(_NO_CHANNEL.search, labels)) else tuple(labels)


_NO_CHANNEL = re.compile(r"\b[czt]:\d|[/\\\n]|\.\w{2,4}$")


@dataclass(frozen=True, slots=True)
class _OmeImage:
    """What OME metadata say about one image besides its pixels."""

    channels: tuple[str, ...]
    position_um: tuple[float, ...] | None
    acquired: str | None

    @classmethod
    def of(cls, xml: str, number: int) -> "_OmeImage | None":
        images = re.split(r"<(?:\w+:)?Image\b", xml)[1:]
        if number >= len(images):
            return None
        image = images[number]
        channels = [_attributes(tag).get("Name", "") for tag in re.findall(r"<(?:\w+:)?Channel\b[^>]*>", image)]
        date = re.search(r"<(?:\w+:)?Acquisition(?:Date|dDate)>\s*([^<\s]+)", image)
        return cls(tuple(channels) if any(channels) else (), _ome_position(image), date[1] if date else None)


def _ome_position(image: str) -> tuple[float, ...] | None:
    for tag, prefix in (("StageLabel", ""), ("Plane", "Position")):
        element = re.search(rf"<(?:\w+:)?{tag}\b[^>]*>", image)
        attributes = _attributes(element[0]) if element else {}
        position = []
        for axis in "XYZ":
            # Without a unit, positions are in a "reference frame" of unknown scale.
            unit = UM_PER_UNIT.get(attributes.get(f"{prefix}{axis}Unit", "").lower())
            try:
                position.append(float(attributes[f"{prefix}{axis}"]) * (unit or float("nan")))
            except (KeyError, ValueError):
                break
        if len(position) >= 2 and np.isfinite(position).all():
            return tuple(position)
    return None


def _attributes(tag: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r"\b(\w+)\s*=\s*\"([^\"]*)\"", tag)}


def _check_sizes(path: Path, page: "TiffPage", sizes: dict[str, int], max_bytes: int) -> None:
    """Check the size of a whole plane with these numbers of channels (C) and samples (S)."""
    item = page.dtype.itemsize if page.dtype else 1
    n_samples = 3 if int(page.photometric) == _PALETTE else sizes.get("C", 1) * sizes.get("S", 1)
    check_size(path, sizes["X"], sizes["Y"], max_bytes, bytes_per_pixel=n_samples * item)


def _segment_shape(page: "TiffPage") -> tuple[int, int, int, int]:
    """Return width, length, depth and samples of a strip or tile."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    if page.is_tiled:
        return page.tilewidth, page.tilelength, page.tiledepth, samples
    return page.imagewidth, page.rowsperstrip or page.imagelength, 1, samples


class _Plane:
    """The pixels of one plane, or of a window of it, in one level of a series."""

    def __init__(
        self, path: Path, series: "TiffPageSeries", selection: Selection, window: Window | None, max_bytes: int
    ) -> None:
        self._path, self._series, self._max_bytes = path, series, max_bytes
        self._axes = _distinct_axes(series)
        self._at, self._channels = selection.at, selection.channels
        self._window = window  # None: the whole plane

    def read(self) -> Array:
        """Return (H, W, C), with axis C before axis S if a file declares both."""
        channels = slice(None) if self._channels is None else list(self._channels)
        at = {**self._at, "C": channels}
        array = self._selected(tuple(at.get(axis, slice(None)) for axis in self._axes))
        remaining = "".join(axis for axis in self._axes if axis in "CSYX")
        array = array.transpose([remaining.index(axis) for axis in "YXCS" if axis in remaining])
        return array.reshape(*array.shape[:2], -1)

    def _selected(self, selection: "_Choices") -> Array:
        """Read only the selected pages, so that a stack of thousands of planes need not fit into memory."""
        series = self._series
        n_lead = len(series.shape) - len(series.keyframe.shape)
        lead = series.shape[:n_lead]
        if n_lead >= 0 and series.shape[n_lead:] == series.keyframe.shape and prod(lead) == len(series.pages):
            numbers = _choose(np.arange(prod(lead)).reshape(lead), selection[:n_lead])
            shape = self._windowed(self._axes[n_lead:], series.keyframe.shape)
            self._check_array((numbers.size, *shape))
            pages = [self._page(int(number), shape) for number in numbers.ravel()]
            result: Array = (np.stack(pages) if len(pages) > 1 else pages[0]).reshape(numbers.shape + shape)
            return _choose(result, (slice(None),) * numbers.ndim + selection[n_lead:])
        if series.dataoffset is not None:  # ImageJ: one page declares a whole contiguous stack
            return self._contiguous(series.dataoffset, selection)
        self._check_array(series.shape)
        for number in range(len(series.pages)):
            self._check_page(number)
        whole: Array = series.asarray(maxworkers=1)
        return _choose(self._part(self._axes, whole), selection)

    def _contiguous(self, offset: int, selection: "_Choices") -> Array:
        """Read the selection of a contiguous stack.

        The file is not mapped into memory: if a mapped file is truncated, the process is killed.
        """
        series = self._series
        numbered = [axis for axis, choice in enumerate(selection) if not isinstance(choice, slice)]
        n_lead = max(numbered, default=-1) + 1
        if n_lead > series.axes.index("Y"):  # planes are interleaved: read all
            n_lead = 0
        shape = series.shape[n_lead:]
        numbers = _choose(np.arange(prod(series.shape[:n_lead])).reshape(series.shape[:n_lead]), selection[:n_lead])
        has_rows = self._axes[n_lead:].startswith("Y") and self._window is not None
        rows = slice(self._window.top, self._window.bottom) if has_rows and self._window else slice(0, shape[0])
        row_shape = (rows.stop - rows.start, *shape[1:])
        self._check_array((numbers.size, *row_shape))
        dtype = np.dtype(series.keyframe.parent.byteorder + series.dtype.char)
        pixels = np.empty((numbers.size, prod(row_shape)), dtype)
        row_bytes = prod(shape[1:]) * dtype.itemsize
        with open_image(self._path) as file:
            for part, number in zip(pixels, numbers.ravel().tolist(), strict=True):
                file.seek(offset + (number * shape[0] + rows.start) * row_bytes)
                if file.readinto(part.data.cast("B")) < part.nbytes:
                    raise damaged(self._path, message("tiff-pixels-cut"))
        result: Array = self._part(self._axes[n_lead:], pixels.reshape(-1, *row_shape), has_rows=has_rows)
        result = result.reshape(numbers.shape + result.shape[1:])
        return _choose(result, (slice(None),) * numbers.ndim + selection[n_lead:])

    def _windowed(self, axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with the height and width of the window."""
        if self._window is None:
            return tuple(shape)
        sizes = {"Y": self._window.height, "X": self._window.width}
        return tuple(sizes.get(axis, size) for axis, size in zip(axes, shape, strict=True))

    def _part(self, axes: str, array: Array, *, has_rows: bool = False) -> Array:
        """Return the window of an array, whose last axes are these; `has_rows`: the rows are already those."""
        if self._window is None:
            return array
        rows, columns = self._window.of_array
        slices = {"X": columns} if has_rows else {"Y": rows, "X": columns}
        index: tuple[Any, ...] = (..., *(slices.get(axis, slice(None)) for axis in axes))  # Any: as NumPy takes it
        part: Array = array[index]
        return part

    def _page(self, number: int, shape: tuple[int, ...]) -> Array:
        self._check_page(number)
        page = self._series.pages[number]
        assert page is not None  # _check_page refuses it
        with _opened(page.parent.filehandle):
            return self._open_page(page, shape)

    def _open_page(self, page: "TiffPage | TiffFrame", shape: tuple[int, ...]) -> Array:
        keyframe = _keyframe(page)
        if self._window is None or keyframe.imagedepth > 1:
            self._check_segments(page)
            axes = self._axes[len(self._axes) - len(keyframe.shape) :]
            return self._part(axes, np.asarray(page.asarray(maxworkers=1)))
        if keyframe.is_final:
            return self._rows(page, self._window).reshape(shape)
        return self._segments(page, self._window).reshape(shape)

    def _rows(self, page: "TiffPage | TiffFrame", window: Window) -> Array:
        """Return (samples, height, width, samples) of uncompressed rows."""
        keyframe = _keyframe(page)
        n_planes, _, length, width, samples = keyframe.shaped
        assert keyframe.dtype is not None  # of pages whose pixels tifffile can decode
        dtype = np.dtype(page.parent.byteorder + keyframe.dtype.char)
        rows = np.empty((n_planes, window.height, width, samples), dtype)
        row_bytes = width * samples * dtype.itemsize
        file = page.parent.filehandle
        for plane, part in enumerate(rows):
            file.seek(page.dataoffsets[0] + (plane * length + window.top) * row_bytes)
            data = file.read(part.nbytes)
            if len(data) < part.nbytes:
                raise damaged(self._path, message("tiff-pixels-cut"))
            part[...] = np.frombuffer(data, dtype).reshape(part.shape)
        return rows[:, :, window.left : window.right]

    def _segments(self, page: "TiffPage | TiffFrame", window: Window) -> Array:
        """Return (samples, height, width, samples) from the strips or tiles that the window touches."""
        keyframe = _keyframe(page)
        n_planes, _, _, _, samples = keyframe.shaped
        result = np.empty((n_planes, window.height, window.width, samples), keyframe.dtype)
        numbers = list(_segment_numbers(keyframe, window))
        self._check_segments(page, numbers)
        keyframe.init_decode()
        options: dict[str, Any] = {}  # Any: bytes or None
        if int(keyframe.compression) in _WITH_TABLES:
            options = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
        file = page.parent.filehandle
        for number in numbers:
            data = None
            if page.databytecounts[number]:
                file.seek(page.dataoffsets[number])
                data = file.read(page.databytecounts[number])
            segment, (plane, _, top, left, _), (_, length, width, _) = keyframe.decode(
                data, number, _fullsize=False, **options
            )
            rows = slice(max(top, window.top), min(top + length, window.bottom))
            columns = slice(max(left, window.left), min(left + width, window.right))
            target = result[
                plane,
                rows.start - window.top : rows.stop - window.top,
                columns.start - window.left : columns.stop - window.left,
            ]
            if segment is None:
                target[...] = keyframe.nodata
            else:
                target[...] = segment[0, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return result

    def _check_array(self, shape: tuple[int, ...]) -> None:
        """Check the size of an array that is read at once and can be larger than a plane, such as pages with depth."""
        item = self._series.dtype.itemsize
        check_size(self._path, shape[-1], prod(shape[:-1]), self._max_bytes, bytes_per_pixel=item)

    def _check_page(self, number: int) -> None:
        """Check that no strip or tile of a page is missing or beyond the end of the file.

        tifffile fills missing segments with zeros in some cases, which would give incomplete images without an error.
        Empty tiles (offset and length 0), which whole-slide files omit on purpose, are background.
        """
        page = self._series.pages[number]
        if page is None:
            raise damaged(self._path, message("tiff-page-missing", page=number))
        size = page.parent.filehandle.size
        is_tiled = self._series.keyframe.is_tiled
        for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
            if offset + length > size:
                raise damaged(self._path, message("tiff-page-cut", page=number))
            if length == 0 and not is_tiled:
                raise damaged(self._path, message("tiff-page-incomplete", page=number))

    def _check_segments(self, page: "TiffPage | TiffFrame", numbers: Iterable[int] | None = None) -> None:
        """Check the segments of these numbers, or all, if their codec allocates the size that they declare."""
        if declares_its_size(int(self._series.keyframe.compression)):
            _check_segments(self._path, self._series.keyframe, page, self._max_bytes, numbers)


@contextmanager
def _opened(file: "FileHandle") -> Iterator[None]:
    """Open a file that continues an image; tifffile closes it after it has read the metadata."""
    was_closed = file.closed
    if was_closed:
        file.open()
    try:
        yield
    finally:
        if was_closed:
            file.close()


_Choices = tuple[int | list[int] | slice, ...]


def _choose(array: Array, choices: _Choices) -> Array:
    """Return positions of axes; NumPy would move the axes of positions that a slice separates."""
    array = array[tuple(slice(None) if isinstance(choice, list) else choice for choice in choices)]
    remaining = [choice for choice in choices if not isinstance(choice, int)]
    for axis, choice in enumerate(remaining):
        if isinstance(choice, list):
            array = array.take(choice, axis)
    return array


_WITH_TABLES = {6, 7, 34892, 33007}  # compressions for which tifffile takes JPEG tables of the page


def _keyframe(page: "TiffPage | TiffFrame") -> "TiffPage":
    keyframe = page.keyframe
    assert keyframe is not None  # tifffile sets it for every page of a series
    return keyframe


def _segment_numbers(keyframe: "TiffPage", window: Window) -> Iterator[int]:
    """Yield the numbers of the strips or tiles that touch a window, of a page without depth."""
    n_planes = keyframe.shaped[0]
    width, length, _, _ = _segment_shape(keyframe)
    n_rows, n_columns = ceil(keyframe.imagelength / length), ceil(keyframe.imagewidth / width)
    rows = range(window.top // length, ceil(window.bottom / length))
    columns = range(window.left // width, ceil(window.right / width))
    for plane, row, column in product(range(n_planes), rows, columns):
        yield (plane * n_rows + row) * n_columns + column


def _check_segments(
    path: Path,
    keyframe: "TiffPage",
    page: "TiffPage | TiffFrame",
    max_bytes: int,
    numbers: Iterable[int] | None,
) -> None:
    """Check that no strip or tile declares more pixels in its own header than the page does."""
    width, length, depth, samples = _segment_shape(keyframe)
    for encoded in _encoded_segments(keyframe, page, numbers):
        _check_encoded(path, keyframe, encoded, width * length * depth * samples, max_bytes)
    # NDPI, which tifffile also decodes as one strip
    if numbers is None and keyframe.jpegheader is not None and _STRIPS in keyframe.tags:
        (offset, *_), (n_bytes, *_) = (keyframe.tags[code].value for code in (_STRIPS, _STRIP_BYTES))
        page.parent.filehandle.seek(offset)
        encoded = page.parent.filehandle.read(n_bytes)
        _check_encoded(path, keyframe, encoded, keyframe.imagewidth * keyframe.imagelength * samples, max_bytes)


def _encoded_segments(
    keyframe: "TiffPage", page: "TiffPage | TiffFrame", numbers: Iterable[int] | None
) -> Iterator[bytes]:
    file, header = page.parent.filehandle, keyframe.jpegheader or b""
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    for offset, length in segments if numbers is None else [segments[number] for number in numbers]:
        if length:
            file.seek(offset)
            yield header + file.read(length)


def _check_encoded(path: Path, keyframe: "TiffPage", encoded: bytes, max_pixels: int, max_bytes: int) -> None:
    pixels, n_bytes = coded_size(int(keyframe.compression), encoded) or (max_pixels + 1, 0)
    if pixels > max_pixels or n_bytes > max_bytes:
        raise damaged(path, message("tiff-part-size"))


def _to_intensities(path: Path, array: Array, page: "TiffPage", *, has_display_table: bool, is_imagej: bool) -> Array:
    """Convert palette, CMYK, inverted gray and 1- to 4-bit gray to intensities; drop declared alpha.

    Args:
        path: the file, for errors.
        array: (H, W, C).
        page: declares what the values mean.
        has_display_table: the palette only describes how a program displays the values.
        is_imagej: ImageJ wrote the file, for which white as 0 also describes the display only.
    """
    bits, photometric = int(page.bitspersample), int(page.photometric)
    if _n_alpha(page) and array.shape[-1] == page.samplesperpixel:
        kinds = [None] * (array.shape[-1] - len(page.extrasamples)) + [int(kind) for kind in page.extrasamples]
        array = array[..., [i for i, kind in enumerate(kinds) if kind not in _ALPHA]]
    if array.dtype == bool:
        array = array.astype(np.uint8)
    is_palette = photometric == _PALETTE and page.colormap is not None and array.shape[-1] == 1
    if is_palette and not has_display_table:
        palette = np.ascontiguousarray(np.asarray(page.colormap).T)  # (n, 3) uint16
        narrow = (palette >> 8).astype(np.uint8) if palette.max(initial=0) > 255 else palette.astype(np.uint8)
        return palette_to_color(array[..., 0], narrow)
    if array.dtype.kind in "if" and photometric == _MIN_IS_WHITE and not is_imagej:
        array = ~array if array.dtype.kind == "i" else -array  # no largest value is stated
    if array.dtype.kind == "u":
        top = 2 ** min(bits, 8 * array.dtype.itemsize) - 1
        if photometric == _MIN_IS_WHITE and not is_imagej:
            array = np.asarray(top - array).astype(array.dtype)
        if bits < 8:
            array = by_rows(lambda rows: (rows.astype(np.uint16) * 255 // top).astype(np.uint8), array)
    if photometric == _CMYK and array.shape[-1] == 4 and array.dtype in (np.uint8, np.uint16):
        array = cmyk_to_rgb(array)
    if array.dtype.kind not in "uif":
        raise UnreadableImage("tiff-pixel-type", file=path, dtype=str(array.dtype))
    return array


def _summary(warning: str) -> str:
    """Return a warning without addresses and numbers, so that equal warnings of many files can be counted."""
    words = re.sub(r"<[^<>]*>|\([^()]*\)|\d+", "", warning).split()
    return " ".join(words)[:100].rstrip(" .,")


TIFF = Reader(
    name="TIFF",
    title="TIFF, also BigTIFF, OME-TIFF, ImageJ's, and under other names",
    suffixes=(".tif", ".tiff", ".btf", ".tf8", ".svs", ".ndpi", ".scn", ".bif", ".qptiff", ".lsm", ".stk", ".flex"),
    is_this=starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", *_SWAPPED),
    open=_open,
)
