"""A look over what a TIFF declares, before tifffile believes it.

tifffile follows the pages of a file wherever they point, keeps the place of every strip, and makes lists as long as
the metadata say: a few bytes, by accident or on purpose, keep it busy for ever or fill the memory.
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
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from coverslip.errors import UnreadableImage
from coverslip.images.confining import open_image
from coverslip.images.reader import damaged
from coverslip.messages import text

if TYPE_CHECKING:
    from tifffile import TiffFile

_MAX_PAGES = 100_000  # also of stacks that are described by text alone
_MAX_PARTS = 100_000  # strips or tiles of a page: each takes its time, however small
_MAX_NUMBERS = 10_000_000  # in the tags of all pages: tifffile keeps each in some 40 bytes
_MAX_TAGS = 4096  # tifffile takes more for damage
_DESCRIPTION, _STRIPS, _TILES, _SUB_PAGES = 270, 273, 324, 330
# What pages must have in common to be one stack: tifffile compares each with every other one where they have not.
_MAX_UNLIKE_PAGES = 6_000
_KIND = {256, 257, 258, 259, 262, 266, 277, 278, 284, 317, 322, 323, 339, 32997, 32998}
_SWAPPED_42 = 42 << 8  # Pillow reads such files nonetheless
_BYTES = {1, 2, 6, 7}  # types of tags that are read as they are, not number by number
_OME_COUNTS = re.compile(r"\b(?:Size[ZCT]|First[ZCT]|IFD|PlaneCount)\s*=\s*[\"']\s*(\d+)")
_OME_FILES = re.compile(r"\bFileName\s*=\s*[\"']([^\"']*)")


def check_pages(path: Path) -> None:
    """Walk all pages, reading nothing but their lists of tags, and those of files that a stack goes on in.

    Raises:
        UnreadableImage: its pages point in a circle, or it declares more pages, strips or tiles than can be meant.
    """
    for name in _checked(path):
        if Path(name).name != name:
            raise damaged(path, text("tiff-file-outside-folder"))
        if (path.parent / name).is_file() and name != path.name:
            _checked(path.parent / name)


def _checked(path: Path) -> set[str]:
    """Walk one file's pages; gives the files that it says its stack goes on in."""
    with open_image(path) as file:
        layout = _layout_of(file, is_ndpi=path.suffix.lower() == ".ndpi")
        if layout is None:
            return set()
        try:
            return _walk(path, file, layout)
        except (struct.error, OverflowError):  # cut short there, where tifffile ends too
            return set()


@dataclass(frozen=True, slots=True)
class _Layout:
    """How numbers stand in one kind of TIFF, as formats of `struct`."""

    count: str  # of a page's tags
    tag: str  # code, type, count of values, values or where they are
    offset: str


@dataclass(frozen=True, slots=True)
class _Page:
    n_numbers: int  # that its tags hold
    n_parts: int  # strips or tiles
    sub_pages: tuple[int, ...]
    kind: frozenset[tuple[int, int, bytes]]  # code, count and value of the tags that make a stack
    description: str
    next: int


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


def _walk(path: Path, file: BinaryIO, layout: _Layout) -> set[str]:
    waiting = [(_number(file, layout.offset), True)]  # where a page is, and whether it is no smaller copy of another
    seen: set[int] = set()
    kinds: set[frozenset[tuple[int, int, bytes]]] = set()
    file_names: set[str] = set()
    n_numbers = 0
    while waiting:
        offset, is_in_chain = waiting.pop()
        if offset == 0:
            continue
        if offset in seen:
            raise damaged(path, text("tiff-pages-in-circle"))
        seen.add(offset)
        page = _read_page(file, layout, offset)
        n_numbers += page.n_numbers
        waiting += [(page.next, is_in_chain), *((sub_page, False) for sub_page in page.sub_pages)]
        if is_in_chain:
            kinds.add(page.kind)
        _check_amounts(path, page, len(seen) + len(waiting), len(kinds), n_numbers)
        file_names.update(_OME_FILES.findall(page.description))
    return file_names


def _check_amounts(path: Path, page: _Page, n_pages: int, n_kinds: int, n_numbers: int) -> None:
    if max(n_pages, _most_planes(page.description)) > _MAX_PAGES:
        raise damaged(path, text("tiff-too-many-pages", limit=_MAX_PAGES))
    if n_kinds > 1 and n_pages > _MAX_UNLIKE_PAGES:
        raise damaged(path, text("tiff-too-many-unlike-pages", limit=_MAX_UNLIKE_PAGES))
    if n_numbers > _MAX_NUMBERS:
        raise damaged(path, text("tiff-too-many-parts-listed"))
    if page.n_parts > _MAX_PARTS:
        raise UnreadableImage("tiff-too-many-parts", file=path, n_parts=page.n_parts, limit=_MAX_PARTS)


