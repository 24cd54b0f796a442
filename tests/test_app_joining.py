"""Answers about predicted images join datasets: tables with chosen columns, points, groups by patterns."""

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from drawing import save_cell, save_cells
from image_sets import App, in_lists, workspace_in
from prediction_tables import keys_by_path, write_predictions
from small_workspace import once_before

from coverslip.datasets.index.records import ImageFinder
from coverslip.images.reader import ReadPlan, square_around
from coverslip.runs.predictions import Prediction
from coverslip.workspace.correcting.draws import readings_lines
from coverslip.workspace.datasets.sources import change_dataset
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.lists import finder_in
from coverslip.workspace.store.rows import load_dataset

CLASSES = ("round", "flat")
WHOLE = ReadPlan()
NONE = dict.fromkeys(
    ("n_new", "n_withdrawn", "n_relabeled", "n_same_label", "n_conflicting", "n_duplicates", "n_unreadable"), 0
)  # counts of what joining does


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


@pytest.fixture
def new(tmp_path: Path) -> list[Path]:
    """Images that no other folder has."""
    return [save_cell(tmp_path / "new" / f"{k}.png", seed=1_000 + k) for k in range(6)]


def predicted(app: App, images: Sequence[tuple[Path, ReadPlan]], dataset_id: str | None = None) -> str:
    """The path of a prediction, written instead of made, of these images; all are predicted as round."""
    folder = app.home.predictions / "monday"
    folder.mkdir(parents=True)
    rows = [
        (Prediction(f"image {k}", str(file), None, "round", 0.9, "round", (0.9, 0.1)), plan)
        for k, (file, plan) in enumerate(images)
    ]
    write_predictions(folder, CLASSES, rows)
    add_job(
        app.home,
        id="monday",
        kind="predict",
        name="Monday",
        dataset_id=dataset_id,
        dataset_name="new",
        classifier_id="none",
        folder=str(folder),
        command=[],
        choices={"sources": [], "classes": list(CLASSES), "classifier_name": "None", "prevalence": {}},
        state="ended",
        queued=None,
        image_keys=keys_by_path(app.home, dataset_id, rows),
    )
    return "predictions/monday"


def answer(app: App, prediction: str, k: int, label: str | None, *, excluded: str | None = None) -> None:
    job = prediction.removeprefix("predictions/")
    app.send("PUT", f"lists/{job}/rows/{k}/correction", {"label": label, "excluded": excluded})


def join(app: App, prediction: str, dataset_id: str) -> Any:
    app.send("POST", f"{prediction}/join", {"dataset_id": dataset_id})
    return app.wait(dataset_id)


def previewed(app: App, prediction: str, dataset_id: str) -> Any:
    """What adding images to a dataset would do."""
    body = {"kind": "join", "prediction_id": prediction.removeprefix("predictions/"), "dataset_id": dataset_id}
    return app.send("POST", "previews", body)


def join_counts(app: App, prediction: str, dataset_id: str) -> Any:
    """What joining says that it did, once the images have been read."""
    counts = app.send("POST", f"{prediction}/join", {"dataset_id": dataset_id})["counts"]
    app.wait(dataset_id)
    return counts


def labels(app: App, dataset_id: str) -> list[str | None]:
    return [image["label"] for image in app.get(f"lists/{dataset_id}/rows", limit=100)["items"]]


def test_a_prediction_states_the_files_that_it_read_also_if_they_are_moved(app: App, new: list[Path]) -> None:
    dataset_id = app.open(new[0].parent, is_labeled=False)["id"]
    prediction = predicted(app, [(file, WHOLE) for file in new], dataset_id)
    new[0].rename(new[0].with_name("moved.png"))
    app.send("POST", f"datasets/{dataset_id}/refresh")
    app.wait(dataset_id)
    assert "moved.png" in {image["path"] for image in app.get(f"lists/{dataset_id}/rows")["items"]}
    assert [row["path"] for row in app.get(f"{in_lists(prediction)}/rows")["items"]] == [str(file) for file in new]


