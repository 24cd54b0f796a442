"""Results per class of networks trained on a single dataset and on merged datasets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric
from coverslip.evaluation.summary import per_class
from coverslip.messages import text
from coverslip.runs import Run
from coverslip.runs.images import ImageLookup
from coverslip.studies.cells import Cell
from coverslip.studies.plan import DatasetPlan, StudyPlan
from coverslip.studies.running import state_of

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
