"""The architecture that a record names, with its 1000-class classifier: from a library, or of one's own."""

import importlib
import inspect
from typing import Any

import torch
from torch import nn

from coverslip.errors import BadRecipe, CoverslipError
from coverslip.models.adapting import mark_untrained, take_channels
from coverslip.models.architectures.timm_backbones import build_timm
from coverslip.models.architectures.torchvision_backbones import build_torchvision, drop_classifier
from coverslip.models.records import ModelRecord, options_do_not_fit, refuse_options
from coverslip.models.shapes import shapes_only
from coverslip.models.table import registered
from coverslip.models.weights import local_weights, weights_unavailable
from coverslip.models.weights.fitting import load_exactly

_DECIDED = frozenset(["n_classes", "channels"])  # arguments of our own constructors that are no options


def build_body(
    record: ModelRecord,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: the architecture checks them
    image_size: int,
) -> nn.Module:
    """Return the architecture with its 1000-class classifier, as its library or our own file builds it.

    Raises:
        BadRecipe: the architecture knows no such option.
        WeightsUnavailable: pretrained weights are neither here nor reachable.
    """
    refuse_options(options, record.builder_options)
    all_options = {**record.builder_options, **options}
    if record.timm_name is not None:
        return build_timm(record, channels=channels, pretrained=pretrained, options=all_options, image_size=image_size)
    if record.torchvision_name is not None:
        return build_torchvision(record, channels=channels, pretrained=pretrained, options=all_options)
    return _build_own(record, channels=channels, pretrained=pretrained, options=all_options)


def without_classifier(body: nn.Module, record: ModelRecord) -> nn.Module:
    """Return the architecture without its last layer: it then gives pooled features."""
    if record.torchvision_name is not None:
        drop_classifier(body)
    else:
        body.reset_classifier(0)  # type: ignore[operator]  # timm's untyped method, and that of our own
    return body


def check_options(record: ModelRecord, channels: int, options: dict[str, Any]) -> None:  # Any: as in `build_body`
    """Build and run the whole network at its own size, without computing numbers or drawing random ones.

    What fails here is not about the size of the images. Later it might not fail at all: `multi_layer` drops the
    classifier, and with it whatever its options spoil.

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
    except Exception as error:  # another library's code, run with values that nobody has checked
        raise options_do_not_fit(record, error) from error


def own_options(record: ModelRecord) -> dict[str, Any]:  # Any: each option's own type
    """Return the options of an architecture of our own, with their defaults; none of timm's and torchvision's."""
    if record.timm_name is not None or record.torchvision_name is not None:
        return {}
    parameters = inspect.signature(_named(record.builder)).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in _DECIDED and name not in record.builder_options
    }


def _build_own(
    record: ModelRecord,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: the class checks them
) -> nn.Module:
    """Build an architecture of coverslip, by the name of its class. Its module is imported now."""
    architecture, defaults = _named(record.builder), own_options(record)
    refuse_options(options, _DECIDED)
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
        take_channels(network, channels, is_trained=True)
        return network
    if record.weights_of is None or record.transfer is None:
        raise weights_unavailable(record)
    network = architecture(channels=channels, **options)
    _take_what_fits(network, registered(record.weights_of), record.transfer)
    return network


def _take_what_fits(network: nn.Module, origin: ModelRecord, transfer: str) -> None:
    """What fits of another network's pretrained weights; what they say nothing about is marked."""
    source = build_body(origin, channels=3, pretrained=True, options={}, image_size=origin.input_px)
    mark_untrained(network, _named(transfer)(network, source.state_dict()))


def _named(path: str) -> Any:  # Any: what a record names
    """Return the class or function of `module:name`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
