"""Reader of TIFF files from microscopes.

Pillow reads plain TIFFs (one uncompressed page of 1 or 8 bit) fast and correctly. tifffile reads all others: more than
8 bit, float, several pages, tiles, declared axes, and files with contradictory tags, which Pillow opens but cannot
decode. Compressed files are not tried with Pillow first, because its C library prints warnings to the terminal.

Axes: a page is a channel if the file declares axis C (ImageJ, OME and shaped TIFFs); samples of a pixel (axis S) are
channels too. Any other axis (Z, T, unknown) counts planes, first axis slowest. Only the first series of a file is read:
the full-resolution level of a pyramid, not its label or overview.
"""

import re
import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from coverslip.errors import UnreadableImage
from coverslip.images._pillow import image_to_array, oriented, read_with_pillow
from coverslip.images._tiff_guard import (
    JPEG,
    check_pages,
    check_scanned,
    check_series,
    coded_size,
    declares_its_size,
    n_scanned,
    open_tiff,
)
from coverslip.images.confining import open_image
from coverslip.images.plan import ReadPlan
from coverslip.images.reader import (
    Array,
    Decoded,
    Reader,
    Series,
    by_rows,
    check_size,
    choose_plane,
    cmyk_to_rgb,
    damaged,
    palette_to_color,
    starts,
)
from coverslip.messages import text

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

_UM_PER_UNIT = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "\\u00b5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer"), 1e-3),
    **dict.fromkeys(("mm", "millimeter"), 1e3),
    **dict.fromkeys(("cm", "centimeter"), 1e4),
    "m": 1e6,
}
_CENTIMETER = 3  # ResolutionUnit


def describe_tiff(path: Path) -> tuple[Series, ...]:
    """Return every series; of a pyramid the full-resolution level.

    Raises:
        UnreadableImage: the file declares too many pages, or its pages form a circle.
        Exception: any exception of tifffile for damaged bytes.
    """
    check_pages(path)
    with open_tiff(path) as (tiff, _):
        check_series(path, tiff)
        return tuple(
            Series(series.axes, tuple(map(int, series.shape)), _pixel_size(tiff, number, series), series.name)
            for number, series in enumerate(tiff.series)
        )


def _pixel_size(tiff: "TiffFile", number: int, series: "TiffPageSeries") -> tuple[float, float] | None:
    if tiff.ome_metadata:
        return _ome_pixel_size(tiff.ome_metadata, number)
    page = series.keyframe
    if tiff.imagej_metadata:
        return _size_from_resolution(page, _UM_PER_UNIT.get(str(tiff.imagej_metadata.get("unit")).lower()))
    # Resolutions per inch are ignored: desktop programs write 72 per inch for every image.
    return _size_from_resolution(page, _UM_PER_UNIT["cm"] if page.resolutionunit == _CENTIMETER else None)


def _ome_pixel_size(xml: str, number: int) -> tuple[float, float] | None:
    pixels = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    if number >= len(pixels):
        return None
    attributes = dict(re.findall(r"\b(\w+)\s*=\s*\"([^\"]*)\"", pixels[number]))
    sizes = []
    for axis in "XY":
        unit = _UM_PER_UNIT.get(attributes.get(f"PhysicalSize{axis}Unit", "µm").lower())
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
    return _if_positive(*sizes)


def _if_positive(width: float, height: float) -> tuple[float, float] | None:
    return (width, height) if min(width, height) > 0 else None


_BITS, _COMPRESSION, _DESCRIPTION, _STRIPS, _ORIENTATION, _PLANAR = 258, 259, 270, 273, 274, 284
_STRIP_BYTES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 279, 338, 339
_DECLARES_AXES = re.compile(r"^ImageJ=|^\{.*\"shape\"|<OME|^shape=", re.S)
_MIN_IS_WHITE, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 3, 5, 6, 8
_ALPHA = {1, 2}  # ExtraSamples: associated and unassociated alpha; 0 is an unspecified channel
_BAD_TAGS = (OSError, ValueError, SyntaxError, TypeError, LookupError, OverflowError, AttributeError, struct.error)
_SWAPPED = (b"MM*\0", b"II\0*")
# Warnings of tifffile that mean lost pages: it continues with the remaining pages, or with zeros in place of them.
# TiffTag 270 is the description, which declares the axes.
_LOST_PAGES = re.compile(r"invalid page offset|invalid offset to page|corrupted tag list|corrupted file|TiffTag 270 ")


