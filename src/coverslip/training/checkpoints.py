"""Checkpoints without pickle: every tensor of network and optimiser in safetensors, the rest as JSON beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coverslip.errors import BadRun
from coverslip.files import written_whole


def save_checkpoint(
    file: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Mapping[str, Any],  # Any: JSON values
) -> None:
    """Write everything that training needs to go on, whole or not at all."""
    from safetensors.torch import save_file

    tensors = {f"network.{name}": tensor for name, tensor in plain_state(network).items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in _optimizer_tensors(optimizer).items()}
    with written_whole(file) as part:
        save_file(tensors, part, metadata={"progress": json.dumps(dict(progress))})


def load_checkpoint(file: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:  # Any: JSON
    """Put network and optimiser back to where they were; gives what was saved as `progress`.

    Raises:
        BadRun: the checkpoint is damaged or belongs to another network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
            progress: dict[str, Any] = json.loads(opened.metadata()["progress"])
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadRun(f"The checkpoint could not be used: {error}", file=file, do="Train again.") from error
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = tensor
    described = optimizer.state_dict()
    optimizer.load_state_dict({"state": state, "param_groups": described["param_groups"]})
    return progress


def plain_state(network: nn.Module) -> dict[str, Tensor]:
    """The state dict as contiguous tensors of their own on the processor, sorted by name."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in sorted(network.state_dict().items())
    }


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{number}.{key}": value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for number, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
        if isinstance(value, Tensor)
    }
