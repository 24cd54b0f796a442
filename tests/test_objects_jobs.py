"""Objects in training, prediction and exports: splits by field, crops, and files that a second reader opens."""

import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import roifile
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from refusing import refusing
from trained import INSTANT, N_FIELDS, SIDE_OF_FIELD

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.folders import with_plan
from coverslip.errors import BadDataset, CoverslipError
from coverslip.events import Event, Noted, ignore
from coverslip.images.reader import ReadPlan
from coverslip.objects.exporting import export_predicted, predicted_objects
from coverslip.objects.finding import FinderSettings
from coverslip.objects.table import read_objects
from coverslip.pipeline import train_without_report


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.open(newline="", encoding="utf-8")))


@pytest.mark.slow
def test_no_field_is_in_two_sets_and_the_classifier_learns(objects_job: Path) -> None:
    run = cs.open_run(objects_job / "run")
    sets: dict[str, set[str]] = {}
    for row in run.split:
        assert row.group is not None
        sets.setdefault(row.group, set()).add(row.split)
    assert len(sets) == N_FIELDS
    assert {len(each) for each in sets.values()} == {1}
    assert run.metrics["accuracy"].value > 0.9
    assert run.recipe.crop_margin == 0.2


@pytest.mark.slow
def test_predictions_name_field_and_object_and_summarise_takes_the_field_as_sample(objects_job: Path) -> None:
    rows = rows_of(objects_job / "predictions.csv")
    assert len(rows) == 9 * N_FIELDS
    assert (rows[10]["image_id"], rows[10]["field"], rows[10]["object_id"]) == ("f01.tif#2", "f01.tif", "2")
    assert "sample" not in rows[0]
    summary = cs.summarise(objects_job / "predictions.csv", by="field")
    assert [(each.sample, each.n) for each in summary.samples] == [(f"f{k:02}.tif", 9) for k in range(N_FIELDS)]
    assert summary.are_objects
    (row,) = cs.load_classifier(objects_job / "run", "cpu").predict(objects_job / "objects.csv").rows[10:11]
    assert (row.field, row.object_id) == ("f01.tif", "2")


