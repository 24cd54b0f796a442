"""Reader of JPEG files: Pillow decodes those of 8 bit, imagecodecs those of 12 bit and lossless ones."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from coverslip.errors import UnreadableImage
from coverslip.images._pillow import ORIENTATION_TAG, TRANSPOSED, open_with_pillow, oriented
from coverslip.images._tiff_guard import JPEG_FRAMES, JPEG_WITHOUT_LENGTH
from coverslip.images.confining import open_image
from coverslip.images.reader import (
    Array,
    Decoded,
    OpenImage,
    Reader,
    Selection,
    Series,
    at_channels,
    check_length,
    check_size,
    starts,
)

_LOSSLESS_MARKERS = {0xC3, 0xC7, 0xCB, 0xCF, 0xF7}
_JPEG_LS_MARKER = 0xF7
_START_OF_SCAN, _APP1 = 0xDA, 0xE1


@dataclass(frozen=True, slots=True)
class _Header:
    """What the segments before the pixels declare."""

    depth: int
    height: int
    width: int
    n_samples: int
    is_lossless: bool
    is_jpeg_ls: bool
    orientation: int


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    check_length(path)
    header = _header_of(path)
    if header is not None and (header.depth > 8 or header.is_lossless):
        yield _WideJpeg(path, header)
    else:
        with open_with_pillow(path) as source:
            yield source


def _header_of(path: Path) -> _Header | None:
    """Return the header; None if the segments are damaged or end before the frame."""
    orientation = 1
    with open_image(path) as file:
        file.seek(2)
        while len(start := file.read(2)) == 2:
            marker = start[1]
            if start[0] != 0xFF:
                return None
            if marker == 0xFF:  # fill bytes may precede a marker
                file.seek(-1, 1)
                continue
            if marker in JPEG_WITHOUT_LENGTH:
                continue
            if marker == _START_OF_SCAN or len(length := file.read(2)) < 2:
                return None
            n_bytes = int.from_bytes(length, "big") - 2
            if marker in JPEG_FRAMES:
                if len(frame := file.read(6)) < 6:
                    return None
                depth, height, width, n_samples = struct.unpack(">BHHB", frame)
                is_lossless, is_jpeg_ls = marker in _LOSSLESS_MARKERS, marker == _JPEG_LS_MARKER
                return _Header(depth, height, width, n_samples, is_lossless, is_jpeg_ls, orientation)
            if marker == _APP1:
                orientation = _orientation_in(file.read(max(0, n_bytes)), orientation)
            else:
                file.seek(max(0, n_bytes), 1)
    return None


def _orientation_in(segment: bytes, default: int) -> int:
    if not segment.startswith(b"Exif\0\0"):
        return default
    exif = Image.Exif()
    try:
        exif.load(segment)
        return int(exif.get(ORIENTATION_TAG, default))
    except (SyntaxError, struct.error, ValueError, TypeError, OSError):  # damaged metadata
        return default


class _WideJpeg:
    """A JPEG that Pillow does not decode."""

    def __init__(self, path: Path, header: _Header) -> None:
        self._path, self._header = path, header

    def describe(self) -> tuple[Series, ...]:
        header = self._header
        size = (header.height, header.width)
        sizes = (*(size[::-1] if header.orientation in TRANSPOSED else size), *([3] if header.n_samples > 1 else []))
        return (Series("YXS"[: len(sizes)], sizes, dtype="uint8" if header.depth <= 8 else "uint16"),)

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        import imagecodecs

        header = self._header
        n_bytes = header.n_samples * (1 if header.depth <= 8 else 2)
        check_size(self._path, header.width, header.height, max_bytes, bytes_per_pixel=n_bytes)
        with open_image(self._path) as file:
            encoded = file.read()
        if encoded.rfind(b"\xff\xd9") < encoded.rfind(b"\xff\xda"):  # the decoder would fill the rest with gray
            raise UnreadableImage("image-incomplete", file=self._path)
        if header.n_samples not in (1, 3):  # some programs invert inks, and the decoder does not say so
            raise UnreadableImage("color-space", file=self._path, color_space="CMYK", bits=header.depth)
        decode = imagecodecs.jpegls_decode if header.is_jpeg_ls else imagecodecs.jpeg_decode
        array: Array = np.asarray(decode(encoded))
        array = np.atleast_3d(oriented(array, header.orientation))[selection.window.of_array]
        return Decoded(at_channels(array, selection.channels), header.depth)


JPEG = Reader(
    name="JPEG",
    title="JPEG",
    suffixes=(".jpg", ".jpeg", ".jpe", ".jfif"),
    is_this=starts(b"\xff\xd8\xff"),
    open=_open,
)
