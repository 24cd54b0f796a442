"""A training within a time budget: it ends in time, is never worse than the instant classifier, and can be repeated."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadRecipe, OutOfMemory, OutOfTime, Stopped
from coverslip.events import EpochEnded, Event, FoldEnded, Noted, StageStarted, ignore
from coverslip.experiments.budgeting import BudgetedTraining, fit_to_budget, fit_to_memory
from coverslip.experiments.cross_validation import folds_of_recipe
from coverslip.experiments.estimating import Speed
from coverslip.experiments.one_split import make_split
from coverslip.experiments.preparation import validated
from coverslip.experiments.presets import with_preset
from coverslip.experiments.run_state import begin_run, resume_budget
from coverslip.experiments.split_data import SplitData
from coverslip.experiments.training_run import run_training
from coverslip.files import sha256_file
from coverslip.models.networks import training_memory
from coverslip.pipeline import train_without_report
from coverslip.reports.reported import ReportedRun, time_for_all, why_instant
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.recipe_keys import load_recipe, with_settings
from coverslip.runs.status import StatusFile
from coverslip.runs.training import budget_seconds
from coverslip.stopping import Deadline, Stop, TimeLimit
from coverslip.training.finetuning import Progress, _step_plan
from coverslip.training.pacing import StepPlan, TimedPlan, changes_in_steps
from coverslip.training.task import TrainingImages

SMALL = INSTANT.model_copy(update={"stage": "finetune", "epochs": 6, "batch_size": 16})  # 3 steps an epoch
OPEN = SMALL.model_copy(update={"image_size": None})
MEMORY = Recipe(image_size=48, tta=1, epochs=3, batch_size=16, split=SplitPlan(folds=0))
RESULTS = ("classifier/weights.safetensors", "metrics.json", "predictions.csv")


@dataclass
class Clock:
    """A machine on which every look at the clock takes a while: as long as a step of fine-tuning."""

    now: float = 0.0
    per_look: float = 0.0

    def __call__(self) -> float:
        self.now += self.per_look
        return self.now


@dataclass
class Machine:
    """Sets how long steps take: by how often fine-tuning has begun, and by the epoch that has ended last."""

    by_attempt: tuple[float, ...]
    by_epoch: dict[int, float] = field(default_factory=dict)
    on_event: Callable[[Event], None] = ignore
    clock: Clock = field(default_factory=Clock)
    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, StageStarted):
            attempts = [stage for stage in self.events if isinstance(stage, StageStarted) and stage.stage == "finetune"]
            is_begun = event.stage == "finetune"
            self.clock.per_look = self.by_attempt[min(len(attempts), len(self.by_attempt)) - 1] if is_begun else 0.0
        if isinstance(event, EpochEnded):
            is_last = event.epoch == event.n_epochs
            self.clock.per_look = 0.0 if is_last else self.by_epoch.get(event.epoch, self.clock.per_look)
        self.on_event(event)

    def notes(self) -> dict[str, Noted]:
        return {event.code: event for event in self.events if isinstance(event, Noted)}


def trained_within(images: Path, folder: Path, recipe: Recipe, budget: float, machine: Machine) -> Run:
    """A training whose clock is the machine's."""
    data, recipe = validated(cs.open_dataset(images, group_pattern=GROUPS), recipe)
    environment = begin_run(folder, data, recipe, "cpu", allow_leakage=False, budget=budget)
    deadline = Deadline.within(budget, machine.clock)
    stop = Stop(Run(folder).stop_file)
    context = RunContext(folder, emit=machine, stop=stop, deadline=deadline, with_report=False)
    return run_training(data, recipe, environment, context)


def resumed_within(run: Run, images: Path, budget: float, machine: Machine) -> Run:
    data, recipe = validated(cs.open_dataset(images, group_pattern=GROUPS), run.recipe)
    deadline = Deadline.within(budget, machine.clock)
    return run_training(data, recipe, run.environment, RunContext(run.folder, emit=machine, deadline=deadline))


