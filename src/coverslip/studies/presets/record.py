"""The records of presets, and the deviations that presets share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.datasets import ClassPlan, open_dataset, with_classes
from coverslip.messages import text
from coverslip.studies.plan import Changes

Dataset = dict[str, Any]  # Any: a dataset of `study.yaml`
# A single regime: the recipes of the networks set the initialization.
REGIME_PER_NETWORK = ({"name": "initialization per network", "recipe": {}},)


def classes_of(dataset: Dataset) -> list[str]:
    """Return the names of the training classes, after merging, renaming and exclusion."""
    plan = ClassPlan.model_validate(dataset.get("recipe", {}).get("classes", {}))
    return list(with_classes(open_dataset(dataset["path"][0]), plan).classes)


SMALL_PER_CLASS = 20  # training images per class at the small size


@dataclass(frozen=True, slots=True)
class Deviation:
    """A deviation from the publication."""

    code: str  # of the message
    is_choice: bool = False  # a safeguard that `as_published` disables


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The study of a publication: networks, initializations, splits and recipe, without datasets."""

    name: str
    citation: str
    page: str  # path in the documentation
    models: tuple[str | Changes, ...]
    small_models: tuple[str | Changes, ...]  # with installed or random initial weights
    small_per_class: int = SMALL_PER_CLASS
    recipe: Changes
    recipe_model: str | None = None  # its name in `models`, for a single training; None: the first
    regimes: tuple[str | Changes, ...] = REGIME_PER_NETWORK
    folds: int = 5
    repeats: int = 1
    primary_metric: str = "macro_f1"
    baseline: str | None = None
    small_baseline: str | None = None
    arrange: Callable[[Sequence[Dataset], bool], list[Dataset]] = lambda datasets, is_small: list(datasets)
    as_published: Changes | None  # changes of the recipe; None: the study is not of a publication
    deviations: tuple[Deviation, ...] = ()
    regimes_of: Callable[[Sequence[Dataset], bool], tuple[str | Changes, ...]] | None = None  # None: always `regimes`
    not_stated: tuple[str, ...] = ()  # recipe keys whose values the publication does not state
    perturbations: tuple[Changes, ...] = ()  # of test images

    @property
    def title(self) -> str:
        """The subject of the study, as text."""
        return text(f"preset-{self.name}")


# Settings that the publications use implicitly.
BARE: Changes = {
    "split": {"near_duplicates": "ignore"},
    "head_init": "random",
    "refit_head": False,
    "clip_gradient": None,
    "checkpoint_selection": "best",
    "stage_selection": "finetune",
}

COMMON = (
    Deviation("deviation-grouped-split", is_choice=True),
    Deviation("deviation-instant-start", is_choice=True),
    Deviation("deviation-refitted-layer", is_choice=True),
    Deviation("deviation-clipped-gradients", is_choice=True),
    Deviation("deviation-near-duplicates-together", is_choice=True),
    Deviation("deviation-duplicates-together"),
    Deviation("deviation-instant-kept", is_choice=True),
)
EPOCH = Deviation("deviation-validation-epoch", is_choice=True)
AMOUNTS = Deviation("deviation-augmentation-ranges")