@pytest.mark.slow
def test_a_column_sample_of_the_table_is_copied(objects_job: Path, tmp_path: Path) -> None:
    rows = rows_of(objects_job / "objects.csv")[:4]
    for row in rows:
        row["path"] = str(objects_job / row["path"])
        row["sample"] = "well A1"
    with (tmp_path / "o.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    cs.predict(objects_job / "run", tmp_path / "o.csv", out=tmp_path / "p.csv", device="cpu")
    assert [row["sample"] for row in rows_of(tmp_path / "p.csv")] == ["well A1"] * 4


@pytest.mark.slow
def test_crops_have_a_margin_or_a_size_and_all_16_bit(objects_job: Path) -> None:
    data = cs.open_dataset(objects_job / "objects.csv")
    record = data[4]
    whole = tifffile.imread(objects_job / "fields" / "f00.tif")
    x, y, width, height = record.plan.region or (0, 0, 0, 0)
    for plan, left, top, right, bottom in (
        (ReadPlan(), 0, 0, 0, 0),
        (ReadPlan(crop_margin=0.5), *(round(0.5 * max(width, height)),) * 4),
        (
            ReadPlan(crop_size=9),
            4 - width // 2,
            4 - height // 2,
            9 - 4 + width // 2 - width,
            9 - 4 + height // 2 - height,
        ),
    ):
        pixels = with_plan(data, plan)[4].read().array
        assert pixels.dtype == np.uint16
        assert np.array_equal(pixels[..., 0], whole[y - top : y + height + bottom, x - left : x + width + right])


def test_objects_of_two_fields_are_no_groups_but_a_warning(objects_job: Path, tmp_path: Path) -> None:
    fields = sorted((objects_job / "fields").iterdir())[:2]
    cs.collect_objects(fields, masks=objects_job / "masks", out=tmp_path / "o.csv")
    data = cs.open_dataset(tmp_path / "o.csv")
    assert "few-fields" in {note.code for note in data.notes}
    grouped = tmp_path / "g.csv"
    cs.collect_objects(objects_job / "fields", masks=objects_job / "masks", out=grouped, group_pattern=r"f\d")
    assert {record.group for record in cs.open_dataset(grouped)} == {"f0", "f1"}


@pytest.mark.slow
def test_exports_have_classes_colors_and_probabilities(objects_job: Path, tmp_path: Path) -> None:
    export = [
        "export-objects",
        str(objects_job / "predictions.csv"),
        "--objects",
        str(objects_job / "objects.csv"),
        "--to",
    ]
    predicted = {row["image_id"]: row for row in rows_of(objects_job / "predictions.csv")}
    assert main([*export, "geojson", "--out", str(tmp_path / "g")]) == 0
    features = json.loads((tmp_path / "g" / "f03.geojson").read_text())["features"]
    assert len(features) == 9
    for feature in features:
        row = predicted[f"f03.tif#{feature['properties']['metadata']['object_id']}"]
        classification = feature["properties"]["classification"]
        assert classification["name"] == row["predicted"]
        assert feature["properties"]["metadata"]["decision"] == row["decision"]
        probability = feature["properties"]["measurements"]["probability"]
        assert probability == pytest.approx(float(row["probability"]), abs=1e-6)
    colors = {
        each["properties"]["classification"]["name"]: each["properties"]["classification"]["color"] for each in features
    }
    assert len({tuple(color) for color in colors.values()}) == len(colors) == 2

    assert main([*export, "label-tiff", "--out", str(tmp_path / "l")]) == 0
    labels = tifffile.imread(tmp_path / "l" / "f03_labels.tif")
    assert np.array_equal(labels, tifffile.imread(objects_job / "masks" / "f03_mask.tif"))
    numbers = {row["class"]: int(row["class_number"]) for row in rows_of(tmp_path / "l" / "classes.csv")}
    classes = tifffile.imread(tmp_path / "l" / "f03_classes.tif")
    for label in range(1, 10):
        assert set(classes[labels == label]) == {numbers[predicted[f"f03.tif#{label}"]["predicted"]]}

    assert main([*export, "rois", "--out", str(tmp_path / "r")]) == 0
    rois = roifile.roiread(tmp_path / "r" / "f03.zip")
    assert isinstance(rois, list)
    assert {roi.name for roi in rois} == {f"{predicted[f'f03.tif#{k}']['predicted']} {k}" for k in range(1, 10)}

    assert main([*export, "cellprofiler", "--out", str(tmp_path / "c.csv")]) == 0
    (row,) = (r for r in rows_of(tmp_path / "c.csv") if (r["FileName"], r["ObjectNumber"]) == ("f03.tif", "5"))
    center = np.argwhere(labels == 5).mean(axis=0)
    assert float(row["Location_Center_Y"]) == pytest.approx(center[0], abs=1e-3)
    assert float(row["Location_Center_X"]) == pytest.approx(center[1], abs=1e-3)
    assert row["ImageNumber"] == "4"


@pytest.mark.slow
def test_a_second_reader_gets_the_same_masks_from_coco(objects_job: Path, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    cs.export_objects(
        objects_job / "predictions.csv", objects=objects_job / "objects.csv", to="coco", out=tmp_path / "c.json"
    )
    coco = COCO(tmp_path / "c.json")
    image = next(each for each in coco.dataset["images"] if each["file_name"] == "f03.tif")
    labels = tifffile.imread(objects_job / "masks" / "f03_mask.tif")
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]])):
        true = labels == int(annotation["object_id"])
        assert annotation["area"] == true.sum()
        both = coco.annToMask(annotation).astype(bool) & true
        assert both.sum() > 0.97 * true.sum()  # its own way to fill polygons takes other pixels at edges


