"""The instant stage of a training: a linear probe on frozen features, and its validation scores.

Its result is stored in the run folder, so that a resumed training does not fit the probe again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
import numpy.typing as npt

from coverslip.engines import Features
from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.events import (
    COMPUTING_FEATURES,
    Emit,
    Event,
    InstantClassifierFitted,
    Progressed,
    StageStarted,
    time_left,
)
from coverslip.files import sha256_json, write_bytes
from coverslip.models.networks import Network
from coverslip.runs import IMAGES_COPIED, FittedOn, InstantStage
from coverslip.training.batches import TrainingTask
from coverslip.training.heads import AugmentedCopies, HeadFitter, Variation, features_of
from coverslip.training.linear_probe import LinearHead
from coverslip.training.ranking import rank

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Logits of images that were not used for fitting, for calibration."""

    logits: Floats  # (n, K)
    label: Ints  # (n,)


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """The head that is selected for the network."""

    head: LinearHead
    of_training: LinearHead  # the same head, or a head that validation images can still evaluate
    shrinkage: float | None  # of the fitted head, even if the head of an earlier run is selected
    is_earlier: bool  # the head of an earlier run is selected
    held_out: HeldOut  # by heads that were fitted without these images; may be empty
    fitted_on: FittedOn = "training images"


ChooseHead = Callable[[Features, Variation | None], HeadChoice]
"""Selects a head by the features of training images, then validation images, and the covariance within images."""

OnFeatures = Callable[[Features, Features, float | None, Variation | None], None]
"""Gets the features of training and validation images, the shrinkage of the fitted head, and the covariance."""


def ignore_features(train: Features, val: Features, shrinkage: float | None, variation: Variation | None) -> None:
    """Do nothing with the features."""


def head_by_validation(task: TrainingTask, fold_index: Ints | None, earlier_head: LinearHead | None) -> ChooseHead:
    """Return a function that selects the shrinkage, and between the fitted and an earlier head, by validation images.

    The head is then also fitted on validation images, unless `fold_index` is None. Each image is held out in its fold.
    """
    images, recipe = task.images, task.recipe

    def choose(features: Features, variation: Variation | None) -> HeadChoice:
        label = images.val_label
        fitter = HeadFitter(images.n_classes, recipe, task.context, variation)
        heads = fitter.fit_by_validation(features, images.train_label, label, fold_index)
        shrinkage = heads.of_training.shrinkage
        if earlier_head is not None:
            logits = earlier_head.logits(features.part(slice(len(images.train), None)))
            if rank(logits, label, recipe) >= rank(heads.val_logits, label, recipe):
                return HeadChoice(earlier_head, earlier_head, shrinkage, True, HeldOut(logits, label))
        held_out = HeldOut(heads.val_logits, label)
        return HeadChoice(heads.head, heads.of_training, shrinkage, False, held_out, heads.fitted_on)

    return choose


def head_by_choices(
    task: TrainingTask, fold_index: Ints, shrinkage: float, earlier_head: LinearHead | None
) -> ChooseHead:
    """Return a function that fits a head with this shrinkage, or takes the head of an earlier run.

    There are no validation images. The training images of each fold (`fold_index`, (n_train,), negative for never) are
    held out from a head that is fitted on the others.
    """

    def choose(features: Features, variation: Variation | None) -> HeadChoice:
        label = task.images.train_label
        if earlier_head is not None:
            held_out = HeldOut(earlier_head.logits(features), label)
            return HeadChoice(earlier_head, earlier_head, shrinkage, True, held_out)
        fitter = HeadFitter(task.images.n_classes, task.recipe, task.context, variation)
        head = fitter.fit(features, label, shrinkage)
        is_held_out = fold_index >= 0
        logits = fitter.cross_fitting(features, label, fold_index).logits(shrinkage)
        return HeadChoice(head, head, shrinkage, False, HeldOut(logits[is_held_out], label[is_held_out]))

    return choose


