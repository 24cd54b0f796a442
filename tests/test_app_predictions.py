"""Predictions through the REST API: live rows, corrections, tables, images that are sent."""

import csv
import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from image_sets import ids_at, in_jobs, in_lists
from PIL import Image
from small_workspace import (
    API,
    CLASSES,
    QUICK,
    Json,
    ended,
    new_workspace,
    open_images,
    queue_run,
    stories_of,
    trained_here,
    until,
    write_cells,
)
from tables import downloaded

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.runs.folder import Run
from coverslip.workspace.correcting import corrections
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.records import find_job, status_of
from coverslip.workspace.predictions.classifiers import ListedClassifier, LoadedClassifiers
from coverslip.workspace.store.workspace import Workspace, open_workspace

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: TestClient
    run: str
    new: Path
    prediction: str
    stories: list[Json]  # as a page receives them


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    root = workspace.roots[0]
    other = open_workspace(root / "other", (root,))
    trained = trained_here(other, open_images(other, write_cells(root / "cells"), group_pattern=r"slide\d+"), QUICK)
    shutil.copytree(find_job(other, trained).folder, workspace.runs / "first")  # no dataset of the app
    new = write_cells(root / "new", 40, seed=1, is_sorted=False)
    (new / "broken.png").write_bytes(b"no image")
    with TestClient(create_app(workspace)) as client:
        run = client.get(f"{API}/classifiers").json()["items"][0]["id"]
        answer = client.post(f"{API}/predictions", json={"classifier_id": run, "sources": [str(new)], "name": "Monday"})
        assert answer.status_code == 201, answer.text
        prediction = answer.json()["id"]
        yield Lab(workspace, client, run, new, prediction, stories_of(client, prediction))


@pytest.mark.exhaustive
def test_those_who_watch_see_how_many_rows_there_are(lab: Lab) -> None:
    numbers = [story["n_done"] for story in lab.stories]
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (0, 41)
    assert lab.stories[-1]["state"] == "done"
    assert lab.stories[-1]["decisions"]["unreadable"] == 1
    prediction = lab.client.get(f"{API}/jobs/{lab.prediction}").json()
    assert (prediction["n_done"], prediction["classes"]) == (41, list(CLASSES))
    assert len(stories_of(lab.client, lab.prediction)) == 1  # it has ended


def test_rows_are_those_of_the_command_line(lab: Lab, tmp_path: Path) -> None:
    cs.predict(lab.workspace.runs / "first", [lab.new], out=tmp_path / "predictions.csv")
    written = list(csv.DictReader((tmp_path / "predictions.csv").open(newline="")))
    downloaded = lab.client.get(f"{API}/jobs/{lab.prediction}/download/predictions").text.removeprefix("\ufeff")
    assert list(csv.DictReader(io.StringIO(downloaded))) == written
    assert {len(row["file_sha256"]) for row in written} == {64}
    Image.new("RGB", (640, 480)).save(lab.new.parent / "field.png")
    sources = [str(lab.new / "broken.png"), str(lab.new.parent / "field.png")]
    other = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "sources": sources})
    state = ended(lab.client, other.json()["id"])
    assert (state["decisions"]["unreadable"], state["n_warned"]) == (1, 1)
    (warned,) = lab.client.get(f"{API}/lists/{state['id']}/rows?only=warning").json()["items"]
    assert "as large as" in warned["warning"]
    assert [note["code"] for note in state["notes"] if note["level"] == "warning"].count("field-of-view") == 1
    assert (
        lab.client.get(f"{API}/jobs/{other.json()['id']}/download/predictions")
        .text.splitlines()[1]
        .rsplit(",", 2)[0]
        .endswith(',"{""code"": ""not-an-image"", ""parameters"": {""is_text"": true}}",')
    )
    assert lab.client.delete(f"{API}/jobs/{other.json()['id']}").status_code == 204


