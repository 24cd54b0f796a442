"""Answers about predicted images are not used for other images that have taken the place of their files."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_sets import App, workspace_in
from PIL import Image
from prediction_tables import written_prediction
from small_workspace import QUICK, ended, open_images, trained_here, write_cells

from coverslip.files import sha256_file
from coverslip.images.reader import ReadPlan
from coverslip.runs.predictions import Prediction
from coverslip.workspace.correcting.corrections import correct
from coverslip.workspace.correcting.draws import draw_images, label_image
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.workspace import Workspace

CLASSES = ("x", "y")


def write_image(file: Path, seed: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16), np.uint8)).save(file)
    return file


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app with a finished prediction of a folder of two images."""
    home = workspace_in(tmp_path)
    files = [write_image(tmp_path / "new" / name, seed) for seed, name in enumerate(("a.png", "b.png"))]
    rows = [Prediction(file.name, str(file), None, "x", 0.75, "x", (0.75, 0.25)) for file in files]
    written_prediction(home, CLASSES, [(row, ReadPlan()) for row in rows], contents=[sha256_file(f) for f in files])
    yield App(home)
    home.background.wait_all()


def exchange(folder: Path) -> None:
    """Exchange the content of two files, which have the same size and get the same times as before."""
    first, second = (folder / name for name in ("a.png", "b.png"))
    first.rename(folder / "c.png")
    second.rename(first)
    (folder / "c.png").rename(second)


def drawn(home: Workspace) -> None:
    """A spot check of both images, one of them labeled."""
    draw_images(home, "written", 2)
    label_image(home, "written", 0, "y")


LABEL = {"label": "y"}
DOORS = {
    "correct": ("PUT", "lists/written/rows/0/correction", LABEL),
    "dataset of corrections": ("POST", "predictions/written/dataset", {"only": "corrected"}),
    "dataset of all": ("POST", "predictions/written/dataset", {"only": "all"}),
    "table": ("GET", "jobs/written/download/predictions", None),
    "spot check": ("PUT", "lists/written/draw/rows/1", LABEL),
    "table of the spot check": ("GET", "jobs/written/download/spot-check", None),
    "apply the spot check": ("PUT", "lists/written/draw/corrections", None),
    "join": ("POST", "predictions/written/join", None),
    "preview of join": ("POST", "previews", None),
}


def request(app: App, door: str, images: str) -> Any:
    """What the app answers: the status, and the code of a problem."""
    method, path, body = DOORS[door]
    if door == "join":
        body = {"dataset_id": images}
    if door == "preview of join":
        body = {"kind": "join", "prediction_id": "written", "dataset_id": images}
    answer = app.client.request(method, f"/api/v1/{path}", **({"json": body} if body else {}))
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code, answer.json()["code"] if is_problem else None


def prepared(app: App, door: str) -> str:
    """The ID of a dataset of other images. The prediction has a correction, and for its doors a spot check."""
    correct(app.home, "written", 0, "y")
    if "spot" in door:
        drawn(app.home)
    if door == "apply the spot check":
        label_image(app.home, "written", 1, "x")
    if "join" not in door:
        return ""
    return str(app.open(write_image(app.home.roots[0] / "other" / "x" / "d.png", 9).parents[1])["id"])


@pytest.mark.parametrize("door", DOORS)
def test_an_answer_is_refused_where_another_image_has_taken_the_file(door: str, app: App) -> None:
    images, folder = prepared(app, door), app.home.roots[0] / "new"
    exchange(folder)
    assert request(app, door, images) == (409, "predicted-files-changed")
    exchange(folder)
    assert request(app, door, images)[0] in (200, 201)


@pytest.mark.parametrize("door", DOORS)
def test_touched_and_copied_files_of_the_same_content_are_no_others(door: str, app: App) -> None:
    images, folder = prepared(app, door), app.home.roots[0] / "new"
    os.utime(folder / "a.png", (1, 1))
    shutil.copy2(folder / "b.png", folder / "c.png")
    (folder / "c.png").replace(folder / "b.png")
    assert request(app, door, images)[0] in (200, 201)


def test_an_answer_about_a_changed_image_can_be_removed(app: App) -> None:
    correct(app.home, "written", 0, "y")
    write_image(app.home.roots[0] / "new" / "a.png", 7)
    assert app.refused("PUT", "lists/written/rows/0/correction", LABEL)["code"] == "predicted-files-changed"
    app.send("PUT", "lists/written/rows/0/correction", {"label": None})
    app.send("PUT", "lists/written/rows/1/correction", LABEL)
    assert app.client.get("/api/v1/jobs/written/download/predictions").status_code == 200


def test_images_without_a_stored_hash_are_not_compared(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    file = write_image(tmp_path / "new" / "a.png", 0)
    rows = [(Prediction("a.png", str(file), None, "x", 0.75, "x", (0.75, 0.25)), ReadPlan())]
    written_prediction(home, CLASSES, rows, contents=[""])
    write_image(file, 1)
    assert correct(home, "written", 0, "y")[0].correction == "y"


@pytest.mark.slow
def test_the_process_of_a_prediction_stores_what_is_compared(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    run = trained_here(home, open_images(home, write_cells(tmp_path / "cells")), QUICK)
    new = tmp_path / "new"
    for seed, name in enumerate(("a.png", "b.png")):
        write_image(new / name, seed)
    app = App(home)
    with app.client:
        job = app.send("POST", "predictions", {"classifier_id": run, "sources": [str(new)]})["id"]
        ended(app.client, job)
        correction = f"lists/{job}/rows/0/correction"
        app.send("PUT", correction, {"label": "large"})
        exchange(new)
        assert app.refused("PUT", correction, {"label": "large"})["code"] == "predicted-files-changed"
        exchange(new)
        app.send("PUT", correction, {"label": "large"})
    assert find_job(home, job).run.predictions_file.read_text().count(sha256_file(new / "a.png")) == 1
