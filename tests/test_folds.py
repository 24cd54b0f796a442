"""Cross-validation: every image is tested once by a network that has not seen its group."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cell, save_cells, save_pixels, write_cells
from hypothesis import example, given
from hypothesis import strategies as st
from refusing import note_of, refusing
from tables import json_of, rows_of
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.folding import fold_images, plan_folds
from coverslip.datasets.splits.partition import fold_units
from coverslip.errors import BadDataset, BadRecipe, BadRun, Stopped
from coverslip.evaluation.calibration import apply_temperature, fit_temperature, temperature_loss, without_temperature
from coverslip.evaluation.results import ClassScores, DomainScores, Evaluation, GroupDecisions, Metric, SubgroupScores
from coverslip.evaluation.summary import empty_evaluation, over_folds, with_folds
from coverslip.evaluation.table import METRICS
from coverslip.events import Event, FoldEnded, FoldStarted, InstantClassifierFitted, Noted
from coverslip.experiments.cross_validation import folds_of_recipe
from coverslip.experiments.split_data import with_epochs_for_folds
from coverslip.messages import Resume, Set, message, text
from coverslip.pipeline import train_without_report
from coverslip.reports.differences import differences_between
from coverslip.reports.reported import interval_words, percent, read_run, set_title, whole_percent
from coverslip.reports.sections.images import IMAGES
from coverslip.reports.sections.methods import methods
from coverslip.reports.sections.results import uncertain_words
from coverslip.reports.verdict import lead, verdict_of_run
from coverslip.runs.classifier import open_classifier
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Predictions
from coverslip.runs.recipe import Recipe, SplitPlan, augment_named, automatic_epochs
from coverslip.runs.results import write_metrics
from coverslip.workspace.trainings.queueing import preview_of_split

INSTANT = Recipe(model=SMALL_NETWORK, stage="instant", image_size=48, tta=1, augment=augment_named("none"))
SHORT = Recipe(model=SMALL_NETWORK, init="scratch", image_size=48, tta=1, epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven groups, so folds without being asked for; and a file that is no image."""
    folder = write_cells(tmp_path_factory.mktemp("data") / "cells", 84, n_slides=7)
    (folder / "small" / "slide0_torn.png").write_bytes(b"\x89PNG torn")
    return folder


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def run(cells: Path, events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Run:
    data = cs.open_dataset(cells, group_pattern=r"slide\d+")
    return cs.train(data, INSTANT, out=tmp_path_factory.mktemp("runs") / "folds", emit=events.append)


@pytest.mark.slow
def test_with_few_groups_every_image_is_tested_once_in_a_fold_without_its_group(run: Run) -> None:
    rows = rows_of(run.folder / "split.csv")
    assert Counter(row["split"] for row in rows) == {"test": 84, "excluded": 1}
    folds_of_group: dict[str, set[str]] = {}
    for row in rows:
        if row["split"] == "test":
            folds_of_group.setdefault(row["group"], set()).add(row["fold"])
    assert len(folds_of_group) == 7
    assert all(len(folds) == 1 for folds in folds_of_group.values())
    assert {fold for folds in folds_of_group.values() for fold in folds} == {"1", "2", "3", "4", "5"}
    for k in range(1, 6):
        split_rows = rows_of(run.folder / "folds" / str(k) / "split.csv")
        sides: dict[str, set[str]] = {}
        for row in split_rows:
            if row["split"] != "excluded":
                sides.setdefault(row["group"], set()).add(row["split"])
        assert all(len(sides_of_group) == 1 for sides_of_group in sides.values())
        assert {"train", "val", "test"} == {side for sides_of_group in sides.values() for side in sides_of_group}
        tested = {row["image_id"] for row in split_rows if row["split"] == "test"}
        assert tested == {row["image_id"] for row in rows if row["fold"] == str(k)}


@pytest.mark.slow
def test_the_pooled_numbers_are_those_of_the_folds_predictions(run: Run) -> None:
    pooled = rows_of(run.folder / "predictions.csv")
    by_fold = [row for k in range(1, 6) for row in rows_of(run.folder / "folds" / str(k) / "predictions.csv")]
    order = [row["image_id"] for row in rows_of(run.folder / "split.csv") if row["split"] == "test"]
    assert [row["image_id"] for row in pooled] == order
    assert sorted(map(str, pooled)) == sorted(map(str, by_fold))
    metrics = json_of(run.folder / "metrics.json")
    assert (metrics["split"], metrics["n"], metrics["n_groups"]) == ("out-of-fold", 84, 7)
    assert run.metrics["accuracy"].value == pytest.approx(np.mean([row["predicted"] == row["label"] for row in pooled]))
    assert "only 7 groups" in interval_words(read_run(run.folder))
    folds = metrics["folds"]
    assert isinstance(folds, dict)
    n_of_fold = Counter(row["fold"] for row in rows_of(run.folder / "split.csv"))
    assert [fold["n"] for fold in folds["per_fold"]] == [n_of_fold[str(k)] for k in range(1, 6)]


@pytest.mark.slow
def test_the_classifier_knows_all_images_and_choices_come_from_the_folds(run: Run, cells: Path) -> None:
    card = json_of(run.folder / "classifier" / "classifier.json")
    assert isinstance(card["trained_on"], dict)
    assert (card["trained_on"]["n_images"], card["trained_on"]["n_groups"]) == (84, 7)
    stories = [json_of(run.folder / "folds" / str(k) / "training.json") for k in range(1, 6)]
    last = json_of(run.folder / "training.json")
    shrinkages = [story["stages"][0]["shrinkage"] for story in stories]  # type: ignore[index]
    assert last["stages"][0]["shrinkage"] == np.median(shrinkages)  # type: ignore[index]
    predictions = cs.load_classifier(run.folder).predict(sorted((cells / "large").iterdir()))
    assert set(predictions["predicted"]) <= {"small", "medium", "large"}
    assert len(set(predictions["probability"])) > 1


@pytest.mark.slow
def test_probabilities_of_the_classifier_hold_on_new_slides_better_than_by_the_folds_temperatures(
    run: Run, tmp_path: Path
) -> None:
    new = write_cells(tmp_path / "new", 150, n_slides=15, seed=1)
    classifier = cs.load_classifier(run.folder)
    rows = classifier.predict(sorted(new.glob("*/*.png")))
    label = np.array([classifier.classes.index(Path(row.path).parent.name) for row in rows])
    probabilities = np.array([row.probabilities for row in rows])
    logits = np.log(without_temperature(probabilities, classifier.card.temperature))
    by_folds = [record.calibration.temperature for record in run.trainings]
    best = fit_temperature(logits, label)
    assert abs(np.log(classifier.card.temperature / best)) < abs(np.log(np.median(by_folds) / best))
    assert temperature_loss(logits, label, classifier.card.temperature) < temperature_loss(
        logits, label, float(np.median(by_folds))
    )


@pytest.mark.slow
def test_an_image_that_several_folds_validate_counts_once_for_thresholds(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=r"slide\d+")
    choices = {"stage_selection": "finetune", "split": SplitPlan(folds=3)}
    run = train_without_report(data, SHORT.model_copy(update=choices), out=tmp_path / "run")
    validated = [row.image_id for k in range(1, 4) for row in run.fold(k).validation]
    assert len(run.decision_logits) == len(set(validated)) < len(validated)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_share_that_the_final_classifier_leaves_uncertain_is_reported_beside_that_of_the_folds(
    cells: Path, tmp_path: Path
) -> None:
    images = shutil.copytree(cells, tmp_path / "images")
    for file in sorted((images / "small").glob("slide?_*.png"))[::3]:  # classifiers must make mistakes
        file.rename(images / "large" / f"{file.stem}_small.png")
    data = cs.open_dataset(images, group_pattern=r"slide\d+")
    run = train_without_report(data, INSTANT.model_copy(update={"split": SplitPlan(folds=3)}), out=tmp_path / "run")
    for error_rate in (None, 0.05):
        run = cs.decide(run.folder, error_rate=error_rate)
        assert run.card is not None
        assert run.card.uncertain_below > 0
        logits = run.decision_logits[:, :-2]  # without class and group numbers
        probability = apply_temperature(logits, run.card.temperature).max(axis=1)
        assert run.training is not None
        share = run.training.calibration.uncertain_share
        assert share == np.mean(probability < run.card.uncertain_below)
        assert f"{run.card.uncertain_below:.2f}" in (words := uncertain_words(read_run(run.folder)))
        assert percent(share) in words


@pytest.mark.slow
def test_what_was_reported(run: Run, events: list[Event]) -> None:
    assert [event.fold for event in events if isinstance(event, FoldStarted)] == [1, 2, 3, 4, 5]
    ended = [event for event in events if isinstance(event, FoldEnded)]
    assert [event.fold for event in ended] == [1, 2, 3, 4, 5]
    (note,) = [event for event in events if isinstance(event, Noted) and event.code == "folds"]
    assert note.parameters == {"n_units": 7, "unit": "group", "n_folds": 5, "n_tested": 1}
    assert note.remedies == (Set("split.folds", 0),)
    assert run.recipe.split.folds == 5  # resolved
    lines = [json.loads(line) for line in (run.folder / "events.jsonl").read_text().splitlines()]
    assert {line.get("fold") for line in lines} == {None, 1, 2, 3, 4, 5}
    assert "folds" in (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_measured_again_the_numbers_are_the_same(run: Run) -> None:
    files = ("metrics.json", "predictions.csv")
    before = [(run.folder / name).read_bytes() for name in files]
    cs.evaluate(run.folder)
    assert [(run.folder / name).read_bytes() for name in files] == before


@pytest.mark.slow
def test_a_fold_is_not_resumed_by_itself(run: Run) -> None:
    with pytest.raises(BadRun) as refused:
        cs.resume(run.folder / "folds" / "2")
    assert refused.value.code == "one-fold"


@pytest.mark.slow
def test_folds_can_be_declined(trained: Run) -> None:
    assert len({row["group"] for row in rows_of(trained.folder / "split.csv")}) == 9  # few, as above
    assert trained.recipe.split.folds == 0
    assert not (trained.folder / "folds").exists()
    assert trained.metrics.split == "test"


@pytest.mark.exhaustive
def test_fine_tuned_folds_and_the_medians_epoch(cells: Path, tmp_path: Path) -> None:
    recipe = SHORT.model_copy(update={"epochs": 3})
    data = cs.open_dataset(cells, group_pattern=r"slide\d+")
    # So many validation images that each fold can detect unfamiliar images.
    run = train_without_report(
        data, recipe.model_copy(update={"split": SplitPlan(folds=3, val=0.4)}), out=tmp_path / "run"
    )
    best = []
    for k in (1, 2, 3):
        fold_folder = run.folder / "folds" / str(k)
        assert [row["epoch"] for row in rows_of(fold_folder / "history.csv")] == ["0", "1", "2", "3"]
        best.append(json_of(fold_folder / "training.json")["stages"][0]["selected_epoch"])  # type: ignore[index]
    last = rows_of(run.folder / "history.csv")
    assert len(last) == np.median(best)
    assert all(row["val_loss"] == "" and row["train_loss"] != "" for row in last)
    # The learning rate falls as in the folds, from epoch to epoch, though there are more images.
    of_fold = [float(row["learning_rate"]) for row in rows_of(run.folder / "folds" / "1" / "history.csv")]
    rates = [float(row["learning_rate"]) for row in last]
    assert rates == pytest.approx(of_fold[1 : 1 + len(last)], rel=0.15, abs=1e-9)
    # What is unfamiliar comes from the folds' distances, which grow with the number of directions looked in.
    folders = [run.folder, *(run.folder / "folds" / str(k) for k, epoch in enumerate(best, start=1) if epoch > 0)]
    seen = [open_classifier(folder / "classifier").read_ood_statistics() for folder in folders]
    n_directions = [len(detector.offset) for detector in seen if detector is not None]
    assert len(n_directions) == len(folders)
    assert n_directions[0] == max(n_directions[1:])


@pytest.mark.slow
@pytest.mark.exhaustive
def test_forty_images_in_three_classes_give_something_honest(tmp_path: Path) -> None:
    events: list[Event] = []
    data = cs.open_dataset(write_cells(tmp_path / "cells", 40, n_slides=40))
    run = cs.train(data, SHORT, out=tmp_path / "run", emit=events.append)
    metrics = json_of(run.folder / "metrics.json")
    assert (metrics["split"], metrics["n"]) == ("out-of-fold", 40)
    accuracy = run.metrics["accuracy"]
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.high - accuracy.low > 0.05
    (note,) = [event for event in events if isinstance(event, Noted) and event.code == "folds"]
    assert note.parameters == {"n_units": 40, "n_tested": 8, "unit": "image", "n_folds": 5}
    assert "only 40 test images" in (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.exhaustive
def test_a_class_of_one_group_is_predicted_but_not_measured(cells: Path, tmp_path: Path) -> None:
    folder = write_cells(tmp_path / "cells", 84, n_slides=7)
    for i in range(4):  # only on slide 3
        save_pixels(folder / "flat" / f"slide3_x{i}.png", np.full((48, 48, 3), 40 * i + 60, np.uint8))
    events: list[Event] = []
    run = train_without_report(
        cs.open_dataset(folder, group_pattern=r"slide\d+"), SHORT, out=tmp_path / "run", emit=events.append
    )
    note = note_of((event for event in events if isinstance(event, Noted)), "not-measured")
    assert note.parameters == {"n_images": 4, "has_groups": True, "classes": "'flat (4)'"}
    metrics = json_of(run.folder / "metrics.json")
    assert metrics["n"] == 84
    assert "flat" in cs.load_classifier(run.folder).classes  # the classifier has been shown all images
    rows = [row for row in rows_of(run.folder / "predictions.csv") if row["label"] == "flat"]
    assert len(rows) == 4
    assert all(row["p:flat"] == "" for row in rows)
    reported = read_run(run.folder)
    assert reported.untested == {row["image_id"] for row in rows}
    assert reported.parts == {"test": 84, "untested": 4}
    assert reported.tested is not None
    predictions = reported.measured.predictions.rows
    measured = {predictions[place].image_id for place in reported.tested.place}
    assert (len(measured), measured & reported.untested) == (84, set())
    n_folds = len(reported.metrics.folds.per_fold) if reported.metrics.folds else 0
    assert IMAGES.content(reported).verdict == text("verdict-folds", n_images=88, n_folds=n_folds, n_untested=4)
    assert text("report-untested", n_images=4) in IMAGES.content(reported).blocks[0].words
    share = sum(cs.load_classifier(fold.folder).card.trained_on.n_images for fold in run.folds) / n_folds / 88
    assert text("report-interval-folds", share=whole_percent(share)) in interval_words(reported)
    classes = IMAGES.content(reported).blocks[0]
    assert classes.columns[1:-1] == (set_title("tested-once"), set_title("untested"))
    assert [row[1:] for row in classes.rows if row[0] == "flat"] == [["–", 4, 4]]


@pytest.mark.slow
def test_images_that_no_fold_could_test_are_not_counted_as_tested(run: Run, tmp_path: Path) -> None:
    copied = Run(shutil.copytree(run.folder, tmp_path / "run"))
    tested = copied.predictions.rows[4:]
    Predictions(tested, copied.predictions.classes).write_csv(copied.predictions_file)
    write_metrics(copied.metrics_file, replace(copied.metrics, n=len(tested)))
    reported = read_run(copied.folder)
    assert text("report-untested", n_images=4) in methods(reported)[0]
    (sets,) = [each.values for each in differences_between([run, Run(copied.folder)]) if each.name == "parts"]
    assert len(set(sets)) == 2
    copied.predictions_file.unlink()
    assert read_run(copied.folder).untested == frozenset()


def test_too_few_groups_and_predefined_splits_are_refused(tmp_path: Path) -> None:
    two = cs.open_dataset(write_cells(tmp_path / "two", 30, n_slides=2), group_pattern=r"slide\d+")
    with refusing(BadDataset, "too-few-for-folds", n_units=2, has_groups=True, n_needed=3, is_enough_for_fewer=False):
        fold_images(two, scan_images(two), n_folds=2, val=0.2, seed=0)
    for side in ("train", "test"):
        write_cells(tmp_path / "given" / side, 12 if side == "train" else 9, n_slides=3)
    predefined_split = cs.open_dataset(tmp_path / "given")
    with refusing(BadRecipe, "folds-of-predefined-split"):
        fold_images(predefined_split, scan_images(predefined_split), n_folds=3, val=0.2, seed=0)
    scan = scan_images(predefined_split)
    assert plan_folds(predefined_split, scan, n_folds=None, val=0.2, test=0.2, seed=0, is_finetuned=False) == (
        None,
        None,
    )
    with pytest.raises(ValueError, match=re.escape(text("one-fold-only"))):
        SplitPlan(folds=1)


def write_plain(folder: Path, groups: dict[str, str], n: int = 8) -> Path:
    """n images of noise per group, each group of one class."""
    for group, label in groups.items():
        for i in range(n):
            save_cell(folder / label / f"{group}_{i}.png", zlib.crc32(f"{groups}{group}{i}".encode()))
    return folder


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_fold_in_which_nothing_can_be_measured_does_not_end_the_run(tmp_path: Path) -> None:
    groups = {"g1": "a", "g2": "a", "g3": "b", "g4": "b", "g5": "c"}
    data = cs.open_dataset(write_plain(tmp_path / "cells", groups), group_pattern=r"g\d")
    run = cs.train(data, SHORT, out=tmp_path / "run")
    metrics = json_of(run.folder / "metrics.json")
    assert (metrics["n"], metrics["n_groups"]) == (32, 4)
    per_fold = metrics["folds"]["per_fold"]  # type: ignore[index]
    assert sorted(fold["n"] for fold in per_fold) == [0, 8, 8, 8, 8]
    reason = {"code": "folds-without-value", "parameters": {"n_missing": 1, "n_folds": 5}}
    assert metrics["folds"]["mean"]["accuracy"]["reason"] == reason  # type: ignore[index]
    rows = rows_of(run.folder / "predictions.csv")
    assert all(row["p:c"] == "" and row["predicted"] in ("a", "b") for row in rows if row["label"] == "c")
    assert "label: c" not in (run.folder / "report.html").read_text(encoding="utf-8")
    cs.evaluate(run.folder)
    assert json_of(run.folder / "metrics.json") == metrics


def test_where_folds_cannot_help_there_is_one_split_unless_they_were_requested(tmp_path: Path) -> None:
    groups = {"g1": "a", "g2": "a", "g3": "a", "g4": "b"}
    data = cs.open_dataset(write_plain(tmp_path / "cells", groups), group_pattern=r"g\d")
    plan = partial(plan_folds, data, scan_images(data), val=0.2, test=0.2, seed=0, is_finetuned=True)
    folds, note = plan(n_folds=None)
    assert folds is None
    assert note is not None
    assert note.code == "folds-not-possible"
    with refusing(BadDataset, "fold-not-trainable", n_folds=4, n_units=4, has_groups=True) as caught:
        plan(n_folds=4)
    assert caught.value.remedies == (Set("split.folds", 0),)
    assert note.parameters["reason"]["code"] == caught.value.code


def test_a_fold_without_an_image_to_choose_by_is_refused_before_any_training(tmp_path: Path) -> None:
    groups = {"g1": "a", "g2": "a", "g3": "b", "g4": "c"}  # without g1 each group is the only one of its class
    data = cs.open_dataset(write_plain(tmp_path / "cells", groups), group_pattern=r"g\d")
    with refusing(BadDataset, "fold-not-trainable", n_folds=4):
        fold_images(data, scan_images(data), n_folds=4, val=0.2, seed=0)


def test_a_fold_that_holds_nearly_everything_is_refused(tmp_path: Path) -> None:
    folder = write_plain(tmp_path / "cells", {"g1": "a", "g2": "b"}, n=4)
    write_plain(folder, {"g3": "a"}, n=40)
    write_plain(folder, {"g3x": "b"}, n=40)
    data = cs.open_dataset(folder, group_pattern=r"g\d")
    with pytest.raises(BadDataset) as refused:
        fold_images(data, scan_images(data), n_folds=2, val=0.2, seed=0)
    assert refused.value.code in ("fold-with-one-unit", "fold-not-trainable")


def test_folds_requested_against_a_predefined_split_are_refused_before_any_work(tmp_path: Path) -> None:
    for side in ("train", "test"):
        write_plain(tmp_path / "given" / side, {f"{side}1": "a", f"{side}2": "b"})
    with refusing(BadRecipe, "folds-of-predefined-split"):
        cs.train(cs.open_dataset(tmp_path / "given"), Recipe(split=SplitPlan(folds=3)), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_stopped_in_a_fold_the_whole_run_is_named_and_resumes(cells: Path, tmp_path: Path) -> None:
    def stop_in_second(event: Event) -> None:
        if event.fold == 2 and isinstance(event, InstantClassifierFitted):
            (tmp_path / "run" / "stop").touch()

    data = cs.open_dataset(cells, group_pattern=r"slide\d+")
    recipe = INSTANT.model_copy(update={"split": SplitPlan(folds=3)})
    with pytest.raises(Stopped) as caught:
        cs.train(data, recipe, out=tmp_path / "run", emit=stop_in_second)
    assert caught.value.remedies == (Resume(str(tmp_path / "run")),)
    assert json_of(tmp_path / "run" / "status.json")["state"] == "stopped"
    assert not (tmp_path / "run" / "classifier").exists()
    events: list[Event] = []
    run = cs.resume(tmp_path / "run", emit=events.append)
    assert json_of(run.folder / "metrics.json")["n"] == 84
    assert not any(event.fold == 1 and isinstance(event, InstantClassifierFitted) for event in events)  # it was done


INSIDE = ("folds/1/checkpoints/last.safetensors",)
BETWEEN = (
    *("folds/1/checkpoints/last.safetensors", "folds/2/recipe.yaml", "folds/3/metrics.json", "metrics.json"),
    "checkpoints/last.safetensors",
)


@pytest.mark.slow
@pytest.mark.parametrize("moments", [INSIDE, BETWEEN], ids=["inside", "between and inside"])
@pytest.mark.exhaustive
def test_killed_between_and_inside_folds_it_ends_with_the_same_files(
    cells: Path, tmp_path: Path, moments: tuple[str, ...]
) -> None:
    settings = [
        f"model={SMALL_NETWORK}",
        "init=scratch",
        "image_size=48",
        "tta=1",
        "epochs=2",
        "batch_size=16",
        "split.folds=3",
    ]
    environment = {**os.environ, "COVERSLIP_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "coverslip", "train"]
    options = [
        str(cells),
        "--group-pattern",
        r"slide\d+",
        *(part for setting in settings for part in ("--set", setting)),
    ]
    subprocess.run(
        [*command, *options, "--out", str(tmp_path / "whole")], env=environment, check=True, capture_output=True
    )
    run = tmp_path / "killed"
    process = subprocess.Popen([*command, *options, "--out", str(run)], env=environment, stderr=subprocess.DEVNULL)
    for moment in moments:
        deadline = time.monotonic() + 120
        while not (run / moment).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (run / moment).exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process = subprocess.Popen([*command, "--resume", str(run)], env=environment, stderr=subprocess.DEVNULL)
    assert process.wait(timeout=300) == 0
    names = ["metrics.json", "predictions.csv", "split.csv", "classifier/weights.safetensors"]
    names += [f"folds/{k}/classifier/weights.safetensors" for k in (1, 2, 3)]
    for name in names:
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.slow
@given(
    units=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=2, max_size=30),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 1000),
)
def test_folds_divide_no_unit_and_spread_every_class(units: list[list[int]], n_folds: int, seed: int) -> None:
    labels = np.array([label for unit in units for label in unit])
    unit_of_image = np.array([k for k, unit in enumerate(units) for _ in unit])
    if len(units) < n_folds:
        with pytest.raises(ValueError, match="cannot fill"):
            fold_units(labels, unit_of_image, n_folds, seed)
        return
    fold = fold_units(labels, unit_of_image, n_folds, seed)
    assert set(fold.tolist()) == set(range(n_folds))
    assert all(len(set(fold[unit_of_image == k].tolist())) == 1 for k in range(len(units)))
    assert (fold == fold_units(labels, unit_of_image, n_folds, seed)).all()


def test_single_images_are_divided_evenly() -> None:
    labels = np.repeat([0, 1, 2], [50, 25, 10])
    fold = fold_units(labels, np.arange(85), 5, seed=0)
    for label, n in ((0, 10), (1, 5), (2, 2)):
        assert np.bincount(fold[labels == label], minlength=5).tolist() == [n] * 5


def test_the_mean_over_folds_allows_for_shared_training_images() -> None:
    nothing = empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured"))

    def found(value: float | None) -> Evaluation:
        return replace(nothing, n=20, metrics={"accuracy": Metric(value=value)})

    values = [0.8, 0.9, 0.85, 0.95, 0.75]
    mean = over_folds([found(value) for value in values], [80] * 5).mean["accuracy"]
    # s = 0.0790569, sqrt(1/5 + 1/4) = 0.6708204, t(.975, 4) = 2.7764451
    assert mean.value == pytest.approx(0.85)
    assert mean.low == pytest.approx(0.85 - 2.7764451 * 0.0790569 * 0.6708204, abs=1e-6)
    assert mean.high == pytest.approx(0.85 + 2.7764451 * 0.0790569 * 0.6708204, abs=1e-6)
    equal = over_folds([found(1.0)] * 5, [80] * 5).mean["accuracy"]
    assert (equal.value, equal.low, equal.high) == (1.0, None, None)
    without = over_folds([found(None), *[found(value) for value in values[1:]]], [80] * 5).mean["accuracy"]
    assert without.value is None
    assert without.reason == message("folds-without-value", n_missing=1, n_folds=5)


def folded(values: Sequence[float], pooled: Metric, name: str = "accuracy") -> Metric:
    """What stands beside the pooled number after five folds of 20 images, trained on 80."""
    nothing = empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured"))
    parts = [replace(nothing, n=20, metrics={name: Metric(value=value)}) for value in values]
    whole = replace(nothing, n=100, metrics={name: pooled})
    return with_folds(whole, parts, [80] * len(parts), n_images=100).metrics[name]


def test_a_calibration_line_through_few_images_hardly_widens_the_interval_of_all() -> None:
    pooled = Metric(value=0.84, low=0.35, high=1.33)
    lines = [(2.54, -0.07, 5.14), (13.1, -4.84, 31.05), (0.85, -0.74, 2.45), (3.18, -0.51, 6.87)]  # of 25 images each
    nothing = empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured"))
    parts = [
        replace(nothing, n=25, metrics={"calibration_slope": Metric(value=value, low=low, high=high)})
        for value, low, high in lines
    ]
    whole = replace(nothing, n=100, metrics={"calibration_slope": pooled})
    wide = with_folds(whole, parts, [75] * 4, n_images=100)["calibration_slope"]
    assert 0 < (wide.low or 0) < 0.35
    assert 1.33 < (wide.high or 0) < 1.8


def test_numbers_of_classes_domains_subgroups_and_groups_are_as_wide_as_those_of_all() -> None:
    values, pooled = [0.8, 0.9, 0.85, 0.95, 0.75], Metric(value=0.85, low=0.77, high=0.91)
    wide = folded(values, pooled)

    def everywhere(n: int, metric: Metric) -> Evaluation:
        metrics = {"accuracy": metric}
        subgroup = SubgroupScores(n=n, n_groups=None, is_small=False, n_missing=0, metrics=metrics, gaps=metrics)
        return replace(
            empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured")),
            n=n,
            metrics=metrics,
            per_class={"a": ClassScores(n=n, metrics=metrics)},
            by_domain={"here": DomainScores(n=n, n_groups=None, metrics=metrics)},
            by_column={"stain": {"H": subgroup}},
            of_groups=GroupDecisions(n=n, n_mixed=0, metrics=metrics, confusion_matrix=()),
            group_mean_accuracy=metric,
            over_majority_class=metric,
        )

    parts = [everywhere(20, Metric(value=value)) for value in values]
    merged = with_folds(everywhere(100, pooled), parts, [80] * 5, n_images=100)
    subgroup, of_groups = merged.by_column["stain"]["H"], merged.of_groups
    assert of_groups is not None
    for scores in (merged, merged.per_class["a"], merged.by_domain["here"], subgroup, of_groups):
        assert scores.metrics["accuracy"] == wide
    assert merged.group_mean_accuracy == wide
    gap = subgroup.gaps["accuracy"]
    assert merged.over_majority_class == gap
    assert -1 <= (gap.low or 0) < 0.77 < 0.91 < (gap.high or 0) <= 1


def test_a_class_that_some_folds_lack_has_a_wider_interval_too() -> None:
    pooled = Metric(value=0.85, low=0.77, high=0.91)
    nothing = empty_evaluation(["a", "b"], split="test", primary="accuracy", reason=message("no-image-measured"))

    def of_class(values: Sequence[float | None]) -> Metric:
        parts = [
            replace(nothing, n=20, per_class={"a": ClassScores(n=4, metrics={"recall": Metric(value=value)})})
            for value in values
        ]
        whole = replace(nothing, n=100, per_class={"a": ClassScores(n=20, metrics={"recall": pooled})})
        return with_folds(whole, parts, [80] * 5, n_images=100).per_class["a"].metrics["recall"]

    # No fold says anything: by images alone, 5 times the pooled variance each, times 1/5 + 1/4.
    angle = [np.arcsin(np.sqrt(value)) for value in (0.77, 0.85, 0.91)]
    merged = of_class([None] * 5)
    assert merged.low == pytest.approx(np.sin(angle[1] - 1.5 * (angle[1] - angle[0])) ** 2, abs=1e-9)
    assert merged.high == pytest.approx(np.sin(angle[1] + 1.5 * (angle[2] - angle[1])) ** 2, abs=1e-9)
    unlike, alike = of_class([0.5, None, 1.0, None, None]), of_class([0.85, None, 0.85, None, None])
    assert (unlike.low or 1) < (alike.low or 0) < 0.77


def test_the_interval_of_folds_weighs_their_spread_with_that_by_images() -> None:
    pooled = Metric(value=0.85, low=0.77, high=0.91)
    merged = folded([0.8, 0.9, 0.85, 0.95, 0.75], pooled)
    # Pooled: variance (.14 / 3.919928)² = .00127557, hence .00637786 of a fold; the folds' own is .00625 by as many
    # degrees of freedom, 4. Their mean .00631393 times 1/5 + 1/4 is .00284127, and so all angles are stretched by
    # sqrt(.00284127 / .00127557) = 1.492461.
    angle = [np.arcsin(np.sqrt(value)) for value in (0.77, 0.85, 0.91)]
    assert merged.low == pytest.approx(np.sin(angle[1] - 1.492461 * (angle[1] - angle[0])) ** 2, abs=1e-5)
    assert merged.high == pytest.approx(np.sin(angle[1] + 1.492461 * (angle[2] - angle[1])) ** 2, abs=1e-5)
    assert merged.method is not None
    assert "trained on 80% of the images" in merged.method
    unsteady = folded([0.6, 1.0, 0.8, 1.0, 0.6], pooled)
    assert (unsteady.low or 1) < (merged.low or 0) < (merged.high or 1) < (unsteady.high or 0)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=10),
    st.tuples(*[st.floats(0, 1)] * 3).map(sorted),
)
@example(values=[0.0, 1.0], ends=[0.0, 3e-159, 3e-159])  # widths whose squares are next to nothing
def test_folds_never_narrow_an_interval_and_a_share_stays_one(values: list[float], ends: list[float]) -> None:
    low, value, high = ends
    merged = folded(values, Metric(value=value, low=low, high=high))
    assert merged.low is not None
    assert merged.high is not None
    assert 0 <= merged.low <= low + 1e-9
    assert high - 1e-9 <= merged.high <= 1


def test_a_loss_is_stretched_evenly_and_not_below_zero() -> None:
    merged = folded([0.2, 3.0, 0.1, 2.5, 0.2], Metric(value=0.3, low=0.2, high=0.5), name="log_loss")
    assert merged.low == 0
    assert merged.high is not None
    assert merged.high > 1


# A domain left out


def write_two_labs(folder: Path) -> list[Path]:
    """Cells of two laboratories; one image of the second is a copy of one of the first."""
    labs = [write_cells(folder / "lab_a", 30, n_slides=5), write_cells(folder / "lab_b", 24, n_slides=4, seed=1)]
    shutil.copy(labs[0] / "small" / "slide0_000.png", labs[1] / "small" / "copy.png")
    return labs


def test_each_domain_is_tested_by_a_network_that_saw_neither_it_nor_copies_of_its_images(tmp_path: Path) -> None:
    data = cs.open_dataset(write_two_labs(tmp_path))
    folds, _ = folds_of_recipe(data, scan_images(data), Recipe(split=SplitPlan(by_domain=True)))
    assert folds is not None
    domain = [record.domain for record in data.records]
    assert {(name, fold) for name, fold in zip(domain, folds.fold_of, strict=True)} == {("lab_a", 1), ("lab_b", 2)}
    for split, tested in zip(folds.splits, ("lab_a", "lab_b"), strict=True):
        sides = {part for part, name in zip(split.parts, domain, strict=True) if name == tested}
        assert sides == {"test"}
        others = Counter(part for part, name in zip(split.parts, domain, strict=True) if name != tested)
        assert others["excluded"] == 1  # the copy, or what it is a copy of
        assert others["val"] == round(0.2 * (others["val"] + others["train"]))
        assert [reason for reason in split.reasons if tested in reason]


def test_leaving_a_domain_out_needs_several_that_share_classes(tmp_path: Path) -> None:
    dataset = cs.open_dataset(write_cells(tmp_path / "one", 12))
    with refusing(BadDataset, "single-domain"):
        folds_of_recipe(dataset, scan_images(dataset), Recipe(split=SplitPlan(by_domain=True)))
    apart = [write_cells(tmp_path / "a", 12), write_plain(tmp_path / "b", {"g1": "other"})]
    data = cs.open_dataset(apart)
    with refusing(BadDataset, "domain-not-trainable", domain="a"):
        folds_of_recipe(data, scan_images(data), Recipe(split=SplitPlan(by_domain=True)))
    with pytest.raises(ValueError, match=re.escape(text("domains-with-folds"))):
        SplitPlan(folds=3, by_domain=True)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_leaves_each_domain_out_and_its_numbers_are_by_domain(tmp_path: Path) -> None:
    data = cs.open_dataset(write_two_labs(tmp_path))
    run = train_without_report(
        data, INSTANT.model_copy(update={"split": SplitPlan(by_domain=True)}), out=tmp_path / "run"
    )
    assert [fold.metrics.n for fold in run.folds] == [30, 25]
    assert {name: scores.n for name, scores in run.metrics.by_domain.items()} == {"lab_a": 30, "lab_b": 25}
    rows = rows_of(run.folder / "split.csv")
    assert {(row["domain"], row["fold"]) for row in rows} == {("lab_a", "1"), ("lab_b", "2")}
    reported = read_run(run.folder)
    verdict = verdict_of_run(reported)
    assert "limit-training-domains" not in [reason.code for reason in verdict.reasons]
    values = [scores.metrics["macro_f1"].value or 0 for scores in run.metrics.by_domain.values()]
    mean, lowest, highest = (f"{each:.2f}" for each in (sum(values) / 2, min(values), max(values)))
    title = METRICS["macro_f1"].title
    expected = text("report-new-domain", metric=title, mean=mean, n=2, lowest=lowest, highest=highest)
    assert expected in lead(reported, verdict)


def test_the_preview_divides_by_the_splits_own_seed_as_the_training_does(tmp_path: Path) -> None:
    for slide, n in enumerate((2, 5, 9, 4, 7, 3, 1)):
        for label in ("round", "flat"):
            for i in range(n):
                save_cell(tmp_path / label / f"slide{slide}_{i}.png")
    data = cs.open_dataset(tmp_path, group_pattern=r"slide\d+")
    scan = scan_images(data)
    by_seed = [preview_of_split(data, Recipe(seed=seed, split=SplitPlan(folds=3)), scan) for seed in (0, 1)]
    preview = preview_of_split(data, Recipe(seed=1, split=SplitPlan(folds=3, seed=0)), scan)
    assert preview == by_seed[0] != by_seed[1]


def test_folds_of_unequal_size_are_trained_for_as_many_epochs_as_the_smallest_needs(tmp_path: Path) -> None:
    data = cs.open_dataset(save_cells(tmp_path / "cells", ("round", "flat", "long"), n=100))
    scan = scan_images(data)
    folds = fold_images(data, scan, n_folds=3, val=0.2, seed=0)
    called_for = [automatic_epochs(split.parts.count("train")) for split in folds.splits]
    assert with_epochs_for_folds(data, scan, folds, Recipe()).n_epochs == max(called_for)
    capped = Recipe(split=SplitPlan(train_per_class=40))
    assert with_epochs_for_folds(data, scan, folds, capped).n_epochs == automatic_epochs(120) > max(called_for)
    assert with_epochs_for_folds(data, scan, folds, Recipe(epochs=3)).n_epochs == 3
