"""Reader of DICOM files, by the package pydicom.

Tiles of a whole slide are one plane; the frames of other files are time points.

Values are those of the file: a modality's rescaling is not applied, and overlays are not drawn. Palettes and YBR become
RGB, and gray with white as 0 is inverted, as in other formats.

Of a file, only its description and the frames that a region needs are read.
"""

import io
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images._tiff_guard import coded_size
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
)
from coverslip.messages import message, text

if TYPE_CHECKING:
    from pydicom import Dataset

# As for Pillow: warnings of single files do not concern users.
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
logging.getLogger("pydicom").addHandler(logging.NullHandler())

_UM_PER_MM = 1e3
_MAX_FRAMES = 100_000


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    from pydicom import dcmread

    with open_image(path) as file:
        if file.read(len(_META)) != _META:  # else the preamble is missing, which some programs omit
            file.seek(_PREAMBLE_BYTES)
            if not file.read(len(_SIGNATURE) + len(_META)).startswith(_SIGNATURE):
                raise UnreadableImage("dicom-without-header", file=path)
        file.seek(0)
        data = dcmread(file, stop_before_pixels=True, force=True)
        if "TransferSyntaxUID" not in data.file_meta:
            raise UnreadableImage("dicom-without-header", file=path)
        keyword, representation = _read_pixel_tag(file, data)
        source: BinaryIO = file
        if data.file_meta.TransferSyntaxUID == _DEFLATED:  # as a whole, so that there is no position in the file
            file.seek(0)
            data = dcmread(file)
            keyword = next((keyword for keyword in _PIXEL_KEYWORDS.values() if keyword in data), None)
            source = io.BytesIO(data[keyword].value if keyword else b"")
            representation = data[keyword].VR if keyword else ""
        if keyword is None or "Rows" not in data or "Columns" not in data:
            raise UnreadableImage("dicom-without-image", file=path)
        yield _DicomSource(path, data, keyword, representation, source)


_PREAMBLE_BYTES, _SIGNATURE = 128, b"DICM"
_META = b"\x02\0\0\0UL\x04\0"  # the length of the file meta information, its first element
# The first element of data without file meta information: its length, a character set, an image type, a date, ...
_DATA = tuple(b"\x08\0" + element + b"\0" for element in (b"\0", b"\x01", b"\x05", b"\x08", b"\x12", b"\x16"))


def _is_dicom(head: bytes) -> bool:
    is_data = head.startswith(_DATA) and (head[4:6].isalpha() or int.from_bytes(head[4:8], "little") < len(head))
    return head[_PREAMBLE_BYTES:].startswith(_SIGNATURE) or head.startswith(_META) or is_data


_DEFLATED = "1.2.840.10008.1.2.1.99"
_TYPES = (b"OB", b"OW", b"OF", b"OD", b"UN")
_PIXEL_KEYWORDS = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}


def _read_pixel_tag(file: BinaryIO, data: "Dataset") -> tuple[str | None, str]:
    """Return the keyword and the value representation of the element of pixels, and move to its value.

    Reading stopped at this element. The keyword is None if there is none.
    """
    tag = file.read(8)
    if len(tag) < 8:
        return None, ""
    group, element = struct.unpack_from("<HH" if data.file_meta.TransferSyntaxUID.is_little_endian else ">HH", tag)
    # The length has 4 bytes, which follow the tag, or a type with 2 letters and 2 unused bytes.
    file.seek(4 if tag[4:6] in _TYPES else 0, io.SEEK_CUR)
    # Without a type it is OW, whose bytes are swapped in files of the other byte order.
    representation = tag[4:6].decode("ascii") if tag[4:6] in _TYPES else "OW"
    return _PIXEL_KEYWORDS.get(element) if group == 0x7FE0 else None, representation


