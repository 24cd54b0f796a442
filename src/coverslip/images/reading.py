"""Decode any image file, or a region of it, into pixels.

Rules, the same for every format:

- 8-bit stays uint8; 9 to 16 bit becomes uint16; int8 and int16 without negative values become uint8 and uint16; all
  other numbers become float32. 1-bit becomes 0/255, and 2- and 4-bit gray is scaled to 0-255. A declared depth is
  reported as `bit_depth` and does not change the values: 12-bit pixels stay 0-4095.
- Palettes are resolved to RGB, or to gray if all entries are gray. CMYK becomes RGB. Alpha is dropped, not blended:
  transparent pixels keep the values of the camera.
- Orientation (EXIF or TIFF tag) is applied; boxes refer to the upright image.
- A page declared as axis C is a channel, and one declared as axis T, or a frame of a GIF, a time point. Other pages are
  z-planes. See `ReadPlan`.
- In float images, NaN becomes the lowest finite value and infinities the nearest finite value, with a note.
- A region is read completely or refused. A truncated file does not give an image with a gray lower half.
- A region has the pixels of the same part of the whole plane. Where their number type depends on all pixels (signed
  integers, float), the whole plane is decoded, unless it is larger than the limit.
- A region that reaches beyond the edge keeps its size; the rest is filled with the color of its border, with a note.

The z-planes of an image are combined here too: maximum, mean, the sharpest plane, or all of them as channels.
"""

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from coverslip.errors import UnreadableImage
from coverslip.images._pillow import is_text, unknown_format
from coverslip.images.confining import files_opened, open_image
from coverslip.images.formats import reader_of, reader_of_folder
from coverslip.images.reader import (
    HEAD_BYTES,
    MAX_BYTES,
    Array,
    Channel,
    Decoded,
    OpenImage,
    PixelSize,
    Reader,
    ReadPlan,
    Region,
    Selection,
    Series,
    Size,
    Window,
    ZPlane,
    at_channels,
    check_size,
    damaged,
    reason_of,
)
from coverslip.messages import Message, joined, message, text

