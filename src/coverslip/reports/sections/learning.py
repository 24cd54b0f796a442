"""The learning curve: the expected effect of twice as many training images."""

from coverslip.evaluation import LearningCurve
from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.tables import estimate
from coverslip.reports.words import CI, count

_FLAT = 0.005  # macro-F1; a gain that nobody would label twice the images for


def doubling(curve: LearningCurve) -> str:
    """Return the expected effect of twice as many images, in a sentence or two."""
    gain = curve.gain
    if gain.value is None:
        return f"The effect of more images cannot be estimated: {gain.reason}."
    shown = estimate(gain, is_signed=True)
    text = f"{shown.value} macro-F1 ({CI} {shown.interval})" if shown.interval else f"{shown.value} macro-F1"
    if gain.value < _FLAT:
        gain_words = f"Twice as many training images like these would change the result by about {text}."
        return f"{gain_words} The learning curve is flat."
    doubt = " This is not statistically significant." if gain.low is not None and gain.low <= 0 else ""
    return (
        f"Twice as many training images like these ({count(2 * curve.n_images)} instead of {count(curve.n_images)}) "
        f"would change the result by about {text}.{doubt}"
    )


def over_folds(curve: LearningCurve) -> str:
    """Return what the final classifier gains over those of the folds, in two sentences; empty without folds."""
    if curve.over_folds is None or curve.n_images_of_fold is None:
        return ""
    shown = estimate(curve.over_folds, is_signed=True)
    return (
        f"The folds' classifiers were trained on about {count(curve.n_images_of_fold)} images each, the final one on "
        f"{count(curve.n_images)}. By the learning curve, this changes macro-F1 on new images by about {shown.value} "
        f"({CI} {shown.interval})."
    )


def _text(run: ReportedRun) -> SectionText:
    curve = run.run.learning_curve
    assert curve is not None
    if not curve.points:
        return SectionText((doubling(curve),))
    return SectionText(tuple(filter(None, (doubling(curve), over_folds(curve), _how(run), _not_shown(curve)))))


def _how(run: ReportedRun) -> str:
    """How it was measured."""
    finetuned = (
        " Fine-tuning was not repeated because it takes far longer. The gain of a fine-tuned network can differ."
        if run.training is not None and run.training.chosen == "finetune"
        else ""
    )
    images = "images, which are also the test images of the folds," if run.n_folds else "training and validation images"
    tested = "No choice was based on the curve." if run.n_folds else "Test images were not used."
    return (
        f"Instant classifiers were trained on subsets of the {images} and scored on the remaining ones, ten times or, "
        f"with many images, five times. {tested} The dashed line extrapolates the error to twice as "
        f"many images, and its CI includes the uncertainty of the extrapolation.{finetuned}"
    )


def _not_shown(curve: LearningCurve) -> str:
    """What the curve does not show."""
    groups = (
        "No groups are known. If several images come from one slide or patient, more images of the same slides bring "
        "less than this."
        if curve.n_groups is None
        else f"Twice as many images means twice as many groups ({count(2 * curve.n_groups)} instead of "
        f"{count(curve.n_groups)}). More images of the same groups bring less."
    )
    return (
        f"{groups} The curve does not show which class needs more images, and it does not apply to images from another "
        "laboratory."
    )


def _drawings(run: ReportedRun) -> list[Drawing]:
    curve = run.run.learning_curve
    if curve is None or not curve.points:
        return []
    title = "Error (1 − macro-F1) by number of training images, extrapolated to twice as many. Lines are 95% CIs."
    return [Drawing("learning_curve", title, lambda: figures.learning(curve), lambda: figure_numbers.learning(curve))]


LEARNING = Section(
    name="learning_curve",
    title="Learning curve",
    order=750,
    is_about_training=True,
    subtitle=lambda run: "effect of twice as many training images",
    applies=lambda run: run.run.learning_curve is not None,
    text=_text,
    drawings=_drawings,
)
