"""PyTorch's files of weights, read by a process with limits of time and memory, which hands them on as safetensors.

Such a file is a program of its own small kind (pickle), whatever may be named in it: it can hold itself, or be written
to keep its reader busy.

Run as `python -m coverslip.models.weights.torch_files FILE OUT`.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from coverslip.errors import WeightsUnavailable
from coverslip.models.weights.source import Tensors
from coverslip.process_limits import (
    answer_in,
    confined_environment,
    limit_memory,
    limit_processor_time,
    prefer_for_oom_kill,
    write_answer,
)

_SECONDS = 120
_PATIENCE = 10  # times as long, by the clock: other programs may need the processor
_BYTES = 500_000_000  # beyond three times the file
_REFUSED = 3  # exit code of the process that reads
_MOST_SHARED = 2  # times that the file's numbers may be used: networks may have two layers with the same ones
# Trainers save the weights beside their optimiser; DINO its teacher and its student, of which the teacher is used.
_WRAPPERS = ("state_dict", "model", "teacher", "student")
_BACKBONE, _HEAD = "backbone.", "head."  # how self-supervised training names what is kept of a network, and what not
# What only training needs: heads of self-supervised training, and of GoogLeNet and Inception half way up.
_TRAINING_ONLY = ("dino_head.", "ibot_head.", "aux1.", "aux2.", "AuxLogits.")


def read_torch_file(file: Path) -> Tensors:
    """The network's own tensors.

    Raises:
        WeightsUnavailable: it is damaged, holds anything else, or takes more time or memory than it may.
    """
    import safetensors.torch

    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        out = Path(folder) / "tensors.safetensors"
        command = [sys.executable, "-P", "-m", __name__, str(file.resolve()), str(out)]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=_PATIENCE * _SECONDS, env=confined_environment(), check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _beyond_limits(file) from error
        if done.returncode == _REFUSED:
            refusal = answer_in(done.stdout)
            raise WeightsUnavailable(refusal["what"], file=file, do=refusal["do"])
        if done.returncode:
            raise _beyond_limits(file)
        tensors = safetensors.torch.load(out.read_bytes())
        return {name: tensors[name] for name in answer_in(done.stdout)}  # in the file's order, not in that of names


def _beyond_limits(file: Path) -> WeightsUnavailable:
    most = (_BYTES + 3 * file.stat().st_size) / 1e9
    return WeightsUnavailable(
        f"Reading the file failed or exceeded a limit: the limits are {_SECONDS} s of processor time and "
        f"{most:.1f} GB of memory",
        file=file,
        do="Download it again, or ask its author for a safetensors file.",
    )


def unwrapped(saved: Any, file: Path) -> Tensors:  # Any: whatever was saved
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


def _read_plain(file: Path) -> Tensors:
    """The network's own tensors of a PyTorch file, read in this process.

    Raises:
        WeightsUnavailable: as `read_torch_file`.
    """
    _check_unpacked(file)
    tensors = unwrapped(_read_torch(file), file)
    n_bytes = sum(each.numel() * each.element_size() for each in tensors.values())
    most = _MOST_SHARED * file.stat().st_size
    if n_bytes > most:
        raise WeightsUnavailable(
            f"The file's tensors would take {n_bytes:,} bytes; the limit is twice the file's size, {most:,}",
            file=file,
            do="Save each tensor whole: torch.save({name: tensor.clone() for name, tensor in "
            "network.state_dict().items()}, FILE).",
        )
    return tensors


def _check_unpacked(file: Path) -> None:
    """Refuse a zip that would grow: PyTorch compresses nothing."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(entry.file_size for entry in archive.infolist())
    if n_bytes > file.stat().st_size:
        raise WeightsUnavailable(
            f"The file would become {n_bytes:,} bytes when it is unpacked, more than it has",
            file=file,
            do="Save it with torch.save, which compresses nothing.",
        )


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


def _is_plain(value: object) -> bool:
    import torch

    return (
        isinstance(value, torch.Tensor) and value.layout == torch.strided and not (value.is_quantized or value.is_meta)
    )


def main(file: Path, out: Path) -> int:
    """Read a file and write its tensors; their names, or a refusal, go to stdout as JSON."""
    import safetensors.torch

    prefer_for_oom_kill()
    limit_memory(_BYTES + 3 * file.stat().st_size)
    limit_processor_time(_SECONDS)
    try:
        tensors = _read_plain(file)
    except WeightsUnavailable as error:
        write_answer({"what": error.what, "do": error.do})
        return _REFUSED
    try:
        safetensors.torch.save_file({name: each.detach().contiguous().clone() for name, each in tensors.items()}, out)
    except (OSError, safetensors.SafetensorError) as error:
        do = "Free some space in the folder for temporary files."
        write_answer({"what": f"The file's tensors could not be written to {out.parent}: {error}", "do": do})
        return _REFUSED
    write_answer(list(tensors))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
