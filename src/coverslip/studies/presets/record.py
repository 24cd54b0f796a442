"""The records of presets, and the deviations that presets share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.studies.plan import Changes

Dataset = dict[str, Any]  # Any: a dataset of `study.yaml`
# A single regime: the recipes of the networks set the initialization.
REGIME_PER_NETWORK = ({"name": "initialization per network", "recipe": {}},)


SMALL_PER_CLASS = 20  # training images per class at the small size


@dataclass(frozen=True, slots=True)
class Deviation:
    """A deviation from the publication."""

    text: str
    is_choice: bool = False  # a safeguard that `as_published` disables


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The study of a publication: networks, initializations, splits and recipe, without datasets."""

    name: str
    title: str
    citation: str
    page: str  # path in the documentation
    models: tuple[str | Changes, ...]
    small_models: tuple[str | Changes, ...]  # with installed or random initial weights
    recipe: Changes
    regimes: tuple[str | Changes, ...] = REGIME_PER_NETWORK
    folds: int = 5
    repeats: int = 1
    primary_metric: str = "macro_f1"
    baseline: str | None = None
    small_baseline: str | None = None
    arrange: Callable[[Sequence[Dataset], bool], list[Dataset]] = lambda datasets, is_small: list(datasets)
    as_published: Changes  # changes of the recipe
    deviations: tuple[Deviation, ...]
    published: tuple[Changes, ...] = ()  # published values in the format of `study.yaml`


# Settings that the publications use implicitly, as far as recipe keys can express them.
BARE: Changes = {
    "split": {"near_duplicates": "ignore"},
    "head_init": "random",
    "refit_head": False,
    "clip_gradient": None,
    "checkpoint_selection": "best",
    "stage_selection": "finetune",
}

COMMON = (
    Deviation(
        "Images of one group (patient, slide, cell) and their duplicates are in the same set of a split.",
        is_choice=True,
    ),
    Deviation("Fine-tuning from pretrained weights starts with the instant classifier.", is_choice=True),
    Deviation(
        "After fine-tuning, the last layer is averaged with a last layer that is refitted on training and validation "
        "images.",
        is_choice=True,
    ),
    Deviation("Long gradients are clipped.", is_choice=True),
    Deviation("Near-duplicates are in the same set of a split.", is_choice=True),
    Deviation("Duplicates are in the same set of a split."),
    Deviation("The instant classifier is kept if fine-tuning is not better on validation images.", is_choice=True),
)
EPOCH = Deviation("Validation images choose the epoch. They are not among the reported test images.")
AMOUNTS = Deviation("The ranges of data augmentation were chosen here, because the publication states only the types.")
