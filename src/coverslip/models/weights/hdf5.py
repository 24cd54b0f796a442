"""Keras's HDF5 files, as layers with named variables.

Two layouts are read. Keras 2, and Keras 3 where it saves `.h5`, has a group for each layer and in it variables by name;
a whole model has these inside `model_weights`. Keras 3's `.weights.h5` numbers layers by their kind (`conv2d_1`) and
variables by their order, and notes each layer's name beside its variables.

Such a file may refer to content in other places, or declare more content than a computer can hold. What is
refused, before a number is read: links other than plain ones, content in other files, anything compressed (Keras
compresses nothing), other numbers than floating-point ones, and together more numbers than the file has bytes for.
HDF5's own library can crash on a damaged file, or read it for ever (seen with single bytes changed). So a process of
its own reads the file, with limits of time and memory, and hands the numbers on as safetensors.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import WeightsUnavailable, require_extra
from coverslip.messages import failure_of, text
from coverslip.processes import answer_in, write_answer

if TYPE_CHECKING:
    import torch

Layers = dict[str, dict[str, "torch.Tensor"]]
"""Layer -> name of a variable, as Keras 2 calls it without `:0`, -> its numbers, as they lie in the file."""

Arrays = dict[str, dict[str, NDArray[np.float32]]]
"""The same, before PyTorch has them."""

_TRAINING_ONLY = ("optimizer", "optimizer_weights", "seed_generator")  # what training needs to go on, at any depth
_MODEL = "model_weights"
_VARIABLES = "vars"  # of one layer, in Keras 3
_IN_ORDER = {
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "conv2d": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "depthwise_conv2d": ("kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
}
_MOST_PARTS, _DEEPEST, _LONGEST_NAME = 20_000, 20, 1_000

_LONGEST_S = 60.0
_MOST_MEMORY = 4 << 30  # address space, most of it libraries; the file's size comes on top, twice
_REFUSED = 3  # exit code of the process that reads
_BETWEEN = "\t"  # layer and variable

_Path = tuple[str, ...]


def read_layers(file: Path) -> Layers:
    """Return the layers of a file that Keras wrote, read by a process of its own.

    Raises:
        ExtraNotInstalled: h5py is not installed.
        WeightsUnavailable: it is damaged or no such file, or holds what a file of weights has no need of.
    """
    require_extra("keras", "Reading a file of Keras weights")
    import safetensors.torch

    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        out = Path(folder) / "layers.safetensors"
        command = [sys.executable, "-m", __name__, str(file.resolve()), str(out)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LONGEST_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise _damaged(text("hdf5-reading-endless"), file) from error
        if done.returncode == _REFUSED:
            refusal = failure_of(answer_in(done.stdout))
            raise WeightsUnavailable.of(replace(refusal, file=str(file)))
        if done.returncode:
            raise _damaged(text("hdf5-reader-failed", exit_code=str(done.returncode)), file)
        layers: Layers = {}
        for name, tensor in safetensors.torch.load_file(out).items():
            layer, _, variable = name.partition(_BETWEEN)
            layers.setdefault(layer, {})[variable] = tensor
        return layers


def read_arrays(file: Path) -> Arrays:
    """Return what `read_layers` gives, read in this process.

    Raises:
        WeightsUnavailable: as there.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            return _layers(opened, file)
    except WeightsUnavailable:
        raise
    except Exception as error:  # h5py raises errors of many kinds for what its C library meets
        raise _damaged(str(error).splitlines()[0] if str(error) else type(error).__name__, file) from error


def _layers(opened: Any, file: Path) -> Arrays:  # Any: h5py has no types
    datasets = dict(_datasets(opened, (), file))
    _check_size(datasets, file)
    single = _single_layers(datasets)
    layers: Arrays = {}
    for path, dataset in datasets.items():
        layer, variable = _names(opened, path, single, file)
        variables = layers.setdefault(layer, {})
        if variable in variables:
            raise _refused(text("keras-variable-twice", layer=layer, variable=variable), file)
        variables[variable] = dataset[()].astype(np.float32)
    return layers


