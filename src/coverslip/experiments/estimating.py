"""Estimate the time and memory of a training."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import OutOfMemory
from coverslip.events import Event, Noted, Pace, RunEnded, WorkPlanned
from coverslip.experiments.split_data import SplitData
from coverslip.machine import free_memory_bytes
from coverslip.messages import Set, note, rough_duration, text
from coverslip.models import model_info
from coverslip.runs import (
    Recipe,
    Run,
    RunContext,
    save_recipe,
)
from coverslip.runs.log import Progress, fold_event
from coverslip.runs.log.progress import USUAL_CLOSING, training_seconds
from coverslip.training.preprocessing import learn_preprocessing

if TYPE_CHECKING:
    pass

SIZE_POWER = 1.5  # a step on images of half the side takes a third of the time
PACES = register(Kind("pace", "how long earlier trainings took on this computer", RECORDS, bound_bytes=10**7))
LONG_SECONDS = 1800.0  # a training that takes longer is worth a warning
_KEY = "paces"
_MOST_KEPT = 60
_MOST_SCALED = 2.0  # image sides that differ by more say too little of each other's pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many images a training has in each part of its split, or in those of its first fold."""

    n_train: int
    n_val: int
    n_test: int
    n_drawn: int
    n_folds: int = 0


@dataclass(frozen=True, slots=True)
class _PaceRecord:
    """The pace of an earlier training."""

    model: str
    image_size: int
    device: str
    tta: int
    freeze_to: str | None
    is_scratch: bool
    at: float  # seconds since 1970
    pace: Pace

    def is_alike(self, other: "_PaceRecord") -> bool:
        """Whether the pace of one is that of the other."""
        return _identity(self) == _identity(other)


def _identity(record: _PaceRecord) -> tuple[object, ...]:
    return record.model, record.image_size, record.device, record.tta, record.freeze_to, record.is_scratch


def plan_work(recipe: Recipe, counts: Counts, device: str, limit_seconds: float | None = None) -> WorkPlanned:
    """Return the amount of work of a training, with its expected time if an earlier training allows an estimate.

    Args:
        recipe: of the training.
        counts: of its images.
        device: that it runs on.
        limit_seconds: left of its time budget; None without one.
    """
    n_epochs = 0
    if recipe.is_finetuned:
        settled = recipe.with_epochs(counts.n_drawn)
        n_epochs = min(settled.n_epochs, recipe.last_epoch or settled.n_epochs)
    pace, basis = _pace_for(recipe, device)
    plan = WorkPlanned(
        n_train=counts.n_train,
        n_val=counts.n_val,
        n_test=counts.n_test,
        n_drawn=counts.n_drawn,
        n_again=recipe.n_seen_again(counts.n_train) + 2 * counts.n_val if n_epochs else 0,
        n_epochs=n_epochs,
        has_instant=recipe.init != "scratch",
        copies=recipe.copies_in_images(counts.n_train),
        n_folds=counts.n_folds,
        pace=pace,
        basis=basis,
        limit_seconds=limit_seconds,
    )
    seconds = None if basis is None else training_seconds(plan, pace)
    if seconds is not None and limit_seconds is not None:
        seconds = min(seconds, limit_seconds)
    return replace(plan, seconds=seconds)


def counts_of(split_data: SplitData, recipe: Recipe, n_folds: int = 0) -> Counts:
    """The counts of a split."""
    n_train, n_val, n_test = (len(part) for part in (split_data.train, split_data.val, split_data.test))
    return Counts(n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=split_data.n_drawn(recipe), n_folds=n_folds)


def expected_time(plan: WorkPlanned, step: int | None = None) -> Noted:
    """The estimate in words, of a training or of one step of two."""
    return Noted.of(
        note(
            "expected-time",
            level="warning" if plan.seconds is not None and plan.seconds > LONG_SECONDS else "info",
            is_known=plan.seconds is not None,
            step=step or 0,
            seconds=plan.seconds,
            duration=rough_duration(plan.seconds or 0),
            basis=plan.basis or "",
            n_folds=plan.n_folds,
            n_trainings=plan.n_folds + 1,
        )
    )


class PaceListener:
    """Notes how quick a training goes, and keeps that for estimates of later ones."""

    def __init__(self, context: RunContext) -> None:
        self._context, self._progress = context, Progress()

    def __call__(self, event: Event) -> None:
        if isinstance(event, WorkPlanned):
            event = replace(event, pace=Pace())  # what is kept is measured here, not taken from earlier trainings
        self._progress = fold_event(self._progress, event, time.time())
        if isinstance(event, RunEnded) and event.state == "done" and event.fold is None and not event.is_pretraining:
            self._keep()

    def _keep(self) -> None:
        progress, plan = self._progress, self._progress.plan
        # The first steps without a whole epoch are much slower than those that follow.
        measured = progress.pace if progress.pace.n_epochs else replace(progress.pace, training=None)
        if plan is None or (measured.embedding is None and measured.training is None):
            return
        record = _new_record(self._context.run.recipe, self._context.device, _measured_px(self._context.run))
        stored = _all_records()
        earlier = next((each for each in stored if each.is_alike(record)), None)
        if earlier:  # it may know what this one did not measure: its features were in the cache, or it was instant
            measured = _completed(measured, earlier.pace)
        seconds = {stage.stage: stage.seconds for stage in progress.stages}
        n_images = plan.n_train + plan.n_val + plan.n_test
        predicting = (measured.embedding or 0.0) * (plan.n_again + plan.n_test)
        pace = replace(
            measured,
            reading=seconds.get("reading", 0.0) / max(n_images, 1),
            closing=max(1.0, seconds.get("measuring", USUAL_CLOSING) - predicting),
            step=None,
            n_epochs=0,
        )
        _write([*(each for each in stored if each is not earlier), replace(record, pace=pace)][-_MOST_KEPT:])


