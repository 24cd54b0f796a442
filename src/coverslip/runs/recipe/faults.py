"""What is wrong with a recipe, in plain words: the key, what is wanted there, and the nearest valid key."""

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe
from coverslip.runs.recipe.choices import Augment
from coverslip.runs.recipe.habits import key_elsewhere
from coverslip.runs.recipe.split_plan import SplitPlan
from coverslip.runs.recipe.training import FromRun, Pretraining, Regulariser

Fault = tuple[str, str]  # the key, sections with dots, and what is wrong with it
_MOST_FAULTS = 20
_NEAR = 0.75  # of difflib: below it, names are of other things
_SHOWN = 80  # characters of what somebody wrote


def invalid_recipe(faults: Sequence[Fault], *, file: Path | None = None, lines: Mapping[str, int]) -> BadRecipe:
    """The error that names all faults, each with its line where that is known."""
    words = (f"line {lines[key]}: {text}" if key in lines else text for key, text in faults)
    return BadRecipe(
        f"The recipe is not valid: {'; '.join(dict.fromkeys(words))}",
        file=file,
        do="Correct it.",
        faults=faults,
        lines=lines,
    )


def key_faults(error: ValidationError, recipe: type[BaseModel]) -> list[Fault]:
    """Every fault of the first ones once, and how many more there are."""
    details = error.errors()
    unknown = {detail["loc"][:1] for detail in details if detail["type"] == "extra_forbidden"}
    # A misspelt key is missing too.
    details = [detail for detail in details if detail["type"] != "missing" or detail["loc"][:1] not in unknown]
    described = [(".".join(_place(detail)), _describe(detail, recipe)) for detail in details[:_MOST_FAULTS]]
    n_more = len(details) - len(described)
    return [*dict.fromkeys(described), *([("", f"and {n_more:,} more")] if n_more else [])]


def _place(fault: Any) -> list[str]:  # Any: Pydantic's ErrorDetails
    """The key that a fault is about, and the sections around it."""
    place = [str(part) for part in fault["loc"]]
    if place[:1] == ["init"]:
        del place[1:2]  # which of the ways to start it was read as
    # Pydantic tells a fault for each way to read these.
    for known in ("plane", "channel_files", "channels", "augment.flip", "clip_gradient", "epochs"):
        if ".".join(place).startswith(f"{known}."):
            return known.split(".")
    return place


def _describe(fault: Any, recipe: type[BaseModel]) -> str:  # Any: Pydantic's ErrorDetails
    place = _place(fault)
    if place == ["init", "run"] and fault["type"] == "extra_forbidden":
        return "init: give either run or train_on, not both"
    if fault["type"] == "extra_forbidden":
        return unknown_key(".".join(place), place, recipe)
    if fault["type"] == "missing":
        return f"there is no {'.'.join(place)}"
    key, value = ".".join(place), fault["input"]
    if fault["type"] == "value_error":
        expected = str(fault["ctx"]["error"])
    else:
        expected = _SHAPES.get(key) or _in_plain_words(fault)
    return f"{key}: {expected}" if isinstance(value, dict) else f"{key} = {_as_written(value)}: {expected}"


_SHAPES = {
    "plane": "it must be a page's number from 0, 'max' or 'mean'",
    "channel_files": "it must be a list of 2 to 16 different parts of file names, such as [_w1, _w2]",
    "channels": "it must be a list of channels' numbers from 0, such as [0, 2]",
    "epochs": "it must be auto, or a whole number from 1 to 10,000",
    "clip_gradient": "it must be auto, or a number above 0 and at most 1,000,000; left empty (null), none",
    "augment.flip": "it must be true, false or horizontal",
    "augment": "it is a section of several keys, such as augment.flip, or the name of a set",
    "init": "it must be imagenet, scratch, {run: PATH} or {train_on: DATA}",
    "regulariser": "it is a section of several keys, such as regulariser.groups",
    "split": "it is a section of several keys, such as split.test",
    "model_options": "it is a section of several keys",
    "loss_options": "it is a section of several keys, such as loss_options.gamma",
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
    """A value as a recipe would hold it, cut where it is long."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return _shortened(f"[{', '.join(map(_as_written, value[:_SHOWN]))}]")
        case int() if value.bit_length() > _SHOWN:
            return "a number of many digits"
    return _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def unknown_key(key: str, place: list[str], recipe: type[BaseModel]) -> str:
    """That there is no such key, with the nearest one that the recipe has; `place` are its parts."""
    sections: list[tuple[str, type[BaseModel]]] = [
        ("augment", Augment),
        ("classes", ClassPlan),
        ("init", FromRun),
        ("init", Pretraining),
        ("regulariser", Regulariser),
        ("split", SplitPlan),
    ]
    inner = [f"{section}.{name}" for section, model in sections for name in model.model_fields]
    last = place[-1]
    names = [name for name in inner if name.startswith(f"{place[0]}.")] or [*recipe.model_fields, *inner]
    near = [name for name in names if name.split(".")[-1] == last]
    near += [name for name in names if name.split(".")[-1].startswith(last)]
    near += difflib.get_close_matches(key, names, n=1, cutoff=_NEAR)
    near += [name for name in names if last in name.split(".")[-1].split("_")]
    near = [*filter(None, [key_elsewhere(key)]), *near]
    if ":" in last:
        return f"there is no key '{_shortened(key)}' (in braces, a space must follow each colon)"
    return f"there is no key '{_shortened(key)}'" + (f" (did you mean '{near[0]}'?)" if near else "")
