"""Checkpoints without pickle: all tensors of network and optimizer as safetensors, with the progress as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from coverslip.errors import BadRun
from coverslip.files import write_bytes
from coverslip.runs import Recipe
from coverslip.training.step import PrecisionName


def save_checkpoint(
    file: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Mapping[str, Any],  # Any: JSON values
) -> None:
    """Write everything that is needed to resume training, as a whole or not at all."""
    from safetensors.torch import save

    tensors = {f"network.{name}": tensor for name, tensor in plain_state(network).items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in _optimizer_tensors(optimizer).items()}
    # As bytes, because safetensors reports a full disk as an error of another type.
    write_bytes(file, save(tensors, metadata={"progress": json.dumps(dict(progress))}))


def load_checkpoint(
    file: Path, network: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> dict[str, Any]:  # Any: JSON values
    """Restore the network and, if passed, the optimizer; return the saved `progress`.

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
    """Return the state dict as contiguous copies on the CPU, sorted by name."""
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


@dataclass(slots=True)
class Progress:
    """State of the training loop, saved with every checkpoint."""

    epoch: int = 0  # last complete epoch
    best_epoch: int = 0  # by the primary metric on validation images
    epochs_since_better: int = 0
    best_score: float = float("-inf")  # higher is better; if undefined or equal, the loss decides
    loss_of_best: float = float("inf")
    best_val_loss: float = float("inf")
    epochs_since_lower_loss: int = 0
    plateau_factor: float = 1.0
    seconds: float = 0.0
    images: int = 0
    training_seconds: float = 0.0
    images_at_once: int | None = None  # in the last epoch; reduced if memory was insufficient
    precision: PrecisionName = "float32"
    loss_scale: tuple[float, int] | None = None  # of float16
    n_steps: int = 0
    schedule_changes: dict[int, int] = field(default_factory=dict)  # as the recipe key of this name, in steps

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Return JSON values for `restored`; infinity becomes null."""
        return {name: None if value in (np.inf, -np.inf) else value for name, value in asdict(self).items()}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "Progress":  # Any: JSON values
        """Return the progress by the result of `as_json`."""
        progress = cls(**{name: value for name, value in saved.items() if value is not None})
        progress.schedule_changes = {int(step): n for step, n in progress.schedule_changes.items()}
        return progress

    def follow_plateau(self, recipe: Recipe, val_loss: float) -> None:
        """Lower the learning rate if the validation loss stopped falling and the recipe has this schedule."""
        if val_loss < self.best_val_loss:
            self.best_val_loss, self.epochs_since_lower_loss = val_loss, 0
            return
        self.epochs_since_lower_loss += 1
        if recipe.schedule == "plateau" and self.epochs_since_lower_loss >= max(1, (recipe.patience or 10) // 2):
            self.plateau_factor, self.epochs_since_lower_loss = self.plateau_factor / 10, 0
