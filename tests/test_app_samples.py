"""Proportions in the samples of a prediction, through the REST API: as the command line computes them, and saved."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from small_workspace import API, QUICK, Json, new_workspace, open_images, predicted_here, trained_here, write_cells
from tables import downloaded

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.evaluation.sample_proportions import SUMMARY_COLUMNS
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.state import queue_prediction
from coverslip.workspace.store.workspace import Workspace

pytestmark = pytest.mark.slow

DOSES = ("0", "10")
SAMPLES = [f"{dose}/rep{k}" for dose in DOSES for k in (1, 2, 3)]


@dataclass(frozen=True)
class Lab:
    workspace: Workspace
    client: httpx.Client
    run: str
    images: str
    prediction: str

    def ask(self, method: str, code: int = 200, prediction: str | None = None, **body: object) -> Json:
        address = f"{API}/predictions/{prediction or self.prediction}/samples"
        replaced = self.client.get(address).json().get("sampling", {})
        changed = {"sampling": body, "replaces": replaced}
        answer = self.client.request(method, address, json=changed if method == "PUT" else None)
        assert answer.status_code == code, answer.text
        content: Json = answer.json()
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
        yield Lab(workspace, client, run, images, prediction)


def test_folders_are_samples_with_the_numbers_of_the_command_line(lab: Lab, tmp_path: Path) -> None:
    answer = lab.ask("GET")["summary"]
    file = tmp_path / "predictions.csv"
    file.write_bytes(lab.client.get(f"{API}/jobs/{lab.prediction}/download/predictions").content)
    expected = cs.summarise(file, by="folder", run=find_job(lab.workspace, lab.run).folder)
    assert [each["sample"] for each in answer["samples"]] == SAMPLES == [each.sample for each in expected.samples]
    for sample, of_file in zip(answer["samples"], expected.samples, strict=True):
        for name, proportion in of_file.classes.items():
            corrected = sample["classes"][name]["corrected"]
            assert (corrected["value"], corrected["low"]) == pytest.approx(
                (proportion.corrected.value, proportion.corrected.low)
            )
            assert sample["classes"][name]["count"] == pytest.approx(proportion.count)


def test_conditions_are_saved_and_compared(lab: Lab) -> None:
    conditions = {name: name.partition("/")[0] for name in SAMPLES}
    summary = lab.ask("PUT", conditions=conditions)["summary"]
    assert [(each["condition"], each["n_samples"]) for each in summary["conditions"]] == [("0", 3), ("10", 3)]
    assert {each["name"] for each in summary["comparisons"]} == set(summary["classes"])
    assert all(0 <= each["p"] <= each["p_holm"] <= 1 for each in summary["comparisons"])
    assert lab.ask("GET")["sampling"]["conditions"] == conditions
    table = downloaded(lab.client.get(f"{API}/jobs/{lab.prediction}/download/samples"))
    rows = list(csv.DictReader(io.StringIO(table)))
    assert tuple(rows[0]) == SUMMARY_COLUMNS
    assert {(row["sample"], row["condition"]) for row in rows} == set(conditions.items())
    assert len(rows) == len(SAMPLES) * len(summary["classes"])
    lab.ask("PUT", conditions={})
    assert lab.ask("GET")["summary"]["comparisons"] == []


def test_folders_and_a_table_give_conditions(lab: Lab) -> None:
    """Names of folders are suggested; a table may lack samples and name others."""
    answer = lab.ask("GET")
    assert answer["suggested_conditions"] == {"folder": {name: name.partition("/")[0] for name in SAMPLES}}
    assert (answer["n_folders"], answer["n_fields"]) == (len(SAMPLES), 0)

    def read(text: str, code: int = 200) -> Json:
        response = lab.client.post(f"{API}/predictions/{lab.prediction}/samples/table", content=text.encode())
        assert response.status_code == code, response.text
        content: Json = response.json()
        return content

    first, second = SAMPLES[:2]
    table = read(f"day;well;condition;block\n1;{first};dose 0;a\n1;{second};;b\n1;plate9;dose 1;a\n")
    assert table == {"conditions": {first: "dose 0"}, "blocks": {first: "a", second: "b"}, "unknown": ["plate9"]}
    table = read(f"block,well,condition\n{first},{second},dose 0\n")  # a block has the name of a sample
    assert (table["conditions"], table["blocks"]) == ({second: "dose 0"}, {second: first})
    assert read(f"well,dose\n{first},0\n")["conditions"] == {first: "0"}
    for text, code in (
        ("well,condition\nrep1,0\n", "sample-table-without-samples"),
        (f"well,dose,plate\n{first},0,1\n", "sample-table-without-conditions"),
        (f"well,condition\n{first},0\n{first},1\n", "sample-of-two-conditions"),
    ):
        assert read(text, 422)["code"] == code


def test_a_column_names_samples_and_conditions_as_on_the_command_line(lab: Lab, tmp_path: Path) -> None:
    """The groups of a dataset are its samples; an image without a well does not count."""
    files = sorted((lab.workspace.roots[0] / "new").rglob("*.png"))
    wells = {file: f"w{k % 6}" if k else "" for k, file in enumerate(files)}
    table = lab.workspace.roots[0] / "wells.csv"
    lines = (f"{file},{well},image {k},{well[:1] and int(well[1]) % 2}" for k, (file, well) in enumerate(wells.items()))
    table.write_text("\n".join(["path,well,name,dose", *lines]) + "\n")
    images = open_images(lab.workspace, table, is_labeled=False, group="well")
    prediction = predicted_here(lab.workspace, lab.run, images)
    answer = lab.ask("GET", prediction=prediction)
    assert (answer["sampling"]["by"], answer["sampling"]["column"]) == ("column", "well")
    assert (answer["columns"], answer["n_unmatched"]) == ({"well": 6, "dose": 2}, 1)
    doses = {f"w{k}": str(k % 2) for k in range(6)}
    assert answer["suggested_conditions"] == {"dose": doses}
    file = tmp_path / "predictions.csv"
    rows = downloaded(lab.client.get(f"{API}/jobs/{prediction}/download/predictions")).splitlines(keepends=True)
    file.write_text("".join(row for row in rows if ",image 0," not in row))
    expected = cs.summarise(file, by="well", condition="dose", run=find_job(lab.workspace, lab.run).folder)
    compared = lab.ask("PUT", prediction=prediction, by="column", column="well", conditions=doses)["summary"]
    assert {each["sample"]: each["n"] for each in compared["samples"]} == {
        each.sample: each.n for each in expected.samples if each.sample
    }
    assert [each["p"] for each in compared["comparisons"]] == pytest.approx([each.p for each in expected.comparisons])
    assert lab.ask("PUT", 422, prediction, by="column", column="plate")["code"] == "column-without-samples"
    assert lab.ask("GET", prediction=prediction)["sampling"]["conditions"] == doses


def test_the_result_of_each_class_is_a_sentence_about_the_clearest_difference(lab: Lab) -> None:
    conditions = {name: name.partition("/")[0] for name in SAMPLES}
    answer = lab.ask("PUT", conditions=conditions)
    for each in answer["summary"]["comparisons"]:
        points = f"{100 * abs(each['difference']['value']):.1f}".removesuffix(".0")
        assert points in answer["results"][each["name"]]
    lab.ask("PUT", conditions={})


def test_blocks_and_a_control_give_the_numbers_of_python(lab: Lab, tmp_path: Path) -> None:
    conditions = {name: name.partition("/")[0] for name in SAMPLES}
    blocks = {name: name.partition("/")[2] for name in SAMPLES}
    answer = lab.ask("PUT", conditions=conditions, blocks=blocks, control="10")["summary"]
    file, table = tmp_path / "predictions.csv", tmp_path / "samples.csv"
    file.write_bytes(lab.client.get(f"{API}/jobs/{lab.prediction}/download/predictions").content)
    with file.open(newline="", encoding="utf-8") as predicted, table.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["path", "sample", "dose", "replicate"])
        for row in csv.DictReader(predicted):
            sample = next(name for name in SAMPLES if f"/{name}/" in f"/{row['path']}")
            writer.writerow([row["path"], sample, conditions[sample], blocks[sample]])
    run = find_job(lab.workspace, lab.run).folder
    of_table = {"by": "sample", "condition": "dose", "block": "replicate", "table": table}
    expected = cs.summarise(file, **of_table, run=run, control="10")
    assert {tuple(each["conditions"]) for each in answer["comparisons"]} == {("10", "0")}
    for each, of_python in zip(answer["comparisons"], expected.comparisons, strict=True):
        assert each["n_blocks"] == of_python.n_blocks == 3
        numbers = [each["p"], each["p_holm"], each["difference"]["low"]]
        assert numbers == pytest.approx([of_python.p, of_python.p_holm, of_python.difference.low])
    lab.ask("PUT")


def test_a_part_of_the_path_is_the_sample(lab: Lab) -> None:
    answer = lab.ask("PUT", by="pattern", pattern=r"/(\d+)/rep[12]/")
    assert [each["sample"] for each in answer["summary"]["samples"]] == list(DOSES)
    n_unmatched = sum(9 + seed for seed, name in enumerate(SAMPLES, start=1) if name.endswith("rep3"))
    assert answer["n_unmatched"] == n_unmatched
    for pattern, code in (("nowhere", "no-sample-matches"), ("(", "unusable-group-pattern")):
        assert lab.ask("PUT", 422, by="pattern", pattern=pattern)["code"] == code
    assert lab.ask("GET")["sampling"]["pattern"] == r"/(\d+)/rep[12]/"  # a refused one is not saved
    lab.ask("PUT")


def test_files_for_other_programs(lab: Lab) -> None:
    conditions = dict.fromkeys(DOSES, "treated")
    answer = lab.ask("PUT", by="pattern", pattern=r"/(\d+)/rep", conditions=conditions)
    download = f"{API}/jobs/{lab.prediction}/download"
    classes = answer["summary"]["classes"]
    header, *rows = csv.reader(io.StringIO(downloaded(lab.client.get(f"{download}/samples-prism"))))
    assert header[1:] == [f"{name}: treated" for name in classes]
    assert [row[0] for row in rows] == [each["sample"] for each in answer["summary"]["samples"]] == list(DOSES)
    tidy = list(csv.DictReader(io.StringIO(downloaded(lab.client.get(f"{download}/samples")))))
    assert len(tidy) == len(DOSES) * len(classes)
    report = lab.client.get(f"{download}/samples-report")
    assert report.headers["content-type"].startswith("text/html")
    assert report.headers["content-disposition"].startswith("attachment")
    assert report.text.startswith("<!doctype html>")
    assert report.text.count("<svg") == (len(classes) if len(classes) > 2 else 1)
    lab.ask("PUT")


def test_an_excluded_image_is_not_counted_until_it_is_included(lab: Lab) -> None:
    n = sum(each["n"] for each in lab.ask("GET")["summary"]["samples"])
    address = f"{API}/lists/{lab.prediction}/rows/0/correction"
    assert lab.client.put(address, json={"label": None, "excluded": "unusable"}).status_code == 200
    answer = lab.ask("GET")
    assert (answer["n_excluded"], sum(each["n"] for each in answer["summary"]["samples"])) == (1, n - 1)
    assert lab.client.put(address, json={"label": None}).status_code == 200
    assert lab.ask("GET")["n_excluded"] == 0


def test_what_cannot_be_summarized_is_refused(lab: Lab) -> None:
    waiting = queue_prediction(lab.workspace, classifier_id=lab.run, dataset_id=lab.images)
    assert lab.ask("GET", 409, waiting)["code"] == "prediction-not-finished"
    lab.ask("GET", 404, "nothing")
    lab.client.delete(f"{API}/jobs/{waiting}")


def test_damaged_samples_are_reported_and_not_replaced_until_they_are_set_aside(lab: Lab) -> None:
    lab.ask("PUT", conditions={"0/rep1": "control"})
    file = find_job(lab.workspace, lab.prediction).folder / "samples.json"
    saved = json.loads(file.read_text())
    assert saved.pop("format_version") == 1
    file.write_text(json.dumps(saved))  # as a version wrote it that stated none
    assert lab.ask("GET")["sampling"]["conditions"] == {"0/rep1": "control"}
    address = f"{API}/predictions/{lab.prediction}/samples"
    assert lab.client.delete(address).json() == {"file": None}
    assert file.is_file()
    for damaged in ({"format_version": 2}, {"by": "well"}):
        content = json.dumps({**saved, **damaged})
        file.write_text(content)
        for method in ("GET", "PUT"):
            refusal = lab.ask(method, 422)
            assert (refusal["code"], Path(refusal["file"]).name) == ("unreadable-samples", file.name)
        assert file.read_text() == content
        moved = lab.client.delete(address).json()["file"]
        assert (file.with_name(moved).read_text(), file.exists()) == (content, False)
        assert lab.ask("GET")["sampling"]["by"] == "folder"
        lab.ask("PUT")
    assert len([*file.parent.glob("samples.*")]) == 3


def test_samples_that_somebody_else_has_saved_are_not_replaced(lab: Lab) -> None:
    shown = lab.ask("GET")["sampling"]
    lab.ask("PUT", control="10")
    address = f"{API}/predictions/{lab.prediction}/samples"
    refused = lab.client.put(address, json={"sampling": {"control": "0"}, "replaces": shown})
    assert (refused.status_code, refused.json()["code"]) == (412, "other-sampling-saved")
    assert lab.ask("GET")["sampling"]["control"] == "10"
    lab.ask("PUT")
