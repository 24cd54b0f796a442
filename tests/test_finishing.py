"""A training whose fine-tuning is finished early: the rest follows, and the recipe gives the same classifier again."""

import json
import shutil
from pathlib import Path

import pytest
from drawing import write_cells
from synthetic_runs import write_run
from trained import SMALL_NETWORK
from typer.testing import CliRunner

import coverslip as cs
from coverslip.cli import app, main
from coverslip.errors import BadRun, Stopped
from coverslip.events import (
    ClassifierSelected,
    EpochEnded,
    Event,
    InstantClassifierFitted,
    Noted,
    Progressed,
    StageStarted,
)
from coverslip.experiments.run_state import request_finish, withdraw_finish
from coverslip.files import sha256_file
from coverslip.pipeline import train_without_report
from coverslip.reports.differences import differences_between
from coverslip.reports.reported import read_run
from coverslip.runs.folder import Run
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.status import StatusFile
from coverslip.synthetic_cells import write_sample_images

WEIGHTS = "classifier/weights.safetensors"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_images(tmp_path_factory.mktemp("cells") / "cells", n_images=60).folder


def recipe(**changes: object) -> cs.Recipe:
    small = {"model": SMALL_NETWORK, "image_size": 32, "tta": 1, "split": {"folds": 0}, "epochs": 5, "batch_size": 8}
    return cs.Recipe(**{**small, **changes})


def train(cells: Path, out: Path, choices: cs.Recipe, file: str, when: type[Event], epoch: int = 0) -> list[Event]:
    """The events of a training in whose folder a file appears with an event."""
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, when) and (not isinstance(event, EpochEnded) or event.epoch == epoch):
            (out / file).touch()

    cs.train(cells, choices, out=out, emit=listen)
    return events


