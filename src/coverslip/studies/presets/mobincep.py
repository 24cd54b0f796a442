"""Mobincep (Tran, Meunier and Cheriet): with and without its loss, for one dataset and for all as one."""

from collections.abc import Sequence

from coverslip.studies.presets.record import USUAL_RECIPE, Dataset, Preset

_TABLES = (0.6, 0.2, 0.2)  # training, validation, test
_FIGURE_9 = ((0.2, 0.2, 0.6), (0.4, 0.2, 0.4))
_SCRATCH = {"init": "scratch"}
_MOBINCEP = "Mobincep"


def _of_ratios(datasets: Sequence[Dataset], *, is_small: bool, all_tables: bool) -> list[Dataset]:
    """Return each dataset and all datasets as one; for figure 9, Mobincep also with fewer training images."""
    with_merged: list[Dataset] = [*datasets]
    if len(datasets) > 1:
        with_merged.append({"parts": [*datasets], "name": "all as one"})
    of_tables = [_of_ratio(each, _TABLES) for each in with_merged]
    if is_small or not all_tables:
        return of_tables
    of_figure = [{**_of_ratio(each, ratio), "models": [_MOBINCEP]} for ratio in _FIGURE_9 for each in with_merged]
    return [*of_tables, *of_figure]


def _of_ratio(dataset: Dataset, ratio: tuple[float, float, float]) -> Dataset:
    train, val, test = ratio
    return {
        **dataset,
        "name": f"{dataset['name']} {train:.0%} {val:.0%} {test:.0%}".replace("%", ""),
        "recipe": {**dataset.get("recipe", {}), "split": {"val": val, "test": test}},
    }


MOBINCEP = Preset(
    name="mobincep",
    citation=("Tran, Meunier & Cheriet, Multi-domain learning CNN model for microscopy image classification"),
    page="papers/mobincep.md",
    models=(
        {"name": _MOBINCEP, "recipe": {"model": "mobincep", **_SCRATCH, "regularizer": {"groups": "kmeans"}}},
        {"name": "Mobincep, cross-entropy", "recipe": {"model": "mobincep", **_SCRATCH}},
        {"name": "MobileNetV2, scratch", "recipe": {"model": "mobilenet_v2", **_SCRATCH}},
        "vgg19",
        "googlenet",
        "resnet101",
        "inception_v3",
        "inception_resnet_v2",
    ),
    small_models=(
        {"name": _MOBINCEP, "recipe": {"model": "mobincep", **_SCRATCH, "regularizer": {"groups": "kmeans"}}},
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
        **USUAL_RECIPE,
        "dropout": "torchvision",
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
    protocol={"checkpoint_selection": "best"},
    shortcuts={"image-split": {}},
    own_models=(_MOBINCEP, "Mobincep, cross-entropy"),
    arrange=_of_ratios,
    deviations=(
        "deviation-duplicates-together",
        "deviation-augmentation-ranges",
        "deviation-mobincep-architecture",
        "deviation-mobincep-mobilenet",
        "deviation-auxiliary-heads",
    ),
    not_stated=(
        "epochs",
        "patience",
        "last_batch",
        "dropout",
        "weight_decay",
        "schedule",
        "normalization",
        "regularizer.spread_weight",
        "regularizer.scatter_weight",
        "seed",
    ),
)
