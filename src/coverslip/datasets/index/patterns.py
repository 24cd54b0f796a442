"""Groups read from file names: what lets a folder say which images belong to one slide, patient or well."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coverslip.datasets.index.records import ImageRecord, counted, one_line, posix_below, printable
from coverslip.errors import BadDataset
from coverslip.messages import Note


def grouped_by_pattern(
    records: Sequence[ImageRecord], root: Path, pattern: str
) -> tuple[list[ImageRecord], list[Note]]:
    """Records with the group that `pattern` finds in each path relative to `root`.

    The group is what the part named `group` matched, else the first part in parentheses, else the whole match.
    An image whose path does not match is a group of its own.

    Raises:
        BadDataset: the pattern is not a regular expression, or matches no path at all.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadDataset(
            f"The group pattern '{one_line(pattern)}' is not a regular expression: {error}",
            do="For names like slide07_cell3.png write slide[0-9]+.",
        ) from error
    took = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
    grouped, n_alone = [], 0
    for record in records:
        match = compiled.search(posix_below(record.path, root))
        group = match[took] if match else None
        n_alone += not group
        grouped.append(replace(record, group=printable(group) if group else record.image_id))
    if n_alone == len(records) and records:
        raise BadDataset(
            f"The group pattern '{one_line(pattern)}' matches none of {counted(len(records), 'path')}; "
            f"the first is '{one_line(posix_below(records[0].path, root))}'",
            file=root,
            do="The pattern is searched in paths like that one, relative to the folder; correct it.",
        )
    notes = []
    if n_alone:
        alone = next(r for r in grouped if r.group == r.image_id)
        text = (
            f"The group pattern does not match {counted(n_alone, 'image')} (first: '{one_line(alone.image_id)}'); "
            "each of them counts as a group of its own."
        )
        notes.append(Note("pattern-misses", text, values={"n_images": n_alone}))
    return grouped, notes
