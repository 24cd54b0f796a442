"""Two-step transfer (chromosomes): from nothing, from ImageNet, and from ImageNet through the other dataset."""

from collections.abc import Iterable, Sequence

from coverslip.datasets import ClassPlan, open_dataset, with_classes
from coverslip.errors import BadRecipe
from coverslip.studies.plan import Changes
from coverslip.studies.presets.record import AMOUNTS, BARE, COMMON, EPOCH, SMALL_PER_CLASS, Dataset, Deviation, Preset


def _through_each_other(given: Sequence[Dataset], is_small: bool) -> list[Dataset]:
    """Two datasets, each with the other one to be pretrained on."""
    if len(given) != 2:
        raise BadRecipe("two-step-datasets", n_datasets=len(given))
    return [_through(other, target, is_small) for other, target in (given[::-1], given)]


def _through(first: Dataset, target: Dataset, is_small: bool) -> Dataset:
    # Whatever it is worth on its own images: with the network that it began with, it would be no step.
    recipe: Changes = {"group": first.get("group") or first.get("group_pattern"), "stage_selection": "finetune"}
    if classes := first.get("recipe", {}).get("classes"):
        recipe["classes"] = classes
    if is_small:
        recipe["split"] = {"train_per_class": SMALL_PER_CLASS}
    labels = _labels(_classes(first), _classes(target))
    init = {"train_on": first["path"][0], "recipe": recipe, "labels": labels}
    return {**target, "recipe": {**target.get("recipe", {}), "init": init}}


def _classes(given: Dataset) -> list[str]:
    """As they are called for training: some may have been put together, renamed or left out."""
    plan = ClassPlan.model_validate(given.get("recipe", {}).get("classes", {}))
    return list(with_classes(open_dataset(given["path"][0]), plan).classes)


def _labels(first: Iterable[str], target: Iterable[str]) -> dict[str, str]:
    """Classes that are one but for capitals and leading zeros: what the first step calls them, and the second."""
    called = {_plain(name): name for name in target}
    return {name: called[_plain(name)] for name in first if _plain(name) in called and called[_plain(name)] != name}


def _plain(name: str) -> str:
    return name.casefold().lstrip("0") or "0"


TWO_STEP = Preset(
    name="two-step",
    title="from nothing, from ImageNet, and from ImageNet through another dataset",
    citation=(
        "Chen, Xie, Zhang et al. 2026, ImageNet pre-training and two-step transfer learning in "
        "chromosome image classification, Scientific Reports 16, 7572"
    ),
    page="papers/chromosomes_two_step.md",
    models=(
        "mobilenet_v3_large",
        "vgg16_bn",
        "vgg19_bn",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnext50_32x4d",
        "resnext101_32x16d",
        "convnext_tiny",
        "swin_t",
        "vit_small_patch16_224",
    ),
    small_models=("mobilenet_v2", "efficientnet_lite0"),
    regimes=("imagenet", "scratch", {"name": "two-step", "recipe": {}}),  # as its dataset says
    baseline="imagenet",
    small_baseline="imagenet",
    recipe={
        "head": "native",
        "tta": 1,
        "image_size": 256,
        "resize": "pad",
        "pad_colour": "black",
        "augment": "chromosomes",
        "batch_norm": "learn",
        "epochs": 80,
        "patience": None,
        "batch_size": 32,
        "optimizer": "adam-then-sgd",
        "learning_rate": 1e-4,
        "sgd_learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "schedule": "constant",
        "warmup": 0,
        "split": {"val": 0.2},
    },
    arrange=_through_each_other,
    as_published=BARE,
    deviations=(
        *COMMON,
        EPOCH,
        AMOUNTS,
        Deviation(
            "Batch size, learning rates and the change to SGD stand in a supplement only: 32, .0001 and .001, half way."
        ),
        Deviation(
            "The first step goes on from its best epoch on a split of its own, better than ImageNet there or not; the "
            "paper does not say from which."
        ),
        Deviation("Images of the first step that are copies of tested ones are refused."),
    ),
)
