"""Two-step transfer (chromosomes): random weights, ImageNet, and ImageNet with pretraining on the other dataset."""

from collections.abc import Iterable, Sequence

from coverslip.datasets import ClassPlan, open_dataset, with_classes
from coverslip.errors import BadRecipe
from coverslip.studies.plan import Changes
from coverslip.studies.presets.record import AMOUNTS, BARE, COMMON, EPOCH, SMALL_PER_CLASS, Dataset, Deviation, Preset


def _through_each_other(datasets: Sequence[Dataset], is_small: bool) -> list[Dataset]:
    """Return the two datasets, each with pretraining on the other dataset."""
    if len(datasets) != 2:
        raise BadRecipe("two-step-datasets", n_datasets=len(datasets))
    return [_through(first, target, is_small) for first, target in (datasets[::-1], datasets)]


def _through(first: Dataset, target: Dataset, is_small: bool) -> Dataset:
    # Always use the fine-tuned network: with the initial network, the first step would have no effect.
    recipe: Changes = {"group": first.get("group") or first.get("group_pattern"), "stage_selection": "finetune"}
    if classes := first.get("recipe", {}).get("classes"):
        recipe["classes"] = classes
    if is_small:
        recipe["split"] = {"train_per_class": SMALL_PER_CLASS}
    labels = _labels(_classes(first), _classes(target))
    init = {"train_on": first["path"][0], "recipe": recipe, "labels": labels}
    return {**target, "recipe": {**target.get("recipe", {}), "init": init}}


def _classes(dataset: Dataset) -> list[str]:
    """Return the names of the training classes, after merging, renaming and exclusion."""
    plan = ClassPlan.model_validate(dataset.get("recipe", {}).get("classes", {}))
    return list(with_classes(open_dataset(dataset["path"][0]), plan).classes)


def _labels(first: Iterable[str], target: Iterable[str]) -> dict[str, str]:
    """Return the names in the first step and in the target of classes that differ only in case and leading zeros."""
    target_names = {_plain(name): name for name in target}
    pairs = ((name, target_names.get(_plain(name))) for name in first)
    return {name: match for name, match in pairs if match is not None and match != name}


def _plain(name: str) -> str:
    return name.casefold().lstrip("0") or "0"


TWO_STEP = Preset(
    name="two-step",
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
    regimes=("imagenet", "scratch", {"name": "two-step", "recipe": {}}),  # defined by the dataset
    baseline="imagenet",
    small_baseline="imagenet",
    recipe={
        "head": "native",
        "tta": 1,
        "image_size": 256,
        "resize": "pad",
        "pad_color": "black",
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
        Deviation("deviation-two-step-optimizer"),
        Deviation("deviation-two-step-epoch"),
        Deviation("deviation-two-step-duplicates"),
    ),
)
