"""Images made by hand to hang a reader or to fill its memory: a few bytes that declare a great deal."""

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

import imagecodecs
import numpy as np
from PIL import Image

SHORT, LONG = 3, 4
Tags = dict[int, tuple[int, list[int]]]  # code: its type and values


def page(width: int, height: int, parts: list[int], lengths: list[int], **more: int) -> Tags:
    """The tags of a page of gray whose strips, or tiles where there is `tile`, lie at `parts`."""
    tile, rows = more.get("tile", 0), more.get("rows", height)
    where = {322: (LONG, [tile]), 323: (LONG, [tile]), 324: (LONG, parts), 325: (LONG, lengths)}
    strips = {273: (LONG, parts), 278: (LONG, [rows]), 279: (LONG, lengths)}
    samples = more.get("samples", 1)
    return {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [more.get("bits", 8)] * samples),
        259: (SHORT, [more.get("compression", 1)]),
        262: (SHORT, [1]),
        277: (SHORT, [samples]),
        339: (SHORT, [more.get("sample_format", 1)] * samples),
        **(where if tile else strips),
    }


def tiff(pixels: bytes, pages: list[Tags], next_of_last: int | None = None) -> bytes:
    """Pixels from byte 8, then the pages. The last points at page `next_of_last`, none if that is None."""
    data, starts, links = bytearray(b"II*\0\0\0\0\0" + pixels), [], [4]
    for tags in pages:
        values = {code: _appended(data, kind, numbers) for code, (kind, numbers) in sorted(tags.items())}
        data += bytes(len(data) % 2)
        starts.append(len(data))
        struct.pack_into("<I", data, links[-1], starts[-1])
        data += struct.pack("<H", len(tags))
        for code, value in values.items():
            data += struct.pack("<HHI4s", code, tags[code][0], len(tags[code][1]), value)
        links.append(len(data))
        data += bytes(4)
    if next_of_last is not None:
        struct.pack_into("<I", data, links[-1], starts[next_of_last])
    return bytes(data)


def _appended(data: bytearray, kind: int, numbers: list[int]) -> bytes:
    packed = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
    if len(packed) <= 4:
        return packed.ljust(4, b"\0")
    data += bytes(len(data) % 2)
    start = len(data)
    data += packed
    return struct.pack("<I", start)


def _one_part(coded: bytes, width: int, height: int, **more: int) -> bytes:
    return tiff(coded, [page(width, height, [8], [len(coded)], **more)])


def circle(n_pages: int, back_to: int) -> bytes:
    return tiff(bytes(64), [page(8, 8, [8], [64])] * n_pages, back_to)


def many_links_to_one_page(n: int = 300_000) -> bytes:
    """Reduced images by the hundred thousand, all of them the page itself, each with as many again."""
    first = page(8, 8, [8], [64])
    start = struct.unpack_from("<I", tiff(bytes(64), [first | {330: (LONG, [0] * n)}]), 4)[0]
    return tiff(bytes(64), [first | {330: (LONG, [start] * n)}])


def shared_strips(n_pages: int = 200, n_strips: int = 100_000) -> bytes:
    """Pages that all point at the same long list of strips."""
    shared = tiff(bytes(64), [page(8, n_strips, [8] * n_strips, [8] * n_strips, rows=1)])
    start = struct.unpack_from("<I", shared, 4)[0]
    body = shared[start:-4]
    data = bytearray(shared[:-4])
    for _ in range(n_pages):
        data += struct.pack("<I", len(data) + 4) + body
    return bytes(data + bytes(4))


def million_strips(n: int = 1_000_000) -> bytes:
    return tiff(zlib.compress(b"\1"), [page(1, n, [8] * n, [9] * n, rows=1, compression=8)])


def million_plain_strips(n: int = 1_000_000) -> bytes:
    return tiff(bytes(64), [page(1, n, [8] * n, [1] * n, rows=1)])


def wide_floats(side: int = 13_000) -> bytes:
    n_rows = 50
    coded = zlib.compress(bytes(8 * side * n_rows), 9)
    n = side // n_rows
    return tiff(
        coded,
        [page(side, side, [8] * n, [len(coded)] * n, rows=n_rows, bits=64, sample_format=3, compression=8)],
    )


def wide_samples(side: int = 13_000) -> bytes:
    n_rows = 50
    coded = zlib.compress(bytes(8 * side * n_rows), 9)
    n = side // n_rows
    return tiff(coded, [page(side, side, [8] * n, [len(coded)] * n, rows=n_rows, bits=16, samples=4, compression=8)])


def lerc_floats(side: int = 13_000) -> bytes:
    """LERC stores a constant image of any size in 90 bytes."""
    coded = bytearray(imagecodecs.lerc_encode(np.zeros((8, 8), np.float64)))
    struct.pack_into("<ii", coded, 14, side, side)
    _sign_lerc(coded)
    return _one_part(bytes(coded), 8, 8, bits=64, sample_format=3, compression=34887)


