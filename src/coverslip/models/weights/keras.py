"""Keras's layers as the tensors of our networks.

Keras keeps a kernel as (height, width, in, out), that of a depthwise convolution as (height, width, channels, 1), and
a dense layer's as (in, out). Which network a file is of is told by its layers' names: those of Keras's applications
are fixed.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.hdf5 import Layers, read_layers
from coverslip.models.weights.nasnet import keras_layer
from coverslip.models.weights.source import Tensors

if TYPE_CHECKING:
    import torch

_EFFICIENTNET_ENDS = {
    "stem_conv": "conv_stem",
    "stem_bn": "bn1",
    "top_conv": "conv_head",
    "top_bn": "bn2",
    "predictions": "classifier",
}
_EFFICIENTNET_LAYER = re.compile(r"block(\d)([a-z])_(\w+)")
_FIRST_BLOCK = {"project_conv": "conv", "project_bn": "bn1"}
_FUSED_BLOCK = {"expand_conv": "conv_exp", "expand_bn": "bn1", "project_conv": "conv_pwl", "project_bn": "bn2"}
_BLOCK = {
    "expand_conv": "conv_pw",
    "expand_bn": "bn1",
    "dwconv2": "conv_dw",
    "bn": "bn2",
    "se_reduce": "se.conv_reduce",
    "se_expand": "se.conv_expand",
    "project_conv": "conv_pwl",
    "project_bn": "bn3",
}
_TENSORS = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "pointwise_kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def read_keras(file: Path) -> Tensors:
    """The tensors of NASNet-Mobile or of an EfficientNetV2 in a file of Keras, under the names of our networks.

    What these networks do not have keeps Keras's name, so that whoever compares names finds it.

    Raises:
        WeightsUnavailable: the file cannot be read safely, or is of another network.
    """
    layers = read_layers(file)
    modules_of = _scheme(layers, file)
    tensors: Tensors = {}
    for layer, variables in layers.items():
        modules = modules_of(layer)
        for variable, numbers in variables.items():
            if not modules or variable not in _TENSORS:
                tensors[f"{layer}/{variable}"] = numbers
                continue
            module = modules[-1] if variable == "pointwise_kernel" else modules[0]
            is_depthwise = variable == "depthwise_kernel" or module.endswith(".conv_dw")
            tensors[f"{module}.{_TENSORS[variable]}"] = _as_pytorch(numbers, is_depthwise)
    return tensors


def _as_pytorch(numbers: "torch.Tensor", is_depthwise: bool) -> "torch.Tensor":
    if numbers.ndim == 4:
        return numbers.permute((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)).contiguous()
    return numbers.T.contiguous() if numbers.ndim == 2 else numbers


def _scheme(layers: Layers, file: Path) -> Callable[[str], tuple[str, ...]]:
    """What gives our modules for a layer of this file.

    Raises:
        WeightsUnavailable: it is of neither network.
    """
    if "stem_conv1" in layers and "adjust_bn_stem_2" in layers:
        return keras_layer
    if "stem_conv" in layers and "block1a_project_conv" in layers and "block1a_dwconv" not in layers:
        return lambda layer: _efficientnet_layer(layer, layers)
    names = ", ".join(list(layers)[:3]) or "none"
    raise WeightsUnavailable(
        f"Keras's files are read of NASNetMobile and EfficientNetV2B0, and this one is of another network "
        f"(its first layers are {names})",
        file=file,
        do="Export it to PyTorch, or choose a network whose weights are available.",
    )


def _efficientnet_layer(layer: str, layers: Layers) -> tuple[str, ...]:
    """Our module for a layer of an EfficientNetV2; none where it has no such layer."""
    if layer in _EFFICIENTNET_ENDS:
        return (_EFFICIENTNET_ENDS[layer],)
    if (match := _EFFICIENTNET_LAYER.fullmatch(layer)) is None:
        return ()
    stage, block, part = match.groups()
    names = _FIRST_BLOCK
    if f"block{stage}{block}_expand_conv" in layers:
        names = _BLOCK if f"block{stage}{block}_dwconv2" in layers else _FUSED_BLOCK
    return (f"blocks.{int(stage) - 1}.{ord(block) - ord('a')}.{names[part]}",) if part in names else ()
