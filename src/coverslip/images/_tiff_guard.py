"""Checks of the structure of a TIFF before and while tifffile reads it, and of headers inside strips and tiles.

tifffile follows page links wherever they point, stores the offset of every strip, and creates lists as long as the
metadata declare. A few bytes, by accident or on purpose, can block it forever or exhaust the memory. Its codecs
allocate the size that the header of a strip or tile declares, whatever the page declares.

Decoding processes end such work at their limits of time and memory. These checks remain for what limits do not cover:
the Python functions decode in the process of the caller, which nothing ends; memory limits exist on Linux only; a strip
of another size than its page would be read as other pixels. A file that only takes long is left to the limit of time.

A lower limit of memory cannot replace them either. Of the real images, none needs more than 0.3 GiB of address space.
But a plane of the largest permitted size needs 0.8 GiB as TIFF with LZW, and 1.1 GiB as WebP: 900 MiB would refuse it.
"""

import logging
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal

from coverslip.images.confining import open_image
from coverslip.images.reader import damaged
from coverslip.messages import message

if TYPE_CHECKING:
    from tifffile import TiffFile

_MAX_PAGES = 100_000  # also of stacks that are declared only by metadata text
_MAX_NUMBERS = 10_000_000  # in the tags of all pages; tifffile stores each in about 40 bytes
_MAX_TAGS = 4096  # tifffile treats more as damage
_DESCRIPTION, _SUB_PAGES = 270, 330
_SWAPPED_42 = 42 << 8  # wrong byte order; Pillow reads such files
_BYTE_TYPES = {1, 2, 6, 7}  # tag types that tifffile reads as bytes, not as single numbers
_OME_COUNTS = re.compile(r"\b(?:Size[ZCT]|First[ZCT]|IFD|PlaneCount)\s*=\s*[\"']\s*(\d+)")
_OME_FILES = re.compile(r"\bFileName\s*=\s*[\"']([^\"']*)")


def check_pages(path: Path) -> None:
    """Check all pages by their tags, also in other files that continue the stack.

    Raises:
        UnreadableImage: the pages form a circle, or the file declares too many pages, strips or tiles.
    """
    for name in _check_file(path):
        if Path(name).name != name:
            raise damaged(path, message("tiff-file-outside-folder"))
        if (path.parent / name).is_file() and name != path.name:
            _check_file(path.parent / name)


def _check_file(path: Path) -> set[str]:
    """Check the pages of one file; return the names of files that continue its stack."""
    with open_image(path) as file:
        layout = _layout_of(file, is_ndpi=path.suffix.lower() == ".ndpi")
        if layout is None:
            return set()
        try:
            return _walk(path, file, layout)
        except (struct.error, OverflowError):  # truncated; tifffile stops here too
            return set()


@dataclass(frozen=True, slots=True)
class _Layout:
    """The encoding of numbers in one kind of TIFF, as formats of `struct`."""

    count: str  # the number of tags of a page
    tag: str  # code, type, number of values, values or their offset
    offset: str


@dataclass(frozen=True, slots=True)
class _Page:
    n_numbers: int  # in all tags
    sub_pages: tuple[int, ...]
    description: str
    next_page: int


def _layout_of(file: BinaryIO, *, is_ndpi: bool) -> _Layout | None:
    head = file.read(4)
    order = "<" if head[:2] == b"II" else ">"
    version = struct.unpack(f"{order}H", head[2:4])[0] if len(head) == 4 else 0
    if version == 43:  # BigTIFF
        file.seek(8)
        return _Layout(f"{order}Q", f"{order}HHQ8s", f"{order}Q")
    if version not in (42, _SWAPPED_42):
        return None
    return _Layout(f"{order}H", f"{order}HHI4s", f"{order}{'Q' if is_ndpi else 'I'}")


_Way = Literal["main", "listed", "linked"]  # how a page is reached; the others are reduced copies of a main page


def _walk(path: Path, file: BinaryIO, layout: _Layout) -> set[str]:
    pending: list[tuple[int, _Way]] = [(_number(file, layout.offset), "main")]
    visited: dict[int, set[_Way]] = {}
    file_names: set[str] = set()
    n_numbers = 0
    while pending:
        offset, way = pending.pop()
        if offset == 0:
            continue
        ways = visited.setdefault(offset, set())
        if way in ways or ("main" in {way, *ways} and ways):
            raise damaged(path, message("tiff-pages-in-circle"))
        ways.add(way)
        if len(ways) > 1:  # writers of pyramids both list the coarser pages and link them
            continue
        page = _read_page(file, layout, offset)
        n_numbers += page.n_numbers
        next_way: _Way = "main" if way == "main" else "linked"
        pending += [(page.next_page, next_way), *((sub_page, "listed") for sub_page in page.sub_pages)]
        _check_counts(path, page, len(visited) + len(pending), n_numbers)
        file_names.update(_OME_FILES.findall(page.description))
    return file_names


