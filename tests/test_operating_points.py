"""A run whose classes are decided by operating points: every number, row and word follows the decision."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawing import save_pixels
from tables import json_of, rows_of
from trained import INSTANT

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import Conflict
from coverslip.evaluation.decisions import operating_points, uncertain_threshold
from coverslip.events import Event, Noted
from coverslip.messages import message_of, text
from coverslip.reports.reported import decision_images, whole_percent
from coverslip.runs.folder import Run
from coverslip.runs.recipe import SplitPlan
from coverslip.runs.status import work_lock

CLASSES = ("large", "medium", "small")
BY_ROC = INSTANT.model_copy(update={"image_size": 32, "decide_by": "roc"})


def write_overlapping(folder: Path) -> Path:
    """Blobs whose sizes overlap, of classes that differ much in number; nine slides."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32]
    for kind, (radius, n) in {"small": (7, 108), "medium": (8, 36), "large": (9, 18)}.items():
        for i in range(n):
            inside = (rows - 16) ** 2 + (columns - 16) ** 2 < (radius + rng.normal()) ** 2
            pixels = 60 + 100 * inside[..., None] + rng.normal(0, 20, (32, 32, 3))
            save_pixels(folder / kind / f"slide{i % 9}_{i:03d}.png", pixels.clip(0, 255).astype(np.uint8))
    return folder


