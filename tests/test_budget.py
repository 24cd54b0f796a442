"""A training within a time budget: it is planned, ends in time with a sound classifier, and can be repeated."""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.datasets import Dataset, fold_images, scan_images
from coverslip.errors import BadRecipe, BadRun, OutOfMemory, OutOfTime, Stopped
from coverslip.events import EpochEnded, Event, Noted, ignore
from coverslip.experiments import Parts, begin_run, checked, train_in
from coverslip.experiments.budgeting import fit_to_budget
from coverslip.experiments.fold_budget import fit_folds_to_budget
from coverslip.experiments.memory import fit_to_memory
from coverslip.experiments.one_split import make_split
from coverslip.experiments.pace import MeasuredPace
from coverslip.experiments.planning import (
    EmbeddingPace,
    NetworkChoice,
    TrainingPace,
    Workload,
    epoch_seconds,
    epochs_within,
    finetuning_choices,
    greedy_fit,
    instant_seconds,
    network_choices,
    plan_finetuning,
)
from coverslip.files import sha256_file
from coverslip.models.counting.memory import training_memory
from coverslip.runs import (
    BudgetRecord,
    Environment,
    Recipe,
    Run,
    RunContext,
    SplitPlan,
    budget_seconds,
    load_recipe,
    with_settings,
)
from coverslip.stopping import Deadline, Stop

SMALL = INSTANT.model_copy(update={"stage": "finetune", "epochs": 3, "batch_size": 16})
OPEN = Recipe(image_size=48, tta=1, epochs=3, batch_size=16, split=SplitPlan(folds=0))  # says nothing of the network


@dataclass
class FixedPace:
    """A machine on which every network takes its time, whatever the clock says."""

    setup_seconds: dict[str, float] = field(default_factory=dict)  # of networks other than the quick ones
    steps_per_second: float = 100.0
    is_quicker_when_smaller: bool = False
    asked: list[str] = field(default_factory=list)
    asked_steps: list[int] = field(default_factory=list)  # image sizes

    def embedding(self, recipe: Recipe) -> EmbeddingPace:
        self.asked.append(recipe.model)
        setup = self.setup_seconds.get(recipe.model, 1.0)
        return EmbeddingPace(setup, 100.0, 1000.0, 0.1, loading_seconds=setup)

    def training(self, recipe: Recipe) -> TrainingPace:
        side = recipe.image_size or 224
        self.asked_steps.append(side)
        return TrainingPace(self.steps_per_second * ((224 / side) ** 2 if self.is_quicker_when_smaller else 1.0))


