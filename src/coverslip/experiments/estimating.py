"""Estimate the time of a training: by one measurement on a few of its images, in about two seconds."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from coverslip.datasets.index.records import Dataset, Part
from coverslip.datasets.pixels import DecodedPixels
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.datasets.splits.folding import Folds
from coverslip.datasets.splits.splitting import Split, check_readable
from coverslip.errors import OutOfMemory, has_extra
from coverslip.events import Noted, Pace, SetSizes, WorkPlanned
from coverslip.experiments.split_data import SplitData, capped_split_data
from coverslip.images.preprocessing import PixelFacts
from coverslip.machine import FOR_TRAINING, select_device
from coverslip.messages import note, rough_duration
from coverslip.models import has_weights, model_info
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import Recipe
from coverslip.runs.timing import TRAINING_BY_EMBEDDING, expected_epochs, total_seconds
from coverslip.training.preprocessing import learn_preprocessing

_R = TypeVar("_R")

LONG_SECONDS = 1800.0  # a longer training emits a warning

# The measurement: the speed of this computer for a network.

_SIZE_POWER = 1.5  # time of a network by image side: half the side takes about a third of the time
_N_SAMPLED, _N_TIMED, _N_AT_ONCE = 48, 32, 4  # images that are scanned, at most timed, and timed at once
# Seconds after which nothing more is timed.
_READING_SECONDS, _EMBEDDING_SECONDS, _STEPS_SECONDS, _PROCESSOR_SECONDS = 0.7, 0.7, 1.5, 0.5
_SIDE = 512  # of the matrices whose product measures the processor
# Products of matrices whose side is the number of features, or of images if there are fewer, for a linear probe.
_MOST_FEATURES = 3700
_PRODUCTS_OF_FIT = 5
_FIT_OF_NO_IMAGE, _FIT_OF_SIDE = 0.2, 0.8  # seconds of other work: for no rows and for each `_SIDE` rows
# Seconds of loading a classifier, and of metrics, figures and report for no image and for each, where a loop takes
# `_LOOP_SECONDS`.
_LOADING, _CLOSING, _CLOSING_OF_IMAGE, _LOOP_SECONDS = 1.0, 2.0, 0.001, 0.02


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of this computer for one network at one image size."""

    reading: float  # seconds for each image: decoding and preprocessing
    embedding: float  # seconds for each image: one forward pass
    training: float  # seconds for each image: a training step
    product: float  # seconds of a product of matrices
    slowness: float  # of other work, relative to a fast processor; at least 1

    def at_side(self, ratio: float) -> "Speed":
        """Return the speed at another image side, by its ratio to the measured side."""
        factor = ratio**_SIZE_POWER
        return replace(self, embedding=factor * self.embedding, training=factor * self.training)

    def pace(self, n_images: int, n_views: int, n_copies: float) -> Pace:
        """Return the expected seconds of a training.

        Args:
            n_images: of training and validation set.
            n_views: forward passes of each image without training.
            n_copies: augmented copies, as images with all views.
        """
        side = min(_MOST_FEATURES, n_images + n_views * n_copies) / _SIDE
        return Pace(
            reading=self.reading,
            embedding=n_views * self.embedding,
            training=self.training,
            fitting=_PRODUCTS_OF_FIT * self.product * side**3
            + self.slowness * (_FIT_OF_NO_IMAGE + _FIT_OF_SIDE * side),
            loading=_LOADING * self.slowness,
            closing=(_LOADING + _CLOSING + _CLOSING_OF_IMAGE * n_images) * self.slowness,
        )


def measure_speed(split_data: SplitData, recipe: Recipe, context: RunContext) -> Speed:
    """Return the speed of a training, measured on a few images. Caches have no part in it.

    Training steps are not timed, but estimated, if they would take long or cannot end before the deadline.

    Args:
        split_data: the images and their split.
        recipe: of the training.
        context: of the run, whose folder stays unchanged.

    Raises:
        Stopped: on request.
    """
    from coverslip.engines import fastest_engine, run_tta
    from coverslip.training.instant import initial_backbone

    if not isinstance(recipe.init, str):  # the network of an earlier run is as fast as one with other weights
        init = "imagenet" if has_weights(model_info(recipe.model)) else "scratch"
        recipe = recipe.model_copy(update={"init": init})
    recipe, preprocessing = split_data.with_epochs(recipe), learn_preprocessing(split_data.train_facts, recipe)
    sample = np.sort(split_data.sample_training_images(_N_TIMED, seed=recipe.seed)).tolist()
    parts = [sample[i : i + _N_AT_ONCE] for i in range(0, len(sample), _N_AT_ONCE)]
    with DecodedPixels(split_data.data, split_data.scan, preprocessing) as pixels_of:
        images = split_data.training_images(pixels_of, recipe)
        batches, reading = _timed((pixels_of(part) for part in parts), _READING_SECONDS)
        context.stop.check()
        backbone = initial_backbone(images, preprocessing, recipe, None)
        engine = fastest_engine(backbone, device=context.device)
        run_tta(engine, batches[0], 1)
        _, embedding = _timed((run_tta(engine, batch, 1) for batch in batches), _EMBEDDING_SECONDS)
        reading, embedding = reading / len(batches[0]), embedding / len(batches[0])
        context.stop.check()
        training = TRAINING_BY_EMBEDDING * embedding
        # The first step takes about twice as long as the others, and at least one more is needed.
        expected, left = 3 * _N_AT_ONCE * training, context.deadline.seconds_left()
        if has_extra("train") and recipe.is_finetuned and expected < min(2 * _STEPS_SECONDS, left):
            from coverslip.training.finetuning import network_to_train, time_steps

            network = network_to_train(backbone, recipe, images.n_classes)
            with suppress(OutOfMemory):  # the training uses smaller batches
                training = time_steps(network, images, recipe, context.device, most_seconds=_STEPS_SECONDS)
    return Speed(
        reading=reading,
        embedding=embedding,
        training=training,
        product=_timed((_product() for _ in range(20)), _PROCESSOR_SECONDS)[1],
        slowness=max(1.0, _timed((_loop() for _ in range(15)), _PROCESSOR_SECONDS)[1] / _LOOP_SECONDS),
    )