def probabilities(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([[float(row[f"p:{name}"]) for name in CLASSES] for row in rows])


def numbers_of(rows: list[dict[str, str]], column: str) -> np.ndarray:
    return np.array([CLASSES.index(row[column]) for row in rows])


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_overlapping(tmp_path_factory.mktemp("data") / "cells")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def run(cells: Path, events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = cs.open_dataset(cells, group_pattern=r"slide\d")
    return cs.train(data, BY_ROC, out=tmp_path_factory.mktemp("runs") / "roc", emit=events.append)


@pytest.fixture(scope="module")
def plain_run(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = cs.open_dataset(cells, group_pattern=r"slide\d")
    recipe = BY_ROC.model_copy(update={"decide_by": "highest"})
    return cs.train(data, recipe, out=tmp_path_factory.mktemp("runs") / "highest")


@pytest.mark.slow
def test_thresholds_come_from_validation_images_alone(run: Run, events: list[Event]) -> None:
    rows = rows_of(run.folder / "validation.csv")
    points = operating_points(probabilities(rows), numbers_of(rows, "label"))
    card = json_of(run.classifier_folder / "classifier.json")
    assert card["operating_points"] == pytest.approx([point.threshold for point in points], abs=1e-6)
    decided = numbers_of(rows, "predicted")
    limit = uncertain_threshold(probabilities(rows), numbers_of(rows, "label"), decided)
    assert card["uncertain_below"] == pytest.approx(limit, abs=1e-5)
    story = json_of(run.folder / "training.json")["calibration"]["operating_points"]
    assert isinstance(story, list)
    assert [of_decisions["n"] for of_decisions in story] == [point.n for point in points]
    doubted = [event for event in events if isinstance(event, Noted) and event.code == "doubtful-operating-points"]
    assert [of_decisions["n"] for of_decisions in story] == [4, 8, 24]
    assert [(event.parameters["names"], str(message_of(event.parameters["reason"]))) for event in doubted] == [
        ("'large'", "fewer than 5 validation images of this class: 0.333 is used"),
        ("'medium'", text("few-images-for-threshold", n=10)),
    ]


@pytest.mark.slow
def test_rows_and_numbers_follow_the_decision(run: Run) -> None:
    rows = rows_of(run.folder / "predictions.csv")
    thresholds = np.array(json_of(run.classifier_folder / "classifier.json")["operating_points"])
    p, decided, label = probabilities(rows), numbers_of(rows, "predicted"), numbers_of(rows, "label")
    assert (decided == (p / thresholds).argmax(axis=1)).all()
    assert (decided != p.argmax(axis=1)).any()  # else this test shows nothing
    assert [float(row["probability"]) for row in rows] == pytest.approx(p[np.arange(len(p)), decided])
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)
    limit = json_of(run.classifier_folder / "classifier.json")["uncertain_below"]
    for row in rows:
        is_unfamiliar = float(row["ood_score"]) > 1
        decision = "uncertain" if float(row["probability"]) < limit else row["predicted"]
        assert row["decision"] == ("unfamiliar" if is_unfamiliar else decision)
    metrics = json_of(run.folder / "metrics.json")
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (label, decided), 1)
    assert metrics["confusion_matrix"] == matrix.tolist()
    assert run.metrics["accuracy"].value == pytest.approx(np.mean(decided == label))


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_network_and_its_probabilities_are_the_same_without(run: Run, plain_run: Run) -> None:
    weights = "weights.safetensors"
    assert (run.classifier_folder / weights).read_bytes() == (plain_run.classifier_folder / weights).read_bytes()
    rows, plain = (rows_of(each_run.folder / "predictions.csv") for each_run in (run, plain_run))
    assert (probabilities(rows) == probabilities(plain)).all()
    assert (numbers_of(plain, "predicted") == probabilities(plain).argmax(axis=1)).all()
    for name in ("macro_auroc", "log_loss", "ece_excess", "ece_excess_uncalibrated"):
        assert run.metrics[name].value == plain_run.metrics[name].value
    assert run.metrics["macro_recall"].value > plain_run.metrics["macro_recall"].value


@pytest.mark.exhaustive
@pytest.mark.slow
def test_thresholds_that_were_chosen_on_validation_images_are_not_compared_on_them(
    run: Run, plain_run: Run, tmp_path: Path
) -> None:
    copies = [shutil.copytree(each.folder, tmp_path / each.folder.name) for each in (run, plain_run)]
    by_roc, by_highest = (row.fit for row in cs.compare(copies).rows)
    rows = rows_of(run.folder / "validation.csv")
    label, probable = numbers_of(rows, "label"), probabilities(rows).argmax(axis=1)
    assert by_roc.val_accuracy == pytest.approx(np.mean(probable == label))
    assert by_roc == by_highest
    assert (numbers_of(rows, "predicted") != probable).any()  # else this test shows nothing


@pytest.mark.slow
def test_new_images_are_decided_in_the_same_way(run: Run, cells: Path, tmp_path: Path) -> None:
    test_rows = {row["image_id"]: row for row in rows_of(run.folder / "predictions.csv")}
    cs.export(run.folder, out=tmp_path / "packed.coverslip")
    predictions = cs.load_classifier(tmp_path / "packed.coverslip", tested=True).predict(cells)
    predicted = {row.image_id: row for row in predictions if row.image_id in test_rows}
    assert len(predicted) == len(test_rows)
    for image_id, row in predicted.items():
        assert (row.predicted, row.decision) == (test_rows[image_id]["predicted"], test_rows[image_id]["decision"])


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_report_says_how_classes_were_decided(run: Run, plain_run: Run) -> None:
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "largest Youden index" in page
    cells = re.findall(r"<th>operating point</th>|<td>([\d.e-]+)</td></tr>", page.split("Metrics per class")[1])
    thresholds = json_of(run.classifier_folder / "classifier.json")["operating_points"]
    assert isinstance(thresholds, list)
    assert cells[:4] == ["", *(f"{threshold:.3g}" for threshold in thresholds)]
    plain = (plain_run.folder / "report.html").read_text(encoding="utf-8")
    assert "operating point" not in plain
    assert "The most probable class was predicted." in plain


@pytest.mark.slow
def test_the_most_confident_error_has_the_highest_probability_of_its_decision(run: Run) -> None:
    wrong = [row for row in rows_of(run.folder / "predictions.csv") if row["label"] != row["predicted"]]
    surest = max(wrong, key=lambda row: float(row["probability"]))
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<span class="file" title="([^"]*)"', page)[0] == surest["image_id"]
    assert f"probability {whole_percent(float(surest['probability']))}" in page


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_classifier_that_was_written_before_there_were_operating_points_opens(plain_run: Run, cells: Path) -> None:
    before = cs.load_classifier(plain_run.folder).predict(cells / "large")
    file = plain_run.classifier_folder / "classifier.json"
    card = json_of(file)
    assert card.pop("operating_points") is None
    file.write_text(json.dumps(card), encoding="utf-8")
    assert cs.load_classifier(plain_run.folder).predict(cells / "large").rows == before.rows


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_report_says_for_how_many_images_calibration_takes_another_class_than_was_predicted(run: Run) -> None:
    rows = rows_of(run.folder / "predictions.csv")
    n = int((probabilities(rows).argmax(axis=1) != numbers_of(rows, "predicted")).sum())
    assert n > 0
    assert text("report-calibration", n_other=n) in run.report_file.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_decide_by_their_own_points_and_the_classifier_by_those_of_all(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=r"slide\d")
    run = cs.train(data, BY_ROC.model_copy(update={"split": SplitPlan(folds=3)}), out=tmp_path / "run")
    pooled = {row["image_id"]: row for row in rows_of(run.folder / "predictions.csv")}
    for k in (1, 2, 3):
        fold_folder = run.folder / "folds" / str(k)
        thresholds = np.array(json_of(fold_folder / "classifier" / "classifier.json")["operating_points"])
        rows = rows_of(fold_folder / "predictions.csv")
        assert (numbers_of(rows, "predicted") == (probabilities(rows) / thresholds).argmax(axis=1)).all()
        assert all(pooled[row["image_id"]] == row for row in rows)
    right = np.mean([row["predicted"] == row["label"] for row in pooled.values()])
    assert run.metrics["accuracy"].value == pytest.approx(right)
    assert run.training is not None
    calibration = run.training.calibration
    assert calibration.operating_points is not None
    assert [point.n for point in calibration.operating_points] == [18, 36, 108]  # each image was held out once
    card = json_of(run.classifier_folder / "classifier.json")
    assert card["operating_points"] == [point.threshold for point in calibration.operating_points]
    assert calibration.calibrated_on == "held-out training images"
    assert "linear probes with the same shrinkage" in (run.folder / "report.html").read_text(encoding="utf-8")
    before = (run.folder / "metrics.json").read_bytes()
    cs.decide(run.folder)
    plain = {row["image_id"]: row for row in rows_of(run.folder / "predictions.csv")}
    assert plain != pooled
    assert json_of(run.folder / "folds" / "1" / "classifier" / "classifier.json")["operating_points"] is None
    cs.decide(run.folder, "roc")
    assert {row["image_id"]: row for row in rows_of(run.folder / "predictions.csv")} == pooled
    assert json_of(run.classifier_folder / "classifier.json") == card
    assert (run.folder / "metrics.json").read_bytes() == before
    cs.evaluate(run.folder)
    assert (run.folder / "metrics.json").read_bytes() == before
    assert decision_images("held-out training images") in (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_deciding_by_an_error_rate_shows_how_many_images_are_uncertain(
    plain_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(shutil.copytree(plain_run.folder, tmp_path / "run"))
    assert main(["decide", str(run.folder), "--error-rate", "0.001"]) == 0
    out = capsys.readouterr().out
    decisions = [row["decision"] for row in rows_of(run.predictions_file)]
    n = decisions.count("uncertain")
    assert n > 0
    assert f" {n} of {len(decisions)} images " in out
    assert main(["decide", str(run.folder)]) == 0
    assert {"--error-rate", "--roc", "--default"} <= set(capsys.readouterr().out.replace(",", "").split())


@pytest.mark.parametrize("work", [cs.decide, cs.evaluate])
def test_a_run_in_which_another_process_works_is_not_changed(trained: cs.Run, work: Callable[..., object]) -> None:
    before = trained.classifier_folder.joinpath("classifier.json").read_bytes()
    with work_lock(trained.folder), pytest.raises(Conflict) as refused:
        work(trained.folder)
    assert refused.value.code == "folder-in-use"
    assert trained.classifier_folder.joinpath("classifier.json").read_bytes() == before
