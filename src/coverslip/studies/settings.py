"""Settings of the variants of a study, and the choices that validation images made in their trainings."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.messages import Message, message, text
from coverslip.runs.recipe import Recipe
from coverslip.runs.training import TrainingRecord
from coverslip.studies.cells import Cell, finished, state_of
from coverslip.studies.plan import StudyPlan

_IGNORED_KEYS = ("seed", "split.seed", "group")  # recipe keys that differ without being a setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried(DocumentedFields):
    """The settings of a variant on a dataset."""

    dataset: str
    train_per_class: int | None
    name: str
    settings: str
    """Recipe keys in which the variants differ, with values, and batches that memory reduced."""
    n_trained: int  # trained networks, one for each split and seed
    shrinkages: tuple[float, ...]  # distinct shrinkages of the selected linear probes
    epochs_run: tuple[int, ...]
    """Minimum and maximum; empty: no fine-tuning."""
    epochs_kept: tuple[int, ...]
    """The same of selected epochs; 0: linear probe selected."""


def tried_choices(plan: StudyPlan, cells: Iterable[Cell]) -> list[Tried]:
    """Return the settings of every variant that has finished trainings."""
    variants: dict[tuple[str, int | None], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in finished(cells):
        variant = plan.variant_name(cell.model, cell.regime)
        variants[cell.dataset.name, cell.train_per_class][variant].append(cell)
    return [
        _tried(dataset, n, name, of_variant, differing)
        for (dataset, n), of_dataset in variants.items()
        for differing in [_differing([of_variant[0] for of_variant in of_dataset.values()])]
        for name, of_variant in of_dataset.items()
    ]


def idle_first_steps(cells: Iterable[Cell]) -> list[Message]:
    """Return sentences about pretraining steps that did not change the network and so have no effect."""
    sentences: list[Message] = []
    for cell in cells:
        if not cell.is_pretraining or state_of(cell).state != "done":
            continue
        if {record.chosen for record in _records(cell)} == {"instant"}:
            sentences.append(message("idle-pretraining", regime=cell.regime, model=cell.model, seed=str(cell.seed)))
    return list(dict.fromkeys(sentences))


def _tried(dataset: str, n: int | None, name: str, cells: Sequence[Cell], differing: Sequence[str]) -> Tried:
    values = settings_of(cells[0].recipe)
    records = [record for cell in cells for record in _records(cell)]
    tuned = [record.finetune for record in records if record.finetune is not None]
    probes = [
        record.instant.shrinkage
        for cell in cells
        for record in _records(cell)
        if record.instant is not None
        and (record.chosen == "instant" or cell.recipe.begins_with_instant_classifier)  # else it is of no network
    ]
    settings = [f"{key} = {values[key]}" for key in differing if key in values]
    return Tried(
        dataset=dataset,
        train_per_class=n,
        name=name,
        settings=", ".join([*settings, *_smaller_batches(cells)]),
        n_trained=len(records),
        shrinkages=tuple(sorted({value for value in probes if value is not None})),
        epochs_run=_span([stage.epochs_run for stage in tuned]),
        epochs_kept=_span([record.selected_epoch for record in records]) if tuned else (),
    )


def _smaller_batches(cells: Sequence[Cell]) -> list[str]:
    """Return the batch sizes below that of the recipe, if there are any, in words with the number of trainings."""
    sizes = [size for cell in cells if (size := _batch_size(cell)) < cell.recipe.batch_size]
    words = ", ".join(str(size) for size in sorted(set(sizes)))
    return [text("smaller-batches-in-trainings", sizes=words, n_trainings=len(sizes))] if sizes else []


def _batch_size(cell: Cell) -> int:
    """Return the batch size of the training; that of the plan if the recipe of its run cannot be read."""
    try:
        return cell.run.recipe.batch_size
    except CoverslipError:
        return cell.recipe.batch_size


def _records(cell: Cell) -> Sequence[TrainingRecord]:
    try:
        return cell.run.trainings
    except CoverslipError:  # changed or removed since
        return ()


def _span(values: Sequence[int]) -> tuple[int, ...]:
    return (int(np.min(values)), int(np.max(values))) if values else ()


def _differing(cells: Sequence[Cell]) -> list[str]:
    """Return the dotted recipe keys whose values differ between trainings."""
    settings = [settings_of(cell.recipe) for cell in cells]
    keys = dict.fromkeys(key for values in settings for key in values)
    return [key for key in keys if len({values.get(key) for values in settings}) > 1]


def settings_of(recipe: Recipe) -> dict[str, str]:
    """Return the dotted recipe keys with their values as in a recipe file, without those that are not a setting."""
    values = _dotted_values(recipe.model_dump(mode="json"))
    return {key: as_written(value) for key, value in values.items() if key not in _IGNORED_KEYS}


def as_written(value: object) -> str:
    """Return the value as in a recipe file."""
    return value if isinstance(value, str) else json.dumps(value)


def _dotted_values(section: Mapping[str, Any], before: str = "") -> dict[str, Any]:  # Any: values of recipe keys
    values: dict[str, Any] = {}
    for key, value in section.items():
        if key in ("split", "augment", "classes", "regularizer", "model_options") and isinstance(value, dict):
            values |= _dotted_values(value, f"{key}.")
        elif key == "init" and isinstance(value, dict) and "run" in value:
            values["init.run"] = Path(value["run"]).name
        else:
            values[before + key] = value
    return values
