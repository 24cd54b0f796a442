"""Which classes are confused: the confusion matrix; of many classes those that are confused most, and the whole."""

import numpy as np

from coverslip.evaluation import confused_classes, confused_pairs
from coverslip.reports import figure_numbers, figures
from coverslip.reports.figure_numbers import Numbers
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import N_HARDEST, is_numbered

_MOST_IN_FULL = 30  # classes whose names and counts have room in one matrix

_TABLE = "As a table: confusion_matrix.csv, beside this report."


def _is_in_full(run: ReportedRun) -> bool:
    return len(run.classes) <= _MOST_IN_FULL


def _text(run: ReportedRun) -> SectionText:
    if _is_in_full(run):
        return SectionText((*(("Columns are numbered like the rows.",) if is_numbered(run) else ()), _TABLE))
    rows = [
        (run.classes[pair.true], run.classes[pair.predicted], str(pair.n), f"{pair.share:.0%}")
        for pair in confused_pairs(np.array(run.metrics.confusion_matrix), N_HARDEST)
    ]
    words = (
        f"First the {N_HARDEST} classes that are confused with each other most, numbered as in the table of all "
        "classes; then all of them without their counts, which the files in figures/ show enlarged.",
        _TABLE,
    )
    return SectionText(words, ("class", "called", "images", "of the class"), rows)


def _drawings(run: ReportedRun) -> list[Drawing]:
    matrix = np.array(run.metrics.confusion_matrix)
    title = f"Confusion matrix of {len(run.classes)} classes"

    def numbers() -> Numbers:
        return figure_numbers.confusion(matrix, run.classes)

    if _is_in_full(run):
        return [Drawing("confusion_matrix", title, lambda: figures.confusion(matrix, run.classes), numbers)]
    most = confused_classes(matrix, N_HARDEST)
    part, names, n_images = matrix[np.ix_(most, most)], [run.classes[k] for k in most], matrix.sum(axis=1)[most]
    places = [k + 1 for k in most]
    return [
        Drawing(
            "most_confused",
            f"Confusion matrix of the {N_HARDEST} classes that are confused most",
            lambda: figures.confusion(part, names, numbers=places, n_images=n_images),
            lambda: figure_numbers.confusion(part, names),
        ),
        Drawing("confusion_matrix", title, lambda: figures.whole_confusion(matrix), numbers),
    ]


CONFUSION = Section(
    name="confusion",
    title="Which classes are confused",
    order=200,
    subtitle=lambda run: "rows are true, columns predicted; shaded by share of the row",
    text=_text,
    drawings=_drawings,
)