@dataclass(slots=True)
class _Progress:
    """Combines the progress of the features of images and of their copies; a copy counts by its time.

    The pace is that of images only, because a copy takes another time.
    """

    emit: Emit
    copies: float  # number of images that take as long as the copies that are not in the cache
    n_done: int = 0  # images

    @property
    def _unit(self) -> str:
        return "images-and-copies" if self.copies else "images"

    def of_images(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES and event.per_second:
            self.n_done = event.done
            total = event.total + self.copies
            left = time_left(event.done, total, event.done / event.per_second)
            event = replace(event, total=round(total), unit=self._unit, seconds_left=left)
        self.emit(event)

    def of_copies(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES:
            done, total = (self.n_done + self.copies * each / event.total for each in (event.done, event.total))
            event = replace(event, done=round(done), total=round(total), unit=self._unit, per_second=None)
        self.emit(event)


def instant_stage(
    network: Network,
    task: TrainingTask,
    choose: ChooseHead,
    temperature: float = 1.0,
    on_features: OnFeatures = ignore_features,
    *,
    with_copies: bool = True,
) -> tuple[HeadChoice, InstantStage]:
    """Replace the head of the network by a linear probe on its features, or by that of an interrupted training.

    Args:
        network: its head is replaced.
        task: as for `fit`.
        choose: fits the head, or takes the head of an earlier run.
        temperature: of the head if there are no held-out images to fit it on.
        on_features: gets the features after the head is selected; its time does not count as time of the stage.
        with_copies: use augmented copies if the recipe allows them.

    Returns:
        The head with its logits of held-out images, and the record of the stage.
    """
    images, recipe, context = task.images, task.recipe, task.context
    file, key = context.run.checkpoint_file("instant"), _key(task)
    if (stored := _stored(file, key)) is not None:
        network.set_head(stored[0].head.weight, stored[0].head.bias)
        return stored
    context.emit(StageStarted(stage="instant"))
    started = monotonic()
    positions, n = np.concatenate([images.train, images.val]), len(images.train)
    copies = AugmentedCopies(network, task) if with_copies else None
    progress = _Progress(context.emit, copies.n_missing() / recipe.n_views if copies else 0.0)
    with features_of(network, task, positions, progress.of_images) as (features, engine):
        train, val = features.part(slice(n)), features.part(slice(n, None))
        variation = copies.variation(progress.of_copies) if copies else None
        choice = choose(features, variation)
        seconds = monotonic() - started
        on_features(train, val, choice.shrinkage, variation)
    network.set_head(choice.head.weight, choice.head.bias)
    held_out = choice.held_out
    if len(held_out.label):
        temperature = fit_temperature(held_out.logits, held_out.label)
    accuracy = macro_f1 = None
    if len(images.val):
        probability = apply_temperature(held_out.logits, temperature)
        scores = score(probability, held_out.label, names=("accuracy", "macro_f1"))
        accuracy, macro_f1 = scores["accuracy"], scores["macro_f1"]
    stage = InstantStage(
        seconds=round(seconds, 3),
        engine=engine.name if engine else "cache",
        engine_difference=engine.largest_difference if engine else None,
        n_features=features.shape[1],
        head="kept" if choice.is_earlier else "fitted",
        shrinkage=choice.shrinkage,
        fitted_on=choice.fitted_on,
        images_copied=0 if variation is None or choice.is_earlier else min(n, IMAGES_COPIED),
        temperature=temperature,
        val_accuracy=accuracy,
        val_macro_f1=macro_f1,
    )
    context.emit(InstantClassifierFitted(seconds=seconds, val_accuracy=accuracy, val_macro_f1=macro_f1))
    _store(file, key, choice, stage)
    return choice, stage


def _key(task: TrainingTask) -> str:
    """Return a hash of everything that the stage depends on: a new time budget can change the recipe."""
    images = task.images
    digests = task.digest_of([*images.train.tolist(), *images.val.tolist()])
    labels = (images.train_label.tolist(), images.val_label.tolist())
    settings = (each.model_dump(mode="json") for each in (task.recipe, task.preprocessing))
    return sha256_json([list(digests), *labels, *settings])


def _store(file: Path, key: str, choice: HeadChoice, stage: InstantStage) -> None:
    from safetensors.numpy import save

    arrays = {
        "weight": choice.head.weight,
        "bias": choice.head.bias,
        "weight_of_training": choice.of_training.weight,
        "bias_of_training": choice.of_training.bias,
        "logits": choice.held_out.logits,
        "label": choice.held_out.label,
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(file, save(contiguous, metadata={"key": key, "stage": stage.model_dump_json()}))


def _stored(file: Path, key: str) -> tuple[HeadChoice, InstantStage] | None:
    """Return the result of an interrupted training; None if there is none of this key, or the file is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata()
            if metadata["key"] != key:
                return None
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
        stage = InstantStage.model_validate_json(metadata["stage"])
        is_earlier = stage.head == "kept"
        shrinkage = None if is_earlier else stage.shrinkage
        head = LinearHead(arrays["weight"], arrays["bias"], shrinkage)
        of_training = LinearHead(arrays["weight_of_training"], arrays["bias_of_training"], shrinkage)
        held_out = HeldOut(arrays["logits"], arrays["label"])
        return HeadChoice(head, of_training, stage.shrinkage, is_earlier, held_out, stage.fitted_on), stage
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None
