"""The instant stage: frozen features of every image, a linear probe on them, and its validation scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
import numpy.typing as npt
import torch

from coverslip.engines import Features, embed
from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.events import InstantClassifierFitted, StageStarted, telling
from coverslip.images import Preprocessing
from coverslip.models.networks import FeatureNetwork, Network
from coverslip.runs import InstantStage, Recipe, RunContext
from coverslip.training.batches import TrainingImages
from coverslip.training.linear_probe import SHRINKAGES, LinearHead, fit_linear_probe, held_out_logits
from coverslip.training.ranking import primary_score, rank

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
    shrinkage: float | None  # of the head that was fitted, whether or not it is the one that is taken
    is_kept: bool  # it is the head of an earlier run
    unseen: Unseen  # by it, or by heads like it; there may be none


ChooseHead = Callable[[Features, Features], HeadChoice]  # (n_train, D) and (n_val, D) features
# The same features while they can be read, and the shrinkage of the head that was fitted.
OnFeatures = Callable[[Features, Features, float | None], None]


def ignore_features(train: Features, val: Features, shrinkage: float | None) -> None:
    """Do nothing with them."""


def is_balanced(recipe: Recipe) -> bool:
    """Whether every class counts the same to the linear probe, however many images it has."""
    return recipe.class_weights == "balanced" or recipe.sampling not in ("all", "domains")


def head_by_validation(
    images: TrainingImages, recipe: Recipe, kept_head: LinearHead | None, context: RunContext
) -> ChooseHead:
    """Validation images choose the shrinkage, and between the fitted head and that of an earlier run."""

    def choose(train: Features, val: Features) -> HeadChoice:
        head = _fitted(images, recipe, train, val, SHRINKAGES, context)
        if kept_head is not None:
            label = images.val_label
            if rank(kept_head.logits(val), label, recipe) >= rank(head.logits(val), label, recipe):
                return HeadChoice(kept_head, head.shrinkage, True, Unseen(kept_head.logits(val), label))
        return HeadChoice(head, head.shrinkage, False, Unseen(head.logits(val), images.val_label))

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

    def choose(train: Features, val: Features) -> HeadChoice:
        if kept_head is not None:
            return HeadChoice(kept_head, shrinkage, True, Unseen(kept_head.logits(train), images.train_label))
        head = _fitted(images, recipe, train, val, [shrinkage], context)
        order = np.argsort(turn, kind="stable")
        label, in_turn = images.train_label[order], turn[order]
        logits = held_out_logits(
            train.part(order),
            label,
            in_turn,
            n_classes=images.n_classes,
            balanced=is_balanced(recipe),
            shrinkage=shrinkage,
        )
        is_held_out = in_turn >= 0
        return HeadChoice(head, head.shrinkage, False, Unseen(logits[is_held_out], label[is_held_out]))

    return choose


def instant_stage(
    network: Network,
    images: TrainingImages,
    digest_of: Callable[[Sequence[int]], list[str]],
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    choose: ChooseHead,
    temperature: float = 1.0,
    on_features: OnFeatures = ignore_features,
) -> tuple[Unseen, InstantStage]:
    """Put a head into the network.

    Args:
        network: whose features are read; its head is replaced.
        images, digest_of, preprocessing, recipe, context: as for `fit`.
        choose: fits the head, or takes that of an earlier run.
        temperature: of the head, where there are no unseen images to fit it on.
        on_features: shown the features once the head is chosen; its time is not the stage's.

    Returns:
        What the head says of unseen images, and the record of the stage.
    """
    context.emit(StageStarted(stage="instant"))
    started = monotonic()
    positions = np.concatenate([images.train, images.val]).tolist()

    def pixels_of(chosen: Sequence[int]) -> npt.NDArray[np.unsignedinteger]:
        return images.pixels_of([positions[i] for i in chosen])

    n = len(images.train)
    with embed(
        FeatureNetwork(network),
        network.head.in_features,
        digest_of(positions),
        pixels_of,
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=recipe.tta,
        device=context.device,
        emit=context.emit,
        stop=context.stop,
    ) as (features, engine):
        train, val = features.part(slice(n)), features.part(slice(n, None))
        choice = choose(train, val)
        seconds = monotonic() - started
        on_features(train, val, choice.shrinkage)
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(choice.head.weight))
        network.head.bias.copy_(torch.from_numpy(choice.head.bias))
    unseen = choice.unseen
    if len(unseen.label):
        temperature = fit_temperature(unseen.logits, unseen.label)
    accuracy = macro_f1 = None
    if len(images.val):
        probability = apply_temperature(unseen.logits, temperature)
        scores = score(probability, unseen.label, names=("accuracy", "macro_f1"))
        accuracy, macro_f1 = scores["accuracy"], scores["macro_f1"]
    context.emit(InstantClassifierFitted(seconds=seconds, val_accuracy=accuracy, val_macro_f1=macro_f1))
    return unseen, InstantStage(
        seconds=round(seconds, 3),
        engine=engine.name if engine else "cache",
        engine_difference=engine.largest_difference if engine else None,
        n_features=features.shape[1],
        head="kept" if choice.is_kept else "fitted",
        shrinkage=choice.shrinkage,
        temperature=temperature,
        val_accuracy=accuracy,
        val_macro_f1=macro_f1,
    )


def _fitted(
    images: TrainingImages,
    recipe: Recipe,
    train: Features,
    val: Features,
    shrinkages: Sequence[float],
    context: RunContext,
) -> LinearHead:
    tell = telling(context.emit, "fitting the classifier")

    def tell_unless_stopped(done: int, total: int) -> None:
        context.stop.check()
        tell(done, total)

    return fit_linear_probe(
        train,
        images.train_label,
        val,
        images.val_label,
        n_classes=images.n_classes,
        balanced=is_balanced(recipe),
        better=lambda logits, label: primary_score(logits, label, recipe),
        shrinkages=shrinkages,
        on_progress=tell_unless_stopped,
    )
