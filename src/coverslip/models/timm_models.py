"""Architectures that timm builds, as backbones that give pooled features."""

import logging
from typing import Any

import torch
from torch import nn

import coverslip.models._torchvision  # noqa: F401 - before timm
from coverslip.errors import BadRecipe, UnknownModel, WeightsUnavailable
from coverslip.models.records import ModelRecord, models_with_weights
from coverslip.models.weights import local_weights
from coverslip.models.weights.fitting import timm_network
from coverslip.models.weights.hub import fetch_weights

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
        WeightsUnavailable: pretrained weights are neither on this machine nor reachable, or do not fit.
    """
    import timm

    if refused := sorted(_OURS & set(options)):
        raise BadRecipe(
            f"model_options cannot set {', '.join(refused)}", do="Only the architecture's own options go there."
        )
    weights = local_weights(record.name) if pretrained else None
    try:
        if weights is not None:
            return timm_network(record.timm_name, weights, channels=channels, options=options)
        if pretrained:
            fetch_weights(record.timm_name)
        network: nn.Module = timm.create_model(record.timm_name, pretrained=pretrained, in_chans=channels, **options)
        return network
    except TypeError as error:
        raise BadRecipe(f"'{record.name}' does not take model_options {options}: {error}", do="Remove them.") from error
    except WeightsUnavailable as error:
        if weights is None:
            error.add_note(f"Weights at hand: {', '.join(models_with_weights())}; or train with --set init=scratch.")
        raise


logging.getLogger("timm").setLevel(logging.ERROR)  # its notices on weights are ours to give
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
