"""Ways to group the images of a dataset, proposed unasked: columns of its tables, parts of its names.

Each was tried: a training on the images grouped so would begin. So the class itself is never among them, nor a number
that every image has for itself.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from coverslip.datasets import NAME_PATTERNS, TABLE_NAMES, Dataset, grouped_by_pattern, plain_name
from coverslip.errors import BadDataset, CoverslipError
from coverslip.workspace.datasets import grouping
from coverslip.workspace.datasets.reading_images import refuse_unread
from coverslip.workspace.datasets.sources import GroupedBy, groups_by
from coverslip.workspace.jobs.previews import planned, recipe_for
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_dataset, load_scan
from coverslip.workspace.store.rows import AnyRow

_MOST = 6
_FEWEST_GROUPS = 3  # one for each part
_MOST_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class GroupSuggestion:
    """A way to group these images with which a training would begin."""

    kind: Annotated[
        Literal["column", "folder", "part", "parts", "first-number", "last-number"],
        Field(description="`part`: the n-th part of the file's name; `parts`: its first n. Between parts stands _."),
    ]
    column: str | None
    pattern: str | None
    n: Annotated[int, Field(description="Of `part` and `parts`; else 0.")]
    n_groups: int
    example: Annotated[str, Field(description="The group of the first image that has one.")]


def list_suggestions(home: Workspace, dataset_id: str) -> list[GroupSuggestion]:
    """What may say which images belong together: columns first, then patterns, each of which makes other groups.

    Raises:
        NotFound: there is no such dataset.
        Conflict: it is still being read.
    """
    from coverslip.experiments import agreed

    with home.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    recipe = recipe_for(home, row, {})
    suggestions: list[GroupSuggestion] = []
    known: set[tuple[int, ...]] = set()
    for suggestion, groups in _candidates(home, row, data):
        as_numbers = _numbered(groups)
        if as_numbers in known:
            continue
        known.add(as_numbers)
        regrouped = replace(data, records=tuple(replace(r, group=g) for r, g in zip(data.records, groups, strict=True)))
        with suppress(CoverslipError):
            if planned(*agreed(regrouped, recipe), scan).refusal is None:
                suggestions.append(suggestion)
        if len(suggestions) == _MOST:
            break
    return suggestions


def _candidates(home: Workspace, row: AnyRow, data: Dataset) -> Iterator[tuple[GroupSuggestion, Sequence[str | None]]]:
    """Groups of the images in the order of the dataset's records, of which there are neither too few nor too many."""
    for column in _columns(home, row):
        with suppress(CoverslipError):
            by_id = groups_by(home, row, GroupedBy(column=column))
            groups = [by_id.get(record.image_id) for record in data.records]
            if n := _n_groups(groups):
                yield GroupSuggestion("column", column, None, 0, n, _first(groups)), groups
    begins_with_class = False
    for known in NAME_PATTERNS:
        if known.kind == "parts" and begins_with_class:
            continue  # its groups would be parts of classes
        with suppress(BadDataset):
            records, _ = grouped_by_pattern(data.records, data.root, known.pattern)
            groups = [record.group for record in records]
            begins_with_class |= known.n == 1 and _tell_class(data, groups)
            if n := _n_groups(groups):
                yield GroupSuggestion(known.kind, None, known.pattern, known.n, n, _first(groups)), groups


def _columns(home: Workspace, row: AnyRow) -> list[str]:
    """Columns that no other use is known of."""
    with suppress(CoverslipError):  # a table that is gone is told of elsewhere
        others = [name for name in grouping.columns(home, row.id) if plain_name(name) not in TABLE_NAMES - {"group"}]
        return others[:_MOST_COLUMNS]
    return []


def _n_groups(groups: Sequence[str | None]) -> int:
    """How many; 0 where they are too few for a split, or an image mostly stands for itself."""
    n = len(set(groups))
    return n if _FEWEST_GROUPS <= n <= len(groups) / 2 else 0


def _tell_class(data: Dataset, groups: Sequence[str | None]) -> bool:
    """Whether all images of a group are of one class."""
    pairs = {(group, record.label) for group, record in zip(groups, data.records, strict=True)}
    return len(pairs) == len(set(groups)) and len(data.classes) > 1


def _first(groups: Sequence[str | None]) -> str:
    return next((group for group in groups if group), "")


def _numbered(groups: Sequence[str | None]) -> tuple[int, ...]:
    """The same for groups of other names that divide the images in the same way."""
    numbers: dict[str | None, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups)