def test_a_download_has_the_chosen_format_classes_and_columns_of_the_user_s_table(lab: Lab) -> None:
    images = sorted(lab.new.glob("slide*.png"))[:5]
    plate = lab.workspace.roots[0] / "plate.csv"
    rows = [f"{image},=A{k},{k}\n" for k, image in enumerate(images)]
    plate.write_text("".join(["path,well,predicted\n", *rows]))
    answer = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "sources": [str(plate)]})
    state = ended(lab.client, answer.json()["id"])
    assert state["state"] == "done"
    listed = lab.client.get(f"{API}/lists/{state['id']}/rows").json()["items"]
    assert [row["cells"] for row in listed] == [{"well": f"=A{k}", "input:predicted": str(k)} for k in range(5)]
    path = f"{API}/jobs/{state['id']}/download/predictions"
    plain = lab.client.get(in_jobs(path))
    whole = list(csv.DictReader(io.StringIO(downloaded(plain))))
    assert list(whole[0])[-9:] == [
        *(f"p:{name}" for name in CLASSES),
        *("reason_code", "warning_code", "well", "input:predicted", "file_sha256", "classifier"),
    ]
    answer = lab.client.get(path, params={"top_k": 2})
    table = list(csv.DictReader(io.StringIO(downloaded(answer))))
    assert [(row["well"], row["input:predicted"]) for row in table] == [(f"'=A{k}", str(k)) for k in range(5)]
    for row, each in zip(table, whole, strict=True):
        assert not [name for name in row if name.startswith("p:")]
        best = sorted(CLASSES, key=lambda name: -float(each[f"p:{name}"]))[:2]
        assert [float(row[f"top_{k}_probability"]) for k in (1, 2)] == [float(each[f"p:{name}"]) for name in best]
    lines = lab.client.get(path, params={"format": "jsonl"})
    assert lines.headers["content-type"].startswith("application/jsonl")
    assert 'filename="predictions.jsonl"' in lines.headers["content-disposition"]
    objects = [json.loads(line) for line in lines.text.splitlines()]
    assert [each["well"] for each in objects] == [f"=A{k}" for k in range(5)]
    assert [each["predicted"] for each in objects] == [row["predicted"] for row in whole]
    lab.client.put(f"{API}/lists/{state['id']}/rows/2/correction", json={"label": "large"})
    first, second = (
        json.loads(line) for line in lab.client.get(path, params={"format": "jsonl"}).text.splitlines()[1:3]
    )
    assert list(first)[5:9] == ["decision", "corrected", "excluded", "corrected_by"]
    assert (first["corrected"], second["corrected"]) == (None, "large")
    assert (first["final_decision"], second["final_decision"]) == (first["decision"], "large")
    lab.client.put(f"{API}/lists/{state['id']}/rows/2/correction", json={"label": None, "excluded": "unusable"})
    second = json.loads(lab.client.get(path, params={"format": "jsonl"}).text.splitlines()[2])
    assert (second["excluded"], second["final_decision"]) == ("unusable", None)
    refused = lab.client.get(path, params={"top_k": 4})
    assert (refused.status_code, refused.json()["code"]) == (422, "top-k-out-of-range")
    assert lab.client.get(path, params={"format": "parquet"}).status_code == 422
    assert lab.client.delete(f"{API}/jobs/{state['id']}").status_code == 204


def test_all_rows_of_an_image_have_its_cells_and_its_correction(lab: Lab) -> None:
    first, second = sorted(map(str, lab.new.glob("slide*.png")))[:2]
    wells = lab.workspace.roots[0] / "wells.csv"
    wells.write_text(
        "path,well,label\n" + "".join(f"{path},{k},large\n" for k, path in enumerate((first, second, first)))
    )
    answer = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "sources": [str(wells)]})
    path = f"{API}/predictions/{ended(lab.client, answer.json()['id'])['id']}"

    def corrections() -> list[str]:
        text = downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions"))
        table = list(csv.DictReader(io.StringIO(text)))
        assert [(row["path"], row["well"]) for row in table] == [(first, "0"), (second, "1"), (first, "2")]
        assert len({row["image_id"] for row in table}) == 3
        return [row.get("corrected", "") for row in table]

    drawn = lab.client.post(f"{in_lists(path)}/draw", json={"n": 3}).json()["images"]
    assert sorted(image["row_id"] for image in drawn) == [0, 1]  # each image counts once
    lab.client.put(f"{in_lists(path)}/rows/2/correction", json={"label": "medium"})
    assert corrections() == ["medium", "", "medium"]
    assert lab.client.post(f"{path}/dataset", json={"only": "corrected"}).json()["n_images"] == 1
    assert lab.client.post(f"{path}/dataset", json={"only": "all"}).json()["n_images"] == 2
    cells = open_images(lab.workspace, write_cells(lab.workspace.roots[0] / "joined", 6, seed=3))
    assert lab.client.post(f"{path}/join", json={"dataset_id": cells}).json()["counts"]["n_new"] == 1
    lab.client.put(f"{in_lists(path)}/rows/0/correction", json={"label": None})
    assert corrections() == ["", "", ""]
    assert dataset_state(lab.workspace, open_images(lab.workspace, wells, is_labeled=False)).n_images == 2
    assert lab.client.delete(in_jobs(path)).status_code == 204


def test_sent_images_get_the_most_probable_classes_in_order(lab: Lab) -> None:
    path, image = f"{API}/classifiers/{lab.run}/predict", next(lab.new.glob("slide*.png"))
    (whole,), (best,) = (
        lab.client.post(path, params=query, files={"files": image.open("rb")}).json()["predictions"]
        for query in ({}, {"top_k": 2})
    )
    expected = sorted(whole["probabilities"].items(), key=lambda pair: -pair[1])[:2]
    assert list(best["probabilities"].items()) == expected
    refused = lab.client.post(path, params={"top_k": 4}, files={"files": image.open("rb")})
    assert (refused.status_code, refused.json()["code"]) == (422, "top-k-out-of-range")


@pytest.mark.exhaustive
def test_stated_shares_change_what_is_answered_and_false_ones_are_refused(lab: Lab) -> None:
    request = {"classifier_id": lab.run, "sources": [str(lab.new)], "prevalence": {"large": 0.98}}
    for prevalence in ({"huge": 0.5}, {"large": 1.5}, dict.fromkeys(CLASSES, 0.5)):
        refused = lab.client.post(f"{API}/predictions", json={**request, "prevalence": prevalence})
        assert refused.status_code == 422, refused.text
    stated = lab.client.post(f"{API}/predictions", json=request).json()
    assert stated["prevalence"] == {"large": 0.98}
    assert ended(lab.client, stated["id"])["state"] == "done"
    plain, moved = (
        {
            row["path"]: row["probabilities"]["large"]
            for row in lab.client.get(f"{API}/lists/{each}/rows?limit=100").json()["items"]
            if row["predicted"]
        }
        for each in (lab.prediction, stated["id"])
    )
    assert plain.keys() == moved.keys()
    assert all(moved[path] > probability for path, probability in plain.items() if 0.001 < probability < 0.999)
    assert np.mean(list(moved.values())) > np.mean(list(plain.values()))


