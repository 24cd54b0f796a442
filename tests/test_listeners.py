"""Work goes on whatever becomes of those who listen to it; listeners pass what they hear to other programs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import write_cells
from trained import INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.events import EpochEnded, Event, Progressed, RunEnded, StepEnded, progress_reporter
from coverslip.listeners import MlflowListener, listener_names, open_listener, scalars_of
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.recipe_keys import save_recipe

FINETUNED = Recipe(
    model=SMALL_NETWORK, epochs=2, batch_size=8, image_size=32, tta=1, patience=None, split=SplitPlan(folds=0)
)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_listener_that_fails_does_not_end_a_training_and_is_reported_once(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        raise ValueError("the window was closed")

    cells = write_cells(tmp_path / "cells", 24, classes=("small", "large"))
    run = cs.train(cs.open_dataset(cells), INSTANT, out=tmp_path / "run", emit=fail)
    assert json.loads((run.folder / "status.json").read_text())["state"] == "done"
    assert 0 <= run.metrics["accuracy"].value <= 1
    events = [json.loads(line) for line in (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    faults = [event for event in events if "the window was closed" in event.get("text", "")]
    assert [event["level"] for event in faults] == ["warning"]
    assert events[-1]["event"] == "RunEnded"
    assert events[-1]["state"] == "done"


def test_progress_of_long_work_is_reported_and_of_short_work_is_not(monkeypatch):
    now = 100.0
    monkeypatch.setattr("coverslip.events.time.monotonic", lambda: now)
    events: list[Event] = []
    report = progress_reporter(events.append, "fitting", "networks")
    for done in range(1, 5):  # a fifth of a second each
        now += 0.2
        report(done, 5)
    report(5, 5)
    assert events == []
    for done in range(1, 5):
        now += 0.6
        report(done, 4)
    parts = [event for event in events if isinstance(event, Progressed)]
    assert [(part.done, part.total, part.unit) for part in parts] == [(done, 4, "networks") for done in range(1, 5)]
    assert [round(part.seconds_left or 0, 3) for part in parts] == [4.2, 2.0, 0.867, 0]


def train_with(listener: str, folder: Path) -> Run:
    cells = write_cells(folder / "cells", 48, classes=("small", "large"))
    recipe = folder / "recipe.yaml"
    save_recipe(FINETUNED, recipe)
    options = ["--recipe", str(recipe), "--out", str(folder / "run"), "--listener", listener]
    assert main(["train", str(cells), *options]) == 0
    return Run(folder / "run")


def expected_scalars(run: Run) -> dict[str, dict[int, float]]:
    """What a listener hears of a training, from the files of its run."""
    expected: dict[str, dict[int, float]] = {}
    for epoch in run.history:
        for name in ("loss", "f1"):
            value = getattr(epoch, f"val_{name}")
            expected.setdefault(f"validation/{name}", {})[epoch.epoch] = value
    expected["test/accuracy"] = {0: run.metrics["accuracy"].value}
    return expected


@pytest.mark.slow
def test_tensorboard_shows_the_metrics_of_a_training(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train_with("tensorboard", tmp_path)
    logged = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    for name, values in expected_scalars(run).items():
        assert {each.step: each.value for each in logged.Scalars(name)} == pytest.approx(values, rel=1e-6), name
    assert logged.Scalars("step/loss")


@pytest.fixture
def mlflow_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip("mlflow")
    address = (tmp_path / "mlflow").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return address


@pytest.mark.slow
def test_mlflow_has_recipe_metrics_and_report_of_a_training(tmp_path: Path, mlflow_store: str) -> None:
    from mlflow import MlflowClient

    run = train_with("mlflow", tmp_path)
    client = MlflowClient(mlflow_store)
    experiment = client.get_experiment_by_name("coverslip")
    assert experiment is not None
    (logged,) = client.search_runs([experiment.experiment_id])
    assert (logged.info.run_name, logged.info.status) == ("run", "FINISHED")
    assert logged.data.params["model"] == SMALL_NETWORK
    assert logged.data.params["split.val"] == str(FINETUNED.split.val)
    for name, values in expected_scalars(run).items():
        history = client.get_metric_history(logged.info.run_id, name)
        assert {each.step: each.value for each in history} == pytest.approx(values), name
    files = [each.path for each in client.list_artifacts(logged.info.run_id)]
    assert files == ["metrics.json", "model_card.md", "report.html"]


def test_a_destination_that_mlflow_cannot_open_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://server")
    for open_it in (MlflowListener, lambda folder: open_listener("mlflow", folder)):
        with pytest.raises(cs.CoverslipError) as refused:
            open_it(tmp_path / "run")
        assert refused.value.code == "mlflow-not-opened"


def test_a_damaged_installation_of_mlflow_is_no_fault_of_its_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)  # its import fails
    with pytest.raises(cs.CoverslipError) as refused:
        open_listener("mlflow", tmp_path / "run")
    assert refused.value.code == "listener-not-opened"


@pytest.mark.slow
def test_a_listener_of_another_package_is_found_and_a_broken_one_is_one_clear_error(tmp_path: Path) -> None:
    about = tmp_path / "toy-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    entries = "[coverslip.listeners]\ntoy = toy:new\nbroken = toy:missing\n"
    (about / "entry_points.txt").write_text(entries)
    (tmp_path / "toy.py").write_text(
        "def new(run_folder):\n    return lambda event: print(run_folder.name, event.run)\n"
    )
    code = (
        "from pathlib import Path; from coverslip.events import RunEnded; from coverslip.listeners import *\n"
        "from coverslip.listeners import open_listener\n"
        "open_listener('toy', Path('first'))(RunEnded(run='r', state='done'))\n"
        "try: open_listener('broken', Path('first'))\n"
        "except Exception as error: print(error.code)\n"
    )
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["first r", "listener-not-opened"]


def test_a_listener_that_does_not_exist_is_one_clear_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert {"mlflow", "tensorboard"} <= set(listener_names())
    with pytest.raises(cs.CoverslipError) as refused:
        open_listener("wandb", Path("run"))
    assert refused.value.code == "unknown-listener"
    cells = write_cells(tmp_path / "cells", 6)
    assert main(["train", str(cells), "--out", str(tmp_path / "run"), "--listener", "wandb"]) == 1
    assert "tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_scalars_of_folds_and_pretraining_have_names_of_their_own() -> None:
    step = StepEnded(epoch=2, n_epochs=3, step=4, n_steps=10, loss=0.5, images_per_second=9)
    assert scalars_of(step) == ({"step/loss": 0.5, "step/images_per_second": 9}, 14)
    scores = dict.fromkeys(
        [f"{split}_{name}" for split in ("train", "val") for name in ("loss", "accuracy", "precision", "recall", "f1")]
    )
    epoch = EpochEnded(
        fold=2, epoch=3, n_epochs=5, seconds=1, learning_rate=0.1, is_best=True, seconds_left=1, **scores
    )
    assert scalars_of(epoch) == ({"fold_2/learning_rate": 0.1}, 3)
    assert scalars_of(RunEnded(run="nowhere", state="failed")) == ({}, 0)
