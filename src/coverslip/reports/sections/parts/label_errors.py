"""Labels of the run's images to look at again, where somebody has looked for them."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, number, plural

_MOST_SHOWN = 20


def _text(run: ReportedRun) -> SectionText:
    found = run.run.label_errors
    assert found is not None, "somebody has looked for them"
    how = (
        "the networks of the folds that tested them"
        if found.judged_by == "folds"
        else "linear probes that were fitted without them, their groups and copies"
    )
    words = (
        f"{plural(len(found.images), 'label')} of {count(found.n_judged)} were found doubtful by {how}. Doubtful is "
        "not wrong: where classes look alike, most of these images are only hard.",
        "Correcting only the test images that a classifier doubts makes its numbers too good: wrong labels that agree "
        "with it stay. For a fair correction look at a random part of the test images as well.",
    )
    rows = [
        (image.image_id, image.split, image.label, image.suggested, number(image.score))
        for image in found.images[:_MOST_SHOWN]
    ]
    return SectionText(words, ("image", "part", "label", "suggested", "doubt") if rows else (), rows)


LABEL_ERRORS = Section(
    name="label_errors",
    title="Labels to look at again",
    order=780,
    is_about_training=True,
    applies=lambda run: run.run.label_errors is not None,
    text=_text,
)
