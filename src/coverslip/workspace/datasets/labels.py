"""Labels and confirmations from the app, and tables of images with their current labels."""

import itertools
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, String, delete, insert, literal, select, update

from coverslip.datasets.columns import is_image_column, plain_name
from coverslip.datasets.index.records import ImageRecord
from coverslip.errors import BadDataset, Conflict, NotFound
from coverslip.files import csv_text, stated_paths
from coverslip.images.reader import PLAN_COLUMNS
from coverslip.runs.images import cells_of
from coverslip.workspace.datasets.image_rows import keep_overwritten, refuse_changed_files, separate_overwritten
from coverslip.workspace.datasets.selection import ImageSelection, selecting
from coverslip.workspace.datasets.sources import Grouping, groups_of_images
from coverslip.workspace.datasets.state import change_images, clean_name
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.change_log import ChangedField, add_change, log_images, log_rows, without_empty
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    OUTSIDE,
    AnyRow,
    among_integers,
    author_name,
    class_order,
    confirmed_images,
    dataset_row,
    is_reserved_for_test,
    load_records,
    now,
    ranges,
    row_ids_of,
    source_paths,
    table_choices,
    write_snapshot,
)
from coverslip.workspace.store.tables import (
    changed_rows,
    changes,
    confirmed_labels,
    datasets,
    image_facts,
    images,
)
from coverslip.workspace.store.workspace import Workspace

# Each change is saved at once and can be undone.


def set_labels(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    label: str | None,
    job_id: str | None = None,
) -> tuple[int | None, int]:
    """Label images, or remove their labels. A new name becomes a class.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images.
        label: the label; None removes the labels.
        job_id: the training of this dataset whose suspected label errors these are; None: images of the dataset.

    Returns:
        The number of the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset, or no such training of it.
        PreconditionRequired, PreconditionFailed: as `selecting`.
        ImagesChanged: one of the images is not in it; no label is changed.
        CoverslipError: this cannot be the name of a class, or the dataset does not support a filter.
    """
    if job_id is not None and find_job(workspace, job_id, "train").dataset_id != dataset_id:
        raise NotFound("no-such-job")
    with selecting(workspace, dataset_id, selection) as (connection, row, row_ids):
        change = add_change(connection, dataset_id, job_id)
        n = label_rows(connection, row, row_ids, label, change)
        return without_empty(connection, change), n


def label_rows(
    connection: Connection,
    row: AnyRow,
    row_ids: Collection[int],
    label: str | None,
    change_id: int,
    *,
    made_by: str | None = None,
) -> int:
    """Label images as a part of a change, within a writing transaction.

    Args:
        connection: a connection in that transaction.
        row: the row of the dataset.
        row_ids: the images, all of this dataset.
        label: the label; None removes the labels.
        change_id: the change.
        made_by: who gave the label, if not the author of the change.

    Returns:
        The number of images whose label changed.

    Raises:
        Conflict: files of the images changed since they were read.
        CoverslipError: this cannot be the name of a class.
    """
    refuse_changed_files(connection, row, row_ids)
    label = None if label is None else clean_name(label)
    are_changed = images.c.row_id.in_(among_integers(row_ids)) & images.c.label.is_distinct_from(label)
    if not log_images(connection, change_id, ChangedField.LABEL, are_changed, label, made_by=made_by):
        return 0
    if label is not None:
        add_classes(connection, row, [label])
    are_relabeled = (changed_rows.c.change_id == change_id) & (changed_rows.c.field == ChangedField.LABEL)
    are_relabeled &= changed_rows.c.row_id.in_(among_integers(row_ids))
    relabeled = select(changed_rows.c.row_id).where(are_relabeled)
    return change_images(connection, row.id, relabeled, label=literal(label, String))


def add_classes(connection: Connection, row: AnyRow, classes: Sequence[str]) -> None:
    """Append new classes to the classes of a dataset. They get the next keys, and keep them even without images."""
    names = class_order(row.class_names, row.summary["classes"])
    if not set(classes) <= set(names):
        all_names = list(dict.fromkeys([*names, *classes]))
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(class_names=all_names))