@pytest.mark.slow
def test_a_dataset_made_of_corrections_keeps_its_images_when_later_corrections_join_it(
    app: App, new: list[Path]
) -> None:
    prediction = predicted(app, [(file, WHOLE) for file in new])
    for k in range(3):
        answer(app, prediction, k, "flat")
    made = app.wait(app.send("POST", f"{prediction}/dataset", {"only": "corrected"})["id"])
    assert made["n_images"] == 3
    for n, k in enumerate(range(3, 6), start=4):
        answer(app, prediction, k, "round")
        assert join(app, prediction, made["id"])["n_images"] == n
    for k in range(3, 6):
        answer(app, prediction, k, None)
    assert join(app, prediction, made["id"])["n_images"] == 3
    assert set(labels(app, made["id"])) == {"flat"}


@pytest.mark.slow
def test_images_stay_joined_after_the_name_of_their_domain_is_removed(
    app: App, new: list[Path], tmp_path: Path
) -> None:
    cells = app.open(save_cells(tmp_path / "cells", n=3))
    prediction = predicted(app, [(file, WHOLE) for file in new])
    answer(app, prediction, 0, "flat")
    joined = join(app, prediction, cells["id"])
    sources = [{"path": source["path"], "domain": None} for source in joined["sources"]]
    app.send("PATCH", f"datasets/{cells['id']}", {"sources": sources})
    app.wait(cells["id"])
    answer(app, prediction, 1, "round")
    assert join(app, prediction, cells["id"])["n_images"] == 6 + 2


@pytest.mark.slow
def test_undoing_an_addition_keeps_what_others_added_meanwhile(app: App, new: list[Path], tmp_path: Path) -> None:
    cells = app.open(save_cells(tmp_path / "cells", n=3))
    at = f"datasets/{cells['id']}"
    prediction = predicted(app, [(file, WHOLE) for file in new])
    changes = []
    for k in range(2):
        answer(app, prediction, k, "flat")
        changes.append(app.send("POST", f"{prediction}/join", {"dataset_id": cells["id"]})["change"])
        app.wait(cells["id"])
    assert app.wait(cells["id"])["n_images"] == 6 + 2
    more = {"path": str(save_cells(tmp_path / "more", ("round", "flat"), n=2)), "domain": None}
    sources = [{key: each[key] for key in more} for each in app.get(at)["sources"]]
    app.send("PATCH", at, {"sources": [*sources, more]})
    app.wait(cells["id"])

    def undo(change: int) -> tuple[Any, int]:
        paths = app.undo(change)["dataset"]["sources"]
        return [Path(source["path"]).name for source in paths], app.wait(cells["id"])["n_images"]

    first, second = changes
    refused = app.refused("POST", f"changes/{first}/undo")
    assert refused["code"] == "changed-since", "the second addition came after it"
    names, n_images = undo(second)
    assert (names[:2], len(names), n_images) == (["cells", "more"], 3, 6 + 4 + 1)
    assert undo(first) == (["cells", "more"], 6 + 4)
    assert app.send("POST", f"changes/{first}/redo")["n"] == 0  # of the dataset's images; the table has others
    assert app.wait(cells["id"])["n_images"] == 6 + 4 + 1


@pytest.mark.slow
def test_a_source_that_is_added_meanwhile_is_not_lost(app: App, new: list[Path], tmp_path: Path) -> None:
    cells, further = save_cells(tmp_path / "cells"), save_cells(tmp_path / "further", n=2)
    dataset_id = app.open(cells)["id"]
    prediction = predicted(app, [(new[0], WHOLE)])
    answer(app, prediction, 0, "flat")
    both = {"sources": [{"path": str(cells)}, {"path": str(further)}]}
    with once_before(app.home, "SELECT jobs.choices", lambda: change_dataset(app.home, dataset_id, both)):
        refused = app.refused("POST", f"{prediction}/join", {"dataset_id": dataset_id})
    assert refused["code"] == "dataset-changed-meanwhile"
    assert [each["path"] for each in app.wait(dataset_id)["sources"]] == [str(cells), str(further)]


