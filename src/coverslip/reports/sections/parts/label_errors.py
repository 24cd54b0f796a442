"""Suspected label errors of the run's images, where they were searched for."""

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, number, plural

_MOST_SHOWN = 20
_COLUMNS = ("image", "set", "label", "suggested class", "score")


def _text(run: ReportedRun) -> SectionText:
    found = run.run.label_errors
    assert found is not None, "somebody has looked for them"
    how = (
        "the networks of the folds, each on its own test images"
        if found.judged_by == "folds"
        else "linear probes that were fitted without these images, their groups and duplicates"
    )
    words = (
        f"About {plural(found.n_expected, 'label')} of {count(found.n_judged)} may be wrong: these images resemble "
        f"another class as much as its own images do. The labels were compared with {how}. "
        f"Misclassified: {plural(len(found.images), 'image')}, most of them because they are hard.",
        "Correcting only suspected errors among the test images makes the results too good, since wrong labels that "
        "agree with the classifier stay. For a fair correction, check a random sample of the test images as well.",
    )
    rows = [
        (image.image_id, image.split, image.label, image.suggested, number(image.score))
        for image in found.images[: min(_MOST_SHOWN, found.n_expected)]
    ]
    return SectionText(words, _COLUMNS if rows else (), rows, _COLUMNS[1:4])


LABEL_ERRORS = Section(
    name="label_errors",
    title="Suspected label errors",
    order=780,
    is_about_training=True,
    applies=lambda run: run.run.label_errors is not None,
    text=_text,
)