@pytest.mark.slow
def test_predictions_of_other_objects_and_wrong_places_are_refused(objects_job: Path, tmp_path: Path) -> None:
    def export(to: str, out: Path, objects: Path = objects_job / "objects.csv") -> None:
        cs.export_objects(objects_job / "predictions.csv", objects=objects, to=to, out=out)  # type: ignore[arg-type]  # one is wrong

    with refusing(CoverslipError, "unknown-object-format", format="svg"):
        export("svg", tmp_path / "x")
    with refusing(CoverslipError, "export-objects-to-folder"):
        export("coco", tmp_path)
    with refusing(CoverslipError, "export-objects-to-file", n_fields=N_FIELDS):
        export("geojson", tmp_path / "all.geojson")
    content = (objects_job / "objects.csv").read_text().replace("f0", "g0").replace("f1", "g1")
    (tmp_path / "other.csv").write_text(content)
    with refusing(CoverslipError, "predictions-of-other-objects"):
        export("coco", tmp_path / "c.json", tmp_path / "other.csv")
    (tmp_path / "broken.csv").write_text(content.replace("POLYGON", "POLYGN"))
    with refusing(BadDataset, "invalid-rows", n_rows=9 * N_FIELDS):
        export("coco", tmp_path / "c.json", tmp_path / "broken.csv")
    (tmp_path / "short.csv").write_text("path,field\na,b\n")
    with refusing(BadDataset, "objects-without-column", column="object_id"):
        export("coco", tmp_path / "c.json", tmp_path / "short.csv")


LABELS = arrays(np.uint8, (12, 15), elements=st.integers(0, 4))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=LABELS, shift=st.sampled_from([0.0, 0.25]))
def test_objects_survive_a_round_trip_through_every_format(
    labels: npt.NDArray[np.uint8], shift: float, tmp_path: Path
) -> None:
    labels[0, 0], labels[0, 1] = 1, 2  # more than one label, else connected pixels are the objects
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(labels.shape, np.uint8))
    np.save(tmp_path / "a.npy", labels)
    cs.collect_objects([tmp_path / "a.tif"], masks=tmp_path / "a.npy", out=tmp_path / "o.csv", emit=lambda event: None)
    objects = read_objects(tmp_path / "o.csv")
    objects.outlines.xy.setflags(write=True)
    objects.outlines.xy[:] += np.float32(shift)
    decisions = {each: ("b" if k % 2 else "a", 0.75, "a") for k, each in enumerate(objects.image_ids)}
    predicted, n_other = predicted_objects(objects, decisions, ("a", "b"), ("#102030", "#405060"))
    assert n_other == 0
    for to, name, source in (
        ("geojson", "a.geojson", "outlines"),
        ("rois", "a.zip", "outlines"),
        ("coco", "a.json", "outlines"),
        ("labelme", "l.json", "outlines"),
        ("label-tiff", "labels", "masks"),
    ):
        if shift and to == "label-tiff":
            continue
        files = export_predicted(predicted, to, tmp_path / name, lambda done, total: None)  # type: ignore[arg-type]
        cs.collect_objects(
            [tmp_path / "a.tif"], out=tmp_path / "b.csv", emit=lambda event: None, **{source: [files[0]]}
        )
        again = read_objects(tmp_path / "b.csv")
        holes = (
            shift
            and to in ("coco", "labelme")
            and (objects.outlines.n_polygons() < np.diff(objects.outlines.object_start)).any()
        )
        if to == "label-tiff":
            assert [box.tolist() for box in again.box] == [box.tolist() for box in objects.box]
            assert list(again.outlines.wkt()) == list(objects.outlines.wkt())
        elif not holes:  # COCO and LabelMe have holes in masks of whole pixels only
            assert np.array_equal(np.sort(again.outlines.xy, axis=0), np.sort(objects.outlines.xy, axis=0))
            assert again.outlines.areas().tolist() == objects.outlines.areas().tolist()
            assert list(again.image_ids) == list(objects.image_ids)
            assert [again.labels[k] for k in again.label] == ["b" if k % 2 else "a" for k in range(len(again))]


