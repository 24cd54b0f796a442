"""Files of microscope makers, OME-Zarr and DICOM: equal to a second way of reading, or refused with what to do."""

import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from image_kinds import KINDS, sample_of, write_dicom, write_zarr
from memory import within_memory
from PIL import Image
from refusing import refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.decoding_pool import Decoders, DecodingLimits
from coverslip.images.formats import readers
from coverslip.images.reader import ReadPlan
from coverslip.processes import DECODE_APART_VARIABLE

EXTRA = {each.name: each for each in readers() if each.package}


def needs(name: str) -> pytest.MarkDecorator:
    reader = EXTRA[name]
    reason = f"needs the package {reader.package} with Python {'.'.join(map(str, reader.python))} or later"
    return pytest.mark.skipif(not reader.can_read, reason=reason)


def planes_of(path: Path, **plan: Any) -> list[np.ndarray[Any, Any]]:
    """Every channel of an image."""
    return list(np.moveaxis(read_pixels(path, ReadPlan(**plan)).array, 2, 0))


# Uncompressed planes stand in a file as they are, which is a second way of reading that shares nothing with the first.


@needs("ND2")
@pytest.mark.slow
def test_pixels_of_nd2_stand_in_the_file_channels_interleaved(shared_data: Any) -> None:
    files = sorted(shared_data("microscope_formats").glob("nd2/*.nd2"))
    assert len(files) == 5
    for path in files:
        data, (series,) = path.read_bytes(), describe_image(path)
        assert series.pixel_size_um is not None
        assert 0.1 < series.pixel_size_um[0] < 1
        assert series.position_um is not None
        assert series.acquired is not None
        assert series.acquired.startswith("2025-")
        assert len(series.channels) == series.n_channels
        starts = []
        for t in range(series.size("T")):
            for z in range(series.n_z):
                plane = read_pixels(path, ReadPlan(t=t, z=z))
                assert plane.array.shape == (*series.sizes[0][::-1], series.n_channels)
                starts.append(data.find(plane.array.astype("<u2").tobytes()))
        assert min(starts) > 0, path.name
        assert starts == sorted(starts), "in the order in which they were taken"
    multi = shared_data("microscope_formats") / "nd2" / "example-multichannel.nd2"
    named = planes_of(multi, channels=("TRITC BP", "dapi"), region=(10, 20, 30, 40))
    whole = planes_of(multi)
    np.testing.assert_array_equal(named, np.stack([whole[3], whole[1]])[:, 20:60, 10:40])
    with refusing(UnreadableImage, "no-such-channel-name", names="Mono, DAPI, FITC BP, TRITC BP"):
        read_pixels(multi, ReadPlan(channels=("GFP",)))


@pytest.mark.exhaustive
@needs("ND2")
@pytest.mark.slow
def test_an_nd2_that_is_cut_is_refused_and_not_black(shared_data: Any, tmp_path: Path) -> None:
    path = shared_data("microscope_formats") / "nd2" / "example-zstack.nd2"
    last = read_pixels(path, ReadPlan(z=10)).array
    data = path.read_bytes()
    at = data.find(last.astype("<u2").tobytes())
    (tmp_path / "zeros.nd2").write_bytes(data[:at] + data[at:].replace(b"ImageDataSeq|10!", b"ImageDataSeq|99!"))
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(tmp_path / "zeros.nd2", ReadPlan(z=10))