def test_rescaling_is_refused_without_a_pixel_size_of_the_training_images(lab: Lab) -> None:
    assert lab.client.get(f"{API}/classifiers").json()["items"][0]["pixel_side_um"] is None
    request = {"classifier_id": lab.run, "sources": [str(lab.new)], "rescale": True}
    refused = lab.client.post(f"{API}/predictions", json=request)
    assert (refused.status_code, refused.json()["code"]) == (422, "no-pixel-size-of-training")


def test_uncertain_ones_come_first_and_corrections_are_kept(lab: Lab) -> None:
    path = f"{API}/predictions/{lab.prediction}"
    plain = downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions"))
    page = lab.client.get(f"{in_lists(path)}/rows?sort=probability&limit=500").json()
    sure = [row["probability"] for row in page["items"] if row["probability"] is not None]
    assert sure == sorted(sure)
    review = lab.client.get(f"{in_lists(path)}/rows?only=review").json()
    assert {row["decision"] for row in review["items"]} <= {"uncertain", "unfamiliar", "unreadable"}
    assert any(row["reason"] for row in review["items"])
    k = page["items"][-1]["row_id"]
    corrected = lab.client.put(f"{in_lists(path)}/rows/{k}/correction", json={"label": "=cmd()"}).json()["row"]
    assert (corrected["row_id"], corrected["correction"]) == (k, "=cmd()")
    assert lab.client.get(f"{in_lists(path)}/rows?only=corrected").json()["items"] == [corrected]
    assert lab.client.get(in_jobs(path)).json()["n_corrected"] == 1
    table = list(csv.DictReader(io.StringIO(downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions")))))
    assert list(table[0])[5:7] == ["decision", "corrected"]
    assert [row["corrected"] for row in table if row["corrected"]] == ["'=cmd()"]
    assert lab.client.put(f"{in_lists(path)}/rows/{k}/correction", json={"label": "uncertain"}).status_code == 422
    assert lab.client.put(f"{in_lists(path)}/rows/9999/correction", json={"label": "large"}).status_code == 404
    assert (
        lab.client.put(f"{in_lists(path)}/rows/{k}/correction", json={"label": None}).json()["row"]["correction"]
        is None
    )
    assert downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions")) == plain


def test_what_was_corrected_needs_no_eye_any_more(lab: Lab) -> None:
    path = f"{API}/predictions/{lab.prediction}"
    rows = lab.client.get(f"{in_lists(path)}/rows?limit=500").json()["items"]
    expected = [row["row_id"] for row in rows if row["decision"] not in CLASSES]
    sure = next(row["row_id"] for row in rows if row["decision"] in CLASSES)

    def in_review() -> list[int]:
        page = lab.client.get(f"{in_lists(path)}/rows?only=review&limit=500").json()
        state = lab.client.get(in_jobs(path)).json()
        (listed,) = (
            item for item in lab.client.get(f"{API}/predictions").json()["items"] if item["id"] == lab.prediction
        )
        assert len(page["items"]) == state["n_review"] == listed["n_review"]
        return [row["row_id"] for row in page["items"]]

    assert len(expected) >= 1
    assert in_review() == expected
    for k, label in ((expected[0], "large"), (sure, "medium")):
        lab.client.put(f"{in_lists(path)}/rows/{k}/correction", json={"label": label})
    assert in_review() == expected[1:]
    for k in (expected[0], sure):
        lab.client.put(f"{in_lists(path)}/rows/{k}/correction", json={"label": None})
    assert in_review() == expected


@pytest.mark.exhaustive
def test_classes_keep_the_order_of_their_keys_from_labeling_to_predicting(lab: Lab) -> None:
    cells = open_images(lab.workspace, lab.workspace.roots[0] / "cells", group_pattern=r"slide\d+")
    changes = {"classes": ["medium", "unused", "large"], "class_plan": {"rename": {"large": "a big one"}}}
    assert lab.client.patch(f"{API}/datasets/{cells}", json=changes).status_code == 200
    expected = ["medium", "a big one", "<script>"]
    preview = lab.client.post(f"{API}/previews", json={"kind": "split", "dataset_id": cells, "recipe": QUICK})
    assert [of_class["name"] for of_class in preview.json()["by_class"]] == expected
    run = queue_run(lab.client, cells, QUICK)
    assert ended(lab.client, run)["state"] == "done"
    assert lab.client.get(f"{API}/jobs/{run}/results").json()["metrics"]["classes"] == expected
    answer = lab.client.post(f"{API}/predictions", json={"classifier_id": run, "sources": [str(lab.new)]})
    assert answer.json()["classes"] == expected
    ended(lab.client, answer.json()["id"])
    for path in (f"predictions/{answer.json()['id']}", f"runs/{run}"):
        assert lab.client.delete(f"{API}/{in_jobs(path)}").status_code == 204


def test_corrections_become_training_images(lab: Lab) -> None:
    path = f"{API}/predictions/{lab.prediction}"
    assert lab.client.post(f"{path}/dataset", json={"only": "corrected"}).status_code == 409
    rows = lab.client.get(f"{in_lists(path)}/rows?limit=3").json()["items"]
    for row, label in zip(rows, ("<script>", "large", "=new"), strict=True):
        lab.client.put(f"{in_lists(path)}/rows/{row['row_id']}/correction", json={"label": label})
    made = lab.client.post(f"{path}/dataset", json={"only": "corrected"}).json()
    until(lambda: dataset_state(lab.workspace, made["id"]).state == "ready")
    dataset = lab.client.get(f"{API}/datasets/{made['id']}").json()
    counts = [(each["name"], each["n"]) for each in dataset["classes"]]
    assert counts == [("<script>", 0), ("large", 1), ("medium", 0), ("=new", 1)]  # keys as before; the first is broken
    every = lab.client.post(f"{path}/dataset", json={"only": "all", "name": "All"}).json()
    assert (every["name"], every["n_labeled"]) == ("All", 41)  # the broken one has a label by now
    for row in rows:
        lab.client.put(f"{in_lists(path)}/rows/{row['row_id']}/correction", json={"label": None})


@pytest.mark.exhaustive
def test_an_image_is_excluded_with_its_reason_and_included_again(lab: Lab) -> None:
    images = open_images(lab.workspace, lab.new, is_labeled=False)
    answer = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "dataset_id": images})
    path = f"{API}/predictions/{answer.json()['id']}"
    assert ended(lab.client, answer.json()["id"])["state"] == "done"
    first, second, third = (row["row_id"] for row in lab.client.get(f"{in_lists(path)}/rows?limit=3").json()["items"])
    decisions = lab.client.get(in_jobs(path)).json()["decisions"]

    lab.client.put(f"{in_lists(path)}/rows/{first}/correction", json={"label": "medium"})
    row = lab.client.put(
        f"{in_lists(path)}/rows/{first}/correction", json={"label": None, "excluded": "unusable"}
    ).json()
    row = row["row"]
    lab.client.put(f"{in_lists(path)}/rows/{second}/correction", json={"label": None, "excluded": "none-of-these"})
    lab.client.put(f"{in_lists(path)}/rows/{third}/correction", json={"label": "large"})
    assert (row["correction"], row["excluded"]) == (None, "unusable")
    both = {"label": "large", "excluded": "unusable"}
    assert lab.client.put(f"{in_lists(path)}/rows/{first}/correction", json=both).status_code == 422
    state = lab.client.get(in_jobs(path)).json()
    assert (state["n_corrected"], state["n_excluded"], state["n_excluded_rows"]) == (3, 2, 2)
    assert state["decisions"] == decisions  # of the classifier, as in the table
    for decision, n in decisions.items():
        rows = lab.client.get(f"{in_lists(path)}/rows", params={"decision": decision}).json()["items"]
        assert len(rows) == n
    assert [each["row_id"] for each in lab.client.get(f"{in_lists(path)}/rows?only=corrected").json()["items"]] == [
        first,
        second,
        third,
    ]
    dataset = dataset_state(lab.workspace, images)
    assert (dataset.n_excluded, dataset.n_labeled) == (2, 1)
    assert [each.name for each in dataset.classes] == ["<script>", "large", "medium"]
    table = list(csv.DictReader(io.StringIO(downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions")))))
    assert [(each["corrected"], each["excluded"]) for each in table[:4]] == [
        ("", "unusable"),
        ("", "none-of-these"),
        ("large", ""),
        ("", ""),
    ]
    made = lab.client.post(f"{path}/dataset", json={"only": "all"}).json()
    assert made["n_images"] == 41 - 2

    for k in (first, second, third):
        lab.client.put(f"{in_lists(path)}/rows/{k}/correction", json={"label": None})
    dataset = dataset_state(lab.workspace, images)
    assert (dataset.n_excluded, dataset.n_labeled) == (0, 0)
    assert lab.client.delete(f"{API}/jobs/{answer.json()['id']}").status_code == 204


def test_a_folder_of_class_folders_stays_labeled_when_it_is_predicted(lab: Lab) -> None:
    folder = write_cells(lab.new.parent / "class folders", 3, seed=4)
    labels = {str(path): path.parent.name for path in folder.rglob("*.png")}
    body = {"is_labeled": False, "classifier_id": lab.run}
    plates = [{"path": str(lab.new)}]  # of no classes
    assert lab.client.post(f"{API}/datasets", json={**body, "sources": plates}).json()["is_labeled"] is False
    dataset = lab.client.post(f"{API}/datasets", json={**body, "sources": [{"path": str(folder)}]}).json()
    assert (dataset["is_labeled"], dataset["n_labeled"]) == (True, 3)
    unknown = {**body, "classifier_id": "none", "sources": plates}
    assert lab.client.post(f"{API}/datasets", json=unknown).status_code == 404
    until(lambda: dataset_state(lab.workspace, dataset["id"]).state == "ready")
    for images in ({"dataset_id": dataset["id"]}, {"sources": [str(folder)]}):
        answer = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, **images})
        path = f"{API}/predictions/{ended(lab.client, answer.json()['id'])['id']}"
        rows = lab.client.get(f"{in_lists(path)}/rows").json()["items"]
        assert {row["path"]: row["label"] for row in rows} == labels
        assert "labels-of-other-classes" not in [note["code"] for note in lab.client.get(in_jobs(path)).json()["notes"]]
        if "dataset_id" in images:
            changes, first = f"{API}/datasets/{dataset['id']}/changes", [Path(rows[0]["path"]).relative_to(folder)]
            lab.client.post(changes, json={"images": [str(each) for each in first], "label": "platelet"})
            (other,) = (
                note["parameters"]
                for note in lab.client.get(in_jobs(path)).json()["notes"]
                if note["code"] == "labels-of-other-classes"
            )
            assert other == {"n_images": 1, "names": "'platelet'"}
        assert lab.client.delete(in_jobs(path)).status_code == 204


@pytest.mark.exhaustive
def test_a_prediction_of_a_dataset_has_the_labels_that_the_dataset_has_when_it_is_requested(lab: Lab) -> None:
    folder = write_cells(lab.new.parent / "labeled", 6, seed=2)
    shutil.rmtree(folder / CLASSES[0])
    dataset = open_images(lab.workspace, folder)
    first, second = ids_at(lab.workspace, dataset, (0, 1))
    set_labels(lab.workspace, dataset, ImageSelection(images=[first]), "of no classifier")
    set_labels(lab.workspace, dataset, ImageSelection(images=[second]), None)
    expected = {image["path"]: image["label"] for image in images_of(lab, dataset)}
    assert list(expected.values())[:2] == ["of no classifier", None]
    assert set(list(expected.values())[2:]) <= set(CLASSES)
    prediction = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "dataset_id": dataset}).json()
    path = f"{API}/predictions/{prediction['id']}"
    assert ended(lab.client, prediction["id"])["state"] == "done"

    def labels_in_table() -> dict[str, str | None]:
        text = downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions"))
        rows = csv.DictReader(io.StringIO(text))
        return {Path(row["path"]).relative_to(folder).as_posix(): row["label"] or None for row in rows}

    rows = lab.client.get(f"{in_lists(path)}/rows?limit=9").json()["items"]
    assert {Path(row["path"]).relative_to(folder).as_posix(): row["label"] for row in rows} == expected
    assert labels_in_table() == expected
    classes = [each.name for each in dataset_state(lab.workspace, dataset).classes]
    lab.client.put(f"{in_lists(path)}/rows/0/correction", json={"label": "medium"})
    assert labels_in_table() == expected
    assert [each.name for each in dataset_state(lab.workspace, dataset).classes] == classes  # none of the classifier's
    assert lab.client.delete(f"{API}/jobs/{prediction['id']}").status_code == 204


