"""Estimate the time and memory of a training: from earlier trainings, or by its first steps."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import OutOfMemory, OutOfTime
from coverslip.events import (
    COMPUTING_FEATURES,
    Emit,
    Event,
    InstantClassifierFitted,
    Noted,
    Pace,
    Progressed,
    RunEnded,
    StageStarted,
    WorkPlanned,
)
from coverslip.experiments.split_data import (
    SplitData,
    fit_network,
    preprocess,
)
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
from coverslip.stopping import Deadline, Stop, TimeLimit
from coverslip.training.preprocessing import learn_preprocessing

if TYPE_CHECKING:
    from coverslip.training.pacing import StepPace

SIZE_POWER = 1.5  # time of a step by image side: half the side takes about a third of the time
PACES = register(Kind("pace", RECORDS, bound_bytes=10**7))
LONG_SECONDS = 1800.0  # a longer training emits a warning
_KEY = "paces"
_MOST_KEPT = 60
_MOST_SCALED = 2.0  # largest ratio of image sides at which a pace is scaled from one to the other
_N_LOADINGS = 5  # times that the network is loaded and run after fine-tuning, the report included
_INFORMATIVE_SECONDS, _INFORMATIVE_SHARE = 3.0, 0.05  # work done before its speed counts as known


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Number of images in each set of the split, or of the split of the first fold."""

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
        """Return whether both trainings have the same pace."""
        return replace(other, at=self.at, pace=self.pace) == self


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
        resolved = recipe.with_epochs(counts.n_drawn)
        n_epochs = min(resolved.n_epochs, recipe.last_epoch or resolved.n_epochs)
    pace, basis = _pace_for(recipe, device)
    plan = WorkPlanned(
        n_train=counts.n_train,
        n_val=counts.n_val,
        n_test=counts.n_test,
        n_drawn=counts.n_drawn,
        n_reprocessed=recipe.n_reprocessed(counts.n_train) + 2 * counts.n_val if n_epochs else 0,
        n_epochs=n_epochs,
        has_instant=recipe.has_instant_stage,
        tta=recipe.tta,
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
    """Return the counts of a split."""
    n_train, n_val, n_test = (len(part) for part in (split_data.train, split_data.val, split_data.test))
    return Counts(n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=split_data.n_drawn(recipe), n_folds=n_folds)


def expected_time(plan: WorkPlanned, step: int | None = None) -> Noted:
    """Return the note with the expected time of a training, or of one of its two steps (pretraining, training)."""
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
    """Measures the pace of a training, and stores it for estimates of later trainings."""

    def __init__(self, context: RunContext) -> None:
        self._context, self._progress = context, Progress()

    def __call__(self, event: Event) -> None:
        if isinstance(event, WorkPlanned):
            event = replace(event, pace=Pace())  # only the pace of this training is stored
        self._progress = fold_event(self._progress, event, time.time())
        if isinstance(event, RunEnded) and event.state == "done" and event.fold is None and not event.is_pretraining:
            self._store()

    def _store(self) -> None:
        progress, plan = self._progress, self._progress.plan
        # Without a complete epoch, the pace would be that of the first steps, which are much slower than later ones.
        measured = progress.pace if progress.pace.n_epochs else replace(progress.pace, training=None)
        if plan is None or (measured.embedding is None and measured.training is None):
            return
        record = _new_record(self._context.run.recipe, self._context.device, _measured_px(self._context.run))
        stored = _all_records()
        earlier = next((each for each in stored if each.is_alike(record)), None)
        if earlier:  # for values that were not measured now, as with cached features
            measured = _completed(measured, earlier.pace)
        seconds = {stage.stage: stage.seconds for stage in progress.stages}
        n_images = plan.n_train + plan.n_val + plan.n_test
        predicting = (measured.embedding or 0.0) * (plan.n_reprocessed + plan.n_test)
        pace = replace(
            measured,
            reading=seconds.get("reading", 0.0) / max(n_images, 1),
            closing=max(1.0, seconds.get("measuring", USUAL_CLOSING) - predicting),
            step=None,
            n_epochs=0,
        )
        _write([*(each for each in stored if each is not earlier), replace(record, pace=pace)][-_MOST_KEPT:])


def _measured_px(run: Run) -> int | None:
    """Return the image size of fine-tuning, which within a time budget can differ from that of the classifier."""
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
    """Return the pace of the most similar earlier training, scaled to the image size, and its description.

    Only trainings of the same network are compared: the time per operation differs by multiples between networks.
    """
    current = _new_record(recipe, device, recipe.image_size)
    comparable = [each for each in _all_records() if _is_comparable(each, current) and _is_enough(each.pace, recipe)]
    if not comparable:
        return Pace(), None
    nearest = min(comparable, key=lambda each: (_ratio(each, current), each.tta != current.tta))
    if nearest.is_alike(current):
        return nearest.pace, text("pace-basis", model=nearest.model, image_size=nearest.image_size)
    basis = text(
        "pace-basis-scaled", model=nearest.model, image_size=nearest.image_size, scaled_size=current.image_size
    )
    return _scaled(nearest, current), basis


def _is_comparable(earlier: _PaceRecord, current: _PaceRecord) -> bool:
    names = ("model", "device", "freeze_to", "is_scratch")
    is_same = all(getattr(earlier, name) == getattr(current, name) for name in names)
    return is_same and _ratio(earlier, current) <= _MOST_SCALED


def _ratio(earlier: _PaceRecord, current: _PaceRecord) -> float:
    """Return the ratio of the larger image side to the smaller."""
    sides = (earlier.image_size, current.image_size)
    return max(sides) / min(sides)


def _scaled(earlier: _PaceRecord, current: _PaceRecord) -> Pace:
    factor = (current.image_size / earlier.image_size) ** SIZE_POWER
    embedding = None if earlier.pace.embedding is None else earlier.pace.embedding * factor * current.tta / earlier.tta
    training = None if earlier.pace.training is None else earlier.pace.training * factor
    return replace(earlier.pace, embedding=embedding, training=training)


def _is_enough(pace: Pace, recipe: Recipe) -> bool:
    is_embedding_known = pace.embedding is not None or recipe.init == "scratch"
    return is_embedding_known and (pace.training is not None or not recipe.is_finetuned)


def _all_records() -> list[_PaceRecord]:
    """Return the stored records, the newest last; none if they cannot be read."""
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


class InstantStageTimer:
    """A listener that measures the instant stage, and predicts how long it still takes.

    Args:
        deadline: of the whole run.
        emit: receives all events as well.
        limit: gets the reserve for the work after fine-tuning, once the instant stage shows how long such work takes.
        n_loadings: how often a network is loaded and run after fine-tuning, in addition to `_N_LOADINGS`.
        n_later_loadings: how often later work that must also end in time loads and runs a network.
    """

    def __init__(
        self, deadline: Deadline, emit: Emit, limit: TimeLimit, *, n_loadings: int = 0, n_later_loadings: float = 0.0
    ) -> None:
        self._deadline, self._emit, self._limit = deadline, emit, limit
        self._n_loadings, self._n_later_loadings = _N_LOADINGS + n_loadings, n_later_loadings
        self._began = self._stage_began = deadline.clock()
        self._loading: float | None = None
        self._embedded_after = 0.0  # seconds from the start of the stage
        self.seconds_left = 0.0  # expected, of the instant stage; minus infinity after it
        self.embedding_seconds = 0.0  # per image; 0 if all features were cached
        self.instant_seconds = 0.0  # from the start of the training to that of fine-tuning

    @property
    def reserved(self) -> float:
        """Seconds reserved for the work after fine-tuning."""
        return self._limit.reserve_seconds

    def deadline_after(self, seconds: float) -> Deadline:
        """Return a deadline that is over as soon as the instant stage is expected to end later than in `seconds`."""
        return Deadline(self._deadline.clock() + seconds, lambda: self._deadline.clock() + self.seconds_left)

    def seconds_at(self, factor: float) -> float:
        """Return the expected seconds of the whole instant stage if features take `factor` of the time per image.

        The factor does not apply to reading the images and loading the network.
        """
        now = self._deadline.clock()
        features_began = now if self._loading is None else self._stage_began + self._loading
        return features_began - self._began + factor * (now - features_began + max(0.0, self.seconds_left))

    def __call__(self, event: Event) -> None:
        match event:
            case StageStarted(stage="instant"):
                self._stage_began, self._loading, self.seconds_left = self._deadline.clock(), None, 0.0
                self._embedded_after = 0.0
            case Progressed() if self.seconds_left >= 0:
                self._update(event)
            case InstantClassifierFitted():
                self.seconds_left = -math.inf
                loading = event.seconds if self._loading is None else self._loading
                fitting = max(0.0, event.seconds - self._embedded_after)  # repeated after fine-tuning
                self._limit.reserve_seconds = self._n_loadings * loading + fitting
                self.instant_seconds = self._deadline.clock() - self._began
            case StageStarted(stage="finetune"):  # from scratch, there is no instant stage
                self.seconds_left = -math.inf
        self._emit(event)

    def _update(self, event: Progressed) -> None:
        seconds = event.done / event.per_second if event.per_second else 0.0
        if event.stage == COMPUTING_FEATURES:
            self._embedded_after = self._deadline.clock() - self._stage_began
            if self._loading is None:
                self._loading = max(0.0, self._embedded_after - seconds)
            if event.per_second:
                self.embedding_seconds = 1 / event.per_second
        is_informative = seconds >= _INFORMATIVE_SECONDS or event.done >= _INFORMATIVE_SHARE * event.total
        if is_informative and event.seconds_left is not None:
            self.seconds_left = event.seconds_left + self._n_later_loadings * (self._loading or 0.0)


def without_stages(emit: Emit) -> Emit:
    """Return a listener for work beside the training itself: it receives progress, but no stages."""

    def emit_progress(event: Event) -> None:
        if isinstance(event, Progressed):
            emit(event)

    return emit_progress


@dataclass(frozen=True, slots=True)
class TrainingSpeed:
    """The speed of a training."""

    image_size: int
    test_seconds: float  # of the work after training, on few images
    embedding_seconds: float  # per image in the instant stage; 0 if all features were cached
    pace: "StepPace | None"  # of fine-tuning; None without fine-tuning


def measure_speed(
    split_data: SplitData, recipe: Recipe, context: RunContext, *, n_trainings: float = 0.0
) -> TrainingSpeed:
    """Train until the speed of fine-tuning is known. Pixels and features stay in their caches.

    Args:
        split_data: the images and their split.
        recipe: with a number of epochs.
        context: of the run, whose folder stays unchanged.
        n_trainings: instant classifiers that must also be trained, tested and reported before the deadline.

    Raises:
        OutOfTime: all this is expected to end after the context's deadline; its parameter `seconds` is the expected
            remaining time, 0 if unknown.
        OutOfMemory: fine-tuning needs more memory than is free.
        Stopped: on request.
    """
    limit = TimeLimit(context.deadline, fewest_epochs=math.inf, most_epochs=0.0)
    emit = without_stages(context.emit)
    timer = InstantStageTimer(context.deadline, emit, limit, n_later_loadings=_N_LOADINGS * n_trainings)
    stop = Stop(context.stop.file, timer.deadline_after(context.deadline.seconds_left()))
    # On the disk of the run, and with a name that marks it as a leftover if the process is killed.
    with TemporaryDirectory(dir=context.folder, prefix=".measuring.", suffix=".part") as folder:
        nested = replace(context, folder=Path(folder), emit=timer, stop=stop, limit=limit)
        save_recipe(recipe, nested.run.recipe_file)
        try:
            recipe = fit_to_memory(split_data, recipe, nested)
            preprocessing = preprocess(split_data, recipe, nested)
            fitted, _ = fit_network(split_data, preprocessing, recipe, nested)
        except OutOfTime as error:
            error.parameters["seconds"] = max(0.0, timer.seconds_left)
            raise
    context.stop.check()  # fine-tuning ends on a stop request without an error
    return TrainingSpeed(preprocessing.image_size, timer.reserved, timer.embedding_seconds, fitted.pace)


_SMALLEST_BATCH = 4  # gradients of fewer images are too noisy
_SMALLEST_PX = 32


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
