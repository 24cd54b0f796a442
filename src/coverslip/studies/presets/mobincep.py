"""Mobincep (Tran, Meunier and Cheriet): with and without its loss, three split proportions, one or all datasets."""

from collections.abc import Sequence

from coverslip.studies.presets.record import AMOUNTS, BARE, COMMON, Dataset, Deviation, Preset, classes_of

_RATIOS = ((0.6, 0.2, 0.2), (0.2, 0.2, 0.6), (0.4, 0.2, 0.4))  # training, validation, test
_SCRATCH = {"init": "scratch"}


def _of_ratios(datasets: Sequence[Dataset], is_small: bool) -> list[Dataset]:
    """Return each dataset and all datasets as one, at each proportion of training images, and leave-one-domain-out."""
    with_merged: list[Dataset] = [*datasets]
    if len(datasets) > 1:
        with_merged.append({"parts": [*datasets], "name": "all as one"})
    leave_one_out = {"parts": [*datasets], "name": "each left out", "by_domain": True}
    of_ratios = [
        {
            **each,
            "name": f"{each['name']} {train:.0%} {val:.0%} {test:.0%}".replace("%", ""),
            "recipe": {**each.get("recipe", {}), "split": {"val": val, "test": test}},
        }
        for train, val, test in (_RATIOS[:1] if is_small else _RATIOS)
        for each in with_merged
    ]
    return [*of_ratios, leave_one_out] if len(datasets) > 1 and _share_classes(datasets) else of_ratios


def _share_classes(datasets: Sequence[Dataset]) -> bool:
    """Return whether each dataset shares two classes or more with the others."""
    classes = [set(classes_of(each)) for each in datasets]
    return all(len(names & set().union(*(c for c in classes if c is not names))) > 1 for names in classes)


MOBINCEP = Preset(
    name="mobincep",
    citation=("Tran, Meunier & Cheriet, Multi-domain learning CNN model for microscopy image classification"),
    page="papers/mobincep.md",
    models=(
        {"name": "Mobincep", "recipe": {"model": "mobincep", **_SCRATCH, "regularizer": {"groups": "kmeans"}}},
        {"name": "Mobincep, cross-entropy", "recipe": {"model": "mobincep", **_SCRATCH}},
        {"name": "MobileNetV2, scratch", "recipe": {"model": "mobilenet_v2", **_SCRATCH}},
        "vgg19",
        "googlenet",
        "resnet101",
        "inception_v3",
        "inception_resnet_v2",
    ),
    small_models=(
        {"name": "Mobincep", "recipe": {"model": "mobincep", **_SCRATCH, "regularizer": {"groups": "kmeans"}}},
        {"name": "Mobincep, cross-entropy", "recipe": {"model": "mobincep", **_SCRATCH}},
        {"name": "MobileNetV2, scratch", "recipe": {"model": "mobilenet_v2", **_SCRATCH}},
        "efficientnet_lite0",
    ),
    folds=0,
    repeats=5,
    baseline="Mobincep, cross-entropy",
    small_baseline="Mobincep, cross-entropy",
    primary_metric="accuracy",
    recipe={
        "head": "native",
        "tta": 1,
        "image_size": 224,
        "resize": "stretch",
        "augment": "mobincep",
        "batch_size": 4,
        "epochs": 300,
        "patience": 30,
        "optimizer": "amsgrad",
        "learning_rate": 1e-4,
        "weight_decay": 0,
        "schedule": "constant",
        "warmup": 0,
        "regularizer": {"scatter": "sum"},
    },
    arrange=_of_ratios,
    as_published=BARE,
    deviations=(
        *COMMON,
        AMOUNTS,
        Deviation("deviation-mobincep-architecture"),
        Deviation("deviation-mobincep-mobilenet"),
    ),
    not_stated=(
        "epochs",
        "patience",
        "weight_decay",
        "schedule",
        "normalization",
        "regularizer.spread_weight",
        "regularizer.scatter_weight",
        "seed",
    ),
)
