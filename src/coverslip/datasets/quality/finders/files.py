"""Findings about files: those that are not there, and those that give no pixels."""

from collections.abc import Iterator

from coverslip.datasets.index import Dataset, counted, one_line
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.images import NO_SUCH_FILE


def missing_files(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Files that a table names and that do not exist."""
    missing = [image_id for image_id, reason in _unreadable(dataset, scan) if reason == NO_SUCH_FILE]
    if missing:
        yield Found(
            text=f"{counted(len(missing), 'file')} not found, so excluded (first: '{one_line(missing[0], 80)}').",
            do="Put what is missing in its place, or correct the table.",
            images=tuple((image_id,) for image_id in missing),
        )


def damaged_files(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Files that are there and cannot be read; beside each, why."""
    damaged = [(image_id, reason) for image_id, reason in _unreadable(dataset, scan) if reason != NO_SUCH_FILE]
    if damaged:
        image_id, reason = damaged[0]
        yield Found(
            text=f"{counted(len(damaged), 'image')} cannot be read and will be excluded (first: "
            f"'{one_line(image_id, 80)}': {one_line(reason)}).",
            do="Copy or export these images again if you need them.",
            images=tuple((image_id,) for image_id, _ in damaged),
            notes=tuple((reason,) for _, reason in damaged),
        )


def _unreadable(dataset: Dataset, scan: Scan) -> Iterator[tuple[str, str]]:
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if isinstance(fact, Unreadable):
            yield record.image_id, fact.reason
