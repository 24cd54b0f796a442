"""Architectures that torchvision builds and timm does not."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

import coverslip.models._libraries  # noqa: F401 - before torchvision
from coverslip.errors import WeightsUnavailable
from coverslip.files import sha256_file
from coverslip.models.adapting import take_channels
from coverslip.models.records import ModelRecord, options_do_not_fit, refuse_options
from coverslip.models.weights import local_weights, weights_unavailable
from coverslip.models.weights.fitting import classifier_of, load_exactly
from coverslip.models.weights.hub import is_reachable

_OURS = frozenset(["weights", "progress", "num_classes"])  # what coverslip decides itself


def build_torchvision(
    record: ModelRecord, *, channels: int, pretrained: bool, options: dict[str, Any]
) -> nn.Module:  # Any: torchvision checks them
    """torchvision's network with its ImageNet classifier, without auxiliary ones; first layer adapted to `channels`.

    Raises:
        BadRecipe: the architecture knows no such option.
        WeightsUnavailable: pretrained weights are neither on this machine nor reachable, or do not fit.
    """
    import torchvision

    refuse_options(options, _OURS)
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
            _load(network, _cached(record), record)
    take_channels(network, channels, is_trained=pretrained)
    return network


def drop_classifier(network: nn.Module) -> None:
    """Take out the last linear layer: the network then gives what that layer saw, (B, D)."""
    network.set_submodule(classifier_of(network), nn.Identity())


def _cached(record: ModelRecord) -> Path:
    """Return the weights' file in torchvision's own cache, fetched if it is not there."""
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


def _load(network: nn.Module, file: Path, record: ModelRecord) -> None:
    if not sha256_file(file).startswith(_hash_in(file)):
        raise WeightsUnavailable("torchvision-weights-damaged", file=file, model=record.name)
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict({key: tensor for key, tensor in tensors.items() if not key.startswith("aux")}, strict=True)


def _hash_in(file: Path) -> str:
    """PyTorch's files are named for the first digits of their SHA-256."""
    return file.stem.rsplit("-", 1)[-1]
