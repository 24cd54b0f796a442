"""Loading of weights into networks: every tensor exactly once, with an adapted first layer."""

from typing import Any

import torch
from torch import nn

from coverslip.errors import WeightsUnavailable
from coverslip.messages import ShowModels, text
from coverslip.models._libraries import import_timm
from coverslip.models.records import LocalWeights, Tensors

_MAX_NAMES = 3  # faults of each kind in a message
# Errors of PyTorch for tensors that do not fit, and of timm's translations for unexpected names.
_MISFITS = (RuntimeError, KeyError, AttributeError, IndexError, ValueError)


def timm_network(timm_name: str, weights: LocalWeights, *, channels: int = 3, options: dict[str, Any]) -> nn.Module:
    """Return timm's network with these weights, including their classifier.

    timm loads the weights as it loads downloaded weights: it translates the names of an architecture's authors, resizes
    position embeddings to another image size, and adapts the first layer to another number of channels.

    Args:
        timm_name: with or without a tag.
        weights: under timm's names, or names of the architecture's authors that timm translates.
        channels: of the images.
        options: passed to timm (Any: timm checks them), such as `img_size`.

    Raises:
        WeightsUnavailable: a tensor is missing, unknown, or has another shape. The error names the first ones.
        TypeError: timm does not have an option.
    """
    timm = import_timm()

    arguments = {"in_chans": channels, "num_classes": weights.n_classes, **options}
    try:
        network = _filled(timm_name, weights.tensors, arguments)
    except _MISFITS as error:
        plain: nn.Module = timm.create_model(timm_name, **arguments)
        if _is_equal(weights.tensors, plain.state_dict()):
            raise  # the weights are not the cause
        raise misfit(weights, plain.state_dict()) from error
    expected = network.state_dict()
    if weights.tensors.keys() != expected.keys() and _is_lenient(timm_name, expected, arguments):
        raise misfit(weights, expected)
    return network


def _filled(timm_name: str, tensors: Tensors, arguments: dict[str, Any]) -> nn.Module:  # Any: timm checks them
    timm = import_timm()

    pretrained_config = timm.get_pretrained_cfg(timm_name)
    config = {
        **(vars(pretrained_config) if pretrained_config else {}),
        "state_dict": dict(tensors),  # a copy, because timm removes entries
        "num_classes": arguments["num_classes"],  # as in the network: then timm requires every tensor
        "label_offset": 0,
        "custom_load": False,
        "tag": "",  # for the tag of Inception-v3 timm accepts missing tensors
    }
    network: nn.Module = timm.create_model(timm_name, pretrained=True, pretrained_cfg=config, **arguments)
    stored_config: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]  # timm's untyped attribute
    del stored_config["state_dict"]  # otherwise every copy of the network contains the weights
    return network


def _is_lenient(timm_name: str, tensors: Tensors, arguments: dict[str, Any]) -> bool:  # Any: timm checks them
    """Return whether timm ignores unknown tensors, as for a few architectures such as DLA."""
    try:
        _filled(timm_name, {**tensors, "no.such.tensor": torch.zeros(1)}, arguments)
    except RuntimeError:
        return False
    return True


def load_exactly(network: nn.Module, weights: LocalWeights) -> None:
    """Load weights into a network of torchvision or coverslip with three channels.

    The classifier, which is the last linear layer, is loaded only if the number of classes is equal.

    Raises:
        WeightsUnavailable: a tensor is missing, unknown, or has another shape. The error names the first ones.
    """
    tensors, expected = weights.tensors, network.state_dict()
    head = {name for name in expected if name.startswith(f"{classifier_of(network)}.")}
    if _is_of_other_classes({name: tensors[name] for name in head if name in tensors}, expected, len(head)):
        tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
        expected = {name: tensor for name, tensor in expected.items() if name not in head}
    if not _is_equal(tensors, expected):
        raise misfit(LocalWeights(weights.model, tensors, weights.n_classes, weights.file), expected)
    network.load_state_dict(tensors, strict=False)  # all tensors but the classifier were compared above


