"""Readers of the common formats that Pillow decodes, and of JPEG files.

Where Pillow would change values, other decoders read the file: color of 16 bit, JPEG 2000 of other than 8 bit, and
portable maps whose largest value is not the largest of their type.
"""

import io
import logging
import math
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from coverslip.errors import UnreadableImage
from coverslip.images._tiff_guard import JPEG_FRAMES, JPEG_WITHOUT_LENGTH
from coverslip.images.confining import open_image
from coverslip.images.reader import (
    MAX_BYTES,
    Array,
    Decoded,
    OpenImage,
    Reader,
    Selection,
    Series,
    at_channels,
    check_length,
    check_size,
    cmyk_to_rgb,
    damaged,
    palette_to_color,
    starts,
)
from coverslip.messages import message

# An explicit list, because Pillow also reads formats that start other programs (EPS) or that are not images.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "AVIF", "JPEG2000", "PPM", "TIFF")

# Pillow's warnings (unusual metadata, large sizes below its limit) do not concern users, and with thousands of files
# they would hide other messages. A filter is thread-safe, `catch_warnings` is not.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # without a handler, records are printed

ORIENTATION_TAG = 0x0112
TRANSPOSED = range(5, 9)  # orientations that swap width and height
_PNG_DEPTHS = {"L;2": 2, "L;4": 4, "RGB;16B": 16, "RGBA;16B": 16, "LA;16B": 16}  # that Pillow converts to 8 bit
_SCALED_LIMITS = {1, 3, 15}  # of values of 1, 2 and 4 bit
_CODESTREAM = b"\xff\x4f\xff\x51"  # the first markers of JPEG 2000: start, sizes
_JPEG_2000_BYTES = 4  # per sample: the decoder uses 32-bit integers
_BLOCK_PIXELS = 2**20
_MAX_FRAMES = 100_000
_UNCOMPRESSED = {"BMP", "DIB", "PPM"}  # formats that are not read as a whole
_FRAMED = {"GIF", "WEBP", "AVIF", "PNG"}  # formats whose frames are planes


