"""How large a coded strip or tile becomes, as its own header tells.

Pictures within a TIFF (JPEG, JPEG 2000, ...) declare their size once more, and decoders go by that one. Where several
headers stand among the bytes, the largest counts: a decoder might take each.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from coverslip.images._decoded import damaged
from coverslip.messages import text

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