def check_same_without_budget(run: Run, images: Path, folder: Path) -> None:
    """The recipe that a run leaves gives the same classifier."""
    data = cs.open_dataset(images, group_pattern=GROUPS)
    repeated = train_without_report(data, load_recipe(run.recipe_file), out=folder)
    assert repeated.budget is None
    for name in RESULTS:
        assert sha256_file(run.folder / name) == sha256_file(repeated.folder / name), name


def n_steps(run: Run) -> int:
    assert run.training is not None
    assert run.training.finetune is not None
    return run.training.finetune.n_steps


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("10 min", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (45, 45),
        ("2M", 120),
    ],
)
def test_a_budget_is_a_length_of_time(text: str | float, seconds: float) -> None:
    assert budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "quick", "10", "m", "-5m", "0s", 0, float("nan"), "10m ago"])
def test_what_is_no_length_of_time_is_refused(text: str | float) -> None:
    with pytest.raises(BadRecipe) as refused:
        budget_seconds(text)
    assert refused.value.code == "not-a-duration"


def test_progress_runs_from_0_to_1_in_equal_steps_without_changes() -> None:
    plan = StepPlan(5, 4, {})
    assert [plan.progress(step) for step in range(21)] == pytest.approx([step / 20 for step in range(21)])
    assert (plan.n_steps, plan.n_epochs, plan.steps_in(5), plan.steps_after(3)) == (20, 5, 4, 8)


def test_progress_goes_on_from_where_it_is_when_the_number_of_steps_changes() -> None:
    plan = StepPlan(10, 10, {50: 75, 60: 90})  # half of the way is done; 25 steps for the other half, then 30
    assert plan.progress(50) == pytest.approx(0.5)
    assert plan.progress(60) == pytest.approx(0.5 + 0.5 * 10 / 25)
    assert plan.progress(75) == pytest.approx(0.7 + 0.3 * 15 / 30)
    assert plan.progress(90) == pytest.approx(1.0)
    assert (plan.n_epochs, plan.steps_in(9), plan.is_annealed) == (9, 10, True)
    assert not StepPlan(10, 10, {50: 50}).is_annealed  # ended at once, halfway
    assert StepPlan(10, 10, {31: 31}).steps_in(4) == 1


@given(
    st.integers(1, 5000),
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)), max_size=5, unique_by=lambda change: change[0]),
)
def test_changes_are_the_same_after_the_recipe_and_in_proportion_on_other_images(
    per_epoch: int, changed: list[tuple[int, int]]
) -> None:
    changes = {step: max(1, step + more) for step, more in sorted(changed)}
    in_epochs = StepPlan(4, per_epoch, changes).changes_in_epochs
    assert changes_in_steps(in_epochs, per_epoch) == changes
    plan = StepPlan(4, 10, changes_in_steps({1.5: 3.0}, 10))
    assert (plan.n_steps, plan.n_epochs, plan.progress(30)) == (30, 3, pytest.approx(1.0))


def simulated(
    plan: StepPlan, clock: Clock, step_seconds: Callable[[int], float], epoch_end_seconds: float = 0.0, first: int = 0
) -> list[float]:
    """Progress by the steps after the first ones, on a machine that takes so long for each."""
    progress, step = [], first
    while step < plan.n_steps:
        step += 1
        progress.append(plan.progress(step))
        clock.now += step_seconds(step)
        plan.after_step(step, lambda: None)
        if step >= plan.n_steps or step % plan.steps_per_epoch == 0:
            clock.now += epoch_end_seconds
            plan.after_epoch()
    return progress


def timed_plan(
    clock: Clock, seconds: float, *, fewest: float = 0.0, most: float = 1e6, reserve: float = 0.0
) -> TimedPlan:
    limit = TimeLimit(Deadline.within(seconds, clock), reserve, fewest_epochs=fewest, most_epochs=most)
    return TimedPlan(10, 50, {}, None, limit, n_validated=0)