def _check_counts(path: Path, page: _Page, n_pages: int, n_numbers: int) -> None:
    if max(n_pages, _declared_planes(page.description)) > _MAX_PAGES:
        raise damaged(path, message("tiff-too-many-pages", limit=_MAX_PAGES))
    if n_numbers > _MAX_NUMBERS:
        raise damaged(path, message("tiff-too-many-parts-listed"))


def _read_page(file: BinaryIO, layout: _Layout, offset: int) -> _Page:
    file.seek(offset)
    n_tags = _number(file, layout.count)
    if n_tags > _MAX_TAGS:
        raise struct.error
    tags = file.read(n_tags * struct.calcsize(layout.tag))
    next_page = _number(file, layout.offset)
    n_numbers, description = 0, ""
    sub_pages: tuple[int, ...] = ()
    n_bytes = os.fstat(file.fileno()).st_size
    for code, value_type, count, value in struct.iter_unpack(layout.tag, tags):
        if count > n_bytes:  # longer than the file: tifffile ignores such a tag
            continue
        n_numbers += count // 16 if value_type in _BYTE_TYPES else count
        if code == _SUB_PAGES:
            sub_pages = _numbers(file, layout, value_type, min(count, _MAX_PAGES + 1), value)
        elif code == _DESCRIPTION:
            description = _value(file, layout, count, value).decode(errors="replace")
    return _Page(n_numbers, sub_pages, description, next_page)


def _number(file: BinaryIO, number_format: str) -> int:
    (number,) = struct.unpack(number_format, file.read(struct.calcsize(number_format)))
    return int(number)


def _numbers(file: BinaryIO, layout: _Layout, kind: int, count: int, value: bytes) -> tuple[int, ...]:
    """Return the offsets in a tag, of four or eight bytes each."""
    number = f"{layout.tag[0]}{count}{'Q' if kind in (16, 18) else 'I'}"
    return struct.unpack(number, _value(file, layout, struct.calcsize(number), value))


def _value(file: BinaryIO, layout: _Layout, size: int, value: bytes) -> bytes:
    """Return the value of a tag, from the tag itself if it fits, else from the offset in the tag."""
    if size <= len(value):
        return value[:size]
    file.seek(struct.unpack_from(f"{layout.tag[0]}{'Q' if len(value) == 8 else 'I'}", value)[0])
    return file.read(size)


def _declared_planes(description: str) -> int:
    """Return the largest number or index of planes in OME metadata; tifffile would create a list of this length."""
    return (
        max((int(count[:20]) for count in _OME_COUNTS.findall(description)), default=0) if "<OME" in description else 0
    )


def check_series(path: Path, tiff: "TiffFile") -> None:
    """Check the number of planes of each series, which an ImageJ file declares in a line of text.

    Raises:
        UnreadableImage: a series has too many planes.
    """
    for series in tiff.series:
        if prod(size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "SYX") > _MAX_PAGES:
            raise damaged(path, message("tiff-too-many-pages", limit=_MAX_PAGES))


@contextmanager
def open_tiff(path: Path) -> "Iterator[tuple[TiffFile, list[str]]]":
    """Open a checked file with tifffile; yield it with the list of warnings, which are not printed.

    Raises:
        Exception: any exception of tifffile for damaged bytes.
    """
    from tifffile import TiffFile, tifffile

    # Also applies to other files that continue the stack, which tifffile opens by their names in the first file.
    tifffile.open = _open_for_tifffile  # type: ignore[attr-defined]  # replaces the builtin in this module
    with _collected_warnings() as warnings, TiffFile(path) as tiff:
        yield tiff, warnings


def _open_for_tifffile(file: str, mode: str, **options: Any) -> IO[Any]:  # Any: as for the builtin
    return open_image(Path(file)) if mode == "rb" else Path(file).open(mode, **options)


class _WarningCollector(logging.Filter):
    """A filter that collects the log records of tifffile in threads that are reading, and passes those of others."""

    def __init__(self) -> None:
        super().__init__()
        self.of_thread = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        texts: list[str] | None = getattr(self.of_thread, "texts", None)
        if texts is None:
            return True
        if record.levelno >= logging.WARNING:
            texts.append(record.getMessage())
        return False


