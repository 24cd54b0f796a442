"""Objects of other programs: their files are recognized by content, and broken ones are refused with the place."""

import gzip
import json
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import roifile
import tifffile
from image_kinds import write_zarr
from PIL import Image
from refusing import fault_in_line, note_of, refusing

import coverslip as cs
from coverslip.datasets.text_tables import open_text_table
from coverslip.errors import BadDataset, CoverslipError
from coverslip.events import Event, Noted
from coverslip.messages import Note
from coverslip.objects.exporting import export_predicted, file_of_field, predicted_objects
from coverslip.objects.table import FieldImage, Objects, read_objects
from coverslip.runs.predictions import Prediction, Predictions

HEIGHT, WIDTH = 40, 60
SERIES_POINTS = "image,series,x,y\nsmall.svs,0,9,9\nsmall.svs,1,5,5\n"
SQUARE = [[10, 10], [30, 10], [30, 25], [10, 25]]


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Two fields, a.tif with a pixel size of 0.5 µm and b.tif with none."""
    folder = tmp_path / "fields"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 60_000, (HEIGHT, WIDTH)).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", pixels, resolution=(20_000, 20_000), resolutionunit="CENTIMETER")
    tifffile.imwrite(folder / "b.tif", pixels[::-1])
    return folder


def collected(fields: Path, **sources: Any) -> tuple[Objects, list[Note]]:
    """The objects as they are after writing and reading, and the notes."""
    notes: list[Note] = []

    def keep(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.note)

    out = fields.parent / "objects.csv"
    cs.collect_objects(fields, out=out, emit=keep, **sources)
    return read_objects(out), notes


def labels_of(objects: Objects) -> list[str]:
    return ["" if k < 0 else objects.labels[k] for k in objects.label.tolist()]


def written(file: Path, content: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def mask(dtype: Any = np.uint16, **values: int) -> npt.NDArray[Any]:
    image = np.zeros((HEIGHT, WIDTH), dtype)
    image[10:25, 10:30] = values.get("first", 1)
    image[30:40, 50:60] = values.get("second", 2)
    return image


def test_objects_of_masks_have_area_edge_and_the_number_of_the_mask(fields: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    tifffile.imwrite(tmp_path / "m" / "a_cp_masks.tif", mask(first=7, second=300))
    Image.fromarray(mask(np.uint8)).save(tmp_path / "m" / "mask_b.png")
    objects, notes = collected(fields, masks=tmp_path / "m")
    assert list(objects.image_ids) == ["a.tif#7", "a.tif#300", "b.tif#1", "b.tif#2"]
    assert objects.box.tolist() == [[10, 10, 20, 15], [50, 30, 10, 10]] * 2
    assert objects.at_edge.tolist() == [0, 1, 0, 1]
    assert objects.area_um2[:2].tolist() == [75, 25]
    assert np.isnan(objects.area_um2[2:]).all()
    assert notes == []


@pytest.mark.parametrize("case", ["npy", "float", "palette", "color", "huge", "uint64", "bool"])
def test_label_images_of_every_kind_give_the_same_objects(case: str, fields: Path, tmp_path: Path) -> None:
    file = tmp_path / ("a.npy" if case in ("npy", "float", "huge", "uint64", "bool") else "a.png")
    labels: npt.NDArray[Any] = mask(np.int32)
    expected = ["1", "2"]
    match case:
        case "float":
            labels = labels.astype(np.float32)
        case "huge":
            labels, expected = mask(np.uint32, first=2**32 - 1, second=5), ["5", str(2**32 - 1)]
        case "uint64":
            labels, expected = mask(np.uint64, first=2**60 + 1, second=9), ["9", str(2**60 + 1)]
        case "bool":
            labels = labels > 0
        case "palette":
            image = Image.fromarray(labels.astype(np.uint8), "P")
            image.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10])
            image.save(file)
        case "color":
            colors = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]], np.uint8)
            Image.fromarray(colors[labels]).save(file)
    if not file.exists():
        np.save(file, labels)
    objects, _ = collected(fields, masks=file)
    assert objects.object_id.tolist() == expected
    assert sorted(map(tuple, objects.box.tolist())) == [(10, 10, 20, 15), (50, 30, 10, 10)]


def test_a_file_of_cellpose_that_can_run_code_is_not_opened(fields: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a_seg.npy", {"masks": mask()}, allow_pickle=True)  # type: ignore[arg-type]  # as Cellpose does
    for source in ("masks", "outlines"):
        with refusing(BadDataset, "labels-pickled", is_cellpose=True):
            collected(fields, **{source: tmp_path / "a_seg.npy"})


def test_masks_of_another_size_of_probabilities_or_without_objects_are_refused(fields: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, mask()[:-1])
    with refusing(BadDataset, "mask-of-other-size", width=WIDTH, height=HEIGHT - 1):
        collected(fields, masks=file)
    np.save(file, mask() / 7)
    with refusing(BadDataset, "labels-with-decimals"):
        collected(fields, masks=file)
    np.save(file, mask() * 0)
    with refusing(BadDataset, "masks-without-objects"):
        collected(fields, masks=file)
    np.save(file, np.stack([mask()] * 3))
    with refusing(BadDataset, "mask-planes-differ", n_planes=3):
        collected(fields, masks=file)
    file.write_bytes(b"not an array")
    with refusing(BadDataset, "labels-not-read"):
        collected(fields, masks=file)
    np.save(tmp_path / "other.npy", mask())
    with refusing(BadDataset, "no-field-of-name"):
        collected(fields, masks=tmp_path / "other.npy")


def test_a_binary_mask_and_names_without_a_field_are_noted(fields: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    np.save(tmp_path / "m" / "a.npy", mask(first=255, second=255))
    np.save(tmp_path / "m" / "c.npy", mask())
    objects, notes = collected(fields, masks=tmp_path / "m")
    assert len(objects) == 2
    assert {note.code for note in notes} == {"binary-masks", "objects-without-field", "fields-without-objects"}


@pytest.mark.parametrize(("value", "ids"), [(7, ["7"]), (254, ["254"]), (1, ["1", "2"]), (65_535, ["1", "2"])])
def test_a_mask_of_one_number_has_one_object_unless_it_is_binary(
    value: int, ids: list[str], fields: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", mask(first=value, second=value))
    objects, notes = collected(fields, masks=tmp_path / "a.npy")
    assert objects.object_id.tolist() == ids
    assert {note.code for note in notes} & {"binary-masks", "objects-in-pieces"} == {
        "objects-in-pieces" if len(ids) == 1 else "binary-masks"
    }


@pytest.mark.parametrize("values", [(255, 0, 0), (1, 2, 2), (1, 2, 3), (7, 0, 0), (0, 1, 2), (0, 255, 255)])
def test_background_that_is_an_object_is_noted(values: tuple[int, int, int], fields: Path, tmp_path: Path) -> None:
    labels = np.array(values, np.uint8)[mask()]
    labels[20:22, 40:] = values[1]  # touches an edge
    tifffile.imwrite(tmp_path / "a_mask.tif", labels)
    objects, notes = collected(fields, masks=tmp_path / "a_mask.tif")
    n_planes = [note.parameters["n_planes"] for note in notes if note.code == "background-as-object"]
    assert (bool((objects.box == [0, 0, WIDTH, HEIGHT]).all(axis=1).any()), n_planes) == (
        values[0] > 0,
        [1] if values[0] else [],
    )


def test_time_points_of_a_stack_are_those_of_its_masks(fields: Path, tmp_path: Path) -> None:
    movie = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(fields / "c.tif", movie, imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "c.tif", np.stack([mask(np.uint16)] * 3))
    objects, _ = collected(fields, masks=tmp_path / "c.tif")
    assert objects.t.tolist() == [0, 0, 1, 1, 2, 2]
    assert list(objects.image_ids)[:3] == ["c.tif#1", "c.tif#2", "c.tif#t=1#1"]
    data = cs.open_dataset(fields.parent / "objects.csv", labeled=False)
    assert [record.plan.t for record in data] == [0, 0, 1, 1, 2, 2]


def test_label_images_have_a_plane_for_each_time_point_and_z_plane_of_their_objects(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "c.tif", np.zeros((2, 3, HEIGHT, WIDTH), np.uint8), imagej=True, metadata={"axes": "TZYX"}
    )
    planes = [(0, 0), (0, 2), (1, 0), (1, 1)]
    rows = [f"c.tif,c.tif,{k},{t},{z},5,5,4,4\n" for k, (t, z) in enumerate(planes, start=1)]
    written(tmp_path / "o.csv", "path,field,object_id,t,z,x,y,width,height\n" + "".join(rows))
    predicted, _ = predicted_objects(read_objects(tmp_path / "o.csv"), {}, ("a",), ("#000000",))
    labels = export_predicted(predicted, "label-tiff", tmp_path / "out", lambda done, total: None)[0]
    with tifffile.TiffFile(labels) as tiff:
        assert (tiff.series[0].axes, tiff.series[0].shape) == ("TZYX", (2, 3, HEIGHT, WIDTH))
    cs.collect_objects(tmp_path / "c.tif", masks=labels, out=tmp_path / "again.csv")
    again = read_objects(tmp_path / "again.csv")
    assert list(zip(again.object_id.tolist(), again.t.tolist(), again.z.tolist(), strict=True)) == [
        (str(k), t, z) for k, (t, z) in enumerate(planes, start=1)
    ]


@pytest.mark.parametrize(("to", "name"), [("geojson", "c.geojson"), ("rois", "c.zip"), ("labelme", "c.json")])
def test_time_points_and_z_planes_of_exports_are_read_again(to: Any, name: str, tmp_path: Path) -> None:
    stack = np.zeros((2, 3, HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", stack, imagej=True, metadata={"axes": "TZYX"})
    planes = [("0", "0"), ("1", "0"), ("0", "2"), ("1", ""), ("", "0"), ("", "")]
    rows = [f"c.tif,c.tif,{k},{t},{z},{4 * k},5,4,4\n" for k, (t, z) in enumerate(planes)]
    written(tmp_path / "o.csv", "path,field,object_id,t,z,x,y,width,height\n" + "".join(rows))
    predicted, _ = predicted_objects(read_objects(tmp_path / "o.csv"), {}, ("a",), ("#000000",))
    files = export_predicted(predicted, to, tmp_path / name, lambda done, total: None)
    cs.collect_objects(tmp_path / "c.tif", outlines=files, out=tmp_path / "again.csv")
    again = read_objects(tmp_path / "again.csv")
    at = [("" if t < 0 else str(t), "" if z < 0 else str(z)) for t, z in zip(again.t, again.z, strict=True)]
    assert at == planes


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("at", ["", "labels", "labels/cells", ".."])
def test_label_images_of_ome_zarr_are_those_of_its_image(version: str, at: str, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    image = write_zarr(tmp_path / "fields" / "a.zarr", np.zeros((2, 1, HEIGHT, WIDTH), np.uint16), "TCYX", version)
    masks = np.zeros((2, 1, HEIGHT, WIDTH), np.uint32)
    masks[0, 0, 10:25, 10:30], masks[1, 0, 1:3, 1:4], masks[1, 0, 20:40, 40:60] = 7, 70_000, 9
    write_zarr(image / "labels" / "cells", masks, "TCYX", version, write_empty_chunks=False)
    about = {"labels": ["cells"]}
    labels = zarr.open_group(image / "labels", mode="a", zarr_format=2 if version == "0.4" else 3)
    labels.attrs.update(about if version == "0.4" else {"ome": {"version": version, **about}})
    objects, _ = collected(tmp_path / "fields", masks=(image / at).resolve())
    assert objects.object_id.tolist() == ["7", "9", "70000"]
    assert objects.t.tolist() == [0, 1, 1]
    assert objects.box.tolist() == [[10, 10, 20, 15], [40, 20, 20, 20], [1, 1, 3, 2]]
    write_zarr(image / "labels" / "nuclei", masks, "TCYX", version)
    labels.attrs.update(
        {"labels": ["cells", "nuclei"]} if version == "0.4" else {"ome": {"labels": ["cells", "nuclei"]}}
    )
    if at == "labels/cells":
        assert len(collected(tmp_path / "fields", masks=image / at)[0]) == 3
    else:
        with refusing(BadDataset, "two-files-of-field"):
            collected(tmp_path / "fields", masks=(image / at).resolve())


def test_what_files_state_about_objects_and_is_not_used_is_named(fields: Path, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    folder = write_zarr(tmp_path / "a.zarr", mask()[np.newaxis], "CYX", "0.4")
    properties = {"properties": [{"label-value": 1, "area": 7}, {"label-value": 2, "class": "x"}]}
    zarr.open_group(folder, mode="a", zarr_format=2).attrs.update({"image-label": properties})
    assert (
        note_of(collected(fields, masks=folder)[1], "object-properties-unused").parameters["names"] == "'area', 'class'"
    )
    roi = roifile.ImagejRoi.frompoints(np.array(SQUARE, float))
    roi.group = 3
    feature = {"geometry": {"type": "Polygon", "coordinates": [SQUARE]}, "properties": {"measurements": {"Area": 3}}}

    def of_plane(channel: int | None) -> Any:
        plane = {"c": channel, "z": 0, "t": 0}
        return {"geometry": {"type": "Polygon", "coordinates": [SQUARE], "plane": plane}}

    shape = {"points": SQUARE, "label": "x", "flags": {"difficult": True}, "description": "", "group_id": None}
    annotation = {"id": 1, "image_id": 1, "bbox": [1, 1, 9, 9], "attributes": {"old": True}, "area": 81}
    coco = {"images": [{"id": 1, "file_name": "a.tif"}], "annotations": [annotation]}
    labelme = {"imagePath": "a.tif", "shapes": [shape, {**shape, "flags": {"difficult": False}}]}
    for name, content, stated in (
        ("a.roi", None, "group"),
        ("a.geojson", [feature], "measurements"),
        ("b.geojson", [feature, of_plane(None)], "measurements"),
        ("b.geojson", [of_plane(0)], "channel"),
        ("a.json", coco, "attributes"),
        ("b.json", labelme, "flags"),
    ):
        file = tmp_path / "of objects" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(roi.tobytes() if content is None else json.dumps(content).encode())
        notes = collected(fields, outlines=file)[1]
        assert note_of(notes, "object-properties-unused").parameters["names"] == f"'{stated}'"


IMARIS = "\nPosition\n====================\nPosition X,Position Y,Unit,Time,ID,\n10,5,um,1,7,\n"
REGIONS = "label,area,y,x\n" + "".join(f"{k},20,{10 + k},{20 + k}\n" for k in range(1, 6))
TABLES: dict[str, tuple[str, dict[str, Any], list[tuple[str, str, float, float]]]] = {
    "box around a point": ("image,x,y,width,height\na.tif,10,5,20,10\n", {"points": 1}, [("1", "", 20, 10)]),
    "ImageJ, labels": (" ,Label,X,Y\n1,a.tif:0001-0010,20,10\n2,b.tif,30,10\n", {"points": 1}, [("1", "", 20, 10)]),
    "numbers of regions": (REGIONS, {"points": 1}, [(f"{k}", "", 20 + k, 10 + k) for k in range(1, 6)]),
    "a table of pandas": (",x,y,slice,label\n0,20,10,0,round\n", {"points": 1}, [("1", "round", 20, 10)]),
    "the first corner": ("x,y\n0,0\n", {"points": 1}, [("1", "", 0, 0)]),
    "Imaris": (IMARIS, {"points": 1}, [("7", "", 20, 10)]),  # pixels have .5 µm
    "few classes": ("label,x,y\n1,20,10\n2,30,10\n", {"points": 1}, [("1", "1", 20, 10), ("2", "2", 30, 10)]),
    "corners of regions": (
        "label,minr,minc,maxr,maxc,centroid-0,centroid-1\n7,10,30,20,50,14.5,39.5\n",
        {"outlines": 1},
        [("7", "", 40, 15)],
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_as_programs_write_them_give_the_objects_that_they_mean(case: str, fields: Path, tmp_path: Path) -> None:
    content, source, expected = TABLES[case]
    if "a.tif" not in content:
        (fields / "b.tif").unlink()
    objects, _ = collected(fields, **dict.fromkeys(source, written(tmp_path / "a.csv", content)), size_px=4)
    centers = objects.box[:, :2] + objects.box[:, 2:] / 2
    of_a = [k for k in range(len(objects)) if objects.fields[int(objects.field[k])].path.name == "a.tif"]
    objects_of_a = [(str(objects.object_id[k]), labels_of(objects)[k], *centers[k].tolist()) for k in of_a]
    assert objects_of_a == expected


@pytest.mark.parametrize(
    ("name", "content", "code", "options"),
    [
        ("a.csv", "x_min,y_min,x_max,y_max\n0.3,0.1,0.5,0.2\n", "positions-below-one", {}),
        ("a.csv", "a.tif,30,10,50,20,x\n", "first-row-of-values", {}),
        ("a.csv", "a.tif,30,10,50,20,x\n", "first-row-of-values", {"columns": {"x_min": "30", "y_min": "10"}}),
        (
            "a.json",
            {
                "images": [{"id": 1, "file_name": "a.tif"}],
                "annotations": [{"id": 1, "image_id": 1, "segmentation": {"size": [20, 30], "counts": [0, 600]}}],
            },
            "outlines-of-other-size",
            {},
        ),
    ],
)
def test_what_would_be_objects_at_other_places_is_refused(
    name: str, content: Any, code: str, options: dict[str, Any], fields: Path, tmp_path: Path
) -> None:
    with refusing(BadDataset, code):
        collected(fields, outlines=written(tmp_path / name, content), **options)


def test_the_name_of_another_image_is_not_that_of_a_field(fields: Path, tmp_path: Path) -> None:
    rows = "path,x,y\na.tif,20,10\na_2.tif,30,10\na 3.tif,30,20\na_s4,30,20\na_cyto3_masks.png,40,20\n"
    objects, notes = collected(fields, points=written(tmp_path / "a.csv", rows), size_px=4)
    assert objects.box[:, 0].tolist() == [18, 38]
    assert note_of(notes, "objects-without-field").parameters["n_names"] == 3
    for folder in ("x", "y"):
        (tmp_path / "fields" / folder).mkdir()
        (fields / folder / "a.tif").write_bytes((fields / "a.tif").read_bytes())
    (fields / "a.tif").unlink()
    written(
        tmp_path / "of profiler" / "Image.csv", "ImageNumber,FileName_DNA,PathName_DNA\n1,a.tif,/d/y\n2,a.tif,/d/x\n"
    )
    rows = "ImageNumber,ObjectNumber,Location_Center_X,Location_Center_Y\n1,1,19.5,9.5\n2,1,39.5,9.5\n"
    objects, _ = collected(fields, points=written(tmp_path / "of profiler" / "Nuclei.csv", rows), size_px=4)
    names = [objects.fields[int(k)].name for k in objects.field]
    assert dict(zip(names, objects.box[:, 0].tolist(), strict=True)) == {"y/a.tif": 18, "x/a.tif": 38}
    columns = "ImageNumber,ObjectNumber,FileName_DNA,Location_Center_X,Location_Center_Y,Well"
    rows = f"{columns}\n1,1,raw7.tif,19.5,9.5,y/a.tif\n"
    table = written(tmp_path / "joined.csv", rows)
    assert len(collected(fields, points=table, size_px=4, columns={"path": "Well"})[0]) == 1


def test_files_beside_those_of_objects_in_a_zip_of_a_mac_are_ignored(fields: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.roi", roifile.ImagejRoi.frompoints(np.array(SQUARE, float)).tobytes())
        archive.writestr("__MACOSX/._a.roi", b"Mac OS X")
    assert len(collected(fields, outlines=tmp_path / "a.zip")[0]) == 1


def test_background_of_minus_one_and_an_object_of_zero(fields: Path, tmp_path: Path) -> None:
    background = np.where(mask() == 0, -1, mask(np.int16, first=0, second=5))
    np.save(tmp_path / "a.npy", background)
    assert collected(fields, masks=tmp_path / "a.npy")[0].object_id.tolist() == ["0", "5"]
    watershed = np.full((HEIGHT, WIDTH), -1, np.int32)  # of OpenCV
    watershed[1:-1, 1:-1] = 0
    watershed[10:20, 10:20] = 2
    np.save(tmp_path / "a.npy", watershed)
    assert collected(fields, masks=tmp_path / "a.npy")[0].object_id.tolist() == ["2"]


def test_label_images_of_ome_zarr_in_a_folder_named_labels_are_named_like_their_fields(
    fields: Path, tmp_path: Path
) -> None:
    write_zarr(tmp_path / "labels" / "a.zarr", mask()[np.newaxis], "CYX", "0.5")
    assert len(collected(fields, masks=tmp_path / "labels")[0]) == 2


def test_a_field_is_no_label_image_of_itself(fields: Path, tmp_path: Path) -> None:
    image = write_zarr(tmp_path / "only" / "a.zarr", np.ones((1, HEIGHT, WIDTH), np.uint16), "CYX", "0.5")
    for each in (image, fields / "a.tif"):
        with refusing(BadDataset, "field-as-mask"):
            collected(each.parent, masks=each)
    tifffile.imwrite(fields / "a_masks.tif", mask(first=7, second=0))
    assert collected(fields, masks=fields)[0].object_id.tolist() == ["7"]


def test_masks_beside_their_fields_are_no_fields(fields: Path) -> None:
    Image.fromarray(mask(np.uint8)).save(fields / "a_masks.png")
    objects, notes = collected(fields, masks=fields / "a_masks.png")
    assert [field.name for field in objects.fields] == ["a.tif"]
    assert note_of(notes, "object-files-no-fields").parameters == {"n_files": 1}


GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "3f1c",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[*SQUARE, SQUARE[0]], [[12, 12], [12, 14], [14, 14], [14, 12], [12, 12]]],
            },
            "properties": {"objectType": "cell", "classification": {"names": ["Tumor", "Positive"]}},
        },
        {
            "type": "Feature",
            "id": "77aa",
            "geometry": {"type": "LineString", "coordinates": [[0, 0], [5, 5]]},
            "properties": {},
        },
    ],
}


def test_polygons_of_qupath_have_their_classes_and_holes(fields: Path, tmp_path: Path) -> None:
    objects, notes = collected(fields, outlines=written(tmp_path / "a.geojson", GEOJSON))
    assert list(objects.image_ids) == ["a.tif#3f1c"]
    assert labels_of(objects) == ["Tumor: Positive"]
    assert objects.outlines.areas().tolist() == [20 * 15 - 4]
    assert objects.area_um2.tolist() == [74]
    assert note_of(notes, "objects-ignored").parameters == {"n_objects": 1}


def qupath_feature(kind: str | None, former: str = "", x: int = 10) -> dict[str, Any]:
    ring = [[x, 10], [x + 5, 10], [x + 5, 15], [x, 10]]
    properties = {"classification": {"name": f"{kind or former}"}, **({"objectType": kind} if kind else {})}
    return {"id": former, "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}


@pytest.mark.parametrize(
    ("kinds", "used"),
    [
        ([("annotation", ""), ("cell", ""), ("detection", ""), ("tmaCore", ""), ("tile", "")], ["cell", "detection"]),
        ([("annotation", ""), ("tile", ""), ("root", "")], ["annotation"]),
        ([("annotation", ""), ("annotation", "")], ["annotation", "annotation"]),
        ([("tile", ""), ("tmaCore", "")], ["tile"]),
        ([(None, "PathAnnotationObject"), (None, "PathCellObject")], ["PathCellObject"]),
        ([(None, "PathRootObject"), (None, "TMACoreObject"), (None, "PathTileObject")], ["PathTileObject"]),
    ],
)
def test_regions_of_qupath_are_no_objects_beside_smaller_objects(
    kinds: list[tuple[str | None, str]], used: list[str], fields: Path, tmp_path: Path
) -> None:
    features = [qupath_feature(kind, former, x) for x, (kind, former) in enumerate(kinds)]
    rows = [f"a.tif\tu{k}\t{kind}\t{kind or former}\tPolygon\t10\t8\n" for k, (kind, former) in enumerate(kinds)]
    sources = [written(tmp_path / "a.geojson", features)]
    if kinds[0][0]:
        header = "Image\tObject ID\tObject type\tClassification\tROI\tCentroid X px\tCentroid Y px\n"
        sources.append(written(tmp_path / "m.tsv", header + "".join(rows)))
    for source in sources:
        objects, notes = collected(fields, outlines=source, size_px=4)
        assert labels_of(objects) == used
        n_regions = [note.parameters["n_regions"] for note in notes if note.code == "regions-ignored"]
        assert n_regions == [len(kinds) - len(used)] * (len(used) < len(kinds))


def test_objects_of_qupath_come_home_with_their_ids(fields: Path, tmp_path: Path) -> None:
    uuid = "5f0f7c3e-9f0b-4e55-8c43-0d0c6f5f1b2a"
    features = [{**qupath_feature("cell"), "id": uuid}, {**qupath_feature("cell", x=20), "id": "left"}]
    objects, _ = collected(fields, outlines=written(tmp_path / "a.geojson", features))
    predicted, _ = predicted_objects(objects, {}, ("a",), ("#000000",))
    (file,) = export_predicted(predicted, "geojson", tmp_path / "g.geojson", lambda done, total: None)
    exported = json.loads(file.read_text())["features"]
    assert [each.get("id") for each in exported] == [uuid, None]  # IDs of QuPath are UUIDs
    assert [each["properties"]["metadata"]["object_id"] for each in exported] == [uuid, "left"]


def test_a_field_without_cells_has_no_region_as_object(fields: Path, tmp_path: Path) -> None:
    written(tmp_path / "q" / "a.geojson", [qupath_feature("annotation")])
    written(tmp_path / "q" / "b.geojson", [qupath_feature("annotation"), qupath_feature("cell")])
    objects, notes = collected(fields, outlines=tmp_path / "q")
    assert list(objects.image_ids) == ["b.tif#1"]
    assert note_of(notes, "regions-ignored").parameters["n_regions"] == 2


def test_tables_of_qupath_0_2_have_kinds_as_names_and_no_ids(fields: Path, tmp_path: Path) -> None:
    rows = "a.tif\tPathAnnotationObject\tR\tImage\tPolygon\t9\t9\n" + "".join(
        f"a.tif\tPathCellObject\t{name}\tImage\tPolygon\t40\t15\n" for name in ("Tumor", "Stroma")
    )
    header = "Image\tName\tClass\tParent\tROI\tCentroid X px\tCentroid Y px\n"
    objects, _ = collected(fields, points=written(tmp_path / "m.txt", header + rows), size_px=4)
    assert (objects.object_id.tolist(), labels_of(objects)) == (["1", "2"], ["Tumor", "Stroma"])


def test_rois_of_imagej_are_read_with_points_ovals_and_time(fields: Path, tmp_path: Path) -> None:
    polygon = roifile.ImagejRoi.frompoints(np.array(SQUARE, np.float32) + 0.25, name="cell 1")
    rectangle = roifile.ImagejRoi(name="box", roitype=roifile.ROI_TYPE.RECT, left=3, top=4, right=9, bottom=12)
    oval = roifile.ImagejRoi(name="disc", roitype=roifile.ROI_TYPE.OVAL, left=20, top=10, right=40, bottom=30)
    line = roifile.ImagejRoi(name="line", roitype=roifile.ROI_TYPE.LINE, x1=1, y1=1, x2=9, y2=9)
    roifile.roiwrite(tmp_path / "a_RoiSet.zip", [polygon, rectangle, oval, line])
    objects, notes = collected(fields, outlines=tmp_path / "a_RoiSet.zip")
    assert objects.object_id.tolist() == ["cell 1", "box", "disc"]
    assert objects.outlines.xy[:4].tolist() == (np.array(SQUARE) + 0.25).tolist()
    assert objects.box[1].tolist() == [3, 4, 6, 8]
    assert objects.outlines.areas()[2] == pytest.approx(np.pi * 100, rel=0.01)
    assert note_of(notes, "objects-ignored").parameters == {"n_objects": 1}


TWO_POINTS = [[9, 9], [12, 12]]


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {"type": "MultiPolygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [TWO_POINTS]},
        {"type": "Polygon", "coordinates": [[]]},
        {"type": "MultiPoint", "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
    ],
)
def test_an_object_without_an_area_is_ignored_and_others_of_its_file_are_read(
    geometry: Any, fields: Path, tmp_path: Path
) -> None:
    content = {"type": "FeatureCollection", "features": [{"geometry": geometry}, *GEOJSON["features"]]}
    objects, notes = collected(fields, outlines=written(tmp_path / "a.geojson", content))
    assert list(objects.image_ids) == ["a.tif#3f1c"]
    assert note_of(notes, "objects-ignored").parameters == {"n_objects": 2}


def test_empty_objects_of_coco_imagej_and_cellpose_are_ignored(fields: Path, tmp_path: Path) -> None:
    square = [n for point in SQUARE for n in point]
    outlines = [[square], [[9, 9, 12, 12]], {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}]
    annotations = [{"image_id": 1, "id": k, "segmentation": each} for k, each in enumerate(outlines)]
    annotations[1] |= {"segmentation": [], "bbox": []}
    coco = written(tmp_path / "c.json", {"images": [{"id": 1, "file_name": "a.tif"}], "annotations": annotations})
    polygon = roifile.ImagejRoi.frompoints(np.array(SQUARE, np.float32))
    empty = [roifile.ImagejRoi(name=name, roitype=roifile.ROI_TYPE.POLYGON) for name in ("empty", "nothing")]
    roifile.roiwrite(tmp_path / "a_rois.zip", [polygon, *empty])
    cellpose = written(tmp_path / "a.txt", f"{','.join(map(str, square))}\n1,1,1,1,1,1\n2,2,2,2,2,2\n")
    for file in (coco, tmp_path / "a_rois.zip", cellpose):
        objects, notes = collected(fields, outlines=file)
        n_ignored = [note.parameters["n_objects"] for note in notes if note.code == "objects-ignored"]
        assert (len(objects), n_ignored) == (1, [2]), file.name


def test_objects_of_other_programs_are_read_from_the_files_that_they_write(fields: Path, tmp_path: Path) -> None:
    document = json.dumps(GEOJSON).encode()
    written(tmp_path / "gz" / "a.geojson.gz", gzip.compress(document))
    written(tmp_path / "utf16" / "a.geojson", document.decode().encode("utf-16"))
    written(tmp_path / "gz" / "more.tar.gz", b"of no object")
    with zipfile.ZipFile(tmp_path / "qupath.zip", "w") as archive:
        archive.writestr("a.geojson", document)
        archive.writestr("b.geojson.gz", gzip.compress(document))
    plain, _ = collected(fields, outlines=written(tmp_path / "a.geojson", document))
    for source, n_fields in (
        (tmp_path / "gz", 1),
        (tmp_path / "gz" / "a.geojson.gz", 1),
        (tmp_path / "utf16", 1),
        (tmp_path / "qupath.zip", 2),
    ):
        objects, _ = collected(fields, outlines=source)
        assert list(objects.outlines.wkt()) == list(plain.outlines.wkt()) * n_fields
        assert [each.name for each in objects.fields] == ["a.tif", "b.tif"][:n_fields]
    with refusing(BadDataset, "object-file-not-read"):
        collected(fields, outlines=written(tmp_path / "a.geojson.gz", gzip.compress(document)[:-9]))


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (1, HEIGHT, WIDTH)])
def test_label_images_of_cell_acdc_are_read_and_several_arrays_are_not(
    shape: tuple[int, ...], fields: Path, tmp_path: Path
) -> None:
    np.savez_compressed(tmp_path / "a_segm.npz", mask().reshape(shape))
    objects, _ = collected(fields, masks=tmp_path / "a_segm.npz")
    assert objects.box.tolist() == [[10, 10, 20, 15], [50, 30, 10, 10]]
    np.savez(tmp_path / "a_segm.npz", mask(), mask())
    with refusing(BadDataset, "labels-not-read"):
        collected(fields, masks=tmp_path / "a_segm.npz")
    np.savez(tmp_path / "a_segm.npz", np.array([{}]))
    with refusing(BadDataset, "labels-pickled"):
        collected(fields, masks=tmp_path / "a_segm.npz")


def test_markers_of_cell_counter_have_types_planes_and_the_name_of_their_image(tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    stack = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(tmp_path / "fields" / "a&b.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "fields" / "c.tif", stack[0])
    folder = tmp_path / "counted"
    for name in ("a&amp;b.tif", "c.tif"):
        markers = "".join(
            f"<Marker><MarkerX>{x}</MarkerX>\n<MarkerY>15</MarkerY>\n<MarkerZ>{z}</MarkerZ></Marker>"
            for x, z in ((20, 1), (30, 3))
        )
        content = (
            "<?xml version='1.0'?>\n<CellCounter_Marker_File>\n<Image_Properties>\n"
            f"<Image_Filename>{name}</Image_Filename></Image_Properties><Marker_Data><Current_Type>1</Current_Type>"
            f"<Marker_Type><Type>1</Type><Name>round</Name>{markers}</Marker_Type>"
            "<Marker_Type><Type>2</Type><Marker><MarkerX>5</MarkerX><MarkerY>6</MarkerY><MarkerZ>1</MarkerZ></Marker>"
            "</Marker_Type></Marker_Data></CellCounter_Marker_File>"
        )
        written(folder / f"CellCounter_{name[0]}.xml", content)
    written(folder / "metadata.xml", "<OME/>")
    objects, _ = collected(tmp_path / "fields", points=folder, size_px=4)
    assert list(objects.outlines.wkt()) == ["POINT (20 15)", "POINT (30 15)", "POINT (5 6)"] * 2
    assert labels_of(objects) == ["round", "round", "Type 2"] * 2
    assert objects.z.tolist() == [0, 2, 0, -1, -1, -1]


def test_overlays_of_imagej_are_outlines(fields: Path, tmp_path: Path) -> None:
    rois = [roifile.ImagejRoi.frompoints(np.array(SQUARE, float) + k, name=f"cell {k}").tobytes() for k in (0, 1)]
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"Overlays": rois})
    objects, _ = collected(fields, outlines=tmp_path / "a.tif")
    assert objects.object_id.tolist() == ["cell 0", "cell 1"]
    assert objects.box.tolist() == [[10, 10, 20, 15], [11, 11, 20, 15]]


def test_time_points_of_cell_acdc_are_read(fields: Path, tmp_path: Path) -> None:
    rows = "frame_i,Cell_ID,x_centroid,y_centroid\n0,1,20,15\n1,1,21,15\n"
    objects, _ = collected(fields, points=written(tmp_path / "a.csv", rows), size_px=4)
    assert (objects.t.tolist(), objects.object_id.tolist()) == ([0, 1], ["1", "1"])


@pytest.mark.parametrize("names", [("Well#A1", "Well#B2", "Image #3"), ("Project_Series001", "Project_Series003")])
def test_fields_are_matched_whatever_is_in_their_names(names: tuple[str, ...], tmp_path: Path) -> None:
    """Only a file of several series has a field for each of them."""
    for name in names:
        (tmp_path / "fields").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / "fields" / f"{name}.png")
        Image.fromarray(mask(np.uint8)).save(tmp_path / "masks" / f"{name}_cp_masks.png")
    summary = cs.collect_objects(tmp_path / "fields", masks=tmp_path / "masks", out=None)
    assert summary.n_of_field == {f"{name}.png": 2 for name in names}
    files = file_of_field(summary.fields, "geojson", tmp_path)
    assert sorted(file.stem for file in files) == sorted(names)


def test_objects_of_equal_names_are_separate_rois(tmp_path: Path) -> None:
    rows = [f"c.tif,c.tif,{name},{t},{4 * k},5,4,4\n" for k, (name, t) in enumerate((("a", 0), ("A", 0), ("a", 1)))]
    rows.append("c.tif,c.tif,a-2,0,20,5,4,4\n")
    written(tmp_path / "o.csv", "path,field,object_id,t,x,y,width,height\n" + "".join(rows))
    predicted, _ = predicted_objects(read_objects(tmp_path / "o.csv"), {}, ("a",), ("#000000",))
    (file,) = export_predicted(predicted, "rois", tmp_path / "c.zip", lambda done, total: None)
    with zipfile.ZipFile(file) as archive:
        names = [name.casefold() for name in archive.namelist()]
    assert len(set(names)) == len(names) == 4


def test_coco_boxes_polygons_and_masks_agree(fields: Path, tmp_path: Path) -> None:
    from pycocotools import mask as second_reader

    encoded = second_reader.encode(np.asfortranarray(mask(np.uint8) == 1))
    encoded["counts"] = encoded["counts"].decode()
    annotations = [
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 15]},
        {"id": 5, "image_id": 1, "category_id": 2, "segmentation": [[n for point in SQUARE for n in point]]},
        {"id": 6, "image_id": 1, "category_id": 2, "segmentation": encoded},
    ]
    images = [{"id": 1, "file_name": "somewhere/a.png"}, {"id": 2, "file_name": "z.png"}]
    categories = [{"id": 1, "name": "round"}, {"id": 2, "name": "flat"}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    objects, _ = collected(fields, outlines=written(tmp_path / "x.json", content))
    assert objects.object_id.tolist() == ["4", "5", "6"]
    assert labels_of(objects) == ["round", "flat", "flat"]
    assert objects.box.tolist() == [[10, 10, 20, 15]] * 3
    assert list(objects.outlines.wkt())[1:] == ["POLYGON ((10 10, 30 10, 30 25, 10 25, 10 10))"] * 2


def test_results_for_a_coco_dataset_have_its_images_and_classes(fields: Path, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    square = [n for point in SQUARE for n in point]
    results = [
        {"image_id": 7, "category_id": 2, "bbox": [10, 10, 20, 15], "score": 0.9},
        {"image_id": 7, "category_id": 1, "segmentation": [square], "bbox": [10, 10, 20, 15], "score": 0.4},
    ]
    file = written(tmp_path / "c" / "results.json", results)
    with refusing(BadDataset, "coco-results-without-dataset", n_datasets=0):
        collected(fields, outlines=file)
    dataset = {
        "images": [{"id": 7, "file_name": "a.tif", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "round"}, {"id": 2, "name": "flat"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0}],
    }
    second_reader = COCO(written(tmp_path / "c" / "instances.json", dataset))
    names = {k: each["name"] for k, each in second_reader.cats.items()}
    read = second_reader.loadRes(str(file)).loadAnns([1, 2])
    objects, _ = collected(fields, outlines=file)
    assert labels_of(objects) == [names[each["category_id"]] for each in read]
    assert objects.box.tolist() == [each["bbox"] for each in read]
    with refusing(BadDataset, "coco-and-results"):  # annotations and results would be the same objects twice
        collected(fields, outlines=file.parent)


def test_objects_of_coco_and_geojson_have_0_as_id_and_class(fields: Path, tmp_path: Path) -> None:
    annotations = [{"id": k, "image_id": 1, "category_id": 0, "bbox": [10, 10, 20 + k, 15]} for k in (1, 0)]
    images, categories = [{"id": 1, "file_name": "a.tif"}], [{"id": 0, "name": "0"}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    features = [
        {"id": k, "geometry": {"type": "Point", "coordinates": [5, 5]}, "properties": {"label": 0}} for k in (1, 0)
    ]
    for name, source in (("x.json", content), ("a.geojson", features)):
        objects, _ = collected(fields, outlines=written(tmp_path / name, source), size_px=4)
        assert (objects.object_id.tolist(), labels_of(objects)) == (["1", "0"], ["0", "0"])


def test_boxes_of_yolo_have_the_names_of_classes(fields: Path, tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    written(tmp_path / "data.yaml", "names: {0: round, 1: flat}\n")
    for name, label in ("a.txt", 0), ("b.txt", 1):
        written(folder / name, f"{label} {20 / WIDTH} {17.5 / HEIGHT} {20 / WIDTH} {15 / HEIGHT}\n")
    objects, _ = collected(fields, outlines=folder)
    assert labels_of(objects) == ["round", "flat"]
    assert objects.box.tolist() == [[10, 10, 20, 15]] * 2


CENTER = f"0 {20 / WIDTH} {17.5 / HEIGHT} {20 / WIDTH} {15 / HEIGHT}"


@pytest.mark.parametrize(
    "content",
    [
        f"{CENTER} 0.9\n",  # with a probability
        f"{CENTER} 0.9 1\n{CENTER} 0.8 2\n",  # and IDs of tracks
        f"{CENTER} 0.4 0.4 2\n{CENTER} 0.4 0.4 2\n",  # with visible key points
        f"{CENTER} 0.35 0.15 0.45 0.2\n",
        "0 0.1 0.1 0.3 0.1 0.3 0.2 0.1 0.2\n",  # a polygon, whose numbers may be those of a box with key points
        f"{CENTER}\n{CENTER} 1\n",
    ],
)
def test_yolo_is_read_with_five_numbers_only(content: str, fields: Path, tmp_path: Path) -> None:
    for source in ("outlines", "points"):
        with refusing(BadDataset, "objects-of-program", program="yolo"):
            collected(fields, **{source: written(tmp_path / "a.txt", content)}, size_px=4)


@pytest.mark.parametrize(
    ("name", "content", "program"),
    [
        ("a.xml", "<annotation><filename>a.tif</filename></annotation>", "voc"),
        ("a.xml", '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>', "cvat"),
        ("a.xml", '<?xml version="1.0"?><TrackMate version="7.11"></TrackMate>', "trackmate"),
        ("a.ome.xml", '<?xml version="1.0"?><!-- a --><ome:OME xmlns="x"></ome:OME>', "ome-xml"),
        ("a.xml", '<?xml version="1.0"?><Cells></Cells>', "xml"),
        ("a.json", '[{"id": 1, "data": {"image": "a.tif"}, "annotations": []}]', "label-studio"),
        ("a.json", '{"_via_settings": {}, "_via_img_metadata": {}}', "via"),
        ("a.csv", "index,shape-type,vertex-index,axis-0,axis-1\n0,polygon,0,10,30\n", "napari"),
    ],
)
def test_files_of_other_programs_are_refused_by_name(
    name: str, content: str, program: str, fields: Path, tmp_path: Path
) -> None:
    file = written(tmp_path / "objects" / name, content)
    for source in ("outlines", "points"):
        for place in (file, file.parent):
            with refusing(BadDataset, "objects-of-program", program=program):
                collected(fields, **{source: place}, size_px=4)


def test_shapes_of_labelme_are_objects_of_the_image_that_the_file_names(fields: Path, tmp_path: Path) -> None:
    shapes = [
        {"label": "flat", "points": SQUARE, "shape_type": "polygon"},
        {"label": "round", "points": [[30, 25], [10, 10]], "shape_type": "rectangle"},
        {"label": "0", "points": [[20, 17], [23, 21]], "shape_type": "circle"},
        {"label": "line", "points": [[1, 1], [2, 2]], "shape_type": "line"},
    ]
    content = {"imagePath": "..\\images\\a.tif", "imageWidth": WIDTH, "imageHeight": HEIGHT, "shapes": shapes}
    file = written(tmp_path / "exported.json", content)
    objects, notes = collected(fields, outlines=file)
    assert labels_of(objects) == ["flat", "round", "0"]
    assert objects.box.tolist() == [[10, 10, 20, 15], [10, 10, 20, 15], [15, 12, 10, 10]]
    assert "objects-ignored" in [each.code for each in notes]
    with refusing(BadDataset, "outlines-of-other-size", width=2 * WIDTH, field_width=WIDTH):
        collected(fields, outlines=written(file, content | {"imageWidth": 2 * WIDTH}))
    with refusing(BadDataset, "labelme-shape-invalid", number=1):
        collected(fields, outlines=written(file, content | {"shapes": [{"points": [[1]]}]}))


def test_coco_of_another_size_is_refused_and_its_crowds_are_no_objects(fields: Path, tmp_path: Path) -> None:
    one = {"id": 1, "image_id": 1, "bbox": [10, 10, 20, 15], "iscrowd": 0}
    image = {"id": 1, "file_name": "a.tif", "width": WIDTH, "height": HEIGHT}
    content = {"images": [image], "annotations": [one, {**one, "id": 2, "iscrowd": 1}]}
    objects, notes = collected(fields, outlines=written(tmp_path / "c.json", content))
    assert objects.object_id.tolist() == ["1"]
    assert "objects-ignored" in [each.code for each in notes]
    content["images"] = [image | {"width": 2 * WIDTH, "height": 2 * HEIGHT}]
    with refusing(BadDataset, "outlines-of-other-size", width=2 * WIDTH, field_width=WIDTH):
        collected(fields, outlines=written(tmp_path / "c.json", content))


@pytest.mark.parametrize(
    "content",
    [
        "1,1,30,10,20,10,1,-1,-1,-1\n1,2,10,20,10,20,1,-1,-1,-1\n",  # MOT
        "1,1,30,10,20,10,1,1,0.8\n1,2,10,20,10,20,1,1,0.7\n",
        "5,4,30,10,20,10,0.9,0\n5,7,10,20,10,20,0.8,0\n",
        "1 1 30 10 20 10 0.9 -1 -1 -1\n",
        "1 0 5 0\n2 3 5 1\n",  # tracks of the Cell Tracking Challenge
        "0 30 10 20 10\n",  # YOLO in pixels
        "1 20.5 15.5\n2 30.5 16.5\n",  # IDs before points
    ],
)
def test_numbers_whose_columns_are_unknown_are_no_points_or_outlines(
    content: str, fields: Path, tmp_path: Path
) -> None:
    for source in ("outlines", "points"):
        with refusing(BadDataset, "numbers-without-names"):
            collected(fields, **{source: written(tmp_path / "a.txt", content)}, size_px=4)


def test_outlines_of_cellpose_run_through_the_centers_of_pixels(fields: Path, tmp_path: Path) -> None:
    line = ",".join(f"{x},{y}" for x, y in SQUARE)
    objects, _ = collected(fields, outlines=written(tmp_path / "a_cp_outlines.txt", f"{line}\n{line}\n"))
    assert objects.object_id.tolist() == ["1", "2"]
    assert objects.outlines.xy[0].tolist() == [10.5, 10.5]


def test_cellprofiler_names_images_in_a_table_beside(fields: Path, tmp_path: Path) -> None:
    rows = "1,2,9.5,8.5,0,0,20,18\n2,1,9.5,8.5,0,0,20,18\n3,1,0,0,0,0,2,2\n"
    names = [f"AreaShape_BoundingBox{side}_{axis}" for side in ("Minimum", "Maximum") for axis in "XY"]
    header = ",".join(["ImageNumber", "ObjectNumber", "Location_Center_X", "Location_Center_Y", *names])
    table = written(tmp_path / "Run_Nuclei.csv", f"{header}\n{rows}")
    with refusing(BadDataset, "no-cellprofiler-images"):
        collected(fields, outlines=table)
    images = "ImageNumber,FileName_DNA,FileName_Mask\n1,b.tif,q.tif\n2,a.tif,a_m.tif\n3,gone.tif,x.tif\n"
    written(tmp_path / "Run_Image.csv", images)
    objects, _ = collected(fields, outlines=table)
    assert list(objects.image_ids) == ["a.tif#1", "b.tif#2"]
    assert objects.box.tolist() == [[0, 0, 20, 18]] * 2
    points, _ = collected(fields, points=table, size_px=4)
    assert list(points.outlines.wkt()) == ["POINT (10 9)"] * 2  # the center of pixel 9 is at 9.5


def test_cellprofiler_names_images_and_objects_in_the_columns_of_other_exports(fields: Path, tmp_path: Path) -> None:
    combined = (
        "Image,Image,Nuclei,Nuclei,Nuclei\nImageNumber,FileName_DNA,ObjectNumber,Location_Center_X,Location_Center_Y\n"
    )
    table = written(tmp_path / "c" / "Run_Nuclei.csv", f"{combined}7,b.tif,4,9.5,8.5\n7,gone.tif,5,9.5,8.5\n")
    objects, notes = collected(fields, points=table, size_px=4)
    assert list(objects.image_ids) == ["b.tif#4"]
    assert note_of(notes, "objects-without-field").parameters["names"] == "'gone.tif'"
    names = [f"Nuclei_AreaShape_BoundingBox{side}_{axis}" for side in ("Minimum", "Maximum") for axis in "XY"]
    header = ",".join(["ImageNumber", "ObjectNumber", *names, "Cells_Location_Center_X", "Cells_Location_Center_Y"])
    table = written(tmp_path / "d" / "Run_Per_Object.csv", f"{header}\n1,2,0,0,20,18,5,5\n")
    written(tmp_path / "d" / "Run_Per_Image.csv", "ImageNumber,Image_FileName_DNA\n1,a.tif\n")
    objects, _ = collected(fields, outlines=table)
    assert list(objects.image_ids) == ["a.tif#2"]
    assert objects.box.tolist() == [[0, 0, 20, 18]]


def test_databases_of_cellprofiler_are_read_like_its_tables(fields: Path, tmp_path: Path) -> None:
    file = tmp_path / "DefaultDB.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE MyExpt_Per_Image (ImageNumber INTEGER, Image_FileName_DNA TEXT)")
        database.execute("INSERT INTO MyExpt_Per_Image VALUES (1, 'b.tif'), (2, 'a.tif')")
        sides = [f"Nuclei_AreaShape_BoundingBox{side}_{axis} FLOAT" for side in ("Minimum", "Maximum") for axis in "XY"]
        columns = ", ".join(["ImageNumber INTEGER", "Nuclei_Number_Object_Number INTEGER", *sides])
        database.execute(f"CREATE TABLE MyExpt_Per_Nuclei ({columns})")
        database.execute("INSERT INTO MyExpt_Per_Nuclei VALUES (1, 2, 0.0, 0.0, 20.0, 18.0), (2, 1, 5, 5, 9, 9)")
    before = file.read_bytes()
    objects, _ = collected(fields, outlines=file)
    assert list(objects.image_ids) == ["a.tif#1", "b.tif#2"]
    assert objects.box.tolist() == [[5, 5, 4, 4], [0, 0, 20, 18]]
    assert file.read_bytes() == before
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE MyExpt_Per_Cells (ImageNumber INTEGER)")
    with refusing(BadDataset, "cellprofiler-tables", n_tables=2):
        collected(fields, outlines=file)
    with closing(sqlite3.connect(tmp_path / "other.db")) as database, database:
        database.execute("CREATE TABLE images (id INTEGER)")
    with refusing(BadDataset, "objects-of-program", program="cellprofiler"):
        collected(fields, outlines=tmp_path / "other.db")
    with refusing(BadDataset, "object-file-not-read"):
        collected(fields, outlines=written(tmp_path / "broken.db", before[:900]))


@pytest.mark.parametrize("header", ["label,centroid-0,centroid-1", "index,axis-0,axis-1"])
def test_positions_of_scikit_image_and_napari_are_centers_of_pixels(header: str, fields: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "a.csv", f"{header}\n3,14.5,19.5\n")
    objects, _ = collected(fields, points=table, size_px=4)
    assert list(objects.image_ids) == ["a.tif#3"]
    assert list(objects.outlines.wkt()) == ["POINT (20 15)"]
    for content in (
        "index,axis-0,axis-1,axis-2\n0,2,5,5\n",
        "index,vertex-index,shape-type,axis-0,axis-1\n0,0,path,5,5\n",
    ):
        with refusing(BadDataset, "no-positions-in-table"):
            collected(fields, points=written(tmp_path / "b.csv", content), size_px=4)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("label,centroid-0,centroid-1,centroid-2", "3,1.9,17,19.5"),
        (
            "label,bbox-0,bbox-1,bbox-2,bbox-3,bbox-4,bbox-5,centroid-0,centroid-1,centroid-2",
            "3,1,10,10,3,25,30,2,17,19.5",
        ),
        (
            "label,bbox_min_x,bbox_min_y,bbox_min_z,bbox_max_x,bbox_max_y,bbox_max_z,centroid_x,centroid_y,centroid_z",
            "3,10,10,1,29,24,3,19.5,17,2",
        ),
    ],
)
def test_tables_of_objects_in_three_dimensions_begin_with_z(header: str, row: str, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, HEIGHT, WIDTH), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    (tmp_path / "flat").mkdir()
    tifffile.imwrite(tmp_path / "flat" / "a.tif", np.zeros((HEIGHT, WIDTH), np.uint8))
    table = written(tmp_path / "a.csv", f"{header}\n{row}\n")
    for field, z in ((tmp_path / "a.tif", 2), (tmp_path / "flat", -1)):
        cs.collect_objects(field, points=table, size_px=4, out=tmp_path / "objects.csv", emit=print)
        objects = read_objects(tmp_path / "objects.csv")
        assert (objects.object_id.tolist(), objects.z.tolist(), objects.labels) == (["3"], [z], ())
        assert list(objects.outlines.wkt()) == ["POINT (20 17.5)"]
    if "bbox" in header:
        cs.collect_objects(tmp_path / "a.tif", outlines=table, out=tmp_path / "objects.csv", emit=print)
        assert read_objects(tmp_path / "objects.csv").box.tolist() == [[10, 10, 20, 15]]


def test_objects_that_ilastik_s_user_did_not_label_have_no_class(fields: Path, tmp_path: Path) -> None:
    header = "labelimage_oid,User Label,Predicted Class,Center of the object_0,Center of the object_1"
    table = written(tmp_path / "a.csv", f"{header}\n1,0,flat,9,9\n2,round,flat,20,9\n")
    objects, _ = collected(fields, points=table, size_px=4)
    assert (objects.label.tolist(), objects.labels) == ([-1, 0], ("round",))


def test_trackmate_has_units_and_frames(fields: Path, tmp_path: Path) -> None:
    content = (
        "LABEL,ID,TRACK_ID,POSITION_X,POSITION_Y,FRAME,RADIUS\nLabel,Spot ID,Track ID,X,Y,Frame,Radius\n"
        "Label,Spot ID,Track ID,X,Y,Frame,R\n,,,(micron),(micron),,(micron)\nID5,5,0,10.0,7.5,0,2.5\n"
    )
    objects, _ = collected(fields, points=written(tmp_path / "a.csv", content))
    assert list(objects.image_ids) == ["a.tif#5"]
    assert list(objects.outlines.wkt()) == ["POINT (20.5 15.5)"]
    assert objects.box.tolist() == [[16, 11, 10, 10]]
    with refusing(BadDataset, "field-without-pixel-size"):
        collected(fields, points=written(tmp_path / "b.csv", content))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("label,bbox-0,bbox-1,bbox-2,bbox-3,centroid-0,centroid-1", "3,10,10,25,30,17,19.5"),
        (
            "object_id,Predicted Class,Bounding Box Minimum_0,Bounding Box Minimum_1,Bounding Box Maximum_0,"
            "Bounding Box Maximum_1,Center of the object_0,Center of the object_1",
            "3,flat,10,10,29,24,19.5,17",
        ),
        (" ,Label,Area,X,Y,BX,BY,Width,Height", "3,a.tif:0017-0020,300,19.5,17,10,10,20,15"),
        ("id;x_min;y_min;x_max;y_max", "3;10;10;30;25"),
        ("id\tx\ty\twidth\theight", "3\t10\t10\t20\t15"),
        ("Cell ID,X (µm),Y (µm),Width (µm),Height (µm)", "3,5,5,10,7.5"),
    ],
)
def test_boxes_in_tables_of_several_programs_are_the_same(header: str, row: str, fields: Path, tmp_path: Path) -> None:
    objects, _ = collected(fields, outlines=written(tmp_path / "a.csv", f"{header}\n{row}\n"))
    assert list(objects.image_ids) == ["a.tif#3"]
    assert objects.box.tolist() == [[10, 10, 20, 15]]


def test_points_of_qupath_in_micrometers_name_their_image(fields: Path, tmp_path: Path) -> None:
    content = (
        "Image\tObject ID\tClassification\tCentroid X µm\tCentroid Y µm\na.tif\t9f\tTumor\t10\t8\nq.tif\t1\t\t1\t1\n"
    )
    objects, notes = collected(fields, points=written(tmp_path / "m.txt", content), size_um=4)
    assert list(objects.outlines.wkt()) == ["POINT (20 16)"]
    assert objects.box.tolist() == [[16, 12, 8, 8]]
    assert labels_of(objects) == ["Tumor"]
    assert note_of(notes, "objects-without-field").parameters["n_names"] == 1


def test_columns_with_other_names_are_chosen_by_the_user(fields: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "t.csv", "Bild,horizontal,vertikal,Art\na.tif,5,6,rund\n")
    with refusing(BadDataset, "no-positions-in-table"):
        collected(fields, points=table, size_px=4)
    columns = {"path": "Bild", "x": "horizontal", "y": "vertikal", "label": "Art"}
    objects, _ = collected(fields, points=table, size_px=4, columns=columns)
    assert (list(objects.image_ids), labels_of(objects)) == (["a.tif#1"], ["rund"])
    with refusing(BadDataset, "unknown-column"):
        collected(fields, points=table, size_px=4, columns={"x": "horizontl"})
    with refusing(BadDataset, "unknown-meaning"):
        collected(fields, points=table, size_px=4, columns={"where": "Bild"})


def test_plain_points_have_a_class_and_the_box_of_tables_of_points(fields: Path, tmp_path: Path) -> None:
    folder = tmp_path / "points"
    written(folder / "a.txt", "20 15 round\n25.5 18 flat\n")
    written(folder / "b.txt", "")
    objects, _ = collected(fields, points=folder, size_px=9)
    assert labels_of(objects) == ["round", "flat"]
    table = written(tmp_path / "same.csv", "path,x,y,label\nfields/a.tif,20,15,r\nfields/a.tif,25.5,18,f\n")
    regions = [record.plan.region for record in cs.open_dataset(table, crop_size=9)]
    assert [tuple(box) for box in objects.box.tolist()] == regions
    with refusing(BadDataset, "points-without-size"):
        collected(fields, points=folder)


@pytest.mark.parametrize(
    ("name", "content", "code", "parameters"),
    [
        ("a.geojson", [{"geometry": {"type": "Point", "coordinates": [1]}}], "geojson-feature-invalid", {"number": 1}),
        ("a.geojson", [{"geometry": {"type": "Polygon"}}], "geojson-feature-invalid", {"number": 1}),
        (
            "a.geojson",
            [{"geometry": {"type": "GeometryCollection", "geometries": [GEOJSON["features"][0]["geometry"]]}}],
            "geojson-feature-invalid",
            {"number": 1},
        ),
        ("a.geojson", {"type": "FeatureCollection", "features": [{"geometry": None}]}, "files-without-objects", {}),
        ("a.json", {"some": "thing"}, "unknown-json", {}),
        ("a.json", "{", "object-file-not-read", {}),
        ("a.zip", b"PK\x03\x04 broken", "object-file-not-read", {}),
        (
            "a.xml",
            "<CellCounter_Marker_File><Image_Filename>a.tif</Image_Filename><MarkerZ>1</MarkerZ>",
            "cell-counter-invalid",
            {},
        ),
        ("a.roi", b"Iout", "roi-invalid", {"number": 1}),
        ("a.txt", "0 0.5 0.5 0.1 0.1\n0 0.5 0.5 -0.0 0.1\n", "yolo-line-invalid", {"number": 2}),
        ("a.txt", "1 2 x\n3 4\nfive 6\n", "points-invalid", {"n_lines": 1, "numbers": "3"}),
        ("a.txt", b"\0\1\2", "not-a-text-table", {}),
        ("a.csv", "x,y,width,height,id\n200,3,5,5,1\n", "files-without-objects", {"n_outside": 1}),
        ("a.csv", "x,y,width,height,id\n2,3,5,5,1\n9,3,5,5,1\n", "repeated-object-ids", {"n_ids": 1}),
        ("a.png", b"\x89PNG broken", "labels-not-read", {}),
    ],
)
def test_broken_files_are_refused_with_the_place(
    name: str, content: Any, code: str, parameters: dict[str, Any], fields: Path, tmp_path: Path
) -> None:
    with refusing(BadDataset, code, **parameters):
        collected(fields, outlines=written(tmp_path / name, content), size_px=4)


def test_invalid_rows_of_a_table_are_listed_by_line(fields: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "a.csv", "x,y,width,height,frame\n1,2,3,4,0\nx,2,3,4,0\n1,2,0,4,0\n1,2,3,4,1.5\n")
    faults = [
        fault_in_line(3, "cell-not-a-number", column="x", value="x"),
        fault_in_line(4, "row-with-empty-box"),
        fault_in_line(5, "not-a-count", column="frame", value="1.5"),
    ]
    with refusing(BadDataset, "invalid-rows", n_rows=3, rows="; ".join(faults)):
        collected(fields, outlines=table)


@pytest.mark.slow
def test_long_cells_are_read_and_other_tables_have_the_same_limit_meanwhile(fields: Path, tmp_path: Path) -> None:
    long = written(tmp_path / "a.csv", f"x,y,width,height,note\n1,2,3,4,{'z' * 200_000}\n")
    images = written(tmp_path / "images.csv", b'path,label\n"' + b"a\n" * 5_000_000)
    with pytest.raises(BadDataset) as before:
        cs.open_dataset(images)
    half_read = open_text_table(long).rows()
    assert next(half_read)[1][0] == "x"
    with refusing(BadDataset, "invalid-table-line", **before.value.parameters):
        cs.open_dataset(images)
    assert len(collected(fields, outlines=long)[0]) == 1


def test_objects_outside_their_field_are_counted_and_left_out(fields: Path, tmp_path: Path) -> None:
    table = written(tmp_path / "a.csv", f"x,y,width,height\n1,2,3,4\n{WIDTH},2,3,4\n-9,2,3,4\n")
    objects, notes = collected(fields, outlines=table)
    assert len(objects) == 1
    assert note_of(notes, "objects-outside").parameters == {"n_objects": 2, "n_all": 3}


def test_exactly_one_source_of_objects_is_needed(fields: Path, tmp_path: Path) -> None:
    for sources, n in (({}, 0), ({"masks": tmp_path, "points": tmp_path}, 2), ({"masks": tmp_path, "finder": "x"}, 2)):
        with refusing(CoverslipError, "no-object-source", n_sources=n):
            collected(fields, **sources)


def test_fields_of_the_same_name_in_two_folders_are_distinguished_by_folder(tmp_path: Path) -> None:
    for folder in ("p1", "p2"):
        (tmp_path / "f" / folder).mkdir(parents=True)
        (tmp_path / "m" / folder).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "f" / folder / "a.tif", np.zeros((HEIGHT, WIDTH), np.uint8))
        np.save(tmp_path / "m" / folder / "a.npy", mask(first=int(folder[1]), second=9))
    cs.collect_objects(tmp_path / "f", masks=tmp_path / "m", out=tmp_path / "o.csv")
    assert list(read_objects(tmp_path / "o.csv").image_ids)[::2] == ["p1/a.tif#1", "p2/a.tif#2"]
    with refusing(BadDataset, "ambiguous-field-names"):
        cs.collect_objects(tmp_path / "f", points=written(tmp_path / "x" / "a.txt", "1 2"), size_px=4, out=None)


def test_objects_of_several_groups_in_one_field_are_in_one_file(fields: Path, tmp_path: Path) -> None:
    header = "path,field,object_id,x,y,width,height,group,pixel_size_um\n"
    rows = [f"fields/a.tif,a.tif,{k},{4 * k},2,4,4,{group}\n" for k, group in enumerate(("", "g1", "g2", "g1"), 1)]
    written(fields.parent / "objects.csv", header + "".join(rows).replace("g2", "g2,0.4"))
    objects = read_objects(fields.parent / "objects.csv")
    (field,) = objects.fields
    assert (len(objects), field.group, field.pixel_size_um) == (4, "g1", (0.4, 0.4))
    predicted, _ = predicted_objects(objects, {}, ("a",), ("#000000",))
    (file,) = export_predicted(predicted, "geojson", tmp_path / "g", lambda done, total: None)
    assert len(json.loads(file.read_text())["features"]) == 4


def test_an_unreadable_object_has_no_probability(fields: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", mask())
    collected(fields, masks=tmp_path / "a.npy")
    table = tmp_path / "predictions.csv"
    rows = [Prediction("a.tif#1", "a.tif", None, "round", 0.75, "round", (0.75,))]
    rows.append(Prediction("a.tif#2", "a.tif", None, None, None, "unreadable", ()))
    Predictions(rows, ("round",)).write_csv(table)
    (file,) = cs.export_objects(table, objects=tmp_path / "objects.csv", to="cellprofiler", out=tmp_path / "c.csv")
    cells = [line.split(",")[6:] for line in file.read_text().splitlines()[1:]]
    assert cells == [["round", "0.750000", "round"], ["", "", "unreadable"]]


def test_no_two_fields_have_the_same_file(tmp_path: Path) -> None:
    paths = ["a.tif", "x/a.tif", "A.tif", "b.tif", "b.png", "b.tif.png"]
    fields = [FieldImage(path=tmp_path / path, name=Path(path).name) for path in paths]
    names = [file.name for file in file_of_field(fields, "geojson", tmp_path / "g")]
    assert names == [f"{name}.geojson" for name in ("a.tif", "a.tif-2", "A", "b.tif", "b.png", "b.tif-2")]


def test_each_series_of_a_file_is_a_field_whose_export_finds_it_again(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    file = shared_data("microscope_formats") / "wsi_tiny" / "small.svs"
    cs.collect_objects(file, points=written(tmp_path / "p.csv", SERIES_POINTS), size_px=4, out=tmp_path / "o.csv")
    objects = read_objects(tmp_path / "o.csv")
    names = [field.name for field in objects.fields]
    assert names == ["small.svs#series=0", "small.svs#series=1"]
    predicted, _ = predicted_objects(objects, {}, ("a",), ("#000000",))
    files = export_predicted(predicted, "geojson", tmp_path / "g", lambda done, total: None)
    cs.collect_objects(file, outlines=files, size_px=4, out=tmp_path / "o2.csv")
    assert list(read_objects(tmp_path / "o2.csv").image_ids) == list(objects.image_ids)
    data = cs.open_dataset(tmp_path / "o.csv", labeled=False)
    assert {record.plan.series for record in data} == {0, 1}


def test_a_dry_run_writes_nothing_and_counts_the_same(fields: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", mask())
    assert cs.collect_objects(fields, masks=tmp_path / "a.npy", out=None).n_of_field == {"a.tif": 2, "b.tif": 0}
    assert not (tmp_path / "objects.csv").exists()


def test_another_file_is_not_replaced_by_a_table_of_objects(fields: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", mask())
    with refusing(CoverslipError, "other-file-in-place"):
        cs.collect_objects(fields, masks=tmp_path / "a.npy", out=written(tmp_path / "notes.csv", "mine"))


def test_real_points_of_red_blood_cells_are_matched_to_their_fields(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shared_data("fields_rbc_chula")
    summary = cs.collect_objects(folder / "fields", points=folder / "points", size_px=80, out=tmp_path / "o.csv")
    lines = [line for file in (folder / "points").glob("*.txt") for line in file.read_text().splitlines() if line]
    assert summary.n_objects == len(lines)
    assert len(summary.n_of_field) == len(list((folder / "fields").iterdir()))
    assert summary.n_of_label["7"] == sum(line.split()[2] == "7" for line in lines)
    assert summary.unmatched == ()


def test_lengths_in_um_are_divided_by_the_pixel_size_of_their_axis(tmp_path: Path) -> None:
    """Pixels are 0.5 µm wide and 0.25 µm high."""
    pixels = np.zeros((100, 100), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, resolution=(2, 4), metadata={"unit": "um", "axes": "YX"})
    table = written(tmp_path / "a.csv", "x_min_um,y_min_um,width_um,height_um\n1,1,10,10\n")
    objects, _ = collected(tmp_path / "a.tif", outlines=table)
    assert objects.box.tolist() == [[2, 4, 20, 40]]


def test_planes_beyond_the_field_are_refused_with_the_object(tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    tifffile.imwrite(
        tmp_path / "fields" / "a.tif", np.zeros((3, HEIGHT, WIDTH), np.uint8), imagej=True, metadata={"axes": "ZYX"}
    )
    rois = [roifile.ImagejRoi.frompoints(np.array(SQUARE, np.float32), name=str(k)) for k in (1, 2)]
    for name in ("z_position", "position"):  # of a hyperstack, or of another stack
        for at, z in ((4, None), (3, 2)):
            setattr(rois[1], name, at)
            roifile.roiwrite(tmp_path / "a_RoiSet.zip", rois, mode="w")
            if z is None:
                with refusing(BadDataset, "object-entry-invalid", number=2):
                    collected(tmp_path / "fields", outlines=tmp_path / "a_RoiSet.zip")
            else:
                objects, _ = collected(tmp_path / "fields", outlines=tmp_path / "a_RoiSet.zip")
                assert objects.z.tolist() == [-1, z]
        setattr(rois[1], name, 0)
    row = "a.tif,{shape},1,rectangle,cell,1,1,9,9,{z},1\n"
    head = "image_name,shape_id,roi_id,type,text,x,y,width,height,z,t\n"
    table = written(tmp_path / "omero.csv", head + row.format(shape=1, z=3) + row.format(shape=2, z=4))
    fault = fault_in_line(3, "plane-outside-field", axis="z", at=3, n_planes=3, field="a.tif")
    with refusing(BadDataset, "invalid-rows", n_rows=1, rows=fault):
        collected(tmp_path / "fields", outlines=table)
    objects, _ = collected(tmp_path / "fields", outlines=written(table, head + row.format(shape=1, z=3)))
    assert (objects.z.tolist(), objects.t.tolist()) == ([2], [-1])


def test_archives_of_rois_are_checked_and_their_names_may_be_those_of_classes(fields: Path, tmp_path: Path) -> None:
    roi = roifile.ImagejRoi.frompoints(np.array(SQUARE, np.float32)).tobytes()
    archive = tmp_path / "a_RoiSet.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("Tumor: Positive.roi", "Größe.roi", "b.roi"):
            file.writestr(name, roi)
    objects, _ = collected(fields, outlines=archive)
    assert objects.object_id.tolist() == ["Tumor: Positive", "Größe", "b"]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("b.roi", roi)
        file.writestr("bomb.roi", bytes(2**27))
    with refusing(BadDataset, "object-file-not-read"):
        collected(fields, outlines=archive)
