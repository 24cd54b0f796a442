"""Weights of Keras, among them those of NASNet, as tensors of our networks.

Keras keeps a kernel as (height, width, in, out), that of a depthwise convolution as (height, width, channels, 1), and
a dense layer's as (in, out). The names of its layers identify the network of a file: those of Keras's applications
are fixed.

Both hold the weights that TensorFlow trained; their cells are numbered with gaps, ours in a row.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.hdf5 import Layers, read_layers
from coverslip.models.weights.source import Tensors

if TYPE_CHECKING:
    import torch

_PORTED_CELLS = (
    *("cell_stem_0", "cell_stem_1", "cell_0", "cell_1", "cell_2", "cell_3", "reduction_cell_0"),
    *("cell_6", "cell_7", "cell_8", "cell_9", "reduction_cell_1", "cell_12", "cell_13", "cell_14", "cell_15"),
)
_PORTED_ENDS = {"conv0.conv": "stem.0", "conv0.bn": "stem.1", "last_linear": "classifier"}
_PORTED_INPUTS = {
    "conv_1x1.conv": "last.convolution",
    "conv_1x1.bn": "last.norm",
    "conv_prev_1x1.conv": "previous.convolution",
    "conv_prev_1x1.bn": "previous.norm",
    "path_1.conv": "previous.even",
    "path_2.conv": "previous.odd",
    "final_path_bn": "previous.norm",
}
_PORTED_OPERATION = re.compile(r"comb_iter_(\d)_(left|right)\.(separable|bn_sep)_(\d)(?:\.(depth|point)wise_conv2d)?")

_KERAS_CELLS = (
    *("stem_1", "stem_2", "0", "1", "2", "3", "reduce_4"),
    *("5", "6", "7", "8", "reduce_8", "9", "10", "11", "12"),
)
_KERAS_ENDS = {"stem_conv1": "stem.0", "stem_bn1": "stem.1", "predictions": "classifier"}
_KERAS_INPUTS = {
    "normal_conv_1": "last.convolution",
    "reduction_conv_1": "last.convolution",
    "normal_bn_1": "last.norm",
    "reduction_bn_1": "last.norm",
    "adjust_conv_projection": "previous.convolution",
    "adjust_conv_1": "previous.even",
    "adjust_conv_2": "previous.odd",
    "adjust_bn": "previous.norm",
}
_KERAS_LAYER = re.compile(r"(.+?)_(stem_\d|reduce_\d|\d+)")
_KERAS_OPERATION = re.compile(r"separable_conv_(\d)_(bn_)?(normal|reduction)_(left|right)(\d)")
_KERAS_FOURTH_IS_FIFTH = ("reduction", "left", "4")  # Keras counts the sums that have a convolution on the left

# Where in our separable convolutions, which are applied twice, the parts of the first time stand.
_DEPTHWISE, _POINTWISE, _NORM, _TIMES = 1, 2, 3, 4


def is_ported_nasnet(tensors: Tensors) -> bool:
    """Return whether tensors have the port's names."""
    return "cell_stem_0.conv_1x1.conv.weight" in tensors


def ported_name(name: str) -> str:
    """Our name of a tensor of the port; one that it does not have stays as it is."""
    module, _, tensor = name.rpartition(".")
    if module in _PORTED_ENDS:
        return f"{_PORTED_ENDS[module]}.{tensor}"
    cell, _, part = module.partition(".")
    inside = _PORTED_INPUTS.get(part) or _ported_operation(part)
    return f"cells.{_PORTED_CELLS.index(cell)}.{inside}.{tensor}" if cell in _PORTED_CELLS and inside else name


def keras_layer(layer: str) -> tuple[str, ...]:
    """Our modules for a layer of Keras: two for a separable convolution, none where NASNet has no such layer."""
    if layer in _KERAS_ENDS:
        return (_KERAS_ENDS[layer],)
    if (match := _KERAS_LAYER.fullmatch(layer)) is None or match[2] not in _KERAS_CELLS:
        return ()
    inside = (_KERAS_INPUTS[match[1]],) if match[1] in _KERAS_INPUTS else _keras_operation(match[1])
    return tuple(f"cells.{_KERAS_CELLS.index(match[2])}.{part}" for part in inside)


def _ported_operation(part: str) -> str | None:
    if (match := _PORTED_OPERATION.fullmatch(part)) is None:
        return None
    total, side, kind, time, width = match.groups()
    place = _NORM if kind == "bn_sep" else _DEPTHWISE if width == "depth" else _POINTWISE
    return _operation(int(total), side, int(time), place)


def _keras_operation(part: str) -> tuple[str, ...]:
    if (match := _KERAS_OPERATION.fullmatch(part)) is None:
        return ()
    time, norm, kind, side, number = match.groups()
    total = 4 if (kind, side, number) == _KERAS_FOURTH_IS_FIFTH else int(number) - 1
    places = (_NORM,) if norm else (_DEPTHWISE, _POINTWISE)
    return tuple(_operation(total, side, int(time), place) for place in places)


def _operation(total: int, side: str, time: int, place: int) -> str:
    """Return where an operation stands in a cell: each of its sums has one on the left and one on the right."""
    return f"operations.{2 * total + (side == 'right')}.{_TIMES * (time - 1) + place}"


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
    """Return the tensors of NASNet-Mobile or of an EfficientNetV2 in a file of Keras, under the names of our networks.

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
    """Return what gives our modules for a layer of this file.

    Raises:
        WeightsUnavailable: it is of neither network.
    """
    if "stem_conv1" in layers and "adjust_bn_stem_2" in layers:
        return keras_layer
    if "stem_conv" in layers and "block1a_project_conv" in layers and "block1a_dwconv" not in layers:
        return lambda layer: _efficientnet_layer(layer, layers)
    first = ", ".join(list(layers)[:3])
    raise WeightsUnavailable("keras-network-not-read", file=file, has_layers=bool(first), layers=first)


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
