"""A loss of the table, ready for the batches of one training."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

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
        """A scalar: the sum over (B, K) logits and (B,) labels."""
        return self._sum_of(logits, label, weight=self.weight, **self._options)

    def total_weight(self, label: Tensor) -> Tensor | float:
        """What the sum is divided by to be the mean."""
        return float(len(label)) if self.weight is None else self.weight[label].sum()


def balanced_weight(n_of_class: Tensor) -> Tensor:
    """(K,) float32 that let every class count alike, from (K,) images of each."""
    share = n_of_class.sum().double() / (len(n_of_class) * n_of_class.clamp(min=1).double())
    return share.to(torch.float32)
