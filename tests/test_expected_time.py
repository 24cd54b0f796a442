"""The expected time of a training, by the pace of earlier ones on this computer."""

import json
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from drawing import write_cells
from trained import GROUPS, INSTANT, SMALL_NETWORK
from training_events import a_step, an_epoch

import coverslip as cs
from coverslip.cache.stores import RecordStore
from coverslip.datasets.index.records import Dataset
from coverslip.errors import Stopped
from coverslip.events import (
    COMPUTING_FEATURES,
    Event,
    InstantClassifierFitted,
    Noted,
    Pace,
    Progressed,
    RunEnded,
    SetSizes,
    StageStarted,
    WorkPlanned,
)
from coverslip.experiments.estimating import PACES, PaceListener, plan_work
from coverslip.messages import note
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.progress import LoggedProgress, fold_event
from coverslip.runs.recipe_keys import save_recipe, with_settings
from coverslip.runs.timing import refit_seconds
from coverslip.studies.timing import _sizes


def expected_seconds(cells: Path, out: Path, *settings: str, is_stopped: bool = False) -> float | None:
    """What a training says before it begins; it may be stopped as soon as it has said so."""
    notes: list[Noted] = []

    def listen(event: Event) -> None:
        if isinstance(event, Noted) and event.code == "expected-time":
            notes.append(event)
            if is_stopped:
                Run(out).stop_file.touch()

    data = cs.open_dataset(cells, group_pattern=GROUPS)
    with pytest.raises(Stopped) if is_stopped else nullcontext():
        cs.train(data, with_settings(INSTANT, ["model=mobilenet_v2", *settings]), out=out, emit=listen)
    [note] = notes
    seconds = note.parameters["seconds"]
    assert seconds is None or isinstance(seconds, float)
    return seconds


@pytest.mark.slow
@pytest.mark.exhaustive
def test_earlier_trainings_give_the_expected_time_of_the_same_network_at_about_this_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    cells = write_cells(tmp_path / "cells", 48)
    assert expected_seconds(cells, tmp_path / "first") is None
    same = expected_seconds(cells, tmp_path / "same", is_stopped=True)
    assert same is not None
    assert 0 < same < 60
    scaled = expected_seconds(cells, tmp_path / "scaled", "image_size=64", is_stopped=True)
    assert scaled is not None
    assert scaled > 0
    for i, other in enumerate(("image_size=160", f"model={SMALL_NETWORK}")):
        assert expected_seconds(cells, tmp_path / f"other {i}", other, is_stopped=True) is None


def paces() -> dict[int, dict[str, Any]]:  # Any: JSON values
    """The pace that is kept of each image size."""
    with RecordStore(PACES, "all") as store:
        stored = store.find(["paces 4"]).get("paces 4", b"[]")
    return {each["image_size"]: each["pace"] for each in json.loads(stored)}


def listened(folder: Path, *events: Event) -> None:
    """A training's events as the keeper of paces hears them."""
    folder.mkdir()
    run = Run(folder)
    save_recipe(with_settings(INSTANT, ["model=mobilenet_v2"]), run.recipe_file)
    listen = PaceListener(RunContext(folder))
    for event in (*events, RunEnded(run="a", state="done")):
        listen(event)


PLAN = WorkPlanned(
    sizes=(SetSizes(n_train=30, n_val=10, n_test=10, n_drawn=30, n_selecting=10),),
    n_reprocessed=(50,),
    n_epochs=2,
    has_instant=True,
)
FEATURES = Progressed(stage=COMPUTING_FEATURES, done=40, total=40, per_second=10.0, seconds_left=0.0)


def test_only_what_was_measured_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    guessed = replace(PLAN, pace=Pace(embedding=9.0, training=9.0), basis="an earlier training")
    instant = (StageStarted(stage="instant"), FEATURES)
    listened(tmp_path / "a", guessed, *instant)
    assert paces()[48]["embedding"] == pytest.approx(0.1)
    assert paces()[48]["training"] is None
    listened(tmp_path / "b", PLAN, *instant, StageStarted(stage="finetune", n_epochs=2), a_step(1, 1))
    assert paces()[48]["training"] is None  # first steps are no epoch
    epochs = (StageStarted(stage="finetune", n_epochs=2), an_epoch(1, n_epochs=2, seconds=0.1 * (30 + 10 / 3)))
    listened(tmp_path / "c", PLAN, *instant, *epochs)
    assert paces()[48]["training"] == pytest.approx(0.1)


