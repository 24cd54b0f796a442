"""Undo and redo changes of labels, exclusions, answers, decisions, joined images and labels of overwritten images.

A row of a change is undone if it still has the value that the change gave it, and no later change affects it. Other
rows stay as they are and are named. If there are only others, nothing is changed.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, exists, or_, select, update

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import NotFound
from coverslip.workspace.correcting.corrections import store_answers, stored_answers
from coverslip.workspace.correcting.draws import store_decisions, stored_decisions
from coverslip.workspace.correcting.joining import joined_source, restore_joined
from coverslip.workspace.correcting.object_edits import replace_objects
from coverslip.workspace.datasets.image_rows import (
    keep_overwritten,
    restore_kept,
    restore_overwritten,
    separate_overwritten,
)
from coverslip.workspace.datasets.reading_images import search_duplicates
from coverslip.workspace.datasets.state import DatasetState, change_images, dataset_state
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.change_log import IMAGE_COLUMNS, OF_IMAGES, ChangedField
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import AnyRow, ChangedSince, among_integers, are_rows, dataset_row
from coverslip.workspace.store.tables import changed_rows, changes, images, jobs
from coverslip.workspace.store.workspace import Workspace

_MOST_RETURNED = 1_000


@dataclass(frozen=True, slots=True)
class ChangeStep(DocumentedFields):
    """A change that was undone or redone."""

    n: int
    """Images that changed, without those of a joined table."""
    rows: list[int]
    """The row_ids of the first 1,000 of them that are in the dataset."""
    n_left: int
    """Images that were changed again since, and stay as they are."""
    left: list[int]
    """The row_ids of the first 1,000 of them; of answers about a prediction, its rows."""
    dataset: DatasetState | None
    """Null if the change was in no dataset."""


def author_of(workspace: Workspace, change_id: int) -> str | None:
    """Return who made a change; None if there is no such change."""
    query = select(changes.c.made_by).where(changes.c.id == change_id)
    with workspace.engine.connect() as connection:
        return connection.execute(query).scalar_one_or_none()


def undo(workspace: Workspace, change_id: int) -> ChangeStep:
    """Undo one change.

    Args:
        workspace: the workspace.
        change_id: the ID of the change.

    Raises:
        NotFound: there is no such change, or its dataset was removed.
        ChangedSince: it is already undone, or all of its images were changed again.
    """
    return _step(workspace, change_id, is_undone=True)


def redo(workspace: Workspace, change_id: int) -> ChangeStep:
    """Redo one change; arguments, result and errors are those of `undo`."""
    return _step(workspace, change_id, is_undone=False)


def _step(workspace: Workspace, change_id: int, *, is_undone: bool) -> ChangeStep:
    is_joined = _step_joined(workspace, change_id, is_undone=is_undone)
    stepped_objects = _step_objects(workspace, change_id, is_undone=is_undone)
    with write_transaction(workspace.engine) as connection:
        change = _change(connection, change_id)
        rows = _changed_rows(connection, change, is_undone=is_undone)
        if not rows:
            raise ChangedSince("change-gone")
        done = {field: _apply(connection, change, field, rows[field], is_undone=is_undone) for field in rows}
        if is_joined and ChangedField.JOIN in rows:
            done[ChangedField.JOIN] = {0}
        if ChangedField.OBJECT in rows:
            done[ChangedField.OBJECT] = stepped_objects
        if not any(done.values()):
            raise ChangedSince("changed-since")
        for field, row_ids in done.items():
            are_done = (changed_rows.c.change_id == change_id) & (changed_rows.c.field == field)
            are_done &= changed_rows.c.row_id.in_(among_integers(row_ids))
            connection.execute(update(changed_rows).where(are_done).values(is_undone=is_undone))
        listed = {row_id for field in OF_IMAGES for row_id in done.get(field, ())}
        are_listed = images.c.row_id.in_(among_integers(listed)) & images.c.dataset_id.is_not(None)
        first = select(images.c.row_id).where(are_listed).order_by(images.c.row_id).limit(_MOST_RETURNED)
        present = list(connection.execute(first).scalars())
    if done.get(ChangedField.EXCLUSION):
        search_duplicates(workspace, change.dataset_id)
    # Rows that a change left as they were only prevent an undo of earlier changes.
    changed = {
        field: [row.row_id for row in of_field if row.before != row.after or field is ChangedField.REPLACEMENT]
        for field, of_field in rows.items()
    }
    left = max(([each for each in row_ids if each not in done[field]] for field, row_ids in changed.items()), key=len)
    return ChangeStep(
        n=max(
            (len(done[field].intersection(ids)) for field, ids in changed.items() if field is not ChangedField.JOIN),
            default=0,
        ),
        rows=present,
        n_left=len(left),
        left=left[:_MOST_RETURNED],
        dataset=None if change.dataset_id is None else dataset_state(workspace, change.dataset_id),
    )


def _change(connection: Connection, change_id: int) -> AnyRow:
    change = connection.execute(select(changes).where(changes.c.id == change_id)).one_or_none()
    if change is None:
        raise NotFound("no-such-change")
    if change.dataset_id is not None:
        dataset_row(connection, change.dataset_id)
    return change


def _changed_rows(connection: Connection, change: AnyRow, *, is_undone: bool) -> dict[ChangedField, list[AnyRow]]:
    """Return the rows of a change to undo or redo, by field; `is_last` states that no later change affects the row."""
    later, later_changes = changed_rows.alias("later"), changes.alias("later_changes")
    is_of_job = later_changes.c.job_id == change.job_id
    is_of_dataset = later_changes.c.dataset_id == change.dataset_id
    is_same = or_(
        changed_rows.c.field.in_(OF_IMAGES),
        is_of_job & or_(changed_rows.c.field == ChangedField.ANSWER, is_of_dataset),
    )
    is_later = (later.c.change_id > change.id) & ~later.c.is_undone & (later_changes.c.id == later.c.change_id)
    has_later = exists().where(
        later.c.field == changed_rows.c.field, later.c.row_id == changed_rows.c.row_id, is_later, is_same
    )
    before, after = changed_rows.c.before, changed_rows.c.after
    expected, new = (after, before) if is_undone else (before, after)
    columns = (changed_rows.c.field, changed_rows.c.row_id, before, after, expected.label("expected"), new.label("new"))
    query = select(*columns, (~has_later).label("is_last")).where(changed_rows.c.change_id == change.id)
    rows: dict[ChangedField, list[AnyRow]] = {}
    for row in connection.execute(query.where(changed_rows.c.is_undone != is_undone).order_by(changed_rows.c.row_id)):
        rows.setdefault(ChangedField(row.field), []).append(row)
    return rows


def _step_joined(workspace: Workspace, change_id: int, *, is_undone: bool) -> bool:
    """Replace the joined table of a change, which cannot be a part of a transaction; return whether it is there now.

    It can be repeated, if the process ends before the change is marked as undone.
    """
    with workspace.engine.connect() as connection:
        change = _change(connection, change_id)
        row = next(iter(_changed_rows(connection, change, is_undone=is_undone).get(ChangedField.JOIN, ())), None)
        if row is None or not row.is_last:
            return False
        dataset = dataset_row(connection, change.dataset_id)
    job = find_job(workspace, change.job_id, "predict")
    if joined_source(job, dataset) == row.expected:
        restore_joined(workspace, job, dataset, row.new)
        return True
    return bool(joined_source(job, dataset) == row.new)


def _step_objects(workspace: Workspace, change_id: int, *, is_undone: bool) -> set[int]:
    """Exchange the objects of a change in their table for those that they replaced, or back; return the row_ids.

    This can be repeated, as `_step_joined`.

    Raises:
        ChangedSince: one of them was changed again.
    """
    with workspace.engine.connect() as connection:
        change = _change(connection, change_id)
        rows = _changed_rows(connection, change, is_undone=is_undone)
        last = {row.row_id: row.expected for row in rows.get(ChangedField.EXCLUSION, ()) if row.is_last}
        current = _current(connection, change, ChangedField.EXCLUSION, last)
    objects = rows.get(ChangedField.OBJECT, ())
    if not all(row.is_last and row.row_id in current and current[row.row_id] == last[row.row_id] for row in objects):
        raise ChangedSince("changed-since")
    if objects:
        added = [json.loads(row.new) for row in objects if row.new]
        removed = [json.loads(row.expected)["image_id"] for row in objects if row.expected]
        replace_objects(workspace, change.dataset_id, added=added, removed=removed)
    return {row.row_id for row in objects}


def _apply(
    connection: Connection, change: AnyRow, field: ChangedField, rows: Sequence[AnyRow], *, is_undone: bool
) -> set[int]:
    """Give rows of a change their new values; return those that had the expected value."""
    last = {row.row_id: row for row in rows if row.is_last}
    if field is ChangedField.REPLACEMENT:
        if is_undone:
            return restore_overwritten(connection, change.dataset_id, last)
        return {row.row_id for row in separate_overwritten(connection, change.dataset_id, last)}
    if field is ChangedField.KEPT:
        return restore_kept(connection, change, last) if is_undone else _redo_keep(connection, change, last)
    current = _current(connection, change, field, last)
    new = {row_id: row.new for row_id, row in last.items() if row_id in current and current[row_id] == row.expected}
    if field is ChangedField.ANSWER:
        store_answers(connection, change.job_id, new)
    elif field is ChangedField.DECISION:
        store_decisions(connection, change.dataset_id, new)
    elif new:
        is_row = (changed_rows.c.change_id == change.id) & (changed_rows.c.field == field)
        is_row &= changed_rows.c.row_id == images.c.row_id
        value = select(changed_rows.c.before if is_undone else changed_rows.c.after).where(is_row)
        text = value.correlate(images).scalar_subquery()
        values = {"label": text} if field is ChangedField.LABEL else {"is_excluded": text == "1"}
        are_new = images.c.row_id.in_(among_integers(new))
        present = select(images.c.row_id).where(are_new, images.c.dataset_id == change.dataset_id)
        change_images(connection, change.dataset_id, among_integers(connection.execute(present).scalars()), **values)
        connection.execute(update(images).where(are_new, images.c.missing_from == change.dataset_id).values(**values))
    return set(new)


def _redo_keep(connection: Connection, change: AnyRow, rows: Mapping[int, AnyRow]) -> set[int]:
    """Redo `keep_overwritten` for images of which neither the former nor the current content has changed."""
    are_overwritten = images.c.content_before.is_not(None) & are_rows(change.dataset_id, rows)
    columns = (images.c.row_id, images.c.content_before, images.c.content)
    current = connection.execute(select(*columns).where(are_overwritten))
    same = {
        row.row_id
        for row in current
        if (row.content_before, row.content) == (json.loads(rows[row.row_id].before)["content"], rows[row.row_id].after)
    }
    keep_overwritten(connection, change.dataset_id, same)
    return same


def _current(
    connection: Connection, change: AnyRow, field: ChangedField, row_ids: Collection[int]
) -> Mapping[int, str | None]:
    """Return the current values of a field; those of images and predictions that were deleted are not included."""
    match field:
        case ChangedField.JOIN | ChangedField.OBJECT:  # it was replaced before
            return {}
        case ChangedField.ANSWER:
            if connection.execute(select(jobs.c.id).where(jobs.c.id == change.job_id)).first() is None:
                return {}
            stored = stored_answers(connection, change.job_id, row_ids)
        case ChangedField.DECISION:
            stored = stored_decisions(connection, row_ids)
        case _:
            is_of_dataset = (images.c.dataset_id == change.dataset_id) | (images.c.missing_from == change.dataset_id)
            are_rows = images.c.row_id.in_(among_integers(row_ids)) & is_of_dataset
            columns = (images.c.row_id, IMAGE_COLUMNS[field].label("value"))
            return {row.row_id: row.value for row in connection.execute(select(*columns).where(are_rows))}
    return {row_id: stored.get(row_id) for row_id in row_ids}
