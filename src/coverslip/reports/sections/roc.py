"""ROC curves, each class against all others."""

from coverslip.reports import content, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section


def _aurocs(run: ReportedRun) -> list[float | None]:
    return [row.auroc for row in content.classes(run)]


def _drawings(run: ReportedRun) -> list[Drawing]:
    tested, aurocs = run.tested, _aurocs(run)
    assert tested is not None
    title = "ROC curves, each class against all others"
    return [Drawing("roc", title, lambda: figures.roc(tested.probability, tested.label, run.classes, aurocs))]


ROC = Section(
    name="roc",
    title="ROC curves",
    order=700,
    subtitle=lambda run: "how many of a class are found for how many false alarms",
    applies=lambda run: run.tested is not None and any(auroc is not None for auroc in _aurocs(run)),
    drawings=_drawings,
)
