"""Building the architecture of a record with its 1000-class classifier, and reuse of the last backbones.

Folds start with equal networks, and every classifier that is read back needs the network of its training. Building
takes longer than all other work of reading a small classifier, because libraries draw random numbers for each layer.
"""

import copy
import importlib
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.errors import BadRecipe, CoverslipError
from coverslip.models._libraries import shapes_only
from coverslip.models.architectures.library_backbones import build_timm, build_torchvision, drop_classifier
from coverslip.models.records import ModelRecord, options_do_not_fit, refuse_options
from coverslip.models.weights import local_weights, weights_unavailable
from coverslip.models.weights.fitting import adapt_channels, load_exactly
from coverslip.models.zoo import registered

_RESERVED = frozenset(["n_classes", "channels"])  # arguments of coverslip's architectures that are no options
_CACHE_SIZE = 2  # a training alternates between the pretrained network and the network that it reads back
_MAX_CACHED_PARAMETERS = 50_000_000  # larger networks take more memory than the saved time is worth
_LIBRARIES = ("timm:", "torchvision:", "coverslip.")

_cache: "OrderedDict[object, tuple[nn.Module, int, Tensor]]" = OrderedDict()  # last used last
_cache_lock = threading.Lock()


def build_body(
    record: ModelRecord,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: the architecture checks them
    image_size: int,
) -> nn.Module:
    """Return the architecture with its 1000-class classifier, as its library or its class builds it.

    Raises:
        BadRecipe: the architecture does not have an option.
        WeightsUnavailable: pretrained weights are not on this machine and cannot be downloaded.
    """
    refuse_options(options, record.builder_options)
    all_options = {**record.builder_options, **options}
    if record.timm_name is not None:
        return build_timm(record, channels=channels, pretrained=pretrained, options=all_options, image_size=image_size)
    if record.torchvision_name is not None:
        return build_torchvision(record, channels=channels, pretrained=pretrained, options=all_options)
    return _build_class(record, channels=channels, pretrained=pretrained, options=all_options)


def without_classifier(body: nn.Module, record: ModelRecord) -> nn.Module:
    """Return the architecture without its last layer: its output are pooled features."""
    if record.torchvision_name is not None:
        drop_classifier(body)
    else:
        body.reset_classifier(0)  # type: ignore[operator]  # timm's untyped method, and that of coverslip's architectures
    return body


def check_options(record: ModelRecord, channels: int, options: dict[str, Any]) -> None:  # Any: as in `build_body`
    """Build and run the whole network at its default image size, without computing or drawing numbers.

    Failures here do not depend on the size of the images. Later they could pass unnoticed: `multi_layer` drops the
    classifier, and with it all faults that options cause there.

    Raises:
        BadRecipe: the architecture does not take these options.
    """
    size = record.input_px
    try:
        with shapes_only(), torch.no_grad():
            body = build_body(record, channels=channels, pretrained=False, options=options, image_size=size)
            body.eval()(torch.zeros(1, channels, size, size))
    except CoverslipError:
        raise
    except Exception as error:  # code of another library, run with unchecked values
        raise options_do_not_fit(record, error) from error


def default_options(record: ModelRecord) -> dict[str, Any]:  # Any: each option's own type
    """Return the options of an architecture of coverslip with their defaults; none for timm and torchvision."""
    if record.timm_name is not None or record.torchvision_name is not None:
        return {}
    parameters = inspect.signature(_load_object(record.builder)).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in _RESERVED and name not in record.builder_options
    }


def _build_class(
    record: ModelRecord,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: the class checks them
) -> nn.Module:
    """Import and build an architecture by the name of its class."""
    architecture, defaults = _load_object(record.builder), default_options(record)
    refuse_options(options, _RESERVED)
    if unknown := sorted(set(options) - set(defaults) - set(record.builder_options)):
        raise BadRecipe(
            "unknown-model-option",
            model=record.name,
            option=", ".join(unknown),
            has_options=bool(defaults),
            options=", ".join(sorted(defaults)),
        )
    if not pretrained:
        network: nn.Module = architecture(channels=channels, **options)
        return network
    weights = local_weights(record.name)
    if weights is not None and getattr(architecture, "takes_any_channels", False):
        network = architecture(channels=channels, **options)
        load_exactly(network, weights)
        return network
    if weights is not None:
        network = architecture(**options)
        load_exactly(network, weights)
        adapt_channels(network, channels, is_trained=True)
        return network
    if record.weights_of is None or record.transfer is None:
        raise weights_unavailable(record)
    network = architecture(channels=channels, **options)
    _transfer_weights(network, registered(record.weights_of), record.transfer)
    return network


def _transfer_weights(network: nn.Module, origin: ModelRecord, transfer: str) -> None:
    """Copy the pretrained weights of another network where they fit, and mark batch norms without such weights."""
    source = build_body(origin, channels=3, pretrained=True, options={}, image_size=origin.input_px)
    mark_untrained(network, _load_object(transfer)(network, source.state_dict()))


def _load_object(path: str) -> Any:  # Any: the object that a record names
    """Return the class or function of `module:name`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def is_library_builder(builder: str) -> bool:
    """Return whether a builder always builds the same network: a class of the user may change under the same name."""
    return builder.startswith(_LIBRARIES)


def built_once(
    key: tuple[object, ...], builder: str, build: Callable[[], tuple[nn.Module, int]]
) -> tuple[nn.Module, int]:
    """Return the result of `build`, or a copy of its earlier result for the same key and the same random state.

    In both cases PyTorch's random state is the state after building, so that later draws do not depend on the networks
    that were built before.

    Args:
        key: everything that the backbone depends on, hashable and compared by `==`.
        builder: of the model's record.
        build: returns a backbone and the number of its features.
    """
    if not is_library_builder(builder) or torch.get_default_device().type != "cpu":
        return build()
    key = (*key, torch.get_rng_state().numpy().tobytes())
    with _cache_lock:
        if key in _cache:
            _cache.move_to_end(key)
            backbone, n_features, state = _cache[key]
            torch.set_rng_state(state)
            return copy.deepcopy(backbone), n_features
    backbone, n_features = build()
    if sum(parameter.numel() for parameter in backbone.parameters()) <= _MAX_CACHED_PARAMETERS:
        with _cache_lock:
            _cache[key] = (copy.deepcopy(backbone), n_features, torch.get_rng_state())
            while len(_cache) > _CACHE_SIZE:
                _cache.popitem(last=False)
    return backbone, n_features


@contextmanager
def same_random_numbers() -> Iterator[None]:
    """Draw the same initial weights each time, without changing the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


def mark_untrained(network: nn.Module, names: Iterable[str]) -> None:
    """Mark the batch norms among the named tensors, which have no pretrained statistics.

    If training keeps pretrained statistics, these norms follow the batches nevertheless.
    """
    for name in names:
        module = network.get_submodule(name.rpartition(".")[0])
        if isinstance(module, _BatchNorm):
            module.is_untrained = True  # type: ignore[assignment]  # an attribute of coverslip


def is_untrained(norm: _BatchNorm) -> bool:
    """Return whether `mark_untrained` marked a batch norm."""
    return getattr(norm, "is_untrained", False)
