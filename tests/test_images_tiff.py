"""TIFF as microscopes write them: depths, axes, planes, odd tags and really cut files."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_kinds import write_old_jpeg, write_raw_tiff
from PIL import Image
from refusing import refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import PixelFacts, pixel_hash
from coverslip.images.reader import ReadPlan
from coverslip.images.reading import describe
from coverslip.messages import Set, message

# pytest undoes the filter that coverslip sets for these (and a fresh process is tested below).
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 4096, (3, 20, 30), np.uint16)
GREY = RNG.integers(0, 256, (20, 30), np.uint8)
COLOUR = RNG.integers(0, 256, (20, 30, 3), np.uint8)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (GREY, "uint8"),
        (GREY.astype(np.uint16) * 257, "uint16"),
        (GREY.astype(np.int16), "uint16"),
        (GREY.astype(np.int16) - 100, "float32"),
        (GREY.astype(np.int8), "float32"),
        ((GREY // 2).astype(np.int8), "uint8"),
        (GREY.astype(np.uint32) * 1000, "float32"),
        (GREY.astype(np.int32) - 7, "float32"),
        (GREY.astype(np.float16), "float32"),
        (GREY.astype(np.float32) / 7, "float32"),
        (GREY.astype(np.float64) / 8, "float32"),
        (COLOUR, "uint8"),
        (COLOUR.astype(np.uint16) * 257, "uint16"),
        (COLOUR.astype(np.float32), "float32"),
    ],
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_every_depth_comes_back_with_its_values(tmp_path, written, expected, byteorder, compression):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, written, byteorder=byteorder, compression=compression)
    pixels = read_pixels(path)
    assert pixels.array.dtype == expected
    assert pixels.array.dtype.isnative
    assert pixels.note is None
    assert np.array_equal(pixels.array, written.reshape(20, 30, -1).astype(np.float32))
    assert pixels.bit_depth == written.dtype.itemsize * 8


def test_twelve_packed_bits_keep_their_numbers_and_say_their_depth(tmp_path):
    path = tmp_path / "twelve.tif"
    values = STACK[0].astype(np.uint32)
    pairs = values.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
    write_raw_tiff(path, 30, 20, packed.astype(np.uint8).tobytes(), bits=12)
    pixels = read_pixels(path)
    assert np.array_equal(pixels.array[..., 0], STACK[0])
    assert pixels.bit_depth == 12


@pytest.mark.parametrize("bits", [2, 4])
def test_narrow_gray_is_spread_over_eight_bits(tmp_path, bits):
    path = tmp_path / "narrow.tif"
    top, per_byte = 2**bits - 1, 8 // bits
    values = (np.arange(32 * 8) % (top + 1)).reshape(8, 32).astype(np.uint8)
    shifts = np.arange(per_byte)[::-1] * bits
    write_raw_tiff(path, 32, 8, (values.reshape(-1, per_byte) << shifts).sum(1).astype(np.uint8).tobytes(), bits=bits)
    assert np.array_equal(read_pixels(path).array[..., 0], values * (255 // top))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero_is_turned_round(tmp_path, dtype, compression):
    written = GREY.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", written, photometric="miniswhite", compression=compression)
    assert np.array_equal(read_pixels(tmp_path / "a.tif").array[..., 0], np.iinfo(dtype).max - written)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_white_is_zero_of_signed_numbers_is_turned_round(tmp_path, dtype):
    written = GREY.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", written, photometric="miniswhite", metadata=None)
    pixels = read_pixels(tmp_path / "a.tif").array[..., 0].astype(float)
    assert np.corrcoef(pixels.ravel(), written.ravel())[0, 1] == pytest.approx(-1)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("factor", [257, 1])  # entries of 16 bit, or of 8 bit as some programs write them
def test_a_palette_is_applied(tmp_path, compression, factor):
    colors = RNG.integers(0, 256, (3, 256)).astype(np.uint16)
    table = colors * factor
    options = {"photometric": "palette", "compression": compression, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", GREY, colormap=table, **options)
    assert np.array_equal(read_pixels(tmp_path / "a.tif").array, colors.T.astype(np.uint8)[GREY])
    grays = np.tile(np.arange(256, dtype=np.uint16)[::-1] * factor, (3, 1))
    tifffile.imwrite(tmp_path / "g.tif", GREY, colormap=grays, **options)
    assert np.array_equal(read_pixels(tmp_path / "g.tif").array[..., 0], 255 - GREY)


def test_a_palette_of_pages_of_1_bit_or_with_transparency_is_applied(tmp_path: Path) -> None:
    colors = np.array([[0, 200], [9, 30], [77, 255]], np.uint16) * 257
    pages = RNG.integers(0, 2, (2, 20, 32)).astype(bool)
    table = [(320, 3, colors.size, colors.ravel().tolist(), False)]
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", extratags=table, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tiff:
        for page in tiff.pages:
            page.tags["PhotometricInterpretation"].overwrite(3)  # palette, which tifffile writes for 8 and 16 bit only
    for z, page in enumerate(pages):
        expected = (colors >> 8).T.astype(np.uint8)[page.astype(int)]
        assert np.array_equal(read_pixels(tmp_path / "a.tif", ReadPlan(z=z)).array, expected)
    image = Image.fromarray(GREY)
    image.putpalette(RNG.integers(0, 256, 768).tolist())
    image.convert("PA").save(tmp_path / "b.tif", compression="tiff_lzw")
    assert np.array_equal(read_pixels(tmp_path / "b.tif").array, np.asarray(image.convert("RGB")))
    assert describe(tmp_path / "b.tif")[0].n_channels == 3


@pytest.mark.parametrize("kind", ["imagej", "ome"])
def test_a_color_table_for_display_changes_no_value(tmp_path: Path, kind: str) -> None:
    """ImageJ and OME store how they display gray values; each of these tables would change them."""
    gray = np.linspace(0, 65280, 256, dtype=np.uint16)
    for table in (np.stack([gray] * 3), np.stack([gray * 0, gray, gray * 0]), np.stack([gray[::-1]] * 3)):
        stack = RNG.integers(0, 256, (2, 20, 30), np.uint8)
        tifffile.imwrite(
            tmp_path / "a.tif", stack, photometric="palette", colormap=table, metadata={"axes": "ZYX"}, **{kind: True}
        )
        assert describe(tmp_path / "a.tif")[0].n_channels == 1
        for z, plane in enumerate(stack):
            assert np.array_equal(read_pixels(tmp_path / "a.tif", ReadPlan(z=z)).array[..., 0], plane)


def test_gray_that_imagej_displays_inverted_keeps_its_values(tmp_path: Path) -> None:
    about = "ImageJ=1.54f\n"
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite", description=about, metadata=None)
    assert np.array_equal(read_pixels(tmp_path / "a.tif").array[..., 0], GREY)
    tifffile.imwrite(tmp_path / "b.tif", GREY, photometric="miniswhite", metadata=None)
    assert np.array_equal(read_pixels(tmp_path / "b.tif").array[..., 0], 255 - GREY)


def test_signed_values_of_imagej_are_those_of_a_signed_file(tmp_path: Path) -> None:
    signed = RNG.integers(-1000, 2000, (20, 30), np.int16)
    about = "ImageJ=1.54f\nc0=-32768.0\nc1=1.0\nvunit=Gray Value\n"
    stored = (signed.astype(int) + 32768).astype(np.uint16)
    tifffile.imwrite(tmp_path / "signed.tif", stored, description=about, metadata=None)
    assert describe(tmp_path / "signed.tif")[0].dtype == "int16"
    assert np.array_equal(read_pixels(tmp_path / "signed.tif").array[..., 0], signed.astype(np.float32))
    # Another calibration, of a density, changes no value.
    tifffile.imwrite(tmp_path / "density.tif", stored, description=about.replace("-32768.0", "0.5"), metadata=None)
    assert np.array_equal(read_pixels(tmp_path / "density.tif").array[..., 0], stored)


def test_the_selected_page_is_read_in_color_spaces_that_only_pillow_converts(tmp_path: Path) -> None:
    colors = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for color in colors:
            page = np.asarray(color.convert("YCbCr"))
            writer.write(page, photometric="ycbcr", metadata=None, contiguous=False)
    pages = [read_pixels(tmp_path / "a.tif", ReadPlan(z=z)).array for z in (0, 1)]
    for page, color in zip(pages, colors, strict=True):
        assert np.abs(page.astype(int) - np.asarray(color)).max() <= 4
    channel = read_pixels(tmp_path / "a.tif", ReadPlan(z=1, channels=(2,))).array
    assert np.array_equal(channel[..., 0], pages[1][..., 2])
    tifffile.imwrite(tmp_path / "deep.tif", COLOUR.astype(np.uint16), photometric=8)
    with refusing(UnreadableImage, "color-space", color_space="CIELab", bits=16):
        read_pixels(tmp_path / "deep.tif")


def test_old_style_jpeg_is_read(tmp_path: Path) -> None:
    y, x = np.mgrid[:48, :64]
    color = np.stack([x * 3, y * 4, x + y], axis=-1).astype(np.uint8)
    write_old_jpeg(tmp_path / "a.tif", color)
    assert np.abs(read_pixels(tmp_path / "a.tif").array.astype(int) - color).max() <= 4
    region = read_pixels(tmp_path / "a.tif", ReadPlan(region=(5, 6, 20, 10), channels=(1,))).array
    assert np.abs(region[..., 0].astype(int) - color[6:16, 5:25, 1]).max() <= 4


def test_a_reduced_copy_or_a_mask_is_never_taken_for_the_image(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(COLOUR[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
        writer.write(COLOUR, photometric="rgb", metadata=None)
    assert np.array_equal(read_pixels(tmp_path / "a.tif").array, COLOUR)
    with tifffile.TiffWriter(tmp_path / "c.tif") as writer:
        writer.write(GREY > 100, subfiletype=4, metadata=None)
        writer.write(COLOUR[::2, ::2], photometric="rgb", extratags=[(255, 3, 1, 2, True)], metadata=None)
        writer.write(COLOUR, photometric="rgb", metadata=None)
    assert np.array_equal(read_pixels(tmp_path / "c.tif").array, COLOUR)
    with tifffile.TiffWriter(tmp_path / "b.ome.tif", ome=True) as writer:
        for pixels, side_um, kind in ((GREY[::2, ::2], 8.0, 1), (GREY, 0.5, 0)):
            about = {"axes": "YX", "PhysicalSizeX": side_um, "PhysicalSizeY": side_um}
            writer.write(pixels, subfiletype=kind, metadata=about)
    image = read_pixels(tmp_path / "b.ome.tif")
    assert (image.array.shape, image.pixel_size_um) == ((20, 30, 1), (0.5, 0.5))


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_declared_alpha_is_dropped_and_unexplained_samples_are_channels(tmp_path, planarconfig, dtype):
    samples = RNG.integers(0, 256, (20, 30, 4)).astype(dtype)
    written = samples if planarconfig == "contig" else np.moveaxis(samples, 2, 0)
    options = {"photometric": "rgb", "planarconfig": planarconfig}
    tifffile.imwrite(tmp_path / "alpha.tif", written, extrasamples=["unassalpha"], **options)
    assert np.array_equal(read_pixels(tmp_path / "alpha.tif").array, samples[..., :3])
    tifffile.imwrite(tmp_path / "extra.tif", written, extrasamples=["unspecified"], **options)
    assert np.array_equal(read_pixels(tmp_path / "extra.tif").array, samples)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_inks_become_light_alike_in_both_depths(tmp_path, dtype):
    inks = np.zeros((8, 8, 4), dtype)
    inks[..., 1] = inks[:4, ..., 3] = np.iinfo(dtype).max
    tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated", compression="zlib")
    array = read_pixels(tmp_path / "a.tif").array / np.iinfo(dtype).max
    assert np.array_equal(array[0, 0], [0, 0, 0])
    assert np.array_equal(array[7, 7], [1, 0, 1])


def test_lab_and_jpeg_in_tiff_are_colors(tmp_path):
    picture = np.full((32, 32, 3), (200, 60, 90), np.uint8)
    tifffile.imwrite(tmp_path / "jpeg.tif", picture, compression="jpeg", photometric="rgb")
    assert np.abs(read_pixels(tmp_path / "jpeg.tif").array.astype(int) - picture).max() < 12
    lab = np.full((8, 8, 3), (128, 0, 0), np.uint8)  # half as light as white, without color
    tifffile.imwrite(tmp_path / "lab.tif", lab, photometric="cielab", compression="zlib")
    gray = read_pixels(tmp_path / "lab.tif").array[0, 0].astype(int)
    assert np.ptp(gray) <= 3
    assert 100 < gray.mean() < 140


def test_tiles_and_pyramids_give_the_full_resolution(tmp_path):
    large = RNG.integers(0, 256, (300, 260, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        writer.write(large, tile=(64, 64), subifds=1, photometric="rgb", compression="zlib")
        writer.write(large[::2, ::2], tile=(64, 64), subfiletype=1, photometric="rgb", compression="zlib")
    pixels = read_pixels(tmp_path / "pyramid.tif")
    assert np.array_equal(pixels.array, large)
    assert pixels.n_planes == 1


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped"])
def test_pages_declared_as_channels_are_channels(tmp_path, kind):
    options = {"imagej": {"imagej": True}, "ome": {"ome": True}, "shaped": {"photometric": "minisblack"}}[kind]
    tifffile.imwrite(tmp_path / "a.tif", STACK, metadata={"axes": "CYX"}, **options)
    pixels = read_pixels(tmp_path / "a.tif")
    assert np.array_equal(pixels.array, np.moveaxis(STACK, 0, 2))
    assert pixels.n_planes == 1
    channel = read_pixels(tmp_path / "a.tif", ReadPlan(channels=(1,)))
    assert np.array_equal(channel.array[..., 0], STACK[1])


@pytest.mark.parametrize("kind", ["imagej", "ome", "shaped", "plain"])
def test_other_pages_are_planes_of_which_one_is_chosen_or_all_projected(tmp_path, kind):
    options = {"imagej": {"imagej": True}, "ome": {"ome": True}, "shaped": {}, "plain": {"metadata": None}}[kind]
    if kind != "plain":
        options["metadata"] = {"axes": "ZYX"}
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    assert read_pixels(path).n_planes == 3
    assert np.array_equal(read_pixels(path).array[..., 0], STACK[0])
    assert np.array_equal(read_pixels(path, ReadPlan(z=2)).array[..., 0], STACK[2])
    assert np.array_equal(read_pixels(path, ReadPlan(z="max")).array[..., 0], STACK.max(0))
    assert np.array_equal(read_pixels(path, ReadPlan(z="mean")).array[..., 0], np.rint(STACK.mean(0)))
    with refusing(UnreadableImage, "no-such-plane", plane="3", n_planes=3):
        read_pixels(path, ReadPlan(z=3))


@pytest.mark.parametrize("kind", ["imagej", "ome"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_and_channels_of_a_hyperstack_are_distinguished(tmp_path, kind, compression):
    hyperstack = RNG.integers(0, 65536, (2, 3, 4, 20, 30), np.uint16)  # (T, Z, C, H, W)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, hyperstack, metadata={"axes": "TZCYX"}, compression=compression, **{kind: True})
    assert read_pixels(path).n_planes == 6
    array = read_pixels(path, ReadPlan(t=1, z=1)).array
    assert np.array_equal(array, np.moveaxis(hyperstack[1, 1], 0, 2))
    highest = read_pixels(path, ReadPlan(t=1, z="max", channels=(3,))).array[..., 0]
    assert np.array_equal(highest, hyperstack[1, :, 3].max(0))
    pages = read_pixels(path, ReadPlan(z="channels")).array
    assert np.array_equal(pages, np.moveaxis(hyperstack.reshape(-1, 20, 30), 0, 2))


def test_nan_and_infinity_are_replaced_and_noted(tmp_path):
    values = GREY.astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    tifffile.imwrite(tmp_path / "a.tif", values)
    pixels = read_pixels(tmp_path / "a.tif")
    rest = values[np.isfinite(values)]
    assert pixels.array[0, :3, 0].tolist() == [rest.min(), rest.max(), rest.min()]
    assert pixels.note == message("pixels-replaced")
    tifffile.imwrite(tmp_path / "b.tif", np.full((5, 5), np.nan, np.float32))
    with refusing(UnreadableImage, "no-finite-pixel"):
        read_pixels(tmp_path / "b.tif")


def test_complex_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.complex64))
    with refusing(UnreadableImage, "tiff-pixel-type", dtype="complex64"):
        read_pixels(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib"},
        {"compression": "lzw"},
        {"tile": (16, 16)},
        {"imagej": True},
        {"ome": True},
        {"metadata": None},
        {"metadata": None, "rowsperstrip": 7, "compression": "zlib"},
        {"bigtiff": True},
    ],
)
@pytest.mark.parametrize("array", [STACK, STACK[0], GREY])
def test_a_cut_tiff_is_refused_or_whole(tmp_path, caplog, capfd, options, array):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    data = path.read_bytes()
    whole = [read_pixels(path, ReadPlan(z=plane)) for plane in (0, "max")]
    for length in range(0, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:length])
        for plane, expected in zip((0, "max"), whole, strict=True):
            try:
                pixels = read_pixels(path, ReadPlan(z=plane))
            except UnreadableImage:
                continue
            assert np.array_equal(pixels.array, expected.array), f"cut at {length} of {len(data)}"
            assert pixels.n_planes == expected.n_planes
    assert not caplog.records
    assert capfd.readouterr().err == ""


def test_tifffile_still_logs_for_others(tmp_path, caplog):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack")
    read_pixels(tmp_path / "a.tif")
    with caplog.at_level(logging.WARNING, "tifffile"):
        logging.getLogger("tifffile").warning("from elsewhere")
    assert [record.getMessage() for record in caplog.records] == ["from elsewhere"]


def test_the_declared_size_is_checked_before_memory_is_requested(tmp_path):
    write_raw_tiff(tmp_path / "bomb.tif", 200_000, 200_000, b"0123456789", bits=16)
    with refusing(UnreadableImage, "image-too-large", width=200_000, height=200_000):
        read_pixels(tmp_path / "bomb.tif")


def test_cell_cycle_files_have_three_channels(shared_data):
    path = next(shared_data("cellcycle_jurkat_16bit").rglob("*.tif"))
    pixels = read_pixels(path)
    assert pixels.array.shape == (40, 40, 3)
    assert pixels.array.dtype == np.uint16
    assert pixels.n_planes == 1
    assert np.array_equal(np.moveaxis(pixels.array, 2, 0), tifffile.imread(path))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_every_g_band_chromosome_is_read_as_tifffile_reads_it(shared_data, capfd):
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # for the comparison alone
    try:
        paths = sorted(shared_data("chromosomes_gband").rglob("*.tiff"))
        assert len(paths) == 2806
        for path in paths:
            pixels = read_pixels(path)
            assert np.array_equal(pixels.array[..., 0], tifffile.imread(path))
    finally:
        logging.getLogger("tifffile").setLevel(logging.NOTSET)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("offset", [True, False])
def test_a_strip_that_was_not_written_is_refused(tmp_path: Path, offset: bool) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, rowsperstrip=5, metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        for name in ("StripByteCounts", *(["StripOffsets"] if offset else [])):
            tag = tiff.pages.first.tags[name]
            size = {3: 2, 4: 4}[int(tag.dtype)]
            data[tag.valueoffset + size : tag.valueoffset + 2 * size] = bytes(size)
    (tmp_path / "a.tif").write_bytes(data)
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(tmp_path / "a.tif")


def test_a_g_band_chromosome_that_is_really_cut_is_refused(shared_data, tmp_path):
    data = next(shared_data("chromosomes_gband").rglob("*.tiff")).read_bytes()
    for length in (len(data) // 4, len(data) // 2, len(data) - 300):
        (tmp_path / "cut.tiff").write_bytes(data[:length])
        with pytest.raises(UnreadableImage):
            read_pixels(tmp_path / "cut.tiff")


def test_equal_pixels_hash_equally_in_png_bmp_and_every_kind_of_tiff(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    Image.fromarray(COLOUR).save(tmp_path / "a.bmp")
    Image.fromarray(COLOUR).save(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", COLOUR, compression="zlib", tile=(16, 16), photometric="rgb")
    tifffile.imwrite(tmp_path / "c.tif", np.moveaxis(COLOUR, 2, 0), planarconfig="separate", photometric="rgb")
    assert len({pixel_hash(read_pixels(path)) for path in tmp_path.iterdir()}) == 1


@pytest.mark.slow
def test_a_fresh_process_prints_nothing_about_odd_files(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", ome=True)
    (tmp_path / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:4100])
    Image.fromarray(GREY).save(tmp_path / "c.tif")
    (tmp_path / "d.tif").write_bytes((tmp_path / "c.tif").read_bytes()[:-90])
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png")  # above the size that Pillow warns about
    program = """
