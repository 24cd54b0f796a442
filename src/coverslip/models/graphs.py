"""Graphs of networks without weights, and graphs with the weights of a backbone.

A graph follows from the architecture alone. Those of the default network are part of this package; those of other
networks are traced with PyTorch once, and stay in the cache. ONNX Runtime runs a graph with the weights of any
training.
"""

import json
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip._version import __version__
from coverslip.cache.stores import CACHE_ERRORS, Kind, RecordStore
from coverslip.errors import require_extra
from coverslip.files import sha256_json
from coverslip.machine import package_version
from coverslip.models.backbone import N_FEATURES, TENSORS, Architecture, Backbone, Head
from coverslip.models.catalogue import model_info
from coverslip.models.weights import is_imported, packaged_arrays

Floats = npt.NDArray[np.float32]

GRAPHS = Kind("graphs", bound_bytes=10**8)
_OF_CHANNELS = {"mean", "std", "backbone.body.conv_stem.weight", "backbone.conv_stem.weight"}  # of the package's graphs
_PREFIX: dict[Head, str] = {"multi_layer": "backbone.body.", "native": "backbone."}


def graph_without_pytorch(architecture: Architecture) -> bytes | None:
    """Return the graph, as of `graph_of`, if it is part of this package or in the cache of this computer."""
    if architecture.is_packaged:
        return _packaged_graph(architecture.model, architecture.head)
    if architecture.is_of_library:  # the code of others may change under the same name
        with suppress(*CACHE_ERRORS), RecordStore(GRAPHS, "all") as store:
            return store.find([_key(architecture)]).get(_key(architecture))
    return None


def graph_of(architecture: Architecture) -> bytes | None:
    """Return the ONNX graph without weights: (N, C, S, S) float32 in [0, 1] -> (N, D).

    Returns:
        None if ONNX lacks an operation of the network.

    Raises:
        ExtraNotInstalled: the graph is not known on this computer, and PyTorch is not installed.
    """
    graph = graph_without_pytorch(architecture)
    if graph is None:
        require_extra("train")
        from coverslip.models.networks import trace_graph

        graph = trace_graph(architecture)
        if graph is not None and architecture.is_of_library:
            with suppress(*CACHE_ERRORS), RecordStore(GRAPHS, "all") as store:
                store.keep({_key(architecture): graph})
    return graph


def _key(architecture: Architecture) -> str:
    versions = [package_version(name) for name in ("torch", "torchvision", "timm")]
    return sha256_json([architecture.as_json(), __version__, versions])


@cache
def _packaged_graph(model: str, head: Head) -> bytes:
    return files("coverslip.models").joinpath("packaged_graphs", f"{model}.{head}.onnx").read_bytes()


def tensors_of(graph: bytes, architecture: Architecture) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return type, as in files of weights, and shape of each array of the backbones of a graph, by name."""
    import onnx

    metadata = {each.key: each.value for each in onnx.load_from_string(graph).metadata_props}
    tensors = {name: (dtype, tuple(shape)) for name, (dtype, shape) in json.loads(metadata[TENSORS]).items()}
    if architecture.is_packaged:  # its graph is that for three channels
        for name in _OF_CHANNELS & tensors.keys():
            dtype, shape = tensors[name]
            tensors[name] = (dtype, (shape[0], architecture.channels, *shape[2:]))
    return tensors


def with_weights(backbone: Backbone) -> bytes | None:
    """Return the ONNX graph of a backbone with its weights; None if ONNX lacks an operation of the network.

    Raises:
        KeyError, ValueError: the arrays do not fit the graph.
        ExtraNotInstalled: as of `graph_of`.
    """
    import onnx

    graph = graph_of(backbone.architecture)
    if graph is None:
        return None
    model, tensors = onnx.load_from_string(graph), tensors_of(graph, backbone.architecture)
    for initializer in model.graph.initializer:
        if initializer.name not in tensors:  # a constant of the graph
            continue
        array = backbone.arrays[initializer.name]
        tensor = onnx.numpy_helper.from_array(np.asarray(array, order="C"), initializer.name)
        if array.shape != tensors[initializer.name][1] or tensor.data_type != initializer.data_type:
            raise ValueError(initializer.name)
        initializer.CopyFrom(tensor)
    filled: bytes = model.SerializeToString()
    return filled


def pretrained_backbone(architecture: Architecture) -> Backbone:
    """Return a backbone with pretrained weights.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: pretrained weights are not on this machine and cannot be downloaded.
        BadRecipe: the model does not accept the options or the image size, or has no block outputs for `multi_layer`.
        ExtraNotInstalled: the network needs PyTorch, which is not installed.
    """
    weights = None
    if architecture.is_packaged and not is_imported(architecture.model):
        weights = packaged_arrays(architecture.model)
    if weights is None:
        require_extra("train")
        from coverslip.models.networks import create_network

        return create_network(
            architecture.model,
            n_classes=2,
            head=architecture.head,
            channels=architecture.channels,
            options=dict(architecture.options),
            image_size=architecture.image_size,
        ).as_backbone()
    graph, prefix = _packaged_graph(architecture.model, architecture.head), _PREFIX[architecture.head]
    counter: npt.NDArray[Any] = np.zeros((), np.int64)  # Any: as the other arrays
    arrays = {
        name: counter if name.endswith(".num_batches_tracked") else weights[name.removeprefix(prefix)]
        for name in tensors_of(graph, architecture)
        if name.startswith(prefix)
    }
    first = f"{prefix}conv_stem.weight"
    arrays[first] = _with_channels(arrays[first], architecture.channels)
    n_features = N_FEATURES[architecture.model, architecture.head]
    normalization = model_info(architecture.model).normalization.for_channels(architecture.channels)
    return Backbone(architecture, arrays, n_features).normalized(normalization)


def with_expected(backbone: Backbone) -> Backbone:
    """Return the backbone with the features of its noise by PyTorch, unless it has them or its graph is of the package.

    Raises:
        ExtraNotInstalled: PyTorch is not installed.
    """
    if backbone.architecture.is_packaged or backbone.expected is not None:
        return backbone
    require_extra("train")
    from coverslip.models.networks import network_of

    return replace(backbone, expected=network_of(backbone).as_backbone().expected)


def _with_channels(weight: npt.NDArray[np.float32], channels: int) -> npt.NDArray[np.float32]:
    """Return the (F, C, h, w) filters for another number of channels, as of `building.adapt_channels`."""
    if channels == 3:
        return weight
    if channels == 1:
        summed: Floats = weight.sum(axis=1, keepdims=True)
        return summed
    in_turn: Floats = weight[:, np.arange(channels) % 3] * np.float32(3 / channels)
    return in_turn
