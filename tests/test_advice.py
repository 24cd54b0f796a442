"""The advice of errors about files helps: each test gets the error, does what its text says, and gets the objects."""

import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile
from image_kinds import write_zarr
from refusing import refusing

import coverslip as cs
from coverslip.errors import BadDataset
from coverslip.events import ignore
from coverslip.objects.table import read_objects

HEIGHT, WIDTH = 40, 60
BOX = [10, 10, 20, 15]
RING = [[10, 10], [30, 10], [30, 25], [10, 25]]
Sources = dict[str, Any]  # of `collect_objects`
Make = Callable[[Path], Sources]


def labels() -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH), np.uint16)
    image[10:25, 10:30] = 3
    return image


def text_file(name: str, content: Any, **options: Any) -> Make:
    """Sources with one text file of outlines."""

    def make(folder: Path) -> Sources:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return {"outlines": folder / name} | options

    return make


def bytes_file(name: str, content: bytes, source: str = "outlines") -> Make:
    def make(folder: Path) -> Sources:
        (folder / name).write_bytes(content)
        return {source: folder / name}

    return make


def mask(name: str, image: np.ndarray) -> Make:
    """Sources with one label image."""

    def make(folder: Path) -> Sources:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".npy"):
            np.save(folder / name, image)
        else:
            tifffile.imwrite(folder / name, image, photometric="minisblack")
        return {"masks": folder / name}

    return make


def as_overlay(folder: Path) -> Sources:
    roi = roifile.ImagejRoi.frompoints(np.array(RING, float), name="cell").tobytes()
    tifffile.imwrite(folder / "a.tif", np.zeros((HEIGHT, WIDTH), np.uint8), imagej=True, metadata={"Overlays": [roi]})
    return {"outlines": folder / "a.tif"}


def zarr_of_labels(source: str) -> Make:
    def make(folder: Path) -> Sources:
        return {source: write_zarr(folder / "a.zarr", labels()[np.newaxis], "CYX", "0.4")}

    return make


def field_itself(folder: Path) -> Sources:
    return {"masks": folder.parent / "fields" / "a.tif"}


def zip_of_table(folder: Path) -> Sources:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.csv", "x_min,y_min,width,height\n10,10,20,15\n")
    return {"outlines": folder / "a.zip"}


def unpacked(folder: Path) -> Sources:
    zipfile.ZipFile(folder / "a.zip").extractall(folder / "unpacked")
    return {"outlines": folder / "unpacked"}


def two_masks(folder: Path) -> Sources:
    for name in ("a_masks.tif", "a_labels.tif"):
        mask(f"m/{name}", labels())(folder)
    return {"masks": folder / "m"}


def one_mask(folder: Path) -> Sources:
    (folder / "m" / "a_labels.tif").unlink()
    return {"masks": folder / "m"}


def pickled(name: str) -> Make:
    def make(folder: Path) -> Sources:
        np.save(folder / name, {"masks": labels()}, allow_pickle=True)  # type: ignore[arg-type]  # as Cellpose does
        return {"masks": folder / name}

    return make


def cellprofiler(images: str | None) -> Make:
    def make(folder: Path) -> Sources:
        if images is not None:
            (folder / "ExptImage.csv").write_text(f"ImageNumber,FileName_DNA\n1,{images}\n")
        numbers = "AreaShape_BoundingBoxMinimum_X,AreaShape_BoundingBoxMinimum_Y,AreaShape_BoundingBoxMaximum_X"
        header = f"ImageNumber,ObjectNumber,{numbers},AreaShape_BoundingBoxMaximum_Y\n"
        (folder / "ExptCells.csv").write_text(f"{header}1,1,10,10,30,25\n")
        return {"outlines": folder / "ExptCells.csv"}

    return make


def counted(x: str) -> str:
    markers = f"<Type>2</Type><Marker><MarkerX>{x}</MarkerX><MarkerY>17</MarkerY><MarkerZ>1</MarkerZ></Marker>"
    image = "<Image_Properties><Image_Filename>a.tif</Image_Filename></Image_Properties>"
    return f'<?xml version="1.0"?><CellCounter_Marker_File>{image}{markers}</CellCounter_Marker_File>'


def feature(points: Any) -> Any:
    return [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [points]}, "properties": {}}]


def outlined(t: int) -> dict[str, Any]:
    """A feature of QuPath at a time point, from 0."""
    geometry = {"type": "Polygon", "coordinates": [[*RING, RING[0]]], "plane": {"t": t}}
    return {"type": "Feature", "geometry": geometry, "properties": {}}