_MAX_PROJECTED_VALUES = 20_000_000_000  # pixels times channels over all planes of a projection
WHOLE_IMAGE = ReadPlan()
BEYOND_EDGE = message("box-beyond-edge")


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


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded image."""

    array: Array  # (H, W, C) uint8, uint16 or float32, C >= 1, C-contiguous; may be read-only
    file_format: str  # the name of the reader: "JPEG", "PNG", "TIFF", ...
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    n_planes: int  # over time and z; 1 for plain images
    note: Message | None = None  # one short reason, equal for equal causes, so that callers can count them
    pixel_size_um: PixelSize | None = None  # width and height of a pixel of this array; None: unknown
    has_other_files: bool = False  # whether they depend on files that the plan does not name
    channel_names: tuple[str, ...] = ()  # of the channels of this array, in the file; empty: not all have one
    has_chosen_channels: bool = False  # whether the plan states channels, whose order is then meant


def decode(path: Path, plan: ReadPlan = WHOLE_IMAGE, *, max_bytes: int = MAX_BYTES) -> Pixels:
    """Decode one image file in this process. Thread-safe.

    The format is identified by the first bytes, not by the file name.

    Args:
        path: the file.
        plan: the series, plane, channels and region to read.
        max_bytes: a region that declares more bytes, over all channels, is refused before it is decoded.

    Raises:
        UnreadableImage: for any problem with the file; no other exception is raised.
    """
    head = _first_bytes(path)
    reader = _find_reader(path, head)
    assert reader.open is not None  # checked by _find_reader
    try:
        with files_opened() as opened, reader.open(path) as source:
            pixels = _read_planes(path, source, plan, reader.name, max_bytes)
        return replace(pixels, has_other_files=True) if _are_others(opened, path) else pixels
    except UnreadableImage:
        raise
    except Exception as error:
        raise _as_unreadable(path, head, error, max_bytes) from error


def _are_others(opened: set[str], path: Path) -> bool:
    """Return whether files outside a file or folder were opened."""
    others = opened - {os.fspath(path)}
    if not others:
        return False
    real = Path(os.path.realpath(path))
    return not all(Path(os.path.realpath(each)).is_relative_to(real) for each in others)


def _read_planes(path: Path, source: OpenImage, plan: ReadPlan, file_format: str, max_bytes: int) -> Pixels:
    series = _choose_series(path, source.describe(), plan)
    series = _with_stated_size(series, plan)
    size = series.sizes[plan.level]
    region = _at_level(crop_of(path, plan, series), series.sizes[0], size)
    channels = channel_numbers(path, plan.channels, series.channels)
    whole = Window(0, 0, *size)
    window = whole if region is None else _window(path, region, size)
    item_bytes = np.dtype(series.dtype or np.uint8).itemsize
    is_selective = plan.z != "channels" and channels is not None and "S" not in series.channel_axes
    if series.dtype not in _PLAIN_DEPTHS and whole.width * whole.height * series.n_channels * item_bytes <= max_bytes:
        window, is_selective = whole, False
    if is_selective and channels is not None:
        _check_channels(path, channels, series.n_channels)
    n_read = len(channels) if is_selective and channels is not None else series.n_channels
    check_size(path, window.width, window.height, max_bytes, bytes_per_pixel=n_read * item_bytes)
    bit_depth, note = 0, None

    def read(index: int) -> Array:
        nonlocal bit_depth, note
        selection = Selection(
            series=plan.series,
            level=plan.level,
            at=_positions(series, plan, index),
            window=window,
            channels=channels if is_selective else None,
        )
        decoded = source.read_region(selection, max_bytes)
        bit_depth, note = decoded.bit_depth, note or decoded.note
        return decoded.array

    array = combine_planes(path, plan.z, series.n_planes if plan.z == "channels" else series.n_z, read)
    array, replaced = _to_three_depths(path, array)
    if not is_selective:
        array = _select_channels(path, array, channels)
    n_planes = 1 if plan.z == "channels" else series.n_planes
    pixels = Pixels(
        array,
        file_format,
        bit_depth,
        n_planes,
        note or replaced,
        series.pixel_size_at(plan.level),
        channel_names=() if plan.z == "channels" else _channel_names(series, channels),
        has_chosen_channels=channels is not None,
    )
    return _cut(path, pixels, region, size, window, max_bytes)


LONGEST_CHANNEL_NAME = 200  # of a channel; longer texts are no names


def _channel_names(series: Series, channels: tuple[int, ...] | None) -> tuple[str, ...]:
    """Return the names of the selected channels; nothing unless the series names each of its channels."""
    names = tuple(name.strip() for name in series.channels)
    if len(names) != series.n_channels or not all(0 < len(name) <= LONGEST_CHANNEL_NAME for name in names):
        return ()
    return names if channels is None else tuple(names[number] for number in channels)


def _with_stated_size(series: Series, plan: ReadPlan) -> Series:
    stated = plan.pixel_size_um
    return series if stated is None else replace(series, pixel_size_um=(stated, stated))


def crop_of(path: Path, plan: ReadPlan, series: Series) -> Region | None:
    """Return the pixels of level 0 that a plan reads of a series; None: the whole plane.

    Raises:
        UnreadableImage: the plan has a length in µm, and the pixel size is unknown.
    """
    return _crop(path, plan, series.sizes[0], _with_stated_size(series, plan).pixel_size_at(0))


_PLAIN_DEPTHS = ("uint8", "uint16")  # which no pixel value changes


def _choose_series(path: Path, all_series: Sequence[Series], plan: ReadPlan) -> Series:
    if plan.series >= len(all_series):
        raise UnreadableImage("no-such-series", file=path, series=plan.series, n_series=len(all_series))
    series = all_series[plan.series]
    if plan.level >= len(series.sizes):
        raise UnreadableImage("no-such-level", file=path, number=plan.level, n_levels=len(series.sizes))
    if plan.t >= series.size("T"):
        raise UnreadableImage("no-such-time", file=path, t=plan.t, n_times=series.size("T"))
    return series


def _positions(series: Series, plan: ReadPlan, index: int) -> dict[str, int]:
    """Return the position on each axis of time and z of a plane."""
    times, z_axes = {"T": plan.t} if "T" in series.axes else {}, series.z_axes
    if plan.z == "channels":  # all planes of the file
        times, z_axes = {}, "".join(axis for axis in series.axes if axis == "T" or axis in z_axes)
    positions = np.unravel_index(index, [series.size(axis) for axis in z_axes] or [1])
    return {**times, **dict(zip(z_axes, map(int, positions), strict=False))}


def _at_level(region: Region | None, full: Size, size: Size) -> Region | None:
    """Return a region of level 0 in pixels of a level of another size."""
    if region is None or full == size:
        return region
    x_scale, y_scale = size[0] / full[0], size[1] / full[1]
    x, y, width, height = region
    return round(x * x_scale), round(y * y_scale), max(1, round(width * x_scale)), max(1, round(height * y_scale))


def channel_numbers(path: Path, channels: Sequence[Channel] | None, names: Sequence[str]) -> tuple[int, ...] | None:
    """Return channels by their numbers; a number that the image does not have can be a name.

    Raises:
        UnreadableImage: there is no channel of such a name, or there are several.
    """
    if channels is None:
        return None
    return tuple(channel_number(path, channel, names) for channel in channels)


def channel_number(path: Path, channel: Channel, names: Sequence[str]) -> int:
    """Return the number of a channel; raises as `channel_numbers`."""
    if isinstance(channel, int) and (0 <= channel < len(names) or names.count(str(channel)) != 1):
        return channel
    name = str(channel)
    matches = [number for number, each in enumerate(names) if each == name]
    matches = matches or [number for number, each in enumerate(names) if each.casefold() == name.casefold()]
    if len(matches) != 1:
        raise UnreadableImage(
            "no-such-channel-name", file=path, channel=name, names=", ".join(names), n_names=len(names)
        )
    return matches[0]


def pixels_in_memory(name: Path, decoded: Decoded, plan: ReadPlan = WHOLE_IMAGE) -> Pixels:
    """Return an image in memory as if it had been read from a file.

    Args:
        name: a name in place of the path, for errors.
        decoded: all pixels.
        plan: the channels and the region to keep; there is one plane only.

    Raises:
        UnreadableImage: there is no such plane or channel, the region is outside the image, or no pixel is finite.
    """
    height, width = decoded.array.shape[:2]
    _choose_series(name, (Series("YX", (height, width)),), plan)
    array, note = _to_three_depths(name, combine_planes(name, plan.z, 1, lambda _: decoded.array))
    size = None if plan.pixel_size_um is None else (plan.pixel_size_um, plan.pixel_size_um)
    return cut(name, Pixels(array, "in memory", decoded.bit_depth, 1, decoded.note or note, size), plan)


def cut(
    path: Path, plane: Pixels, plan: ReadPlan, max_bytes: int = MAX_BYTES, *, full_size: Size | None = None
) -> Pixels:
    """Return the channels and the region of a plan from a whole plane.

    Args:
        path: the file, for errors.
        plane: the pixels.
        plan: names the channels and the region.
        max_bytes: the limit of the region.
        full_size: width and height of level 0 if the plane is of another level.

    Raises:
        UnreadableImage: there is no such channel, the region is outside the image, or it needs more than `max_bytes`.
    """
    channels, names = channel_numbers(path, plan.channels, plane.channel_names), plane.channel_names
    array = _select_channels(path, plane.array, channels)
    if names and channels is not None:
        names = tuple(names[number] for number in channels)
    size = array.shape[1], array.shape[0]
    full_size, pixel_size = full_size or size, plane.pixel_size_um
    if pixel_size is not None:
        pixel_size = pixel_size[0] * size[0] / full_size[0], pixel_size[1] * size[1] / full_size[1]
    region = _at_level(_crop(path, plan, full_size, pixel_size), full_size, size)
    are_chosen = plane.has_chosen_channels or channels is not None
    selected = replace(plane, array=array, channel_names=names, has_chosen_channels=are_chosen)
    return _cut(path, selected, region, size, Window(0, 0, *size), max_bytes)


def _crop(path: Path, plan: ReadPlan, size: Size, pixel_size_um: PixelSize | None) -> Region | None:
    try:
        return plan.crop(size, pixel_size_um)
    except ValueError as error:
        raise UnreadableImage("crop-needs-pixel-size", file=path, length=str(error)) from error


def _cut(path: Path, part: Pixels, region: Region | None, size: Size, window: Window, max_bytes: int) -> Pixels:
    """Return a region of a plane of this size, of which a part was read, filled up beyond the edge."""
    array, note = part.array, part.note
    if region is not None:
        inside = _window(path, region, size)
        x, y, width, height = region
        if width * height * array.shape[2] * array.itemsize > max_bytes:
            raise _region_error("box-too-large", path, region, size)
        rows, columns = inside.of_array
        array = array[
            rows.start - window.top : rows.stop - window.top, columns.start - window.left : columns.stop - window.left
        ]
        if (inside.width, inside.height) != (width, height):
            note = joined(each for each in (note, BEYOND_EDGE) if each)
            filled = np.empty((height, width, array.shape[2]), array.dtype)
            filled[:] = border_color(array)
            filled[inside.top - y : inside.bottom - y, inside.left - x : inside.right - x] = array
            array = filled
    return replace(part, array=np.ascontiguousarray(array), note=note)


def _window(path: Path, region: Region, size: Size) -> Window:
    """Return the part of a region that is inside the plane."""
    x, y, width, height = region
    window = Window(max(x, 0), max(y, 0), min(x + width, size[0]), min(y + height, size[1]))
    if window.width <= 0 or window.height <= 0:
        raise _region_error("box-outside-image", path, region, size)
    return window


def describe(path: Path) -> tuple[Series, ...]:
    """Return the series that a file declares, with axes and pixel size, without decoding pixels, in this process.

    Raises:
        UnreadableImage: as for `read_pixels`, except for damage that is only detected by decoding.
    """
    head = _first_bytes(path)
    reader = _find_reader(path, head)
    assert reader.open is not None
    try:
        with reader.open(path) as source:
            return source.describe()
    except UnreadableImage:
        raise
    except Exception as error:
        raise _as_unreadable(path, head, error, MAX_BYTES) from error


def _find_reader(path: Path, head: bytes) -> Reader:
    reader = reader_of(head) if head else reader_of_folder(path)
    if reader is None:
        raise unknown_format(path, head)
    if not reader.can_read:
        advice = reader.advice or text("export-from-microscope")
        code = "format-not-read" if reader.open is None else "format-not-installed"
        raise UnreadableImage(code, file=path, title=reader.title, advice=advice)
    return reader


# What decoders say of most damaged files, without a detail that would help a user.
_IS_INCOMPLETE = re.compile("truncated|broken data stream|broken PNG file|unrecognized data stream", re.IGNORECASE)

# What decoders say of files that are intact, as far as they can tell, but of a kind that they do not decode.
_IS_NOT_READ = re.compile(
    "not supported|unsupported|not implemented|does not support|missing dependencies", re.IGNORECASE
)


def _as_unreadable(path: Path, head: bytes, error: Exception, max_bytes: int) -> UnreadableImage:
    """Convert any exception of a decoder (struct.error, zlib.error, RuntimeError for corrupt tags, ...) to one type.

    One damaged file must not stop the reading of 100,000 others.
    """
    match error:
        case UnidentifiedImageError():
            # The first bytes are those of a format. The signatures of some formats can also begin a text.
            return unknown_format(path, head) if is_text(head) else UnreadableImage("image-incomplete", file=path)
        case MemoryError():
            return UnreadableImage("image-out-of-memory", file=path)
        case Image.DecompressionBombError():
            return UnreadableImage("image-too-many-pixels", file=path, limit_mb=max_bytes / 1e6)
        case PermissionError():
            return _no_access(path, error)
    is_of_disk = isinstance(error, OSError) and error.errno is not None  # its text contains the name of the file
    if not is_of_disk and _IS_INCOMPLETE.search(str(error)):
        return UnreadableImage("image-incomplete", file=path)
    if not is_of_disk and _IS_NOT_READ.search(str(error)):
        return UnreadableImage("image-kind-not-read", file=path, reason=reason_of(error))
    return damaged(path, error)


def _first_bytes(path: Path) -> bytes:
    """Return the first bytes of a file; none of a folder that is one image."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if reader_of_folder(path) is None:
                raise UnreadableImage("folder-instead-of-image", file=path)
            return b""
        if not stat.S_ISREG(mode):
            raise UnreadableImage("no-regular-file", file=path)
        with open_image(path) as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise UnreadableImage("no-such-image", file=path) from error
    except PermissionError as error:
        raise _no_access(path, error) from error
    except (OSError, ValueError) as error:
        raise UnreadableImage("image-not-opened", file=path, reason=str(error)) from error
    if not head:
        raise UnreadableImage("image-file-empty", file=path)
    return head


