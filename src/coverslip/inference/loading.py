"""Building of the network of a packaged classifier within limits of time and memory."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from coverslip.errors import BadClassifier, BadRecipe, CoverslipError, UnknownModel
from coverslip.inference.trial import check_buildable
from coverslip.models import model_info
from coverslip.models.backbone import EXPECTED
from coverslip.models.building import same_random_numbers
from coverslip.models.networks import DTYPES, Network, create_network
from coverslip.runs.classifier import ClassifierCard, PackedClassifier, weights_do_not_fit

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
    try:
        check_buildable(packed)
        with _no_larger_than(packed), same_random_numbers():
            network = network_of(packed.card)
    except (UnknownModel, BadRecipe, *_BUILD_ERRORS) as error:
        reason = (
            error.message if isinstance(error, CoverslipError) else f"{type(error).__name__}: {error}".splitlines()[0]
        )
        raise BadClassifier("network-build-failed", file=packed.path, reason=reason) from error
    shapes = {name: (tensor.dtype, tensor.shape) for name, tensor in packed.tensors.items() if name != EXPECTED}
    if _dtypes_and_shapes(network) != shapes:
        raise weights_do_not_fit(packed)
    weights = {name: torch.from_numpy(array.copy()) for name, array in packed.read_weights().items() if name in shapes}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise weights_do_not_fit(packed) from error
    return network.eval()


def network_of(card: ClassifierCard) -> Network:
    """Return the network of a classifier with random weights."""
    return create_network(
        card.model,
        n_classes=len(card.classes),
        head=card.head,
        channels=card.preprocessing.channels,
        pretrained=False,
        options=card.model_options,
        image_size=card.preprocessing.image_size if model_info(card.model).is_sized else None,
    )


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
            raise weights_do_not_fit(packed)

    # Called before a parameter is initialized, so that no memory is written for a huge parameter.
    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _dtypes_and_shapes(network: nn.Module) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (DTYPES[tensor.dtype], tuple(tensor.shape)) for name, tensor in network.state_dict().items()}
