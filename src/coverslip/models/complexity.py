"""Multiply-accumulates, parameters and training memory of a network, counted before it is trained."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from coverslip.models.catalogue import model_info
from coverslip.models.kept import is_from_a_library
from coverslip.models.networks import create_network
from coverslip.models.shapes import shapes_only

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Counts of one network."""

    parameters: int
    macs: int  # of one image: convolutions, linear layers and products of attention
    conv_linear_weights_x2: int  # without biases and normalization; depends on no image size


def cost_of(network: nn.Module, image: Tensor) -> Cost:
    """Count a network's cost for an input of (1, C, H, W), both on the meta device, where nothing is computed.

    PyTorch's counter sees every convolution and matrix product, also those of attention that no layer owns; it
    counts a multiply-accumulate as two operations. It follows gradients, so these stay on.
    """
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(image)
    return Cost(
        parameters=sum(p.numel() for p in network.parameters()),
        macs=counter.get_total_flops() // 2,
        conv_linear_weights_x2=2 * sum(m.weight.numel() for m in network.modules() if isinstance(m, _WEIGHTED)),
    )


def cost_of_model(
    model: str, *, n_classes: int = 1000, channels: int = 3, options: dict[str, Any] | None = None
) -> Cost:
    """Return cost of a model with its native head at its own image size; its weights take no memory.

    Raises:
        UnknownModel: there is none of that name.
        BadRecipe: the model does not take these options.
    """
    side = model_info(model).input_px
    with shapes_only():
        network = create_network(
            model, n_classes=n_classes, head="native", channels=channels, pretrained=False, options=options
        )
        return cost_of(network, torch.zeros(1, channels, side, side))


_COUNTED = 2  # images per pass, so that the memory of one image can be separated from the constant part
_WORKSPACE = 1.15  # what convolutions and the allocator take besides: measured, see benchmarks/RESULTS.md
_COPIES = 4  # of each weight: itself, its gradient, and two running means of the optimizer

# Bytes of weights, and of what each image adds, by all that they depend on: a training asks several times for the same,
# which takes half a second each time.
_counts: dict[str, tuple[int, float]] = {}


def training_memory(
    model: str,
    *,
    image_size: int,
    channels: int,
    n_classes: int,
    images_at_once: int,
    head: Literal["multi_layer", "native"] = "multi_layer",
    options: dict[str, Any] | None = None,
) -> int:
    """Bytes that a step of training takes beside the program itself: weights, gradients, optimizer, and activations.

    The network is passed through without computing (PyTorch's meta device), and what it keeps for the way back counted.

    Args:
        model: by its name.
        image_size: of a side, in pixels.
        channels: of the images.
        n_classes: of the head.
        images_at_once: whose activations are held at the same time.
        head, options: as a recipe has them.

    Raises:
        UnknownModel: there is none of that name.
        BadRecipe: the model does not take these options.
    """
    record = model_info(model)
    key = repr((record, image_size, channels, n_classes, head, sorted((options or {}).items())))
    counts = _counts.get(key)
    if counts is None:
        with shapes_only():
            network = create_network(
                model,
                n_classes=n_classes,
                head=head,
                channels=channels,
                pretrained=False,
                options=options,
                image_size=image_size,
            )
            counts = _count(network, torch.zeros(1, channels, image_size, image_size))
        if is_from_a_library(record.builder):
            _counts[key] = counts
    weights, per_image = counts
    return math.ceil(_WORKSPACE * (_COPIES * weights + per_image * images_at_once))


def _count(network: nn.Module, image: Tensor) -> tuple[int, float]:
    """Return bytes of the weights, and of what each image adds to them."""
    few, more = (_kept_bytes(network, image.repeat(n, 1, 1, 1)) for n in (_COUNTED, 2 * _COUNTED))
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return weights, (more - few) / _COUNTED


def _kept_bytes(network: nn.Module, images: Tensor) -> int:
    """Return what a forward pass keeps for the way back; batch norms hold their statistics, as in fine-tuning."""
    storages: dict[int, Any] = {}  # Any: storages, held so that none takes the place of another

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # what tells storages without memory apart
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network.eval()(images)
    return sum(int(storage.nbytes()) for storage in storages.values())
