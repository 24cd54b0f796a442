"""Fit a training into the free memory, and into a time budget: the work is chosen once, by one measurement.

The pace of this computer is measured on a few images. From it follows the expected time of every possible training:
with or without fine-tuning, at each image size, with folds or one split. The first of them that fits is trained. If
none fits, the fastest is trained: a time budget always gives a classifier. Only the number of steps of fine-tuning
then follows the clock (`training.pacing`), in one split. Folds must be trained alike, so that theirs is fixed; if they
run out of time, all of them use the instant classifier.

The run's recipe has all choices, and yields the same classifier without a budget. Earlier trainings do not enter the
measurement, but more time is left if they have cached what is read of the images before it.
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
from coverslip.events import Noted, Pace, SetSizes, WorkPlanned
from coverslip.experiments.estimating import SIZE_POWER, measure_pace, plan_work, sizes_of, sizes_of_folds
from coverslip.experiments.split_data import SplitData, with_epochs_for_folds
from coverslip.machine import free_memory_bytes
from coverslip.messages import Set, duration, note
from coverslip.models import model_info
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.timing import scaled, stage_seconds, total_seconds
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

_NEARLY_ALL = 0.8  # of the recommended epochs: with fewer, fine-tuning takes smaller images
_MORE_EPOCHS = 2.0  # more than that do not improve results
_SMALLEST_PX, _SMALLEST_SHARE = 64, 0.5  # of the full size: classifiers of smaller images are often much worse
_HARDLY_LONGER = 1.35  # than the fastest training: larger images are worth it
_STEP_PX = 32  # networks halve the size five times
_UNUSED_SHARE = 0.2  # of the budget: if more time is left over, a note says so
_SAFETY, _SAFETY_OF_FOLDS = 1.1, 1.25  # factors on estimates; folds cannot be adapted while they run
_SAFETY_OF_OPTIONAL_FOLDS = 2.0  # of the instant classifier: beside other programs, they took 1.8 times the estimate


def image_sizes(recipe: Recipe, full_px: int) -> list[int]:
    """Return the image sizes that a budget may choose from, the largest first; one if the recipe determines it."""
    record = model_info(recipe.model)
    if recipe.image_size is not None or recipe.init != "imagenet" or record.is_sized or recipe.head_init != "instant":
        return [full_px]
    smallest = max(_SMALLEST_PX, _SMALLEST_SHARE * full_px)
    multiples = range(_STEP_PX * (full_px // _STEP_PX), _SMALLEST_PX - 1, -_STEP_PX)
    return [full_px, *(px for px in multiples if smallest <= px < full_px and px % record.side_multiple == 0)]


@dataclass(frozen=True, slots=True)
class BudgetedTraining:
    """A training that fits into its time budget."""

    folds: Folds | None  # None: one split
    recipe: Recipe
    context: RunContext
    pace: Pace | None = None  # if it was measured


def fit_to_budget(
    data: Dataset,
    scan: Scan,
    folds: Folds | None,
    split_data: SplitData,
    recipe: Recipe,
    context: RunContext,
    *,
    measure: Callable[[SplitData, Recipe, RunContext], Pace] = measure_pace,
    free: Callable[[str], int] = free_memory_bytes,
) -> BudgetedTraining:
    """Return folds, recipe and context that fit the run's time budget; unchanged without a budget.

    Args:
        data: labeled images.
        scan: of these images.
        folds: of the recipe, or that few images require; None for one split.
        split_data: the images and the split that is used without folds.
        recipe: of the training.
        context: of the run; its deadline is that of the whole run.
        measure: returns the pace of this computer.
        free: returns the free bytes of a device. Fine-tuning that has begun keeps its image size.

    Raises:
        OutOfMemory: training from random weights needs more memory than is free.
        Stopped: on request.
    """
    record, pace = context.run.budget, None
    if record is None:
        return BudgetedTraining(folds, recipe, context)
    if not record.is_fixed:
        pace = measure(split_data, split_data.with_epochs(recipe), context)
        choice = _Choice(data, scan, split_data, recipe, context, record, pace, free)
        folds, recipe = choice.of_split() if folds is None else choice.of_folds(folds)
        record, pace = context.run.budget or record, choice.pace
    if folds is not None:
        return BudgetedTraining(
            folds, recipe, context.with_deadline(context.deadline.earlier(record.reserve_seconds)), pace
        )
    if recipe.is_finetuned:
        epochs = split_data.with_epochs(recipe).n_epochs
        limit = TimeLimit(
            context.deadline,
            record.reserve_seconds,
            fewest_epochs=1.0 if recipe.init == "scratch" else 0.0,
            most_epochs=_MORE_EPOCHS * epochs if record.adds_epochs else epochs,
        )
        context = replace(context, limit=limit)
    return BudgetedTraining(None, recipe, context, pace)


@dataclass(frozen=True, slots=True)
class _Work:
    """The trainings of one split or of all folds, and their expected time at each image size."""

    plan: WorkPlanned
    full_px: int

    def pace(self, px: int) -> Pace:
        """Return the pace at an image size."""
        return scaled(self.plan.pace, (px / self.full_px) ** SIZE_POWER)

    def finetuned(self, px: int, share: float = 1.0) -> float:
        """Return the seconds with fine-tuning, of a share of the epochs."""
        return total_seconds(replace(self.plan, n_epochs=math.ceil(share * self.plan.n_epochs)), self.pace(px))

    def instant(self, px: int) -> float:
        """Return the seconds without fine-tuning."""
        return total_seconds(replace(self.plan, n_epochs=0, n_reprocessed=(0,) * len(self.plan.sizes)), self.pace(px))

    def closing(self, px: int) -> float:
        """Return the seconds after fine-tuning, also if the instant classifier is then selected and refitted."""
        return stage_seconds(replace(self.plan, n_epochs=0), self.pace(px), self.plan.n_folds)["measuring"]


class _Choice:
    """Chooses what is trained, by one measurement."""

    def __init__(
        self,
        data: Dataset,
        scan: Scan,
        split_data: SplitData,
        recipe: Recipe,
        context: RunContext,
        record: BudgetRecord,
        pace: Pace,
        free: Callable[[str], int],
    ) -> None:
        self._data, self._scan, self._split_data = data, scan, split_data
        self._recipe, self._context, self._record = recipe, context, record
        self._full_px = learn_preprocessing(split_data.train_facts, recipe).image_size
        self.pace = pace
        self._left = context.deadline.seconds_left()
        self._sizes = image_sizes(recipe, self._full_px)
        self._has_begun = context.run.checkpoint_file("last").exists()
        if self._has_begun:
            self._tuned_sizes = [self._full_px]
        else:
            self._tuned_sizes = self._within_memory(free) if recipe.is_finetuned else []

    def of_folds(self, folds: Folds) -> tuple[Folds | None, Recipe]:
        """Return the folds, unless time is too short and the recipe does not state them, and the recipe."""
        n_folds, is_stated = len(folds.splits), self._recipe.split.sets_folds
        changes: dict[str, object] = {"split": self._recipe.split.resolved(n_folds)}
        if self._recipe.init == "scratch":  # the recipe does not state these folds (`check_budget`)
            self._note("no-time-for-folds", is_estimated=False, duration="")
            return self.of_split()
        with_epochs = with_epochs_for_folds(self._data, self._scan, folds, self._recipe)
        work = self._work(sizes_of_folds(self._data, self._scan, folds, self._recipe), with_epochs)
        left = self._left / _SAFETY_OF_FOLDS
        if self._recipe.is_finetuned:
            px = _largest(self._tuned_sizes, lambda px: work.finetuned(px) + work.instant(px), left)
            if px is not None:
                changes["epochs"] = with_epochs.epochs
                return folds, self._write(work, px, changes, reserve_seconds=_SAFETY * work.instant(px))
        if self._recipe.is_finetuned:
            needed = _SAFETY_OF_FOLDS * (work.finetuned(self._full_px) + work.instant(self._full_px))
        else:
            safety = _SAFETY_OF_FOLDS if is_stated else _SAFETY_OF_OPTIONAL_FOLDS
            needed = safety * work.instant(self._full_px)
        sufficient = self._budget_of(needed)
        words = {"seconds": sufficient, "duration": duration(sufficient), "n_networks": n_folds + 1}
        is_short = _SAFETY_OF_OPTIONAL_FOLDS * work.instant(self._full_px) > self._left
        if not is_stated and (is_short or self._tuned_px(self._split_work())):
            self._note("no-time-for-folds", is_estimated=True, **words)
            return self.of_split()
        px = self._instant_size(work, left)
        if not self._recipe.is_finetuned:
            return folds, self._write(work, px, changes, ended="instant classifier")
        changes["stage"] = "instant"
        if not is_stated:
            return folds, self._write(work, px, changes, **self._without_finetuning(self._split_work()))
        self._note("no-time-to-fine-tune-folds", **words)
        return folds, self._write(work, px, changes, ended="no time to fine-tune folds")

    def of_split(self) -> tuple[None, Recipe]:
        """Return the recipe of a single split."""
        work = self._split_work()
        changes: dict[str, object] = {"split": self._recipe.split.model_copy(update={"folds": 0})}
        px = self._tuned_px(work)
        if px is not None:
            return None, self._write(work, px, changes, reserve_seconds=_SAFETY * work.closing(px))
        left = self._left / _SAFETY
        if work.plan.refits and work.instant(self._full_px) > left:
            work, changes["refit_all"] = replace(work, plan=replace(work.plan, refits=False)), False
            self._note("no-time-to-refit")
        px = self._instant_size(work, left)
        if not self._recipe.is_finetuned:
            return None, self._write(work, px, changes, ended="instant classifier")
        return None, self._write(work, px, {**changes, "stage": "instant"}, **self._without_finetuning(work))

    def _split_work(self) -> _Work:
        return self._work([sizes_of(self._split_data, self._recipe)], self._split_data.with_epochs(self._recipe))

    def _tuned_px(self, work: _Work) -> int | None:
        """Return the image size at which a single split is fine-tuned; None without fine-tuning."""
        if not self._recipe.is_finetuned:
            return None
        is_forced = self._recipe.init == "scratch" or self._has_begun
        left = math.inf if is_forced else self._left
        return _largest(self._tuned_sizes, lambda px: work.finetuned(px, _NEARLY_ALL), left)

    def _without_finetuning(self, work: _Work) -> dict[str, object]:
        """Note the time that a single split would need for fine-tuning, and return it for the record of the budget."""
        smallest, sufficient = self._tuned_sizes[-1], self._budget_of(work.finetuned(self._full_px))
        record = BudgetRecord(
            seconds=self._record.seconds,
            least_seconds=self._budget_of(work.finetuned(smallest, _NEARLY_ALL)),
            least_image_size=smallest,
        )
        self._note(
            "no-time-to-fine-tune",
            level="warning",
            has_least=True,
            for_some=record.for_some,
            seconds=sufficient,
            duration=duration(sufficient),
            epochs=work.plan.n_epochs,
            full_image_size=self._full_px,
        )
        least = {"least_seconds": record.least_seconds, "least_image_size": smallest}
        return {"ended": "no time to fine-tune", "sufficient_seconds": sufficient, **least}

    def _work(self, sizes: Sequence[SetSizes], recipe: Recipe) -> _Work:
        plan = plan_work(recipe, sizes, self._context.device, self.pace)
        n_epochs = min(recipe.n_epochs, recipe.last_epoch or recipe.n_epochs) if recipe.is_finetuned else 0
        return _Work(replace(plan, n_epochs=n_epochs), self._full_px)

    def _within_memory(self, free: Callable[[str], int]) -> list[int]:
        """Return the image sizes at which fine-tuning fits into memory. If there are none, it is left out."""
        fitting = list[int]()
        for px in self._sizes:
            recipe = self._recipe.model_copy(update={"image_size": px})
            try:
                batch_size_within_memory(self._split_data, recipe, self._context.device, free)
            except OutOfMemory as error:
                if fitting or px != self._sizes[-1]:
                    continue
                if recipe.init == "scratch":
                    raise
                self._context.emit(Noted(code=error.code, text=str(error), level="warning", remedies=error.remedies))
                self._recipe = self._recipe.model_copy(update={"stage": "instant"})
            else:
                fitting.append(px)
        return fitting

    def _write(self, work: _Work, px: int, changes: Mapping[str, object], **values: object) -> Recipe:
        """Write the choice to the run's recipe and to its budget, and return the recipe."""
        recipe, self.pace = self._recipe.model_copy(update=changes), work.pace(px)
        if px != self._full_px:
            sufficient = self._budget_of(work.finetuned(self._full_px))
            if recipe.is_finetuned:
                values = {"sufficient_seconds": sufficient, **values}
            self._note(
                "smaller-images",
                is_fine_tuning=recipe.is_finetuned,
                image_size=px,
                full_image_size=self._full_px,
                seconds=sufficient,
                duration=duration(sufficient),
                epochs=work.plan.n_epochs,
            )
            values = {"full_image_size": self._full_px, **values}
            recipe = recipe.model_copy(update={"image_size": px})
        epochs = work.plan.n_epochs or None
        drops_refit = self._recipe.refit_all and not recipe.refit_all
        updates = {"is_fixed": True, "epochs": epochs, "image_size": px, "drops_refit": drops_refit, **values}
        self._record.model_copy(update=updates).write(self._context.run.budget_file)
        # The run's recipe keeps the initialization as the user stated it.
        names = ("image_size", "stage", "epochs", "split", "refit_all")
        changed = self._context.run.recipe.model_copy(update={name: getattr(recipe, name) for name in names})
        save_recipe(changed, self._context.run.recipe_file)
        return recipe

    def _instant_size(self, work: _Work, left: float) -> int:
        """Return the largest image size whose instant classifiers end in time, or take about as long as the fastest."""
        sufficient = max(left, _HARDLY_LONGER * work.instant(self._sizes[-1]))
        px = next(px for px in self._sizes if work.instant(px) <= sufficient)
        if work.instant(px) > left:
            expected = self._budget_of(work.instant(px))
            self._note(
                "budget-exceeded",
                level="warning",
                budget=duration(self._record.seconds),
                seconds=expected,
                duration=duration(expected),
            )
        return px

    def _budget_of(self, seconds: float) -> float:
        """Return the budget for so many seconds in addition to those used, rounded up to 10 seconds."""
        return float(10 * math.ceil((self._record.seconds - self._left + seconds) / 10))

    def _note(self, code: str, **parameters: Any) -> None:  # Any: each its own type
        self._context.emit(Noted.of(note(code, **parameters)))


def _largest(sizes: Sequence[int], seconds: Callable[[int], float], left: float) -> int | None:
    """Return the first size whose training ends in time; None if there is none."""
    return next((px for px in sizes if seconds(px) <= left), None)


def record_finetuning(fitted: "Fitted", split_data: SplitData, recipe: Recipe, context: RunContext) -> Recipe:
    """Write how fine-tuning was adapted to the time budget to the run, and return the recipe with it."""
    from coverslip.training.batches import n_batches

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
        updates["sufficient_seconds"] = seconds = float(10 * math.ceil(seconds / 10))
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
    record.model_copy(update={"ended": "no time to fine-tune folds"}).write(context.run.budget_file)
    recipe = recipe.model_copy(update={"stage": "instant"})
    save_recipe(recipe, context.run.recipe_file)
    return recipe
