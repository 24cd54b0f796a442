"""The folder that encloses others, and clear words where a place is not what it was taken for."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from coverslip.datasets.index.records import one_line, posix_below
from coverslip.errors import BadDataset
from coverslip.files import closed_because
from coverslip.messages import GroupBy


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