def test_images_without_the_pattern_of_the_groups_join_without_a_named_group(
    app: App, new: list[Path], tmp_path: Path
) -> None:
    cells = app.open(save_cells(tmp_path / "cells"), group_pattern=r"slide\d+_")
    prediction = predicted(app, [(file, WHOLE) for file in new])
    answer(app, prediction, 0, "flat")
    answer(app, prediction, 1, "round")
    expected = {"changes": None, "grouped_by": "pattern", "group": r"slide\d+_", "n_ungrouped": 2, "groups": []}
    preview = previewed(app, prediction, cells["id"])
    assert preview == {"counts": {**NONE, "n_new": 2}, **expected}
    joined = join(app, prediction, cells["id"])
    assert (joined["state"], joined["n_images"]) == ("ready", 12 + 2)
    assert [source["contains"] for source in joined["sources"]] == [None, "corrections"]
    assert joined["groups"]["n_groups"] == 3
    split = app.preview("split", cells["id"], recipe={})
    sides = [*split["folds"]] or split["parts"]
    assert sum(side["n_ungrouped"] for side in sides) == 2
    assert sum(side["n_groups"] for side in sides) == 3


@pytest.mark.slow
def test_adding_shows_which_groups_a_pattern_finds_in_the_paths_of_the_images(app: App, tmp_path: Path) -> None:
    cells = app.open(save_cells(tmp_path / "cells"), group_pattern=r"slide(\d+)_")
    names = ("slide10_a", "slide9_b", "slide9_c", "other")
    new = [save_cell(tmp_path / "new" / f"{name}.png", seed=900 + k) for k, name in enumerate(names)]
    prediction = predicted(app, [(file, WHOLE) for file in new])
    for k in range(len(new)):
        answer(app, prediction, k, "flat")
    preview = previewed(app, prediction, cells["id"])
    assert (preview["counts"]["n_new"], preview["n_ungrouped"], preview["groups"]) == (4, 1, ["9", "10"])


@pytest.mark.slow
def test_adding_counts_images_that_are_new_relabeled_duplicates_or_unreadable(
    app: App, new: list[Path], tmp_path: Path
) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    flat, *_, round_ = sorted(cells.rglob("*.png"))
    assert (flat.parent.name, round_.parent.name) == CLASSES[::-1]
    duplicate, broken = tmp_path / "new" / "duplicate.png", tmp_path / "new" / "broken.png"
    shutil.copy(flat, duplicate)
    broken.write_bytes(b"no image")
    prediction = predicted(app, [(file, WHOLE) for file in (*new, flat, round_, duplicate, broken)])

    def preview() -> Any:
        return previewed(app, prediction, dataset["id"])["counts"]

    assert preview() == NONE
    for k in (0, 1, 2, 6, 7, 8, 9):
        answer(app, prediction, k, "round")
    expected = {**NONE, "n_new": 3, "n_relabeled": 1, "n_same_label": 1, "n_duplicates": 1, "n_unreadable": 1}
    assert preview() == expected
    assert join_counts(app, prediction, dataset["id"]) == expected
    assert labels(app, dataset["id"]).count("flat") == dataset["n_labeled"] // 2 - 1
    answer(app, prediction, 1, None)
    answer(app, prediction, 2, "flat")
    answer(app, prediction, 3, "flat")
    expected = {**NONE, "n_new": 1, "n_withdrawn": 1, "n_relabeled": 1, "n_same_label": 3}
    expected |= {"n_duplicates": 1, "n_unreadable": 1}
    assert preview() == expected
    assert join_counts(app, prediction, dataset["id"]) == expected


