"""Images of a few bytes that declare a great deal: each is refused at once, before memory is asked for."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hostile_images import CODECS, HOSTILE, described, ome, page, tiff
from memory import within_memory

from coverslip.errors import UnreadableImage
from coverslip.images import ReadPlan, describe_image, read_pixels
from coverslip.images._codec_sizes import coded_size

RNG = np.random.default_rng(0)
REASONS = {
    "last of 100 pages points at itself": "point in a circle",
    "last of 100 pages points at page 0": "point in a circle",
    "last of 150 pages points at page 120": "point in a circle",
    "a JPEG of 1,000 scans": "far more scans",
    "a strip of 1,000 scans": "far more scans",
    "pages of two kinds": "more than 6,000 pages of several kinds",
    "links to one page": "declares more than 100,000 pages",
    "shared strips": "more strips or tiles than can be meant",
    "a million strips": "1,000,000 strips",
    "a million plain strips": "1,000,000 strips",
    "a million strips, its magic number swapped": "1,000,000 strips",
    "13,000 x 13,000 float64": "limit is 201 million bytes",
    "13,000 x 13,000 x 4 uint16": "limit is 201 million bytes",
    "lerc float64": "another size than its page",
    **{f"{codec} tile": "another size than its page" for codec in CODECS},
    "endless ome": "declares more than 100,000 pages",
    "endless ome plane": "declares more than 100,000 pages",
    "endless imagej": "damaged",
    "endless imagej without a place": "declares more than 100,000 pages",
    "endless shaped": "damaged",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_tiff_that_declares_more_than_it_holds_is_refused_before_memory_is_asked_for(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "hostile.tif"
    path.write_bytes(HOSTILE[name]())
    with within_memory(150e6), pytest.raises(UnreadableImage, match=REASONS[name]):
        read_pixels(path)


@pytest.mark.parametrize("name", [name for name, reason in REASONS.items() if "circle" in reason or "pages" in reason])
def test_pages_without_an_end_are_not_described_either(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.tif"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(UnreadableImage, match=REASONS[name]):
        describe_image(path)


def test_a_tag_that_is_longer_than_its_file_is_left_out(tmp_path: Path) -> None:
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
        with pytest.raises(UnreadableImage, match="circle"):
            read_pixels(path)


def test_a_stack_that_goes_on_in_another_file_is_not_followed_into_a_circle_or_another_folder(tmp_path: Path) -> None:
    first = described(ome(1, '<TiffData IFD="0"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData>'))
    (tmp_path / "first.tif").write_bytes(first)
    (tmp_path / "other.tif").write_bytes(HOSTILE["last of 100 pages points at itself"]())
    with pytest.raises(UnreadableImage, match="circle"):
        read_pixels(tmp_path / "first.tif")
    (tmp_path / "first.tif").write_bytes(first.replace(b"other.tif", b"../ot.tif"))
    with pytest.raises(UnreadableImage, match="another folder"):
        read_pixels(tmp_path / "first.tif")


@pytest.mark.parametrize("shape", [(40, 72), (64, 64), (203, 130), (256, 512)])
@pytest.mark.parametrize("codec", CODECS)
def test_the_size_of_coded_pixels_is_told_by_their_header(codec: str, shape: tuple[int, int]) -> None:
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
    assert read_pixels(tmp_path / "a.tif", ReadPlan(plane=1999)).n_planes == 2000
