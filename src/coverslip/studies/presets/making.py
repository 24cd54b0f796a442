"""A preset and the user's datasets become a plan, which can be written down and changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coverslip.errors import BadRecipe
from coverslip.studies.plan import Changes, StudyPlan, merged_changes, plan_of
from coverslip.studies.presets.record import SMALL_PER_CLASS, Dataset, Preset
from coverslip.studies.presets.table import PRESETS

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
    """The study of a publication, on these datasets.

    Args:
        name: of the preset.
        data: folders or tables, a dataset each; or what `study.yaml` says of one, with a list as `path`, and a `name`.
        group: columns that name patient, slide or well: one for all datasets, or one each.
        group_pattern: the same for paths.
        is_small: networks whose weights come with the installation, 64 pixels, 20 training images of each class, two
            epochs, two folds: to see it run on two cores.
        as_published: every dataset a second time as the publication did it, as far as recipe keys reach; the report
            shows how much that promises.

    Raises:
        BadRecipe: there is no such preset, or it does not fit these datasets.
        BadDataset: a dataset cannot be opened.
    """
    try:
        preset = PRESETS.find(name)
    except ValueError as error:
        raise BadRecipe("unknown-preset", reason=str(error)) from error
    if not data:
        raise BadRecipe("preset-without-datasets")
    given = _given(data, group, group_pattern)
    datasets = preset.arrange(given, is_small)
    if as_published:
        datasets = [*datasets, *(_as_published(each, preset) for each in datasets)]
    return plan_of({**_plan(preset, is_small), "datasets": datasets, "notes": _notes(preset, is_small, as_published)})


def _given(data: Sequence[str | Path | Dataset], group: Sequence[str], pattern: Sequence[str]) -> list[Dataset]:
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
        given
        if isinstance(given, dict)
        else {
            "path": [str(Path(given).absolute())],
            "name": next(names),
            "group": of_group,
            "group_pattern": of_pattern,
        }
        for given, of_group, of_pattern in zip(data, groups, patterns, strict=True)
    ]


def _for_each(values: Sequence[str], n: int) -> list[str | None]:
    return [*values] if len(values) == n else [values[0] if values else None] * n


def _as_published(honest: Dataset, preset: Preset) -> Dataset:
    return {
        **honest,
        "name": f"{honest['name']}, as published",
        "group": None,
        "group_pattern": None,
        "recipe": merged_changes(honest.get("recipe", {}), preset.as_published),
        "as_published_of": honest["name"],
    }


def _plan(preset: Preset, is_small: bool) -> dict[str, Any]:  # Any: as `study.yaml` has it
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
    """What is otherwise than in the publication."""
    small = (
        f"Small: at most {_SMALL_FOLDS} folds; other networks stand in for those whose weights do not come with the "
        "installation; 64 pixels, "
        f"{SMALL_PER_CLASS} training images of each class, two epochs. Its numbers say nothing about the publication."
    )
    if is_small:
        return [small]
    remaining = [each.text for each in preset.deviations if not each.is_choice]
    chosen = () if as_published else (each.text for each in preset.deviations if each.is_choice)
    return [*chosen, *remaining]
