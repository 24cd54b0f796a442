"""Whether heat maps of the run's classifier can be believed, where somebody has asked for one."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count

_CHECKED_ON = {"validation": "validation images", "training": "training images", "explained": "the images explained"}


def _text(run: ReportedRun) -> SectionText:
    found = run.run.map_checks
    assert found is not None, "somebody has asked for a heat map"
    words = (
        "Heat maps show where in an image the evidence for a class lies. Each kind was tried on "
        f"{count(found.n_images)} {_CHECKED_ON[found.checked_on]}: it must change when the network's weights are "
        "random ones (rank correlation of at most .5), and blurring an image where the map is highest must take the "
        "prediction away sooner than blurring it from the centre on.",
        "The first kind that passed is shown; what failed is withheld. A map shows where the network looked, not "
        "whether it is right.",
    )
    columns = ("map", "like random weights", "beats the centre by", "at least", "checks")
    rows = [
        (
            check.method,
            f"{check.similarity:.2f}",
            f"{check.gain:+.3f}",
            f"{check.gain_low:+.3f}",
            "passed" if check.passes else "failed",
        )
        for check in found.checks
    ]
    return SectionText(words, columns if rows else (), rows)


MAP_CHECKS = Section(
    name="map_checks",
    title="Can heat maps be believed?",
    order=785,
    is_about_training=True,
    applies=lambda run: run.run.map_checks is not None,
    text=_text,
)