@needs("LIF")
@pytest.mark.slow
def test_planes_of_lif_stand_in_the_file_whichever_axes_they_have(shared_data: Any) -> None:
    files = sorted(shared_data("microscope_formats").glob("lif/*.lif"))
    axes = []
    for path in files:
        data = path.read_bytes()
        for number, series in enumerate(describe_image(path)):
            axes.append(series.axes)
            assert series.pixel_size_um is not None
            assert 0.05 < series.pixel_size_um[0] < 1
            for t in range(series.size("T")):
                for plane in planes_of(path, series=number, t=t):
                    assert plane.shape == series.sizes[0][::-1]
                    if series.axes != "YCZX":  # whose rows lie apart
                        assert plane.tobytes() in data
    assert axes == ["λYX", "ΛYX", "TλZYX", "TCZX", "YCZX", "CZX"]
    wavelengths, sections = files
    assert [series.n_channels for series in describe_image(wavelengths)] == [20, 15, 10]
    assert describe_image(sections)[0].channels == ("Green", "Red")
    # The image of axes Y, C, Z, X has its rows in 23 sections; one row of each section is one row of the plane.
    plane = planes_of(sections, series=1, z=7, channels=("Red",))[0]
    section = np.frombuffer(sections.read_bytes(), np.uint8)
    assert plane.shape == (23, 128)
    assert all(row.tobytes() in section.tobytes() for row in plane)
    assert not np.array_equal(plane, planes_of(sections, series=1, z=7, channels=(0,))[0])


@needs("OIB")
@pytest.mark.slow
def test_planes_of_oib_are_those_of_the_tiffs_inside_and_an_oif_is_the_same(shared_data: Any, tmp_path: Path) -> None:
    from oiffile import OibFileSystem

    path = shared_data("microscope_formats") / "oib" / "test.oib"
    (series,) = describe_image(path)
    assert (series.axes, series.shape, series.pixel_size_um) == ("CYX", (3, 256, 256), (0.177, 0.177))
    assert series.acquired == "2012-07-26T15:13:35"
    with OibFileSystem(path) as files:
        files.saveas_oif(str(tmp_path))
    (oif,) = tmp_path.glob("*.oif")
    tiffs = sorted(tmp_path.rglob("s_C00?.tif"))
    expected = [tifffile.imread(file) for file in tiffs]
    for each in (path, oif):
        np.testing.assert_array_equal(planes_of(each), expected)
        assert read_pixels(each).bit_depth == 12
        assert describe_image(each) == (series,)
    tiffs[1].unlink()
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(oif)


@needs("OIB")
def test_another_compound_file_is_refused_with_what_to_do(shared_data: Any, tmp_path: Path) -> None:
    data = (shared_data("microscope_formats") / "oib" / "test.oib").read_bytes()
    (tmp_path / "a.zvi").write_bytes(data.replace("OibInfo.txt".encode("utf-16-le"), "OtherIn.txt".encode("utf-16-le")))
    with refusing(UnreadableImage, "format-not-read", title="Zeiss ZVI"):
        read_pixels(tmp_path / "a.zvi")


@needs("DICOM")
@pytest.mark.slow
def test_pixels_of_dicom_are_those_of_pillow_or_of_the_bytes_in_the_file(shared_data: Any) -> None:
    folder = shared_data("microscope_formats") / "dicom"
    for path in sorted(folder.glob("*.dcm")):
        array, data = read_pixels(path).array, path.read_bytes()
        jpeg = max(data.find(b"\xff\xd8\xff"), data.find(b"\xff\x4f\xff\x51"))
        if path.name == "SC_rgb_jpeg.dcm":  # whose JPEG has a damaged color marker: DICOM states the colors
            plain = read_pixels(folder / "SC_rgb_jpeg_dcmd.dcm").array
            assert np.abs(array.astype(int) - plain).mean() < 3
        elif path.name == "SC_rgb_jpeg_gdcm.dcm":  # lossless, which Pillow does not decode
            lossy = read_pixels(folder / "SC_rgb_jpeg_lossy_gdcm.dcm").array
            assert np.abs(array.astype(int) - lossy).mean() < 5
        elif path.name == "examples_jpeg2k.dcm":  # in several fragments
            assert array.shape == (480, 640, 3)
        elif jpeg > 0:
            with Image.open(io.BytesIO(data[jpeg:])) as image:
                expected = np.atleast_3d(np.asarray(image))
            np.testing.assert_allclose(array.astype(int), expected.astype(int), atol=2 if "lossy" in path.name else 1)
        elif "palette" not in path.name and "ybr" not in path.name:
            assert array.astype("<u2" if array.dtype == np.uint16 else np.uint8).tobytes() in data, path.name
    assert describe_image(folder / "examples_ybr_color.dcm")[0].size("T") == 30


