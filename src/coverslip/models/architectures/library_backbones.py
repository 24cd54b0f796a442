"""Networks that timm or torchvision builds, and the records of timm's networks."""

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from coverslip.errors import BadRecipe, UnknownModel, WeightsUnavailable
from coverslip.files import sha256_file
from coverslip.messages import Set
from coverslip.models._libraries import import_timm, shapes_only
from coverslip.models.records import BACKBONE, ModelRecord, Normalization, options_do_not_fit, refuse_options
from coverslip.models.weights import local_weights, weights_unavailable, without_these_weights
from coverslip.models.weights.fitting import adapt_channels, classifier_of, load_exactly, timm_network
from coverslip.models.weights.hub import fetch_weights, is_reachable

# coverslip emits its own notes on weights.
logging.getLogger("timm").setLevel(logging.ERROR)
logging.getLogger("huggingface_hub").setLevel(logging.ERROR)

# Arguments that coverslip sets, or that would read files named by a classifier of unknown origin.
_RESERVED_BY_TIMM = frozenset(
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
    """Return whether timm has an architecture of this name."""
    return bool(import_timm().is_model(name))


def timm_record(name: str) -> ModelRecord:
    """Return the record of any architecture of timm.

    Raises:
        UnknownModel: timm has no architecture of this name.
    """
    timm = import_timm()

    timm_name = name.removeprefix("timm/")
    if not timm.is_model(timm_name):
        similar = timm.list_models(f"*{timm_name.split('_')[0]}*")[:3]
        raise UnknownModel("unknown-timm-model", name=timm_name, has_similar=bool(similar), similar=", ".join(similar))
    return _record(timm_name, timm.models.model_entrypoint(timm_name))


@lru_cache(maxsize=64)  # the builder is part of the key, because a name may be registered again
def _record(timm_name: str, _entrypoint: Callable[..., nn.Module]) -> ModelRecord:
    timm = import_timm()
    config = timm.get_pretrained_cfg(timm_name)
    with shapes_only():
        network = timm.create_model(timm_name)
    network_config: dict[str, Any] = network.pretrained_cfg
    stages = named_stages(network)
    has_parameters = {name for name, module in network.named_modules() if list(module.parameters())}
    return ModelRecord(
        name=f"timm/{timm_name}",
        title=timm_name,
        family="timm",
        paper="see timm's documentation",
        builder=f"timm:{timm_name}",
        input_px=config.input_size[-1] if config else 224,
        is_sized=bool(config and config.fixed_input_size),
        side_multiple=_side_multiple(network),
        normalization=Normalization(network_config["mean"], network_config["std"]),
        weights=f"timm {timm_name}.{config.tag}" if config and config.has_weights else None,
        license=config.license if config else None,
        freeze_boundaries={stage: stage for stage in stages if stage in has_parameters} | {BACKBONE: ""},
        heatmap_layer=_heatmap_layer(network, stages),
        parameters=sum(p.numel() for p in network.parameters()),
        macs=None,
        conv_linear_weights_x2=None,
    )


def named_stages(network: nn.Module) -> list[str]:
    """Return the modules that timm declares as ends of stages, without those that the network does not have."""
    modules = {name for name, _ in network.named_modules()}
    stages = [str(stage["module"]) for stage in getattr(network, "feature_info", [])]
    return [name for name in stages if name in modules]


def _side_multiple(network: nn.Module) -> int:
    """Return the divisor of valid image sides: patches would ignore the remaining pixels at the border."""
    embedding = getattr(network, "patch_embed", None)
    patches = getattr(embedding, "proj", None)
    covers_all = getattr(embedding, "dynamic_img_pad", False)
    if covers_all or not isinstance(patches, nn.Conv2d) or patches.stride != patches.kernel_size:
        return 1
    return int(patches.stride[0])


def _heatmap_layer(network: nn.Module, stages: list[str]) -> str:
    """Return the last stage, or the input of its attention if only the class token is used after the last block."""
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
    """Return timm's network with its ImageNet classifier and the first layer adapted to `channels`.

    Transformers are built for `image_size` (None: their default size). Other networks accept any size.

    Raises:
        BadRecipe: the architecture does not have an option, or cannot be built for this size.
        WeightsUnavailable: pretrained weights are not on this machine and cannot be downloaded, or do not fit.
    """
    timm = import_timm()

    refuse_options(options, _RESERVED_BY_TIMM)
    name = record.builder.removeprefix("timm:")
    size = image_size or record.input_px
    is_sized = record.is_sized and size != _default_size(name)
    all_options = options | ({"img_size": size} if is_sized else {})
    weights = local_weights(record.name) if pretrained else None
    if pretrained and weights is None and record.weights is None:
        raise weights_unavailable(record)
    try:
        if weights is not None:
            return timm_network(name, weights, channels=channels, options=all_options)
        overlay = _file_overlay(name, fetch_weights(name)) if pretrained else None
        network: nn.Module = timm.create_model(
            name, pretrained=pretrained, pretrained_cfg_overlay=overlay, in_chans=channels, **all_options
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
    except (OSError, RuntimeError) as error:  # weights of timm that are not on the hub
        if not pretrained or weights is not None:
            raise
        raise weights_unavailable(record) from error


def _file_overlay(timm_name: str, file: Path | None) -> dict[str, Any] | None:
    """Return the settings with which timm reads weights from a file instead of contacting the hub."""
    if file is None:
        return None
    config = import_timm().get_pretrained_cfg(timm_name)
    # Loaders for the files of other libraries (True) do not apply to files of the hub.
    return {"file": str(file), "custom_load": bool(config) and config.custom_load == "hf"}


def _default_size(timm_name: str) -> int | None:
    """Return the image side in pixels for which timm builds a network by default."""
    config = import_timm().get_pretrained_cfg(timm_name)
    return int(config.input_size[-1]) if config else None


_RESERVED_BY_TORCHVISION = frozenset(["weights", "progress", "num_classes"])


def build_torchvision(
    record: ModelRecord, *, channels: int, pretrained: bool, options: dict[str, Any]
) -> nn.Module:  # Any: torchvision checks them
    """Return torchvision's network with its ImageNet classifier and the first layer adapted to `channels`.

    The network has no auxiliary classifiers.

    Raises:
        BadRecipe: the architecture does not have an option.
        WeightsUnavailable: pretrained weights are not on this machine and cannot be downloaded, or do not fit.
    """
    import torchvision

    refuse_options(options, _RESERVED_BY_TORCHVISION)
    name = record.builder.removeprefix("torchvision:")
    try:
        network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    except TypeError as error:
        raise options_do_not_fit(record, error) from error
    if pretrained:
        weights = local_weights(record.name)
        if weights is not None:
            load_exactly(network, weights)
        else:
            _load_torchvision(network, _torchvision_file(record), record)
    adapt_channels(network, channels, is_trained=pretrained)
    return network


def drop_classifier(network: nn.Module) -> None:
    """Remove the last linear layer: the network then returns the input of that layer, (B, D)."""
    network.set_submodule(classifier_of(network), nn.Identity())


def _torchvision_file(record: ModelRecord) -> Path:
    """Return the file of the weights in torchvision's cache. It is downloaded if necessary."""
    import torchvision

    name = record.builder.removeprefix("torchvision:")
    url: str = torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if not file.is_file():
        if not is_reachable(url):
            raise weights_unavailable(record)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(file), hash_prefix=_hash_in(file), progress=False)
        except (OSError, RuntimeError) as error:  # no network, a full disk, an unexpected file
            raise weights_unavailable(record) from error
    return file


def _load_torchvision(network: nn.Module, file: Path, record: ModelRecord) -> None:
    if not sha256_file(file).startswith(_hash_in(file)):
        raise WeightsUnavailable("torchvision-weights-damaged", file=file, model=record.name)
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict({key: tensor for key, tensor in tensors.items() if not key.startswith("aux")}, strict=True)


def _hash_in(file: Path) -> str:
    """Return the first digits of the SHA-256 that PyTorch writes into the names of its files."""
    return file.stem.rsplit("-", 1)[-1]
