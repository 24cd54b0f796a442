"""Report sections with curves: training and validation, ROC and precision-recall, calibration."""

from coverslip.messages import text
from coverslip.reports import class_curves, content, figure_numbers, figures
from coverslip.reports.class_curves import Average
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Drawing, Section, SectionText
from coverslip.reports.words import why_instant
from coverslip.runs.recipe import phrases
from coverslip.runs.training import EARLY_DIP, has_early_dip


def _has_curves(run: ReportedRun) -> bool:
    return any(fold.history for fold in run.run.folds) if run.n_folds else bool(run.run.history)


def _recall_drawings(run: ReportedRun) -> list[Drawing]:
    if run.n_folds:
        histories = [fold.history for fold in run.run.folds]
        title = text("report-fold-curves-drawing")
        numbered = list(enumerate(histories, start=1))
        return [
            Drawing(
                "curves",
                title,
                lambda: figures.fold_curves(histories),
                lambda: figure_numbers.epochs(numbered),
            )
        ]
    selected_epoch = run.training.selected_epoch if run.training is not None else None
    return [
        Drawing(
            "curves",
            text("report-curves-drawing"),
            lambda: figures.curves(run.run.history, selected_epoch),
            lambda: figure_numbers.epochs([(None, run.run.history)]),
        )
    ]


def _recall_text(run: ReportedRun) -> SectionText:
    words = []
    histories = [fold.history for fold in run.run.folds] if run.n_folds else [run.run.history]
    if run.recipe.schedule == "cosine" and any(has_early_dip(history, len(history)) for history in histories):
        words.append(EARLY_DIP)
    if not run.n_folds and (selection_text := _kept(run)) is not None:
        words.append(selection_text)
    return SectionText(tuple(words))


def _kept(run: ReportedRun) -> str | None:
    """Return which network is selected, and by which rule."""
    training, stage = run.training, run.finetuning
    if training is None or stage is None or not stage.epochs_run:
        return None
    if training.chosen == "instant":
        return " ".join(filter(None, [why_instant(run), _without_augmentation(run)]))
    return text(
        "report-selected-epoch",
        epoch=stage.selected_epoch,
        n_epochs=stage.epochs_run,
        selection=stage.checkpoint_selection,
        metric=phrases(run.recipe)["primary_metric"],
    )


def _without_augmentation(run: ReportedRun) -> str:
    """Return that curves may rank the two classifiers differently than the selection did."""
    return text("report-curves-without-refit", has_augmentation=run.recipe.tta > 1)


CURVES = Section(
    name="curves",
    title="Training curves",
    order=1100,
    is_about_training=True,
    subtitle=lambda run: "by epoch of fine-tuning",
    applies=_has_curves,
    text=_recall_text,
    drawings=_recall_drawings,
)


def roc_averages(run: ReportedRun) -> list[Average]:
    """Return the average ROC curves; empty for two classes."""
    tested, metrics = run.tested, run.metrics
    if tested is None:
        return []
    macro, micro = metrics["macro_auroc"].value, metrics["micro_auroc"].value
    return class_curves.roc_averages(tested.probability, tested.label, macro, micro)


def pr_averages(run: ReportedRun) -> list[Average]:
    """Return the averages of precision and recall; empty for two classes."""
    tested = run.tested
    value = run.metrics["average_precision"].value
    return [] if tested is None else class_curves.pr_averages(tested.probability, tested.label, value)


def _aurocs(run: ReportedRun) -> list[float | None]:
    return [row.auroc for row in content.classes(run)]


def _roc_drawings(run: ReportedRun) -> list[Drawing]:
    tested, aurocs = run.tested, _aurocs(run)
    assert tested is not None
    precisions = [row.average_precision for row in content.classes(run)]
    of_run = (tested.probability, tested.label, run.classes)
    return [
        Drawing(
            "roc",
            text("report-roc-drawing"),
            lambda: class_curves.roc(*of_run, aurocs, roc_averages(run)),
            lambda: figure_numbers.roc(*of_run, roc_averages(run)),
        ),
        Drawing(
            "precision_recall",
            text("report-precision-recall-drawing"),
            lambda: class_curves.precision_recall(*of_run, precisions, pr_averages(run)),
            lambda: figure_numbers.precision_recall(*of_run, pr_averages(run)),
        ),
    ]


def _roc_text(run: ReportedRun) -> SectionText:
    if len(run.classes) < 3:
        return SectionText()
    return SectionText((text("report-averaged-curves"),))


ROC = Section(
    name="roc",
    title="ROC and precision-recall curves",
    order=700,
    subtitle=lambda run: "each class against all others",
    applies=lambda run: run.tested is not None and any(auroc is not None for auroc in _aurocs(run)),
    text=_roc_text,
    drawings=_roc_drawings,
)


def _calibration_text(run: ReportedRun) -> SectionText:
    tested = run.tested
    assert tested is not None
    n_other = int((tested.probability.argmax(axis=1) != tested.predicted).sum())
    return SectionText((text("report-calibration", n_other=n_other),))


def _calibration_drawings(run: ReportedRun) -> list[Drawing]:
    tested = run.tested
    assert tested is not None
    before, ece = content.uncalibrated(run), content.calibration_errors(run)
    title = text("report-calibration-drawing")
    return [
        Drawing(
            "calibration",
            title,
            lambda: figures.calibration(
                tested.probability, tested.label, before, ece=ece["ece"], ece_before=ece["ece_uncalibrated"]
            ),
            lambda: figure_numbers.calibration(tested.probability, tested.label, before),
        )
    ]


CALIBRATION = Section(
    name="calibration",
    title="Calibration",
    order=600,
    subtitle=lambda run: "predicted probability against accuracy",
    applies=lambda run: run.tested is not None,
    text=_calibration_text,
    drawings=_calibration_drawings,
)