@needs("DICOM")
@pytest.mark.slow
def test_pixels_of_the_files_in_pydicom_are_those_of_its_own_handlers() -> None:
    """With white as 0, gray is inverted here; palettes are applied, and one bit becomes 0 and 255."""
    import pydicom
    from pydicom.pixels import apply_color_lut

    n_equal, refused = 0, Counter[str]()
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")):
        try:
            data = pydicom.dcmread(path)
            expected = data.pixel_array
        except Exception:  # noqa: BLE001  pydicom cannot read it
            if (failure := failure_of(read_pixels, path)) is not None:
                refused[failure.code] += 1
            continue
        n_frames = int(data.get("NumberOfFrames") or 1)
        expected = expected[-1] if n_frames > 1 else expected
        if data.PhotometricInterpretation == "MONOCHROME1":
            expected = (-1 if data.PixelRepresentation else (1 << data.BitsStored) - 1) - expected.astype(int)
        if data.BitsStored == 1:
            expected = expected * 255
        if data.PhotometricInterpretation == "PALETTE COLOR":
            expected = apply_color_lut(expected, data)
        array = read_pixels(path, ReadPlan(t=n_frames - 1)).array
        np.testing.assert_array_equal(array, np.atleast_3d(expected).astype(np.float32), path.name)
        n_equal += 1
    assert n_equal >= 50
    assert refused["dicom-without-image"] >= 10
    assert refused.keys() <= {
        *("dicom-without-image", "dicom-without-header", "image-damaged", "image-incomplete", "not-an-image")
    }
    assert refused["image-damaged"] <= 3, refused  # a wrong length, and pixels that are cut


@needs("DICOM")
@pytest.mark.parametrize("is_signed", [False, True])
def test_gray_with_white_as_0_is_inverted_and_no_preamble_is_needed(tmp_path: Path, is_signed: bool) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset

    stored = RNG.integers(0, 4096, (12, 16), np.uint16)
    values = stored.astype(np.int16) - np.int16(1000) if is_signed else stored
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data = FileDataset("a.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    data.PhotometricInterpretation, data.SamplesPerPixel, data.Rows, data.Columns = "MONOCHROME1", 1, 12, 16
    data.BitsAllocated, data.BitsStored, data.PixelRepresentation = 16, 16 if is_signed else 12, int(is_signed)
    data.HighBit, data.PixelData = data.BitsStored - 1, values.tobytes()
    data["PixelData"].VR = "OW"
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    expected = (-1 if is_signed else 4095) - values.astype(np.float32)
    assert np.array_equal(read_pixels(tmp_path / "a.dcm").array[..., 0], expected)
    written = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "short.dcm").write_bytes(written[132:])
    assert np.array_equal(read_pixels(tmp_path / "short.dcm").array[..., 0], expected)
    (tmp_path / "bare.dcm").write_bytes(written[written.index(b"\x08\0\x16\0UI") :])
    with refusing(UnreadableImage, "dicom-without-header"):
        read_pixels(tmp_path / "bare.dcm")


@needs("DICOM")
def test_tiles_of_a_slide_in_dicom_are_one_plane(shared_data: Any, tmp_path: Path) -> None:
    from pydicom import dcmread

    slide = RNG.integers(0, 256, (100, 130, 3), np.uint8)
    padded = np.zeros((128, 160, 3), np.uint8)
    padded[:100, :130] = slide
    tiles = [padded[y : y + 64, x : x + 80] for y in (0, 64) for x in (0, 80)]
    data = dcmread(shared_data("microscope_formats") / "wsi_tiny" / "boxes_0.dcm")
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data.PhotometricInterpretation = "RGB"
    data.Rows, data.Columns, data.NumberOfFrames, data.DimensionOrganizationType = 64, 80, 4, "TILED_FULL"
    data.TotalPixelMatrixRows, data.TotalPixelMatrixColumns = 100, 130
    data["PixelData"].is_undefined_length = False
    data.PixelData = b"".join(tile.tobytes() for tile in tiles)
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.dcm").array, slide)
    region = read_pixels(tmp_path / "a.dcm", ReadPlan(region=(70, 50, 40, 30), channels=(1,))).array
    np.testing.assert_array_equal(region, slide[50:80, 70:110, 1:2])
    data.NumberOfFrames = 3
    data.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(tmp_path / "b.dcm")


