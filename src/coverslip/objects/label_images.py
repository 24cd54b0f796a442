"""Label images (masks): each object has the pixels of one number; 0 is background."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverslip.errors import BadDataset, CoverslipError
from coverslip.images import check_size, open_image
from coverslip.objects.outlines import Array

LABEL_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".npy", ".bmp", ".gif"})
_MAX_BYTES = 2**30  # of one plane of labels
_MAX_INDEX = 2**31


@dataclass(frozen=True, slots=True)
class LabelPlane:
    """The objects of a plane of a field."""

    labels: Array  # (H, W) integers below 2**31; 0 is background
    names: Array | None = None  # (n,) the numbers in the file of labels 0 to n - 1; None: the same numbers
    is_binary: bool = False  # labels are numbers of connected pixels


def read_label_planes(file: Path) -> Iterator[LabelPlane]:
    """Yield the label planes of a file.

    Palette indices are labels. Each color of a color image is a label; the most frequent color is background unless the
    image contains black. A plane of a single value is a binary mask, whose connected pixels are objects; pixels that
    share an edge are connected.

    Raises:
        BadDataset: the file cannot be read, has no integers, or too many pixels.
    """
    try:
        planes = _planes(file)
        for plane in planes:
            yield _as_labels(file, plane)
    except CoverslipError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadDataset("labels-not-read", file=file, reason=reason) from error


def _planes(file: Path) -> Iterator[Array]:
    match file.suffix.lower():
        case ".npy":
            yield from _numpy_planes(file)
        case ".tif" | ".tiff":
            yield from _tiff_planes(file)
        case _:
            yield from _pillow_planes(file)


def _numpy_planes(file: Path) -> Iterator[Array]:
    from numpy.lib import format as npy

    with open_image(file) as stream:
        try:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(stream)
        except ValueError as error:
            raise BadDataset("labels-not-read", file=file, reason=str(error)[:160]) from error
        if dtype.hasobject:
            raise BadDataset("labels-pickled", file=file, is_cellpose=file.stem.endswith("_seg"))
        if len(shape) not in (2, 3):
            raise BadDataset("labels-of-other-shape", file=file, shape=" × ".join(map(str, shape)))
        check_size(file, int(shape[-1]), int(shape[-2]), _MAX_BYTES, bytes_per_pixel=dtype.itemsize)
        stream.seek(0)
        array = np.load(stream, allow_pickle=False)
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.shape[0] > 4 and array.dtype == np.uint8:
        yield array
    else:
        yield from array if array.ndim == 3 else [array]


def _tiff_planes(file: Path) -> Iterator[Array]:
    from tifffile import PLANARCONFIG, TiffFile

    with open_image(file) as stream, TiffFile(stream) as tiff:
        for number in range(len(tiff.series[0].pages)):
            page = tiff.series[0].pages[number]
            if page is None:
                continue
            page = page.aspage()
            check_size(
                file,
                page.imagewidth,
                page.imagelength,
                _MAX_BYTES,
                bytes_per_pixel=page.samplesperpixel * np.dtype(page.dtype).itemsize,
            )
            array = page.asarray()
            if page.samplesperpixel > 1 and page.planarconfig == PLANARCONFIG.SEPARATE:
                yield from array  # planes that a program wrote as samples of a pixel
            else:
                yield array


def _pillow_planes(file: Path) -> Iterator[Array]:
    from PIL import Image

    with open_image(file) as stream, Image.open(stream) as image:
        check_size(file, image.width, image.height, _MAX_BYTES, bytes_per_pixel=len(image.getbands()))
        is_plain = image.mode in ("1", "L", "P", "I", "I;16", "I;16B", "RGB", "RGBA")
        yield np.asarray(image if is_plain else image.convert("L" if image.mode == "LA" else "RGB"))


def _as_labels(file: Path, plane: Array) -> LabelPlane:
    if plane.ndim == 3 and plane.shape[2] == 1:
        plane = plane[..., 0]
    if plane.ndim == 3 and plane.shape[2] in (3, 4):
        plane = _colors_as_labels(plane)
    if plane.ndim != 2 or plane.dtype.kind not in "biuf":
        raise BadDataset("labels-of-other-shape", file=file, shape=" × ".join(map(str, plane.shape)))
    if plane.dtype.kind == "f":
        whole = np.nan_to_num(plane, nan=0, posinf=0.5, neginf=0.5)
        if not np.array_equal(whole, np.rint(whole)) or np.abs(whole).max(initial=0) >= 2**53:
            raise BadDataset("labels-with-decimals", file=file)
        plane = whole.astype(np.int64)
    if plane.dtype.kind == "i":
        plane = np.maximum(plane, 0)  # -1 is background in some programs
    largest = plane.max(initial=0)
    if largest and not ((plane != 0) & (plane != largest)).any():
        return LabelPlane(_connected(plane != 0), is_binary=True)
    if int(largest) < _MAX_INDEX:
        return LabelPlane(plane)
    values, index = np.unique(plane, return_inverse=True)
    if values[0]:
        values, index = np.concatenate([[0], values]), index + 1
    return LabelPlane(index.reshape(plane.shape), values)


def _colors_as_labels(plane: Array) -> Array:
    """Return a number for each color, 0 for black, or for the most frequent color if there is no black."""
    red, green, blue = (plane[..., k].astype(np.int64) for k in range(3))
    codes: Array = (red * 2**16 + green) * 2**16 + blue
    if plane.dtype.itemsize == 1:
        codes = (red * 2**8 + green) * 2**8 + blue
    if (codes == 0).any() or not codes.size:
        return codes
    values, counts = np.unique(codes, return_counts=True)
    codes[codes == values[counts.argmax()]] = 0
    return codes


def _connected(mask: Array) -> Array:
    from scipy import ndimage

    labels: Array = ndimage.label(mask)[0].astype(np.int32)
    return labels
