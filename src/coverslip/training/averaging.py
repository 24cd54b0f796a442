"""The average of the weights before and after fine-tuning.

Where both are the same network with the same head, and not far from each other, so is everything between them, and the
middle is often better than either end: Wortsman et al. 2022, Robust fine-tuning of zero-shot models. It costs a look at
the validation images for each share, and nothing when predicting.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from coverslip.evaluation import apply_temperature, fit_temperature, score
from coverslip.runs import Recipe
from coverslip.training.batches import TrainingImages, plain_logits

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the fine-tuned weights; none of them is the instant classifier itself

Weights = Mapping[str, Tensor]


def average_by_validation(
    network: nn.Module, start: Weights, images: TrainingImages, recipe: Recipe, device: str
) -> float:
    """Leave in the network the average with the lowest calibrated log loss on validation images.

    The loss chooses, whatever the primary metric: it tells such small differences with less noise.

    Args:
        network: fine-tuned, on the processor, where it stays.
        start: its weights before the first step.
        images: to validate on; there are some.
        recipe: how many at once.
        device: where to run it.

    Returns:
        The share of the fine-tuned weights.
    """
    end = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    losses = {}
    for share in SHARES:
        network.load_state_dict(averaged(start, end, share))
        logits = plain_logits(network.to(device), images, recipe.batch_size, device).double().numpy()
        network.to("cpu")
        probability = apply_temperature(logits, fit_temperature(logits, images.val_label))
        losses[share] = score(probability, images.val_label)["log_loss"]
    best = min(losses, key=lambda share: (losses[share], -share))
    network.load_state_dict(averaged(start, end, best))
    return best


def averaged(start: Weights, end: Weights, share: float) -> Weights:
    """Every tensor of floats so far on the way from `start` to `end`; 1 is `end`."""
    if share == 1:
        return end
    return {
        name: torch.lerp(start[name], tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in end.items()
    }
