"""A run on two domains: its split, numbers and report know them apart, and each can be measured by itself."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import write_cells
from tables import rows_of
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.events import Event, Noted
from coverslip.messages import text
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import check_recipe


def recipe(**more: object) -> Recipe:
    quick = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 48, "tta": 1, "augment": "none"}
    return check_recipe(quick | {"split": {"folds": 0}} | more)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """`1` is a small disc in the red set and a large one in the blue set."""
    data = tmp_path_factory.mktemp("data")
    return [
        write_cells(data / "red", 80, classes=("1", "2"), radii=(0.08, 0.33), ground=(0.5, 0.2, 0.2)),
        write_cells(data / "blue", 30, classes=("3", "1"), radii=(0.17, 0.33), ground=(0.2, 0.2, 0.5), seed=1),
    ]


@pytest.fixture(scope="module")
def run(sets: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    choices = recipe(classes={"by_domain": True, "rename": {"red/2": "big"}})
    return cs.train(cs.open_dataset(sets), choices, out=tmp_path_factory.mktemp("runs") / "run")


def metrics_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return content


@pytest.mark.slow
def test_each_set_has_its_own_classes_in_every_part_and_numbers_of_its_own(run: Run) -> None:
    metrics = metrics_of(run.folder)
    assert metrics["classes"] == ["big", "blue/1", "blue/3", "red/1"]
    counts = Counter((row["domain"], row["split"]) for row in rows_of(run.folder / "split.csv"))
    assert counts == {
        ("red", "train"): 48, ("red", "val"): 16, ("red", "test"): 16,
        ("blue", "train"): 18, ("blue", "val"): 6, ("blue", "test"): 6,
    }  # fmt: skip
    assert {name: of_domain["n"] for name, of_domain in metrics["by_domain"].items()} == {"blue": 6, "red": 16}
    tested = rows_of(run.folder / "predictions.csv")
    for name, of_domain in metrics["by_domain"].items():
        rows_of_set = [row for row in tested if row["image_id"].startswith(f"{name}/")]
        recalls = [
            np.mean([row["predicted"] == label for row in rows_of_set if row["label"] == label])
            for label in {row["label"] for row in rows_of_set}
        ]
        assert len(recalls) == 2
        assert of_domain["metrics"]["macro_recall"]["value"] == pytest.approx(np.mean(recalls))
    assert metrics["metrics"]["accuracy"]["value"] > 0.8


@pytest.mark.slow
def test_the_report_distinguishes_the_datasets(run: Run) -> None:
    page = re.sub(r"\s+", " ", (run.folder / "report.html").read_text(encoding="utf-8"))
    for sentence in (
        "Metrics per domain",
        ">blue</span></th><td>6</td><td>2</td>",
        ">red</span></th><td>48</td><td>16</td><td>16</td><td>80</td>",
        "of the domains blue and red, were divided, stratified by domain and class,",
        "Each domain had separate classes",
        text("limit-no-shared-class"),
        text("limit-training-domains"),
    ):
        assert sentence in page
    assert text("limit-one-domain") not in page


@pytest.mark.exhaustive
@pytest.mark.slow
def test_one_of_the_sets_can_be_measured_by_itself_and_predicted(run: Run, sets: list[Path], tmp_path: Path) -> None:
    evaluation = cs.evaluate(run.folder, cs.open_dataset(sets[0]), name="red")
    metrics = metrics_of(evaluation.folder)
    assert metrics["n"] == 80
    assert {name: of_class["n"] for name, of_class in metrics["per_class"].items() if of_class["n"]} == {
        "big": 40,
        "red/1": 40,
    }
    table = tmp_path / "elsewhere" / "new.csv"
    table.parent.mkdir()
    first, second, third = (min(folder.iterdir()) for folder in (sets[0] / "1", sets[0] / "2", sets[1] / "1"))
    table.write_text(f"path,label\n{first},red/1\n{second},big\n{third},1\n")
    metrics = metrics_of(cs.evaluate(run.folder, cs.open_dataset(table)).folder)
    assert {name: of_class["n"] for name, of_class in metrics["per_class"].items() if of_class["n"]} == {
        "big": 1,
        "red/1": 1,
    }
    cs.predict(run.folder, [sets[1]], out=tmp_path / "p.csv")
    predicted = [row["predicted"] for row in rows_of(tmp_path / "p.csv")]
    assert np.mean([name.startswith("blue/") for name in predicted]) > 0.8


@pytest.mark.exhaustive
@pytest.mark.slow
def test_without_a_word_in_the_recipe_equal_names_are_one_class_and_a_note_says_so(
    sets: list[Path], tmp_path: Path
) -> None:
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            notes.append(event.code)

    run = cs.train(cs.open_dataset(sets), recipe(), out=tmp_path / "run", emit=listen)
    assert metrics_of(run.folder)["classes"] == ["1", "2", "3"]
    assert "shared-classes" in notes
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "classes with the same name" in page
    assert text("limit-no-shared-class") not in page


@pytest.mark.exhaustive
def test_fine_tuning_draws_a_small_set_as_often_as_a_large_one_and_resumes(sets: list[Path], tmp_path: Path) -> None:
    choices = recipe(stage="finetune", epochs=1, batch_size=24, sampling="domains", image_size=32)
    events: list[Event] = []
    cs.train(cs.open_dataset(sets), choices, out=tmp_path / "run", emit=events.append)
    steps = {event.n_steps for event in events if type(event).__name__ == "StepEnded"}  # type: ignore[attr-defined]
    assert steps == {(48 + 48) // 24}