def test_boxes_and_points_are_exported_as_such(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 40), np.uint8))
    (tmp_path / "a.csv").write_text("id,x,y,width,height\nleft,3,4,5,6\n")
    (tmp_path / "p.csv").write_text("image,id,x,y\na.tif,4,10.5,12\n")
    out = tmp_path / "o.csv"
    for source, expected in (
        (
            {"outlines": tmp_path / "a.csv"},
            {"type": "Polygon", "coordinates": [[[3, 4], [8, 4], [8, 10], [3, 10], [3, 4]]]},
        ),
        ({"points": tmp_path / "p.csv", "size_px": 6}, {"type": "Point", "coordinates": [10.5, 12]}),
    ):
        cs.collect_objects(tmp_path / "a.tif", out=out, **source)  # type: ignore[arg-type]  # of either kind
        predicted, _ = predicted_objects(read_objects(out), {}, ("a",), ("#000000",))
        (file,) = export_predicted(predicted, "geojson", tmp_path / "a.geojson", lambda done, total: None)
        (feature,) = json.loads(file.read_text())["features"]
        assert feature["geometry"] == expected
        (rois,) = export_predicted(predicted, "rois", tmp_path / "a.zip", lambda done, total: None)
        (roi,) = roifile.roiread(rois)  # type: ignore[misc]  # a list, of a zip file
        assert np.array_equal(np.asarray(roi.coordinates()), np.array(expected["coordinates"]).reshape(-1, 2)[:4][:4])


def test_objects_without_a_class_are_read_by_a_second_reader_of_coco_and_come_home_without(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 40), np.uint8))
    (tmp_path / "a.csv").write_text("id,x,y,width,height\nleft,3,4,5,6\nright,20,4,5,6\n")
    cs.collect_objects(tmp_path / "a.tif", out=tmp_path / "o.csv", outlines=tmp_path / "a.csv")
    decisions = {"a.tif#left": ("b", 0.75, "b")}
    predicted, _ = predicted_objects(read_objects(tmp_path / "o.csv"), decisions, ("a", "b"), ("#000000", "#ffffff"))
    (file,) = export_predicted(predicted, "coco", tmp_path / "a.json", lambda done, total: None)
    coco = COCO(file)
    categories = [coco.cats[each["category_id"]]["name"] for each in coco.loadAnns(coco.getAnnIds())]
    assert categories == ["b", ""]
    cs.collect_objects(tmp_path / "a.tif", out=tmp_path / "again.csv", outlines=file)
    again = read_objects(tmp_path / "again.csv")
    assert [("" if k < 0 else again.labels[k]) for k in again.label.tolist()] == ["b", ""]


