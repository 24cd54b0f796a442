"""The studies of five publications, as records of plans, protocols and recipes."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

from coverslip.datasets.index.classes import ClassPlan, with_classes
from coverslip.datasets.index.opening import open_dataset
from coverslip.errors import BadRecipe
from coverslip.messages import text
from coverslip.runs.recipe import Degrade, FromRun, Recipe, augment_named
from coverslip.studies.plan import READING_KEYS, Changes, merged_changes

Dataset = dict[str, Any]  # Any: a dataset of `study.yaml`
# A single regime: the recipes of the networks set the initialization.
REGIME_PER_NETWORK = ({"name": "initialization per network", "recipe": {}},)


def classes_of(dataset: Dataset) -> list[str]:
    """Return the names of the training classes, after merging, renaming and exclusion."""
    plan = ClassPlan.model_validate(dataset.get("recipe", {}).get("classes", {}))
    return list(with_classes(open_dataset(dataset["path"][0]), plan).classes)


SMALL_PER_CLASS = 20  # training images per class at the small size
SCRATCH = ", scratch"  # after the name of a network without its pretrained weights


@dataclass(frozen=True, slots=True)
class Deviation:
    """A difference from the publication, in the trainings whose recipes have it."""

    code: str  # of the message
    is_in: Callable[[Recipe], bool] = lambda recipe: True
    keys: tuple[str, ...] = ()  # of the recipe, whose values the message states
    stated: str = ""  # by the publication


# Deviations of several presets.
_DUPLICATES = (
    Deviation("deviation-duplicates"),
    Deviation("deviation-near-duplicates", lambda recipe: recipe.split.near_duplicates == "together"),
)
_AUGMENTATION_RANGES = Deviation(
    "deviation-augmentation-ranges", lambda recipe: recipe.augment != augment_named("none")
)
_VALIDATED_EPOCH = Deviation(
    "deviation-epoch",
    lambda recipe: (recipe.checkpoint_selection, recipe.checkpoint_selection_set) == ("best", "validation"),
)
_VALIDATION_SHARE = Deviation("deviation-training-share", lambda recipe: recipe.split.val > 0, ("split.val",))


def _folds(stated: str) -> Deviation:
    """Return the deviation from one split with these shares of training, validation and test images in percent."""
    return Deviation("deviation-folds", lambda recipe: bool(recipe.split.folds), ("split.folds", "split.val"), stated)


_AUXILIARY_HEADS = Deviation("deviation-auxiliary-heads", lambda recipe: recipe.model in ("googlenet", "inception_v3"))


class Arrangement(Protocol):
    """What a preset makes of the datasets of the user."""

    def __call__(self, datasets: Sequence[Dataset], *, is_small: bool, all_tables: bool) -> Sequence[Dataset]: ...


def _unchanged(datasets: Sequence[Dataset], *, is_small: bool, all_tables: bool) -> Sequence[Dataset]:
    return datasets


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The study of a publication: networks, initializations, splits and recipe, without datasets."""

    name: str
    citation: str
    page: str  # path in the documentation
    models: tuple[str | Changes, ...]
    further_models: tuple[str, ...] = ()  # names of `models` that the publication did not train
    small_models: tuple[str | Changes, ...]  # with installed or random initial weights
    recipe: Changes  # of the publication
    protocol: Changes  # without shortcuts: sizes of the split, and which epoch is selected
    shortcuts: Mapping[str, Changes]  # of the published protocol
    own_models: tuple[str, ...]  # the proposed network and its baseline
    small_own_models: tuple[str, ...] = ()  # at the small size; empty: of the same names
    recipe_model: str | None = None  # its name in `models`, for a single training; None: the first
    regimes: tuple[str | Changes, ...] = REGIME_PER_NETWORK
    folds: int = 5
    repeats: int = 1
    primary_metric: str = "macro_f1"
    baseline: str | None = None
    small_baseline: str | None = None
    arrange: Arrangement = _unchanged  # the datasets of the plan
    deviations: tuple[Deviation, ...] = ()  # from the publication, in the arms with its recipe
    regimes_of: Callable[[Sequence[Dataset], bool], tuple[str | Changes, ...]] | None = None  # None: always `regimes`
    has_two_steps: bool = False  # networks are trained on another dataset first
    not_stated: tuple[str, ...] = ()  # recipe keys whose values the publication does not state

    @property
    def title(self) -> str:
        """The subject of the study, as text."""
        return text(f"preset-{self.name}")

    @property
    def has_published_splits(self) -> bool:
        """Whether the publication has as many splits as the preset."""
        return all(each.code != "deviation-folds" for each in self.deviations)


