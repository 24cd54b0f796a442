"""Crops of objects as OME-TIFF: the pixels, channels, depth and pixel size of the field, read by a second reader."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image
from refusing import refusing

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.folders import with_plan
from coverslip.errors import CoverslipError
from coverslip.events import Event, Noted, ignore
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.objects.exporting import CropChoices, predicted_objects, write_crops
from coverslip.objects.table import read_objects
from coverslip.runs.predictions import Prediction, Predictions

SIDE, CHANNELS = 60, ("DAPI", "GFP", "mCherry")
BOXES = {1: (10, 10, 20, 15), 2: (30, 12, 12, 20), 3: (50, 50, 10, 10)}


def field_of(folder: Path) -> npt.NDArray[np.uint16]:
    """A field of three channels with 16 bit and 0.25 µm pixels, and the mask of three objects, two of which touch."""
    pixels = np.random.default_rng(0).integers(1, 65_536, (3, SIDE, SIDE)).astype(np.uint16)
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25, "Channel": {"Name": list(CHANNELS)}}
    tifffile.imwrite(folder / "a.ome.tif", pixels, ome=True, photometric="minisblack", metadata=metadata)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for label, (x, y, width, height) in BOXES.items():
        labels[y : y + height, x : x + width] = label
    np.save(folder / "a_masks.npy", labels)
    return pixels


def crops_of(folder: Path, out: Path, **choices: Any) -> tuple[list[Path], list[str]]:
    objects = read_objects(folder / "objects.csv")
    rows = dict.fromkeys(objects.image_ids, ("round", 0.75, "round"))
    predicted, _ = predicted_objects(objects, rows, ["round"], ["#0072b2"])
    codes: list[str] = []

    def keep(event: Event) -> None:
        if isinstance(event, Noted):
            codes.append(event.note.code)

    return write_crops(predicted, out, CropChoices(**choices), keep, lambda done, total: None), codes


@pytest.fixture
def objects(tmp_path: Path) -> npt.NDArray[np.uint16]:
    """The pixels of the field; its table of objects is in tmp_path."""
    pixels = field_of(tmp_path)
    cs.collect_objects(
        tmp_path / "a.ome.tif", masks=tmp_path / "a_masks.npy", out=tmp_path / "objects.csv", emit=ignore
    )
    return pixels


def test_a_crop_has_all_channels_at_16_bit_with_names_and_pixel_size(
    objects: npt.NDArray[np.uint16], tmp_path: Path
) -> None:
    files, codes = crops_of(tmp_path, tmp_path / "crops", margin=0.2)
    assert ([file.name for file in files], codes) == (["1.ome.tif", "2.ome.tif", "3.ome.tif", "crops.csv"], [])
    with tifffile.TiffFile(files[0]) as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == "CYX"
        assert tiff.asarray().dtype == np.uint16
        assert np.array_equal(tiff.asarray(), objects[:, 6:29, 6:34])  # a fifth of 20 pixels on each side
        image = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]
    assert image["Name"] == "a.ome.tif#1"
    assert (image["Pixels"]["PhysicalSizeX"], image["Pixels"]["PhysicalSizeXUnit"]) == (0.25, "µm")
    assert [channel["Name"] for channel in image["Pixels"]["Channel"]] == list(CHANNELS)
    assert describe_image(files[1])[0].pixel_size_um == (0.25, 0.25)
    rows = list(csv.DictReader(files[-1].open(newline="")))
    assert rows[0] | {"z": "", "t": ""} == {
        "path": "a/1.ome.tif",
        "image_id": "a.ome.tif#1",
        "field": "a.ome.tif",
        "object_id": "1",
        "t": "",
        "z": "",
        "x": "6",
        "y": "6",
        "width": "28",
        "height": "23",
        "predicted": "round",
        "probability": "0.750000",
        "decision": "round",
    }


def test_crops_equal_those_of_trainings(objects: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    files, _ = crops_of(tmp_path, tmp_path / "crops", margin=0.2)
    data = with_plan(cs.open_dataset(tmp_path / "objects.csv", labeled=False), ReadPlan(crop_margin=0.2))
    for record, file in zip(data.records, files, strict=False):
        assert np.array_equal(record.read().array, read_pixels(file).array)


def test_neighbors_are_masked_on_request_and_the_object_is_not(objects: npt.NDArray[np.uint16], tmp_path: Path) -> None:
    files, _ = crops_of(tmp_path, tmp_path / "crops", margin="1 um", mask_neighbors=True)
    expected = objects[:, 6:29, 6:34].copy()  # 4 pixels
    is_background = np.ones(expected.shape[1:], np.bool_)
    is_background[10 - 6 : 25 - 6, 10 - 6 : 30 - 6] = False  # object 1
    is_background[12 - 6 :, 30 - 6 :] = False  # object 2 from (30, 12)
    for channel in expected:
        channel[12 - 6 :, 30 - 6 :] = np.median(channel[is_background])
    assert np.array_equal(tifffile.imread(files[0]), expected)


def test_neighbors_in_a_crop_without_background_have_the_median_of_the_crop(tmp_path: Path) -> None:
    pixels = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    labels = np.ones((SIDE, SIDE), np.uint8)
    labels[:10, :10] = 2
    np.save(tmp_path / "a_masks.npy", labels)
    masks, table = tmp_path / "a_masks.npy", tmp_path / "objects.csv"
    cs.collect_objects(tmp_path / "a.tif", masks=masks, out=table, emit=ignore)
    files, _ = crops_of(tmp_path, tmp_path / "crops", mask_neighbors=True)
    expected = pixels.copy()
    expected[:10, :10] = np.median(pixels)
    assert np.array_equal(tifffile.imread(files[0]).squeeze(), expected)


def test_crops_of_a_stack_are_read_as_in_the_training_and_collecting_notes_the_planes(tmp_path: Path) -> None:
    planes = np.random.default_rng(2).integers(0, 65_536, (4, SIDE, SIDE)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", planes, ome=True, photometric="minisblack", metadata={"axes": "ZYX"})
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[10:25, 10:30] = 1
    np.save(tmp_path / "a_masks.npy", labels)
    table, codes = tmp_path / "objects.csv", list[str]()

    def keep(event: Event) -> None:
        if isinstance(event, Noted):
            codes.append(event.note.code)

    cs.collect_objects(tmp_path / "a.ome.tif", masks=tmp_path / "a_masks.npy", out=table, emit=keep)
    assert codes == ["objects-without-z"]
    for z, expected in ((0, planes[0]), (2, planes[2]), ("max", planes.max(axis=0))):
        files, _ = crops_of(tmp_path, tmp_path / f"crops{z}", z=z)
        assert np.array_equal(tifffile.imread(files[0]).squeeze(), expected[10:25, 10:30])
        (record,) = with_plan(cs.open_dataset(table, labeled=False), ReadPlan(z=z)).records
        assert np.array_equal(record.read().array, read_pixels(files[0]).array)
    np.save(tmp_path / "a_masks.npy", np.stack([labels * (k > 1) for k in range(4)]))  # objects of two planes
    codes.clear()
    cs.collect_objects(tmp_path / "a.ome.tif", masks=tmp_path / "a_masks.npy", out=table, emit=keep)
    assert codes == []
    files, _ = crops_of(tmp_path, tmp_path / "own", z="max")
    assert [
        np.array_equal(tifffile.imread(file).squeeze(), planes[z, 10:25, 10:30])
        for file, z in zip(files, (2, 3), strict=False)
    ] == [True, True]


def test_crops_of_a_film_are_of_the_time_point_of_the_object_or_of_the_chosen_time_point(tmp_path: Path) -> None:
    frames = np.random.default_rng(3).integers(0, 65_536, (3, SIDE, SIDE)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, ome=True, photometric="minisblack", metadata={"axes": "TYX"})
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[10:25, 10:30], labels[10:25, 30:40] = 1, 2
    masks, table = tmp_path / "a_masks.npy", tmp_path / "objects.csv"
    np.save(masks, labels)
    cs.collect_objects(tmp_path / "a.ome.tif", masks=masks, out=table, emit=ignore)
    predictions = (Prediction(f"a.ome.tif#{k}", "a.ome.tif", None, "round", 1.0, "round", (1.0,)) for k in (1, 2))
    Predictions(predictions, ("round",)).write_csv(tmp_path / "p.csv")
    export = ["export-objects", str(tmp_path / "p.csv"), "--objects", str(table), "--to", "ome-tiff", "--out"]
    for options, t in (([], 0), (["--t", "2"], 2)):
        out = tmp_path / f"crops{t}"
        assert main([*export, str(out), *options]) == 0
        assert np.array_equal(tifffile.imread(out / "a" / "1.ome.tif").squeeze(), frames[t, 10:25, 10:30])
    assert main([*export, str(tmp_path / "none"), "--t", "3"]) == 0  # reported: there is no such time point
    assert not list((tmp_path / "none").rglob("*.tif"))
    with refusing(CoverslipError, "crop-time-invalid"):
        cs.export_objects(tmp_path / "p.csv", objects=table, to="ome-tiff", out=tmp_path / "x", t=-1)

    np.save(masks, np.stack([labels * (k > 0) * (k < 2 or labels == 1) for k in range(3)]))
    cs.collect_objects(tmp_path / "a.ome.tif", masks=masks, out=table, emit=ignore)
    files, _ = crops_of(tmp_path, tmp_path / "stated", t=0, margin=0.5, mask_neighbors=True)
    names = [file.relative_to(tmp_path / "stated").as_posix() for file in files]
    assert names == ["a/1_t1.ome.tif", "a/2_t1.ome.tif", "a/1_t2.ome.tif", "crops.csv"]
    first, _, last = (tifffile.imread(file).squeeze() for file in files[:3])
    expected = frames[1, 0:35, 0:40].copy()
    is_background = np.ones(expected.shape, np.bool_)
    is_background[10:25, 10:40] = False
    expected[10:25, 30:40] = np.median(expected[is_background])  # object 2 exists at this time point only
    assert np.array_equal(first, expected)
    assert np.array_equal(last, frames[2, 0:35, 0:40])


def test_colors_stay_colors_and_an_unreadable_field_is_reported(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.png")
    table = tmp_path / "boxes.csv"
    table.write_text("image,x_min,y_min,x_max,y_max\na.png,3,4,13,10\nb.png,3,4,13,10\n")
    fields = [tmp_path / "a.png", tmp_path / "b.png"]
    cs.collect_objects(fields, outlines=table, out=tmp_path / "objects.csv", emit=ignore)
    (tmp_path / "b.png").write_bytes(b"broken")
    files, codes = crops_of(tmp_path, tmp_path / "crops")
    assert codes == ["crop-not-written"]
    assert [file.relative_to(tmp_path / "crops").as_posix() for file in files] == ["a/1.ome.tif", "crops.csv"]
    with tifffile.TiffFile(files[0]) as tiff:
        assert (tiff.series[0].axes, tiff.pages[0].photometric.name) == ("YXS", "RGB")
        assert np.array_equal(tiff.asarray(), pixels[4:10, 3:13])


def test_objects_whose_ids_make_equal_file_names_have_files_of_their_own(tmp_path: Path) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (30, 40)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    ids = ["x/1", "x_1", "X:1", "x_1-2"]
    rows = "".join(f"a.png#{k},a.png,a.png,{name},{k},2,5,6\n" for k, name in enumerate(ids))
    (tmp_path / "objects.csv").write_text(f"image_id,path,field,object_id,x,y,width,height\n{rows}")
    files, _ = crops_of(tmp_path, tmp_path / "crops")
    assert [file.name for file in files[:4]] == [f"{name}.ome.tif" for name in ("x_1", "x_1-2", "X_1-3", "x_1-2-2")]
    for k, file in enumerate(files[:4]):
        assert np.array_equal(tifffile.imread(file).squeeze(), pixels[2:8, k : k + 5])


def test_an_invalid_margin_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image_id,path,label,predicted,probability,decision,p:a\nx#1,x,,a,1.0,a,1.0\n")
    with refusing(CoverslipError, "crop-margin-invalid"):
        cs.export_objects(tmp_path / "p.csv", objects=tmp_path / "o.csv", to="ome-tiff", out=tmp_path, margin="wide")
