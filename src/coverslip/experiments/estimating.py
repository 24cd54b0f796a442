"""Estimate the time of a training: from earlier trainings on this computer, or by measuring its first images."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.pixels import DecodedPixels
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.folding import Folds
from coverslip.errors import OutOfMemory
from coverslip.events import Event, Noted, Pace, Progressed, RunEnded, SetSizes, WorkPlanned
from coverslip.experiments.split_data import SplitData, capped_split_data
from coverslip.machine import n_cores
from coverslip.messages import note, rough_duration, text
from coverslip.models import model_info
from coverslip.runs.folder import RunContext
from coverslip.runs.progress import LoggedProgress, fold_event
from coverslip.runs.recipe import Recipe
from coverslip.runs.timing import TRAINING_BY_EMBEDDING, completed, expected_epochs, scaled, total_seconds
from coverslip.training.preprocessing import learn_preprocessing

SIZE_POWER = 1.5  # time of a step by image side: half the side takes about a third of the time
PACES = Kind("pace", bound_bytes=10**7)
LONG_SECONDS = 1800.0  # a longer training emits a warning
_KEY = "paces 4"
_MOST_KEPT = 60
_MOST_SCALED = 2.0  # largest ratio of image sides at which a pace is scaled from one to the other


@dataclass(frozen=True, slots=True)
class _PaceRecord:
    """The pace of an earlier training, with one forward pass of each image, and the fit relative to `_fit_seconds`."""

    model: str
    device: str
    freeze_to: str | None
    is_scratch: bool
    image_size: int
    n_cores: int
    pace: Pace

    def is_comparable(self, other: "_PaceRecord") -> bool:
        """Return whether the pace follows from that of `other`: only the image sizes differ, by a factor of up to 2.

        The time per operation differs by multiples between networks.
        """
        is_same = replace(other, image_size=self.image_size, pace=self.pace) == self
        return is_same and self.ratio(other) <= _MOST_SCALED

    def ratio(self, other: "_PaceRecord") -> float:
        """Return the ratio of the larger image side to the smaller."""
        sides = (self.image_size, other.image_size)
        return max(sides) / min(sides)


def plan_work(recipe: Recipe, sizes: Sequence[SetSizes], device: str, pace: Pace | None = None) -> WorkPlanned:
    """Return the amount of work of a training, with its expected time if its pace or an earlier training is known.

    Args:
        recipe: of the training.
        sizes: of one split, or of each fold and then of the training on all images.
        device: that it runs on.
        pace: of this training, if it was measured.
    """
    n_epochs, first = 0, sizes[0]
    if recipe.is_finetuned:
        n_epochs = recipe.with_epochs(first.n_drawn).epochs_planned
        n_epochs = min(n_epochs, recipe.last_epoch or n_epochs)
    patience = recipe.patience_used if n_epochs and first.n_selecting else None
    earlier, basis = _pace_for(recipe, device)
    copies = recipe.copies_in_images(first.n_train)
    if earlier.fitting is not None:
        relative = _fit_seconds(first.n_train + first.n_val, recipe.n_views * copies)
        earlier = replace(earlier, fitting=earlier.fitting * relative)
    plan = WorkPlanned(
        sizes=tuple(sizes),
        n_reprocessed=tuple(recipe.n_reprocessed(each.n_train) + each.n_val if n_epochs else 0 for each in sizes),
        n_epochs=n_epochs if patience is None else expected_epochs(n_epochs, patience),
        has_instant=recipe.has_instant_stage,
        tta=recipe.n_views,
        copies=copies,
        patience=patience,
        refits=recipe.refits_instant_classifier and recipe.has_instant_stage and len(sizes) == 1,
        pace=pace or earlier,
        basis=basis,
    )
    return plan if pace is None and basis is None else replace(plan, seconds=total_seconds(plan, plan.pace))


def sizes_of(split_data: SplitData, recipe: Recipe) -> SetSizes:
    """Return the numbers of images of a training with one split."""
    n_train, n_val, n_test = (len(part) for part in (split_data.train, split_data.val, split_data.test))
    n_selecting = len(split_data.selecting(recipe)) * (1 + recipe.validation_copies)
    return SetSizes(
        n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=split_data.n_drawn(recipe), n_selecting=n_selecting
    )


def sizes_of_folds(data: Dataset, scan: Scan, folds: Folds, recipe: Recipe) -> list[SetSizes]:
    """Return the numbers of images of each fold, and then of the training on all images."""
    splits = (*folds.splits, folds.refit)
    return [sizes_of(capped_split_data(data, scan, split, recipe), recipe) for split in splits]


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
        self._context, self._progress, self._has_read = context, LoggedProgress(), False

    def __call__(self, event: Event) -> None:
        if isinstance(event, WorkPlanned):
            event = replace(event, pace=Pace())  # only the pace of this training is stored
        if isinstance(event, Progressed) and event.stage == "reading-images" and event.per_second:
            self._has_read = True  # facts of earlier readings are cached
        self._progress = fold_event(self._progress, event, time.time())
        if isinstance(event, RunEnded) and event.state == "done" and event.fold is None and not event.is_pretraining:
            self._store()

    def _store(self) -> None:
        progress, plan = self._progress, self._progress.plan
        # Without a complete epoch, the pace would be that of the first steps, which are much slower than later ones.
        measured = progress.pace if progress.pace.n_epochs else replace(progress.pace, training=None)
        if plan is None or (measured.embedding is None and measured.training is None):
            return
        seconds = {stage.stage: stage.seconds for stage in progress.stages}
        if not plan.n_folds and self._has_read:
            measured = replace(measured, reading=seconds.get("reading", 0.0) / plan.sizes[0].n_images)
        recipe = self._context.run.recipe
        if measured.embedding is not None:
            measured = replace(measured, embedding=measured.embedding / recipe.n_views)
        if measured.fitting is not None:
            relative = _fit_seconds(plan.sizes[0].n_train + plan.sizes[0].n_val, plan.tta * plan.copies)
            measured = replace(measured, fitting=measured.fitting / relative)
        record, stored = _record_of(recipe, self._context.device), _all_records()
        earlier = next((each for each in stored if replace(each, pace=record.pace) == record), None)
        if earlier:  # for values that were not measured now, as with cached features
            measured = completed(measured, earlier.pace)
        record = replace(record, pace=replace(measured, n_epochs=0))
        _write([*(each for each in stored if each is not earlier), record][-_MOST_KEPT:])


def _record_of(recipe: Recipe, device: str) -> _PaceRecord:
    size = recipe.image_size or model_info(recipe.model).input_px
    return _PaceRecord(recipe.model, device, recipe.freeze_to, recipe.init == "scratch", size, n_cores(), Pace())


def _pace_for(recipe: Recipe, device: str) -> tuple[Pace, str | None]:
    """Return the pace by the earlier training of the nearest image size, and its description; None if incomplete."""
    current = _record_of(recipe, device)
    comparable = sorted(filter(current.is_comparable, _all_records()), key=current.ratio)
    if not comparable:
        return Pace(), None
    sufficient = [each for each in comparable if _is_enough(each.pace, recipe)]
    nearest = (sufficient or comparable)[0]
    pace = scaled(nearest.pace, (current.image_size / nearest.image_size) ** SIZE_POWER)
    if pace.embedding is not None:
        pace = replace(pace, embedding=pace.embedding * recipe.n_views)
    if not sufficient:
        return pace, None
    if nearest.image_size == current.image_size:
        return pace, text("pace-basis", model=nearest.model, image_size=nearest.image_size)
    sizes = {"image_size": nearest.image_size, "scaled_size": current.image_size}
    return pace, text("pace-basis-scaled", model=nearest.model, **sizes)


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


_N_TIMED = 32  # images
_SIDE = 512  # of the matrices whose product measures the processor
# Products of matrices whose side is the number of features, or of images if there are fewer, for a linear probe.
_MOST_FEATURES = 3700
_PRODUCTS_OF_FIT, _PRODUCT_SECONDS = 5, 0.004
_FIT_OF_NO_IMAGE, _FIT_OF_SIDE = 0.2, 0.8  # seconds of other work: for no rows and for each `_SIDE` rows
# Seconds of loading a classifier, and of metrics, figures and report for no image and for each, where a loop takes
# `_LOOP_SECONDS`.
_LOADING, _CLOSING, _CLOSING_OF_IMAGE, _LOOP_SECONDS = 1.0, 2.0, 0.001, 0.02


def measure_pace(split_data: SplitData, recipe: Recipe, context: RunContext) -> Pace:
    """Return the pace of a training, measured on a few images in some seconds. Caches have no part in it.

    Steps of fine-tuning are not timed, but estimated, if they cannot end before the deadline of the context.

    Args:
        split_data: the images and their split.
        recipe: of the training, with a number of epochs.
        context: of the run, whose folder stays unchanged.

    Raises:
        Stopped: on request.
    """
    from coverslip.engines import fastest_engine, run_tta
    from coverslip.models.networks import FeatureNetwork
    from coverslip.training.finetuning import time_steps
    from coverslip.training.fitting import initial_network

    preprocessing, n_drawn = learn_preprocessing(split_data.train_facts, recipe), split_data.n_drawn(recipe)
    timed = np.sort(split_data.sample_training_images(_N_TIMED, seed=recipe.seed))
    with DecodedPixels(split_data.data, split_data.scan, preprocessing) as pixels_of:
        images = split_data.training_images(pixels_of, recipe)
        began = time.monotonic()
        pixels = pixels_of(timed.tolist())
        reading = (time.monotonic() - began) / len(timed)
        context.stop.check()
        network, _ = initial_network(images, preprocessing, recipe, None)
        engine = fastest_engine(FeatureNetwork(network, pixels.dtype.name), pixels[:1], device=context.device)
        run_tta(engine, pixels[:4], recipe.n_views)
        began = time.monotonic()
        run_tta(engine, pixels, recipe.n_views)
        embedding = (time.monotonic() - began) / len(timed)
        context.stop.check()
        training = None
        if recipe.is_finetuned:
            training = TRAINING_BY_EMBEDDING * embedding / recipe.n_views
            if training * recipe.n_epochs * n_drawn / 4 < context.deadline.seconds_left():  # else it cannot fit
                with suppress(OutOfMemory):  # the training uses smaller batches
                    training = time_steps(network, images, recipe, context.device)
    n_images, n_train = len(split_data.train) + len(split_data.val), len(split_data.train)
    pace = _pace_of_processor(n_images, recipe.n_views * recipe.copies_in_images(n_train))
    return replace(pace, reading=reading, embedding=embedding, training=training)


def with_pace_of_processor(plan: WorkPlanned) -> WorkPlanned:
    """Return the plan with the pace of the processor, measured in half a second, where it has none."""
    first = plan.sizes[0]
    of_processor = _pace_of_processor(first.n_train + first.n_val, plan.tta * plan.copies)
    return replace(plan, pace=completed(plan.pace, of_processor))


def _pace_of_processor(n_images: int, n_copies: float) -> Pace:
    """Return the times that depend on the processor but not on the network, from two short measurements."""
    product, slowness = _mean_seconds(_product, 20), max(1.0, _mean_seconds(_loop, 15) / _LOOP_SECONDS)
    return Pace(
        fitting=_fit_seconds(n_images, n_copies, product, slowness),
        loading=_LOADING * slowness,
        closing=(_LOADING + _CLOSING + _CLOSING_OF_IMAGE * n_images) * slowness,
    )


def _fit_seconds(n_images: int, n_copies: float, product: float = _PRODUCT_SECONDS, slowness: float = 1.0) -> float:
    """Return the seconds of a fit of the instant classifier, where a product of matrices takes `product` seconds."""
    side = min(_MOST_FEATURES, n_images + n_copies)
    relative = side / _SIDE
    return _PRODUCTS_OF_FIT * product * relative**3 + slowness * (_FIT_OF_NO_IMAGE + _FIT_OF_SIDE * relative)


def _mean_seconds(work: Callable[[], object], n: int) -> float:
    """Return the mean duration of n calls, which take long enough to notice other programs."""
    began = time.monotonic()
    for _ in range(n):
        work()
    return (time.monotonic() - began) / n


def _product() -> object:
    matrix = np.ones((_SIDE, _SIDE))
    return matrix @ matrix


def _loop() -> object:
    return sum(i * i for i in range(200_000))
