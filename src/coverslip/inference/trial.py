"""Whether the network of a classifier can be built with little, tried in a process that may be killed over it.

Options of a network can make libraries compute for minutes, or fill the memory, before they refuse them. A classifier
without options is built as its library means it, and not tried.

Run as `python -m coverslip.inference.trial`: what is to be built comes by stdin, what came of it goes to stdout.
"""

import json
import subprocess
import sys

from coverslip._version import __version__
from coverslip.cache import RECORDS, Kind, RecordStore, register
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
from coverslip.runs import PackedClassifier

TRIALS = register(Kind("network-trials", "classifiers' networks that were built within limits", RECORDS, 10**7))

_SECONDS, _BYTES = 60, 2_000_000_000
_PATIENCE = 10  # times as long, by the clock: other programs may need the processor


def check_buildable(packed: PackedClassifier) -> None:
    """Build the network's shapes in a process of its own; what could be built once is not tried again.

    Raises:
        BadClassifier: it cannot be built, or takes more time or memory than it may.
    """
    card = packed.card
    if not card.model_options:
        return
    record = model_info(card.model)
    if not record.builder.startswith(("timm:", "torchvision:", "coverslip.")):
        return  # networks that this process registered itself are not known to others
    question = {
        "model": card.model,
        "n_classes": len(card.classes),
        "head": card.head,
        "channels": card.preprocessing.channels,
        "options": card.model_options,
        "image_size": card.preprocessing.image_size if record.is_sized else None,
    }
    key = sha256_json([question, __version__])
    with RecordStore(TRIALS, "all") as store:
        if key in store.find([key]):
            return
        reason = _tried(question)
        if reason is not None:
            raise BadClassifier("network-build-refused", file=packed.path, reason=reason)
        store.keep({key: b""})


def _tried(question: Json) -> str | None:
    """Why it cannot be built; None where it can."""
    gigabytes = _BYTES / 1e9
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps({**question, "seconds": _SECONDS}).encode(),
            capture_output=True,
            timeout=_PATIENCE * _SECONDS,
            env=confined_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return text("network-build-too-slow", seconds=_SECONDS, gigabytes=gigabytes)
    try:
        why: str | None = answer_in(done.stdout)["why"]
    except (ValueError, TypeError, KeyError):
        return text("network-build-ended", exit_code=str(done.returncode), seconds=_SECONDS, gigabytes=gigabytes)
    return why


def main() -> int:
    """Try it, and say what came of it."""
    write_answer({"why": _why_not(json.load(sys.stdin))})
    return 0


def _why_not(question: Json) -> str | None:
    prefer_for_oom_kill()
    limit_memory(_BYTES)
    limit_processor_time(question.pop("seconds"))
    from coverslip.models.networks import create_network
    from coverslip.models.shapes import shapes_only

    try:
        with shapes_only():
            create_network(question.pop("model"), pretrained=False, **question)
    except CoverslipError as error:
        return error.what
    except Exception as error:  # noqa: BLE001 - another library's code, run with unchecked values
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


if __name__ == "__main__":
    sys.exit(main())
