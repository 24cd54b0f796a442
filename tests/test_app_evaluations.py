"""Finished trainings measured on other labeled images, through the REST API, in processes of their own."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image
from small_workspace import (
    API,
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
from coverslip.app.clients import Languages
from coverslip.app.server import create_app
from coverslip.evaluation.table import METRICS
from coverslip.messages import in_language, text
from coverslip.reports.reported import read_evaluation
from coverslip.reports.verdict import against_own_test, lead, verdict_of_run
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    app: FastAPI
    client: TestClient
    cells: str  # the dataset that was trained on
    run: str

    def get(self, path: str) -> Json:
        answer = self.client.get(f"{API}/{path}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def outlook(self, dataset_id: str) -> Json:
        """What an evaluation on a dataset could use."""
        body = {"kind": "evaluation", "run_id": self.run, "dataset_id": dataset_id}
        answer = self.client.post(f"{API}/previews", json=body)
        assert answer.status_code == 200, answer.text
        outlook: Json = answer.json()
        return outlook

    def evaluate(self, dataset_id: str) -> Json:
        answer = self.client.post(f"{API}/runs/{self.run}/evaluations", json={"dataset_id": dataset_id})
        assert answer.status_code == 201, answer.text
        assert answer.json()["state"] in ("queued", "starting")
        return ended(self.client, answer.json()["id"])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    workspace = new_workspace(tmp_path_factory.mktemp("lab"))
    cells = open_images(workspace, write_cells(workspace.roots[0] / "cells"), group_pattern=r"slide\d+")
    run = trained_here(workspace, cells, QUICK, "First")
    app = create_app(workspace)
    with TestClient(Languages(app)) as client:
        yield Lab(workspace, app, client, cells, run)


@pytest.fixture(scope="module")
def other(lab: Lab) -> Json:
    """An evaluation on images of another day, of which the label of one was corrected in the app."""
    folder = write_cells(lab.workspace.roots[0] / "other day", 30, seed=7)
    dataset = open_images(lab.workspace, folder)
    first = [lab.get(f"lists/{dataset}/rows?limit=1")["items"][0]["image_id"]]
    labeled = lab.client.post(f"{API}/datasets/{dataset}/changes", json={"images": first, "label": "large"})
    assert labeled.status_code == 200, labeled.text
    outlook = lab.outlook(dataset)
    assert outlook == {
        "n_labeled": 30,
        "n_known": 30,
        "unknown_classes": [],
        "n_used_in_training": 0,
        "pixel_side_um": None,
    }
    return lab.evaluate(dataset)


def without_reasons(value: Any) -> Any:  # Any: JSON
    """Return a result without the reasons of missing numbers, which are in the language of the reader."""
    if isinstance(value, list):
        return [*map(without_reasons, value)]
    if isinstance(value, dict):
        return {name: without_reasons(each) for name, each in value.items() if name != "reason"}
    return value


def test_results_are_german_on_pages_in_german(lab: Lab) -> None:
    address = f"{API}/jobs/{lab.run}/results"
    english = lab.client.get(address).json()
    german = lab.client.get(address, headers={"Cookie": "coverslip-language=de"}).json()
    for of_english, of_german in zip(english["sections"], german["sections"], strict=True):
        assert without_reasons(of_english) != without_reasons(of_german), of_english["name"]
    for language, results in (("en", english), ("de", german)):
        (numbers,) = (section for section in results["sections"] if section["name"] == "numbers")
        with in_language(language):
            assert METRICS["accuracy"].title in [metric["title"] for metric in numbers["blocks"][0]["metrics"]]
    assert [german[name] == english[name] for name in ("headline", "words", "reasons", "verdicts")] == [False] * 4
    assert german["use"] == english["use"]


def test_figures_have_the_language_of_the_page_in_each_theme_and_csv_is_as_in_the_file(lab: Lab, other: Json) -> None:
    def figure(kind: str, language: str, theme: str = "light") -> bytes:
        address = f"{API}/jobs/{other['id']}/figures/confusion_matrix.{kind}?theme={theme}"
        return lab.client.get(address, headers={"Cookie": f"coverslip-language={language}"}).content

    for theme in ("light", "dark"):
        for language in ("en", "de"):
            with in_language(language):
                assert text("figure-label-predicted-class") in figure("svg", language, theme).decode(), theme
    assert figure("svg", "de", "dark") != figure("svg", "de")
    assert figure("png", "de") != figure("png", "en")
    assert figure("csv", "de") == figure("csv", "en")


def test_an_evaluation_gives_the_numbers_of_the_labels_as_corrected_in_the_app(lab: Lab, other: Json) -> None:
    assert (other["state"], other["name"], other["run_name"]) == ("done", "other day", "First")
    assert (other["n"], other["n_used_in_training"], other["error"]) == (30, 0, None)
    again = lab.evaluate(other["dataset_id"])  # verdicts and reports show the name of the folder
    assert [Path(each["folder"]).name for each in (other, again)] == ["other_day", "other_day_2"]
    results = lab.get(f"jobs/{other['id']}/results")
    assert results["metrics"] == json.loads((Path(other["folder"]) / "metrics.json").read_text(encoding="utf-8"))
    assert "30 images of the external test set" in results["headline"]
    assert other["headline"]["value"] == results["metrics"]["metrics"]["macro_f1"]["value"]
    assert [sum(row) for row in results["metrics"]["confusion_matrix"]] == [9, 11, 10]  # one is called large by now
    (per_class,) = (section for section in results["sections"] if section["name"] == "per_class")
    assert [row[1]["value"] for row in per_class["blocks"][0]["rows"]] == [9, 11, 10]
    assert lab.get(f"jobs/{other['id']}/results") == results  # from the cache
    classifier = cs.load_classifier(lab.get(f"jobs/{lab.run}")["folder"])
    rows = lab.get(f"lists/{other['id']}/rows")["items"]
    assert [row["predicted"] for row in rows] == [
        row.predicted for row in classifier.predict([row["path"] for row in rows])
    ]


@pytest.mark.exhaustive
def test_images_that_a_pattern_groups_are_measured_after_a_label_was_corrected(lab: Lab) -> None:
    folder = write_cells(lab.workspace.roots[0] / "grouped day", 30, seed=11)
    dataset = open_images(lab.workspace, folder, group_pattern=r"slide\d+")
    first = [lab.get(f"lists/{dataset}/rows?limit=1")["items"][0]["image_id"]]
    labeled = lab.client.post(f"{API}/datasets/{dataset}/changes", json={"images": first, "label": "large"})
    assert labeled.status_code == 200, labeled.text
    evaluation = lab.evaluate(dataset)
    assert (evaluation["state"], evaluation["n"]) == ("done", 30)
    assert lab.get(f"jobs/{evaluation['id']}/results")["metrics"]["n_groups"] == 10


def test_the_comparison_with_the_own_test_set_follows_its_numbers(lab: Lab, other: Json) -> None:
    def own_values() -> list[float]:
        sections = lab.get(f"jobs/{other['id']}/results")["sections"]
        (own_test,) = (section for section in sections if section["name"] == "own-test")
        return [row[2]["value"] for row in own_test["blocks"][0]["rows"]]

    before = own_values()
    file = Path(lab.get(f"jobs/{lab.run}")["folder"]) / "metrics.json"
    text = file.read_text(encoding="utf-8")
    numbers = json.loads(text)
    numbers["metrics"]["accuracy"]["value"] = 0.125
    numbers["metrics"]["macro_f1"] |= {"value": 0.02, "low": 0.01, "high": 0.03}
    file.write_text(json.dumps(numbers), encoding="utf-8")
    evaluation = read_evaluation(next(file.parent.glob("evaluations/*/metrics.json")).parent)
    assert "better than on the run's own test set" in against_own_test(evaluation)
    assert against_own_test(evaluation) in lead(evaluation, verdict_of_run(evaluation))
    with in_language("de"):
        assert "besser als im eigenen Testset" in against_own_test(evaluation)
    assert "unlike-own-test" not in [note["code"] for note in lab.get(f"jobs/{other['id']}")["notes"]]
    after = own_values()
    file.write_text(text, encoding="utf-8")
    assert 0.125 not in before
    assert 0.125 in after


def test_the_images_of_an_evaluation_can_be_viewed_and_downloaded(lab: Lab, other: Json) -> None:
    mistakes = lab.get(f"lists/{other['id']}/rows?only=misclassified&sort=-probability")
    assert len(mistakes["items"]) == lab.get(f"jobs/{other['id']}/results")["n_mistakes"] > 0
    wrong = mistakes["items"][0]
    assert wrong["label"] != wrong["predicted"]
    row = wrong["row_id"]
    sheet, picture = (
        f"lists/{other['id']}/sheet?rows={row}&side=64",
        f"lists/{other['id']}/rows/{row}/overview",
    )
    for what, kind in ((sheet, "image/jpeg"), (picture, "image/png")):
        answer = lab.client.get(f"{API}/{what}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    table = downloaded(lab.client.get(f"{API}/jobs/{other['id']}/download/predictions"))
    assert len(list(csv.DictReader(io.StringIO(table)))) == 30
    assert lab.client.get(f"{API}/lists/{other['id']}/rows/999/overview").status_code == 404


@pytest.mark.exhaustive
def test_images_that_training_has_seen_are_reported_before_and_after(lab: Lab) -> None:
    folder = write_cells(lab.workspace.roots[0] / "mixed", 9, seed=8)
    seen = shutil.copytree(lab.workspace.roots[0] / "cells", lab.workspace.roots[0] / "copies")
    dataset = open_images(lab.workspace, seen)
    n_used_in_training = lab.outlook(dataset)["n_used_in_training"]
    assert n_used_in_training == lab.get(f"classifiers/{lab.run}")["n_images"]  # test images included
    evaluated = lab.evaluate(dataset)
    assert evaluated["n_used_in_training"] == n_used_in_training
    next(each for each in seen.iterdir() if each.is_dir()).rename(seen / "other")  # of no class, so not evaluated
    renamed = lab.outlook(open_images(lab.workspace, seen))
    assert renamed["n_used_in_training"] == renamed["n_known"] < n_used_in_training
    assert any(note["level"] == "warning" and str(n_used_in_training) in note["text"] for note in evaluated["notes"])
    assert "never seen" not in lab.get(f"jobs/{evaluated['id']}/results")["headline"]
    shutil.rmtree(folder)


def test_training_images_are_not_counted_before_if_a_table_states_their_planes(lab: Lab) -> None:
    """The first planes are the training images; the evaluation counts other planes of them, too."""
    folder = lab.workspace.roots[0] / "stacks"
    folder.mkdir()
    lines = ["path,label,z"]
    for k, file in enumerate(sorted((lab.workspace.roots[0] / "cells").rglob("*.png"))):
        with Image.open(file) as opened:
            pixels = np.asarray(opened)
        tifffile.imwrite(folder / f"{k}.tif", np.stack([pixels, 255 - pixels]), photometric="rgb")
        lines.append(f'{k}.tif,"{file.parent.name}",1')
    (folder / "table.csv").write_text("\n".join(lines))
    dataset = open_images(lab.workspace, folder / "table.csv")
    outlook = lab.outlook(dataset)
    assert (outlook["n_known"], outlook["n_used_in_training"]) == (60, None)


@pytest.mark.exhaustive
def test_test_sets_have_common_classes_and_the_training_dataset_is_marked(lab: Lab) -> None:
    folder = write_cells(lab.workspace.roots[0] / "test sets", 3, seed=11)
    fitting = open_images(lab.workspace, folder)
    unlabeled = open_images(lab.workspace, folder, is_labeled=False)
    for folder_of_class in list(folder.iterdir())[1:]:
        folder_of_class.rename(folder / f"other {folder_of_class.name}")
    partly = open_images(lab.workspace, folder)
    next(each for each in folder.iterdir() if not each.name.startswith("other")).rename(folder / "other")
    strange = open_images(lab.workspace, folder)
    listed = {each.pop("dataset_id"): each for each in lab.get(f"runs/{lab.run}/test-sets")["items"]}
    assert listed[lab.cells] == {"n_known": 60, "is_of_training": True}
    assert listed[fitting] == {"n_known": 3, "is_of_training": False}
    assert listed[partly]["n_known"] == 1
    assert not {unlabeled, strange} & {*listed}


def test_classes_that_the_classifier_does_not_know_are_reported(lab: Lab) -> None:
    folder = lab.workspace.roots[0] / "strangers"
    write_cells(folder, 9, seed=9)
    for folder_of_run in list(folder.iterdir()):
        folder_of_run.rename(folder / f"other {folder_of_run.name}")
    dataset = open_images(lab.workspace, folder)
    outlook = lab.outlook(dataset)
    assert (outlook["n_labeled"], outlook["n_known"], len(outlook["unknown_classes"])) == (9, 0, 3)
    evaluated = lab.evaluate(dataset)
    assert evaluated["state"] == "failed"
    assert evaluated["error"]["code"] == "no-known-label"
    assert lab.client.get(f"{API}/jobs/{evaluated['id']}/results").status_code == 409
    removed = lab.client.delete(f"{API}/jobs/{evaluated['id']}")
    assert removed.status_code == 204, removed.text


@pytest.mark.exhaustive
def test_those_who_watch_see_it_end_and_a_stopped_one_can_be_started_again(lab: Lab) -> None:
    dataset = open_images(lab.workspace, write_cells(lab.workspace.roots[0] / "many", 120, seed=3))
    job = lab.client.post(f"{API}/runs/{lab.run}/evaluations", json={"dataset_id": dataset, "name": "Second"}).json()
    assert lab.client.delete(f"{API}/jobs/{lab.run}").status_code == 409  # it is needed
    lab.client.post(f"{API}/jobs/{job['id']}/stop")
    assert ended(lab.client, job["id"])["state"] in ("stopped", "done")
    if lab.get(f"jobs/{job['id']}")["state"] == "stopped":
        assert lab.client.post(f"{API}/jobs/{job['id']}/resume").status_code == 200
    story = stories_of(lab.client, job["id"], lab.app)[-1]
    assert (story["state"], story["n"], story["name"]) == ("done", 120, "Second")


def test_a_removed_evaluation_comes_back_as_it_was(lab: Lab, other: Json) -> None:
    path = f"{API}/jobs/{other['id']}"
    assert lab.client.delete(path).status_code == 204
    assert not Path(other["folder"]).exists()
    assert lab.client.get(path).status_code == 404
    assert other["id"] not in [item["id"] for item in lab.get(f"runs/{lab.run}/evaluations")["items"]]
    assert lab.client.post(f"{path}/restore").status_code == 200
    assert lab.get(f"jobs/{other['id']}") == other
    assert lab.client.post(f"{path}/restore").status_code == 404


@pytest.mark.exhaustive
def test_one_that_was_made_in_a_terminal_is_listed(lab: Lab) -> None:
    folder = write_cells(lab.workspace.roots[0] / "by hand", 12, seed=5)
    measured = cs.evaluate(lab.get(f"jobs/{lab.run}")["folder"], cs.open_dataset(folder), name="by_hand")

    def listed() -> list[Json]:
        return [item for item in lab.get(f"runs/{lab.run}/evaluations")["items"] if item["name"] == "by_hand"]

    (listed_evaluation,) = until(listed)
    assert (listed_evaluation["state"], listed_evaluation["n"], listed_evaluation["dataset_name"]) == (
        "done",
        12,
        "by hand",
    )
    assert listed_evaluation["folder"] == str(measured.folder)
    assert len(listed()) == 1


def test_what_is_not_there_or_not_finished_is_said(lab: Lab) -> None:
    request = {"dataset_id": lab.cells}
    assert lab.client.post(f"{API}/runs/none/evaluations", json=request).status_code == 404
    assert lab.client.post(f"{API}/runs/{lab.run}/evaluations", json={"dataset_id": "none"}).status_code == 404
    unlabeled = open_images(
        lab.workspace, write_cells(lab.workspace.roots[0] / "new", 6, is_sorted=False), is_labeled=False
    )
    refused = lab.client.post(f"{API}/runs/{lab.run}/evaluations", json={"dataset_id": unlabeled})
    assert refused.status_code == 422
    assert refused.json()["code"] == "unlabeled-dataset"
    run = queue_run(lab.client, lab.cells, QUICK)
    assert lab.client.post(f"{API}/runs/{run}/evaluations", json=request).status_code == 409
    until(lambda: lab.client.post(f"{API}/jobs/{run}/stop").status_code in (200, 409))
    ended(lab.client, run)
