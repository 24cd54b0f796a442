"""Curves of each class against all others: ROC, and precision against recall."""

from coverslip.reports import class_curves, content, figure_numbers
from coverslip.reports.class_curves import Average
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText


def roc_averages(run: ReportedRun) -> list[Average]:
    """Over all classes, where there are more than two."""
    tested, metrics = run.tested, run.metrics
    if tested is None:
        return []
    macro, micro = metrics["macro_auroc"].value, metrics["micro_auroc"].value
    return class_curves.roc_averages(tested.probability, tested.label, macro, micro)


def pr_averages(run: ReportedRun) -> list[Average]:
    """Likewise of precision and recall."""
    tested = run.tested
    value = run.metrics["average_precision"].value
    return [] if tested is None else class_curves.pr_averages(tested.probability, tested.label, value)


def _aurocs(run: ReportedRun) -> list[float | None]:
    return [row.auroc for row in content.classes(run)]


def _drawings(run: ReportedRun) -> list[Drawing]:
    tested, aurocs = run.tested, _aurocs(run)
    assert tested is not None
    precisions = [row.average_precision for row in content.classes(run)]
    of_run = (tested.probability, tested.label, run.classes)
    return [
        Drawing(
            "roc",
            "ROC curve of each class against all other classes, with the area under the curve (AUROC).",
            lambda: class_curves.roc(*of_run, aurocs, roc_averages(run)),
            lambda: figure_numbers.roc(*of_run, roc_averages(run)),
        ),
        Drawing(
            "precision_recall",
            "Precision-recall curve of each class against all other classes, with the average precision.",
            lambda: class_curves.precision_recall(*of_run, precisions, pr_averages(run)),
            lambda: figure_numbers.precision_recall(*of_run, pr_averages(run)),
        ),
    ]


def _text(run: ReportedRun) -> SectionText:
    if len(run.classes) < 3:
        return SectionText()
    return SectionText(
        (
            "The macro-average is the mean of the curves of all classes. The micro-average pools all pairs of image "
            "and class, so frequent classes have more weight.",
        )
    )


ROC = Section(
    name="roc",
    title="ROC and precision-recall curves",
    order=700,
    subtitle=lambda run: "each class against all others",
    applies=lambda run: run.tested is not None and any(auroc is not None for auroc in _aurocs(run)),
    text=_text,
    drawings=_drawings,
)
