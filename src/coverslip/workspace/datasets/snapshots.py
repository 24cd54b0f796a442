"""Tables of a dataset's images with their current labels: for export and as input of trainings."""

import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, select

from coverslip.datasets import ImageRecord, is_image_column, name_as_text, plain_name
from coverslip.errors import BadDataset, NotFound
from coverslip.files import CsvWriter, safe_cell, write_bytes
from coverslip.images import PLAN_COLUMNS, box_center
from coverslip.workspace.datasets.changed_files import refuse_changed_files
from coverslip.workspace.datasets.sources import Grouping, groups_of_images
from coverslip.workspace.jobs.records import Job
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    OUTSIDE,
    AnyRow,
    dataset_row,
    is_reserved_for_test,
    load_records,
    ranges,
    source_paths,
    table_choices,
)
from coverslip.workspace.store.tables import image_facts, images
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 2_000
_CHANNEL = "channel_"  # followed by a number: the file of that channel
_BOX = ("x", "y", "width", "height")
_STANDARD_COLUMNS = frozenset({"path", "image_id", "label", "group", "domain", "split", *PLAN_COLUMNS, *_BOX})


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """The input of a training: folders or tables, and the grouping of their images."""

    sources: list[str]
    grouped: Grouping

    @property
    def group_options(self) -> list[str]:
        """The options of `coverslip train` and `coverslip evaluate` for the grouping."""
        by_column = [f"--group={self.grouped.column}"] if self.grouped.column is not None else []
        by_pattern = [f"--group-pattern={self.grouped.pattern}"] if self.grouped.pattern is not None else []
        return by_column + by_pattern

    @property
    def options(self) -> list[str]:
        """The same for `coverslip train`, with the pattern that found the groups of the table."""
        pattern = self.grouped.column_pattern
        return self.group_options + ([] if pattern is None else [f"--column-pattern={pattern}"])


def training_images(
    workspace: Workspace,
    dataset_id: str,
    *,
    grouped: Grouping | None = None,
    in_one: bool = False,
) -> TrainingInput:
    """Return the input of a training on a dataset.

    If possible, these are the folders and tables of the user, so that the run records the location of its images. If
    they do not contain everything (labels were changed in the app, the dataset was opened without labels, domains have
    names), it is a table in `snapshots/` whose name is a hash of its content: a training uses the labels at the time of
    its request.

    Args:
        workspace: the workspace.
        dataset_id: a dataset of labeled images.
        grouped: the grouping, if it differs from that of the dataset.
        in_one: return one folder or table, even if the dataset has several.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: no image has a label, or a name cannot be written to a table.
        Conflict: files are not those that were labeled any more.
    """
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        if not row.summary["n_labeled"]:
            raise BadDataset("unlabeled-dataset")
        grouping = grouped or Grouping(row.group_column, row.group_pattern)
        if _is_complete(connection, row) and (len(row.sources) == 1 or not in_one):
            return TrainingInput(source_paths(row), grouping)
        refuse_changed_files(connection, row)
        groups = None if grouped is None else groups_of_images(workspace, row, grouped)
        column = _group_column(grouping.column)
        data = "".join(_lines(connection, row, for_training=True, groups=groups, group_column=column)).encode()
    file = workspace.snapshots / f"{hashlib.sha256(data).hexdigest()[:16]}.csv"
    if not file.exists():
        write_bytes(file, data)
    has_groups = bool(row.summary["n_groups"]) if groups is None else any(groups.values())
    named = Grouping(column, column_pattern=grouping.pattern) if has_groups else Grouping()
    return TrainingInput([str(file)], named)


def refuse_exchanged_files(workspace: Workspace, job: Job) -> None:
    """Check that the files of a waiting job have the content for which its labels were stated at its request.

    Labels of folders and tables of the user are those at its start.

    Raises:
        Conflict: some of them do not.
    """
    inputs = (*job.command, *job.choices.get("sources", ()), *job.choices.get("dataset_of", ()))
    has_table = any(each.startswith(f"{workspace.snapshots}{os.sep}") for each in inputs)
    with read_transaction(workspace.engine) as connection:
        for dataset_id in job.dataset_ids:
            with suppress(NotFound):  # it was removed from the list; the job does not need it
                row = dataset_row(connection, dataset_id)
                if has_table or (job.kind == "predict" and row.summary["n_labeled"]):
                    refuse_changed_files(connection, row)


def _group_column(column: str | None) -> str:
    """Return the name of the group column in a table for training: the user's name, unless it has another meaning."""
    return column if column is not None and not is_image_column(column) else "group"


def table_lines(workspace: Workspace, dataset_id: str) -> Iterator[str]:
    """Yield CSV of all images, in batches. Spreadsheets read no cell as a formula.

    Raises:
        NotFound: there is no such dataset; raised before the first line.
        Conflict: files changed since they were read; raised before the first line.
    """
    with workspace.engine.connect() as connection:
        refuse_changed_files(connection, dataset_row(connection, dataset_id))

    def lines() -> Iterator[str]:
        with read_transaction(workspace.engine) as connection:
            yield from _lines(connection, dataset_row(connection, dataset_id), for_training=False)

    return lines()


def file_name(workspace: Workspace, dataset_id: str, what: str) -> str:
    """Return the file name of an exported table, in ASCII for the HTTP header."""
    with workspace.engine.connect() as connection:
        name = dataset_row(connection, dataset_id).name
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:60]
    return f"{plain or 'images'}-{what}.csv"


