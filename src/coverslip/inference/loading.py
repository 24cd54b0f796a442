"""Building of the network of a packaged classifier within limits of time and memory."""

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
from coverslip.models.building import is_library_builder, same_random_numbers
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
    if not is_library_builder(record.builder):
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
            raise BadClassifier("network-build-refused", file=packed.place, reason=reason)
        store.keep({key: b""})


def _build_in_process(parameters: Json) -> str | None:
    """Return the reason why the network cannot be built, or None."""
    gigabytes = _BYTES / 1e9
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps(parameters).encode(),
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
    limit_processor_time(_SECONDS)
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


_NAMES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}

# Limits of a network while it is built, when it also has ImageNet's classifier and late blocks. The classifier is the
# largest part of AlexNet and VGG, so the limit includes the record's number of parameters, up to 200 million.
_FACTOR, _MORE_PARAMETERS, _MORE_NUMBERS, _MAX_RECORDED = 4, 1_000, 50_000_000, 200_000_000
# Errors of architectures for invalid options, in addition to the errors of coverslip.
_BUILD_ERRORS = (
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
    """Return the network with its weights, in evaluation mode.

    To limit the memory, weights are read only after their names and shapes were compared with the architecture.

    Raises:
        BadClassifier: the architecture is unknown, or the weights do not fit it.
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
    except (UnknownModel, BadRecipe, *_BUILD_ERRORS) as error:
        reason = error.what if isinstance(error, CoverslipError) else f"{type(error).__name__}: {error}".splitlines()[0]
        raise BadClassifier("network-build-failed", file=packed.place, reason=reason) from error
    if _dtypes_and_shapes(network) != {name: (tensor.dtype, tensor.shape) for name, tensor in packed.tensors.items()}:
        raise _do_not_fit(packed)
    weights = {name: torch.from_numpy(array.copy()) for name, array in packed.read_weights().items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise _do_not_fit(packed) from error
    return network.eval()


@contextmanager
def _no_larger_than(packed: PackedClassifier) -> Iterator[None]:
    """Abort the building of a network that is much larger than the weights: options can make it arbitrarily large."""
    max_parameters = _FACTOR * len(packed.tensors) + _MORE_PARAMETERS
    n_packed = sum(math.prod(tensor.shape) for tensor in packed.tensors.values())
    n_recorded = min(model_info(packed.card.model).parameters, _MAX_RECORDED)
    max_numbers = _FACTOR * n_packed + max(n_recorded, _MORE_NUMBERS)
    n_parameters = n_numbers = 0

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal n_parameters, n_numbers
        n_parameters += 1
        n_numbers += 0 if parameter is None else parameter.numel()
        if n_parameters > max_parameters or n_numbers > max_numbers:
            raise _do_not_fit(packed)

    # Called before a parameter is initialized, so that no memory is written for a huge parameter.
    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _check_ends(packed: PackedClassifier) -> None:
    """Check channels and classes before the network is built: large numbers in the card would make it huge."""
    ends = {name: packed.tensors[name].shape for name in ("mean", "head.bias") if name in packed.tensors}
    if ends != {"mean": (1, packed.card.preprocessing.channels, 1, 1), "head.bias": (len(packed.card.classes),)}:
        raise _do_not_fit(packed)


def _dtypes_and_shapes(network: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (_NAMES[tensor.dtype], tuple(tensor.shape)) for name, tensor in network.state_dict().items()}


def _do_not_fit(packed: PackedClassifier) -> BadClassifier:
    card = packed.card
    return BadClassifier(
        "classifier-weights-do-not-fit", file=packed.place, model=card.model, n_classes=len(card.classes)
    )
