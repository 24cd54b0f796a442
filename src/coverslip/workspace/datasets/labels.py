"""Labels and confirmations from the app. Each change is saved at once and can be undone."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, String, delete, insert, literal, select, update

from coverslip.errors import Conflict
from coverslip.workspace.datasets.changed_files import refuse_changed_files
from coverslip.workspace.datasets.state import change_images, clean_name
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    ChangedSince,
    author_name,
    class_order,
    confirmed_images,
    dataset_row,
    now,
)
from coverslip.workspace.store.sql import among_integers
from coverslip.workspace.store.tables import changed_labels, confirmed_labels, datasets, images, label_changes
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import selected_rows
from coverslip.workspace.viewing.lists import ImageSelection


def set_labels(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    label: str | None,
    *,
    author: str | None = None,
) -> tuple[int | None, int]:
    """Label images, or remove their labels. A new name becomes a class.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images.
        label: the label; None removes the labels.
        author: who changes the labels; None: the user account of this process.

    Returns:
        The number of the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selected_rows`.
        ImagesChanged: one of the images is not in it; no label is changed.
        CoverslipError: this cannot be the name of a class, or the dataset does not support a filter.
    """
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        row_ids = selected_rows(connection, row, selection)
        return label_rows(connection, row, row_ids, label, author=author)


def label_rows(
    connection: Connection,
    row: AnyRow,
    row_ids: Collection[int],
    label: str | None,
    *,
    job_id: str | None = None,
    author: str | None = None,
) -> tuple[int | None, int]:
    """Label images within a writing transaction.

    Args:
        connection: a connection in that transaction.
        row: the row of the dataset.
        row_ids: the images, all of this dataset.
        label: the label; None removes the labels.
        job_id: the training, evaluation or prediction in which the label was changed; None: the dataset's gallery.
        author: who changes the labels; None: the user account of this process.

    Returns:
        As `set_labels`.

    Raises:
        Conflict: files of the images changed since they were read.
        CoverslipError: this cannot be the name of a class.
    """
    refuse_changed_files(connection, row, row_ids)
    label = None if label is None else clean_name(label)
    is_changed = images.c.row_id.in_(among_integers(row_ids)) & images.c.label.is_distinct_from(label)
    change = insert(label_changes).values(
        dataset_id=row.id, made=now(), is_undone=False, label=label, made_by=author or author_name(), job_id=job_id
    )
    change_id = connection.execute(change.returning(label_changes.c.id)).scalar_one()
    changed = select(literal(change_id), images.c.row_id, images.c.label).where(is_changed)
    insertion = insert(changed_labels).from_select(list(changed_labels.c), changed)
    if not connection.execute(insertion, execution_options={"preserve_rowcount": True}).rowcount:
        # No label has changed. This is rare, and a check beforehand would cost each change a query.
        connection.execute(delete(label_changes).where(label_changes.c.id == change_id))
        return None, 0
    if label is not None:
        add_classes(connection, row, [label])
    return change_id, change_images(connection, row.id, _rows_of(change_id), label=literal(label, String))


def add_classes(connection: Connection, row: AnyRow, classes: Sequence[str]) -> None:
    """Append new classes to the classes of a dataset. They get the next keys, and keep them even without images."""
    names = class_order(row.class_names, row.summary["classes"])
    if not set(classes) <= set(names):
        all_names = list(dict.fromkeys([*names, *classes]))
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(class_names=all_names))


def label_before(connection: Connection, row_id: int, *, job_id: str) -> tuple[str | None, bool]:
    """Return the label that an image had before a job changed it, and whether the job's change is the last one.

    If another change followed, the job's change cannot be undone.
    """
    changes = connection.execute(
        select(label_changes.c.job_id, changed_labels.c.earlier_label)
        .join(changed_labels, changed_labels.c.change_id == label_changes.c.id)
        .where(changed_labels.c.row_id == row_id, ~label_changes.c.is_undone)
        .order_by(label_changes.c.id.desc())
    ).all()
    job_changes = list(itertools.takewhile(lambda change: change.job_id == job_id, changes))
    return (job_changes[-1].earlier_label, True) if job_changes else (None, False)


_MOST_RETURNED = 1_000


@dataclass(frozen=True, slots=True)
class ChangedLabels:
    """Images whose labels a change, its undo or its redo affects."""

    n: int
    rows: list[int]  # the first of them


def author_of(workspace: Workspace, dataset_id: str, change_id: int) -> str | None:
    """Return who made a change of labels; None if there is no such change."""
    of_dataset = (label_changes.c.dataset_id == dataset_id) & (label_changes.c.id == change_id)
    with workspace.engine.connect() as connection:
        return connection.execute(select(label_changes.c.made_by).where(of_dataset)).scalar_one_or_none()


def undo(workspace: Workspace, dataset_id: str, change_id: int) -> ChangedLabels:
    """Undo one change.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        change_id: the number of the change, as `set_labels` returned it.

    Returns:
        Its images that are still in the dataset.

    Raises:
        NotFound: there is no such dataset.
        ChangedSince: it is already undone, its images were removed, or one of them was labeled again; no label is
            changed.
    """
    return _apply_change(workspace, dataset_id, change_id, is_undone=True)


def redo(workspace: Workspace, dataset_id: str, change_id: int) -> ChangedLabels:
    """Redo one change; arguments, result and errors are those of `undo`."""
    return _apply_change(workspace, dataset_id, change_id, is_undone=False)


def _apply_change(workspace: Workspace, dataset_id: str, change_id: int, *, is_undone: bool) -> ChangedLabels:
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        return _change_within(connection, dataset_id, change_id, is_undone=is_undone)


def undo_change(connection: Connection, dataset_id: str, change_id: int) -> ChangedLabels:
    """Undo one change within a writing transaction; result and errors are those of `undo`."""
    return _change_within(connection, dataset_id, change_id, is_undone=True)


def _change_within(connection: Connection, dataset_id: str, change_id: int, *, is_undone: bool) -> ChangedLabels:
    of_dataset = (label_changes.c.dataset_id == dataset_id) & (label_changes.c.id == change_id)
    change = connection.execute(select(label_changes).where(of_dataset)).one_or_none()
    is_present = (images.c.row_id == changed_labels.c.row_id) & (images.c.dataset_id == dataset_id)
    row_ids = _rows_of(change_id)
    present = row_ids.join(images, is_present).order_by(changed_labels.c.row_id)
    first_rows = [each.row_id for each in connection.execute(present.limit(_MOST_RETURNED))]
    if change is None or not first_rows or change.is_undone == is_undone:
        raise ChangedSince("label-change-gone")
    earlier_label = (
        select(changed_labels.c.earlier_label)
        .where(changed_labels.c.change_id == change_id, changed_labels.c.row_id == images.c.row_id)
        .correlate(images)
        .scalar_subquery()
    )
    new_label = literal(change.label, String)
    expected, target = (new_label, earlier_label) if is_undone else (earlier_label, new_label)
    differs = images.c.row_id.in_(row_ids) & images.c.label.is_distinct_from(expected)
    has_changed = connection.execute(select(images.c.row_id).where(differs).limit(1)).first() is not None
    if has_changed or _is_changed_later(connection, change_id):
        raise ChangedSince("labels-changed-since")
    n = change_images(connection, dataset_id, present.order_by(None), label=target)
    is_missing = images.c.row_id.in_(row_ids) & (images.c.missing_from == dataset_id)
    connection.execute(update(images).where(is_missing).values(label=target))
    connection.execute(update(label_changes).where(of_dataset).values(is_undone=is_undone))
    return ChangedLabels(n, first_rows)


def _rows_of(change_id: int) -> Select[Any]:  # Any: columns as the table defines them
    """Return a query for the row_ids of the images of a change."""
    return select(changed_labels.c.row_id).where(changed_labels.c.change_id == change_id)


def _is_changed_later(connection: Connection, change_id: int) -> bool:
    """Return whether a later change affects an image of this one, even if its label is the same again."""
    later = changed_labels.alias("later")
    query = (
        select(later.c.row_id)
        .select_from(changed_labels)
        .join(later, (later.c.row_id == changed_labels.c.row_id) & (later.c.change_id > change_id))
        .join(label_changes, label_changes.c.id == later.c.change_id)
        .where(changed_labels.c.change_id == change_id, ~label_changes.c.is_undone)
    )
    return connection.execute(query.limit(1)).first() is not None


def confirm_labels(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    *,
    is_confirmed: bool,
    author: str | None = None,
) -> list[int]:
    """Confirm the current labels of images, or remove confirmations.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images.
        is_confirmed: confirm their labels; otherwise remove the confirmations.
        author: who confirms them; None: the user account of this process.

    Returns:
        The row_ids of the images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selected_rows`.
        ImagesChanged: one of the images is not in it; nothing is changed.
        Conflict: one of the images has no label.
        CoverslipError: the dataset does not support a filter.
    """
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        row_ids = selected_rows(connection, row, selection)
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
                literal(author or author_name()),
            )
            confirmations = select(*columns).where(images.c.row_id.in_(among_integers(changed_rows)))
            connection.execute(insert(confirmed_labels).from_select(list(confirmed_labels.c), confirmations))
        return changed_rows
