"""One training from beginning to end, with pretraining on other images before it where a recipe has it.

What the initial weights have seen cannot measure the result: images of the test part that are among the training images
of an earlier run or of pretraining are looked for by their pixels, before pretraining and after it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coverslip.datasets import Dataset, Scan, one_line, scan_images
from coverslip.errors import BadRun, LeakageFound, OutOfTime
from coverslip.events import Emit, Event, Noted
from coverslip.experiments.budgeting import can_fall_back_to_instant, fit_folds_to_budget, without_finetuning
from coverslip.experiments.cross_validation import choose_folds, cross_validate
from coverslip.experiments.estimating import PaceListener, counts_of, expected_time, fit_to_memory, plan_work
from coverslip.experiments.one_split import make_split, train_one_split
from coverslip.experiments.preparation import open_pretraining, scan_and_check
from coverslip.experiments.run_state import begin_run, record_work
from coverslip.experiments.split_data import SplitData, capped_split_data, with_epochs_for_folds
from coverslip.images import ImageFacts
from coverslip.messages import AllowLeakage, note
from coverslip.runs import (
    Environment,
    FromRun,
    Pretraining,
    Recipe,
    Run,
    RunContext,
    TrainingHashes,
    apply_earlier_split,
    fingerprint_of,
    is_run,
    open_run,
    pretraining_hashes,
    save_recipe,
    unchanged_images,
    work_lock,
)
from coverslip.stopping import NO_DEADLINE, signals_stop


def run_training(data: Dataset, recipe: Recipe, environment: Environment, context: RunContext) -> Run:
    """Do the work of a run folder until it is done, fails or is asked to stop.

    Args:
        data: labeled images, as the recipe reads them.
        recipe: what to do.
        environment: what the run says of itself.
        context: its folder has been begun.

    Raises:
        CoverslipError: one of its kinds, with what to do.
        Stopped: on Ctrl-C, SIGTERM or the run's stop file.
    """
    listening = context.with_emit(_both(PaceListener(context), context.emit))
    with signals_stop(), record_work(listening) as inner:
        _train(data, recipe, environment, inner)
    return Run(context.folder)


def _train(data: Dataset, recipe: Recipe, environment: Environment, context: RunContext) -> None:
    """Look at the images, share them out, train on others first if so asked, and train: once, or by folds."""
    data = apply_earlier_split(data, recipe)
    scan, recipe = scan_and_check(data, recipe, context)
    folds = choose_folds(data, scan, recipe, context.emit)
    folds, recipe, context = fit_folds_to_budget(data, scan, folds, recipe, context)
    if folds is None:
        split = make_split(data, scan, recipe, allow_leakage=environment.allow_leakage)
        tested = [i for i, part in enumerate(split.parts) if part == "test"]
        split_data = SplitData(data, scan, split)
        _tell_work(split_data, recipe, context)
        recipe = _with_initial_run(recipe, _Tested(data, scan, tested), environment, context)
        if context.run.budget is None:  # else it is done for every image size that is tried
            recipe = fit_to_memory(split_data, recipe, context)
        train_one_split(data, recipe, context, scan=scan, split=split)
        return
    first_fold = capped_split_data(data, scan, folds.splits[0], recipe)
    settled = with_epochs_for_folds(data, scan, folds, recipe)
    _tell_work(first_fold, settled, context, n_folds=len(folds.splits))
    tested = [i for i, fold in enumerate(folds.fold_of) if fold]
    started = _with_initial_run(recipe, _Tested(data, scan, tested), environment, context)
    resolved = {"split": recipe.split.resolved(len(folds.splits))}
    save_recipe(
        recipe.model_copy(update=resolved), context.run.recipe_file
    )  # with the initialization as it was asked for
    started = fit_to_memory(SplitData(data, scan, folds.splits[0]), started.model_copy(update=resolved), context)
    try:
        cross_validate(data, scan, folds, started, environment, context)
    except OutOfTime:
        if not can_fall_back_to_instant(context.run):
            raise
        started = without_finetuning(started, context)
        cross_validate(data, scan, folds, started, environment, context.with_deadline(NO_DEADLINE))


def _tell_work(split_data: SplitData, recipe: Recipe, context: RunContext, n_folds: int = 0) -> None:
    """Emit how much there is to do and how long it will take; a time budget says that itself."""
    plan = plan_work(recipe, counts_of(split_data, recipe, n_folds), context.device, _seconds_of_budget(context))
    context.emit(plan)
    if context.run.budget is None:
        step = 1 if context.run.is_pretraining else 2 if isinstance(recipe.init, Pretraining) else None
        context.emit(expected_time(plan, step))


def _seconds_of_budget(context: RunContext) -> float | None:
    """Seconds left of the time budget, the reserve for instant classifiers of folds included; None without one."""
    left, budget = context.deadline.seconds_left(), context.run.budget
    if left == math.inf:
        return None
    return max(0.0, left + (0.0 if budget is None else budget.reserve_seconds))


def _both(first: Emit, second: Emit) -> Emit:
    def tell(event: Event) -> None:
        first(event)
        second(event)

    return tell


@dataclass(frozen=True, slots=True)
class _Tested:
    """The images that shall measure the result."""

    data: Dataset
    scan: Scan
    positions: Sequence[int]

    def count_known(self, seen: TrainingHashes, origin: Path, context: RunContext, *, is_allowed: bool) -> int:
        """Return how many of them were seen before.

        Raises:
            LeakageFound: there are some, and that is not allowed.
        """
        n = len(seen.find_shared(self.data, self.scan, self.positions, emit=context.emit, stop=context.stop))
        if n and not is_allowed:
            raise LeakageFound(
                "images-of-pretraining-tested",
                file=origin,
                remedies=(AllowLeakage(),),
                n_images=n,
                n_test=len(self.positions),
            )
        return n


def _with_initial_run(recipe: Recipe, tested: _Tested, environment: Environment, context: RunContext) -> Recipe:
    """The recipe with a run whose weights are the initialization, which may have to be trained first.

    Raises:
        BadRun: that run is another than when this one began.
        LeakageFound: it knows images which shall measure the result.
    """
    if isinstance(recipe.init, Pretraining):
        pretraining = _pretrain(recipe, recipe.init, tested, environment, context)
        recipe = recipe.model_copy(update={"init": FromRun(run=str(pretraining.folder), labels=recipe.init.labels)})
    if not isinstance(recipe.init, FromRun):
        return recipe
    earlier = Path(recipe.init.run)
    if environment.initialization is not None and fingerprint_of(earlier) != environment.initialization:
        raise BadRun("initial-run-changed", file=earlier)
    seen = pretraining_hashes(recipe)
    if not seen.is_complete:
        context.emit(Noted.of(note("unknown-initialization", level="warning")))
    if n := tested.count_known(seen, earlier, context, is_allowed=environment.allow_leakage):
        leakage = note("leakage-of-pretraining", level="warning", n_images=n, n_test=len(tested.positions))
        context.emit(Noted.of(leakage))
    return recipe


def _pretrain(recipe: Recipe, init: Pretraining, tested: _Tested, environment: Environment, context: RunContext) -> Run:
    """Pretrain, in a folder inside the run's, unless it is done."""
    pretraining_run = context.run.pretraining
    if not pretraining_run.is_done:
        context.emit(Noted.of(note("pretraining", source=one_line(init.train_on))))
        with work_lock(pretraining_run.folder):
            if is_run(pretraining_run.folder):
                pretraining_run = open_run(pretraining_run.folder)
                data, own_recipe, own_environment = (
                    unchanged_images(pretraining_run),
                    pretraining_run.recipe,
                    pretraining_run.environment,
                )
            else:
                data, own_recipe = open_pretraining(recipe, init)
                allow = environment.allow_leakage
                own_environment = begin_run(
                    pretraining_run.folder, data, own_recipe, environment.device, allow_leakage=allow
                )
            inside = context.nested(pretraining_run.folder, _as_pretraining(context.emit))
            _check_pretraining(data, init, tested, environment, inside)
            with record_work(inside, is_inner=True) as inner:
                _train(data, own_recipe, own_environment, inner)
    record = Run(pretraining_run.folder).training
    if record is not None and record.chosen == "instant":
        context.emit(Noted.of(note("pretraining-no-better", level="warning")))
    return pretraining_run


def _check_pretraining(
    data: Dataset, init: Pretraining, tested: _Tested, environment: Environment, context: RunContext
) -> None:
    """Before hours of training: any image of both datasets, though only those that are trained on will count."""
    scan = scan_images(data, emit=context.emit, stop=context.stop)
    shared = frozenset(facts.pixel_hash for facts in scan.facts if isinstance(facts, ImageFacts))
    seen = TrainingHashes({data.opening.plan: shared})
    tested.count_known(seen, Path(init.train_on), context, is_allowed=environment.allow_leakage)


def _as_pretraining(emit: Emit) -> Emit:
    """A listener that passes events on as those of pretraining."""

    def tell(event: Event) -> None:
        emit(replace(event, is_pretraining=True))

    return tell
