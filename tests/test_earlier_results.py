"""Runs, their classifiers and studies that an earlier version of coverslip wrote: later ones read the same numbers.

`workspaces/write.py` wrote them. They are not written anew when coverslip changes: that is what the tests are for.
"""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import coverslip as cs
from coverslip.errors import BadRun
from coverslip.runs.folder import Run, open_run
from coverslip.studies.study import study_comparison
from coverslip.workspace.jobs.records import add_job, find_job
from coverslip.workspace.store.workspace import open_workspace
from coverslip.workspace.studies.state import comparison_of

RESULTS = Path(__file__).parent / "workspaces" / "results"
RUN, STUDY = RESULTS / "run", RESULTS / "study"
RUNS = sorted(file.parent for file in RESULTS.rglob("recipe.yaml"))


def rows_in(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def json_in(file: Path) -> Any:  # Any: JSON values
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", [*RUNS, RUN / "evaluations" / "other"], ids=lambda folder: folder.name)
def test_the_numbers_of_a_run_are_read(folder: Path) -> None:
    run = Run(folder) if folder.parent.name == "evaluations" else open_run(folder)
    stated = json_in(folder / "metrics.json")
    metrics = run.metrics
    assert (metrics.n, metrics.n_groups, list(metrics.classes)) == (stated["n"], stated["n_groups"], stated["classes"])
    assert {name: each.value for name, each in metrics.metrics.items()} == {
        name: each["value"] for name, each in stated["metrics"].items()
    }
    assert [list(row) for row in metrics.confusion_matrix] == stated["confusion_matrix"]
    predictions = rows_in(folder / "predictions.csv")
    assert [row.predicted for row in run.predictions.rows] == [row["predicted"] for row in predictions]
    assert len(predictions) == metrics.n


def test_the_parts_of_a_run_are_read() -> None:
    run = open_run(RUN)
    assert run.is_done
    assert (run.recipe.model, run.recipe.stage) == ("timm/test_efficientnet", "instant")
    assert [(row.image_id, row.split) for row in run.split] == [
        (row["image_id"], row["split"]) for row in rows_in(RUN / "split.csv")
    ]
    assert run.environment.coverslip == "0.1.0"
    assert [each.folder.name for each in run.evaluations] == ["other"]
    assert run.card is not None
    assert run.card.classes == ("large", "medium", "small")


def test_the_classifier_of_a_run_predicts_as_it_did() -> None:
    before = rows_in(RESULTS / "predictions.csv")
    table = cs.load_classifier(RUN).predict([RESULTS / "new" / row["image_id"] for row in before])
    assert list(table["decision"]) == [row["decision"] for row in before]
    for name in ("large", "medium", "small"):
        assert list(table[f"p:{name}"]) == pytest.approx([float(row[f"p:{name}"]) for row in before], abs=2e-3)


def test_the_report_of_a_run_is_written(tmp_path: Path) -> None:
    copy = shutil.copytree(RUN, tmp_path / "run")
    assert cs.write_report(copy).is_file()


def test_the_numbers_of_a_study_are_read(tmp_path: Path) -> None:
    copy = shutil.copytree(STUDY, tmp_path / "study")
    comparison = study_comparison(copy)
    for row, before in zip(rows_in(copy / "results.csv"), rows_in(STUDY / "results.csv"), strict=True):
        # Without the weights, there are no megabytes. Calibration errors are no longer written with the part of chance.
        for name in ("megabytes", "ece", "ece_expected", "ece_uncalibrated"):
            before.pop(name)
        assert {name: row[name] for name in before} == before
    stated = [score for each in json_in(STUDY / "comparison.json")["datasets"] for score in each["scores"]]
    scores = [score for each in comparison.datasets for score in each.scores]
    assert [score.name for score in scores] == [each["name"] for each in stated]
    assert [score.mean for score in scores] == pytest.approx([each["mean"] for each in stated])
    assert [score.n_splits for score in scores] == [2, 2]


def test_the_comparison_of_a_study_is_made_again_from_its_trainings(tmp_path: Path) -> None:
    copy = shutil.copytree(STUDY, tmp_path / "study")
    workspace = open_workspace(tmp_path / "home", (tmp_path,))
    add_job(
        workspace, id="0", kind="study", name="first", dataset_name="cells", folder=str(copy), command=[], choices={}
    )
    study = find_job(workspace, "0")
    comparison = comparison_of(study)
    stated = [score["mean"] for each in json_in(STUDY / "comparison.json")["datasets"] for score in each["scores"]]
    assert [score.mean for each in comparison.datasets for score in each.scores] == pytest.approx(stated)
    assert comparison_of(study).datasets == comparison.datasets
    fewer = {name: values for name, values in json_in(copy / "comparison.json").items() if name != "tried"}
    (copy / "comparison.json").write_text(json.dumps(fewer), encoding="utf-8")
    assert comparison_of(study).tried == comparison.tried != ()
    written = json_in(copy / "comparison.json")
    for each in written["classifiers"]:
        assert each.pop("n_ungrouped") is not None
    (copy / "comparison.json").write_text(json.dumps(written), encoding="utf-8")
    shutil.rmtree(copy / "cells")
    assert [each.n_ungrouped for each in comparison_of(study).classifiers] == [None]
    shutil.copy(STUDY / "comparison.json", copy)
    with pytest.raises(BadRun) as refusal:
        comparison_of(study)
    assert refusal.value.code == "comparison-damaged"
