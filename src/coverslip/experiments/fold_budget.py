"""Folds within a time budget: whether they fit, and for how many epochs.

With folds every image measures the result, so that none is left by which networks could be compared: the recipe's own
network is taken. Where the time is over before the folds are done, all of them, and the classifier itself, are trained
without fine-tuning, so that what is measured is what is kept.
"""

import math
import shutil
from collections.abc import Callable
from functools import cache

from coverslip.datasets import Dataset, Folds, Scan
from coverslip.errors import OutOfMemory, OutOfTime
from coverslip.events import Noted
from coverslip.experiments.budgeting import show_plan
from coverslip.experiments.pace import MeasuredPace, Pace
from coverslip.experiments.parts import Parts, capped_parts, with_epochs_of_folds
from coverslip.experiments.planning import (
    FEWEST_EPOCHS,
    MEASURING_SHARE,
    SAFETY,
    EmbeddingPace,
    NetworkChoice,
    TrainingPace,
    Workload,
    epoch_seconds,
    familiarity_seconds,
    fastest_training,
    finetuning_choices,
    folds_seconds,
    plan_finetuning,
)
from coverslip.messages import Set, duration
from coverslip.runs import BudgetRecord, PlannedStep, Recipe, RunContext, TriedNetwork, save_recipe
from coverslip.training.preprocessing import learn_preprocessing


def fit_folds_to_budget(
    data: Dataset, scan: Scan, folds: Folds | None, recipe: Recipe, context: RunContext, pace: Pace | None = None
) -> tuple[Folds | None, Recipe, RunContext]:
    """The folds, where they fit into the run's time budget, the recipe with as many epochs as fit, and its context.

    All are as they were where the run has no budget or no folds. Folds that were not asked for make way for one split.

    Raises:
        OutOfTime: the recipe asks for folds, and not even instant classifiers fit.
        OutOfMemory: fine-tuning takes more than is free, also on the smallest images.
    """
    record = context.run.budget
    if record is None or folds is None:
        return folds, recipe, context
    if not record.is_planned:
        parts = Parts(data, scan, folds.splits[0])
        settled = with_epochs_of_folds(data, scan, folds, recipe)
        pace, may_add_epochs = pace or MeasuredPace(parts, context), recipe.epochs == "auto"
        planned = _plan(parts, folds, settled, context, pace, record, may_add_epochs=may_add_epochs)
        if planned is None:
            return None, recipe.model_copy(update={"split": recipe.split.model_copy(update={"folds": 0})}), context
        recipe, record = planned
        save_recipe(recipe, context.run.recipe_file)
        record.write(context.run.budget_file)
    return folds, recipe, context.ending(context.deadline.earlier(record.reserve_seconds))


def without_finetuning(recipe: Recipe, context: RunContext) -> Recipe:
    """The recipe of a run whose folds ran out of time, whose folder is made ready to begin them again."""
    for fold in context.run.folds:
        fold.status_file.unlink(missing_ok=True)  # first: a fold without it is not done
        shutil.rmtree(fold.folder)
    shutil.rmtree(context.run.checkpoint_file("last").parent, ignore_errors=True)
    context.run.history_file.unlink(missing_ok=True)
    text = "There was no time to fine-tune all folds: all of them keep the instant classifier."
    context.emit(Noted(code="out-of-time", text=text, level="warning"))
    record = context.run.budget
    assert record is not None, "only a budget lets time run out"
    record.model_copy(update={"ended": "fine-tuning left out"}).write(context.run.budget_file)
    recipe = recipe.model_copy(update={"stage": "instant", "image_size": record.instant_px or recipe.image_size})
    save_recipe(recipe, context.run.recipe_file)
    return recipe


def _plan(
    parts: Parts,
    folds: Folds,
    recipe: Recipe,
    context: RunContext,
    pace: Pace,
    record: BudgetRecord,
    *,
    may_add_epochs: bool,
) -> tuple[Recipe, BudgetRecord] | None:
    """What is settled; None where folds that nobody asked for do not fit."""
    deadline, n_folds = context.deadline, len(folds.splits)
    steps = [PlannedStep(what="looking at the images", seconds=max(0.0, record.seconds - deadline.seconds_left()))]
    embedding = pace.embedding(recipe)
    instant = _instant_seconds(parts, folds, embedding, recipe)
    if instant > deadline.seconds_left():
        _tell_no_folds(instant, n_folds, recipe, context, record)
        return None
    steps.append(PlannedStep(what=f"instant classifiers of {n_folds} folds, and the report", seconds=instant))
    size = learn_preprocessing(parts.train_facts, recipe).image_size
    own, planned, finetuning = NetworkChoice(recipe.model, size), recipe.model_copy(update={"stage": "instant"}), None
    if recipe.is_finetuned:
        choices, (work, n_drawn) = finetuning_choices(own, recipe), _work(parts, folds, recipe)
        training_pace = cache(lambda choice: pace.training(choice.of(recipe)))
        # Instant classifiers once more, where fine-tuning is cut short; and what the networks see in their images.
        reserved = 2 * instant + _familiarity_seconds(folds, embedding)
        finetuning = plan_finetuning(
            choices,
            recipe,
            work,
            n_drawn,
            lambda _: deadline.seconds_left() - reserved,
            training_pace,
            fastest_training(embedding, recipe, context.device),
            may_add=may_add_epochs,
        )
        if finetuning is None:
            _tell_not_finetuned(n_folds, work, reserved, lambda: training_pace(choices[-1]), recipe, context, record)
    if finetuning is not None:
        px, epochs = finetuning.choice.image_size, finetuning.epochs
        what = f"fine-tuning {n_folds + 1} networks at {px} px, {epochs} epochs each"
        steps.append(PlannedStep(what=what, seconds=finetuning.seconds))
        planned = recipe if finetuning.choice == own else finetuning.choice.of(recipe)
        planned = planned.model_copy(update={"epochs": epochs})
    show_plan(steps, record, context.emit)
    is_smaller = finetuning is not None and finetuning.choice != own
    settled = {
        "steps": tuple(steps),
        "networks": (TriedNetwork(model=recipe.model, image_size=size, planned_seconds=instant, outcome="chosen"),),
        "reserve_seconds": instant,
        "instant_px": size if is_smaller else None,
        "is_planned": True,
    }
    split = recipe.split.resolved(n_folds)
    return planned.model_copy(update={"split": split}), record.model_copy(update=settled)


