"""How training went, epoch by epoch."""

from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section


def _has_curves(run: ReportedRun) -> bool:
    return any(fold.history for fold in run.run.folds) if run.n_folds else bool(run.run.history)


def _drawings(run: ReportedRun) -> list[Drawing]:
    if run.n_folds:
        histories = [fold.history for fold in run.run.folds]
        title = "Validation curves by epoch, a line for each fold"
        numbered = list(enumerate(histories, start=1))
        return [
            Drawing(
                "curves",
                title,
                lambda: figures.fold_curves(histories),
                lambda: figure_numbers.epochs(numbered),
            )
        ]
    kept = run.finetuning.kept_epoch if run.finetuning is not None else None
    return [
        Drawing(
            "curves",
            "Training and validation curves by epoch",
            lambda: figures.curves(run.run.history, kept),
            lambda: figure_numbers.epochs([(None, run.run.history)]),
        )
    ]


CURVES = Section(
    name="curves",
    title="How training went",
    order=1100,
    is_about_training=True,
    subtitle=lambda run: "validation images are not trained on",
    applies=_has_curves,
    drawings=_drawings,
)
