"""Checkpoints without pickle: every tensor of network and optimizer in safetensors, the rest as JSON beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from coverslip.errors import BadRun
from coverslip.files import write_bytes


def save_checkpoint(
    file: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Mapping[str, Any],  # Any: JSON values
) -> None:
    """Write everything that is needed to resume training, whole or not at all."""
    from safetensors.torch import save

    tensors = {f"network.{name}": tensor for name, tensor in plain_state(network).items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in _optimizer_tensors(optimizer).items()}
    # As bytes, since safetensors' own writing reports a full disk as an error of its own kind.
    write_bytes(file, save(tensors, metadata={"progress": json.dumps(dict(progress))}))


def load_checkpoint(
    file: Path, network: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:  # Any: JSON values
    """Put the network, and the optimizer if given, back to where they were; gives what was saved as `progress`.

    Raises:
        BadRun: the checkpoint is damaged or belongs to another network.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - not a mapping
            progress: dict[str, Any] = json.loads(opened.metadata()["progress"])
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
        if optimizer is not None:
            _load_optimizer(optimizer, tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadRun("checkpoint-not-usable", file=file, reason=str(error)) from error
    return progress


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


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
