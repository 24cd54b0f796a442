"""Presets: studies of five publications, and the plans that they become with the datasets of the user."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.errors import BadRecipe
from coverslip.messages import text
from coverslip.studies.plan import Changes, StudyPlan, merged_changes, plan_of
from coverslip.studies.presets.aimic import AIMIC
from coverslip.studies.presets.efficientnetv2_cell import EFFICIENTNETV2_CELL
from coverslip.studies.presets.mobilevit_mn import MOBILEVIT_MN
from coverslip.studies.presets.mobincep import MOBINCEP
from coverslip.studies.presets.record import SMALL_PER_CLASS, Dataset, Deviation, Preset
from coverslip.studies.presets.two_step import TWO_STEP
from coverslip.tables import Table

__all__ = ["PRESETS", "Deviation", "Preset", "preset_plan"]

PRESETS: Table[Preset] = Table("preset", [AIMIC, MOBILEVIT_MN, MOBINCEP, EFFICIENTNETV2_CELL, TWO_STEP])

_SMALL: Changes = {"image_size": 64, "epochs": 2, "batch_size": 16}
_SMALL_FOLDS = 2


def preset_plan(
    name: str,
    data: Sequence[str | Path | Dataset],
    *,
    group: Sequence[str] = (),
    group_pattern: Sequence[str] = (),
    is_small: bool = False,
    as_published: bool = False,
) -> StudyPlan:
    """Return the plan of a publication's study on the user's datasets.

    Args:
        name: of the preset.
        data: one folder or table per dataset, or a dataset of `study.yaml` with a list as `path`, and a `name`.
        group: columns with the patient, slide or well: one for all datasets, or one per dataset.
        group_pattern: patterns of paths, in the same way.
        is_small: use networks with installed weights, 64 pixels, 20 training images per class, two epochs and two
            folds, for a trial on two cores.
        as_published: add each dataset with the publication's protocol, as far as recipe keys can express it. The report
            shows the difference.

    Raises:
        BadRecipe: the preset does not exist, or does not fit these datasets.
        BadDataset: a dataset cannot be opened.
    """
    try:
        preset = PRESETS.find(name)
    except ValueError as error:
        raise BadRecipe("unknown-preset", reason=str(error)) from error
    if not data:
        raise BadRecipe("preset-without-datasets")
    datasets = preset.arrange(_dataset_plans(data, group, group_pattern), is_small)
    if as_published:
        datasets = [*datasets, *(_as_published(each, preset) for each in datasets)]
    return plan_of({**_plan(preset, is_small), "datasets": datasets, "notes": _notes(preset, is_small, as_published)})


def _dataset_plans(data: Sequence[str | Path | Dataset], group: Sequence[str], pattern: Sequence[str]) -> list[Dataset]:
    n_datasets = len(data)
    if len(group) not in (0, 1, n_datasets):
        raise BadRecipe("wrong-number-of-group-columns", n_columns=len(group), n_datasets=n_datasets)
    if len(pattern) not in (0, 1, n_datasets):
        raise BadRecipe("wrong-number-of-group-patterns", n_patterns=len(pattern), n_datasets=n_datasets)
    groups, patterns = _for_each(group, n_datasets), _for_each(pattern, n_datasets)
    paths = [Path(path).absolute() for path in data if not isinstance(path, dict)]
    stems = [path.parent.name if path.suffix else path.name for path in paths]
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


def _as_published(dataset: Dataset, preset: Preset) -> Dataset:
    return {
        **dataset,
        "name": f"{dataset['name']}, as published",
        "group": None,
        "group_pattern": None,
        "recipe": merged_changes(dataset.get("recipe", {}), preset.as_published),
        "as_published_of": dataset["name"],
    }


def _plan(preset: Preset, is_small: bool) -> dict[str, Any]:  # Any: the content of `study.yaml`
    plan: dict[str, Any] = {
        "models": preset.models,
        "regimes": preset.regimes,
        "folds": preset.folds,
        "repeats": preset.repeats,
        "recipe": preset.recipe,
        "primary_metric": preset.primary_metric,
        "baseline": preset.baseline,
        "published": preset.published,
    }
    if not is_small:
        return plan
    return plan | {
        "models": preset.small_models,
        "folds": min(preset.folds, _SMALL_FOLDS),
        "repeats": min(preset.repeats, _SMALL_FOLDS),
        "train_per_class": [SMALL_PER_CLASS],
        "recipe": {**preset.recipe, **_SMALL},
        "baseline": preset.small_baseline,
        "threads": 1,
    }


def _notes(preset: Preset, is_small: bool, as_published: bool) -> list[str]:
    """Return the deviations from the publication as notes."""
    if is_small:
        small = text(
            "preset-small-size",
            n_folds=_SMALL_FOLDS,
            side=_SMALL["image_size"],
            n_images=SMALL_PER_CLASS,
            n_epochs=_SMALL["epochs"],
        )
        return [small]
    remaining = [text(each.code) for each in preset.deviations if not each.is_choice]
    safeguards = () if as_published else (text(each.code) for each in preset.deviations if each.is_choice)
    return [*safeguards, *remaining]