# Settings that the publications use implicitly.
USUAL_RECIPE: Changes = {
    "head": "native",
    "head_init": "random",
    "refit_head": False,
    "stage_selection": "finetune",
    "clip_gradient": None,
    "tta": 1,
    "last_batch": "keep",
}


# The arms of a publication's study: its recipe and protocol, separate from coverslip's.
#
# A: the recipe and the protocol of the publication. B: its recipe, without the shortcuts of its protocol. C:
# coverslip's recipe, with the protocol of B. A minus B is what the published protocol adds, and B minus C what the
# recipe adds. Each further arm is B with one shortcut.

DEFAULT_ARMS = ("A", "B", "C")
ALL_SHORTCUTS = "shortcuts"
_IMAGE_SPLIT = "image-split"
# Groups keep copies with their image, so that copies before the split leak only if images are split one by one.
_COPIES = "copies"
_SPLITS_BY_IMAGE: Changes = {"split": {"near_duplicates": "ignore"}}


def arm_names(preset: Preset) -> tuple[str, ...]:
    """Return the names of all arms of a preset."""
    return (*DEFAULT_ARMS, *preset.shortcuts)


def arms_of(preset: Preset, names: Sequence[str], changes: Changes) -> list[Changes]:
    """Return the arms of a plan.

    Args:
        preset: of a publication.
        names: of the arms, or `shortcuts` for all arms with one shortcut; none: A, B and C.
        changes: keys that all arms have.

    Raises:
        BadRecipe: the preset does not have an arm.
    """
    valid = [*arm_names(preset), ALL_SHORTCUTS]
    shortcuts = preset.shortcuts
    if unknown := [name for name in names if name not in valid]:
        suggestion = next(iter(difflib.get_close_matches(unknown[0], valid, n=1)), "")
        raise BadRecipe("unknown-arm", name=unknown[0], arms=", ".join(valid), suggestion=suggestion)
    selected = [each for name in names or DEFAULT_ARMS for each in (shortcuts if name == ALL_SHORTCUTS else (name,))]
    if "A" in selected and len(shortcuts) == 1:  # A is the arm with this shortcut
        selected = [name for name in selected if name not in shortcuts]
    ordered = [name for name in valid if name in selected]
    return [_arm(preset, name, ordered, changes) for name in ordered]


def published_recipe(preset: Preset) -> Changes:
    """Return the recipe of the publication with the protocol of arm B."""
    return merged_changes(preset.recipe, preset.protocol)


def _arm(preset: Preset, name: str, selected: Sequence[str], changes: Changes) -> Changes:
    shortcuts = preset.shortcuts
    layers = [preset.protocol if name == "C" else published_recipe(preset)]
    is_by_image = name in (_IMAGE_SPLIT, _COPIES) or (name == "A" and _IMAGE_SPLIT in shortcuts)
    if is_by_image:
        layers.append(_SPLITS_BY_IMAGE)
    if name == "A":
        layers += shortcuts.values()
    elif name in shortcuts:
        layers.append(shortcuts[name])
    reference = {"A": "B", "B": "C", "C": None, _COPIES: _IMAGE_SPLIT}.get(name, "B")
    return {
        "name": name,
        "recipe": reduce(merged_changes, [*layers, changes]),
        "ignores_groups": is_by_image,
        "compared_with": reference if reference in selected else None,
        "not_stated": [] if name == "C" else preset.not_stated,
    }


# AIMIC (Liu and others 2022): ten networks, five folds, the mean over datasets, and the prediction time.