def _read_page(file: BinaryIO, layout: _Layout, offset: int) -> _Page:
    file.seek(offset)
    n_tags = _number(file, layout.count)
    if n_tags > _MAX_TAGS:
        raise struct.error
    tags = file.read(n_tags * struct.calcsize(layout.tag))
    next_page = _number(file, layout.offset)
    n_numbers, n_parts, description = 0, 0, ""
    sub_pages: tuple[int, ...] = ()
    kind = set()
    n_bytes = os.fstat(file.fileno()).st_size
    for code, value_type, count, value in struct.iter_unpack(layout.tag, tags):
        if count > n_bytes:  # more than there is: tifffile leaves such a tag out
            continue
        n_numbers += count // 16 if value_type in _BYTES else count
        if code in (_STRIPS, _TILES):
            n_parts = max(n_parts, count)
        elif code == _SUB_PAGES:
            sub_pages = _numbers(file, layout, value_type, min(count, _MAX_PAGES + 1), value)
        elif code in _KIND:
            kind.add((code, count, value if count == 1 else b""))
        elif code == _DESCRIPTION:
            description = _text(file, layout, count, value)
    return _Page(n_numbers, n_parts, sub_pages, frozenset(kind), description, next_page)


def _number(file: BinaryIO, number_format: str) -> int:
    (number,) = struct.unpack(number_format, file.read(struct.calcsize(number_format)))
    return int(number)


def _numbers(file: BinaryIO, layout: _Layout, kind: int, count: int, value: bytes) -> tuple[int, ...]:
    """Return what a tag that points at pages holds: four bytes each, or eight."""
    number = f"{layout.tag[0]}{count}{'Q' if kind in (16, 18) else 'I'}"
    return struct.unpack(number, _value(file, layout, struct.calcsize(number), value))


def _text(file: BinaryIO, layout: _Layout, count: int, value: bytes) -> str:
    return _value(file, layout, count, value).decode(errors="replace")


def _value(file: BinaryIO, layout: _Layout, size: int, value: bytes) -> bytes:
    """Return a tag's value: in the tag itself where it has room, else where the tag points."""
    if size <= len(value):
        return value[:size]
    file.seek(struct.unpack_from(f"{layout.tag[0]}{'Q' if len(value) == 8 else 'I'}", value)[0])
    return file.read(size)


def _most_planes(description: str) -> int:
    """Return the largest count of planes, or place of one, in OME metadata: as long a list would be made."""
    return (
        max((int(count[:20]) for count in _OME_COUNTS.findall(description)), default=0) if "<OME" in description else 0
    )


def check_series(path: Path, tiff: "TiffFile") -> None:
    """Refuse stacks that tifffile takes to be longer than can be meant: of ImageJ's it believes a line of text.

    Raises:
        UnreadableImage: a series has more pages than any file.
    """
    for series in tiff.series:
        if prod(size for axis, size in zip(series.axes, series.shape, strict=True) if axis not in "SYX") > _MAX_PAGES:
            raise damaged(path, text("tiff-too-many-pages", limit=_MAX_PAGES))


@contextmanager
def opened_tiff(path: Path) -> "Iterator[tuple[TiffFile, list[str]]]":
    """tifffile's view of a file whose pages were checked, and what it complains of meanwhile, instead of printing it.

    Raises:
        Exception: whatever tifffile raises on damaged bytes.
    """
    from tifffile import TiffFile, tifffile

    # Files that a stack goes on in, too: tifffile opens those that the first one names.
    tifffile.open = _open_for_tifffile  # type: ignore[attr-defined]  # in place of the builtin, in this module
    with _complaints() as complaints, TiffFile(path) as tiff:
        yield tiff, complaints


def _open_for_tifffile(file: str, mode: str, **options: Any) -> IO[Any]:  # Any: as of the builtin
    return open_image(Path(file)) if mode == "rb" else Path(file).open(mode, **options)


