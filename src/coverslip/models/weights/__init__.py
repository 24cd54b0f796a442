"""Pretrained weights: imported by the user, in installed packages, or from the hub. No package's own code is run."""

from coverslip.models.weights.finding import (
    available_weights,
    check_weights,
    has_weights,
    local_weights,
    models_with_weights,
    starting_weights,
    weights_source,
    weights_unavailable,
    without_these_weights,
)
from coverslip.models.weights.imported import remove_imported
from coverslip.models.weights.packaged import packaged_weights
from coverslip.models.weights.source import LocalWeights, WeightsSource

__all__ = [
    "LocalWeights",
    "WeightsSource",
    "available_weights",
    "check_weights",
    "has_weights",
    "local_weights",
    "models_with_weights",
    "packaged_weights",
    "remove_imported",
    "starting_weights",
    "weights_source",
    "weights_unavailable",
    "without_these_weights",
]
