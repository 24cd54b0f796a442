"""Exports of classifiers through the REST API: verified or refused, and one file to download."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from ruamel.yaml import YAML
from small_workspace import (
    API,
    QUICK,
    Json,
    ended,
    exported_here,
    new_workspace,
    open_images,
    trained_here,
    write_cells,
)

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.images.reader import ReadPlan
from coverslip.runs.images import write_records
from coverslip.runs.recipe import FromRun
from coverslip.runs.recipe_keys import save_recipe
from coverslip.workspace import exports
from coverslip.workspace.exports import queue_export
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.queue import stop_job
from coverslip.workspace.jobs.records import change_job, find_job
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.results import zipped

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: TestClient
    images: Path
    run: str

    def get(self, path: str) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    images = write_cells(workspace.roots[0] / "cells")
    dataset = open_images(workspace, images, group_pattern=r"slide\d+")
    run = trained_here(workspace, dataset, QUICK, "First", with_report=True)
    with TestClient(create_app(workspace)) as client:
        yield Lab(workspace, client, images, run)


def test_an_export_is_a_job_whose_verified_files_are_one_zip_for_other_programs(lab: Lab, tmp_path: Path) -> None:
    job = lab.client.post(f"{API}/runs/{lab.run}/exports", json={"to": "onnx"})
    assert job.status_code == 201, job.text
    path = job.headers["Location"].removeprefix(f"{API}/")
    assert lab.client.get(f"{API}/{path}/download/export").json()["code"] == "export-not-finished"
    done = ended(lab.client, job.json()["id"])
    assert (done["state"], done["to"], done["error"], done["is_outdated"]) == ("done", "onnx", None, False)
    assert done["verification"]["label_agreement"] == 1
    assert 0 < done["verification"]["n_files"] == done["verification"]["n"]
    assert done["verification"]["max_logit_difference_sd"] < 1e-3
    assert path == f"jobs/{done['id']}"
    assert done["id"] in [each["id"] for each in lab.get(f"runs/{lab.run}/exports")["items"]]

    answer = lab.client.get(f"{API}/{path}/download/export")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-onnx")
    of_test = ["test.json", "test_image.png", "test_pixels.bin"]
    assert sorted(file.name for file in folder.iterdir()) == [
        "classify.py",
        "model.onnx",
        *of_test,
        "verification.json",
    ]
    assert sum(file.stat().st_size for file in folder.iterdir()) == done["size_bytes"]
    files = sorted(map(str, lab.images.rglob("*.png")))[::7]
    script = [sys.executable, "-I", "classify.py", "model.onnx", *files]
    printed = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=True).stdout
    expected = cs.load_classifier(lab.get(f"jobs/{lab.run}")["folder"], "cpu").predict(files)["predicted"]
    assert [row["predicted"] for row in csv.DictReader(printed.splitlines())] == expected


def test_an_export_for_bioimage_io_has_the_name_of_the_training_and_its_authors(lab: Lab) -> None:
    path = f"{API}/runs/{lab.run}/exports"
    about = {"authors": ["Ada Kern"], "license": "MIT", "citation": "doi 10.1234/abc"}
    assert lab.client.post(path, json={"to": "onnx"} | about).json()["code"] == "export-without-attribution"
    job = lab.client.post(path, json={"to": "bioimageio"} | about)
    done = ended(lab.client, job.json()["id"])
    described = YAML(typ="safe").load(Path(done["folder"]) / exports.CONTENT / "rdf.yaml")
    assert described["name"] == lab.get(f"jobs/{lab.run}")["name"]
    assert (described["authors"], described["license"]) == ([{"name": "Ada Kern"}], "MIT")
    assert described["cite"] == [{"text": "doi 10.1234/abc", "doi": "10.1234/abc"}]


def test_the_zip_of_a_run_states_where_its_images_are_wherever_it_is_unpacked(lab: Lab, tmp_path: Path) -> None:
    run = find_job(lab.workspace, lab.run).run
    with zipfile.ZipFile(io.BytesIO(lab.client.get(f"{API}/jobs/{lab.run}/download/run").content)) as archive:
        archive.extractall(tmp_path)
    unpacked = cs.open_run(tmp_path / run.folder.name)
    assert (unpacked.environment, unpacked.inspection, unpacked.recipe) == (run.environment, run.inspection, run.recipe)
    assert cs.load_classifier(unpacked, "cpu").classes == run.card.classes
    # Of images and an earlier run in the workspace, which are stated relative to the run.
    inside = cs.Run(run.folder.parent / "inside")
    inside.folder.mkdir()
    save_recipe(cs.Recipe(init=FromRun(run=str(run.folder))), inside.recipe_file)
    opened = run.environment.opened.model_copy(update={"sources": (str(lab.workspace.folder / "uploads" / "a"),)})
    run.environment.model_copy(update={"opened": opened}).write(inside.environment_file)
    assert all("../" in file.read_text() for file in (inside.recipe_file, inside.environment_file))
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(inside.folder, "inside", is_run=True)))) as archive:
        archive.extractall(tmp_path)
    unpacked = cs.Run(tmp_path / "inside")
    assert (unpacked.environment, unpacked.recipe) == (inside.environment, inside.recipe)
    assert "../" not in unpacked.recipe_file.read_text() + unpacked.environment_file.read_text()
    shutil.rmtree(inside.folder)


def test_the_zip_of_a_run_states_where_images_beside_those_from_memory_are(lab: Lab, tmp_path: Path) -> None:
    """As with augmented copies before the split, whose table names the original images, too."""
    run = cs.Run(lab.workspace.folder / "runs" / "copies")
    run.folder.mkdir(parents=True)
    folder = lab.workspace.folder / "uploads" / "=cells"
    folder.mkdir(parents=True)
    images = [folder / name for name in ("=1.png", "a\\b.png", "c.png", "d.png")]
    for k, file in enumerate(images):
        Image.fromarray(np.full((9, 9), k, np.uint8)).save(file)
    listed = {"path": list(map(str, images[::2])), "channel_2": list(map(str, images[1::2])), "label": ["=1+1", "-neg"]}
    data = cs.open_dataset(listed)
    copied = [replace(each, plan=ReadPlan(), stated=frozenset(), in_memory=each.read()) for each in data.records]
    stored = write_records(data, [*data.records, *copied], 4, run)
    assert stored[0].path == images[0]
    table = (run.in_memory_folder / "table.csv").read_text()
    assert "../../../uploads" in table
    assert not any(line.startswith(("=", "-")) for line in table.replace(",", "\n").splitlines())
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(run.folder, "copies", is_run=True)))) as archive:
        archive.extractall(tmp_path)
    unpacked = cs.open_dataset(tmp_path / "copies" / "in_memory_images" / "table.csv")
    assert [(each.image_id, each.label) for each in unpacked] == [(each.image_id, each.label) for each in stored]
    for before, after in zip(stored, unpacked, strict=True):
        files = [[file.read_bytes() for file in each.plan.files(each.path)] for each in (before, after)]
        assert files[0] == files[1]
    shutil.rmtree(run.folder)
    shutil.rmtree(folder)


@pytest.mark.exhaustive
def test_the_zip_of_a_run_has_no_exports(lab: Lab) -> None:
    exported_here(lab.workspace, lab.run, "onnx")
    with zipfile.ZipFile(io.BytesIO(lab.client.get(f"{API}/jobs/{lab.run}/download/run").content)) as archive:
        assert [name for name in archive.namelist() if "/exports/" in name] == []
        assert any(name.endswith("/report.html") for name in archive.namelist())


@pytest.mark.exhaustive
def test_an_export_that_was_stopped_leaves_nothing_and_can_be_started_again(lab: Lab) -> None:
    job = find_job(lab.workspace, queue_export(lab.workspace, lab.run, "onnx"))
    change_job(lab.workspace, job.id, state="started", queued=None)
    job.run.stop_file.touch()
    assert process.main(job.folder, lab.workspace.folder) == 0
    assert lab.get(f"jobs/{job.id}")["state"] == "stopped"
    assert lab.get(f"jobs/{job.id}")["verification"] is None
    assert not (job.folder / exports.CONTENT).exists()
    listed = {each["id"]: each["actions"] for each in lab.get("jobs?kind=export")["items"]}
    assert listed[job.id] == ["resume", "remove"]
    assert lab.client.post(f"{API}/jobs/{job.id}/resume").status_code == 200
    done = ended(lab.client, job.id)
    assert (done["state"], done["verification"]["label_agreement"]) == ("done", 1)
    with pytest.raises(cs.CoverslipError):
        stop_job(lab.workspace, job.id)


@pytest.mark.exhaustive
def test_an_export_goes_to_the_trash_and_comes_back(lab: Lab) -> None:
    path = f"{API}/jobs/{exported_here(lab.workspace, lab.run, 'onnx')}"
    assert lab.client.delete(path).status_code == 204
    assert lab.client.get(path).status_code == 404
    assert "export" in [each["kind"] for each in lab.get("trash")["items"]]
    assert lab.client.post(f"{path}/restore").json()["state"] == "done"
    assert lab.client.get(f"{path}/download/export").status_code == 200


@pytest.mark.exhaustive
def test_an_export_is_outdated_once_the_classifier_decides_otherwise(lab: Lab) -> None:
    export = exported_here(lab.workspace, lab.run, "onnx")
    assert not lab.get(f"jobs/{export}")["is_outdated"]
    card = Path(lab.get(f"jobs/{lab.run}")["folder"]) / "classifier" / "classifier.json"
    before = card.read_text(encoding="utf-8")
    card.write_text(json.dumps(json.loads(before) | {"uncertain_below": 0.77}), encoding="utf-8")
    try:
        assert lab.get(f"jobs/{export}")["is_outdated"]
    finally:
        card.write_text(before, encoding="utf-8")


def test_an_export_that_fails_gives_the_reason_and_leaves_nothing(lab: Lab) -> None:
    job = find_job(lab.workspace, queue_export(lab.workspace, lab.run, "onnx"))
    change_job(lab.workspace, job.id, state="started", queued=None)
    weights = find_job(lab.workspace, lab.run).run.classifier_folder / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:1000])
    try:
        assert process.main(job.folder, lab.workspace.folder) == 1
    finally:
        weights.write_bytes(content)
    failed = lab.get(f"jobs/{job.id}")
    assert (failed["state"], failed["verification"], failed["size_bytes"]) == ("failed", None, None)
    assert failed["error"]["what"]
    assert failed["error"]["do"]
    assert not (job.folder / exports.CONTENT).exists()
    assert lab.client.get(f"{API}/jobs/{job.id}/download/export").status_code == 409


def test_only_finished_trainings_and_known_formats_are_exported(lab: Lab) -> None:
    path = f"{API}/runs/{lab.run}/exports"
    assert lab.client.post(path, json={"to": "docx"}).status_code == 422
    assert lab.client.post(f"{API}/runs/none/exports", json={"to": "onnx"}).status_code == 404
    status = Path(lab.get(f"jobs/{lab.run}")["folder"]) / "status.json"
    before = status.read_text(encoding="utf-8")
    status.write_text(json.dumps(json.loads(before) | {"state": "stopped"}), encoding="utf-8")
    try:
        assert lab.client.post(path, json={"to": "onnx"}).json()["code"] == "training-not-finished"
    finally:
        status.write_text(before, encoding="utf-8")