class _Complaints(logging.Filter):
    """Keeps tifffile's log records of threads that are reading, and lets those of others pass."""

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
def _complaint_filter() -> _Complaints:
    complaints = _Complaints()
    logging.getLogger("tifffile").addFilter(complaints)
    return complaints


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What tifffile logs in this thread meanwhile, instead of printing it."""
    filter_ = _complaint_filter()
    texts: list[str] = []
    filter_.of_thread.texts = texts
    try:
        yield texts
    finally:
        filter_.of_thread.texts = None


# Samples that a JPEG's scans go over, though some cost a few bytes only. The largest image in ten scans has a third.
_MOST_SCANNED = 6_000_000_000
CodedSize = tuple[int, int]  # pixels, and the most bytes that decoding them may fill
JPEG = (6, 7, 33007, 34892)
_JPEG_2000 = (33003, 33004, 33005, 34712)
_JPEG_XL = (50002, 52546)
_JPEG_XR = (22610, 34934)
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9), 0xFF}


def declares_its_size(compression: int) -> bool:
    """Return whether strips and tiles of this compression go by a size of their own."""
    return compression in _SIZES


def n_scanned(coded: bytes, n_samples: int) -> int:
    """Return how many samples decoding a JPEG goes over: each scan goes over all of them."""
    return coded.count(b"\xff\xda") * n_samples


def check_scanned(path: Path, n: int) -> None:
    """Refuse a JPEG, or a page of them, whose scans would take minutes.

    Raises:
        UnreadableImage: they would.
    """
    if n > _MOST_SCANNED:
        raise damaged(path, text("jpeg-too-many-scans"))


def coded_size(compression: int, coded: bytes) -> CodedSize | None:
    """Return the numbers of pixels and bytes that `coded` becomes; None if unknown."""
    try:
        sizes = list(_SIZES[compression](coded))
    except (struct.error, IndexError):
        return None
    if not sizes:
        return None
    every = sum if compression == _LERC else max
    return every(pixels for pixels, _ in sizes), every(n_bytes for _, n_bytes in sizes)


def _jpeg(coded: bytes) -> Iterator[CodedSize]:
    at = 2
    while at + 10 <= len(coded):
        if coded[at] != 0xFF or coded[at + 1] in _WITHOUT_LENGTH:
            at += 1 if coded[at] != 0xFF or coded[at + 1] == 0xFF else 2
        elif coded[at + 1] == 0xDA:  # here the pixels begin
            return
        else:
            if coded[at + 1] in _FRAMES:
                depth, height, width, samples = struct.unpack_from(">BHHB", coded, at + 4)
                yield height * width, height * width * samples * (1 if depth <= 8 else 2)
            at += 2 + struct.unpack_from(">H", coded, at + 2)[0]


def _jpeg_2000(coded: bytes) -> Iterator[CodedSize]:
    for start in _places(coded, b"\xff\x4f\xff\x51"):
        right, bottom, left, top = struct.unpack_from(">4I", coded, start + 8)
        (samples,) = struct.unpack_from(">H", coded, start + 40)
        pixels = max(0, right - left) * max(0, bottom - top)
        yield pixels, pixels * samples * 4  # the decoder computes with 32 bits


def _jpeg_xl(coded: bytes) -> Iterator[CodedSize]:
    for start in [0] if coded.startswith(b"\xff\x0a") else _places(coded, b"\xff\x0a"):
        read = _bits_of(coded[start + 2 : start + 18])
        if read(1):  # sizes in eighths
            height = (read(5) + 1) * 8
            width = _ratio(read(3), height) or (read(5) + 1) * 8
        else:
            height = read((9, 13, 18, 30)[read(2)]) + 1
            width = _ratio(read(3), height) or read((9, 13, 18, 30)[read(2)]) + 1
        yield height * width, height * width * 16  # of four floats at most, further channels apart


def _ratio(kind: int, height: int) -> int:
    over, under = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[kind]
    return height * over // under


def _bits_of(data: bytes) -> Callable[[int], int]:
    """Reads so many bits, the lowest of the first byte first."""
    rest, n_left = int.from_bytes(data, "little"), 8 * len(data)

    def read(n: int) -> int:
        nonlocal rest, n_left
        if n > n_left:
            raise IndexError
        value, rest, n_left = rest & ((1 << n) - 1), rest >> n, n_left - n
        return value

    return read


def _jpeg_xr(coded: bytes) -> Iterator[CodedSize]:
    for start in _places(coded, b"WMPHOTO\0"):
        is_short = coded[start + 10] & 0x80
        width, height = struct.unpack_from(">HH" if is_short else ">II", coded, start + 12)
        pixels = (width + 1) * (height + 1)
        yield pixels, pixels * 16  # of four floats at most


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
    """One image after the other, a few bytes each where it is constant."""
    for start in _places(coded, b"Lerc2 "):
        (version,) = struct.unpack_from("<i", coded, start + 6)
        rows, columns = struct.unpack_from("<ii", coded, start + (14 if version >= 3 else 10))
        depth = struct.unpack_from("<i", coded, start + 22)[0] if version >= 4 else 1
        yield abs(rows * columns), abs(rows * columns * depth * 8)
    for start in _places(coded, b"CntZImage "):
        rows, columns = struct.unpack_from("<ii", coded, start + 18)
        yield abs(rows * columns), abs(rows * columns * 4)


def _places(coded: bytes, mark: bytes) -> Iterator[int]:
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
