"""The recipe's choices on training: network, initial weights, fine-tuning and the regularizer.

The texts of every key are in `messages/en/recipe_keys.ftl`; a field holds its type, default and range.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from coverslip.datasets import Name
from coverslip.keys import Key, bounded_options
from coverslip.losses import GROUPINGS, LOSSES, check_options
from coverslip.messages import text
from coverslip.runs.recipe.sections import Fraction, OneOf, RecipeSection


class Regularizer(RecipeSection):
    """A term of the loss of fine-tuning: features of a group become similar, and those of different groups different.

    From Mobincep's paper, for any network. The default weights 1 and 0.0001 are coverslip's: the paper states none.
    """

    groups: Annotated[str, OneOf("way to group features", lambda: ["none", *GROUPINGS]), Key("training")] = "none"
    spread_weight: Annotated[float, Key("training")] = Field(default=1.0, ge=0, le=1e6)
    scatter_weight: Annotated[float, Key("training")] = Field(default=1e-4, ge=0, le=1e6)
    scatter: Annotated[Literal["sum", "mean"], Key("training")] = "mean"
    memory: Annotated[int, Key("training")] = Field(default=0, ge=0, le=1_000_000)


class FromRun(RecipeSection):
    """Initialization with the weights of an earlier run.

    Attributes:
        run: the folder of the run, its `classifier/`, or a `.coverslip` file.
        labels: class names of the earlier training, each with its name in this one, if they differ. If the earlier
            training has all classes, its last layer is kept if that is better on validation images.
    """

    run: str
    labels: dict[Name, Name] = Field(default_factory=dict)


class Pretraining(RecipeSection):
    """Two-step transfer: pretraining on other labeled images, then training on the images of the recipe.

    The pretrained network is the best epoch on validation images of the pretraining (paper 004 does not say which
    checkpoint was used).

    Attributes:
        train_on: a folder with one sub-folder per class, or a table with path and label.
        recipe: keys that differ from the recipe in pretraining, such as `group`.
        labels: as of `FromRun`.
    """

    train_on: str
    recipe: dict[str, Any] = Field(default_factory=dict)  # Any: checked as a recipe
    labels: dict[Name, Name] = Field(default_factory=dict)


def _kind(value: object) -> str:
    if isinstance(value, FromRun | Pretraining):
        return "run" if isinstance(value, FromRun) else "train_on"
    if isinstance(value, dict):
        return "train_on" if "train_on" in value or "recipe" in value else "run"
    return "name"


Initialization = Annotated[
    Annotated[Literal["imagenet", "scratch"], Tag("name")]
    | Annotated[FromRun, Tag("run")]
    | Annotated[Pretraining, Tag("train_on")],
    Discriminator(_kind),
]


class NetworkChoices(RecipeSection):
    """The network, its initial weights, and the part of it that is trained."""

    model: Annotated[str, Key("basic")] = "efficientnet_lite0"
    model_options: Annotated[
        dict[str, Any],  # Any: the architecture checks them
        AfterValidator(bounded_options),
        Key("basic"),
    ] = Field(default_factory=dict)
    head: Annotated[Literal["multi_layer", "native"], Key("training")] = "multi_layer"
    tta: Annotated[Literal["auto", 1, 2, 4, 8], Key("training")] = "auto"
    stage: Annotated[Literal["finetune", "instant"], Key("basic")] = "finetune"
    init: Annotated[Initialization, Key("start")] = "imagenet"
    head_init: Annotated[Literal["instant", "random"], Key("training")] = "instant"
    refit_head: Annotated[bool, Key("training")] = True
    refit_all: Annotated[bool, Key("training")] = True
    freeze_to: Annotated[str | None, Key("training")] = None
    batch_norm: Annotated[Literal["auto", "keep", "learn"], Key("training")] = "auto"
    dropout: Annotated[Literal["default", "torchvision", "keras"], Key("training")] = "default"

    @field_validator("freeze_to")
    @classmethod
    def _freeze_to_is_not_empty(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError(text("freeze-to-empty"))
        return value


# The keys that finishing a training early sets, so that its recipe gives the same classifier again.
SET_BY_FINISHING = ("last_epoch", "checkpoint_selection", "patience")
IMAGES_COPIED = 200  # training images of which augmented copies are made for the instant classifier
# Training images on which the last layer is refitted. More images take time and hardly change a discriminant of some
# thousand features.
IMAGES_REFITTED = 10_000
N_OOD_IMAGES = 2000  # training images to which the OOD detector of a fine-tuned network is fitted
IMAGES_SHOWN = 6400  # images over all epochs: fewer steps improved results less, or not at all (benchmarks/NOT_KEPT.md)
_FEWEST_EPOCHS, _MOST_EPOCHS = 8, 60


def automatic_epochs(n_drawn: int) -> int:
    """Return the number of epochs of `epochs: auto`, for epochs of `n_drawn` images."""
    return min(max(-(-IMAGES_SHOWN // max(1, n_drawn)), _FEWEST_EPOCHS), _MOST_EPOCHS)


Sampling = Literal["all", "oversample", "undersample", "even", "domains"]
LastBatch = Literal["skip", "keep"]


class FinetuningChoices(RecipeSection):
    """How the whole network is fine-tuned."""

    epochs: Annotated[Literal["auto"] | Annotated[int, Field(ge=1, le=10_000)], Key("training")] = "auto"
    last_epoch: Annotated[int | None, Key("training")] = Field(default=None, ge=1, le=10_000)
    schedule_changes: Annotated[dict[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]], Key("training")] = (
        Field(default_factory=dict)
    )
    batch_size: Annotated[int, Key("training")] = Field(default=16, ge=1, le=4096)
    last_batch: Annotated[LastBatch, Key("training")] = "skip"
    optimizer: Annotated[Literal["adamw", "adam", "amsgrad", "sgd", "adam-then-sgd"], Key("training")] = "adamw"
    learning_rate: Annotated[float, Key("training")] = Field(default=1e-3, gt=0, le=10)
    backbone_rate: Annotated[float, Key("training", is_percentage=True)] = Field(default=1.0, gt=0, le=1)
    sgd_from: Annotated[Fraction, Key("training", is_percentage=True)] = Field(default=0.5, gt=0)
    sgd_learning_rate: Annotated[float, Key("training")] = Field(default=1e-2, gt=0, le=10)
    nesterov: Annotated[bool, Key("training")] = True
    weight_decay: Annotated[float, Key("training")] = Field(default=0.01, ge=0, le=1)
    clip_gradient: Annotated[Literal["auto"] | Annotated[float, Field(gt=0, le=1e6)] | None, Key("training")] = "auto"
    schedule: Annotated[Literal["cosine", "plateau", "constant"], Key("training")] = "cosine"
    warmup: Annotated[Fraction, Key("training", is_percentage=True)] = 0.25
    loss: Annotated[str, OneOf("loss", lambda: LOSSES), Key("training")] = "cross_entropy"
    loss_options: Annotated[
        dict[str, float], Key("training", options=lambda: {name: record.options for name, record in LOSSES.items()})
    ] = Field(default_factory=dict)
    label_smoothing: Annotated[Fraction, Key("training")] = 0.0
    regularizer: Regularizer = Regularizer()
    class_weights: Annotated[Literal["none", "balanced"], Key("balance")] = "none"
    sampling: Annotated[Sampling, Key("balance")] = "all"
    rare_class_repeats: Annotated[int, Key("balance")] = Field(default=1, ge=1, le=100)
    checkpoint_selection: Annotated[Literal["auto", "best", "last"], Key("training")] = "auto"
    checkpoint_selection_set: Annotated[Literal["validation", "test"], Key("protocol")] = "validation"
    validation_copies: Annotated[int, Key("protocol")] = Field(default=0, ge=0, le=100)
    stage_selection: Annotated[Literal["better", "finetune"], Key("training")] = "better"
    patience: Annotated[int | None, Key("training")] = Field(default=10, ge=1)

    @property
    def n_epochs(self) -> int:
        """The number of epochs, after `with_epochs`."""
        assert self.epochs != "auto", "`with_epochs` replaces auto"
        return self.epochs

    def with_epochs(self, n_drawn: int) -> Self:
        """Return the recipe with `epochs: auto` replaced by the number for epochs of `n_drawn` images."""
        if self.epochs != "auto":
            return self
        return self.model_copy(update={"epochs": automatic_epochs(n_drawn)})

    @field_validator("schedule_changes")
    @classmethod
    def _changes_are_in_the_future(cls, value: dict[float, float]) -> dict[float, float]:
        if any(epoch > n_epochs for epoch, n_epochs in value.items()):
            raise ValueError(text("schedule-change-too-low"))
        return dict(sorted(value.items()))

    @field_validator("loss_options")
    @classmethod
    def _loss_has_options(cls, value: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        if "loss" in info.data:
            check_options(info.data["loss"], value)
        return value
