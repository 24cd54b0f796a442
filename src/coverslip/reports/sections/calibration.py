"""Calibration: the accuracy of predictions by their probability."""

from coverslip.reports import content, figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText
from coverslip.reports.words import plural


def _text(run: ReportedRun) -> SectionText:
    text = (
        "A classifier is calibrated if its dots lie on the diagonal: 80% of the predictions with probability 0.8 are "
        "correct."
    )
    tested = run.tested
    assert tested is not None
    if n := int((tested.probability.argmax(axis=1) != tested.predicted).sum()):
        text += (
            " Correct and wrong refer to the most probable class here; the threshold predicts another one for "
            f"{plural(n, 'image')}."
        )
    return SectionText((text,))


def _drawings(run: ReportedRun) -> list[Drawing]:
    tested = run.tested
    assert tested is not None
    before, ece = content.uncalibrated(run), content.calibration_errors(run)
    title = (
        "Left: accuracy by predicted probability, in bins; larger dots have more images, and small dots can be off the "
        "diagonal by chance. Right: number of images by predicted probability."
    )
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
    text=_text,
    drawings=_drawings,
)
