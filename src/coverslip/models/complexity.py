"""Counts of multiply-accumulates and parameters of a network, and an estimate of its training memory."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from coverslip.models._libraries import shapes_only
from coverslip.models.building import is_library_builder
from coverslip.models.catalogue import model_info
from coverslip.models.networks import create_network

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Counts of one network."""

    parameters: int
    macs: int  # of one image: convolutions, linear layers and products of attention
    conv_linear_weights_x2: int  # without biases and normalization; independent of the image size


def cost_of(network: nn.Module, image: Tensor) -> Cost:
    """Count the cost of a network for an input of (1, C, H, W), both on the meta device, where nothing is computed.

    PyTorch's counter includes every convolution and matrix product, also the products of attention outside layers. It
    counts a multiply-accumulate as two operations. It needs gradients, so they are enabled.
    """
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(image)
    return Cost(
        parameters=sum(p.numel() for p in network.parameters()),
        macs=counter.get_total_flops() // 2,
        conv_linear_weights_x2=2 * sum(m.weight.numel() for m in network.modules() if isinstance(m, _WEIGHTED)),
    )


def cost_of_model(
    model: str,
    *,
    n_classes: int = 1000,
    channels: int = 3,
    options: dict[str, Any] | None = None,
    head: Literal["multi_layer", "native"] = "native",
    image_size: int | None = None,
) -> Cost:
    """Return the cost of a model. No memory is used for weights.

    Args:
        model: name of the model.
        n_classes: of the head.
        channels: of the images.
        options, head: as in a recipe.
        image_size: image side in pixels; None: the default of the model.

    Raises:
        UnknownModel: no model has this name.
        BadRecipe: the model does not accept these options.
    """
    return _of_shapes(cost_of, model, n_classes, channels, options, head, image_size)


_Count = TypeVar("_Count")


def _of_shapes(
    count: Callable[[nn.Module, Tensor], _Count],
    model: str,
    n_classes: int,
    channels: int,
    options: dict[str, Any] | None,
    head: Literal["multi_layer", "native"],
    image_size: int | None,
) -> _Count:
    """Return the count of a network and one image, which have shapes but no values."""
    side = image_size or model_info(model).input_px
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
        return count(network, torch.zeros(1, channels, side, side))


_BATCH = 2  # images per pass, so that the memory of one image can be separated from the constant part
_WORKSPACE = 1.15  # factor for convolutions and the allocator, measured with batches of 8 and 16
_COPIES = 4  # of each weight: the weight, its gradient, and two running means of the optimizer

# Bytes of weights and bytes per image, by the key of the network: a training needs the same counts several times, and
# counting takes half a second.
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
    """Return the bytes of a training step without the program itself: weights, gradients, optimizer, activations.

    A forward pass runs on PyTorch's meta device, and the tensors that it stores for the backward pass are counted.

    Args:
        model: name of the model.
        image_size: image side in pixels.
        channels: of the images.
        n_classes: of the head.
        images_at_once: number of images whose activations are held at the same time.
        head, options: as in a recipe.

    Raises:
        UnknownModel: no model has this name.
        BadRecipe: the model does not accept these options.
    """
    record = model_info(model)
    key = repr((record, image_size, channels, n_classes, head, sorted((options or {}).items())))
    counts = _counts.get(key)
    if counts is None:
        counts = _of_shapes(_count, model, n_classes, channels, options, head, image_size)
        if is_library_builder(record.builder):
            _counts[key] = counts
    weights, per_image = counts
    return math.ceil(_WORKSPACE * (_COPIES * weights + per_image * images_at_once))


def _count(network: nn.Module, image: Tensor) -> tuple[int, float]:
    """Return the bytes of the weights and the bytes that each image adds."""
    smaller, larger = (_stored_bytes(network, image.repeat(n, 1, 1, 1)) for n in (_BATCH, 2 * _BATCH))
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return weights, (larger - smaller) / _BATCH


def _stored_bytes(network: nn.Module, images: Tensor) -> int:
    """Return the bytes that a forward pass stores for the backward pass, with fixed statistics as in fine-tuning."""
    storages: dict[int, Any] = {}  # Any: storages, held so that no identifier is reused

    def store(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage  # identifies a storage without memory
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor):
        network.eval()(images)
    return sum(int(storage.nbytes()) for storage in storages.values())
