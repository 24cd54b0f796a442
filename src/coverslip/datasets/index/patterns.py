"""Groups read from file names and folders, by a pattern."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coverslip.datasets.index.records import Dataset, ImageRecord, counted, one_line, posix_below, printable, some
from coverslip.errors import BadDataset
from coverslip.files import closed_because
from coverslip.messages import GroupBy, Note


def common_root(roots: Sequence[Path]) -> Path:
    """The folder that encloses all of these; the first where they lie on several drives."""
    try:
        return Path(os.path.commonpath(roots))
    except ValueError:  # two drives of Windows
        return roots[0]


def folder_has_no_columns(path: Path, group: str, *, table: str | None = None) -> BadDataset:
    """The error for a group column that is asked of a folder; `table` lies in it and has that column."""
    which = (
        "a table with that column" if table is None else f"the table '{one_line(table)}' in it, which has that column"
    )
    return BadDataset(
        f"'{one_line(group, 60)}' was given as the group column, but a folder has no columns",
        file=path,
        do=f"Give {which}, or a pattern that finds the group in an image's path.",
        remedies=(GroupBy(),),
    )


def refuse_closed(path: Path) -> None:
    """Raises BadDataset where nothing can be known of a path."""
    if (reason := closed_because(path)) is not None:
        raise BadDataset(f"It cannot be opened: {reason}", file=path, do="Check the path.")


def nearest_spelling(path: Path) -> str:
    """Advice for a name that does not exist: the nearest one that does."""
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"The folder '{one_line(posix_below(path.parent, path.parent.parent))}' does not exist either; check it."
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f"Did you mean '{one_line(near[0])}'?" if near else "Check the spelling."


_MISSES = "pattern-misses"
_EXAMPLES = 5  # names of images that do not match


def grouped_by_pattern(
    records: Sequence[ImageRecord], root: Path, pattern: str
) -> tuple[list[ImageRecord], list[Note]]:
    """Records with the group that `pattern` finds in each path relative to `root`.

    The group is what the part named `group` matched, else the first part in parentheses, else the whole match.
    An image whose path does not match is a group of its own.

    Raises:
        BadDataset: the pattern is not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadDataset(
            f"The group pattern '{one_line(pattern)}' is not a regular expression: {error}",
            do="For names like slide07_cell3.png write slide[0-9]+.",
        ) from error
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
        is_one = len(alone) == 1
        text = (
            f"The group pattern does not match {counted(len(alone), 'image')}: {some(alone, _EXAMPLES)}. "
            f"{'It' if is_one else 'Each of them'} counts as a group of its own."
        )
        notes.append(Note(_MISSES, text, parameters={"n_images": len(alone), "examples": alone[:_EXAMPLES]}))
    return grouped, notes


def check_pattern(opened: Sequence[Dataset], pattern: str) -> None:
    """Raises BadDataset if a pattern matches no path of any source; images that join a dataset may have other names."""
    n_images = sum(map(len, opened))
    n_alone = sum(note.parameters["n_images"] for dataset in opened for note in dataset.notes if note.code == _MISSES)
    if n_alone < n_images:
        return
    root, first = opened[0].root, opened[0].records[0]
    raise BadDataset(
        f"The group pattern '{one_line(pattern)}' matches none of {counted(n_images, 'path')}; "
        f"the first is '{one_line(posix_below(first.path, root))}'",
        file=root,
        do="The pattern is searched in paths like that one, relative to the folder; correct it.",
    )
