"""The recipe: every choice that shapes a result, as data, section by section, and its faults in words.

A key is one field with its type, default and range; its texts are in `messages/en/recipe_keys.ftl`. All keys have
defaults, so an empty recipe is valid.
"""

import datetime
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from coverslip.augmentation.copies import Copies
from coverslip.augmentation.table import AUGMENT_SETS, AUGMENTATIONS, Augmentation
from coverslip.datasets.index.classes import ClassPlan, Name
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadRecipe
from coverslip.evaluation.decisions import DecideBy, DecisionRule, positive_class
from coverslip.evaluation.table import METRICS, metrics_for_choices
from coverslip.images.preprocessing import MAX_SIDE_PX, Degradation, Matching, PadColor, Resize
from coverslip.images.reader import Channel, ChannelFiles, CropMargin, CropSize, PixelSizeUm, ZPlane
from coverslip.keys import Key, bounded_options
from coverslip.losses.table import GROUPINGS, LOSSES, check_options
from coverslip.messages import text
from coverslip.registry import no_such

# Sections: data augmentation, split, preprocessing and decisions.

Fraction = Annotated[float, Field(ge=0, lt=1)]
Stage = Literal["finetune", "instant"]


class RecipeSection(DocumentedModel):
    """Base of every section: unknown keys are an error, and a boolean is not accepted as a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _boolean_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse a boolean for a number: in Python, `true` equals 1, so `epochs: true` would train for one epoch."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        takes_boolean = annotation is bool or bool in get_args(annotation)
        values = value if isinstance(value, list | tuple) else [value]
        if not takes_boolean and any(isinstance(item, bool) for item in values):
            raise ValueError(text("value-is-boolean"))
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotation of a field that holds a name of a table. The table is read when the recipe is checked."""

    kind: str  # in words, for the error: "metric"
    names: Callable[[], Iterable[str]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # Any: Pydantic's
        return core_schema.no_info_after_validator_function(self._validated, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.names())}

    def _validated(self, name: str) -> str:
        if name not in (names := tuple(self.names())):
            raise no_such(self.kind, name, names)
        return name


class Augment(RecipeSection):
    """Data augmentation: random changes to training images, drawn again in every epoch for whole batches.

    Cells under a microscope have no upright orientation, so flips and rotation by any angle are on by default.
    """

    if TYPE_CHECKING:  # the keys come from the table

        def __init__(self, **amounts: Any) -> None: ...  # Any: a number, or the type in the record

        def __getattr__(self, name: str) -> Any: ...  # Any: the same


def update_augment_keys() -> None:
    """Give `Augment` the keys of the current table. Models with an `Augment` field must be rebuilt afterwards."""
    Augment.__pydantic_fields__.clear()
    Augment.__pydantic_fields__.update({name: _field(record) for name, record in AUGMENTATIONS.items()})
    Augment.model_rebuild(force=True)


def _field(record: Augmentation) -> FieldInfo:
    default = Field(default=record.default, **record.limits)  # type: ignore[call-overload]  # ge, gt, le, lt
    return FieldInfo.from_annotated_attribute(Annotated[record.type, record.key], default)  # type: ignore[arg-type]  # it is one


update_augment_keys()


def augment_named(name: str) -> Augment:
    """Return a named set of data augmentations.

    Raises:
        ValueError: there is no such set; the message lists the names.
    """
    augment_set = AUGMENT_SETS.find(name)
    others = {} if augment_set.others_are_default else {key: record.off for key, record in AUGMENTATIONS.items()}
    return Augment(**{**others, **augment_set.amounts})


