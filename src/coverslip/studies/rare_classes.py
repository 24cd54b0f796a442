"""Precision and recall of the rarest class by several decision rules, for trainings with few images of it.

The test set keeps the class proportions of the dataset, so that precision is that at the true prevalence.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from coverslip.errors import CoverslipError
from coverslip.evaluation import DecideBy, DecisionRule, Metric, apply_temperature, decided_classes, learn_decisions
from coverslip.evaluation.summary import per_class
from coverslip.runs import Run, open_classifier
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.running import state_of

_TARGET = 0.9  # sensitivity for the rarest of two classes
_RULES: tuple[DecideBy, ...] = ("highest", "roc", "sensitivity")


@dataclass(frozen=True, slots=True, kw_only=True)
class RareClass:
    """The results of the rarest class in one training, by one decision rule."""

    dataset: str
    name: str  # of the variant
    class_name: str
    n_labeled: Annotated[int, Field(description="Limit of its training and validation images.")]
    n_test: int
    prevalence: Annotated[float, Field(description="Its share of the test images.")]
    rule: str
    precision: Metric
    recall: Metric
    f1: Metric


def rare_classes(plan: StudyPlan, cells: Iterable[Cell]) -> list[RareClass]:
    """Return the rows of all trainings of the first split and seed that limit the images of the rarest class."""
    rows: list[RareClass] = []
    for cell in cells:
        is_first = (cell.repeat, cell.seed) == (1, plan.seeds[0]) and not cell.is_pretraining
        if is_first and cell.recipe.split.rare_images is not None and state_of(cell).state == "done":
            try:
                rows += _of_cell(plan, cell, cell.recipe.split.rare_images)
            except CoverslipError:  # a file was changed or removed
                continue
    return rows


def _of_cell(plan: StudyPlan, cell: Cell, n_labeled: int) -> Iterator[RareClass]:
    runs = [*cell.run.folds] or [cell.run]
    group_of = {row.image_id: row.named_group for row in cell.run.split}
    n_of_class = Counter(row.label or "" for run in runs for row in run.predictions if row.label)
    rarest = min(sorted(n_of_class), key=n_of_class.__getitem__)
    classes = sorted(n_of_class)
    rare = classes.index(rarest)
    for by in _RULES if len(classes) == 2 else _RULES[:2]:
        tested = [_decided(run, by, classes, rarest) for run in runs]
        probability, label, predicted = (np.concatenate([each[k] for each in tested]) for k in range(3))
        names = [group_of.get(image_id) or "" for each in tested for image_id in each[3]]
        group = np.array(names, dtype=object) if any(names) else None
        scores = per_class(probability, label, predicted, group)[rare]
        yield RareClass(
            dataset=cell.dataset.name,
            name=plan.variant_name(cell.model, cell.regime),
            class_name=rarest,
            n_labeled=n_labeled,
            n_test=scores.n,
            prevalence=float(np.mean(label == rare)),
            rule=by,
            precision=scores.metrics["precision"],
            recall=scores.metrics["recall"],
            f1=scores.metrics["f1"],
        )


def _decided(
    run: Run, by: DecideBy, classes: list[str], rarest: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return probability, label and predicted class of the test images of a run, and their image_ids.

    The rule is learned from the validation images of the run.
    """
    card = open_classifier(run.classifier_folder).card
    number = {name: k for k, name in enumerate(card.classes)}
    validation = apply_temperature(run.validation_logits, card.temperature)
    val_label = np.array([number[row.label or ""] for row in run.validation])
    positive = number.get(rarest) if len(card.classes) == 2 else None
    points, _ = learn_decisions(validation, val_label, DecisionRule(by=by, positive=positive, target=_TARGET))
    measured = [(row, logits) for row, logits in zip(run.predictions, run.test_logits, strict=True) if row.predicted]
    of_card = apply_temperature(np.array([logits for _, logits in measured]), card.temperature)
    decided = decided_classes(of_card, None if points is None else [point.threshold for point in points])
    columns = [classes.index(name) for name in card.classes]
    probability = np.zeros((len(measured), len(classes)))
    probability[:, columns] = of_card
    label = np.array([classes.index(row.label or "") for row, _ in measured])
    return probability, label, np.array(columns)[decided], [row.image_id for row, _ in measured]
