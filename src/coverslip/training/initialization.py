"""Initial weights: adaptation of the first layer, and intensity normalization."""

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
from coverslip.models import IMAGENET, model_info
from coverslip.models.building import default_options
from coverslip.models.networks import Network
from coverslip.runs import ClassifierCard, FromRun, PackedClassifier, Recipe, find_classifier, open_classifier
from coverslip.training.linear_probe import LinearHead

_HEAD = ("head.weight", "head.bias")


@dataclass(frozen=True, slots=True)
class InitialClassifier:
    """An earlier run's classifier, and which of its classes are which of this run's."""

    packed: PackedClassifier
    class_of: tuple[int | None, ...]  # for each class of this run its number there
    offers_head: bool = True  # False: it knows the validation images, which could not judge it

    @property
    def n_new(self) -> int:
        """Classes of this run that the earlier one did not have."""
        return self.class_of.count(None)

    def take_over(self, network: Network) -> LinearHead | None:
        """Put the weights into the network, whose head stays as it is; gives the earlier head's rows for the classes.

        A first layer for other channels answers to an image of equal channels as before, where all channels were
        normalized alike.

        Returns:
            The calibrated head; None where a class is new, or where none is offered.

        Raises:
            BadRecipe: the network is another one.
        """
        weights = {name: torch.from_numpy(array.copy()) for name, array in self.packed.read_weights().items()}
        current = network.state_dict()
        try:
            fitted = {name: _fitted(weights[name], current[name]) for name in current if not name.startswith("head.")}
        except (KeyError, ValueError) as error:
            raise BadRecipe("weights-of-other-network", file=self.packed.place, reason=str(error)) from error
        network.load_state_dict({**current, **fitted})
        rows = [number for number in self.class_of if number is not None]
        if self.n_new or not self.offers_head:
            return None
        weight, bias = ((weights[name][rows] / self.packed.card.temperature).numpy() for name in _HEAD)
        return LinearHead(weight, bias, shrinkage=None)


def initial_classifier(init: FromRun, classes: Sequence[str], *, offers_head: bool = True) -> InitialClassifier:
    """What an earlier run gives to a training on these classes, its head included if validation images can judge it.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
    """
    packed = open_classifier(find_classifier(init.run))
    numbers = {init.labels.get(name, name): number for number, name in enumerate(packed.card.classes)}
    return InitialClassifier(packed, tuple(numbers.get(name) for name in classes), offers_head)


def check_initialization(init: FromRun, recipe: Recipe, classes: Sequence[str]) -> None:
    """Whether an earlier run can be the initialization.

    Raises:
        BadClassifier: there is no classifier, or it is damaged.
        BadRecipe: it has another network, or `labels` names a class that it or this training does not have.
    """
    packed = open_classifier(find_classifier(init.run))
    card, place = packed.card, packed.place
    earlier, current = ({**choices.model_dump(), "model_options": whole_options(choices)} for choices in (card, recipe))
    differing = [key for key in ("model", "model_options", "head") if earlier[key] != current[key]]
    if differing:
        raise BadRecipe(
            "initial-network-differs",
            file=place,
            remedies=[Set(key, earlier[key]) for key in differing],
        )
    check_labels(init.labels, card.classes, classes)


def check_labels(labels: Mapping[str, str], earlier: Sequence[str], classes: Sequence[str]) -> None:
    """Whether a map of an earlier run's class names to this run's holds only names that there are.

    Raises:
        BadRecipe: it does not, or two classes of the earlier run would be one of this.
    """
    if unknown := [name for name in labels if name not in earlier]:
        raise BadRecipe("unknown-class-of-initial-run", name=unknown[0], names=some(earlier, 12))
    if unknown := [name for name in labels.values() if name not in classes]:
        raise BadRecipe("unknown-class-of-images", name=unknown[0], names=some(classes, 12))
    times = Counter(labels.get(name, name) for name in earlier)
    for name in labels.values():
        if times[name] > 1:
            merged = [each for each in earlier if labels.get(each, each) == name]
            raise BadRecipe("labels-merge-classes", names=some(merged), name=name)


def whole_options(choices: Recipe | ClassifierCard) -> dict[str, Any]:  # Any: each option's own type
    """The options of a network, those included that were not chosen."""
    return {**default_options(model_info(choices.model)), **choices.model_options}


def _fitted(weight: Tensor, target: Tensor) -> Tensor:
    """The weight, or for a first layer (and its normalization) of other channels the mean over its channels.

    A layer for C channels that sees the same in all of them answers by the sum of their weights: spread evenly over
    the new channels it answers the same.

    Raises:
        ValueError: the shapes differ in something else.
    """
    if weight.shape == target.shape:
        return weight
    shape, target_shape = list(weight.shape), list(target.shape)
    if len(shape) != 4 or len(target_shape) != 4 or shape[0] != target_shape[0] or shape[2:] != target_shape[2:]:
        raise ValueError(text("weight-shape-differs", shape=str(shape), target_shape=str(target_shape)))
    if shape[0] == 1 and shape[2:] == [1, 1]:  # mean and standard deviation of the channels
        return weight.mean(1, keepdim=True).expand(target.shape).clone()
    return (weight.sum(1, keepdim=True) / target_shape[1]).expand(target.shape).clone()


Ints = npt.NDArray[np.int64]

_READ_AT_ONCE = 16
_LEAST_SD = 1e-3  # a channel that is the same everywhere says nothing, and must not become noise


def set_normalization(
    network: Network,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> None:
    """Give the network the mean and standard deviation that the recipe asks for.

    Args:
        network: (B, C, H, W) in [0, 1] -> logits; `weights` leaves it as it is.
        recipe: its `normalization`.
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
        case "training-images":
            mean, sd = (torch.from_numpy(moment).float() for moment in _moments(pixels_of, train, channels))
    network.mean.copy_(mean.reshape(1, -1, 1, 1))
    network.std.copy_(sd.reshape(1, -1, 1, 1))


def _moments(
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]], train: Ints, channels: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(C,) mean and standard deviation over all pixels of the training images, as they are preprocessed, in [0, 1]."""
    total, square, n = np.zeros(channels), np.zeros(channels), 0
    for start in range(0, len(train), _READ_AT_ONCE):
        for pixels in pixels_of(train[start : start + _READ_AT_ONCE].tolist()):
            values = pixels.reshape(-1, channels) / np.float64(np.iinfo(pixels.dtype).max)
            total += values.sum(axis=0)
            square += np.square(values).sum(axis=0)
            n += len(values)
    mean = total / n
    return mean, np.maximum(np.sqrt(np.maximum(square / n - mean**2, 0)), _LEAST_SD)
