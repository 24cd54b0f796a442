"""Fields of view in the app: objects that are read or found, their outlines and labels, and tiles of the field."""

import base64
import csv
import io
import json
import threading
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from image_sets import App, in_jobs, in_lists, workspace_in
from PIL import Image
from small_workspace import QUICK, do_jobs, predicted_here, trained_here, until
from tables import rows_of

import coverslip as cs
from coverslip.cli import main
from coverslip.events import ignore
from coverslip.objects import finders
from coverslip.objects.finders import CLASSICAL, FinderRecord
from coverslip.objects.finding import FinderSettings
from coverslip.objects.outlines import signed_area
from coverslip.objects.table import read_objects
from coverslip.workspace.cleanup import delete_removed_datasets
from coverslip.workspace.jobs.queue import Queue, Turns
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.tables import datasets

Array = np.ndarray[Any, Any]
SIDE = 300
CENTERS = [(50 + 100 * (k % 3), 50 + 100 * (k // 3)) for k in range(9)]


def write_fields(folder: Path, n_fields: int = 4) -> Path:
    """Fields of nine discs, large and small in turn, with their masks and with points that state their classes."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for name in ("fields", "masks", "points"):
        (folder / name).mkdir(parents=True)
    for number in range(n_fields):
        pixels = rng.normal(60, 4, (SIDE, SIDE))
        labels = np.zeros((SIDE, SIDE), np.uint8)
        for k, (x, y) in enumerate(CENTERS):
            is_inside = (columns - x) ** 2 + (rows - y) ** 2 < (24 if k % 2 == 0 else 14) ** 2
            pixels[is_inside] += 120
            labels[is_inside] = k + 1
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "fields" / f"field{number}.png")
        tifffile.imwrite(folder / "masks" / f"field{number}_mask.tif", labels)
        lines = [f"{x} {y} {'large' if k % 2 == 0 else 'small'}" for k, (x, y) in enumerate(CENTERS)]
        (folder / "points" / f"field{number}.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


@pytest.fixture
def fields(app: App, tmp_path: Path) -> str:
    """The dataset of four fields; its ID."""
    dataset = app.open(write_fields(tmp_path / "data") / "fields", is_labeled=False)
    return str(dataset["id"])


def collected(app: App, dataset_id: str, **wanted: Any) -> Any:
    """The state of objects once they are collected."""
    new = {"kind": "objects", "subject": dataset_id, **wanted}
    assert app.send("POST", "computations", new)["state"] in ("waiting", "running")
    do_jobs(app.home)
    state = app.get(f"computations/objects/{dataset_id}")
    if state["objects"] is not None:
        app.wait(state["objects"]["dataset_id"])
    return state


def opened(app: App, folder: Path, name: str = "objects.csv", **source: Any) -> str:
    """The address of a dataset of objects whose table was written without the app."""
    cs.collect_objects(folder / "fields", out=folder / name, emit=ignore, **source)
    return f"datasets/{app.open(folder / name)['id']}"


def outlines(app: App, field: str) -> tuple[list[int], Array, list[list[Array]]]:
    """The row_ids, boxes and rings of the objects of a field, as the API document describes them."""
    data = app.client.get(f"/api/v1/{field}/outlines").content
    n, n_rings, n_vertices = np.frombuffer(data, "<u4", 3).tolist()
    parts, at = [], 12
    for kind, length in (("<u4", n), ("<i4", 4 * n), ("<u4", n + 1), ("<u4", n_rings + 1), ("<f4", 2 * n_vertices)):
        parts.append(np.frombuffer(data, kind, length, at))
        at += 4 * length
    assert at == len(data)
    rows, boxes, first_ring, first_vertex, xy = parts
    vertices = xy.reshape(-1, 2)
    rings = [
        [vertices[first_vertex[ring] : first_vertex[ring + 1]] for ring in range(first_ring[k], first_ring[k + 1])]
        for k in range(n)
    ]
    return rows.tolist(), boxes.reshape(-1, 4), rings


@pytest.mark.slow
def test_masks_become_a_dataset_whose_fields_have_the_same_outlines(app: App, fields: str, tmp_path: Path) -> None:
    state = collected(app, fields, source="masks", paths=[str(tmp_path / "data" / "masks")])
    assert (state["state"], state["error"]) == ("ready", None)
    objects = state["objects"]
    assert (objects["kind"], objects["n_objects"], objects["n_of_label"]) == ("masks", 36, {})
    at = f"datasets/{objects['dataset_id']}"
    dataset = app.get(at)
    assert (dataset["n_images"], dataset["groups"]["n_groups"]) == (36, 4)
    listed = app.get(f"{in_lists(at)}/fields", limit=2)
    assert listed["total"] == 4
    assert [(each["name"], each["n_objects"]) for each in listed["items"]] == [("field0.png", 9), ("field1.png", 9)]
    second = listed["items"][1]
    rows = app.rows(at)
    assert app.get(f"{in_lists(at)}/rows/{rows[13]}/field") == second
    row_ids, boxes, rings = outlines(app, f"{in_lists(at)}/rows/{rows[13]}/field")
    assert row_ids == rows[9:18]
    table = read_objects(Path(dataset["sources"][0]["path"]))
    for k in range(9):
        assert boxes[k].tolist() == table.box[9 + k].tolist()
        (ring,) = rings[k]
        assert np.array_equal(ring, table.outlines.rings(9 + k)[0])


def test_points_state_classes_and_labels_of_a_field_follow_changes(app: App, tmp_path: Path) -> None:
    data = write_fields(tmp_path / "data")
    at = opened(app, data, points=data / "points", size_px=40)
    rows = app.rows(at)
    of_first, of_second = f"{in_lists(at)}/rows/{rows[0]}/field", f"{in_lists(at)}/rows/{rows[9]}/field"
    before = app.get(f"{of_first}/labels")
    assert [before["classes"][k] for k in before["labels"]] == ["large", "small"] * 4 + ["large"]
    change = app.send("POST", f"{at}/changes", {"rows": rows[:3], "label": "other"})["change"]
    app.send("POST", f"{at}/changes", {"rows": [rows[4]], "label": None})
    app.send("POST", f"{at}/changes", {"rows": [rows[5]], "is_excluded": True})
    after = app.get(f"{of_first}/labels")
    names = [None if k < 0 else after["classes"][k] for k in after["labels"]]
    assert names == ["other", "other", "other", "small", None, "small", "large", "small", "large"]
    assert after["excluded"] == [5]
    assert app.get(f"{of_second}/labels")["labels"] == before["labels"]
    small = [row for k, row in enumerate(app.rows(at)) if k % 9 % 2]
    app.send("PATCH", at, {"classes": ["large"]})
    app.send("POST", f"{at}/changes", {"rows": small, "is_excluded": True})
    in_use = app.get(f"{of_second}/labels")
    assert (in_use["classes"], in_use["labels"]) == (["large", "other"], [0, -1] * 4 + [0])
    app.send("POST", f"{at}/changes", {"rows": small, "is_excluded": False})
    app.undo(change)
    assert app.get(f"{of_first}/labels")["labels"][:4] == before["labels"][:4]
    _, boxes, rings = outlines(app, of_first)
    assert boxes[1].tolist() == [130, 30, 40, 40]
    assert rings[1][0].tolist() == [[150, 50]]


@pytest.mark.slow
def test_tiles_of_a_field_are_those_of_the_whole_image(app: App, fields: str, tmp_path: Path) -> None:
    at = opened(app, tmp_path / "data", masks=tmp_path / "data" / "masks")
    row = f"{in_lists(at)}/rows/{app.rows(at)[20]}"
    image = app.get(f"{row}/tiles", whole_field=True)
    assert (image["width"], image["height"], image["n_levels"]) == (SIDE, SIDE, 1)
    answer = app.client.get(f"/api/v1/{row}/tiles/0/0/0", params={"v": "1", "whole_field": True})
    assert "immutable" in answer.headers["cache-control"]
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("L"))
    assert np.array_equal(shown, np.asarray(Image.open(tmp_path / "data" / "fields" / "field2.png")))
    assert app.refused("GET", f"{row}/tiles/0/1/0?whole_field=true")["code"] == "no-such-tile"
    whole = app.rows(f"datasets/{fields}")[0]
    assert app.get(f"lists/{fields}/fields")["total"] == 0
    assert app.refused("GET", f"lists/{fields}/rows/{whole}/field")["code"] == "no-object-of-field"
    assert app.refused("GET", f"{in_lists(at)}/rows/9999/field")["code"] == "no-image-with-row-id"


@pytest.mark.slow
def test_a_table_of_boxes_without_outlines_has_fields(app: App, fields: str, tmp_path: Path) -> None:
    with (tmp_path / "data" / "fields" / "boxes.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "x", "y", "width", "height"))
        writer.writerows(("field3.png", x - 25, y - 25, 50, 50) for x, y in CENTERS)
    at = f"datasets/{app.open(tmp_path / 'data' / 'fields' / 'boxes.csv', is_labeled=False)['id']}"
    (field,) = app.get(f"{in_lists(at)}/fields")["items"]
    assert field["name"].startswith("field3.png")
    _, boxes, rings = outlines(app, f"{in_lists(at)}/rows/{field['row_id']}/field")
    assert boxes[0].tolist() == [25, 25, 50, 50]
    assert not any(rings)


@pytest.mark.slow
def test_what_cannot_be_collected_is_refused_or_reported(app: App, fields: str, tmp_path: Path) -> None:
    of_fields = {"kind": "objects", "subject": fields}
    for invalid, field in (
        ({"source": "masks"}, "body"),
        ({"source": "finder", "paths": ["/"]}, "body"),
        ({"source": "finder", "finder_settings": {"diameter": 0}}, "finder_settings.diameter"),
        ({"source": "other", "paths": ["/"]}, "source"),
    ):
        assert app.refused("POST", "computations", {**of_fields, **invalid})["errors"][0]["field"] == field
    for wrong, code in (
        ({"source": "masks", "paths": ["/etc"]}, "outside-roots"),
        ({"source": "masks", "paths": [str(tmp_path / "no")]}, "missing-path"),
        ({"source": "finder", "subject": "none"}, "no-such-dataset"),
    ):
        assert app.refused("POST", "computations", {**of_fields, **wrong})["code"] == code
    state = collected(app, fields, source="points", paths=[str(tmp_path / "data" / "points")])
    assert (state["state"], state["error"]["code"]) == ("not-requested", "points-without-size")
    assert not [file for file in (app.home.objects / fields).iterdir() if file.suffix == ".csv"]


@pytest.mark.slow
def test_collected_objects_are_opened_or_the_state_has_the_reason(app: App, fields: str, tmp_path: Path) -> None:
    at, queue = f"computations/objects/{fields}", Queue(app.home, Turns())
    wanted = {"kind": "objects", "subject": fields, "source": "masks", "paths": [str(tmp_path / "data" / "masks")]}

    def collect() -> Path:
        app.send("POST", "computations", wanted)
        queue.update()
        (program, _), *_ = queue._started
        assert program.wait() == 0
        assert app.send("POST", "computations", wanted)["state"] == "running"  # the queue has still to open the table
        (summary,) = (app.home.objects / fields).glob("objects-*.json")
        return summary.with_suffix(".csv")

    assert collect().is_file()
    queue.update()
    first = app.get(at)
    assert (first["state"], first["error"], first["objects"]["n_objects"]) == ("ready", None, 36)
    collect().unlink()
    queue.update()
    state = app.get(at)
    assert (state["objects"], state["error"]["code"]) == (first["objects"], "missing-path")
    assert app.get(f"jobs/{state['job_id']}")["state"] == "failed"


@pytest.mark.slow
def test_the_finder_finds_the_discs_and_a_removed_dataset_leaves_no_table(app: App, fields: str) -> None:
    names = [each["name"] for each in app.get("finders")["items"]]
    assert names[0] == "classical"
    settings = {"diameter": 40, "objects": "bright"}
    objects = collected(app, fields, source="finder", finder_settings=settings)["objects"]
    assert (objects["kind"], objects["n_objects"]) == ("classical", 36)
    (table,) = (app.home.objects / fields).glob("*.csv")
    app.send("DELETE", f"datasets/{objects['dataset_id']}")
    with write_transaction(app.home.engine) as connection:
        connection.execute(
            datasets.update().where(datasets.c.id == objects["dataset_id"]).values(removed="2020-01-01T00:00:00")
        )
    assert table.exists()
    delete_removed_datasets(app.home, threading.Event())
    assert not table.exists()


@pytest.mark.slow
def test_objects_are_merged_split_and_drawn_with_undo(app: App, fields: str) -> None:
    settings = {"diameter": 40, "objects": "bright"}
    state = collected(app, fields, source="finder", finder_settings=settings, measure=True)
    at = f"datasets/{state['objects']['dataset_id']}"
    first = app.get(f"{in_lists(at)}/fields")["items"][0]["row_id"]

    def areas() -> dict[int, float]:
        """Of the objects of the first field that are not excluded, by their row_ids."""
        nonlocal first
        first = app.get(f"{in_lists(at)}/fields")["items"][0]["row_id"]
        excluded = set(app.get(f"{in_lists(at)}/rows/{first}/field/labels")["excluded"])
        rows, _, rings = outlines(app, f"{in_lists(at)}/rows/{first}/field")
        return {
            row: sum(abs(signed_area(ring)) for ring in rings[k]) for k, row in enumerate(rows) if k not in excluded
        }

    def edited(**edit: Any) -> int:
        change: int = app.send("POST", f"{at}/objects", edit)["change"]
        app.wait(at.removeprefix("datasets/"))
        return change

    before = areas()
    ids = {row["image_id"] for row in app.get(f"{in_lists(at)}/rows", limit=100)["items"]}
    large, small, *_ = before
    app.send("POST", f"{at}/changes", {"rows": [large, small], "label": "pair"})
    merge = edited(act="merge", rows=[large, small])
    after = areas()
    assert {large, small} & set(after) == set()
    assert app.get(f"{in_lists(at)}/fields")["items"][0]["n_objects"] == len(after) == len(before) - 1
    assert sum(after.values()) == pytest.approx(sum(before.values()))
    (merged,) = set(after) - set(before)
    labels = app.get(f"{in_lists(at)}/rows/{first}/field/labels")
    of_field = outlines(app, f"{in_lists(at)}/rows/{first}/field")[0]
    labeled = {of_field[k] for k, label in enumerate(labels["labels"]) if label >= 0}
    assert labeled == {merged}
    assert not {large, small} & set(of_field)  # so that nothing includes them again
    assert app.get(at)["n_excluded"] == app.get(at)["n_missing"] == 0
    (table,) = (app.home.objects / fields).glob("*.csv")
    assert float(rows_of(table)[-1]["area_px"]) == pytest.approx(after[merged])
    assert rows_of(table)[-1]["intensity_sum"] not in {row["intensity_sum"] for row in rows_of(table)[:-1]}
    split = edited(act="split", rows=[merged])
    others = set(before) - {large, small}
    halves = sorted(area for row, area in areas().items() if row not in others)
    assert halves == pytest.approx(sorted([before[large], before[small]]), rel=0.02)
    draw = edited(act="draw", rows=[first], outline=[[90, 90], [110, 90], [110, 110], [90, 110]])
    assert sorted(areas().values())[0] == 400
    for change in (draw, split, merge):
        app.undo(change)
        app.wait(at.removeprefix("datasets/"))
    assert areas() == before
    assert {row["image_id"] for row in app.get(f"{in_lists(at)}/rows", limit=100)["items"]} == ids
    assert [row["image_id"] for row in rows_of(table) if "#drawn" in row["image_id"]] == []
    assert app.get(at)["n_missing"] == 0
    again = edited(act="merge", rows=[large, small])  # has the box of the first one
    assert sum(areas().values()) == pytest.approx(sum(before.values()))
    app.undo(again)
    app.wait(at.removeprefix("datasets/"))
    app.send("POST", f"changes/{merge}/redo")
    app.wait(at.removeprefix("datasets/"))
    assert areas() == after
    assert [row["label"] for row in app.get(f"{in_lists(at)}/rows", limit=100)["items"]].count("pair") == 1
    app.undo(merge)
    app.wait(at.removeprefix("datasets/"))

    def listed(row: int) -> list[tuple[str, str | None]]:
        """The object of a row, if it is in the dataset, with its label."""
        items = app.get(f"{in_lists(at)}/rows", limit=100)["items"]
        return [(item["image_id"], item["label"]) for item in items if item["row_id"] == row]

    rows, boxes, _ = outlines(app, f"{in_lists(at)}/rows/{first}/field")
    (x, y, width, height) = boxes[rows.index(large)].tolist()
    ((image_id, _),) = listed(large)
    corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    for act, removed in (("split", [large]), ("merge", [large, small])):
        replacing = edited(act=act, rows=removed)
        present = set(areas())
        drawing = edited(act="draw", rows=[first], outline=corners)  # has the box of the replaced object
        (drawn,) = set(areas()) - present
        assert [label for _, label in listed(drawn)] == [None]
        assert listed(large) == []
        app.send("POST", f"{at}/changes", {"rows": [drawn], "label": "square"})
        app.undo(replacing)
        app.wait(at.removeprefix("datasets/"))
        assert listed(large) == [(image_id, "pair")]
        assert [label for _, label in listed(drawn)] == ["square"]
        inside = edited(act="merge", rows=[drawn, large])  # has the box of both
        assert not listed(large)
        assert not listed(drawn)
        for change in (inside, drawing):
            app.undo(change)
            app.wait(at.removeprefix("datasets/"))
        assert listed(large) == [(image_id, "pair")]
        app.send("POST", f"changes/{drawing}/redo")
        app.wait(at.removeprefix("datasets/"))
        assert [label for _, label in listed(drawn)] == ["square"]
        app.undo(drawing)
        app.wait(at.removeprefix("datasets/"))
    assert areas() == before
    other = app.get(f"{in_lists(at)}/fields")["items"][1]["row_id"]
    for edit, code in (
        ({"act": "merge", "rows": [first, other]}, "edit-of-several-fields"),
        ({"act": "draw", "rows": [first], "outline": [[-9, -9], [-5, -9], [-5, -5]]}, "outline-not-usable"),
    ):
        assert app.refused("POST", f"{at}/objects", edit)["code"] == code
    assert (
        app.refused("POST", f"datasets/{fields}/objects", {"act": "split", "rows": [1]})["code"] == "objects-not-of-app"
    )


@pytest.mark.slow
def test_a_folder_of_fields_is_predicted_equally_by_every_door(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_fields(tmp_path / "data")
    settings = FinderSettings(diameter=40, smallest=20, at_edge=False)
    table = data / "found.csv"
    cs.collect_objects(data / "fields", finder="classical", finder_settings=settings, measure=True, out=table)
    lines = list(csv.DictReader((data / "found.csv").open()))
    for line in lines:
        line["label"] = "large" if int(line["width"]) > 38 else "small"
    with (data / "found.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    run = trained_here(app.home, app.open(data / "found.csv")["id"], QUICK)
    folder = find_job(app.home, run).folder
    card = cs.open_run(folder).card
    assert card.of_objects
    assert card.finder == FinderRecord(name="classical", version=CLASSICAL.version, settings=settings, measure=True)

    new = write_fields(tmp_path / "new", 3) / "fields"
    with tifffile.TiffWriter(new / "field1.ome.tif") as file:  # a field for each of its series
        for k in (1, 2):
            file.write(np.asarray(Image.open(new / f"field{k}.png")))
            (new / f"field{k}.png").unlink()
    objects = cs.collect_objects(new, finder="classical", finder_settings=settings, out=tmp_path / "objects.csv")
    assert objects.n_objects == 27
    cs.predict(folder, tmp_path / "objects.csv", out=tmp_path / "expected.csv", device="cpu")
    assert main(["predict", str(folder), str(new), "--out", str(tmp_path / "command.csv")]) == 0
    of_command = list(csv.DictReader((tmp_path / "command_objects.csv").open()))
    assert all(float(row["area_px"]) > 0 for row in of_command)  # as those of the training
    cs.export(folder, to="zip", out=tmp_path / "objects.coverslip")
    cs.predict(tmp_path / "objects.coverslip", new, out=tmp_path / "file.csv", device="cpu")
    dataset = app.open(new, is_labeled=False)["id"]
    app.wait(dataset)
    names = ["field0.png", "field1.ome.tif#series=0", "field1.ome.tif#series=1"]
    for images in ({"sources": [str(new)]}, {"dataset_id": dataset}):
        prediction = app.send("POST", "predictions", {"classifier_id": run, **images})["id"]
        until(lambda: do_jobs(app.home) or app.get(f"jobs/{prediction}")["state"] == "done")  # noqa: B023
        rows = app.get(f"lists/{prediction}/rows", limit=50)["items"]
        tables = [{row["image_id"]: (row["decision"], row["probability"]) for row in rows}]
        for door in ("expected", "command", "file"):
            of_file = csv.DictReader((tmp_path / f"{door}.csv").open())
            tables.append({row["image_id"]: (row["decision"], float(row["probability"])) for row in of_file})
        assert tables == [tables[0]] * 4
        assert len(tables[0]) == 27
        fields = app.get(f"lists/{prediction}/fields")["items"]
        assert [(each["name"], each["n_objects"]) for each in fields] == [(name, 9) for name in names]
        decided = Counter(decision for name, (decision, _) in tables[0].items() if name.startswith(names[1]))
        assert Counter(fields[1]["decisions"]) == decided
        assert app.get(f"lists/{prediction}/rows/9/field") == fields[1]
        assert all(len(rings[0]) > 20 for rings in outlines(app, f"lists/{prediction}/rows/4/field")[2])
        assert app.get(f"jobs/{prediction}")["has_objects_table"]
        table = app.client.get(f"/api/v1/jobs/{prediction}/download/objects-table").text
        object_rows = list(csv.DictReader(table.splitlines()))
        assert len(object_rows) == 27
        assert all(Path(row["path"]).is_file() for row in object_rows)
        app.send("POST", "computations", {"kind": "object-export", "subject": prediction, "to": "geojson"})
        do_jobs(app.home)
        assert app.get(f"computations/object-export/{prediction}")["n_files"] == 3
        at = f"predictions/{prediction}/samples"
        samples = app.send("PUT", at, {"sampling": {"by": "field"}, "replaces": app.get(at)["sampling"]})
        assert samples["n_fields"] == 3
        assert [(each["sample"], each["n"]) for each in samples["summary"]["samples"]] == [(name, 9) for name in names]
        assert samples["summary"]["are_objects"]
        (section,) = [each for each in samples["sections"]["small"] if each["name"] == "samples"]
        assert "objects" in section["blocks"][0]["columns"]
    of_command = cs.summarise(tmp_path / "command.csv", by="field")
    assert [(each.sample, each.n) for each in of_command.samples] == [(name, 9) for name in names]
    assert of_command.are_objects
    row, *_ = cs.load_classifier(folder, "cpu").predict(new).rows
    assert (row.decision, row.reason and row.reason.code) == ("unreadable", "image-is-whole-field")

    monkeypatch.setattr(finders, "CLASSICAL", replace(finders.CLASSICAL, version="another"))
    notes: list[Any] = []
    cs.predict(folder, new, out=tmp_path / "other.csv", device="cpu", emit=notes.append)
    codes = {getattr(each, "code", None) for each in notes}
    assert "finder-of-other-version" in codes
    assert "other-pixels" not in codes  # series are fields
    monkeypatch.undo()
    # Corrections of the last one count in its fields, excluded objects do not.
    first, second = (tables[0][f"{names[1]}#{k}"][0] for k in (1, 2))
    other = next(name for name in card.classes if name != first)
    app.send("PUT", f"lists/{prediction}/rows/9/correction", {"label": other})
    app.send("PUT", f"lists/{prediction}/rows/10/correction", {"label": None, "excluded": "unusable"})
    counted = decided - Counter([first, second]) + Counter([other])
    corrected = app.get(f"lists/{prediction}/fields")["items"][1]
    assert (corrected["n_objects"], corrected["decisions"]) == (8, dict(counted))


@pytest.mark.exhaustive
def test_predictions_of_objects_are_shown_in_their_field(app: App, tmp_path: Path) -> None:
    data = write_fields(tmp_path / "data")
    points = opened(app, data, "points.csv", points=data / "points", size_px=60)
    masks = opened(app, data, masks=data / "masks")
    run = trained_here(app.home, points.removeprefix("datasets/"), QUICK)
    prediction = predicted_here(app.home, run, masks.removeprefix("datasets/"))
    at, jobs = f"predictions/{prediction}", f"lists/{prediction}"
    listed = app.get(f"{jobs}/fields")
    assert [(each["row_id"], each["n_objects"]) for each in listed["items"]] == [(9 * k, 9) for k in range(4)]
    assert app.get(f"{jobs}/rows/30/field") == listed["items"][3]
    changed = {"sampling": {"by": "field"}, "replaces": app.get(f"{at}/samples")["sampling"]}
    samples = app.send("PUT", f"{at}/samples", changed)
    assert [(each["sample"], each["n"]) for each in samples["summary"]["samples"]] == [
        (f"field{k}.png", 9) for k in range(4)
    ]
    assert (samples["n_folders"], samples["n_fields"]) == (1, 4)
    rows = app.get(f"{jobs}/rows", limit=9)["items"]
    labels = app.get(f"{jobs}/rows/0/field/labels")
    classes, first = labels["classes"], labels["predictions"]
    assert [classes[k] for k in first["predicted"]] == [row["predicted"] for row in rows]
    assert first["probabilities"] == [pytest.approx(row["probability"], abs=1e-3) for row in rows]
    tested = app.get(f"lists/{run}/fields")["items"]
    assert sum(field["n_objects"] for field in tested) == len(app.rows(f"runs/{run}"))
    of_run = app.get(f"lists/{run}/rows/{tested[0]['row_id']}/field/labels")
    assert set(of_run["labels"]) == {0, 1}
    assert len(of_run["predictions"]["predicted"]) == len(
        outlines(app, f"lists/{run}/rows/{tested[0]['row_id']}/field")[0]
    )
    assert app.get(f"lists/{run}/rows/{tested[0]['row_id']}/tiles", whole_field=True)["width"] == SIDE
    app.send("PUT", f"{jobs}/rows/2/correction", {"label": "small"})
    corrected = app.get(f"{jobs}/rows/0/field/labels")["predictions"]["corrections"]
    assert [k for k in corrected if k >= 0] == [classes.index("small")]
    row_ids, _, rings = outlines(app, f"{jobs}/rows/4/field")
    assert row_ids == list(range(9))
    assert all(len(of_object[0]) > 20 for of_object in rings)
    assert app.get(f"{jobs}/rows/4/tiles", whole_field=True)["width"] == SIDE
    assert app.client.get(f"/api/v1/{jobs}/rows/4/tiles/0/0/0?whole_field=true").status_code == 200
    assert app.client.get(f"/api/v1/{jobs}/rows/99/field").status_code == 404
    for to, names in (("geojson", {f"field{k}.geojson" for k in range(4)}), ("ome-tiff", {"1.ome.tif", "crops.csv"})):
        assert app.client.get(f"/api/v1/{in_jobs(at)}/download/objects").status_code in (200, 409)
        app.send("POST", "computations", {"kind": "object-export", "subject": prediction, "to": to, "margin": 0.1})
        do_jobs(app.home)
        state = app.get(f"computations/object-export/{prediction}")
        assert (state["state"], state["error"], state["notes"]) == ("ready", None, [])
        archive = zipfile.ZipFile(io.BytesIO(app.client.get(f"/api/v1/{in_jobs(at)}/download/objects").content))
        assert (state["to"], len(archive.namelist())) == (to, state["n_files"])
        assert names <= {Path(name).name for name in archive.namelist()}
        if to == "geojson":
            name = next(name for name in archive.namelist() if name.endswith("field0.geojson"))
            features = json.loads(archive.read(name))["features"]
            assert features[2]["properties"]["classification"]["name"] == "small"  # as corrected


def write_stacks(folder: Path) -> list[Array]:
    """Fields of two time points and three z-planes, with discs in the last plane, and points with their classes."""
    rng, stacks = np.random.default_rng(4), []
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for name in ("fields", "points"):
        (folder / name).mkdir(parents=True)
    for number in range(4):
        stack = rng.integers(0, 3_000, (2, 3, SIDE, SIDE)).astype(np.uint16)
        for k, (x, y) in enumerate(CENTERS):
            stack[1, 2][(columns - x) ** 2 + (rows - y) ** 2 < (24 if k % 2 == 0 else 10) ** 2] += 40_000
        tifffile.imwrite(folder / "fields" / f"field{number}.ome.tif", stack, ome=True, metadata={"axes": "TZYX"})
        lines = [f"{x} {y} {'large' if k % 2 == 0 else 'small'}" for k, (x, y) in enumerate(CENTERS)]
        (folder / "points" / f"field{number}.txt").write_text("\n".join(lines))
        stacks.append(stack)
    return stacks


def objects_of_stacks(app: App, folder: Path) -> str:
    """The ID of a dataset of the objects of `write_stacks`, whose plane was chosen for the fields."""
    fields = app.open(folder / "fields", is_labeled=False)["id"]
    pixels = {"series": 0, "t": 1, "z": 2, "channels": None, "level": 0}
    app.send("PATCH", f"datasets/{fields}", {"pixels": pixels})
    app.wait(fields)
    state = collected(app, fields, source="points", paths=[str(folder / "points")], size_px=60)
    objects = str(state["objects"]["dataset_id"])
    assert app.get(f"datasets/{objects}")["pixels"] == pixels
    return objects


@pytest.mark.slow
def test_objects_are_read_in_the_plane_that_was_chosen_for_their_fields(app: App, tmp_path: Path) -> None:
    write_stacks(tmp_path / "data")
    at = f"datasets/{objects_of_stacks(app, tmp_path / 'data')}"
    row = app.rows(at)[0]
    assert app.get(f"{in_lists(at)}/rows/{row}")["high"][0] > 40_000  # noise in the other planes
    shown = app.get(f"{in_lists(at)}/rows/{row}/tiles", whole_field=True)
    assert (shown["t"], shown["z"], app.get(f"{in_lists(at)}/fields")["items"][0]["n_objects"]) == (1, 2, 9)


@pytest.mark.exhaustive
def test_crops_of_stacks_and_films_are_of_the_plane_that_was_chosen_before_the_training(
    app: App, tmp_path: Path
) -> None:
    stacks = write_stacks(tmp_path / "data")
    objects = objects_of_stacks(app, tmp_path / "data")
    run = trained_here(app.home, objects, QUICK)
    prediction = predicted_here(app.home, run, objects)
    rows = app.get(f"lists/{prediction}/rows", limit=36)["items"]
    assert sum(row["predicted"] == row["label"] for row in rows) > 30  # the other planes are noise
    at = f"predictions/{prediction}"
    app.send("POST", "computations", {"kind": "object-export", "subject": prediction, "to": "ome-tiff"})
    do_jobs(app.home)
    archive = zipfile.ZipFile(io.BytesIO(app.client.get(f"/api/v1/{in_jobs(at)}/download/objects").content))
    for number, stack in enumerate(stacks):
        for k, (x, y) in enumerate(CENTERS):
            name = next(each for each in archive.namelist() if each.endswith(f"field{number}/{k + 1}.ome.tif"))
            crop = tifffile.imread(io.BytesIO(archive.read(name))).squeeze()
            assert np.array_equal(crop, stack[1, 2, y - 30 : y + 30, x - 30 : x + 30])


@pytest.mark.slow
def test_a_preview_of_the_finder_has_its_objects_estimates_and_warnings(app: App, fields: str) -> None:
    of_finder = {"kind": "finder", "dataset_id": fields, "row_id": app.rows(f"lists/{fields}")[0]}
    previews = app.client.app.state.previews  # type: ignore[attr-defined]  # of FastAPI
    try:
        preview = app.send("POST", "previews", of_finder)
        assert (preview["n_objects"], preview["is_part"], preview["region"]) == (9, False, [0, 0, SIDE, SIDE])
        assert (preview["settings"]["objects"], preview["warnings"]) == ("bright", [])
        data = base64.b64decode(preview["outlines"])
        assert np.frombuffer(data, "<u4", 2).tolist() == [9, 9]
        dark = app.send("POST", "previews", {**of_finder, "finder_settings": {"objects": "dark"}})
        assert dark["n_objects"] != 9
        assert dark["warnings"]
        no_size = app.refused("POST", "previews", {**of_finder, "finder_settings": {"diameter": 9, "unit": "um"}})
        assert no_size["code"] == "finder-no-pixel-size"
        assert app.send(
            "POST", "previews", {**of_finder, "finder_settings": {"diameter": 9, "unit": "um"}, "pixel_size_um": 0.25}
        )
    finally:
        previews.close()
