"""Formats stand in one table, and whoever adds one finds it at every door."""

import importlib.metadata
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from odd_formats import install, installed
from PIL import Image
from refusing import refusing
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import CoverslipError, UnreadableImage
from coverslip.images import formats
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.formats import image_suffixes, readers, unread_formats
from coverslip.images.reader import Decoded, Reader, ReadPlan, Selection, Series
from coverslip.messages import text
from coverslip.pipeline import train_without_report
from coverslip.runs.recipe import Recipe, SplitPlan

STACK = np.arange(2 * 30 * 40, dtype=np.uint16).reshape(2, 30, 40) * 20


# A format that nobody else has: planes of 16-bit gray behind a short header


class RawSource:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def describe(self) -> tuple[Series, ...]:
        shape = struct.unpack("<8x3I", self._data[:20])
        return (Series("ZYX", shape, pixel_size_um=(0.5, 0.5), dtype="uint16"),)

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        values = np.frombuffer(self._data, "<u2", offset=20).reshape(self.describe()[0].shape)
        return Decoded(values[selection.at["Z"]][selection.window.of_array][..., np.newaxis], 16)


@contextmanager
def open_raw(path: Path) -> Iterator[RawSource]:
    yield RawSource(path.read_bytes())


RAW = Reader(
    name="RAW16",
    title="raw 16-bit gray",
    suffixes=(".pgm16raw",),
    is_this=lambda head: head.startswith(b"PGM16RAW"),
    open=open_raw,
)


