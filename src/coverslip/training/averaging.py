"""The average of the weights before and after fine-tuning.

Where both are the same network with the same head, and not far from each other, so is everything between them, and the
middle is often better than either end: Wortsman et al. 2022, Robust fine-tuning of zero-shot models. It costs nothing
when predicting. The share is fixed: validation images that were few chose worse than none (benchmarks/RESULTS.md).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from coverslip.runs import Recipe

Weights = Mapping[str, Tensor]


def average_with_start(network: nn.Module, start: Weights, recipe: Recipe) -> float:
    """Leave in the network the average of its weights and those before the first step, where there is one.

    Args:
        network: fine-tuned, on the processor.
        start: its weights before the first step.
        recipe: says by which share.

    Returns:
        The share of the fine-tuned weights; 1 where training did not begin with the instant classifier, or batch norms
        have other statistics since: then there is no one network between the two.
    """
    if not recipe.begins_with_instant_classifier or recipe.batch_norm == "learn":
        return 1.0
    share, end = recipe.weight_share, network.state_dict()
    network.load_state_dict(
        {
            name: torch.lerp(start[name], tensor, share) if tensor.is_floating_point() else tensor
            for name, tensor in end.items()
        }
    )
    return share
