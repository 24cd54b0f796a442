"""Groups of images: a preview of the groups by a pattern or a column."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import select

from coverslip.datasets.columns import is_image_column, plain_name
from coverslip.datasets.index.image_tables import read_table
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import one_line
from coverslip.datasets.quality.related_images import divided_unit
from coverslip.datasets.splits.splitting import check_groups
from coverslip.datasets.text_tables import is_table
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadDataset
from coverslip.messages import Failure
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import Json, dataset_row, load_dataset, plan_of_dataset, source_paths, table_choices
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace

_TIMEOUT_S = 5.0
_N_SHOWN = 12

# A regular expression can run forever and block the process, so it runs in another process that can be stopped.
_MATCHING_SCRIPT = """
import json, re, sys
request = json.load(sys.stdin)
try:
    compiled = re.compile(request["pattern"])
except (re.error, OverflowError, RecursionError) as error:
    json.dump({"fault": str(error)}, sys.stdout)
    sys.exit()
key = "group" if "group" in compiled.groupindex else min(1, compiled.groups)
matches = map(compiled.search, request["paths"])
json.dump({"spans": [match.span(key) if match and match[key] else None for match in matches]}, sys.stdout)
"""
_Span = tuple[int, int]  # start and end of a group in a path


@dataclass(frozen=True, slots=True)
class GroupExample(DocumentedFields):
    """The group that a pattern finds in one path, and its location in the path."""

    path: str
    group: str | None
    """The group; null: the pattern does not match."""
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class GroupSize(DocumentedFields):
    """A group and its number of images."""

    group: str
    n: int
    row_ids: list[int]
    """The permanent numbers of its first images."""


@dataclass(frozen=True, slots=True)
class GroupPreview(DocumentedFields):
    """The groups by a pattern or column."""

    n_groups: int
    n_unmatched: int
    """Images without a group."""
    examples: list[GroupExample]
    largest: list[GroupSize]
    divided_unit: str
    """A group that the name of another contains, so that both may be one; empty: none."""
    refusal: Failure | None = None
    """Why a training would refuse these groups, such as groups identical to classes."""


_PREVIEW = TypeAdapter(GroupPreview)


def common_columns(workspace: Workspace, dataset_id: str) -> list[str]:
    """Return the columns that all tables of a dataset have.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: a table cannot be read any more.
    """
    with workspace.engine.connect() as connection:
        sources = source_paths(dataset_row(connection, dataset_id))
    tables = [Path(source) for source in sources if is_table(Path(source))]
    by_table = [read_table(workspace.allowed(table)).columns for table in tables]
    return [column for column in by_table[0] if all(column in columns for columns in by_table)] if by_table else []


def group_columns(workspace: Workspace, dataset_id: str) -> list[str]:
    """Return the columns that can give groups: those without another meaning.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: a table cannot be read any more.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    mapped = {name for meaning, name in table_choices(row).columns.items() if meaning != "group"}
    return [
        name
        for name in common_columns(workspace, dataset_id)
        if name == row.group_column
        or (name not in mapped and (not is_image_column(name) or plain_name(name) == "group"))
    ]


