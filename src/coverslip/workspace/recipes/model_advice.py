"""The zoo as people choose from it: what each network costs beside the default one, in plain words."""

from contextlib import suppress
from dataclasses import dataclass

from coverslip.errors import WeightsUnavailable
from coverslip.models import ModelRecord, has_weights, list_models, model_info, starting_weights
from coverslip.runs import Recipe

_TITLES = {
    "alexnet": "AlexNet",
    "convnext_tiny": "ConvNeXt Tiny",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "efficientnet_lite1": "EfficientNet-Lite1",
    "efficientnet_lite2": "EfficientNet-Lite2",
    "efficientnetv2_b0": "EfficientNetV2-B0",
    "googlenet": "GoogLeNet",
    "inception_resnet_v2": "Inception-ResNet v2",
    "inception_v3": "Inception v3",
    "mobilenet_v1": "MobileNet v1",
    "mobilenet_v2": "MobileNet v2",
    "mobilenet_v3_large": "MobileNet v3 Large",
    "mobilevit_mn": "MobileViT-MN",
    "mobilevit_xxs": "MobileViT-XXS",
    "mobincep": "Mobincep",
    "nasnet_mobile": "NASNet Mobile",
    "resnet101": "ResNet-101",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnext101_32x16d": "ResNeXt-101 32×16d",
    "resnext50_32x4d": "ResNeXt-50 32×4d",
    "shufflenet_v2_x1_0": "ShuffleNet v2 ×1.0",
    "swin_t": "Swin Tiny",
    "vgg16": "VGG-16",
    "vgg16_bn": "VGG-16 with batch norm",
    "vgg19": "VGG-19",
    "vgg19_bn": "VGG-19 with batch norm",
    "vit_small_patch16_224": "ViT Small, patches of 16",
}


@dataclass(frozen=True, slots=True)
class AdvisedModel:
    """A network with what to know before choosing it."""

    name: str
    title: str
    family: str
    paper: str | None
    parameters: int
    macs: int | None
    input_px: int
    weights_at_hand: bool
    licence: str | None
    advice: str
    is_recommended: bool


def advised_models() -> list[AdvisedModel]:
    """All networks of the zoo: the default first, then those with weights at hand, then by size."""
    default = Recipe().model
    found = [_advised(record, model_info(default)) for record in list_models()]
    return sorted(found, key=lambda model: model.name != default)


def _advised(record: ModelRecord, default: ModelRecord) -> AdvisedModel:
    at_hand = has_weights(record)
    return AdvisedModel(
        name=record.name,
        title=_TITLES.get(record.name, record.name),
        family=record.family,
        paper=record.paper,
        parameters=record.parameters,
        macs=record.macs,
        input_px=record.input_px,
        weights_at_hand=at_hand,
        licence=_licence(record),
        advice=_advice(record, default, at_hand=at_hand),
        is_recommended=record.name == default.name,
    )


def _licence(record: ModelRecord) -> str | None:
    """Of the weights that a training would take."""
    with suppress(WeightsUnavailable):  # damaged ones: the training says so
        found = starting_weights(record)
        return record.licence if found is None else found.licence
    return record.licence


def _advice(record: ModelRecord, default: ModelRecord, *, at_hand: bool) -> str:
    if record.name == default.name:
        start = "A good first choice: small, and quick also without a graphics card."
    else:
        start = f"{_cost(record, default)}, {_size(record, default)}."
    return f"{start} {_weights(record, at_hand=at_hand)}"


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


def _weights(record: ModelRecord, *, at_hand: bool) -> str:
    if at_hand:
        return "Its pretrained weights are on this computer."
    if record.weights is None:
        return "There are no pretrained weights for it: it must be trained from scratch, which takes many images."
    return "Its pretrained weights are not on this computer: it can be trained from scratch, or they are fetched first."
