"""Weights from this machine into networks: every tensor exactly once, nothing missing, nothing left over."""

from typing import Any

import torch
from torch import nn

from coverslip.errors import WeightsUnavailable
from coverslip.messages import ShowModels, text
from coverslip.models._libraries import import_timm
from coverslip.models.weights.source import LocalWeights, Tensors

_NAMED = 3  # faults of each kind in a message
# PyTorch's complaint, and those of timm's translations where they meet names that they were not made for.
_MISFITS = (RuntimeError, KeyError, AttributeError, IndexError, ValueError)


def timm_network(timm_name: str, weights: LocalWeights, *, channels: int = 3, options: dict[str, Any]) -> nn.Module:
    """timm's network with these weights and the classifier that is among them.

    timm itself puts them in, as it does with those that it downloads: names that an architecture's authors gave are
    translated, positions fitted to another image size, the first layer to another number of channels.

    Args:
        timm_name: with or without a tag.
        weights: under timm's names, or those of the architecture's authors where timm knows them.
        channels: of the images.
        options: passed to timm (Any: timm checks them), such as `img_size`.

    Raises:
        WeightsUnavailable: a tensor is missing, left over or misshapen; the first are named.
        TypeError: timm knows no such option.
    """
    timm = import_timm()

    arguments = {"in_chans": channels, "num_classes": weights.n_classes, **options}
    try:
        network = _filled(timm_name, weights.tensors, arguments)
    except _MISFITS as error:
        plain: nn.Module = timm.create_model(timm_name, **arguments)
        if _is_equal(weights.tensors, plain.state_dict()):
            raise  # the fault is not the weights'
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
        "state_dict": dict(tensors),  # timm takes some out
        "num_classes": arguments["num_classes"],  # as many as the network has: then timm demands every tensor
        "label_offset": 0,
        "custom_load": False,
        "tag": "",  # for the tag of Inception-v3 timm lets tensors be missing
    }
    network: nn.Module = timm.create_model(timm_name, pretrained=True, pretrained_cfg=config, **arguments)
    stored_config: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]  # timm's untyped attribute
    del stored_config["state_dict"]  # else every copy of the network carries them
    return network


def _is_lenient(timm_name: str, tensors: Tensors, arguments: dict[str, Any]) -> bool:  # Any: timm checks them
    """Return whether timm ignores tensors that this architecture does not have, as it does for a few, such as DLA."""
    try:
        _filled(timm_name, {**tensors, "no.such.tensor": torch.zeros(1)}, arguments)
    except RuntimeError:
        return False
    return True


def load_exactly(network: nn.Module, weights: LocalWeights) -> None:
    """Weights into a network of another library or our own, which must take three channels.

    Its classifier is its last linear layer: it is loaded where it has as many classes, else left as it is.

    Raises:
        WeightsUnavailable: a tensor is missing, left over or misshapen; the first are named.
    """
    tensors, expected = weights.tensors, network.state_dict()
    head = {name for name in expected if name.startswith(f"{classifier_of(network)}.")}
    if _is_of_other_classes({name: tensors[name] for name in head if name in tensors}, expected, len(head)):
        tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
        expected = {name: tensor for name, tensor in expected.items() if name not in head}
    if not _is_equal(tensors, expected):
        raise misfit(LocalWeights(weights.model, tensors, weights.n_classes, weights.file), expected)
    network.load_state_dict(tensors, strict=False)  # all but the classifier was just compared


def check_numbers(weights: LocalWeights, expected: Tensors) -> None:
    """Whether weights that fit a network are numbers that it can compute with.

    Names need not be the network's, so a tensor of integers is compared with all of the network's of its kind, such as
    `bias`: indices and counters are whole numbers there too, or the network has none of that kind.

    Raises:
        WeightsUnavailable: there are integers in the place of fractions, or a batch norm's variance is below zero; the
            first are named.
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
    if negative:  # a network divides by the root, which is no number then
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
    """Return the error for weights that do not fit a network whose tensors are `expected`."""
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
    """Whether a classifier's tensors lack one, or differ from the wanted ones in the number of classes and only there.

    Args:
        tensors: the classifier's, as far as they are there.
        expected: those of the whole network.
        n_tensors: of the network's classifier.
    """
    is_other = len(tensors) < n_tensors or any(tensors[name].shape[:1] != expected[name].shape[:1] for name in tensors)
    return is_other and all(
        tensors[name].ndim and tensors[name].shape[1:] == expected[name].shape[1:] for name in tensors
    )


def _is_equal(tensors: Tensors, expected: Tensors) -> bool:
    return tensors.keys() == expected.keys() and all(tensors[name].shape == expected[name].shape for name in expected)


def _first(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or text("tensor-of-one-number")