def images_of(lab: Lab, dataset_id: str) -> list[Json]:
    items: list[Json] = lab.client.get(f"{API}/lists/{dataset_id}/rows?limit=100").json()["items"]
    return items


@pytest.mark.exhaustive
def test_confirmed_and_corrected_images_join_a_dataset_once_and_can_be_excluded_again(lab: Lab) -> None:
    cells = open_images(lab.workspace, lab.new.parent / "cells", group_pattern=r"slide\d+", name="Cells")
    before = dataset_state(lab.workspace, cells)
    path = f"{API}/predictions/{lab.prediction}"
    assert lab.client.post(f"{path}/join", json={"dataset_id": cells}).status_code == 409  # no row was reviewed
    rows = [row for row in lab.client.get(f"{in_lists(path)}/rows?limit=9").json()["items"] if row["predicted"]][:3]
    shutil.copy(lab.new / rows[2]["image_id"], lab.new.parent / "cells" / "large" / "known.png")
    lab.client.post(f"{API}/datasets/{cells}/refresh")
    until(lambda: dataset_state(lab.workspace, cells).state == "ready")
    for row, label in zip(rows, ("medium", rows[1]["predicted"], "large"), strict=True):
        lab.client.put(f"{in_lists(path)}/rows/{row['row_id']}/correction", json={"label": label})

    joined = lab.client.post(f"{path}/join", json={"dataset_id": cells})
    assert joined.status_code == 200, joined.text
    until(lambda: dataset_state(lab.workspace, cells).state == "ready")
    after = dataset_state(lab.workspace, cells)
    assert (after.n_images, after.n_labeled) == (before.n_images + 1 + 2, before.n_labeled + 1 + 2)
    assert {domain.name: domain.n for domain in after.domains}["Monday"] == 2
    assert lab.client.post(f"{path}/join", json={"dataset_id": cells}).json()["dataset"]["n_images"] == after.n_images

    # The dataset follows later answers: another class, and an image that is of no use.
    lab.client.put(f"{in_lists(path)}/rows/{rows[0]['row_id']}/correction", json={"label": "large"})
    lab.client.put(
        f"{in_lists(path)}/rows/{rows[1]['row_id']}/correction", json={"label": None, "excluded": "unusable"}
    )
    lab.client.post(f"{path}/join", json={"dataset_id": cells})
    until(lambda: dataset_state(lab.workspace, cells).state == "ready")
    listed = lab.client.get(f"{API}/lists/{cells}/rows?domain=Monday").json()["items"]
    assert [image["label"] for image in listed] == ["large"]
    assert [each.name for each in dataset_state(lab.workspace, cells).classes] == [each.name for each in before.classes]

    sources = [{"path": before.sources[0].path}]
    assert lab.client.patch(f"{API}/datasets/{cells}", json={"sources": sources}).status_code == 200
    assert dataset_state(lab.workspace, cells).n_images == before.n_images + 1
    for row in rows:
        lab.client.put(f"{in_lists(path)}/rows/{row['row_id']}/correction", json={"label": None})


