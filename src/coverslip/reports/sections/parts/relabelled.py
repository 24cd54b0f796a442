"""Metrics with the earlier labels of test images, where labels were corrected since the split was made."""

from coverslip.evaluation import METRICS
from coverslip.reports.comparing import NumbersByLabels, compare
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.record import Section, SectionText
from coverslip.reports.words import UNKNOWN_LABELS, number, plural, relabelled


def _text(run: ReportedRun) -> SectionText:
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
    text=_text,
)
