"""What a preset holds, and what presets have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coverslip.studies.plan import Changes

Dataset = dict[str, Any]  # Any: as `study.yaml` has a dataset
OWN_START = ({"name": "initialization per network", "recipe": {}},)  # one regime: the networks' recipes say the start


SMALL_PER_CLASS = 20  # training images of each class in a small form


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is otherwise than in the publication."""

    text: str
    is_choice: bool = False  # a protection, which `as_published` gives up


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A publication's study: networks, starts, splits and recipe; datasets are the user's."""

    name: str
    title: str
    citation: str
    page: str  # of the documentation
    models: tuple[str | Changes, ...]
    small_models: tuple[str | Changes, ...]  # whose weights come with the installation, or that start from nothing
    recipe: Changes
    regimes: tuple[str | Changes, ...] = OWN_START
    folds: int = 5
    repeats: int = 1
    primary_metric: str = "macro_f1"
    baseline: str | None = None
    small_baseline: str | None = None
    arrange: Callable[[Sequence[Dataset], bool], list[Dataset]] = lambda given, is_small: list(given)
    as_published: Changes  # of the recipe
    deviations: tuple[Deviation, ...]
    published: tuple[Changes, ...] = ()  # rows of figures, as `study.yaml` has them


# What every publication did without saying so, as far as recipe keys reach.
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
        "Images of one group (patient, slide, cell) and their copies are on one side of a split.", is_choice=True
    ),
    Deviation("Fine-tuning from pretrained weights begins with the instant classifier.", is_choice=True),
    Deviation(
        "After fine-tuning the last layer is averaged with one that is refitted on training and validation images.",
        is_choice=True,
    ),
    Deviation("Steps that would be far too long are shortened.", is_choice=True),
    Deviation("Near-duplicates are on one side of a split.", is_choice=True),
    Deviation("Duplicates are on one side of a split."),
    Deviation("The instant classifier is kept where its validation results are better.", is_choice=True),
)
EPOCH = Deviation("The epoch is chosen by validation images, which are no part of those that are reported.")
AMOUNTS = Deviation("How strong random changes are was chosen here: the publication names their kinds only.")
