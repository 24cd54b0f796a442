"""The instant classifier: a linear probe on the features of a frozen network, and the initial network of a training.

The head of an earlier run with the same classes is kept if it is not worse on validation images. PyTorch is needed only
for networks whose graph is not known on this computer yet, and to set the statistics of batch norms.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.datasets.names import some
from coverslip.engines import Features
from coverslip.errors import BadRecipe, require_extra
from coverslip.evaluation.calibration import apply_temperature, fit_temperature
from coverslip.evaluation.table import score
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
from coverslip.images.preprocessing import Preprocessing
from coverslip.messages import Set, text
from coverslip.models import IMAGENET, Normalization
from coverslip.models.backbone import EXPECTED, Architecture, Backbone
from coverslip.models.catalogue import model_info
from coverslip.models.graphs import graph_of, pretrained_backbone, tensors_of, with_expected
from coverslip.runs.classifier import ClassifierCard, PackedClassifier, find_classifier, open_classifier
from coverslip.runs.recipe import IMAGES_COPIED, FromRun, Recipe
from coverslip.runs.training import FittedOn, InstantStage
from coverslip.training.heads import AugmentedCopies, HeadFitter, Variation, features_of
from coverslip.training.linear_probe import LinearHead, rank
from coverslip.training.task import TrainingImages, TrainingTask

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HEAD = ("head.weight", "head.bias")


@dataclass(frozen=True, slots=True)
class InitialClassifier:
    """The classifier of an earlier run, and the correspondence of its classes to those of this run."""

    packed: PackedClassifier
    class_of: tuple[int | None, ...]  # for each class of this run, its number in the earlier run
    offers_head: bool = True  # False: it was trained on validation images, which then cannot evaluate its head

    @property
    def n_new(self) -> int:
        """Number of classes of this run that the earlier run did not have."""
        return self.class_of.count(None)

    def backbone(self, architecture: Architecture) -> Backbone:
        """Return the network without its head for images of this size, with so many channels.

        If the number of channels differs, the first layer is adapted. If all channels are normalized alike, its output
        for an image of equal channels does not change.

        Raises:
            BadRecipe: the weights belong to another network.
        """
        arrays, preprocessing = self.packed.read_weights(), self.packed.card.preprocessing
        weight, _ = arrays.pop("head.weight"), arrays.pop("head.bias")
        graph = graph_of(architecture)
        try:
            for name, (_, shape) in (tensors_of(graph, architecture) if graph else {}).items():
                arrays[name] = _fitted(arrays[name], shape)
        except (KeyError, ValueError) as error:
            raise BadRecipe("weights-of-other-network", file=self.packed.path, reason=str(error)) from error
        expected, sizes = arrays.pop(EXPECTED), (preprocessing.channels, preprocessing.image_size)
        is_same = sizes == (architecture.channels, architecture.image_size)
        return Backbone(architecture, arrays, weight.shape[1], expected if is_same else None)

    def head(self) -> LinearHead | None:
        """Return the calibrated head for the classes of this run; None if a class is new or no head is offered."""
        rows = [number for number in self.class_of if number is not None]
        if self.n_new or not self.offers_head:
            return None
        head = self.packed.read_head()
        weight, bias = (head[name][rows] for name in _HEAD)
        return LinearHead(weight, bias, shrinkage=None).softened(self.packed.card.temperature)


def initial_classifier(init: FromRun, classes: Sequence[str], *, offers_head: bool = True) -> InitialClassifier:
    """Return the classifier of an earlier run for a training on these classes.

    Args:
        init: the earlier run, and the names of its classes in this training.
        classes: of this training.
        offers_head: whether its head can be used, because validation images can evaluate it.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
    """
    # The delivered last layer was also fitted on the test images of that run, which may be validation images of this
    # one, or its test images.
    packed = open_classifier(find_classifier(init.run), tested=True)
    numbers = {init.labels.get(name, name): number for number, name in enumerate(packed.card.classes)}
    return InitialClassifier(packed, tuple(numbers.get(name) for name in classes), offers_head)


def check_initialization(init: FromRun, recipe: Recipe, classes: Sequence[str]) -> None:
    """Check that an earlier run can be the initialization.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
        BadRecipe: the earlier run has another network, or a class of `labels` does not exist in one of the trainings.
    """
    packed = open_classifier(find_classifier(init.run))
    card = packed.card
    earlier, current = ({**choices.model_dump(), "model_options": whole_options(choices)} for choices in (card, recipe))
    differing = [key for key in ("model", "model_options", "head") if earlier[key] != current[key]]
    if differing:
        raise BadRecipe(
            "initial-network-differs",
            file=packed.path,
            remedies=[Set(key, earlier[key]) for key in differing],
        )
    check_labels(init.labels, card.classes, classes)


def check_labels(labels: Mapping[str, str], earlier: Sequence[str], classes: Sequence[str]) -> None:
    """Check the map from class names of an earlier run to class names of this run.

    Raises:
        BadRecipe: a class does not exist, or two classes of the earlier run are mapped to one class of this run.
    """
    if unknown := [name for name in labels if name not in earlier]:
        raise BadRecipe("unknown-class-of-initial-run", name=unknown[0], names=some(earlier, 12))
    if unknown := [name for name in labels.values() if name not in classes]:
        raise BadRecipe("unknown-class-of-images", name=unknown[0], names=some(classes, 12))
    counts = Counter(labels.get(name, name) for name in earlier)
    for name in labels.values():
        if counts[name] > 1:
            merged = [each for each in earlier if labels.get(each, each) == name]
            raise BadRecipe("labels-merge-classes", names=some(merged), name=name)


def whole_options(choices: Recipe | ClassifierCard) -> dict[str, Any]:  # Any: each option's own type
    """Return all options of a network, with the defaults of options that are not set."""
    record = model_info(choices.model)
    if record.timm_name is not None or record.torchvision_name is not None:  # which have defaults of their own
        return dict(choices.model_options)
    require_extra("train")
    from coverslip.models.building import default_options

    return {**default_options(record), **choices.model_options}


def _fitted(weight: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:  # Any: the dtype of the tensor
    """Return the weight, adapted to the shape if the number of input channels differs.

    The output of a first layer for equal channels depends on the sum of the weights over channels. The sum is divided
    evenly among the new channels, so that this output does not change. Normalization is averaged over channels.

    Raises:
        ValueError: the shapes differ in another way.
    """
    if weight.shape == shape:
        return weight
    if len(shape) != 4 or weight.ndim != 4 or (weight.shape[0], *weight.shape[2:]) != (shape[0], *shape[2:]):
        raise ValueError(text("weight-shape-differs", shape=str([*weight.shape]), target_shape=str([*shape])))
    if weight.shape[0] == 1 and weight.shape[2:] == (1, 1):  # mean or standard deviation of the channels
        return np.repeat(weight.mean(axis=1, keepdims=True), shape[1], axis=1)
    return np.repeat(weight.sum(axis=1, keepdims=True) / weight.dtype.type(shape[1]), shape[1], axis=1)


_READ_AT_ONCE = 16
_RESCALING = 255.0
_MIN_SD = 1e-3  # normalization must not amplify noise of a constant channel


def with_normalization(
    backbone: Backbone,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> Backbone:
    """Return the network with mean and standard deviation of pixels by the recipe's `normalization`.

    Args:
        backbone: not changed for `weights`.
        recipe: of the training.
        pixels_of: (n, S, S, C) integers of the images at these positions.
        train: positions of the training images; only these are used.
    """
    channels = backbone.architecture.channels
    match recipe.normalization:
        case "weights":
            return backbone
        case "imagenet":
            normalization = IMAGENET.for_channels(channels)
        case "none":
            normalization = Normalization((0.0,) * channels, (1.0,) * channels)
        case "rescaled-twice":  # x / 255 once more before the normalization of the weights
            mean, std = (_RESCALING * backbone.arrays[name].flatten() for name in ("mean", "std"))
            normalization = Normalization(tuple(mean), tuple(std))
        case "training-images":
            mean, std = _moments(pixels_of, train, channels)
            normalization = Normalization(tuple(mean), tuple(std))
    return backbone.normalized(normalization)


def _moments(
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]], train: Ints, channels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (C,) mean and standard deviation over all pixels of the preprocessed training images, in [0, 1]."""
    total, square, n = np.zeros(channels), np.zeros(channels), 0
    for start in range(0, len(train), _READ_AT_ONCE):
        for pixels in pixels_of(train[start : start + _READ_AT_ONCE].tolist()):
            values = pixels.reshape(-1, channels) / np.float64(np.iinfo(pixels.dtype).max)
            total += values.sum(axis=0)
            square += np.square(values).sum(axis=0)
            n += len(values)
    mean = total / n
    return mean, np.maximum(np.sqrt(np.maximum(square / n - mean**2, 0)), _MIN_SD)