@pytest.mark.slow
@given(
    budget=st.floats(60, 900),
    speeds=st.lists(st.floats(0.02, 1.0), min_size=1, max_size=6),
    epoch_end=st.floats(0, 2),
    reserve=st.floats(0, 20),
)
def test_fine_tuning_ends_in_time_with_a_low_rate_however_the_speed_changes(
    budget: float, speeds: list[float], epoch_end: float, reserve: float
) -> None:
    clock = Clock()
    plan = timed_plan(clock, budget, reserve=reserve)
    tenth = budget / len(speeds)
    progress = simulated(plan, clock, lambda step: speeds[min(int(clock.now / tenth), len(speeds) - 1)], epoch_end)
    slowest = max(speeds)
    assert clock.now <= budget + slowest + epoch_end
    assert progress == sorted(progress)
    if max(speeds) < 1.5 * min(speeds):
        assert clock.now > 0.8 * (budget - reserve * slowest / min(speeds)) - 2 * (slowest + epoch_end)
        assert progress[-1] > 0.95
    replayed = StepPlan(10, 50, plan.changes)
    assert replayed.n_steps == len(progress)
    assert [replayed.progress(step) for step in range(1, len(progress) + 1)] == progress


def test_a_machine_that_slows_down_shortens_fine_tuning_and_one_that_speeds_up_prolongs_it() -> None:
    clock = Clock()
    steady = len(simulated(timed_plan(clock, 100.0), clock, lambda step: 0.1))
    clock = Clock()
    slowed = len(simulated(timed_plan(clock, 100.0), clock, lambda step: 0.1 if step < 300 else 0.3))
    clock = Clock()
    faster = len(simulated(timed_plan(clock, 100.0), clock, lambda step: 0.1 if step < 300 else 0.05))
    assert (round(steady, -2), round(slowed, -2), round(faster, -2)) == (1000, 500, 1700)
    clock = Clock()
    assert len(simulated(timed_plan(clock, 100.0, most=12), clock, lambda step: 0.1)) == 600  # more gain nothing


def test_a_resumed_schedule_that_a_new_budget_adapts_is_repeated_by_its_recipe() -> None:
    """The recipe plans a change in the fourth epoch. Time is short after the second."""
    none, clock = np.zeros(0, int), Clock()
    images = TrainingImages(lambda rows: np.zeros(0, np.uint8), np.arange(48), np.arange(48) % 3, none, none, 3)
    recipe = SMALL.model_copy(update={"epochs": 4, "schedule_changes": {11 / 3: 8.0}})
    limit = TimeLimit(Deadline.within(5.5, clock), 0.0, fewest_epochs=0.0, most_epochs=4.0)
    saved = Progress(epoch=2, n_steps=6, schedule_changes={11: 24})
    plan = _step_plan(images, recipe, saved, None, RunContext(Path(), limit=limit))
    progress = simulated(plan, clock, lambda step: 1.0, first=6)
    replayed = StepPlan(4, 3, plan.changes)
    assert replayed.n_steps == 6 + len(progress) < 12
    assert [replayed.progress(step) for step in range(7, 7 + len(progress))] == progress
    assert progress[-1] == pytest.approx(1.0)


def test_more_time_does_not_change_a_schedule_of_which_only_the_first_epochs_are_run() -> None:
    clock = Clock()
    limit = TimeLimit(Deadline.within(1000.0, clock), 0.0, fewest_epochs=0.0, most_epochs=20.0)
    plan = TimedPlan(10, 50, {}, 3, limit, n_validated=0)
    plan_progress = [plan.progress(step) for step in range(1, 151)]
    assert simulated(plan, clock, lambda step: 0.1)[:150] == plan_progress


