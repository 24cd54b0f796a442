"""A packaged classifier's card and weights become a network again."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from coverslip._version import __version__
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import BadClassifier, BadRecipe, CoverslipError, UnknownModel
from coverslip.files import sha256_json
from coverslip.messages import text
from coverslip.models import model_info
from coverslip.models.building import same_random_numbers
from coverslip.models.networks import Network, create_network
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
            raise BadClassifier("network-build-refused", file=packed.place, reason=reason)
        store.keep({key: b""})


def _tried(question: Json) -> str | None:
    """Why it cannot be built; None where it can."""
    gigabytes = _BYTES / 1e9
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps(question).encode(),
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
    limit_processor_time(_SECONDS)
    from coverslip.models._libraries import shapes_only
    from coverslip.models.networks import create_network

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


_NAMES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}

# What an architecture may have while it is built beyond what is kept of it: ImageNet's classes, late blocks. Of AlexNet
# and VGG the classifier is most, so up to 200 million numbers a network may be as large as it is known to be.
_FACTOR, _MORE_PARAMETERS, _MORE_NUMBERS, _MOST_KNOWN = 4, 1_000, 50_000_000, 200_000_000
# What options that make no sense to an architecture end in, besides the errors that are ours.
_SENSELESS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def load_network(packed: PackedClassifier) -> Network:
    """The network with its weights, in evaluation mode.

    The weights are read once they are known to be what the architecture needs: no more memory is taken than that.

    Raises:
        BadClassifier: the architecture is unknown here, or the weights do not fit it.
    """
    card = packed.card
    _check_ends(packed)
    try:
        check_buildable(packed)
        with _no_larger_than(packed), same_random_numbers():
            network = create_network(
                card.model,
                n_classes=len(card.classes),
                head=card.head,
                channels=card.preprocessing.channels,
                pretrained=False,
                options=card.model_options,
                image_size=card.preprocessing.image_size if model_info(card.model).is_sized else None,
            )
    except (UnknownModel, BadRecipe, *_SENSELESS) as error:
        reason = error.what if isinstance(error, CoverslipError) else f"{type(error).__name__}: {error}".splitlines()[0]
        raise BadClassifier("network-build-failed", file=packed.place, reason=reason) from error
    if _described(network) != {name: (tensor.dtype, tensor.shape) for name, tensor in packed.tensors.items()}:
        raise _do_not_fit(packed)
    weights = {name: torch.from_numpy(array.copy()) for name, array in packed.read_weights().items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise _do_not_fit(packed) from error
    return network.eval()


@contextmanager
def _no_larger_than(packed: PackedClassifier) -> Iterator[None]:
    """Ends the building of a network that outgrows the weights: options can make one of any size."""
    most_parameters = _FACTOR * len(packed.tensors) + _MORE_PARAMETERS
    n_kept = sum(math.prod(tensor.shape) for tensor in packed.tensors.values())
    n_known = min(model_info(packed.card.model).parameters, _MOST_KNOWN)
    most_numbers = _FACTOR * n_kept + max(n_known, _MORE_NUMBERS)
    n_parameters = n_numbers = 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal n_parameters, n_numbers
        n_parameters += 1
        n_numbers += 0 if parameter is None else parameter.numel()
        if n_parameters > most_parameters or n_numbers > most_numbers:
            raise _do_not_fit(packed)

    # Called before a parameter gets its first values, so that of a huge one no memory is touched.
    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _check_ends(packed: PackedClassifier) -> None:
    """Before a network is built: many classes or channels in the card would make it huge."""
    ends = {name: packed.tensors[name].shape for name in ("mean", "head.bias") if name in packed.tensors}
    if ends != {"mean": (1, packed.card.preprocessing.channels, 1, 1), "head.bias": (len(packed.card.classes),)}:
        raise _do_not_fit(packed)


def _described(network: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (_NAMES[tensor.dtype], tuple(tensor.shape)) for name, tensor in network.state_dict().items()}


def _do_not_fit(packed: PackedClassifier) -> BadClassifier:
    card = packed.card
    return BadClassifier(
        "classifier-weights-do-not-fit", file=packed.place, model=card.model, n_classes=len(card.classes)
    )
