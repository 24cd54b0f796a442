"""The zoo: records without torch, and networks when asked for.

Networks are in `coverslip.models.networks` and `coverslip.models.freezing`, which import torch.
"""

import coverslip.models.zoo  # noqa: F401 - fills the registry
from coverslip.models.records import (
    PAPERS,
    ModelRecord,
    describe_weights,
    has_weights,
    list_models,
    model_info,
    models_with_weights,
    select_models,
    starting_weights,
)

__all__ = [
    "PAPERS",
    "ModelRecord",
    "describe_weights",
    "has_weights",
    "list_models",
    "model_info",
    "models_with_weights",
    "select_models",
    "starting_weights",
]
