"""Optimizers and learning rates of the epochs of fine-tuning."""

import math

import torch
from torch import nn

from coverslip.runs import Recipe

_MAX_NORM = 1.0  # gradients of a head on many blocks are large, and training diverged without a limit


def new_optimizer(network: nn.Module, recipe: Recipe, epoch: int) -> torch.optim.Optimizer:
    """Return a new optimizer for this epoch of the recipe. Biases and norms have no weight decay.

    The first groups are those of the head, with the full learning rate. `set_learning_rate` sets all learning rates.
    """
    groups = []
    for is_head, share in ((True, 1.0), (False, _backbone_share(recipe))):
        trained = [
            parameter
            for name, parameter in network.named_parameters()
            if parameter.requires_grad and name.startswith("head.") == is_head
        ]
        groups += [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay, "share": share},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0, "share": share},
        ]
    kind = recipe.optimizer
    if kind == "adam-then-sgd":
        kind = "sgd" if is_second_phase(recipe, epoch) else "adam"
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=recipe.nesterov)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.Adam(groups, lr=recipe.learning_rate, amsgrad=kind == "amsgrad")


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the head, and of other layers in proportion."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def max_gradient_norm(recipe: Recipe, optimizer: torch.optim.Optimizer) -> float | None:
    """Return the maximum norm of a gradient; None for no clipping."""
    if recipe.clip_gradient == "auto":
        return _MAX_NORM if isinstance(optimizer, torch.optim.SGD) or recipe.begins_with_instant_classifier else None
    return recipe.clip_gradient


def _backbone_share(recipe: Recipe) -> float:
    return 1.0 if recipe.init == "scratch" else recipe.backbone_rate


def is_second_phase(recipe: Recipe, epoch: int) -> bool:
    """Return whether SGD is used in this epoch: not in the first epoch, and at the latest in the last."""
    last_of_adam = max(1, min(recipe.n_epochs - 1, round(recipe.sgd_from * recipe.n_epochs)))
    return recipe.optimizer == "adam-then-sgd" and epoch > last_of_adam


def is_changed_before(recipe: Recipe, epoch: int) -> bool:
    """Return whether the optimizer changes at the start of this epoch."""
    return is_second_phase(recipe, epoch) and not is_second_phase(recipe, epoch - 1)


def learning_rate_factor(recipe: Recipe, progress: float) -> float:
    """Return the share of the peak learning rate by the progress in (0, 1]: a linear increase, then the schedule."""
    if progress <= recipe.warmup:
        return progress / recipe.warmup
    if recipe.schedule != "cosine":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup)))