def test_adding_counts_relabeled_images_whose_duplicates_keep_another_label(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    first = sorted(cells.rglob("*.png"))[0]
    second = first.with_name("second.png")
    shutil.copy(first, second)
    dataset = app.open(cells)
    prediction = predicted(app, [(first, WHOLE), (second, WHOLE)])
    answer(app, prediction, 0, "round")
    assert join_counts(app, prediction, dataset["id"]) == {**NONE, "n_relabeled": 1, "n_conflicting": 1}
    conflicting = app.get(f"lists/{dataset['id']}/rows", only="conflicting")["items"]
    assert {image["image_id"] for image in conflicting} >= {f"flat/{first.name}", "flat/second.png"}
    answer(app, prediction, 1, "round")
    assert join_counts(app, prediction, dataset["id"]) == {**NONE, "n_relabeled": 1, "n_same_label": 1}


@pytest.mark.slow
@pytest.mark.parametrize(("column", "selected"), [("patient", "patient"), ("group", None)])
def test_adding_to_groups_of_a_column_shows_that_the_images_have_none(
    app: App, new: list[Path], tmp_path: Path, column: str, selected: str | None
) -> None:
    files = sorted(save_cells(tmp_path / "cells").rglob("*.png"))
    table = tmp_path / "cells" / "cells.csv"
    rows = [f"{file},{file.parent.name},patient {k % 4}" for k, file in enumerate(files)]
    table.write_text("\n".join([f"path,label,{column}", *rows]) + "\n")
    dataset = app.open(table, group=selected)
    assert dataset["groups"]["by"] == ("column" if selected else "table")
    prediction = predicted(app, [(file, WHOLE) for file in new])
    answer(app, prediction, 0, "flat")
    preview = previewed(app, prediction, dataset["id"])
    assert (preview["grouped_by"], preview["group"], preview["n_ungrouped"]) == ("column", column, 1)
    joined = join(app, prediction, dataset["id"])
    assert (joined["state"], joined["groups"]["n_groups"]) == ("ready", 4)


@pytest.mark.parametrize(
    ("column", "names", "n_ungrouped", "groups"),
    [
        ("field", ["f0", "f1", "f2"], 0, 4),
        ("patient", ["p0", "p0", "p1"], 2, 2),
        (None, ["f0", "f1", "f2"], 0, 4),
    ],
)
def test_added_objects_are_in_the_group_of_their_field(
    app: App, tmp_path: Path, column: str | None, names: list[str], n_ungrouped: int, groups: int
) -> None:
    """Objects of one field in both sets are leakage. A field of an unknown patient has no group."""
    fields = [save_cell(tmp_path / "fields" / f"{k}.png", seed=50 + k, side=64) for k in range(4)]
    rows = [f"fields/{k}.png,{k}/{x},{x},4,16,16,{names[k]},{'ab'[x > 9]}" for k in range(3) for x in (3, 30)]
    table = tmp_path / "objects.csv"
    table.write_text("\n".join([f"path,object_id,x,y,width,height,{column or 'field'},label", *rows]) + "\n")
    dataset = app.open(table, group=column)
    boxes = [(file, ReadPlan(region=(x, 40, 16, 16))) for file in fields[2:] for x in (3, 30)]
    prediction = predicted(app, boxes)
    for k in range(4):
        answer(app, prediction, k, "flat")
    preview = previewed(app, prediction, dataset["id"])
    assert (preview["n_ungrouped"], len(preview["groups"])) == (
        n_ungrouped,
        0 if column is None else 2 - n_ungrouped // 2,
    )
    joined = join(app, prediction, dataset["id"])
    assert joined["groups"]["n_groups"] == groups
    with app.home.engine.connect() as connection:
        records = load_dataset(connection, dataset["id"]).records
    assert len({(record.path, record.group) for record in records}) == 4
    assert sum(record.group is None for record in records) == n_ungrouped


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "cells", "columns"),
    [
        ("Bild,Art", "", {"path": "Bild", "label": "Art", "split": ""}),
        ("label,image_id,x", ",7", {"path": "label", "label": "image_id", "x": ""}),
        (
            "Bild,label,x,y,x 2,y 2,Stain",
            ",1,2,18,20,blue",
            {"path": "Bild", "x_min": "x", "y_min": "y", "x_max": "x 2", "y_max": "y 2", "group": "Stain"},
        ),
        ("path,label,Pos X,Pos Y", ",12,12", {"x": "Pos X", "y": "Pos Y"}),
    ],
)
def test_images_join_a_table_whose_columns_were_chosen(
    app: App, new: list[Path], tmp_path: Path, header: str, cells: str, columns: dict[str, str]
) -> None:
    save_cells(tmp_path / "cells", n=2)
    files = sorted((tmp_path / "cells").rglob("*.png"))
    table = tmp_path / "cells" / "cells.csv"
    table.write_text("\n".join([header, *(f"{file},{file.parent.name}{cells}" for file in files)]) + "\n")
    dataset = app.open(table, columns=columns, crop_size=16 if columns.get("x") else None)
    field = save_cell(tmp_path / "field.png", side=64)
    boxes = [(3, 4, 15, 16), (-2, 5, 21, 21), None]
    files_and_plans = [(field, ReadPlan(region=boxes[0])), (field, ReadPlan(region=boxes[1])), (new[0], WHOLE)]
    prediction = predicted(app, files_and_plans)
    for k, label in enumerate(("round", "flat", "flat")):
        answer(app, prediction, k, label)
    assert join(app, prediction, dataset["id"])["n_images"] == 4 + 3
    with app.home.engine.connect() as connection:
        records = [r for r in load_dataset(connection, dataset["id"]).records if r.domain == "Monday"]
    assert [(r.path, r.label, r.plan.region) for r in records] == [
        (field, "round", boxes[0]),
        (field, "flat", boxes[1]),
        (new[0], "flat", None),
    ]


