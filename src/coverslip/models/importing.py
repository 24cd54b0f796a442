"""Import of weights from a user's file, and download of weights from the hub, for any model."""

import math
from collections import Counter
from pathlib import Path

from torch import Tensor, nn

from coverslip.errors import WeightsUnavailable
from coverslip.messages import ImportWeights
from coverslip.models._libraries import import_timm, shapes_only
from coverslip.models.building import build_body, check_numbers, classifier_of, load_exactly, timm_network
from coverslip.models.catalogue import model_info
from coverslip.models.weights import fetch_weights, hub_source, store_imported, weights_source
from coverslip.models.weights.files import read_checkpoint
from coverslip.models.weights.translation import with_counters, with_network_names
from coverslip.models.zoo import LocalWeights, ModelRecord, Tensors, WeightsSource, registered_models

_N_CANDIDATES = 3  # networks that are built for the comparison
_MIN_SHARE = 0.9  # of the tensors whose shapes must be equal


def nearest_model(tensors: Tensors, *, excluded: str) -> str | None:
    """Return the registered network with nearly the same tensor shapes, or None.

    Names are not compared, because libraries use different names for the same network.

    Args:
        tensors: from a file.
        excluded: name of the network that the tensors do not fit.
    """
    n_numbers = sum(tensor.numel() for tensor in tensors.values())
    records = [record for record in registered_models() if record.name != excluded]
    candidates = sorted(records, key=lambda record: abs(math.log(record.parameters / max(n_numbers, 1))))[
        :_N_CANDIDATES
    ]
    shapes_in_file = Counter(tuple(tensor.shape) for tensor in tensors.values())
    shares = {record.name: _common_share(record, shapes_in_file) for record in candidates}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= _MIN_SHARE else None


def _common_share(record: ModelRecord, shapes_in_file: Counter[tuple[int, ...]]) -> float:
    """Return the share, 0 to 1, of the tensor shapes that a network and a file have in common."""
    with shapes_only():
        network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    shapes = Counter(tuple(tensor.shape) for tensor in network.state_dict().values())
    return (shapes & shapes_in_file).total() / max(shapes.total(), shapes_in_file.total())


def import_weights(file: Path, model: str, *, license: str | None = None) -> WeightsSource:
    """Store the weights of a file, so that `init: imagenet` of the model uses them.

    Args:
        file: safetensors, a PyTorch file of plain tensors, or Keras's HDF5 (`coverslip.models.weights.translation`).
        model: a registered name, or `timm/NAME`.
        license: of the weights, as the user states it.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: the file cannot be read safely, has invalid numbers, or does not fit the network exactly.
        CoverslipError: the folder for weights cannot be written to.
    """
    record = model_info(model)
    tensors = with_counters(with_network_names(read_checkpoint(file)))
    try:
        if record.timm_name is None:
            weights, network = _fitted(record, tensors, file)
        else:
            weights, network = _fitted_by_timm(record, record.timm_name, tensors, file)
    except WeightsUnavailable as error:
        raise _with_nearest(error, tensors, model) from error
    check_numbers(weights, network.state_dict())
    return store_imported(weights, license=license, normalization=record.normalization)


def fetch_model_weights(model: str) -> WeightsSource:
    """Return the source of a model's weights on this machine. If necessary, download them to the hub's cache.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: there is no connection, or no weights are published.
    """
    record = model_info(model)
    source = weights_source(model)
    if source is not None:
        return source
    if record.weights_of is not None:
        return fetch_model_weights(record.weights_of)
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
    """Return the error with the name of the network that the weights fit, if there is one."""
    nearest = nearest_model(tensors, excluded=model)
    if nearest is None:
        return error
    remedies = (ImportWeights(nearest),)
    return WeightsUnavailable("weights-of-other-model", cause=error, remedies=remedies, nearest=nearest)


def _fitted(record: ModelRecord, tensors: Tensors, file: Path) -> tuple[LocalWeights, nn.Module]:
    """Return the weights, and the network of torchvision or coverslip that they fit.

    Raises:
        WeightsUnavailable: the weights do not fit the network.
    """
    network = build_body(record, channels=3, pretrained=False, options={}, image_size=record.input_px)
    classifier = tensors.get(f"{classifier_of(network)}.weight")
    weights = LocalWeights(record.name, tensors, _n_rows(classifier), file)
    load_exactly(network, weights)
    return weights, network


def _fitted_by_timm(
    record: ModelRecord, timm_name: str, tensors: Tensors, file: Path
) -> tuple[LocalWeights, nn.Module]:
    """Return the weights with the number of classes of their classifier, and timm's network that they fit.

    Raises:
        WeightsUnavailable: the weights fit with no number of classes. The error is that of the first number.
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
    """Return possible numbers of classes of the classifier among the tensors, the likeliest first; 0: no classifier."""
    timm = import_timm()

    config = timm.get_pretrained_cfg(timm_name)
    names = config.classifier if config else None
    name = f"{names if isinstance(names, str) else names[0] if names else ''}.weight"
    if n_classes := _n_rows(tensors.get(name)):
        return [n_classes]
    # If names differ from timm's, as for torchvision's VGG, any linear layer may be the classifier. Most likely it is
    # the last one, both in the order of the network and in the order of names (as in safetensors files).
    linear = [tensors[each] for each in reversed(tensors) if _is_linear(each, tensors)]
    return list(dict.fromkeys([0, *map(len, linear)]))


def _is_linear(name: str, tensors: Tensors) -> bool:
    """Return whether a tensor is the weight of a linear layer with a bias."""
    bias = tensors.get(f"{name.removesuffix('weight')}bias")
    return name.endswith(".weight") and tensors[name].ndim == 2 and bias is not None and bias.ndim == 1


def _n_rows(weight: Tensor | None) -> int:
    """Return the number of classes by a classifier's weight; 0 if there is no weight or only a single number."""
    return len(weight) if weight is not None and weight.ndim else 0
