"""Which network a file of weights most likely belongs to, where it does not fit the one that was meant."""

import math
from collections import Counter

from coverslip.models.building import build_body
from coverslip.models.records import ModelRecord
from coverslip.models.shapes import shapes_only
from coverslip.models.table import registered_models
from coverslip.models.weights.source import Tensors

_CANDIDATES = 3  # are built to compare them
_SHARE = 0.9  # of a network's tensors that must be there


def nearest_model(tensors: Tensors, *, besides: str) -> str | None:
    """Return the network with a name here that has nearly all of these tensors' shapes; None: there is none.

    Names are not compared, since libraries use different names for the same network.

    Args:
        tensors: from a file.
        besides: the network that was meant, which they do not fit.
    """
    n_numbers = sum(tensor.numel() for tensor in tensors.values())
    others = [record for record in registered_models() if record.name != besides]
    candidates = sorted(others, key=lambda record: abs(math.log(record.parameters / max(n_numbers, 1))))[:_CANDIDATES]
    shapes_in_file = Counter(tuple(tensor.shape) for tensor in tensors.values())
    shares = {record.name: _share(record, shapes_in_file) for record in candidates}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= _SHARE else None


def _share(record: ModelRecord, shapes_in_file: Counter[tuple[int, ...]]) -> float:
    """Return how much of a network's tensors and of the file's is common to both, at most 1."""
    with shapes_only():
        network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    shapes = Counter(tuple(tensor.shape) for tensor in network.state_dict().values())
    return (shapes & shapes_in_file).total() / max(shapes.total(), shapes_in_file.total())
