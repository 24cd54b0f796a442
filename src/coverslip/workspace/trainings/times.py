"""The expected times of a training with each preset, shown before it is queued."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coverslip.cache.stores import MemoryCache
from coverslip.datasets.index.opening import open_dataset
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.events import SetSizes
from coverslip.experiments.estimating import LONG_SECONDS, Speed, measure_speed_of
from coverslip.experiments.presets import Preset, preset_plans, with_preset
from coverslip.files import sha256_json
from coverslip.runs.recipe import Pretraining, Recipe, SplitPlan, Stage
from coverslip.runs.timing import total_seconds
from coverslip.workspace.datasets.labels import training_images
from coverslip.workspace.recipes import recipe_of_dataset
from coverslip.workspace.store.rows import AnyRow, Json, refuse_unready
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import WorkerPool

_MOST_AGE_SECONDS = 600.0  # after which other programs may have changed the speed
_SPEEDS = MemoryCache[Speed](100_000, lambda _: 100)


@dataclass(frozen=True, slots=True)
class PresetTime(DocumentedFields):
    """The expected time of a training with a preset on this computer."""

    preset: Preset
    seconds: float
    is_long: bool
    """Longer than half an hour."""
    image_size: int | None
    """The side that the preset sets; null: it sets none."""
    n_trainings: int
    """Folds and the classifier trained on all images; 1 without folds."""
    needs_pytorch: bool
    """Whether the training needs the extra `train`."""


@dataclass(frozen=True, slots=True)
class TimePreview(DocumentedFields):
    """The expected times of a training with each preset."""

    presets: list[PresetTime]
    """The presets that are useful here, the fastest first."""
    has_pretraining: bool
    """Whether pretraining on other images comes in addition."""


def preview_times(
    workspace: Workspace,
    pool: WorkerPool,
    dataset_id: str,
    recipe: Mapping[str, Any],
    sizes: Mapping[Stage, Sequence[SetSizes]],
) -> TimePreview:
    """Return the expected times of a training. A process of the pool measures the speed of this computer.

    Args:
        workspace: the workspace of the dataset.
        pool: of processes that have deep learning libraries.
        dataset_id: a dataset of labeled images.
        recipe: values that differ from the defaults.
        sizes: by the stage of the recipe, of one split, or of each fold and then of the training on all images.

    Raises:
        NotFound, Conflict: there is no such dataset, or it is still being read.
        BadRecipe: a key or value is not valid.
        CoverslipError: the images or the weights of the network cannot be used.
    """
    from coverslip.experiments.preparation import needs_pytorch

    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
    full_recipe = recipe_of_dataset(workspace, row, {key: value for key, value in recipe.items() if key != "group"})
    # The split and the number of epochs do not change the speed.
    same = {"split": SplitPlan(folds=0), "seed": 0, "epochs": "auto", "stage": "finetune"}
    values = full_recipe.model_copy(update=same).model_dump(mode="json")
    period = int(time.time() / _MOST_AGE_SECONDS)
    key = sha256_json([row.id, row.created, row.revision, values, period])
    speed = _SPEEDS.get(key, lambda: _measured(workspace, pool, row, values))
    times = []
    for preset, plan in preset_plans(full_recipe, sizes, speed).items():
        seconds, changed = total_seconds(plan, plan.pace), with_preset(full_recipe, preset)
        size = None if changed.image_size == full_recipe.image_size else changed.image_size
        times.append(PresetTime(preset, seconds, seconds > LONG_SECONDS, size, len(plan.sizes), needs_pytorch(changed)))
    return TimePreview(times, isinstance(full_recipe.init, Pretraining))


def _measured(workspace: Workspace, pool: WorkerPool, row: AnyRow, recipe: Json) -> Speed:
    with TemporaryDirectory() as folder:
        images = training_images(workspace, row.id, folder=Path(folder))
        speed = pool.call(measured_speed, sources=images.sources, recipe=recipe)
    if speed is None:
        raise CoverslipError("preview-ended-silently")
    return Speed(**speed)


def measured_speed(*, sources: Sequence[str], recipe: Json) -> Json:
    """Return the speed of this computer for a training, as JSON values.

    Raises:
        CoverslipError: the images or the weights of the network cannot be used.
    """
    from coverslip.experiments.preparation import apply_recipe

    data, full_recipe = apply_recipe(open_dataset(list(sources)), Recipe.model_validate(recipe))
    return asdict(measure_speed_of(data, full_recipe))