AIMIC = Preset(
    name="aimic",
    citation=(
        "Liu, Dai, Wu, Wang, Wan & Liu 2022, AIMIC: Deep Learning for Microscopic Image Classification, "
        "Computer Methods and Programs in Biomedicine, doi 10.1016/j.cmpb.2022.107162"
    ),
    page="papers/aimic.md",
    models=(
        "mobilenet_v2",
        "vgg16",
        "resnet34",
        "resnet50",
        "googlenet",
        "inception_v3",
        "resnext50_32x4d",
        "shufflenet_v2_x1_0",
        "mobilenet_v3_large",
        "efficientnet_b0",
    ),
    small_models=("mobilenet_v2", "efficientnet_lite0", "efficientnet_lite1"),
    own_models=("mobilenet_v2", "resnext50_32x4d"),
    small_own_models=("mobilenet_v2", "efficientnet_lite0"),
    regimes=("imagenet",),
    baseline="mobilenet_v2",
    small_baseline="mobilenet_v2",
    primary_metric="macro_f1",
    recipe={
        **USUAL_RECIPE,
        "dropout": "torchvision",
        "augment": "aimic",
        "batch_norm": "learn",
        "epochs": 500,
        "patience": 50,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "weight_decay": 0,
        "schedule": "constant",
        "warmup": 0,
        "sampling": "undersample",
    },
    protocol={"primary_metric": "accuracy", "checkpoint_selection": "best", "split": {"val": 0.2}},
    shortcuts={
        "image-split": {},
        "test-epoch": {"checkpoint_selection_set": "test"},
        "balance": {"split": {"balance": "undersample"}},
    },
    deviations=(
        *_DUPLICATES,
        Deviation("deviation-aimic-example", keys=("optimizer", "learning_rate", "epochs", "patience")),
        Deviation("deviation-aimic-augmentation", lambda recipe: recipe.augment == augment_named("none")),
        Deviation("deviation-aimic-epoch", lambda recipe: recipe.checkpoint_selection_set == "test"),
        _VALIDATION_SHARE,
        _AUXILIARY_HEADS,
    ),
    not_stated=(
        "batch_size",
        "last_batch",
        "image_size",
        "resize",
        "pad_color",
        "loss",
        "weight_decay",
        "schedule",
        "normalization",
        "dropout",
        "seed",
    ),
)


# EfficientNetV2-B0 on actin (Kakumani and Padma Sree): three freezing boundaries, and three other networks.

EFFICIENTNETV2_CELL = Preset(
    name="efficientnetv2-cell",
    citation=(
        "Kakumani & Padma Sree, Deep learning architecture for classification of breast cancer cells in "
        "fluorescence microscopy images"
    ),
    page="papers/efficientnetv2_b0.md",
    models=(
        {"name": "first 200 of 271 frozen", "recipe": {"model": "efficientnetv2_b0", "freeze_to": "first_200_of_271"}},
        {"name": "nothing frozen", "recipe": {"model": "efficientnetv2_b0"}},
        {"name": "all but the last layer frozen", "recipe": {"model": "efficientnetv2_b0", "freeze_to": "backbone"}},
        {
            "name": "first 200 of 271 frozen, scaled twice",
            "recipe": {
                "model": "efficientnetv2_b0",
                "freeze_to": "first_200_of_271",
                "normalization": "rescaled-twice",
            },
        },
        "inception_v3",
        "nasnet_mobile",
        "vgg16",
    ),
    further_models=("nothing frozen", "all but the last layer frozen", "first 200 of 271 frozen, scaled twice"),
    small_models=(
        {"name": "first blocks frozen", "recipe": {"model": "efficientnet_lite0", "freeze_to": "blocks.4"}},
        {"name": "nothing frozen", "recipe": {"model": "efficientnet_lite0"}},
        {"name": "all but the last layer frozen", "recipe": {"model": "efficientnet_lite0", "freeze_to": "backbone"}},
        {
            "name": "first blocks frozen, scaled twice",
            "recipe": {"model": "efficientnet_lite0", "freeze_to": "blocks.4", "normalization": "rescaled-twice"},
        },
        "efficientnet_lite1",
        "mobilenet_v2",
    ),
    folds=10,
    baseline="nothing frozen",
    small_baseline="nothing frozen",
    primary_metric="accuracy",
    recipe={
        **USUAL_RECIPE,
        "dropout": "keras",
        "image_size": 224,
        "resize": "stretch",
        "augment": "efficientnetv2_b0",
        "batch_norm": "learn",
        "batch_size": 16,
        "epochs": 70,
        "patience": None,
        "optimizer": "adam",
        "learning_rate": 5e-5,
        "weight_decay": 0,
        "schedule": "constant",
        "warmup": 0,
    },
    protocol={"checkpoint_selection": "best", "split": {"val": 0.1}},
    shortcuts={"image-split": {}, "copies": {"split": {"copies": 4}}},
    own_models=("first 200 of 271 frozen", "nothing frozen"),
    small_own_models=("first blocks frozen", "nothing frozen"),
    deviations=(
        *_DUPLICATES,
        _folds("80:10:10"),
        _VALIDATED_EPOCH,
        _AUGMENTATION_RANGES,
        Deviation("deviation-efficientnet-copies", lambda recipe: recipe.split.copies > 0, ("split.copies",)),
        Deviation("deviation-efficientnet-optimizer", keys=("optimizer",)),
        Deviation("deviation-efficientnet-others", lambda recipe: recipe.model in ("inception_v3", "nasnet_mobile")),
        Deviation("deviation-efficientnet-nasnet", lambda recipe: recipe.model == "nasnet_mobile"),
        Deviation(
            "deviation-efficientnet-scaling",
            lambda recipe: recipe.model in ("efficientnetv2_b0", "efficientnet_lite0"),
            ("normalization",),
        ),
        _AUXILIARY_HEADS,
    ),
    not_stated=(
        "weight_decay",
        "schedule",
        "last_batch",
        "dropout",
        "normalization",
        "checkpoint_selection",
        "resize",
        "split.copies",
        "seed",
    ),
)


