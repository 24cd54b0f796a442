"""Presets: studies of five publications, and their plans with the datasets of the user."""

from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from coverslip.datasets.names import dataset_names
from coverslip.errors import BadRecipe
from coverslip.messages import Message, message
from coverslip.models import has_weights, model_info
from coverslip.registry import Registry
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import check_recipe, values_of, with_settings
from coverslip.studies.cells import Cell
from coverslip.studies.plan import Changes, StudyPlan, merged_changes, plan_of
from coverslip.studies.presets.publications import (
    AIMIC,
    EFFICIENTNETV2_CELL,
    MOBILEVIT_MN,
    MOBINCEP,
    SCRATCH,
    SMALL_PER_CLASS,
    TWO_STEP,
    Dataset,
    Preset,
    arm_names,
    arms_of,
    published_recipe,
)
from coverslip.studies.published import not_stated, settings_in_words

__all__ = [
    "PRESETS",
    "SMALL_PER_CLASS",
    "Preset",
    "arm_names",
    "model_name",
    "notes_of_plan",
    "preset_plan",
    "preset_recipe",
]

PRESETS: Registry[Preset] = Registry("preset", [AIMIC, MOBILEVIT_MN, MOBINCEP, EFFICIENTNETV2_CELL, TWO_STEP])

_SMALL: Changes = {"image_size": 64, "epochs": 2, "batch_size": 16}
_SMALL_FOLDS, _SMALL_COPIES = 2, 1


def preset_plan(
    name: str,
    data: Sequence[str | Path | Dataset],
    *,
    group: Sequence[str] = (),
    group_pattern: Sequence[str] = (),
    arms: Sequence[str] = (),
    all_tables: bool = False,
    is_small: bool = False,
) -> StudyPlan:
    """Return the plan of a publication's study on the user's datasets.

    Args:
        name: of the preset.
        data: one folder or table per dataset, or a dataset of `study.yaml` with a list as `path`, and a `name`.
        group: columns with the patient, slide or well: one for all datasets, or one per dataset.
        group_pattern: patterns of paths, in the same way.
        arms: names of recipes and protocols, see `arm_names`; none: A, B and C.
        all_tables: train all networks and datasets of the publication's tables, instead of its own network and its
            baseline.
        is_small: use networks with installed weights, 64 pixels, 20 training images per class, two epochs and two
            folds, for a trial on two cores.

    Raises:
        BadRecipe: the preset does not exist, or does not fit these datasets.
        BadDataset: a dataset cannot be opened.
    """
    preset = _find(name)
    if not data:
        raise BadRecipe("preset-without-datasets")
    dataset_plans = _dataset_plans(data, group, group_pattern)
    plan = _plan(preset, dataset_plans, is_small=is_small, all_tables=all_tables)
    plan_arms = arms_of(preset, arms, _SMALL if is_small else {})
    if is_small:
        plan_arms = [_with_few_copies(arm) for arm in plan_arms]
    return plan_of({**plan, "arms": plan_arms, "recipe": {}})


def notes_of_plan(plan: StudyPlan, cells: Sequence[Cell]) -> list[str | Message]:
    """Return the notes of a plan, and how its trainings differ from the publication.

    Only arms with the recipe of the publication are compared with it.

    Args:
        plan: of the study.
        cells: its trainings.
    """
    arms = {arm.name for arm in plan.arms if arm.not_stated}
    published = [cell for cell in cells if cell.dataset.arm in arms and not cell.is_pretraining]
    presets = [PRESETS[name] for name in plan.published if isinstance(name, str)] if published else []
    differences = (
        message(
            deviation.code,
            arms=", ".join(dict.fromkeys(cell.dataset.arm for cell in having)),
            networks="; ".join(dict.fromkeys(cell.model for cell in having)),
            settings=settings_in_words([cell.recipe for cell in having], deviation.keys),
            stated=deviation.stated,
        )
        for preset in presets
        for deviation in preset.deviations
        if (having := [cell for cell in published if deviation.is_in(cell.recipe)])
    )
    sizes = (note for preset in presets for note in _changed_size(preset, plan))
    settings = (note for preset in presets for note in _changed_settings(preset, published))
    networks = (note for preset in presets for note in _notes_of_networks(preset, plan))
    return [*plan.notes, *sizes, *differences, *settings, *networks, *not_stated(plan, cells)]


