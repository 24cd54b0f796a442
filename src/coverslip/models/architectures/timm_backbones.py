"""Architectures that timm builds, as backbones that give pooled features."""

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from coverslip.errors import BadRecipe, UnknownModel, WeightsUnavailable
from coverslip.messages import Set
from coverslip.models._libraries import import_timm
from coverslip.models.records import BACKBONE, ModelRecord, Normalization, options_do_not_fit, refuse_options
from coverslip.models.shapes import shapes_only
from coverslip.models.weights import local_weights, weights_unavailable, without_these_weights
from coverslip.models.weights.fitting import timm_network
from coverslip.models.weights.hub import fetch_weights

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


def is_in_timm(name: str) -> bool:
    """Return whether timm has an architecture of that name."""
    return bool(import_timm().is_model(name))


def timm_record(name: str) -> ModelRecord:
    """Return the record of any of timm's architectures.

    Raises:
        UnknownModel: timm has none of that name.
    """
    timm = import_timm()

    timm_name = name.removeprefix("timm/")
    if not timm.is_model(timm_name):
        near = timm.list_models(f"*{timm_name.split('_')[0]}*")[:3]
        raise UnknownModel("unknown-timm-model", name=timm_name, has_similar=bool(near), similar=", ".join(near))
    return _record(timm_name, timm.models.model_entrypoint(timm_name))


@lru_cache(maxsize=64)  # by the builder too: the same name may be registered again
def _record(timm_name: str, _entrypoint: Callable[..., nn.Module]) -> ModelRecord:
    timm = import_timm()
    config = timm.get_pretrained_cfg(timm_name)
    with shapes_only():
        network = timm.create_model(timm_name)
    built: dict[str, Any] = network.pretrained_cfg
    stages = named_stages(network)
    has_parameters = {module for module, part in network.named_modules() if list(part.parameters())}
    return ModelRecord(
        name=f"timm/{timm_name}",
        title=timm_name,
        family="timm",
        paper="see timm's documentation",
        builder=f"timm:{timm_name}",
        input_px=config.input_size[-1] if config else 224,
        is_sized=bool(config and config.fixed_input_size),
        side_multiple=_side_multiple(network),
        normalization=Normalization(built["mean"], built["std"]),
        weights=f"timm {timm_name}.{config.tag}" if config and config.has_weights else None,
        license=config.license if config else None,
        freeze_boundaries={stage: stage for stage in stages if stage in has_parameters} | {BACKBONE: ""},
        heatmap_layer=_heatmap_layer(network, stages),
        parameters=sum(p.numel() for p in network.parameters()),
        macs=None,
        conv_linear_weights_x2=None,
    )


def named_stages(network: nn.Module) -> list[str]:
    """Return the modules that timm names as ends of stages; some of its networks name ones that they do not have."""
    parts = {name for name, _ in network.named_modules()}
    named = [str(stage["module"]) for stage in getattr(network, "feature_info", [])]
    return [name for name in named if name in parts]


def _side_multiple(network: nn.Module) -> int:
    """Return the number of which image sides must be multiples: patches ignore the remaining pixels at the border."""
    embedding = getattr(network, "patch_embed", None)
    patches = getattr(embedding, "proj", None)
    covers_all = getattr(embedding, "dynamic_img_pad", False)
    if covers_all or not isinstance(patches, nn.Conv2d) or patches.stride != patches.kernel_size:
        return 1
    return int(patches.stride[0])


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
        WeightsUnavailable: pretrained weights are neither on this machine nor reachable, or do not fit.
    """
    timm = import_timm()

    refuse_options(options, _OURS)
    name = record.builder.removeprefix("timm:")
    size = image_size or record.input_px
    is_sized = record.is_sized and size != _own_size(name)
    fitted = options | ({"img_size": size} if is_sized else {})
    weights = local_weights(record.name) if pretrained else None
    if pretrained and weights is None and record.weights is None:
        raise weights_unavailable(record)
    try:
        if weights is not None:
            return timm_network(name, weights, channels=channels, options=fitted)
        overlay = _from_file(name, fetch_weights(name)) if pretrained else None
        network: nn.Module = timm.create_model(
            name, pretrained=pretrained, pretrained_cfg_overlay=overlay, in_chans=channels, **fitted
        )
        return network
    except TypeError as error:
        if is_sized and "img_size" in str(error):
            remedies = (Set("image_size", record.input_px),)
            raise BadRecipe(
                "fixed-image-size", remedies=remedies, model=record.name, side_px=record.input_px
            ) from error
        raise options_do_not_fit(record, error) from error
    except WeightsUnavailable as error:
        raise (error if weights is not None else without_these_weights(error)) from error
    except (OSError, RuntimeError) as error:  # weights that timm does not keep on the hub
        if not pretrained or weights is not None:
            raise
        raise weights_unavailable(record) from error


def _from_file(timm_name: str, file: Path | None) -> dict[str, Any] | None:
    """What makes timm read weights of the hub from a file: by itself it asks the hub even if they are in the cache."""
    if file is None:
        return None
    config = import_timm().get_pretrained_cfg(timm_name)
    # Loaders for the files of other libraries (True) are not meant for those on the hub.
    return {"file": str(file), "custom_load": bool(config) and config.custom_load == "hf"}


def _own_size(timm_name: str) -> int | None:
    """Return the image side in pixels for which timm builds a network by default."""
    config = import_timm().get_pretrained_cfg(timm_name)
    return int(config.input_size[-1]) if config else None


logging.getLogger("timm").setLevel(logging.ERROR)  # its notices on weights are ours to give
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
