"""The recipe: every choice that shapes a result, as data. An empty recipe is a good one."""

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from coverslip.datasets import ClassPlan
from coverslip.images import PadColour, Plane, Resize
from coverslip.runs.augment import Augment, augment_named
from coverslip.runs.choices import Choices
from coverslip.runs.regulariser import Regulariser
from coverslip.runs.start import Start

Fraction = Annotated[float, Field(ge=0, lt=1)]
Balance = Literal["none", "weights", "oversample", "undersample", "even", "domains"]
MetricName = Literal["accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "log_loss"]


class SplitPlan(Choices):
    """How images are shared out. Groups and exact duplicates are never divided."""

    val: Fraction = Field(0.2, gt=0, description="Share of images that choices are made on (validation).")
    test: Fraction = Field(
        0.2, gt=0, description="Share of images that the final numbers come from; no choice sees them."
    )
    folds: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Cross-validation: so many networks, each tested on another part, so that every image is tested "
        "once (`test` then does not count); the classifier itself is trained on all images. 0 makes one split. Left "
        "empty (null), up to 5 folds where there are fewer than 10 groups, or fewer than 100 images without groups.",
    )

    @field_validator("folds")
    @classmethod
    def _one_is_none(cls, value: int | None) -> int | None:
        if value == 1:
            raise ValueError("one fold would leave nothing to train on: use 0 for a single split, or 2 and more")
        return value

    train_per_class: int | None = Field(
        None, ge=1, description="Most training images of each class, drawn by `seed`; left empty (null), all."
    )

    @model_validator(mode="after")
    def _leaves_something(self) -> "SplitPlan":
        if self.val + self.test >= 1:
            raise ValueError(f"val = {self.val:g} and test = {self.test:g} leave nothing to train on")
        return self


