"""Which optimizer takes an epoch's steps, and at which learning rate."""

import math

import torch
from torch import nn

from coverslip.runs import Recipe

_LONGEST = 1.0  # a head on the features of many blocks is steep, and steps without a bound ran away


def new_optimizer(network: nn.Module, recipe: Recipe, epoch: int) -> torch.optim.Optimizer:
    """A new optimizer as the recipe wants it in this epoch; biases and norms are not pulled towards zero.

    The first group is of the head, and has the whole learning rate; that of each is set by `set_learning_rate`.
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
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    return torch.optim.Adam(groups, lr=recipe.learning_rate, amsgrad=kind == "amsgrad")


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give the head this learning rate, and other layers their share of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def max_gradient_norm(recipe: Recipe, optimizer: torch.optim.Optimizer) -> float | None:
    """The length that the gradient of a step is shortened to; None leaves it as it is."""
    if recipe.clip_gradient == "auto":
        return _LONGEST if isinstance(optimizer, torch.optim.SGD) or recipe.begins_with_instant_classifier else None
    return recipe.clip_gradient


def _backbone_share(recipe: Recipe) -> float:
    return 1.0 if recipe.init == "scratch" else recipe.backbone_rate


def is_second_phase(recipe: Recipe, epoch: int) -> bool:
    """Whether SGD's turn has come: after one epoch of Adam at least, and before the last one is over."""
    last_of_adam = max(1, min(recipe.n_epochs - 1, round(recipe.sgd_from * recipe.n_epochs)))
    return recipe.optimizer == "adam-then-sgd" and epoch > last_of_adam


def is_changed_before(recipe: Recipe, epoch: int) -> bool:
    """Whether another optimizer begins with this epoch."""
    return is_second_phase(recipe, epoch) and not is_second_phase(recipe, epoch - 1)


def learning_rate_factor(recipe: Recipe, progress: float) -> float:
    """The share of the peak learning rate by progress in (0, 1]: a linear rise, then the schedule."""
    if progress <= recipe.warmup:
        return progress / recipe.warmup
    if recipe.schedule != "cosine":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup)))
