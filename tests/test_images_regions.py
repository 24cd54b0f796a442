"""Series, times, z-planes, channels, levels and regions of one file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import refusing

from coverslip.errors import UnreadableImage
from coverslip.images.decoding import Fields, describe_image, read_pixels
from coverslip.images.reader import ReadPlan

RNG = np.random.default_rng(0)
FIELD = RNG.integers(0, 65_536, (90, 110), np.uint16)
COLOR = RNG.integers(0, 256, (90, 110, 3), np.uint8)

# Every way in which pages are stored: strips, tiles, planar samples, byte orders, narrow and signed numbers, palettes.
STORED: dict[str, tuple[np.ndarray[Any, Any], dict[str, Any]]] = {
    "one strip": (FIELD, {"rowsperstrip": 90}),
    "strips": (FIELD, {"rowsperstrip": 7}),
    "other byte order": (FIELD, {"byteorder": ">", "rowsperstrip": 90}),
    "compressed strips": (FIELD, {"rowsperstrip": 7, "compression": "zlib"}),
    "predictor": (FIELD, {"rowsperstrip": 7, "compression": "lzw", "predictor": True}),
    "tiles": (FIELD, {"tile": (32, 16)}),
    "compressed tiles": (FIELD, {"tile": (32, 48), "compression": "zlib"}),
    "color tiles": (COLOR, {"tile": (32, 48), "photometric": "rgb", "compression": "zlib"}),
    "planar strips": (COLOR.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate", "rowsperstrip": 9}),
    "planar tiles": (COLOR.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate", "tile": (32, 32)}),
    "jpeg tiles": (COLOR, {"tile": (32, 48), "photometric": "ycbcr", "compression": "jpeg"}),
    "white is zero": (FIELD, {"photometric": "miniswhite", "tile": (32, 48)}),
    "signed": (FIELD.astype(np.int16), {"tile": (32, 48)}),
    "float": (FIELD.astype(np.float32), {"tile": (32, 48)}),
    "turned": (FIELD, {"extratags": [(274, "H", 1, 6, True)]}),
    "palette": (FIELD.astype(np.uint8), {"photometric": "palette", "colormap": np.arange(768).reshape(3, 256) * 85}),
    "imagej": (FIELD, {"imagej": True}),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    for name, (array, options) in STORED.items():
        with tifffile.TiffWriter(
            folder / f"{name}.tif", imagej=options.get("imagej", False), byteorder=options.get("byteorder")
        ) as tiff:
            more = {key: value for key, value in options.items() if key not in ("imagej", "byteorder")}
            tiff.write(np.ascontiguousarray(array), **more)
    return folder


@given(data=st.data())
@pytest.mark.parametrize("name", STORED)
def test_a_region_has_the_pixels_of_the_whole_plane(stored: Path, name: str, data: st.DataObject) -> None:
    file = stored / f"{name}.tif"
    whole = read_pixels(file)
    height, width = whole.array.shape[:2]
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    w, h = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    part = read_pixels(file, ReadPlan(region=(x, y, w, h)))
    assert part.array.dtype == whole.array.dtype
    np.testing.assert_array_equal(part.array, whole.array[y : y + h, x : x + w])
    assert (part.bit_depth, part.note) == (whole.bit_depth, whole.note)


def test_a_region_beyond_the_edge_is_filled_as_when_the_plane_is_decoded_once(stored: Path) -> None:
    plan = ReadPlan(region=(-4, 80, 20, 30))
    alone = read_pixels(stored / "tiles.tif", plan)
    cached = read_pixels(stored / "tiles.tif", plan, fields=Fields())
    np.testing.assert_array_equal(alone.array, cached.array)
    assert alone.note == cached.note


def write_pyramid(path: Path, side: int = 512) -> np.ndarray[Any, Any]:
    """Two channels, three levels and two series with metadata, as OME-TIFF."""
    array = RNG.integers(0, 4096, (2, side, side), np.uint16)
    about = {"axes": "CYX", "Channel": {"Name": ["DAPI", "Alexa 488"]}, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as tiff:
        tiff.write(array, subifds=2, tile=(64, 64), metadata=about)
        for step in (2, 4):
            tiff.write(array[:, ::step, ::step], subfiletype=1, tile=(64, 64))
        tiff.write(array[:, :50, :60] // 2, metadata={"axes": "CYX"})
    return array


def test_levels_channels_and_series_of_a_pyramid_are_chosen(tmp_path: Path) -> None:
    array = write_pyramid(tmp_path / "a.ome.tif")
    first, second = describe_image(tmp_path / "a.ome.tif")
    assert first.levels == ((512, 512), (256, 256), (128, 128))
    assert (first.channels, first.dtype, first.pixel_size_um) == (("DAPI", "Alexa 488"), "uint16", (0.5, 0.5))
    assert first.pixel_size_at(2) == (2.0, 2.0)
    assert (second.shape, second.levels, second.pixel_size_um) == ((2, 50, 60), (), None)

    def read(**plan: Any) -> np.ndarray[Any, Any]:
        return read_pixels(tmp_path / "a.ome.tif", ReadPlan(**plan)).array

    np.testing.assert_array_equal(read(level=1, channels=("alexa 488",))[..., 0], array[1, ::2, ::2])
    coarse = read(level=2, channels=(1, 0), region=(40, 80, 100, 60))  # in pixels of the full resolution
    np.testing.assert_array_equal(coarse, np.moveaxis(array[::-1, ::4, ::4][:, 20:35, 10:35], 0, 2))
    np.testing.assert_array_equal(read(series=1, channels=("DAPI", 1)[1:])[..., 0], array[1, :50, :60] // 2)
    for plan, code in (
        ({"series": 2}, "no-such-series"),
        ({"level": 3}, "no-such-level"),
        ({"t": 1}, "no-such-time"),
        ({"z": 1}, "no-such-plane"),
        ({"channels": ("GFP",)}, "no-such-channel-name"),
        ({"channels": (2,)}, "no-such-channels"),
    ):
        with refusing(UnreadableImage, code):
            read(**plan)


@pytest.mark.parametrize("repeats", [True, False])
def test_levels_and_boxes_of_a_turned_pyramid_are_upright(tmp_path: Path, repeats: bool) -> None:
    turned: dict[str, Any] = {"extratags": [(274, "H", 1, 6, True)]}
    options: dict[str, Any] = {"photometric": "rgb", "tile": (32, 32), "metadata": None}
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(COLOR, subifds=1, **options, **turned)
        tiff.write(COLOR[::2, ::2], subfiletype=1, **options, **(turned if repeats else {}))
    upright = COLOR.swapaxes(0, 1)[:, ::-1]
    assert describe_image(tmp_path / "a.tif")[0].sizes == ((90, 110), (45, 55))
    for level in (0, 1):
        whole = read_pixels(tmp_path / "a.tif", ReadPlan(level=level)).array
        np.testing.assert_array_equal(whole, COLOR[:: 1 + level, :: 1 + level].swapaxes(0, 1)[:, ::-1])
    part = read_pixels(tmp_path / "a.tif", ReadPlan(region=(5, 95, 20, 10))).array
    np.testing.assert_array_equal(part, upright[95:105, 5:25])


def test_only_the_selected_channels_count_toward_the_limit(tmp_path: Path) -> None:
    many = np.stack([FIELD + k for k in range(30)])
    tifffile.imwrite(tmp_path / "a.ome.tif", many, metadata={"axes": "CYX"}, photometric="minisblack")
    limit = 3 * FIELD.nbytes
    array = read_pixels(tmp_path / "a.ome.tif", ReadPlan(channels=(4, 3, 9)), max_bytes=limit).array
    np.testing.assert_array_equal(array, np.stack([FIELD + k for k in (4, 3, 9)], axis=2))


def test_a_number_that_is_no_channel_can_be_its_name(tmp_path: Path) -> None:
    about = {"axes": "CYX", "Channel": {"Name": ["405", "488"]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([FIELD, FIELD + 1]), metadata=about)
    np.testing.assert_array_equal(
        read_pixels(tmp_path / "a.ome.tif", ReadPlan(channels=(488,))).array[..., 0], FIELD + 1
    )


def test_the_sharpest_plane_is_found_in_the_region(tmp_path: Path) -> None:
    sharp, dull = RNG.integers(0, 200, (40, 80), np.uint8), np.full((40, 80), 100, np.uint8)
    left, right = sharp.copy(), sharp.copy()
    left[:, 40:], right[:, :40] = dull[:, 40:], dull[:, :40]
    stack = np.stack([dull, left, right])
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    for region, expected in (((0, 0, 40, 40), left), ((40, 0, 40, 40), right)):
        plan = ReadPlan(z="best-focus", region=region)
        for fields in (None, Fields()):
            read = read_pixels(tmp_path / "a.tif", plan, fields=fields).array[..., 0]
            np.testing.assert_array_equal(read, expected[:, region[0] : region[0] + 40])


@pytest.mark.parametrize("axes", ["TZCYX", "ZCYX", "TCYX", "TZYX", "CYX", "TYX", "ZYX"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_hyperstacks_of_imagej_keep_time_z_and_channel_apart_whichever_axes_have_length_one(
    tmp_path: Path, axes: str, compression: str | None
) -> None:
    sizes = {"T": 2, "Z": 3, "C": 4, "Y": 20, "X": 30}
    shape = tuple(sizes[axis] if axis in axes else 1 for axis in "TZCYX")
    stack = RNG.integers(0, 60_000, shape, np.uint16)
    options = {"imagej": True} if compression is None else {"imagej": True, "compression": compression}
    tifffile.imwrite(tmp_path / "a.tif", stack, metadata={"axes": "TZCYX"}, **options)
    (series,) = describe_image(tmp_path / "a.tif")
    assert (series.size("T"), series.n_z, series.n_channels) == shape[:3]
    t, z, c = (n - 1 for n in shape[:3])
    plan = ReadPlan(t=t, z=z, channels=(c,), region=(3, 4, 20, 10))
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif", plan).array[..., 0], stack[t, z, c, 4:14, 3:23])


def test_ome_tiff_in_several_files_is_one_image_and_a_missing_file_is_no_black_plane(tmp_path: Path) -> None:
    stack = RNG.integers(0, 60_000, (2, 30, 40), np.uint16)
    names, uuid = ("a.ome.tif", "b.ome.tif"), "urn:uuid:00000000-0000-0000-0000-00000000000"
    data = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{name}">{uuid}{z}</UUID></TiffData>'
        for z, name in enumerate(names)
    )
    for z, name in enumerate(names):
        xml = (
            f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}{z}">'
            '<Image ID="Image:0"><AcquisitionDate>2024-05-06T07:08:09</AcquisitionDate><Pixels ID="Pixels:0" '
            'DimensionOrder="XYZCT" Type="uint16" SizeX="40" SizeY="30" SizeZ="2" SizeC="1" SizeT="1">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{data}<Plane TheZ="0" TheT="0" TheC="0" '
            'PositionX="1.5" PositionXUnit="mm" PositionY="-2" PositionYUnit="mm"/></Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / name, stack[z], description=xml, metadata=None)
    (series,) = describe_image(tmp_path / names[0])
    assert (series.n_z, series.acquired, series.position_um) == (2, "2024-05-06T07:08:09", (1500.0, -2000.0))
    np.testing.assert_array_equal(read_pixels(tmp_path / names[0], ReadPlan(z=1)).array[..., 0], stack[1])
    part = read_pixels(tmp_path / names[0], ReadPlan(z=1, region=(3, 4, 10, 5))).array[..., 0]
    np.testing.assert_array_equal(part, stack[1, 4:9, 3:13])
    (tmp_path / names[1]).unlink()
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(tmp_path / names[0], ReadPlan(z=1))


def test_formats_that_are_decoded_whole_give_regions_too(tmp_path: Path) -> None:
    Image.fromarray(COLOR).save(tmp_path / "a.png")
    read = read_pixels(tmp_path / "a.png", ReadPlan(region=(5, 6, 20, 10), channels=(2, 0))).array
    np.testing.assert_array_equal(read, COLOR[6:16, 5:25, [2, 0]])


@pytest.mark.slow
def test_a_region_of_a_plane_beyond_the_limit_is_read_alone_or_among_others(tmp_path: Path) -> None:
    side = 20_000  # 400 million pixels; the file has empty tiles but for one
    tile = RNG.integers(1, 256, (256, 256), np.uint8)
    empty = np.zeros_like(tile)
    n = -(-side // 256)
    tiles = (tile if k == 2 * n + 3 else empty for k in range(n * n))
    tifffile.imwrite(tmp_path / "a.tif", tiles, shape=(side, side), dtype=np.uint8, tile=(256, 256), compression="zlib")
    with refusing(UnreadableImage, "image-too-large"):
        read_pixels(tmp_path / "a.tif")
    for fields in (None, Fields()):
        plan = ReadPlan(region=(3 * 256, 2 * 256, 256, 256))
        np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif", plan, fields=fields).array[..., 0], tile)
