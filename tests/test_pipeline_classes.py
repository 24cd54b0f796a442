"""A run whose recipe changes the classes: training, measuring, going on and the report all see the new ones."""

import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import write_cells
from tables import json_of, rows_of
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRecipe, Stopped
from coverslip.events import Event, Noted, RunStarted
from coverslip.messages import message, text
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import check_recipe

CHANGES = {"merge": {"big": ["large", "huge"]}, "drop": ["dirt"], "rename": {"tiny": "small"}, "order": ["small"]}


def recipe(**more: object) -> Recipe:
    return check_recipe(
        {"model": SMALL_NETWORK, "stage": "instant", "image_size": 48, "tta": 1, "classes": CHANGES}
        | more
        | {"split": {"folds": 0} | dict(more.get("split", {}))}  # type: ignore[call-overload]
    )


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells of three sizes, and pictures without any; 24 of each."""
    classes, radii = ("dirt", "tiny", "large", "huge"), (0, 0.08, 0.25, 0.33)
    return write_cells(tmp_path_factory.mktemp("data") / "cells", 96, classes=classes, radii=radii)


@pytest.fixture(scope="module")
def notes() -> list[str]:
    """The events of the run below."""
    return []


@pytest.fixture(scope="module")
def run(cells: Path, notes: list[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.text)

    folder = tmp_path_factory.mktemp("runs") / "run"
    return cs.train(cs.open_dataset(cells), recipe(split={"train_per_class": 9}), out=folder, emit=listen)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_every_file_of_the_run_has_the_new_classes_in_the_requested_order(run: Run) -> None:
    metrics = json_of(run.folder / "metrics.json")
    assert metrics["classes"] == list(metrics["per_class"]) == ["small", "big"]
    assert np.array(metrics["confusion_matrix"]).sum(axis=1).tolist() == [5, 10]
    assert json_of(run.folder / "classifier" / "classifier.json")["classes"] == ["small", "big"]
    assert json_of(run.folder / "data.json")["classes"] == {"small": 24, "big": 48}
    for name in ("predictions.csv", "validation.csv"):
        rows = rows_of(run.folder / name)
        assert [name for name in rows[0] if name.startswith("p:")] == ["p:small", "p:big"]
        assert {row["label"] for row in rows} == {"small", "big"}
    assert run.metrics["accuracy"].value is not None
    assert run.metrics["accuracy"].value > 0.9


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_split_says_what_was_excluded_on_request_and_the_notes_count_it(run: Run, notes: list[str]) -> None:
    counts = Counter((row["label"], row["split"], row["reason"]) for row in rows_of(run.folder / "split.csv"))
    on_request = {(label, reason): n for (label, part, reason), n in counts.items() if part == "excluded"}
    assert on_request == {
        ("dirt", "on request: the class dirt is dropped"): 24,
        ("small", "on request: training has 9 other images of the class small"): 5,
        ("big", "on request: training has 9 other images of the class big"): 20,
    }
    assert counts["small", "train", ""] == counts["big", "train", ""] == 9
    assert notes[-2:] == [  # an earlier training on this computer adds the expected time before
        text("dropped", n_images=24, classes=text("images-of-class", n_images=24, label="dirt")),
        text("capped", n_images=25, n_per_class=9),
    ]


@pytest.mark.slow
def test_the_report_says_what_was_done_to_classes_without_a_warning(run: Run) -> None:
    page = re.sub(r"\s+", " ", (run.folder / "report.html").read_text(encoding="utf-8"))
    for sentence in (
        "Classes were merged: large and huge as “big”.",
        "Classes were renamed: tiny to “small”.",
        "Images of dirt were excluded.",
        "At most 9 training images of each class, drawn at random, were used.",
        "on request: the class dirt is dropped</span></th><td>24</td>",
    ):
        assert sentence in page
    assert "New images with the same problems" not in page


@pytest.mark.exhaustive
@pytest.mark.slow
def test_other_images_are_measured_by_their_old_names_and_by_the_new_ones(
    run: Run, cells: Path, tmp_path: Path
) -> None:
    tested = [row["path"] for row in rows_of(run.folder / "predictions.csv")]
    names = {"tiny": "small", "large": "big", "huge": "big"}
    measured, notes = [], []
    for name, new in {"old": {}, "new": names, "mixed": {"large": "big"}}.items():
        table = tmp_path / f"{name}.csv"
        rows = [(cells / path, new.get(path.split("/")[0], path.split("/")[0])) for path in tested]
        rows += list(zip(sorted((cells / "dirt").iterdir()), ("dirt", "odd"), strict=False))
        table.write_text("path,label\n" + "".join(f"{path},{label}\n" for path, label in rows))
        evaluation = cs.evaluate(
            run.folder, cs.open_dataset(table), emit=lambda e: notes.append(e) if isinstance(e, Noted) else None
        )
        measured.append({k: v for k, v in json_of(evaluation.folder / "metrics.json").items() if k != "split"})
        assert {row["label"] for row in rows_of(evaluation.folder / "predictions.csv")} == {
            "small",
            "big",
            "dirt",
            "odd",
        }
    run_metrics = {k: v for k, v in json_of(run.folder / "metrics.json").items() if k != "split"}
    assert measured == [run_metrics] * 3
    assert [note.parameters for note in notes if note.code == "other-labels"] == [
        {"n_images": 1, "labels": asdict(message("report-quoted", name="odd")), "is_dropped": False},
        {"n_images": 1, "labels": asdict(message("report-quoted", name="dirt")), "is_dropped": True},
    ] * 3


@pytest.mark.slow
def test_the_test_images_are_found_and_measured_again(run: Run) -> None:
    before = json_of(run.folder / "metrics.json")
    assert json_of(cs.evaluate(run.folder).folder / "metrics.json") == before


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_resumed_run_has_the_same_split(cells: Path, run: Run, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, RunStarted):
            (tmp_path / "run" / "stop").touch()

    choices = recipe(split={"train_per_class": 9})
    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells), choices, out=tmp_path / "run", emit=stop)
    assert not (tmp_path / "run" / "metrics.json").exists()
    resumed = cs.resume(tmp_path / "run")
    for name in ("split.csv", "metrics.json", "predictions.csv"):
        assert (resumed.folder / name).read_bytes() == (run.folder / name).read_bytes()


def test_a_class_that_is_not_there_is_refused_before_anything_is_made(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match="did you mean 'large'"):
        cs.train(cs.open_dataset(cells), check_recipe({"classes": {"drop": ["larg"]}}), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_herlev_as_two_classes_is_a_recipe(shared_data: Any, tmp_path: Path) -> None:  # Any: a function of the fixture
    herlev = shared_data("pap_herlev") / "images.csv"
    abnormal = "carcinoma_in_situ, light_dysplastic, moderate_dysplastic, severe_dysplastic"
    normal = "normal_columnar, normal_intermediate, normal_superficiel"
    settings = [
        *("stage=instant", "image_size=64", "tta=1", "split.train_per_class=60", "classes.order=[normal, abnormal]"),
        "split.folds=0",
        f"classes.merge={{abnormal: [{abnormal}], normal: [{normal}]}}",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
    assert main(["train", str(herlev), "--group", "image", *options, "--out", str(tmp_path / "run")]) == 0
    metrics = json_of(tmp_path / "run" / "metrics.json")
    assert metrics["classes"] == ["normal", "abnormal"]
    assert metrics["metrics"]["balanced_accuracy"]["value"] > 0.7
    parts = Counter((row["label"], row["split"]) for row in rows_of(tmp_path / "run" / "split.csv"))
    assert (parts["normal", "train"], parts["abnormal", "train"]) == (60, 60)
    assert sum(n for (label, _), n in parts.items() if label == "normal") == 98 + 70 + 74
    assert sum(n for (label, _), n in parts.items() if label == "abnormal") == 150 + 182 + 146 + 197
