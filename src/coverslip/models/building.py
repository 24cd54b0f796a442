"""What all builders share: refusing options, telling that weights are missing, other numbers of input channels."""

import re
from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.errors import BadRecipe, WeightsUnavailable
from coverslip.models.records import ModelRecord, models_with_weights


def refuse_options(options: dict[str, Any], ours: frozenset[str]) -> None:  # Any: the architecture checks them
    """Raise if options would undo what coverslip decides itself.

    Raises:
        BadRecipe: some would.
    """
    if refused := sorted(ours & set(options)):
        raise BadRecipe(
            f"model_options cannot set {', '.join(refused)}", do="Only the architecture's own options go there."
        )


def options_do_not_fit(record: ModelRecord, error: Exception) -> BadRecipe:
    """The error for options with which an architecture cannot be built or run."""
    name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if name is None:
        said = (str(error) or type(error).__name__).splitlines()[0]
        return BadRecipe(f"'{record.name}' does not take these model_options ({said})", do="Change their values.")
    return BadRecipe(f"'{record.name}' has no option '{name[1]}'", do="Remove it from model_options.")


def weights_unavailable(record: ModelRecord) -> WeightsUnavailable:
    """The error for pretrained weights that are not here and cannot be fetched, or do not exist."""
    at_hand = ", ".join(models_with_weights())
    if record.weights is None:
        return WeightsUnavailable(
            f"Nobody has published ImageNet weights of '{record.name}'",
            do=f"Train from scratch with --set init=scratch, or choose a model whose weights are at hand ({at_hand}).",
        )
    return WeightsUnavailable(
        f"ImageNet weights of '{record.name}' are not on this machine and could not be fetched",
        do=f"Connect to the network once, choose a model whose weights are at hand ({at_hand}), "
        "or train from scratch with --set init=scratch.",
    )


def mark_untrained(network: nn.Module, names: Iterable[str]) -> None:
    """Mark the batch norms among tensors that pretrained weights left as they were.

    Their statistics were never learnt: where pretrained ones are kept while training, these follow the batches.
    """
    for name in names:
        module = network.get_submodule(name.rpartition(".")[0])
        if isinstance(module, _BatchNorm):
            module.is_untrained = True  # type: ignore[assignment]  # a mark of ours


def take_channels(network: nn.Module, channels: int, *, is_trained: bool) -> None:
    """Make the first convolution of a network for three channels take another number.

    Where it is trained, one channel gets the sum of the three filters, which is exactly what a grey image shown three
    times would give; more get them in turn, scaled to keep the response's size (timm's `adapt_input_conv`). Where
    not, every channel starts from random numbers of its own.
    """
    from timm.models import adapt_input_conv

    if channels == 3:
        return
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(adapt_input_conv(channels, first.weight.detach()))
    if not is_trained:
        first.reset_parameters()
