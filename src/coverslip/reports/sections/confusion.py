"""The confusion matrix; of many classes also that of the classes confused most."""

import numpy as np

from coverslip.evaluation import confused_classes, confused_pairs
from coverslip.reports import figure_numbers, figures
from coverslip.reports.figure_numbers import Numbers
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import N_HARDEST, count, is_numbered, percent

_MOST_IN_FULL = 30  # classes whose names and counts have room in one matrix

_SHADES = "Rows are true classes, columns predicted classes. The shade is the share of the row."


def _is_in_full(run: ReportedRun) -> bool:
    return len(run.classes) <= _MOST_IN_FULL


def _text(run: ReportedRun) -> SectionText:
    if _is_in_full(run):
        return SectionText()
    rows = [
        (run.classes[pair.true], run.classes[pair.predicted], count(pair.n), percent(pair.share))
        for pair in confused_pairs(np.array(run.metrics.confusion_matrix), N_HARDEST)
    ]
    columns = ("true class", "predicted as", "images", "share of the class")
    return SectionText((), columns, rows, ("predicted as",))


def _drawings(run: ReportedRun) -> list[Drawing]:
    matrix = np.array(run.metrics.confusion_matrix)
    title = f"Confusion matrix of {len(run.classes)} classes. {_SHADES}"

    def numbers() -> Numbers:
        return figure_numbers.confusion(matrix, run.classes)

    if _is_in_full(run):
        if is_numbered(run):
            title += " Columns have the numbers of the rows."
        return [Drawing("confusion_matrix", title, lambda: figures.confusion(matrix, run.classes), numbers)]
    most = confused_classes(matrix, N_HARDEST)
    part, names, n_images = matrix[np.ix_(most, most)], [run.classes[k] for k in most], matrix.sum(axis=1)[most]
    places = [k + 1 for k in most]
    return [
        Drawing(
            "most_confused",
            f"Confusion matrix of the {N_HARDEST} most confused classes, numbered as in the full matrix. {_SHADES}",
            lambda: figures.confusion(part, names, numbers=places, n_images=n_images),
            lambda: figure_numbers.confusion(part, names),
        ),
        Drawing("confusion_matrix", title, lambda: figures.whole_confusion(matrix), numbers),
    ]


CONFUSION = Section(
    name="confusion",
    title="Confusion matrix",
    order=200,
    text=_text,
    drawings=_drawings,
)