def test_the_fit_of_an_earlier_training_counts_in_proportion_to_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    fitted = InstantClassifierFitted(seconds=6.0, val_accuracy=None, val_macro_f1=None)
    listened(tmp_path / "a", PLAN, StageStarted(stage="instant"), FEATURES, fitted)
    recipe = Run(tmp_path / "a").recipe.model_copy(update={"stage": "instant"})
    few, more = (
        plan_work(recipe, [replace(PLAN.sizes[0], n_train=n, n_drawn=n)], "cpu").pace.fitting for n in (30, 3000)
    )
    assert few == pytest.approx(0.375)  # at least half a second, of which a quarter is the learning curve
    # Of 40 rows: 0.2 + 0.0625 s. Of 3,010: 0.2 + 4.70 s, and 4.06 s for products of their matrices.
    assert more == pytest.approx(8.97 / 0.2625 * few, rel=0.01)


def test_the_epochs_that_a_schedule_adds_are_expected() -> None:
    recipe = with_settings(INSTANT, ["stage=finetune", "epochs=8"])
    n_epochs = []
    for changes in ({}, {"schedule_changes": {2.0: 15.5}}, {"schedule_changes": {2.0: 15.5}, "last_epoch": 10}):
        n_epochs.append(plan_work(recipe.model_copy(update=changes), PLAN.sizes, "cpu").n_epochs)
    assert n_epochs == [8, 16, 10]


def test_the_time_of_a_refit_counts_only_if_it_took_place() -> None:
    plan = replace(PLAN, n_epochs=0, n_reprocessed=(0,), refits=True)
    begin = (plan, StageStarted(stage="instant"), FEATURES)
    predicting = Progressed(stage="predicting", done=0, total=10, per_second=None, seconds_left=None)
    refitted = Noted.of(note("delivered-classifier", n_images=50, n_tested=30))
    closings = []
    for events in ((*begin, predicting), (*begin, predicting, refitted)):
        progress = LoggedProgress()
        for event in events:
            progress = fold_event(progress, event, 0.0)
        closings.append(fold_event(progress, RunEnded(run="a", state="done"), 100.0).pace.closing)
    assert closings[0] == pytest.approx(100 - 10 * 0.1)  # the predictions of the test images
    assert closings[1] == pytest.approx(99 - refit_seconds(plan, Pace(embedding=0.1)))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_training_that_found_its_features_in_the_cache_leaves_the_known_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))
    cells = write_cells(tmp_path / "cells", 48)
    finetuned = ("stage=finetune", "epochs=1")
    assert expected_seconds(cells, tmp_path / "instant") is None
    assert expected_seconds(cells, tmp_path / "tuned", *finetuned) is None  # nothing is known of its steps
    seconds_again = expected_seconds(cells, tmp_path / "again", is_stopped=True)
    tuned_again = expected_seconds(cells, tmp_path / "tuned again", *finetuned, is_stopped=True)
    assert seconds_again is not None
    assert tuned_again is not None
    assert tuned_again > seconds_again


def planned(data: Dataset, out: Path, *settings: str) -> tuple[SetSizes, ...]:
    """Return the sizes that a training plans, and stop it."""
    plans: list[WorkPlanned] = []

    def listen(event: Event) -> None:
        if isinstance(event, WorkPlanned):
            plans.append(event)
            Run(out).stop_file.touch()

    recipe = with_settings(INSTANT, [f"model={SMALL_NETWORK}", *settings])
    with pytest.raises(Stopped):
        cs.train(data, recipe, out=out, emit=listen, allow_leakage=True)
    [plan] = plans
    return plan.sizes


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ("split.folds=0",),
        ("split.folds=3",),
        ("split.folds=3", "split.train_per_class=4"),
        ("split.folds=0", "sampling=oversample", "split.copies=2"),
    ],
)
def test_the_planned_sizes_are_those_of_the_sets_and_about_those_that_a_study_expects(
    tmp_path: Path, settings: tuple[str, ...]
) -> None:
    data = cs.open_dataset(write_cells(tmp_path / "cells", 90), group_pattern=GROUPS)
    recipe = with_settings(INSTANT, [f"model={SMALL_NETWORK}", *settings])
    sizes, expected = planned(data, tmp_path / "run", *settings), _sizes(data, recipe)
    n, n_folds = len(data) * (1 + recipe.split.copies), recipe.split.folds or 0
    assert len(sizes) == len(expected) == (n_folds + 1 if n_folds else 1)
    if n_folds:
        assert sum(each.n_test for each in sizes) == n
        n_of_class = n if recipe.split.train_per_class is None else 4 * len(data.classes)
        assert sizes[-1] == SetSizes(n_train=n_of_class, n_val=0, n_test=0, n_drawn=n_of_class, n_selecting=0)
    else:
        assert sizes[0].n_images == n
    for exact, approximate in zip(sizes, expected, strict=True):
        for name, value in asdict(exact).items():
            assert getattr(approximate, name) == pytest.approx(value, rel=0.35, abs=8), name
