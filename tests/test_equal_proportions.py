"""Proportions of samples are equal wherever they are read: Python, command line, tables, Prism, report and REST API."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from drawing import write_cells
from fastapi.testclient import TestClient
from small_workspace import API, QUICK, new_workspace, open_images, predicted_here, trained_here
from tables import downloaded

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cli import main
from coverslip.evaluation.sample_proportions import ClassProportion, Summary
from coverslip.messages import text
from coverslip.reports.metric_rows import shown
from coverslip.reports.proportions_page import digits_of, result_of, sample_cells, shown_classes
from coverslip.reports.reported import number, p_value, range_words, signed, with_interval
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Predictions
from coverslip.runs.split import write_split
from coverslip.workspace.jobs.records import find_job

pytestmark = pytest.mark.slow

DOSES, REPLICATES = ("0", "10"), ("rep1", "rep2", "rep3", "rep4")
SAMPLES = [f"{dose}/{replicate}" for dose in DOSES for replicate in REPLICATES]
N_COPIES = 20  # of each test prediction, so that error rates are known


@dataclass(frozen=True)
class Lab:
    client: httpx.Client
    run: Path
    prediction: str
    predictions: Path  # as downloaded
    table: Path  # the well, dose and day of each image


THREE = pytest.param(3, marks=pytest.mark.exhaustive)


@pytest.fixture(scope="module", params=[2, THREE], ids=["two classes", "three classes"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    classes = ("small", "medium", "large")[-request.param :]
    folder = tmp_path_factory.mktemp("lab")
    workspace = new_workspace(folder)
    cells = write_cells(folder / "cells", 60, classes=classes, n_slides=10, side=32)
    run = trained_here(workspace, open_images(workspace, cells, group_pattern=r"slide\d+"), QUICK)
    for seed, name in enumerate(SAMPLES, start=1):
        write_cells(folder / "new" / name, 20 + seed, classes=classes, side=32, seed=seed, is_sorted=False)
    prediction = predicted_here(workspace, run, open_images(workspace, folder / "new", is_labeled=False))
    opened = Run(find_job(workspace, run).folder)
    make_errors(opened)
    with TestClient(create_app(workspace)) as client:
        file, table = folder / "predictions.csv", folder / "wells.csv"
        file.write_bytes(client.get(f"{API}/jobs/{prediction}/download/predictions").content)
        with file.open(newline="", encoding="utf-8-sig") as predicted, table.open("w", newline="") as written:
            writer = csv.writer(written)
            writer.writerow(["image_id", "well", "dose", "day"])
            for row in csv.DictReader(predicted):
                dose, replicate = Path(row["path"]).parts[-3:-1]
                writer.writerow([row["image_id"], f"{dose}/{replicate}", dose, replicate])
        yield Lab(client, opened.folder, prediction, file, table)


def make_errors(run: Run) -> None:
    """Replace the test predictions by more of them in eight groups, with errors that differ between groups."""
    rng = np.random.default_rng(0)
    classes, split = run.predictions.classes, {row.image_id: row for row in run.split}
    predictions, rows = [], []
    for row in run.predictions:
        for k in range(N_COPIES):
            image_id, group = f"{row.image_id} {k}", k % 8
            is_error = rng.random() < 0.05 + 0.02 * group
            name = classes[(classes.index(str(row.label)) + is_error) % len(classes)]
            predictions.append(replace(row, image_id=image_id, predicted=name, decision=name))
            rows.append(replace(split[row.image_id], image_id=image_id, group=f"group {group}"))
    Predictions(predictions, classes).write_csv(run.predictions_file)
    run.split_file.unlink()
    write_split(run.split_file, rows)


def numbers_of(proportion: ClassProportion) -> list[float | None]:
    raw, corrected = proportion.raw, proportion.corrected
    return [
        *(proportion.count, raw.value, raw.low, raw.high),
        *(corrected.value, corrected.low, corrected.high, proportion.unclipped),
    ]


def numbers_of_json(proportion: dict[str, Any]) -> list[float | None]:  # Any: JSON
    raw, corrected = proportion["raw"], proportion["corrected"]
    return [
        *(proportion["count"], raw["value"], raw["low"], raw["high"]),
        *(corrected["value"], corrected["low"], corrected["high"], proportion["unclipped"]),
    ]


@pytest.mark.parametrize("design", ["samples", "blocks", "pairs"])
def test_all_doors_give_equal_numbers(
    lab: Lab, design: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block = None if design == "samples" else "day"
    by = "day" if design == "pairs" else "well"
    summary = cs.summarise(
        lab.predictions, by=by, condition="dose", block=block, table=lab.table, run=lab.run, control="0"
    )
    assert [each.condition for each in summary.samples] == [name.partition("/")[0] for name in SAMPLES]
    assert all(each.difference.low is not None and each.p is not None for each in summary.comparisons)
    expected = [numbers_of(of_class) for each in summary.samples for of_class in each.classes.values()]
    assert all(None not in row for row in expected)

    differences = {each.name: each.difference for each in summary.comparisons}
    assert {(each.value or 0) < 0 for each in differences.values()} == {True, False}
    for name, difference in differences.items():  # the sentence has the direction of the table
        low, high = (signed(100 * (end or 0), 1) for end in (difference.low, difference.high))
        assert range_words(low, high) in result_of(summary, name)
        assert ("lower in" in result_of(summary, name)) == ((difference.value or 0) < 0)

    out, prism, report = (tmp_path / name for name in ("samples.csv", "prism.csv", "report.html"))
    command = ["summarise", str(lab.predictions), "--by", by, "--condition", "dose", "--table", str(lab.table)]
    command += ["--run", str(lab.run), "--control", "0", *(["--block", block] if block else [])]
    files = ["--out", str(out), "--prism", str(prism), "--report", str(report)]
    assert main([*command, *files, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert_json(printed, summary)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(command) == 0
    names_here = [str(each.sample) for each in summary.samples]
    assert_shown(capsys.readouterr().out.splitlines(), summary, names_here, is_brief=True)

    blocks = {name: name.partition("/")[2] for name in SAMPLES} if block else {}
    conditions = {name: name.partition("/")[0] for name in SAMPLES}
    address = f"{API}/predictions/{lab.prediction}/samples"
    sampling = {"conditions": conditions, "blocks": blocks, "control": "0"}
    replaced = lab.client.get(address).json()["sampling"]
    answer = lab.client.put(address, json={"sampling": sampling, "replaces": replaced})
    assert answer.status_code == 200, answer.text
    assert_json(answer.json()["summary"], summary)
    assert_sections(answer.json()["sections"], summary)

    downloads = {
        name: lab.client.get(f"{API}/jobs/{lab.prediction}/download/{name}")
        for name in ("samples", "samples-prism", "samples-report")
    }
    for table in (out.read_text(encoding="utf-8"), downloaded(downloads["samples"])):
        rows = list(csv.DictReader(io.StringIO(table)))
        names = ("count", "raw", "raw_low", "raw_high", "corrected", "corrected_low", "corrected_high", "unclipped")
        assert [[float(row[name]) for name in names] for row in rows] == [pytest.approx(row) for row in expected]
        values = [each.classes[name].shown for each in summary.samples for name in summary.classes]
        names = ("shown", "shown_low", "shown_high")
        assert [[float(row[name]) for name in names] for row in rows] == [
            pytest.approx([each.value, each.low, each.high]) for each in values
        ]
    for table in (prism.read_text(encoding="utf-8"), downloaded(downloads["samples-prism"])):
        assert_prism(table, summary)
    for page, names in ((report.read_text(encoding="utf-8"), names_here), (downloads["samples-report"].text, SAMPLES)):
        lines = [html.unescape(re.sub(r"<[^>]*>", " ", row)) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
        assert_shown(lines, summary, names)


def assert_json(printed: dict[str, Any], summary: Summary) -> None:  # Any: JSON
    for part, samples in (("samples", summary.samples), ("conditions", summary.conditions)):
        for each, of_json in zip(samples, printed[part], strict=True):
            assert (each.n, each.n_samples, each.condition) == tuple(
                of_json[name] for name in ("n", "n_samples", "condition")
            )
            for name, of_class in each.classes.items():
                assert numbers_of_json(of_json["classes"][name]) == pytest.approx(numbers_of(of_class))
    for difference, of_json in zip(summary.comparisons, printed["comparisons"], strict=True):
        metric, of_metric = difference.difference, of_json["difference"]
        numbers = [metric.value, metric.low, metric.high, difference.p, difference.p_holm, difference.effect_size]
        of_both = [of_metric[name] for name in ("value", "low", "high")]
        assert [*of_both, *(of_json[name] for name in ("p", "p_holm", "effect_size"))] == pytest.approx(numbers)
        assert (of_json["n_blocks"], tuple(of_json["conditions"])) == (difference.n_blocks, difference.conditions)
    assert printed["correlations"] == pytest.approx(dict(summary.correlations))
    assert (printed["assumption"], printed["label_shift"]["p"]) == (
        summary.assumption,
        pytest.approx(summary.label_shift.p if summary.label_shift else None),
    )


def assert_sections(sections: dict[str, Any], summary: Summary) -> None:  # Any: JSON
    """The tables of a class have its numbers, not rounded."""
    assert list(sections) == list(summary.classes)
    for name, of_class in sections.items():
        tables = {section["name"]: section["blocks"] for section in of_class}
        for row, each in zip(tables["conditions"][1]["rows"], summary.conditions, strict=True):
            k = tables["conditions"][1]["columns"].index(with_interval(text("column-raw")))
            for cell, metric in zip(
                row[k : k + 2], (each.classes[name].raw, each.classes[name].corrected), strict=True
            ):
                assert [cell[end] for end in ("value", "low", "high")] == [metric.value, metric.low, metric.high]
        for row, each in zip(tables["samples"][0]["rows"], summary.samples, strict=True):
            assert [cell["text"] for cell in row[-3:]] == [shown(cell) for cell in sample_cells(summary, each, name)]


def assert_prism(table: str, summary: Summary) -> None:
    """A column for each class and condition; a row for each sample, or for each block."""
    header, *rows = csv.reader(io.StringIO(table))
    for name in summary.classes:
        for condition in DOSES:
            column = next(k for k, title in enumerate(header) if title.startswith(f"{name}: {condition}"))
            values = [
                each.classes[name].unclipped for each in summary.samples if each.condition == condition
            ]  # with blocks, each has one sample of a condition
            assert [float(row[column]) for row in rows] == pytest.approx(values)


def assert_shown(lines: list[str], summary: Summary, samples: list[str], *, is_brief: bool = False) -> None:
    """Each sample and each difference of the shown classes has a line with its numbers.

    With more than two classes, a terminal has the values to use only, and of differences the adjusted p-value.
    """
    lines = [" ".join(line.split()) for line in lines]
    for name in shown_classes(summary):
        digits = digits_of(summary, name)
        for sample, each in zip(samples, summary.samples, strict=True):
            of_class = each.classes[name]
            values = [of_class.shown.value, of_class.shown.low, of_class.shown.high]
            if not is_brief or len(summary.classes) == 2:
                values += [of_class.raw.value, of_class.corrected.value, of_class.standard_error]
            words = [number(value, digits) for value in values]
            assert any(sample in line and all(word in line for word in words) for line in lines), words
        for difference in (each for each in summary.comparisons if each.name == name):
            metric = difference.difference
            ends = [signed(value, digits) for value in (metric.value, metric.low, metric.high)]
            words = ["10 − 0", *ends, p_value(difference.p_holm), *([] if is_brief else [p_value(difference.p)])]
            assert any(all(word in line for word in words) for line in lines), words