def read_tiff(path: Path, plan: ReadPlan, max_bytes: int) -> Decoded:
    """Decode a plain TIFF with Pillow, any other TIFF with tifffile.

    Raises:
        UnreadableImage: the file is too large or truncated, or has no such plane.
        Exception: any exception of tifffile for damaged bytes.
    """
    check_pages(path)
    note = None
    if _is_swapped(path):
        return read_with_pillow(path, plan, max_bytes)
    if _is_plain(path):
        try:
            return read_with_pillow(path, plan, max_bytes)
        except _BAD_TAGS:
            note = text("pillow-failed")  # tifffile refuses the file too if it is damaged
    with open_tiff(path) as (tiff, warnings):
        decoded = _read_series(path, tiff, plan, max_bytes, warnings)
    if note is None and warnings:
        note = text("tifffile-complains", complaint=_summary(warnings[0]))
    return Decoded(decoded.array, decoded.bit_depth, decoded.n_planes, note)


def _is_swapped(path: Path) -> bool:
    """Return whether the magic number has the wrong byte order; Pillow reads such files."""
    with open_image(path) as file:
        return file.read(4) in _SWAPPED


def _is_plain(path: Path) -> bool:
    try:
        with open_image(path) as file, Image.open(file, formats=("TIFF",)) as image:
            tags = image.tag_v2  # type: ignore[attr-defined]  # TiffImageFile; Image.open has a general type
            return (
                image.mode in ("1", "L", "P", "RGB", "CMYK")
                and not getattr(image, "is_animated", True)
                and tags.get(_COMPRESSION, 1) == 1
                and tags.get(_PLANAR, 1) == 1
                and _EXTRA_SAMPLES not in tags
                and tags.get(_ORIENTATION, 1) == 1  # Pillow swaps width and height of rotated images
                and set(tags.get(_BITS, (1,))) <= {1, 8}
                and set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}
                and not _DECLARES_AXES.search(str(tags.get(_DESCRIPTION, "")))
            )
    except (Image.DecompressionBombError, *_BAD_TAGS):
        return False


def _read_series(path: Path, tiff: "TiffFile", plan: ReadPlan, max_bytes: int, warnings: list[str]) -> Decoded:
    if not tiff.series:
        raise damaged(path, text("tiff-without-pages"))
    check_series(path, tiff)
    series = tiff.series[0]
    if any(map(_LOST_PAGES.search, warnings)):
        raise damaged(path, text("tiff-pages-missing", complaint=_summary(warnings[0])))
    page = series.keyframe
    sizes = dict(zip(series.axes, series.shape, strict=True))
    if series.axes.count("Y") != 1 or series.axes.count("X") != 1:
        raise damaged(path, text("tiff-without-height-and-width", axes=series.axes))
    _check_sizes(path, page, sizes, max_bytes)
    photometric, compression = int(page.photometric), int(page.compression)
    if photometric == _LAB or (photometric == _YCBCR and compression not in JPEG):
        return _read_page_with_pillow(path)  # color spaces that tifffile does not convert

    n_planes = prod(size for axis, size in sizes.items() if axis not in "CSYX")

    def read(index: int) -> Array:
        return _read_plane(path, series, index, max_bytes)

    if plan.plane == "channels":  # palettes and CMYK apply to each page
        array = choose_plane(path, plan.plane, n_planes, lambda index: _to_intensities(path, read(index), page))
    else:
        array = _to_intensities(path, choose_plane(path, plan.plane, n_planes, read), page)
    bits = page.bitspersample
    orientation = page.tags.get("Orientation")
    array = oriented(array, int(orientation.value) if orientation else 1)
    return Decoded(array, int(bits), n_planes)


def _check_sizes(path: Path, page: "TiffPage", sizes: dict[str, int], max_bytes: int) -> None:
    """Check the size of a plane with its channels, and of a tile, which may be larger than the plane."""
    item = page.dtype.itemsize if page.dtype else 1
    n_samples = 3 if int(page.photometric) == _PALETTE else sizes.get("C", 1) * sizes.get("S", 1)
    check_size(path, sizes["X"], sizes["Y"], max_bytes, bytes_per_pixel=n_samples * item)
    width, length, depth, samples = _segment_shape(page)
    check_size(path, width, length, max_bytes, bytes_per_pixel=depth * samples * item)


