"""Every common format, mode and depth comes back as it was written, and every bad file is refused in one line."""

import io
import struct
import zlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import refusing

from coverslip.errors import UnreadableImage
from coverslip.images import _pillow, reader
from coverslip.images._pillow import image_to_array
from coverslip.images.decoding import read_pixels
from coverslip.images.formats import image_suffixes
from coverslip.images.preprocessing import pixel_hash
from coverslip.images.reader import ReadPlan
from coverslip.messages import message

# pytest undoes the filter that coverslip sets for these; test_images_tiff.py looks at a fresh process.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning")

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (20, 30), np.uint8)
COLOR = RNG.integers(0, 256, (20, 30, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (20, 30), np.uint16)


def smooth(height=48, width=64):
    """A picture that lossy codecs keep nearly as it is."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 4, x + y], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("name", ["png", "bmp", "tif", "webp", "gif", "pgm"])
def test_gray_comes_back_exactly_from_every_lossless_format(tmp_path, name):
    path = tmp_path / f"cell.{name}"
    Image.fromarray(GRAY).save(path, **({"lossless": True} if name == "webp" else {}))
    pixels = read_pixels(path)
    gray = pixels.array[..., 0]
    assert np.array_equal(gray, GRAY)
    assert pixels.array.dtype == np.uint8
    assert (pixels.bit_depth, pixels.n_planes, pixels.note) == (8, 1, None)
    assert pixel_hash(pixels) == pixel_hash(replace(pixels, array=GRAY[..., None]))


@pytest.mark.parametrize("name", ["png", "bmp", "tif", "webp", "ppm", "jp2"])
def test_color_comes_back_exactly_from_every_lossless_format(tmp_path, name):
    path = tmp_path / f"cell.{name}"
    Image.fromarray(COLOR).save(path, **({"lossless": True} if name == "webp" else {}))
    assert np.array_equal(read_pixels(path).array, COLOR)


@pytest.mark.parametrize("name", ["jpg", "webp"])
def test_lossy_formats_come_back_nearly(tmp_path, name):
    path = tmp_path / f"cell.{name}"
    Image.fromarray(smooth()).save(path, quality=95)
    pixels = read_pixels(path)
    assert pixels.file_format == {"jpg": "JPEG", "webp": "WEBP"}[name]
    assert np.abs(pixels.array.astype(int) - smooth()).mean() < 3


def test_one_bit_becomes_black_and_white(tmp_path):
    bits = GRAY > 127
    for name in ("png", "bmp", "tif"):
        path = tmp_path / f"mask.{name}"
        Image.fromarray(bits).save(path)
        pixels = read_pixels(path)
        assert np.array_equal(pixels.array[..., 0], bits * np.uint8(255))
    assert pixels.bit_depth == 1


def test_a_color_palette_gives_its_colors_and_a_gray_one_gives_gray(tmp_path):
    index = Image.fromarray(GRAY % 4).convert("L")
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)]
    grays = [(7, 7, 7), (70, 70, 70), (0, 0, 0), (255, 255, 255)]
    for palette, n_channels in ((colors, 3), (grays, 1)):
        image = Image.frombytes("P", index.size, index.tobytes())
        image.putpalette([value for entry in palette for value in entry])
        image.save(tmp_path / "p.png")
        expected = np.array(palette, np.uint8)[GRAY % 4][..., :n_channels]
        assert np.array_equal(read_pixels(tmp_path / "p.png").array, expected)


def test_alpha_is_dropped_and_not_blended(tmp_path):
    alpha = RNG.integers(0, 256, (20, 30, 1), np.uint8)
    Image.fromarray(np.concatenate([COLOR, alpha], 2)).save(tmp_path / "rgba.png")
    Image.fromarray(np.concatenate([GRAY[..., None], alpha], 2)).save(tmp_path / "la.png")
    assert np.array_equal(read_pixels(tmp_path / "rgba.png").array, COLOR)
    assert np.array_equal(read_pixels(tmp_path / "la.png").array[..., 0], GRAY)


def test_cmyk_becomes_light(tmp_path):
    for name in ("tif", "jpg"):
        Image.new("CMYK", (16, 16), (0, 255, 0, 0)).save(tmp_path / f"ink.{name}", quality=100)
        array = read_pixels(tmp_path / f"ink.{name}").array
        assert np.abs(array.astype(int) - [255, 0, 255]).max() <= 3


def test_sixteen_bit_png_keeps_all_bits_gray_and_color_and_alpha(tmp_path):
    deep_color = RNG.integers(0, 65536, (20, 30, 4), np.uint16)
    for n_channels, n_read in ((1, 1), (2, 1), (3, 3), (4, 3)):
        written = DEEP if n_channels == 1 else deep_color[..., :n_channels]
        (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(written)))
        pixels = read_pixels(tmp_path / "deep.png")
        assert pixels.bit_depth == 16
        assert pixels.array.dtype == np.uint16
        assert np.array_equal(pixels.array, written.reshape(20, 30, -1)[..., :n_read])


def test_sixteen_bit_color_jpeg_2000_keeps_all_bits(tmp_path):
    deep = RNG.integers(0, 65536, (20, 30, 3), np.uint16)
    path = tmp_path / "deep.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(deep, reversible=True, level=0))
    assert np.array_equal(read_pixels(path).array, deep)


def test_twelve_bit_jpeg_2000_keeps_its_numbers_and_says_its_depth(tmp_path):
    for written in (DEEP >> 4, np.stack([DEEP >> 4] * 3, axis=-1)):
        path = tmp_path / "twelve.jp2"
        path.write_bytes(imagecodecs.jpeg2k_encode(written, reversible=True, level=0, bitspersample=12))
        pixels = read_pixels(path)
        assert np.array_equal(pixels.array, written.reshape(20, 30, -1))
        assert pixels.bit_depth == 12


@pytest.mark.parametrize("is_long", [False, True])
def test_the_depth_is_declared_behind_boxes_of_any_length(tmp_path: Path, is_long: bool) -> None:
    about = b"\xff\x4f\xff\x51" + bytes(70_000)  # that look like a codestream
    length = (
        (b"\0\0\0\1xml " + (16 + len(about)).to_bytes(8, "big"))
        if is_long
        else ((8 + len(about)).to_bytes(4, "big") + b"xml ")
    )
    written = np.stack([DEEP >> 4] * 3, axis=-1)
    encoded = imagecodecs.jpeg2k_encode(written, reversible=True, level=0, codecformat="jp2", bitspersample=12)
    at = encoded.index(b"jp2c") - 4
    (tmp_path / "a.jp2").write_bytes(encoded[:at] + length + about + encoded[at:])
    assert np.array_equal(read_pixels(tmp_path / "a.jp2").array, written)
    assert read_pixels(tmp_path / "a.jp2").bit_depth == 12


def test_the_depth_of_an_avif_can_be_declared_behind_its_pixels(tmp_path: Path) -> None:
    deep = RNG.integers(0, 1024, (300, 300, 3), np.uint16)
    encoded = bytes(imagecodecs.avif_encode(deep, level=100, bitspersample=10, speed=10))
    start = encoded.index(b"meta") - 4
    about = encoded[start : start + int.from_bytes(encoded[start : start + 4], "big")]
    unused = len(about).to_bytes(4, "big") + b"free" + bytes(len(about) - 8)
    (tmp_path / "a.avif").write_bytes(encoded.replace(about, unused) + about)
    (tmp_path / "b.avif").write_bytes(encoded)
    pixels = read_pixels(tmp_path / "a.avif")
    assert (pixels.bit_depth, pixels.array.dtype) == (10, np.uint16)
    assert np.array_equal(pixels.array, read_pixels(tmp_path / "b.avif").array)


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_signed_jpeg_2000_keeps_its_sign(tmp_path: Path, dtype: type) -> None:
    limits = np.iinfo(dtype)
    written = RNG.integers(limits.min, limits.max, (20, 30), dtype)
    (tmp_path / "signed.j2k").write_bytes(imagecodecs.jpeg2k_encode(written, reversible=True, level=0))
    assert np.array_equal(read_pixels(tmp_path / "signed.j2k").array[..., 0], written)


def test_sixteen_bit_pgm_keeps_its_numbers(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 30 20 65535\n" + DEEP.astype(">u2").tobytes())
    pixels = read_pixels(tmp_path / "a.pgm")
    assert pixels.array.dtype == np.uint16
    assert np.array_equal(pixels.array[..., 0], DEEP)


@pytest.mark.parametrize("is_plain", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 15, 100, 255, 256, 4095, 65534, 65535])
def test_portable_maps_keep_their_numbers_whatever_the_largest_is(tmp_path: Path, limit: int, is_plain: bool) -> None:
    values = np.random.default_rng(limit).integers(0, limit + 1, (7, 9, 3), np.uint16)
    scale = 255 // limit if limit in (1, 3, 15) else 1  # as 1-, 2- and 4-bit gray of other formats
    for magic, array in (("P2" if is_plain else "P5", values[..., 0]), ("P3" if is_plain else "P6", values)):
        head = f"{magic} # a comment\n9 7\n{limit}\n".encode()
        data = " ".join(map(str, array.ravel())).encode() if is_plain else array.astype(">u2" if limit > 255 else "u1")
        (tmp_path / "a.pnm").write_bytes(head + (data if isinstance(data, bytes) else data.tobytes()))
        pixels = read_pixels(tmp_path / "a.pnm")
        assert pixels.bit_depth == limit.bit_length()
        assert pixels.array.dtype == (np.uint16 if limit > 255 else np.uint8)
        assert np.array_equal(pixels.array.squeeze(), array * scale)
        assert np.array_equal(
            read_pixels(tmp_path / "a.pnm", ReadPlan(region=(2, 1, 3, 4))).array.squeeze(), array[1:5, 2:5] * scale
        )


def test_a_portable_map_that_is_cut_or_exceeds_its_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5\n4 4\n4095\n" + bytes(31))
    with refusing(UnreadableImage, "image-incomplete"):
        read_pixels(tmp_path / "a.pgm")
    (tmp_path / "a.pgm").write_bytes(b"P5\n4 4\n4095\n" + b"\x10\x00" * 16)
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(tmp_path / "a.pgm")


def test_a_portable_map_of_text_is_not_read_without_a_limit(tmp_path: Path) -> None:
    with (tmp_path / "a.pgm").open("wb") as file:
        file.write(b"P2\n4 4\n255\n" + b"7 " * 16)
        file.truncate(300 * 2**20)
    with refusing(UnreadableImage, "image-file-too-long"):
        read_pixels(tmp_path / "a.pgm")


# An orientation that is not a number: text, 0/0, a number beyond the end, none of 0 numbers.
DAMAGED_TAGS = {
    "no header": b"garbage!",
    "cut": b"II*\0",
    "bytes": struct.pack("<4sIHHHI4sI", b"II*\0", 8, 1, 0x0112, 7, 4, b"\1\2\3\4", 0),
    "zero by zero": struct.pack("<4sIHHHIIIII", b"II*\0", 8, 1, 0x0112, 5, 1, 26, 0, 0, 0),
    "beyond the end": struct.pack("<4sIHHHIII", b"II*\0", 8, 1, 0x0112, 5, 1, 9999, 0),
}


@pytest.mark.parametrize("name", ["png", "jpg", "webp"])
@pytest.mark.parametrize("tags", DAMAGED_TAGS)
def test_damaged_metadata_do_not_make_an_image_unreadable(tmp_path: Path, name: str, tags: str) -> None:
    image, options = Image.fromarray(COLOR), {"lossless": True} if name == "webp" else {"quality": 100}
    image.save(tmp_path / f"good.{name}", **options)
    image.save(tmp_path / f"a.{name}", exif=b"Exif\0\0" + DAMAGED_TAGS[tags], **options)
    expected = read_pixels(tmp_path / f"good.{name}").array
    assert np.array_equal(read_pixels(tmp_path / f"a.{name}").array, expected)
    with Image.open(tmp_path / f"a.{name}") as opened:
        assert np.array_equal(_pillow.decode_pillow(opened).array, expected)


def test_jpeg_of_12_bit_and_lossless_jpeg_keep_their_numbers(tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64]
    gray = (x * 37 + y * 11).astype(np.uint16)
    color = np.dstack([gray, gray[::-1], gray // 2])
    lossless = imagecodecs.ljpeg_encode(gray * 16, bitspersample=16)
    for encoded, expected, depth, error in (
        (imagecodecs.jpeg_encode(gray, bitspersample=12, level=100), gray, 12, 8),
        (imagecodecs.jpeg_encode(color, bitspersample=12, level=100, subsampling="444"), color, 12, 8),
        (lossless, gray * 16, 16, 0),
        (imagecodecs.jpegls_encode(gray * 16), gray * 16, 16, 0),
        (imagecodecs.ljpeg_encode((gray // 16).astype(np.uint8), bitspersample=8), gray // 16, 8, 0),
    ):
        (tmp_path / "a.jpg").write_bytes(encoded)
        pixels = read_pixels(tmp_path / "a.jpg")
        assert (pixels.bit_depth, pixels.file_format) == (depth, "JPEG")
        assert np.abs(pixels.array.squeeze().astype(int) - expected).max() <= error
    inks = imagecodecs.jpeg_encode(np.dstack([color, gray]), bitspersample=12, colorspace="CMYK", outcolorspace="CMYK")
    (tmp_path / "a.jpg").write_bytes(inks)
    with refusing(UnreadableImage, "color-space", color_space="CMYK", bits=12):
        read_pixels(tmp_path / "a.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    segment = exif.tobytes()
    segment = segment if segment.startswith(b"Exif") else b"Exif\0\0" + segment
    app1 = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    (tmp_path / "turned.jpg").write_bytes(lossless[:2] + app1 + lossless[2:])
    assert np.array_equal(read_pixels(tmp_path / "turned.jpg").array.squeeze(), (gray * 16).T[:, ::-1])
    for n in (3, 20, len(lossless) // 2):
        (tmp_path / "cut.jpg").write_bytes(lossless[:n])
        with pytest.raises(UnreadableImage):
            read_pixels(tmp_path / "cut.jpg")


def test_of_several_exif_segments_of_a_jpeg_the_first_states_the_orientation(tmp_path: Path) -> None:
    """As Pillow reads those of 8 bit."""
    gray = np.arange(600, dtype=np.uint16).reshape(20, 30)
    segments = b""
    for orientation in (6, 3):
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
        segments += b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    lossless = imagecodecs.ljpeg_encode(gray * 16, bitspersample=16)
    usual = imagecodecs.jpeg_encode((gray // 4).astype(np.uint8), level=100)
    for encoded, expected in ((lossless, gray * 16), (usual, gray // 4)):
        (tmp_path / "a.jpg").write_bytes(encoded[:2] + segments + encoded[2:])
        array = read_pixels(tmp_path / "a.jpg").array.squeeze().astype(int)
        assert array.shape == (30, 20)
        assert np.abs(array - expected.T[:, ::-1]).max() <= 8


@pytest.mark.parametrize("name", [b"jp2h", b"jp2c"])
def test_a_jpeg_2000_of_very_many_boxes_is_refused_before_they_are_read(tmp_path: Path, name: bytes) -> None:
    encoded = imagecodecs.jpeg2k_encode(DEEP >> 4, reversible=True, level=0, codecformat="jp2", bitspersample=12)
    at = encoded.index(name) - 4
    for n_boxes, is_read in ((100, True), (20_000, False)):
        (tmp_path / "a.jp2").write_bytes(encoded[:at] + b"\0\0\0\x08free" * n_boxes + encoded[at:])
        with nullcontext() if is_read else refusing(UnreadableImage, "image-incomplete"):
            assert np.array_equal(read_pixels(tmp_path / "a.jp2").array.squeeze(), DEEP >> 4)


@pytest.mark.parametrize("depth", [8, 10, 12])
def test_avif_keeps_its_bits_and_heic_is_refused_by_its_name(tmp_path: Path, depth: int) -> None:
    color = np.random.default_rng(0).integers(0, 2**depth, (32, 40, 3)).astype(np.uint8 if depth == 8 else np.uint16)
    file = tmp_path / "a.avif"
    file.write_bytes(imagecodecs.avif_encode(color, level=100, bitspersample=depth))
    pixels = read_pixels(file)
    assert (pixels.bit_depth, pixels.file_format) == (depth, "AVIF")
    assert np.array_equal(pixels.array, imagecodecs.avif_decode(file.read_bytes()))
    file.write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    with refusing(UnreadableImage, "format-not-read"):
        read_pixels(file)


def test_the_first_frame_of_a_gif_is_read_and_others_can_be_chosen(tmp_path):
    frames = [Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (10, 20, 60)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert read_pixels(tmp_path / "film.gif").n_planes == 3
    frames_read = [read_pixels(tmp_path / "film.gif", ReadPlan(t=t)) for t in (0, 1, 2)]
    assert [pixels.array[0, 0, 0] for pixels in frames_read] == [10, 20, 60]
    all_frames = read_pixels(tmp_path / "film.gif", ReadPlan(z="channels"))
    assert all_frames.array[0, 0].tolist() == [10] * 3 + [20] * 3 + [60] * 3
    with refusing(UnreadableImage, "no-such-time", t=3, n_times=3):
        read_pixels(tmp_path / "film.gif", ReadPlan(t=3))


def test_a_frame_of_another_size_is_refused_and_not_cut(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 9), value, np.uint8)) for value in (10, 20)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    data = (tmp_path / "film.gif").read_bytes()
    at = data.rindex(b",\0\0\0\0\x09\0\x08\0")  # the position and size of the second frame
    (tmp_path / "film.gif").write_bytes(data[: at + 1] + b"\x05" + data[at + 2 :])
    assert read_pixels(tmp_path / "film.gif").array.shape == (8, 9, 3)
    with refusing(UnreadableImage, "image-damaged", reason=message("frame-of-other-size", frame=1)):
        read_pixels(tmp_path / "film.gif", ReadPlan(t=1))


def test_the_reason_for_a_damaged_file_has_no_raw_bytes() -> None:
    tag, chunk, array = b"\x00\xff", b"IDAT", bytearray(b"ab")
    error = ValueError(f"bad tag {tag!r} in chunk {chunk!r} of {array!r}")
    assert reader.reason_of(error) == "bad tag ... in chunk 'IDAT' of bytearray('ab')"


@pytest.mark.parametrize("name", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path, name, orientation):
    upright = np.kron(np.array([[0, 80, 160], [255, 40, 120]], np.uint8), np.ones((16, 16), np.uint8))
    # How a camera that is held otherwise stores the upright picture: the inverse of the viewer's turn.
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{name}"
    lossless = {"lossless": True} if name == "webp" else {"quality": 100}
    Image.fromarray(np.ascontiguousarray(undo[orientation])).save(path, exif=exif, **lossless)
    array = read_pixels(path).array[..., 0]
    assert array.shape == upright.shape
    assert np.abs(array.astype(int) - upright).max() < 12


def test_the_format_is_recognized_by_the_bytes_and_not_by_the_name(tmp_path):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert read_pixels(tmp_path / "a.jpg").file_format == "PNG"


def test_boxes_and_channels_of_the_plan(tmp_path):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    array = read_pixels(tmp_path / "a.png", ReadPlan(region=(5, 2, 10, 7), channels=(2, 0))).array
    assert np.array_equal(array, COLOR[2:9, 5:15][..., [2, 0]])
    assert array.flags.c_contiguous


@pytest.mark.parametrize(
    "plan",
    [
        ReadPlan(z=1),
        ReadPlan(channels=(3,)),
        ReadPlan(channels=()),
        ReadPlan(channels=(-1,)),
        ReadPlan(region=(30, 0, 6, 5)),
        ReadPlan(region=(-5, 0, 5, 5)),
        ReadPlan(region=(0, 0, 100_000, 100_000)),
        ReadPlan(region=(0, 0, 0, 5)),
        ReadPlan(region=(0, 20, 5, 5)),
    ],
)
def test_what_lies_outside_the_image_is_refused(tmp_path, plan):
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    with pytest.raises(UnreadableImage) as error:
        read_pixels(tmp_path / "a.png", plan)
    assert error.value.file == tmp_path / "a.png"


def write_nothing(path):
    path.write_bytes(b"")


def write_text(path):
    path.write_text("path,label\na.png,cell\n" * 50)


def write_zeros(path):
    path.write_bytes(bytes(5000))


def write_noise(path):
    path.write_bytes(RNG.bytes(5000))


def write_half_png(path):
    Image.fromarray(COLOR).save(path)
    path.write_bytes(path.read_bytes()[:900])


def write_png_without_header(path):
    Image.fromarray(COLOR).save(path)
    path.write_bytes(path.read_bytes()[:8] + bytes(500))


def write_folder(path):
    path.mkdir()


def write_dead_link(path):
    path.symlink_to("nowhere.png")


def write_loop(path):
    path.symlink_to(path.name)


def write_bomb(path):
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100))
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def write_hdf5(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))


@pytest.mark.parametrize(
    ("write", "code", "parameters"),
    [
        (write_nothing, "image-file-empty", {}),
        (write_text, "not-an-image", {"is_text": True}),
        (write_zeros, "image-damaged", {"reason": message("image-of-zeros")}),
        (write_noise, "not-an-image", {"is_text": False}),
        (write_half_png, "image-incomplete", {}),
        (write_png_without_header, "image-incomplete", {}),
        (write_folder, "folder-instead-of-image", {}),
        (write_dead_link, "no-such-image", {}),
        (write_loop, "image-not-opened", {}),
        (write_bomb, "image-too-many-pixels", {}),
        (write_hdf5, "format-not-read", {"title": "HDF5 (Imaris and others)"}),
    ],
)
def test_a_bad_file_is_refused_with_its_reason_its_name_and_what_to_do(tmp_path, capfd, write, code, parameters):
    path = tmp_path / "bad.png"
    write(path)
    with refusing(UnreadableImage, code, **parameters) as error:
        read_pixels(path)
    assert error.value.file == path
    assert error.value.do.endswith(".")
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_a_missing_file_and_an_impossible_name_are_refused(tmp_path):
    for path in (tmp_path / "gone.png", tmp_path / "nul\0.png", tmp_path / ("x" * 300 + ".png")):
        with pytest.raises(UnreadableImage):
            read_pixels(path)


@pytest.mark.parametrize(
    ("mode", "suffix", "n_bytes"),
    [("L", "png", 600), ("RGB", "png", 1800), ("I;16", "png", 1200), ("P", "gif", 1800), ("L", "jp2", 2400)],
)
def test_the_size_limit_counts_the_bytes_that_the_declared_pixels_take(tmp_path, mode, suffix, n_bytes):
    path = tmp_path / f"a.{suffix}"
    Image.new(mode, (30, 20)).save(path)
    assert read_pixels(path, max_bytes=n_bytes).array.shape[:2] == (20, 30)
    with refusing(UnreadableImage, "image-too-large", width=30, height=20):
        read_pixels(path, max_bytes=n_bytes - 1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
def test_many_rows_are_the_same_pixels_as_few(mode, monkeypatch):
    image = Image.fromarray(RNG.integers(0, 256, (50, 30, 3), np.uint8)).convert(mode)
    at_once = image_to_array(image)
    monkeypatch.setattr(_pillow, "_BLOCK_PIXELS", 200)
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 200)
    assert np.array_equal(image_to_array(image), at_once)
    assert image_to_array(image).dtype == at_once.dtype


def encoded(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(smooth()).save(buffer, name.removesuffix("-progressive"), progressive=name.endswith("-progressive"))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["JPEG", "JPEG-progressive", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000"])
def test_a_file_cut_anywhere_is_refused_or_whole_never_half_a_picture(tmp_path, name):
    data = encoded(name)
    path = tmp_path / "cut.img"
    path.write_bytes(data)
    whole = read_pixels(path).array
    for length in sorted({*range(0, len(data), max(1, len(data) // 60)), *range(len(data) - 12, len(data))}):
        path.write_bytes(data[:length])
        try:
            assert np.array_equal(read_pixels(path).array, whole), f"{name} cut at {length} of {len(data)}"
        except UnreadableImage:
            continue


@given(st.sampled_from(["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"]), st.data())
def test_damaged_bytes_raise_nothing_but_unreadable_image(tmp_path_factory, name, data):
    content = bytearray(encoded(name))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, min(len(content) - 1, 600)))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.img"
    path.write_bytes(content)
    try:
        assert read_pixels(path, max_bytes=1_000_000).array.ndim == 3
    except UnreadableImage:
        return


def test_suffixes_are_lower_case_with_their_dot():
    assert {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"} <= image_suffixes()
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in image_suffixes())
