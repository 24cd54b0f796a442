"""The agreement of readers as a section."""

from collections.abc import Iterable, Iterator, Sequence

from coverslip.evaluation.agreement import Agreement
from coverslip.messages import text
from coverslip.reports.blocks import SectionContent, SectionText
from coverslip.reports.tables import Cell, column_titles, estimate
from coverslip.reports.words import with_interval

Pair = tuple[str, str, Agreement]  # two readers


def agreement_section(pairs: Sequence[Pair], similar_labels: Iterable[Sequence[str]]) -> SectionContent:
    """Return the agreement of each pair of readers, and the numbers of images by the labels of both.

    Args:
        pairs: readers with common images.
        similar_labels: sets of labels that may be one class with several spellings.
    """
    return SectionContent(text("agreement-title"), [*_blocks(pairs, similar_labels)], "agreement")


def _blocks(pairs: Sequence[Pair], similar_labels: Iterable[Sequence[str]]) -> Iterator[SectionText]:
    has_groups = any(agreement.n_groups is not None for _, _, agreement in pairs)
    counts = column_titles("column-images", *(["column-groups"] if has_groups else []))
    metrics = map(with_interval, column_titles("column-equal-labels", "metric-kappa"))
    readers = column_titles("column-reader", "column-other-reader")
    rows: list[list[Cell]] = [
        [
            first,
            second,
            agreement.n,
            *([agreement.n_groups or 0] if has_groups else []),
            estimate(agreement.agreement),
            estimate(agreement.kappa),
        ]
        for first, second, agreement in pairs
    ]
    similar = [
        text("agreement-similar-names", names=", ".join(f"'{name}'" for name in spellings))
        for spellings in similar_labels
    ]
    yield SectionText([*similar, text("agreement-help")], (*readers, *counts, *metrics), rows, readers[1:])
    for first, second, agreement in pairs:
        title = text("agreement-counts", first=first, second=second)
        rows = [[name, *counts_of] for name, counts_of in zip(agreement.classes, agreement.counts, strict=True)]
        columns = (text("column-class"), *agreement.classes)
        is_folded = len(pairs) > 1
        yield SectionText((), columns, rows, heading="" if is_folded else title, summary=title if is_folded else "")
