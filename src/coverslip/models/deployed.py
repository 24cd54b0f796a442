"""The network of a packaged classifier, from resized pixels to probabilities, for other programs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from coverslip.models.networks import FeatureNetwork, Network


@dataclass(frozen=True, slots=True)
class OodTensors:
    """The reference of out-of-distribution (OOD) scores, as of `coverslip.evaluation.ood.FeatureStatistics`."""

    projection: Tensor  # (d, D)
    offset: Tensor  # (d,)
    centers: Tensor  # (K, d)
    background: Tensor  # (d, d)
    share_of_all: float  # of the distance to all images that is subtracted
    usual: float  # distance with score 0
    limit: float  # distance with score 1
    largest_score: float


class DeployedNetwork(nn.Module):
    """Scaling, normalization, test-time augmentation, backbone, head, temperature and OOD score in one module.

    (B, S, S, C) integer pixels -> (B, K) probabilities, (B, K) logits, (B, D) features and, with a reference, (B,) OOD
    scores: the outputs of `OUTPUTS` in this order.

    Args:
        network: its tensors are shared, not copied.
        tta, depth: as of `FeatureNetwork`, which engines run too, a copy at a time.
        temperature: logits are divided by it before the softmax.
        ood: the reference of OOD scores; None: no scores.
    """

    def __init__(
        self,
        network: Network,
        *,
        tta: int,
        depth: str,
        temperature: float,
        ood: OodTensors | None,
    ) -> None:
        super().__init__()
        self.pixel_features = FeatureNetwork(network, depth, tta)
        self.head = network.head
        self.temperature = temperature
        self.ood = None if ood is None else _OodScore(ood)
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        features = self.pixel_features(pixels)
        logits = self.head(features)
        outputs = (torch.softmax(logits / self.temperature, dim=1), logits, features)
        return outputs if self.ood is None else (*outputs, self.ood(features))


OUTPUTS = ("probabilities", "logits", "features", "ood_score")


class _OodScore(nn.Module):
    def __init__(self, reference: OodTensors) -> None:
        super().__init__()
        for name in ("projection", "offset", "centers", "background"):
            self.register_buffer(name, getattr(reference, name))
        self._reference = reference

    def forward(self, features: Tensor) -> Tensor:
        reference = self._reference
        place = features @ reference.projection.T + reference.offset
        to_class = (place[:, None] - reference.centers[None]).square().sum(dim=2).amin(dim=1)
        to_all = (place @ reference.background).square().sum(dim=1)
        distance = to_class - reference.share_of_all * to_all
        score = (distance - reference.usual) / (reference.limit - reference.usual)
        return score.clamp(-reference.largest_score, reference.largest_score)
