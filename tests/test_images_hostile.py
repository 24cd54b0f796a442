"""Images of a few bytes that declare a great deal: each is refused at once, before memory is asked for."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hostile_images import CODECS, HOSTILE, described, ome, page, tiff
from memory import within_memory
from parameters import only_first
from PIL import Image
from refusing import refusing

from coverslip.errors import UnreadableImage
from coverslip.images._tiff_guard import coded_size
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.decoding_pool import Decoders, DecodingLimits
from coverslip.images.reader import MAX_BYTES, ReadPlan
from coverslip.messages import message, message_of, text

RNG = np.random.default_rng(0)


def _too_large(pixel_bytes: int) -> str:
    size = {"width": 13_000, "height": 13_000, "pixel_bytes": pixel_bytes}
    return text("image-too-large", **size, limit_mb=MAX_BYTES / 1e6)


# What each error says, or the reason in it; empty: any reason for which a file counts as damaged.
REASONS = {
    "last of 100 pages points at itself": text("tiff-pages-in-circle"),
    "last of 100 pages points at page 0": text("tiff-pages-in-circle"),
    "last of 150 pages points at page 120": text("tiff-pages-in-circle"),
    "links to one page": text("tiff-too-many-pages", limit=100_000),
    "shared strips": text("tiff-too-many-parts-listed"),
    "13,000 x 13,000 float64": _too_large(8),
    "13,000 x 13,000 x 4 uint16": _too_large(8),
    "lerc float64": text("tiff-part-size"),
    **{f"{codec} tile": text("tiff-part-size") for codec in CODECS},
    "endless ome": text("tiff-too-many-pages", limit=100_000),
    "endless ome plane": text("tiff-too-many-pages", limit=100_000),
    "endless imagej": "",
    "endless imagej without a place": text("tiff-too-many-pages", limit=100_000),
    "endless shaped": "",
}
ENDLESS = {
    text("tiff-pages-in-circle"),
    text("tiff-too-many-pages", limit=100_000),
}


def check_reason(error: UnreadableImage, name: str) -> None:
    reason = str(message_of(error.parameters["reason"]) if error.code == "image-damaged" else error.message)
    assert reason == (REASONS[name] or reason)


@pytest.mark.parametrize("name", REASONS)
def test_a_tiff_that_declares_more_than_it_holds_is_refused_before_memory_is_requested(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "hostile.tif"
    path.write_bytes(HOSTILE[name]())
    with within_memory(150e6), pytest.raises(UnreadableImage) as error:
        read_pixels(path)
    check_reason(error.value, name)


TAKES_LONG = (
    "a JPEG of 1,000 scans",
    "a strip of 1,000 scans",
    "pages of two kinds",
    "a million strips",
    "a million plain strips",
    "a million strips, its magic number swapped",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", only_first(1, TAKES_LONG))
def test_a_file_that_only_takes_long_ends_at_the_limit_of_its_process(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.tif"
    path.write_bytes(HOSTILE[name]())
    decoders = Decoders(DecodingLimits(processor_seconds=0.5, seconds=30))
    with pytest.raises(UnreadableImage) as error:
        decoders.read(path, ReadPlan(), MAX_BYTES, None)
    decoders.close()
    assert error.value.code == "image-time-limit"


@pytest.mark.parametrize(
    "name", [name for name, reason in REASONS.items() if "pages" in reason and "tiles" not in reason]
)
def test_pages_without_an_end_are_not_described_either(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.tif"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(UnreadableImage) as error:
        describe_image(path)
    check_reason(error.value, name)


def test_a_tag_that_is_longer_than_its_file_is_ignored(tmp_path: Path) -> None:
    """As damage makes it: four thousand million letters of description."""
    data = bytearray(HOSTILE["endless imagej"]())
    (start,) = struct.unpack_from("<I", data, 4)
    at = data.index(struct.pack("<HH", 270, 2), start)
    struct.pack_into("<I", data, at + 4, 2**32 - 1)
    (tmp_path / "odd.tif").write_bytes(data)
    with within_memory(150e6):
        assert describe_image(tmp_path / "odd.tif")[0].shape == (8, 8)


def test_describing_an_odd_file_prints_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "odd.tif").write_bytes(HOSTILE["endless imagej"]())
    assert describe_image(tmp_path / "odd.tif")[0].shape == (8, 8)
    assert not caplog.records


def test_a_page_that_points_at_itself_is_refused_in_bigtiff_and_the_other_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    for options in ({"bigtiff": True}, {"byteorder": ">"}, {"bigtiff": True, "byteorder": ">"}):
        tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint16), photometric="minisblack", metadata=None, **options)  # type: ignore[arg-type]
        with tifffile.TiffFile(path) as file:
            first, link = file.pages[0].offset, file.pages[-1]._nextifd()  # type: ignore[union-attr]
            assert link == 0
            at = file.pages[-1].offset + (8 if file.is_bigtiff else 2)  # type: ignore[union-attr]
            at += len(file.pages[-1].tags) * (20 if file.is_bigtiff else 12)  # type: ignore[union-attr]
            size, order = 8 if file.is_bigtiff else 4, "little" if file.byteorder == "<" else "big"
        assert read_pixels(path).n_planes == 3
        data = bytearray(path.read_bytes())
        data[at : at + size] = first.to_bytes(size, order)  # type: ignore[arg-type]
        path.write_bytes(data)
        with refusing(UnreadableImage, "image-damaged", reason=message("tiff-pages-in-circle")):
            read_pixels(path)


def test_a_stack_that_goes_on_in_another_file_is_not_followed_into_a_circle_or_another_folder(tmp_path: Path) -> None:
    first = described(ome(1, '<TiffData IFD="0"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData>'))
    (tmp_path / "first.tif").write_bytes(first)
    (tmp_path / "other.tif").write_bytes(HOSTILE["last of 100 pages points at itself"]())
    with refusing(UnreadableImage, "image-damaged", reason=message("tiff-pages-in-circle")):
        read_pixels(tmp_path / "first.tif")
    (tmp_path / "first.tif").write_bytes(first.replace(b"other.tif", b"../ot.tif"))
    with refusing(UnreadableImage, "image-damaged", reason=message("tiff-file-outside-folder")):
        read_pixels(tmp_path / "first.tif")


@pytest.mark.parametrize("shape", [(40, 72), (64, 64), (203, 130), (256, 512)])
@pytest.mark.parametrize("codec", CODECS)
def test_the_size_of_coded_pixels_is_read_from_their_header(codec: str, shape: tuple[int, int]) -> None:
    compression, encode = CODECS[codec]
    pixels = RNG.integers(0, 256, (*shape, 3) if codec == "webp" else shape, np.uint8)
    size = coded_size(compression, bytes(encode(pixels)))
    assert size is not None
    assert size[0] == shape[0] * shape[1]
    assert size[1] >= pixels.size


@pytest.mark.parametrize("codec", CODECS)
def test_tiles_of_their_declared_size_are_read(tmp_path: Path, codec: str) -> None:
    compression, encode = CODECS[codec]
    pixels = np.full((64, 64, 3) if codec == "webp" else (64, 64), 77, np.uint8)
    coded = bytes(encode(pixels))
    samples = 3 if codec == "webp" else 1
    tags = page(100, 80, [8] * 4, [len(coded)] * 4, tile=64, compression=compression, samples=samples)
    (tmp_path / "a.tif").write_bytes(tiff(coded, [tags]))
    array = read_pixels(tmp_path / "a.tif").array
    assert array.shape == (80, 100, samples)
    assert np.abs(array.astype(int) - 77).max() <= 3


def test_a_long_stack_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(bytes(64), [page(8, 8, [8], [64])] * 2000))
    assert read_pixels(tmp_path / "a.tif", ReadPlan(z=1999)).n_planes == 2000


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "PNG", "GIF", "JPEG2000"])
def test_a_file_lengthened_to_4_gigabytes_is_refused_before_it_is_read(tmp_path: Path, file_format: str) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.img", file_format)
    os.truncate(tmp_path / "a.img", 4 * 2**30)  # which takes no room on the disk
    for read in (read_pixels, describe_image):
        with within_memory(50e6), refusing(UnreadableImage, "image-file-too-long"):
            read(tmp_path / "a.img")


def animated(n: int) -> bytes:
    """A GIF of so many frames of 4 x 4 pixels."""
    buffer = io.BytesIO()
    Image.new("P", (4, 4)).save(buffer, "GIF")
    raw = buffer.getvalue()
    start = raw.index(b",")
    return raw[:start] + raw[start:-1] * n + b";"


@pytest.mark.slow
def test_more_frames_than_a_film_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(animated(100_001))
    reason = message("image-too-many-frames", n_frames=100_001, limit=100_000)
    for plan in (ReadPlan(), ReadPlan(z="channels"), ReadPlan(t=3)):
        with refusing(UnreadableImage, "image-damaged", reason=reason):
            read_pixels(tmp_path / "a.gif", plan)


def test_a_projection_over_more_values_than_can_be_meant_is_refused(tmp_path: Path) -> None:
    side = 5000
    pages = [page(side, side, [8], [side * side])] * 900  # all show the same pixels
    (tmp_path / "a.tif").write_bytes(tiff(bytes(side * side), pages))
    assert read_pixels(tmp_path / "a.tif", ReadPlan(z=899)).n_planes == 900
    with refusing(UnreadableImage, "projection-too-large", n_planes=900, limit=20_000_000_000):
        read_pixels(tmp_path / "a.tif", ReadPlan(z="max"))


_CUT = """
import os, sys, threading
from pathlib import Path
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import read_pixels
from coverslip.images.reader import ReadPlan
path, size, done = Path(sys.argv[1]), os.path.getsize(sys.argv[1]), threading.Event()
def cut():
    while not done.is_set():
        os.truncate(path, size // 2)
        os.truncate(path, size)
threading.Thread(target=cut, daemon=True).start()
for _ in range(150):
    try:
        read_pixels(path, ReadPlan(z=1) if path.suffix == ".tif" else ReadPlan())
    except UnreadableImage:
        pass
done.set()
print("read")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="nobody can cut a file that is open there")
@pytest.mark.parametrize("name", only_first(1, ["imagej.tif", "plain.bmp", "plain.pgm"]))
def test_a_file_that_is_cut_while_it_is_read_does_not_end_the_process(tmp_path: Path, name: str) -> None:
    """Of a map of it, the system would end the process (SIGBUS)."""
    pixels = RNG.integers(0, 255, (1500, 1500), np.uint8)
    if name.endswith(".tif"):
        tifffile.imwrite(tmp_path / name, np.stack([pixels, pixels]).astype(np.uint16), imagej=True)
    else:
        Image.fromarray(pixels).save(tmp_path / name)
    command = [sys.executable, "-c", _CUT, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "read\n")


@pytest.mark.parametrize("axes", ["TZCYX", "ZYX", "CYX"])
def test_planes_of_an_imagej_stack_are_those_that_tifffile_reads(tmp_path: Path, axes: str) -> None:
    stack = RNG.integers(0, 60_000, tuple({"T": 2, "Z": 3, "C": 4, "Y": 30, "X": 40}[axis] for axis in axes), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": axes})
    planes = stack.reshape(-1, 4, 30, 40) if "C" in axes else stack.reshape(-1, 1, 30, 40)
    for number, plane in enumerate(planes):
        plan = ReadPlan(t=number // 3, z=number % 3)
        read = read_pixels(tmp_path / "a.tif", plan).array
        np.testing.assert_array_equal(read, plane.transpose(1, 2, 0))