def test_corrected_images_keep_their_channel_files_and_their_size_in_micrometers(app: App, tmp_path: Path) -> None:
    fields = tmp_path / "fields"
    fields.mkdir()
    for k in (1, 2):
        pixels = np.random.default_rng(k).integers(0, 255, (64, 64), dtype=np.uint8)
        resolution = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}  # 0.5 µm
        tifffile.imwrite(fields / f"field_w{k}.tif", pixels, **resolution, metadata=None)
    plans = [ReadPlan(region=(at, at, 1, 1), crop_size="8 um", other_files=("field_w2.tif",)) for at in (20, 40)]
    prediction = predicted(app, [(fields / "field_w1.tif", plan) for plan in plans])
    for k, label in enumerate(CLASSES):
        answer(app, prediction, k, label)
    made = app.wait(app.send("POST", f"{prediction}/dataset", {"only": "corrected"})["id"])["id"]
    cells = app.open(save_cells(tmp_path / "cells", n=2))["id"]
    assert [join_counts(app, prediction, cells)[name] for name in ("n_new", "n_duplicates", "n_unreadable")] == [
        2,
        0,
        0,
    ]
    assert join_counts(app, prediction, cells) == {**NONE, "n_same_label": 2}
    with app.home.engine.connect() as connection:
        of_made = load_dataset(connection, made).records
        of_cells = [record for record in load_dataset(connection, cells).records if record.domain == "Monday"]
    assert [(r.plan.region, r.plan.crop_size) for r in of_made] == [(plan.region, "8 um") for plan in plans]
    assert [r.plan.region for r in of_cells] == [square_around((at, at), 16) for at in (20, 40)]
    for record in (*of_made, *of_cells):
        assert record.read().array.shape == (16, 16, 2)


@pytest.mark.exhaustive
def test_an_answer_finds_its_image_where_the_classifier_cuts_other_crops_around_the_points(
    app: App, tmp_path: Path
) -> None:
    points = {"a": [(16, 20), (40, 44)], "b": [(30, 30)]}
    rows = [f"{name}.png,{x},{y},round" for name, of_field in points.items() for x, y in of_field]
    for name in points:
        save_cell(tmp_path / f"{name}.png", side=64)
    (tmp_path / "points.csv").write_text("\n".join(["path,x,y,label", *rows]) + "\n")
    dataset = app.open(tmp_path / "points.csv", crop_size=24)
    centers = [("a", (16, 20)), ("a", (40, 44)), ("b", (30, 30)), ("b", (12, 12))]  # the last one is a new cell
    images = [(tmp_path / f"{name}.png", ReadPlan(region=square_around(point, 32))) for name, point in centers]
    prediction = predicted(app, images, dataset["id"])
    answer(app, prediction, 1, "flat")
    assert labels(app, dataset["id"]) == ["round", "flat", "round"]
    answer(app, prediction, 3, "flat")
    assert labels(app, dataset["id"]) == ["round", "flat", "round"]
    assert join(app, prediction, dataset["id"])["n_images"] == 3 + 1
    assert labels(app, dataset["id"]) == ["round", "flat", "round", "flat"]


def test_images_are_found_where_the_classifier_cuts_other_crops(app: App, tmp_path: Path) -> None:
    rows = ["a.png,16,20,round", "a.png,40,44,flat", "b.png,30,30,flat"]
    for name in "ab":
        save_cell(tmp_path / f"{name}.png", side=64)
    (tmp_path / "points.csv").write_text("\n".join(["path,x,y,label", *rows]) + "\n")
    dataset = app.open(tmp_path / "points.csv", crop_size=24)
    with app.home.engine.connect() as connection:
        finder, row_ids = finder_in(connection, dataset["id"])
    boxes = [("a", square_around((40, 44), 32)), ("a", square_around((16, 20), 32)), ("a", None)]
    boxes += [("b", None), ("b", square_around((12, 12), 32)), ("c", None)]
    expected = [1, 0, None, 2, None, None]
    assert [finder.find(str(tmp_path / f"{name}.png"), ReadPlan(region=box)) for name, box in boxes] == expected
    assert len(row_ids) == 3


