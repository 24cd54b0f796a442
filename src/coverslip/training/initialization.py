"""Initial weights of an earlier run, and the normalization of pixels."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.datasets import some
from coverslip.errors import BadRecipe
from coverslip.messages import Set, text
from coverslip.models import IMAGENET
from coverslip.models.catalogue import model_info
from coverslip.models.building import default_options
from coverslip.models.networks import Network
from coverslip.runs import ClassifierCard, FromRun, PackedClassifier, Recipe, find_classifier, open_classifier
from coverslip.training.linear_probe import LinearHead

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


Ints = npt.NDArray[np.int64]

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