@pytest.mark.slow
@pytest.mark.parametrize("init", ["imagenet", pytest.param("scratch", marks=pytest.mark.exhaustive)])
def test_what_is_finished_early_is_tested_and_its_recipe_gives_the_same_classifier(
    cells: Path, tmp_path: Path, init: str
) -> None:
    run = Run(tmp_path / "run")
    choices = recipe(init=init, stage_selection="finetune", epochs="auto")
    events = train(cells, run.folder, choices, "finish", EpochEnded, epoch=2)
    assert run.is_done
    assert run.report_file.is_file()
    assert run.metrics.n > 0
    assert not run.finish_file.exists()
    settled, stage = run.recipe, run.training.finetune  # type: ignore[union-attr]  # it is done
    assert stage is not None
    assert (stage.epochs_run, stage.stopped_because) == (2, "finished early")
    assert (settled.last_epoch, settled.epochs, settled.checkpoint_selection) == (2, "auto", "best")
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    best = max(event.epoch for event in epochs if event.is_best)
    (selected,) = [event for event in events if isinstance(event, ClassifierSelected)]
    assert (selected.stage, selected.epoch, selected.checkpoint_selection) == ("finetune", best, "best")
    assert [event.parameters for event in events if isinstance(event, Noted) and event.code == "finished-early"] == [
        {"epochs_run": 2, "epochs": stage.epochs_planned}
    ]
    methods = cs.methods_text(run)
    assert stage.epochs_planned > 5
    assert f"for 2 of {stage.epochs_planned} planned epochs" in methods
    assert f"over {stage.epochs_planned} epochs" in methods
    assert "never stopping early" not in methods
    worked = read_run(run.folder).seconds_of_training
    assert worked > sum(stage.seconds for stage in run.training.stages)  # type: ignore[union-attr]  # it is done
    second_run = train_without_report(cs.open_dataset(cells), settled, out=tmp_path / "again")
    assert sha256_file(second_run.folder / WEIGHTS) == sha256_file(run.folder / WEIGHTS)
    whole = Run(Path(shutil.copytree(second_run.folder, tmp_path / "whole")))
    save_recipe(
        settled.model_copy(update={"last_epoch": None, "checkpoint_selection": "auto", "patience": 7}),
        whole.recipe_file,
    )
    assert [row.name for row in differences_between([run, whole]) if row.what == "recipe"] == ["finished_early"]
    assert not [row for row in differences_between([run, second_run]) if row.what == "recipe"]
    save_recipe(settled.model_copy(update={"stage": "instant", "last_epoch": None}), whole.recipe_file)
    differences = differences_between([run, Run(whole.folder)])
    assert [row.name for row in differences if row.what == "recipe"] == ["stage", "finished_early"]
    (compared,) = [event for event in events if isinstance(event, Noted) and event.code == "stages-compared"] or [None]
    assert (compared is None) == (init == "scratch")
    assert compared is None or compared.parameters["kept"] == "finetune"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_epochs_of_what_is_finished_early_are_counted_by_its_schedule(cells: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    choices = recipe(epochs=1, schedule_changes={0.5: 4.0})
    events = train(cells, run.folder, choices, "finish", EpochEnded, epoch=2)
    assert [event.n_epochs for event in events if isinstance(event, StageStarted) and event.stage == "finetune"] == [4]
    stage = run.training.finetune  # type: ignore[union-attr]  # it is done
    assert stage is not None
    assert (stage.epochs_run, stage.epochs_planned) == (2, 4)
    assert [event.parameters for event in events if isinstance(event, Noted) and event.code == "finished-early"] == [
        {"epochs_run": 2, "epochs": 4}
    ]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_before_fine_tuning_the_instant_classifier_is_what_is_finished(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    images = write_cells(tmp_path / "cells", 102)  # of which an instant classifier is cross-validated by default
    events = train(images, run.folder, recipe(split={"folds": None}), "finish", InstantClassifierFitted)
    assert run.recipe.split.folds == 0
    assert not any(isinstance(event, EpochEnded) for event in events)
    assert (run.recipe.stage, run.training.chosen) == ("instant", "instant")  # type: ignore[union-attr]  # it is done
    assert run.is_done


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_stopped_training_is_finished_by_its_command(cells: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with pytest.raises(Stopped) as stopped:
        train(cells, run.folder, recipe(), "stop", EpochEnded, epoch=3)
    assert [remedy.kind for remedy in stopped.value.remedies] == ["resume", "finish"]
    assert not request_finish(run.folder)  # no process to do so
    withdraw_finish(run.folder)  # as --resume does
    assert not run.finish_file.exists()
    done = CliRunner().invoke(app, ["train", "--finish", str(run.folder)])
    assert done.exit_code == 0, done.output
    ended = Run(run.folder)
    assert (ended.recipe.last_epoch, ended.is_done) == (3, True)
    with pytest.raises(BadRun) as refused:
        request_finish(run.folder)
    assert refused.value.code == "run-is-finished"


@pytest.mark.slow
def test_a_finish_that_another_process_carries_out_is_one_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(write_run(tmp_path, ("a", "b"), n_test=10))
    StatusFile(run.status_file).write("running")
    assert main(["train", "--finish", str(run.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(run.folder), "is_finish_requested": True}
    assert run.finish_file.is_file()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_folds_cannot_be_finished_early(cells: Path, tmp_path: Path) -> None:
    choices = recipe(stage="instant", split={"folds": 2})
    with pytest.raises(Stopped):
        train(cells, tmp_path / "run", choices, "stop", InstantClassifierFitted)
    with pytest.raises(BadRun) as refused:
        request_finish(tmp_path / "run")
    assert refused.value.code == "finish-with-folds"


@pytest.mark.slow
def test_nothing_is_finished_before_it_is_known_whether_there_are_folds(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 24, seed=11)  # which no cache knows
    with pytest.raises(Stopped):
        train(cells, tmp_path / "run", recipe(split={"folds": None}), "stop", Progressed)
    with pytest.raises(BadRun) as refused:
        request_finish(tmp_path / "run")
    assert refused.value.code == "finish-while-reading"
