"""What twice as many images would bring."""

from coverslip.evaluation import LearningCurve
from coverslip.reports import figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import count, number, plural

_FLAT = 0.005  # macro-F1; a gain that nobody would label twice the images for


def doubling(curve: LearningCurve) -> str:
    """What twice as many images would bring, in a sentence or two."""
    gain = curve.gain
    if gain.value is None:
        return f"What more images would bring cannot be told: {gain.reason}."
    interval = f"95\N{NO-BREAK SPACE}% interval {number(gain.low)} to {number(gain.high)}"
    if gain.value < _FLAT:
        return (
            "Twice as many images like these would bring hardly anything: about "
            f"{gain.value:+.3f} macro-F1 ({interval}). The curve is flat."
        )
    doubt = " It may be nothing." if gain.low is not None and gain.low <= 0 else ""
    return (
        f"Twice as many images like these ({count(2 * curve.n_images)} to train on instead of "
        f"{count(curve.n_images)}) would bring about {gain.value:+.3f} macro-F1 ({interval}).{doubt}"
    )


def _text(run: ReportedRun) -> SectionText:
    curve = run.run.learning_curve
    assert curve is not None
    if not curve.points:
        return SectionText((doubling(curve),))
    return SectionText((doubling(curve), _how(run), _not_shown(curve)))


def _how(run: ReportedRun) -> str:
    """How it was measured."""
    finetuned = (
        " Fine-tuning, which takes far longer, was not repeated: what its network would gain can differ."
        if run.training is not None and run.training.chosen == "finetune"
        else ""
    )
    images = "training images" if run.n_folds else "training and validation images"
    return (
        f"Instant classifiers were trained on parts of the {images} and scored on others of them, ten times or, with "
        "many images, five times; test images were not looked at. The line says how errors fall with the number of "
        f"images, and the interval allows for that they may not go on falling along it.{finetuned}"
    )


def _not_shown(curve: LearningCurve) -> str:
    """What is easily read into it."""
    groups = (
        "No groups are known: if several images come from one slide or patient, more of the same slides bring less "
        "than this."
        if curve.n_groups is None
        else f"Twice as many images are those of twice as many groups ({count(2 * curve.n_groups)} instead of "
        f"{plural(curve.n_groups, 'group')}): more images of the same groups bring less."
    )
    return (
        f"{groups} Which class needs images most is not said, since predictions of that did not hold where they were "
        "tried. Nor does it say anything of images from another laboratory."
    )


def _drawings(run: ReportedRun) -> list[Drawing]:
    curve = run.run.learning_curve
    if curve is None or not curve.points:
        return []
    title = "Error (1 − macro-F1) against the number of training images, drawn on to twice as many"
    return [Drawing("learning_curve", title, lambda: figures.learning(curve), lambda: figure_numbers.learning(curve))]


LEARNING = Section(
    name="learning_curve",
    title="More images, better network?",
    order=750,
    is_about_training=True,
    subtitle=lambda run: "what twice as many images would bring",
    applies=lambda run: run.run.learning_curve is not None,
    text=_text,
    drawings=_drawings,
)
