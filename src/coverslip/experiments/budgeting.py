"""Fit a training into the free memory, and into a time budget.

Within a time budget, the network is fine-tuned if there is time for a sufficient share of the epochs. Otherwise, the
instant classifier is the result, and if that takes too long, the first look (`experiments.presets`). A time budget
always gives a classifier. The choice is made once, by one measurement. Only the number of steps of fine-tuning then
follows the clock (`training.pacing`), in one split. Folds must be trained alike, so that theirs is fixed; if they run
out of time, all of them use the instant classifier.

The run's recipe has all choices, and yields the same classifier without a budget.
"""

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.folding import Folds
from coverslip.errors import OutOfMemory
from coverslip.events import Noted, SetSizes, WorkPlanned
from coverslip.experiments.estimating import Speed, sizes_of, sizes_of_folds
from coverslip.experiments.presets import Preset, preset_plans, speed_at, with_preset
from coverslip.experiments.split_data import SplitData, with_epochs_for_folds
from coverslip.machine import free_memory_bytes
from coverslip.messages import Set, duration, note
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.timing import stage_seconds, total_seconds
from coverslip.runs.training import BudgetRecord
from coverslip.stopping import TimeLimit
from coverslip.training.preprocessing import learn_preprocessing

if TYPE_CHECKING:
    from coverslip.training.fitting import Fitted

# Fit the batches of fine-tuning into the free memory.

_SMALLEST_BATCH = 4  # gradients of fewer images are too noisy
_SMALLEST_ADVISED_PX = 32


def fit_to_memory(
    split_data: SplitData, recipe: Recipe, context: RunContext, free: Callable[[str], int] = free_memory_bytes
) -> Recipe:
    """Return the recipe, with smaller batches if fine-tuning needs more memory than is free; the run's recipe follows.

    Without fine-tuning, and if fine-tuning is resumed, the memory is not checked.

    Args:
        split_data: the images and their split.
        recipe: of the training.
        context: names the device.
        free: returns the free bytes of a device.

    Raises:
        OutOfMemory: not even the smallest batches fit.
    """
    is_resumed = any(run.checkpoint_file("last").exists() for run in (context.run, *context.run.folds))
    if not recipe.is_finetuned or is_resumed:
        return recipe
    available = free(context.device)
    batch_size = batch_size_within_memory(split_data, recipe, context.device, lambda _: available)
    if batch_size == recipe.batch_size:
        return recipe
    _, needed_by = _needed(split_data, recipe, context.device)
    context.emit(_smaller(recipe, batch_size, needed_by(recipe.batch_size), available))
    changes = {"batch_size": batch_size}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    return recipe.model_copy(update=changes)


def batch_size_within_memory(
    split_data: SplitData, recipe: Recipe, device: str, free: Callable[[str], int] = free_memory_bytes
) -> int:
    """Return the batch size of the recipe, halved until fine-tuning fits into the free memory.

    Raises:
        OutOfMemory: not even the smallest batches fit.
    """
    available = free(device)
    size, needed_by = _needed(split_data, recipe, device)
    if needed_by(recipe.batch_size) <= available:
        return recipe.batch_size
    batch_size = recipe.batch_size // 2
    while batch_size >= _SMALLEST_BATCH and needed_by(batch_size) > available:
        batch_size //= 2
    if batch_size < _SMALLEST_BATCH:
        raise _too_much(recipe, size, needed_by(min(_SMALLEST_BATCH, recipe.batch_size)), available)
    return batch_size


def _needed(split_data: SplitData, recipe: Recipe, device: str) -> tuple[int, Callable[[int], int]]:
    """Return the image size, and a function from batch size to the memory of fine-tuning in bytes."""
    from coverslip.models.networks import training_memory

    preprocessing = learn_preprocessing(split_data.train_facts, recipe)

    def needed_by(batch_size: int) -> int:
        return training_memory(
            recipe.model,
            image_size=preprocessing.image_size,
            channels=preprocessing.channels,
            n_classes=len(split_data.classes),
            images_at_once=_images_at_once(recipe, batch_size, device),
            head=recipe.head,
            options=recipe.model_options,
        )

    return preprocessing.image_size, needed_by