def _measured_px(run: Run) -> int | None:
    """The image size of the network whose pace was measured: within a budget, not always that of the one kept."""
    return (run.budget and run.budget.image_size) or run.recipe.image_size


def _completed(pace: Pace, earlier: Pace) -> Pace:
    return replace(
        pace,
        embedding=earlier.embedding if pace.embedding is None else pace.embedding,
        training=earlier.training if pace.training is None else pace.training,
    )


def _new_record(recipe: Recipe, device: str, image_size: int | None) -> _PaceRecord:
    return _PaceRecord(
        model=recipe.model,
        image_size=image_size or model_info(recipe.model).input_px,
        device=device,
        tta=recipe.tta,
        freeze_to=recipe.freeze_to,
        is_scratch=recipe.init == "scratch",
        at=time.time(),
        pace=Pace(),
    )


def _pace_for(recipe: Recipe, device: str) -> tuple[Pace, str | None]:
    """The pace of the training that is most like this one, and which that is; scaled if its images are of another size.

    Other networks tell nothing: the time for an operation differs several times between them.
    """
    wanted = _new_record(recipe, device, recipe.image_size)
    comparable = [each for each in _all_records() if _is_comparable(each, wanted) and _is_enough(each.pace, recipe)]
    if not comparable:
        return Pace(), None
    nearest = min(comparable, key=lambda each: (_ratio(each, wanted), each.tta != wanted.tta))
    if nearest.is_alike(wanted):
        return nearest.pace, text("pace-basis", model=nearest.model, image_size=nearest.image_size)
    basis = text("pace-basis-scaled", model=nearest.model, image_size=nearest.image_size, scaled_size=wanted.image_size)
    return _scaled(nearest, wanted), basis


def _is_comparable(earlier: _PaceRecord, wanted: _PaceRecord) -> bool:
    names = ("model", "device", "freeze_to", "is_scratch")
    is_same = all(getattr(earlier, name) == getattr(wanted, name) for name in names)
    return is_same and _ratio(earlier, wanted) <= _MOST_SCALED


def _ratio(earlier: _PaceRecord, wanted: _PaceRecord) -> float:
    """Of the larger image side to the smaller."""
    sides = (earlier.image_size, wanted.image_size)
    return max(sides) / min(sides)


def _scaled(earlier: _PaceRecord, wanted: _PaceRecord) -> Pace:
    factor = (wanted.image_size / earlier.image_size) ** SIZE_POWER
    embedding = None if earlier.pace.embedding is None else earlier.pace.embedding * factor * wanted.tta / earlier.tta
    training = None if earlier.pace.training is None else earlier.pace.training * factor
    return replace(earlier.pace, embedding=embedding, training=training)


def _is_enough(pace: Pace, recipe: Recipe) -> bool:
    is_embedding_known = pace.embedding is not None or recipe.init == "scratch"
    return is_embedding_known and (pace.training is not None or not recipe.is_finetuned)


def _all_records() -> list[_PaceRecord]:
    """The newest last; none where nothing was kept, or what was kept cannot be read."""
    with RecordStore(PACES, "all") as store:
        stored = store.find([_KEY]).get(_KEY)
    if stored is None:
        return []
    try:
        return [_read(each) for each in json.loads(stored)]
    except (KeyError, TypeError, ValueError):
        return []


def _read(values: Mapping[str, Any]) -> _PaceRecord:  # Any: JSON values
    return _PaceRecord(**{**values, "pace": Pace(**values["pace"])})


def _write(records: list[_PaceRecord]) -> None:
    with RecordStore(PACES, "all") as store:
        store.keep({_KEY: json.dumps([asdict(each) for each in records]).encode()})


_SMALLEST_BATCH = 4  # below it gradients are noise
_SMALLEST_PX = 32


def fit_to_memory(
    split_data: SplitData, recipe: Recipe, context: RunContext, free: Callable[[str], int] = free_memory_bytes
) -> Recipe:
    """The recipe, with smaller batches where fine-tuning would take more memory than is free; the run's own says so.

    Without fine-tuning, and if fine-tuning is resumed, the memory is not checked.

    Args:
        split_data: the images and their split.
        recipe: what to do.
        context: its device has the memory.
        free: bytes that are free on a device.

    Raises:
        OutOfMemory: not even small batches fit.
    """
    goes_on = any(run.checkpoint_file("last").exists() for run in (context.run, *context.run.folds))
    if not recipe.is_finetuned or goes_on:
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
    """The recipe's size of batches, or the first of its halves by which fine-tuning fits into the memory that is free.

    Raises:
        OutOfMemory: not even small batches fit.
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
    """The image size, and what fine-tuning takes by the size of a batch, in bytes."""
    from coverslip.models.complexity import training_memory

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
    """Whose activations a step holds at least: a part of the batch, where that gives the same gradient."""
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
    smaller = max(_SMALLEST_PX, size // 2)
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
