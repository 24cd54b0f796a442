"""Batch norms that will follow batches begin with the statistics of the training images.

The instant classifier is fitted on features of a network whose batch norms keep the statistics that they have. Those of
photographs are far from those of, say, chromosomes padded with black: once the norms follow batches, such a head meets
features that it was not fitted to. MobileNetV2 began at a loss of 96 there, where to guess among 24 classes costs 3.2,
and fine-tuning was given up for the network that it had begun with.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.models.freezing import train_mode
from coverslip.runs import Recipe
from coverslip.training.batches import plain_batches

Ints = npt.NDArray[np.int64]
_MOST = 512  # images: means over all places of so many maps hardly change with more


def begin_batch_statistics(
    network: nn.Module,
    recipe: Recipe,
    pixels_of: Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]],
    train: Ints,
) -> None:
    """Where the recipe lets pretrained batch norms follow batches, give them the statistics of training images.

    Args:
        network: on the processor, frozen as the recipe says; frozen batch norms stay as they are.
        recipe: its `batch_norm` and `batch_size`; its seed mixes the images.
        pixels_of: (n, S, S, C) integers of the images at these positions.
        train: positions of the training images, which alone are looked at, at most 512 of them.
    """
    if recipe.init == "scratch" or recipe.batch_norm != "learn":
        return
    mixed = np.random.default_rng(recipe.seed).permutation(np.sort(train))[:_MOST]
    train_mode(network, keep_statistics=False)
    following = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    network.eval()
    momentum = [norm.momentum for norm in following]
    for norm in following:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    with torch.inference_mode():
        for x in plain_batches(pixels_of, mixed, batch_size=recipe.batch_size):
            if len(x) > 1 or len(mixed) == 1:  # a last image by itself is no batch
                network(x)
    for norm, usual in zip(following, momentum, strict=True):
        norm.momentum = usual
    network.eval()
