"""Report sections on labels: suspected label errors, and labels corrected since the split."""

from collections.abc import Sequence

from coverslip.evaluation import METRICS
from coverslip.reports.comparing import NumbersByLabels, compare
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.words import UNKNOWN_LABELS, count, number, plural, relabelled
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


def _label_errors_text(run: ReportedRun) -> SectionText:
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
    text=_label_errors_text,
)


def _relabelled_text(run: ReportedRun) -> SectionText:
    earlier = run.first_of_split
    if earlier is None:
        return SectionText([" ".join(UNKNOWN_LABELS)])
    if not earlier.is_measured:
        return SectionText([relabelled(run)])
    pair = compare([earlier, run.run], [("earlier", "earlier"), ("this", "this")]).pairs[0]
    n = len(run.labels_before)
    words = [
        f"{plural(n, 'test image')} of this training {'has' if n == 1 else 'have'} a different label than in the "
        "training that made the split. If only misclassified images were reviewed, metrics with the corrected labels "
        "may be too high, because wrong labels that agree with the classifier stay. Report the metrics with the "
        "earlier labels."
    ]
    old, new = (_by(pair.numbers, labels) for labels in ("first", "second"))
    rows = [
        (METRICS[name].title, _shown(old[name][1]), _shown(new[name][1]), _shown(old[name][0]))
        for name in old
        if METRICS[name].is_headline
    ]
    columns = ("metric", "earlier labels", "corrected labels", "first training, earlier labels") if rows else ()
    return SectionText(words, columns, rows)


def _by(numbers: list[NumbersByLabels], labels: str) -> dict[str, tuple[float | None, float | None]]:
    """The value of the earlier and of this training, by the name of the metric."""
    return {row.name: (row.first, row.second) for each in numbers if each.labels == labels for row in each.differences}


def _shown(value: float | None) -> str:
    return "–" if value is None else number(value)


def _applies(run: ReportedRun) -> bool:
    if run.recipe.split.run is None or run.evaluation is not None:
        return False
    return run.first_of_split is None or bool(run.labels_before)


RELABELLED = Section(
    name="relabelled",
    title="Corrected test labels",
    order=95,
    subtitle=lambda run: "metrics with earlier and with corrected labels",
    is_about_training=True,
    applies=_applies,
    text=_relabelled_text,
)
