"""The zoo as people choose from it: what each network costs beside the default one, in plain words."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.errors import WeightsUnavailable
from coverslip.keys import Option
from coverslip.models import ModelRecord, has_weights, list_models, model_info, starting_weights
from coverslip.runs import Recipe


@dataclass(frozen=True, slots=True)
class AdvisedModel:
    """A network with what to know before choosing it. Counts are with 1,000 classes, at its own image size."""

    name: str
    title: str
    family: str
    paper: str | None
    parameters: int
    macs: Annotated[int | None, Field(description="Multiply-accumulates of one image.")]
    input_px: int
    weights_available: bool
    licence: Annotated[str | None, Field(description="Of the weights.")]
    advice: str
    is_recommended: bool
    options: Annotated[tuple[Option, ...], Field(description="What `model_options` may set.")]
    takes_others: Annotated[bool, Field(description="Whether it takes further options, known to its library alone.")]
    parts: Annotated[list[str], Field(description="What `freeze_to` may name, the earliest first.")]


def advised_models() -> list[AdvisedModel]:
    """All networks of the zoo: the default first, then those with available weights, then by size."""
    default = Recipe().model
    advised = [_advised(record, model_info(default)) for record in list_models()]
    return sorted(advised, key=lambda model: model.name != default)


def _advised(record: ModelRecord, default: ModelRecord) -> AdvisedModel:
    is_available = has_weights(record)
    return AdvisedModel(
        name=record.name,
        title=record.title,
        family=record.family,
        paper=record.paper,
        parameters=record.parameters,
        macs=record.macs,
        input_px=record.input_px,
        weights_available=is_available,
        licence=_licence(record),
        advice=_advice(record, default, is_available=is_available),
        is_recommended=record.name == default.name,
        options=record.options,
        takes_others=record.timm_name is not None or record.torchvision_name is not None,
        parts=list(record.freeze_boundaries),
    )


def _licence(record: ModelRecord) -> str | None:
    """Of the weights that a training would take."""
    with suppress(WeightsUnavailable):  # damaged ones: the training says so
        weights = starting_weights(record)
        return record.licence if weights is None else weights.licence
    return record.licence


def _advice(record: ModelRecord, default: ModelRecord, *, is_available: bool) -> str:
    if record.name == default.name:
        start = "A good first choice: small, and quick also without a graphics card."
    else:
        start = f"{_cost(record, default)}, {_size(record, default)}."
    return f"{start} {_weights(record, is_available=is_available)}"


def _cost(record: ModelRecord, default: ModelRecord) -> str:
    if not record.macs or not default.macs:
        return "Its cost is not known"
    ratio = record.macs / default.macs
    if ratio > 1.25:
        return f"About {_times(ratio)} the computing of the recommended network"
    if ratio < 0.8:
        return f"About {100 * ratio:.0f} % of the computing of the recommended network"
    return "About as much computing as the recommended network"


def _size(record: ModelRecord, default: ModelRecord) -> str:
    ratio = record.parameters / default.parameters
    if ratio > 1.25:
        return f"{_times(ratio)} its size"
    if ratio < 0.8:
        return f"{100 * ratio:.0f} % of its size"
    return "about its size"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio < 3 else f"{ratio:.0f} times"


def _weights(record: ModelRecord, *, is_available: bool) -> str:
    if is_available:
        return "Its pretrained weights are on this computer."
    if record.weights_file is not None:
        return f"Its pretrained weights are a file that you import: {record.weights_file}."
    if record.weights is None:
        return "There are no pretrained weights for it: it must be trained from scratch, which takes many images."
    return "Its pretrained weights are not on this computer: it can be trained from scratch, or they are fetched first."