def _segment_shape(page: "TiffPage") -> tuple[int, int, int, int]:
    """Return width, length, depth and samples of a strip or tile."""
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    if page.is_tiled:
        return page.tilewidth, page.tilelength, page.tiledepth, samples
    return page.imagewidth, page.rowsperstrip or page.imagelength, 1, samples


def _read_page_with_pillow(path: Path) -> Decoded:
    with open_image(path) as file, Image.open(file, formats=("TIFF",)) as image:
        image.load()
        return Decoded(image_to_array(image), 8)


def _read_plane(path: Path, series: "TiffPageSeries", index: int, max_bytes: int) -> Array:
    """Return (H, W, C) of plane `index`, with axis C before axis S if a file declares both."""
    axes, shape = series.axes, series.shape
    plane_axes = [i for i, axis in enumerate(axes) if axis not in "CSYX"]
    selection: list[int | slice] = [slice(None)] * len(axes)
    for i, position in zip(plane_axes, np.unravel_index(index, [shape[i] for i in plane_axes] or [1]), strict=False):
        selection[i] = int(position)
    array = _read_selection(path, series, tuple(selection), max_bytes)
    remaining = "".join(axis for axis in axes if axis in "CSYX")
    array = array.transpose([remaining.index(axis) for axis in "YXCS" if axis in remaining])
    return array.reshape(*array.shape[:2], -1)


def _read_selection(path: Path, series: "TiffPageSeries", selection: tuple[int | slice, ...], max_bytes: int) -> Array:
    """Read only the selected pages, so that a stack of thousands of planes need not fit into memory."""
    n_page_axes = len(series.keyframe.shape)
    n_lead_axes = len(series.shape) - n_page_axes
    lead = series.shape[:n_lead_axes]
    if n_lead_axes >= 0 and series.shape[n_lead_axes:] == series.keyframe.shape and prod(lead) == len(series.pages):
        numbers = np.arange(prod(lead)).reshape(lead)[selection[:n_lead_axes]]
        _check_array(path, (numbers.size, *series.keyframe.shape), series, max_bytes)
        pages = [_read_page(path, series, int(number), max_bytes) for number in numbers.ravel()]
        result: Array = (np.stack(pages) if len(pages) > 1 else pages[0]).reshape(numbers.shape + series.keyframe.shape)
        return result[(slice(None),) * numbers.ndim + selection[n_lead_axes:]]
    if series.dataoffset is not None:  # ImageJ: one page declares a whole contiguous stack
        dtype = np.dtype(series.keyframe.parent.byteorder + series.dtype.char)
        return _read_contiguous(path, series, dtype, selection, max_bytes)
    _check_array(path, series.shape, series, max_bytes)
    for number in range(len(series.pages)):
        _check_page(path, series, number, max_bytes)
    whole: Array = series.asarray(maxworkers=1)
    return whole[selection]


def _read_contiguous(
    path: Path, series: "TiffPageSeries", dtype: np.dtype[Any], selection: tuple[int | slice, ...], max_bytes: int
) -> Array:
    """Read the selection of a contiguous stack.

    The file is not mapped into memory: if a mapped file is truncated, the process is killed.
    """
    assert series.dataoffset is not None
    numbered = [axis for axis, choice in enumerate(selection) if isinstance(choice, int)]
    n_lead = max(numbered, default=-1) + 1
    if n_lead > series.axes.index("Y"):  # planes are interleaved: read all
        n_lead = 0
    shape = series.shape[n_lead:]
    numbers = np.arange(prod(series.shape[:n_lead])).reshape(series.shape[:n_lead])[selection[:n_lead]]
    _check_array(path, (numbers.size, *shape), series, max_bytes)
    pixels = np.empty((numbers.size, prod(shape)), dtype)
    with open_image(path) as file:
        for row, number in zip(pixels, numbers.ravel().tolist(), strict=True):
            file.seek(series.dataoffset + number * row.nbytes)
            if file.readinto(row.data.cast("B")) < row.nbytes:
                raise damaged(path, text("tiff-pixels-cut"))
    result: Array = pixels.reshape(numbers.shape + shape)
    return result[(slice(None),) * numbers.ndim + selection[n_lead:]]


