"""Suggested groupings of the images of a dataset: columns of the tables, and parts of file names.

If images have labels, each suggestion was tested: a training would accept it. So classes, unique numbers, and serial
numbers of the images of each class, folder or file are never suggested, nor are patterns that may divide a patient.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from pydantic import TypeAdapter
from sqlalchemy import Connection, func, select

from coverslip.cache.file_hashes import state_of
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import has_image_suffix
from coverslip.datasets.quality.related_images import groups_in_names, patterns_in_names
from coverslip.datasets.quality.scanning import Scan
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.workspace.datasets import grouping
from coverslip.workspace.datasets.sources import Grouping, groups_of_images
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    load_dataset,
    load_scan,
    refuse_unread,
    source_paths,
    table_choices,
)
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.queueing import preview_of_split, recipe_for

_MOST_GROUPINGS = 6
_FEWEST_GROUPS = 3  # one for each set of a split
_MOST_COLUMNS = 12
_NUMBER = re.compile(r"(\D*)(\d+)(\D*)")
_SMALLEST_BLOCK = 3  # images of a class, folder or file that are needed to recognize a serial number


@dataclass(frozen=True, slots=True)
class GroupSuggestion(DocumentedFields):
    """A grouping of these images that a training would accept, as far as images have labels."""

    column: str | None
    """Column of the tables; null for a pattern."""
    pattern: str | None
    """Pattern that finds groups in paths; null for a column."""
    n_groups: int
    example: str
    """One of the groups."""
    p: float | None = None
    """p-value of images of a group sharing labels, size or brightness by chance; null: not tested."""
    is_supported: bool = False
    """Whether images of one group resemble each other."""


_SUGGESTIONS = TypeAdapter(tuple[GroupSuggestion, ...])


def list_suggestions(workspace: Workspace, dataset_id: str) -> list[GroupSuggestion]:
    """Return suggested groupings: columns first, then patterns; the coarsest first.

    Raises:
        NotFound: there is no such dataset.
        Conflict: it is still being read.
    """
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        version = (*_version_of_images(connection, dataset_id), *map(state_of, source_paths(row)))
    choices = repr((row.created, row.sources, row.class_plan, table_choices(row)))
    with _lock_of(workspace, dataset_id):  # requests at the same time compute once
        return list(_suggestions(workspace, dataset_id, (choices, *version)))


def _version_of_images(connection: Connection, dataset_id: str) -> tuple[Hashable, ...]:
    """Return what changes with the names and files of the images, and with the labels, but not with each label.

    Of the labels, it is the number of images of each class, rounded down to a power of two.
    """
    included = (images.c.dataset_id == dataset_id) & ~images.c.is_excluded
    ordered = select(images.c.image_id, images.c.version).where(included).order_by(images.c.position).subquery()
    names = [func.aggregate_strings(column, "\n") for column in ordered.c]
    by_label = select(images.c.label, func.count()).where(included).group_by(images.c.label)
    n_bits = sorted((label or "", label is None, n.bit_length()) for label, n in connection.execute(by_label))
    return *map(hash, connection.execute(select(*names)).one()), *n_bits


@lru_cache(maxsize=256)
def _lock_of(_workspace: Workspace, _dataset_id: str) -> threading.Lock:
    return threading.Lock()


@lru_cache(maxsize=32)  # each suggestion is tried, and pages ask often
def _suggestions(workspace: Workspace, dataset_id: str, _version: Hashable) -> tuple[GroupSuggestion, ...]:
    """Return the suggestions for a dataset; `_version` changes with its images, their names, classes and tables."""
    return workspace.compute(compute_suggestions, _SUGGESTIONS.validate_python, dataset_id=dataset_id)


def compute_suggestions(workspace: Workspace, dataset_id: str) -> tuple[GroupSuggestion, ...]:
    """Return suggested groupings as `list_suggestions` does, in this thread."""
    from coverslip.experiments.preparation import apply_recipe

    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    is_labeled = any(record.label is not None for record in data.records)
    recipe = recipe_for(workspace, row, {}) if is_labeled else None
    suggestions: list[GroupSuggestion] = []
    groupings: set[tuple[int, ...]] = set()
    for suggestion, groups in _candidates(workspace, row, data, scan):
        as_numbers = _numbered(groups)
        if as_numbers in groupings:
            continue
        groupings.add(as_numbers)
        with suppress(CoverslipError):
            if (
                recipe is None
                or preview_of_split(*apply_recipe(grouping.with_groups(data, groups), recipe), scan).refusal is None
            ):
                suggestions.append(suggestion)
        if len(suggestions) == _MOST_GROUPINGS:
            break
    return tuple(suggestions)


def _candidates(
    workspace: Workspace, row: AnyRow, data: Dataset, scan: Scan
) -> Iterator[tuple[GroupSuggestion, Sequence[str | None]]]:
    """Yield groupings with a plausible number of groups, and the groups in the order of the dataset's records."""
    tested = groups_in_names(data, scan)
    paths = [data.relative_path(record) for record in data.records]
    by_column = {candidate.column: candidate for candidate in tested if candidate.column is not None}
    columns: list[tuple[GroupSuggestion, Sequence[str | None]]] = []
    for column in _first_group_columns(workspace, row):
        with suppress(CoverslipError):
            by_id = groups_of_images(workspace, row, Grouping(column=column))
            groups = [by_id.get(record.image_id) for record in data.records]
            grouped_records = [(r, g) for r, g in zip(data.records, groups, strict=True) if g]
            example = grouped_records[0][1] if grouped_records else ""
            if (n := _n_groups([group for _, group in grouped_records])) and not has_image_suffix(example):
                candidate = by_column.get(column)
                p, is_supported = (None, False) if candidate is None else (candidate.p, candidate.is_significant)
                if not is_supported and _is_serial(grouped_records):
                    continue
                columns.append((GroupSuggestion(column, None, n, example, p, is_supported), groups))
    yield from sorted(columns, key=lambda each: each[0].n_groups)
    for candidate in tested:
        if not candidate.is_class and candidate.column is None and not candidate.divided_unit:
            matches = map(re.compile(candidate.pattern).search, paths)
            suggestion = GroupSuggestion(
                None,
                candidate.pattern,
                candidate.n_groups,
                candidate.example,
                candidate.p,
                candidate.is_significant,
            )
            yield suggestion, [m[1] if m else None for m in matches]
    if all(record.label is None for record in data.records):
        for pattern, names in patterns_in_names(paths):
            example = next(filter(None, names))
            n_groups = len(set(filter(None, names)))
            yield GroupSuggestion(None, pattern, n_groups, example), names


