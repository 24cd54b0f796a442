"""Sections of a recipe: data augmentation, split, preprocessing and decisions, and the types that sections share.

The texts of every key are in `messages/en/recipe_keys.ftl`; a field holds its type, default and range.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from coverslip.augmentation import AUGMENT_SETS, AUGMENTATIONS, Augmentation
from coverslip.errors import BadRecipe
from coverslip.evaluation import DecideBy, DecisionRule, positive_class
from coverslip.images import (
    MAX_SIDE_PX,
    Channel,
    ChannelFiles,
    CropMargin,
    CropSize,
    Degradation,
    PadColor,
    PixelSizeUm,
    Resize,
    ZPlane,
)
from coverslip.keys import Key
from coverslip.messages import text
from coverslip.tables import no_such

Fraction = Annotated[float, Field(ge=0, lt=1)]


class RecipeSection(BaseModel):
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
    rare_images: Annotated[int | None, Key("split")] = Field(default=None, ge=2)
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
