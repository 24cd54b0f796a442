"""The records of networks, and the table of all networks: those of `zoo.toml` and those of installed packages.

Nothing here imports torch. The counts in `zoo.toml` were computed with `coverslip.models.networks` from the built
networks, and a test computes them again.

A package adds networks through an entry point of the group `coverslip.models` that names a `ModelRecord`, or a tuple of
records. The module of the entry point must not import torch, because listing networks loads it.
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from coverslip.errors import BadRecipe, CoverslipError, UnknownModel
from coverslip.keys import Option
from coverslip.messages import ShowModels, text

if TYPE_CHECKING:
    import torch

# Types of the records of networks, options and weights, and the logits of a linear head.

PAPERS = {
    "mobilevit_mn": "Wei et al., An efficient cell micronucleus classification network (MobileViT-MN)",
    "aimic": "Liu et al. 2022, AIMIC: deep learning for microscopic image classification",
    "mobincep": "Tran et al., Multi-domain learning CNN model for microscopy image classification (Mobincep)",
    "efficientnetv2_b0": "Kakumani & Padma Sree, Breast cancer cells in fluorescence images (EfficientNetV2-B0)",
    "chromosomes": "Two-step transfer learning between Q-band and G-band chromosomes",
}
"""The papers whose comparisons the zoo covers, with the same names as `augment: NAME` of a recipe."""

BACKBONE = "backbone"
"""The last freeze boundary of every network: everything but the head is frozen."""


class Normalization(NamedTuple):
    """Normalization of images in [0, 1], with one number per channel: (x - mean) / std."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def for_channels(self, channels: int) -> "Normalization":
        """Return the numbers for so many channels: the means of all numbers if there are not as many already."""
        if len(self.mean) == channels:
            return self
        mean, std = (float(np.mean(numbers)) for numbers in self)
        return Normalization(channels * (mean,), channels * (std,))


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
HALVES = Normalization(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # pixels from -1 to 1
UNCHANGED = Normalization(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


_SMALLEST_FIRST_LOOK_PX = 96  # classifiers of smaller images are often much worse


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """The record of one network.

    To add a network, write its record in `zoo.toml`. If a package carries its weights, add the package in
    `weights/__init__.py`. Networks of other packages come through the entry point `coverslip.models`.

    Counts include the 1000-class native head but no auxiliary heads, at `input_px`.

    `builder` is `timm:NAME`, `torchvision:NAME`, or `module:Class` of another architecture. Such a class takes
    `n_classes`, `channels` and its options as keyword arguments, all with defaults. Its networks have the method
    `reset_classifier`, which with 0 leaves pooled features.

    `freeze_boundaries` maps the values of `freeze_to`, earliest first, to the last frozen module. The empty path is the
    whole network without its head.

    `taps` are the modules whose output the `multi_layer` head reads, as patterns in which `*` is one part of a dotted
    name. If empty, the ends of timm's stages are read.

    Raises:
        ValueError: only one of `weights_of` and `transfer` is set.
    """

    name: str
    title: str  # as in the literature
    family: str
    paper: str  # of the architecture
    papers: tuple[str, ...] = ()  # keys of PAPERS: papers that compare the network
    builder: str
    builder_options: Mapping[str, Any] = field(
        default_factory=dict, hash=False
    )  # Any: arguments of the builder; recipes cannot set them
    dropout: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict, hash=False
    )  # options of the builder, by the program whose dropout and stochastic depth they give
    options: tuple[Option, ...] = ()  # of an architecture of coverslip; in recipes: `model_options`
    input_px: int
    is_sized: bool = False  # built for one image size; other networks accept any size
    side_multiple: int = 1  # divisor of valid image sides: the patch size of a vision transformer
    normalization: Normalization  # with which the weights were trained
    weights: str | None  # source of the ImageNet weights; None: there are none
    weights_file: str | None = None  # weights that must be imported: which file, and where it is
    weights_of: str | None = None  # the model whose weights are transferred if this model has none
    transfer: str | None = None  # module:function that transfers them: (network, tensors) -> names of unchanged tensors
    license: str | None  # of the weights
    freeze_boundaries: Mapping[str, str] = field(hash=False)
    heatmap_layer: str
    taps: tuple[str, ...] = ()
    parameters: int
    macs: int | None  # multiply-accumulates of one image: convolutions, linear layers, products of attention
    conv_linear_weights_x2: int | None  # twice the weights of these layers: the "FLOPs" of some papers

    def __post_init__(self) -> None:
        if (self.weights_of is None) != (self.transfer is None):
            raise ValueError(f"'{self.name}' needs both weights_of and transfer, or neither")

    @property
    def first_look_px(self) -> int | None:
        """Half the side of the input, for a quick classifier; None: it needs larger images."""
        px = self.input_px // 2
        px -= px % self.side_multiple
        return None if self.is_sized or px < _SMALLEST_FIRST_LOOK_PX else px

    @property
    def timm_name(self) -> str | None:
        """The name in timm with the tag of the weights; None if timm does not build the network."""
        return self._name_in("timm")

    @property
    def torchvision_name(self) -> str | None:
        """The name in torchvision; None if torchvision does not build the network."""
        return self._name_in("torchvision")

    @property
    def is_of_library(self) -> bool:
        """Whether coverslip, timm or torchvision builds the network, so that its name stands for one architecture."""
        return self.builder.startswith(("timm:", "torchvision:", "coverslip."))

    def _name_in(self, library: str) -> str | None:
        prefix, _, name = self.builder.partition(":")
        return name if prefix == library else None


def refuse_options(options: dict[str, Any], reserved: Collection[str]) -> None:  # Any: the architecture checks them
    """Refuse options that coverslip sets itself.

    Raises:
        BadRecipe: an option is reserved.
    """
    if refused := sorted(set(reserved) & set(options)):
        raise BadRecipe("reserved-model-option", option=", ".join(refused))


def check_declared(record: ModelRecord, options: Mapping[str, Any]) -> None:  # Any: checked here
    """Check the options of an architecture of coverslip by its record alone, without building it or loading torch.

    timm and torchvision check the options of their networks themselves.

    Raises:
        BadRecipe: an option does not exist or a value is not valid. The error lists all faults.
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
    option = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if option is None:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return BadRecipe("model-options-not-accepted", model=record.name, reason=reason)
    return BadRecipe("model-option-not-accepted", model=record.name, option=option[1])


def linear_logits(
    features: npt.NDArray[np.float32], weight: npt.NDArray[np.floating], bias: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Return (n, K) logits of (n, D) features by (K, D) weights and (K,) biases, computed in double precision."""
    logits: npt.NDArray[np.float64] = features.astype(np.float64) @ weight.astype(np.float64).T + bias
    return logits


Tensors = dict[str, "torch.Tensor"]
Arrays = dict[str, npt.NDArray[Any]]  # Any: each tensor's own dtype
SourceKind = Literal["imported", "package", "hub"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSource:
    """The source of a model's pretrained weights on this machine."""

    model: str
    kind: SourceKind
    source: str  # package and version, name of the imported file, or repository on the hub
    license: str | None
    sha256: str  # of the published file
    file: Path
    normalization: Normalization  # that the weights expect


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """Pretrained weights in memory, for `coverslip.models.building`."""

    model: str
    tensors: Tensors
    n_classes: int  # of their classifier; 0: there is none
    file: Path  # for messages


# The table of all networks.

ENTRY_POINTS = "coverslip.models"
_NORMALIZATIONS = {"imagenet": IMAGENET, "halves": HALVES, "unchanged": UNCHANGED}


def register(record: ModelRecord) -> None:
    """Add a network for this process.

    Raises:
        ValueError: the name is already registered.
    """
    _add(_table(), record)


def registered(name: str) -> ModelRecord:
    """Return the record of a registered network.

    Raises:
        UnknownModel: no network has this name. The error gives the nearest name.
    """
    table = _table()
    if name in table:
        return table[name]
    nearest = next(iter(difflib.get_close_matches(name, table, n=1, cutoff=0.4)), "")
    remedies = (ShowModels(),)
    raise UnknownModel("no-such-model", remedies=remedies, name=name, nearest=nearest, has_nearest=bool(nearest))


def is_registered(name: str) -> bool:
    """Return whether a network is registered under this name."""
    return name in _table()


def network_title(name: str) -> str:
    """Return the title of a network; its name if no network is registered under it."""
    try:
        return registered(name).title
    except CoverslipError:  # the package of a network may also fail
        return name


def registered_models() -> tuple[ModelRecord, ...]:
    """Return all records, those of the zoo first.

    Raises:
        CoverslipError: the networks of another package cannot be loaded.
    """
    return tuple(_table().values())


@functools.cache
def _table() -> dict[str, ModelRecord]:
    table: dict[str, ModelRecord] = {}
    for record in _read_zoo():
        _add(table, record)
    for entry in entry_points(group=ENTRY_POINTS):
        _add_entry_point(table, entry)
    return table


def _read_zoo() -> Iterator[ModelRecord]:
    """Yield the records of `zoo.toml`."""
    families = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for family, shared in families.items():
        for name, network in shared.pop("networks").items():
            yield _record(name, family, shared | network)


def _record(name: str, family: str, values: dict[str, Any]) -> ModelRecord:  # Any: TOML
    """Return the record with these values of `zoo.toml`."""
    library, _, library_name = values["builder"].partition(":")
    license = values.get("license")
    defaults: dict[str, Any] = {
        "input_px": 224,
        "license": license,
        "weights": f"{library} {library_name}" if license else None,
    }
    boundaries = (boundary.partition("=") for boundary in values["freeze_boundaries"])
    converted: dict[str, Any] = {
        "normalization": _NORMALIZATIONS[values.get("normalization", "imagenet")],
        "freeze_boundaries": {each: module or each for each, _, module in boundaries} | {BACKBONE: ""},
        "options": tuple(Option(**_with_tuples(option)) for option in values.get("options", ())),
    }
    return ModelRecord(name=name, family=family, **defaults | _with_tuples(values) | converted)


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:  # Any: TOML
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _add(table: dict[str, ModelRecord], record: ModelRecord) -> None:
    if record.name in table:
        raise ValueError(f"there are two models named '{record.name}'")
    table[record.name] = record


def _add_entry_point(table: dict[str, ModelRecord], entry: EntryPoint) -> None:
    try:
        loaded = entry.load()
        for record in (loaded,) if isinstance(loaded, ModelRecord) else loaded:
            _add(table, record)
    except Exception as error:  # code of another package
        package = entry.dist.name if entry.dist else entry.value
        reason = f"{type(error).__name__}: {error}"
        raise CoverslipError("models-of-package-unreadable", package=package, reason=reason) from error
