"""Datasets through the API: opening, describing, filtering, changing, forgetting."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cell, save_cells
from image_sets import App, in_lists, workspace_in
from PIL import Image
from sqlalchemy import select, update

from coverslip.cache.stores import remove_stores_of
from coverslip.images.formats import unread_suffixes
from coverslip.messages import text
from coverslip.workspace.cleanup import delete_expired
from coverslip.workspace.datasets import grouping, reading_images
from coverslip.workspace.store.tables import datasets

SharedData = Callable[[str], Path]


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


@pytest.fixture
def shared_app(tmp_path: Path, shared_data: SharedData) -> App:
    """The app with the real sets among its roots."""
    from coverslip.workspace.store.workspace import open_workspace

    return App(open_workspace(tmp_path / "home", (tmp_path, shared_data("blood_pbc").parent)))


def test_a_folder_is_opened_and_read(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    (cells / "flat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    opened = app.send("POST", "datasets", {"sources": [{"path": str(cells)}], "group_pattern": r"slide\d"})
    assert opened["n_images"] == 13  # known before they are read
    dataset = app.wait(opened["id"])
    assert (dataset["state"], dataset["name"], dataset["kind"], dataset["n_unreadable"]) == (
        "ready",
        "cells",
        "folders",
        1,
    )
    assert dataset["groups"] == {
        "by": "pattern",
        "value": r"slide\d",
        "n_groups": 3,
        "merge": {},
    }  # none is named for the broken one
    assert dataset["classes"] == [
        {"name": "flat", "n": 6},  # and the broken one
        {"name": "round", "n": 6},
    ]
    assert len(dataset["thumbnail_images"]) == 12
    assert app.get("datasets") == {"items": [dataset], "total": 1}


def test_faults_of_sources_are_reported_at_once(app: App, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    flat = save_cell(tmp_path / "flat" / "a.png", 1).parent
    for sources, code in [
        ([tmp_path / "none"], "missing-path"),
        ([Path("/etc")], "outside-roots"),
        ([tmp_path / ".." / ".."], "outside-roots"),
        ([Path("cells")], "source-not-absolute"),
        ([tmp_path / "empty"], "no-images"),
        ([flat], "no-class-folders"),
    ]:
        problem = app.refused("POST", "datasets", {"sources": [{"path": str(source)} for source in sources]})
        assert problem["status"] == 422
        assert problem["code"] == code
        assert problem["do"]
    assert app.get("datasets")["total"] == 0


def test_a_folder_without_classes_is_opened_to_be_labeled(app: App, tmp_path: Path) -> None:
    save_cell(tmp_path / "new" / "a.png", 1)
    dataset = app.open(tmp_path / "new", is_labeled=False)
    assert (dataset["kind"], dataset["n_images"], dataset["n_labeled"], dataset["classes"]) == ("files", 1, 0, [])
    assert app.positions(f"datasets/{dataset['id']}", label="") == [0]


def test_sets_are_unknown_by_other_ids(app: App) -> None:
    for method, path in [
        ("GET", "datasets/none"),
        ("PATCH", "datasets/none"),
        ("DELETE", "datasets/none"),
        ("GET", "lists/none/rows"),
        ("GET", "lists/none/rows?rows=1"),
        ("GET", "lists/none/row-ids"),
        ("GET", "lists/none/rows/1"),
        ("GET", "lists/none/sheet?rows=1"),
        ("GET", "datasets/none/inspection"),
        ("GET", "datasets/none/download/labels"),
        ("GET", "datasets/none/download/label-changes"),
    ]:
        assert app.refused(method, path, {} if method == "PATCH" else None)["status"] == 404


def test_names_are_kept_as_they_are(app: App, tmp_path: Path) -> None:
    names = ("<script>alert(1)</script>".replace("/", "\u2215"), 'say "cheese"', "two\nlines", "Zelle α'")
    cells = save_cells(tmp_path / "cells", names, n=3)
    dataset = app.open(cells)
    shown = [name.replace("\n", r"\n") for name in names]  # a line end is no part of a class name
    assert {each["name"] for each in dataset["classes"]} == set(shown)
    for name in shown:
        listed = app.get(f"lists/{dataset['id']}/rows", label=name)
        assert [image["label"] for image in listed["items"]] == [name] * 3
        first = app.client.get(f"/api/v1/lists/{dataset['id']}/rows/{listed['items'][0]['row_id']}")
        assert first.headers["content-type"] == "application/json"


def test_a_file_name_that_is_no_text_is_shown_and_read(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", n=2)
    odd = cells / "flat" / b"cell\xff.png".decode("utf-8", "surrogateescape")
    try:
        shutil.copy(cells / "round" / "slide0_0.png", odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    dataset = app.open(cells)
    listed = app.get(f"lists/{dataset['id']}/rows", search="cell\\xff")
    assert listed["items"][0]["path"] == "flat/cell\\xff.png"
    assert dataset["n_unreadable"] == 0
    row = listed["items"][0]["row_id"]
    assert app.client.get(f"/api/v1/lists/{dataset['id']}/rows/{row}/overview").status_code == 200


def test_images_are_filtered_sorted_and_paged(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", ("c10", "c2"), n=6)
    shutil.copy(cells / "c2" / "slide0_0.png", cells / "c2" / "copy.png")
    shutil.copy(cells / "c2" / "slide1_1.png", cells / "c10" / "other.png")
    (cells / "c10" / "zbroken.png").write_bytes(b"no image")
    dataset = app.open(cells, group_pattern=r"slide\d")
    where = f"datasets/{dataset['id']}"
    listed = app.get(f"{in_lists(where)}/rows", limit=2000)["items"]
    rows = app.rows(where)
    assert [image["row_id"] for image in listed] == rows
    assert len(set(rows)) == 15
    assert [image["image_id"] for image in listed][:2] == ["c2/copy.png", "c2/slide0_0.png"]

    def ids(**query: object) -> list[str]:
        return [listed[i]["image_id"] for i in app.positions(f"{where}", **query)]

    assert ids(only="unreadable") == ["c10/zbroken.png"]
    assert ids(only="duplicate") == ["c2/copy.png", "c2/slide0_0.png"]
    assert ids(only="conflicting") == ["c2/slide1_1.png", "c10/other.png"]
    assert ids(only="problem") == [
        "c2/copy.png",
        "c2/slide0_0.png",
        "c2/slide1_1.png",
        "c10/other.png",
        "c10/zbroken.png",
    ]
    assert ids(group="slide2", label="c2") == ["c2/slide2_2.png", "c2/slide2_5.png"]
    assert ids(search="SLIDE2_5") == ["c2/slide2_5.png", "c10/slide2_5.png"]
    assert ids(search="%") == []
    assert [listed[i]["label"] for i in app.positions(f"{where}", sort="label")] == (["c2"] * 7 + ["c10"] * 8)
    groups = [listed[i]["group"] for i in app.positions(f"{where}", sort="group")]
    assert groups == ["slide0"] * 4 + ["slide1"] * 4 + ["slide2"] * 4 + [None] * 3
    facts = app.get(f"{in_lists(where)}/rows/{rows[0]}")
    assert (facts["format"], facts["width"], facts["equal_to"], facts["duplicates"]) == ("PNG", 24, [rows[1]], 1)
    assert facts["size_bytes"] == (cells / "c2" / "copy.png").stat().st_size
    broken = app.get(f"{in_lists(where)}/rows/{rows[14]}")
    assert broken["problem"] == "unreadable"
    assert broken["note"]


@pytest.mark.slow
def test_a_part_of_a_training_is_a_filter(app: App, tmp_path: Path) -> None:
    from sqlalchemy import insert

    from coverslip.workspace.store.rows import keys_of_dataset
    from coverslip.workspace.store.tables import jobs

    dataset = app.open(save_cells(tmp_path / "cells", n=2))
    run = tmp_path / "home" / "runs" / "first"
    run.mkdir(parents=True)
    rows = "flat/slide0_0.png,a,flat,,,test,,\nround/slide1_1.png,b,round,,,train,,\n"
    (run / "split.csv").write_text(f"image_id,path,label,group,domain,split,fold,reason\n{rows}")
    values = {"id": "r1", "kind": "train", "name": "first", "dataset_name": "", "folder": str(run), "command": []}
    values |= {"choices": {}, "image_keys": keys_of_dataset(app.home, dataset["id"])}
    with app.home.engine.begin() as connection:
        connection.execute(insert(jobs).values(**values, state="ended", created="", made_by=""))
    where = f"datasets/{dataset['id']}"
    assert app.positions(where, part="test", run="r1") == [0]
    assert app.positions(where, part="train", run="r1") == [3]
    assert app.refused("GET", f"{in_lists(where)}/row-ids?part=test")["status"] == 422
    assert app.refused("GET", f"{in_lists(where)}/row-ids?part=test&run=none")["status"] == 404
    problem = app.refused("GET", f"{in_lists(where)}/row-ids?predicted=flat")  # nothing was predicted here
    assert (problem["status"], problem["code"]) == (409, "live-is-off")


def test_groups_are_previewed_before_they_are_taken(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", n=6)
    save_cell(cells / "flat" / "loose.png", 999)
    dataset = app.open(cells)
    where = f"datasets/{dataset['id']}"
    preview = app.preview("groups", where, pattern=r"slide(\d)")
    assert (preview["n_groups"], preview["n_unmatched"]) == (3, 1)
    assert preview["examples"][0] == {"path": "flat/loose.png", "group": None, "start": None, "end": None}
    assert preview["examples"][1] == {"path": "flat/slide0_0.png", "group": "0", "start": 10, "end": 11}
    assert preview["largest"][0]["n"] == 4
    of_groups = {"kind": "groups", "dataset_id": where.removeprefix("datasets/")}
    assert app.refused("POST", "previews", {**of_groups, "pattern": "("})["code"] == "unusable-group-pattern"
    assert app.refused("POST", "previews", {**of_groups, "group": "patient", "pattern": "a"})["status"] == 422
    assert app.refused("POST", "previews", {**of_groups, "group": "patient"})["status"] == 422
    changed = app.send("PATCH", where, {"group_pattern": r"slide\d"})
    assert changed["state"] == "ready"  # nothing had to be read again
    assert changed["groups"]["n_groups"] == 3  # the image that the pattern does not match is none
    assert app.refused("PATCH", where, {"group_pattern": "nothing_like_this"})["status"] == 422
    assert app.get(where)["groups"]["value"] == r"slide\d"
    app.send("PATCH", where, {"group_merge": {"slide0": ["slide0", "slide1"]}})
    n_groups = {each: app.preview("groups", where, pattern=each)["n_groups"] for each in (r"slide\d", r"\d_")}
    assert n_groups == {r"slide\d": 2, r"\d_": 3}
    assert app.send("PATCH", where, {"group_pattern": None})["groups"] == {
        "by": None,
        "value": None,
        "n_groups": 0,
        "merge": {},
    }


@pytest.mark.slow
def test_a_pattern_that_never_ends_is_ended(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "_TIMEOUT_S", 1.5)
    save_cell(tmp_path / "cells" / "a" / f"{'a' * 60}!.png", 1)
    save_cell(tmp_path / "cells" / "b" / "b.png", 2)
    dataset = app.open(tmp_path / "cells")
    problem = app.refused("PATCH", f"datasets/{dataset['id']}", {"group_pattern": "(a+)+$"})
    assert problem["code"] == "slow-group-pattern"


def test_a_table_gives_columns_groups_and_boxes(app: App, tmp_path: Path) -> None:
    save_cell(tmp_path / "field.png", 1, side=64)
    rows = [f"field.png,{'ab'[i % 2]},p{i // 4},{i},{i},20,20" for i in range(12)]
    (tmp_path / "cells.csv").write_text("\n".join(["path,label,patient,x,y,width,height", *rows]))
    dataset = app.open(tmp_path / "cells.csv", group="patient")
    where = f"datasets/{dataset['id']}"
    assert (dataset["kind"], dataset["groups"]) == (
        "table",
        {"by": "column", "value": "patient", "n_groups": 3, "merge": {}},
    )
    assert app.get(f"{where}/columns")["items"] == ["patient"]  # no other use is known of it
    image = app.get(f"{in_lists(where)}/rows")["items"][3]
    assert (image["width"], image["height"], image["group"]) == (20, 20, "p0")
    assert app.preview("groups", where, group="patient")["n_groups"] == 3
    answer = app.client.get(f"/api/v1/{where}/download/labels")
    assert answer.text.splitlines()[4] == f'{tmp_path}/field.png,"field.png#box=3,3,20,20",b,p0,3,3,20,20'


def test_boxes_do_not_reveal_the_sizes_of_images_outside_the_roots(tmp_path: Path) -> None:
    from coverslip.workspace.store.workspace import open_workspace

    secret = save_cell(tmp_path / "secret" / "face.png", 1)
    save_cell(tmp_path / "secret" / "other.png", 1)
    mine = tmp_path / "mine"
    save_cell(mine / "own.png", 2)
    (mine / "link.png").symlink_to(secret)
    rows = [f"{path},a,0,0,.5,.5" for path in (secret, "link.png", "own.png")]
    (mine / "cells.csv").write_text("\n".join(["path,label,x_rel,y_rel,width_rel,height_rel", *rows]) + "\n")
    app = App(open_workspace(tmp_path / "home", (mine,)))
    dataset = app.open(mine / "cells.csv")
    boxes = [image["image_id"].split("#")[1] for image in app.get(f"lists/{dataset['id']}/rows")["items"]]
    assert boxes == ["box=0,0,5000,5000", "box=0,0,5000,5000", "box=0,0,12,12"]


def test_images_that_a_table_names_outside_the_roots_are_never_read(tmp_path: Path) -> None:
    from coverslip.workspace.store.workspace import open_workspace

    secret = save_cell(tmp_path / "secret" / "face.png", 1)
    mine = tmp_path / "mine"
    save_cells(mine, n=2)
    (mine / "round" / "link.png").symlink_to(secret)
    (mine / "cells.csv").write_text(
        f"path,label\n{secret},a\n../secret/other.png,b\nround/link.png,a\nround/slide0_0.png,b\nflat/slide0_0.png,a\n"
    )
    app = App(open_workspace(tmp_path / "home", (mine,)))
    dataset = app.open(mine / "cells.csv")
    where = f"datasets/{dataset['id']}"
    assert (dataset["n_images"], dataset["n_unreadable"]) == (5, 3)
    rows = app.rows(where)
    for row in rows[:3]:
        facts = app.get(f"{in_lists(where)}/rows/{row}")
        assert "outside" in facts["note"]
        assert (facts["pixel_hash"], facts["width"], facts["size_bytes"]) == (None, None, None)
        assert app.refused("GET", f"{in_lists(where)}/rows/{row}/overview")["status"] == 422
    assert app.client.get(f"/api/v1/{in_lists(where)}/rows/{rows[3]}/overview").status_code == 200
    (mine / "round" / "slide0_0.png").unlink()
    (mine / "round" / "slide0_0.png").symlink_to(secret)  # after it was read
    assert app.refused("GET", f"{in_lists(where)}/rows/{rows[3]}/overview")["status"] == 422
    (mine / "all.csv").write_text(f"path,label\n{secret},a\n../secret/other.png,b\n")
    assert app.refused("POST", "datasets", {"sources": [{"path": str(mine / "all.csv")}]})["status"] == 422


@pytest.mark.slow
def test_labels_and_names_are_there_after_a_restart(app: App, tmp_path: Path) -> None:
    from coverslip.workspace.store.workspace import open_workspace

    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    where = f"datasets/{dataset['id']}"
    change = app.label(where, [0, 1], "odd")["change"]
    app.send("PATCH", where, {"name": "My cells"})
    before = app.get(where)
    restarted = App(workspace_in(tmp_path))
    assert restarted.get(where) == before
    assert restarted.positions(f"{where}", label="odd") == [0, 1]
    assert restarted.undo(change)["rows"] == restarted.rows(where)[:2]
    assert restarted.positions(f"{where}", label="odd") == []
    elsewhere = App(open_workspace(tmp_path / "home", (save_cells(tmp_path / "others"),)))
    assert [source["is_missing"] for source in elsewhere.get(where)["sources"]] == [True]


@pytest.mark.slow
def test_a_server_killed_while_reading_resumes_when_it_starts_again(tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", n=60)
    script = f"""
