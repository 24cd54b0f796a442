"""Losses per image.

Focal: Lin, Goyal, Girshick, He, Dollar 2017, Focal Loss for Dense Object Detection, eq. 4 for many classes. Label
smoothing, which the paper does not have, is that of cross-entropy: the same sum over classes, each with its share.
"""

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, label: Tensor, *, weight: Tensor | None, label_smoothing: float) -> Tensor:
    """(B,) minus the logarithm of the true class's probability, times its weight."""
    return functional.cross_entropy(logits, label, weight, label_smoothing=label_smoothing, reduction="none")


def summed_cross_entropy(logits: Tensor, label: Tensor, *, weight: Tensor | None, label_smoothing: float) -> Tensor:
    """The sum of `cross_entropy`, in one pass."""
    return functional.cross_entropy(logits, label, weight, label_smoothing=label_smoothing, reduction="sum")


def focal(
    logits: Tensor, label: Tensor, *, weight: Tensor | None, label_smoothing: float, gamma: float = 2.0
) -> Tensor:
    """(B,) cross-entropy times (1 - probability) ^ gamma, by class."""
    log_probability = logits.log_softmax(dim=1)
    # From the logarithm, exact near 1; kept off 0, where a power below 1 has no slope.
    rest = (-torch.expm1(log_probability)).clamp(min=torch.finfo(logits.dtype).eps)
    of_class = -log_probability * rest**gamma
    if weight is not None:
        of_class = of_class * weight
    true = of_class.gather(1, label[:, None])[:, 0]
    return (1 - label_smoothing) * true + label_smoothing * of_class.mean(dim=1)
