"""The recipe: every choice that shapes a result, as data. All keys have defaults, so an empty recipe is valid.

A key is one field with its type, default and range. Its texts are in `messages/en/recipe_keys.ftl`.
"""

import datetime
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from coverslip.augmentation import AUGMENTATIONS, Copies
from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe
from coverslip.evaluation import METRICS, metrics_for_choices
from coverslip.keys import Key
from coverslip.messages import text
from coverslip.runs.recipe.faults import invalid_recipe, key_faults
from coverslip.runs.recipe.sections import (
    Augment,
    DecisionChoices,
    OneOf,
    PreprocessingChoices,
    SplitPlan,
    augment_named,
    update_augment_keys,
)
from coverslip.runs.recipe.training import (
    IMAGES_COPIED,
    IMAGES_REFITTED,
    N_OOD_IMAGES,
    FinetuningChoices,
    NetworkChoices,
)


def _metric_name(name: str) -> str:
    """Return the title of a metric, for use within a sentence."""
    title = METRICS[name].title
    return title[0].lower() + title[1:]


_HALF_TURN = 1  # the rotation by 180°, by its number in `coverslip.engines.turned`
_PROTOCOL_CODES = {
    "checkpoint_selection_set": "protocol-checkpoint-selection-set",
    "validation_copies": "protocol-validation-copies",
    "normalization": "protocol-normalization",
    "split.balance": "protocol-split-balance",
    "split.copies": "protocol-split-copies",
}


def protocol_code(key: str) -> str:
    """Return the code of the sentence on a key of `Recipe.protocol_keys`."""
    return _PROTOCOL_CODES[key]


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
    group: Annotated[str | None, Key("classes")] = None
    primary_metric: Annotated[str, OneOf("metric", metrics_for_choices), Key("training", choice_name=_metric_name)] = (
        "macro_f1"
    )
    seed: Annotated[int, Key("basic")] = Field(default=0, ge=0, lt=2**32)
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], Key("basic")] = "auto"

    if not TYPE_CHECKING:  # type checkers use the signature from the fields

        def __init__(self, /, **choices: Any) -> None:  # Any: values of the caller
            """Check the keys and values.

            Raises:
                BadRecipe: a key or a value is not valid. The error names the nearest valid key.
            """
            try:
                super().__init__(**choices)
            except ValidationError as error:
                raise invalid_recipe(key_faults(error, type(self)), lines={}) from error

    @property
    def split_seed(self) -> int:
        """The seed of the split."""
        return self.seed if self.split.seed is None else self.split.seed

    @property
    def is_finetuned(self) -> bool:
        """Whether the network is fine-tuned; one with random initial weights always is."""
        return self.stage == "finetune" or self.init == "scratch"

    @property
    def augment_in_training(self) -> Augment:
        """The data augmentation of each epoch; none if it was applied before the split (`split.copies`)."""
        return augment_named("none") if self.split.copies else self.augment

    @property
    def has_instant_stage(self) -> bool:
        """Whether a linear probe is fitted, which needs pretrained weights and validation images."""
        return self.init != "scratch" and self.split.val > 0

    @property
    def leaking_keys(self) -> tuple[str, ...]:
        """The keys by which test images affect the training, or are copies of training images."""
        leaks = {
            "checkpoint_selection_set": self.checkpoint_selection_set == "test",
            "split.copies": self.split.copies > 0,
        }
        return tuple(key for key, is_leak in leaks.items() if is_leak)

    @property
    def protocol_keys(self) -> tuple[str, ...]:
        """The keys of published protocols that the recipe uses, in the order of the recipe."""
        are_used = (
            self.checkpoint_selection_set == "test",
            self.validation_copies > 0,
            self.normalization == "rescaled-twice",
            self.split.balance != "none",
            self.split.copies > 0,
        )
        return tuple(key for key, is_used in zip(_PROTOCOL_CODES, are_used, strict=True) if is_used)

    def check_validation(self) -> None:
        """Check that nothing in the recipe needs validation images if there are none.

        Raises:
            BadRecipe: something does; the error names all keys to change.
        """
        if self.split.val:
            return
        needed = {
            "epochs": self.epochs == "auto",
            "stage": self.stage == "instant",
            "stage_selection": self.init != "scratch" and self.stage_selection == "better",
            "head_init": self.begins_with_instant_classifier,
            "refit_head": self.refit_head,
            "decide_by": self.decide_by not in ("highest", "threshold"),
        }
        if keys := [key for key, is_needed in needed.items() if is_needed]:
            fault = text("no-validation-images.fault")
            raise BadRecipe("no-validation-images", faults=[(key, fault) for key in keys], keys=", ".join(keys))

    @property
    def begins_with_instant_classifier(self) -> bool:
        """Whether fine-tuning begins with the instant classifier, which needs pretrained weights."""
        return self.init != "scratch" and self.head_init == "instant"

    def n_reprocessed(self, n_train: int) -> int:
        """Return the number of training images that a fine-tuned network processes again after its last epoch."""
        return min(n_train, IMAGES_REFITTED if self.refit_head else N_OOD_IMAGES)

    def copies_in_images(self, n_train: int) -> float:
        """Return the cost of the copies for the instant classifier, in images with test-time augmentation."""
        return len(Copies.within(dict(self.augment_in_training))) * min(n_train, IMAGES_COPIED) / self.n_views

    @property
    def refits_instant_classifier(self) -> bool:
        """Whether the last layer of a delivered instant classifier is fitted on all images after the test."""
        return self.refit_all and self.split.train_per_class is None and self.split.rare_images is None

    @property
    def n_views(self) -> int:
        """The number of copies for test-time augmentation; for `auto`, 2 if data augmentation rotates by 180°.

        Without such rotations, orientation is informative: on chromosomes, a rotated view reduced macro-F1
        (benchmarks/NOT_KEPT.md).
        """
        if self.tta != "auto":
            return self.tta
        return 2 if _HALF_TURN in Copies.within(dict(self.augment)).lossless else 1

    @property
    def keeps_last_epoch(self) -> bool:
        """Whether fine-tuning keeps its last epoch, independent of validation results."""
        if self.checkpoint_selection == "auto":
            return self.begins_with_instant_classifier and self.schedule == "cosine"
        return self.checkpoint_selection == "last"

    @property
    def patience_used(self) -> int | None:
        """`patience`; None if the last epoch is kept, because its learning rate must fall to zero first."""
        return None if self.keeps_last_epoch and self.schedule == "cosine" else self.patience

    @field_validator("augment", mode="before")
    @classmethod
    def _resolve_augment_name(cls, value: object) -> object:
        return augment_named(value) if isinstance(value, str) else value

    @field_validator("group", mode="before")
    @classmethod
    def _group_is_text(cls, value: object) -> object:
        """Return the group as text: YAML reads a column named 7 or 2024-01-05 as a number or a date."""
        is_simple = isinstance(value, int | float | datetime.date) and not isinstance(value, bool)
        return str(value) if is_simple else value


def _short_signature() -> Signature:
    """Return the keys with their plain defaults. Pydantic's signature also contains the annotations."""
    return Signature(
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=... if isinstance(default, BaseModel | dict) else default)
            for name, field in Recipe.model_fields.items()
            for default in [field.get_default(call_default_factory=True)]
        ]
    )


def _rebuild_with_augmentations() -> None:
    update_augment_keys()
    Recipe.model_rebuild(force=True)
    Recipe.__signature__ = _short_signature()


Recipe.__signature__ = _short_signature()
AUGMENTATIONS.follow(_rebuild_with_augmentations)
