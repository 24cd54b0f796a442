"""Validate recipes of trainings: with absolute paths and the classes of the dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coverslip.datasets import ClassPlan, natural_key
from coverslip.errors import BadRecipe, CoverslipError, NotFound
from coverslip.messages import text
from coverslip.models import check_declared, model_info
from coverslip.runs import Recipe, check_recipe
from coverslip.workspace.datasets.classes import trained_order
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.datasets.snapshots import training_images
from coverslip.workspace.datasets.sources import Grouping, grouping_for
from coverslip.workspace.store.records import table_choices
from coverslip.workspace.store.rows import AnyRow, Json, file_of_classifier, folder_of_run
from coverslip.workspace.store.workspace import Workspace


def recipe_of_dataset(workspace: Workspace, row: AnyRow, choices: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a training on a dataset, with its classes in the order of its pages.

    Without that order, a class would have another key and color in the results than during labeling.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    recipe = checked_recipe(workspace, choices, row.class_plan)
    if recipe.crop_size is None:
        recipe = recipe.model_copy(update={"crop_size": table_choices(row).crop_size})
    if "order" in (nested(choices).get("classes") or {}):
        return recipe
    with workspace.engine.connect() as connection:
        order = trained_order(connection, row, recipe.classes)
    if order == sorted(order, key=natural_key):  # the default order of results, which the recipe need not contain
        return recipe
    classes = ClassPlan.model_validate({**recipe.classes.model_dump(), "order": order})
    return recipe.model_copy(update={"classes": classes})


def checked_recipe(workspace: Workspace, choices: Mapping[str, Any], class_plan: Mapping[str, Any]) -> Recipe:
    """Return a recipe from values that differ from the defaults, with the classes of the dataset and absolute paths.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    data = nested(choices)
    if isinstance(data.get("classes") or {}, dict):
        data["classes"] = {key: value for key, value in class_plan.items() if value} | (data.get("classes") or {})
    recipe = check_recipe(data)
    if not recipe.model.startswith("timm/"):  # the training checks these, because it can import timm
        check_declared(model_info(recipe.model), recipe.model_options)
    if isinstance(data.get("init"), dict):
        recipe = check_recipe(_with_absolute_init(workspace, data))
    if recipe.split.run is not None:
        whole = {"run": str(_earlier_run(workspace, recipe.split.run, "split.run"))}
        recipe = recipe.model_copy(update={"split": recipe.split.model_copy(update=whole)})
    return recipe


def recipe_grouping(workspace: Workspace, row: AnyRow, choices: Mapping[str, Any]) -> Grouping | None:
    """Return the grouping by the recipe; None if it has none and the dataset's groups apply."""
    group = choices.get("group")
    return grouping_for(workspace, row, None if group is None else str(group)) if "group" in choices else None


def _with_absolute_init(workspace: Workspace, data: Mapping[str, Any]) -> Json:
    """Return a recipe in which the initial weights, also of pretraining, are a path in the allowed folders."""
    init = data.get("init")
    if not isinstance(init, dict):
        return dict(data)
    if "run" in init:
        return {**data, "init": {**init, "run": str(_earlier_run(workspace, str(init["run"]), "init.run"))}}
    first = _with_absolute_init(workspace, init.get("recipe") or {})
    source, first = _first_images(workspace, str(init["train_on"]), first)
    return {**data, "init": {**init, "train_on": source, "recipe": first}}


def _first_images(workspace: Workspace, source: str, first: Json) -> tuple[str, Json]:
    """Return the images of pretraining and its recipe, with the groups and classes of their dataset."""
    row = _known_dataset(workspace, source)
    if row is None:
        return str(_allowed(workspace, "init.train_on", source)), first
    images = training_images(workspace, row.id, grouped=recipe_grouping(workspace, row, first), in_one=True)
    classes = {key: value for key, value in row.class_plan.items() if value} | (first.get("classes") or {})
    group = images.grouped.column or images.grouped.pattern
    crop_size = first.get("crop_size") or table_choices(row).crop_size
    of_dataset = {"group": group, "crop_size": crop_size, "classes": classes}
    return images.sources[0], {**first, **{key: value for key, value in of_dataset.items() if value or key == "group"}}


def _known_dataset(workspace: Workspace, dataset_id: str) -> AnyRow | None:
    """Return the row of a dataset that a job can use; None if there is no such dataset."""
    with workspace.engine.connect() as connection:
        try:
            return refuse_unready(connection, dataset_id)
        except NotFound:
            return None


def nested(choices: Mapping[str, Any]) -> Json:
    """Return the choices with dotted keys converted to sections.

    Raises:
        BadRecipe: a section is given twice.
    """
    data: Json = {}
    for key, value in choices.items():
        *sections, last = str(key).split(".")
        section_data = data
        for section in sections:
            inner = section_data.setdefault(section, {})
            if not isinstance(inner, dict):
                raise BadRecipe("repeated-section", section=section)
            section_data = inner
        both = isinstance(value, dict) and isinstance(section_data.get(last), dict)
        section_data[last] = {**section_data[last], **value} if both else value
    return data


def _earlier_run(workspace: Workspace, name: str, key: str) -> Path:
    """Return the path of an earlier run or classifier by its ID, or by a path in the allowed folders."""
    if "/" not in name:
        with workspace.engine.connect() as connection:
            path = folder_of_run(connection, name) or file_of_classifier(connection, name)
        if path is not None:
            return path
    return _allowed(workspace, key, name)


def _allowed(workspace: Workspace, key: str, path: str) -> Path:
    try:
        return workspace.allowed(path)
    except CoverslipError as error:
        faults = [(key, text("refused-path", what=error.what, path=path))]
        raise BadRecipe("recipe-path-refused", cause=error, faults=faults) from error