# The instant stage: a linear probe on frozen features, and its validation scores.
#
# Its result is stored in the run folder, so that a resumed training does not fit the probe again.


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Logits of images that were not used for fitting, for calibration."""

    logits: Floats  # (n, K)
    label: Ints  # (n,)
    row: Ints  # (n,) position among the training images, or among the validation images


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
        label, rows = images.val_label, np.arange(len(images.val))
        fitter = HeadFitter(images.n_classes, recipe, task.context, variation)
        heads = fitter.fit_by_validation(features, images.train_label, label, fold_index)
        shrinkage = heads.of_training.shrinkage
        if earlier_head is not None:
            logits = earlier_head.logits(features.part(slice(len(images.train), None)))
            if rank(logits, label, recipe) >= rank(heads.val_logits, label, recipe):
                return HeadChoice(earlier_head, earlier_head, shrinkage, True, HeldOut(logits, label, rows))
        held_out = HeldOut(heads.val_logits, label, rows)
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
            held_out = HeldOut(earlier_head.logits(features), label, np.arange(len(label)))
            return HeadChoice(earlier_head, earlier_head, shrinkage, True, held_out)
        fitter = HeadFitter(task.images.n_classes, task.recipe, task.context, variation)
        head = fitter.fit(features, label, shrinkage)
        rows = np.flatnonzero(fold_index >= 0)
        logits = fitter.cross_fitting(features, label, fold_index).logits(shrinkage)
        return HeadChoice(head, head, shrinkage, False, HeldOut(logits[rows], label[rows], rows))

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
    backbone: Backbone,
    task: TrainingTask,
    choose: ChooseHead,
    temperature: float = 1.0,
    on_features: OnFeatures = ignore_features,
    *,
    with_copies: bool = True,
) -> tuple[HeadChoice, InstantStage]:
    """Fit a linear probe to the features of a network, or return that of an interrupted training.

    Args:
        backbone: the network.
        task: as for `fit`.
        choose: fits the head, or takes the head of an earlier run.
        temperature: of the head if there are no held-out images to fit it on.
        on_features: gets the features after the head is selected; its time does not count as time of the stage.
        with_copies: use augmented copies if the recipe allows them.

    Returns:
        The head with its logits of held-out images, and the record of the stage.
    """
    images, recipe, context = task.images, task.recipe, task.context
    file, key = context.run.checkpoint_file("instant"), _stage_key(task)
    if (stored := _stored_stage(file, key)) is not None:
        return stored
    context.emit(StageStarted(stage="instant"))
    started = monotonic()
    positions, n = np.concatenate([images.train, images.val]), len(images.train)
    copies = AugmentedCopies(backbone, task) if with_copies else None
    progress = _Progress(context.emit, copies.n_missing() / recipe.n_views if copies else 0.0)
    with features_of(backbone, task, positions, progress.of_images) as (features, engine):
        train, val = features.part(slice(n)), features.part(slice(n, None))
        variation = copies.variation(progress.of_copies) if copies else None
        choice = choose(features, variation)
        seconds = monotonic() - started
        on_features(train, val, choice.shrinkage, variation)
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
    _store_stage(file, key, choice, stage)
    return choice, stage


def _stage_key(task: TrainingTask) -> str:
    """Return a hash of everything that the stage depends on: a new time budget can change the recipe."""
    images = task.images
    digests = task.digest_of([*images.train.tolist(), *images.val.tolist()])
    labels = (images.train_label.tolist(), images.val_label.tolist())
    settings = (each.model_dump(mode="json") for each in (task.recipe, task.preprocessing))
    return sha256_json([list(digests), *labels, *settings])


def _store_stage(file: Path, key: str, choice: HeadChoice, stage: InstantStage) -> None:
    from safetensors.numpy import save

    arrays = {
        "weight": choice.head.weight,
        "bias": choice.head.bias,
        "weight_of_training": choice.of_training.weight,
        "bias_of_training": choice.of_training.bias,
        "logits": choice.held_out.logits,
        "label": choice.held_out.label,
        "row": choice.held_out.row,
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(file, save(contiguous, metadata={"key": key, "stage": stage.model_dump_json()}))


def _stored_stage(file: Path, key: str) -> tuple[HeadChoice, InstantStage] | None:
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
        held_out = HeldOut(arrays["logits"], arrays["label"], arrays["row"])
        return HeadChoice(head, of_training, stage.shrinkage, is_earlier, held_out, stage.fitted_on), stage
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def initial_backbone(
    images: TrainingImages, preprocessing: Preprocessing, recipe: Recipe, initial: InitialClassifier | None
) -> Backbone:
    """Return the network from which a training starts, without its head, normalized as the recipe states."""
    architecture = Architecture(
        recipe.model, recipe.head, preprocessing.channels, preprocessing.image_size, recipe.model_options
    )
    if initial is not None:
        backbone = initial.backbone(architecture)
    elif recipe.init == "imagenet":
        backbone = pretrained_backbone(architecture)
    else:
        require_extra("train")
        from coverslip.models.networks import random_network

        backbone = random_network(architecture, recipe.seed).as_backbone()
    backbone = with_expected(with_normalization(backbone, recipe, images.pixels_of, images.train))
    if recipe.init == "scratch" or recipe.batch_norm != "learn":
        return backbone
    require_extra("train")
    from coverslip.training.finetuning import with_batch_statistics

    return with_batch_statistics(backbone, recipe, images)