def _is_complete(connection: Connection, row: AnyRow) -> bool:
    has_named_domains = any(source["domain"] for source in row.sources) or bool(table_choices(row).columns)
    is_narrowed = row.summary["n_changed"] or row.summary["n_excluded"]
    if (
        is_narrowed
        or row.group_merge
        or not row.is_labeled
        or has_named_domains
        or _has(connection, row, is_reserved_for_test)
    ):
        return False
    return not _outside(connection, row)


def _lines(
    connection: Connection,
    row: AnyRow,
    *,
    for_training: bool,
    groups: Mapping[str, str | None] | None = None,
    group_column: str = "group",
) -> Iterator[str]:
    """Yield the table in batches, with `groups` by image_id, if given, in the column `group_column`.

    Raises:
        BadDataset: for a training, a file's name is not text, so its row would name another file.
    """
    columns = _columns(connection, row)
    if groups is not None:
        columns = [column for column in columns if column != "group"] + ["group"] * any(groups.values())
    excluded = _positions(connection, row, images.c.is_excluded)
    if excluded and "split" not in columns:
        columns.append("split")
    if "group" in columns:  # instead of the user's column, which may have empty cells
        columns = [name for name in columns if name == "group" or plain_name(name) != plain_name(group_column)]
    yield csv_text([[group_column if column == "group" else column for column in columns]])
    outside = _outside(connection, row)
    for start, end in ranges(row.summary["n_images"], _ROWS_AT_ONCE):
        records: Sequence[ImageRecord] = load_records(connection, row.id, start, end)
        if groups is not None:
            records = [replace(record, group=groups.get(record.image_id)) for record in records]
        numbered = [(position, record) for position, record in enumerate(records, start) if position not in outside]
        yield csv_text(
            [
                [
                    _cell(record, column, is_excluded=position in excluded, are_points="width" not in columns)
                    for column in columns
                ]
                for position, record in numbered
            ]
        )


def _columns(connection: Connection, row: AnyRow) -> list[str]:
    of_dataset = images.c.dataset_id == row.id
    columns = ["path", "image_id", "label"]
    for name in ("group", "domain", "split"):
        is_used = images.c[f"predefined_{name}" if name == "split" else name] != ""
        if _has(connection, row, is_used | is_reserved_for_test if name == "split" else is_used):
            columns.append(name)
    plans = connection.execute(select(images.c.plan).where(of_dataset, images.c.plan.is_not(None))).scalars().all()
    stated = {name for plan in plans for name in plan["stated"]}
    columns += [name for name in PLAN_COLUMNS if name in stated]
    columns += _BOX if "region" in stated else _BOX[:2] if "point" in stated else ()
    n_others = max((len(plan["other_files"]) for plan in plans), default=0)
    columns += [f"{_CHANNEL}{n}" for n in range(2, 2 + n_others)]
    return columns + _further_columns(connection, row)


def _has(connection: Connection, row: AnyRow, condition: ColumnElement[bool]) -> bool:
    query = select(images.c.row_id).where(images.c.dataset_id == row.id, condition).limit(1)
    return connection.execute(query).first() is not None


def _further_columns(connection: Connection, row: AnyRow) -> list[str]:
    """Return the further columns of the user's table, for results by column."""
    query = select(images.c.about).where(images.c.dataset_id == row.id, images.c.about.is_not(None))
    names = dict.fromkeys(name for about in connection.execute(query).scalars() for name, _ in about)
    return [
        name for name in names if name.casefold() not in _STANDARD_COLUMNS and not name.casefold().startswith(_CHANNEL)
    ]


def _outside(connection: Connection, row: AnyRow) -> set[int]:
    """Return the positions of images that the app may not read."""
    outside = select(image_facts.c.row_id).where(image_facts.c.reason == OUTSIDE)
    return _positions(connection, row, (images.c.problem == "unreadable") & images.c.row_id.in_(outside))


def _positions(connection: Connection, row: AnyRow, condition: ColumnElement[bool]) -> set[int]:
    return set(connection.execute(select(images.c.position).where(images.c.dataset_id == row.id, condition)).scalars())


def _cell(record: ImageRecord, column: str, *, is_excluded: bool, are_points: bool) -> str:
    match column:
        case "path":
            return name_as_text(str(record.path))
        case "split":
            return "excluded" if is_excluded else record.predefined_split or ""
        case _ if column in PLAN_COLUMNS:
            return record.plan.cell(column) if column in record.stated else ""
        case "x" | "y" | "width" | "height":
            box = record.plan.region
            numbers = () if box is None else box_center(box) if are_points else box
            return str(numbers[_BOX.index(column)]) if numbers else ""
    if column.startswith(_CHANNEL):
        files = record.files
        n = int(column.removeprefix(_CHANNEL))
        return name_as_text(str(files[n - 1])) if n <= len(files) else ""
    if column not in _STANDARD_COLUMNS:
        return dict(record.about).get(column, "")
    value: str | None = getattr(record, column)
    return value or ""


def csv_text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as CSV whose cells no spreadsheet reads as formulas."""
    text = io.StringIO()
    writer = CsvWriter(text)
    for row in rows:
        writer.writerow(map(safe_cell, row))
    return text.getvalue()
