"""The log of changes that users can undo: who changed what and when, with the values before and after.

A change has rows: a field of an image or of a row of a job, before and after. A row is undone or redone by itself, and
only if nothing has changed it since. `correcting.undoing` does so.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, String, cast, delete, exists, func, insert, literal, select
from sqlalchemy.dialects import sqlite

from coverslip.workspace.store.rows import among_integers, author_name, now
from coverslip.workspace.store.tables import changed_rows, changes, images

LoggedRow = tuple[int, str | None, str | None]  # row_id, and the values before and after


class ChangedField(StrEnum):
    """What a change changes. Each value is stored as text; None: there is none."""

    LABEL = "label"  # of an image
    EXCLUSION = "exclusion"  # of an image: 1 or 0
    OBJECT = "object"  # drawn, merged or split: its row of the table of objects as JSON; None: it is not in the table
    DECISION = "decision"  # about an image whose readings differ: its label, time and author as JSON
    REPLACEMENT = "replacement"  # of an overwritten image by a new one of the same file: the label of each
    KEPT = "kept"  # of an overwritten image: its former content, and what was of it, as JSON; its current content
    ANSWER = "answer"  # about an image of a prediction: the row of `corrections` as JSON
    JOIN = "join"  # the joined table of a prediction in a dataset, and its domain, as JSON; its row_id is 0


# Whose row_id is that of an image
OF_IMAGES = (
    *(ChangedField.LABEL, ChangedField.EXCLUSION, ChangedField.OBJECT, ChangedField.DECISION),
    *(ChangedField.REPLACEMENT, ChangedField.KEPT),
)
IMAGE_COLUMNS: Mapping[ChangedField, ColumnElement[Any]] = {
    ChangedField.LABEL: images.c.label,
    ChangedField.EXCLUSION: cast(images.c.is_excluded, String),
}


def add_change(connection: Connection, dataset_id: str | None, job_id: str | None = None) -> int:
    """Add a change without rows, by the author of the request; return its ID.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset, which exists.
        job_id: the training, evaluation or prediction whose images a user changed; None: pages of the dataset.
    """
    values = {"dataset_id": dataset_id, "job_id": job_id, "made": now(), "made_by": author_name()}
    change_id: int = connection.execute(insert(changes).values(**values).returning(changes.c.id)).scalar_one()
    return change_id


def without_empty(connection: Connection, change_id: int) -> int | None:
    """Return the ID of a change; None if it has changed nothing, after it was removed."""
    has_rows = exists().where(changed_rows.c.change_id == change_id)
    is_empty = (changes.c.id == change_id) & ~has_rows
    return None if connection.execute(delete(changes).where(is_empty)).rowcount else change_id


def log_rows(connection: Connection, change_id: int, field: ChangedField, rows: Iterable[LoggedRow]) -> None:
    """Add rows to a change, in a writing transaction."""
    values = [
        {"change_id": change_id, "field": field, "row_id": row_id, "before": before, "after": after, "is_undone": False}
        for row_id, before, after in rows
    ]
    if values:
        connection.execute(insert(changed_rows), values)


def log_images(
    connection: Connection,
    change_id: int,
    field: ChangedField,
    are_changed: ColumnElement[bool],
    after: str | None,
    *,
    made_by: str | None = None,
) -> int:
    """Add rows for the label or exclusion of images to a change, before it is made; return how many.

    Args:
        connection: a connection in a writing transaction.
        change_id: the change.
        field: the label or the exclusion.
        are_changed: the condition for the images.
        after: the new value.
        made_by: who gave the labels, if not the author of the change.
    """
    stated = (literal(change_id), literal(field.value), images.c.row_id, IMAGE_COLUMNS[field], literal(after, String))
    query = select(*stated, literal(made_by, String), literal(False)).where(are_changed)
    insertion = sqlite.insert(changed_rows).from_select([each.name for each in changed_rows.c], query)
    # A prediction can have two answers about an image: the last one counts.
    insertion = insertion.on_conflict_do_update(set_={"after": insertion.excluded.after})
    n: int = connection.execute(insertion, execution_options={"preserve_rowcount": True}).rowcount
    return n


def last_changes(field: ChangedField, *columns: ColumnElement[Any], job_id: str | None = None) -> Select[Any]:
    """Return a query for the row_id and ID of the last change of a field that is not undone, and columns of it.

    Args:
        field: the field.
        columns: of `changes` and `changed_rows`.
        job_id: only changes of a job.
    """
    last = func.max(changed_rows.c.change_id).label("change_id")  # SQLite takes the other columns from the same row
    query = select(changed_rows.c.row_id, last, *columns).join_from(changed_rows, changes)
    query = query.where(changed_rows.c.field == field, ~changed_rows.c.is_undone)
    if job_id is not None:
        query = query.where(changes.c.job_id == job_id)
    return query.group_by(changed_rows.c.row_id)


def delete_rows_of_images(connection: Connection, row_ids: Collection[int]) -> None:
    """Delete what changes state about images that are deleted, in a writing transaction."""
    is_of_images = changed_rows.c.field.in_(OF_IMAGES) & changed_rows.c.row_id.in_(among_integers(row_ids))
    connection.execute(delete(changed_rows).where(is_of_images))
