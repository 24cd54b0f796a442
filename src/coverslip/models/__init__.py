"""Networks: their records, which do not need torch, and the networks themselves on request.

Networks are in `coverslip.models.networks` and `coverslip.models.freezing`, which import torch.
"""

from coverslip.models.catalogue import describe_weights, list_models, model_info, select_models
from coverslip.models.records import IMAGENET, PAPERS, ModelRecord, Normalization, check_declared
from coverslip.models.table import register
from coverslip.models.weights import (
    check_weights,
    has_weights,
    models_with_weights,
    starting_weights,
    weights_unavailable,
)

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
