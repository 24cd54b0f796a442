"""Training curves of networks by epoch, averaged over the splits of a dataset."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.errors import BadRun
from coverslip.runs import Run
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.running import state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochCurve:
    """The training curve of a variant. Each number is the mean over the splits that reached the epoch."""

    dataset: str
    train_per_class: int | None
    name: str
    epochs: tuple[int, ...]  # 0: before fine-tuning
    train_loss: tuple[float | None, ...]
    val_loss: tuple[float | None, ...]
    val_accuracy: tuple[float | None, ...]


def epoch_curves(plan: StudyPlan, cells: Iterable[Cell]) -> list[EpochCurve]:
    """Return the curve of every fine-tuned variant over all its splits and seeds."""
    runs: dict[tuple[str, int | None, str], list[Run]] = defaultdict(list)
    for cell in cells:
        if not cell.is_pretraining and state_of(cell).state == "done":
            name = plan.variant_name(cell.model, cell.regime)
            runs[cell.dataset.name, cell.train_per_class, name] += [*cell.run.folds] or [cell.run]
    return [curve for key, of_variant in runs.items() for curve in _curve(*key, of_variant)]


def _curve(dataset: str, n: int | None, name: str, runs: Sequence[Run]) -> Iterator[EpochCurve]:
    columns = ("train_loss", "val_loss", "val_accuracy")
    values: dict[int, dict[str, list[float]]] = defaultdict(lambda: {column: [] for column in columns})
    for run in runs:
        try:
            history = run.history
        except BadRun:  # changed or removed since
            continue
        for row in history:
            for column in columns:
                if (value := getattr(row, column)) is not None:
                    values[row.epoch][column].append(value)
    if len(values) < 2:
        return
    epochs = tuple(sorted(values))
    means = {
        column: tuple(float(np.mean(v)) if (v := values[epoch][column]) else None for epoch in epochs)
        for column in columns
    }
    yield EpochCurve(dataset=dataset, train_per_class=n, name=name, epochs=epochs, **means)
