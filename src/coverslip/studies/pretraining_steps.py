"""Pretraining steps of a study: their distances, and the choices made by validation images."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from coverslip.datasets.index.records import Dataset
from coverslip.errors import BadRun, CoverslipError, Stopped
from coverslip.evaluation.results import Metric
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.messages import note, text
from coverslip.runs.documents import Document
from coverslip.runs.folder import Run
from coverslip.runs.images import images_of
from coverslip.runs.recipe import Recipe
from coverslip.runs.training import TrainingRecord
from coverslip.studies.cells import Cell, state_of
from coverslip.studies.plan import StudyPlan

_FILE = "distances.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDistance:
    """The distance between a dataset and the images of its pretraining step."""

    dataset: str
    first: str  # folder or table of the pretraining step
    model: str  # that computes the features, with ImageNet weights
    regime: str  # with this pretraining step
    mmd2: Annotated[Metric, Field(description="Squared maximum mean discrepancy (MMD²) of the features.")]
    p: Annotated[float, Field(description="Proportion of random groupings with at least this distance.")]
    coral: Annotated[Metric, Field(description="CORAL distance of the features.")]
    logme: Annotated[float, Field(description="Of the pretrained network on training and validation images.")]


class _Distances(Document):
    distances: tuple[StepDistance, ...]


def measure_distances(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """Measure MMD², CORAL and LogME of datasets and their pretraining, with each network at its input size.

    The results are saved in the study's folder. A dataset with missing images is skipped with a note.

    Raises:
        Stopped: on request; previous measurements are saved.
    """
    from coverslip.audit.features import distance, logme_of

    pairs, measured = _pairs(cells), list[StepDistance]()
    for done, (second, first) in enumerate(pairs, start=1):
        try:
            sets = [images_of(second.run), images_of(first.run)]
            names = (second.dataset.name, "its first step")
            recipe = second.recipe
            result = distance(sets, names=names, model=recipe.model, image_size=recipe.image_size, emit=emit)
            logme = logme_of(_without_test_images(sets[0], second.run), first.run, emit=emit)
        except Stopped:
            raise
        except CoverslipError as error:
            emit(Noted.of(note("no-distance", level="warning", training=second.label, what=error.message)))
            continue
        (pair,) = result.pairs
        measured.append(
            StepDistance(
                dataset=second.dataset.name,
                first=str(first.dataset.path[0]),
                model=second.model,
                regime=second.regime,
                mmd2=pair.mmd2,
                p=pair.p,
                coral=pair.coral,
                logme=logme,
            )
        )
        _Distances(distances=tuple(measured)).write(folder / _FILE)
        emit(Progressed(stage="measuring-distances", done=done, total=len(pairs), unit="networks"))


def _pairs(cells: Iterable[Cell]) -> list[tuple[Cell, Cell]]:
    """Return a finished two-step training of each dataset, network and pretraining, with the pretraining."""
    by_folder: dict[Path, Cell] = {}
    pairs: dict[tuple[str, str, str], tuple[Cell, Cell]] = {}
    for cell in cells:
        if cell.is_pretraining:
            by_folder[cell.run.folder] = cell
        elif cell.starts_from is not None and state_of(cell).state == "done":
            key = (cell.dataset.name, cell.model, cell.regime)
            pairs.setdefault(key, (cell, by_folder[cell.starts_from.folder]))
    return list(pairs.values())


def _without_test_images(data: Dataset, run: Run) -> Dataset:
    """Return the training and validation images of a run, or of its first fold."""
    split = (run.folds[0] if run.folds else run).split
    ids = {row.image_id for row in split if row.split in ("train", "val")}
    return data.subset(i for i, record in enumerate(data.records) if record.image_id in ids)


def read_distances(folder: Path) -> Sequence[StepDistance]:
    """Return the saved measurements; empty if there are none.

    Raises:
        BadRun: the file is damaged.
    """
    document = _Distances.read_if_there(folder / _FILE)
    return () if document is None else document.distances


_IGNORED_KEYS = ("seed", "split.seed", "group")  # recipe keys that differ without being a setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The settings of a variant on a dataset."""

    dataset: str
    train_per_class: int | None
    name: str
    settings: Annotated[
        str,
        Field(description="Recipe keys in which the variants differ, with values, and batches that memory reduced."),
    ]
    n_trained: int  # trained networks, one for each split and seed
    shrinkages: tuple[float, ...]  # distinct shrinkages of the selected linear probes
    epochs_run: Annotated[tuple[int, ...], Field(description="Minimum and maximum; empty: no fine-tuning.")]
    epochs_kept: Annotated[tuple[int, ...], Field(description="The same of selected epochs; 0: linear probe selected.")]


def tried_choices(plan: StudyPlan, cells: Iterable[Cell]) -> list[Tried]:
    """Return the settings of every variant that has finished trainings."""
    variants: dict[tuple[str, int | None], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            variant = plan.variant_name(cell.model, cell.regime)
            variants[cell.dataset.name, cell.train_per_class][variant].append(cell)
    return [
        _tried(dataset, n, name, of_variant, differing)
        for (dataset, n), of_dataset in variants.items()
        for differing in [_differing([of_variant[0] for of_variant in of_dataset.values()])]
        for name, of_variant in of_dataset.items()
    ]


def idle_first_steps(cells: Iterable[Cell]) -> list[str]:
    """Return sentences about pretraining steps that did not change the network and so have no effect."""
    sentences: list[str] = []
    for cell in cells:
        if not cell.is_pretraining or state_of(cell).state != "done":
            continue
        if {record.chosen for record in _records(cell)} == {"instant"}:
            sentences.append(text("idle-pretraining", regime=cell.regime, model=cell.model, seed=str(cell.seed)))
    return list(dict.fromkeys(sentences))


def _tried(dataset: str, n: int | None, name: str, cells: Sequence[Cell], differing: Sequence[str]) -> Tried:
    values = settings_of(cells[0].recipe)
    records = [record for cell in cells for record in _records(cell)]
    tuned = [record.finetune for record in records if record.finetune is not None]
    probes = [record.instant.shrinkage for record in records if record.instant is not None]
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
    sizes = [cell.run.recipe.batch_size for cell in cells if cell.run.recipe.batch_size < cell.recipe.batch_size]
    words = ", ".join(str(size) for size in sorted(set(sizes)))
    return [text("smaller-batches-in-trainings", sizes=words, n_trainings=len(sizes))] if sizes else []


def _records(cell: Cell) -> Sequence[TrainingRecord]:
    try:
        runs = [*cell.run.folds] or [cell.run]
        return [run.training for run in runs if run.training is not None]
    except BadRun:  # changed or removed since
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
    values = _plain(recipe.model_dump(mode="json"))
    return {key: as_written(value) for key, value in values.items() if key not in _IGNORED_KEYS}


def as_written(value: object) -> str:
    """Return the value as in a recipe file."""
    return value if isinstance(value, str) else json.dumps(value)


def _plain(section: Mapping[str, Any], before: str = "") -> dict[str, Any]:  # Any: values of recipe keys
    values: dict[str, Any] = {}
    for key, value in section.items():
        if key in ("split", "augment", "classes", "regularizer", "model_options") and isinstance(value, dict):
            values |= _plain(value, f"{key}.")
        elif key == "init" and isinstance(value, dict) and "run" in value:
            values["init.run"] = Path(value["run"]).name
        else:
            values[before + key] = value
    return values
