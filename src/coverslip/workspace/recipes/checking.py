"""The recipe of a training that the workspace begins: checked, with whole paths and the classes of its images."""

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
from coverslip.workspace.datasets.sources import GroupedBy, grouped_by
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import table_choices
from coverslip.workspace.store.rows import AnyRow, Json, file_of_classifier, folder_of_run


def recipe_of_dataset(workspace: Workspace, row: AnyRow, choices: Mapping[str, Any]) -> Recipe:
    """The recipe of a training on a dataset: its classes, in the order that they have on its pages.

    Without that order a class would have another key and colour among the results than it was labelled with.

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
    if order == sorted(order, key=natural_key):  # as they stand in results anyway: nothing to be said in the recipe
        return recipe
    classes = ClassPlan.model_validate({**recipe.classes.model_dump(), "order": order})
    return recipe.model_copy(update={"classes": classes})


def checked_recipe(workspace: Workspace, choices: Mapping[str, Any], class_plan: Mapping[str, Any]) -> Recipe:
    """A recipe from what differs from the defaults, with the classes of the dataset and whole paths.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    data = nested(choices)
    if isinstance(data.get("classes") or {}, dict):
        data["classes"] = {key: value for key, value in class_plan.items() if value} | (data.get("classes") or {})
    recipe = check_recipe(data)
    if not recipe.model.startswith("timm/"):  # those are looked up by the training itself, which may import timm
        check_declared(model_info(recipe.model), recipe.model_options)
    if isinstance(data.get("init"), dict):
        recipe = check_recipe(_with_whole_start(workspace, data))
    if recipe.split.run is not None:
        whole = {"run": str(_earlier_run(workspace, recipe.split.run, "split.run"))}
        recipe = recipe.model_copy(update={"split": recipe.split.model_copy(update=whole)})
    return recipe


def groups_asked(workspace: Workspace, row: AnyRow, choices: Mapping[str, Any]) -> GroupedBy | None:
    """How the recipe itself says which images belong together; None where it doesn't, and the dataset's groups hold."""
    group = choices.get("group")
    return grouped_by(workspace, row, None if group is None else str(group)) if "group" in choices else None


def _with_whole_start(workspace: Workspace, data: Mapping[str, Any]) -> Json:
    """A recipe whose initialisation, and that of pretraining, is a path below the allowed roots."""
    init = data.get("init")
    if not isinstance(init, dict):
        return dict(data)
    if "run" in init:
        return {**data, "init": {**init, "run": str(_earlier_run(workspace, str(init["run"]), "init.run"))}}
    first = _with_whole_start(workspace, init.get("recipe") or {})
    source, first = _first_images(workspace, str(init["train_on"]), first)
    return {**data, "init": {**init, "train_on": source, "recipe": first}}


def _first_images(workspace: Workspace, given: str, first: Json) -> tuple[str, Json]:
    """The images of pretraining, and its own recipe: with the groups and classes of the dataset that they are."""
    row = _known_dataset(workspace, given)
    if row is None:
        return str(_allowed(workspace, "init.train_on", given)), first
    images = training_images(workspace, row.id, grouped=groups_asked(workspace, row, first), in_one=True)
    classes = {key: value for key, value in row.class_plan.items() if value} | (first.get("classes") or {})
    group = images.grouped.column or images.grouped.pattern
    crop_size = first.get("crop_size") or table_choices(row).crop_size
    of_dataset = {"group": group, "crop_size": crop_size, "classes": classes}
    return images.sources[0], {**first, **{key: value for key, value in of_dataset.items() if value or key == "group"}}


def _known_dataset(workspace: Workspace, dataset_id: str) -> AnyRow | None:
    """The dataset of that id, read; None where there is none."""
    with workspace.engine.connect() as connection:
        try:
            return refuse_unready(connection, dataset_id)
        except NotFound:
            return None


def nested(choices: Mapping[str, Any]) -> Json:
    """Dotted keys become sections."""
    data: Json = {}
    for key, value in choices.items():
        *sections, last = str(key).split(".")
        place = data
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise BadRecipe("repeated-section", section=section)
            place = inner
        both = isinstance(value, dict) and isinstance(place.get(last), dict)
        place[last] = {**place[last], **value} if both else value
    return data


def _earlier_run(workspace: Workspace, given: str, key: str) -> Path:
    """An earlier run or a classifier by its id, or a path below the allowed roots."""
    if "/" not in given:
        with workspace.engine.connect() as connection:
            place = folder_of_run(connection, given) or file_of_classifier(connection, given)
        if place is not None:
            return place
    return _allowed(workspace, key, given)


def _allowed(workspace: Workspace, key: str, given: str) -> Path:
    try:
        return workspace.allowed(given)
    except CoverslipError as error:
        faults = [(key, text("refused-path", what=error.what, path=given))]
        raise BadRecipe("recipe-path-refused", cause=error, faults=faults) from error
