"""Trainings adapted to another laboratory through the REST API, in processes of their own."""

import base64
import csv
import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from drawing import write_cells
from fastapi.testclient import TestClient
from PIL import Image
from small_workspace import API, Json, ended, evaluated_here, new_workspace, open_images, trained_here

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.runs.classifier import fingerprint_of
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow
RECIPE = {"stage": "instant", "image_size": 48, "split": {"folds": 0}}
CLASSES = ("small", "medium", "large")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return new_workspace(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace)) as client:
        yield client


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> str:
    cells = write_cells(workspace.roots[0] / "cells", 150, ground=(0.25, 0.25, 0.3))
    return trained_here(workspace, open_images(workspace, cells), RECIPE, "First", with_report=True)


def adapted(client: TestClient, run: str, dataset: str, without: Sequence[str] = ()) -> Json:
    answer = client.post(f"{API}/runs/{run}/adaptations", json={"dataset_id": dataset, "without": without})
    assert answer.status_code == 201, answer.text
    return ended(client, answer.json()["id"], 300)


def test_labels_of_the_dataset_choose_and_check_the_new_training(
    client: TestClient, workspace: Workspace, run: str, tmp_path: Path
) -> None:
    there = write_cells(workspace.roots[0] / "there", 60, ground=(0.6, 0.2, 0.5), is_sorted=False, seed=7)
    dataset = open_images(workspace, there, is_labeled=False)
    request = {"kind": "adaptation", "run_id": run, "dataset_id": dataset, "parts": ["zoom", "stain"]}
    preview = client.post(f"{API}/previews", json=request).json()
    assert preview["has_fixed_stain"]
    pictures = [Image.open(io.BytesIO(base64.b64decode(each))) for each in preview["pictures"]]
    assert [each.size for each in pictures] == [(396, 96)] * 3  # four images side by side
    assert pictures[1].tobytes() != pictures[2].tobytes()
    off = client.post(f"{API}/previews", json={**request, "parts": []}).json()
    assert (off["zoom"], off["has_fixed_stain"], off["pictures"][1]) == ([1.0, 1.0], False, off["pictures"][2])
    unchecked = adapted(client, run, dataset, without=["stain"])
    record = cs.open_run(unchecked["folder"]).adaptation
    assert record is not None
    assert not record.has_fixed_stain
    assert (unchecked["state"], unchecked["headline"]["use"]) == ("done", "unknown"), unchecked["error"]
    rows = client.get(f"{API}/lists/{dataset}/rows?limit=60").json()["items"]
    # Labels that are too few are not used, so that the classifier is adapted as without labels, but not to all images.
    changes, (first, unusable) = f"{API}/datasets/{dataset}/changes", [row["image_id"] for row in rows[:2]]
    assert client.post(changes, json={"images": [first], "label": CLASSES[0]}).status_code == 200
    assert client.post(changes, json={"images": [unusable], "label": "unusable"}).status_code == 200
    of_one = adapted(client, run, dataset, without=["stain"])
    assert of_one["state"] == "done", of_one["error"]
    assert "adapt-labels-not-used" in [each["code"] for each in of_one["notes"]]
    record_of_one = cs.open_run(of_one["folder"]).adaptation
    assert record_of_one is not None
    assert (record.n_images, record_of_one.n_images, record_of_one.n_labels) == (60, 59, 0)
    assert client.post(changes, json={"images": [unusable], "label": None}).status_code == 200
    for label, name in enumerate(CLASSES):
        images = [row["image_id"] for row in rows if int(Path(row["path"]).stem.rpartition("_")[2]) % 3 == label][:8]
        changed = client.post(f"{API}/datasets/{dataset}/changes", json={"images": images, "label": name})
        assert changed.status_code == 200, changed.text
    job = adapted(client, run, dataset)
    assert job["state"] == "done", job["error"]
    record = cs.open_run(job["folder"]).adaptation
    headline = client.get(f"{API}/jobs/{job['id']}").json()["headline"]
    assert (headline["metric"], headline["value"]) == ("adapted_accuracy", record.n_right / record.n_labels)
    assert record is not None
    assert (record.n_images, record.n_labels) == (60, 24)
    hashes = [set(cs.open_run(each["folder"]).training_hashes.val) for each in (unchecked, job)]
    assert len(hashes[1] - hashes[0]) == 24  # labels of the other laboratory count as used
    assert job["name"].startswith("First")
    results = client.get(f"{API}/jobs/{job['id']}/results").json()
    assert "limit-adapted" in [reason["code"] for reason in results["reasons"]]
    assert (results["action"], results["adapt_to"]) == ("adapt", dataset)
    assert results["adapted_run"] is None  # it is the latest one
    assert client.get(f"{API}/jobs/{of_one['id']}/results").json()["adapted_run"] == job["id"]
    # Of an adapted training, the first one is adapted; here to images of an external test that fails.
    assert client.post(f"{API}/previews", json={**request, "run_id": job["id"]}).json() == preview
    exchanged, radii = (*CLASSES[1:], CLASSES[0], "odd"), (0.1, 0.2, 0.3, 0.4)
    third = write_cells(workspace.roots[0] / "third", 80, classes=exchanged, radii=radii, seed=8)
    wrong = open_images(workspace, third)
    test = evaluated_here(workspace, job["id"], wrong)
    assert client.get(f"{API}/jobs/{test}/results").json()["action"] == "adapt"
    results = client.get(f"{API}/jobs/{job['id']}/results").json()
    assert (results["action"], results["adapt_to"]) == ("adapt", wrong)
    again = client.post(f"{API}/runs/{job['id']}/adaptations", json={"dataset_id": wrong}).json()
    parent = Path(client.get(f"{API}/jobs/{run}").json()["folder"])
    job_again = ended(client, again["id"], 300)
    assert "other-labels" in [each["code"] for each in job_again["notes"]], job_again["error"]
    record = cs.open_run(job_again["folder"]).adaptation
    assert record is not None
    assert record.parent == fingerprint_of(parent)
    assert (record.n_images, record.n_labels) == (60, 60)  # without those of the class that the training lacks
    assert client.get(f"{API}/jobs/{test}/results").json()["adapted_run"] == again["id"]
    _check_doors(client, job, sorted(there.iterdir())[::4], tmp_path)
    # It is a classifier like others, and its images are those of the first training.
    assert client.get(f"{API}/classifiers/{job['id']}").status_code == 200
    assert client.get(f"{API}/lists/{job['id']}/rows?limit=1").json()["items"]