def test_a_schedule_that_has_ended_before_its_speed_is_measured_is_not_prolonged() -> None:
    clock = Clock()
    limit = TimeLimit(Deadline.within(1000.0, clock), 0.0, fewest_epochs=0.0, most_epochs=20.0)
    plan = TimedPlan(1, 3, {}, None, limit, n_validated=0)
    assert len(simulated(plan, clock, lambda step: 0.1)) == 3


def test_training_from_random_weights_runs_an_epoch_whatever_it_takes() -> None:
    clock = Clock()
    assert len(simulated(timed_plan(clock, 10.0, fewest=1), clock, lambda step: 1.0)) == 50


SPEED = Speed(reading=0.0, embedding=1.0, training=10.0, product=0.004, slowness=1.0)


def choice(
    images: Path,
    folder: Path,
    recipe: Recipe,
    budget: float,
    *,
    is_begun: bool = False,
    free: Callable[[str], int] = lambda device: 10**12,
) -> tuple[BudgetedTraining, dict[str, Noted]]:
    """The work that a budget chooses on a computer of a certain pace, with its notes by code."""
    data, recipe = validated(cs.open_dataset(images, group_pattern=GROUPS), recipe)
    begin_run(folder, data, recipe, "cpu", allow_leakage=False, budget=budget)
    if is_begun:
        checkpoint = Run(folder).checkpoint_file("last")
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
    scan = scan_images(data)
    split_data = SplitData(data, scan, make_split(data, scan, recipe))
    folds, _ = folds_of_recipe(data, scan, recipe)
    events: list[Event] = []
    context = RunContext(folder, emit=events.append, deadline=Deadline.within(budget, Clock()))
    fit = fit_to_budget(data, scan, folds, split_data, recipe, context, SPEED, free)
    assert context.run.recipe.image_size == fit.recipe.image_size
    return fit, {event.code: event for event in events if isinstance(event, Noted)}


def test_more_time_allows_the_better_preset_and_always_one(cells: Path, tmp_path: Path) -> None:
    recipe = OPEN.model_copy(update={"model": "efficientnet_lite0"})
    results = []
    for budget in (0.5, 60.0, 200.0, 3000.0, 9000.0):
        fit, notes = choice(cells, tmp_path / str(budget), recipe, budget)
        record = Run(tmp_path / str(budget)).budget
        assert record is not None
        assert record.is_fixed
        assert with_preset(recipe, record.preset).image_size == fit.recipe.image_size
        assert (fit.recipe.stage == "finetune") == (record.preset == "best") == (fit.context.limit is not None)
        assert (record.sufficient_seconds is not None) == ("no-time-to-fine-tune" in notes) == (record.preset != "best")
        assert ("smaller-images" in notes) == (record.preset == "first-look")
        assert ("budget-exceeded" in notes) == (budget == 0.5)
        results.append(record.preset)
    assert results == ["first-look", "first-look", "good", "best", "best"]


def test_a_first_look_is_not_taken_where_it_saves_little_or_sizes_are_stated(cells: Path, tmp_path: Path) -> None:
    for name, recipe in {"stated": SMALL, "small network": OPEN}.items():
        fit, notes = choice(cells, tmp_path / name, recipe, 0.5)
        assert (fit.recipe.stage, fit.recipe.image_size) == ("instant", recipe.image_size)
        assert "budget-exceeded" in notes


def test_folds_have_equal_epochs_and_are_never_replaced(cells: Path, tmp_path: Path) -> None:
    usual, stated = (SMALL.model_copy(update={"split": SplitPlan(folds=folds)}) for folds in (None, 3))
    for name, recipe in {"usual": usual, "stated": stated}.items():
        epochs = []
        for budget in (1.0, 600.0, 6000.0, 60_000.0):
            fit, notes = choice(cells, tmp_path / f"{name} {budget}", recipe, budget)
            assert fit.recipe.split.sets_folds
            assert fit.context.limit is None
            assert ("no-time-to-fine-tune" in notes) == (fit.recipe.stage == "instant")
            epochs.append(fit.recipe.n_epochs if fit.recipe.is_finetuned else 0)
        assert epochs == sorted(epochs)
        assert (epochs[0], epochs[-1]) == (0, 6)


