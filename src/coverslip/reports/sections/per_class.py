"""The numbers of each class."""

from pathlib import Path
from typing import Any

from coverslip.evaluation import hardest_classes
from coverslip.reports import content
from coverslip.reports.content import ClassResult
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.parts.two_classes import threshold_words
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import MANY_CLASSES, N_HARDEST, is_numbered, number

_NUMBERS = {
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
    rule = "The class whose probability is largest in proportion to its operating point is predicted."
    if run.n_folds:
        return f"{rule} These are the classifier's, set on all folds' validation images; the folds had their own."
    return f"{rule} Operating points were set on validation images."


def _text(run: ReportedRun) -> SectionText:
    rows = [(row.name, str(row.n), *(_with_range(row, key) for key in _NUMBERS)) for row in content.classes(run)]
    columns = ("class", "images", *_NUMBERS.values())
    return SectionText(tuple(filter(None, [operating_point_words(run)])), columns, rows)


def _with_range(row: ClassResult, key: str) -> str:
    ends = row.intervals.get(key)
    return number(getattr(row, key)) + (f" ({number(ends.low)} – {number(ends.high)})" if ends else "")


def _shown(run: ReportedRun) -> dict[str, Any]:  # Any: what the template takes
    classes = content.classes(run)
    hardest = hardest_classes([row.f1 for row in classes], N_HARDEST) if len(classes) > MANY_CLASSES else []
    return {
        "hardest": [classes[k] for k in hardest],
        "classes": classes,
        "numbers": _NUMBERS,
        "by_roc": operating_point_words(run),
        "is_numbered": is_numbered(run),
    }


PER_CLASS = Section(
    name="per_class",
    title="Class by class",
    order=300,
    subtitle=lambda run: "recall is also called sensitivity, precision positive predictive value (PPV)",
    text=_text,
    shown=_shown,
    template=Path(__file__).with_name("per_class.html"),
)