@dataclass
class Clock:
    """Stands still, but for being set."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


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
    with pytest.raises(BadRecipe, match="is no length of time"):
        budget_seconds(text)


def test_the_arithmetic_of_a_plan() -> None:
    work = Workload(n_train=600, n_val=150, n_test=150, n_epoch=600)
    assert instant_seconds(EmbeddingPace(4.0, 75.0, 500.0, 1.0, 9.0), work) == 4 + 10 + 1
    assert epoch_seconds(TrainingPace(50.0), work) == (600 + 50) / 50
    of_folds = Workload(n_train=600, n_val=150, n_test=150, n_epoch=600, n_networks=4)
    assert epoch_seconds(TrainingPace(50.0, epoch_overhead=0.5), of_folds) == (600 + 50) / 50 + 4 * 0.5
    scratch, gentle = Recipe(init="scratch", epochs=20), Recipe(epochs=8)
    assert epochs_within(100.0, 13.0, scratch, 600) == 7
    assert epochs_within(20.0, 13.0, scratch, 600) == 0  # one alone is not worth it
    assert epochs_within(20.0, 13.0, Recipe(init="scratch", epochs=1), 600) == 1  # unless one was asked for
    assert epochs_within(65.0, 13.0, gentle, 1000) == 5
    assert epochs_within(64.0, 13.0, gentle, 1000) == 0  # half of them undo the instant classifier
    assert epochs_within(65.0, 13.0, gentle, 200) == 0  # which of few images are more
    assert epochs_within(65.0, 13.0, Recipe(epochs=3), 200) == 3
    assert greedy_fit([5, 50, 4], 10) == [0, 2]


def test_no_time_at_all_is_no_plan_whatever_the_pace() -> None:
    work, own = Workload(n_train=600, n_val=150, n_test=150, n_epoch=600), NetworkChoice("efficientnet_lite0", 224)
    plan = plan_finetuning(
        [own], Recipe(init="scratch", epochs=3), work, 600, lambda _: -1.0, lambda _: TrainingPace(10.0), may_add=True
    )
    assert plan is None


def test_where_all_epochs_fit_at_no_size_some_are_run_at_the_smallest() -> None:
    work, asked = Workload(n_train=600, n_val=150, n_test=150, n_epoch=600), list[int]()
    choices = [NetworkChoice("efficientnet_lite0", px) for px in (224, 160, 112)]

    def pace(choice: NetworkChoice) -> TrainingPace:
        asked.append(choice.image_size)
        return TrainingPace(10 * (224 / choice.image_size) ** 2)

    def fitted(seconds: float) -> tuple[int, int] | None:
        asked.clear()
        plan = plan_finetuning(choices, Recipe(epochs=11), work, 600, lambda _: seconds, pace, 1000.0, may_add=False)
        return plan and (plan.choice.image_size, plan.epochs)

    per_epoch = 65.0 * 1.25  # at 224 px, a quarter of it at 112
    assert fitted(11.5 * per_epoch) == (224, 11)
    assert fitted(10.5 * per_epoch) == (160, 11)
    assert asked == [224, 160]
    assert fitted(2.1 * per_epoch) == (112, 8)
    assert asked == [224, 112]  # what cannot fit by what 224 px take is not measured
    assert fitted(1.5 * per_epoch) is None  # less than three fifths


def test_more_epochs_than_the_images_call_for_where_there_is_ample_time() -> None:
    work = Workload(n_train=600, n_val=150, n_test=150, n_epoch=600)
    choices = [NetworkChoice("efficientnet_lite0", px) for px in (224, 112)]

    def epochs(n_times: float, recipe: Recipe, *, may_add: bool = True) -> int | None:
        """With so many times the seconds that 12 epochs at 224 px take."""
        seconds, pace = n_times * 12 * 65, TrainingPace(10.0)
        plan = plan_finetuning(choices, recipe, work, 600, lambda _: seconds, lambda _: pace, may_add=may_add)
        return plan and plan.epochs

    recipe = Recipe(epochs=12)
    assert [epochs(n, recipe) for n in (1.25, 1.75, 2.1, 2.625, 100)] == [12, 12, 14, 18, 18]
    assert epochs(100, recipe, may_add=False) == 12
    assert epochs(100, Recipe(epochs=12, init="scratch")) == 12


def test_what_the_recipe_says_of_the_network_is_kept() -> None:
    choices = network_choices(Recipe(), chooses_network=True)
    assert choices[0] == NetworkChoice("efficientnet_lite0", 224)
    assert NetworkChoice("mobilenet_v2", 224) in choices
    assert NetworkChoice("efficientnet_lite0", 128) in choices
    assert network_choices(Recipe(image_size=96), chooses_network=False) == [NetworkChoice("efficientnet_lite0", 96)]
    assert network_choices(Recipe(init="scratch"), chooses_network=False) == [NetworkChoice("efficientnet_lite0", 224)]
    assert "model" not in with_settings(Recipe(), ["epochs=3"]).model_fields_set
    assert "model" in with_settings(Recipe(), ["model=efficientnet_lite0"]).model_fields_set


def begun(cells: Path, folder: Path, recipe: Recipe, budget: float) -> tuple[Parts, Recipe, RunContext, Clock]:
    """A run with a budget, up to where it is planned, on a clock that stands still."""
    data, recipe = checked(cs.open_dataset(cells, group_pattern=GROUPS), recipe)
    begin_run(folder, data, recipe, "cpu", allow_leakage=False, budget=budget)
    scan = scan_images(data)
    clock = Clock()
    parts = Parts(data, scan, make_split(data, scan, recipe))
    return parts, recipe, RunContext(folder, deadline=Deadline.within(budget, clock)), clock


@pytest.mark.exhaustive
def test_networks_are_compared_on_validation_images_and_the_best_is_written_down(cells: Path, tmp_path: Path) -> None:
    parts, recipe, context, _ = begun(cells, tmp_path / "run", OPEN, 100.0)
    events: list[Event] = []
    pace = FixedPace({"efficientnet_lite1": 50.0, "efficientnet_lite2": 50.0})
    settled, ending = fit_to_budget(parts, recipe, context.telling(events.append), pace)
    run = Run(tmp_path / "run")
    assert run.recipe == settled
    assert run.budget is not None
    assert {network.model for network in run.budget.tried} == {"efficientnet_lite0", "mobilenet_v2"}
    outcomes = {network.model: network.outcome for network in run.budget.networks}
    assert outcomes[settled.model] == "chosen"
    assert outcomes["efficientnet_lite1"] == outcomes["efficientnet_lite2"] == "no time"
    best = max(run.budget.tried, key=lambda network: network.score or 0)
    assert best.score == next(network.score for network in run.budget.tried if network.outcome == "chosen")
    assert ending.deadline.seconds_left() == 100.0 - run.budget.reserve_seconds
    plan = next(event for event in events if isinstance(event, Noted) and event.code == "plan")
    # Which network is the best of them is known by then.
    shown = [step["what"].replace("the best of them", settled.model) for step in plan.values["steps"]]
    assert shown == [step.what for step in run.budget.steps]
    # Planned once: a run that goes on keeps what was settled, whatever the pace is now.
    again, _ = fit_to_budget(parts, run.recipe, context, FixedPace(steps_per_second=1e-9))
    assert again == settled


@pytest.mark.slow
def test_a_network_that_is_better_by_chance_alone_does_not_take_the_place_of_the_recipes_own(
    cells: Path, tmp_path: Path
) -> None:
    parts, recipe, context, _ = begun(cells, tmp_path / "run", with_settings(OPEN, ["model=mobilenet_v2"]), 100.0)
    BudgetRecord(seconds=100.0, chooses_network=True).write(context.run.budget_file)
    pace = FixedPace({"efficientnet_lite1": 50.0, "efficientnet_lite2": 50.0})
    settled, _ = fit_to_budget(parts, recipe, context, pace)
    budget = context.run.budget
    assert budget is not None
    assert min(budget.tried, key=lambda network: network.log_loss or 0).model == "efficientnet_lite0"
    assert [network.model for network in budget.networks if network.outcome == "chosen"] == ["mobilenet_v2"]
    assert settled.model == "mobilenet_v2"


@pytest.mark.slow
def test_other_networks_are_tried_in_time_that_fine_tuning_leaves(cells: Path, tmp_path: Path) -> None:
    dear = dict.fromkeys(("mobilenet_v2", "efficientnet_lite1", "efficientnet_lite2"), 12.0)
    tried = {}
    for per_second in (100.0, 1.25):
        parts, recipe, context, _ = begun(cells, tmp_path / str(per_second), OPEN, 200.0)
        fit_to_budget(parts, recipe, context, FixedPace(dear, steps_per_second=per_second))
        assert context.run.recipe.stage == "finetune"
        assert context.run.budget is not None
        tried[per_second] = len(context.run.budget.tried)
    assert tried[100.0] > 1
    assert tried[1.25] == 0


def test_an_image_size_that_takes_too_much_memory_makes_way_for_a_smaller_one() -> None:
    work = Workload(n_train=600, n_val=150, n_test=150, n_epoch=600)
    choices = [NetworkChoice("efficientnet_lite0", px) for px in (224, 160, 112)]

    def planned_px(most_px: int) -> int | None:
        def pace(choice: NetworkChoice) -> TrainingPace:
            if choice.image_size > most_px:
                raise OutOfMemory("Too much", do="Take smaller ones.")
            return TrainingPace(100.0)

        plan = plan_finetuning(choices, Recipe(epochs=3), work, 600, lambda _: 1e4, pace, may_add=False)
        return None if plan is None else plan.choice.image_size

    assert (planned_px(224), planned_px(200), planned_px(112)) == (224, 160, 112)
    with pytest.raises(OutOfMemory):
        planned_px(100)


def test_fine_tuning_may_take_smaller_images_where_the_recipe_leaves_their_size_open() -> None:
    own = NetworkChoice("efficientnet_lite0", 224)
    sizes = [choice.image_size for choice in finetuning_choices(own, Recipe())]
    assert sizes == [224, 192, 160, 128, 96]
    assert finetuning_choices(own, Recipe(image_size=224)) == [own]
    assert finetuning_choices(own, Recipe(init="scratch")) == [own]
    assert finetuning_choices(own, Recipe(head_init="random")) == [own]
    assert [choice.image_size for choice in finetuning_choices(NetworkChoice("mobilenet_v2", 96), Recipe())] == [96, 64]


@pytest.mark.slow
def test_all_epochs_on_smaller_images_rather_than_some_on_larger_ones(cells: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="efficientnet_lite0", tta=1, epochs=20, split=SplitPlan(folds=0))
    for steps, size, epochs in ((100.0, 224, 20), (12.0, 160, 20), (0.5, None, None)):
        folder = tmp_path / str(steps)
        parts, begun_recipe, context, _ = begun(cells, folder, recipe, 100.0)
        pace = FixedPace(steps_per_second=steps, is_quicker_when_smaller=True)
        settled, _ = fit_to_budget(parts, begun_recipe, context, pace)
        budget = Run(folder).budget
        assert budget is not None
        if epochs is None:
            assert (settled.stage, settled.image_size, budget.instant_px) == ("instant", 224, None)
            continue
        assert (settled.stage, settled.image_size, settled.n_epochs) == ("finetune", size, epochs)
        assert budget.instant_px == (None if size == 224 else 224)
        assert pace.asked_steps == list(dict.fromkeys([224, size]))  # what cannot fit by that is not measured


@pytest.mark.slow
def test_a_budget_leaves_out_what_does_not_fit(cells: Path, tmp_path: Path) -> None:
    explicit = with_settings(OPEN, ["model=efficientnet_lite0"])
    parts, recipe, context, _ = begun(cells, tmp_path / "short", with_settings(explicit, ["epochs=1000"]), 300.0)
    pace = FixedPace(steps_per_second=20.0)
    assert 36 <= fit_to_budget(parts, recipe, context, pace)[0].n_epochs < 1000
    assert pace.asked == ["efficientnet_lite0"]
    parts, recipe, context, _ = begun(cells, tmp_path / "shorter", explicit, 10.0)
    assert fit_to_budget(parts, recipe, context, FixedPace(steps_per_second=1.0))[0].stage == "instant"
    parts, recipe, context, _ = begun(cells, tmp_path / "none", OPEN, 5.0)
    pace = FixedPace()
    with pytest.raises(OutOfTime, match="5 s is too little: the quickest training takes about"):
        fit_to_budget(parts, recipe, context, pace)
    assert pace.asked == ["efficientnet_lite0"]  # nothing else is measured where nothing can help


@pytest.mark.slow
def test_a_run_that_had_too_little_time_can_be_given_more(cells: Path, tmp_path: Path) -> None:
    data, folder = cs.open_dataset(cells, group_pattern=GROUPS), tmp_path / "run"
    with pytest.raises(OutOfTime, match="is too little"):
        cs.train(data, INSTANT, out=folder, budget=0.01)
    killed = folder / ".measuring.abc.part" / "checkpoints"  # as a process leaves it that was killed while it measured
    killed.mkdir(parents=True)
    (killed / ".last.safetensors.12ab.part").touch()
    with pytest.raises(OutOfTime, match="is too little"):
        cs.resume(folder)
    assert not killed.parent.exists()
    run = cs.resume(folder, budget="5m")
    assert run.is_done
    assert run.budget is not None
    assert run.budget.ended == "as planned"
    without, _, _ = planned(cells, tmp_path / "planned", INSTANT)
    with pytest.raises(BadRun, match="goes on by the plan"):
        cs.resume(without.folder, budget="5m")


@pytest.mark.slow
def test_folds_that_do_not_fit_make_way_for_one_split_unless_they_were_asked_for(cells: Path, tmp_path: Path) -> None:
    from coverslip.experiments.cross_validation import chosen_folds

    for name, n_folds, budget in (("asked", 3, 20.0), ("usual", None, 20.0), ("enough", None, 500.0)):
        epochs = "auto" if name == "usual" else 3
        recipe = SMALL.model_copy(update={"split": SplitPlan(folds=n_folds), "epochs": epochs})
        data, recipe = checked(cs.open_dataset(cells, group_pattern=GROUPS), recipe)
        begin_run(tmp_path / name, data, recipe, "cpu", allow_leakage=False, budget=budget)
        scan = scan_images(data)
        folds = chosen_folds(data, scan, recipe, ignore)
        assert folds is not None
        context = RunContext(tmp_path / name, deadline=Deadline.within(budget, Clock()))
        if name == "asked":
            with pytest.raises(OutOfTime, match="too little for 3 folds"):
                fit_folds_to_budget(data, scan, folds, recipe, context, FixedPace())
        elif name == "usual":
            none, recipe, _ = fit_folds_to_budget(data, scan, folds, recipe, context, FixedPace())
            assert (none, recipe.split.folds, recipe.epochs) == (None, 0, "auto")  # the split has other images
        else:
            same, recipe, ending = fit_folds_to_budget(data, scan, folds, recipe, context, FixedPace())
            assert (same, recipe.split.folds, recipe.epochs) == (folds, len(folds.splits), 3)
            assert 0 < ending.deadline.seconds_left() < budget


def folds_planned(
    cells: Path, folder: Path, recipe: Recipe, budget: float, pace: FixedPace
) -> tuple[Recipe, BudgetRecord, list[Event]]:
    """What a budget settles for folds, and what it tells."""
    data, recipe = checked(cs.open_dataset(cells, group_pattern=GROUPS), recipe)
    begin_run(folder, data, recipe, "cpu", allow_leakage=False, budget=budget)
    scan = scan_images(data)
    folds = fold_images(data, scan, n_folds=3, val=recipe.split.val, seed=0)
    events: list[Event] = []
    context = RunContext(folder, emit=events.append, deadline=Deadline.within(budget, Clock()))
    _, settled, _ = fit_folds_to_budget(data, scan, folds, recipe, context, pace)
    record = Run(folder).budget
    assert record is not None
    return settled, record, events


def test_folds_are_fine_tuned_on_smaller_images_where_there_is_time_for_no_more(cells: Path, tmp_path: Path) -> None:
    recipe = Recipe(model="efficientnet_lite0", tta=1, epochs=20, split=SplitPlan(folds=3))
    pace = FixedPace(steps_per_second=10.0, is_quicker_when_smaller=True)
    settled, record, _ = folds_planned(cells, tmp_path / "smaller", recipe, 300.0, pace)
    assert (settled.stage, settled.image_size, settled.n_epochs, record.instant_px) == ("finetune", 128, 20, 224)
    slow = FixedPace(steps_per_second=1.0, is_quicker_when_smaller=True)
    settled, record, events = folds_planned(cells, tmp_path / "none", recipe, 200.0, slow)
    assert (settled.stage, settled.image_size, record.instant_px) == ("instant", None, None)
    told = next(event for event in events if isinstance(event, Noted) and event.code == "no-time-to-fine-tune-folds")
    enough = told.values["seconds"]
    settled, _, _ = folds_planned(cells, tmp_path / "enough", recipe, enough, slow)
    assert (settled.stage, settled.image_size) == ("finetune", 96)


def test_folds_count_no_more_training_images_than_the_recipe_allows(cells: Path, tmp_path: Path) -> None:
    seconds = []
    for cap in (None, 4):
        recipe = SMALL.model_copy(update={"split": SplitPlan(folds=3, train_per_class=cap)})
        _, record, _ = folds_planned(cells, tmp_path / str(cap), recipe, 500.0, FixedPace(steps_per_second=10.0))
        seconds.append(next(step.seconds for step in record.steps if step.what.startswith("fine-tuning 4 networks")))
    assert seconds[1] < 0.5 * seconds[0]


def planned(cells: Path, folder: Path, recipe: Recipe) -> tuple[RunContext, Clock, tuple[Dataset, Recipe, Environment]]:
    """A run whose plan is made, with its clock."""
    data, recipe = checked(cs.open_dataset(cells, group_pattern=GROUPS), recipe)
    environment = begin_run(folder, data, recipe, "cpu", allow_leakage=False, budget=100.0)
    record = BudgetRecord(seconds=100.0, chooses_network=False, is_planned=True)
    record.write(Run(folder).budget_file)
    clock = Clock()
    return RunContext(folder, deadline=Deadline.within(100.0, clock)), clock, (data, recipe, environment)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_fine_tuning_that_runs_out_of_time_leaves_a_recipe_that_gives_the_same(cells: Path, tmp_path: Path) -> None:
    context, clock, (data, recipe, environment) = planned(cells, tmp_path / "cut", SMALL)

    def become_late(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 2:
            clock.now = 101.0

    cut = train_in(data, recipe, environment, context.telling(become_late))
    assert cut.training is not None
    assert cut.training.finetune is not None
    assert (cut.training.finetune.stopped_because, cut.training.finetune.epochs_run) == ("out of time", 2)
    assert cut.recipe.last_epoch == 2
    assert cut.budget is not None
    assert cut.budget.ended == "fine-tuning cut short"
    again = cs.train(cs.open_dataset(cells, group_pattern=GROUPS), load_recipe(cut.recipe_file), out=tmp_path / "again")
    for name in ("classifier/weights.safetensors", "metrics.json", "predictions.csv"):
        assert sha256_file(cut.folder / name) == sha256_file(again.folder / name), name


@pytest.mark.slow
def test_fine_tuning_on_smaller_images_is_given_up_for_the_instant_classifier_on_larger_ones(tmp_path: Path) -> None:
    """Where validation images speak for that; the recipe that is left gives the same again."""
    striped = tmp_path / "striped"
    generator = np.random.default_rng(0)
    for label in ("across", "along"):  # of the same brightness: at 16 px they look alike
        (striped / label).mkdir(parents=True)
        for i in range(30):
            stripes = np.tile(np.repeat([60, 180], 2), 16) + np.zeros((64, 1)) + generator.normal(0, 10, (64, 64))
            pixels = np.roll(stripes, i, axis=1).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels if label == "along" else pixels.T).save(striped / label / f"slide{i // 3}_{i}.png")
    smaller = SMALL.model_copy(update={"image_size": 16, "epochs": 2})
    context, _, (data, recipe, environment) = planned(striped, tmp_path / "run", smaller)
    record = BudgetRecord(seconds=100.0, chooses_network=False, instant_px=64, is_planned=True)
    record.write(tmp_path / "run" / "budget.json")
    run = train_in(data, recipe, environment, context)
    assert run.budget is not None
    assert run.recipe.image_size == 64
    assert run.recipe.stage == "instant"
    assert run.card is not None
    assert run.card.preprocessing.image_size == 64
    assert run.budget.ended == "larger instant classifier"
    assert run.training is not None
    assert (run.training.chosen, run.training.finetune) == ("instant", None)
    report = run.report_file.read_text(encoding="utf-8")
    assert "the instant classifier at 64 px is kept" in report
    assert "then fine-tuned" not in report
    again = cs.train(cs.open_dataset(striped, group_pattern=GROUPS), run.recipe, out=tmp_path / "again")
    for name in ("classifier/weights.safetensors", "metrics.json", "predictions.csv", "learning_curve.json"):
        assert sha256_file(run.folder / name) == sha256_file(again.folder / name), name


@pytest.mark.slow
def test_what_was_fine_tuned_on_smaller_images_is_kept_where_nothing_speaks_against_it(
    cells: Path, tmp_path: Path
) -> None:
    recipe = SMALL.model_copy(update={"image_size": 32, "kept_stage": "finetune"})
    context, _, (data, recipe, environment) = planned(cells, tmp_path / "run", recipe)
    record = BudgetRecord(seconds=100.0, chooses_network=False, instant_px=48, is_planned=True)
    record.write(tmp_path / "run" / "budget.json")
    run = train_in(data, recipe, environment, context)
    assert run.budget is not None
    assert (run.recipe.image_size, run.recipe.stage, run.budget.ended) == (32, "finetune", "as planned")
    assert run.training is not None
    assert run.training.chosen == "finetune"
    assert "fine-tuning took images of 32 px in place of 48 px" in run.report_file.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_stop_while_the_machine_is_measured_settles_nothing(cells: Path, tmp_path: Path) -> None:
    parts, recipe, context, _ = begun(cells, tmp_path / "run", SMALL, 1000.0)
    context.run.stop_file.touch()
    with pytest.raises(Stopped):
        MeasuredPace(parts, replace(context, stop=Stop(context.run.stop_file))).training(recipe)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_folds_that_run_out_of_time_all_keep_the_instant_classifier(cells: Path, tmp_path: Path) -> None:
    recipe = SMALL.model_copy(update={"split": SplitPlan(folds=2)})
    context, clock, (data, recipe, environment) = planned(cells, tmp_path / "run", recipe)
    clock.now = 101.0
    run = train_in(data, recipe, environment, context)
    assert run.recipe.stage == "instant"
    assert [training.finetune for training in run.trainings] == [None, None]
    assert run.is_done
    assert run.budget is not None
    assert run.budget.ended == "fine-tuning left out"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_budget_from_end_to_end_and_its_recipe_without_one(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    recipe = with_settings(SMALL, ["epochs=2"])
    first = cs.train(data, recipe, out=tmp_path / "first", budget="10h")
    assert first.budget is not None
    assert first.budget.is_planned
    assert first.budget.ended == "as planned"
    assert "The training was given 10 h 00 min." in first.report_file.read_text()
    again = cs.train(data, load_recipe(first.recipe_file), out=tmp_path / "again")
    assert again.budget is None
    for name in ("classifier/weights.safetensors", "metrics.json"):
        assert sha256_file(first.folder / name) == sha256_file(again.folder / name), name


@pytest.mark.slow
def test_whether_fine_tuning_was_asked_for_is_known_whatever_is_settled(cells: Path, tmp_path: Path) -> None:
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    for recipe, is_asked_for in ((SMALL, True), (INSTANT, False)):
        with pytest.raises(OutOfTime):
            cs.train(data, recipe, out=tmp_path / recipe.stage, budget="0.1s")
        record = Run(tmp_path / recipe.stage).budget
        assert record is not None
        assert record.asks_for_finetuning == is_asked_for


@pytest.mark.slow
def test_a_run_that_is_resumed_keeps_its_plan_and_what_it_has_used(cells: Path, tmp_path: Path) -> None:
    context, _, (data, recipe, environment) = planned(cells, tmp_path / "run", INSTANT)
    context.run.stop_file.touch()
    stopping = RunContext(context.folder, stop=Stop(context.run.stop_file), deadline=context.deadline)
    with pytest.raises(Stopped):
        train_in(data, recipe, environment, stopping)
    before = context.run.recipe
    events: list[Event] = []
    run = cs.resume(context.folder, emit=events.append)
    assert run.recipe == before
    assert not [event for event in events if isinstance(event, Noted) and event.code == "plan"]
    assert run.is_done


@pytest.mark.exhaustive
def test_fine_tuning_takes_smaller_batches_where_memory_is_short(cells: Path, tmp_path: Path) -> None:
    parts, recipe, context, _ = begun(cells, tmp_path / "run", OPEN, 100.0)
    events: list[Event] = []
    context = context.telling(events.append)
    assert fit_to_memory(parts, recipe, context, lambda device: 10**12) is recipe
    smaller = fit_to_memory(parts, recipe, context, lambda device: 10**8)  # 48 px: 74 MB with 4, 132 MB with 16
    assert (recipe.batch_size, smaller.batch_size, context.run.recipe.batch_size) == (16, 8, 8)
    assert [event.code for event in events if isinstance(event, Noted)] == ["smaller-batches"]
    with pytest.raises(OutOfMemory, match=r"at 48 px takes about 0\.1 GB of memory even in small batches"):
        fit_to_memory(parts, recipe, context, lambda device: 10**6)
    instant = recipe.model_copy(update={"stage": "instant"})
    assert fit_to_memory(parts, instant, context, lambda device: 0) is instant


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux tells it")
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
import torch._dynamo  # part of the program: the first step of an optimiser imports it
from coverslip.losses.image_loss import ImageLoss
from coverslip.models.networks import create_network
from coverslip.runs import Recipe
from coverslip.training.allocator import keep_freed_memory
from coverslip.training.steps.step import accumulate_gradients
from coverslip.training.steps.optimising import new_optimizer

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
    with pytest.raises(BadRecipe, match="cannot be planned for pretraining"):
        cs.train(cs.open_dataset(cells), recipe, out=tmp_path / "run", budget="10m")


def test_a_temperature_is_judged_on_images_that_it_was_not_fitted_on() -> None:
    from coverslip.training.ranking import cross_fitted_rank, rank

    rng = np.random.default_rng(0)
    label = np.arange(40) % 2
    logits = 8 * (np.eye(2)[label] + rng.normal(0, 0.8, (40, 2)))
    assert cross_fitted_rank(logits, label, Recipe())[0] == rank(logits, label, Recipe())[0]
    assert cross_fitted_rank(logits, label, Recipe())[1] < rank(logits, label, Recipe())[1]
