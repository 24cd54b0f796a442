"""The recipe: every choice that shapes a result, as data. An empty recipe is a good one."""

import datetime
import difflib
import io
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe
from coverslip.files import write_text
from coverslip.images import PadColour, Plane, Resize
from coverslip.runs.augment import Augment, augment_named
from coverslip.runs.choices import Choices

Fraction = Annotated[float, Field(ge=0, lt=1)]
Balance = Literal["none", "weights", "oversample", "undersample"]
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
        "once (`test` then does not count); the classifier itself is trained on all images. 0 makes one split. null "
        "takes up to 5 folds where there are fewer than 10 groups, or fewer than 100 images without groups.",
    )

    @field_validator("folds")
    @classmethod
    def _one_is_none(cls, value: int | None) -> int | None:
        if value == 1:
            raise ValueError("one fold would leave nothing to train on: use 0 for a single split, or 2 and more")
        return value

    train_per_class: int | None = Field(
        None, ge=1, description="Most training images of each class, drawn by `seed`; null takes all."
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

    model: str = Field("efficientnet_lite0", description="A name from `coverslip models`, or `timm/NAME`.")
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
    init: Literal["imagenet", "scratch"] = Field("imagenet", description="Where the weights start.")
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
    optimizer: Literal["adamw", "adam", "sgd"] = Field(
        "adamw", description="Fine-tuning's optimiser; sgd has Nesterov momentum 0.9."
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Peak step size of fine-tuning.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="Pull of weights towards zero; not on biases and norms.")
    schedule: Literal["cosine", "plateau", "constant"] = Field(
        "cosine",
        description="How the step size falls: to zero along a cosine; to a tenth after patience/2 epochs without a "
        "lower validation loss; or not at all.",
    )
    warmup: Fraction = Field(0.1, description="Share of all steps that raise the step size from zero.")
    label_smoothing: Fraction = Field(0.0, description="Share of the label's weight that is spread over all classes.")
    balance: Balance = Field(
        "none",
        description="For rare classes, in training only: weigh their loss up, draw their images more often, or draw "
        "those of the others less often.",
    )
    patience: int | None = Field(
        10,
        ge=1,
        description="Stop after so many epochs without a better primary metric on validation images; null never does.",
    )
    image_size: int | None = Field(
        None, ge=16, le=4096, description="Side in pixels that images are resized to; null takes the model's own."
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
    plane: Plane = Field(0, description="Page of multi-page files (0-based), or 'max' / 'mean' over the pages.")
    channels: tuple[int, ...] | None = Field(None, description="0-based channels to use; null takes all.")
    augment: Augment = Augment()
    classes: ClassPlan = ClassPlan()
    split: SplitPlan = SplitPlan()
    group: str | None = Field(
        None,
        description="Column of a table, or regular expression on the path, that names what must not be divided "
        "(patient, slide, well).",
    )
    primary_metric: MetricName = Field("macro_f1", description="What validation images choose by.")
    seed: int = Field(0, ge=0, lt=2**32, description="Start of every random draw.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where to train; auto takes a CUDA GPU where there is one."
    )

    @field_validator("augment", mode="before")
    @classmethod
    def _augment_may_be_a_name(cls, value: object) -> object:
        return augment_named(value) if isinstance(value, str) else value

    @field_validator("group", mode="before")
    @classmethod
    def _group_is_text(cls, value: object) -> object:
        """YAML reads a column called 7 or 2024-01-05 as a number or a date."""
        is_simple = isinstance(value, int | float | datetime.date) and not isinstance(value, bool)
        return str(value) if is_simple else value


def load_recipe(path: Path | str) -> Recipe:
    """Read a recipe from YAML.

    Raises:
        BadRecipe: not YAML, or a key or value is not valid; the nearest valid key is named.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = Path(path)
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, YAMLError) as error:  # ValueError: not UTF-8, or a date such as 2024-99-99
        raise BadRecipe(
            f"The recipe could not be read: {str(error).splitlines()[0]}",
            file=path,
            do="It must be a YAML file of `key: value` lines.",
        ) from error
    if data is not None and not isinstance(data, dict):
        raise BadRecipe(
            "The recipe is not a list of `key: value` lines",
            file=path,
            do="See `coverslip train --help` for an example.",
        )
    return check_recipe(data or {}, file=path)


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write the resolved recipe as YAML, whole or not at all."""
    from ruamel.yaml import YAML

    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # annotated as None
    yaml.dump({"format_version": 1, **recipe.model_dump(mode="json")}, text)
    write_text(path, text.getvalue())


def check_recipe(data: dict[str, Any], *, file: Path | None = None) -> Recipe:  # Any: values as YAML gives them
    """A recipe from plain data.

    Raises:
        BadRecipe: all faults at once, each with the nearest valid key or the allowed values.
    """
    data = dict(data)
    version = data.pop("format_version", 1)
    if version != 1:
        raise BadRecipe(
            f"The recipe has format version {version}; this coverslip reads version 1",
            file=file,
            do="Update coverslip.",
        )
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(dict.fromkeys(_describe(fault) for fault in error.errors()))
        raise BadRecipe(f"The recipe is not valid: {faults}", file=file, do="Correct it and run again.") from error


def with_settings(recipe: Recipe, settings: list[str]) -> Recipe:
    """The recipe with `key=value` settings applied, dots reaching into sections (`split.val=0.1`).

    Raises:
        BadRecipe: a setting has no `=`, or names an unknown key or a value that is not valid.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    data: dict[str, Any] = recipe.model_dump(mode="json")
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise BadRecipe(
                f"The setting '{setting}' has no '='", do="Write it as key=value, for example --set epochs=20."
            )
        *sections, last = key.strip().split(".")
        place = data
        for section in sections:
            inner = place.get(section)
            if not isinstance(inner, dict):
                raise BadRecipe(f"The recipe is not valid: {_unknown(key, sections)}", do="Correct it and run again.")
            place = inner
        try:
            place[last] = YAML(typ="safe", pure=True).load(value)
        except (ValueError, YAMLError) as error:  # ValueError: a date such as 2024-99-99
            raise BadRecipe(
                f"The value of '{setting}' could not be read",
                do="Quote it, for example --set 'group=\"a: b\"'; in braces, a space must follow each colon.",
            ) from error
        if key.strip() == "augment":  # a name becomes what it stands for, so that later settings can reach into it
            data = check_recipe(data).model_dump(mode="json")
    return check_recipe(data)


def _describe(fault: Any) -> str:  # Any: Pydantic's ErrorDetails
    place = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        return _unknown(".".join(place), place)
    for known in ("plane", "channels", "augment.flip"):  # Pydantic tells a fault for each way to read them
        if ".".join(place).startswith(f"{known}."):
            place = known.split(".")
    key, value = ".".join(place), fault["input"]
    if fault["type"] == "value_error":
        wanted = str(fault["ctx"]["error"])
    else:
        wanted = _SHAPES.get(key) or _in_plain_words(fault)
    return f"{key}: {wanted}" if isinstance(value, dict) else f"{key} = {_as_written(value)}: {wanted}"


_SHAPES = {
    "plane": "it must be a page's number from 0, 'max' or 'mean'",
    "channels": "it must be a list of channels' numbers from 0, such as [0, 2]",
    "augment.flip": "it must be true, false or horizontal",
    "augment": "it is a section of several keys, such as augment.flip, or the name of a set",
    "split": "it is a section of several keys, such as split.test",
    "model_options": "it is a section of several keys",
}
_WANTED = {"int_": "a whole number", "float_": "a number", "bool_": "true or false", "string_": "text"}


def _in_plain_words(fault: Any) -> str:  # Any: Pydantic's ErrorDetails
    limits = fault.get("ctx", {})
    kind = str(fault["type"])
    if isinstance(fault["input"], float) and not math.isfinite(fault["input"]):
        return "it must be a finite number"
    match kind:
        case "greater_than_equal":
            return f"it must be {limits['ge']:g} or more"
        case "greater_than":
            return f"it must be more than {limits['gt']:g}"
        case "less_than_equal":
            return f"it must be {limits['le']:g} or less"
        case "less_than":
            return f"it must be less than {limits['lt']:g}"
        case "literal_error":
            return f"it must be {limits['expected']}"
    for start, wanted in _WANTED.items():
        if kind.startswith(start):
            return f"it must be {wanted}"
    return f"{fault['msg'][0].lower()}{fault['msg'][1:]}"


def _as_written(value: object) -> str:
    """A value as a recipe would hold it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return f"[{', '.join(map(_as_written, value))}]"
    return repr(value)


def _unknown(key: str, place: list[str]) -> str:
    sections: dict[str, type[BaseModel]] = {"augment": Augment, "classes": ClassPlan, "split": SplitPlan}
    inner = [f"{section}.{name}" for section, model in sections.items() for name in model.model_fields]
    last = place[-1]
    same_section = [name for name in inner if name.startswith(f"{place[0]}.")]
    near = [name for name in same_section if name.split(".")[1].startswith(last)]
    near += difflib.get_close_matches(key, same_section or [*Recipe.model_fields, *inner], n=1, cutoff=0.5)
    near += [name for name in inner if name.split(".")[1] == last]
    return f"there is no key '{key}'" + (f" (did you mean '{near[0]}'?)" if near else "")