# MobileViT-MN (Wei and others 2025): the rows of its tables 2 and 3, and the comparison networks.


def _ablation(
    name: str, dsc: bool, mv2: str, block: str, *, by: str = "counts", **more: Any
) -> Changes:  # Any: options
    options = {"dsc": dsc, "mv2_attention": mv2, "mobilevit_attention": block, "placement": by, **more}
    return {"name": name, "recipe": {"model": "mobilevit_mn", "model_options": options}}


_ONE, _THREE = [1, 1, 1], [3, 3, 3]
_TABLE_2 = (
    _ablation("MobileViT", False, "none", "none"),
    _ablation("Model_DSC", True, "none", "none"),
    _ablation("MV2_SE", True, "se", "none"),
    _ablation("MV2_SE_Mb_tr1", True, "se", "none", depths=_ONE),
    _ablation("MV2_SE_Mb_tr3", True, "se", "none", depths=_THREE),
    _ablation("MV2_NAM", True, "nam", "none"),
    _ablation("MV2_NAM_Mb_tr1", True, "nam", "none", depths=_ONE),
    _ablation("MV2_NAM_Mb_tr3", True, "nam", "none", depths=_THREE),
    _ablation("Mb_SE", False, "none", "se"),
    _ablation("Mb_NAM", False, "none", "nam"),
    _ablation("MV2_SE_Mb_NAM", False, "se", "nam"),
    _ablation("MV2_NAM_Mb_SE", False, "nam", "se"),
)
_TABLE_3 = (  # the rows that are not in table 2
    _ablation("no_trans", False, "none", "none"),
    _ablation("no_trans_DSC", True, "none", "none"),
    _ablation("trans_DSC_NAM", True, "none", "nam", by="text"),
    _ablation("trans_DSC_SE_NAM", True, "se", "nam", by="text"),
)


def _from_scratch(row: Changes) -> Changes:
    return {**row, "recipe": {**row["recipe"], "init": "scratch"}}


_IN_TABLE_3 = {"MobileViT": "no_trans", "Model_DSC": "no_trans_DSC"}  # rows of table 2 without pretraining


def _renamed_from_scratch(row: Changes) -> Changes:
    """Return a row from random weights: one of table 3, or with another name than the network with published values."""
    return {**_from_scratch(row), "name": _IN_TABLE_3.get(row["name"], f"{row['name']}{SCRATCH}")}


