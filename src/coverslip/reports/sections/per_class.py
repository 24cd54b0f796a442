"""The metrics of each class."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coverslip.evaluation import Metric, hardest_classes
from coverslip.reports import content
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.parts.two_classes import threshold_words
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.tables import Cell, below_values, estimate
from coverslip.reports.words import DECISION_IMAGES, MANY_CLASSES, N_HARDEST, count, is_numbered

_TITLES = {
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "npv": "NPV",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}


def operating_point_words(run: ReportedRun) -> str:
    """What the operating points in the table are; empty where the most probable class is predicted."""
    if run.recipe.decide_by == "highest":
        return ""
    if run.recipe.decide_by != "roc":
        return threshold_words(run)
    rule = "The predicted class is the one with the largest ratio of probability to operating point."
    points = "The table shows the final classifier's operating points, set" if run.n_folds else "They were set"
    return f"{rule} {points} on {DECISION_IMAGES[run.calibration.learnt_on]}."


def _text(run: ReportedRun) -> SectionText:
    columns = ("class", "images", *_TITLES.values())
    if run.recipe.decide_by != "highest":
        columns = (*columns, "operating point")
    return SectionText(tuple(_words(run)), columns, _rows(run))


def _words(run: ReportedRun) -> Iterator[str]:
    if below := below_values(_rows(run)):
        yield below
    yield (
        "Recall is also called sensitivity, and precision positive predictive value (PPV). NPV is the share of images "
        "predicted as another class that are of another class."
    )
    if text := operating_point_words(run):
        yield text


def _rows(run: ReportedRun) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for row in content.classes(run):
        scores = run.metrics.per_class.get(row.name)
        numbers = {} if scores is None else scores.metrics
        missing = Metric(value=None, reason=row.reason)
        cells = [estimate(numbers.get(key, missing), is_strong=key == "f1") for key in _TITLES]
        name = f"{row.number}. {row.name}" if is_numbered(run) and row.name != str(row.number) else row.name
        point = "–" if row.operating_point is None else f"{row.operating_point:.3g}"
        points = [] if run.recipe.decide_by == "highest" else [point]
        rows.append([name, count(row.n), *cells, *points])
    return rows


def _shown(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    if len(run.classes) <= MANY_CLASSES:
        return {"hardest": []}
    rows = _rows(run)
    return {"hardest": [rows[k] for k in hardest_classes([row.f1 for row in content.classes(run)], N_HARDEST)]}


PER_CLASS = Section(
    name="per_class",
    title="Metrics per class",
    order=300,
    text=_text,
    shown=_shown,
    template=Path(__file__).with_name("per_class.html"),
)
