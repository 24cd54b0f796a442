"""Pretrained weights: imported by the user, in installed packages, or from the hub. No package's own code is run."""

from coverslip.models.weights.finding import is_at_hand, local_weights, weights_at_hand, weights_source
from coverslip.models.weights.imported import remove_imported
from coverslip.models.weights.packaged import packaged_weights
from coverslip.models.weights.source import LocalWeights, WeightsSource

__all__ = [
    "LocalWeights",
    "WeightsSource",
    "is_at_hand",
    "local_weights",
    "packaged_weights",
    "remove_imported",
    "weights_at_hand",
    "weights_source",
]