def _no_access(path: Path, error: OSError) -> UnreadableImage:
    return UnreadableImage("image-no-permission", file=path, reason=error.strerror or str(error))


def _to_three_depths(path: Path, array: Array) -> tuple[Array, Message | None]:
    """Return (H, W, C) uint8, uint16 or float32 in native byte order, and a note if values were replaced."""
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.dtype == np.uint8:
        return array, None
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return array.astype(np.uint16, copy=False), None
    if array.dtype.kind == "i" and array.dtype.itemsize <= 2 and array.min() >= 0:
        return array.astype(np.uint8 if array.dtype.itemsize == 1 else np.uint16), None
    with np.errstate(over="ignore", invalid="ignore"):  # sums with infinities of both signs
        array = array.astype(np.float32, copy=False)
        total = array.sum(dtype=np.float64)
    if np.isfinite(total):  # one pass in the usual case
        return array, None
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        raise UnreadableImage("no-finite-pixel", file=path)
    low, high = float(finite.min()), float(finite.max())
    return np.nan_to_num(array, nan=low, posinf=high, neginf=low), message("pixels-replaced")


def _select_channels(path: Path, array: Array, channels: tuple[int, ...] | None) -> Array:
    if channels is not None:
        _check_channels(path, channels, array.shape[2])
    return at_channels(array, channels)


def _check_channels(path: Path, channels: tuple[int, ...], n_channels: int) -> None:
    if not channels or not all(0 <= channel < n_channels for channel in channels):
        listed = ", ".join(map(str, channels))
        raise UnreadableImage(
            "no-such-channels", file=path, channels=listed, has_channels=bool(listed), n_channels=n_channels
        )


def border_color(array: Array) -> Array:
    """Return the (C,) median of the outermost pixels; of two middle values the lower one, which occurs in the image."""
    border = np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]])
    middle = (len(border) - 1) // 2
    color: Array = np.partition(border, middle, axis=0)[middle]
    return color


def _region_error(code: str, path: Path, region: Region, size: Size) -> UnreadableImage:
    x, y, width, height = map(str, region)
    return UnreadableImage(
        code, file=path, x=x, y=y, width=width, height=height, image_width=size[0], image_height=size[1]
    )