@pytest.mark.parametrize("folds", [0, 3])
def test_the_time_that_is_stated_for_fine_tuning_is_sufficient(cells: Path, tmp_path: Path, folds: int) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=folds)})
    _, notes = choice(cells, tmp_path / "short", recipe, 100.0)
    short = notes["no-time-to-fine-tune"]
    assert short.parameters["n_networks"] == (4 if folds else 1)
    fit, notes = choice(cells, tmp_path / "sufficient", recipe, float(short.parameters["seconds"]))
    assert (fit.recipe.stage, fit.recipe.n_epochs, notes) == ("finetune", 6, {})


def test_a_new_budget_forgets_what_an_earlier_one_lacked(cells: Path, tmp_path: Path) -> None:
    choice(cells, tmp_path / "run", OPEN.model_copy(update={"model": "efficientnet_lite0"}), 8.0)
    assert Run(tmp_path / "run").recipe.image_size == 112
    resume_budget(Run(tmp_path / "run"), 36_000.0)
    record = Run(tmp_path / "run").budget
    assert (record.sufficient_seconds, record.preset, record.ended, record.is_fixed) == (None, None, None, False)
    assert (Run(tmp_path / "run").recipe.image_size, Run(tmp_path / "run").recipe.stage) == (None, "finetune")


def test_a_new_budget_forgets_the_changes_of_a_schedule_that_has_not_begun(cells: Path, tmp_path: Path) -> None:
    data, recipe = validated(cs.open_dataset(cells, group_pattern=GROUPS), SMALL)
    recipe = recipe.model_copy(update={"schedule_changes": {3.0: 8.0}})
    begin_run(tmp_path / "run", data, recipe, "cpu", allow_leakage=False)
    resume_budget(Run(tmp_path / "run"), 600.0)
    assert Run(tmp_path / "run").recipe.schedule_changes == {}


def test_instant_folds_keep_their_reason_under_a_new_budget(cells: Path, tmp_path: Path) -> None:
    choice(cells, tmp_path / "run", SMALL.model_copy(update={"split": SplitPlan(folds=3)}), 100.0)
    Run(tmp_path / "run").fold(1).folder.mkdir(parents=True)
    resume_budget(Run(tmp_path / "run"), 36_000.0)
    record = Run(tmp_path / "run").budget
    assert (record.ended, record.is_fixed) == ("no time to fine-tune", True)


def test_a_resumed_run_has_the_rest_of_its_budget(cells: Path, tmp_path: Path) -> None:
    choice(cells, tmp_path / "run", SMALL, 1000.0)
    for used in (300.0, 600.0):
        StatusFile(Run(tmp_path / "run").status_file).write("stopped")
        status = Run(tmp_path / "run").status
        end = datetime.fromisoformat(status.began) + timedelta(seconds=300)
        status.model_copy(update={"heartbeat": end.isoformat()}).write(Run(tmp_path / "run").status_file)
        deadline = resume_budget(Run(tmp_path / "run"), None)
        assert Run(tmp_path / "run").budget.used_seconds == used
        assert deadline.seconds_left() <= 1000.0 - used


