"""The weights of MobileViT-XXS in MobileViT-MN, wherever a tensor of the one fits the other."""

from collections.abc import Mapping

import torch
from torch import Tensor

from coverslip.errors import WeightsUnavailable
from coverslip.models._libraries import import_timm
from coverslip.models.architectures.mobilevit_mn.network import MobileViTMN
from coverslip.models.shapes import shapes_only


def transfer_mobilevit(network: MobileViTMN, weights: Mapping[str, Tensor]) -> list[str]:
    """Move the weights of timm's `mobilevit_xxs` into `network` wherever a tensor fits; gives what kept its start.

    Equal name and shape: copied. A dense 3x3 where the network has a separable one: the nearest separable pair
    (`nearest_separable`; an addition to the paper, which does not say how its weights got there). Other than three
    channels: the first layer is adapted by timm's `adapt_input_conv`.

    Returns:
        Names of the network's tensors that were left as they were, in its order: new attention, encoders beyond those
        of mobilevit_xxs, and the head where it has another number of classes.

    Raises:
        WeightsUnavailable: these are not the weights of a mobilevit_xxs; the network is unchanged.
    """
    adapt_input_conv = import_timm().models.adapt_input_conv

    _check_source(weights)
    filled: dict[str, Tensor] = {}
    state = network.state_dict()
    for name, wanted in state.items():
        if name.endswith(".depthwise.weight"):
            dense = name.replace(".depthwise.", ".")
            filled[name], filled[name.replace(".depthwise.", ".pointwise.")] = nearest_separable(weights[dense])
        elif name == "stem.conv.weight":
            filled[name] = adapt_input_conv(wanted.shape[1], weights[name])
        elif name in weights and weights[name].shape == wanted.shape:
            filled[name] = weights[name]
    network.load_state_dict(filled, strict=False)
    return [name for name in state if name not in filled]


def nearest_separable(dense: Tensor) -> tuple[Tensor, Tensor]:
    """The depthwise and pointwise kernels whose product is nearest to a dense one in the sum of squares.

    An input channel's (O, k * k) slice of the kernel becomes an outer product; the first singular triple is the best
    there is (Eckart & Young 1936). The singular value is shared evenly by both.

    Args:
        dense: (O, I, k, k) float.

    Returns:
        depthwise (I, 1, k, k) and pointwise (O, I, 1, 1), of the same type.
    """
    n_out, n_in, *kernel = dense.shape
    slices = dense.double().transpose(0, 1).reshape(n_in, n_out, -1)
    left, value, right = torch.linalg.svd(slices, full_matrices=False)
    root = value[:, :1].sqrt()  # (I, 1)
    depthwise = (root * right[:, 0]).reshape(n_in, 1, *kernel)
    pointwise = (root * left[:, :, 0]).T.reshape(n_out, n_in, 1, 1)
    return depthwise.to(dense.dtype), pointwise.to(dense.dtype)


def _check_source(weights: Mapping[str, Tensor]) -> None:
    """That every tensor of a MobileViT-XXS is there, but for its head."""
    with shapes_only():
        source = MobileViTMN(dsc=False, mv2_attention="none", mobilevit_attention="none")
    faults = [
        name
        for name, wanted in source.state_dict().items()
        if not name.startswith("head.") and (name not in weights or weights[name].shape != wanted.shape)
    ]
    if faults:
        raise WeightsUnavailable(
            f"These are not the weights of a mobilevit_xxs: {len(faults)} tensors are missing or have another shape, "
            f"such as {faults[0]}",
            do="Give it the weights of timm's mobilevit_xxs.",
        )
