"""PyTorch's files of weights, read by a process with limits of time and memory, which hands them on as safetensors.

Such a file is a program of its own small kind (pickle), whatever may be named in it: it can hold itself, or be written
to keep its reader busy.

Run as `python -m coverslip.models.weights.torch_files FILE OUT`.
"""

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from coverslip.errors import WeightsUnavailable
from coverslip.messages import failure, failure_of
from coverslip.models.weights.source import Tensors
from coverslip.processes import (
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
# Trainers save the weights beside their optimizer; DINO its teacher and its student, of which the teacher is used.
_WRAPPERS = ("state_dict", "model", "teacher", "student")
_BACKBONE, _HEAD = "backbone.", "head."  # how self-supervised training names what is kept of a network, and what not
# What only training needs: heads of self-supervised training, and of GoogLeNet and Inception half way up.
_TRAINING_ONLY = ("dino_head.", "ibot_head.", "aux1.", "aux2.", "AuxLogits.")


def read_torch_file(file: Path) -> Tensors:
    """Return the network's own tensors.

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
            refusal = failure_of(answer_in(done.stdout))
            raise WeightsUnavailable.of(replace(refusal, file=str(file)))
        if done.returncode:
            raise _beyond_limits(file)
        tensors = safetensors.torch.load(out.read_bytes())
        return {name: tensors[name] for name in answer_in(done.stdout)}  # in the file's order, not in that of names


def _beyond_limits(file: Path) -> WeightsUnavailable:
    most_gb = (_BYTES + 3 * file.stat().st_size) / 1e9
    return WeightsUnavailable("torch-file-beyond-limits", file=file, seconds=_SECONDS, memory_gb=most_gb)


def unwrapped(saved: Any, file: Path) -> Tensors:  # Any: whatever was saved
    """Return the network's own tensors: without what trainers put around them and what only training needs."""
    while isinstance(saved, dict):
        inner = next((saved[name] for name in _WRAPPERS if isinstance(saved.get(name), dict)), None)
        if inner is None:
            break
        saved = inner
    if not isinstance(saved, dict) or not saved:
        raise WeightsUnavailable("no-named-tensors", file=file)
    if strange := [str(name) for name, value in saved.items() if not (isinstance(name, str) and _is_plain(value))]:
        raise WeightsUnavailable("no-plain-tensors", file=file, names=", ".join(strange[:3]))
    tensors: Tensors = {name.removeprefix("module."): tensor for name, tensor in saved.items()}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(_TRAINING_ONLY)}
    inside = {name.removeprefix(_BACKBONE): each for name, each in tensors.items() if name.startswith(_BACKBONE)}
    has_only_heads_beside = all(name.startswith((_BACKBONE, _HEAD)) for name in tensors)
    return inside if inside and has_only_heads_beside else tensors


def _read_plain(file: Path) -> Tensors:
    """Return the network's own tensors of a PyTorch file, read in this process.

    Raises:
        WeightsUnavailable: as `read_torch_file`.
    """
    _check_unpacked(file)
    tensors = unwrapped(_read_torch(file), file)
    n_bytes = sum(each.numel() * each.element_size() for each in tensors.values())
    most = _MOST_SHARED * file.stat().st_size
    if n_bytes > most:
        raise WeightsUnavailable("tensors-larger-than-file", file=file, n_bytes=n_bytes, limit_bytes=most)
    return tensors


def _check_unpacked(file: Path) -> None:
    """Refuse a zip that would grow: PyTorch compresses nothing."""
    if not zipfile.is_zipfile(file):
        return
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(entry.file_size for entry in archive.infolist())
    if n_bytes > file.stat().st_size:
        raise WeightsUnavailable("torch-file-compressed", file=file, n_bytes=n_bytes)


def _read_torch(file: Path) -> Any:  # Any: whatever was saved; `_unwrapped` checks it
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


def main(file: Path, out: Path) -> int:
    """Read a file and write its tensors; their names, or a refusal, go to stdout as JSON."""
    import safetensors.torch

    prefer_for_oom_kill()
    limit_memory(_BYTES + 3 * file.stat().st_size)
    limit_processor_time(_SECONDS)
    try:
        tensors = _read_plain(file)
    except WeightsUnavailable as error:
        write_answer(asdict(error.failure))
        return _REFUSED
    try:
        safetensors.torch.save_file({name: each.detach().contiguous().clone() for name, each in tensors.items()}, out)
    except (OSError, safetensors.SafetensorError) as error:
        kind, folder = WeightsUnavailable.kind, str(out.parent)
        write_answer(asdict(failure("tensors-not-written", kind=kind, folder=folder, reason=str(error))))
        return _REFUSED
    write_answer(list(tensors))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