class Recipe(Choices):
    """Every choice that shapes a result.

    Defaults: EfficientNet-Lite0 with ImageNet weights, first an instant head on frozen features, then fine-tuning.
    """

    model: str = Field("efficientnet_lite0", description="A network by its name, or `timm/NAME`.")
    # Any: the architecture checks them
    model_options: dict[str, Any] = Field(default_factory=dict, description="Options of the architecture.")
    head: Literal["pooled_stages", "native"] = Field(
        "pooled_stages",
        description="What the classes are read from: mean and sd of many layers' outputs, or the last layer alone.",
    )
    views: Literal[1, 2, 4, 8] = Field(
        2,
        description="Copies averaged when embedding and predicting: 1 the image alone, 2 and its half turn, "
        "4 and both mirror images, 8 and all of these turned by a quarter.",
    )
    stage: Literal["finetune", "instant"] = Field(
        "finetune",
        description="`instant` stops after the head on frozen features; `finetune` goes on to train the whole network. "
        "From scratch there is nothing to freeze, and the network is trained in either case.",
    )
    init: Start = Field(
        "imagenet",
        description="Where the weights start: imagenet, scratch (random), {run: PATH} (those of an earlier run), or "
        "{train_on: DATA} (a first training on other labelled images, then one on these).",
    )
    freeze_to: str | None = Field(
        None, description="Keep everything up to and including this part of the network as it is."
    )
    batch_norm: Literal["auto", "keep", "learn"] = Field(
        "auto",
        description="Whether batch norms keep the statistics they were pretrained with or follow the batches when "
        "fine-tuning; auto keeps them unless training starts from scratch.",
    )
    epochs: int = Field(8, ge=1, le=10_000, description="Most passes over the training images when fine-tuning.")
    batch_size: int = Field(32, ge=1, le=4096, description="Images per step of fine-tuning.")
    optimizer: Literal["adamw", "adam", "amsgrad", "sgd", "adam-then-sgd"] = Field(
        "adamw",
        description="Fine-tuning's optimiser; amsgrad is Adam with the largest second moment so far; sgd has Nesterov "
        "momentum 0.9 and shortens gradients longer than 1; adam-then-sgd changes from one to the other on the way.",
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Peak step size of fine-tuning.")
    sgd_from: Fraction = Field(0.5, gt=0, description="Share of the epochs after which adam-then-sgd goes on with sgd.")
    sgd_learning_rate: float = Field(1e-2, gt=0, le=10, description="Peak step size of the sgd in adam-then-sgd.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Pull of weights towards zero; not on biases and norms.")
    schedule: Literal["cosine", "plateau", "constant"] = Field(
        "cosine",
        description="How the step size falls: to zero along a cosine; to a tenth after patience/2 epochs without a "
        "lower validation loss; or not at all.",
    )
    warmup: Fraction = Field(0.1, description="Share of all steps that raise the step size from zero.")
    label_smoothing: Fraction = Field(0.0, description="Share of the label's weight that is spread over all classes.")
    regulariser: Regulariser = Regulariser()
    balance: Balance = Field(
        "none",
        description="In training only. For rare classes: weigh their loss up, draw their images more often "
        "(oversample), draw those of the others less often (undersample), or both, in an epoch of the usual length "
        "(even). For several sets of images: draw those of small ones more often (domains).",
    )
    patience: int | None = Field(
        10,
        ge=1,
        description="Stop after so many epochs without a better primary metric on validation images; left empty "
        "(null), never.",
    )
    image_size: int | None = Field(
        None,
        ge=16,
        le=4096,
        description="Side in pixels that images are resized to; left empty (null), the model's own.",
    )
    resize: Resize = Field(
        "pad",
        description="Keep the shape and pad, squash to a square, cut the centre square out, or pad at one scale for "
        "all images (canvas), so that a small cell stays small.",
    )
    pad_colour: PadColour = Field(
        "auto", description="What pad and canvas fill up with: the colour of the image's border (auto), black or white."
    )
    scaling: Literal["auto", "full", "training-range", "per-image"] = Field(
        "auto",
        description="How intensities become 0-1: by the data type's full range (auto, for 8 bit), by the range met "
        "in training images (auto, for deeper ones), or by each image's own, which erases intensity.",
    )
    normalisation: Literal["weights", "imagenet", "none", "training-images"] = Field(
        "weights",
        description="Mean and standard deviation that intensities in 0-1 are brought to: what the weights were trained "
        "with, ImageNet's, none (0-1 as they are), or those of the training images.",
    )
    plane: Plane = Field(0, description="Page of multi-page files (0-based), or 'max' / 'mean' over the pages.")
    channels: tuple[int, ...] | None = Field(None, description="0-based channels to use; left empty (null), all.")
    augment: Augment = Augment()
    classes: ClassPlan = ClassPlan()
    split: SplitPlan = SplitPlan()
    group: str | None = Field(
        None,
        description="Column of a table, or regular expression on the path, that names what must not be divided "
        "(patient, slide, well).",
    )
    primary_metric: MetricName = Field("macro_f1", description="What validation images choose by.")
    decide_by: Literal["highest", "roc"] = Field(
        "highest",
        description="What an image is called: the most probable class, or the one most above its own threshold, which "
        "comes from its ROC curve on validation images (roc): rare classes are found more often, frequent ones less.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Start of every random draw.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where to train; auto takes a CUDA GPU where there is one."
    )

    @field_validator("augment", mode="before")
    @classmethod
    def _augment_may_be_a_name(cls, value: object) -> object:
        return augment_named(value) if isinstance(value, str) else value

    @field_validator("freeze_to")
    @classmethod
    def _freeze_to_names_a_part(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("it must name a part of the network; left empty (null), all of it is trained")
        return value

    @field_validator("group", mode="before")
    @classmethod
    def _group_is_text(cls, value: object) -> object:
        """YAML reads a column called 7 or 2024-01-05 as a number or a date."""
        is_simple = isinstance(value, int | float | datetime.date) and not isinstance(value, bool)
        return str(value) if is_simple else value
