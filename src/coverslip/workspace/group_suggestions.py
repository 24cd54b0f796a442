"""Ways to group the images of a dataset, proposed unasked: columns of its tables, parts of its names.

Each was tried: a training on the images grouped so would begin. So the class itself is never among them, nor a number
that every image has for itself, or that only counts the images of each class, folder or file.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from coverslip.datasets import (
    Dataset,
    ImageRecord,
    Scan,
    grouped_by_pattern,
    groups_in_names,
    has_image_suffix,
)
from coverslip.errors import CoverslipError
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
_NUMBER = re.compile(r"(\D*)(\d+)(\D*)")
_SMALLEST_BLOCK = 3  # images of a class, folder or file that a serial number is told by


@dataclass(frozen=True, slots=True)
class GroupSuggestion:
    """A way to group these images with which a training would begin."""

    column: Annotated[str | None, Field(description="Of the tables; null for a pattern.")]
    pattern: Annotated[str | None, Field(description="That finds groups in paths; null for a column.")]
    n_groups: int
    example: Annotated[str, Field(description="One of the groups.")]
    p: Annotated[
        float | None,
        Field(
            description="Of images of one group sharing labels, size or brightness by chance only; null: not tested."
        ),
    ] = None
    is_supported: Annotated[bool, Field(description="Whether images of one group resemble each other.")] = False


def list_suggestions(home: Workspace, dataset_id: str) -> list[GroupSuggestion]:
    """What may say which images belong together: columns first, then patterns; of each kind the coarsest first.

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
    for suggestion, groups in _candidates(home, row, data, scan):
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


def _candidates(
    home: Workspace, row: AnyRow, data: Dataset, scan: Scan
) -> Iterator[tuple[GroupSuggestion, Sequence[str | None]]]:
    """Groups of the images in the order of the dataset's records, of which there are neither too few nor too many."""
    tested = groups_in_names(data, scan)
    of_column = {named.column: named for named in tested if named.column is not None}
    columns: list[tuple[GroupSuggestion, Sequence[str | None]]] = []
    for column in _columns(home, row):
        with suppress(CoverslipError):
            by_id = groups_by(home, row, GroupedBy(column=column))
            groups = [by_id.get(record.image_id) for record in data.records]
            grouped = [(r, g) for r, g in zip(data.records, groups, strict=True) if g and g != r.image_id]
            example = grouped[0][1] if grouped else ""
            if (n := _n_groups([group for _, group in grouped])) and not has_image_suffix(example):
                named = of_column.get(column)
                p, is_supported = (None, False) if named is None else (named.p, named.is_telling)
                if not is_supported and _is_serial(grouped):
                    continue
                columns.append((GroupSuggestion(column, None, n, example, p, is_supported), groups))
    yield from sorted(columns, key=lambda each: each[0].n_groups)
    for named in tested:
        if not named.is_class and named.column is None:
            records, _ = grouped_by_pattern(data.records, data.root, named.pattern)
            suggestion = GroupSuggestion(None, named.pattern, named.n_groups, named.example, named.p, named.is_telling)
            yield suggestion, [record.group for record in records]


def _columns(home: Workspace, row: AnyRow) -> list[str]:
    with suppress(CoverslipError):  # a table that is gone is told of elsewhere
        return grouping.group_columns(home, row.id)[:_MOST_COLUMNS]
    return []


def _n_groups(groups: Sequence[str]) -> int:
    """How many; 0 where they are too few for a split, or an image mostly stands for itself."""
    n = len(set(groups))
    return n if _FEWEST_GROUPS <= n <= len(groups) / 2 else 0


def _is_serial(grouped: Sequence[tuple[ImageRecord, str]]) -> bool:
    """Whether the values only number the images of each class, folder or file: 1, 2, 3 … and anew in the next one.

    Text before and after the number counts as part of it if it is the same for all images, as in `img_001`.
    """
    matches = [match for _, group in grouped if (match := _NUMBER.fullmatch(group))]
    if len(matches) < len(grouped) or len({(match[1], match[3]) for match in matches}) != 1:
        return False
    numbers = [int(match[2]) for match in matches]
    records = [record for record, _ in grouped]
    return any(
        _counts_up(numbers, blocks)
        for blocks in (
            [record.label for record in records],
            [record.path.parent for record in records],
            [record.path for record in records],
        )
    )


def _counts_up(numbers: Sequence[int], blocks: Sequence[object]) -> bool:
    """Whether every number stands but once in its block, and most numbers between the first and the last are there.

    Blocks of one or two images say nothing.
    """
    of_block: dict[object, list[int]] = defaultdict(list)
    for number, block in zip(numbers, blocks, strict=True):
        of_block[block].append(number)
    large = [each for each in of_block.values() if len(each) >= _SMALLEST_BLOCK]
    return 2 * sum(map(len, large)) > len(numbers) and all(
        len(set(each)) == len(each) and max(each) - min(each) < 2 * len(each) for each in large
    )


def _numbered(groups: Sequence[str | None]) -> tuple[int, ...]:
    """The same for groups of other names that divide the images in the same way."""
    numbers: dict[str | None, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups)