def test_pictures_are_served_only_from_below_the_allowed_roots(lab: Lab, tmp_path: Path) -> None:
    path = f"{API}/lists/{lab.prediction}/rows"
    sheet = lab.client.get(f"{API}/lists/{lab.prediction}/sheet?rows=0,1")
    assert sheet.headers["content-type"] == "image/webp"  # with a blank cell: the first one is broken
    assert lab.client.get(f"{path}/0/overview").status_code == 422
    assert lab.client.get(f"{path}/1/overview").headers["content-type"] == "image/png"
    tiles = f"{API}/lists/{lab.prediction}/rows"
    assert [lab.client.get(f"{tiles}/{k}/tiles/0/0/0").status_code for k in (0, 1)] == [422, 200]
    outside = write_cells(tmp_path / "outside", 3, is_sorted=False)
    answer = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "sources": [str(outside)]})
    assert (answer.status_code, answer.json()["code"]) == (422, "outside-roots")
    link = lab.new / "slide_link.png"
    shown = next(lab.new.glob("slide1_*.png"))
    bytes_before = shown.read_bytes()
    k = next(row["row_id"] for row in lab.client.get(f"{path}?limit=100").json()["items"] if row["path"] == str(shown))
    try:
        shown.unlink()
        shown.symlink_to(next(outside.iterdir()))
        assert lab.client.get(f"{path}/{k}/overview").status_code == 422
        assert lab.client.get(f"{tiles}/{k}/tiles").status_code == 422
    finally:
        shown.unlink()
        shown.write_bytes(bytes_before)
        link.unlink(missing_ok=True)


