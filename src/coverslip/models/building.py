"""Building of networks: architectures with their 1000-class classifiers, and loading of weights into them.

Folds start with equal networks, and every classifier that is read back needs the network of its training. Building
takes longer than all other work of reading a small classifier, because libraries draw random numbers for each layer.
"""

import copy
import importlib
import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from coverslip.errors import BadRecipe, CoverslipError, UnknownModel, WeightsUnavailable
from coverslip.files import sha256_file
from coverslip.messages import Set, ShowModels, text
from coverslip.models._libraries import import_timm, shapes_only
from coverslip.models.weights import (
    fetch_weights,
    is_reachable,
    local_weights,
    weights_unavailable,
    without_these_weights,
)
from coverslip.models.zoo import (
    BACKBONE,
    LocalWeights,
    ModelRecord,
    Normalization,
    Tensors,
    options_do_not_fit,
    refuse_options,
    registered,
)

_MAX_NAMES = 3  # faults of each kind in a message
# Errors of PyTorch for tensors that do not fit, and of timm's translations for unexpected names.
_MISFITS = (RuntimeError, KeyError, AttributeError, IndexError, ValueError)


def timm_network(timm_name: str, weights: LocalWeights, *, channels: int = 3, options: dict[str, Any]) -> nn.Module:
    """Return timm's network with these weights, including their classifier.

    timm loads the weights as it loads downloaded weights: it translates the names of an architecture's authors, resizes
    position embeddings to another image size, and adapts the first layer to another number of channels.

    Args:
        timm_name: with or without a tag.
        weights: under timm's names, or names of the architecture's authors that timm translates.
        channels: of the images.
        options: passed to timm (Any: timm checks them), such as `img_size`.

    Raises:
        WeightsUnavailable: a tensor is missing, unknown, or has another shape. The error names the first ones.
        TypeError: timm does not have an option.
    """
    timm = import_timm()

    arguments = {"in_chans": channels, "num_classes": weights.n_classes, **options}
    try:
        network = _filled(timm_name, weights.tensors, arguments)
    except _MISFITS as error:
        plain: nn.Module = timm.create_model(timm_name, **arguments)
        if _is_equal(weights.tensors, plain.state_dict()):
            raise  # the weights are not the cause
        raise misfit(weights, plain.state_dict()) from error
    expected = network.state_dict()
    if weights.tensors.keys() != expected.keys() and _is_lenient(timm_name, expected, arguments):
        raise misfit(weights, expected)
    return network


def _filled(timm_name: str, tensors: Tensors, arguments: dict[str, Any]) -> nn.Module:  # Any: timm checks them
    timm = import_timm()

    pretrained_config = timm.get_pretrained_cfg(timm_name)
    config = {
        **(vars(pretrained_config) if pretrained_config else {}),
        "state_dict": dict(tensors),  # a copy, because timm removes entries
        "num_classes": arguments["num_classes"],  # as in the network: then timm requires every tensor
        "label_offset": 0,
        "custom_load": False,
        "tag": "",  # for the tag of Inception-v3 timm accepts missing tensors
    }
    network: nn.Module = timm.create_model(timm_name, pretrained=True, pretrained_cfg=config, **arguments)
    stored_config: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]  # timm's untyped attribute
    del stored_config["state_dict"]  # otherwise every copy of the network contains the weights
    return network


def _is_lenient(timm_name: str, tensors: Tensors, arguments: dict[str, Any]) -> bool:  # Any: timm checks them
    """Return whether timm ignores unknown tensors, as for a few architectures such as DLA."""
    try:
        _filled(timm_name, {**tensors, "no.such.tensor": torch.zeros(1)}, arguments)
    except RuntimeError:
        return False
    return True


def load_exactly(network: nn.Module, weights: LocalWeights) -> None:
    """Load weights into a network of torchvision or coverslip with three channels.

    The classifier, which is the last linear layer, is loaded only if the number of classes is equal.

    Raises:
        WeightsUnavailable: a tensor is missing, unknown, or has another shape. The error names the first ones.
    """
    tensors, expected = weights.tensors, network.state_dict()
    head = {name for name in expected if name.startswith(f"{classifier_of(network)}.")}
    if _is_of_other_classes({name: tensors[name] for name in head if name in tensors}, expected, len(head)):
        tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
        expected = {name: tensor for name, tensor in expected.items() if name not in head}
    if not _is_equal(tensors, expected):
        raise misfit(LocalWeights(weights.model, tensors, weights.n_classes, weights.file), expected)
    network.load_state_dict(tensors, strict=False)  # all tensors but the classifier were compared above


def adapt_channels(network: nn.Module, channels: int, *, is_trained: bool) -> None:
    """Adapt the first convolution of a network for three channels to another number of channels.

    If it is trained, one channel gets the sum of the three filters, which gives the response to a gray image repeated
    three times. More channels get the filters in turn, scaled to keep the size of the response (timm's
    `adapt_input_conv`). Otherwise the weights of every channel are drawn at random.
    """
    adapt_input_conv = import_timm().models.adapt_input_conv

    if channels == 3:
        return
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(adapt_input_conv(channels, first.weight.detach()))
    if not is_trained:
        first.reset_parameters()


