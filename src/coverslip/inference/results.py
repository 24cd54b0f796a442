"""Predictions of labelled images become `predictions.csv` and `metrics.json`."""

from collections.abc import Collection, Container, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.datasets import Dataset, counted, some
from coverslip.errors import BadDataset
from coverslip.evaluation import FoldsScores, evaluate_predictions, nothing_measured, without_temperature
from coverslip.events import Emit, Noted
from coverslip.inference.predictions import Prediction, Predictions
from coverslip.runs import write_metrics


def write_results(
    folder: Path,
    rows: Sequence[Prediction],
    data: Dataset,
    classes: Sequence[str],
    *,
    temperature: float | np.ndarray,
    split: str,
    primary: str,
    seed: int,
    emit: Emit,
    unmeasured: Container[int] = (),
    may_be_empty: bool = False,
    folds: FoldsScores | None = None,
) -> None:
    """Write what a classifier said about labelled images, and how good that is.

    Args:
        folder: gets `predictions.csv` and `metrics.json`.
        rows: one per record of `data`, in its order.
        data: the images with labels and groups.
        classes: that the rows' probabilities are of.
        temperature: that made the probabilities, one for all or (n_rows,); it is taken out again for the
            uncalibrated numbers.
        split: what the images are called in `metrics.json`.
        primary: name of the primary metric.
        seed: of the bootstrap.
        emit: told which images could not be measured.
        unmeasured: positions of rows to leave out of the numbers, for a reason that was told already.
        may_be_empty: write numbers that are all None, instead of raising, where no image can be measured.
        folds: each fold's numbers, where there are folds.

    Raises:
        BadDataset: no readable image has a label that the classifier knows.
    """
    place = {name: k for k, name in enumerate(classes)}
    measured = [i for i, row in enumerate(rows) if row.probabilities and row.label in place and i not in unmeasured]
    _tell_what_is_left_out(rows, place, data.dropped, emit)
    if not measured and may_be_empty:
        Predictions(rows, classes).write_csv(folder / "predictions.csv")
        empty = nothing_measured(classes, split=split, primary=primary, reason="no image could be measured")
        write_metrics(folder / "metrics.json", empty)
        return
    if not measured:
        known = some(classes, 8)
        raise BadDataset(
            f"None of the images has a label that the classifier knows ({known})",
            file=data.root,
            do="Use the same names for the classes, or `coverslip predict` for images without labels.",
        )
    probability = np.nan_to_num([rows[i].probabilities for i in measured])  # NaN: a class that its fold did not know
    label = np.array([place[rows[i].label or ""] for i in measured])
    predicted = np.array([place[rows[i].predicted or ""] for i in measured])
    records = [data.records[i] for i in measured]
    found = evaluate_predictions(
        probability,
        label,
        classes,
        split=split,
        primary=primary,
        predicted=predicted,
        group=_column([record.group for record in records]),
        domain=_column([record.domain or None for record in records]),
        probability_uncalibrated=without_temperature(
            probability, temperature if np.ndim(temperature) == 0 else np.asarray(temperature)[measured]
        ),
        seed=seed,
    )
    Predictions(rows, classes).write_csv(folder / "predictions.csv")
    write_metrics(folder / "metrics.json", replace(found, folds=folds))


def _column(values: Sequence[str | None]) -> np.ndarray | None:
    return np.array([value or "" for value in values]) if any(values) else None


def _tell_what_is_left_out(
    rows: Sequence[Prediction], place: Collection[str], dropped: frozenset[str], emit: Emit
) -> None:
    unreadable = sum(not row.probabilities for row in rows)
    if unreadable:
        _warn(emit, f"{counted(unreadable, 'image')} could not be read")
    others = {row.label for row in rows if row.label is not None and row.label not in place}
    _warn_of_labels(rows, others - dropped, "that the classifier does not know", emit)
    _warn_of_labels(rows, others & dropped, "of dropped classes", emit)
    unlabelled = sum(row.label is None for row in rows)
    if unlabelled:
        _warn(emit, f"{counted(unlabelled, 'image has', 'images have')} no label")


def _warn_of_labels(rows: Sequence[Prediction], labels: set[str], which: str, emit: Emit) -> None:
    if labels:
        n = sum(row.label in labels for row in rows)
        _warn(emit, f"{counted(n, 'image has a label', 'images have labels')} {which} ({some(sorted(labels))})")


def _warn(emit: Emit, what: str) -> None:
    emit(Noted(text=f"{what}: not in the numbers.", level="warning"))