def write_raw(path: Path, stack: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PGM16RAW" + struct.pack("<3I", *stack.shape) + stack.astype("<u2").tobytes())
    return path


# Formats of packages that are not valid, and one that can be refused without its package.
TWICE = replace(RAW, name="PNG")
WRONG_SUFFIXES = replace(RAW, suffixes=(".raw", ".OME.tif"))
HDF5 = replace(RAW, name="HDF5")


@pytest.fixture
def raw(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site", "test_images_formats:RAW"):
        yield


def write_cells(folder: Path) -> Path:
    """Two classes that differ in brightness."""
    rng = np.random.default_rng(0)
    for i in range(40):
        stack = rng.normal((9_000, 40_000)[i % 2], 3_000, (1, 40, 40)).clip(0, 65_535)
        write_raw(folder / ("dark", "bright")[i % 2] / f"{i}.PGM16RAW", stack)
    return folder


@pytest.mark.usefixtures("raw")
def test_a_format_that_is_added_is_read_with_plane_box_and_size_limit(tmp_path: Path) -> None:
    file = write_raw(tmp_path / "a.tif", STACK)  # recognized by its bytes
    pixels = read_pixels(file, ReadPlan(z=1, region=(3, 4, 10, 20)))
    assert np.array_equal(pixels.array[..., 0], STACK[1, 4:24, 3:13])
    assert (pixels.file_format, pixels.bit_depth, pixels.n_planes) == ("RAW16", 16, 2)
    assert describe_image(file) == (Series("ZYX", (2, 30, 40), (0.5, 0.5), dtype="uint16"),)
    with refusing(UnreadableImage, "image-too-large"):
        read_pixels(file, max_bytes=100)
    file.write_bytes(file.read_bytes()[:100])
    with refusing(UnreadableImage, "image-damaged"):
        read_pixels(file)


@pytest.mark.slow
@pytest.mark.usefixtures("raw")
def test_a_format_that_is_added_is_listed_inspected_trained_on_and_predicted(tmp_path: Path) -> None:
    data = open_dataset(write_cells(tmp_path / "cells"))
    assert len(data.records) == 40
    assert inspect_dataset(data, scan_images(data)).formats == {"RAW16": 40}
    recipe = Recipe(model=SMALL_NETWORK, stage="instant", image_size=32, tta=1, split=SplitPlan(folds=0))
    run = train_without_report(data, recipe, out=tmp_path / "run")
    new = write_raw(tmp_path / "new.pgm16raw", np.full((1, 40, 40), 40_000))
    table = cs.load_classifier(run.folder).predict([new])
    assert list(table["predicted"]) == ["bright"]


@pytest.mark.parametrize("name", ["TWICE", "WRONG_SUFFIXES"])
def test_a_name_cannot_be_taken_twice_and_suffixes_are_of_one_form(tmp_path: Path, name: str) -> None:
    with (
        installed(tmp_path / "site", f"test_images_formats:{name}"),
        refusing(CoverslipError, "format-not-loaded", package="odd"),
    ):
        readers()


def test_facts_of_another_version_of_a_reader_are_not_used(tmp_path: Path) -> None:
    write_raw(tmp_path / "cells" / "a" / "1.pgm16raw", STACK)
    n_decoded = []
    for number, version in enumerate(("1.0", "1.0", "2.0")):
        decoded: list[int] = []
        with installed(tmp_path / f"site{number}", "test_images_formats:RAW", version=version):
            data = open_dataset(tmp_path / "cells")
            scan_images(data, on_pixels=lambda position, *_: decoded.append(position))  # noqa: B023
        n_decoded.append(len(decoded))
    assert n_decoded == [1, 0, 1]


def with_package(folder: Path, target: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": install(folder, target)}


def inspect(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverslip", "inspect", str(folder), "--json"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_an_installed_package_brings_a_format_to_every_command(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells")
    printed = inspect(cells, with_package(tmp_path / "site", "test_images_formats:RAW"))
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["formats"] == {"RAW16": 40}


@pytest.mark.slow
def test_a_package_whose_format_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    printed = inspect(write_cells(tmp_path / "cells"), with_package(tmp_path / "site", "test_images_formats:NOTHING"))
    assert printed.returncode == 1
    assert "the package odd could not be loaded" in printed.stderr
    assert "uninstall it" in printed.stderr
    assert "Traceback" not in printed.stderr


def test_a_format_that_is_refused_can_be_brought(tmp_path: Path) -> None:
    with installed(tmp_path / "site", "test_images_formats:HDF5"):
        assert read_pixels(write_raw(tmp_path / "a.ims", STACK)).file_format == "HDF5"


# The table


def test_names_and_suffixes_of_the_table_are_its_own() -> None:
    assert not list(importlib.metadata.entry_points(group=formats.ENTRY_POINTS)), "tests run without further formats"
    names = [reader.name for reader in readers()]
    suffixes = [suffix for reader in readers() for suffix in reader.suffixes]
    assert len(names) == len(set(names))
    assert len(suffixes) == len(set(suffixes)) == len(image_suffixes())


def test_what_a_file_declares_is_what_is_read(tmp_path: Path) -> None:
    gray = np.arange(30 * 40, dtype=np.uint8).reshape(30, 40)
    color = np.stack([gray, gray.T.reshape(30, 40), gray], -1)
    for suffix in (".png", ".jpg", ".bmp", ".dib", ".gif", ".webp", ".jp2", ".ppm", ".tif"):
        Image.fromarray(color).save(tmp_path / f"color{suffix}")
        if suffix != ".webp":
            Image.fromarray(gray).save(tmp_path / f"gray{suffix}")
    Image.fromarray(color).save(tmp_path / "lying.png", exif=lying_exif())
    frames = [Image.fromarray(np.roll(gray, n)) for n in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(tmp_path / "stack.ome.tif", np.zeros((2, 3, 30, 40), np.uint16), metadata={"axes": "ZCYX"})
    for path in sorted(tmp_path.iterdir()):
        series, pixels = describe_image(path)[0], read_pixels(path)
        sizes = dict(zip(series.axes, series.shape, strict=True))
        assert (sizes["Y"], sizes["X"], series.n_channels) == pixels.array.shape, path.name
        assert series.dtype == pixels.array.dtype, path.name
        assert series.n_planes == pixels.n_planes, path.name


def lying_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_the_size_of_a_pixel_is_reported_where_a_microscope_wrote_it(tmp_path: Path) -> None:
    plane = np.zeros((30, 40), np.uint16)
    ome = {"axes": "YX", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", plane, metadata=ome)
    tifffile.imwrite(tmp_path / "b.tif", plane, imagej=True, resolution=(4, 2), metadata={"unit": "um"})
    tifffile.imwrite(tmp_path / "c.tif", plane, resolution=(40_000, 20_000), resolutionunit="CENTIMETER")
    for file in sorted(tmp_path.iterdir()):
        size = describe_image(file)[0].pixel_size_um
        assert size == pytest.approx((0.25, 0.5)), file.name
    tifffile.imwrite(tmp_path / "d.tif", plane, resolution=(72, 72), resolutionunit="INCH")
    tifffile.imwrite(tmp_path / "g.tif", plane, resolution=(28.3, 28.3), resolutionunit="CENTIMETER")
    tifffile.imwrite(tmp_path / "e.tif", plane, imagej=True, resolution=(1, 1))
    Image.fromarray(plane.astype(np.uint8)).save(tmp_path / "f.png", dpi=(72, 72))
    assert [describe_image(tmp_path / name)[0].pixel_size_um for name in ("d.tif", "e.tif", "f.png", "g.tif")] == [
        None
    ] * 4


def test_every_series_of_a_file_is_reported(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "two.ome.tif", ome=True) as tiff:
        tiff.write(np.zeros((3, 30, 40), np.uint8), metadata={"axes": "ZYX", "PhysicalSizeX": 2, "PhysicalSizeY": 2})
        tiff.write(np.zeros((10, 20), np.uint8), metadata={"axes": "YX", "PhysicalSizeX": 4, "PhysicalSizeY": 4})
    images = describe_image(tmp_path / "two.ome.tif")
    assert [(series.axes, series.shape, series.pixel_size_um) for series in images] == [
        ("ZYX", (3, 30, 40), (2, 2)),
        ("YX", (10, 20), (4, 4)),
    ]


def test_a_tiff_whose_magic_number_is_swapped_is_read_as_before(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(tmp_path / "a.tif")
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(b"II\0*" + data[4:])
    assert (read_pixels(tmp_path / "a.tif").array == 7).all()
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", byteorder="<", metadata=None)
    (tmp_path / "a.tif").write_bytes(b"II\0*" + (tmp_path / "a.tif").read_bytes()[4:])
    with refusing(UnreadableImage, "image-kind-not-read"):
        read_pixels(tmp_path / "a.tif")


def test_what_cannot_be_described_is_refused_as_when_it_is_read(tmp_path: Path) -> None:
    parameters: dict[str, object]
    for name, data, code, parameters in (
        ("a", b"", "image-file-empty", {}),
        ("b", b"text, no image", "not-an-image", {"is_text": True}),
        ("c", b"\x89HDF\r\n\x1a\n", "format-not-read", {"title": "HDF5 (Imaris and others)"}),
    ):
        (tmp_path / name).write_bytes(data)
        for look in (describe_image, read_pixels):
            with refusing(UnreadableImage, code, **parameters):
                look(tmp_path / name)


def test_formats_that_cannot_be_read_are_counted_and_say_how_to_export_them() -> None:
    counted = unread_formats(["a.IMS", "b.ims", "c.vsi", "d.tif", "e"])
    assert [(each.title, each.n_files) for each in counted] == [("HDF5 (Imaris and others)", 2), ("slide scanners", 1)]
    assert [each.do for each in counted] == [text("export-ims"), text("export-slide")]
    assert all(reader.advice for reader in readers() if not reader.can_read)