def _images_at_once(recipe: Recipe, batch_size: int, device: str) -> int:
    """Return how many images' activations a step holds: part of the batch if that gives the same gradient."""
    from coverslip.training.finetuning import IMAGES_AT_ONCE

    follows_batches = recipe.batch_norm == "learn" or (recipe.batch_norm == "auto" and recipe.init == "scratch")
    if follows_batches or recipe.regularizer.groups != "none":
        return batch_size
    return min(batch_size, IMAGES_AT_ONCE if device == "cpu" else _SMALLEST_BATCH)


def _smaller(recipe: Recipe, batch_size: int, needed: int, available: int) -> Noted:
    return Noted.of(
        note(
            "smaller-batches",
            level="warning",
            model=recipe.model,
            batch_size=batch_size,
            full_batch_size=recipe.batch_size,
            needed=_gb(needed),
            free=_gb(available),
            needed_bytes=needed,
            free_bytes=available,
        )
    )


def _too_much(recipe: Recipe, size: int, needed: int, available: int) -> OutOfMemory:
    smaller = max(_SMALLEST_ADVISED_PX, size // 2)
    return OutOfMemory(
        "fine-tuning-out-of-memory",
        remedies=(Set("image_size", smaller),),
        model=recipe.model,
        image_size=size,
        needed=_gb(needed),
        free=_gb(available),
        needed_bytes=needed,
        free_bytes=available,
    )


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


# Training within a time budget.

# Of the epochs. With 5 of 8, fine-tuning is about as good as the instant classifier, and it is worse with 3 of 8
# (benchmarks/NOT_KEPT.md).
_SMALLEST_SHARE = 0.6
_MOST_EPOCHS = 2.0  # of the recommended number: more do not improve results
_UNUSED_SHARE = 0.2  # of the budget: if more time is left over, a note says so
_SAFETY, _SAFETY_OF_FOLDS = 1.1, 1.25  # factors on estimates; folds cannot be adapted while they run


@dataclass(frozen=True, slots=True)
class BudgetedTraining:
    """A training that fits into its time budget."""

    recipe: Recipe
    context: RunContext
    speed: Speed  # at the image size of the recipe


def fit_to_budget(
    data: Dataset,
    scan: Scan,
    folds: Folds | None,
    split_data: SplitData,
    recipe: Recipe,
    context: RunContext,
    speed: Speed,
    free: Callable[[str], int] = free_memory_bytes,
) -> BudgetedTraining:
    """Return recipe and context that fit the run's time budget; unchanged without a budget.

    Args:
        data: labeled images.
        scan: of these images.
        folds: of the recipe, or that few images require; None for one split.
        split_data: the images and their split, or that of the first fold.
        recipe: of the training.
        context: of the run; its deadline is that of the whole run.
        speed: of this computer, at the image size of the recipe.
        free: returns the free bytes of a device.

    Raises:
        OutOfMemory: training from random weights needs more memory than is free.
    """
    record = context.run.budget
    if record is None:
        return BudgetedTraining(recipe, context, speed)
    if not record.is_fixed:
        recipe = recipe.model_copy(update={"split": recipe.split.resolved(0 if folds is None else len(folds.splits))})
        if folds is None:
            sizes, n_epochs = [sizes_of(split_data, recipe)], split_data.with_epochs(recipe).epochs
        else:
            sizes = sizes_of_folds(data, scan, folds, recipe)
            n_epochs = with_epochs_for_folds(data, scan, folds, recipe).epochs
        with_epochs = recipe.model_copy(update={"epochs": n_epochs})
        is_trainable = not recipe.is_finetuned or _fits_memory(split_data, recipe, context, free)
        record, chosen_recipe = _choose(with_epochs, sizes, speed, context, record, is_trainable=is_trainable)
        record.write(context.run.budget_file)
        # In one split, the number of epochs follows the clock. The run's recipe keeps the initialization as stated.
        changes = {name: getattr(chosen_recipe, name) for name in ("image_size", "stage", "split")}
        if folds is not None and record.preset == "best":
            changes["epochs"] = chosen_recipe.epochs
        speed = speed_at(recipe, speed, chosen_recipe.image_size)
        recipe = recipe.model_copy(update=changes)
        save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    if folds is not None:
        context = context.with_deadline(context.deadline.earlier(record.reserve_seconds))
    elif recipe.is_finetuned:
        epochs = split_data.with_epochs(recipe).n_epochs
        limit = TimeLimit(
            context.deadline,
            record.reserve_seconds,
            fewest_epochs=1.0 if recipe.init == "scratch" else 0.0,
            most_epochs=_MOST_EPOCHS * epochs if record.adds_epochs else epochs,
        )
        context = replace(context, limit=limit)
    return BudgetedTraining(recipe, context, speed)


def _fits_memory(split_data: SplitData, recipe: Recipe, context: RunContext, free: Callable[[str], int]) -> bool:
    """Return whether fine-tuning fits into memory, as one that has begun did; if not, note why."""
    try:
        if not context.run.checkpoint_file("last").exists():
            batch_size_within_memory(split_data, recipe, context.device, free)
    except OutOfMemory as error:
        if recipe.init == "scratch":
            raise
        context.emit(Noted(code=error.code, text=str(error), level="warning", remedies=error.remedies))
        return False
    return True


def _choose(
    recipe: Recipe,
    sizes: Sequence[SetSizes],
    speed: Speed,
    context: RunContext,
    record: BudgetRecord,
    *,
    is_trainable: bool,
) -> tuple[BudgetRecord, Recipe]:
    """Return the budget and the recipe of the best preset for which there is time; else, of the fastest.

    Args:
        recipe: of the training, with a number of epochs.
        sizes: of one split, or of each fold and then of the training on all images.
        speed: of this computer, at the image size of the recipe.
        context: of the run.
        record: its budget.
        is_trainable: whether there is memory for fine-tuning.
    """
    plans = preset_plans(recipe, {"finetune": sizes, "instant": sizes}, speed)
    left, n_networks = context.deadline.seconds_left(), len(sizes)
    seconds_of = {preset: _SAFETY * total_seconds(plan, plan.pace) for preset, plan in plans.items()}
    changes: dict[str, object] = {"is_fixed": True, "preset": "best", "epochs": recipe.n_epochs}
    if recipe.is_finetuned and is_trainable:
        n_planned = min(recipe.epochs_planned, recipe.last_epoch or recipe.epochs_planned)
        share, reserve, needed = _share_of_epochs(replace(plans["best"], n_epochs=n_planned), seconds_of, left)
        if share >= _SMALLEST_SHARE or recipe.init == "scratch" or context.run.checkpoint_file("last").exists():
            n_epochs = recipe.n_epochs if n_networks == 1 else max(1, round(share * recipe.n_epochs))
            changes["reserve_seconds"] = reserve
            return record.model_copy(update=changes), recipe.model_copy(update={"epochs": n_epochs})
        seconds = _rounded(record.seconds - left + needed)
        changes |= {"ended": "no time to fine-tune", "sufficient_seconds": seconds}
        too_short = note(
            "no-time-to-fine-tune",
            level="warning",
            n_networks=n_networks,
            seconds=seconds,
            duration=duration(seconds),
            epochs=recipe.n_epochs,
        )
        context.emit(Noted.of(too_short))
    is_short = seconds_of["good"] > left and "first-look" in seconds_of
    preset: Preset = "first-look" if is_short else "good"
    changes["preset"] = preset
    chosen_recipe = with_preset(recipe, preset)
    if is_short:
        context.emit(Noted.of(note("smaller-images", image_size=chosen_recipe.image_size)))
    if seconds_of[preset] > left:
        seconds = _rounded(record.seconds - left + seconds_of[preset])
        budget, enough = duration(record.seconds), duration(seconds)
        exceeded = note("budget-exceeded", level="warning", budget=budget, seconds=seconds, duration=enough)
        context.emit(Noted.of(exceeded))
    return record.model_copy(update=changes), chosen_recipe


def _share_of_epochs(plan: WorkPlanned, seconds_of: Mapping[Preset, float], left: float) -> tuple[float, float, float]:
    """Return for which share of the epochs there is time, at most 1.

    Args:
        plan: of fine-tuning with all epochs.
        seconds_of: of the presets.
        left: seconds until the deadline.

    Returns:
        The share, the seconds to reserve for the work after fine-tuning, and those that all epochs need.
    """
    without_epochs = replace(plan, n_epochs=0)
    seconds, others = total_seconds(plan, plan.pace), total_seconds(without_epochs, plan.pace)
    if plan.n_folds:  # all folds may have to begin again, with the instant classifier
        reserve = seconds_of["good"]
        share, needed = (left / _SAFETY_OF_FOLDS - reserve - others) / (seconds - others), seconds + reserve
        return min(1.0, share), reserve, _SAFETY_OF_FOLDS * needed
    reserve = _SAFETY * stage_seconds(without_epochs, plan.pace)["measuring"]  # the instant classifier may be selected
    return min(1.0, (left - others) / (seconds - others)), reserve, seconds


def _rounded(seconds: float) -> float:
    """Return a budget, rounded up to 10 seconds."""
    return float(10 * math.ceil(seconds / 10))


def record_finetuning(fitted: "Fitted", split_data: SplitData, recipe: Recipe, context: RunContext) -> Recipe:
    """Write how fine-tuning was adapted to the time budget to the run, and return the recipe with it."""
    from coverslip.training.task import n_batches

    record, stage, limit = context.run.budget, fitted.finetuning, context.limit
    if record is None or limit is None or stage is None or fitted.is_stopped:
        return recipe
    steps_per_epoch = n_batches(split_data.n_drawn(recipe), recipe.batch_size, recipe.last_batch)
    epochs_run = round(stage.n_steps / steps_per_epoch, 1)
    ended = "fine-tuned" if fitted.selected_stage == "finetune" else "instant classifier"
    updates: dict[str, object] = {"epochs_run": epochs_run, "ended": ended}
    left, planned = context.deadline.seconds_left(), split_data.with_epochs(recipe).n_epochs
    planned = min(planned, recipe.last_epoch or planned)
    is_by_time = stage.stopped_because in ("all epochs done", "out of time")
    if is_by_time and epochs_run < 0.9 * planned and record.sufficient_seconds is None:
        seconds = record.seconds - left + stage.seconds * (planned / max(epochs_run, 0.1) - 1) + limit.reserve_seconds
        updates["sufficient_seconds"] = seconds = _rounded(seconds)
        words: dict[str, Any] = {"seconds": seconds, "duration": duration(seconds)}  # Any: each its own type
        context.emit(Noted.of(note("fewer-epochs", **words, epochs_run=epochs_run, epochs=planned)))
    if epochs_run >= math.floor(limit.most_epochs) and left > _UNUSED_SHARE * record.seconds:
        context.emit(Noted.of(note("budget-not-needed", epochs=epochs_run)))
    record.model_copy(update=updates).write(context.run.budget_file)
    changes = {"schedule_changes": fitted.schedule_changes}
    save_recipe(context.run.recipe.model_copy(update=changes), context.run.recipe_file)
    return recipe.model_copy(update=changes)


def can_fall_back_to_instant(run: Run) -> bool:
    """Return whether folds that run out of time restart with instant classifiers, for which the budget has a reserve.

    Folds that began without a budget have no reserve. They took the time that they needed, and are not replaced.
    """
    return run.budget is not None and run.budget.reserve_seconds > 0


def without_finetuning(recipe: Recipe, context: RunContext) -> Recipe:
    """Return the recipe of a run whose folds ran out of time, and remove their results so that they can restart."""
    for fold in context.run.folds:
        fold.status_file.unlink(missing_ok=True)  # first: a fold without it is not done
        shutil.rmtree(fold.folder)
    shutil.rmtree(context.run.checkpoint_file("last").parent, ignore_errors=True)
    context.run.history_file.unlink(missing_ok=True)
    record = context.run.budget
    assert record is not None, "only a budget lets time run out"
    context.emit(Noted.of(note("out-of-time", level="warning")))
    record.model_copy(update={"ended": "no time to fine-tune"}).write(context.run.budget_file)
    recipe = recipe.model_copy(update={"stage": "instant"})
    save_recipe(recipe, context.run.recipe_file)
    return recipe
