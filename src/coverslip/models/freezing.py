"""Keeping the first part of a network as it is while the rest trains."""

import difflib
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.errors import BadRecipe
from coverslip.messages import ShowModels
from coverslip.models.adapting import is_untrained
from coverslip.models.kept import same_random_numbers
from coverslip.models.networks import Head, Network, create_network
from coverslip.models.records import BACKBONE


def freeze_to(network: Network, boundary: str | None) -> None:
    """Freeze every parameter up to and including a boundary; None frees all.

    Args:
        network: as `create_network` made it.
        boundary: one of the record's `freeze_boundaries` (`backbone` is everything but the head), or the name of any
            part that has parameters, such as `blocks.3.1`.

    Raises:
        BadRecipe: the network has no such part; the nearest are named.
    """
    network.requires_grad_(True)
    if boundary is None:
        return
    if boundary == BACKBONE:
        network.backbone.requires_grad_(False)
        return
    named = network.record.freeze_boundaries
    end = named.get(boundary, boundary)
    parts = [name for name, part in network.body.named_modules() if name and list(part.parameters())]
    if end not in parts:
        similar = difflib.get_close_matches(boundary, named, n=3, cutoff=0.0)
        remedies = (ShowModels(network.record.name),)
        raise BadRecipe("unknown-network-part", remedies=remedies, name=boundary, similar=", ".join(similar))
    inside = False
    for name, parameter in network.body.named_parameters():
        belongs = f"{name}.".startswith(f"{end}.")
        if inside and not belongs:
            return
        inside = inside or belongs
        parameter.requires_grad_(False)


def check_choices(
    model: str, options: dict[str, Any], head: Head, boundary: str | None, image_size: int | None
) -> None:  # Any: the architecture checks them
    """Build a network as training will, to know before any work whether it takes what was chosen.

    Args:
        model, options, head, boundary, image_size: as in a recipe.

    Raises:
        BadRecipe: it does not.
    """
    with same_random_numbers():
        network = create_network(
            model, n_classes=2, head=head, pretrained=False, options=options, image_size=image_size
        )
    freeze_to(network, boundary)


def train_mode(network: nn.Module, *, keep_statistics: bool) -> None:
    """Training mode, except that frozen batch norms keep their moving statistics, or with `keep_statistics` all do.

    A batch norm in training mode normalizes by the batch and moves its statistics even when its weights are frozen.
    Those that pretrained weights left without statistics have none to keep.
    """
    network.train()
    for module in network.modules():
        if not isinstance(module, _BatchNorm):
            continue
        keeps = keep_statistics and not is_untrained(module)
        if keeps or not any(p.requires_grad for p in module.parameters()):
            module.eval()


def follows_batches(network: nn.Module) -> bool:
    """Return whether a batch norm of the network normalizes by the batch as it is."""
    return any(isinstance(module, _BatchNorm) and module.training for module in network.modules())
