"""Readers of weight files from other sources: safetensors, PyTorch and Keras. No code in a file is ever run.

A PyTorch file is a small program (pickle): it can contain itself, or be written to keep its reader busy. A separate
process with limits of time and memory reads it and returns the tensors as safetensors.
"""

import sys
import zipfile
from pathlib import Path
from typing import Any

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.apart import answer, read_apart
from coverslip.models.weights.translation import read_keras
from coverslip.models.zoo import Tensors

_MAX_SHARING = 2  # size of all tensors per file size, because two layers may share their numbers
# Trainers save the weights with their optimizer. DINO saves a teacher and a student, of which the teacher is used.
_WRAPPERS = ("state_dict", "model", "teacher", "student")
_BACKBONE, _HEAD = "backbone.", "head."  # prefixes in files of self-supervised training; the head is not used
# Needed for training only: heads of self-supervised training, and auxiliary heads of GoogLeNet and Inception.
_TRAINING_ONLY = ("dino_head.", "ibot_head.", "aux1.", "aux2.", "AuxLogits.")


def read_torch_file(file: Path) -> Tensors:
    """Return the tensors of a PyTorch file that belong to the network.

    Raises:
        WeightsUnavailable: the file is damaged, contains anything but tensors, or exceeds the limits.
    """
    return read_apart(__name__, file)


def unwrapped(saved: Any, file: Path) -> Tensors:  # Any: whatever was saved
    """Return the tensors of the network, without the wrappers of trainers and without tensors for training only."""
    while isinstance(saved, dict):
        inner = next((saved[name] for name in _WRAPPERS if isinstance(saved.get(name), dict)), None)
        if inner is None:
            break
        saved = inner
    if not isinstance(saved, dict) or not saved:
        raise WeightsUnavailable("no-named-tensors", file=file)
    if no_tensors := [str(name) for name, value in saved.items() if not (isinstance(name, str) and _is_plain(value))]:
        raise WeightsUnavailable("no-plain-tensors", file=file, names=", ".join(no_tensors[:3]))
    tensors: Tensors = {name.removeprefix("module."): tensor for name, tensor in saved.items()}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_TRAINING_ONLY)}
    of_backbone = {name.removeprefix(_BACKBONE): each for name, each in tensors.items() if name.startswith(_BACKBONE)}
    is_backbone_and_head = all(name.startswith((_BACKBONE, _HEAD)) for name in tensors)
    return of_backbone if of_backbone and is_backbone_and_head else tensors


def _read_plain(file: Path) -> Tensors:
    """Return the same as `read_torch_file`, read in this process.

    Raises:
        WeightsUnavailable: as of `read_torch_file`.
    """
    _check_unpacked(file)
    tensors = unwrapped(_read_torch(file), file)
    n_bytes = sum(each.numel() * each.element_size() for each in tensors.values())
    limit = _MAX_SHARING * file.stat().st_size
    if n_bytes > limit:
        raise WeightsUnavailable("tensors-larger-than-file", file=file, n_bytes=n_bytes, limit_bytes=limit)
    return tensors


def _check_unpacked(file: Path) -> None:
    """Refuse a ZIP file that is larger when unpacked: PyTorch does not compress."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(entry.file_size for entry in archive.infolist())
    if n_bytes > file.stat().st_size:
        raise WeightsUnavailable("torch-file-compressed", file=file, n_bytes=n_bytes)


def _read_torch(file: Path) -> Any:  # Any: whatever was saved; `unwrapped` checks it
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        if "weights_only" in str(error) or "Weights only" in str(error):
            raise WeightsUnavailable("torch-file-with-code", file=file) from error
        raise WeightsUnavailable("torch-file-damaged", file=file, reason=type(error).__name__) from error


def _is_plain(value: object) -> bool:
    import torch

    return (
        isinstance(value, torch.Tensor) and value.layout == torch.strided and not (value.is_quantized or value.is_meta)
    )


_MAX_BYTES = 8 * 10**9  # 2,000 million numbers in float32
_MAX_NAMES = 3  # tensors in a message
_TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_KERAS_SUFFIXES = (".h5", ".hdf5")


def read_checkpoint(file: Path) -> Tensors:
    """Return the named tensors of a safetensors file, of a PyTorch file with tensors only, or of Keras's HDF5.

    Raises:
        WeightsUnavailable: the file has another format, is damaged, needs code to be run, or holds NaN or infinity.
    """
    if not file.is_file():
        raise WeightsUnavailable("no-such-weights-file", file=file)
    _check_length(file)
    suffix = file.suffix.lower()
    if suffix == ".safetensors":
        return _finite(unwrapped(_read_safetensors(file), file), file)
    if suffix in _TORCH_SUFFIXES:
        return _finite(read_torch_file(file), file)
    if suffix in _KERAS_SUFFIXES:
        return _finite(read_keras(file), file)
    raise WeightsUnavailable("weights-format-unknown", file=file, suffix=suffix, torch=", ".join(_TORCH_SUFFIXES))


def _read_safetensors(file: Path) -> Tensors:
    import safetensors.torch

    try:
        return safetensors.torch.load(file.read_bytes())  # a memory map fails if the file shrinks
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsUnavailable("safetensors-damaged", file=file, reason=str(error)) from error


def _check_length(file: Path) -> None:
    """Refuse a file that is too large, before it is read."""
    n_bytes = file.stat().st_size
    if n_bytes > _MAX_BYTES:
        raise WeightsUnavailable("weights-too-large", file=file, n_gb=n_bytes / 1e9, limit_gb=_MAX_BYTES / 1e9)


def _finite(tensors: Tensors, file: Path) -> Tensors:
    """Return the tensors if all their numbers are finite.

    Raises:
        WeightsUnavailable: a number is NaN, infinite, or too large for float32. The error names the first tensors.
    """
    broken = [name for name, each in tensors.items() if each.is_floating_point() and not each.float().isfinite().all()]
    if broken:
        tensors_named, n_more = ", ".join(broken[:_MAX_NAMES]), max(0, len(broken) - _MAX_NAMES)
        raise WeightsUnavailable("weights-not-finite", file=file, tensors=tensors_named, n_more=n_more)
    return tensors


if __name__ == "__main__":
    import torch  # noqa: F401  # before memory is limited

    sys.exit(answer(_read_plain, sys.argv[1:]))
