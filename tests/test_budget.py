"""A training within a time budget: it ends in time, is never worse than the instant classifier, and can be repeated."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from drawing import write_cells
from hypothesis import given
from hypothesis import strategies as st
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.datasets import scan_images
from coverslip.errors import BadRecipe, OutOfMemory, OutOfTime, Stopped
from coverslip.events import (
    COMPUTING_FEATURES,
    ClassifierSelected,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    Noted,
    Progressed,
    StageStarted,
    ignore,
)
from coverslip.experiments import SplitData, begin_run, run_training, validated
from coverslip.experiments.budgeting import image_sizes, largest_fitting
from coverslip.experiments.estimating import InstantStageTimer, fit_to_memory, measure_speed
from coverslip.experiments.one_split import make_split
from coverslip.files import sha256_file
from coverslip.models.complexity import training_memory
from coverslip.reports.reported import ReportedRun
from coverslip.reports.words import time_for_all, why_instant
from coverslip.runs import Recipe, Run, RunContext, SplitPlan, budget_seconds, load_recipe, with_settings
from coverslip.runs.training import PRESETS
from coverslip.stopping import Deadline, Stop, TimeLimit
from coverslip.training.pacing import DoesNotFit, StepPace, StepPlan, TimedPlan, changes_in_steps

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
    return run_training(data, recipe, environment, RunContext(folder, emit=machine, stop=stop, deadline=deadline))


def resumed_within(run: Run, images: Path, budget: float, machine: Machine) -> Run:
    data, recipe = validated(cs.open_dataset(images, group_pattern=GROUPS), run.recipe)
    deadline = Deadline.within(budget, machine.clock)
    return run_training(data, recipe, run.environment, RunContext(run.folder, emit=machine, deadline=deadline))


def check_same_without_budget(run: Run, images: Path, folder: Path) -> None:
    """The recipe that a run leaves gives the same classifier."""
    repeated = cs.train(cs.open_dataset(images, group_pattern=GROUPS), load_recipe(run.recipe_file), out=folder)
    assert repeated.budget is None
    for name in RESULTS:
        assert sha256_file(run.folder / name) == sha256_file(repeated.folder / name), name


def n_steps(run: Run) -> int:
    assert run.training is not None
    assert run.training.finetune is not None
    return run.training.finetune.n_steps


def test_the_pages_know_the_same_budgets_by_name() -> None:
    text = (Path(__file__).parents[1] / "web/src/features/train/budget.ts").read_text(encoding="utf-8")
    (words,) = re.findall(r"WORDS: .*? = \{ (.*) \};", text)
    assert {name: float(seconds) for seconds, name in re.findall(r"(\d+): '(\w+)'", words)} == PRESETS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("10 min", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("quick", 120),
        (45, 45),
        ("2M", 120),
    ],
)
def test_a_budget_is_a_length_of_time(text: str | float, seconds: float) -> None:
    assert budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "10", "m", "-5m", "0s", 0, float("nan"), "10m ago"])
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
    plan: TimedPlan, clock: Clock, step_seconds: Callable[[int], float], epoch_end_seconds: float = 0.0
) -> list[float]:
    """Progress by steps, on a machine that takes so long for each."""
    progress, step = [], 0
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
    limit = TimeLimit(Deadline.within(seconds, clock), fewest, most, reserve_seconds=reserve)
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


def test_what_does_not_fit_is_detected_by_the_first_steps() -> None:
    clock = Clock()
    plan = timed_plan(clock, 100.0, fewest=9)
    with pytest.raises(DoesNotFit):
        simulated(plan, clock, lambda step: 0.3)
    assert plan.first_pace is not None
    assert plan.first_pace.step_seconds == pytest.approx(0.3)
    assert clock.now < 3


def test_the_largest_image_size_at_which_all_steps_fit_is_taken() -> None:
    pace = StepPace(step_seconds=1.0, epoch_end_seconds=0.0, steps_per_epoch=10)  # at 224 px; at 112 px 0.35
    sizes = [192, 160, 128, 112]
    sizes_fitting = [largest_fitting(sizes, 224, pace, 100, lambda _, s=seconds: s) for seconds in (90, 70, 50, 40, 30)]
    assert sizes_fitting == [192, 160, 128, 112, None]


def test_fine_tuning_may_take_smaller_images_where_the_recipe_leaves_their_size_open() -> None:
    assert image_sizes(Recipe(), 224) == [224, 192, 160, 128, 96]
    assert image_sizes(Recipe(image_size=224), 224) == [224]
    assert image_sizes(Recipe(init="scratch"), 224) == [224]
    assert image_sizes(Recipe(head_init="random"), 224) == [224]
    assert image_sizes(Recipe(model="mobilenet_v2"), 96) == [96, 64]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(
    ("by_epoch", "fewest_steps", "most_steps"),
    [
        ({}, 24, 31),
        pytest.param({2: 2.0}, 12, 23, marks=pytest.mark.exhaustive),
        pytest.param({2: 0.5}, 36, 36, marks=pytest.mark.exhaustive),
    ],
    ids=["steady", "slows down", "speeds up"],
)
def test_fine_tuning_follows_the_machine_and_its_recipe_gives_the_same_without_a_budget(
    cells: Path, tmp_path: Path, by_epoch: dict[int, float], fewest_steps: int, most_steps: int
) -> None:
    machine = Machine((1.0,), by_epoch)
    recipe = with_settings(SMALL, ["epochs=12", "stage_selection=finetune"])
    run = trained_within(cells, tmp_path / "run", recipe, 42.0, machine)
    assert machine.clock.now <= 42.0
    assert fewest_steps <= n_steps(run) <= most_steps
    assert run.recipe.schedule_changes
    assert run.budget is not None
    assert (run.budget.ended, run.budget.epochs, run.budget.image_size) == ("fine-tuned", 12, 48)
    ends = [event for event in machine.events if isinstance(event, EpochEnded)]
    assert ends[-1].learning_rate < 0.1 * recipe.learning_rate
    check_same_without_budget(run, cells, tmp_path / "repeated")
    if not by_epoch:
        # It said what time would do.
        note = machine.notes()["fewer-epochs"]
        assert note.parameters["seconds"] == run.budget.sufficient_seconds
        assert 48 <= note.parameters["seconds"] <= 78  # 36 steps and 12 ends of epochs
        enough = trained_within(cells, tmp_path / "enough", recipe, note.parameters["seconds"], Machine((1.0,)))
        assert n_steps(enough) == 36
        assert enough.budget is not None
        assert enough.budget.sufficient_seconds is None


@pytest.mark.slow
@pytest.mark.exhaustive
def test_more_epochs_are_run_where_there_is_time_and_the_recipe_leaves_their_number_open(
    cells: Path, tmp_path: Path
) -> None:
    machine = Machine((0.01,))
    run = trained_within(cells, tmp_path / "run", with_settings(SMALL, ["epochs=auto"]), 500.0, machine)
    assert n_steps(run) == 2 * 60 * 3
    assert "budget-not-needed" in machine.notes()
    given_more = trained_within(cells, tmp_path / "given", SMALL, 500.0, Machine((0.01,)))
    assert n_steps(given_more) == 6 * 3


@pytest.mark.slow
@pytest.mark.exhaustive
def test_fine_tuning_begins_again_on_smaller_images_where_its_first_steps_are_too_slow(
    cells: Path, tmp_path: Path
) -> None:
    machine = Machine((4.0, 0.5))
    recipe = with_settings(OPEN, ["stage_selection=finetune"])
    run = trained_within(cells, tmp_path / "run", recipe, 60.0, machine)
    note = machine.notes()["smaller-images"]
    assert run.budget is not None
    assert run.recipe.image_size == run.budget.image_size == note.parameters["image_size"]
    assert run.budget.full_image_size is not None
    assert run.budget.image_size is not None
    assert run.budget.image_size < run.budget.full_image_size
    assert run.budget.sufficient_seconds is not None
    assert run.budget.sufficient_seconds > 60
    assert machine.clock.now <= 60.0


@pytest.mark.slow
def test_the_instant_classifier_is_kept_where_fine_tuning_does_not_fit(cells: Path, tmp_path: Path) -> None:
    machine = Machine((20.0,))
    slow = trained_within(cells, tmp_path / "slow", OPEN, 60.0, machine)
    assert "no-time-to-fine-tune" in machine.notes()
    assert (slow.recipe.stage, slow.recipe.image_size) == ("instant", None)
    assert slow.budget is not None
    assert slow.budget.ended == "no time to fine-tune"
    assert slow.budget.least_seconds is not None
    assert slow.budget.sufficient_seconds is not None
    assert 60.0 < slow.budget.least_seconds < slow.budget.sufficient_seconds
    assert slow.budget.for_some in time_for_all(slow.budget)
    assert time_for_all(slow.budget) in why_instant(
        ReportedRun(slow)
    )  # in the summary of the result, not only in its details
    assert slow.training is not None
    assert slow.training.finetune is None


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_instant_classifier_is_kept_where_fine_tuning_forgets_everything(cells: Path, tmp_path: Path) -> None:
    harmful = with_settings(OPEN, ["learning_rate=10", "clip_gradient=1e5", "optimizer=sgd"])
    worse = trained_within(cells, tmp_path / "worse", harmful, 60.0, Machine((4.0, 0.5)))
    assert worse.training is not None
    assert worse.training.chosen == "instant"
    assert worse.recipe.image_size is None
    check_same_without_budget(worse, cells, tmp_path / "repeated worse")


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(("per_look", "budget"), [(20.0, 60.0), (0.001, 36_000.0)], ids=["no time", "time for all"])
def test_whatever_became_of_fine_tuning_the_recipe_gives_the_same(
    cells: Path, tmp_path: Path, per_look: float, budget: float
) -> None:
    run = trained_within(cells, tmp_path / "run", OPEN, budget, Machine((per_look,)))
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_stopped_run_resumes_with_the_time_that_it_is_given(cells: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 3:
            Run(folder).stop_file.touch()

    recipe = with_settings(SMALL, ["epochs=12", "stage_selection=finetune"])
    with pytest.raises(Stopped):
        trained_within(cells, folder, recipe, 42.0, Machine((1.0,), on_event=stop))
    assert Run(folder).has_classifier
    Run(folder).stop_file.unlink()
    machine = Machine((1.0,))
    run = resumed_within(Run(folder), cells, 30.0, machine)
    assert next(event.epoch for event in machine.events if isinstance(event, EpochEnded)) == 4
    assert machine.clock.now <= 30.0
    assert n_steps(run) > 9 + 10
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "seconds_of_steps", "remedies"),
    [
        ("no-time-to-fine-tune", (20.0,), ["resume"]),  # there is no fine-tuning to finish
        ("smaller-images", (4.0, 0.5), ["resume", "finish"]),
    ],
)
@pytest.mark.exhaustive
def test_a_stop_after_fine_tuning_was_skipped_keeps_the_instant_classifier(
    cells: Path, tmp_path: Path, code: str, seconds_of_steps: tuple[float, ...], remedies: list[str]
) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, Noted) and event.code == code:
            Run(folder).stop_file.touch()

    machine = Machine(seconds_of_steps, on_event=stop)
    with pytest.raises(Stopped) as raised:
        trained_within(cells, folder, OPEN, 60.0, machine)
    assert "finished-early" not in machine.notes()
    assert raised.value.file == Run(folder).classifier_folder
    assert [remedy.kind for remedy in raised.value.remedies] == remedies
    assert Run(folder).has_classifier
    Run(folder).stop_file.unlink()
    run = resumed_within(Run(folder), cells, 60.0, Machine(seconds_of_steps[-1:]))
    assert run.is_done
    assert ("finish" in remedies) == (run.training is not None and run.training.finetune is not None)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_run_that_had_too_little_time_can_be_given_more(cells: Path, tmp_path: Path) -> None:
    data, folder = cs.open_dataset(cells, group_pattern=GROUPS), tmp_path / "run"
    with pytest.raises(OutOfTime) as raised:
        cs.train(data, INSTANT, out=folder, budget=0.01)
    assert raised.value.code == "budget-too-short"
    assert raised.value.failure.parameters["seconds"] > 0.01
    with pytest.raises(OutOfTime) as refused:
        cs.resume(folder)
    assert refused.value.code == "budget-too-short"
    run = cs.resume(folder, budget="5m")
    assert run.is_done
    assert run.budget is not None
    assert run.budget.ended == "instant classifier"


@pytest.mark.slow
def test_from_random_weights_too_little_time_is_an_error_that_says_how_much_would_do(
    cells: Path, tmp_path: Path
) -> None:
    recipe = with_settings(SMALL, ["init=scratch"])
    with pytest.raises(OutOfTime) as raised:
        trained_within(cells, tmp_path / "run", recipe, 60.0, Machine((20.0,)))
    assert raised.value.code == "budget-too-short"
    assert raised.value.failure.parameters["seconds"] > 120  # 6 steps in two epochs


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


@pytest.mark.exhaustive
@pytest.mark.slow
def test_cross_validation_is_skipped_if_time_is_short_unless_it_was_requested(cells: Path, tmp_path: Path) -> None:
    usual = SMALL.model_copy(update={"split": SplitPlan(folds=None)})
    machine = Machine((0.5,), clock=Clock(per_look=0.5))
    run = trained_within(cells, tmp_path / "usual", usual, 60.0, machine)
    assert not run.is_cross_validated
    assert run.recipe.split.folds == 0  # also without a budget
    assert "no-time-for-folds" in machine.notes()
    assert not [event for event in machine.events if isinstance(event, FoldStarted)]
    assert n_steps(run) == 18  # the one network is fine-tuned
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=3)})
    machine = Machine((2.0,), clock=Clock(per_look=2.0))
    run = trained_within(cells, tmp_path / "asked", recipe, 200.0, machine)
    assert "no-time-to-fine-tune-folds" in machine.notes()
    assert run.recipe.stage == "instant"
    assert [training.finetune for training in run.trainings] == [None, None, None]
    with pytest.raises(OutOfTime) as refused:
        cs.train(cs.open_dataset(cells, group_pattern=GROUPS), recipe, out=tmp_path / "none", budget=0.01)
    assert refused.value.code == "budget-too-short-for-folds"
    assert refused.value.parameters["n_folds"] == 3


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_are_fine_tuned_where_there_is_time(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=2)})
    run = trained_within(cells, tmp_path / "run", recipe, 500.0, Machine((0.1,)))
    assert [fold.training.finetune is not None for fold in run.folds if fold.training] == [True, True]
    check_same_without_budget(run, cells, tmp_path / "repeated")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_that_run_out_of_time_all_keep_the_instant_classifier(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=2)})
    run = trained_within(cells, tmp_path / "run", recipe, 500.0, Machine((0.1,), by_epoch={3: 100.0}))
    assert run.recipe.stage == "instant"
    assert [training.finetune for training in run.trainings] == [None, None]
    assert run.is_done
    assert run.budget is not None
    assert run.budget.ended == "no time to fine-tune folds"


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


@pytest.mark.exhaustive
@pytest.mark.slow
def test_smaller_images_are_recorded_and_larger_ones_tried_again_with_more_time(cells: Path, tmp_path: Path) -> None:
    folder, full_px = tmp_path / "run", 160
    slow = Clock(per_look=3.0)  # the instant stage alone takes too long at the full size

    def stop(event: Event) -> None:
        if isinstance(event, Noted) and event.code == "smaller-images":
            Run(folder).stop_file.touch()

    machine = Machine((3.0,), on_event=stop, clock=slow)
    with pytest.raises((Stopped, OutOfTime)):
        trained_within(cells, folder, OPEN, 60.0, machine)
    assert machine.notes()["smaller-images"].parameters["image_size"] < full_px
    budget = Run(folder).budget
    assert budget is not None
    assert budget.is_reduced
    assert budget.full_image_size == full_px


@pytest.mark.exhaustive
@pytest.mark.slow
def test_time_that_is_added_brings_fine_tuning_back(cells: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, ClassifierSelected):
            Run(folder).stop_file.touch()

    machine = Machine((100.0,), on_event=stop)
    with pytest.raises(Stopped):
        trained_within(cells, folder, SMALL, 60.0, machine)
    assert "no-time-to-fine-tune" in machine.notes()
    assert load_recipe(folder / "recipe.yaml").stage == "instant"
    run = cs.resume(folder, budget="10h")
    assert n_steps(run) == 18


@pytest.mark.slow
def test_a_budget_from_end_to_end_and_its_report(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    run = cs.train(data, with_settings(SMALL, ["epochs=2"]), out=tmp_path / "run", budget="10h")
    assert run.budget is not None
    assert run.budget.ended in ("fine-tuned", "instant classifier")
    assert "time budget of 10 h 00 min" in run.report_file.read_text()


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
from coverslip.runs import Recipe
from coverslip.training.processor import keep_freed_memory
from coverslip.training.step import accumulate_gradients
from coverslip.training.optimization import new_optimizer

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


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_speed_of_training_is_measured_without_a_deadline(cells: Path, tmp_path: Path) -> None:
    data, recipe = validated(cs.open_dataset(cells, group_pattern=GROUPS), with_settings(SMALL, ["batch_size=4"]))
    scan = scan_images(data)
    measured = measure_speed(SplitData(data, scan, make_split(data, scan, recipe)), recipe, RunContext(tmp_path))
    assert measured.pace is not None
    assert 0 < measured.pace.step_seconds < 60
    assert 0 < measured.test_seconds < 600


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


def test_a_forecast_of_the_instant_stage_includes_the_later_trainings_of_folds() -> None:
    clock = Clock()
    deadline = Deadline.within(100.0, clock)
    limit = TimeLimit(deadline, fewest_epochs=0.0, most_epochs=1.0)
    timer = InstantStageTimer(deadline, ignore, limit, n_later_loadings=20)
    timer(StageStarted(stage="instant"))
    clock.now = 4.0  # 3 seconds to make the network ready, 1 second for 10 images
    timer(Progressed(stage=COMPUTING_FEATURES, done=10, total=100, per_second=10.0, seconds_left=9.0))
    assert timer.seconds_left == 9.0 + 20 * 3.0


def test_a_forecast_for_smaller_images_scales_the_features_only() -> None:
    clock = Clock()
    deadline = Deadline.within(100.0, clock)
    timer = InstantStageTimer(deadline, ignore, TimeLimit(deadline, fewest_epochs=0.0, most_epochs=1.0))
    clock.now = 10.0  # reading the images
    timer(StageStarted(stage="instant"))
    clock.now = 16.0  # 2 seconds to make the network ready, 4 seconds for 40 images
    timer(Progressed(stage=COMPUTING_FEATURES, done=40, total=200, per_second=10.0, seconds_left=16.0))
    assert timer.seconds_at(1.0) == 12.0 + 20.0
    assert timer.seconds_at(0.5) == 12.0 + 10.0


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_budget_that_is_too_small_for_folds_is_refused_while_features_are_computed(tmp_path: Path) -> None:
    images = write_cells(tmp_path / "images", n=150, n_slides=15)
    recipe = with_settings(INSTANT, ["split.folds=5"])
    shares: list[float] = []

    def note_share(event: Event) -> None:
        if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES:
            shares.append(event.done / event.total)

    machine = Machine((0.0,), on_event=note_share, clock=Clock(per_look=2.0))
    with pytest.raises(OutOfTime) as raised:
        trained_within(images, tmp_path / "run", recipe, 120.0, machine)

    assert 0 < max(shares) < 1
    assert raised.value.failure.parameters["seconds"] > 120


def test_training_from_scratch_ends_the_forecast_of_the_instant_stage_when_fine_tuning_begins() -> None:
    clock = Clock()
    deadline = Deadline.within(100.0, clock)
    timer = InstantStageTimer(deadline, ignore, TimeLimit(deadline, fewest_epochs=0.0, most_epochs=1.0))
    of_stage = timer.deadline_after(60.0)
    timer(Progressed(stage="preprocessing-images", done=50, total=100, per_second=1.0, seconds_left=50.0))
    assert of_stage.seconds_left() == 10.0
    timer(StageStarted(stage="finetune", n_epochs=3))
    clock.now = 99.0
    of_stage.check()