class SplitPlan(RecipeSection):
    """How images are split.

    Groups and exact duplicates are never divided. Near-duplicates are divided only with `near_duplicates: ignore`.
    """

    val: Annotated[Fraction, Key("split")] = 0.2
    test: Annotated[Fraction, Key("split")] = Field(default=0.2, gt=0)
    folds: Annotated[int | None, Key("split")] = Field(default=None, ge=0, le=100)
    by_domain: Annotated[bool, Key("split")] = False
    near_duplicates: Annotated[Literal["together", "ignore"], Key("split")] = "together"
    train_per_class: Annotated[int | None, Key("split")] = Field(default=None, ge=1)
    seed: Annotated[int | None, Key("split")] = Field(default=None, ge=0, le=2**32 - 1)
    run: Annotated[str | None, Key("split")] = Field(default=None, min_length=1)
    balance: Annotated[Literal["none", "undersample"], Key("protocol")] = "none"
    copies: Annotated[int, Key("protocol")] = Field(default=0, ge=0, le=100)

    @field_validator("folds")
    @classmethod
    def _not_one_fold(cls, value: int | None) -> int | None:
        if value == 1:
            raise ValueError(text("one-fold-only"))
        return value

    @model_validator(mode="after")
    def _is_one_split(self) -> "SplitPlan":
        if self.run is not None and self.sets_folds:
            raise ValueError(text("split-run-with-folds"))
        if self.by_domain and self.folds is not None:
            raise ValueError(text("domains-with-folds"))
        return self

    @model_validator(mode="after")
    def _has_training_images(self) -> "SplitPlan":
        if self.val + self.test >= 1:
            raise ValueError(text("nothing-to-train-on", val=f"{self.val:g}", test=f"{self.test:g}"))
        return self

    @property
    def is_balanced(self) -> bool:
        """Whether each class is reduced to the size of the smallest before the split."""
        return self.balance == "undersample"

    @property
    def sets_folds(self) -> bool:
        """Whether the plan sets cross-validation, independent of the images."""
        return bool(self.folds) or self.by_domain

    def resolved(self, n_folds: int) -> "SplitPlan":
        """Return the plan with the number of folds that the images need. A plan with folds by domain is unchanged."""
        return self if self.by_domain else self.model_copy(update={"folds": n_folds})


class Degrade(RecipeSection):
    """Changes of all images, those for training and testing, as from a worse microscope: for studies."""

    blur: Annotated[float, Key("protocol")] = Field(default=0.0, ge=0, le=100)
    scale: Annotated[float, Key("protocol")] = Field(default=1.0, ge=0.1, le=10)
    noise: Annotated[float, Key("protocol")] = Field(default=0.0, ge=0, le=10)

    @property
    def degradation(self) -> Degradation | None:
        """The change of every image; None if there is none."""
        return None if self == Degrade() else Degradation(**self.model_dump())


class Match(RecipeSection):
    """Changes of all training images that make them like those of another laboratory; `coverslip adapt` sets them."""

    zoom: Annotated[float, Key("images")] = Field(default=1.0, ge=1, le=8)
    stain: Annotated[bool, Key("images")] = False

    @property
    def matching(self) -> Matching | None:
        """The change of every image; None if there is none."""
        return None if self == Match() else Matching(zoom=self.zoom, has_fixed_stain=self.stain)


class ImageChoices(RecipeSection):
    """Which pixels of a file are an image, unless a row of a table states them."""

    series: Annotated[int, Key("images")] = Field(default=0, ge=0)
    t: Annotated[int, Key("images")] = Field(default=0, ge=0)
    z: Annotated[ZPlane, Key("images")] = 0
    channels: Annotated[tuple[Channel, ...] | None, Key("images")] = None
    level: Annotated[int, Key("images")] = Field(default=0, ge=0)
    pixel_size_um: Annotated[PixelSizeUm | None, Key("images")] = None


class PreprocessingChoices(RecipeSection):
    """How images are read and preprocessed."""

    image_size: Annotated[int | None, Key("images")] = Field(default=None, ge=16, le=MAX_SIDE_PX)
    resize: Annotated[Resize, Key("images")] = "pad"
    pad_color: Annotated[PadColor, Key("images")] = "auto"
    scaling: Annotated[Literal["auto", "full", "training-range", "per-image"], Key("images")] = "auto"
    normalization: Annotated[
        Literal["weights", "imagenet", "none", "training-images", "rescaled-twice"], Key("images")
    ] = "weights"
    images: ImageChoices = ImageChoices()
    channel_files: Annotated[ChannelFiles | None, Key("images")] = None
    crop_size: Annotated[CropSize | None, Key("images")] = None
    crop_margin: Annotated[CropMargin, Key("images")] = 0.0
    degrade: Degrade = Degrade()
    match: Match = Match()


_FOR_TWO_CLASSES = frozenset({"sensitivity", "specificity", "threshold"})


