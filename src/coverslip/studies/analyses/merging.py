"""Class by class: a network that was trained on one dataset, and one that was trained on several, on its images."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric
from coverslip.evaluation.per_class import per_class
from coverslip.messages import text
from coverslip.runs import Run
from coverslip.runs.lookup import ImageLookup
from coverslip.studies.cells import Cell
from coverslip.studies.plan import DatasetPlan, StudyPlan
from coverslip.studies.running import state_of

Key = tuple[str, str]  # tells an image: its file, and which pixels of it


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedClass:
    """One class of a dataset; the two networks were tested on other images of it unless both were by folds."""

    dataset: str
    merged: str
    train_per_class: int | None
    name: str
    class_name: str
    n_single: int  # test images of the class
    n_merged: int
    f1_single: Metric  # by images or groups
    f1_merged: Metric  # among this dataset's test images


def merged_classes(plan: StudyPlan, cells: Iterable[Cell]) -> list[MergedClass]:
    """Of the first split and seed, wherever a dataset stands by itself and within another one of the plan."""
    first = {
        (cell.dataset.name, cell.train_per_class, plan.variant_name(cell.model, cell.regime)): cell
        for cell in cells
        if (cell.repeat, cell.seed) == (1, plan.seeds[0]) and not cell.is_pretraining and state_of(cell).state == "done"
    }
    pairs = [(one, whole) for whole in plan.datasets for one in plan.datasets if _is_within(one, whole)]
    found: list[MergedClass] = []
    for (dataset, n, name), cell in first.items():
        for one, whole in pairs:
            other = first.get((whole.name, n, name))
            if one.name == dataset and other is not None:
                found += _of_pair(cell, other, n, name)
    return found


def _is_within(one: DatasetPlan, whole: DatasetPlan) -> bool:
    """With the same split and protocol, so that the images beside are what differs."""
    is_alike = one.recipe == whole.recipe and (one.as_published_of is None) == (whole.as_published_of is None)
    return is_alike and len(one.path) < len(whole.path) and set(one.path) < set(whole.path) and not whole.by_domain


def _of_pair(single: Cell, merged: Cell, n: int | None, name: str) -> Iterator[MergedClass]:
    try:
        own = _files(single.run)
        alone = _by_class(single.run, None)
        within = _by_class(merged.run, set(own.values()))
    except CoverslipError:  # a file of it was changed or taken away
        return
    for class_name, (n_single, f1_single) in alone.items():
        n_merged, f1_merged = within.get(class_name, (0, Metric(value=None, reason=text("merged-class-missing"))))
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
    """Test images and F1 of each class, of all images that were measured or of some of them."""
    measured, groups = run.predictions.measured(), {row.image_id: row.group for row in run.split}
    files = _files(run) if among is not None else {}
    kept = [k for k, row in enumerate(measured.rows) if among is None or files.get(row.image_id) in among]
    label, predicted, probability = measured.label[kept], measured.predicted[kept], measured.probability[kept]
    group = np.array([groups.get(measured.rows[k].image_id) or "" for k in kept], dtype=object)
    if not kept:
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
    found = {row.image_id: lookup.find(row.image_id) for row in run.split}
    return {
        image_id: (str(source.file), source.plan.model_dump_json(include={"box", "plane"}))
        for image_id, source in found.items()
        if source is not None
    }
