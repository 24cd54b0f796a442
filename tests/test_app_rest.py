"""What scripts rely on: addresses of results, revisions, authors, and requests that only read."""

import csv
import hashlib
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from fastapi.testclient import TestClient
from image_sets import in_lists
from small_workspace import (
    API,
    QUICK,
    Json,
    ended,
    new_workspace,
    open_images,
    predicted_here,
    studied_here,
    trained_here,
    until,
    write_cells,
)
from tables import downloaded, label_changes
from trained import SMALL_NETWORK

from coverslip.app.server import create_app
from coverslip.machine import account_name
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs.records import find_jobs
from coverslip.workspace.store.tables import jobs
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import StudyChoices, outlook

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: TestClient
    cells: str  # the dataset of the training
    run: str
    prediction: str  # of the same images
    study: str  # of one network on them

    def get(self, path: str) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    run = trained_here(workspace, cells, QUICK, with_report=True)
    prediction = predicted_here(workspace, run, cells)
    choices = StudyChoices(preset=None, dataset_ids=(cells,))
    plan = {**yaml.safe_load(outlook(workspace, choices).plan_text), "models": [SMALL_NETWORK], "folds": 0}
    plan["recipe"] = {"stage": "instant", "image_size": 32, "tta": 1}
    study = studied_here(workspace, choices.model_copy(update={"plan": yaml.safe_dump(plan)}), "One network")
    with TestClient(create_app(workspace)) as client:
        yield Lab(workspace, client, cells, run, prediction, study)


@pytest.mark.exhaustive
def test_every_201_and_202_names_the_address_of_its_result(lab: Lab) -> None:
    client, root = lab.client, lab.workspace.roots[0]
    classifier = client.get(f"{API}/jobs/{lab.run}/download/classifier").content
    small = open_images(lab.workspace, write_cells(root / "small", 12, seed=3))
    upload = client.post(f"{API}/uploads", json={"name": "sent", "is_labeled": False}).json()["id"]
    archived = client.post(f"{API}/uploads", json={"name": "archived", "is_labeled": False}).json()["id"]
    client.put(f"{API}/lists/{lab.prediction}/rows/0/correction", json={"label": "large"})
    requests: dict[str, tuple[str, str, Json | bytes]] = {
        "create_dataset": ("POST", "datasets", {"sources": [{"path": str(root / "cells")}]}),
        "create_samples": ("POST", "samples", {}),
        "create_upload": ("POST", "uploads", {"name": "empty", "is_labeled": False}),
        "send_file": (
            "PUT",
            f"uploads/{upload}/files/a b.png",
            next((root / "small").rglob("*.png")).read_bytes(),
        ),
        "send_archive": ("PUT", f"uploads/{archived}/archive", zip_of(root / "small")),
        "finish_upload": ("POST", f"uploads/{upload}/finish", {}),
        "create_run": ("POST", "runs", {"dataset_id": lab.cells, "recipe": QUICK}),
        "create_evaluation": ("POST", f"runs/{lab.run}/evaluations", {"dataset_id": small}),
        "create_prediction": ("POST", "predictions", {"classifier_id": lab.run, "dataset_id": small}),
        "create_dataset_of_prediction": ("POST", f"predictions/{lab.prediction}/dataset", {"only": "corrected"}),
        "create_study": ("POST", "studies", {"preset": "aimic", "dataset_ids": [lab.cells], "is_small": True}),
        "import_classifier": ("POST", "classifiers", classifier),
        "create_export": ("POST", f"runs/{lab.run}/exports", {"to": "onnx"}),
    }
    computations: list[Json] = [
        {"kind": "study-time", "networks": [SMALL_NETWORK], "dataset_ids": [lab.cells]},
        {"kind": "study-analysis", "subject": f"{lab.study}.explanations"},
        {"kind": "label-errors", "subject": lab.run},
        {"kind": "explanation", "subject": f"{lab.run}.0"},
        {"kind": "leakage-estimate", "subject": lab.cells},
        {"kind": "objects", "subject": lab.cells, "source": "finder"},
        {"kind": "object-export", "subject": lab.prediction, "to": "geojson"},
        {"kind": "dataset-map", "subject": lab.cells},
        {"kind": "live", "subject": lab.cells},
    ]
    document = lab.get("openapi.json")
    documented = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
        if {"201", "202"} & set(operation["responses"])
    }
    assert {*requests, "create_computation"} == documented
    started = {each["kind"]: ("POST", "computations", each) for each in computations}
    for name, (method, path, body) in {**requests, **started}.items():
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = client.request(method, f"{API}/{path}", **content)  # type: ignore[arg-type]  # by the kind of body
        assert answer.status_code in (201, 202), (name, answer.text)
        result = client.get(answer.headers["location"])
        assert result.status_code == 200, (name, answer.headers["location"])
        for key in ("id", "kind", "subject"):
            assert result.json().get(key) == answer.json().get(key), name
    for job in lab.get("jobs?limit=500")["items"]:
        assert client.post(f"{API}/jobs/{job['id']}/stop").status_code in (200, 409)  # 409: it has ended
        ended(client, job["id"])