class DecisionChoices(RecipeSection):
    """How classes are predicted from the probabilities of the network."""

    positive_class: Annotated[str | None, Key("decision")] = None
    decide_by: Annotated[DecideBy, Key("decision")] = "highest"
    target: Annotated[float, Key("decision")] = Field(default=0.95, gt=0, le=1)
    threshold: Annotated[float, Key("decision")] = Field(default=0.5, gt=0, lt=1)
    error_rate: Annotated[float | None, Key("decision")] = Field(default=None, gt=0, lt=1)

    def decision_rule(self, classes: Sequence[str]) -> DecisionRule:
        """Return the decision rule for these classes, with the positive class as an index."""
        positive = positive_class(classes, self.positive_class)
        return DecisionRule(
            by=self.decide_by,
            positive=None if positive is None else list(classes).index(positive),
            target=self.target,
            threshold=self.threshold,
            error_rate=self.error_rate,
        )

    def check_decision(self, classes: Sequence[str]) -> None:
        """Check that the decision rule and the positive class fit the classes.

        Raises:
            BadRecipe: they do not.
        """
        n = len(classes)
        if self.decide_by in _FOR_TWO_CLASSES and n != 2:
            fault = text("needs-two-classes.fault", decide_by=self.decide_by, n_classes=n)
            faults = [("decide_by", fault)]
            raise BadRecipe("needs-two-classes", faults=faults, decide_by=self.decide_by, n_classes=n)
        if self.positive_class is None:
            return
        if n != 2:
            fault = text("positive-class-needs-two.fault", n_classes=n)
            raise BadRecipe("positive-class-needs-two", faults=[("positive_class", fault)], n_classes=n)
        if self.positive_class not in classes:
            fault = str(no_such("class", self.positive_class, classes))
            raise BadRecipe("unknown-positive-class", faults=[("positive_class", fault)], reason=fault)


# Sections: network, initial weights, fine-tuning and the regularizer.


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
    stage: Annotated[Stage, Key("basic")] = "finetune"
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
    sgd_from: Annotated[Fraction, Key("training", is_percentage=True)] = Field(default=0.5, gt=0)
    sgd_learning_rate: Annotated[float, Key("training")] = Field(default=1e-2, gt=0, le=10)
    nesterov: Annotated[bool, Key("training")] = True
    weight_decay: Annotated[float, Key("training")] = Field(default=0.01, ge=0, le=1)
    clip_gradient: Annotated[Literal["auto"] | Annotated[float, Field(gt=0, le=1e6)] | None, Key("training")] = "auto"
    schedule: Annotated[Literal["cosine", "constant"], Key("training")] = "cosine"
    warmup: Annotated[Fraction, Key("training", is_percentage=True)] = 0.25
    loss: Annotated[str, OneOf("loss", lambda: LOSSES), Key("training")] = "cross_entropy"
    loss_options: Annotated[
        dict[str, float], Key("training", options=lambda: {name: record.options for name, record in LOSSES.items()})
    ] = Field(default_factory=dict)
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

    @property
    def epochs_planned(self) -> int:
        """The number of epochs of the learning rate schedule, after `with_epochs`; the last one may be incomplete."""
        return math.ceil(list(self.schedule_changes.values())[-1]) if self.schedule_changes else self.n_epochs

    def is_second_phase(self, epoch: int) -> bool:
        """Return whether `adam-then-sgd` uses SGD in this epoch: not in the first, and at the latest in the last."""
        last_of_adam = max(1, min(self.n_epochs - 1, round(self.sgd_from * self.n_epochs)))
        return self.optimizer == "adam-then-sgd" and epoch > last_of_adam

    def n_drawn(self, n_of_class: Sequence[int], n_of_domain: Sequence[int] = (1,)) -> int:
        """Return the number of images of an epoch, by the numbers of training images of each class and of each domain.

        Classes and domains without training images are not among them.
        """
        match self.sampling:
            case "oversample":
                return len(n_of_class) * max(n_of_class)
            case "domains":
                return len(n_of_domain) * max(n_of_domain)
            case "undersample":
                return len(n_of_class) * self.rare_class_repeats * min(n_of_class)
            case "even":
                return sum(n_of_class) // len(n_of_class) * len(n_of_class)
            case "all":
                return sum(n_of_class)

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


# Faults of a recipe in words: the key, the allowed values, and the nearest valid key.

