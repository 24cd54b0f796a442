"""Training and validation curves by epoch."""

from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import why_instant
from coverslip.runs.history import EARLY_DIP, has_early_dip
from coverslip.runs.recipe import phrases


def _has_curves(run: ReportedRun) -> bool:
    return any(fold.history for fold in run.run.folds) if run.n_folds else bool(run.run.history)


def _drawings(run: ReportedRun) -> list[Drawing]:
    if run.n_folds:
        histories = [fold.history for fold in run.run.folds]
        title = "Loss, macro-F1 and accuracy on validation images by epoch. Each fold has a line."
        numbered = list(enumerate(histories, start=1))
        return [
            Drawing(
                "curves",
                title,
                lambda: figures.fold_curves(histories),
                lambda: figure_numbers.epochs(numbered),
            )
        ]
    kept = run.training.kept_epoch if run.training is not None else None
    return [
        Drawing(
            "curves",
            "Loss, macro-F1 and accuracy by epoch. Epoch 0 is the classifier that fine-tuning starts from, fitted on "
            "training images alone.",
            lambda: figures.curves(run.run.history, kept),
            lambda: figure_numbers.epochs([(None, run.run.history)]),
        )
    ]


def _text(run: ReportedRun) -> SectionText:
    words = []
    histories = [fold.history for fold in run.run.folds] if run.n_folds else [run.run.history]
    if run.recipe.schedule == "cosine" and any(has_early_dip(history, len(history)) for history in histories):
        words.append(EARLY_DIP)
    if not run.n_folds and (kept := _kept(run)) is not None:
        words.append(kept)
    return SectionText(tuple(words))


def _kept(run: ReportedRun) -> str | None:
    """Which network is kept, and by which rule."""
    training, stage = run.training, run.finetuning
    if training is None or stage is None or not stage.epochs_run:
        return None
    if training.chosen == "instant":
        return " ".join(filter(None, [why_instant(run), _without_augmentation(run)]))
    metric = phrases(run.recipe)["primary_metric"]
    rule = (
        "the last" if stage.checkpoint_selection == "last" else f"the one with the best {metric} on validation images"
    )
    return f"Epoch {stage.kept_epoch} of {stage.epochs_run} is kept: {rule}."


def _without_augmentation(run: ReportedRun) -> str:
    """That curves may rank the two classifiers otherwise than the choice did."""
    without = [*(["test-time augmentation"] if run.recipe.tta > 1 else []), "the final fit of the last layers"]
    return f"The curves show validation results without {' and '.join(without)}; the choice was made with it."


CURVES = Section(
    name="curves",
    title="Training curves",
    order=1100,
    is_about_training=True,
    subtitle=lambda run: "by epoch of fine-tuning",
    applies=_has_curves,
    text=_text,
    drawings=_drawings,
)