@cache
def _warning_collector() -> _WarningCollector:
    collector = _WarningCollector()
    logging.getLogger("tifffile").addFilter(collector)
    return collector


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collect the warnings that tifffile logs in this thread, instead of printing them."""
    collector = _warning_collector()
    texts: list[str] = []
    collector.of_thread.texts = texts
    try:
        yield texts
    finally:
        collector.of_thread.texts = None


CodedSize = tuple[int, int]  # pixels, and the maximum bytes of decoded pixels
JPEG = (6, 7, 33007, 34892)
_JPEG_2000 = (33003, 33004, 33005, 34712)
_JPEG_XL = (50002, 52546)
_JPEG_XR = (22610, 34934)
JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}
JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9), 0xFF}


def declares_its_size(compression: int) -> bool:
    """Return whether strips and tiles of this compression declare their size in a header."""
    return compression in _SIZES


def coded_size(compression: int, coded: bytes) -> CodedSize | None:
    """Return the numbers of pixels and bytes that `coded` declares; None if unknown."""
    try:
        sizes = list(_SIZES[compression](coded))
    except (struct.error, IndexError):
        return None
    if not sizes:
        return None
    combine = sum if compression == _LERC else max
    return combine(pixels for pixels, _ in sizes), combine(n_bytes for _, n_bytes in sizes)


def _jpeg(coded: bytes) -> Iterator[CodedSize]:
    at = 2
    while at + 10 <= len(coded):
        if coded[at] != 0xFF or coded[at + 1] in JPEG_WITHOUT_LENGTH:
            at += 1 if coded[at] != 0xFF or coded[at + 1] == 0xFF else 2
        elif coded[at + 1] == 0xDA:  # start of scan
            return
        else:
            if coded[at + 1] in JPEG_FRAMES:
                depth, height, width, samples = struct.unpack_from(">BHHB", coded, at + 4)
                yield height * width, height * width * samples * (1 if depth <= 8 else 2)
            at += 2 + struct.unpack_from(">H", coded, at + 2)[0]


def _jpeg_2000(coded: bytes) -> Iterator[CodedSize]:
    for start in _find_all(coded, b"\xff\x4f\xff\x51"):
        right, bottom, left, top = struct.unpack_from(">4I", coded, start + 8)
        (samples,) = struct.unpack_from(">H", coded, start + 40)
        pixels = max(0, right - left) * max(0, bottom - top)
        yield pixels, pixels * samples * 4  # the decoder uses 32-bit integers


def _jpeg_xl(coded: bytes) -> Iterator[CodedSize]:
    for start in [0] if coded.startswith(b"\xff\x0a") else _find_all(coded, b"\xff\x0a"):
        read = _bits_of(coded[start + 2 : start + 18])
        if read(1):  # sizes are multiples of 8
            height = (read(5) + 1) * 8
            width = _ratio(read(3), height) or (read(5) + 1) * 8
        else:
            height = read((9, 13, 18, 30)[read(2)]) + 1
            width = _ratio(read(3), height) or read((9, 13, 18, 30)[read(2)]) + 1
        yield height * width, height * width * 16  # at most four floats; further channels are separate


def _ratio(kind: int, height: int) -> int:
    over, under = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[kind]
    return height * over // under


def _bits_of(data: bytes) -> Callable[[int], int]:
    """Return a function that reads n bits, least significant bit of the first byte first."""
    bits, n_left = int.from_bytes(data, "little"), 8 * len(data)

    def read(n: int) -> int:
        nonlocal bits, n_left
        if n > n_left:
            raise IndexError
        value, bits, n_left = bits & ((1 << n) - 1), bits >> n, n_left - n
        return value

    return read


def _jpeg_xr(coded: bytes) -> Iterator[CodedSize]:
    for start in _find_all(coded, b"WMPHOTO\0"):
        is_short = coded[start + 10] & 0x80
        width, height = struct.unpack_from(">HH" if is_short else ">II", coded, start + 12)
        pixels = (width + 1) * (height + 1)
        yield pixels, pixels * 16  # at most four floats


def _webp(coded: bytes) -> Iterator[CodedSize]:
    kind, body = coded[12:16], coded[20:30]
    if kind == b"VP8X":
        width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    elif kind == b"VP8L":
        both = int.from_bytes(body[1:5], "little")
        width, height = (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
    else:
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", body, 6))
    yield width * height, width * height * 4


def _png(coded: bytes) -> Iterator[CodedSize]:
    width, height, depth, color = struct.unpack_from(">IIBB", coded, 16)
    yield width * height, width * height * max(1, depth // 8) * {2: 3, 4: 2, 6: 4}.get(color, 3)


def _lerc(coded: bytes) -> Iterator[CodedSize]:
    """Several images can follow each other; a constant image has a few bytes only."""
    for start in _find_all(coded, b"Lerc2 "):
        (version,) = struct.unpack_from("<i", coded, start + 6)
        rows, columns = struct.unpack_from("<ii", coded, start + (14 if version >= 3 else 10))
        depth = struct.unpack_from("<i", coded, start + 22)[0] if version >= 4 else 1
        yield abs(rows * columns), abs(rows * columns * depth * 8)
    for start in _find_all(coded, b"CntZImage "):
        rows, columns = struct.unpack_from("<ii", coded, start + 18)
        yield abs(rows * columns), abs(rows * columns * 4)


def _find_all(coded: bytes, mark: bytes) -> Iterator[int]:
    start = coded.find(mark)
    while start >= 0:
        yield start
        start = coded.find(mark, start + 1)


_LERC = 34887
_SIZES: dict[int, Callable[[bytes], Iterator[CodedSize]]] = {
    **dict.fromkeys(JPEG, _jpeg),
    **dict.fromkeys(_JPEG_2000, _jpeg_2000),
    **dict.fromkeys(_JPEG_XL, _jpeg_xl),
    **dict.fromkeys(_JPEG_XR, _jpeg_xr),
    50001: _webp,
    34927: _webp,
    34933: _png,
    _LERC: _lerc,
}
