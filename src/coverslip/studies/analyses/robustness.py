"""Trained classifiers on their own test images, blurred, brightened or scaled: how robust they are.

Each image is changed as it was read, before it is preprocessed, so that a change is that of a microscope.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from coverslip.errors import CoverslipError
from coverslip.evaluation import METRICS, scored_metrics
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.inference import load_classifier
from coverslip.messages import note
from coverslip.runs import Predictions, Run
from coverslip.runs.documents import Document
from coverslip.runs.images import images_of
from coverslip.stopping import NO_DEADLINE, Deadline, Stop
from coverslip.studies.cells import Cell
from coverslip.studies.plan import PerturbationPlan, StudyPlan
from coverslip.studies.running import state_of


class Perturbed(BaseModel):
    """What a classifier reached on changed test images."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    perturbation: str
    fold: int | None  # None: one split
    n: int
    values: dict[str, float | None]  # by the name of the metric; None where it is not defined


class _Measured(Document):
    """One file of `perturbed/`: a training's."""

    rows: tuple[Perturbed, ...]


def changed(plan: PerturbationPlan, image: np.ndarray) -> np.ndarray:
    """(H, W, C) image with one change, of the same shape and type."""
    from scipy import ndimage

    values = image.astype(np.float32)
    if plan.brightness is not None:
        values *= plan.brightness
    if plan.blur is not None:
        values = ndimage.gaussian_filter(values, (plan.blur, plan.blur, 0), mode="nearest")
    if plan.scale is not None:
        values = _scaled(values, plan.scale)
    if np.issubdtype(image.dtype, np.integer):
        limits = np.iinfo(image.dtype)
        values = np.rint(values).clip(limits.min, limits.max)
    return values.astype(image.dtype)


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    """What is shown drawn larger or smaller about the middle; beyond the old edge the edge is repeated."""
    from scipy import ndimage

    if factor < 1:  # fewer pixels show it: finer detail than they hold goes first
        sigma = (1 / factor - 1) / 2
        values = ndimage.gaussian_filter(values, (sigma, sigma, 0), mode="nearest")
    middle = (np.array(values.shape[:2]) - 1) / 2
    offset = middle - middle / factor
    layers = [
        ndimage.affine_transform(layer, [1 / factor, 1 / factor], offset=offset, order=1, mode="nearest")
        for layer in np.moveaxis(values, -1, 0)
    ]
    return np.stack(layers, axis=-1)


def measure_perturbed(
    plan: StudyPlan,
    cells: Iterable[Cell],
    folder: Path,
    *,
    emit: Emit = ignore,
    deadline: Deadline = NO_DEADLINE,
    stop: Stop | None = None,
) -> None:
    """Measure what is not measured yet of finished trainings, each with the test images that it has.

    A training whose images or classifier are missing is skipped with a note.

    Args:
        plan: of the study.
        cells: its trainings.
        folder: of the study; a file for each training lies in its `perturbed/`.
        emit: receives progress events.
        deadline: nothing is begun after it.
        stop: the request to end.

    Raises:
        Stopped: on request; what is measured is kept.
    """
    stop = stop or Stop(folder / "stop")
    ready = [cell for cell in cells if not cell.is_pretraining and state_of(cell).state == "done"]
    open_cells = [cell for cell in ready if _missing(plan, read_perturbed(cell, folder))]
    for i, cell in enumerate(open_cells):
        if deadline.seconds_left() <= 0:
            emit(Noted.of(note("study-budget-robustness", n_trainings=len(open_cells) - i)))
            return
        known = read_perturbed(cell, folder)
        try:
            rows = [*known, *_measured(plan, cell, _missing(plan, known), stop)]
        except CoverslipError as error:
            if stop.is_requested():
                raise
            emit(Noted.of(note("cell-not-perturbed", level="warning", cell=cell.name, what=error.what)))
            continue
        _Measured(rows=tuple(rows)).write(_file(cell, folder))
        done, total = i + 1, len(open_cells)
        emit(Progressed(stage="perturbed test images", done=done, total=total, unit="trainings"))


def read_perturbed(cell: Cell, folder: Path) -> Sequence[Perturbed]:
    """What was measured of a training; nothing where it was not, or where the file was damaged."""
    try:
        kept = _Measured.read_if_there(_file(cell, folder))
    except CoverslipError:
        return ()
    return () if kept is None else kept.rows


def _file(cell: Cell, folder: Path) -> Path:
    return folder / "perturbed" / f"{cell.name}.json"


def _missing(plan: StudyPlan, known: Sequence[Perturbed]) -> list[PerturbationPlan]:
    names = {row.perturbation for row in known}
    return [each for each in plan.perturbations if each.name not in names]


def _measured(plan: StudyPlan, cell: Cell, missing: Sequence[PerturbationPlan], stop: Stop) -> Iterator[Perturbed]:
    data = images_of(cell.run)
    place = {record.image_id: i for i, record in enumerate(data.records)}
    metrics = scored_metrics()
    tested: list[tuple[int | None, Run]] = [*enumerate(cell.run.folds, start=1)] or [(None, cell.run)]
    for fold, own in tested:
        classifier = load_classifier(own.folder)
        images = data.chosen(place[row.image_id] for row in own.predictions if row.image_id in place)
        for each in missing:
            seen = classifier.predict_images(images, change=partial(changed, each), stop=stop)
            rows = Predictions(seen, classifier.classes).measured()
            yield Perturbed(
                perturbation=each.name,
                fold=fold,
                n=len(rows.label),
                values={name: _value(name, rows.probability, rows.label, rows.predicted) for name in metrics},
            )


def _value(metric: str, probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float | None:
    value = METRICS[metric].value(probability, label, predicted) if len(label) else np.nan
    return float(value) if np.isfinite(value) else None