IMAGES = {"images": [{"id": 1, "file_name": "a.tif"}], "categories": [{"id": 1, "name": "c"}]}
RESULTS = [{"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.9}]


def results_beside_dataset(folder: Path) -> Sources:
    text_file("dataset.json", IMAGES | {"annotations": RESULTS})(folder)
    return text_file("a.json", RESULTS)(folder)


def two_kinds_of_objects(folder: Path) -> Sources:
    with closing(sqlite3.connect(folder / "a.db")) as database, database:
        for table in ("Per_Image", "Per_Nuclei", "Per_Cells"):
            database.execute(f"CREATE TABLE {table} (ImageNumber INTEGER)")
    return {"outlines": folder / "a.db"}


CORNERS = "x_min,y_min,width,height"
PATCH = {"size_px": 15}  # around the center of a point
SHARES = f"{20 / WIDTH} {17.5 / HEIGHT} {20 / WIDTH} {15 / HEIGHT}"
AT = {"x": "Pos", "y": "Line"}
SHAPES = {"imagePath": "a.tif", "imageHeight": HEIGHT, "shapes": [{"points": RING, "shape_type": "polygon"}]}

ADVICE: dict[str, list[tuple[Make, Make]]] = {
    "no-object-files": [(zarr_of_labels("outlines"), zarr_of_labels("masks"))],
    "field-as-mask": [(field_itself, mask("a.tif", labels()))],
    "two-files-of-field": [(two_masks, one_mask)],
    "labels-not-read": [(bytes_file("a.png", b"\x89PNG broken", "masks"), mask("a.npy", labels()))],
    "labels-pickled": [
        (pickled("a_seg.npy"), mask("a_cp_masks.tif", labels())),
        (pickled("a.npy"), mask("a.npy", labels().astype("int32"))),
    ],
    "labels-of-other-shape": [(mask("a.npy", np.zeros((2, 2, 2, 2), int)), mask("a.npy", labels()))],
    "labels-with-decimals": [(mask("a.npy", labels() / 7), mask("a.npy", labels()))],
    "mask-of-other-size": [(mask("a.tif", labels()[::2, ::2]), mask("a.tif", labels()))],
    "mask-planes-differ": [(mask("a.tif", np.stack([labels()] * 5)), mask("a.tif", labels()))],
    "masks-without-objects": [(mask("a.tif", labels() * 0), mask("a.tif", labels()))],
    "object-file-not-read": [(text_file("a.json", "{"), text_file("a.json", feature(RING)))],
    "unknown-object-file": [(text_file("a.txt", "7\n"), text_file("a.geojson", feature(RING)))],
    "unknown-json": [
        (text_file("a.json", {"some": "thing"}), text_file("a.json", feature(RING))),
    ],
    "coco-results-without-dataset": [(text_file("a.json", RESULTS), results_beside_dataset)],
    "coco-and-results": [
        (lambda folder: {"outlines": results_beside_dataset(folder)["outlines"].parent}, results_beside_dataset)
    ],
    "mask-instead-of-outlines": [
        (lambda folder: {"outlines": mask("a.tif", labels())(folder)["masks"]}, mask("a.tif", labels())),
        (lambda folder: {"outlines": mask("a.tif", labels())(folder)["masks"]}, as_overlay),
    ],
    "files-without-objects": [
        (text_file("a.csv", f"{CORNERS}\n"), text_file("a.csv", f"{CORNERS}\n10,10,20,15\n")),
        (text_file("a.csv", f"{CORNERS}\n1000,1000,20,15\n"), text_file("a.csv", f"{CORNERS}\n10,10,20,15\n")),
    ],
    "repeated-object-ids": [
        (
            text_file("a.csv", f"id,moment,{CORNERS}\n1,0,10,10,20,15\n1,1,10,10,20,15\n"),
            text_file("a.csv", f"id,moment,{CORNERS}\n1,0,10,10,20,15\n1,1,10,10,20,15\n", columns={"t": "moment"}),
        ),
        (
            text_file("a.csv", f"id,nr,{CORNERS}\n1,1,10,10,20,15\n1,2,10,10,20,15\n"),
            text_file("a.csv", f"id,nr,{CORNERS}\n1,1,10,10,20,15\n1,2,10,10,20,15\n", columns={"object_id": "nr"}),
        ),
    ],
    "positions-below-one": [
        (text_file("a.csv", f"{CORNERS}\n0.1,0.2,0.2,0.3\n"), text_file("a.csv", f"{CORNERS}\n10,10,20,15\n")),
    ],
    "first-row-of-values": [
        (text_file("a.csv", "a.tif,10,10,20,15\n"), text_file("a.csv", f"path,{CORNERS}\na.tif,10,10,20,15\n")),
    ],
    "points-without-size": [(text_file("a.txt", "20 17\n"), text_file("a.txt", "20 17\n", **PATCH))],
    "field-without-pixel-size": [
        (
            text_file("a.csv", "x (µm),y (µm)\n10,8.5\n", **PATCH),
            text_file("a.csv", "x (µm),y (µm)\n10,8.5\n", pixel_size_um=0.5, **PATCH),
        )
    ],
    "geojson-feature-invalid": [(text_file("a.json", feature([["x", 1]])), text_file("a.json", feature(RING)))],
    "roi-invalid": [(bytes_file("a.roi", b"Iout"), as_overlay)],
    "no-objects-in-archive": [(zip_of_table, unpacked)],
    "cell-counter-invalid": [(text_file("a.xml", counted("?"), **PATCH), text_file("a.xml", counted("20"), **PATCH))],
    "coco-invalid": [
        (
            text_file("a.json", {"images": [{"id": 1}], "categories": [{"id": 1}], "annotations": RESULTS}),
            text_file("a.json", IMAGES | {"annotations": RESULTS}),
        )
    ],
    "coco-annotation-invalid": [
        (
            text_file("a.json", IMAGES | {"annotations": [{"image_id": 2, "bbox": BOX}]}),
            text_file("a.json", IMAGES | {"annotations": [{"image_id": 1, "bbox": BOX}]}),
        )
    ],
    "objects-of-program": [
        (text_file("a.txt", f"0 {SHARES} 0.9\n"), text_file("a.txt", f"0 {SHARES}\n")),
        (
            text_file("a.xml", '<?xml version="1.0"?><annotations></annotations>'),
            text_file("a.json", IMAGES | {"annotations": [{"image_id": 1, "bbox": BOX}]}),
        ),
        (
            text_file("a.csv", "index,shape-type,vertex-index,axis-0,axis-1\n0,polygon,0,10,10\n"),
            mask("a.tif", labels()),
        ),
    ],
    "object-entry-invalid": [(text_file("a.geojson", outlined(t=2)), text_file("a.geojson", outlined(t=1)))],
    "outlines-of-other-size": [
        (
            text_file("a.json", SHAPES | {"imageWidth": 2 * WIDTH}),
            text_file("a.json", SHAPES | {"imageWidth": WIDTH}),
        )
    ],
    "labelme-shape-invalid": [
        (
            text_file("a.json", SHAPES | {"shapes": [{"points": RING[:2], "shape_type": "circle"}, {"points": 1}]}),
            text_file("a.json", SHAPES),
        )
    ],
    "yolo-line-invalid": [
        (text_file("a.txt", f"0 {SHARES}\n0 0.5 0.5 0 0\n"), text_file("a.txt", f"0 {SHARES}\n")),
    ],
    "cellpose-line-invalid": [
        (text_file("a.txt", "9,9,30,9,30,25\n" * 50 + "1,2,3\n"), text_file("a.txt", "10,10,29,10,29,24,10,24\n"))
    ],
    "points-invalid": [
        (text_file("a.txt", "20 17\nhere\n", **PATCH), text_file("a.txt", "20 17 round\n", **PATCH)),
    ],
    "numbers-without-names": [
        (
            text_file("a.txt", "1,1,10,10,20,15,1,-1,-1,-1\n"),
            text_file("a.txt", f"number,object_id,{CORNERS},c,d,e,f\n1,1,10,10,20,15,1,-1,-1,-1\n"),
        ),
        (
            text_file("a.txt", "1\t20.0\t17.4\n2\t20.0\t17.4\n", **PATCH),
            text_file("a.txt", "nr\tx\ty\n1\t20.0\t17.4\n2\t20.0\t17.4\n", **PATCH),
        ),
    ],
    "no-positions-in-table": [
        (
            text_file("a.csv", "Pos,Line\n20,17\n", **PATCH),
            text_file("a.csv", "Pos,Line\n20,17\n", columns=AT, **PATCH),
        )
    ],
    "cellprofiler-images-unmatched": [(cellprofiler("other.tif"), cellprofiler("a.tif"))],
    "cellprofiler-tables": [(two_kinds_of_objects, cellprofiler("a.tif"))],
    "no-cellprofiler-images": [(cellprofiler(None), cellprofiler("a.tif"))],
}


def codes_with_advice(catalogue: str, *sections: str) -> set[str]:
    """The codes with advice in sections of the English catalogue."""
    folder = Path(cs.__file__).parent / "messages" / "en"
    parts = re.split(r"^## ", (folder / catalogue).read_text(encoding="utf-8"), flags=re.MULTILINE)
    blocks = [block for section in parts if section.startswith(sections) for block in section.split("\n\n")]
    return {block.partition(" = ")[0] for block in blocks if "\n    .do = " in block}


def test_each_advice_about_files_of_objects_is_followed() -> None:
    assert codes_with_advice("objects.ftl", "Masks", "Files of other programs") <= ADVICE.keys()


@pytest.mark.parametrize(
    ("code", "refused", "followed"),
    [pytest.param(code, *pair, id=f"{code}-{k}") for code, pairs in ADVICE.items() for k, pair in enumerate(pairs)],
)
def test_who_follows_the_advice_gets_the_objects(code: str, refused: Make, followed: Make, tmp_path: Path) -> None:
    (tmp_path / "fields").mkdir()
    (tmp_path / "files").mkdir()
    film = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    tifffile.imwrite(tmp_path / "fields" / "a.tif", film, imagej=True, metadata={"axes": "TYX"})
    with refusing(BadDataset, code):
        cs.collect_objects(tmp_path / "fields", out=None, emit=ignore, **refused(tmp_path / "files"))
    sources = followed(tmp_path / "files")
    cs.collect_objects(tmp_path / "fields", out=tmp_path / "objects.csv", emit=ignore, **sources)
    boxes = read_objects(tmp_path / "objects.csv").box.tolist()
    n_objects = 2 if code == "repeated-object-ids" else len(boxes)
    assert boxes == ([[13, 10, 15, 15]] if "size_px" in sources else [BOX]) * n_objects