def resolve_overwritten(
    workspace: Workspace, dataset_id: str, selection: ImageSelection, *, is_kept: bool
) -> tuple[int | None, int]:
    """Decide whether labels and the like of images hold for the content that has overwritten their files since.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images; others than overwritten ones stay as they are.
        is_kept: they hold. Otherwise they stay with the former content, and the files become new images.

    Returns:
        The ID of the change (None if nothing was kept or dropped), and the number of overwritten images.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selecting`.
        ImagesChanged: one of the images is not in it; nothing is changed.
        Conflict: labels would be dropped while a job waits for the dataset or reads it.
    """
    with selecting(workspace, dataset_id, selection) as (connection, _, row_ids):
        change = add_change(connection, dataset_id)
        if is_kept:
            field, changed = ChangedField.KEPT, keep_overwritten(connection, dataset_id, row_ids)
        else:
            dropped = separate_overwritten(connection, dataset_id, row_ids)
            field, changed = (
                ChangedField.REPLACEMENT,
                [(each.row_id, each.label, each.label_before) for each in dropped],
            )
        log_rows(connection, change, field, changed)
        return without_empty(connection, change), len(changed)


def label_before(connection: Connection, row_id: int, *, job_id: str) -> tuple[str | None, bool]:
    """Return the label that an image had before a job changed it, and whether the job's change is the last one.

    If another change followed, or the folder or table gave another label since, the job's change cannot be undone.
    """
    query = (
        select(changes.c.job_id, changed_rows.c.before, changed_rows.c.after)
        .join_from(changed_rows, changes)
        .where(changed_rows.c.field == ChangedField.LABEL, changed_rows.c.row_id == row_id, ~changed_rows.c.is_undone)
        .order_by(changes.c.id.desc())
    )
    of_image = connection.execute(query)
    job_changes = list(itertools.takewhile(lambda change: change.job_id == job_id, of_image))
    label = connection.execute(select(images.c.label).where(images.c.row_id == row_id)).scalar_one()
    if not job_changes or job_changes[0].after != label:
        return None, False
    return job_changes[-1].before, True


def confirm_labels(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    *,
    is_confirmed: bool,
) -> list[int]:
    """Confirm the current labels of images, or remove confirmations.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images.
        is_confirmed: confirm their labels; otherwise remove the confirmations.

    Returns:
        The row_ids of the images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selecting`.
        ImagesChanged: one of the images is not in it; nothing is changed.
        Conflict: one of the images has no label.
        CoverslipError: the dataset does not support a filter.
    """
    with selecting(workspace, dataset_id, selection) as (connection, row, row_ids):
        refuse_changed_files(connection, row, row_ids)
        is_confirmed_now = images.c.row_id.in_(confirmed_images(dataset_id))
        is_selected = images.c.row_id.in_(among_integers(row_ids))
        is_affected = ~is_confirmed_now if is_confirmed else is_confirmed_now
        affected = connection.execute(select(images.c.row_id, images.c.label).where(is_selected, is_affected)).all()
        if is_confirmed and any(label is None for _, label in affected):
            raise Conflict("unlabeled-not-confirmed")
        changed_rows = [row_id for row_id, _ in affected]
        is_stored = confirmed_labels.c.row_id.in_(among_integers(changed_rows))
        connection.execute(delete(confirmed_labels).where(is_stored))
        if is_confirmed:
            columns = (
                literal(dataset_id),
                images.c.row_id,
                images.c.label,
                literal(now()),
                literal(author_name()),
            )
            confirmations = select(*columns).where(images.c.row_id.in_(among_integers(changed_rows)))
            connection.execute(insert(confirmed_labels).from_select(list(confirmed_labels.c), confirmations))
        return changed_rows


# Tables of a dataset's images with their current labels: for export and as input of trainings.

