"""The records of presets, and the deviations that presets share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
    small_models: tuple[str | Changes, ...]  # with installed or random initial weights
    small_per_class: int = SMALL_PER_CLASS
    recipe: Changes  # of the publication
    protocol: Changes  # without shortcuts: sizes of the split, and which epoch is selected
    shortcuts: Mapping[str, Changes] | None = None  # of the published protocol; None: the study is not of a publication
    own_models: tuple[str, ...] = ()  # the proposed network and its baseline, at the normal and the small size
    recipe_model: str | None = None  # its name in `models`, for a single training; None: the first
    regimes: tuple[str | Changes, ...] = REGIME_PER_NETWORK
    folds: int = 5
    repeats: int = 1
    primary_metric: str = "macro_f1"
    baseline: str | None = None
    small_baseline: str | None = None
    arrange: Arrangement = _unchanged  # the datasets of the plan
    deviations: tuple[str, ...] = ()  # from the publication, in all arms: codes of messages
    regimes_of: Callable[[Sequence[Dataset], bool], tuple[str | Changes, ...]] | None = None  # None: always `regimes`
    not_stated: tuple[str, ...] = ()  # recipe keys whose values the publication does not state
    perturbations: tuple[Changes, ...] = ()  # of test images

    @property
    def title(self) -> str:
        """The subject of the study, as text."""
        return text(f"preset-{self.name}")


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