def test_resumed_fine_tuning_keeps_its_image_size_if_memory_is_short(cells: Path, tmp_path: Path) -> None:
    stages = []
    for is_begun in (False, True):
        fit, _ = choice(cells, tmp_path / str(is_begun), OPEN, 1000.0, is_begun=is_begun, free=lambda device: 10**6)
        stages.append((fit.recipe.stage, fit.recipe.image_size))
    assert stages == [("instant", None), ("finetune", None)]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("by_epoch", "fewest_steps", "most_steps"),
    [
        ({}, 24, 31),
        pytest.param({2: 200.0}, 12, 23, marks=pytest.mark.exhaustive),
        pytest.param({2: 50.0}, 36, 36, marks=pytest.mark.exhaustive),
    ],
    ids=["steady", "slows down", "speeds up"],
)
def test_fine_tuning_follows_the_machine_and_its_recipe_gives_the_same_without_a_budget(
    cells: Path, tmp_path: Path, by_epoch: dict[int, float], fewest_steps: int, most_steps: int
) -> None:
    machine = Machine((100.0,), by_epoch)
    recipe = with_settings(SMALL, ["epochs=12", "stage_selection=finetune"])
    run = trained_within(cells, tmp_path / "run", recipe, 4200.0, machine)
    assert machine.clock.now <= 4200.0
    assert fewest_steps <= n_steps(run) <= most_steps
    assert run.recipe.schedule_changes
    assert run.budget is not None
    assert (run.budget.ended, run.budget.epochs, run.budget.preset) == ("fine-tuned", 12, "best")
    ends = [event for event in machine.events if isinstance(event, EpochEnded)]
    assert ends[-1].learning_rate < 0.1 * recipe.learning_rate
    check_same_without_budget(run, cells, tmp_path / "repeated")
    if not by_epoch:
        assert machine.notes()["fewer-epochs"].parameters["seconds"] == run.budget.sufficient_seconds


@pytest.mark.slow
@pytest.mark.exhaustive
def test_more_epochs_are_run_where_there_is_time_and_the_recipe_leaves_their_number_open(
    cells: Path, tmp_path: Path
) -> None:
    machine = Machine((0.01,))
    run = trained_within(cells, tmp_path / "run", with_settings(SMALL, ["epochs=auto"]), 5000.0, machine)
    assert n_steps(run) == 2 * 60 * 3
    assert "budget-not-needed" in machine.notes()
    given_more = trained_within(cells, tmp_path / "given", SMALL, 5000.0, Machine((0.01,)))
    assert n_steps(given_more) == 6 * 3