def test_the_finder_is_a_source_of_objects(
    objects_job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = [str(path) for path in sorted((objects_job / "fields").iterdir())[:2]]
    command = ["objects", *fields, "--finder", "classical", "--out", str(tmp_path / "o.csv"), "--json"]
    assert main([*command, "--finder-set", "objects=bright"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["kind"] == "classical"
    assert summary["n_objects"] == len(rows_of(tmp_path / "o.csv")) == 18
    assert main([*command, "--finder-set", "diametr=9"]) == 2


@pytest.mark.slow
def test_whole_fields_need_their_objects_if_those_of_the_training_were_read_from_files(
    objects_job: Path, tmp_path: Path
) -> None:
    card = cs.open_run(objects_job / "run").card
    assert (card.of_objects, card.finder) == (True, None)
    with_clump = card.trained_on.model_copy(update={"width_px": (20, 100), "height_px": (20, 100)})
    assert [with_clump.is_field(side, side) for side in (40, SIDE_OF_FIELD)] == [False, True]
    with pytest.raises(BadDataset) as refused:
        cs.predict(objects_job / "run", objects_job / "fields", out=tmp_path / "p.csv", device="cpu")
    assert refused.value.code == "fields-without-found-objects"
    with refusing(CoverslipError, "watched-fields"):
        cs.watch(objects_job / "run", objects_job / "fields", out=tmp_path / "w.csv", device="cpu", quiet_seconds=0)
    assert not rows_of(tmp_path / "w.csv")


def test_notes_of_several_fields_have_the_range_of_numbers_and_count_excluded_objects(tmp_path: Path) -> None:
    y, x = np.mgrid[:240, :240]
    (tmp_path / "fields").mkdir()
    for k, radius in enumerate((1.6, 2.2)):
        is_object = (np.hypot(y % 16 - 8, x % 16 - 8) < radius) & (np.hypot(y - 120, x - 120) > 30)
        is_object |= np.hypot(y - 120, x - 120) < 15
        tifffile.imwrite(tmp_path / "fields" / f"f{k}.tif", (is_object * 200).astype(np.uint8))
    events: list[Event] = []
    summary = cs.collect_objects(
        tmp_path / "fields",
        out=tmp_path / "o.csv",
        finder="classical",
        finder_settings=FinderSettings(objects="bright", largest=12),
        emit=events.append,
    )
    notes = {each.code: each.parameters for each in events if isinstance(each, Noted)}
    excluded = notes["finder-excluded"]
    assert (excluded["n_excluded"], excluded["n_objects"]) == (2, summary.n_objects + 2)
    of_fields = notes["finder-warning-of-fields"]
    assert of_fields["n_fields"] == 2
    assert of_fields["warning"]["code"] == "finder-small-objects"
    diameter = of_fields["warning"]["parameters"]["diameter"]
    assert diameter["code"] == "report-range"
    assert 3 < diameter["parameters"]["low"] < diameter["parameters"]["high"] < 6.5


@pytest.mark.slow
def test_lengths_of_the_finder_are_those_of_the_training_in_fields_of_another_pixel_size(tmp_path: Path) -> None:
    def write_field(file: Path, *, um: float, side: int, seed: int) -> None:
        """16 discs with diameters of 10 and 14 µm, and one of debris of 2 µm."""
        row, column = np.mgrid[:side, :side] * um
        pixels = np.random.default_rng(seed).normal(40, 8, (side, side))
        for k in range(16):
            pixels[np.hypot(row - 25 - 50 * (k // 4), column - 25 - 50 * (k % 4)) < (5, 7)[k % 2]] = 180
        pixels[np.hypot(row - 50, column - 50) < 1] = 180
        per_cm = (1e4 / um, 1e4 / um)
        tifffile.imwrite(file, pixels.astype(np.uint8), resolution=per_cm, resolutionunit="CENTIMETER")

    (tmp_path / "home").mkdir()
    for k in range(3):
        write_field(tmp_path / "home" / f"{k}.tif", um=0.5, side=400, seed=k)
    write_field(tmp_path / "new.tif", um=0.25, side=800, seed=9)
    limits = FinderSettings(diameter=24, smallest=12, largest=40, objects="bright")  # px
    table = tmp_path / "home.csv"
    cs.collect_objects(tmp_path / "home", out=table, finder="classical", finder_settings=limits)
    rows = rows_of(table)
    labeled = [{**row, "label": "small" if float(row["width"]) < 25 else "large"} for row in rows]
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(labeled[0]))
        writer.writeheader()
        writer.writerows(labeled)
    train_without_report(cs.open_dataset(table), INSTANT, out=tmp_path / "run", emit=ignore)
    cs.predict(tmp_path / "run", tmp_path / "new.tif", out=tmp_path / "p.csv", device="cpu")
    widths = sorted(int(row["width"]) for row in rows_of(tmp_path / "p_objects.csv"))
    assert (len(rows), len(widths)) == (48, 16)
    assert (widths[0], widths[-1]) == pytest.approx((40, 56), abs=3)