_KEYS_OF_OTHER_TOOLS = {
    "arch": "model",
    "architecture": "model",
    "aug": "augment",
    "augmentation": "augment",
    "backbone": "model",
    "batch": "batch_size",
    "bs": "batch_size",
    "classes_to_drop": "classes.drop",
    "criterion": "loss",
    "cv": "split.folds",
    "early_stopping": "patience",
    "hflip": "augment.flip",
    "image_sz": "image_size",
    "img_size": "image_size",
    "imgsz": "image_size",
    "input_size": "image_size",
    "k_folds": "split.folds",
    "kfold": "split.folds",
    "lr": "learning_rate",
    "lr0": "learning_rate",
    "max_epochs": "epochs",
    "metric": "primary_metric",
    "n_epochs": "epochs",
    "n_folds": "split.folds",
    "n_splits": "split.folds",
    "net": "model",
    "network": "model",
    "num_epochs": "epochs",
    "opt": "optimizer",
    "optim": "optimizer",
    "pretrained": "init",
    "random_seed": "seed",
    "random_state": "seed",
    "rotation": "augment.rotate_degrees",
    "scheduler": "schedule",
    "size": "image_size",
    "test_size": "split.test",
    "test_split": "split.test",
    "val_size": "split.val",
    "val_split": "split.val",
    "validation_split": "split.val",
    "wd": "weight_decay",
    "weights": "init",
}


def key_of_other_tool(name: str) -> str | None:
    """Return the recipe key for a setting of another program; None if there is none."""
    return _KEYS_OF_OTHER_TOOLS.get(name.rpartition(".")[2].replace("-", "_").casefold())


def suggested_key(name: str, keys: Iterable[str]) -> str | None:
    """Return the key that `batch-size`, `folds`, `lr` or `epoch` probably stands for; None if no key is similar.

    Args:
        name: the text of the user.
        keys: all dotted keys.
    """
    plain = name.replace("-", "_").casefold()
    last = plain.rpartition(".")[2]
    last_of = {key: key.rpartition(".")[2] for key in keys}
    if plain in last_of:
        return plain
    near = sorted((key for key, of_key in last_of.items() if of_key == last), key=lambda key: key != last)
    near += filter(None, [key_of_other_tool(plain)])
    if last:
        if len(last) >= _FEWEST_LETTERS:
            near += [key for key, of_key in last_of.items() if of_key.startswith(last)]
        near += difflib.get_close_matches(plain, last_of, n=1, cutoff=_NEAR)
        near += [key for key, of_key in last_of.items() if last in of_key.split("_")]
    return next(iter(near), None)


Fault = tuple[str, str]  # the dotted key, and its fault in words
_MOST_FAULTS = 20
_NEAR = 0.75  # similarity of difflib; less similar names are not suggested
_FEWEST_LETTERS = 3  # of a name that is the beginning of a suggested key
_MOST_CHARACTERS = 80  # maximum characters of a value in a message


def invalid_recipe(faults: Sequence[Fault], *, file: Path | None = None, lines: Mapping[str, int]) -> BadRecipe:
    """Return the error for all faults, each with its line if it is known."""
    problems = (text("fault-at-line", line=lines[key], fault=fault) if key in lines else fault for key, fault in faults)
    return BadRecipe(
        "invalid-recipe", file=file, faults=faults, lines=lines, problems="; ".join(dict.fromkeys(problems))
    )


def key_faults(error: ValidationError, recipe: type[BaseModel]) -> list[Fault]:
    """Return the first faults without repetitions, and the number of further faults."""
    details = error.errors()
    unknown = {detail["loc"][:1] for detail in details if detail["type"] == "extra_forbidden"}
    # A misspelled required key is also missing; it is reported once.
    details = [detail for detail in details if detail["type"] != "missing" or detail["loc"][:1] not in unknown]
    described = [(".".join(_path(detail)), _fault_text(detail, recipe)) for detail in details[:_MOST_FAULTS]]
    n_more = len(details) - len(described)
    return [*dict.fromkeys(described), *([("", text("more-faults", n_more=n_more))] if n_more else [])]


_SEVERAL_TYPES = (
    *("images.z", "channel_files", "images.channels", "augment.flip", "clip_gradient", "epochs"),
    *("crop_size", "crop_margin"),
)


def _path(fault: Any) -> list[str]:  # Any: Pydantic's ErrorDetails
    """Return the names of the sections and of the key that a fault concerns."""
    path = [str(name) for name in fault["loc"]]
    if path[:1] == ["init"]:
        del path[1:2]  # the kind of initialization
    # Pydantic reports a fault for each alternative type of these keys.
    for key in _SEVERAL_TYPES:
        if ".".join(path).startswith(f"{key}."):
            return key.split(".")
    return path


