"""Whether probabilities can be trusted: how often predictions of a given probability are right."""

from coverslip.reports import content, figure_numbers, figures
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Drawing, Section, SectionText


def _text(run: ReportedRun) -> SectionText:
    text = "Larger dots stand for more images. With few images in a dot, it strays from the diagonal by chance."
    if run.recipe.decide_by == "roc":
        text += " Here, right and wrong refer to the most probable class, not to the predicted one."
    return SectionText((text,))


def _drawings(run: ReportedRun) -> list[Drawing]:
    tested = run.tested
    assert tested is not None
    before, ece = content.uncalibrated(run), content.calibration_errors(run)
    title = "Predicted probability against the share of predictions that are right"
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
    title="Can its probabilities be trusted?",
    order=600,
    subtitle=lambda run: "on the diagonal, 0.8 is right in 8 of 10 cases",
    applies=lambda run: run.tested is not None,
    text=_text,
    drawings=_drawings,
)
