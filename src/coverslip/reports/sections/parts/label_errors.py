"""Suspected label errors of the run's images, where they were searched for."""

from collections.abc import Sequence

from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import count, number, plural
from coverslip.runs import LabelErrors, LabelIssue

_MOST_SHOWN = 20
_COLUMNS = ("image", "set", "label", "suggested class", "score")


def expected_words(found: LabelErrors) -> str:
    """How many labels are probably wrong, and how many images are misclassified."""
    of_all = f"of {plural(found.n_checked, 'label')}"
    text = f"None {of_all} is suspected to be wrong."
    if found.n_suspected:
        text = (
            f"About {count(found.n_suspected)} {of_all} may be wrong: these images resemble another class as much as "
        )
        text += "its own images do."
    if not found.images:
        return text
    are = "is" if len(found.images) == 1 else "are"
    return f"{text} In all, {plural(len(found.images), 'image')} {are} misclassified, usually because they are hard."


def listed_errors(found: LabelErrors) -> Sequence[LabelIssue]:
    """The images that are shown: as many as labels are probably wrong."""
    return found.images[: min(_MOST_SHOWN, found.n_suspected)]


def _text(run: ReportedRun) -> SectionText:
    found = run.run.label_errors
    assert found is not None, "the section is there only with them"
    how = (
        "the networks of the folds, each on its own test images"
        if found.checked_by == "folds"
        else "linear probes that were fitted without these images, their groups and duplicates"
    )
    words = (
        f"{expected_words(found)} The labels were compared with {how}.",
        "Correcting only suspected errors among the test images can make the results too high, because wrong labels "
        "that agree with the classifier stay. For a fair correction, check a random sample of the test images as well.",
    )
    rows = [
        (image.image_id, image.split, image.label, image.suggested, number(image.score))
        for image in listed_errors(found)
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
