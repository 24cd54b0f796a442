"""What is known about a model without building it: the type of the zoo's records, and look-ups. No torch.

The records themselves stand in `coverslip.models.zoo`.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coverslip.errors import UnknownModel

if TYPE_CHECKING:
    from coverslip.models.weights import WeightsSource

PAPERS = {
    "mobilevit_mn": "Wei et al., An efficient cell micronucleus classification network (MobileViT-MN)",
    "aimic": "Liu et al. 2022, AIMIC: deep learning for microscopic image classification",
    "mobincep": "Tran et al., Multi-domain learning CNN model for microscopy image classification (Mobincep)",
    "efficientnetv2_b0": "Kakumani & Padma Sree, Breast cancer cells in fluorescence images (EfficientNetV2-B0)",
    "chromosomes": "Two-step transfer learning between Q-band and G-band chromosomes",
}
"""The papers whose comparisons the zoo covers; named as in `augment: NAME`."""

BACKBONE = "backbone"
"""The last boundary of every model: everything but the head is frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """One entry of the zoo. Counts are with the 1000-class native head, without auxiliary heads, at `input_px`.

    `builder` is `timm:NAME`, `torchvision:NAME`, or `module:Class` of an architecture of our own.

    `freeze_boundaries` maps what users may pass to `freeze_to`, earliest first, to the last module that stays as it
    is; the empty path is the whole network without its head.

    `taps` are the modules whose output the `pooled_stages` head reads, as patterns in which `*` is one part of a
    dotted name; empty takes the ends of the stages that timm names.
    """

    name: str
    family: str
    paper: str  # of the architecture
    papers: tuple[str, ...] = ()  # keys of PAPERS: who compares it
    builder: str
    input_px: int
    is_sized: bool = False  # built for one image size; others take what comes
    mean: tuple[float, ...] | None = None  # None: the builder knows
    std: tuple[float, ...] | None = None
    weights: str | None  # where ImageNet weights come from; None: there are none
    weights_of: str | None = None  # the model whose weights move in where this one has none of its own
    licence: str | None  # of the weights
    freeze_boundaries: Mapping[str, str] = field(hash=False)
    heatmap_layer: str
    taps: tuple[str, ...] = ()
    parameters: int
    macs: int | None  # multiply-accumulates of one image: convolutions, linear layers, products of attention
    conv_linear_weights_x2: int | None  # twice the weights of convolutions and linear layers: some papers' "FLOPs"

    @property
    def timm_name(self) -> str | None:
        """What timm calls it, with the tag of its weights; None where timm does not build it."""
        kind, _, name = self.builder.partition(":")
        return name if kind == "timm" else None


_RECORDS: dict[str, ModelRecord] = {}


def register(record: ModelRecord) -> None:
    """Add a model to the zoo.

    Raises:
        ValueError: the name is taken.
    """
    if record.name in _RECORDS:
        raise ValueError(f"there are two models named '{record.name}'")
    _RECORDS[record.name] = record


def registered_names() -> tuple[str, ...]:
    """Names of all registered models, as they were registered."""
    return tuple(_RECORDS)


def list_models() -> tuple[ModelRecord, ...]:
    """All registered models, those with weights at hand first, then by size."""
    return tuple(sorted(_RECORDS.values(), key=lambda r: (not has_weights(r), r.parameters)))


def select_models(
    *,
    paper: str | None = None,
    max_parameters: float | None = None,
    max_macs: float | None = None,
    at_hand: bool = False,
) -> tuple[ModelRecord, ...]:
    """The registered models that meet every demand, in the order of `list_models`.

    Args:
        paper: a key of `PAPERS`; models that this paper compares.
        max_parameters: at most so many, with the 1000-class head.
        max_macs: at most so many multiply-accumulates for one image of the model's own size.
        at_hand: pretrained weights are on this machine.

    Raises:
        UnknownModel: there is no such paper; the names are told.
    """
    if paper is not None and paper not in PAPERS:
        raise UnknownModel(f"There is no paper '{paper}'", do=f"The papers are {', '.join(PAPERS)}.")
    return tuple(
        record
        for record in list_models()
        if (paper is None or paper in record.papers)
        and (max_parameters is None or record.parameters <= max_parameters)
        and (max_macs is None or (record.macs is not None and record.macs <= max_macs))
        and (not at_hand or has_weights(record))
    )


def model_info(name: str) -> ModelRecord:
    """The record of a registered model, or of any of timm's as `timm/NAME` (this imports timm).

    Raises:
        UnknownModel: there is none of that name; the nearest is named.
    """
    if name in _RECORDS:
        return _RECORDS[name]
    if name.startswith("timm/"):
        from coverslip.models.timm_models import timm_record

        return timm_record(name)
    near = difflib.get_close_matches(name, _RECORDS, n=1, cutoff=0.4)
    raise UnknownModel(
        f"There is no model '{name}'" + (f" (did you mean '{near[0]}'?)" if near else ""),
        do="`coverslip models` lists all of them; any of timm's is `timm/NAME`.",
    )


def has_weights(record: ModelRecord) -> bool:
    """Whether pretrained weights are on this machine, without opening them."""
    from coverslip.models.weights import is_at_hand

    return is_at_hand(record.name) or (record.weights_of is not None and is_at_hand(record.weights_of))


def starting_weights(record: ModelRecord) -> "WeightsSource | None":
    """The weights that `init: imagenet` of a model takes, or takes what fits of; None: they are not on this machine.

    Raises:
        WeightsUnavailable: weights were imported, and what was written about them is damaged.
    """
    from coverslip.models.weights import weights_source

    found = weights_source(record.name)
    return weights_source(record.weights_of) if found is None and record.weights_of is not None else found


def describe_weights(name: str) -> dict[str, str | None]:
    """For the record of a training: `model`, `kind`, `source`, `licence` and `sha256` of the weights it starts from.

    Weights that are still to be fetched have no `sha256` yet, nor have those that torchvision keeps; their kind is
    `fetched`.

    Raises:
        UnknownModel: there is none of that name.
        WeightsUnavailable: weights were imported, and what was written about them is damaged.
    """
    record = model_info(name)
    found = starting_weights(record)
    if found is None:
        known = {"source": record.weights, "licence": record.licence, "sha256": None}
        return {"model": record.weights_of or name, "kind": "fetched", **known}
    known = {"source": found.source, "licence": found.licence, "sha256": found.sha256}
    return {"model": found.model, "kind": found.kind, **known}


def models_with_weights() -> Iterator[str]:
    """Names of the models whose pretrained weights are on this machine."""
    return (record.name for record in list_models() if has_weights(record))
