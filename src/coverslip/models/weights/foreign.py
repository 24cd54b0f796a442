"""Files of weights from other sources, as named tensors. No code in a file is ever run."""

from pathlib import Path

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.keras import read_keras
from coverslip.models.weights.source import Tensors
from coverslip.models.weights.torch_files import read_torch_file, unwrapped

_MOST_BYTES = 8 * 10**9  # 2,000 million numbers in float32
_NAMED = 3  # tensors in a message
_TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_KERAS_SUFFIXES = (".h5", ".hdf5")


def read_checkpoint(file: Path) -> Tensors:
    """Return the named tensors of a safetensors file, of a PyTorch file that holds nothing else, or of Keras's HDF5.

    Raises:
        WeightsUnavailable: it is neither, is damaged, would need code to be run, or holds NaN or infinity.
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
        return safetensors.torch.load(file.read_bytes())  # a map of a file that is cut meanwhile ends the process
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsUnavailable("safetensors-damaged", file=file, reason=str(error)) from error


def _check_length(file: Path) -> None:
    """Refuse by the length, before anything is read."""
    n_bytes = file.stat().st_size
    if n_bytes > _MOST_BYTES:
        raise WeightsUnavailable("weights-too-large", file=file, n_gb=n_bytes / 1e9, limit_gb=_MOST_BYTES / 1e9)


def _finite(tensors: Tensors, file: Path) -> Tensors:
    """Return the same tensors.

    Raises:
        WeightsUnavailable: a number is NaN or infinite, or too large for float32; the first tensors are named.
    """
    broken = [name for name, each in tensors.items() if each.is_floating_point() and not each.float().isfinite().all()]
    if broken:
        tensors_named, n_more = ", ".join(broken[:_NAMED]), max(0, len(broken) - _NAMED)
        raise WeightsUnavailable("weights-not-finite", file=file, tensors=tensors_named, n_more=n_more)
    return tensors