import os, sys
from pathlib import Path
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.store.workspace import open_workspace
home = open_workspace(Path({str(tmp_path / "home")!r}), (Path({str(tmp_path)!r}),))
reading_images._IMAGES_AT_ONCE = 10
keep = reading_images._store_facts
def kept(*what):
    keep(*what)
    os._exit(9)  # in the middle of the transaction
reading_images._store_facts = kept
print(sources.open_sources(home, [sources.Source({str(cells)!r})]).id, flush=True)
home.background.wait_all()
"""
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert killed.returncode == 9, killed.stderr
    app = App(workspace_in(tmp_path))
    with sqlite3.connect(tmp_path / "home" / "workspace.sqlite") as connection:
        assert connection.execute("SELECT state FROM datasets").fetchall() == [("reading",)]
    with app.client:  # a server resumes it when it starts
        dataset = app.wait(app.get("datasets")["items"][0]["id"])
        assert (dataset["state"], dataset["n_images"], dataset["n_unreadable"]) == ("ready", 120, 0)
        assert app.get(f"datasets/{dataset['id']}/inspection")["n_readable"] == 120


@pytest.mark.slow
def test_labels_survive_reading_again_when_images_come_and_go(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    where = f"datasets/{dataset['id']}"
    change = app.label(where, [1, 2, 7], "odd")["change"]
    (cells / "flat" / "slide1_1.png").unlink()
    save_cell(cells / "flat" / "a_new.png", 500)
    app.send("POST", f"{where}/refresh")
    assert app.wait(dataset["id"])["n_images"] == 12
    odd = app.get(f"{in_lists(where)}/rows", label="odd")["items"]
    assert [image["image_id"] for image in odd] == ["flat/slide0_3.png", "round/slide0_3.png"]
    assert [image["label_before"] for image in odd] == ["flat", "round"]
    rows = app.rows(where)
    assert sorted(app.undo(change)["rows"]) == sorted([rows[2], rows[7]])
    assert app.get(where)["n_label_changes"] == 0


@pytest.mark.slow
def test_what_cannot_be_read_any_more_says_so_and_stays(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    where = f"datasets/{dataset['id']}"
    app.label(where, [0], "odd")
    app.home.background.wait_all()
    remove_stores_of(dataset["id"])
    cells.rename(tmp_path / "moved")
    assert app.refused("POST", f"{where}/refresh")["code"] == "missing-source"
    assert app.positions(f"{where}", label="odd") == [0]
    first = app.rows(where)[0]
    for picture in (f"sheet?rows={first}&v=1", f"sheet?rows={first},{first}&v=1"):  # blank, and asked for again
        answer = app.client.get(f"/api/v1/{in_lists(where)}/{picture}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    (tmp_path / "moved").rename(cells)
    answer = app.client.get(f"/api/v1/{in_lists(where)}/sheet?rows={first}&v=1")
    assert "immutable" in answer.headers["cache-control"]
    cells.rename(tmp_path / "moved")
    assert app.refused("GET", f"{in_lists(where)}/rows/{first}/overview")["status"] == 422


def test_classes_are_ordered_and_planned(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells", ("a", "b", "c"), n=3))
    where = f"datasets/{dataset['id']}"
    changed = app.send("PATCH", where, {"classes": ["c", "new"]})
    assert [each["name"] for each in changed["classes"]] == ["c", "new", "a", "b"]
    planned = app.send("PATCH", where, {"class_plan": {"merge": {"ab": ["a", "b"]}}})
    assert planned["class_plan"] == {"merge": {"ab": ["a", "b"]}, "drop": [], "rename": {}}
    split = app.preview("split", where, recipe={"split": {"folds": 0}})
    assert [each["name"] for each in split["by_class"]] == ["c", "ab"]  # as on the page
    for wrong in ({"drop": ["z"]}, {"merge": {"x": ["a"]}, "drop": ["a"]}):
        assert app.refused("PATCH", where, {"class_plan": wrong})["status"] == 422
    for names in (["x", "x"], ["uncertain"]):
        assert app.refused("PATCH", where, {"classes": names})["status"] == 422


def test_checks_see_classes_as_trainings_do_and_copies_stay_found(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", ("a", "b", "c"), n=3)
    shutil.copy(cells / "a" / "slide0_0.png", cells / "b" / "copy.png")
    where = f"datasets/{app.open(cells)['id']}"
    app.home.background.wait_all()

    def checks() -> tuple[dict[str, int], dict[str, int], int]:
        """Images of each class; images that findings of equal pixels name; those that the gallery calls conflicting."""
        inspection = app.get(f"{where}/inspection")
        assert inspection["are_copies_known"]
        assert not inspection["is_searching_duplicates"]
        codes = ("conflicting-labels", "duplicates")
        named = {each["code"]: len(each["images"][0]) for each in inspection["findings"] if each["code"] in codes}
        assert [*inspection["removable_duplicates"].get("duplicates", [])] == duplicates
        return inspection["classes"], named, len(app.rows(f"{where}", only="conflicting"))

    duplicates: list[str] = []
    assert checks() == ({"a": 3, "b": 4, "c": 3}, {"conflicting-labels": 2}, 2)
    duplicates = app.ids(where, [3])  # the copy is of the same class as what it is a copy of
    app.send("PATCH", where, {"class_plan": {"merge": {"ab": ["a", "b"]}}})
    assert checks() == ({"ab": 7, "c": 3}, {"duplicates": 2}, 0)
    change = app.label(where, [3], "c")["change"]
    duplicates = []
    assert checks() == ({"ab": 6, "c": 4}, {"conflicting-labels": 2}, 2)
    app.undo(change)
    app.send("PATCH", where, {"class_plan": {"drop": ["b"], "rename": {"c": "d"}}})  # no split contains the copy
    assert checks() == ({"a": 3, "d": 3}, {}, 0)
    app.send("PATCH", where, {"class_plan": {}})
    assert checks() == ({"a": 3, "b": 4, "c": 3}, {"conflicting-labels": 2}, 2)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_split_is_that_of_a_training(app: App, tmp_path: Path) -> None:
    from coverslip.datasets.index.opening import open_dataset
    from coverslip.datasets.quality.scanning import scan_images
    from coverslip.datasets.splits.splitting import split_images

    cells = save_cells(tmp_path / "cells", ("a", "b"), n=60)
    dataset = app.open(cells)
    preview = app.preview("split", dataset["id"], recipe={"seed": 7, "split": {"val": 0.1}})
    data = open_dataset(cells)
    split = split_images(data, scan_images(data), val=0.1, test=0.2, seed=7)
    assert {part["part"]: part["n"] for part in preview["parts"]} == {
        part: split.parts.count(part) for part in ("train", "val", "test", "excluded")
    }
    alone = app.preview("split", dataset["id"], recipe={"seed": 7, "group": ".+"})["tested"]  # each file is a group
    assert {(each["group"], each["label"], each["reason"]) for each in alone} == {
        (None, "a", "single"),
        (None, "b", "single"),
    }
    few = app.open(save_cells(tmp_path / "few", ("a", "b"), n=10))
    preview = app.preview("split", few["id"], recipe={})
    assert preview["n_folds"] == 5
    assert sum(fold["n"] for fold in preview["folds"]) == 20
    assert {stage: len(sizes) for stage, sizes in preview["sizes"].items()} == {"finetune": 6, "instant": 6}
    # With fine-tuning there would be one split of these images, and an instant classifier has folds.
    for stage, n_folds in (("finetune", 0), ("instant", 5)):
        preview = app.preview("split", dataset["id"], recipe={"stage": stage})
        assert preview["n_folds"] == n_folds
        assert {stage: len(sizes) for stage, sizes in preview["sizes"].items()} == {"finetune": 1, "instant": 6}
    stated = app.preview("split", dataset["id"], recipe={"stage": "instant", "split": {"folds": 0}})
    assert {stage: len(sizes) for stage, sizes in stated["sizes"].items()} == {"finetune": 1, "instant": 1}
    of_split = {"kind": "split", "dataset_id": dataset["id"]}
    assert app.refused("POST", "previews", {**of_split, "recipe": {"epoch": 3}})["status"] == 422
    refused = app.refused("POST", "previews", {**of_split, "recipe": {"positive_class": "c"}})
    assert (refused["status"], [fault["field"] for fault in refused["errors"]]) == (422, ["positive_class"])


def test_a_recipe_that_is_not_valid_names_each_key(app: App, tmp_path: Path) -> None:
    of_split = {"kind": "split", "dataset_id": app.open(save_cells(tmp_path / "cells"))["id"]}
    recipe = {"epochs": "many", "split.val": 2, "images.z": "all", "learning_rate": -1, "augment": {"zoooom": 1}}
    problem = app.refused("POST", "previews", {**of_split, "recipe": recipe})
    assert problem["status"] == 422
    assert {error["field"]: error["message"] for error in problem["errors"]} == {
        "epochs": "epochs = 'many': it must be auto, or a whole number from 1 to 10,000",
        "split.val": "split.val = 2: it must be less than 1",
        "images.z": f"images.z = 'all': {text('recipe-value', key='images_z')}",
        "learning_rate": "learning_rate = -1: it must be more than 0",
        "augment.zoooom": "there is no key 'augment.zoooom' (did you mean 'augment.zoom'?)",
    }
    whole = app.refused("POST", "previews", {**of_split, "recipe": {"split.val": 0.6, "split.test": 0.5}})
    assert [error["field"] for error in whole["errors"]] == ["split"]
    assert app.send("POST", "previews", {**of_split, "recipe": {"split.folds": 0}})["n_folds"] == 0


@pytest.mark.slow
def test_labels_of_very_many_images_are_given_at_once(app: App, tmp_path: Path) -> None:
    where = f"datasets/{app.open(save_cells(tmp_path / 'cells'))['id']}"
    body = {"images": [f"flat/slide{k}.png" for k in range(200_000)], "label": "a"}
    assert len(json.dumps(body)) > 2**20
    assert app.refused("POST", f"{where}/changes", body)["code"] == "images-changed"  # there are none, but it was read
    assert app.refused("PATCH", where, {"name": "x" * 2**20})["status"] == 413
    content = b"[" + b"0," * 17 * 2**20
    assert app.refused("POST", f"{where}/changes", content=content)["status"] == 413


def test_what_is_still_being_read_is_not_reported(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells"))
    app.home.background.wait_all()  # its pictures
    with sqlite3.connect(tmp_path / "home" / "workspace.sqlite") as connection:
        connection.execute("UPDATE datasets SET state = 'reading'")  # as a server that was killed leaves it
    for method, path, body in (
        ("GET", f"datasets/{dataset['id']}/inspection", None),
        ("POST", "previews", {"kind": "split", "dataset_id": dataset["id"]}),
        ("POST", f"datasets/{dataset['id']}/augmentation-preview", {}),
    ):
        assert app.refused(method, path, body)["status"] == 409
    reading_images.begin(app.home)  # as a server that starts
    assert {**app.wait(dataset["id"]), "revision": dataset["revision"]} == dataset


def test_the_inspection_follows_the_labels(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells"))
    where = f"datasets/{dataset['id']}"
    assert app.get(f"{where}/inspection")["classes"] == {"flat": 6, "round": 6}
    app.label(where, [0], "round")
    assert app.get(f"{where}/inspection")["classes"] == {"flat": 5, "round": 7}


def test_a_dataset_is_removed_from_the_list_and_its_files_stay(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    assert app.client.get(f"/api/v1/lists/{dataset['id']}/rows/{dataset['thumbnail_images'][0]}").status_code == 200
    app.send("DELETE", f"datasets/{dataset['id']}")
    assert app.get("datasets")["total"] == 0
    assert app.refused("GET", f"datasets/{dataset['id']}")["status"] == 404
    delete_expired(app.home, threading.Event())
    with app.home.engine.begin() as connection:
        assert connection.execute(select(datasets.c.id)).scalars().all() == [dataset["id"]]  # for 30 days
        connection.execute(update(datasets).values(removed="2026-01-01T00:00:00+00:00"))
    delete_expired(app.home, threading.Event())
    assert app.refused("POST", f"datasets/{dataset['id']}/restore")["status"] == 404
    assert len(list(cells.rglob("*.png"))) == 12
    with sqlite3.connect(tmp_path / "home" / "workspace.sqlite") as connection:
        for table in ("images", "image_facts", "image_colors", "changes", "changed_rows"):
            assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)


def test_a_removed_dataset_is_restored_with_its_labels(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells"))
    where = f"datasets/{dataset['id']}"
    app.label(where, [0], "round")
    before = app.get(where)
    app.send("DELETE", where)
    other = app.open(tmp_path / "cells")  # the same folder, whose labels from the app are in the removed dataset
    assert [(each["id"], each["n_annotated"]) for each in other["removed_before"]] == [(dataset["id"], 1)]
    app.send("DELETE", f"datasets/{other['id']}")
    assert app.send("POST", f"{where}/restore") == before
    assert app.get("datasets")["items"] == [before]
    assert app.get(f"{in_lists(where)}/rows")["items"][0]["label"] == "round"


def test_a_dataset_that_a_training_waits_for_is_not_removed(app: App, tmp_path: Path) -> None:
    from sqlalchemy import insert

    from coverslip.workspace.store.tables import jobs

    dataset = app.open(save_cells(tmp_path / "cells"))
    values = {"id": "r", "kind": "train", "name": "first", "dataset_name": "", "folder": str(tmp_path), "command": []}
    values["choices"] = {}
    with app.home.engine.begin() as connection:
        connection.execute(
            insert(jobs).values(**values, state="queued", created="", made_by="", dataset_id=dataset["id"])
        )
    assert app.refused("DELETE", f"datasets/{dataset['id']}")["status"] == 409
    with app.home.engine.begin() as connection:
        connection.execute(update(jobs).values(state="removed"))
    app.send("DELETE", f"datasets/{dataset['id']}")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_server_needs_no_network_library() -> None:
    script = """