@pytest.mark.slow
def test_a_budget_always_gives_a_classifier_and_its_recipe_gives_the_same(cells: Path, tmp_path: Path) -> None:
    machine = Machine((0.0,))
    run = trained_within(cells, tmp_path / "run", OPEN, 0.01, machine)
    assert {"budget-exceeded", "no-time-to-fine-tune"} <= machine.notes().keys()
    assert run.is_done
    assert run.training is not None
    assert run.training.finetune is None
    assert run.budget is not None
    assert run.budget.ended == "no time to fine-tune"
    assert time_for_all(run.budget) in why_instant(ReportedRun(run))  # in the summary, not only in its details
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_budget_that_is_too_short_for_requested_folds_gives_instant_classifiers(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=2)})
    run = cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=tmp_path / "run", budget=0.01)
    assert run.has_classifier
    assert [training.finetune for training in run.trainings] == [None, None]
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_instant_classifier_is_kept_where_fine_tuning_forgets_everything(cells: Path, tmp_path: Path) -> None:
    harmful = with_settings(SMALL, ["learning_rate=10", "clip_gradient=1e5", "optimizer=sgd"])
    worse = trained_within(cells, tmp_path / "worse", harmful, 6000.0, Machine((400.0,)))
    assert worse.training is not None
    assert worse.training.chosen == "instant"
    check_same_without_budget(worse, cells, tmp_path / "repeated worse")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_stopped_run_resumes_with_the_time_that_it_is_given(cells: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 3:
            Run(folder).stop_file.touch()

    recipe = with_settings(SMALL, ["epochs=12", "stage_selection=finetune"])
    with pytest.raises(Stopped):
        trained_within(cells, folder, recipe, 4200.0, Machine((100.0,), on_event=stop))
    assert Run(folder).has_classifier
    Run(folder).stop_file.unlink()
    machine = Machine((100.0,))
    run = resumed_within(Run(folder), cells, 3000.0, machine)
    assert next(event.epoch for event in machine.events if isinstance(event, EpochEnded)) == 4
    assert machine.clock.now <= 3000.0
    assert n_steps(run) > 9 + 10
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_time_that_is_added_brings_fine_tuning_back(cells: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, StageStarted):
            Run(folder).stop_file.touch()

    with pytest.raises(Stopped):
        trained_within(cells, folder, OPEN, 0.01, Machine((0.0,), on_event=stop))
    stopped = load_recipe(folder / "recipe.yaml")
    assert stopped.stage == "instant"
    run = cs.resume(folder, budget="10h")
    assert n_steps(run) == 18
    assert run.budget is not None
    assert (run.budget.epochs_run, run.budget.sufficient_seconds) == (6, None)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_without_a_budget_can_be_given_one_when_it_is_resumed(cells: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            Run(folder).stop_file.touch()

    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), SMALL, out=folder, emit=stop)
    run = cs.resume(folder, budget="10h")
    assert n_steps(run) == 18
    assert run.budget is not None


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_are_fine_tuned_where_there_is_time(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=2)})
    run = trained_within(cells, tmp_path / "run", recipe, 50_000.0, Machine((0.1,)))
    assert [fold.training.finetune is not None for fold in run.folds if fold.training] == [True, True]
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_that_run_out_of_time_all_keep_the_instant_classifier(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=2)})
    run = trained_within(cells, tmp_path / "run", recipe, 50_000.0, Machine((0.1,), by_epoch={3: 10_000.0}))
    assert run.recipe.stage == "instant"
    assert [training.finetune for training in run.trainings] == [None, None]
    assert run.is_done
    assert run.budget is not None
    assert run.budget.ended == "no time to fine-tune"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_that_were_trained_without_a_budget_are_never_skipped(cells: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, FoldEnded):
            Run(folder).stop_file.touch()

    recipe = with_settings(SMALL, ["epochs=1", "split.folds=2"])
    with pytest.raises(Stopped):
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=folder, emit=stop)
    weights = sha256_file(folder / "folds/1/classifier/weights.safetensors")
    with pytest.raises(OutOfTime):
        cs.resume(folder, budget=0.01)
    assert sha256_file(folder / "folds/1/classifier/weights.safetensors") == weights
    assert load_recipe(folder / "recipe.yaml").stage == "finetune"
    run = cs.resume(folder, budget="10h")
    assert [training.finetune.epochs_run for training in run.trainings if training.finetune] == [1, 1]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_repeat_a_schedule_that_ends_suddenly(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"epochs": 3, "schedule_changes": {1.5: 1.5}, "split": SplitPlan(folds=2)})
    run = cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=tmp_path / "run")
    stages = [training.finetune for training in run.trainings if training.finetune]
    assert [(stage.epochs_run, stage.checkpoint_selection) for stage in stages] == 2 * [(2, "best")]
    assert "keeping the one with the best" in cs.methods_text(run)


