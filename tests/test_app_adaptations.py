"""Trainings adapted to another laboratory through the REST API, in processes of their own."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from drawing import write_cells
from fastapi.testclient import TestClient
from PIL import Image
from small_workspace import API, Json, ended, new_workspace, open_images, trained_here

import coverslip as cs
from coverslip.app.server import create_app
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
    client: TestClient, workspace: Workspace, run: str
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
    for label, name in enumerate(CLASSES):
        images = [row["image_id"] for row in rows if int(Path(row["path"]).stem.rpartition("_")[2]) % 3 == label][:8]
        changed = client.post(f"{API}/datasets/{dataset}/changes", json={"images": images, "label": name})
        assert changed.status_code == 200, changed.text
    job = adapted(client, run, dataset)
    assert job["state"] == "done", job["error"]
    record = cs.open_run(job["folder"]).adaptation
    assert record is not None
    assert (record.n_images, record.n_labels) == (60, 24)
    hashes = [set(cs.open_run(each["folder"]).training_hashes.val) for each in (unchecked, job)]
    assert len(hashes[1] - hashes[0]) == 24  # labels of the other laboratory count as used
    assert job["name"].startswith("First")
    results = client.get(f"{API}/jobs/{job['id']}/results").json()
    assert "limit-adapted" in [reason["code"] for reason in results["reasons"]]
    assert results["adapted_from"] == {"run_id": run, "dataset_id": dataset}
    again = client.post(f"{API}/previews", json={**request, "run_id": job["id"]}).json()
    assert again["code"] == "adapt-adapted-run"
    # It is a classifier like others, and its images are those of the first training.
    assert client.get(f"{API}/classifiers/{job['id']}").status_code == 200
    assert client.get(f"{API}/lists/{job['id']}/rows?limit=1").json()["items"]


def test_what_is_refused_is_said(client: TestClient, workspace: Workspace, run: str) -> None:
    assert client.post(f"{API}/runs/none/adaptations", json={"dataset_id": "none"}).status_code == 404
    few = open_images(workspace, write_cells(workspace.roots[0] / "few", 6, is_sorted=False), is_labeled=False)
    job = adapted(client, run, few)
    assert (job["state"], job["error"]["code"]) == ("failed", "adapt-few-images")
