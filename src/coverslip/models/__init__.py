"""The zoo: records without torch, and networks when asked for.

Networks are in `coverslip.models.networks` and `coverslip.models.freezing`, which import torch.
"""

from coverslip.models.records import ModelRecord, has_weights, list_models, model_info, models_with_weights

__all__ = ["ModelRecord", "has_weights", "list_models", "model_info", "models_with_weights"]
