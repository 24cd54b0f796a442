"""First training steps of a study: how far apart they are, and which choices validation images made."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.errors import BadRun, CoverslipError, Stopped
from coverslip.evaluation import Metric
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.messages import note, text
from coverslip.runs import TrainingRecord
from coverslip.runs.documents import Document
from coverslip.runs.images import images_of
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.running import state_of

_FILE = "distances.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDistance:
    """Of a dataset from the images of its first step."""

    dataset: str
    first: str  # folder or table of the first step
    model: str  # that sees them, with ImageNet weights
    mmd2: Metric
    p: float  # how often random groups have at least this distance
    coral: Metric


class _Distances(Document):
    distances: tuple[StepDistance, ...]


def measure_distances(cells: Iterable[Cell], folder: Path, *, emit: Emit = ignore) -> None:
    """MMD² and CORAL of datasets and the images of their first steps, as each network sees them at its own size.

    They are kept in the study's folder. If images are missing, a note says so, and the others are measured.

    Raises:
        Stopped: on request; what was measured is kept.
    """
    from coverslip.audit.distance import distance

    pairs, measured = _pairs(cells), list[StepDistance]()
    for done, (second, first) in enumerate(pairs, start=1):
        try:
            sets = [images_of(second.run), images_of(first.run)]
            names = (second.dataset.name, "its first step")
            recipe = second.recipe
            found = distance(sets, names=names, model=recipe.model, image_size=recipe.image_size, emit=emit)
        except Stopped:
            raise
        except CoverslipError as error:
            emit(Noted.of(note("no-distance", level="warning", training=second.label, what=error.what)))
            continue
        (pair,) = found.pairs
        measured.append(
            StepDistance(
                dataset=second.dataset.name,
                first=str(first.dataset.path[0]),
                model=second.model,
                mmd2=pair.mmd2,
                p=pair.p,
                coral=pair.coral,
            )
        )
        _Distances(distances=tuple(measured)).write(folder / _FILE)
        emit(Progressed(stage="distances", done=done, total=len(pairs), unit="networks"))


def _pairs(cells: Iterable[Cell]) -> list[tuple[Cell, Cell]]:
    """A finished training of each dataset and network with two steps, and that of its first one."""
    by_folder: dict[Path, Cell] = {}
    pairs: dict[tuple[str, str], tuple[Cell, Cell]] = {}
    for cell in cells:
        if cell.is_pretraining:
            by_folder[cell.run.folder] = cell
        elif cell.starts_from is not None and state_of(cell).state == "done":
            pairs.setdefault((cell.dataset.name, cell.model), (cell, by_folder[cell.starts_from.folder]))
    return list(pairs.values())


def read_distances(folder: Path) -> Sequence[StepDistance]:
    """What was measured before; nothing where it was not.

    Raises:
        BadRun: the file is damaged.
    """
    kept = _Distances.read_if_there(folder / _FILE)
    return () if kept is None else kept.distances


_OWN = ("seed", "split.seed", "group")  # differ without being a choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A way of training on a dataset."""

    dataset: str
    train_per_class: int | None
    name: str
    settings: str  # recipe keys in which the ways of training differ on this dataset, with their values
    n_trained: int  # networks, one for each split and seed
    shrinkages: tuple[float, ...]  # of linear probes that were chosen, without repetition
    epochs_run: tuple[int, ...]  # fewest and most; empty: nothing was fine-tuned
    epochs_kept: tuple[int, ...]  # the same of the epochs that validation images chose; 0: the linear probe was kept


def tried_choices(plan: StudyPlan, cells: Iterable[Cell]) -> list[Tried]:
    """Of every way of training that there are finished trainings of."""
    ways: dict[tuple[str, int | None], dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            variant = plan.variant_name(cell.model, cell.regime)
            ways[cell.dataset.name, cell.train_per_class][variant].append(cell)
    return [
        _tried(dataset, n, name, own, differing)
        for (dataset, n), of_dataset in ways.items()
        for differing in [_differing([own[0] for own in of_dataset.values()])]
        for name, own in of_dataset.items()
    ]


def idle_first_steps(cells: Iterable[Cell]) -> list[str]:
    """Which first steps of two left the network as it was, so that what starts from them starts as without them."""
    sentences: list[str] = []
    for cell in cells:
        if not cell.is_pretraining or state_of(cell).state != "done":
            continue
        if {record.chosen for record in _records(cell)} == {"instant"}:
            sentences.append(text("idle-pretraining", regime=cell.regime, model=cell.model, seed=str(cell.seed)))
    return list(dict.fromkeys(sentences))


def _tried(dataset: str, n: int | None, name: str, cells: Sequence[Cell], differing: Sequence[str]) -> Tried:
    values = _plain(cells[0].recipe.model_dump(mode="json"))
    records = [record for cell in cells for record in _records(cell)]
    tuned = [record.finetune for record in records if record.finetune is not None]
    probes = [record.instant.shrinkage for record in records if record.instant is not None]
    return Tried(
        dataset=dataset,
        train_per_class=n,
        name=name,
        settings=", ".join(f"{key} = {values[key]}" for key in differing if key in values),
        n_trained=len(records),
        shrinkages=tuple(sorted({value for value in probes if value is not None})),
        epochs_run=_span([stage.epochs_run for stage in tuned]),
        epochs_kept=_span([record.selected_epoch for record in records]) if tuned else (),
    )


def _records(cell: Cell) -> Sequence[TrainingRecord]:
    try:
        runs = [*cell.run.folds] or [cell.run]
        return [run.training for run in runs if run.training is not None]
    except BadRun:  # changed or taken away since
        return ()


def _span(values: Sequence[int]) -> tuple[int, ...]:
    return (int(np.min(values)), int(np.max(values))) if values else ()


def _differing(cells: Sequence[Cell]) -> list[str]:
    """Dotted recipe keys that not all of them have alike."""
    plain = [_plain(cell.recipe.model_dump(mode="json")) for cell in cells]
    keys = dict.fromkeys(key for values in plain for key in values)
    return [key for key in keys if key not in _OWN and len({str(values.get(key)) for values in plain}) > 1]


def _plain(section: Mapping[str, Any], before: str = "") -> dict[str, Any]:  # Any: values of recipe keys
    values: dict[str, Any] = {}
    for key, value in section.items():
        if key in ("split", "augment", "classes", "regulariser") and isinstance(value, dict):
            values |= _plain(value, f"{key}.")
        else:
            values[before + key] = value
    return values