class PillowSource:
    """An image file that Pillow opens. Bits that Pillow would drop are decoded with imagecodecs."""

    def __init__(self, path: Path, image: Image.Image) -> None:
        """Take an image whose file stays open."""
        self._path, self.image = path, image
        self._depth = _declared_depth(image, path)
        self._is_signed = image.format == "JPEG2000" and _jpeg2000_samples(path)[1]

    def describe(self) -> tuple[Series, ...]:
        """Return one series; several frames are axis T. These formats declare no pixel size."""
        image, depth = self.image, self._depth
        width, height = image.size
        if self._fits(MAX_BYTES) and self._orientation() in TRANSPOSED:
            width, height = height, width
        n_frames = _n_frames(image)
        frames = [("T", n_frames)] if n_frames > 1 else []
        samples = [("S", 3)] if n_frames > 1 or not _is_gray(image) else []  # frames are all converted to color
        sizes = [*frames, ("Y", height), ("X", width), *samples]
        axes = "".join(axis for axis, _ in sizes)
        dtype = "uint8" if depth <= 8 else "uint16" if depth <= 16 else ""
        dtype = dtype.removeprefix("u") if self._is_signed else dtype
        return (Series(axes, tuple(size for _, size in sizes), dtype=dtype),)

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        """Decode the whole image and return the region.

        Raises:
            UnreadableImage: the image is too large.
            Exception: any exception of the decoder for damaged bytes.
        """
        path, image = self._path, self.image
        n_bytes = _bytes_per_pixel(image, self._depth)
        check_size(path, image.width, image.height, max_bytes, bytes_per_pixel=n_bytes)
        orientation = self._orientation()
        if (limit := _netpbm_limit(image)) is not None:
            array = _decode_netpbm(path, image, limit)
        elif self._is_signed or _is_changed_by_pillow(image, self._depth):
            array = _decode_unchanged(path, image.format or "", selection.at.get("T", 0))
            if (top := 2**self._depth - 1) in _SCALED_LIMITS and not self._is_signed:
                array = array * np.uint8(255 // top)
        else:
            array = _decode_frame(path, image, selection.at.get("T", 0))
        array = np.atleast_3d(oriented(array, orientation))[selection.window.of_array]
        return Decoded(at_channels(array, selection.channels), self._depth)

    def _fits(self, max_bytes: int) -> bool:
        image = self.image
        return image.width * image.height * _bytes_per_pixel(image, self._depth) <= max_bytes

    def _orientation(self) -> int:
        if self.image.format == "PNG":  # its metadata can follow the pixels
            self.image.load()
        return _orientation_in(self.image.getexif)


@contextmanager
def open_with_pillow(path: Path) -> Iterator[PillowSource]:
    """Open an image file."""
    # Given a path, Pillow maps uncompressed pixels into memory. If such a file is truncated, the process is killed.
    with open_image(path) as file, Image.open(file, formats=FORMATS) as image:
        yield PillowSource(path, image)


@contextmanager
def _open_compressed(path: Path) -> Iterator[PillowSource]:
    check_length(path)
    with open_with_pillow(path) as source:
        yield source


@contextmanager
def _open_jpeg2000(path: Path) -> Iterator[PillowSource]:
    with open_image(path) as file:
        if file.read(4) != _CODESTREAM:
            _box(path, file, b"jp2h")  # Pillow searches any number of boxes
    with _open_compressed(path) as source:
        yield source


def _orientation_in(load_exif: Callable[[], Image.Exif]) -> int:
    """Return the EXIF orientation; 1 if the metadata are damaged, which the pixels need not be."""
    try:
        return int(load_exif().get(ORIENTATION_TAG, 1))
    except (SyntaxError, struct.error, ValueError, TypeError, LookupError, OverflowError, OSError):
        return 1


def oriented(array: Array, orientation: int) -> Array:
    """Return (H, W[, C]) pixels upright, by the EXIF/TIFF orientation 1-8; other numbers change nothing."""
    match orientation:
        case 2:
            return array[:, ::-1]
        case 3:
            return array[::-1, ::-1]
        case 4:
            return array[::-1]
        case 5:
            return array.swapaxes(0, 1)
        case 6:
            return array.swapaxes(0, 1)[:, ::-1]
        case 7:
            return array[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return array.swapaxes(0, 1)[::-1]
    return array


def image_to_array(image: Image.Image) -> Array:
    """Return a loaded Pillow image as (H, W) or (H, W, C), with palette, CMYK and 1 bit converted, without alpha."""
    n_rows = max(1, _BLOCK_PIXELS // image.width)
    if n_rows >= image.height:
        return _block_to_array(image)

    def block(top: int) -> Array:
        return _block_to_array(image.crop((0, top, image.width, min(top + n_rows, image.height))))

    first = block(0)
    array = np.empty((image.height, *first.shape[1:]), first.dtype)
    for top in range(0, image.height, n_rows):  # in blocks of rows, because Pillow makes several copies
        array[top : top + n_rows] = block(top)
    return array


def _block_to_array(image: Image.Image) -> Array:
    match image.mode:
        case "L" | "RGB" | "I;16" | "I;16B" | "I;16L" | "I;16N" | "I" | "F":
            return np.asarray(image)
        case "1":
            return np.asarray(image.convert("L"))
        case "LA" | "La":
            return np.asarray(image)[..., 0]
        case "RGBA" | "RGBX" | "RGBa":
            return np.asarray(image)[..., :3]
        case "P" | "PA":
            return _apply_palette(image)
        case "CMYK":
            return cmyk_to_rgb(np.asarray(image))
        case _:  # YCbCr, LAB, HSV
            return np.asarray(image.convert("RGB"))


def decode_pillow(image: Image.Image) -> Decoded:
    """Return the pixels of a Pillow image as from a file; of several frames the current one.

    Raises:
        OSError, ValueError, SyntaxError: the image is loaded lazily, and its file is damaged.
    """
    depth = {"1": 1, "I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)
    image.load()
    return Decoded(oriented(image_to_array(image), _orientation_in(image.getexif)), depth)


def _decode_frame(path: Path, image: Image.Image, index: int) -> Array:
    n_frames = _n_frames(image)
    if n_frames > _MAX_FRAMES:
        raise damaged(path, message("image-too-many-frames", n_frames=n_frames, limit=_MAX_FRAMES))
    size = image.size
    if index:
        image.seek(index)
    image.load()
    if image.size != size:
        raise damaged(path, message("frame-of-other-size", frame=index))
    array = image_to_array(image)
    if image.format == "PPM" and array.dtype == np.int32:
        array = array.astype(np.uint16)  # the format has at most 16 bit
    # Frames of one file may have different modes: all get three channels.
    return np.repeat(array[..., np.newaxis], 3, axis=2) if n_frames > 1 and array.ndim == 2 else array


def _netpbm_limit(image: Image.Image) -> int | None:
    """Return the largest value of a portable map whose values Pillow would change; None for other files."""
    tiles = getattr(image, "tile", None)
    if image.format != "PPM" or not tiles or tiles[0].codec_name not in ("ppm", "ppm_plain"):
        return None
    arguments = tiles[0].args
    return arguments[1] if isinstance(arguments, tuple) and arguments[0] != "1" else None


def _decode_netpbm(path: Path, image: Image.Image, limit: int) -> Array:
    """Return the values of a portable map of gray or color. Pillow stretches them, color of 16 bit to 8 bit.

    1-, 2- and 4-bit gray is scaled to 0-255, as in other formats.
    """
    (tile,) = image.tile  # type: ignore[attr-defined]  # of ImageFile
    shape = (image.height, image.width, len(image.getbands()))
    n = math.prod(shape)
    with open_image(path) as file:
        file.seek(tile.offset)
        if tile.codec_name == "ppm_plain":
            check_length(path)
            words = re.sub(rb"#[^\r\n]*", b" ", file.read()).split(maxsplit=n)[:n]
            array = np.array(words, np.uint32)
        else:
            item = np.dtype(">u2" if limit > 255 else np.uint8)
            data = file.read(n * item.itemsize)
            array = np.frombuffer(data, item, len(data) // item.itemsize)
    if array.size < n:
        raise UnreadableImage("image-incomplete", file=path)
    if array.max(initial=0) > limit:
        raise damaged(path, message("netpbm-value-too-large", value=int(array.max()), limit=limit))
    array = array.reshape(shape).astype(np.uint16 if limit > 255 else np.uint8)
    return array * np.uint8(255 // limit) if limit in _SCALED_LIMITS else array


def _n_frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) if image.format in _FRAMED else 1


def _is_gray(image: Image.Image) -> bool:
    """Return whether `image_to_array` returns one channel."""
    if image.mode in ("P", "PA"):
        palette = _palette(image)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode.startswith("I;16")


def _palette(image: Image.Image) -> Array:
    return np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)


def _apply_palette(image: Image.Image) -> Array:
    palette = _palette(image)
    index = np.asarray(image)
    return palette_to_color(index if index.ndim == 2 else index[..., 0], palette)


def _declared_depth(image: Image.Image, path: Path) -> int:
    if image.mode == "1":
        return 1
    if image.format == "JPEG2000":
        return _jpeg2000_samples(path)[0]
    if image.format == "AVIF":
        return _avif_depth(path)
    if (limit := _netpbm_limit(image)) is not None:
        return limit.bit_length()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 16
    if image.mode in ("I", "F"):
        return 32
    tiles = getattr(image, "tile", None)
    return _PNG_DEPTHS.get(tiles[0].args, 8) if image.format == "PNG" and tiles else 8


def _bytes_per_pixel(image: Image.Image, depth: int) -> int:
    n_samples = 3 if image.mode in ("P", "PA") or _n_frames(image) > 1 else len(image.getbands())
    return n_samples * (_JPEG_2000_BYTES if image.format == "JPEG2000" else max(1, (depth + 7) // 8))


def _is_changed_by_pillow(image: Image.Image, depth: int) -> bool:
    """Return whether Pillow drops bits (color) or rescales values (JPEG 2000 of less than 8 or 9 to 15 bit)."""
    if image.format == "JPEG2000":
        return depth != 8
    return depth > 8 and (image.format == "AVIF" or (image.format == "PNG" and not image.mode.startswith("I")))


def _jpeg2000_samples(path: Path) -> tuple[int, bool]:
    """Return the bits per sample that the SIZ marker of the codestream declares, and whether samples have a sign."""
    with open_image(path) as file:
        is_bare = file.read(4) == _CODESTREAM
        file.seek(0 if is_bare else _box(path, file, b"jp2c")[0])
        # After the marker: length, capabilities, 8 sizes of 4 bytes, number of components.
        head = file.read(len(_CODESTREAM) + 39)
    if not head.startswith(_CODESTREAM) or len(head) < len(_CODESTREAM) + 39:
        raise UnreadableImage("image-incomplete", file=path)
    return (head[-1] & 0x7F) + 1, bool(head[-1] & 0x80)


def _avif_depth(path: Path) -> int:
    """Return the bits per sample that the configuration of the codec declares."""
    with open_image(path) as file:
        start, end = _box(path, file, b"meta", b"moov")
        file.seek(start)
        _, name, configuration = file.read(end - start).partition(b"av1C")
    if not name or len(configuration) < 3:
        raise UnreadableImage("image-incomplete", file=path)
    flags = configuration[2]  # after version and profile
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


_MOST_BOXES = 10_000  # a file can consist of boxes of 8 bytes, of which a million take seconds


def _box(path: Path, file: BinaryIO, *names: bytes) -> tuple[int, int]:
    """Return the start and the end of the content of the first box of these names."""
    end, n_bytes = 0, file.seek(0, io.SEEK_END)
    for _ in range(_MOST_BOXES):
        if end >= n_bytes:
            break
        start = end
        file.seek(start)
        length, name = int.from_bytes(file.read(4), "big"), file.read(4)
        header = 16 if length == 1 else 8
        if length == 1:  # the length follows, in 8 bytes
            length = int.from_bytes(file.read(8), "big")
        end = start + length if length else n_bytes  # the last box can extend to the end of the file
        if name in names:
            return start + header, end
        if length and length < header:
            break
    raise UnreadableImage("image-incomplete", file=path)


def _decode_unchanged(path: Path, file_format: str, index: int) -> Array:
    import imagecodecs

    encoded = _read_all(path)
    if file_format == "AVIF":
        array: Array = imagecodecs.avif_decode(encoded, index=index)
    elif index:  # the decoder does not draw frames over those before them
        raise UnreadableImage("image-kind-not-read", file=path, reason=message("frames-of-16-bit-png"))
    else:
        array = (imagecodecs.png_decode if file_format == "PNG" else imagecodecs.jpeg2k_decode)(encoded)
    if array.ndim == 3 and array.shape[2] in (2, 4):
        array = array[..., :-1]  # alpha
    return array


def _read_all(path: Path) -> bytes:
    with open_image(path) as file:
        return file.read()


def unknown_format(path: Path, head: bytes) -> UnreadableImage:
    """Return the error for bytes of an unknown format."""
    if head.strip(b"\x00") == b"":
        return damaged(path, message("image-of-zeros"))
    return UnreadableImage("not-an-image", file=path, is_text=is_text(head))


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of a text."""
    return all(byte >= 32 or byte in b"\t\r\n\f" for byte in head[:64])


_OPENERS = {"JPEG2000": _open_jpeg2000}


def _reader(name: str, title: str, suffixes: str, is_this: Callable[[bytes], bool]) -> Reader:
    return Reader(
        name=name,
        title=title,
        suffixes=tuple(suffixes.split()),
        is_this=is_this,
        open=open_with_pillow if name in _UNCOMPRESSED else _OPENERS.get(name, _open_compressed),
    )


def _is_avif(head: bytes) -> bool:
    brands = head[8 : int.from_bytes(head[:4], "big")]
    return head[4:8] == b"ftyp" and (b"avif" in brands or b"avis" in brands)


def _is_dib(head: bytes) -> bool:
    return int.from_bytes(head[:4], "little") in (12, 40, 52, 56, 64, 108, 124)  # header sizes of BMP versions


# Signatures are those that Pillow uses.
READERS = (
    _reader("PNG", "PNG", ".png .apng", starts(b"\x89PNG\r\n\x1a\n")),
    _reader(
        "JPEG2000",
        "JPEG 2000",
        ".jp2 .j2k .jpx .jpf .j2c .jpc",
        starts(_CODESTREAM, b"\0\0\0\x0cjP  \r\n\x87\n"),
    ),
    _reader("GIF", "GIF", ".gif", starts(b"GIF87a", b"GIF89a")),
    _reader("WEBP", "WebP", ".webp", lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP"),
    _reader("AVIF", "AVIF", ".avif", _is_avif),
    _reader("BMP", "BMP", ".bmp", starts(b"BM")),
    _reader("DIB", "BMP without its file header", ".dib", _is_dib),
    _reader("PPM", "portable maps", ".pgm .ppm .pbm .pnm", starts(*(b"P%c" % kind for kind in b"0123456fy"))),
)


# Reader of JPEG files: Pillow decodes those of 8 bit, imagecodecs those of 12 bit and lossless ones.

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
    orientation = None
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
                return _Header(depth, height, width, n_samples, is_lossless, is_jpeg_ls, orientation or 1)
            if marker == _APP1:
                segment = file.read(max(0, n_bytes))
                if segment.startswith(b"Exif\0\0") and orientation is None:  # further segments continue the first
                    orientation = _orientation_in(partial(_exif_of, segment))
            else:
                file.seek(max(0, n_bytes), 1)
    return None


def _exif_of(segment: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(segment)
    return exif


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