_ROWS_AT_ONCE = 2_000
_CHANNEL = "channel_"  # followed by a number: the file of that channel
_BOX = ("x", "y", "width", "height")
_STANDARD_COLUMNS = frozenset({"path", "image_id", "label", "group", "domain", "split", *PLAN_COLUMNS, *_BOX})


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """The input of a training: folders or tables, and the grouping of their images."""

    sources: list[str]
    grouped: Grouping
    row_of: Mapping[str, int]  # the row_id of each image of the dataset, by image_id

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
    folder: Path | None = None,
    states_pixels: bool = False,
    needs_labels: bool = True,
) -> TrainingInput:
    """Return the input of a training on a dataset.

    If possible, these are the folders and tables of the user, so that the run records the location of its images. If
    they do not contain everything (labels were changed in the app, the dataset was opened without labels, domains have
    names), it is a table whose name is a hash of its content: a training uses the labels at the time of its request.

    Args:
        workspace: the workspace.
        dataset_id: a dataset of labeled images.
        grouped: the grouping, if it differs from that of the dataset.
        in_one: return one folder or table, even if the dataset has several.
        folder: the folder of the table; None: `snapshots/`, for a job that will name the table.
        states_pixels: return a table that states which pixels of the files were chosen for the dataset.
        needs_labels: refuse a dataset without labels.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: no image has a label, or a name cannot be written to a table.
        Conflict: files are not those that were labeled any more.
    """
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        if needs_labels and not row.summary["n_labeled"]:
            raise BadDataset("unlabeled-dataset")
        grouping = grouped or Grouping(row.group_column, row.group_pattern)
        row_of = row_ids_of(connection, dataset_id)
        if _is_complete(connection, row) and not states_pixels and (len(row.sources) == 1 or not in_one):
            return TrainingInput(source_paths(row), grouping, row_of)
        refuse_changed_files(connection, row)
        if grouping.ignores_groups:
            groups: dict[str, str | None] | None = {}
        else:
            groups = None if grouped is None else groups_of_images(workspace, row, grouped)
        column = _group_column(grouping.column)
        folder = folder or workspace.snapshots
        stated = stated_paths(folder)
        lines = _lines(connection, row, stated, groups=groups, group_column=column, states_pixels=states_pixels)
        data = "".join(lines).encode()
    file = write_snapshot(folder, "", data)
    has_groups = bool(row.summary["n_groups"]) if groups is None else any(groups.values())
    named = (
        Grouping(column, column_pattern=grouping.pattern)
        if has_groups
        else Grouping(ignores_groups=grouping.ignores_groups)
    )
    return TrainingInput([str(file)], named, row_of)


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
            yield from _lines(connection, dataset_row(connection, dataset_id))

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
    stated: Callable[[str], str] = str,
    *,
    groups: Mapping[str, str | None] | None = None,
    group_column: str = "group",
    states_pixels: bool = False,
) -> Iterator[str]:
    """Yield the table in batches, with `groups` by image_id, if given, in the column `group_column`.

    `stated` returns the path in the table of an absolute path.
    """
    columns = _label_columns(connection, row)
    if states_pixels:
        columns += [name for name in PLAN_COLUMNS if name not in columns]
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
        if states_pixels:
            records = [replace(record, stated=record.stated.union(PLAN_COLUMNS)) for record in records]
        rows = []
        for position, record in enumerate(records, start):
            if position in outside:
                continue
            cells = cells_of(record, stated=stated) | {name: cell for name, cell in record.about if _is_further(name)}
            if position in excluded:
                cells["split"] = "excluded"
            if "width" in columns and record.plan.region is not None:  # also of points among boxes
                cells |= zip(_BOX, map(str, record.plan.region), strict=True)
            rows.append([cells.get(column, "") for column in columns])
        yield csv_text(rows)


def _label_columns(connection: Connection, row: AnyRow) -> list[str]:
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
    return list(filter(_is_further, names))


def _is_further(column: str) -> bool:
    return column.casefold() not in _STANDARD_COLUMNS and not column.casefold().startswith(_CHANNEL)


def _outside(connection: Connection, row: AnyRow) -> set[int]:
    """Return the positions of images that the app may not read."""
    outside = select(image_facts.c.row_id).where(image_facts.c.reason == OUTSIDE)
    return _positions(connection, row, (images.c.problem == "unreadable") & images.c.row_id.in_(outside))


def _positions(connection: Connection, row: AnyRow, condition: ColumnElement[bool]) -> set[int]:
    return set(connection.execute(select(images.c.position).where(images.c.dataset_id == row.id, condition)).scalars())
