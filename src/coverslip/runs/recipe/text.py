"""Recipes as text: YAML files, `key=value` settings, and faults in plain words."""

import difflib
import io
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from coverslip.datasets import ClassPlan
from coverslip.errors import BadRecipe
from coverslip.files import write_text
from coverslip.runs.recipe.augment import Augment
from coverslip.runs.recipe.initialisation import FromRun, Pretraining
from coverslip.runs.recipe.recipe import Recipe
from coverslip.runs.recipe.regulariser import Regulariser
from coverslip.runs.recipe.split_plan import SplitPlan


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
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        told = error.errors()
        unknown = {fault["loc"][:1] for fault in told if fault["type"] == "extra_forbidden"}
        # A misspelt key is missing too.
        told = [fault for fault in told if fault["type"] != "missing" or fault["loc"][:1] not in unknown]
        faults = list(dict.fromkeys((".".join(_place(fault)), _describe(fault)) for fault in told))
        words = "; ".join(dict.fromkeys(text for _, text in faults))
        raise BadRecipe(
            f"The recipe is not valid: {words}", file=file, do="Correct it and run again.", faults=faults
        ) from error
    if isinstance(recipe.init, Pretraining):
        pretraining_recipe(recipe, file=file)
    return recipe


def pretraining_recipe(recipe: Recipe, *, file: Path | None = None) -> Recipe:
    """The recipe of the first of two trainings: that of the second, but for what describes its images.

    Whole networks are trained from ImageNet weights by one split, unless `init.recipe` says otherwise.

    Args:
        recipe: with `init: {train_on: DATA, recipe: {...}}`.
        file: where it was read from, for errors.

    Raises:
        BadRecipe: `init.recipe` is not valid, or would leave the network as it was.
    """
    assert isinstance(recipe.init, Pretraining)
    own = recipe.model_dump(mode="json", exclude={"init", "classes", "group", "freeze_to"})
    given = recipe.init.recipe
    split = {**own["split"], "folds": 0, "train_per_class": None}  # a start from many images for few is why one asks
    if "split" in given:
        split = {**split, **given["split"]} if isinstance(given["split"], dict) else given["split"]
    try:
        first = check_recipe({**own, "stage": "finetune", **given, "split": split}, file=file)
    except BadRecipe as error:
        faults = [(f"init.recipe.{key}", text) for key, text in error.faults]
        raise BadRecipe(
            f"In init.recipe: {error.what}", file=file, do=error.do, remedies=error.remedies, faults=faults
        ) from error
    if first.stage == "instant" or isinstance(first.init, Pretraining):
        is_instant = first.stage == "instant"
        what = "stops before the network is trained" if is_instant else "may not have pretraining of its own"
        raise BadRecipe(f"In init.recipe: pretraining {what}", file=file, do="Correct it and run again.")
    same = ("model", "model_options", "head")
    if [getattr(first, key) for key in same] != [getattr(recipe, key) for key in same]:
        raise BadRecipe(
            "In init.recipe: both trainings must have the same model, model_options and head",
            file=file,
            do="Leave them out there.",
        )
    return first


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
        if sections[:1] == ["init"] and not isinstance(data["init"], dict):  # such as init.run=runs/first
            data["init"] = {}
        place = data
        for depth, section in enumerate(sections):
            if depth and sections[:2] in (["init", "recipe"], ["init", "labels"]):  # hold only what somebody wrote
                place.setdefault(section, {})
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


def _place(fault: Any) -> list[str]:  # Any: Pydantic's ErrorDetails
    """The key that a fault is about, and the sections around it."""
    place = [str(part) for part in fault["loc"]]
    if place[:1] == ["init"]:
        del place[1:2]  # which of the ways to start it was read as
    for known in ("plane", "channels", "augment.flip"):  # Pydantic tells a fault for each way to read them
        if ".".join(place).startswith(f"{known}."):
            return known.split(".")
    return place


def _describe(fault: Any) -> str:  # Any: Pydantic's ErrorDetails
    place = _place(fault)
    if place == ["init", "run"] and fault["type"] == "extra_forbidden":
        return "init: give either run or train_on, not both"
    if fault["type"] == "extra_forbidden":
        return _unknown(".".join(place), place)
    if fault["type"] == "missing":
        return f"there is no {'.'.join(place)}"
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
    same_section = [name for name in inner if name.startswith(f"{place[0]}.")]
    near = [name for name in same_section if name.split(".")[1].startswith(last)]
    near += difflib.get_close_matches(key, same_section or [*Recipe.model_fields, *inner], n=1, cutoff=0.5)
    near += [name for name in inner if name.split(".")[1] == last]
    if ":" in last:
        return f"there is no key '{key}' (in braces, a space must follow each colon)"
    return f"there is no key '{key}'" + (f" (did you mean '{near[0]}'?)" if near else "")
