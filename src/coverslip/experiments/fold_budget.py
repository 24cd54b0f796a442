"""Folds within a time budget: whether they fit, and for how many epochs.

With folds every image measures the result, so that none is left by which networks could be compared: the recipe's own
network is taken. Where the time is over before the folds are done, all of them, and the classifier itself, are trained
without fine-tuning, so that what is measured is what is kept.
"""

import shutil

from coverslip.datasets import Dataset, Folds, Scan
from coverslip.errors import OutOfTime
from coverslip.events import Noted
from coverslip.experiments.budgeting import show_plan
from coverslip.experiments.pace import MeasuredPace, Pace
from coverslip.experiments.parts import Parts, with_epochs_of_folds
from coverslip.experiments.planning import (
    FEWEST_EPOCHS,
    SAFETY,
    EmbeddingPace,
    Workload,
    epoch_seconds,
    epochs_within,
    folds_seconds,
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
    """
    record = context.run.budget
    if record is None or folds is None:
        return folds, recipe, context
    if not record.is_planned:
        parts = Parts(data, scan, folds.splits[0])
        settled = with_epochs_of_folds(data, scan, folds, recipe)
        planned = _plan(parts, folds, settled, context, pace or MeasuredPace(parts, context), record)
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
    recipe = recipe.model_copy(update={"stage": "instant"})
    save_recipe(recipe, context.run.recipe_file)
    return recipe


def _plan(
    parts: Parts, folds: Folds, recipe: Recipe, context: RunContext, pace: Pace, record: BudgetRecord
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
    # Once more where fine-tuning is cut short.
    left = deadline.seconds_left() - 2 * instant
    n_epochs = 0
    if recipe.stage == "finetune" or recipe.init == "scratch":
        n = len(parts.train) + len(parts.val) + len(parts.test)
        n_drawn = sum(split.parts.count("train") for split in folds.splits) + n
        per_epoch = epoch_seconds(pace.training(recipe), Workload(n_drawn, n, n, n_drawn))
        n_epochs = epochs_within(left / SAFETY, per_epoch, recipe, parts.n_drawn(recipe))
        if not n_epochs and recipe.init == "scratch":
            raise _too_little(2 * instant + SAFETY * FEWEST_EPOCHS * per_epoch, n_folds, context, record)
        if n_epochs:
            what = f"fine-tuning {n_folds + 1} networks, {n_epochs} epochs each"
            steps.append(PlannedStep(what=what, seconds=n_epochs * per_epoch))
    show_plan(steps, record, context.emit)
    size = learn_preprocessing(parts.train_facts, recipe).image_size
    changes: dict[str, object] = {"epochs": n_epochs} if n_epochs else {"stage": "instant"}
    split = recipe.split.resolved(n_folds)
    planned = {
        "steps": tuple(steps),
        "networks": (TriedNetwork(model=recipe.model, image_size=size, planned_seconds=instant, outcome="chosen"),),
        "reserve_seconds": instant,
        "is_planned": True,
    }
    return recipe.model_copy(update={**changes, "split": split}), record.model_copy(update=planned)


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


def _too_little(seconds: float, n_folds: int, context: RunContext, record: BudgetRecord) -> OutOfTime:
    needed = duration(record.seconds - context.deadline.seconds_left() + seconds)
    return OutOfTime(
        f"{duration(record.seconds)} is too little for {n_folds} folds, which take about {needed} here",
        do="Allow more time, or do without folds.",
        remedies=(Set("split.by_domain", False) if context.run.recipe.split.by_domain else Set("split.folds", 0),),
    )
