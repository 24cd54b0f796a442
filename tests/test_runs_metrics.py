"""What was measured is read back from `metrics.json` as it was written."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coverslip.errors import BadRun
from coverslip.evaluation.results import Evaluation, Metric
from coverslip.evaluation.summary import empty_evaluation, evaluate_predictions, over_folds
from coverslip.messages import in_language, message, text
from coverslip.runs.results import read_metrics, write_confusion, write_metrics


@pytest.fixture
def evaluation() -> Evaluation:
    """Of 60 images from two domains; class c occurs nowhere."""
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 60)
    probability = generator.dirichlet([2, 2, 1], 60)
    domain = np.array(["Ghent", "Oslo"] * 30)
    group = np.repeat(np.arange(12), 5).astype(str)
    classes = ["n", "reason", "c"]  # as the keys beside a class's numbers are called
    evaluation = evaluate_predictions(
        probability, label, classes, split="out-of-fold", primary="macro_f1", domain=domain, group=group
    )
    return replace(evaluation, folds=over_folds([evaluation, evaluation], [50, 55]))


def test_what_is_written_is_read_back(tmp_path: Path, evaluation: Evaluation) -> None:
    write_metrics(tmp_path / "metrics.json", evaluation)
    assert read_metrics(tmp_path / "metrics.json") == evaluation
    nothing = empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured"))
    write_metrics(tmp_path / "metrics.json", nothing)
    assert read_metrics(tmp_path / "metrics.json") == nothing


def test_a_missing_number_has_its_reason_in_each_language(tmp_path: Path, evaluation: Evaluation) -> None:
    file = tmp_path / "metrics.json"
    write_metrics(file, evaluation)
    stored = file.read_bytes()
    reason = read_metrics(file).per_class["c"].metrics["recall"].reason
    assert reason == message("class-without-images")
    assert file.read_bytes() == stored
    with in_language("de"):
        assert str(reason) == text("class-without-images") != "no image of this class"


def test_the_confusion_matrix_is_a_table_too(tmp_path: Path, evaluation: Evaluation) -> None:
    write_confusion(tmp_path / "c.csv", replace(evaluation, classes=("a", "=b", "c,d")))
    header, *rows = csv.reader((tmp_path / "c.csv").open(newline=""))
    assert header == ["true class", "predicted: a", "predicted: =b", "predicted: c,d"]
    assert [row[0] for row in rows] == ["a", "'=b", "c,d"]  # no formula to a spreadsheet
    assert tuple(tuple(map(int, row[1:])) for row in rows) == tuple(map(tuple, evaluation.confusion_matrix))
    write_confusion(
        tmp_path / "c.csv",
        empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured")),
    )
    assert (tmp_path / "c.csv").read_text().startswith("true class,predicted: a,predicted: b\n")


def test_a_class_has_its_numbers_beside_its_count(tmp_path: Path, evaluation: Evaluation) -> None:
    write_metrics(tmp_path / "metrics.json", evaluation)
    absent = json.loads((tmp_path / "metrics.json").read_text())["per_class"]["c"]
    assert list(absent) == [
        "n",
        "precision",
        "recall",
        "specificity",
        "npv",
        "f1",
        "auroc",
        "average_precision",
        "reason",
    ]
    assert (absent["n"], absent["recall"]["value"]) == (0, None)
    assert absent["recall"]["reason"] == absent["reason"] == {"code": "class-without-images", "parameters": {}}


def test_a_number_that_is_no_number_is_not_written(tmp_path: Path, evaluation: Evaluation) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_metrics(tmp_path / "metrics.json", replace(evaluation, metrics={"accuracy": Metric(value=float("nan"))}))
    assert not (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format_version": 99}, "newer-run-format"),
        ({"metrics": {"accuracy": {"value": "good"}}}, "unreadable-metrics"),
        ({"per_class": None}, "unreadable-metrics"),
    ],
)
def test_a_damaged_or_newer_file_is_one_clear_error(
    tmp_path: Path, evaluation: Evaluation, change: dict[str, object], code: str
) -> None:
    file = tmp_path / "metrics.json"
    write_metrics(file, evaluation)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(BadRun) as refused:
        read_metrics(file)
    assert refused.value.code == code