def zip_of(folder: Path) -> bytes:
    import zipfile

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file in folder.rglob("*.png"):
            archive.write(file, file.name)
    return data.getvalue()


@pytest.mark.parametrize(
    "header, made_by",
    [
        ("Ada", "Ada"),
        ("  Zoë Ångström ".encode(), "Zoë Ångström"),
        ("Zoë".encode("latin-1"), "Zoë"),
        ("a\tb", r"a\tb"),
        ("", None),
        (None, None),
    ],
    ids=["plain", "UTF-8", "Latin-1", "control", "empty", "none"],
)
def test_labels_and_corrections_have_the_author_of_the_request(
    lab: Lab, header: str | bytes | None, made_by: str | None
) -> None:
    expected = made_by or account_name()
    headers = {} if header is None else {"X-Author": header}
    path = f"{API}/datasets/{lab.cells}"
    image = lab.client.get(f"{in_lists(path)}/rows").json()["items"][5]["image_id"]
    for label in ("by hand", "medium"):
        body = {"images": [image], "label": label}
        assert lab.client.post(f"{path}/changes", json=body, headers=headers).status_code == 200
    assert [change["made_by"] for change in label_changes(lab.client, path)[-2:]] == [expected, expected]

    rows = f"{API}/lists/{lab.prediction}/rows"
    answer = lab.client.put(f"{rows}/7/correction", json={"label": "large"}, headers=headers).json()
    assert answer["row"]["corrected_by"] == expected
    listed = lab.client.get(rows, params={"limit": 8}).json()["items"]
    assert (listed[6]["corrected_by"], listed[7]["corrected_by"]) == (None, expected)
    text = downloaded(lab.client.get(f"{API}/jobs/{lab.prediction}/download/predictions"))
    assert list(csv.DictReader(io.StringIO(text)))[7]["corrected_by"] == expected
    assert label_changes(lab.client, path)[-1]["made_by"] == expected
    lab.client.put(f"{rows}/7/correction", json={"label": None})


@pytest.mark.exhaustive
def test_requests_that_only_read_change_nothing(lab: Lab) -> None:
    ids = {"dataset_id": lab.cells, "run_id": lab.run, "classifier_id": lab.run, "prediction_id": lab.prediction}
    ids |= {"job_id": lab.run, "k": "0", "i": "0", "name": "confusion_matrix.svg", "what": "recipe"}
    queries = {"other": lab.cells, "images": "0,1", "image_id": "none", "path": str(lab.workspace.roots[0])}
    lab.workspace.background.wait_all()
    for cached in (f"datasets/{lab.cells}/inspection", f"lists/{lab.run}/rows", f"lists/{lab.prediction}/rows"):
        lab.get(cached)  # stores what it computed or read
    until(lambda: not find_jobs(lab.workspace, jobs.c.state.in_(("queued", "started"))))
    before, n_answered = content_of(lab.workspace), 0
    document = lab.get("openapi.json")
    shared = document["components"]["parameters"]
    for path, methods in document["paths"].items():
        names = set(re.findall(r"{(\w+)}", path))
        if "get" not in methods or not names <= set(ids) or path.endswith("/events"):
            continue
        listed = (
            shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for each in methods["get"].get("parameters", [])
        )
        parameters = {each["name"] for each in listed if each["in"] == "query"}
        answer = lab.client.get(
            path.format(**ids), params={name: value for name, value in queries.items() if name in parameters}
        )
        assert answer.status_code < 500, path
        if path.endswith(("/report", "/figures/{name}")):
            assert answer.status_code == 200, path
        n_answered += answer.status_code == 200
        assert content_of(lab.workspace) == before, path
    assert n_answered > 30


