"""The choices of a recipe as a form shows them: each with a title, a sentence, its range and its default.

Help, ranges and defaults come from the recipe itself; only titles and places are added here.
"""

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from coverslip.runs import Recipe

Group = Literal["basic", "training", "images", "split", "augment"]
Kind = Literal["number", "integer", "choice", "boolean", "text"]

_PLACES: dict[str, tuple[Group, str]] = {
    "model": ("basic", "Network"),
    "stage": ("basic", "How far to train"),
    "epochs": ("basic", "Most epochs"),
    "init": ("basic", "Start from"),
    "seed": ("basic", "Seed"),
    "device": ("basic", "Device"),
    "batch_size": ("training", "Batch size"),
    "learning_rate": ("training", "Learning rate"),
    "optimizer": ("training", "Optimiser"),
    "sgd_from": ("training", "Change to SGD after"),
    "sgd_learning_rate": ("training", "Learning rate of SGD"),
    "schedule": ("training", "Schedule"),
    "warmup": ("training", "Warm-up"),
    "weight_decay": ("training", "Weight decay"),
    "label_smoothing": ("training", "Label smoothing"),
    "balance": ("training", "Rare classes"),
    "patience": ("training", "Patience"),
    "primary_metric": ("training", "Choose by"),
    "decide_by": ("training", "Decide by"),
    "head": ("training", "Read classes from"),
    "views": ("training", "Views"),
    "freeze_to": ("training", "Keep layers up to"),
    "batch_norm": ("training", "Batch norm"),
    "regulariser.groups": ("training", "Draw features together by"),
    "regulariser.spread_weight": ("training", "Push groups apart"),
    "regulariser.scatter_weight": ("training", "Pull groups together"),
    "regulariser.scatter": ("training", "Distances put together by"),
    "regulariser.memory": ("training", "Earlier images in groups"),
    "image_size": ("images", "Image size"),
    "resize": ("images", "Resizing"),
    "pad_colour": ("images", "Padding"),
    "scaling": ("images", "Intensities"),
    "normalisation": ("images", "Normalisation"),
    "plane": ("images", "Plane"),
    "split.val": ("split", "Validation share"),
    "split.test": ("split", "Test share"),
    "split.folds": ("split", "Folds"),
    "split.train_per_class": ("split", "Most training images per class"),
    "augment.flip": ("augment", "Mirror"),
    "augment.rotate_degrees": ("augment", "Rotate (degrees)"),
    "augment.zoom": ("augment", "Zoom"),
    "augment.shift": ("augment", "Shift"),
    "augment.brightness": ("augment", "Brightness"),
    "augment.contrast": ("augment", "Contrast"),
    "augment.shear_degrees": ("augment", "Shear (degrees)"),
    "augment.crop": ("augment", "Crop"),
    "augment.blur": ("augment", "Blur"),
    "augment.saturation": ("augment", "Saturation"),
    "augment.hue_degrees": ("augment", "Hue (degrees)"),
    "augment.stain": ("augment", "Stain strength"),
}
_KINDS: dict[type, Kind] = {bool: "boolean", int: "integer", float: "number"}
# What no single field of a form can hold, or what the image set says.
LEFT_OUT = frozenset({"model_options", "channels", "classes", "group"})


@dataclass(frozen=True, slots=True)
class RecipeField:
    """One choice; `key` has a dot where it lies in a section."""

    key: str
    title: str
    help: str
    type: Kind
    default: float | int | bool | str | None
    choices: list[str | int | bool] | None
    is_optional: bool
    minimum: float | None
    maximum: float | None
    group: Group


def recipe_fields() -> list[RecipeField]:
    """All choices, the basic ones first."""
    infos = dict(_fields_of(Recipe))
    return [_field(key, infos[key], group, title) for key, (group, title) in _PLACES.items()]


def _fields_of(model: type[BaseModel], before: str = "") -> list[tuple[str, FieldInfo]]:
    found: list[tuple[str, FieldInfo]] = []
    for name, info in model.model_fields.items():
        is_section = isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
        if is_section and f"{before}{name}" not in LEFT_OUT:
            assert isinstance(info.annotation, type)
            found += _fields_of(info.annotation, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", info))
    return found


def _field(key: str, info: FieldInfo, group: Group, title: str) -> RecipeField:
    kinds, choices, is_optional, limits = _told_by(info.annotation)
    limits += info.metadata
    kind: Kind = "text"
    if choices and not set(kinds) - {bool}:
        kind, choices = "choice", [*((True, False) if bool in kinds else ()), *choices]
    elif len(kinds) == 1:
        kind = _KINDS.get(kinds[0], "text")
    lows, highs = _numbers(limits, "ge", "gt"), _numbers(limits, "le", "lt")
    is_number = kind in ("number", "integer")
    return RecipeField(
        key=key,
        title=title,
        help=info.description or "",
        type=kind,
        default=info.default,
        choices=choices if kind == "choice" else None,
        is_optional=is_optional,
        minimum=max(lows, default=None) if is_number else None,
        maximum=min(highs, default=None) if is_number else None,
        group=group,
    )


def _numbers(limits: Sequence[Any], *names: str) -> list[float]:  # Any: each kind of limit names its number otherwise
    return [float(found) for one in limits for name in names if (found := getattr(one, name, None)) is not None]


def _told_by(annotation: Any) -> tuple[list[type], list[Any], bool, list[Any]]:  # Any: how types are written
    """Plain types, named values, whether null is allowed, and limits that an annotation holds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        kinds, choices, is_optional, limits = _told_by(inner)
        for one in more:
            limits += one.metadata if isinstance(one, FieldInfo) else [one]
        return kinds, choices, is_optional, limits
    if origin is Literal:
        return [], list(get_args(annotation)), False, []
    if origin in (Union, types.UnionType):
        parts = [_told_by(part) for part in get_args(annotation)]
        return (
            [kind for part in parts for kind in part[0]],
            [choice for part in parts for choice in part[1]],
            any(part[2] for part in parts),
            [limit for part in parts for limit in part[3]],
        )
    if annotation is type(None):
        return [], [], True, []
    return ([annotation] if annotation in (bool, int, float, str) else []), [], False, []
