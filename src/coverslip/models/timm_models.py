"""Architectures that timm builds, as backbones that give pooled features."""

import logging
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import nn

import coverslip.models._torchvision  # noqa: F401 - before timm
from coverslip.errors import BadRecipe, UnknownModel, WeightsUnavailable
from coverslip.models.records import ModelRecord, models_with_weights
from coverslip.models.weights import load_packaged, packaged_weights

# What coverslip decides itself, or what would read files that a stranger's classifier names.
_OURS = frozenset(
    [
        "cache_dir",
        "checkpoint_path",
        "exportable",
        "features_only",
        "in_chans",
        "num_classes",
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "scriptable",
    ]
)


def timm_record(name: str) -> ModelRecord:
    """The record of any of timm's architectures.

    Raises:
        UnknownModel: timm has none of that name.
    """
    import timm

    timm_name = name.removeprefix("timm/")
    if not timm.is_model(timm_name):
        near = timm.list_models(f"*{timm_name.split('_')[0]}*")[:3]
        raise UnknownModel(
            f"timm has no model '{timm_name}'" + (f" (it has {', '.join(near)}, …)" if near else ""),
            do="See timm's list of models for the exact name.",
        )
    config = timm.get_pretrained_cfg(timm_name)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in timm.create_model(timm_name).parameters())
    return ModelRecord(
        name=name,
        family="timm",
        paper="see timm's documentation",
        timm_name=timm_name,
        input_px=config.input_size[-1] if config else 224,
        parameters=parameters,
        weights=None,
        licence=config.license if config else None,
    )


def build_timm(record: ModelRecord, *, channels: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    """timm's network with its ImageNet classifier; first layer adapted to `channels`.

    Raises:
        BadRecipe: the architecture knows no such option.
        WeightsUnavailable: pretrained weights are neither in a package nor reachable.
    """
    import timm

    if refused := sorted(_OURS & set(options)):
        raise BadRecipe(
            f"model_options cannot set {', '.join(refused)}", do="Only the architecture's own options go there."
        )
    file = packaged_weights(record.name) if pretrained else None
    try:
        if file is not None:
            network: nn.Module = timm.create_model(record.timm_name, **options)
            load_packaged(network, file)
            return network if channels == 3 else _with_channels(record, network, channels, options)
        if pretrained and not _is_reachable(record.timm_name):
            raise _unavailable(record)
        return timm.create_model(record.timm_name, pretrained=pretrained, in_chans=channels, **options)
    except TypeError as error:
        raise BadRecipe(f"'{record.name}' does not take model_options {options}: {error}", do="Remove them.") from error
    except (OSError, RuntimeError) as error:  # the hub's client: no network, no such file, a broken download
        if not pretrained:
            raise
        raise _unavailable(record) from error


def _unavailable(record: ModelRecord) -> WeightsUnavailable:
    at_hand = ", ".join(models_with_weights())
    return WeightsUnavailable(
        f"ImageNet weights of '{record.name}' are not on this machine and could not be fetched",
        do=f"Connect to the network once, choose a model whose weights are at hand ({at_hand}), "
        "or train from scratch with --set init=scratch.",
    )


def _is_reachable(timm_name: str) -> bool:
    """Whether the weights are in the hub's cache or the hub answers; its own client would retry for a minute."""
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.get_pretrained_cfg(timm_name)
    hub_id = config.hf_hub_id if config else None
    files = ("model.safetensors", "pytorch_model.bin")
    if hub_id and any(isinstance(try_to_load_from_cache(hub_id, file), str) for file in files):
        return True
    if "https" in getproxies():
        return True  # whether the proxy gets there only the client can find out
    host = urlsplit(constants.ENDPOINT).hostname or "huggingface.co"
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return False
    return True


def _with_channels(record: ModelRecord, trained: nn.Module, channels: int, options: dict[str, Any]) -> nn.Module:
    """The trained network with another number of input channels.

    One channel gets the sum of the three filters, which is exactly what a grey image shown three times would give;
    more get them in turn, scaled to keep the response's size (timm's `adapt_input_conv`).
    """
    import timm
    from timm.models import adapt_input_conv

    network: nn.Module = timm.create_model(record.timm_name, in_chans=channels, **options)
    state = trained.state_dict()
    wanted = network.state_dict()
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            state[key] = adapt_input_conv(channels, tensor)
    network.load_state_dict(state)
    return network


logging.getLogger("timm").setLevel(logging.ERROR)  # its notices on weights are ours to give
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
