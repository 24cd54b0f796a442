"""Sanity checks of the classifier's heat maps, if they were computed."""

from coverslip.messages import text
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.words import number, signed


def _text(run: ReportedRun) -> SectionText:
    map_checks = run.run.map_checks
    assert map_checks is not None, "the section is there only with them"
    words = (
        text("report-map-checks", n_images=map_checks.n_images, checked_on=map_checks.checked_on),
        text("report-shown-map"),
    )
    columns = ("method", "correlation with random weights", "gain over center (95% lower bound)", "checks")
    rows = [
        (
            check.method,
            number(check.similarity, 2),
            f"{signed(check.gain)} ({signed(check.gain_low)})",
            "passed" if check.passes else "failed",
        )
        for check in map_checks.checks
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