@pytest.mark.slow
def test_a_budget_from_end_to_end_and_its_report(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    run = cs.train(data, with_settings(SMALL, ["epochs=2"]), out=tmp_path / "run", budget="10h")
    assert run.budget is not None
    assert run.budget.ended in ("fine-tuned", "instant classifier")


@pytest.mark.exhaustive
def test_fine_tuning_takes_smaller_batches_where_memory_is_short(cells: Path, tmp_path: Path) -> None:
    data, recipe = validated(cs.open_dataset(cells, group_pattern=GROUPS), MEMORY)
    begin_run(tmp_path / "run", data, recipe, "cpu", allow_leakage=False)
    scan = scan_images(data)
    parts = SplitData(data, scan, make_split(data, scan, recipe))
    events: list[Event] = []
    context = RunContext(tmp_path / "run", emit=events.append)
    assert fit_to_memory(parts, recipe, context, lambda device: 10**12) is recipe
    smaller = fit_to_memory(parts, recipe, context, lambda device: 10**8)  # 48 px: 74 MB with 4, 132 MB with 16
    assert (recipe.batch_size, smaller.batch_size, context.run.recipe.batch_size) == (16, 8, 8)
    assert [event.code for event in events if isinstance(event, Noted)] == ["smaller-batches"]
    with pytest.raises(OutOfMemory) as refused:
        fit_to_memory(parts, recipe, context, lambda device: 10**6)
    assert refused.value.code == "fine-tuning-out-of-memory"
    assert (refused.value.parameters["image_size"], refused.value.parameters["free_bytes"]) == (48, 10**6)
    instant = recipe.model_copy(update={"stage": "instant"})
    assert fit_to_memory(parts, instant, context, lambda device: 0) is instant


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc of Linux")
@pytest.mark.parametrize("model", ["efficientnet_lite0", "mobilenet_v2"])
@pytest.mark.exhaustive
def test_the_memory_of_training_is_about_what_was_estimated(model: str) -> None:
    estimate = training_memory(model, image_size=160, channels=3, n_classes=2, images_at_once=8)
    taken = int(subprocess.run([sys.executable, "-c", TRAIN_ONCE, model], capture_output=True, check=True).stdout)
    assert 0.75 * estimate < taken < 1.2 * estimate


# What three steps of fine-tuning add to a process, in bytes. (getrusage would not do: what it says of a process is
# never below the size of the one that started it.)
TRAIN_ONCE = """
import re, sys, torch
import torch._dynamo  # part of the program: the first step of an optimizer imports it
from coverslip.losses.functions import ImageLoss
from coverslip.models.networks import create_network
from coverslip.runs.recipe import Recipe
from coverslip.training.processor import keep_freed_memory
from coverslip.training.step import accumulate_gradients
from coverslip.training.pacing import new_optimizer

def resident(field):
    return int(re.search(field + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

keep_freed_memory()
network = create_network(sys.argv[1], n_classes=2, head="multi_layer", channels=3, pretrained=False, image_size=160)
network = network.eval().to(memory_format=torch.channels_last)
images, label = torch.rand(8, 3, 160, 160).to(memory_format=torch.channels_last), torch.arange(8) % 2
before = resident("VmRSS")
optimizer = new_optimizer(network, Recipe(), 1)
for _ in range(3):
    accumulate_gradients(network, ImageLoss("cross_entropy", {}), images, label, 8)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
print(resident("VmHWM") - before)
"""


def test_pretraining_takes_no_budget(cells: Path, tmp_path: Path) -> None:
    recipe = with_settings(SMALL, [f"init={{train_on: {cells}}}"])
    with pytest.raises(BadRecipe) as refused:
        cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run", budget="10m")
    assert refused.value.code == "budget-with-pretraining"


def test_cross_validation_from_random_weights_takes_no_budget(cells: Path, tmp_path: Path) -> None:
    recipe = with_settings(SMALL, ["init=scratch", "split.folds=3"])
    with pytest.raises(BadRecipe) as refused:
        cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run", budget="10m")
    assert refused.value.code == "budget-with-folds-from-scratch"


@pytest.mark.slow
def test_folds_that_few_images_require_are_one_split_from_random_weights(cells: Path, tmp_path: Path) -> None:
    recipe = with_settings(SMALL, ["init=scratch", "epochs=1"])
    machine = Machine((0.0,))
    run = trained_within(cells, tmp_path / "run", recipe.model_copy(update={"split": SplitPlan()}), 1000.0, machine)
    assert not run.is_cross_validated
    assert "no-time-for-folds" in machine.notes()
    assert run.recipe.split.folds == 0
