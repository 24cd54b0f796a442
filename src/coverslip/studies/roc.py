"""ROC curves of the datasets of a study, for publications that show them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.errors import CoverslipError
from coverslip.evaluation import Curve, macro_roc_curve, micro_roc_curve, roc_curve
from coverslip.runs import Run
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.published import papers_of
from coverslip.studies.running import state_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RocLine:
    """The ROC curve of a class, or an average over classes."""

    name: str
    auroc: float  # the area below it
    curve: Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class RocPanel:
    """The ROC curves of a network on the test images of a dataset, over all splits and seeds."""

    dataset: str
    arm: str
    name: str  # of the variant
    lines: tuple[RocLine, ...]


_N_ROC_POINTS = 60


def roc_panels(plan: StudyPlan, cells: Iterable[Cell]) -> list[RocPanel]:
    """Return the ROC curves of the first variant, if a publication of the plan shows such curves."""
    shows_curves = any("study-roc" in item.sections for paper in papers_of(plan) for item in paper.items)
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for cell in cells if shows_curves else ():
        is_first = plan.variant_name(cell.model, cell.regime) == plan.variant_names[0]
        if is_first and not cell.is_pretraining and state_of(cell).state == "done":
            runs[cell.dataset.name, cell.dataset.arm].append(cell.run)
    return [
        RocPanel(dataset=dataset, arm=arm, name=plan.variant_names[0], lines=tuple(_roc_lines(of_dataset)))
        for (dataset, arm), of_dataset in runs.items()
    ]


def _roc_lines(runs: Sequence[Run]) -> Iterator[RocLine]:
    try:
        measured, classes = [run.predictions.measured() for run in runs], runs[0].predictions.classes
    except CoverslipError:  # a file was changed or removed
        return
    probability, label = (
        np.concatenate([getattr(each, array) for each in measured]) for array in ("probability", "label")
    )
    curves = {name: roc_curve(probability[:, k], label == k, n_points=_N_ROC_POINTS) for k, name in enumerate(classes)}
    if len(classes) > 2:
        curves |= {
            "macro-average": macro_roc_curve(probability, label),
            "micro-average": micro_roc_curve(probability, label),
        }
    for name, curve in curves.items():
        if curve is not None:
            yield RocLine(name=name, auroc=float(np.trapezoid(curve.y, curve.x)), curve=curve)
