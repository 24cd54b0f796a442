"""Run one training from beginning to end, after pretraining on other images if the recipe has it.

Test images must not be among the training images of the initial weights. Duplicates of test images are therefore
searched for, by their pixels, among the images of an earlier run and of pretraining.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import one_line
from coverslip.datasets.quality.scanning import Scan
from coverslip.errors import BadRun, LeakageFound, OutOfTime
from coverslip.events import Noted, SetSizes
from coverslip.experiments.budgeting import can_fall_back_to_instant, fit_to_budget, fit_to_memory, without_finetuning
from coverslip.experiments.cross_validation import choose_folds, cross_validate
from coverslip.experiments.estimating import (
    Speed,
    expected_time,
    measure_speed,
    plan_work,
    sizes_of,
    sizes_of_folds,
)
from coverslip.experiments.one_split import make_split, train_one_split
from coverslip.experiments.preparation import open_pretraining, scan_and_check
from coverslip.experiments.run_state import begin_run, record_work
from coverslip.experiments.split_data import SplitData, with_epochs_for_folds
from coverslip.images.preprocessing import PixelFacts
from coverslip.messages import AllowLeakage, note
from coverslip.runs.classifier import fingerprint_of
from coverslip.runs.folder import Run, RunContext, is_run, open_run
from coverslip.runs.images import apply_earlier_split, unchanged_images
from coverslip.runs.recipe import FromRun, Pretraining, Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.split import TrainingHashes, common_plan, pretraining_hashes
from coverslip.runs.status import Environment, work_lock
from coverslip.stopping import NO_DEADLINE, signals_stop


def run_training(
    data: Dataset,
    recipe: Recipe,
    environment: Environment,
    context: RunContext,
    finish: Callable[[RunContext], None] = lambda context: None,
) -> Run:
    """Train in a run folder until the training is done, fails or is stopped.

    Args:
        data: labeled images, as the recipe reads them.
        recipe: of the training.
        environment: of the run.
        context: its folder was created by `begin_run`.
        finish: further work, before the run is recorded as done.

    Returns:
        The run.

    Raises:
        CoverslipError: one of its subclasses, with remedies.
        Stopped: on Ctrl-C, SIGTERM or the run's stop file.
    """
    with signals_stop(), record_work(context) as inner:
        _train(data, recipe, environment, inner)
        finish(inner)
    return Run(context.folder)


def _train(
    data: Dataset,
    recipe: Recipe,
    environment: Environment,
    context: RunContext,
    check: Callable[[Scan], None] = lambda scan: None,
) -> None:
    """Scan and check the images, split them, pretrain if the recipe has it, and train: one network, or one per fold."""
    data = apply_earlier_split(data, recipe)
    scan, recipe = scan_and_check(data, recipe, context)
    check(scan)
    folds = choose_folds(data, scan, recipe, context.emit)
    if folds is not None and recipe.init == "scratch" and context.run.budget is not None:
        context.emit(Noted.of(note("no-time-for-folds")))  # no instant classifier could replace them
        folds, recipe = None, recipe.model_copy(update={"split": recipe.split.resolved(0)})
    if folds is None:
        split = make_split(data, scan, recipe, allow_leakage=environment.allow_leakage)
    else:
        split = folds.splits[0]
    split_data, speed = SplitData(data, scan, split), None
    if context.with_report or context.run.budget is not None:
        speed = measure_speed(split_data, recipe, context)
        fit = fit_to_budget(data, scan, folds, split_data, recipe, context, speed)
        recipe, context, speed = fit.recipe, fit.context, fit.speed
    if folds is None:
        _emit_plan([sizes_of(split_data, recipe)], recipe, context, speed)
        test_images = _TestImages(data, scan, split_data.test.tolist())
        recipe = _with_initial_run(recipe, test_images, environment, context)
        recipe = fit_to_memory(split_data, recipe, context)
        train_one_split(data, recipe, context, scan=scan, split=split_data.split)
        return
    with_epochs = with_epochs_for_folds(data, scan, folds, recipe)
    _emit_plan(sizes_of_folds(data, scan, folds, recipe), with_epochs, context, speed)
    test_positions = [i for i, fold in enumerate(folds.fold_of) if fold]
    initialized = _with_initial_run(recipe, _TestImages(data, scan, test_positions), environment, context)
    resolved = {"split": recipe.split.resolved(len(folds.splits))}
    # The run's recipe keeps the initialization as the user stated it.
    save_recipe(recipe.model_copy(update=resolved), context.run.recipe_file)
    initialized = initialized.model_copy(update=resolved)
    initialized = fit_to_memory(split_data, initialized, context)
    try:
        cross_validate(data, scan, folds, initialized, environment, context)
    except OutOfTime:
        if not can_fall_back_to_instant(context.run):
            raise
        initialized = without_finetuning(initialized, context)
        context = context.with_deadline(NO_DEADLINE)
        cross_validate(data, scan, folds, initialized, environment, context)


def _emit_plan(sizes: Sequence[SetSizes], recipe: Recipe, context: RunContext, speed: Speed | None) -> None:
    """Emit the planned work and, if it was measured and there is no time budget, the expected time."""
    plan = plan_work(recipe, sizes, speed)
    context.emit(plan)
    if plan.seconds is not None and context.run.budget is None:
        step = 1 if context.run.is_pretraining else 2 if isinstance(recipe.init, Pretraining) else None
        context.emit(expected_time(plan, step))


@dataclass(frozen=True, slots=True)
class _TestImages:
    """The images on which the result will be evaluated."""

    data: Dataset
    scan: Scan
    positions: Sequence[int]

    def count_shared(self, hashes: TrainingHashes, origin: Path, context: RunContext, *, is_allowed: bool) -> int:
        """Return how many of these images are duplicates of images with these hashes.

        Args:
            hashes: of other images.
            origin: run or folder of these other images, for the error.
            context: of the training.
            is_allowed: whether there may be duplicates.

        Raises:
            LeakageFound: there are duplicates, and they are not allowed.
        """
        n = len(hashes.find_shared(self.data, self.scan, self.positions, emit=context.emit, stop=context.stop))
        if n and not is_allowed:
            raise LeakageFound(
                "images-of-pretraining-tested",
                file=origin,
                remedies=(AllowLeakage(),),
                n_images=n,
                n_test=len(self.positions),
            )
        return n


def _with_initial_run(
    recipe: Recipe, test_images: _TestImages, environment: Environment, context: RunContext
) -> Recipe:
    """Pretrain if the recipe has it, and return the recipe with the run that provides the initial weights.

    Raises:
        BadRun: the weights of that run have changed since this training began.
        LeakageFound: test images are among the training images of that run.
    """
    if isinstance(recipe.init, Pretraining):
        pretraining = _pretrain(recipe, recipe.init, test_images, environment, context)
        recipe = recipe.model_copy(update={"init": FromRun(run=str(pretraining.folder), labels=recipe.init.labels)})
    if not isinstance(recipe.init, FromRun):
        return recipe
    earlier = Path(recipe.init.run)
    if environment.initialization is not None and fingerprint_of(earlier, tested=True) != environment.initialization:
        raise BadRun("initial-run-changed", file=earlier)
    hashes = pretraining_hashes(recipe)
    if not hashes.is_complete:
        context.emit(Noted.of(note("unknown-initialization", level="warning")))
    if n := test_images.count_shared(hashes, earlier, context, is_allowed=environment.allow_leakage):
        leakage = note("leakage-of-pretraining", level="warning", n_images=n, n_test=len(test_images.positions))
        context.emit(Noted.of(leakage))
    return recipe


def _pretrain(
    recipe: Recipe, init: Pretraining, test_images: _TestImages, environment: Environment, context: RunContext
) -> Run:
    """Pretrain in the folder `pretraining` of the run, unless that is done."""
    pretraining_run = context.run.pretraining
    if not pretraining_run.is_done:
        context.emit(Noted.of(note("pretraining", source=one_line(init.train_on))))
        with work_lock(pretraining_run.folder):
            if is_run(pretraining_run.folder):
                pretraining_run = open_run(pretraining_run.folder)
                data = unchanged_images(pretraining_run)
                inner_recipe, inner_environment = pretraining_run.recipe, pretraining_run.environment
            else:
                data, inner_recipe = open_pretraining(recipe, init)
                allow = environment.allow_leakage
                inner_environment = begin_run(
                    pretraining_run.folder, data, inner_recipe, environment.device, allow_leakage=allow
                )
            nested = context.nested(pretraining_run.folder, is_pretraining=True)
            check = partial(_check_pretraining, data, init, test_images, environment, nested)
            with record_work(nested, is_inner=True) as inner:
                _train(data, inner_recipe, inner_environment, inner, check)
    record = Run(pretraining_run.folder).training
    if record is not None and record.chosen == "instant":
        context.emit(Noted.of(note("pretraining-no-better", level="warning")))
    return pretraining_run


def _check_pretraining(
    data: Dataset,
    init: Pretraining,
    test_images: _TestImages,
    environment: Environment,
    context: RunContext,
    scan: Scan,
) -> None:
    """Search for test images among all images of pretraining, before it takes hours."""
    hashes = frozenset(facts.pixel_hash for facts in scan.facts if isinstance(facts, PixelFacts))
    hashes_by_plan = TrainingHashes({common_plan(data): hashes})
    test_images.count_shared(hashes_by_plan, Path(init.train_on), context, is_allowed=environment.allow_leakage)
