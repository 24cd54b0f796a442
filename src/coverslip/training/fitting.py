"""Training of one network by a recipe: initial weights, the instant stage, then fine-tuning; refits.

The instant stage fits a linear probe on frozen features. Fine-tuning starts with this probe as its head, so that the
first steps change a network that can already classify. Batch norms then keep their pretrained statistics, because the
head was fitted to the resulting features: with the statistics of batches, the first loss was 8.7 instead of 0.3
(blood_pbc, 112 px). Training from scratch starts with a random head. The head of an earlier run with the same classes
is kept if it is not worse on validation images.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.datasets.names import some
from coverslip.engines import Features
from coverslip.errors import BadRecipe, Stopped
from coverslip.evaluation.calibration import apply_temperature, calibrated_temperature, fit_temperature
from coverslip.evaluation.decisions import DecisionRule, learn_decisions, set_floors, uncertain_share
from coverslip.evaluation.table import METRICS, score
from coverslip.events import (
    COMPUTING_FEATURES,
    CheckpointSelection,
    ClassifierSelected,
    Emit,
    Event,
    InstantClassifierFitted,
    Noted,
    Progressed,
    StageStarted,
    time_left,
)
from coverslip.files import sha256_json, write_bytes
from coverslip.images.preprocessing import Preprocessing
from coverslip.messages import Set, note, text
from coverslip.models import IMAGENET
from coverslip.models.building import default_options
from coverslip.models.catalogue import model_info
from coverslip.models.networks import Network, create_network, freeze_to
from coverslip.runs.classifier import (
    CalibrationImages,
    ClassifierCard,
    PackedClassifier,
    find_classifier,
    open_classifier,
)
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import IMAGES_COPIED, FromRun, Recipe, automatic_epochs
from coverslip.runs.training import Calibration, FinetuneStage, FittedOn, InstantStage, RefittedHead, StageRecord
from coverslip.stopping import work_stopped
from coverslip.training.batches import TrainingImages, TrainingTask, recipe_order
from coverslip.training.finetuning import Finetuned, finetune, plain_state
from coverslip.training.heads import (
    AugmentedCopies,
    HeadFitter,
    Variation,
    features_of,
    refit_head,
    refit_head_as_folds_chose,
    trained_logits,
)
from coverslip.training.linear_probe import LinearHead, is_preferred, is_significantly_worse, primary_value, rank
from coverslip.training.processor import keep_freed_memory
from coverslip.training.step import begin_batch_statistics

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

    def load_into(self, network: Network) -> LinearHead | None:
        """Load the weights into the network, except the head, and return the earlier head for the classes of this run.

        If the number of channels differs, the first layer is adapted. If all channels are normalized alike, its output
        for an image of equal channels does not change.

        Returns:
            The calibrated head; None if a class is new or no head is offered.

        Raises:
            BadRecipe: the weights belong to another network.
        """
        weights = {name: torch.from_numpy(array.copy()) for name, array in self.packed.read_weights().items()}
        current = network.state_dict()
        try:
            fitted = {name: _fitted(weights[name], current[name]) for name in current if not name.startswith("head.")}
        except (KeyError, ValueError) as error:
            raise BadRecipe("weights-of-other-network", file=self.packed.path, reason=str(error)) from error
        network.load_state_dict({**current, **fitted})
        rows = [number for number in self.class_of if number is not None]
        if self.n_new or not self.offers_head:
            return None
        weight, bias = ((weights[name][rows] / self.packed.card.temperature).numpy() for name in _HEAD)
        return LinearHead(weight, bias, shrinkage=None)


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
    return {**default_options(model_info(choices.model)), **choices.model_options}


def _fitted(weight: Tensor, target: Tensor) -> Tensor:
    """Return the weight, adapted to the target if the number of input channels differs.

    The output of a first layer for equal channels depends on the sum of the weights over channels. The sum is divided
    evenly among the new channels, so that this output does not change. Normalization is averaged over channels.

    Raises:
        ValueError: the shapes differ in another way.
    """
    if weight.shape == target.shape:
        return weight
    shape, target_shape = list(weight.shape), list(target.shape)
    if len(shape) != 4 or len(target_shape) != 4 or shape[0] != target_shape[0] or shape[2:] != target_shape[2:]:
        raise ValueError(text("weight-shape-differs", shape=str(shape), target_shape=str(target_shape)))
    if shape[0] == 1 and shape[2:] == [1, 1]:  # mean or standard deviation of the channels
        return weight.mean(1, keepdim=True).expand(target.shape).clone()
    return (weight.sum(1, keepdim=True) / target_shape[1]).expand(target.shape).clone()


_READ_AT_ONCE = 16
_RESCALING = 255.0
_MIN_SD = 1e-3  # normalization must not amplify noise of a constant channel


def set_normalization(
    network: Network,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> None:
    """Set the mean and standard deviation of the network by the recipe's `normalization`.

    Args:
        network: (B, C, H, W) in [0, 1] -> logits; not changed for `weights`.
        recipe: of the training.
        pixels_of: (n, S, S, C) integers of the images at these positions.
        train: positions of the training images; only these are used.
    """
    channels = network.mean.shape[1]
    match recipe.normalization:
        case "weights":
            return
        case "imagenet":
            mean, sd = (torch.tensor(numbers) for numbers in IMAGENET)
            if channels != 3:
                mean, sd = mean.mean().expand(channels), sd.mean().expand(channels)
        case "none":
            mean, sd = torch.zeros(channels), torch.ones(channels)
        case "rescaled-twice":  # x / 255 once more before the normalization of the weights
            mean, sd = (_RESCALING * tensor.flatten() for tensor in (network.mean, network.std))
        case "training-images":
            mean, sd = (torch.from_numpy(moment).float() for moment in _moments(pixels_of, train, channels))
    network.mean.copy_(mean.reshape(1, -1, 1, 1))
    network.std.copy_(sd.reshape(1, -1, 1, 1))


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
    file, key = context.run.checkpoint_file("instant"), _stage_key(task)
    if (stored := _stored_stage(file, key)) is not None:
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


# `fit` with validation images, `fit_as_folds_chose` with choices that folds have made.

_ENOUGH = 0.75  # share of the recommended images of fine-tuning; with fewer it is worse more often


@dataclass(frozen=True, slots=True)
class Choices:
    """Choices made with validation images, for training a final network on every image."""

    shrinkage: float | None  # of the linear probe; None if none is fitted
    keeps_head: bool  # keep the head of the earlier run whose weights are the initialization
    head_temperature: float  # of the linear probe if no image can be held out from it
    epochs: int  # of fine-tuning; 0: the instant classifier is kept
    refitted: RefittedHead | None = None  # average with the trained head; None: no averaging


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network, its logits of validation images, and the records of its stages."""

    network: Network
    val_logits: Floats  # (n_val, K), averaged over test-time augmentation
    stages: tuple[StageRecord, ...]
    selected_stage: Literal["instant", "finetune"]
    is_stopped: bool  # on request, before the end
    held_out: HeldOut | None = (
        None  # after `fit_as_folds_chose`: training images by heads fitted without them; None: not available
    )
    schedule_changes: dict[float, float] = field(default_factory=dict)  # as the recipe key of this name

    @property
    def fitted_on(self) -> FittedOn:
        """The images that the last layer was fitted on."""
        refitted = self.finetuning.refitted if self.selected_stage == "finetune" and self.finetuning else None
        if self.selected_stage == "finetune":
            return refitted.fitted_on if refitted is not None and refitted.share else "training images"
        return next(stage.fitted_on for stage in self.stages if isinstance(stage, InstantStage))

    @property
    def is_linear_probe(self) -> bool:
        """Whether the selected network is frozen, with a last layer that was fitted in this training."""
        instant = next((stage for stage in self.stages if isinstance(stage, InstantStage)), None)
        return self.selected_stage == "instant" and instant is not None and instant.head == "fitted"

    @property
    def finetuning(self) -> FinetuneStage | None:
        """The record of fine-tuning; None if there was none."""
        return next((stage for stage in self.stages if isinstance(stage, FinetuneStage)), None)

    def weights(self) -> dict[str, npt.NDArray[Any]]:  # Any: each tensor's own dtype
        """The network's tensors by name."""
        return {name: tensor.numpy() for name, tensor in plain_state(self.network).items()}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The network after one stage."""

    stage: Literal["instant", "finetune"]
    val_logits: Floats
    weights: dict[str, torch.Tensor]


def fit(
    task: TrainingTask,
    fold_index: Ints | None,
    initial: InitialClassifier | None = None,
    on_features: OnFeatures = ignore_features,
) -> Fitted:
    """Train one network in both stages and select the better result by validation images, or as the recipe states.

    Args:
        task: images, recipe and context.
        fold_index: (n_val,) fold in which each validation image is held out from a linear probe that is fitted on
            validation images too; negative if a probe of the training images predicts it. None: no probe is fitted on
            validation images.
        initial: classifier of the earlier run whose weights are the initialization, if any.
        on_features: gets the frozen features of training and validation images, if any are computed.

    Raises:
        BadRecipe: training diverged before there was a network to keep.
        OutOfTime: the context has no limit, and its deadline comes before the last epoch ends.
        Stopped: on request, before there was a network to keep.
    """
    images, recipe, context = task.images, task.recipe, task.context
    network, earlier_head = initial_network(images, task.preprocessing, recipe, initial)
    random_head = _copied_head(network)
    stages: list[StageRecord] = []
    candidates: list[_Candidate] = []
    is_stopped, temperature = False, 1.0
    changes: dict[float, float] = {}
    finetuned: Finetuned | None = None
    if recipe.has_instant_stage:
        choose = head_by_validation(task, fold_index, earlier_head)
        choice, stage = instant_stage(network, task, choose, on_features=on_features)
        candidates.append(_Candidate("instant", choice.held_out.logits, _copied(network)))
        stages.append(stage)
        temperature = stage.temperature
        network.set_head(choice.of_training.weight, choice.of_training.bias)  # not fitted on validation images
    if recipe.is_finetuned and not (candidates and _is_finished_before(context)):
        _initialize_head(network, recipe, random_head, temperature)
        finetuned = _finetune(network, images, recipe, context, recipe.last_epoch)
        changes = finetuned.schedule_changes
        is_stopped = finetuned.stopped_because == "on request"
        if finetuned.stopped_because == "diverged":
            if not (candidates or finetuned.selected_epoch):
                raise _diverged(recipe)
            rate = (_lower_rate(recipe),)
            context.emit(Noted.of(note("diverged", level="warning", remedies=rate, epoch=finetuned.epochs_run)))
        refitted: RefittedHead | None = None
        if finetuned.selected_epoch:
            if recipe.refit_head and len(images.val) and not is_stopped:
                try:
                    val_logits, refitted = refit_head(network, task, fold_index)
                except Stopped:
                    is_stopped = True
            if refitted is None:
                val_logits = trained_logits(network, images, recipe, context)
            candidates.append(_Candidate("finetune", val_logits, _copied(network)))
        stages.append(_finetune_stage(finetuned, recipe, refitted))
    if not candidates:
        raise work_stopped()
    selected = candidates[0]
    if len(candidates) == 2:
        instant, tuned = candidates
        if keep_finetuned(tuned.val_logits, instant.val_logits, images, recipe, stages[-1]):
            selected = tuned
        if not is_stopped and len(images.val):  # a stopped training may continue and decide otherwise
            label = images.val_label
            context.emit(_compared_note(selected.stage, tuned.val_logits, instant.val_logits, label, recipe))
    network.load_state_dict(selected.weights)
    if not is_stopped:
        context.emit(_selected(selected.stage, finetuned))
    val_logits, stage_name = selected.val_logits, selected.stage
    return Fitted(network, val_logits, tuple(stages), stage_name, is_stopped, None, changes)


def _compared_note(
    selected: Literal["instant", "finetune"], finetuned: Floats, instant: Floats, label: Ints, recipe: Recipe
) -> Noted:
    """Return the note on the selected classifier with the validation results of both."""
    metric = METRICS[recipe.primary_metric]
    values = [primary_value(logits, label, recipe) for logits in (finetuned, instant)]
    has_scores, is_fixed = bool(np.isfinite(values).all()), recipe.stage_selection == "finetune"
    scores = dict(zip(("finetune", "instant"), map(metric.as_higher_is_better, values), strict=True))
    alternative = "instant" if selected == "finetune" else "finetune"
    compared = note(
        "stages-compared",
        kept=selected,
        finetune=values[0] if has_scores else None,
        instant=values[1] if has_scores else None,
        metric=metric.title,
        has_scores=has_scores,
        is_augmented=recipe.n_views > 1,
        is_close=has_scores and not is_fixed and scores[selected] <= scores[alternative],
        is_fixed=is_fixed,
    )
    return Noted.of(compared)


def _is_finished_before(context: RunContext) -> bool:
    """Return whether the user asked to end the training before its first epoch."""
    return context.is_finish_requested and not context.run.checkpoint_file("last").exists()


def _selected(stage: Literal["instant", "finetune"], finetuned: Finetuned | None) -> ClassifierSelected:
    if stage == "instant" or finetuned is None:
        return ClassifierSelected(stage=stage)
    return ClassifierSelected(stage=stage, epoch=finetuned.selected_epoch, checkpoint_selection=finetuned.selection)


def keep_finetuned(
    finetuned: Floats, instant: Floats, images: TrainingImages, recipe: Recipe, stage: StageRecord
) -> bool:
    """Return whether the fine-tuned network is selected, by the (n_val, K) logits of both classifiers.

    Fine-tuning nearly always improves the result if it started with the instant classifier and ran to its end, with at
    least three quarters of the recommended epochs. Then it is rejected only if it is significantly worse on validation
    images. In all other cases it must be better.
    """
    if recipe.stage_selection == "finetune":
        return True
    assert isinstance(stage, FinetuneStage)
    n = len(recipe_order(images.train_label, images.train_domain, recipe, epoch=1))
    is_enough = stage.n_steps * min(recipe.batch_size, n) >= _ENOUGH * automatic_epochs(n) * n
    is_complete = stage.stopped_because == "all epochs done" and is_enough
    if is_complete and recipe.begins_with_instant_classifier and recipe.keeps_last_epoch:
        return not is_significantly_worse(finetuned, instant, images.val_label, recipe)
    return is_preferred(finetuned, instant, images.val_label, recipe)


def _lower_rate(recipe: Recipe) -> Set:
    """Return the remedy of a tenth of the learning rate."""
    return Set("learning_rate", float(f"{recipe.learning_rate / 10:g}"))


def _diverged(recipe: Recipe) -> BadRecipe:
    return BadRecipe("training-diverged", remedies=(_lower_rate(recipe),))


def fit_as_folds_chose(
    task: TrainingTask,
    fold_index: Ints,
    choices: Choices,
    initial: InitialClassifier | None = None,
    on_features: OnFeatures = ignore_features,
) -> Fitted:
    """Train one network as `fit` does, but by the choices of folds and without validation images.

    Args:
        task: images, recipe and context; validation images are not used.
        fold_index: (n_train,) fold in which each image is held out, to predict it by a linear probe that was fitted
            without it; negative for never. The final probe is fitted on all images.
        choices: made with the validation images of folds.
        initial, on_features: as for `fit`.

    Raises:
        BadRecipe: training diverged.
        OutOfTime: the deadline of the context comes before the last chosen epoch ends.
        Stopped: on request.
    """
    images, recipe, context = task.images, task.recipe, task.context
    network, earlier_head = initial_network(images, task.preprocessing, recipe, initial)
    random_head = _copied_head(network)
    stages: list[StageRecord] = []
    held_out: HeldOut | None = None
    temperature = choices.head_temperature
    finetuned: Finetuned | None = None
    if recipe.has_instant_stage:
        assert choices.shrinkage is not None, "folds with an instant stage fit a linear probe"
        earlier_head = earlier_head if choices.keeps_head else None
        choose = head_by_choices(task, fold_index, choices.shrinkage, earlier_head)
        choice, stage = instant_stage(network, task, choose, temperature, on_features, with_copies=earlier_head is None)
        stages.append(stage)
        temperature = stage.temperature
        if len(choice.held_out.label):
            held_out = choice.held_out
    if choices.epochs:
        held_out = None  # the probe does not describe the fine-tuned network
        _initialize_head(network, recipe, random_head, temperature)
        finetuned = _finetune(network, images, recipe, context, choices.epochs)
        if finetuned.stopped_because == "on request":  # with fewer epochs it would be another network
            raise work_stopped()
        if finetuned.stopped_because == "diverged":
            raise _diverged(recipe)
        if choices.refitted is not None:
            refit_head_as_folds_chose(network, task, choices.refitted)
        stages.append(_finetune_stage(finetuned, recipe, choices.refitted))
    selected: Literal["instant", "finetune"] = "finetune" if choices.epochs else "instant"
    context.emit(_selected(selected, finetuned))
    val_logits = np.zeros((0, images.n_classes))
    return Fitted(network, val_logits, tuple(stages), selected, is_stopped=False, held_out=held_out)


def calibrate(
    logits: Floats,
    label: Ints,
    rule: DecisionRule,
    calibrated_on: CalibrationImages = "validation images",
    group: npt.NDArray[np.str_] | None = None,
) -> Calibration:
    """Return the calibration of probabilities and decisions by images that were not used for fitting.

    Args:
        logits: (n, K) of the selected network, or of equivalent networks.
        label: (n,) int in [0, K).
        rule: of the decision between classes.
        calibrated_on: description of the images.
        group: (n,) names of groups, or None without groups.
    """
    temperature = calibrated_temperature(logits, label)
    probability = apply_temperature(logits, temperature)
    points, threshold = learn_decisions(probability, label, rule, group)
    return Calibration(
        calibrated_on=calibrated_on,
        temperature=temperature,
        set_floors=set_floors(probability, label),
        operating_points=points,
        uncertain_below=threshold,
        uncertain_share=uncertain_share(probability, points, threshold),
    )


def initial_network(
    images: TrainingImages, preprocessing: Preprocessing, recipe: Recipe, initial: InitialClassifier | None
) -> tuple[Network, LinearHead | None]:
    """Return the initial network of a training, and the head of an earlier run with the same classes."""
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    network = create_network(
        recipe.model,
        n_classes=images.n_classes,
        head=recipe.head,
        channels=preprocessing.channels,
        pretrained=recipe.init == "imagenet",
        options={**model_info(recipe.model).dropout.get(recipe.dropout, {}), **recipe.model_options},
        image_size=preprocessing.image_size,
    )
    earlier_head = initial.load_into(network) if initial else None
    set_normalization(network, recipe, images.pixels_of, images.train)
    freeze_to(network, recipe.freeze_to)
    begin_batch_statistics(network, recipe, images.pixels_of, images.train)
    return network, earlier_head


def _copied_head(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.head.state_dict().items()}


def _initialize_head(
    network: Network, recipe: Recipe, random_head: dict[str, torch.Tensor], temperature: float
) -> None:
    """Set the initial head of fine-tuning: the instant classifier divided by its temperature, or a random head."""
    if recipe.init == "scratch":
        return
    if recipe.head_init == "random":
        network.head.load_state_dict(random_head)
    else:
        _soften(network, temperature)


def _finetune(
    network: Network, images: TrainingImages, recipe: Recipe, context: RunContext, last_epoch: int | None
) -> Finetuned:
    """Fine-tune in place."""
    n_epochs = min(recipe.epochs_planned, last_epoch or recipe.epochs_planned)
    selection: CheckpointSelection = "last" if recipe.keeps_last_epoch or not len(images.selecting[0]) else "best"
    context.emit(StageStarted(stage="finetune", n_epochs=n_epochs, checkpoint_selection=selection))
    if images.chosen is not None:
        context.emit(images.chosen.event)
    finetuned = finetune(network, images, recipe, context, last_epoch=last_epoch)
    network.to("cpu")
    return finetuned


def _soften(network: Network, temperature: float) -> None:
    """Divide the head by its temperature: overconfident logits would cause large first steps of fine-tuning."""
    with torch.no_grad():
        network.head.weight.div_(temperature)
        network.head.bias.div_(temperature)


def _copied(network: Network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _finetune_stage(finetuned: Finetuned, recipe: Recipe, refitted: RefittedHead | None) -> FinetuneStage:
    started_from = "random head" if recipe.head_init == "random" else "instant classifier"
    if recipe.init == "scratch":
        started_from = "random weights"
    return FinetuneStage(
        started_from=started_from,
        seconds=round(finetuned.seconds, 3),
        selected_epoch=finetuned.selected_epoch,
        checkpoint_selection=finetuned.selection,
        epochs_run=finetuned.epochs_run,
        epochs_planned=finetuned.epochs_planned,
        n_steps=finetuned.n_steps,
        stopped_because=finetuned.stopped_because,
        images_per_second=round(finetuned.images_per_second, 2),
        precision=finetuned.precision,
        refitted=refitted,
    )
