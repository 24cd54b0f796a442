"""Files of weights from elsewhere, as named tensors. Nothing in a file is ever run."""

from pathlib import Path

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.keras import read_keras
from coverslip.models.weights.source import Tensors
from coverslip.models.weights.torch_files import read_torch_file, unwrapped

_MOST_BYTES = 8 * 10**9  # 2,000 million numbers in float32
_TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_KERAS_SUFFIXES = (".h5", ".hdf5")


def read_checkpoint(file: Path) -> Tensors:
    """The named tensors of a safetensors file, of a PyTorch file that holds nothing else, or of Keras's HDF5.

    Raises:
        WeightsUnavailable: it is neither, is damaged, would need code to be run, or holds NaN or infinity.
    """
    if not file.is_file():
        raise WeightsUnavailable("There is no such file", file=file, do="Give the file's whole name.")
    _check_length(file)
    suffix = file.suffix.lower()
    if suffix == ".safetensors":
        return _finite(unwrapped(_read_safetensors(file), file), file)
    if suffix in _TORCH_SUFFIXES:
        return _finite(read_torch_file(file), file)
    if suffix in _KERAS_SUFFIXES:
        return _finite(read_keras(file), file)
    raise WeightsUnavailable(
        f"'{suffix}' is no kind of file that weights are read from",
        file=file,
        do=f"Use .safetensors, a PyTorch file of plain tensors ({', '.join(_TORCH_SUFFIXES)}), or Keras's .h5.",
    )


def _read_safetensors(file: Path) -> Tensors:
    import safetensors.torch

    try:
        return safetensors.torch.load(file.read_bytes())  # a map of a file that is cut meanwhile ends the process
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsUnavailable(
            f"The file is damaged or no safetensors file: {error}", file=file, do="Download or export it again."
        ) from error


def _check_length(file: Path) -> None:
    """Refuse by the length, before anything is read."""
    n_bytes = file.stat().st_size
    if n_bytes > _MOST_BYTES:
        raise WeightsUnavailable(
            f"The file has {n_bytes / 1e9:.1f} GB, more than weights are expected to have: "
            f"the limit is {_MOST_BYTES / 1e9:g} GB",
            file=file,
            do="Save the network's state_dict() alone, without its optimiser.",
        )


def _finite(tensors: Tensors, file: Path) -> Tensors:
    """The same tensors.

    Raises:
        WeightsUnavailable: a number is NaN or infinite, or too large for float32; the first tensors are named.
    """
    broken = [name for name, each in tensors.items() if each.is_floating_point() and not each.float().isfinite().all()]
    if broken:
        more = f" and {len(broken) - 3:,} more" if len(broken) > 3 else ""
        raise WeightsUnavailable(
            f"Not every number in the file is finite: there is NaN or infinity in {', '.join(broken[:3])}{more}",
            file=file,
            do="Download it again; if you trained it yourself, take a state from before the loss became NaN.",
        )
    return tensors
