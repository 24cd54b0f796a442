"""What a network costs: parameters, multiply-accumulates, and the weights that some papers print as "FLOPs"."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from coverslip.models.catalogue import model_info
from coverslip.models.networks import create_network
from coverslip.models.shapes import shapes_only

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Counts of one network."""

    parameters: int
    macs: int  # of one image: convolutions, linear layers and products of attention
    conv_linear_weights_x2: int  # without biases and normalisation; depends on no image size


def cost_of(network: nn.Module, image: Tensor) -> Cost:
    """Count a network's cost for an input of (1, C, H, W), both on the meta device, where nothing is computed.

    PyTorch's counter sees every convolution and matrix product, also those of attention that no layer owns; it
    counts a multiply-accumulate as two operations. It follows gradients, so these stay on.
    """
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(image)
    return Cost(
        parameters=sum(p.numel() for p in network.parameters()),
        macs=counter.get_total_flops() // 2,
        conv_linear_weights_x2=2 * sum(m.weight.numel() for m in network.modules() if isinstance(m, _WEIGHTED)),
    )


def cost_of_model(
    model: str, *, n_classes: int = 1000, channels: int = 3, options: dict[str, Any] | None = None
) -> Cost:
    """Cost of a model with its native head at its own image size; its weights take no memory.

    Raises:
        UnknownModel: there is none of that name.
        BadRecipe: the model does not take these options.
    """
    side = model_info(model).input_px
    with shapes_only():
        network = create_network(
            model, n_classes=n_classes, head="native", channels=channels, pretrained=False, options=options
        )
        return cost_of(network, torch.zeros(1, channels, side, side))
