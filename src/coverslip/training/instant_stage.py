"""The instant stage: frozen features of every image, a linear probe on them, and its validation scores."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np
import numpy.typing as npt

from coverslip.engines import Features
from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.events import COMPUTING_FEATURES, Emit, Event, InstantClassifierFitted, Progressed, StageStarted
from coverslip.images import Preprocessing
from coverslip.models.networks import Network
from coverslip.runs import IMAGES_COPIED, FittedOn, InstantStage, Recipe, RunContext
from coverslip.training.batches import TrainingImages
from coverslip.training.heads import AugmentedCopies, DigestOf, HeadFitter, Variation, features_of
from coverslip.training.linear_probe import LinearHead
from coverslip.training.ranking import rank

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Logits for images that took no part in fitting: what probabilities are calibrated on."""

    logits: Floats  # (n, K)
    label: Ints  # (n,)


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """The head that goes into the network."""

    head: LinearHead
    of_training: LinearHead  # the same, or one that validation images may still judge
    shrinkage: float | None  # of the head that was fitted, whether or not it is the one that is taken
    is_kept: bool  # it is the head of an earlier run
    unseen: Unseen  # by heads that were not fitted on them; there may be none
    fitted_on: FittedOn = "training images"


# Of the features of training images, then validation images, and the covariance within images.
ChooseHead = Callable[[Features, Variation | None], HeadChoice]
# The same features while they can be read, the shrinkage of the head that was fitted, and the covariance within images.
OnFeatures = Callable[[Features, Features, float | None, Variation | None], None]


def ignore_features(train: Features, val: Features, shrinkage: float | None, variation: Variation | None) -> None:
    """Do nothing with them."""


def head_by_validation(
    images: TrainingImages, fold_index: Ints | None, recipe: Recipe, kept_head: LinearHead | None, context: RunContext
) -> ChooseHead:
    """Validation images choose the shrinkage, and between the fitted head and that of an earlier run.

    Then the head is fitted on them too, unless `fold_index`, in which each is held out, is None.
    """

    def choose(features: Features, variation: Variation | None) -> HeadChoice:
        label = images.val_label
        heads = HeadFitter(images.n_classes, recipe, context, variation).fit_by_validation(
            features, images.train_label, label, fold_index
        )
        shrinkage = heads.of_training.shrinkage
        if kept_head is not None:
            val = features.part(slice(len(images.train), None))
            if rank(kept_head.logits(val), label, recipe) >= rank(heads.val_logits, label, recipe):
                return HeadChoice(kept_head, kept_head, shrinkage, True, Unseen(kept_head.logits(val), label))
        unseen = Unseen(heads.val_logits, label)
        return HeadChoice(heads.head, heads.of_training, shrinkage, False, unseen, heads.fitted_on)

    return choose


def head_by_choices(
    images: TrainingImages,
    recipe: Recipe,
    shrinkage: float,
    kept_head: LinearHead | None,
    fold_index: Ints,
    context: RunContext,
) -> ChooseHead:
    """The shrinkage is settled, and so is whether the head of an earlier run is kept.

    There are no validation images: the training images of each fold (`fold_index`, (n_train,), negative for never) are
    held out from a head that is fitted on the others.
    """

    def choose(features: Features, variation: Variation | None) -> HeadChoice:
        label = images.train_label
        if kept_head is not None:
            return HeadChoice(kept_head, kept_head, shrinkage, True, Unseen(kept_head.logits(features), label))
        fitter = HeadFitter(images.n_classes, recipe, context, variation)
        head = fitter.fit(features, label, shrinkage)
        is_held_out = fold_index >= 0
        unseen = Unseen(
            fitter.predict_held_out(features, label, fold_index, shrinkage)[is_held_out], label[is_held_out]
        )
        return HeadChoice(head, head, shrinkage, False, unseen)

    return choose


@dataclass(slots=True)
class _Progress:
    """Tells the progress with features of images and of their copies as one, counted in images.

    The pace is that of images alone: of a copy it is another.
    """

    emit: Emit
    copies: float  # how many images take as long as the copies that are not in the cache
    n_done: int = 0  # images

    def of_images(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES and event.per_second:
            self.n_done = event.done
            total = event.total + self.copies
            left = (total - event.done) / event.per_second
            event = replace(event, total=round(total), seconds_left=left)
        self.emit(event)

    def of_copies(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.stage == COMPUTING_FEATURES:
            done, total = (self.n_done + self.copies * each / event.total for each in (event.done, event.total))
            event = replace(event, done=round(done), total=round(total), per_second=None)
        self.emit(event)


def instant_stage(
    network: Network,
    images: TrainingImages,
    digest_of: DigestOf,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    choose: ChooseHead,
    temperature: float = 1.0,
    on_features: OnFeatures = ignore_features,
    *,
    with_copies: bool = True,
) -> tuple[HeadChoice, InstantStage]:
    """Put a head into the network.

    Args:
        network: whose features are read; its head is replaced.
        images, digest_of, preprocessing, recipe, context: as for `fit`.
        choose: fits the head, or takes that of an earlier run.
        temperature: of the head, where there are no unseen images to fit it on.
        on_features: shown the features once the head is chosen; its time is not the stage's.
        with_copies: learn from augmented copies, where the recipe allows them.

    Returns:
        The head with what it says of unseen images, and the record of the stage.
    """
    context.emit(StageStarted(stage="instant"))
    started = monotonic()
    positions, n = np.concatenate([images.train, images.val]), len(images.train)
    copies = AugmentedCopies(network, images, digest_of, preprocessing, recipe, context) if with_copies else None
    progress = _Progress(context.emit, copies.n_missing() / recipe.tta if copies else 0.0)
    with features_of(
        network, images, positions, digest_of, preprocessing, recipe, replace(context, emit=progress.of_images)
    ) as (features, engine):
        train, val = features.part(slice(n)), features.part(slice(n, None))
        variation = copies.variation(progress.of_copies) if copies else None
        choice = choose(features, variation)
        seconds = monotonic() - started
        on_features(train, val, choice.shrinkage, variation)
    network.set_head(choice.head.weight, choice.head.bias)
    unseen = choice.unseen
    if len(unseen.label):
        temperature = fit_temperature(unseen.logits, unseen.label)
    accuracy = macro_f1 = None
    if len(images.val):
        probability = apply_temperature(unseen.logits, temperature)
        scores = score(probability, unseen.label, names=("accuracy", "macro_f1"))
        accuracy, macro_f1 = scores["accuracy"], scores["macro_f1"]
    context.emit(InstantClassifierFitted(seconds=seconds, val_accuracy=accuracy, val_macro_f1=macro_f1))
    return choice, InstantStage(
        seconds=round(seconds, 3),
        engine=engine.name if engine else "cache",
        engine_difference=engine.largest_difference if engine else None,
        n_features=features.shape[1],
        head="kept" if choice.is_kept else "fitted",
        shrinkage=choice.shrinkage,
        fitted_on=choice.fitted_on,
        images_copied=0 if variation is None or choice.is_kept else min(n, IMAGES_COPIED),
        temperature=temperature,
        val_accuracy=accuracy,
        val_macro_f1=macro_f1,
    )
