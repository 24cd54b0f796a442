"""Two-step transfer (chromosomes): random weights, ImageNet, and ImageNet with pretraining on another dataset."""

from collections.abc import Iterable, Sequence

from coverslip.errors import BadRecipe
from coverslip.studies.plan import Changes
from coverslip.studies.presets.record import SMALL_PER_CLASS, USUAL_RECIPE, Dataset, Preset, classes_of

# The recipe of each of two datasets has its pretraining.
_REGIMES: tuple[str | Changes, ...] = ("imagenet", "scratch", {"name": "two-step", "recipe": {}})
# The publication found larger gains on images of lower quality.
_DEGRADED: tuple[Changes, ...] = ({"blur": 2.0}, {"scale": 0.5}, {"noise": 0.1})


def _through_each_other(datasets: Sequence[Dataset], *, is_small: bool, all_tables: bool) -> list[Dataset]:
    """Return the datasets; of two datasets, each has pretraining on the other dataset.

    With all tables, they are also degraded in several ways.

    Degraded images are those for training and for testing. Pretraining uses the other dataset unchanged.
    """
    if len(datasets) < 2:
        raise BadRecipe("two-step-datasets", n_datasets=len(datasets))
    if len(datasets) > 2:
        return [*datasets]
    targets = [_through(first, target, is_small) for first, target in (datasets[::-1], datasets)]
    if not all_tables:
        return targets
    return [
        *targets,
        *(_degraded(target, change) for change in _DEGRADED[: 1 if is_small else None] for target in targets),
    ]


def _degraded(target: Dataset, change: Changes) -> Dataset:
    name = ", ".join(f"{key} {value:g}" for key, value in change.items())
    return {**target, "name": f"{target['name']}, {name}", "recipe": {**target["recipe"], "degrade": change}}


def _regimes_of(datasets: Sequence[Dataset], is_small: bool) -> tuple[str | Changes, ...]:
    """Return the initializations: with three datasets or more, there is a pretraining on each."""
    if len(datasets) == 2:
        return _REGIMES
    first_steps = (
        {"name": f"from {each['name']}", "two_step": each["path"][0], "recipe": _first_step(each, is_small)}
        for each in datasets
    )
    return (*_REGIMES[:-1], *first_steps)


def _through(first: Dataset, target: Dataset, is_small: bool) -> Dataset:
    labels = _labels(classes_of(first), classes_of(target))
    init = {"train_on": first["path"][0], "recipe": _first_step(first, is_small), "labels": labels}
    return {**target, "recipe": {**target.get("recipe", {}), "init": init}}


def _first_step(first: Dataset, is_small: bool) -> Changes:
    """Return the recipe keys of pretraining on a dataset."""
    # Always use the fine-tuned network: with the initial network, the first step would have no effect.
    recipe: Changes = {"group": first.get("group") or first.get("group_pattern"), "stage_selection": "finetune"}
    if classes := first.get("recipe", {}).get("classes"):
        recipe["classes"] = classes
    if is_small:
        recipe["split"] = {"train_per_class": SMALL_PER_CLASS}
    return recipe


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
    regimes=_REGIMES,
    baseline="imagenet",
    small_baseline="imagenet",
    recipe={
        **USUAL_RECIPE,
        "dropout": "torchvision",
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
        "nesterov": False,
        "weight_decay": 1e-4,
        "schedule": "constant",
        "warmup": 0,
    },
    protocol={"primary_metric": "accuracy", "checkpoint_selection": "best", "split": {"val": 0.2}},
    shortcuts={"image-split": {}, "test-epoch": {"checkpoint_selection_set": "test"}},
    own_models=("mobilenet_v3_large", "mobilenet_v2"),
    arrange=_through_each_other,
    regimes_of=_regimes_of,
    deviations=(
        "deviation-duplicates-together",
        "deviation-augmentation-ranges",
        "deviation-two-step-degraded",
        "deviation-two-step-epoch",
        "deviation-two-step-duplicates",
        "deviation-two-step-momentum",
        "deviation-training-share",
    ),
    not_stated=(
        "batch_size",
        "learning_rate",
        "sgd_from",
        "sgd_learning_rate",
        "nesterov",
        "last_batch",
        "dropout",
        "weight_decay",
        "schedule",
        "normalization",
        "seed",
    ),
)
