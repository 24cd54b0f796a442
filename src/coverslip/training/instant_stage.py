"""The instant stage: frozen features of every image, a linear probe on them, and its validation scores."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import numpy as np
import numpy.typing as npt

from coverslip.engines import Features
from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.events import InstantClassifierFitted, StageStarted
from coverslip.images import Preprocessing
from coverslip.models.networks import Network
from coverslip.runs import FittedOn, InstantStage, Recipe, RunContext
from coverslip.training.batches import TrainingImages
from coverslip.training.heads import DigestOf, HeadFitter, features_of
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


ChooseHead = Callable[[Features], HeadChoice]  # of the training images, then the validation images
# The same features while they can be read, and the shrinkage of the head that was fitted.
OnFeatures = Callable[[Features, Features, float | None], None]


def ignore_features(train: Features, val: Features, shrinkage: float | None) -> None:
    """Do nothing with them."""


def head_by_validation(
    images: TrainingImages, turn: Ints | None, recipe: Recipe, kept_head: LinearHead | None, context: RunContext
) -> ChooseHead:
    """Validation images choose the shrinkage, and between the fitted head and that of an earlier run.

    Then the head is fitted on them too, unless `turn`, in which each is held out, is None.
    """

    def choose(features: Features) -> HeadChoice:
        label = images.val_label
        heads = HeadFitter(images.n_classes, recipe, context).fit_by_validation(
            features, images.train_label, label, turn
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
    turn: Ints,
    context: RunContext,
) -> ChooseHead:
    """The shrinkage is settled, and so is whether the head of an earlier run is kept.

    There are no validation images: training images are held out in turn (`turn`, (n_train,), negative for never), each
    time from a head that is fitted on the others.
    """

    def choose(features: Features) -> HeadChoice:
        label = images.train_label
        if kept_head is not None:
            return HeadChoice(kept_head, kept_head, shrinkage, True, Unseen(kept_head.logits(features), label))
        fitter = HeadFitter(images.n_classes, recipe, context)
        head = fitter.fit(features, label, shrinkage)
        is_held_out = turn >= 0
        unseen = Unseen(fitter.predict_held_out(features, label, turn, shrinkage)[is_held_out], label[is_held_out])
        return HeadChoice(head, head, shrinkage, False, unseen)

    return choose


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
) -> tuple[HeadChoice, InstantStage]:
    """Put a head into the network.

    Args:
        network: whose features are read; its head is replaced.
        images, digest_of, preprocessing, recipe, context: as for `fit`.
        choose: fits the head, or takes that of an earlier run.
        temperature: of the head, where there are no unseen images to fit it on.
        on_features: shown the features once the head is chosen; its time is not the stage's.

    Returns:
        The head with what it says of unseen images, and the record of the stage.
    """
    context.emit(StageStarted(stage="instant"))
    started = monotonic()
    positions, n = np.concatenate([images.train, images.val]), len(images.train)
    with features_of(network, images, positions, digest_of, preprocessing, recipe, context) as (features, engine):
        train, val = features.part(slice(n)), features.part(slice(n, None))
        choice = choose(features)
        seconds = monotonic() - started
        on_features(train, val, choice.shrinkage)
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
        temperature=temperature,
        val_accuracy=accuracy,
        val_macro_f1=macro_f1,
    )
