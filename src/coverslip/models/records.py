"""Records of networks and of their options: pure data, no torch.

The records themselves are in `coverslip.models.zoo`; `coverslip.models.catalogue` selects among them.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from coverslip.errors import BadRecipe
from coverslip.keys import Option
from coverslip.messages import text

PAPERS = {
    "mobilevit_mn": "Wei et al., An efficient cell micronucleus classification network (MobileViT-MN)",
    "aimic": "Liu et al. 2022, AIMIC: deep learning for microscopic image classification",
    "mobincep": "Tran et al., Multi-domain learning CNN model for microscopy image classification (Mobincep)",
    "efficientnetv2_b0": "Kakumani & Padma Sree, Breast cancer cells in fluorescence images (EfficientNetV2-B0)",
    "chromosomes": "Two-step transfer learning between Q-band and G-band chromosomes",
}
"""The papers whose comparisons the zoo covers; named as in `augment: NAME`."""

BACKBONE = "backbone"
"""The last boundary of every network: everything but the head is frozen."""


class Normalization(NamedTuple):
    """What images in [0, 1] are normalized by, one number per channel: (x - mean) / std."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
HALVES = Normalization(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # pixels from -1 to 1
UNCHANGED = Normalization(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """One entry of the zoo. Counts are with the 1000-class native head, without auxiliary heads, at `input_px`.

    `builder` is `timm:NAME`, `torchvision:NAME`, or `module:Class` of an architecture of one's own: that class takes
    `n_classes`, `channels` and its options by name, all with defaults, and its networks have `reset_classifier`, which
    with 0 leaves pooled features.

    `freeze_boundaries` maps what users may pass to `freeze_to`, earliest first, to the last module that stays as it
    is; the empty path is the whole network without its head.

    `taps` are the modules whose output the `multi_layer` head reads, as patterns in which `*` is one part of a
    dotted name; empty takes the ends of the stages that timm names.

    Raises:
        ValueError: only one of `weights_of` and `transfer` is there.
    """

    name: str
    title: str  # as people write it
    family: str
    paper: str  # of the architecture
    papers: tuple[str, ...] = ()  # keys of PAPERS: who compares it
    builder: str
    builder_options: Mapping[str, Any] = field(default_factory=dict, hash=False)  # Any: the builder's; not for recipes
    options: tuple[Option, ...] = ()  # for recipes (`model_options`), of an architecture of one's own
    input_px: int
    is_sized: bool = False  # built for one image size; others take what comes
    side_multiple: int = 1  # what divides the sides of its images: a vision transformer's patches
    normalization: Normalization  # that the weights were trained with
    weights: str | None  # where ImageNet weights come from; None: there are none
    weights_file: str | None = None  # pretrained weights that nothing fetches: what to import, and where it is
    weights_of: str | None = None  # the model whose weights move in where this one has none of its own
    transfer: str | None = None  # module:function that moves them: (network, tensors) -> names of tensors left alone
    license: str | None  # of the weights
    freeze_boundaries: Mapping[str, str] = field(hash=False)
    heatmap_layer: str
    taps: tuple[str, ...] = ()
    parameters: int
    macs: int | None  # multiply-accumulates of one image: convolutions, linear layers, products of attention
    conv_linear_weights_x2: int | None  # twice the weights of convolutions and linear layers: some papers' "FLOPs"

    def __post_init__(self) -> None:
        if (self.weights_of is None) != (self.transfer is None):
            raise ValueError(f"'{self.name}' needs both weights_of and transfer, or neither")

    @property
    def timm_name(self) -> str | None:
        """What timm calls it, with the tag of its weights; None where timm does not build it."""
        return self._name_in("timm")

    @property
    def torchvision_name(self) -> str | None:
        """What torchvision calls it; None where torchvision does not build it."""
        return self._name_in("torchvision")

    def _name_in(self, library: str) -> str | None:
        kind, _, name = self.builder.partition(":")
        return name if kind == library else None


def refuse_options(options: dict[str, Any], ours: Collection[str]) -> None:  # Any: the architecture checks them
    """Raise if options would undo what coverslip decides itself.

    Raises:
        BadRecipe: some would.
    """
    if refused := sorted(set(ours) & set(options)):
        raise BadRecipe("reserved-model-option", option=", ".join(refused))


def check_declared(record: ModelRecord, options: Mapping[str, Any]) -> None:  # Any: checked here
    """Whether an architecture of one's own takes these, by its record alone: nothing is built and torch not loaded.

    Options of timm's and torchvision's networks are known to those libraries, which refuse what does not fit.

    Raises:
        BadRecipe: there is no such option, or a value does not fit; all faults at once.
    """
    if record.timm_name is not None or record.torchvision_name is not None:
        return
    options_by_name = {option.name: option for option in record.options}
    faults = [
        (
            f"model_options.{name}",
            options_by_name[name].fault_in(value) if name in options_by_name else text("no-such-model-option"),
        )
        for name, value in options.items()
    ]
    invalid = [(key, fault) for key, fault in faults if fault is not None]
    if invalid:
        raise BadRecipe(
            "invalid-model-options",
            faults=invalid,
            reasons="; ".join(f"{key}: {fault}" for key, fault in invalid),
            model=record.name,
            has_options=bool(options_by_name),
            options=", ".join(options_by_name),
        )


def options_do_not_fit(record: ModelRecord, error: Exception) -> BadRecipe:
    """Return the error for options with which an architecture cannot be built or run."""
    name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if name is None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return BadRecipe("model-options-not-accepted", model=record.name, reason=reason)
    return BadRecipe("model-option-not-accepted", model=record.name, option=name[1])