import importlib, pkgutil, sys
from pathlib import Path
import coverslip.experiments.training_run
import coverslip.workspace
from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import Workspace
create_app(Workspace(Path("/nowhere"), ()))
for module in pkgutil.walk_packages(coverslip.workspace.__path__, "coverslip.workspace."):
    importlib.import_module(module.name)
print([name for name in ("torch", "sklearn", "timm", "onnxruntime") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_more_images_than_there_can_be_are_refused(app: App) -> None:
    sizes = {"n_train": 4, "n_val": 1, "n_test": 1, "n_drawn": 4, "n_selecting": 1}
    for name in sizes:
        of_time = {"kind": "time", "dataset_id": "any", "sizes": {"finetune": [{**sizes, name: 10**400}]}}
        problem = app.refused("POST", "previews", of_time)
        assert problem["status"] == 422


@pytest.mark.parametrize(
    ("grouped", "requested"), [({"group": "slide"}, "group_pattern"), ({"group_pattern": r"\d"}, "group")]
)
def test_no_groups_means_none_however_they_came(
    app: App, tmp_path: Path, grouped: dict[str, str], requested: str
) -> None:
    rows = [f"{save_cell(tmp_path / 'cells' / f'{k}.png', k).name},{'ab'[k % 2]},s{k // 2}" for k in range(6)]
    (tmp_path / "cells" / "table.csv").write_text("\n".join(["path,label,slide", *rows]))
    dataset = app.open(tmp_path / "cells" / "table.csv", **grouped)
    assert dataset["groups"]["n_groups"] > 0
    changed = app.send("PATCH", f"datasets/{dataset['id']}", {requested: None})
    assert changed["groups"] == {"by": None, "value": None, "n_groups": 0, "merge": {}}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_link_to_a_folder_without_a_name_in_text_is_refused(app: App, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    save_cells(folder)
    (tmp_path / "cells").symlink_to(folder)
    refused = app.refused("POST", "datasets", {"sources": [{"path": str(tmp_path / "cells")}]})
    assert refused["code"] == "source-not-text"
    assert app.get("datasets")["total"] == 0


def test_a_split_that_a_training_would_refuse_is_said_before(app: App, tmp_path: Path) -> None:
    """`slide0` is trained on and tested."""
    rows = ["path,label,group,split"]
    for k in range(12):
        save_cell(tmp_path / "cells" / f"{k}.png", k)
        rows.append(f"{k}.png,{'round' if k % 2 else 'flat'},slide{k // 4},{('train', 'test', 'val')[k % 3]}")
    (tmp_path / "cells" / "table.csv").write_text("\n".join(rows))
    dataset = app.open(tmp_path / "cells" / "table.csv")
    request = {"recipe": {"split": {"folds": 0}}}
    preview = app.preview("split", dataset["id"], **request)
    assert preview["refusal"]["remedies"] == [{"kind": "allow-leakage"}]
    assert app.refused("POST", "runs", {"dataset_id": dataset["id"], **request})["code"] == "leaking-split"
    assert app.get("runs")["total"] == 0
    preview = app.preview("split", dataset["id"], **request, allow_leakage=True)
    assert preview["refusal"] is None
    assert "leakage" in [note["code"] for note in preview["notes"]]


@pytest.mark.parametrize(
    ("recipe", "code"),
    [({"group": "^[^/]+"}, "confounded-groups"), ({"group": "cell"}, "too-few-groups")],
)
def test_a_training_that_nothing_would_be_left_to_test_is_refused_before_a_job_begins(
    app: App, tmp_path: Path, recipe: dict[str, object], code: str
) -> None:
    cells = save_cells(tmp_path / "cells", n=10)
    for i, path in enumerate(sorted(cells.rglob("*.png"))):
        path.rename(path.with_name(f"cell_{i}.png"))
    dataset = app.open(cells)
    of_split = {"kind": "split", "dataset_id": dataset["id"], "recipe": recipe}
    assert app.refused("POST", "previews", of_split)["code"] == code
    assert app.refused("POST", "runs", {"dataset_id": dataset["id"], "recipe": recipe})["code"] == code
    assert app.get("runs")["total"] == 0


@pytest.mark.slow
@pytest.mark.exhaustive  # test_app_flows.py has the app draw the new ones, test_cli_job.py the demo all of them
def test_sample_images_are_drawn_once(app: App) -> None:
    assert app.send("POST", "samples")["state"] == "reading"
    dataset = app.wait("samples")
    assert (dataset["kind"], dataset["n_images"], dataset["groups"]["n_groups"]) == ("samples", 480, 60)
    assert app.send("POST", "samples") == dataset
    new = app.wait("samples-new")
    assert (new["n_images"], new["n_unreadable"], new["is_labeled"]) == (24, 1, False)


# Two are broken; those of the extra formats are read if their readers are installed.
N_OF_SUFFIX = {".dcm": 14, ".nd2": 5, ".lif": 2, ".oib": 1, ".czi": 1}
N_UNREADABLE = 2 + sum(n for suffix, n in N_OF_SUFFIX.items() if suffix in unread_suffixes())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, source, choices, n_images, n_classes, n_groups, n_unreadable",
    [
        pytest.param("blood_pbc", "", {}, 2000, 8, 0, 0, marks=pytest.mark.exhaustive),
        pytest.param("cellcycle_jurkat_16bit", "", {}, 712, 7, 0, 0, marks=pytest.mark.exhaustive),
        pytest.param("micronuclei", "images.csv", {}, 1965, 2, 0, 0, marks=pytest.mark.exhaustive),
        pytest.param(
            "chromosomes_gband", "images.csv", {"group": "cell"}, 2806, 24, None, 0, marks=pytest.mark.exhaustive
        ),
        ("microscope_formats", "", {"is_labeled": False}, 47, 0, 0, N_UNREADABLE),
    ],
)
def test_real_sets_are_read(
    shared_app: App,
    shared_data: SharedData,
    name: str,
    source: str,
    choices: dict[str, object],
    n_images: int,
    n_classes: int,
    n_groups: int | None,
    n_unreadable: int,
) -> None:
    dataset = shared_app.open(shared_data(name) / source, **choices)
    title = f"{Path(source).stem} ({name})" if source else name
    assert (dataset["state"], dataset["name"], dataset["n_images"]) == ("ready", title, n_images)
    assert (len(dataset["classes"]), dataset["n_unreadable"]) == (n_classes, n_unreadable)
    assert dataset["groups"]["n_groups"] == n_groups if n_groups is not None else dataset["groups"]["n_groups"] > 3
    where = f"/api/v1/datasets/{dataset['id']}"
    rows = shared_app.rows(f"datasets/{dataset['id']}")[:40]
    sheet = shared_app.client.get(f"{in_lists(where)}/sheet", params={"rows": ",".join(map(str, rows))})
    assert sheet.status_code == 200
    for row in dataset["thumbnail_images"][:3]:
        assert shared_app.client.get(f"{in_lists(where)}/rows/{row}/overview").status_code == 200


def test_each_class_shows_images_from_all_over_it(app: App, tmp_path: Path) -> None:
    dataset_id = app.open(save_cells(tmp_path / "cells", n=20))["id"]
    app.label(f"datasets/{dataset_id}", [0, 1], None)
    app.label(f"datasets/{dataset_id}", [39], "odd")
    shown = app.get(f"datasets/{dataset_id}/class-thumbnails")["items"]
    assert [(each["name"], len(each["images"])) for each in shown] == [
        *(("flat", 8), ("round", 8), ("odd", 1), (None, 2)),
    ]
    rows = app.rows(f"datasets/{dataset_id}")
    assert shown[0]["images"][0] == rows[2]  # the first that is still of the class
    assert rows.index(shown[0]["images"][-1]) > 15
    assert shown[2]["images"] == [rows[39]]


@pytest.mark.slow
def test_ways_to_group_are_proposed_unasked_and_a_training_would_begin_with_each(app: App, tmp_path: Path) -> None:
    """Class, patient, slide and a number of its own stand in each name, as among the chromosomes of CIR-Net."""
    rows = ["path,label,patient,file_number"]
    for k in range(120):
        label, patient = "ab"[k % 2], k // 2 % 12
        name = f"{label}/{label}_p{patient}_s{patient}-{k % 3}_{k}.png"
        save_cell(tmp_path / "cells" / name, k)
        rows.append(f"{name},{label},P{patient},{k}")
    table = tmp_path / "cells" / "table.csv"
    table.write_text("\n".join(rows))
    dataset = app.open(tmp_path / "cells")
    proposed = app.get(f"datasets/{dataset['id']}/group-suggestions")["items"]
    assert (12, "p") in [(each["n_groups"], each["example"][0]) for each in proposed]
    assert 2 not in [each["n_groups"] for each in proposed], "the classes"
    for each in proposed:
        request = {"dataset_id": dataset["id"], "recipe": {"group": each["pattern"]}}
        assert app.send("POST", "runs", request)["state"] in ("queued", "starting", "running")
    with_columns = app.open(table)
    offered = app.get(f"datasets/{with_columns['id']}/group-suggestions")["items"]
    assert offered[0]["column"] == "patient"
    assert (offered[0]["n_groups"], offered[0]["example"]) == (12, "P0")
    assert not {"path", "label", "file_number"} & {each["column"] for each in offered}


@pytest.mark.exhaustive
def test_columns_are_offered_as_groups_coarsest_first_with_the_evidence(app: App, tmp_path: Path) -> None:
    """Cells of eight cases, four cells a case; images of a case share their brightness."""
    rows = ["path,label,cell,case"]
    for k in range(160):
        case = k % 8
        pixels = np.random.default_rng(k).integers(20 * case, 20 * case + 60, (16, 16), dtype=np.uint8)
        (tmp_path / "cells").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "cells" / f"{k}.png")
        rows.append(f"{k}.png,{'ab'[k // 8 % 2]},C{case}-{k // 16 % 4},K{case}")
    table = tmp_path / "cells" / "table.csv"
    table.write_text("\n".join(rows))
    offered = app.get(f"datasets/{app.open(table)['id']}/group-suggestions")["items"]
    assert [(each["column"], each["n_groups"]) for each in offered[:2]] == [("case", 8), ("cell", 32)]
    assert offered[0]["is_supported"]
    assert offered[0]["p"] < 0.001


@pytest.mark.slow
@pytest.mark.parametrize(
    "by", ["folder", *(pytest.param(each, marks=pytest.mark.exhaustive) for each in ("class", "file"))]
)
def test_a_serial_number_of_each_class_folder_or_file_is_no_suggestion_but_a_patient_is(
    app: App, tmp_path: Path, by: str
) -> None:
    """Images of ten patients, who are numbered too; of a file, eight crops."""
    rows = ["path,label,patient,number,name,x,y,width,height"]
    for k in range(160):
        label, patient = "ab"[k % 2], k // 2 % 10
        name = f"{patient % 8}/{k // 8 if by == 'file' else k}.png"
        if by == "file" and k % 8 == 0:
            save_cell(tmp_path / "cells" / "0" / f"{k // 8}.png", k)
        elif by != "file":
            save_cell(tmp_path / "cells" / name, k)
        if by == "file":
            name = f"0/{k // 8}.png"
        number = {"class": k // 2, "folder": sum(row.startswith(f"{patient % 8}/") for row in rows), "file": k % 8}[by]
        rows.append(f"{name},{label},{patient},{number},img_{number:03},{k % 8},{k % 4},8,8")
    table = tmp_path / "cells" / "table.csv"
    table.write_text("\n".join(rows))
    offered = app.get(f"datasets/{app.open(table)['id']}/group-suggestions")["items"]
    columns = [each["column"] for each in offered if each["column"]]
    assert "patient" in columns
    assert not {"number", "name"} & set(columns)


@pytest.mark.slow
def test_a_pattern_that_is_the_class_is_said_to_be_and_not_kept(app: App, tmp_path: Path) -> None:
    where = f"datasets/{app.open(save_cells(tmp_path / 'cells'))['id']}"
    preview = app.preview("groups", where, pattern="^[^/]+")
    assert preview["refusal"]["code"] == "confounded-groups"
    assert preview["refusal"]["parameters"]["are_classes"]
    refused = app.refused("PATCH", where, {"group_pattern": "^[^/]+"})
    assert refused["code"] == "confounded-groups"
    assert app.preview("groups", where, pattern=r"slide\d")["refusal"] is None
