"""Weights of Keras, among them those of NASNet, as tensors of our networks.

Keras keeps a kernel as (height, width, in, out), that of a depthwise convolution as (height, width, channels, 1), and
a dense layer's as (in, out). The names of its layers identify the network of a file: those of Keras's applications
are fixed.

Both hold the weights that TensorFlow trained; their cells are numbered with gaps, ours in a row.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import WeightsUnavailable, require_extra
from coverslip.messages import failure_of, text
from coverslip.models.weights.source import Tensors
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


_PORTED_CELLS = (
    *("cell_stem_0", "cell_stem_1", "cell_0", "cell_1", "cell_2", "cell_3", "reduction_cell_0"),
    *("cell_6", "cell_7", "cell_8", "cell_9", "reduction_cell_1", "cell_12", "cell_13", "cell_14", "cell_15"),
)
_PORTED_ENDS = {"conv0.conv": "stem.0", "conv0.bn": "stem.1", "last_linear": "classifier"}
_PORTED_INPUTS = {
    "conv_1x1.conv": "last.convolution",
    "conv_1x1.bn": "last.norm",
    "conv_prev_1x1.conv": "previous.convolution",
    "conv_prev_1x1.bn": "previous.norm",
    "path_1.conv": "previous.even",
    "path_2.conv": "previous.odd",
    "final_path_bn": "previous.norm",
}
_PORTED_OPERATION = re.compile(r"comb_iter_(\d)_(left|right)\.(separable|bn_sep)_(\d)(?:\.(depth|point)wise_conv2d)?")

_KERAS_CELLS = (
    *("stem_1", "stem_2", "0", "1", "2", "3", "reduce_4"),
    *("5", "6", "7", "8", "reduce_8", "9", "10", "11", "12"),
)
_KERAS_ENDS = {"stem_conv1": "stem.0", "stem_bn1": "stem.1", "predictions": "classifier"}
_KERAS_INPUTS = {
    "normal_conv_1": "last.convolution",
    "reduction_conv_1": "last.convolution",
    "normal_bn_1": "last.norm",
    "reduction_bn_1": "last.norm",
    "adjust_conv_projection": "previous.convolution",
    "adjust_conv_1": "previous.even",
    "adjust_conv_2": "previous.odd",
    "adjust_bn": "previous.norm",
}
_KERAS_LAYER = re.compile(r"(.+?)_(stem_\d|reduce_\d|\d+)")
_KERAS_OPERATION = re.compile(r"separable_conv_(\d)_(bn_)?(normal|reduction)_(left|right)(\d)")
_KERAS_FOURTH_IS_FIFTH = ("reduction", "left", "4")  # Keras counts the sums that have a convolution on the left

# Where in our separable convolutions, which are applied twice, the parts of the first time stand.
_DEPTHWISE, _POINTWISE, _NORM, _TIMES = 1, 2, 3, 4


def is_ported_nasnet(tensors: Tensors) -> bool:
    """Return whether tensors have the port's names."""
    return "cell_stem_0.conv_1x1.conv.weight" in tensors


def ported_name(name: str) -> str:
    """Our name of a tensor of the port; one that it does not have stays as it is."""
    module, _, tensor = name.rpartition(".")
    if module in _PORTED_ENDS:
        return f"{_PORTED_ENDS[module]}.{tensor}"
    cell, _, part = module.partition(".")
    inside = _PORTED_INPUTS.get(part) or _ported_operation(part)
    return f"cells.{_PORTED_CELLS.index(cell)}.{inside}.{tensor}" if cell in _PORTED_CELLS and inside else name


def keras_layer(layer: str) -> tuple[str, ...]:
    """Our modules for a layer of Keras: two for a separable convolution, none where NASNet has no such layer."""
    if layer in _KERAS_ENDS:
        return (_KERAS_ENDS[layer],)
    if (match := _KERAS_LAYER.fullmatch(layer)) is None or match[2] not in _KERAS_CELLS:
        return ()
    inside = (_KERAS_INPUTS[match[1]],) if match[1] in _KERAS_INPUTS else _keras_operation(match[1])
    return tuple(f"cells.{_KERAS_CELLS.index(match[2])}.{part}" for part in inside)


def _ported_operation(part: str) -> str | None:
    if (match := _PORTED_OPERATION.fullmatch(part)) is None:
        return None
    total, side, kind, time, width = match.groups()
    place = _NORM if kind == "bn_sep" else _DEPTHWISE if width == "depth" else _POINTWISE
    return _operation(int(total), side, int(time), place)


