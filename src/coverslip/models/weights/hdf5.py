"""Read HDF5 files of Keras as layers with named variables, in a process with limits of time and memory."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import WeightsUnavailable, require_extra
from coverslip.messages import text
from coverslip.models.weights.apart import answer, read_apart
from coverslip.models.zoo import Tensors

if TYPE_CHECKING:
    import torch

Layers = dict[str, dict[str, "torch.Tensor"]]
"""Layer -> name of a variable (as in Keras 2, without `:0`) -> its numbers, with the axes of the file."""

Arrays = dict[str, dict[str, NDArray[np.float32]]]
"""As `Layers`, before the conversion to PyTorch."""

_TRAINING_ONLY = ("optimizer", "optimizer_weights", "seed_generator")  # groups for resuming training, at any depth
_MODEL = "model_weights"
_VARIABLES = "vars"  # group of one layer's variables in Keras 3
_VARIABLE_NAMES = {  # in the order of their numbers
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "depthwise_conv2d": ("kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
}
_MAX_OBJECTS, _MAX_DEPTH, _MAX_NAME_BYTES = 20_000, 20, 1_000

_SEPARATOR = "\t"  # between layer and variable

_Path = tuple[str, ...]


def read_layers(file: Path) -> Layers:
    """Return the layers of a Keras file, read in a separate process.

    Raises:
        ExtraNotInstalled: h5py is not installed.
        WeightsUnavailable: the file is damaged, is no Keras file, or has contents that weights do not need.
    """
    require_extra("keras")
    layers: Layers = {}
    for name, tensor in read_apart(__name__, file).items():
        layer, _, variable = name.partition(_SEPARATOR)
        layers.setdefault(layer, {})[variable] = tensor
    return layers


def read_arrays(file: Path) -> Arrays:
    """Return the same as `read_layers`, as arrays, read in this process.

    Raises:
        WeightsUnavailable: as of `read_layers`.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            return _layers(opened, file)
    except (WeightsUnavailable, MemoryError):
        raise
    except Exception as error:  # h5py raises errors of many types for faults in its C library
        raise _damaged(str(error).splitlines()[0] if str(error) else type(error).__name__, file) from error


def _layers(opened: Any, file: Path) -> Arrays:  # Any: h5py has no types
    datasets = dict(_datasets(opened, (), file))
    _check_size(datasets, file)
    single = _single_layers(datasets)
    layers: Arrays = {}
    for path, dataset in datasets.items():
        layer, variable = _variable_names(opened, path, single, file)
        variables = layers.setdefault(layer, {})
        if variable in variables:
            raise _refused(text("keras-variable-twice", layer=layer, variable=variable), file)
        variables[variable] = dataset[()].astype(np.float32)
    return layers


def _datasets(group: Any, path: _Path, file: Path) -> Iterator[tuple[_Path, Any]]:  # Any: h5py's objects
    """Yield path and dataset of all variables. Each is checked, none is read."""
    import h5py

    if len(path) > _MAX_DEPTH or len(group) > _MAX_OBJECTS:
        raise _refused(text("hdf5-too-many-parts"), file)
    for name in group:
        inner = (*path, name)
        if name in _TRAINING_ONLY:
            continue
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _refused(text("hdf5-link", name="/".join(inner)), file)
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, inner, file)
        else:
            _check_dataset(item, "/".join(inner), file)
            yield inner, item


def _check_dataset(item: Any, name: str, file: Path) -> None:  # Any: h5py's objects
    import h5py

    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise _refused(text("hdf5-no-numbers", name=name), file)
    if item.dtype.kind != "f" or item.dtype.itemsize > 8:
        raise _refused(text("hdf5-no-fractions", name=name, dtype=str(item.dtype)), file)
    if item.is_virtual or item.external:
        raise _refused(text("hdf5-in-other-file", name=name), file)
    if item.id.get_create_plist().get_nfilters():
        raise _refused(text("hdf5-compressed", name=name), file)


def _check_size(datasets: dict[_Path, Any], file: Path) -> None:  # Any: h5py's objects
    n_bytes = sum(int(dataset.size) * dataset.dtype.itemsize for dataset in datasets.values())
    if len(datasets) > _MAX_OBJECTS or n_bytes > file.stat().st_size:
        raise _refused(text("hdf5-too-many-numbers"), file)


def _single_layers(paths: Iterable[_Path]) -> set[_Path]:
    """Return the outermost groups with the variables of one layer, without groups of a nested network with layers."""
    groups: dict[_Path, set[_Path]] = {}
    for path in paths:
        groups.setdefault(_outermost(path), set()).add(path[:-1])
    return {top for top, holders in groups.items() if len(holders) == 1}


def _outermost(path: _Path) -> _Path:
    return path[: 2 if path[0] == _MODEL else 1]


def _variable_names(opened: Any, path: _Path, single: set[_Path], file: Path) -> tuple[str, str]:  # Any: h5py's objects
    """Return the names of layer and variable."""
    if len(path) < 2:
        raise _refused(text("keras-variable-without-layer", name=path[0]), file)
    if path[-2] == _VARIABLES and len(path) > 2:
        return _recorded_name(opened["/".join(path[:-1])], file), _variable_name(path[-3], path[-1])
    top = _outermost(path)
    return top[-1] if top in single else path[-2], path[-1].removesuffix(":0")


def _recorded_name(variables: Any, file: Path) -> str:  # Any: h5py's objects
    """Return the name of the layer, which newer versions of Keras 3 record."""
    import h5py

    if "name" not in variables.attrs:
        raise WeightsUnavailable("keras-layers-unnamed", file=file)
    if h5py.h5a.open(variables.id, b"name").get_storage_size() > _MAX_NAME_BYTES:
        raise _refused(text("keras-layer-name-too-long"), file)
    return str(variables.attrs["name"])


def _variable_name(kind: str, number: str) -> str:
    """Return the name of a variable by its number, or the number if the kind of layer is not known."""
    names = dict(enumerate(_VARIABLE_NAMES.get(re.sub(r"_\d+$", "", kind), ())))
    return names.get(int(number), number) if number.isdecimal() else number


def _refused(reason: str, file: Path) -> WeightsUnavailable:
    return WeightsUnavailable("no-keras-weights", file=file, reason=reason)


def _damaged(reason: str, file: Path) -> WeightsUnavailable:
    return WeightsUnavailable("hdf5-damaged", file=file, reason=reason)


def _read_tensors(file: Path) -> Tensors:
    """Return the variables of all layers by the name of the layer and their own.

    Raises:
        WeightsUnavailable: as of `read_layers`.
    """
    import torch

    return {
        f"{layer}{_SEPARATOR}{name}": torch.from_numpy(numbers)
        for layer, variables in read_arrays(file).items()
        for name, numbers in variables.items()
    }


if __name__ == "__main__":
    import h5py  # noqa: F401  # before memory is limited

    sys.exit(answer(_read_tensors, sys.argv[1:]))
