"""What intensities are brought to before the first layer."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from coverslip.models import IMAGENET
from coverslip.models.networks import Network
from coverslip.runs import Recipe

Ints = npt.NDArray[np.int64]

_READ_AT_ONCE = 16
_LEAST_SD = 1e-3  # a channel that is the same everywhere says nothing, and must not become noise


def set_normalisation(
    network: Network,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> None:
    """Give the network the mean and standard deviation that the recipe asks for.

    Args:
        network: (B, C, H, W) in [0, 1] -> logits; `weights` leaves it as it is.
        recipe: its `normalisation`.
        pixels_of: (n, S, S, C) integers of the images at these positions.
        train: positions of the training images, which alone are looked at.
    """
    channels = network.mean.shape[1]
    match recipe.normalisation:
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