def content_of(workspace: Workspace) -> list[str]:
    with closing(sqlite3.connect(workspace.folder / "workspace.sqlite")) as connection:
        return list(connection.iterdump())


@pytest.mark.exhaustive
def test_reading_resumes_when_a_folder_comes_back_without_a_request(tmp_path: Path) -> None:
    workspace, cells = new_workspace(tmp_path), write_cells(tmp_path / "cells", 12)
    dataset = open_images(workspace, cells)
    cells.rename(tmp_path / "unplugged")
    with sqlite3.connect(workspace.folder / "workspace.sqlite") as connection:  # as after a kill while it was read
        connection.execute("UPDATE datasets SET state = 'reading'")
    with TestClient(create_app(workspace)) as client:
        until(lambda: dataset_state(workspace, dataset).state == "failed")
        assert client.get(f"{API}/datasets").json()["items"][0]["error"]["code"] == "missing-source"
        (tmp_path / "unplugged").rename(cells)
        until(lambda: dataset_state(workspace, dataset).state == "ready")


def test_a_request_for_datasets_starts_no_work(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, write_cells(tmp_path / "cells", 12))
    workspace.background.wait_all()
    with sqlite3.connect(workspace.folder / "workspace.sqlite") as connection:
        connection.execute("UPDATE datasets SET state = 'reading'")
    client = TestClient(create_app(workspace))  # without the background work of a server
    for path in ("datasets", f"datasets/{dataset}"):
        assert client.get(f"{API}/{path}").status_code == 200
        workspace.background.wait_all()
    assert dataset_state(workspace, dataset).state == "reading"


@pytest.mark.exhaustive
def test_an_inspection_is_answered_while_another_program_writes(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    dataset = open_images(workspace, write_cells(tmp_path / "cells", 12))
    workspace.background.wait_all()
    image = TestClient(create_app(workspace)).get(f"{API}/lists/{dataset}/rows").json()["items"][0]["image_id"]
    set_labels(
        workspace, dataset, ImageSelection(images=[image]), "large"
    )  # the stored inspection is of an earlier revision
    with closing(sqlite3.connect(workspace.folder / "workspace.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert TestClient(create_app(workspace)).get(f"{API}/datasets/{dataset}/inspection").status_code == 200


def test_all_lists_of_images_answer_the_same_requests(lab: Lab) -> None:
    for list_id in (lab.cells, lab.run, lab.prediction):
        address = f"{API}/lists/{list_id}"
        listed = lab.client.get(f"{address}/row-ids")
        rows = np.frombuffer(listed.content, "<u4").tolist()
        assert listed.headers["rows-digest"] == hashlib.sha256(np.sort(np.array(rows, "<u4")).tobytes()).hexdigest()
        page = lab.client.get(f"{address}/rows", params={"limit": 3}).json()
        assert ([item["row_id"] for item in page["items"]], page["next"]) == (rows[:3], rows[2])
        following = lab.client.get(f"{address}/rows", params={"limit": 2, "after": rows[2]}).json()
        assert [item["row_id"] for item in following["items"]] == rows[3:5]
        facts = lab.client.get(f"{address}/rows/{rows[0]}").json()
        assert {name: facts[name] for name in page["items"][0]} == page["items"][0]
        for picture in (f"sheet?rows={rows[0]}", f"rows/{rows[0]}/overview"):
            assert lab.client.get(f"{address}/{picture}").headers["content-type"].startswith("image/"), picture
        assert lab.client.get(f"{address}/rows/{rows[0]}/tiles").json()["width"] > 0
        assert lab.client.get(f"{address}/fields").json()["total"] == 0
        for missing in ("rows/4000000", "rows/4000000/overview", "rows?after=4000000", "sheet?rows=4000000"):
            assert lab.client.get(f"{address}/{missing}").status_code == 404, missing
    colors = np.frombuffer(lab.client.get(f"{API}/lists/{lab.run}/colors").content, "<u4").reshape(-1, 2)
    of_run = np.frombuffer(lab.client.get(f"{API}/lists/{lab.run}/row-ids").content, "<u4")
    assert set(colors[:, 0]) == set(of_run)  # the colors of the images in the dataset
    assert lab.client.get(f"{API}/lists/none/rows").json()["code"] == "no-such-list"
    refused = lab.client.put(f"{API}/lists/{lab.cells}/rows/1/correction", json={"label": "large"})
    assert refused.status_code == 404  # labels of datasets have requests of their own
