"""The expected time of a training, by a measurement on some of its images."""

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from drawing import write_cells
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from trained import GROUPS, INSTANT, SMALL_NETWORK

import coverslip as cs
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import Stopped
from coverslip.events import Event, Noted, SetSizes, WorkPlanned
from coverslip.experiments.estimating import Speed, measure_speed, measure_speed_of, plan_work
from coverslip.experiments.one_split import make_split
from coverslip.experiments.split_data import SplitData
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.recipe_keys import with_settings
from coverslip.runs.timing import TRAINING_BY_EMBEDDING, total_seconds
from coverslip.stopping import Deadline
from coverslip.studies.timing import _sizes

SIZES = [SetSizes(n_train=30, n_val=10, n_test=10, n_drawn=30, n_selecting=10)]
SPEED = Speed(reading=0.0, embedding=0.1, training=1.0, product=0.004, slowness=1.0)
FINETUNE = with_settings(INSTANT, ["stage=finetune", "epochs=8"])


def test_the_epochs_that_a_schedule_adds_are_expected() -> None:
    n_epochs = []
    for changes in ({}, {"schedule_changes": {2.0: 15.5}}, {"schedule_changes": {2.0: 15.5}, "last_epoch": 10}):
        n_epochs.append(plan_work(FINETUNE.model_copy(update=changes), SIZES).n_epochs)
    assert n_epochs == [8, 16, 10]


def test_the_expected_time_grows_with_the_work(cells: Path) -> None:
    instant, tuned = (plan_work(recipe, SIZES, SPEED) for recipe in (INSTANT, FINETUNE))
    assert tuned.seconds is not None
    assert instant.seconds is not None
    assert tuned.seconds - instant.seconds >= 8 * 30 * SPEED.training
    half = SPEED.at_side(0.5).pace(40, 1, 0.0)
    assert half.embedding == pytest.approx(0.1 / 2**1.5)
    assert total_seconds(instant, half) < instant.seconds
    assert plan_work(INSTANT, SIZES).seconds is None  # not measured
    more = SPEED.pace(3010, 1, 0.0).fitting  # 0.2 + 4.70 s, and 4.06 s for products of matrices
    assert more == pytest.approx(8.97, rel=0.01)


def measured(cells: Path, folder: Path, *settings: str, deadline: float = 1e6) -> Speed:
    data, recipe = cs.open_dataset(cells, group_pattern=GROUPS), with_settings(FINETUNE, [*settings])
    scan = scan_images(data)
    context = RunContext(folder, deadline=Deadline.within(deadline))
    return measure_speed(SplitData(data, scan, make_split(data, scan, recipe)), recipe, context)


@pytest.mark.slow
def test_the_speed_of_a_training_is_measured_on_a_few_images(cells: Path, tmp_path: Path) -> None:
    speed = measured(cells, tmp_path)
    assert all(0 < seconds < 600 for seconds in asdict(speed).values())
    assert not list(tmp_path.iterdir())
    sampled = measure_speed_of(cs.open_dataset(cells, group_pattern=GROUPS), with_settings(FINETUNE, ["init=scratch"]))
    assert all(0 < seconds < 600 for seconds in asdict(sampled).values())


@pytest.mark.slow
def test_steps_that_cannot_end_or_do_not_fit_into_memory_are_estimated(cells: Path, tmp_path: Path) -> None:
    steps: list[nn.Module] = []

    def fail_in_training(module: nn.Module, _: object) -> None:
        if module.training and isinstance(module, nn.Conv2d):
            steps.append(module)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = register_module_forward_pre_hook(fail_in_training)
    try:
        without_time = measured(cells, tmp_path, deadline=0.0)
        assert not steps
        without_memory = measured(cells, tmp_path)
    finally:
        hook.remove()
    for speed in (without_time, without_memory):
        assert speed.training == pytest.approx(TRAINING_BY_EMBEDDING * speed.embedding)


@pytest.mark.slow
def test_a_training_notes_its_expected_time_before_it_begins(cells: Path, tmp_path: Path) -> None:
    notes: list[Noted] = []

    def listen(event: Event) -> None:
        if isinstance(event, Noted) and event.code == "expected-time":
            notes.append(event)
            Run(tmp_path / "run").stop_file.touch()

    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), INSTANT, out=tmp_path / "run", emit=listen)
    [note] = notes
    assert 0 < note.parameters["seconds"] < 600
    assert not Run(tmp_path / "run").has_classifier


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
