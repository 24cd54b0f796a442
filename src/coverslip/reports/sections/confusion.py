"""Which classes are confused: the confusion matrix."""

import numpy as np

from coverslip.reports import figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import is_numbered


def _text(run: ReportedRun) -> SectionText:
    return SectionText(("Columns are numbered like the rows.",) if is_numbered(run) else ())


def _drawings(run: ReportedRun) -> list[Drawing]:
    matrix = np.array(run.metrics.confusion_matrix)
    title = f"Confusion matrix of {len(run.classes)} classes"
    return [Drawing("confusion_matrix", title, lambda: figures.confusion(matrix, run.classes))]


CONFUSION = Section(
    name="confusion",
    title="Which classes are confused",
    order=200,
    subtitle=lambda run: "rows are true, columns predicted; shaded by share of the row",
    text=_text,
    drawings=_drawings,
)