def _changed_size(preset: Preset, plan: StudyPlan) -> Iterator[Message]:
    """Yield how a plan limits the training images, and which other number of splits it has."""
    limits = [n for n in plan.train_per_class if n is not None]
    if limits:
        yield message("deviation-training-images", n_images=", ".join(map(str, limits)))
    if preset.has_published_splits and (plan.folds, plan.repeats) != (preset.folds, preset.repeats):
        stated = {"stated_folds": preset.folds, "stated_repeats": preset.repeats}
        yield message("deviation-splits", folds=plan.folds, repeats=plan.repeats, **stated)


def _changed_settings(preset: Preset, published: Sequence[Cell]) -> Iterator[Message]:
    """Yield which settings that the publication states differ in trainings with its recipe."""
    of_networks = [model["recipe"] for model in preset.models if isinstance(model, dict)]
    recipe, trained = check_recipe(preset.recipe), [values_of(cell.recipe) for cell in published]
    changed = [
        key
        for key, value in values_of(recipe).items()
        if _has(preset.recipe, key)
        and key not in preset.not_stated
        and not any(_has(each, key) for each in of_networks)
        and any(each[key] != value for each in trained)
    ]
    if changed:
        settings = settings_in_words([cell.recipe for cell in published], changed)
        yield message("deviation-settings", settings=settings, stated=settings_in_words([recipe], changed))


def _has(changes: Changes, key: str) -> bool:
    """Return whether changes of a recipe state a dotted key."""
    section, _, rest = key.partition(".")
    value = changes.get(section)
    return section in changes and (not rest or (isinstance(value, dict) and _has(value, rest)))


def _notes_of_networks(preset: Preset, plan: StudyPlan) -> Iterator[Message]:
    """Yield which networks of the publication a plan lacks, and which of its networks are others, or not pretrained."""
    recipes = {model.name: model.recipe for model in plan.models}
    lacking, random, of_publication = [], [], set[str]()
    for model in preset.models:
        name, recipe = (model, {}) if isinstance(model, str) else (model["name"], model["recipe"])
        network = str(recipe.get("model", name))
        of_publication.add(network)
        of_plan = recipes.get(name, recipes.get(f"{name}{SCRATCH}"))
        if name in preset.further_models:
            continue
        if of_plan is None or of_plan.get("model", name) != network:
            lacking.append(name)
        elif of_plan.get("init") == "scratch" != recipe.get("init"):
            random.append(name)
    used = {model.name: model.recipe.get("model", model.name) for model in plan.models}
    others = [
        name if name == network else f"{name} ({network})"
        for name, network in used.items()
        if network not in of_publication or name in preset.further_models
    ]
    for code, networks in (
        ("deviation-networks", lacking),
        ("deviation-other-networks", others),
        ("deviation-random-weights", random),
    ):
        if networks:
            yield message(code, networks="; ".join(networks))


def preset_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """Return the recipe of a publication for a single training, without its folds and the shortcuts of its protocol.

    Args:
        name: of the preset.
        settings: as of `with_settings`.

    Raises:
        BadRecipe: the preset does not exist, or has two steps and no setting states the initialization; or a setting
            is not valid.
    """
    preset = _find(name)
    model = next(each for each in preset.models if preset.recipe_model in (None, model_name(each)))
    regime = preset.regimes[0]
    layers = [
        {"primary_metric": preset.primary_metric, "model": model_name(model), "refit_all": False},
        published_recipe(preset),
    ]
    layers += [each.get("recipe", {}) for each in (model, regime) if isinstance(each, dict)]
    recipe = with_settings(check_recipe(reduce(merged_changes, layers)), [*settings])
    if preset.has_two_steps and "init" not in recipe.model_fields_set:
        raise BadRecipe("preset-without-first-step", preset=name)
    return recipe