def _first_group_columns(workspace: Workspace, row: AnyRow) -> list[str]:
    with suppress(CoverslipError):  # other pages report a missing table
        return grouping.group_columns(workspace, row.id)[:_MOST_COLUMNS]
    return []


def _n_groups(groups: Sequence[str]) -> int:
    """Return the number of groups; 0 if they are too few for a split, or if most groups have one image."""
    n = len(set(groups))
    return n if _FEWEST_GROUPS <= n <= len(groups) / 2 else 0


def _is_serial(grouped_records: Sequence[tuple[ImageRecord, str]]) -> bool:
    """Return whether the values are serial numbers of the images of each class, folder or file: 1, 2, 3 …

    Text before and after the number counts as part of it if it is the same for all images, as in `img_001`.
    """
    matches = [match for _, group in grouped_records if (match := _NUMBER.fullmatch(group))]
    if len(matches) < len(grouped_records) or len({(match[1], match[3]) for match in matches}) != 1:
        return False
    numbers = [int(match[2]) for match in matches]
    records = [record for record, _ in grouped_records]
    return any(
        _counts_up(numbers, blocks)
        for blocks in (
            [record.label for record in records],
            [record.path.parent for record in records],
            [record.path for record in records],
        )
    )


def _counts_up(numbers: Sequence[int], blocks: Sequence[object]) -> bool:
    """Return whether each number occurs once in its block, and most numbers between the first and last occur.

    Blocks of one or two images are ignored.
    """
    by_block: dict[object, list[int]] = defaultdict(list)
    for number, block in zip(numbers, blocks, strict=True):
        by_block[block].append(number)
    large = [each for each in by_block.values() if len(each) >= _SMALLEST_BLOCK]
    return 2 * sum(map(len, large)) > len(numbers) and all(
        len(set(each)) == len(each) and max(each) - min(each) < 2 * len(each) for each in large
    )


def _numbered(groups: Sequence[str | None]) -> tuple[int, ...]:
    """Return a representation that is equal for groupings that differ in the names of groups only."""
    numbers: dict[str | None, int] = {}
    return tuple(numbers.setdefault(group, len(numbers)) for group in groups)
