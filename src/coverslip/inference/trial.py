"""Check in a process with limits of time and memory whether the network of a classifier can be built.

Only networks with options are checked: options can make a network of any size. A network that was built once is not
checked again. Run as `python -m coverslip.inference.trial`, with a request on stdin and the answer on stdout.
"""

import json
import subprocess
import sys

from coverslip._version import __version__
from coverslip.cache.stores import Kind, RecordStore
from coverslip.errors import BadClassifier, CoverslipError
from coverslip.files import sha256_json
from coverslip.messages import text
from coverslip.models import model_info
from coverslip.processes import (
    Json,
    answer_in,
    confined_environment,
    limit_memory,
    limit_processor_time,
    prefer_for_oom_kill,
    write_answer,
)
from coverslip.runs.classifier import PackedClassifier

TRIALS = Kind("network-trials", bound_bytes=10**7)

_SECONDS, _BYTES = 60, 2_000_000_000
_WALL_CLOCK_FACTOR = 10  # wall-clock limit per second of processor time: other programs may need the processor


def check_buildable(packed: PackedClassifier) -> None:
    """Build the network on the meta device in a separate process; successes are recorded and not repeated.

    Raises:
        BadClassifier: the network cannot be built, or exceeds the limits of time or memory.
    """
    card = packed.card
    if not card.model_options:
        return
    record = model_info(card.model)
    if not record.is_of_library:
        return  # another process does not have the networks that this process registered
    parameters = {
        "model": card.model,
        "n_classes": len(card.classes),
        "head": card.head,
        "channels": card.preprocessing.channels,
        "options": card.model_options,
        "image_size": card.preprocessing.image_size if record.is_sized else None,
    }
    key = sha256_json([parameters, __version__])
    with RecordStore(TRIALS, "all") as store:
        if key in store.find([key]):
            return
        reason = _build_in_process(parameters)
        if reason is not None:
            raise BadClassifier("network-build-refused", file=packed.path, reason=reason)
        store.keep({key: b""})


def _build_in_process(parameters: Json) -> str | None:
    """Return the reason why the network cannot be built, or None."""
    gigabytes = _BYTES / 1e9
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps({**parameters, "seconds": _SECONDS}).encode(),
            capture_output=True,
            timeout=_WALL_CLOCK_FACTOR * _SECONDS,
            env=confined_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return text("network-build-too-slow", seconds=_SECONDS, gigabytes=gigabytes)
    try:
        reason: str | None = answer_in(done.stdout)["reason"]
    except (ValueError, TypeError, KeyError):
        return text("network-build-ended", exit_code=str(done.returncode), seconds=_SECONDS, gigabytes=gigabytes)
    return reason


def main() -> int:
    """Build the network with the parameters on stdin, and print the reason of a failure."""
    write_answer({"reason": _failure_reason(json.load(sys.stdin))})
    return 0


def _failure_reason(parameters: Json) -> str | None:
    prefer_for_oom_kill()
    limit_memory(_BYTES)
    limit_processor_time(parameters.pop("seconds"))
    from coverslip.models._libraries import shapes_only
    from coverslip.models.networks import create_network

    try:
        with shapes_only():
            create_network(parameters.pop("model"), pretrained=False, **parameters)
    except CoverslipError as error:
        return error.what
    except Exception as error:  # noqa: BLE001 - another library's code, run with unchecked values
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


if __name__ == "__main__":
    sys.exit(main())