def _keras_operation(part: str) -> tuple[str, ...]:
    if (match := _KERAS_OPERATION.fullmatch(part)) is None:
        return ()
    time, norm, kind, side, number = match.groups()
    total = 4 if (kind, side, number) == _KERAS_FOURTH_IS_FIFTH else int(number) - 1
    places = (_NORM,) if norm else (_DEPTHWISE, _POINTWISE)
    return tuple(_operation(total, side, int(time), place) for place in places)


def _operation(total: int, side: str, time: int, place: int) -> str:
    """Return where an operation stands in a cell: each of its sums has one on the left and one on the right."""
    return f"operations.{2 * total + (side == 'right')}.{_TIMES * (time - 1) + place}"


_EFFICIENTNET_ENDS = {
    "stem_conv": "conv_stem",
    "stem_bn": "bn1",
    "top_conv": "conv_head",
    "top_bn": "bn2",
    "predictions": "classifier",
}
_EFFICIENTNET_LAYER = re.compile(r"block(\d)([a-z])_(\w+)")
_FIRST_BLOCK = {"project_conv": "conv", "project_bn": "bn1"}
_FUSED_BLOCK = {"expand_conv": "conv_exp", "expand_bn": "bn1", "project_conv": "conv_pwl", "project_bn": "bn2"}
_BLOCK = {
    "expand_conv": "conv_pw",
    "expand_bn": "bn1",
    "dwconv2": "conv_dw",
    "bn": "bn2",
    "se_reduce": "se.conv_reduce",
    "se_expand": "se.conv_expand",
    "project_conv": "conv_pwl",
    "project_bn": "bn3",
}
_TENSORS = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "pointwise_kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def read_keras(file: Path) -> Tensors:
    """Return the tensors of NASNet-Mobile or of an EfficientNetV2 in a file of Keras, under the names of our networks.

    What these networks do not have keeps Keras's name, so that whoever compares names finds it.

    Raises:
        WeightsUnavailable: the file cannot be read safely, or is of another network.
    """
    layers = read_layers(file)
    modules_of = _scheme(layers, file)
    tensors: Tensors = {}
    for layer, variables in layers.items():
        modules = modules_of(layer)
        for variable, numbers in variables.items():
            if not modules or variable not in _TENSORS:
                tensors[f"{layer}/{variable}"] = numbers
                continue
            module = modules[-1] if variable == "pointwise_kernel" else modules[0]
            is_depthwise = variable == "depthwise_kernel" or module.endswith(".conv_dw")
            tensors[f"{module}.{_TENSORS[variable]}"] = _as_pytorch(numbers, is_depthwise)
    return tensors


def _as_pytorch(numbers: "torch.Tensor", is_depthwise: bool) -> "torch.Tensor":
    if numbers.ndim == 4:
        return numbers.permute((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)).contiguous()
    return numbers.T.contiguous() if numbers.ndim == 2 else numbers


def _scheme(layers: Layers, file: Path) -> Callable[[str], tuple[str, ...]]:
    """Return what gives our modules for a layer of this file.

    Raises:
        WeightsUnavailable: it is of neither network.
    """
    if "stem_conv1" in layers and "adjust_bn_stem_2" in layers:
        return keras_layer
    if "stem_conv" in layers and "block1a_project_conv" in layers and "block1a_dwconv" not in layers:
        return lambda layer: _efficientnet_layer(layer, layers)
    first = ", ".join(list(layers)[:3])
    raise WeightsUnavailable("keras-network-not-read", file=file, has_layers=bool(first), layers=first)


def _efficientnet_layer(layer: str, layers: Layers) -> tuple[str, ...]:
    """Our module for a layer of an EfficientNetV2; none where it has no such layer."""
    if layer in _EFFICIENTNET_ENDS:
        return (_EFFICIENTNET_ENDS[layer],)
    if (match := _EFFICIENTNET_LAYER.fullmatch(layer)) is None:
        return ()
    stage, block, part = match.groups()
    names = _FIRST_BLOCK
    if f"block{stage}{block}_expand_conv" in layers:
        names = _BLOCK if f"block{stage}{block}_dwconv2" in layers else _FUSED_BLOCK
    return (f"blocks.{int(stage) - 1}.{ord(block) - ord('a')}.{names[part]}",) if part in names else ()