import sys
from pathlib import Path
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import read_pixels
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        print(path.name, read_pixels(path).array.shape)
    except UnreadableImage:
        print(path.name, "unreadable")
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    outcomes = [line.split()[1] for line in done.stdout.splitlines()]
    assert outcomes == ["(20,", "unreadable", "(20,", "unreadable", "(9000,"]


def test_pages_are_channels_by_choice(tmp_path: Path) -> None:
    pages = RNG.integers(0, 60_000, (3, 12, 16), np.uint16)
    for name in ("a", "b"):
        tifffile.imwrite(tmp_path / f"{name}.tif", pages, photometric="minisblack", metadata=None)
    as_channels = ReadPlan(z="channels")
    pixels = read_pixels(tmp_path / "a.tif", as_channels)
    assert np.array_equal(pixels.array, pages.transpose(1, 2, 0))
    assert pixels.n_planes == 1
    channels = read_pixels(tmp_path / "a.tif", ReadPlan(z="channels", channels=(2, 0), region=(1, 2, 5, 6))).array
    assert np.array_equal(channels, pages[[2, 0], 2:8, 1:6].transpose(1, 2, 0))
    (tmp_path / "t.csv").write_text("path,label\na.tif,x\nb.tif,y\n")
    data = open_dataset(tmp_path / "t.csv")
    findings = {finding.code: finding for finding in inspect_dataset(data, scan_images(data)).findings}
    assert findings["several-planes"].remedies == (Set("images.z", "channels"),)
    data = data.read_with(as_channels)
    facts = scan_images(data).facts
    assert "several-planes" not in {finding.code for finding in inspect_dataset(data, Scan(facts)).findings}
    assert [fact.n_channels for fact in facts if isinstance(fact, PixelFacts)] == [3, 3]