def test_images_that_are_sent_get_the_predictions_of_the_table_and_a_broken_one_a_reason(lab: Lab) -> None:
    rows = lab.client.get(f"{API}/lists/{lab.prediction}/rows?limit=100").json()["items"]
    rows = [row for row in rows if row["decision"] != "unreadable"][:20]
    files = [("files", (Path(row["path"]).name, Path(row["path"]).read_bytes())) for row in rows]
    files.insert(3, ("files", ("../../<b>.PNG", b"no image")))
    files += [files[0], ("files", (files[0][1][0], files[1][1][1]))]  # again, and other content of the same name
    rows += rows[:2]
    path = f"{API}/classifiers/{lab.run}/predict"
    answer = lab.client.post(path, files=files)
    assert answer.status_code == 200, answer.text
    images = answer.json()["predictions"]
    assert [each["path"] for each in images] == [name for _, (name, _) in files]
    broken = images.pop(3)
    assert (broken["decision"], broken["predicted"], broken["probability"]) == ("unreadable", None, None)
    assert not broken["reason"].startswith("{")  # the sentence, not its code
    assert str(lab.workspace.folder) not in broken["reason"]
    for each, row in zip(images, rows, strict=True):
        assert (each["predicted"], each["decision"]) == (row["predicted"], row["decision"])
        assert each["probabilities"] == pytest.approx(row["probabilities"], abs=1e-5)
    assert not list((lab.workspace.folder / "classifying").iterdir())


def test_bad_requests_for_predictions_are_refused_each_with_its_reason(lab: Lab) -> None:
    path, image = f"{API}/classifiers/{lab.run}/predict", next(lab.new.glob("slide*.png"))
    for how in ({"content": b""}, {"data": {"files": "no file"}}, {"content": image.read_bytes()}):
        refused = lab.client.post(path, **how)
        assert (refused.status_code, refused.json()["code"]) == (422, "no-files-in-form")
    too_large = lab.client.post(path, content=b"x", headers={"Content-Length": str(300 * 2**20)})
    assert too_large.status_code == 413
    many = [("files", (f"{k}.png", b"x")) for k in range(257)]
    assert lab.client.post(path, files=many).status_code == 400
    broken_form = {"content": b"--a", "headers": {"Content-Type": "multipart/form-data"}}
    assert lab.client.post(path, **broken_form).status_code == 400
    missing = lab.client.post(f"{API}/classifiers/none/predict", files={"files": image.open("rb")})
    assert missing.status_code == 404
    assert not list((lab.workspace.folder / "classifying").glob("*"))