def _check_doors(client: TestClient, job: Json, images: Sequence[Path], out: Path) -> None:
    """Check that every way to predict with a training gives equal classes, decisions and probabilities."""
    folder, files = Path(job["folder"]), list(map(str, images))
    rows = cs.load_classifier(folder, device="cpu").predict(files)
    expected = [(row.predicted, row.decision, pytest.approx(row.probability, abs=1e-4)) for row in rows]
    assert len({row.decision for row in rows}) > 1
    packed = cs.export(folder, out=out / "adapted.coverslip")
    assert main(["predict", str(packed), *files, "--out", str(out / "of_file.csv"), "--device", "cpu"]) == 0
    assert main(["predict", str(folder), *files, "--out", str(out / "of_run.csv"), "--device", "cpu"]) == 0
    prediction = client.post(f"{API}/predictions", json={"classifier_id": job["id"], "sources": files}).json()
    assert ended(client, prediction["id"])["state"] == "done"
    of_rest = client.get(f"{API}/jobs/{prediction['id']}/download/predictions").text.removeprefix("\ufeff")
    tables = [(out / "of_file.csv").read_text(), (out / "of_run.csv").read_text(), of_rest]
    for table in (list(csv.DictReader(each.splitlines())) for each in tables):
        assert [(row["predicted"], row["decision"], float(row["probability"])) for row in table] == expected
    onnx = cs.export(folder, to="onnx", out=out / "onnx")
    command = [sys.executable, "-I", "classify.py", "model.onnx", *files]
    printed = subprocess.run(command, cwd=onnx, capture_output=True, text=True, check=True).stdout
    of_onnx = [(row["predicted"], float(row["probability"])) for row in csv.DictReader(printed.splitlines())]
    assert of_onnx == [(predicted, probability) for predicted, _, probability in expected]


def test_excluded_images_take_no_part(client: TestClient, workspace: Workspace, run: str) -> None:
    there = write_cells(workspace.roots[0] / "partly", 60, ground=(0.6, 0.2, 0.5), is_sorted=False, seed=9)
    dataset = open_images(workspace, there, is_labeled=False)
    rows = client.get(f"{API}/lists/{dataset}/rows?limit=60").json()["items"]
    images, changes = [row["image_id"] for row in rows], f"{API}/datasets/{dataset}/changes"
    request = {"kind": "adaptation", "run_id": run, "dataset_id": dataset, "parts": ["zoom", "stain"]}
    all_images = client.post(f"{API}/previews", json=request).json()
    assert client.post(changes, json={"images": images[:5], "is_excluded": True}).status_code == 200
    assert client.post(f"{API}/previews", json=request).json()["pictures"] != all_images["pictures"]
    # An answer in a prediction excludes an image of its dataset.
    prediction = client.post(f"{API}/predictions", json={"classifier_id": run, "dataset_id": dataset}).json()["id"]
    assert ended(client, prediction)["state"] == "done"
    row = client.get(f"{API}/lists/{prediction}/rows?limit=60").json()["items"][7]["row_id"]
    answer = client.put(
        f"{API}/lists/{prediction}/rows/{row}/correction", json={"label": None, "excluded": "none-of-these"}
    )
    assert answer.status_code == 200, answer.text
    job = adapted(client, run, dataset)
    assert job["state"] == "done", job["error"]
    record = cs.open_run(job["folder"]).adaptation
    assert record is not None
    assert (record.n_images, record.n_excluded, record.n_labels) == (54, 6, 0)
    (exclusion,) = [each for each in job["notes"] if each["code"] == "adapt-excluded-images"]
    assert exclusion["parameters"]["n_images"] == 6


def test_what_is_refused_is_said(client: TestClient, workspace: Workspace, run: str) -> None:
    assert client.post(f"{API}/runs/none/adaptations", json={"dataset_id": "none"}).status_code == 404
    few = open_images(workspace, write_cells(workspace.roots[0] / "few", 6, is_sorted=False), is_labeled=False)
    # That it is an adaptation, with one split of the first images, is known before it begins.
    folds = trained_here(
        workspace, client.get(f"{API}/jobs/{run}").json()["dataset_id"], RECIPE | {"split": {"folds": 2}}, "Folds"
    )
    queued = client.post(f"{API}/runs/{folds}/adaptations", json={"dataset_id": few}).json()
    assert (queued["is_adapted"], queued["n_folds"]) == (True, 0)
    job = ended(client, queued["id"], 300)
    assert (job["is_adapted"], job["state"], job["error"]["code"]) == (True, "failed", "adapt-few-images")
