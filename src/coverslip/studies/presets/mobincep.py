"""Mobincep (Tran, Meunier and Cheriet): its loss on and off, three shares of training images, one set or all."""

from collections.abc import Sequence

from coverslip.datasets import open_dataset
from coverslip.studies.presets.record import AMOUNTS, BARE, COMMON, Dataset, Deviation, Preset

_RATIOS = ((0.6, 0.2, 0.2), (0.2, 0.2, 0.6), (0.4, 0.2, 0.4))  # training, validation, test
_SCRATCH = {"init": "scratch"}
_SOURCE = "Mobincep, five random splits by image"


def _of_ratios(given: Sequence[Dataset], is_small: bool) -> list[Dataset]:
    """Each dataset alone and all of them as one, with each share of training images; then each left out in turn."""
    sets, paths = [*given], [path for each in given for path in each["path"]]
    if len(given) > 1:
        sets.append({**given[0], "path": paths, "name": "all as one"})
    left_out = {**given[0], "path": paths, "name": "each left out", "by_domain": True}
    of_ratios = [
        {
            **each,
            "name": f"{each['name']} {train:.0%} {val:.0%} {test:.0%}".replace("%", ""),
            "recipe": {**each.get("recipe", {}), "split": {"val": val, "test": test}},
        }
        for train, val, test in (_RATIOS[:1] if is_small else _RATIOS)
        for each in sets
    ]
    return [*of_ratios, left_out] if len(given) > 1 and _share_classes(given) else of_ratios


def _share_classes(given: Sequence[Dataset]) -> bool:
    """Whether two classes or more of each dataset can be learnt from the others."""
    classes = [set(open_dataset(each["path"][0]).classes) for each in given]
    return all(len(own & set().union(*(c for c in classes if c is not own))) > 1 for own in classes)


MOBINCEP = Preset(
    name="mobincep",
    title="one small network for one dataset or all, with its loss and without",
    citation=("Tran, Meunier & Cheriet, Multi-domain learning CNN model for microscopy image classification"),
    page="papers/mobincep.md",
    models=(
        {"name": "Mobincep", "recipe": {"model": "mobincep", **_SCRATCH, "regulariser": {"groups": "kmeans"}}},
        {"name": "Mobincep, cross-entropy", "recipe": {"model": "mobincep", **_SCRATCH}},
        {"name": "MobileNetV2, scratch", "recipe": {"model": "mobilenet_v2", **_SCRATCH}},
        "vgg19",
        "googlenet",
        "resnet101",
        "inception_v3",
        "inception_resnet_v2",
    ),
    small_models=(
        {"name": "Mobincep", "recipe": {"model": "mobincep", **_SCRATCH, "regulariser": {"groups": "kmeans"}}},
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
        "regulariser": {"scatter": "sum"},
    },
    arrange=_of_ratios,
    as_published=BARE,
    deviations=(
        *COMMON,
        AMOUNTS,
        Deviation(
            "Widths and depth of the network, and the weights of the loss, stand in no text and were chosen here."
        ),
        Deviation("Patience and most epochs are not stated: 30 and 300."),
        Deviation("Intensities are brought to the range of the data type; the paper's normalisation is not described."),
    ),
    published=(
        {"name": "Mobincep", "metrics": {"accuracy": 0.9482}, "source": f"{_SOURCE}, three datasets as one"},
        {"name": "Mobincep, cross-entropy", "metrics": {"accuracy": 0.9326}, "source": f"{_SOURCE}, as one"},
        {"name": "MobileNetV2, scratch", "metrics": {"accuracy": 0.9124}, "source": f"{_SOURCE}, as one"},
    ),
)