@needs("DICOM")
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
def test_dicom_is_equal_in_every_uncompressed_syntax_and_refused_where_it_is_cut(
    shared_data: Any, tmp_path: Path, syntax: str
) -> None:
    from pydicom import dcmread

    source = shared_data("microscope_formats") / "dicom" / "CT_small.dcm"
    data = dcmread(source)
    data.file_meta.TransferSyntaxUID = syntax
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.dcm").array, read_pixels(source).array)
    written = (tmp_path / "a.dcm").read_bytes()
    code = "image-incomplete" if syntax == "1.2.840.10008.1.2.1.99" else "image-damaged"  # deflated: zlib notices it
    for n_bytes in (len(written) // 2, len(written) - 1_000):
        (tmp_path / "a.dcm").write_bytes(written[:n_bytes])
        with refusing(UnreadableImage, code):
            read_pixels(tmp_path / "a.dcm")


@needs("DICOM")
def test_one_frame_of_a_long_dicom_is_read_with_little_memory(shared_data: Any, tmp_path: Path) -> None:
    from pydicom import dcmread

    n_frames, side = 2_000, 512  # 1 GB; the file has a hole
    data = dcmread(shared_data("microscope_formats") / "dicom" / "CT_small.dcm")
    frame = RNG.integers(0, 30_000, (side, side), np.int16)
    data.Rows, data.Columns, data.NumberOfFrames, data.PixelData = side, side, n_frames, frame.tobytes()
    del data[0xFFFC, 0xFFFC]  # padding after the pixels
    file = tmp_path / "a.dcm"
    data.save_as(file)
    content = file.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00OW")
    with file.open("r+b") as opened:
        opened.seek(at + 8)
        opened.write((n_frames * frame.nbytes).to_bytes(4, "little"))
        opened.seek((n_frames - 1) * frame.nbytes + at + 12)
        opened.write(frame.tobytes())
    read_pixels(shared_data("microscope_formats") / "dicom" / "CT_small.dcm")  # imports
    with within_memory(4e6):
        pixels = read_pixels(file, ReadPlan(t=n_frames - 1)).array
    np.testing.assert_array_equal(pixels[..., 0], frame)


@needs("DICOM")
def test_a_frame_that_declares_more_pixels_than_its_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    import imagecodecs
    from pydicom import dcmread
    from pydicom.encaps import encapsulate

    kind = next(each for each in KINDS if each.container == "DICOM" and "JPEG-LS" in each.codecs)
    write_dicom(tmp_path / "a.dcm", sample_of(kind, "JPEG-LS", "gray", 16))
    read_pixels(tmp_path / "a.dcm")  # imports
    data = dcmread(tmp_path / "a.dcm")
    data.PixelData = encapsulate([bytes(imagecodecs.jpegls_encode(np.zeros((6_000, 6_000), np.uint16)))])
    data.save_as(tmp_path / "a.dcm")
    with within_memory(20e6), refusing(UnreadableImage, "image-damaged"):
        read_pixels(tmp_path / "a.dcm")


@needs("CZI")
def test_pixels_of_czi_stand_in_the_file_as_blue_green_red_and_are_those_of_its_lossy_export(shared_data: Any) -> None:
    folder = shared_data("microscope_formats") / "czi_ometiff"
    czi, tiff = (read_pixels(folder / f"test_image.{suffix}").array for suffix in ("czi", "ome.tif"))
    assert np.ascontiguousarray(czi[..., ::-1]).tobytes() in (folder / "test_image.czi").read_bytes()
    np.testing.assert_allclose(czi.astype(int), tiff.astype(int), atol=3)
    region = read_pixels(folder / "test_image.czi", ReadPlan(region=(30, 40, 100, 50), channels=(2, 0))).array
    np.testing.assert_array_equal(region, czi[40:90, 30:130][..., [2, 0]])


def test_a_format_without_its_package_names_what_to_install(shared_data: Any, tmp_path: Path) -> None:
    folder = shared_data("microscope_formats")
    code = (
        "import sys\nfrom pathlib import Path\nfrom coverslip.images.decoding import read_pixels\n"
        "for name in {'nd2', 'liffile', 'oiffile', 'zarr', 'pydicom', 'czifile'}: sys.modules[name] = None\n"
        "for file in sys.argv[1:]:\n try: read_pixels(Path(file))\n except Exception as e: print(e.code, e)\n"
    )
    files = [
        "nd2/example-pbmc.nd2",
        "lif/tests_artifacts_xz-example_xz-example.lif",
        "oib/test.oib",
        "dicom/CT_small.dcm",
    ]
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").write_text("{}")
    files = [
        *(str(folder / file) for file in files),
        str(tmp_path / "a.zarr"),
        str(folder / "czi_ometiff/test_image.czi"),
    ]
    environment = {name: value for name, value in os.environ.items() if name != DECODE_APART_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, check=True, env=environment
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("format-not-installed ") and "coverslip[formats]" in line for line in lines), lines


# OME-Zarr


RNG = np.random.default_rng(1)


@needs("OME-Zarr")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("separator", ["/", "."])
def test_ome_zarr_is_read_by_series_level_channel_and_region(tmp_path: Path, version: str, separator: str) -> None:
    array = RNG.integers(1, 60_000, (2, 3, 2, 40, 50), np.uint16)
    path = write_zarr(tmp_path / "a.zarr", array, "TCZYX", version, separator=separator)
    (series,) = describe_image(path)
    assert (series.axes, series.shape, series.dtype) == ("TCZYX", array.shape, "uint16")
    assert (series.channels, series.pixel_size_um) == (("dye 0", "dye 1", "dye 2"), (0.25, 0.25))
    assert series.levels == ((50, 40), (25, 20))
    pixels = read_pixels(path, ReadPlan(t=1, z=1))
    np.testing.assert_array_equal(pixels.array, np.moveaxis(array[1, :, 1], 0, 2))
    assert (pixels.file_format, pixels.n_planes) == ("OME-Zarr", 4)
    region = read_pixels(path, ReadPlan(t=1, z="max", channels=("dye 2",), region=(5, 6, 30, 20))).array[..., 0]
    np.testing.assert_array_equal(region, array[1, 2, :, 6:26, 5:35].max(0))
    coarse = read_pixels(path, ReadPlan(level=1, channels=(0,), region=(10, 20, 20, 10))).array[..., 0]
    np.testing.assert_array_equal(coarse, array[0, 0, 0, ::2, ::2][10:15, 5:15])


@needs("OME-Zarr")
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_missing_chunk_and_another_separator_are_errors_and_not_zeros(tmp_path: Path, version: str) -> None:
    array = RNG.integers(1, 60_000, (2, 40, 50), np.uint16)
    path = write_zarr(tmp_path / "a.zarr", array, "CYX", version)
    chunk = path / "0" / ("c/1/1/1" if version == "0.5" else "1/1/1")
    chunk.unlink()
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(path)
    np.testing.assert_array_equal(
        read_pixels(path, ReadPlan(region=(0, 0, 16, 40))).array, np.moveaxis(array[..., :16], 0, 2)
    )
    path = write_zarr(tmp_path / "b.zarr", array, "CYX", version, separator=".")
    metadata = path / "0" / ("zarr.json" if version == "0.5" else ".zarray")
    text = metadata.read_text()
    assert '"."' in text
    metadata.write_text(text.replace('"."', '"/"'))
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(path)


@needs("OME-Zarr")
@pytest.mark.parametrize("index_location", ["start", "end"])
@pytest.mark.parametrize("is_compressed", [True, False])
def test_a_shard_has_empty_chunks_but_no_missing_ones(tmp_path: Path, index_location: Any, is_compressed: bool) -> None:
    import zarr
    from zarr.codecs import BytesCodec, ShardingCodec, ZstdCodec

    array = RNG.integers(1, 60_000, (1, 64, 64), np.uint16)
    array[:, :16, :16] = 0  # an inner chunk of the fill value, which the writer omits
    path = write_zarr(tmp_path / "a.zarr", array, "CYX", "0.5")
    codecs = [BytesCodec(), ZstdCodec()] if is_compressed else [BytesCodec()]
    zarr.create_array(
        path / "0",
        overwrite=True,
        shape=array.shape,
        chunks=(1, 32, 32),
        dtype=array.dtype,
        serializer=ShardingCodec(chunk_shape=(1, 16, 16), codecs=codecs, index_location=index_location),
        filters=None,
        compressors=None,
    )[:] = array
    shard = path / "0/c/0/0/0"
    data, full = shard.read_bytes(), (path / "0/c/0/1/1").read_bytes()
    assert len(data) < len(full)
    np.testing.assert_array_equal(read_pixels(path).array[..., 0], array[0])
    np.testing.assert_array_equal(read_pixels(path, ReadPlan(region=(0, 0, 20, 9))).array[..., 0], array[0, :9, :20])
    for n_bytes in (0, 1, 60, len(data) // 2, len(data) - 1):
        shard.write_bytes(data[:n_bytes])
        with refusing(UnreadableImage, "image-damaged"):
            read_pixels(path)
    shard.unlink()
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(path)


@needs("OME-Zarr")
def test_wells_and_collections_are_series(tmp_path: Path) -> None:
    import zarr

    arrays = {name: RNG.integers(1, 256, (1, 20, 30), np.uint8) for name in ("A/1/0", "A/1/1", "B/2/0")}
    root = zarr.open_group(tmp_path / "plate.zarr", mode="w", zarr_format=2)
    root.attrs["plate"] = {"wells": [{"path": "A/1"}, {"path": "B/2"}]}
    for well, fields in (("A/1", ("0", "1")), ("B/2", ("0",))):
        root.create_group(well).attrs["well"] = {"images": [{"path": field} for field in fields]}
    for name, array in arrays.items():
        write_zarr(tmp_path / "plate.zarr" / name, array, "CYX", "0.4")
    assert [series.name for series in describe_image(tmp_path / "plate.zarr")] == list(arrays)
    for number, array in enumerate(arrays.values()):
        read = read_pixels(tmp_path / "plate.zarr", ReadPlan(series=number)).array
        np.testing.assert_array_equal(read[..., 0], array[0])
    root.attrs["plate"] = {"wells": [{"path": "../elsewhere"}]}
    with refusing(UnreadableImage, "image-damaged"):
        describe_image(tmp_path / "plate.zarr")


# All files, and damaged ones


def failure_of(look: Callable[..., object], *arguments: object) -> UnreadableImage | None:
    """The refusal of a file, which says what to do; None if it is read."""
    try:
        look(*arguments)
    except UnreadableImage as error:
        return error if error.failure.do else pytest.fail(str(error))
    return None


@pytest.mark.slow
def test_every_file_is_read_or_refused_with_what_to_do(shared_data: Any, capfd: pytest.CaptureFixture[str]) -> None:
    files = [path for path in sorted(shared_data("microscope_formats").rglob("*")) if path.is_file()]
    assert len(files) == 47
    refused = {}
    for path in files:
        failure = failure_of(describe_image, path) or failure_of(read_pixels, path)
        if failure is not None:
            refused[path.name] = failure.code
        else:
            assert read_pixels(path).array.shape[:2] == describe_image(path)[0].sizes[0][::-1], path.name
    missing = {name for name, reader in EXTRA.items() if not reader.can_read}
    expected = {path.name for path in files if any(path.suffix in EXTRA[name].suffixes for name in missing)}
    assert {name for name, code in refused.items() if code == "format-not-installed"} == expected
    assert refused.keys() - expected <= {"unopenable.tiff", "unreadable.svs"}
    assert capfd.readouterr().err == ""


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A file that is cut, or some of whose bytes are others."""
    if rng.random() < 0.3:
        return data[: rng.randrange(64, len(data))]
    changed = bytearray(data)
    where = 4096 if rng.random() < 0.5 else len(data)
    for _ in range(rng.choice((1, 5, 50))):
        changed[rng.randrange(32, min(where, len(data)))] = rng.randrange(256)
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["ND2", "LIF", "OIB", "DICOM", "CZI", "OME-Zarr"])
def test_damaged_files_are_refused_or_read_and_never_crash_hang_or_fill_the_memory(
    shared_data: Any, tmp_path: Path, name: str
) -> None:
    if not EXTRA[name].can_read:
        pytest.skip(f"needs the package {EXTRA[name].package}")
    rng, decoders = random.Random(name), Decoders(DecodingLimits(processor_seconds=10, seconds=10, memory_bytes=10**9))
    samples = {
        "ND2": "nd2/example-pbmc.nd2",
        "LIF": "lif/tests_artifacts_misc_LeicaLASX_wavelength-sweep_example.lif",
        "OIB": "oib/test.oib",
        "DICOM": "dicom/SC_rgb_jpeg_dcmtk.dcm",
        "CZI": "czi_ometiff/test_image.czi",
    }
    codes = set()
    try:
        for number in range(300):
            path = tmp_path / f"{number}"
            if name == "OME-Zarr":
                original = tmp_path / "original.zarr"
                if not original.exists():
                    write_zarr(
                        original, RNG.integers(1, 60_000, (2, 40, 50), np.uint16), "CYX", rng.choice(("0.4", "0.5"))
                    )
                shutil.copytree(original, path)
                file = rng.choice([each for each in sorted(path.rglob("*")) if each.is_file()])
                file.write_bytes(mutated(file.read_bytes() + bytes(64), rng))
            else:
                path.write_bytes(mutated((shared_data("microscope_formats") / samples[name]).read_bytes(), rng))
            refusals = failure_of(decoders.describe, path), failure_of(decoders.read, path, ReadPlan(), 10**8)
            codes |= {refusal.code for refusal in refusals if refusal is not None}
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        decoders.close()
    assert codes <= {
        *("image-damaged", "not-an-image", "image-too-large", "folder-instead-of-image", "image-out-of-memory"),
        *("image-incomplete", "no-such-series", "format-not-read", "tiff-pixel-type", "image-memory-limit"),
        *("image-kind-not-read", "dicom-without-image", "dicom-without-header", "zarr-without-multiscales"),
    }, codes


def test_metadata_of_zarr_are_no_other_json(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    for text in ("[]", "{", json.dumps({"attributes": {"ome": {"multiscales": 3}}}), "{}"):
        (tmp_path / "a.zarr" / "zarr.json").write_text(text)
        with pytest.raises(UnreadableImage):
            describe_image(tmp_path / "a.zarr")


@needs("OME-Zarr")
def test_a_folder_scan_lists_ome_zarr_as_images_and_does_not_walk_into_chunks(tmp_path: Path) -> None:
    for label in ("a", "b"):
        write_zarr(tmp_path / "cells" / label / "1.zarr", RNG.integers(1, 256, (1, 20, 30), np.uint8), "CYX", "0.5")
        Image.fromarray(RNG.integers(0, 256, (20, 30), np.uint8)).save(tmp_path / "cells" / label / "2.png")
    data = open_dataset(tmp_path / "cells")
    assert [(record.image_id, record.label) for record in data] == [
        ("a/1.zarr", "a"),
        ("a/2.png", "a"),
        ("b/1.zarr", "b"),
        ("b/2.png", "b"),
    ]
    assert not data.notes
    assert inspect_dataset(data, scan_images(data)).formats == {"OME-Zarr": 2, "PNG": 2}
    (alone,) = open_dataset(tmp_path / "cells" / "a" / "1.zarr", labeled=False)
    assert alone.read().array.shape == (20, 30, 1)


@pytest.mark.slow
def test_every_file_is_described_equally_when_reading_is_confined_to_folders(shared_data: Any) -> None:
    """As in the app, which opens files by descriptors instead of names."""
    folder = shared_data("microscope_formats").resolve()
    n_read = 0
    for path in sorted(each for each in folder.glob("*/*") if each.is_file()):
        try:
            series = describe_image(path)
        except UnreadableImage as error:
            with refusing(UnreadableImage, error.code):
                describe_image(path, within=[folder])
            continue
        assert describe_image(path, within=[folder]) == series
        n_read += 1
    assert n_read > 30
