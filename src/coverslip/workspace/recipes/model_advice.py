"""The zoo as people choose from it: what each network costs beside the default one, in plain words."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import WeightsUnavailable
from coverslip.keys import Option
from coverslip.models import ModelRecord, has_weights, list_models, model_info, starting_weights
from coverslip.runs import Recipe

PretrainedWeights = Literal["here", "download", "import", "none"]
_BYTES = 4  # of a parameter: weights are stored as float32


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
    weights: Annotated[
        PretrainedWeights,
        Field(
            description="here: on this computer; download: at first use; import: from a file; none: train from scratch."
        ),
    ]
    download_bytes: Annotated[int | None, Field(description="About what is downloaded at first use; else null.")]
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
    weights = _weights_of(record)
    return AdvisedModel(
        name=record.name,
        title=record.title,
        family=record.family,
        paper=record.paper,
        parameters=record.parameters,
        macs=record.macs,
        input_px=record.input_px,
        weights=weights,
        download_bytes=_download_bytes(record) if weights == "download" else None,
        licence=_licence(record),
        advice=_advice(record, default, weights),
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


def _weights_of(record: ModelRecord) -> PretrainedWeights:
    if has_weights(record):
        return "here"
    if record.weights is not None:
        return "download"
    return "none" if record.weights_file is None else "import"


def _download_bytes(record: ModelRecord) -> int:
    source = record if record.weights_of is None else model_info(record.weights_of)
    return _BYTES * source.parameters


def _advice(record: ModelRecord, default: ModelRecord, weights: PretrainedWeights) -> str:
    if record.name == default.name:
        start = "A good first choice: small, and quick also without a graphics card."
    else:
        start = f"{_cost(record, default)}, {_size(record, default)}."
    return f"{start} Import {record.weights_file}." if weights == "import" else start


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
