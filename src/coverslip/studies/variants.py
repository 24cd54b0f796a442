"""Further analyses of trained variants: robustness, training on merged datasets, and training curves.

Robustness is measured on test images with blur, brightness or scale changed. Each image is perturbed before
preprocessing, so that a perturbation corresponds to a change of the microscope.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from coverslip.errors import BadRun, CoverslipError
from coverslip.evaluation import METRICS, Metric, scored_metrics
from coverslip.evaluation.summary import per_class
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.inference import load_classifier
from coverslip.messages import note, text
from coverslip.runs import Predictions, Run
from coverslip.runs.documents import Document
from coverslip.runs.images import ImageLookup, images_of
from coverslip.stopping import NO_DEADLINE, Deadline, Stop
from coverslip.studies.cells import Cell
from coverslip.studies.plan import DatasetPlan, PerturbationPlan, StudyPlan
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


def perturbed_image(plan: PerturbationPlan, image: np.ndarray) -> np.ndarray:
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
        emit(Progressed(stage="testing-perturbed-images", done=done, total=total, unit="trainings"))


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
            predictions = classifier.predict_images(images, change=partial(perturbed_image, each), stop=stop)
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


Key = tuple[str, str]  # identifies an image: its file and the region in it


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedClass:
    """The results of one class. The two networks have different test images unless both were tested by folds."""

    dataset: str
    merged: str
    train_per_class: int | None
    name: str
    class_name: str
    n_single: int  # test images of the class
    n_merged: int
    f1_single: Metric  # by images or groups
    f1_merged: Metric  # on test images of this dataset


def merged_classes(plan: StudyPlan, cells: Iterable[Cell]) -> list[MergedClass]:
    """Return the results of the first split and seed for datasets that are also part of a merged dataset."""
    first = {
        (cell.dataset.name, cell.train_per_class, plan.variant_name(cell.model, cell.regime)): cell
        for cell in cells
        if (cell.repeat, cell.seed) == (1, plan.seeds[0]) and not cell.is_pretraining and state_of(cell).state == "done"
    }
    pairs = [(single, merged) for merged in plan.datasets for single in plan.datasets if _is_within(single, merged)]
    results: list[MergedClass] = []
    for (dataset, n, name), cell in first.items():
        for single, merged in pairs:
            merged_cell = first.get((merged.name, n, name))
            if single.name == dataset and merged_cell is not None:
                results += _of_pair(cell, merged_cell, n, name)
    return results


def _is_within(single: DatasetPlan, merged: DatasetPlan) -> bool:
    """Return whether a dataset is part of a merged dataset that has the same split and protocol."""
    has_same_protocol = (single.as_published_of is None) == (merged.as_published_of is None)
    is_alike = single.recipe == merged.recipe and has_same_protocol and not merged.by_domain
    return is_alike and len(single.path) < len(merged.path) and set(single.path) < set(merged.path)


def _of_pair(single: Cell, merged: Cell, n: int | None, name: str) -> Iterator[MergedClass]:
    try:
        files = _files(single.run)
        of_single = _by_class(single.run, None)
        of_merged = _by_class(merged.run, set(files.values()))
    except CoverslipError:  # a file was changed or removed
        return
    for class_name, (n_single, f1_single) in of_single.items():
        n_merged, f1_merged = of_merged.get(class_name, (0, Metric(value=None, reason=text("merged-class-missing"))))
        yield MergedClass(
            dataset=single.dataset.name,
            merged=merged.dataset.name,
            train_per_class=n,
            name=name,
            class_name=class_name,
            n_single=n_single,
            n_merged=n_merged,
            f1_single=f1_single,
            f1_merged=f1_merged,
        )


def _by_class(run: Run, among: set[Key] | None) -> dict[str, tuple[int, Metric]]:
    """Return the number of test images and the F1 of each class, for all measured images or for those in `among`."""
    measured, groups = run.predictions.measured(), {row.image_id: row.group for row in run.split}
    files = _files(run) if among is not None else {}
    indices = [k for k, row in enumerate(measured.rows) if among is None or files.get(row.image_id) in among]
    label, predicted, probability = measured.label[indices], measured.predicted[indices], measured.probability[indices]
    group = np.array([groups.get(measured.rows[k].image_id) or "" for k in indices], dtype=object)
    if not indices:
        return {}
    scores = per_class(probability, label, predicted, group if any(group) else None)
    return {
        class_name: (scores[k].n, scores[k].metrics["f1"])
        for k, class_name in enumerate(run.predictions.classes)
        if (label == k).any()
    }


def _files(run: Run) -> dict[str, Key]:
    """Return the file and pixels of each image, if they are recorded."""
    lookup = ImageLookup(run)
    sources = {row.image_id: lookup.find(row.image_id) for row in run.split}
    return {
        image_id: (str(source.file), source.plan.model_dump_json(include={"box", "plane"}))
        for image_id, source in sources.items()
        if source is not None
    }


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
