"""Architectures that timm builds, as backbones that give pooled features."""

import logging
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import nn

import coverslip.models._torchvision  # noqa: F401 - before timm
from coverslip.errors import BadRecipe, UnknownModel
from coverslip.models.building import is_reachable, refuse_options, weights_unavailable
from coverslip.models.records import BACKBONE, ModelRecord
from coverslip.models.weights import load_packaged, packaged_weights

# What coverslip decides itself, or what would read files that a stranger's classifier names.
_OURS = frozenset(
    [
        "cache_dir",
        "checkpoint_path",
        "exportable",
        "features_only",
        "img_size",
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
        network = timm.create_model(timm_name)
    stages = [str(stage["module"]) for stage in getattr(network, "feature_info", [])]
    has_parameters = {module for module, part in network.named_modules() if list(part.parameters())}
    return ModelRecord(
        name=name,
        family="timm",
        paper="see timm's documentation",
        builder=f"timm:{timm_name}",
        input_px=config.input_size[-1] if config else 224,
        is_sized=bool(config and config.fixed_input_size),
        weights=f"timm {timm_name}.{config.tag}" if config and config.has_weights else None,
        licence=config.license if config else None,
        freeze_boundaries={stage: stage for stage in stages if stage in has_parameters} | {BACKBONE: ""},
        heatmap_layer=_heatmap_layer(network, stages),
        parameters=sum(p.numel() for p in network.parameters()),
        macs=None,
        conv_linear_weights_x2=None,
    )


def _heatmap_layer(network: nn.Module, stages: list[str]) -> str:
    """The last stage; where only the class token is read, what its last attention reads: later no patch counts."""
    last = stages[-1] if stages else ""
    before_attention = f"{last}.norm1"
    is_token = getattr(network, "global_pool", None) == "token"
    return before_attention if is_token and before_attention in dict(network.named_modules()) else last


def build_timm(
    record: ModelRecord,
    *,
    channels: int,
    pretrained: bool,
    options: dict[str, Any],  # Any: timm checks them
    image_size: int | None = None,
) -> nn.Module:
    """timm's network with its ImageNet classifier; first layer adapted to `channels`.

    Transformers are built for `image_size` (None: their own); others take any size.

    Raises:
        BadRecipe: the architecture knows no such option, or cannot be built for that size.
        WeightsUnavailable: pretrained weights are neither in a package nor reachable.
    """
    import timm

    refuse_options(options, _OURS)
    name = _timm_name(record)
    is_sized = record.is_sized and image_size not in (None, record.input_px)
    fitted = {"in_chans": channels} | ({"img_size": image_size} if is_sized else {})
    file = packaged_weights(record.name) if pretrained else None
    try:
        if file is not None:
            network: nn.Module = timm.create_model(name, **options)
            load_packaged(network, file)
            if channels == 3 and not is_sized:
                return network
            # timm adapts first layer and positions as it loads.
            loaded = {"state_dict": network.state_dict()}
            return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=loaded, **fitted, **options)
        if pretrained and not _can_be_had(name):
            raise weights_unavailable(record)
        return timm.create_model(name, pretrained=pretrained, **fitted, **options)
    except TypeError as error:
        if is_sized and "img_size" in str(error):
            raise BadRecipe(
                f"'{record.name}' can only take images of {record.input_px} x {record.input_px} pixels",
                do=f"Use --set image_size={record.input_px}.",
            ) from error
        raise BadRecipe(f"'{record.name}' does not take model_options {options}: {error}", do="Remove them.") from error
    except (OSError, RuntimeError) as error:  # the hub's client: no network, no such file, a broken download
        if not pretrained or file is not None:
            raise
        raise weights_unavailable(record) from error


def _timm_name(record: ModelRecord) -> str:
    return record.builder.removeprefix("timm:")


def _can_be_had(timm_name: str) -> bool:
    """Whether the weights are in the hub's cache or the hub answers."""
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.get_pretrained_cfg(timm_name)
    hub_id = config.hf_hub_id if config else None
    files = ("model.safetensors", "pytorch_model.bin")
    if hub_id and any(isinstance(try_to_load_from_cache(hub_id, file), str) for file in files):
        return True
    return is_reachable(urlsplit(constants.ENDPOINT).hostname or "huggingface.co")


logging.getLogger("timm").setLevel(logging.ERROR)  # its notices on weights are ours to give
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