def _work(parts: Parts, folds: Folds, recipe: Recipe) -> tuple[Workload, int]:
    """Of an epoch of every fold's network and of the last one; and the fewest images that one of them shows."""
    splits = (*folds.splits, folds.refit)
    drawn = [capped_parts(parts.data, parts.scan, split, recipe).n_drawn(recipe) for split in splits]
    n = len(parts.train) + len(parts.val) + len(parts.test)
    return Workload(sum(drawn), n, n, sum(drawn), len(splits)), min(drawn)


def _familiarity_seconds(folds: Folds, pace: EmbeddingPace) -> float:
    """For what each fine-tuned network sees in its training images, once more."""
    seconds = 0.0
    for split in (*folds.splits, folds.refit):
        n_train, n_val = (split.parts.count(part) for part in ("train", "val"))
        seconds += familiarity_seconds(pace, Workload(n_train, n_val, 0, n_train))
    return seconds


def _instant_seconds(parts: Parts, folds: Folds, pace: EmbeddingPace, recipe: Recipe) -> float:
    """For all folds without fine-tuning."""
    n = len(parts.train) + len(parts.val) + len(parts.test)
    # Features are shared by folds that preprocess alike; of deep images each may learn a range of its own.
    ways = {
        learn_preprocessing(Parts(parts.data, parts.scan, split).train_facts, recipe).model_dump_json()
        for split in folds.splits
    }
    return folds_seconds(pace, n, n_folds=len(folds.splits), n_embedded=len(ways) + (len(ways) > 1))


def _tell_no_folds(seconds: float, n_folds: int, recipe: Recipe, context: RunContext, record: BudgetRecord) -> None:
    """Raises OutOfTime where folds were asked for; else emits that there will be none."""
    if recipe.split.asks_for_folds:
        raise _too_little(seconds, n_folds, context, record)
    text = "There are few images, but no time for folds, which would test each of them once: one split is made."
    context.emit(Noted(code="no-time-for-folds", text=text, level="warning"))


def _tell_not_finetuned(
    n_folds: int,
    work: Workload,
    reserved: float,
    pace: Callable[[], TrainingPace],
    recipe: Recipe,
    context: RunContext,
    record: BudgetRecord,
) -> None:
    """Emit how much time fine-tuning would take, at a pace that is measured if there is time for that.

    Raises:
        OutOfTime: from scratch, where there is nothing else.
    """
    left = context.deadline.seconds_left()
    if recipe.init == "scratch":
        raise _too_little(reserved + SAFETY * FEWEST_EPOCHS * epoch_seconds(pace(), work), n_folds, context, record)
    if left - reserved <= MEASURING_SHARE * record.seconds:
        return
    try:
        seconds = SAFETY * recipe.n_epochs * epoch_seconds(pace(), work)
    except OutOfMemory:  # no time would do
        return
    total = math.ceil(record.seconds - context.deadline.seconds_left() + reserved + seconds)
    text = (
        f"There is no time to fine-tune {n_folds + 1} networks, which takes about {duration(total)} in all: folds "
        "measure the instant classifier. One split in place of folds has one network to fine-tune."
    )
    values, remedies = {"n_networks": n_folds + 1, "seconds": total}, (_without_folds(recipe),)
    context.emit(Noted(code="no-time-to-fine-tune-folds", text=text, values=values, remedies=remedies))


def _without_folds(recipe: Recipe) -> Set:
    return Set("split.by_domain", False) if recipe.split.by_domain else Set("split.folds", 0)


def _too_little(seconds: float, n_folds: int, context: RunContext, record: BudgetRecord) -> OutOfTime:
    needed = duration(record.seconds - context.deadline.seconds_left() + seconds)
    return OutOfTime(
        f"{duration(record.seconds)} is too little for {n_folds} folds, which take about {needed} here",
        do="Allow more time, or do without folds.",
        remedies=(_without_folds(context.run.recipe),),
    )
