"""Spot checks in the app: drawn images are labeled without their predictions, and compared through the REST API."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from small_workspace import API, QUICK, Json, new_workspace, open_images, predicted_here, trained_here, write_cells

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.state import queue_prediction
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow

SAMPLES = ("0/rep1", "0/rep2", "10/rep1", "10/rep2")


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: httpx.Client
    run: str
    images: str
    prediction: str

    def send(self, method: str, path: str = "", code: int = 200, body: Json | None = None, **headers: str) -> Json:
        address = f"{API}/lists/{self.prediction}/draw{path}"
        answer = self.client.request(method, address, json=body, headers=headers)
        assert answer.status_code == code, answer.text
        content: Json = {} if code == 204 else answer.json()
        return content


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    root = workspace.roots[0]
    run = trained_here(workspace, open_images(workspace, write_cells(root / "cells"), group_pattern=r"slide\d+"), QUICK)
    for seed, name in enumerate(SAMPLES, start=1):
        write_cells(root / "new" / name, 9 + seed, seed=seed, is_sorted=False)
    images = open_images(workspace, root / "new", is_labeled=False)
    prediction = predicted_here(workspace, run, images)
    with TestClient(create_app(workspace)) as client:
        lab = Lab(workspace, client, run, images, prediction)
        sampling = {"conditions": {name: name.partition("/")[0] for name in SAMPLES}}
        changed = {"sampling": sampling, "replaces": {}}
        assert client.put(f"{API}/predictions/{prediction}/samples", json=changed).status_code == 200
        yield lab


@pytest.fixture
def drawn(lab: Lab) -> Json:
    lab.send("DELETE", code=204)
    return lab.send("POST", body={"n": 8})


def answers_of(lab: Lab, drawn: Json) -> dict[int, str]:
    """The predicted class of each drawn image, which the page does not show."""
    rows = ",".join(str(image["row_id"]) for image in drawn["images"])
    listed = lab.client.get(f"{API}/lists/{lab.prediction}/rows", params={"rows": rows}).json()["items"]
    return {row["row_id"]: row["predicted"] for row in listed}


def labels_needed(lab: Lab, half_width: float) -> httpx.Response:
    body = {"kind": "labels-needed", "prediction_id": lab.prediction, "half_width": half_width}
    return lab.client.post(f"{API}/previews", json=body)


def test_nothing_is_drawn_at_first(lab: Lab) -> None:
    lab.send("DELETE", code=204)
    state = lab.send("GET")
    assert (state["how"], state["images"]) == (None, [])
    assert lab.send("GET", "/result", 409)["code"] == "spot-check-not-labeled"
    needed = labels_needed(lab, 0.2).json()
    assert needed["half_width"] == 0.2
    assert {each["condition"] for each in needed["needed"]} == {"0", "10"}
    assert lab.send("POST", code=422, body={"n": 1})["code"] == "spot-check-few-images"  # two samples in each condition
    assert labels_needed(lab, 2).status_code == 422


def test_drawn_images_come_without_predictions_and_keep_labels_with_author_and_time(lab: Lab, drawn: Json) -> None:
    assert (drawn["how"]["n"], len(drawn["images"])) == (8, 16)
    assert all(set(image) == {"row_id", "label", "excluded", "made", "is_labeled"} for image in drawn["images"])
    first, second, third = (image["row_id"] for image in drawn["images"][:3])
    name = drawn["classes"][0]
    author = {"X-Author": "Ada"}
    labeled = lab.send("PUT", f"/rows/{first}", body={"label": name}, **author)
    assert (labeled["label"], labeled["is_labeled"]) == (name, True)
    assert labeled["made"]
    lab.send("PUT", f"/rows/{second}", body={"label": None, "excluded": "unusable"})
    lab.send("PUT", f"/rows/{third}", body={"label": name})
    lab.send("PUT", f"/rows/{third}", body={"label": None})
    images = lab.send("GET")["images"]
    assert [image["row_id"] for image in images] == [image["row_id"] for image in drawn["images"]]
    answers = [(image["label"], image["excluded"], image["is_labeled"]) for image in images[:3]]
    assert answers == [(None, None, True), (None, "unusable", True), (None, None, False)]  # without the label by Ada
    assert images[2]["made"] is None
    assert lab.send("GET", **author)["images"][0]["label"] == name
    # They are no corrections.
    rows = lab.client.get(f"{API}/lists/{lab.prediction}/rows", params={"rows": f"{first},{second}"}).json()
    assert all((row["correction"], row["excluded"]) == (None, None) for row in rows["items"])
    assert lab.send("POST", code=409, body={"n": 8})["code"] == "spot-check-is-labeled"
    assert lab.send("PUT", f"/rows/{first}", 422, {"label": "another"})["code"] == "blind-label-of-other-class"
    others = {*range(20)} - {image["row_id"] for image in images}
    assert lab.send("PUT", f"/rows/{others.pop()}", 404, {"label": name})["code"] == "row-not-drawn"


def test_the_latest_label_of_an_image_counts_until_it_is_removed(lab: Lab, drawn: Json) -> None:
    row, (first, second, *_) = drawn["images"][0]["row_id"], drawn["classes"]

    def counting() -> list[str]:
        (*tables, _) = lab.send("GET", "/result")["sections"][1]["blocks"]
        return [row[0]["text"] for table in tables for row in table["rows"] if row[1]["value"]]

    lab.send("PUT", f"/rows/{row}", body={"label": first}, **{"X-Author": "Ada"})
    lab.send("PUT", f"/rows/{row}", body={"label": second}, **{"X-Author": "Eve"})
    assert counting() == [second]
    assert lab.send("PUT", f"/rows/{row}", body={"label": None}, **{"X-Author": "Eve"})["is_labeled"]
    assert counting() == [first]


def test_the_result_is_that_of_the_command_line(lab: Lab, drawn: Json, tmp_path: Path) -> None:
    for row_id, predicted in answers_of(lab, drawn).items():
        lab.send("PUT", f"/rows/{row_id}", body={"label": predicted})
    result = lab.send("GET", "/result")
    accuracy, proportions = result["sections"]
    assert {row[0]["text"]: row[3]["value"] for row in accuracy["blocks"][0]["rows"]} == {"0": 1.0, "10": 1.0}

    predictions, labels, table = (tmp_path / name for name in ("predictions.csv", "labels.csv", "table.csv"))
    address = f"{API}/jobs/{lab.prediction}/download"
    predictions.write_bytes(lab.client.get(f"{address}/predictions").content)
    labels.write_bytes(lab.client.get(f"{address}/spot-check").content)
    lines = ["path,well,dose"]
    for line in lab.client.get(f"{API}/lists/{lab.prediction}/rows", params={"limit": 200}).json()["items"]:
        sample = "/".join(Path(line["path"]).parent.parts[-2:])
        lines.append(f"{line['path']},{sample},{sample.partition('/')[0]}")
    table.write_text("\n".join(lines))
    run = find_job(lab.workspace, lab.run).folder
    expected = cs.spot_check(predictions, labels, by="well", condition="dose", table=table, run=run)
    assert (expected.n_drawn, expected.n_labeled) == (result["n_drawn"], result["n_labeled"]) == (16, 16)
    (*tables, _) = proportions["blocks"]
    for of_file, condition in zip(expected.conditions, tables, strict=True):
        assert of_file.condition == condition["heading"]
        powered = {row[0]["text"]: row[-2] for row in condition["rows"]}
        for name, proportion in of_file.classes.items():
            assert (powered[name]["value"], powered[name]["high"]) == pytest.approx(
                (proportion.powered.value, proportion.powered.high)
            )


def test_labels_of_a_finished_check_become_corrections_and_do_not_change_its_result(lab: Lab, drawn: Json) -> None:
    assert lab.send("PUT", "/corrections", 409)["code"] == "spot-check-not-finished"
    predicted = answers_of(lab, drawn)
    first, second, third, *_ = rows = list(predicted)
    other = next(name for name in drawn["classes"] if name != predicted[first])
    author = {"X-Author": "Ada"}
    for row_id in rows:
        lab.send("PUT", f"/rows/{row_id}", body={"label": predicted[row_id]}, **author)
    lab.send("PUT", f"/rows/{first}", body={"label": other}, **author)
    lab.send("PUT", f"/rows/{second}", body={"label": None, "excluded": "unusable"}, **author)
    address = f"{API}/lists/{lab.prediction}/rows"
    lab.client.put(f"{address}/{third}/correction", json={"label": other})  # by hand
    result, samples = lab.send("GET", "/result"), lab.client.get(f"{API}/predictions/{lab.prediction}/samples").json()

    applied = lab.send("PUT", "/corrections")
    assert (applied["n"], applied["n_corrected_before"]) == (len(rows) - 2, 1)
    state = lab.send("GET")
    assert (state["n_applied"], state["change"]) == (len(rows) - 2, applied["change"])
    listed = lab.client.get(address, params={"rows": f"{first},{second},{third}"}).json()["items"]
    assert [row["correction"] for row in listed] == [other, None, other]
    assert [row["excluded"] for row in listed] == [None, None, None]
    assert listed[0]["corrected_by"] == "Ada"
    assert lab.send("GET", "/result") == result
    assert lab.client.get(f"{API}/predictions/{lab.prediction}/samples").json() == samples

    lab.client.put(f"{address}/{first}/correction", json={"label": predicted[first]})  # by hand since then
    step = lab.client.post(f"{API}/changes/{applied['change']}/undo").json()
    assert (step["n"], step["n_left"], step["left"]) == (len(rows) - 3, 1, [first])
    assert (lab.send("GET")["n_applied"], lab.send("GET")["change"]) == (0, None)
    listed = lab.client.get(address, params={"rows": f"{first},{third}"}).json()["items"]
    assert [row["correction"] for row in listed] == [predicted[first], other]
    lab.client.put(f"{address}/{first}/correction", json={"label": None})
    lab.client.put(f"{address}/{third}/correction", json={"label": None})


def test_a_spot_check_keeps_the_samples_of_its_draw(lab: Lab, drawn: Json) -> None:
    address = f"{API}/predictions/{lab.prediction}/samples"
    sampling = lab.client.get(address).json()["sampling"]
    assert lab.client.put(address, json={"sampling": {}, "replaces": sampling}).status_code == 200
    assert lab.send("GET")["sampling"] == drawn["sampling"] == sampling
    assert lab.client.put(address, json={"sampling": sampling, "replaces": {}}).status_code == 200


def test_a_prediction_that_is_not_finished_has_no_spot_check(lab: Lab) -> None:
    waiting = queue_prediction(lab.workspace, classifier_id=lab.run, dataset_id=lab.images)
    address = f"{API}/lists/{waiting}/draw"
    assert lab.client.post(address, json={"n": 4}).json()["code"] == "prediction-not-finished"
    assert lab.client.get(f"{API}/lists/nothing/draw").status_code == 404
    lab.client.delete(f"{API}/jobs/{waiting}")