MOBILEVIT_MN = Preset(
    name="mobilevit-mn",
    citation=(
        "Wei, Cao, Li & Chen 2025, An efficient cell micronucleus classification network based on multi-"
        "layer perception attention mechanism, Scientific Reports"
    ),
    page="papers/mobilevit_mn.md",
    models=(
        *_TABLE_2,
        *(_from_scratch(row) if row["name"].startswith("no_trans") else row for row in _TABLE_3),
        "mobilenet_v1",
        "vgg16",
        "googlenet",
        "resnet50",
        "alexnet",
    ),
    small_models=(*map(_renamed_from_scratch, (*_TABLE_2, *_TABLE_3[2:])), "mobilenet_v2"),
    baseline="MobileViT",
    small_baseline="no_trans",
    primary_metric="balanced_accuracy",
    recipe_model="trans_DSC_SE_NAM",
    recipe={
        **USUAL_RECIPE,
        "dropout": "torchvision",
        "image_size": 224,
        "batch_size": 64,
        "learning_rate": 1e-3,
        "epochs": 50,
        "patience": None,
        "warmup": 0,
        "batch_norm": "learn",
        "sampling": "undersample",
        "rare_class_repeats": 5,  # 436 images of the rare class become 2,180: 68 steps in each epoch
        "augment": "mobilevit_mn",
    },
    protocol={"checkpoint_selection": "best", "split": {"val": 0.2}},
    shortcuts={"image-split": {}, "augmented-validation": {"validation_copies": 4}},
    own_models=("trans_DSC_SE_NAM", "MobileViT"),
    small_own_models=(f"trans_DSC_SE_NAM{SCRATCH}", "no_trans"),
    deviations=(
        *_DUPLICATES,
        _folds("60:20:20"),
        _VALIDATED_EPOCH,
        _AUGMENTATION_RANGES,
        Deviation(
            "deviation-mobilevit-repeats",
            lambda recipe: recipe.sampling == "undersample" and recipe.rare_class_repeats > 1,
            ("rare_class_repeats",),
        ),
        Deviation(
            "deviation-mobilevit-validation", lambda recipe: recipe.validation_copies > 0, ("validation_copies",)
        ),
        Deviation("deviation-mobilevit-both-classes", lambda recipe: recipe.augment != augment_named("none")),
        Deviation(
            "deviation-mobilevit-separable",
            lambda recipe: bool(recipe.model_options.get("dsc")) and recipe.init == "imagenet",
        ),
        Deviation(
            "deviation-mobilevit-attention",
            lambda recipe: (
                recipe.model_options.get("placement") == "counts"
                and not recipe.model_options["mv2_attention"] == recipe.model_options["mobilevit_attention"] == "none"
            ),
        ),
        Deviation("deviation-mobilevit-networks"),
        _AUXILIARY_HEADS,
    ),
    not_stated=(
        "resize",
        "pad_color",
        "optimizer",
        "loss",
        "schedule",
        "weight_decay",
        "last_batch",
        "head_init",
        "dropout",
        "normalization",
        "checkpoint_selection",
        "seed",
    ),
)


# Mobincep (Tran, Meunier and Cheriet): with and without its loss, for one dataset and for all as one.

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
        *_DUPLICATES,
        _AUGMENTATION_RANGES,
        Deviation("deviation-mobincep-intensities", keys=("scaling",)),
        Deviation("deviation-mobincep-architecture", lambda recipe: recipe.model == "mobincep"),
        Deviation("deviation-mobincep-mobilenet", lambda recipe: recipe.model == "mobilenet_v2"),
        _AUXILIARY_HEADS,
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


# Two-step transfer (chromosomes): random weights, ImageNet, and ImageNet with pretraining on another dataset.

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
    reading = {key: value for key, value in first.get("recipe", {}).items() if key in READING_KEYS}
    group = first.get("group") or first.get("group_pattern") or reading.get("group")
    recipe: Changes = {**reading, "group": group, "stage_selection": "finetune"}
    if is_small:
        recipe["split"] = {"train_per_class": SMALL_PER_CLASS}
    return recipe


def _labels(first: Iterable[str], target: Iterable[str]) -> dict[str, str]:
    """Return the names in the first step and in the target of classes that differ only in case and leading zeros."""
    target_names = {_without_zeros(name): name for name in target}
    pairs = ((name, target_names.get(_without_zeros(name))) for name in first)
    return {name: match for name, match in pairs if match is not None and match != name}


def _without_zeros(name: str) -> str:
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
    own_models=("mobilenet_v3_large",),
    small_own_models=("mobilenet_v2",),
    arrange=_through_each_other,
    regimes_of=_regimes_of,
    has_two_steps=True,
    deviations=(
        *_DUPLICATES,
        _AUGMENTATION_RANGES,
        Deviation("deviation-two-step-degraded", lambda recipe: recipe.degrade != Degrade()),
        Deviation("deviation-two-step-epoch", lambda recipe: isinstance(recipe.init, FromRun)),
        Deviation("deviation-two-step-duplicates", lambda recipe: isinstance(recipe.init, FromRun)),
        Deviation("deviation-two-step-momentum", lambda recipe: recipe.optimizer in ("sgd", "adam-then-sgd")),
        _VALIDATION_SHARE,
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
