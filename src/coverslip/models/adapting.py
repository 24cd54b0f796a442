"""Changing a network after it is built: another number of input channels, marks on what is still untrained."""

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.models._libraries import import_timm


def take_channels(network: nn.Module, channels: int, *, is_trained: bool) -> None:
    """Make the first convolution of a network for three channels take another number.

    Where it is trained, one channel gets the sum of the three filters, which is exactly what a gray image shown three
    times would give; more get them in turn, scaled to keep the response's size (timm's `adapt_input_conv`). Where
    not, every channel starts from random numbers of its own.
    """
    adapt_input_conv = import_timm().models.adapt_input_conv

    if channels == 3:
        return
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(adapt_input_conv(channels, first.weight.detach()))
    if not is_trained:
        first.reset_parameters()


def mark_untrained(network: nn.Module, names: Iterable[str]) -> None:
    """Mark the batch norms among tensors that pretrained weights left as they were.

    Their statistics were never learnt: where pretrained ones are kept while training, these follow the batches.
    """
    for name in names:
        module = network.get_submodule(name.rpartition(".")[0])
        if isinstance(module, _BatchNorm):
            module.is_untrained = True  # type: ignore[assignment]  # a mark of ours


def is_untrained(norm: _BatchNorm) -> bool:
    """Return whether `mark_untrained` marked a batch norm."""
    return getattr(norm, "is_untrained", False)