def model_name(model: str | Changes) -> str:
    """Return the name of a network of a preset."""
    return model if isinstance(model, str) else str(model["name"])


def _find(name: str) -> Preset:
    try:
        return PRESETS.find(name)
    except ValueError as error:
        raise BadRecipe("unknown-preset", reason=str(error)) from error


def _dataset_plans(data: Sequence[str | Path | Dataset], group: Sequence[str], pattern: Sequence[str]) -> list[Dataset]:
    n_datasets = len(data)
    if len(group) not in (0, 1, n_datasets):
        raise BadRecipe("wrong-number-of-group-columns", n_columns=len(group), n_datasets=n_datasets)
    if len(pattern) not in (0, 1, n_datasets):
        raise BadRecipe("wrong-number-of-group-patterns", n_patterns=len(pattern), n_datasets=n_datasets)
    groups, patterns = _for_each(group, n_datasets), _for_each(pattern, n_datasets)
    paths = [Path(path).absolute() for path in data if not isinstance(path, dict)]
    stems = dataset_names(paths)
    names = (stem if stems.count(stem) == 1 else f"{stem} {i}" for i, stem in enumerate(stems, 1))
    return [
        source
        if isinstance(source, dict)
        else {
            "path": [str(Path(source).absolute())],
            "name": next(names),
            "group": of_group,
            "group_pattern": of_pattern,
        }
        for source, of_group, of_pattern in zip(data, groups, patterns, strict=True)
    ]


def _for_each(values: Sequence[str], n: int) -> list[str | None]:
    return [*values] if len(values) == n else [values[0] if values else None] * n


def _plan(
    preset: Preset, datasets: Sequence[Dataset], *, is_small: bool, all_tables: bool
) -> dict[str, Any]:  # Any: the content of `study.yaml`
    own_models = (is_small and preset.small_own_models) or preset.own_models
    models = [
        model
        for model in (preset.small_models if is_small else preset.models)
        if all_tables or model_name(model) in own_models
    ]
    regimes_of = preset.regimes_of
    plan: dict[str, Any] = {
        "datasets": preset.arrange(datasets, is_small=is_small, all_tables=all_tables),
        "models": models if is_small else [_with_weights(model) for model in models],
        "regimes": preset.regimes if regimes_of is None else regimes_of(datasets, is_small),
        "folds": preset.folds,
        "repeats": preset.repeats,
        "recipe": preset.recipe,
        "primary_metric": preset.primary_metric,
        "baseline": preset.small_baseline if is_small else preset.baseline,
        "published": [preset.name],
    }
    if not is_small:
        return plan
    return plan | {
        "folds": min(preset.folds, _SMALL_FOLDS),
        "repeats": min(preset.repeats, _SMALL_FOLDS),
        "train_per_class": [SMALL_PER_CLASS],
        "recipe": merged_changes(preset.recipe, _SMALL),
        "threads": 1,
    }


def _with_few_copies(arm: Changes) -> Changes:
    """Return an arm with few copies before the split, which are written for each training."""
    has_copies = arm["recipe"].get("split", {}).get("copies")
    changes: Changes = {"split": {"copies": _SMALL_COPIES}} if has_copies else {}
    return {**arm, "recipe": merged_changes(arm["recipe"], changes)}


def _with_weights(model: str | Changes) -> str | Changes:
    """Return the model; from scratch if its weights must be imported and are not on this machine."""
    if not isinstance(model, str):
        return model
    record = model_info(model)
    if record.weights is not None or record.weights_of is not None or has_weights(record):
        return model
    return {"name": f"{model}{SCRATCH}", "recipe": {"model": model, "init": "scratch"}}
