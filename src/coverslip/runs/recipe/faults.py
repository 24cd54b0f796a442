"""Faults of a recipe in words: the key, the allowed values, and the nearest valid key."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe
from coverslip.messages import text
from coverslip.runs.recipe.sections import Augment, Degrade, ImageChoices, SplitPlan
from coverslip.runs.recipe.training import FromRun, Pretraining, Regularizer

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


def suggested_key(name: str, keys: Iterable[str], *, allow_similar: bool = True) -> str | None:
    """Return the key that `batch-size`, `folds`, `lr` or `epoch` probably stands for; None if no key is similar.

    Args:
        name: the text of the user.
        keys: all dotted keys.
        allow_similar: also consider keys with a similar spelling.
    """
    plain, keys = name.replace("-", "_").casefold(), tuple(keys)
    if plain in keys:
        return plain
    inner = [key for key in keys if key.rpartition(".")[2] == plain]
    near = difflib.get_close_matches(plain, keys, n=1, cutoff=0.8) if allow_similar else []
    return next(iter([*inner, *filter(None, [key_of_other_tool(plain)]), *near]), None)


Fault = tuple[str, str]  # the dotted key, and its fault in words
_MOST_FAULTS = 20
_NEAR = 0.75  # similarity of difflib; less similar names are not suggested
_SHOWN = 80  # maximum characters of a value in a message


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
    described = [(".".join(_path(detail)), _describe(detail, recipe)) for detail in details[:_MOST_FAULTS]]
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


def _describe(fault: Any, recipe: type[BaseModel]) -> str:  # Any: Pydantic's ErrorDetails
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
        *("augment", "init", "degrade", "images", "regularizer", "split", "model_options", "loss_options"),
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
            return _shortened(f"[{', '.join(map(_as_written, value[:_SHOWN]))}]")
        case int() if value.bit_length() > _SHOWN:
            return text("value-with-many-digits")
    return _shortened(repr(value))


def _shortened(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"


def unknown_key(key: str, path: list[str], recipe: type[BaseModel]) -> str:
    """Return the message for an unknown key, with the nearest key of the recipe; `path` are its sections and name."""
    sections: list[tuple[str, type[BaseModel]]] = [
        ("augment", Augment),
        ("classes", ClassPlan),
        ("degrade", Degrade),
        ("images", ImageChoices),
        ("init", FromRun),
        ("init", Pretraining),
        ("regularizer", Regularizer),
        ("split", SplitPlan),
    ]
    inner = [f"{section}.{name}" for section, model in sections for name in model.model_fields]
    last = path[-1]
    names = [name for name in inner if name.startswith(f"{path[0]}.")] or [*recipe.model_fields, *inner]
    near = [name for name in names if name.split(".")[-1] == last]
    near += [name for name in names if name.split(".")[-1].startswith(last)]
    near += difflib.get_close_matches(key, names, n=1, cutoff=_NEAR)
    near += [name for name in names if last in name.split(".")[-1].split("_")]
    near = [*filter(None, [key_of_other_tool(key)]), *near]
    if ":" in last:
        return text("recipe-key-with-colon", key=_shortened(key))
    if near:
        return text("similar-recipe-key", key=_shortened(key), nearest=near[0])
    return text("unknown-recipe-key", key=_shortened(key))
