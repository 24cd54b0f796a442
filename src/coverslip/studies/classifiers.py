"""Comparison of trained classifiers of a study on their common test images (as opposed to training procedures)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from coverslip.errors import CoverslipError
from coverslip.evaluation import Metric, paired_differences
from coverslip.reports.comparing.common import common_images
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.running import state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierDifference:
    """The paired difference of a trained classifier, or of the folds' classifiers, from the baseline."""

    dataset: str
    train_per_class: int | None
    name: str
    baseline: str
    n: int  # images that both were tested on
    n_groups: int | None
    difference: Metric  # of the primary metric, classifier minus baseline


def classifier_differences(plan: StudyPlan, cells: Iterable[Cell]) -> list[ClassifierDifference]:
    """Return the differences from the baseline for the first split and seed, with intervals over groups."""
    first = {
        (cell.dataset.name, cell.train_per_class, plan.variant_name(cell.model, cell.regime)): cell
        for cell in cells
        if (cell.repeat, cell.seed) == (1, plan.seeds[0]) and not cell.is_pretraining and state_of(cell).state == "done"
    }
    return [difference for key, cell in first.items() for difference in _difference(plan, key, cell, first)]


Key = tuple[str, int | None, str]


def _difference(plan: StudyPlan, key: Key, cell: Cell, first: dict[Key, Cell]) -> Iterator[ClassifierDifference]:
    dataset, n, name = key
    baseline = plan.baseline_of(cell.model, cell.regime)
    other = first.get((dataset, n, baseline))
    if other is None or other is cell:
        return
    try:
        common = common_images(other.run, cell.run)
    except (CoverslipError, ValueError):  # a file was changed or removed, or the classes differ
        return
    metric = plan.primary_metric
    if not len(common.first_label):
        return
    differences = paired_differences(common.first, common.second, common.first_label, common.group, metrics=[metric])
    yield ClassifierDifference(
        dataset=dataset,
        train_per_class=n,
        name=name,
        baseline=baseline,
        n=len(common.first_label),
        n_groups=common.n_groups,
        difference=differences[metric],
    )
