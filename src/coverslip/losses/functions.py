"""Losses per image.

Focal: Lin, Goyal, Girshick, He, Dollar 2017, Focal Loss for Dense Object Detection, eq. 4 for many classes. Label
smoothing, which the paper does not have, is that of cross-entropy: the same sum over classes, each with its share.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from coverslip.losses.table import LOSSES


class ImageLoss(nn.Module):
    """Summed over images; `weight` is that of each class, or None.

    Args:
        name: of a record in `LOSSES`.
        options: of that loss; those that are not named are at their default.
        weight: (K,) float, how much images of each class count.
        label_smoothing: share of the label's weight that is spread over all classes, in [0, 1).
    """

    weight: Tensor | None

    def __init__(
        self,
        name: str,
        options: Mapping[str, float] | None = None,
        *,
        weight: Tensor | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        record = LOSSES.find(name)
        self._sum_of = record.sum_over_images()
        self._options = {"label_smoothing": label_smoothing, **record.with_defaults(options or {})}

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Return a scalar: the sum over (B, K) logits and (B,) labels."""
        return self._sum_of(logits, label, weight=self.weight, **self._options)

    def total_weight(self, label: Tensor) -> Tensor | float:
        """Return what the sum is divided by to be the mean."""
        return float(len(label)) if self.weight is None else self.weight[label].sum()


def balanced_weight(n_of_class: Tensor) -> Tensor:
    """Return (K,) float32 that let every class count alike, from (K,) images of each."""
    share = n_of_class.sum().double() / (len(n_of_class) * n_of_class.clamp(min=1).double())
    return share.to(torch.float32)


def cross_entropy(logits: Tensor, label: Tensor, *, weight: Tensor | None, label_smoothing: float) -> Tensor:
    """Return (B,) minus the logarithm of the true class's probability, times its weight."""
    return functional.cross_entropy(logits, label, weight, label_smoothing=label_smoothing, reduction="none")


def summed_cross_entropy(logits: Tensor, label: Tensor, *, weight: Tensor | None, label_smoothing: float) -> Tensor:
    """Return the sum of `cross_entropy`, in one pass."""
    return functional.cross_entropy(logits, label, weight, label_smoothing=label_smoothing, reduction="sum")


def focal(
    logits: Tensor, label: Tensor, *, weight: Tensor | None, label_smoothing: float, gamma: float = 2.0
) -> Tensor:
    """Return (B,) cross-entropy times (1 - probability) ^ gamma, by class."""
    log_probability = logits.log_softmax(dim=1)
    # From the logarithm, exact near 1; kept off 0, where a power below 1 has no slope.
    rest = (-torch.expm1(log_probability)).clamp(min=torch.finfo(logits.dtype).eps)
    of_class = -log_probability * rest**gamma
    if weight is not None:
        of_class = of_class * weight
    true = of_class.gather(1, label[:, None])[:, 0]
    return (1 - label_smoothing) * true + label_smoothing * of_class.mean(dim=1)
