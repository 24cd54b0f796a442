"""Robustness of trained classifiers to blur, brightness and scale of their test images.

Each image is perturbed before preprocessing, so that a perturbation corresponds to a change of the microscope.
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
    """The results of a classifier on perturbed test images."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    perturbation: str
    fold: int | None  # None: a single split
    n: int
    values: dict[str, float | None]  # by the name of the metric; None if not defined


class _Measured(Document):
    """The file of one training in `perturbed/`."""

    rows: tuple[Perturbed, ...]


def changed(plan: PerturbationPlan, image: np.ndarray) -> np.ndarray:
    """Return the perturbed (H, W, C) image, of the same shape and type."""
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
    """Return the content scaled about the center. Pixels beyond the original edge repeat the edge."""
    from scipy import ndimage

    if factor < 1:  # a low-pass filter prevents aliasing
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
    """Measure the missing perturbations of finished trainings on their test images.

    A training whose images or classifier are missing is skipped with a note.

    Args:
        plan: of the study.
        cells: its trainings.
        folder: of the study. Each training has a file in its `perturbed/` folder.
        emit: receives progress events.
        deadline: no measurement is started later.
        stop: the request to end.

    Raises:
        Stopped: on request; previous measurements are saved.
    """
    stop = stop or Stop(folder / "stop")
    ready = [cell for cell in cells if not cell.is_pretraining and state_of(cell).state == "done"]
    open_cells = [cell for cell in ready if _missing(plan, read_perturbed(cell, folder))]
    for i, cell in enumerate(open_cells):
        if deadline.seconds_left() <= 0:
            emit(Noted.of(note("study-budget-robustness", n_trainings=len(open_cells) - i)))
            return
        measured_rows = read_perturbed(cell, folder)
        try:
            rows = [*measured_rows, *_measured(plan, cell, _missing(plan, measured_rows), stop)]
        except CoverslipError as error:
            if stop.is_requested():
                raise
            emit(Noted.of(note("cell-not-perturbed", level="warning", cell=cell.name, what=error.what)))
            continue
        _Measured(rows=tuple(rows)).write(_file(cell, folder))
        done, total = i + 1, len(open_cells)
        emit(Progressed(stage="perturbed test images", done=done, total=total, unit="trainings"))


def read_perturbed(cell: Cell, folder: Path) -> Sequence[Perturbed]:
    """Return the saved measurements of a training; empty if there are none or the file is damaged."""
    try:
        document = _Measured.read_if_there(_file(cell, folder))
    except CoverslipError:
        return ()
    return () if document is None else document.rows


def _file(cell: Cell, folder: Path) -> Path:
    return folder / "perturbed" / f"{cell.name}.json"


def _missing(plan: StudyPlan, measured_rows: Sequence[Perturbed]) -> list[PerturbationPlan]:
    names = {row.perturbation for row in measured_rows}
    return [each for each in plan.perturbations if each.name not in names]


def _measured(plan: StudyPlan, cell: Cell, missing: Sequence[PerturbationPlan], stop: Stop) -> Iterator[Perturbed]:
    data = images_of(cell.run)
    index_of = {record.image_id: i for i, record in enumerate(data.records)}
    metrics = scored_metrics()
    tested: list[tuple[int | None, Run]] = [*enumerate(cell.run.folds, start=1)] or [(None, cell.run)]
    for fold, run in tested:
        classifier = load_classifier(run.folder)
        images = data.subset(index_of[row.image_id] for row in run.predictions if row.image_id in index_of)
        for each in missing:
            predictions = classifier.predict_images(images, change=partial(changed, each), stop=stop)
            rows = Predictions(predictions, classifier.classes).measured()
            yield Perturbed(
                perturbation=each.name,
                fold=fold,
                n=len(rows.label),
                values={name: _value(name, rows.probability, rows.label, rows.predicted) for name in metrics},
            )


def _value(metric: str, probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float | None:
    value = METRICS[metric].value(probability, label, predicted) if len(label) else np.nan
    return float(value) if np.isfinite(value) else None