def _check_array(path: Path, shape: tuple[int, ...], series: "TiffPageSeries", max_bytes: int) -> None:
    """Check the size of an array that is read at once and can be larger than a plane, such as pages with depth."""
    check_size(path, shape[-1], prod(shape[:-1]), max_bytes, bytes_per_pixel=series.dtype.itemsize)


def _read_page(path: Path, series: "TiffPageSeries", number: int, max_bytes: int) -> Array:
    _check_page(path, series, number, max_bytes)
    page = series.pages[number]
    assert page is not None  # _check_page refuses it
    return np.asarray(page.asarray(maxworkers=1))


def _check_page(path: Path, series: "TiffPageSeries", number: int, max_bytes: int) -> None:
    """Check that no strip or tile of a page is missing, larger than declared, or beyond the end of the file.

    tifffile fills missing segments with zeros in some cases, which would give incomplete images without an error.
    Empty tiles (offset and length 0), which whole-slide files omit on purpose, are background.
    """
    page = series.pages[number]
    if page is None:
        raise damaged(path, text("tiff-page-missing", page=number))
    size = page.parent.filehandle.size
    is_tiled = series.keyframe.is_tiled
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        if offset + length > size:
            raise damaged(path, text("tiff-page-cut", page=number))
        if length == 0 and not is_tiled:
            raise damaged(path, text("tiff-page-incomplete", page=number))
    if declares_its_size(int(series.keyframe.compression)):
        _check_segments(path, series.keyframe, page, max_bytes)


def _check_segments(path: Path, keyframe: "TiffPage", page: "TiffPage | TiffFrame", max_bytes: int) -> None:
    """Check that no strip or tile declares more pixels in its own header than the page does."""
    width, length, depth, samples = _segment_shape(keyframe)
    n = 0
    for encoded in _encoded_segments(keyframe, page):
        _check_encoded(path, keyframe, encoded, width * length * depth * samples, max_bytes)
        if int(keyframe.compression) in JPEG:
            n += n_scanned(encoded, width * length * samples)
            check_scanned(path, n)
    if keyframe.jpegheader is not None and _STRIPS in keyframe.tags:  # NDPI, which tifffile also decodes as one strip
        (offset, *_), (n_bytes, *_) = (keyframe.tags[code].value for code in (_STRIPS, _STRIP_BYTES))
        page.parent.filehandle.seek(offset)
        encoded = page.parent.filehandle.read(n_bytes)
        _check_encoded(path, keyframe, encoded, keyframe.imagewidth * keyframe.imagelength * samples, max_bytes)


def _encoded_segments(keyframe: "TiffPage", page: "TiffPage | TiffFrame") -> Iterator[bytes]:
    file, header = page.parent.filehandle, keyframe.jpegheader or b""
    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        if length:
            file.seek(offset)
            yield header + file.read(length)


def _check_encoded(path: Path, keyframe: "TiffPage", encoded: bytes, max_pixels: int, max_bytes: int) -> None:
    pixels, n_bytes = coded_size(int(keyframe.compression), encoded) or (max_pixels + 1, 0)
    if pixels > max_pixels or n_bytes > max_bytes:
        raise damaged(path, text("tiff-part-size"))


def _to_intensities(path: Path, array: Array, page: "TiffPage") -> Array:
    """Convert palette, CMYK, inverted gray and 1- to 4-bit gray to intensities; drop declared alpha."""
    bits, photometric = int(page.bitspersample), int(page.photometric)
    if photometric == _PALETTE and page.colormap is not None and array.shape[-1] == 1:
        palette = np.ascontiguousarray(np.asarray(page.colormap).T)  # (n, 3) uint16
        narrow = (palette >> 8).astype(np.uint8) if palette.max(initial=0) > 255 else palette.astype(np.uint8)
        return palette_to_color(array[..., 0], narrow)
    n_alpha = sum(int(kind) in _ALPHA for kind in page.extrasamples)
    if n_alpha and array.shape[-1] == page.samplesperpixel:
        kinds = [None] * (array.shape[-1] - len(page.extrasamples)) + [int(kind) for kind in page.extrasamples]
        array = array[..., [i for i, kind in enumerate(kinds) if kind not in _ALPHA]]
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind == "u":
        top = 2 ** min(bits, 8 * array.dtype.itemsize) - 1
        if photometric == _MIN_IS_WHITE:
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
    describe=describe_tiff,
    read=read_tiff,
)
