"""Records of networks and their weights, without importing torch.

The networks themselves are in `coverslip.models.networks`, which imports torch.
"""

from coverslip.models.catalogue import describe_weights, list_models, model_info, select_models
from coverslip.models.weights import (
    check_weights,
    has_weights,
    models_with_weights,
    starting_weights,
    weights_unavailable,
)
from coverslip.models.zoo import IMAGENET, PAPERS, ModelRecord, Normalization, check_declared, register

__all__ = [
    "IMAGENET",
    "PAPERS",
    "ModelRecord",
    "Normalization",
    "check_declared",
    "check_weights",
    "describe_weights",
    "has_weights",
    "list_models",
    "model_info",
    "models_with_weights",
    "register",
    "select_models",
    "starting_weights",
    "weights_unavailable",
]