class _DicomSource:
    def __init__(self, path: Path, data: "Dataset", keyword: str, representation: str, file: BinaryIO) -> None:
        """Take the data before the pixels, the element of the pixels, and a file that is at the start of its value."""
        self._path, self._data, self._keyword, self._file = path, data, keyword, file
        self._representation = representation
        self._rows, self._columns = int(data.Rows), int(data.Columns)
        self._n_frames = int(data.get("NumberOfFrames") or 1)
        if self._n_frames > _MAX_FRAMES:
            raise damaged(path, message("image-too-many-frames", n_frames=self._n_frames, limit=_MAX_FRAMES))
        self._is_palette = str(data.PhotometricInterpretation) == "PALETTE COLOR"
        self._n_samples = 3 if self._is_palette else int(data.get("SamplesPerPixel") or 1)

    @cached_property
    def _slide(self) -> tuple[int, int] | None:
        """Width and height of a slide whose frames are tiles; None for other images."""
        data = self._data
        if "TotalPixelMatrixColumns" not in data or self._n_frames == 1:
            return None
        width, height = int(data.TotalPixelMatrixColumns), int(data.TotalPixelMatrixRows)
        n_tiles = ceil(width / self._columns) * ceil(height / self._rows)
        is_full = data.get("DimensionOrganizationType") == "TILED_FULL" and n_tiles == self._n_frames
        if not is_full:
            raise damaged(self._path, message("dicom-sparse-tiles"))
        return width, height

    def describe(self) -> tuple[Series, ...]:
        width, height = self._slide or (self._columns, self._rows)
        sizes = [("T", self._n_frames)] if self._slide is None and self._n_frames > 1 else []
        sizes += [("Y", height), ("X", width)]
        sizes += [("S", self._n_samples)] if self._n_samples > 1 else []
        date = str(self._data.get("AcquisitionDateTime") or self._data.get("AcquisitionDate") or "")
        return (
            Series(
                "".join(axis for axis, _ in sizes),
                tuple(size for _, size in sizes),
                self._pixel_size,
                dtype=self._dtype.name,
                acquired=f"{date[:4]}-{date[4:6]}-{date[6:8]}" if date[:8].isdigit() and len(date) >= 8 else None,
            ),
        )

    @property
    def _dtype(self) -> "np.dtype[np.generic]":
        from pydicom.pixels.utils import pixel_dtype

        if self._is_palette:
            bits = int(self._data.RedPaletteColorLookupTableDescriptor[2])
            return np.dtype(np.uint8 if bits <= 8 else np.uint16)
        if self._keyword != "PixelData":
            return np.dtype(np.float32 if self._keyword == "FloatPixelData" else np.float64)
        dtype: np.dtype[np.generic] = pixel_dtype(self._data).newbyteorder("=")
        return dtype

    @property
    def _pixel_size(self) -> tuple[float, float] | None:
        """Width and height of a pixel; only of images at the specimen, not of projections."""
        spacing = self._data.get("PixelSpacing")
        groups = self._data.get("SharedFunctionalGroupsSequence")
        measures = groups[0].get("PixelMeasuresSequence") if groups else None
        if measures:
            spacing = measures[0].get("PixelSpacing")
        if not spacing or len(spacing) != 2 or min(map(float, spacing)) <= 0:
            return None
        return _UM_PER_MM * float(spacing[1]), _UM_PER_MM * float(spacing[0])

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        n_bytes = self._n_samples * self._dtype.itemsize
        check_size(self._path, self._columns, self._rows, max_bytes, bytes_per_pixel=n_bytes)
        if self._slide is None:
            array = self._frame(selection.at.get("T", 0))[selection.window.of_array]
        else:
            array = self._tiles(selection)
        bits = 8 * self._dtype.itemsize if self._is_palette else int(self._data.get("BitsStored") or 32)
        return Decoded(at_channels(array, selection.channels), bits)

    def _tiles(self, selection: Selection) -> Array:
        assert self._slide is not None
        window, (width, _) = selection.window, self._slide
        per_row = ceil(width / self._columns)
        result = np.empty((window.height, window.width, self._n_samples), self._dtype)
        for row in range(window.top // self._rows, ceil(window.bottom / self._rows)):
            for column in range(window.left // self._columns, ceil(window.right / self._columns)):
                tile = self._frame(row * per_row + column)
                top, left = row * self._rows, column * self._columns
                rows = slice(max(top, window.top), min(top + self._rows, window.bottom))
                columns = slice(max(left, window.left), min(left + self._columns, window.right))
                result[
                    rows.start - window.top : rows.stop - window.top,
                    columns.start - window.left : columns.stop - window.left,
                ] = tile[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return result

    @cached_property
    def _options(self) -> dict[str, Any]:
        """How pydicom decodes the pixels."""
        from pydicom.pixels.utils import as_pixel_options

        options: dict[str, Any] = as_pixel_options(self._data, pixel_keyword=self._keyword)
        return options | {"pixel_vr": self._representation}

    def _decoded_by_imagecodecs(self, index: int) -> Array:
        import imagecodecs
        from pydicom.encaps import get_frame

        offsets = self._options.get("extended_offsets")
        encoded = get_frame(self._file, index, number_of_frames=self._n_frames, extended_offsets=offsets)
        n_pixels, _ = coded_size(_JPEG, encoded) or (0, 0)
        if n_pixels > self._rows * self._columns:
            raise damaged(self._path, message("frame-of-other-size", frame=index))
        is_ls = str(self._data.file_meta.TransferSyntaxUID).endswith(("80", "81"))
        decode = imagecodecs.jpegls_decode if is_ls else imagecodecs.jpeg_decode
        array = np.asarray(decode(encoded)).astype(self._dtype, copy=False)
        if array.ndim == 3:
            array = self._rgb(array)
        unused = 8 * self._dtype.itemsize - int(self._data.BitsStored)
        return (array << unused) >> unused if self._dtype.kind == "i" else array  # the codec knows no sign

    def _rgb(self, array: Array) -> Array:
        """Return the color of a frame as RGB; imagecodecs converts no color of lossless files."""
        from pydicom.pixels.processing import convert_color_space

        color_space = str(self._data.PhotometricInterpretation)
        is_extended = self._data.file_meta.TransferSyntaxUID == _JPEG_EXTENDED  # its decoder guesses the color space
        if color_space == "RGB" and not is_extended:
            return array
        if color_space not in ("YBR_FULL", "YBR_FULL_422") or array.dtype != np.uint8 or is_extended:
            bits = int(self._data.BitsStored)
            raise UnreadableImage("color-space", file=self._path, color_space=color_space, bits=bits)
        return np.asarray(convert_color_space(array, color_space, "RGB"))

    def _frame(self, index: int) -> Array:
        """Return (H, W, C) of one frame."""
        from pydicom.pixels import apply_color_lut, get_decoder

        syntax, is_deep = self._data.file_meta.TransferSyntaxUID, int(self._data.get("BitsStored") or 8) > 8
        if syntax in _BY_IMAGECODECS or (syntax == _JPEG_EXTENDED and is_deep):
            array = self._decoded_by_imagecodecs(index)
        else:
            decoder = get_decoder(syntax)
            array = np.asarray(decoder.as_array(self._file, index=index, **self._options)[0])
        if self._is_palette:
            array = apply_color_lut(array, self._data)
        elif self._data.get("BitsStored") == 1 and self._n_samples == 1:
            is_inverted = str(self._data.PhotometricInterpretation) == "MONOCHROME1"
            array = np.where(array == (0 if is_inverted else 1), np.uint8(255), np.uint8(0))
        elif str(self._data.PhotometricInterpretation) == "MONOCHROME1" and array.dtype.kind in "ui":
            sum_of_limits = (1 << int(self._data.BitsStored)) - 1 if array.dtype.kind == "u" else -1
            array = (sum_of_limits - array).astype(array.dtype)
        if array.shape[:2] != (self._rows, self._columns):
            raise damaged(self._path, message("frame-missing", frame=str(index)))
        return np.atleast_3d(array)


# JPEG lossless (two syntaxes) and JPEG-LS (lossless, near-lossless), for which pydicom needs further packages.
_BY_IMAGECODECS = {f"1.2.840.10008.1.2.4.{number}" for number in (57, 70, 80, 81)}
_JPEG = 7  # the number that TIFF has for it
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"  # of 12 bit, which Pillow does not decode, or of 8 bit


DICOM = Reader(
    name="DICOM",
    title="DICOM",
    suffixes=(".dcm",),
    is_this=_is_dicom,
    open=_open,
    package="pydicom",
    export=lambda: text("export-from-fiji"),
)
