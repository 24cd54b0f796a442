"""The recipe: every choice that shapes a result, as data. An empty recipe is a good one.

A key is one field, with all that is said of it: default, range and exact meaning in its `Field`, and in its `Key` what
the form, the command line and a report's methods paragraph say.
"""

import datetime
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from coverslip.augmentation import AUGMENTATIONS, Copies
from coverslip.datasets import ClassPlan
from coverslip.evaluation import METRICS, metrics_for_choices
from coverslip.keys import Choice, Key
from coverslip.runs.recipe.choices import Augment, OneOf, augment_named, follow_table
from coverslip.runs.recipe.deciding import DecisionChoices
from coverslip.runs.recipe.faults import invalid_recipe, key_faults
from coverslip.runs.recipe.network import NetworkChoices
from coverslip.runs.recipe.preprocessing import PreprocessingChoices
from coverslip.runs.recipe.split_plan import SplitPlan
from coverslip.runs.recipe.training import IMAGES_COPIED, IMAGES_REFITTED, N_OOD_IMAGES, FinetuningChoices


def _metric_choices() -> tuple[Choice, ...]:
    titles = {name: METRICS[name].title for name in metrics_for_choices()}
    within = {name: title[0].lower() + title[1:] for name, title in titles.items()}  # a sentence
    return tuple(Choice(name, title, title) for name, title in within.items())


# Pydantic puts the keys of the last class first.
class Recipe(DecisionChoices, PreprocessingChoices, FinetuningChoices, NetworkChoices):
    """All choices that shape the result of a training. Every key has a default, so `Recipe()` is complete.

    A recipe is checked when it is made, and it cannot be changed afterwards. The run folder contains it as
    `recipe.yaml`. `docs/recipe.md` explains every key. The keys that are changed most often:

    - `model`: network (`efficientnet_lite0`), see `docs/models.md`.
    - `stage`: `finetune` (default), or `instant` for a linear probe on the frozen network only.
    - `epochs`, `batch_size`, `learning_rate`: of fine-tuning.
    - `image_size`: side in pixels to which images are resized.
    - `group`: table column, or pattern in the path, that names patients or slides.
    - `split`: sizes of validation and test set, or the number of folds.
    - `augment`: data augmentation.
    - `seed`: start of all random draws.

    Raises:
        BadRecipe: a key or a value is not valid. The error names the nearest valid key.

    Examples:
        >>> quick = Recipe(stage="instant", seed=3)
        >>> quick.stage, quick.model
        ('instant', 'efficientnet_lite0')
        >>> other_seed = Recipe.model_validate({**quick.model_dump(), "seed": 4})
        >>> five_folds = Recipe.model_validate({"split": {"folds": 5}, "augment": {"flip": False}})
        >>> five_folds.split.folds
        5
    """

    augment: Augment = Field(default_factory=Augment)
    classes: ClassPlan = ClassPlan()
    split: SplitPlan = SplitPlan()
    group: Annotated[
        str | None,
        Key(
            "Groups",
            "classes",
            "What images of one patient, slide or well have in common: a column of the table, or a pattern in the "
            "path.",
            empty="none",
        ),
    ] = Field(
        default=None,
        description="Column of a table, or regular expression on the path, that names the group of an image (patient, "
        "slide, well). All images of a group stay in the same set.",
    )
    primary_metric: Annotated[
        str,
        OneOf("metric", metrics_for_choices),
        Key(
            "Primary metric",
            "training",
            "The metric that selects the best epoch on validation images. Macro: each class has the same weight.",
            choices=_metric_choices,
        ),
    ] = Field(default="macro_f1", description="The metric that selects on validation images.")
    seed: Annotated[
        int,
        Key(
            "Seed",
            "basic",
            "The start of all random draws. Another number gives another split and another training.",
            "seed {}",
        ),
    ] = Field(default=0, ge=0, lt=2**32, description="Start of every random draw.")
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        Key(
            "Device",
            "basic",
            "Automatic uses a graphics card if there is one.",
            choices=(
                Choice("auto", "automatic"),
                Choice("cpu", "processor (CPU)"),
                Choice("cuda", "NVIDIA graphics card"),
                Choice("mps", "Apple graphics"),
            ),
        ),
    ] = Field(default="auto", description="Device for training; auto uses a CUDA GPU if there is one.")

    if not TYPE_CHECKING:  # where the keys and their types are known

        def __init__(self, /, **choices: Any) -> None:  # Any: values of the caller
            """Raises BadRecipe: a key or value is not valid; the nearest valid key is named."""
            try:
                super().__init__(**choices)
            except ValidationError as error:
                raise invalid_recipe(key_faults(error, type(self)), lines={}) from error

    @property
    def split_seed(self) -> int:
        """What divides the images."""
        return self.seed if self.split.seed is None else self.split.seed

    @property
    def is_finetuned(self) -> bool:
        """Whether the network is fine-tuned; one without initial weights always is."""
        return self.stage == "finetune" or self.init == "scratch"

    @property
    def begins_with_instant_classifier(self) -> bool:
        """Whether fine-tuning begins with the instant classifier, which needs initial weights."""
        return self.init != "scratch" and self.head_init == "instant"

    def n_seen_again(self, n_train: int) -> int:
        """Return the number of training images that a fine-tuned network processes again after its last epoch."""
        return min(n_train, IMAGES_REFITTED if self.refit_head else N_OOD_IMAGES)

    def copies_in_images(self, n_train: int) -> float:
        """How many images with test-time augmentation take as long as the copies for the instant classifier."""
        return len(Copies.within(dict(self.augment))) * min(n_train, IMAGES_COPIED) / self.tta

    @property
    def keeps_last_epoch(self) -> bool:
        """Whether fine-tuning keeps its last epoch, whatever validation images say of the others."""
        if self.checkpoint_selection == "auto":
            return self.begins_with_instant_classifier and self.schedule == "cosine"
        return self.checkpoint_selection == "last"

    @property
    def patience_used(self) -> int | None:
        """`patience`; None where the last epoch is kept, whose learning rate has to come down first."""
        return None if self.keeps_last_epoch and self.schedule == "cosine" else self.patience

    @field_validator("augment", mode="before")
    @classmethod
    def _augment_may_be_a_name(cls, value: object) -> object:
        return augment_named(value) if isinstance(value, str) else value

    @field_validator("group", mode="before")
    @classmethod
    def _group_is_text(cls, value: object) -> object:
        """Return the group as text: YAML reads a column named 7 or 2024-01-05 as a number or a date."""
        is_simple = isinstance(value, int | float | datetime.date) and not isinstance(value, bool)
        return str(value) if is_simple else value


def _short_signature() -> Signature:
    """Return the keys and their plain defaults; Pydantic's signature also holds all that is said of each key."""
    return Signature(
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=... if isinstance(default, BaseModel | dict) else default)
            for name, field in Recipe.model_fields.items()
            for default in [field.get_default(call_default_factory=True)]
        ]
    )


def _follow_augmentations() -> None:
    follow_table()
    Recipe.model_rebuild(force=True)
    Recipe.__signature__ = _short_signature()


Recipe.__signature__ = _short_signature()


AUGMENTATIONS.follow(_follow_augmentations)
