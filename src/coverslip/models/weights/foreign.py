"""Files of weights from elsewhere, as named tensors. Nothing in a file is ever run."""

from pathlib import Path
from typing import Any

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.keras import read_keras
from coverslip.models.weights.source import Tensors

_TORCH_SUFFIXES = (".pth", ".pt", ".bin")
_KERAS_SUFFIXES = (".h5", ".hdf5")
# Trainers save the weights beside their optimiser; DINO its teacher and its student, of which the teacher is used.
_WRAPPERS = ("state_dict", "model", "teacher", "student")
_BACKBONE, _HEAD = "backbone.", "head."  # how self-supervised training names what is kept of a network, and what not
# What only training needs: heads of self-supervised training, and of GoogLeNet and Inception half way up.
_TRAINING_ONLY = ("dino_head.", "ibot_head.", "aux1.", "aux2.", "AuxLogits.")


def read_checkpoint(file: Path) -> Tensors:
    """The named tensors of a safetensors file, of a PyTorch file that holds nothing else, or of Keras's HDF5.

    Raises:
        WeightsUnavailable: it is neither, is damaged, would need code to be run, or holds NaN or infinity.
    """
    if not file.is_file():
        raise WeightsUnavailable("There is no such file", file=file, do="Give the file's whole name.")
    suffix = file.suffix.lower()
    if suffix == ".safetensors":
        return _finite(_unwrapped(_read_safetensors(file), file), file)
    if suffix in _TORCH_SUFFIXES:
        return _finite(_unwrapped(_read_torch(file), file), file)
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
        return safetensors.torch.load_file(file, device="cpu")
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsUnavailable(
            f"The file is damaged or no safetensors file: {error}", file=file, do="Download or export it again."
        ) from error


def _read_torch(file: Path) -> Any:  # Any: whatever was saved; `_unwrapped` checks it
    import torch

    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        if "weights_only" in str(error) or "Weights only" in str(error):
            raise WeightsUnavailable(
                "The file holds more than tensors and could run code when opened, so it was not opened",
                file=file,
                do="Ask its author for a safetensors file, or for the state_dict alone: "
                "torch.save(network.state_dict(), FILE).",
            ) from error
        raise WeightsUnavailable(
            f"The file is damaged or no PyTorch file ({type(error).__name__})", file=file, do="Download it again."
        ) from error


def _unwrapped(saved: Any, file: Path) -> Tensors:  # Any: whatever was saved
    """The network's own tensors: without what trainers put around them and what only training needs."""
    while isinstance(saved, dict):
        inner = next((saved[name] for name in _WRAPPERS if isinstance(saved.get(name), dict)), None)
        if inner is None:
            break
        saved = inner
    if not isinstance(saved, dict) or not saved:
        raise WeightsUnavailable("The file holds no named tensors", file=file, do="Save a network's state_dict().")
    if strange := [str(name) for name, value in saved.items() if not (isinstance(name, str) and _is_plain(value))]:
        raise WeightsUnavailable(
            f"Not everything in the file is a plain tensor: {', '.join(strange[:3])}",
            file=file,
            do="Save the network's state_dict() alone.",
        )
    kept: Tensors = {name.removeprefix("module."): tensor for name, tensor in saved.items()}
    kept = {name: tensor for name, tensor in kept.items() if not name.startswith(_TRAINING_ONLY)}
    inside = {name.removeprefix(_BACKBONE): each for name, each in kept.items() if name.startswith(_BACKBONE)}
    has_only_heads_beside = all(name.startswith((_BACKBONE, _HEAD)) for name in kept)
    return inside if inside and has_only_heads_beside else kept


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


def _is_plain(value: object) -> bool:
    import torch

    return (
        isinstance(value, torch.Tensor) and value.layout == torch.strided and not (value.is_quantized or value.is_meta)
    )