def validated_merge(merge: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return groups to join, by the name of each joined group.

    Raises:
        BadDataset: a group is in two of them, or is not among those that get its name.
    """
    names = [name for spellings in merge.values() for name in spellings]
    repeated = next((name for name, n in Counter(names).items() if n > 1), None)
    foreign = next((name for name, spellings in merge.items() if name not in spellings), None)
    if repeated is not None or foreign is not None:
        raise BadDataset("groups-not-joined", name=one_line(repeated or foreign or "", 60))
    return {name: list(spellings) for name, spellings in merge.items() if len(spellings) > 1}


def with_merged_groups(dataset: Dataset, merge: Mapping[str, Sequence[str]]) -> Dataset:
    """Return the dataset with groups that are joined."""
    if not merge:
        return dataset
    name_of = {spelling: name for name, spellings in merge.items() for spelling in spellings}
    records = tuple(
        record.with_group(name_of[record.group]) if record.group in name_of else record for record in dataset.records
    )
    return replace(dataset, records=records)


def preview_groups(workspace: Workspace, dataset_id: str, *, pattern: str | None, column: str | None) -> GroupPreview:
    """Return the groups of the included images by a pattern or a column; without either, the current groups.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: both are given, or the one that is given is not valid.
    """
    if pattern is not None and column is not None:
        raise BadDataset("both-column-and-pattern")
    return workspace.compute(
        compute_group_preview, _PREVIEW.validate_python, dataset_id=dataset_id, pattern=pattern, column=column
    )


def compute_group_preview(
    workspace: Workspace, dataset_id: str, *, pattern: str | None, column: str | None
) -> GroupPreview:
    """Return groups as `preview_groups` does, in this thread."""
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data = load_dataset(connection, dataset_id)
        included = (images.c.dataset_id == dataset_id) & ~images.c.is_excluded  # the same images as `data.records`
        query = select(images.c.shown_path).where(included).order_by(images.c.position)
        paths = [] if pattern is None else list(connection.execute(query).scalars())
        row_ids = list(connection.execute(query.with_only_columns(images.c.row_id)).scalars())
    is_current = (column, pattern) == (row.group_column, row.group_pattern)
    merge: dict[str, list[str]] = row.group_merge if is_current else {}  # a change of the groups ends it
    if pattern is not None:
        spans = _match_pattern(pattern, paths)
        return _preview_of(data, row_ids, _groups_at(paths, spans), merge, paths, spans)
    if column is None:
        return _preview_of(data, row_ids, [record.group for record in data.records], {})
    sources = [str(workspace.allowed(source)) for source in source_paths(row)]
    names = [source["domain"] for source in row.sources]
    opened = open_dataset(
        sources,
        group=column,
        labeled=row.is_labeled,
        distinct=True,
        domains=names,
        columns=table_choices(row).columns,
        plan=plan_of_dataset(row),
        may_read=workspace.may_read,
    )
    by_id = {record.image_id: record.group for record in opened.records}
    return _preview_of(data, row_ids, [by_id.get(record.image_id) for record in data.records], merge)


def _preview_of(
    data: Dataset,
    row_ids: Sequence[int],
    groups: Sequence[str | None],
    merge: Mapping[str, Sequence[str]],
    paths: Sequence[str] = (),
    spans: Sequence[_Span | None] = (),
) -> GroupPreview:
    """Return the preview of groups, in the order of the records; with a pattern, of its matches in paths."""
    grouped = with_merged_groups(with_groups(data, groups), merge)
    named_groups = [record.group for record in grouped.records]
    rows_of: dict[str | None, list[int]] = defaultdict(list)
    for group, row_id in zip(named_groups, row_ids, strict=True):
        rows_of[group].append(row_id)
    n_ungrouped = len(rows_of.pop(None, ()))
    largest = sorted(rows_of.items(), key=lambda group: -len(group[1]))[:_N_SHOWN]
    shown = range(0, len(data), max(1, len(data) // _N_SHOWN))[:_N_SHOWN]
    names = paths or [record.image_id for record in data.records]
    locations = spans or [None] * len(data)
    try:
        check_groups(grouped)
    except BadDataset as error:
        refusal: Failure | None = error.failure
    else:
        refusal = None
    return GroupPreview(
        n_groups=len(rows_of),
        n_unmatched=n_ungrouped,
        examples=[GroupExample(names[k], named_groups[k], *(locations[k] or (None, None))) for k in shown],
        largest=[GroupSize(group or "", len(rows), rows[:_N_SHOWN]) for group, rows in largest],
        divided_unit=divided_unit([group or "" for group in named_groups]),
        refusal=refusal,
    )


def with_groups(data: Dataset, groups: Sequence[str | None]) -> Dataset:
    """Return a dataset with these groups, which are in the order of its records."""
    return replace(data, records=tuple(r.with_group(g) for r, g in zip(data.records, groups, strict=True)))


def check_grouping(data: Dataset, groups: Sequence[str | None]) -> None:
    """Raise BadDataset if these groups, in the order of the records, leave a class without test images."""
    check_groups(with_groups(data, groups))


def check_pattern(pattern: str, paths: list[str]) -> None:
    """Raise BadDataset if a regular expression is not valid, or takes too long on these paths."""
    _match_pattern(pattern, paths)


def groups_of_paths(pattern: str, paths: list[str]) -> list[str | None]:
    """Return the group that a pattern finds in each path; raises BadDataset as `check_pattern`."""
    return _groups_at(paths, _match_pattern(pattern, paths))


def _groups_at(paths: Sequence[str], spans: Sequence[_Span | None]) -> list[str | None]:
    return [None if span is None else path[slice(*span)] for path, span in zip(paths, spans, strict=True)]


def _match_pattern(pattern: str, paths: list[str]) -> list[_Span | None]:
    """Return the location of the group in each path, as `coverslip.open_dataset` would find it."""
    request = json.dumps({"pattern": pattern, "paths": paths})
    try:
        process = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCHING_SCRIPT],
            input=request.encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        raise BadDataset("slow-group-pattern", pattern=one_line(pattern)) from error
    answer: Json = json.loads(process.stdout)
    if "fault" in answer:
        raise BadDataset("unusable-group-pattern", pattern=one_line(pattern), reason=answer["fault"])
    return [None if span is None else (span[0], span[1]) for span in answer["spans"]]
