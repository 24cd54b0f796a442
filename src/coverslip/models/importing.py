"""Weights for any model of the zoo: from a user's file, compared with the network and kept; or fetched from the hub."""

import math
from collections import Counter
from pathlib import Path

from torch import Tensor, nn

from coverslip.errors import WeightsUnavailable
from coverslip.messages import ImportWeights
from coverslip.models._libraries import import_timm
from coverslip.models.building import build_body
from coverslip.models.catalogue import model_info
from coverslip.models.records import ModelRecord
from coverslip.models.shapes import shapes_only
from coverslip.models.table import registered_models
from coverslip.models.weights import weights_source
from coverslip.models.weights.fitting import (
    check_numbers,
    classifier_of,
    load_exactly,
    timm_network,
)
from coverslip.models.weights.foreign import read_checkpoint
from coverslip.models.weights.hub import fetch_weights, hub_source
from coverslip.models.weights.imported import store_imported
from coverslip.models.weights.names import with_network_names
from coverslip.models.weights.source import LocalWeights, Tensors, WeightsSource

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


def import_weights(file: Path, model: str, *, license: str | None = None) -> WeightsSource:
    """Keep a file's weights, so that `init: imagenet` of that model takes them.

    Args:
        file: safetensors, a PyTorch file of plain tensors, or Keras's HDF5 (`coverslip.models.weights.keras`).
        model: a registered name, or `timm/NAME`.
        license: of the weights, in the user's words.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: the file cannot be read safely, holds numbers that no network can start from, or does not
            fit the network exactly.
        CoverslipError: the folder for weights cannot be written to.
    """
    record = model_info(model)
    tensors = with_network_names(read_checkpoint(file))
    try:
        if record.timm_name is None:
            weights, network = _fitted(record, tensors, file)
        else:
            weights, network = _fitted_by_timm(record, record.timm_name, tensors, file)
    except WeightsUnavailable as error:
        raise _with_nearest(error, tensors, model) from error
    check_numbers(weights, network.state_dict())
    return store_imported(weights, license=license, normalization=record.normalization)


def fetch_for(model: str) -> WeightsSource:
    """Return a model's weights: those available, or from the hub into the hub's cache.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: there is no network, or none are known.
    """
    record = model_info(model)
    source = weights_source(model)
    if source is not None:
        return source
    if record.weights_of is not None:
        return fetch_for(record.weights_of)
    if record.timm_name is not None and record.weights is not None:
        fetch_weights(record.timm_name)
    source = hub_source(model)
    if source is None:
        raise WeightsUnavailable(
            "no-weights-on-hub",
            remedies=(ImportWeights(model),),
            model=model,
            origin="file" if record.weights_file else "torchvision" if record.weights else "none",
            weights_file=record.weights_file or "",
        )
    return source


def _with_nearest(error: WeightsUnavailable, tensors: Tensors, model: str) -> WeightsUnavailable:
    """Return the same error, which also names the network that the weights fit, where there is one."""
    nearest = nearest_model(tensors, besides=model)
    if nearest is None:
        return error
    remedies = (ImportWeights(nearest),)
    return WeightsUnavailable("weights-of-other-model", cause=error, remedies=remedies, nearest=nearest)


def _fitted(record: ModelRecord, tensors: Tensors, file: Path) -> tuple[LocalWeights, nn.Module]:
    """Return the weights, and the network of torchvision's or our own that they fit.

    Raises:
        WeightsUnavailable: they do not fit.
    """
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    classifier = tensors.get(f"{classifier_of(network)}.weight")
    weights = LocalWeights(record.name, tensors, _n_rows(classifier), file)
    load_exactly(network, weights)
    return weights, network


def _fitted_by_timm(
    record: ModelRecord, timm_name: str, tensors: Tensors, file: Path
) -> tuple[LocalWeights, nn.Module]:
    """Return the weights with the number of classes that their classifier has, and timm's network that they fit.

    Raises:
        WeightsUnavailable: they do not fit with any number of classes; the error describes the first one tried.
    """
    first: WeightsUnavailable | None = None
    for number in _numbers_of_classes(timm_name, tensors):
        weights = LocalWeights(record.name, tensors, number, file)
        try:
            return weights, timm_network(timm_name, weights, options={})
        except WeightsUnavailable as error:
            first = first or error
    assert first is not None  # at least one number was tried
    raise first


def _numbers_of_classes(timm_name: str, tensors: Tensors) -> list[int]:
    """Return how many classes the classifier among the tensors may have, the likeliest first; 0: there is none."""
    timm = import_timm()

    config = timm.get_pretrained_cfg(timm_name)
    names = config.classifier if config else None
    name = f"{names if isinstance(names, str) else names[0] if names else ''}.weight"
    if n_classes := _n_rows(tensors.get(name)):
        return [n_classes]
    # Under other names than timm's, as torchvision's VGG has them, any linear layer may be the classifier: most likely
    # the last one, in the network's order and (as safetensors files keep them) in that of names.
    linear = [tensors[each] for each in reversed(tensors) if _is_linear(each, tensors)]
    return list(dict.fromkeys([0, *map(len, linear)]))


def _is_linear(name: str, tensors: Tensors) -> bool:
    """Return whether a tensor is the weight of a linear layer with a bias."""
    bias = tensors.get(f"{name.removesuffix('weight')}bias")
    return name.endswith(".weight") and tensors[name].ndim == 2 and bias is not None and bias.ndim == 1


def _n_rows(weight: Tensor | None) -> int:
    """Return classes that a classifier's weight tells; 0 where there is none, or one number in its place."""
    return len(weight) if weight is not None and weight.ndim else 0