def _datasets(group: Any, path: _Path, file: Path) -> Iterator[tuple[_Path, Any]]:  # Any: h5py's objects
    """Path and dataset of all that is needed, each checked; nothing is read."""
    import h5py

    if len(path) > _DEEPEST or len(group) > _MOST_PARTS:
        raise _refused(text("hdf5-too-many-parts"), file)
    for name in group:
        inner = (*path, name)
        if name in _TRAINING_ONLY:
            continue
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise _refused(text("hdf5-link", name="/".join(inner)), file)
        part = group[name]
        if isinstance(part, h5py.Group):
            yield from _datasets(part, inner, file)
        else:
            _check(part, "/".join(inner), file)
            yield inner, part


def _check(part: Any, name: str, file: Path) -> None:  # Any: h5py's objects
    import h5py

    if not isinstance(part, h5py.Dataset) or part.shape is None:
        raise _refused(text("hdf5-no-numbers", name=name), file)
    if part.dtype.kind != "f" or part.dtype.itemsize > 8:
        raise _refused(text("hdf5-no-fractions", name=name, dtype=str(part.dtype)), file)
    if part.is_virtual or part.external:
        raise _refused(text("hdf5-in-other-file", name=name), file)
    if part.id.get_create_plist().get_nfilters():
        raise _refused(text("hdf5-compressed", name=name), file)


def _check_size(datasets: dict[_Path, Any], file: Path) -> None:  # Any: h5py's objects
    n_bytes = sum(int(dataset.size) * dataset.dtype.itemsize for dataset in datasets.values())
    if len(datasets) > _MOST_PARTS or n_bytes > file.stat().st_size:
        raise _refused(text("hdf5-too-many-numbers"), file)


def _single_layers(paths: Iterable[_Path]) -> set[_Path]:
    """Return the outermost groups that hold one layer's variables, and not all layers of a network inside another."""
    groups: dict[_Path, set[_Path]] = {}
    for path in paths:
        groups.setdefault(_outermost(path), set()).add(path[:-1])
    return {top for top, holders in groups.items() if len(holders) == 1}


def _outermost(path: _Path) -> _Path:
    return path[: 2 if path[0] == _MODEL else 1]


def _names(opened: Any, path: _Path, single: set[_Path], file: Path) -> tuple[str, str]:  # Any: h5py's objects
    """Of layer and variable."""
    if len(path) < 2:
        raise _refused(text("keras-variable-without-layer", name=path[0]), file)
    if path[-2] == _VARIABLES and len(path) > 2:
        return _noted_name(opened["/".join(path[:-1])], file), _in_order(path[-3], path[-1])
    top = _outermost(path)
    return top[-1] if top in single else path[-2], path[-1].removesuffix(":0")


def _noted_name(variables: Any, file: Path) -> str:  # Any: h5py's objects
    """Return the layer's name, which newer versions of Keras 3 note."""
    import h5py

    if "name" not in variables.attrs:
        raise WeightsUnavailable("keras-layers-unnamed", file=file)
    if h5py.h5a.open(variables.id, b"name").get_storage_size() > _LONGEST_NAME:
        raise _refused(text("keras-layer-name-too-long"), file)
    return str(variables.attrs["name"])


def _in_order(kind: str, number: str) -> str:
    """Return a variable's name by its number; where the kind of layer is not known, the number."""
    names = dict(enumerate(_IN_ORDER.get(re.sub(r"_\d+$", "", kind), ())))
    return names.get(int(number), number) if number.isdecimal() else number


def _refused(reason: str, file: Path) -> WeightsUnavailable:
    return WeightsUnavailable("no-keras-weights", file=file, reason=reason)


def _damaged(reason: str, file: Path) -> WeightsUnavailable:
    return WeightsUnavailable("hdf5-damaged", file=file, reason=reason)


def _limit_memory(file: Path) -> None:
    """Of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most = _MOST_MEMORY + 2 * file.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _main(file: Path, out: Path) -> int:
    """Read a file and write its numbers; a refusal goes to stdout as JSON."""
    import safetensors.numpy

    _limit_memory(file)
    try:
        layers = read_arrays(file)
    except WeightsUnavailable as error:
        write_answer(asdict(error.failure))
        return _REFUSED
    named = {
        f"{layer}{_BETWEEN}{name}": numbers
        for layer, variables in layers.items()
        for name, numbers in variables.items()
    }
    safetensors.numpy.save_file(named, out)
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), Path(sys.argv[2])))