def check_numbers(weights: LocalWeights, expected: Tensors) -> None:
    """Check that a network can compute with the numbers of weights that fit it.

    Names may differ from the network's, so a tensor of integers is compared with all tensors of its kind, such as
    `bias`. Indices and counters are integers in the network too, or the network has no tensor of that kind.

    Raises:
        WeightsUnavailable: there are integers instead of fractions, or the variance of a batch norm is negative. The
            error names the first tensors.
    """
    fractions = {_kind(name) for name, tensor in expected.items() if tensor.is_floating_point()}
    wrong = [
        name for name, tensor in weights.tensors.items() if not tensor.is_floating_point() and _kind(name) in fractions
    ]
    if wrong:
        dtype = str(weights.tensors[wrong[0]].dtype).removeprefix("torch.")
        raise WeightsUnavailable(
            "weights-no-fractions",
            file=weights.file,
            model=weights.model,
            dtype=dtype,
            n_wrong=len(wrong),
            n_tensors=len(weights.tensors),
            tensors=_first(wrong),
        )
    variances = {name: tensor for name, tensor in weights.tensors.items() if _kind(name) == "running_var"}
    negative = [name for name, variance in variances.items() if (variance < 0).any()]
    if negative:  # the network divides by the square root
        raise WeightsUnavailable(
            "weights-negative-variance",
            file=weights.file,
            model=weights.model,
            n_negative=len(negative),
            n_norms=len(variances),
            tensors=_first(negative),
        )


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def classifier_of(network: nn.Module) -> str:
    """Return the dotted name of a network's last linear layer."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def misfit(weights: LocalWeights, expected: Tensors) -> WeightsUnavailable:
    """Return the error for weights that do not fit a network with the tensors `expected`."""
    tensors = weights.tensors
    missing = [name for name in expected if name not in tensors]
    unknown = [name for name in tensors if name not in expected]
    misshapen = [
        text("tensor-shape", name=name, shape=_shape(tensors[name]), expected=_shape(expected[name]))
        for name in tensors
        if name in expected and tensors[name].shape != expected[name].shape
    ]
    return WeightsUnavailable(
        "weights-do-not-fit",
        file=weights.file,
        remedies=(ShowModels(),),
        model=weights.model,
        n_tensors=len(expected),
        misfits="; ".join(
            [
                *([text("tensors-missing", n=len(missing), names=_first(missing))] if missing else []),
                *([text("tensors-unknown", n=len(unknown), names=_first(unknown))] if unknown else []),
                *([text("tensors-misshapen", n=len(misshapen), names=_first(misshapen))] if misshapen else []),
            ]
        ),
    )


def _is_of_other_classes(tensors: Tensors, expected: Tensors, n_tensors: int) -> bool:
    """Return whether a classifier is incomplete or differs from the expected one in the number of classes only.

    Args:
        tensors: of the classifier, possibly incomplete.
        expected: tensors of the whole network.
        n_tensors: number of tensors of the network's classifier.
    """
    is_different = len(tensors) < n_tensors or any(
        tensors[name].shape[:1] != expected[name].shape[:1] for name in tensors
    )
    return is_different and all(
        tensors[name].ndim and tensors[name].shape[1:] == expected[name].shape[1:] for name in tensors
    )


def _is_equal(tensors: Tensors, expected: Tensors) -> bool:
    return tensors.keys() == expected.keys() and all(tensors[name].shape == expected[name].shape for name in expected)


def _first(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or text("tensor-of-one-number")


# Building, also by timm or torchvision, and reuse of the last backbones.

_RESERVED = frozenset(["n_classes", "channels"])  # arguments of coverslip's architectures that are no options
_CACHE_SIZE = 2  # a training alternates between the pretrained network and the network that it reads back
_MAX_CACHED_PARAMETERS = 50_000_000  # larger networks take more memory than the saved time is worth

_cache: "OrderedDict[object, tuple[nn.Module, int, Tensor]]" = OrderedDict()  # last used last
_cache_lock = threading.Lock()


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


class AveragedMaps(nn.Module):
    """Average maps to a fixed size, as `nn.AdaptiveAvgPool2d`, which ONNX has only for multiples of that size."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        height, width = int(x.shape[-2]), int(x.shape[-1])  # constants in ONNX
        if height == width == self.side:
            return x
        return self._means(height, x) @ x @ self._means(width, x).T

    def _means(self, size: int, x: Tensor) -> Tensor:
        """Return (side, size) weights: each row is the mean over its window."""
        k, position = torch.arange(self.side, device=x.device)[:, None], torch.arange(size, device=x.device)
        first, end = k * size // self.side, ((k + 1) * size + self.side - 1) // self.side
        is_within = ((first <= position) & (position < end)).to(x.dtype)
        return is_within / is_within.sum(dim=1, keepdim=True)


def without_classifier(body: nn.Module, record: ModelRecord) -> nn.Module:
    """Return the architecture without its last layer: its output are pooled features.

    VGG averages its maps to the size of its first dense layer, as in torchvision. timm applies that layer at several
    positions of larger maps instead.
    """
    if record.family == "VGG":
        body.features.append(AveragedMaps(7))  # type: ignore[operator,union-attr]  # timm's sequence of layers
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


def built_once(
    key: tuple[object, ...], record: ModelRecord, build: Callable[[], tuple[nn.Module, int]]
) -> tuple[nn.Module, int]:
    """Return the result of `build`, or a copy of its earlier result for the same key and the same random state.

    In both cases PyTorch's random state is the state after building, so that later draws do not depend on the networks
    that were built before.

    Args:
        key: everything that the backbone depends on, hashable and compared by `==`.
        record: of the model. Networks that no library builds are built each time.
        build: returns a backbone and the number of its features.
    """
    if not record.is_of_library or torch.get_default_device().type != "cpu":
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
