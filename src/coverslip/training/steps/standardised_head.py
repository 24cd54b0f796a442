"""A linear head that sees standardised features while it is fine-tuned, and is an ordinary one before and after.

Thousands of features have large means and very different spreads. An optimiser that gives every weight a step of about
the same length (Adam) then moves all logits together, and what the head knew is lost in the first epoch. On features of
mean 0 and standard deviation 1 a step changes every logit by about as much.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from coverslip.models.networks import Network

_SD_FLOOR = 1e-3  # of the median feature's: dead features must not get huge weights


class StandardisedHead(nn.Module):
    """(B, D) features -> (B, K) logits, the same as those of the linear layer that it is made of.

    Args:
        linear: of raw features.
        mean: (D,) of the features.
        sd: (D,) their standard deviations, above 0.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, linear: nn.Linear, mean: Tensor, sd: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("sd", sd)
        self.linear = nn.Linear(linear.in_features, linear.out_features, device=mean.device)
        with torch.no_grad():
            self.linear.weight.copy_(linear.weight * sd)
            self.linear.bias.copy_(linear.bias + linear.weight @ mean)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear((features - self.mean) / self.sd)
        return logits

    def fold_into(self, linear: nn.Linear) -> None:
        """Give a linear layer of raw features what was learnt."""
        with torch.no_grad():
            weight = self.linear.weight / self.sd
            linear.weight.copy_(weight)
            linear.bias.copy_(self.linear.bias - weight @ self.mean)


@contextmanager
def standardised_head(network: Network, batches: Iterable[Tensor]) -> Iterator[None]:
    """Let the head of a network see standardised features, by mean and standard deviation of those of some images.

    Args:
        network: whose head is another one meanwhile.
        batches: (B, C, H, W) in [0, 1], images that are trained on.
    """
    linear = network.head
    network.eval()
    with torch.inference_mode():
        features = torch.cat([network.features(x) for x in batches]).float()
    mean, sd = features.mean(dim=0), features.std(dim=0, unbiased=False)
    head = StandardisedHead(linear, mean, sd.clamp(min=max(_SD_FLOOR * float(sd.median()), 1e-12)))
    network.head = head  # type: ignore[assignment]  # for the time of training
    try:
        yield
    finally:
        head.fold_into(linear)
        network.head = linear