def test_more_requests_for_predictions_than_are_answered_at_a_time_are_refused_for_now(lab: Lab) -> None:
    path, image = f"{API}/classifiers/{lab.run}/predict", next(lab.new.glob("slide*.png"))
    classifying: LoadedClassifiers = lab.client.app.state.classifiers  # type: ignore[attr-defined]  # TestClient's
    with ExitStack() as others:
        for _ in range(4):
            others.enter_context(classifying.reserved())
        refused = lab.client.post(path, files={"files": image.open("rb")})
        assert (refused.status_code, refused.json()["code"]) == (503, "predictions-busy")
        assert int(refused.headers["Retry-After"]) > 0
    assert lab.client.post(path, files={"files": image.open("rb")}).status_code == 200


@pytest.mark.exhaustive
def test_images_are_predicted_by_a_classifier_that_stays_loaded(lab: Lab) -> None:
    image = next(lab.new.glob("slide*.png"))
    path = f"{API}/classifiers/{lab.run}/predict"
    answer = lab.client.post(path, files={"files": image.open("rb")}).json()
    classifying: LoadedClassifiers = lab.client.app.state.classifiers  # type: ignore[attr-defined]  # TestClient's
    (worker,) = classifying._pool._idle
    assert lab.client.post(path, files={"files": b"no image"}).json()["predictions"][0]["decision"] == "unreadable"
    assert classifying._pool._idle == [worker]
    worker.process.kill()
    assert lab.client.post(path, files={"files": image.open("rb")}).json() == answer
    assert worker not in classifying._pool._idle


def test_rows_are_found_by_a_part_of_their_path(lab: Lab) -> None:
    path = f"{API}/lists/{lab.prediction}/rows"
    page = lab.client.get(path, params={"search": "SLIDE3_"}).json()
    assert {row["image_id"][:7] for row in page["items"]} == {"slide3_"}
    assert len(page["items"]) == 4
    assert lab.client.get(path, params={"search": "%"}).json()["items"] == []


def test_a_list_of_predictions_is_sent_again_only_after_an_answer(lab: Lab) -> None:
    address = f"{API}/lists/{lab.prediction}"
    lab.client.put(f"{address}/rows/3/correction", json={"label": None})

    def listed(tag: str | None = None) -> httpx.Response:
        headers = {} if tag is None else {"If-None-Match": tag}
        return lab.client.get(f"{address}/row-ids", params={"only": "corrected"}, headers=headers)

    before = listed()
    assert listed(before.headers["etag"]).status_code == 304
    lab.client.put(f"{address}/rows/3/correction", json={"label": "large"})
    after = listed(before.headers["etag"])
    assert (after.status_code, len(after.content)) == (200, len(before.content) + 4)
    lab.client.put(f"{address}/rows/3/correction", json={"label": None})
    assert listed(after.headers["etag"]).content == before.content


def test_a_table_is_sent_by_whichever_threads_are_free(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "_ROWS_AT_ONCE", 5)
    pieces = corrections.answered_table(lab.workspace, lab.prediction)
    text = ""
    for _ in range(9):
        with ThreadPoolExecutor(1) as pool:
            text += pool.submit(next, pieces).result()
    assert len(text.splitlines()) == 42


def test_a_removed_prediction_comes_back_with_its_corrections(lab: Lab) -> None:
    path = f"{API}/predictions/{lab.prediction}"
    lab.client.put(f"{in_lists(path)}/rows/3/correction", json={"label": "large"})
    before, rows = lab.client.get(in_jobs(path)).json(), lab.client.get(f"{in_lists(path)}/rows").json()
    assert lab.client.delete(in_jobs(path)).status_code == 204
    assert lab.client.get(in_jobs(path)).status_code == 404
    assert lab.client.post(f"{in_jobs(path)}/restore").json()["state"] == before["state"]
    assert lab.client.get(in_jobs(path)).json() == before
    assert lab.client.get(f"{in_lists(path)}/rows").json() == rows
    assert lab.client.post(f"{in_jobs(path)}/restore").status_code == 404
    assert lab.client.post(f"{API}/jobs/{lab.prediction}/resume").status_code == 409  # it is done
    lab.client.put(f"{in_lists(path)}/rows/3/correction", json={"label": None})


def failure_code(folder: Path) -> str:
    status = Run(folder).status
    assert status is not None
    assert status.failure is not None
    return status.failure.code


def table_without_state(folder: Path) -> list[Json]:
    """The rows of a prediction without the state of the files, which other tests replace by equal ones."""
    rows = csv.DictReader((folder / "predictions.csv").read_text().splitlines())
    return [{name: cell for name, cell in row.items() if name != "coverslip_state"} for row in rows]


@pytest.mark.parametrize("setting", [{"operating_points": [0.2, 0.5, 0.3]}, {"uncertain_below": 0.9}])
def test_a_prediction_does_not_resume_with_other_thresholds(lab: Lab, setting: Json) -> None:
    folder = find_job(lab.workspace, lab.prediction).folder
    before = table_without_state(folder)
    card = lab.workspace.runs / "first" / "classifier" / "classifier.json"
    content = card.read_text()
    try:
        card.write_text(json.dumps({**json.loads(content), **setting}))
        assert process.main(folder, lab.workspace.folder) == 1
    finally:
        card.write_text(content)
    assert failure_code(folder) == "prediction-classifier-changed"
    assert table_without_state(folder) == before
    assert process.main(folder, lab.workspace.folder) == 0
    assert table_without_state(folder) == before