def adapt_channels(network: nn.Module, channels: int, *, is_trained: bool) -> None:
    """Adapt the first convolution of a network for three channels to another number of channels.

    If it is trained, one channel gets the sum of the three filters, which gives the response to a gray image repeated
    three times. More channels get the filters in turn, scaled to keep the size of the response (timm's
    `adapt_input_conv`). Otherwise the weights of every channel are drawn at random.
    """
    adapt_input_conv = import_timm().models.adapt_input_conv

    if channels == 3:
        return
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.in_channels = channels
    first.weight = nn.Parameter(adapt_input_conv(channels, first.weight.detach()))
    if not is_trained:
        first.reset_parameters()


def check_numbers(weights: LocalWeights, expected: Tensors) -> None:
    """Check that a network can compute with the numbers of weights that fit it.

    Names may differ from the network's, so a tensor of integers is compared with all tensors of its kind, such as
    `bias`. Indices and counters are integers in the network too, or the network has no tensor of that kind.

    Raises:
        WeightsUnavailable: there are integers instead of fractions, or the variance of a batch norm is negative. The
            error names the first tensors.
    """
    fractions = {_kind(name) for name, tensor in expected.items() if tensor.is_floating_point()}
    wrong = [
        name for name, tensor in weights.tensors.items() if not tensor.is_floating_point() and _kind(name) in fractions
    ]
    if wrong:
        dtype = str(weights.tensors[wrong[0]].dtype).removeprefix("torch.")
        raise WeightsUnavailable(
            "weights-no-fractions",
            file=weights.file,
            model=weights.model,
            dtype=dtype,
            n_wrong=len(wrong),
            n_tensors=len(weights.tensors),
            tensors=_first(wrong),
        )
    variances = {name: tensor for name, tensor in weights.tensors.items() if _kind(name) == "running_var"}
    negative = [name for name, variance in variances.items() if (variance < 0).any()]
    if negative:  # the network divides by the square root
        raise WeightsUnavailable(
            "weights-negative-variance",
            file=weights.file,
            model=weights.model,
            n_negative=len(negative),
            n_norms=len(variances),
            tensors=_first(negative),
        )


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def classifier_of(network: nn.Module) -> str:
    """Return the dotted name of a network's last linear layer."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]


def misfit(weights: LocalWeights, expected: Tensors) -> WeightsUnavailable:
    """Return the error for weights that do not fit a network with the tensors `expected`."""
    tensors = weights.tensors
    missing = [name for name in expected if name not in tensors]
    unknown = [name for name in tensors if name not in expected]
    misshapen = [
        text("tensor-shape", name=name, shape=_shape(tensors[name]), expected=_shape(expected[name]))
        for name in tensors
        if name in expected and tensors[name].shape != expected[name].shape
    ]
    return WeightsUnavailable(
        "weights-do-not-fit",
        file=weights.file,
        remedies=(ShowModels(),),
        model=weights.model,
        n_tensors=len(expected),
        misfits="; ".join(
            [
                *([text("tensors-missing", n=len(missing), names=_first(missing))] if missing else []),
                *([text("tensors-unknown", n=len(unknown), names=_first(unknown))] if unknown else []),
                *([text("tensors-misshapen", n=len(misshapen), names=_first(misshapen))] if misshapen else []),
            ]
        ),
    )


def _is_of_other_classes(tensors: Tensors, expected: Tensors, n_tensors: int) -> bool:
    """Return whether a classifier is incomplete or differs from the expected one in the number of classes only.

    Args:
        tensors: of the classifier, possibly incomplete.
        expected: tensors of the whole network.
        n_tensors: number of tensors of the network's classifier.
    """
    is_different = len(tensors) < n_tensors or any(
        tensors[name].shape[:1] != expected[name].shape[:1] for name in tensors
    )
    return is_different and all(
        tensors[name].ndim and tensors[name].shape[1:] == expected[name].shape[1:] for name in tensors
    )


def _is_equal(tensors: Tensors, expected: Tensors) -> bool:
    return tensors.keys() == expected.keys() and all(tensors[name].shape == expected[name].shape for name in expected)


def _first(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or text("tensor-of-one-number")
