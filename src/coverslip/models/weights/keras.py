"""Reading of Keras weights (HDF5), and translation of NASNet-Mobile and EfficientNetV2 to the networks of coverslip.

Keras stores a kernel as (height, width, in, out), the kernel of a depthwise convolution as (height, width, channels,
1), and the kernel of a dense layer as (in, out). The layer names identify the network of a file: the names of Keras's
applications are fixed.

Weights of NASNet-Mobile exist as Keras's file and as a port to PyTorch. Both contain the weights that TensorFlow
trained. Their cells are numbered with gaps, the cells of coverslip's network without.
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
from coverslip.models.records import Tensors
from coverslip.processes import answer_in, write_answer

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

_TIME_LIMIT_S = 60.0
_MEMORY_LIMIT = 4 << 30  # bytes of address space, most of it for libraries, in addition to twice the file size
_REFUSED = 3  # exit code of the reading process
_SEPARATOR = "\t"  # between layer and variable

_Path = tuple[str, ...]


def read_layers(file: Path) -> Layers:
    """Return the layers of a Keras file, read in a separate process.

    Raises:
        ExtraNotInstalled: h5py is not installed.
        WeightsUnavailable: the file is damaged, is no Keras file, or has contents that weights do not need.
    """
    require_extra("keras", "Reading a file of Keras weights")
    import safetensors.torch

    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        out = Path(folder) / "layers.safetensors"
        command = [sys.executable, "-m", __name__, str(file.resolve()), str(out)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIME_LIMIT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise _damaged(text("hdf5-reading-endless"), file) from error
        if done.returncode == _REFUSED:
            refusal = failure_of(answer_in(done.stdout))
            raise WeightsUnavailable.of(replace(refusal, file=str(file)))
        if done.returncode:
            raise _damaged(text("hdf5-reader-failed", exit_code=str(done.returncode)), file)
        layers: Layers = {}
        for name, tensor in safetensors.torch.load_file(out).items():
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
    except WeightsUnavailable:
        raise
    except Exception as error:  # h5py raises errors of many types for faults in its C library
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


def _names(opened: Any, path: _Path, single: set[_Path], file: Path) -> tuple[str, str]:  # Any: h5py's objects
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


def _limit_memory(file: Path) -> None:
    """Limit the memory of this process, if the system supports it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = _MEMORY_LIMIT + 2 * file.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _main(file: Path, out: Path) -> int:
    """Read a file and write its numbers; print the reason of a refusal as JSON."""
    import safetensors.numpy

    _limit_memory(file)
    try:
        layers = read_arrays(file)
    except WeightsUnavailable as error:
        write_answer(asdict(error.failure))
        return _REFUSED
    arrays = {
        f"{layer}{_SEPARATOR}{name}": numbers
        for layer, variables in layers.items()
        for name, numbers in variables.items()
    }
    safetensors.numpy.save_file(arrays, out)
    return 0


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
_KERAS_FOURTH_IS_FIFTH = ("reduction", "left", "4")  # Keras numbers only the sums with a convolution on the left

# Positions in the separable convolutions of coverslip, which apply four modules twice.
_DEPTHWISE, _POINTWISE, _NORM, _MODULES_PER_PASS = 1, 2, 3, 4


def is_ported_nasnet(tensors: Tensors) -> bool:
    """Return whether tensors have the names of the port to PyTorch."""
    return "cell_stem_0.conv_1x1.conv.weight" in tensors


def ported_name(name: str) -> str:
    """Return coverslip's name of a tensor of the port; unknown names are unchanged."""
    module, _, tensor = name.rpartition(".")
    if module in _PORTED_ENDS:
        return f"{_PORTED_ENDS[module]}.{tensor}"
    cell, _, inner = module.partition(".")
    target = _PORTED_INPUTS.get(inner) or _ported_operation(inner)
    return f"cells.{_PORTED_CELLS.index(cell)}.{target}.{tensor}" if cell in _PORTED_CELLS and target else name


def keras_layer(layer: str) -> tuple[str, ...]:
    """Return coverslip's modules for a Keras layer: two for a separable convolution, none for an unknown layer."""
    if layer in _KERAS_ENDS:
        return (_KERAS_ENDS[layer],)
    if (match := _KERAS_LAYER.fullmatch(layer)) is None or match[2] not in _KERAS_CELLS:
        return ()
    targets = (_KERAS_INPUTS[match[1]],) if match[1] in _KERAS_INPUTS else _keras_operation(match[1])
    return tuple(f"cells.{_KERAS_CELLS.index(match[2])}.{target}" for target in targets)


def _ported_operation(name: str) -> str | None:
    if (match := _PORTED_OPERATION.fullmatch(name)) is None:
        return None
    total, side, kind, repetition, width = match.groups()
    position = _NORM if kind == "bn_sep" else _DEPTHWISE if width == "depth" else _POINTWISE
    return _operation(int(total), side, int(repetition), position)


def _keras_operation(name: str) -> tuple[str, ...]:
    if (match := _KERAS_OPERATION.fullmatch(name)) is None:
        return ()
    repetition, norm, kind, side, number = match.groups()
    total = 4 if (kind, side, number) == _KERAS_FOURTH_IS_FIFTH else int(number) - 1
    positions = (_NORM,) if norm else (_DEPTHWISE, _POINTWISE)
    return tuple(_operation(total, side, int(repetition), position) for position in positions)


def _operation(total: int, side: str, repetition: int, position: int) -> str:
    """Return the path of an operation in a cell. Each sum of a cell has a left and a right operation."""
    return f"operations.{2 * total + (side == 'right')}.{_MODULES_PER_PASS * (repetition - 1) + position}"


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
    """Return the tensors of NASNet-Mobile or an EfficientNetV2 in a Keras file, under coverslip's names.

    Tensors without a counterpart keep Keras's name, so that the comparison with the network reports them.

    Raises:
        WeightsUnavailable: the file cannot be read safely, or belongs to another network.
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
    """Return the function from a layer of this file to coverslip's modules.

    Raises:
        WeightsUnavailable: the file belongs to neither network.
    """
    if "stem_conv1" in layers and "adjust_bn_stem_2" in layers:
        return keras_layer
    if "stem_conv" in layers and "block1a_project_conv" in layers and "block1a_dwconv" not in layers:
        return lambda layer: _efficientnet_layer(layer, layers)
    first = ", ".join(list(layers)[:3])
    raise WeightsUnavailable("keras-network-not-read", file=file, has_layers=bool(first), layers=first)


def _efficientnet_layer(layer: str, layers: Layers) -> tuple[str, ...]:
    """Return coverslip's module for a layer of an EfficientNetV2; none for an unknown layer."""
    if layer in _EFFICIENTNET_ENDS:
        return (_EFFICIENTNET_ENDS[layer],)
    if (match := _EFFICIENTNET_LAYER.fullmatch(layer)) is None:
        return ()
    stage, block, layer_in_block = match.groups()
    names = _FIRST_BLOCK
    if f"block{stage}{block}_expand_conv" in layers:
        names = _BLOCK if f"block{stage}{block}_dwconv2" in layers else _FUSED_BLOCK
    return (
        (f"blocks.{int(stage) - 1}.{ord(block) - ord('a')}.{names[layer_in_block]}",) if layer_in_block in names else ()
    )


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), Path(sys.argv[2])))