def test_another_frame_is_not_the_image_whose_row_states_its_frame() -> None:
    finder = ImageFinder([("a.tif", ReadPlan(t=3), frozenset({"t"})), ("b.tif", WHOLE, frozenset())])
    plans = [ReadPlan(t=3), ReadPlan(t=5), ReadPlan(t=3, region=(0, 0, 9, 9)), ReadPlan(t=5, region=(0, 0, 9, 9))]
    assert [finder.find("a.tif", plan) for plan in plans] == [0, None, 0, None]
    assert finder.find("b.tif", ReadPlan(t=5)) == 0 + 1  # a recipe may read another frame


def test_a_later_label_of_the_table_is_not_that_of_an_earlier_author(app: App, new: list[Path], tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"

    def write(label: str) -> None:
        rows = [f"{file},{label if file == new[0] else 'round'}" for file in new]
        table.write_text("\n".join(["path,label", *rows]) + "\n")

    write("round")
    dataset = app.open(table)["id"]
    prediction = predicted(app, [(file, WHOLE) for file in new], dataset)
    answer(app, prediction, 0, "flat")
    for label in ("flat", "odd"):
        write(label)
        app.send("POST", f"datasets/{dataset}/refresh")
        app.wait(dataset)
    first = next(csv.DictReader(io.StringIO("".join(readings_lines(app.home, dataset)))))
    assert (first["label"], first["author"]) == ("odd", "")
    answer(app, prediction, 0, None)
    assert labels(app, dataset)[0] == "odd"


@pytest.mark.exhaustive
def test_images_that_were_excluded_in_the_gallery_stay_excluded_whatever_is_answered(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", n=2)
    dataset = app.open(cells)
    files = sorted(cells.rglob("*.png"))
    prediction = predicted(app, [(file, WHOLE) for file in files], dataset["id"])
    id_of = {image["path"]: image["image_id"] for image in app.get(f"lists/{dataset['id']}/rows")["items"]}
    first = id_of[files[0].relative_to(cells).as_posix()]
    app.send("POST", f"datasets/{dataset['id']}/changes", {"images": [first], "is_excluded": True})

    def n_excluded() -> int:
        return int(app.get(f"datasets/{dataset['id']}")["n_excluded"])

    answer(app, prediction, 0, "round")
    assert n_excluded() == 1
    answer(app, prediction, 0, None, excluded="unusable")
    answer(app, prediction, 0, None)
    assert n_excluded() == 1
    answer(app, prediction, 1, None, excluded="unusable")
    assert n_excluded() == 2
    answer(app, prediction, 1, "flat")
    assert n_excluded() == 1
    answer(app, prediction, 1, None, excluded="unusable")
    second = id_of[files[1].relative_to(cells).as_posix()]
    inclusion = app.send("POST", f"datasets/{dataset['id']}/changes", {"images": [second], "is_excluded": False})
    answer(app, prediction, 1, None)
    assert app.refused("POST", f"changes/{inclusion['change']}/undo")["code"] == "changed-since"
    assert n_excluded() == 1


@pytest.mark.exhaustive
def test_joining_again_includes_what_is_not_excluded_any_more(app: App, new: list[Path], tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", n=2)
    dataset = app.open(cells)
    files = sorted(cells.rglob("*.png"))
    prediction = predicted(app, [(file, WHOLE) for file in (*files, *new)])
    app.send(
        "POST",
        f"datasets/{dataset['id']}/changes",
        {"images": app.ids(f"datasets/{dataset['id']}", [3]), "is_excluded": True},
    )

    def n_excluded() -> int:
        return int(join(app, prediction, dataset["id"])["n_excluded"])

    answer(app, prediction, 0, None, excluded="unusable")
    answer(app, prediction, 4, "flat")
    assert n_excluded() == 2
    answer(app, prediction, 5, "flat")  # the source is replaced
    answer(app, prediction, 0, "round")
    assert n_excluded() == 1
    answer(app, prediction, 0, None, excluded="none-of-these")
    assert n_excluded() == 2
    answer(app, prediction, 0, None)
    assert n_excluded() == 1
    answer(app, prediction, 3, "round")
    assert n_excluded() == 1  # by the gallery
