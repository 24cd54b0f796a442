"""Read a weight file in a separate process with limits of time and memory: the file may be written to keep it busy."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from coverslip.errors import WeightsUnavailable
from coverslip.messages import failure, failure_of
from coverslip.models.zoo import Tensors
from coverslip.processes import (
    answer_in,
    confined_environment,
    limit_memory,
    limit_processor_time,
    prefer_for_oom_kill,
    write_answer,
)

_SECONDS = 120  # of processor time
_WALL_CLOCK_FACTOR = 10  # wall-clock limit per second of processor time: other programs may need the processor
_BYTES = 500_000_000  # memory limit in addition to three times the file size
_REFUSED = 3  # exit code of the reading process


def read_apart(module: str, file: Path) -> Tensors:
    """Return the tensors of a file, in its order, from a process that runs `python -m MODULE FILE OUT`.

    Args:
        module: calls `answer` when it is run.
        file: to be read.

    Raises:
        WeightsUnavailable: the process refuses the file, or exceeds the limits.
    """
    import safetensors.torch

    with tempfile.TemporaryDirectory(prefix="coverslip-") as folder:
        out = Path(folder) / "tensors.safetensors"
        command = [sys.executable, "-P", "-m", module, str(file.resolve()), str(out)]
        seconds = _WALL_CLOCK_FACTOR * _SECONDS
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=seconds, env=confined_environment(), check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _beyond_limits(file) from error
        if done.returncode == _REFUSED:
            refusal = failure_of(answer_in(done.stdout))
            raise WeightsUnavailable.of(replace(refusal, file=str(file)))
        if done.returncode:
            raise _beyond_limits(file)
        tensors = safetensors.torch.load(out.read_bytes())
        return {name: tensors[name] for name in answer_in(done.stdout)}


def _beyond_limits(file: Path) -> WeightsUnavailable:
    limit_gb = (_BYTES + 3 * file.stat().st_size) / 1e9
    return WeightsUnavailable("weights-beyond-limits", file=file, seconds=_SECONDS, memory_gb=limit_gb)


def answer(read: Callable[[Path], Tensors], arguments: list[str]) -> int:
    """Read a file within the limits and write its tensors; print their names, or the reason of a refusal, as JSON.

    Args:
        read: may raise WeightsUnavailable. What it imports should be imported before, because memory is limited.
        arguments: the file, and the file to write.
    """
    import safetensors.torch

    file, out = map(Path, arguments)
    prefer_for_oom_kill()
    limit_memory(_BYTES + 3 * file.stat().st_size)
    limit_processor_time(_SECONDS)
    try:
        tensors = read(file)
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
