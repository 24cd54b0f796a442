"""Groups from file names and folders, by a pattern."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coverslip.datasets.index.records import Dataset, ImageRecord, one_line, posix_below, printable, some
from coverslip.errors import BadDataset
from coverslip.files import access_fault
from coverslip.messages import GroupBy, Note, note, text


def common_root(roots: Sequence[Path]) -> Path:
    """Return the folder that encloses all of these; the first of them if they are on several drives."""
    try:
        return Path(os.path.commonpath(roots))
    except ValueError:  # two drives of Windows
        return roots[0]


def folder_has_no_columns(path: Path, group: str, *, table: str | None = None) -> BadDataset:
    """Return the error for a group column of a folder. `table` is in the folder and has that column."""
    return BadDataset(
        "folder-has-no-columns",
        file=path,
        remedies=(GroupBy(),),
        group=one_line(group, 60),
        has_table=table is not None,
        table=one_line(table or ""),
    )


def refuse_closed(path: Path) -> None:
    """Refuse a path that cannot be opened.

    Raises:
        BadDataset: it cannot be opened.
    """
    if (reason := access_fault(path)) is not None:
        raise BadDataset("path-not-opened", file=path, reason=reason)


def nearest_spelling(path: Path) -> str:
    """Return advice for a name that does not exist: the nearest name that does."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return text("folder-does-not-exist", folder=one_line(posix_below(path.parent, path.parent.parent)))
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return text("did-you-mean-file", name=one_line(near[0])) if near else text("check-spelling")


_EXAMPLES = 5  # names of images that do not match


def grouped_by_pattern(
    records: Sequence[ImageRecord], root: Path, pattern: str
) -> tuple[list[ImageRecord], list[Note]]:
    """Return records with the group that `pattern` finds in each path relative to `root`, and notes.

    The group is what the part named `group` matched, else the first part in parentheses, else the whole match.
    An image whose path does not match is a group of its own.

    Raises:
        BadDataset: the pattern is not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadDataset("invalid-pattern", pattern=one_line(pattern), reason=str(error)) from error
    took = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
    grouped, alone = list[ImageRecord](), list[str]()
    for record in records:
        match = compiled.search(posix_below(record.path, root))
        group = match[took] if match else None
        if not group:
            alone.append(record.image_id)
        grouped.append(replace(record, group=printable(group) if group else record.image_id))
    notes = []
    if alone:
        names = some(alone, _EXAMPLES)
        notes.append(note("pattern-misses", n_images=len(alone), names=names, examples=alone[:_EXAMPLES]))
    return grouped, notes


def check_pattern(opened: Sequence[Dataset], pattern: str) -> None:
    """Refuse a pattern that matches no path of any source. Images that are added to a dataset may have other names.

    Raises:
        BadDataset: it matches none.
    """
    n_images = sum(map(len, opened))
    n_alone = sum(
        note.parameters["n_images"] for dataset in opened for note in dataset.notes if note.code == "pattern-misses"
    )
    if n_alone < n_images:
        return
    root, first = opened[0].root, opened[0].records[0]
    path = one_line(posix_below(first.path, root))
    raise BadDataset("pattern-matches-nothing", file=root, pattern=one_line(pattern), n_paths=n_images, path=path)