def _sign_lerc(coded: bytearray) -> None:
    """Fletcher's checksum of all that follows the header's first 14 bytes."""
    data = bytes(coded[14:])
    first = second = 0xFFFF
    words, k = len(data) // 2, 0
    while words:
        n = min(words, 359)
        words -= n
        for _ in range(n):
            first += (data[k] << 8) + data[k + 1]
            second += first
            k += 2
        first, second = (first & 0xFFFF) + (first >> 16), (second & 0xFFFF) + (second >> 16)
    if len(data) % 2:
        first += data[k] << 8
        second += first
    first, second = (first & 0xFFFF) + (first >> 16), (second & 0xFFFF) + (second >> 16)
    struct.pack_into("<I", coded, 10, second << 16 | first)


CODECS: dict[str, tuple[int, Callable[[np.ndarray], bytes]]] = {
    "jpeg": (7, imagecodecs.jpeg_encode),
    "jpeg 2000": (33005, lambda array: imagecodecs.jpeg2k_encode(array, level=0, codecformat="j2k")),
    "jpeg xl": (50002, imagecodecs.jpegxl_encode),
    "jpeg xr": (34934, imagecodecs.jpegxr_encode),
    "webp": (50001, imagecodecs.webp_encode),
    "png": (34933, imagecodecs.png_encode),
    "lerc": (34887, imagecodecs.lerc_encode),
}


def larger_than_its_tile(codec: str, side: int) -> bytes:
    """A page of 64 x 64 in one tile, whose own header declares `side` x `side`."""
    compression, encode = CODECS[codec]
    samples = 3 if codec == "webp" else 1
    coded = encode(np.zeros((side, side, 3) if samples == 3 else (side, side), np.uint8))
    return _one_part(bytes(coded), 64, 64, tile=64, compression=compression, samples=samples)


def many_scans(side: int = 4000, n: int = 1000) -> bytes:
    """A progressive JPEG of one color whose last scan is repeated: a hundred bytes each, that go over all pixels."""
    buffer = io.BytesIO()
    Image.new("L", (side, side), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    table, scan = data.rindex(b"\xff\xc4"), data.rindex(b"\xff\xda")
    assert table < scan
    return data[:-2] + data[table:-2] * n + b"\xff\xd9"


def described(text: str) -> bytes:
    """A page of 8 x 8 that describes itself in these words."""
    encoded = text.encode() + b"\0"
    plain = tiff(bytes(64) + encoded, [page(8, 8, [8], [64])])
    (start,) = struct.unpack_from("<I", plain, 4)
    (n_tags,) = struct.unpack_from("<H", plain, start)
    entries = [plain[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(n_tags)]
    entries.append(struct.pack("<HHII", 270, 2, len(encoded), 72))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    return plain[:start] + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def ome(n_planes: int, plane: str) -> str:
    """OME metadata of a stack; `plane` is the element that locates its planes."""
    return (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" SizeZ="{n_planes}" SizeC="1" SizeT="1">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{plane}</Pixels></Image></OME>'
    )


STACKS = {
    "endless ome": ome(1_000_000_000, "<TiffData/>"),
    "endless ome plane": ome(2, '<TiffData FirstZ="1000000000"/>'),
    "endless imagej": "ImageJ=1.53\nimages=1000000000\nslices=1000000000\n",
    "endless shaped": '{"shape": [1000000000, 8, 8]}',
}


def imagej_without_place() -> bytes:
    """Only ImageJ's text declares planes: the tag with the position of the first one has another number."""
    data = described(STACKS["endless imagej"])
    (start,) = struct.unpack_from("<I", data, 4)
    at = data.index(struct.pack("<H", 273), start)
    return data[:at] + struct.pack("<H", 272) + data[at + 2 :]


def scans_in_a_strip() -> bytes:
    """The same in a TIFF."""
    return _one_part(many_scans(), 4000, 4000, compression=7)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "endless imagej without a place": imagej_without_place,
    "last of 100 pages points at itself": lambda: circle(100, 99),
    "last of 100 pages points at page 0": lambda: circle(100, 0),
    "last of 150 pages points at page 120": lambda: circle(150, 120),
    "one page points at itself": lambda: circle(1, 0),
    "a JPEG of 1,000 scans": many_scans,
    "a strip of 1,000 scans": scans_in_a_strip,
    "pages of two kinds": lambda: tiff(bytes(64), [page(8, 8, [8], [64]), page(8, 7, [8], [56])] * 5000),
    "links to one page": many_links_to_one_page,
    "shared strips": shared_strips,
    "a million strips": million_strips,
    "a million plain strips": million_plain_strips,
    "a million strips, its magic number swapped": lambda: b"II\0*" + million_plain_strips()[4:],
    "13,000 x 13,000 float64": wide_floats,
    "13,000 x 13,000 x 4 uint16": wide_samples,
    "lerc float64": lerc_floats,
    **{f"{codec} tile": partial(larger_than_its_tile, codec, 1000) for codec in CODECS},
    **{name: partial(described, text) for name, text in STACKS.items()},
}