@pytest.mark.exhaustive
def test_a_killed_prediction_resumes_after_its_last_row(lab: Lab, tmp_path: Path) -> None:
    many = write_cells(lab.workspace.roots[0] / "many", 600, seed=2, is_sorted=False)
    answer = lab.client.post(f"{API}/predictions", json={"classifier_id": lab.run, "sources": [str(many)]})
    path, job = (f"{API}/{kind}/{answer.json()['id']}" for kind in ("predictions", "jobs"))
    until(lambda: lab.client.get(in_jobs(path)).json()["n_done"])
    status = status_of(find_job(lab.workspace, answer.json()["id"]))
    assert status
    os.kill(status.pid, signal.SIGKILL)
    ended_prediction = ended(lab.client, answer.json()["id"])
    assert (ended_prediction["state"], ended_prediction["error"]["code"]) == ("failed", "job-ended-by-signal")
    assert 0 < ended_prediction["n_done"] < 600
    table = downloaded(lab.client.get(f"{in_jobs(path)}/download/predictions"))
    assert len(table.splitlines()) == ended_prediction["n_done"] + 1
    lab.client.put(f"{in_lists(path)}/rows/0/correction", json={"label": "large"})
    extra = many / "a_new_first.png"
    shutil.copy(next(many.iterdir()), extra)
    assert lab.client.post(f"{job}/resume").status_code == 200
    refused = ended(lab.client, answer.json()["id"])
    assert (refused["state"], refused["n_done"]) == ("failed", ended_prediction["n_done"])
    assert refused["error"]["code"] == "prediction-images-changed"
    extra.unlink()
    assert lab.client.post(f"{job}/resume").json()["state"] in ("queued", "starting")
    assert lab.client.post(f"{job}/resume").status_code == 409
    numbers = [story["n_done"] for story in stories_of(lab.client, answer.json()["id"])]
    assert (numbers[0], numbers[-1]) == (ended_prediction["n_done"], 600)
    done = lab.client.get(in_jobs(path)).json()
    assert (done["state"], done["n_done"], done["n_corrected"]) == ("done", 600, 1)
    cs.predict(lab.workspace.runs / "first", [many], out=tmp_path / "whole.csv")
    folder = find_job(lab.workspace, answer.json()["id"]).folder
    whole = list(csv.DictReader((tmp_path / "whole.csv").read_text().splitlines()))
    of_app = list(csv.DictReader((folder / "predictions.csv").read_text().splitlines()))
    assert [{name: row[name] for name in whole[0]} for row in of_app] == whole


def test_an_imported_classifier_has_the_card_and_the_metrics_of_its_run(lab: Lab) -> None:
    of_run = lab.client.get(f"{API}/classifiers/{lab.run}").json()
    metrics = cs.open_run(lab.workspace.runs / "first").metrics
    assert of_run["test"]["n"] == metrics.n
    headline, per_class = of_run["test"]["section"]["blocks"]
    shown = {each["name"]: each["value"] for each in headline["metrics"]}
    assert shown["accuracy"] == metrics.metrics["accuracy"].value
    assert [(row[0]["text"], row[1]["value"]) for row in per_class["rows"]] == [
        (name, scores.n) for name, scores in metrics.per_class.items()
    ]
    file = lab.client.get(f"{API}/jobs/{lab.run}/download/classifier").content
    imported = lab.client.post(f"{API}/classifiers", content=file).json()
    card = lab.client.get(f"{API}/classifiers/{imported['id']}").json()
    different = {each.name for each in fields(ListedClassifier)}
    assert {key: card[key] for key in card.keys() - different} == {
        key: of_run[key] for key in of_run.keys() - different
    }
    assert card["headline"]["value"] == of_run["headline"]["value"] is not None
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for damaged in (b"{", b"[]", b'{"format_version": 99}', None):
        changed = io.BytesIO()
        with zipfile.ZipFile(changed, "w") as archive:
            for name, data in {**entries, "metrics.json": damaged}.items():
                if data is not None:
                    archive.writestr(name, data)
        damaged_id = lab.client.post(f"{API}/classifiers", content=changed.getvalue()).json()["id"]
        assert lab.client.get(f"{API}/classifiers/{damaged_id}").json()["test"] is None
        assert lab.client.delete(f"{API}/jobs/{damaged_id}").status_code == 204
    assert lab.client.delete(f"{API}/jobs/{imported['id']}").status_code == 204
    missing = lab.client.get(f"{API}/classifiers/{imported['id']}")
    assert (missing.status_code, missing.json()["code"]) == (404, "no-such-classifier")


def test_a_prediction_names_the_training_of_its_classifier_only_where_there_is_one(lab: Lab) -> None:
    of_training = lab.client.get(f"{API}/jobs/{lab.prediction}").json()
    assert of_training["run_id"] == of_training["classifier_id"] == lab.run
    file = lab.client.get(f"{API}/jobs/{lab.run}/download/classifier").content
    imported = lab.client.post(f"{API}/classifiers", content=file, params={"name": "Imported"}).json()["id"]
    answer = lab.client.post(
        f"{API}/predictions", json={"classifier_id": imported, "sources": [str(lab.new / "broken.png")]}
    )
    assert (answer.json()["classifier_id"], answer.json()["run_id"]) == (imported, None)
