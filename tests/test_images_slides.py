"""TIFF files of slide scanners and microscopes, generated in their layouts: LSM, SVS, NDPI, OME-TIFF of many images.

Every reading is compared with pixels that were written, or with Pillow, which shares no code with tifffile.
"""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from refusing import refusing

from coverslip.errors import UnreadableImage
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.messages import message

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def colors(height: int, width: int) -> Array:
    y, x = np.mgrid[:height, :width]
    waves = np.sin(x / 17), np.cos(y / 23), np.sin((x + y) / 31)
    return (127 + 100 * np.stack(waves, -1)).astype(np.uint8)


def by_pillow(path: Path, frame: int) -> Array:
    with Image.open(path) as image:
        image.seek(frame)
        return np.asarray(image.convert("RGB"))


# SVS: tiles of the slide, its levels, a thumbnail, the label and the macro image, told apart by descriptions


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1])
def test_levels_and_further_images_of_an_svs_are_those_that_pillow_reads(tmp_path: Path, level: int) -> None:
    pixels, path = colors(600, 900), tmp_path / "a.svs"
    about = "Aperio Image Library v12.0.15\r\n900x600"
    options: dict[str, Any] = {"photometric": "rgb", "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path) as tiff:
        tiled: dict[str, Any] = {**options, "tile": (240, 240)}
        tiff.write(
            pixels, description=f"{about} [0,0 900x600] (240x240) JPEG/RGB Q=90|AppMag = 20|MPP = 0.4990", **tiled
        )
        strips: dict[str, Any] = {**options, "rowsperstrip": 16}
        tiff.write(pixels[::4, ::4], description=f"{about} -> 225x150 - |AppMag = 20|MPP = 0.4990", **strips)
        tiff.write(pixels[::2, ::2], description=f"{about} [0,0 900x600] (240x240) -> 450x300 JPEG/RGB Q=90", **tiled)
        tiff.write(pixels[:64, :64], description=f"{about}\r\nlabel 64x64", subfiletype=1, **strips)
        tiff.write(pixels[:80, :200], description=f"{about}\r\nmacro 200x80", subfiletype=9, **strips)
    slide, *others = describe_image(path)
    assert (slide.levels, slide.pixel_size_um) == (((900, 600), (450, 300)), (0.499, 0.499))
    assert [series.name for series in others] == ["Thumbnail", "Label", "Macro"]
    assert [series.pixel_size_um for series in others] == [None, None, None]  # not that of the slide
    assert slide.pixel_size_at(1) == pytest.approx((0.998, 0.998))
    for frame, plan in ((2 * level, ReadPlan(level=level)), (1, ReadPlan(series=1)), (4, ReadPlan(series=3))):
        np.testing.assert_array_equal(read_pixels(path, plan).array, by_pillow(path, frame))
    part = read_pixels(path, ReadPlan(level=level, region=(100, 200, 300, 250))).array
    x, y, width, height = (n // (1 + level) for n in (100, 200, 300, 250))
    np.testing.assert_array_equal(part, by_pillow(path, 2 * level)[y : y + height, x : x + width])


# NDPI: a TIFF with 64-bit offsets, whose JPEG strips of a whole level have restart markers


def write_ndpi(path: Path, levels: list[tuple[float, Array]], *, has_restarts: bool) -> None:
    """Write levels with their magnification in the layout of Hamamatsu.

    Source: https://openslide.org/formats/hamamatsu/
    """
    out = bytearray(b"II*\0" + bytes(8))
    previous = 4  # where the offset of the next page stands
    for magnification, pixels in levels:
        height, width = pixels.shape[:2]
        stream = io.BytesIO()
        restarts = {"restart_marker_blocks": width // 16} if has_restarts else {}
        Image.fromarray(pixels).save(stream, "JPEG", quality=90, subsampling=0, **restarts)
        data, strip = stream.getvalue(), len(out)
        out += data
        start_of_scan = data.index(b"\xff\xda")
        (header,) = struct.unpack(">H", data[start_of_scan + 2 : start_of_scan + 4])
        scan = start_of_scan + 2 + header
        marks = [at + 2 for at in range(scan, len(data) - 1) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
        tags: list[tuple[int, int, list[int] | float]] = [
            (256, 4, [width]),
            (257, 4, [height]),
            (258, 3, [8, 8, 8]),
            (259, 3, [7]),
            (262, 3, [6]),
            (273, 4, [strip]),
            (277, 3, [3]),
            (278, 4, [height]),
            (279, 4, [len(data)]),
            (282, 5, [round(10_000 * magnification), 1]),
            (283, 5, [round(10_000 * magnification), 1]),
            (296, 3, [3]),
            (530, 3, [1, 1]),
            (65420, 4, [1]),
            (65421, 11, magnification),
        ]
        tags += [(65426, 4, [scan, *marks])] if has_restarts else []
        entries = b""
        for code, kind, values in tags:
            form = {3: "H", 4: "I", 5: "I", 11: "f"}[kind]
            listed = values if isinstance(values, list) else [values]
            content = struct.pack(f"<{len(listed)}{form}", *listed)
            if len(content) > 4:
                content, at = struct.pack("<I", len(out)), content
                out += at + bytes(-len(at) % 4)
            count = 1 if kind == 5 else len(listed)
            entries += struct.pack("<HHI", code, kind, count) + content.ljust(4, b"\0")
        out[previous : previous + 8] = struct.pack("<Q", len(out))
        out += struct.pack("<H", len(tags)) + entries
        previous = len(out)
        out += bytes(8 + 4 * len(tags))  # the offset of the next page, and the upper halves of all values
    path.write_bytes(out)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # of Pillow, which takes the offsets for those of a usual TIFF
@pytest.mark.parametrize("has_restarts", [True, False])
def test_levels_of_an_ndpi_are_the_jpegs_inside(tmp_path: Path, has_restarts: bool) -> None:
    pixels, path = colors(640, 896), tmp_path / "a.ndpi"
    levels = [pixels, np.ascontiguousarray(pixels[::2, ::2]), np.ascontiguousarray(pixels[::4, ::4])]
    write_ndpi(path, list(zip((20.0, 10.0, 5.0), levels, strict=True)), has_restarts=has_restarts)
    slide = describe_image(path)[0]
    assert slide.levels == ((896, 640), (448, 320), (224, 160))
    assert slide.pixel_size_um == pytest.approx((0.05, 0.05))
    data = path.read_bytes()
    for level, array in enumerate(levels):
        stream = io.BytesIO()
        restarts = {"restart_marker_blocks": array.shape[1] // 16} if has_restarts else {}
        Image.fromarray(array).save(stream, "JPEG", quality=90, subsampling=0, **restarts)
        assert stream.getvalue() in data
        expected = np.asarray(Image.open(stream))
        np.testing.assert_array_equal(read_pixels(path, ReadPlan(level=level)).array, expected)
        part = read_pixels(path, ReadPlan(level=level, region=(400, 200, 160, 80))).array
        x, y, width, height = (n // 2**level for n in (400, 200, 160, 80))
        np.testing.assert_array_equal(part, expected[y : y + height, x : x + width])
    path.write_bytes(data[: len(data) // 2])
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(path, ReadPlan(level=2))


# LSM: planes with their channels one after the other, each followed by a thumbnail


def write_lsm(path: Path, stack: Array) -> None:
    """Write (T, Z, C, Y, X) as Zeiss's LSM 510 does, with the fields of its description that readers need."""
    n_t, n_z, n_c, height, width = stack.shape
    fields = {
        "MagicNumber": 0x0400494C,
        "DimensionX": width,
        "DimensionY": height,
        "DimensionZ": n_z,
        "DimensionChannels": n_c,
        "DimensionTime": n_t,
        "DataType": 2 if stack.dtype == np.uint16 else 1,
        "ThumbnailX": 8,
        "ThumbnailY": 8,
        "VoxelSizeX": 2e-7,
        "VoxelSizeY": 2e-7,
        "VoxelSizeZ": 1e-6,
        "ScanType": 0 if n_t == 1 else 6,
    }
    layout = tifffile.TIFF.CZ_LSMINFO
    size = sum(np.dtype(kind).itemsize for _, kind in layout)
    about = b"".join(
        np.array(size if name == "StructureSize" else fields.get(name, 0), f"<{kind}").tobytes()
        for name, kind in layout
    )
    with tifffile.TiffWriter(path, byteorder="<") as tiff:
        for k in range(n_t * n_z):
            plane = stack.reshape(-1, n_c, height, width)[k]
            extra = [(34412, "B", len(about), about, True)] if k == 0 else []
            planar = {"planarconfig": "separate"} if n_c > 1 else {}
            options: dict[str, Any] = {"photometric": "minisblack", "metadata": None, **planar}
            tiff.write(plane, extratags=extra, **options)
            tiff.write(plane[:, :8, :8].astype(np.uint8), subfiletype=1, **options)
    if n_c == 2:
        _move_bits_of_two_channels(path)


def _move_bits_of_two_channels(path: Path) -> None:
    """Replace the two bit depths of each page by the position where they stand, as these microscopes do."""
    data = bytearray(path.read_bytes())
    (page,) = struct.unpack_from("<I", data, 4)
    while page:
        (n_tags,) = struct.unpack_from("<H", data, page)
        for at in range(page + 2, page + 2 + 12 * n_tags, 12):
            if struct.unpack_from("<H", data, at) == (258,):
                data += data[at + 8 : at + 12]
                struct.pack_into("<I", data, at + 8, len(data) - 4)
        (page,) = struct.unpack_from("<I", data, page + 2 + 12 * n_tags)
    path.write_bytes(data)


@pytest.mark.parametrize("shape", [(1, 3, 2, 40, 50), (2, 3, 4, 40, 50), (1, 2, 1, 40, 50)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_planes_of_an_lsm_are_not_its_thumbnails(tmp_path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    stack, path = RNG.integers(1, np.iinfo(dtype).max, shape, dtype), tmp_path / "a.lsm"
    write_lsm(path, stack)
    series = describe_image(path)[0]
    assert (series.size("T"), series.n_z, series.n_channels) == shape[:3]
    assert series.pixel_size_um == pytest.approx((0.2, 0.2))
    t, z, c = (n - 1 for n in shape[:3])
    whole = read_pixels(path, ReadPlan(t=t, z=z)).array
    np.testing.assert_array_equal(whole, np.moveaxis(stack[t, z], 0, 2))
    part = read_pixels(path, ReadPlan(t=t, z=z, channels=(c,), region=(5, 6, 20, 30))).array[..., 0]
    np.testing.assert_array_equal(part, stack[t, z, c, 6:36, 5:25])
    best = read_pixels(path, ReadPlan(t=t, z="max")).array
    np.testing.assert_array_equal(best, np.moveaxis(stack[t].max(0), 0, 2))


# Several positions, mosaics and several files


def test_positions_of_an_ome_tiff_are_series_with_their_stage_position(tmp_path: Path) -> None:
    fields = RNG.integers(0, 60_000, (3, 2, 30, 40), np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        for k, field in enumerate(fields):
            about = {"axes": "CYX", "Name": f"A{k}", "Plane": {"PositionX": [10.0 * k] * 2, "PositionY": [5.0] * 2}}
            units = {"PositionXUnit": ["µm"] * 2, "PositionYUnit": ["µm"] * 2}
            about["Plane"] |= units  # type: ignore[operator]
            tiff.write(field, metadata=about, tile=(16, 16), photometric="minisblack")
    series = describe_image(tmp_path / "a.ome.tif")
    assert [(each.name, each.position_um) for each in series] == [(f"A{k}", (10.0 * k, 5.0)) for k in range(3)]
    for k in range(3):
        array = read_pixels(tmp_path / "a.ome.tif", ReadPlan(series=k, region=(2, 3, 20, 25))).array
        np.testing.assert_array_equal(array, np.moveaxis(fields[k][:, 3:28, 2:22], 0, 2))


def test_a_mosaic_in_a_tiff_is_a_stack_of_its_tiles(tmp_path: Path) -> None:
    tiles = RNG.integers(0, 255, (4, 30, 40), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", tiles, metadata={"axes": "MYX"}, photometric="minisblack")
    (series,) = describe_image(tmp_path / "a.tif")
    assert series.n_z == 4
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif", ReadPlan(z=3)).array[..., 0], tiles[3])


def write_multifile_ome(folder: Path, stack: Array, *, has_companion: bool) -> list[Path]:
    """Write (T, C, Y, X), one file per plane; the description is in every file, or in a file of its own."""
    n_t, n_c, height, width = stack.shape
    names = [f"t{t}_c{c}.ome.tif" for t in range(n_t) for c in range(n_c)]
    uuid = "urn:uuid:00000000-0000-0000-0000-00000000000"
    data = "".join(
        f'<TiffData FirstT="{k // n_c}" FirstC="{k % n_c}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">{uuid}{k}</UUID></TiffData>'
        for k, name in enumerate(names)
    )
    channels = "".join(f'<Channel ID="Channel:0:{c}" Name="dye {c}" SamplesPerPixel="1"/>' for c in range(n_c))
    xmlns = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'

    def document(k: int) -> str:
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><OME {xmlns} UUID="{uuid}{k}"><Image ID="Image:0"><Pixels '
            f'ID="Pixels:0" DimensionOrder="XYCTZ" Type="uint16" SizeX="{width}" SizeY="{height}" SizeC="{n_c}" '
            f'SizeT="{n_t}" SizeZ="1" PhysicalSizeX="0.5" PhysicalSizeY="0.5">{channels}{data}</Pixels></Image></OME>'
        )

    folder.mkdir()
    for k, name in enumerate(names):
        only = f'<BinaryOnly MetadataFile="a.companion.ome" UUID="{uuid}9"/>'
        binary_only = f'<?xml version="1.0"?><OME {xmlns} UUID="{uuid}{k}">{only}</OME>'
        description = binary_only if has_companion else document(k)
        tifffile.imwrite(folder / name, stack[k // n_c, k % n_c], description=description, metadata=None)
    if has_companion:
        (folder / "a.companion.ome").write_text(document(9), encoding="utf-8")
    return [folder / name for name in names]


@pytest.mark.slow
def test_every_file_of_a_multi_file_ome_tiff_is_the_whole_image(tmp_path: Path) -> None:
    stack = RNG.integers(0, 60_000, (2, 3, 30, 40), np.uint16)
    files = write_multifile_ome(tmp_path / "a", stack, has_companion=False)
    for file in (files[0], files[-1]):
        (series,) = describe_image(file)
        assert (series.size("T"), series.channels) == (2, ("dye 0", "dye 1", "dye 2"))
        assert series.pixel_size_um == (0.5, 0.5)
        for t in range(2):
            np.testing.assert_array_equal(read_pixels(file, ReadPlan(t=t)).array, np.moveaxis(stack[t], 0, 2))
        part = read_pixels(file, ReadPlan(t=1, channels=("dye 2",), region=(3, 4, 10, 20))).array[..., 0]
        np.testing.assert_array_equal(part, stack[1, 2, 4:24, 3:13])
    files[1].unlink()
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(files[0])


def test_files_whose_metadata_are_in_a_companion_file_are_single_images_with_a_note(tmp_path: Path) -> None:
    stack = RNG.integers(0, 60_000, (1, 2, 30, 40), np.uint16)
    for k, file in enumerate(write_multifile_ome(tmp_path / "a", stack, has_companion=True)):
        pixels = read_pixels(file)
        np.testing.assert_array_equal(pixels.array[..., 0], stack[0, k])
        assert pixels.note == message("ome-in-companion")
