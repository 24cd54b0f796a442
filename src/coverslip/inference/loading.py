"""A packaged classifier's card and weights become a network again."""

import torch
from torch import nn

from coverslip.errors import BadClassifier, BadRecipe, UnknownModel
from coverslip.models.networks import Network, create_network
from coverslip.runs import PackedClassifier

_NAMES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}


def load_network(packed: PackedClassifier) -> Network:
    """The network with its weights, in evaluation mode.

    The weights are read once they are known to be what the architecture needs: no more memory is taken than that.

    Raises:
        BadClassifier: the architecture is unknown here, or the weights do not fit it.
    """
    card = packed.card
    _check_ends(packed)
    try:
        network = create_network(
            card.model,
            n_classes=len(card.classes),
            head=card.head,
            channels=card.preparation.channels,
            pretrained=False,
            options=card.model_options,
        )
    except (UnknownModel, BadRecipe) as error:
        raise BadClassifier(
            f"Its network cannot be built here: {error.what}", file=packed.place, do="Update coverslip."
        ) from error
    if _described(network) != {name: (each.dtype, each.shape) for name, each in packed.tensors.items()}:
        raise _do_not_fit(packed)
    weights = {name: torch.from_numpy(array.copy()) for name, array in packed.read_weights().items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise _do_not_fit(packed) from error
    return network.eval()


def _check_ends(packed: PackedClassifier) -> None:
    """Before a network is built: many classes or channels in the card would make it huge."""
    ends = {name: packed.tensors[name].shape for name in ("mean", "head.bias") if name in packed.tensors}
    if ends != {"mean": (1, packed.card.preparation.channels, 1, 1), "head.bias": (len(packed.card.classes),)}:
        raise _do_not_fit(packed)


def _described(network: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (_NAMES[tensor.dtype], tuple(tensor.shape)) for name, tensor in network.state_dict().items()}


def _do_not_fit(packed: PackedClassifier) -> BadClassifier:
    card = packed.card
    what = f"The weights do not fit '{card.model}' with {len(card.classes)} classes"
    return BadClassifier(what, file=packed.place, do="Copy the classifier again.")