def measure_speed_of(data: Dataset, recipe: Recipe) -> Speed:
    """Return the speed of a training that has not begun, measured on a sample of its images.

    Args:
        data: labeled images, as the recipe reads them.
        recipe: of the training. A network of an earlier run, or that pretraining would yield, has the same speed as one
            with pretrained weights.

    Raises:
        CoverslipError: the images or the weights of the network cannot be used.
    """
    by_class: dict[str, list[int]] = {}
    for i, record in enumerate(data.records):
        if data.has_class(record):
            by_class.setdefault(record.label or "", []).append(i)
    each = max(2, _N_SAMPLED // max(1, len(by_class)))
    sample = data.subset(sorted(i for of_class in by_class.values() for i in of_class[:: -(-len(of_class) // each)]))
    scan = scan_images(sample)
    check_readable(sample, scan)
    parts: list[Part] = ["train" if isinstance(facts, PixelFacts) else "excluded" for facts in scan.facts]
    split = Split(tuple(parts), len(parts) * ("",), ())
    split_data = SplitData(sample, scan, split)
    with TemporaryDirectory() as folder:
        context = RunContext(Path(folder), select_device(recipe.device, automatic=FOR_TRAINING))
        return measure_speed(split_data, recipe, context)


def _timed(results: Iterator[_R], most_seconds: float) -> tuple[list[_R], float]:
    """Return the results that are computed within `most_seconds`, and the mean seconds for each."""
    began, computed = time.monotonic(), list[_R]()
    for result in results:
        computed.append(result)
        if time.monotonic() - began > most_seconds:
            break
    return computed, (time.monotonic() - began) / len(computed)


def _product() -> object:
    matrix = np.ones((_SIDE, _SIDE))
    return matrix @ matrix


def _loop() -> object:
    return sum(i * i for i in range(200_000))


# The amount of work, and its expected time.


def plan_work(recipe: Recipe, sizes: Sequence[SetSizes], speed: Speed | None = None) -> WorkPlanned:
    """Return the amount of work of a training, with its expected time.

    Args:
        recipe: of the training.
        sizes: of one split, or of each fold and then of the training on all images.
        speed: of this training; None: usual values, for a training whose expected time is not shown.
    """
    n_epochs, first = 0, sizes[0]
    if recipe.is_finetuned:
        n_epochs = recipe.with_epochs(first.n_drawn).epochs_planned
        n_epochs = min(n_epochs, recipe.last_epoch or n_epochs)
    patience = recipe.patience_used if n_epochs and first.n_selecting else None
    copies = recipe.copies_in_images(first.n_train)
    pace = Pace() if speed is None else speed.pace(first.n_train + first.n_val, recipe.n_views, copies)
    plan = WorkPlanned(
        sizes=tuple(sizes),
        n_reprocessed=tuple(recipe.n_reprocessed(each.n_train) + each.n_val if n_epochs else 0 for each in sizes),
        n_epochs=n_epochs if patience is None else expected_epochs(n_epochs, patience),
        has_instant=recipe.has_instant_stage,
        tta=recipe.n_views,
        copies=copies,
        patience=patience,
        refits=recipe.refits_instant_classifier and recipe.has_instant_stage and len(sizes) == 1,
        pace=pace,
    )
    return plan if speed is None else replace(plan, seconds=total_seconds(plan, pace))


def sizes_of(split_data: SplitData, recipe: Recipe) -> SetSizes:
    """Return the numbers of images of a training with one split."""
    n_train, n_val, n_test = (len(part) for part in (split_data.train, split_data.val, split_data.test))
    n_selecting = len(split_data.selecting(recipe)) * (1 + recipe.validation_copies)
    return SetSizes(
        n_train=n_train, n_val=n_val, n_test=n_test, n_drawn=split_data.n_drawn(recipe), n_selecting=n_selecting
    )


def sizes_of_folds(data: Dataset, scan: Scan, folds: Folds, recipe: Recipe) -> list[SetSizes]:
    """Return the numbers of images of each fold, and then of the training on all images."""
    splits = (*folds.splits, folds.refit_split)
    return [sizes_of(capped_split_data(data, scan, split, recipe), recipe) for split in splits]


def expected_time(plan: WorkPlanned, step: int | None = None) -> Noted:
    """Return the note with the expected time of a training, or of one of its two steps (pretraining, training)."""
    seconds = plan.seconds or 0.0
    return Noted.of(
        note(
            "expected-time",
            level="warning" if seconds > LONG_SECONDS else "info",
            step=step or 0,
            seconds=seconds,
            duration=rough_duration(seconds),
            n_folds=plan.n_folds,
            n_trainings=plan.n_folds + 1,
        )
    )
