"""The choices for a training: recipes of datasets, networks, and recipes as text."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select

from coverslip.datasets.index.classes import ClassPlan
from coverslip.datasets.index.opening import NO_GROUPS
from coverslip.datasets.names import natural_key
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRecipe, BadRun, Conflict, CoverslipError, NotFound, WeightsUnavailable
from coverslip.messages import text
from coverslip.models import PAPERS, ModelRecord, check_declared, has_weights, list_models, model_info, starting_weights
from coverslip.runs.folder import Run
from coverslip.runs.recipe import ImageChoices, Recipe
from coverslip.runs.recipe_keys import (
    RecipeOption,
    Values,
    as_yaml,
    check_recipe,
    parse_recipe,
    recipe_options,
    values_given,
    values_of,
)
from coverslip.workspace.datasets.labels import training_images
from coverslip.workspace.datasets.sources import Grouping, grouping_for
from coverslip.workspace.datasets.state import class_order_for_training
from coverslip.workspace.store.rows import (
    CLASSIFIER_KINDS,
    AnyRow,
    Json,
    folder_of_job,
    refuse_unready,
    table_choices,
)
from coverslip.workspace.store.tables import jobs
from coverslip.workspace.store.workspace import Workspace


def recipe_of_dataset(workspace: Workspace, row: AnyRow, choices: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a training on a dataset, with its classes in the order of its pages.

    Without that order, a class would have another key and color in the results than during labeling.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    recipe = validated_recipe(workspace, choices, row.class_plan)
    if recipe.crop_size is None:
        recipe = recipe.model_copy(update={"crop_size": table_choices(row).crop_size})
    if row.pixel_choice:  # the keys of the recipe take precedence
        pixels = {**row.pixel_choice, **(nested(choices).get("images") or {})}
        recipe = recipe.model_copy(update={"images": ImageChoices.model_validate(pixels)})
    if "order" in (nested(choices).get("classes") or {}):
        return recipe
    with workspace.engine.connect() as connection:
        order = class_order_for_training(connection, row, recipe.classes)
    if order == sorted(order, key=natural_key):  # the default order of results, which the recipe need not contain
        return recipe
    classes = ClassPlan.model_validate({**recipe.classes.model_dump(), "order": order})
    return recipe.model_copy(update={"classes": classes})


def validated_recipe(workspace: Workspace, choices: Mapping[str, Any], class_plan: Mapping[str, Any]) -> Recipe:
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
        split_run = {"run": str(_earlier_run(workspace, recipe.split.run, "split.run"))}
        recipe = recipe.model_copy(update={"split": recipe.split.model_copy(update=split_run)})
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
    source, first = _pretraining_images(workspace, str(init["train_on"]), first)
    return {**data, "init": {**init, "train_on": source, "recipe": first}}


def _pretraining_images(workspace: Workspace, source: str, first: Json) -> tuple[str, Json]:
    """Return the images of pretraining and its recipe, with the groups and classes of their dataset."""
    row = _usable_dataset(workspace, source)
    if row is None:
        return str(_allowed(workspace, "init.train_on", source)), first
    images = training_images(workspace, row.id, grouped=recipe_grouping(workspace, row, first), in_one=True)
    classes = {key: value for key, value in row.class_plan.items() if value} | (first.get("classes") or {})
    group = NO_GROUPS if images.grouped.ignores_groups else images.grouped.column or images.grouped.pattern
    crop_size = first.get("crop_size") or table_choices(row).crop_size
    pixels = {**(row.pixel_choice or {}), **(nested(first).get("images") or {})}
    dataset_values = {"group": group, "crop_size": crop_size, "classes": classes, "images": pixels}
    return images.sources[0], {
        **first,
        **{key: value for key, value in dataset_values.items() if value or key == "group"},
    }


def _usable_dataset(workspace: Workspace, dataset_id: str) -> AnyRow | None:
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
            path = folder_of_job(connection, name, *CLASSIFIER_KINDS)
        if path is not None:
            return path
    return _allowed(workspace, key, name)


def _allowed(workspace: Workspace, key: str, path: str) -> Path:
    try:
        return workspace.allowed(path)
    except CoverslipError as error:
        faults = [(key, text("refused-path", what=error.what, path=path))]
        raise BadRecipe("recipe-path-refused", cause=error, faults=faults) from error


PretrainedWeights = Literal["here", "download", "import", "none"]
_BYTES = 4  # for each parameter: weights are stored as float32


@dataclass(frozen=True, slots=True)
class ComparingPaper(DocumentedFields):
    """A publication that compares networks."""

    name: str
    """As in the list of networks, by which the form filters them."""
    title: str


@dataclass(frozen=True, slots=True)
class AdvisedModel(DocumentedFields):
    """A network with facts for choosing it. Counts are for 1,000 classes, at its default image size."""

    name: str
    title: str
    family: str
    paper: str | None
    compared_in: list[ComparingPaper]
    """The publications that compare it."""
    parameters: int
    macs: int | None
    """Multiply-accumulate operations for one image."""
    input_px: int
    """Default side of the input in pixels."""
    weights: PretrainedWeights
    """here: on this computer; download: at first use; import: from a file; none: train from scratch."""
    download_bytes: int | None
    """Approximate download at first use; null if there is none."""
    license: str | None
    """License of the weights."""
    advice: str
    is_recommended: bool
    needs_pytorch: bool
    """Whether every training with it needs the extra `train`."""
    options: list[RecipeOption]
    """The keys of `model_options`."""
    takes_others: bool
    """Whether it accepts further options of its library."""
    parts: list[str]
    """The values of `freeze_to`, the earliest first."""


def advised_models() -> list[AdvisedModel]:
    """Return all networks: the default first, then those with available weights, then by size."""
    default = model_info(Recipe().model)
    advised = [_advised(record, default) for record in list_models()]
    return sorted(advised, key=lambda model: not model.is_recommended)


def _advised(record: ModelRecord, default: ModelRecord) -> AdvisedModel:
    from coverslip.experiments.preparation import needs_pytorch

    weights = _weights_of(record)
    return AdvisedModel(
        name=record.name,
        title=record.title,
        family=record.family,
        paper=record.paper,
        compared_in=[ComparingPaper(name, PAPERS[name]) for name in record.papers],
        parameters=record.parameters,
        macs=record.macs,
        input_px=record.input_px,
        weights=weights,
        download_bytes=_download_bytes(record) if weights == "download" else None,
        license=_license(record) if weights == "here" else record.license,
        advice=_advice(record, default, weights),
        is_recommended=record.name == default.name,
        needs_pytorch=needs_pytorch(Recipe(model=record.name, stage="instant")),
        options=recipe_options("model_options", record.name, record.options),
        takes_others=record.timm_name is not None or record.torchvision_name is not None,
        parts=list(record.freeze_boundaries),
    )


def _license(record: ModelRecord) -> str | None:
    """Return the license of the weights that a training would use."""
    with suppress(WeightsUnavailable):  # the training reports damaged weights
        weights = starting_weights(record)
        return record.license if weights is None else weights.license
    return record.license


def _weights_of(record: ModelRecord) -> PretrainedWeights:
    if has_weights(record):
        return "here"
    if record.weights is not None:
        return "download"
    return "none" if record.weights_file is None else "import"


def _download_bytes(record: ModelRecord) -> int:
    source = record if record.weights_of is None else model_info(record.weights_of)
    return _BYTES * source.parameters


def _advice(record: ModelRecord, default: ModelRecord, weights: PretrainedWeights) -> str:
    if record.name == default.name:
        advice = text("recommended-network")
    else:
        cost_ratio = record.macs / default.macs if record.macs and default.macs else None
        size_ratio = record.parameters / default.parameters
        advice = text(
            "network-cost",
            cost="unknown" if cost_ratio is None else _comparison(cost_ratio),
            cost_ratio=_rounded(cost_ratio or 0.0),
            size=_comparison(size_ratio),
            size_ratio=_rounded(size_ratio),
        )
    return f"{advice} {text('import-network-weights', weights=record.weights_file)}" if weights == "import" else advice


def _comparison(ratio: float) -> Literal["more", "less", "same"]:
    return "more" if ratio > 1.25 else "less" if ratio < 0.8 else "same"


def _rounded(ratio: float) -> float:
    return round(ratio) if ratio >= 3 else ratio


def keeping_split_of(workspace: Workspace, run_id: str, dataset_id: str, recipe: Recipe) -> Recipe:
    """Return the recipe with the split of an earlier training on the same dataset.

    Returns:
        The unchanged recipe if one of the two trainings has folds, which test every image once.

    Raises:
        NotFound: there is no such training.
        Conflict: it used another dataset, or has no split.
    """
    with workspace.engine.connect() as connection:
        folder = folder_of_job(connection, run_id, "train")
        run_dataset_id = connection.execute(select(jobs.c.dataset_id).where(jobs.c.id == run_id)).scalar_one_or_none()
    if folder is None:
        raise NotFound("no-such-training")
    if run_dataset_id != dataset_id:
        raise Conflict("training-of-other-dataset")
    try:
        rows = Run(folder).split
    except BadRun as error:
        raise Conflict("split-not-kept", cause=error) from error
    if not rows:
        raise Conflict("training-without-split")
    if recipe.split.sets_folds or any(row.fold for row in rows):
        return recipe
    return recipe.model_copy(update={"split": recipe.split.model_copy(update={"run": str(folder)})})


@dataclass(frozen=True, slots=True)
class RecipeText(DocumentedFields):
    """A recipe as values of a form and as text of a file."""

    values: Values
    """The value of each dotted key that is given; others have their defaults."""
    text: str
    """The same as YAML, without comments."""


def read_text(text: str) -> RecipeText:
    """Return the values in the text of a recipe. Paths are not checked before a training is requested.

    Raises:
        BadRecipe: it is not YAML, or a key or value is not valid; all errors with their lines.
    """
    _, values = parse_recipe(text)
    return RecipeText(values, _as_text(values))


def write_text(choices: Mapping[str, Any], *, is_complete: bool = False) -> RecipeText:
    """Return values as the text of a recipe.

    Args:
        choices: nested or with dotted keys.
        is_complete: include the defaults of all other keys.

    Raises:
        BadRecipe: a key or value is not valid; all errors at once.
    """
    data = nested(choices)
    recipe = check_recipe(data)
    values = values_of(recipe) if is_complete else values_given(recipe, data)
    return RecipeText(values, _as_text(values))


def _as_text(values: Values) -> str:
    return as_yaml({"format_version": 1, **nested(values)})