def _fault_text(fault: Any, recipe: type[BaseModel]) -> str:  # Any: Pydantic's ErrorDetails
    path = _path(fault)
    if path == ["init", "run"] and fault["type"] == "extra_forbidden":
        return text("init-with-run-and-data")
    if fault["type"] == "extra_forbidden":
        return unknown_key(".".join(path), path, recipe)
    if fault["type"] == "missing":
        return text("missing-recipe-key", key=".".join(path))
    key, value = ".".join(path), fault["input"]
    if fault["type"] == "value_error":
        expected = str(fault["ctx"]["error"])
    else:
        is_length = key == "image_size" and isinstance(value, str)
        is_described = key in _SHAPES or is_length
        expected = text("recipe-value", key=key.replace(".", "_")) if is_described else _in_plain_words(fault)
    return f"{key}: {expected}" if isinstance(value, dict) else f"{key} = {_as_written(value)}: {expected}"


# Keys with separate messages, because Pydantic describes their values by its types.
_SHAPES = frozenset(
    {
        *_SEVERAL_TYPES,
        *("augment", "init", "degrade", "images", "match", "regularizer", "split", "model_options", "loss_options"),
    }
)
_TYPES = ("int", "float", "bool", "string")


def _in_plain_words(fault: Any) -> str:  # Any: Pydantic's ErrorDetails
    limits = fault.get("ctx", {})
    kind = str(fault["type"])
    if isinstance(fault["input"], float) and not math.isfinite(fault["input"]):
        return text("value-not-finite")
    match kind:
        case "greater_than_equal":
            return text("value-below-minimum", limit=limits["ge"])
        case "greater_than":
            return text("value-not-above", limit=limits["gt"])
        case "less_than_equal":
            return text("value-above-maximum", limit=limits["le"])
        case "less_than":
            return text("value-not-below", limit=limits["lt"])
        case "literal_error":
            return text("value-not-an-option", options=limits["expected"])
    for name in _TYPES:
        if kind.startswith(f"{name}_"):
            return text("value-of-wrong-type", type=name)
    return f"{fault['msg'][0].lower()}{fault['msg'][1:]}"


def _as_written(value: object) -> str:
    """Return a value in YAML, shortened if it is long."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return _shortened(f"[{', '.join(map(_as_written, value[:_MOST_CHARACTERS]))}]")
        case int() if value.bit_length() > _MOST_CHARACTERS:
            return text("value-with-many-digits")
    return _shortened(repr(value))


def _shortened(value: str) -> str:
    return value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}…"


def unknown_key(key: str, path: list[str], recipe: type[BaseModel]) -> str:
    """Return the message for an unknown key, with the nearest key of the recipe; `path` are its sections and name."""
    sections: list[tuple[str, type[BaseModel]]] = [
        ("augment", Augment),
        ("classes", ClassPlan),
        ("degrade", Degrade),
        ("images", ImageChoices),
        ("init", FromRun),
        ("init", Pretraining),
        ("match", Match),
        ("regularizer", Regularizer),
        ("split", SplitPlan),
    ]
    inner = [f"{section}.{name}" for section, model in sections for name in model.model_fields]
    names = [name for name in inner if name.startswith(f"{path[0]}.")] or [*recipe.model_fields, *inner]
    if ":" in path[-1]:
        return text("recipe-key-with-colon", key=_shortened(key))
    if nearest := suggested_key(key, names):
        return text("similar-recipe-key", key=_shortened(key), nearest=nearest)
    return text("unknown-recipe-key", key=_shortened(key))


# The recipe.


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
        return self.refit_all and self.split.train_per_class is None

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

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Set the signature to the keys with their plain defaults. Pydantic's also contains the annotations."""
        cls.__signature__ = Signature(
            [
                Parameter(name, Parameter.KEYWORD_ONLY, default=... if isinstance(value, BaseModel | dict) else value)
                for name, field in cls.model_fields.items()
                for value in [field.get_default(call_default_factory=True)]
            ]
        )


def _rebuild_with_augmentations() -> None:
    update_augment_keys()
    Recipe.model_rebuild(force=True)
    Recipe.__pydantic_on_complete__()  # Pydantic does not call it after a second time


Recipe.__pydantic_on_complete__()  # before the first use, too
AUGMENTATIONS.follow(_rebuild_with_augmentations)
