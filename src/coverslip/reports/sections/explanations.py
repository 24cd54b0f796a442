"""Sanity checks of the classifier's heat maps, where they were computed."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.words import count, number, signed

_CHECKED_ON = {"validation": "validation images", "training": "training images", "explained": "the images explained"}


def _text(run: ReportedRun) -> SectionText:
    found = run.run.map_checks
    assert found is not None, "somebody has asked for a heat map"
    words = (
        "A heat map shows which regions of an image support a class. Each method was checked on "
        f"{count(found.n_images)} {_CHECKED_ON[found.checked_on]}. To pass, its maps must change if the network has "
        "random weights (rank correlation of at most 0.5), and blurring the image in the order of the map must lower "
        "the predicted probability faster than blurring from the center outward.",
        "coverslip shows the first method that passed both checks. A heat map does not show whether the prediction is "
        "correct.",
    )
    columns = ("method", "correlation with random weights", "gain over center (95% lower bound)", "checks")
    rows = [
        (
            check.method,
            number(check.similarity, 2),
            f"{signed(check.gain)} ({signed(check.gain_low)})",
            "passed" if check.passes else "failed",
        )
        for check in found.checks
    ]
    return SectionText(words, columns if rows else (), rows)


MAP_CHECKS = Section(
    name="map_checks",
    title="Heat-map checks",
    order=785,
    is_about_training=True,
    applies=lambda run: run.run.map_checks is not None,
    text=_text,
)
