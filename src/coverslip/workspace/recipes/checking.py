"""The recipe of a training that the workspace begins: checked, with whole paths and the classes of its images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coverslip.datasets import ClassPlan, natural_key
from coverslip.errors import BadRecipe
from coverslip.models import model_info
from coverslip.runs import Recipe, check_recipe
from coverslip.workspace.datasets.classes import trained_order
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow, Json, file_of_classifier, folder_of_run


def recipe_of_set(workspace: Workspace, row: AnyRow, given: Mapping[str, Any]) -> Recipe:
    """The recipe of a training on a set: its classes, in the order that they have on the set's pages.

    Without that order a class would have another key and colour among the results than it was labelled with.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    recipe = checked_recipe(workspace, given, row.class_plan)
    if "order" in (_nested(given).get("classes") or {}):
        return recipe
    with workspace.engine.connect() as connection:
        order = trained_order(connection, row, recipe.classes)
    if order == sorted(order, key=natural_key):  # as they stand in results anyway: nothing to be said in the recipe
        return recipe
    classes = ClassPlan.model_validate({**recipe.classes.model_dump(), "order": order})
    return recipe.model_copy(update={"classes": classes})


def checked_recipe(workspace: Workspace, given: Mapping[str, Any], class_plan: Mapping[str, Any]) -> Recipe:
    """A recipe from what differs from the defaults, with the classes of the image set and whole paths.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    data = _nested(given)
    if not data.get("classes"):
        data["classes"] = {key: value for key, value in class_plan.items() if value}
    recipe = check_recipe(data)
    if not recipe.model.startswith("timm/"):  # those are looked up by the training itself, which may import timm
        model_info(recipe.model)
    if isinstance(data.get("init"), dict):
        recipe = check_recipe(_with_whole_start(workspace, data))
    return recipe


def _with_whole_start(workspace: Workspace, data: Mapping[str, Any]) -> Json:
    """A recipe whose start, and that of a first training, is a path below the allowed roots."""
    init = data.get("init")
    if not isinstance(init, dict):
        return dict(data)
    key = "run" if "run" in init else "train_on"
    whole = {**init, key: str(_start(workspace, key, str(init[key])))}
    if isinstance(init.get("recipe"), dict):
        whole["recipe"] = _with_whole_start(workspace, init["recipe"])
    return {**data, "init": whole}


def _nested(given: Mapping[str, Any]) -> Json:
    """Dotted keys become sections."""
    data: Json = {}
    for key, value in given.items():
        *sections, last = str(key).split(".")
        place = data
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise BadRecipe(f"'{section}' is given twice", do="Give a section once.")
            place = inner
        both = isinstance(value, dict) and isinstance(place.get(last), dict)
        place[last] = {**place[last], **value} if both else value
    return data


def _start(workspace: Workspace, key: str, given: str) -> Path:
    """Where a training's weights start: an earlier run or a classifier by its id, or a path below the allowed roots."""
    if key == "run" and "/" not in given:
        with workspace.engine.connect() as connection:
            place = folder_of_run(connection, given) or file_of_classifier(connection, given)
        if place is not None:
            return place
    return workspace.allowed(given)
