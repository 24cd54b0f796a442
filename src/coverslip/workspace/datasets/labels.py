"""Labels and confirmations from the app. Each change is saved at once and can be undone."""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, select, text, update

from coverslip.datasets import natural_key
from coverslip.errors import Conflict
from coverslip.machine import account_name
from coverslip.workspace.datasets.state import clean_name, mark_equal_pixels
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    ChangedSince,
    class_order,
    confirmed_images,
    dataset_row,
    now,
    positions_of,
    values,
)
from coverslip.workspace.store.tables import confirmed_labels, datasets, images, label_changes
from coverslip.workspace.store.workspace import Workspace

_AT_POSITIONS = "WHERE dataset_id = :dataset AND position IN (SELECT value FROM json_each(:positions))"


def set_labels(
    workspace: Workspace,
    dataset_id: str,
    image_ids: Collection[str],
    label: str | None,
    *,
    revisions: Collection[str] | None = None,
    author: str | None = None,
) -> tuple[int | None, int]:
    """Label images, or remove their labels. A new name becomes a class.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        image_ids: the images.
        label: the label; None removes the labels.
        revisions: the expected revisions of the dataset; None: any.
        author: who changes the labels; None: the user account of this process.

    Returns:
        The number of the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionFailed: it has another revision.
        ImagesChanged: one of the images is not in it; no label is changed.
        CoverslipError: this cannot be the name of a class.
    """
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id, revisions)
        positions = positions_of(connection, dataset_id, image_ids)
        return label_positions(connection, row, positions, label, author=author)


def label_positions(
    connection: Connection,
    row: AnyRow,
    positions: Collection[int],
    label: str | None,
    *,
    job_id: str | None = None,
    author: str | None = None,
) -> tuple[int | None, int]:
    """Label images within a writing transaction, in which their positions are valid.

    Args:
        connection: a connection in that transaction.
        row: the row of the dataset.
        positions: the images.
        label: the label; None removes the labels.
        job_id: the training, evaluation or prediction in which the label was changed; None: the dataset's gallery.
        author: who changes the labels; None: the user account of this process.

    Returns:
        As `set_labels`.

    Raises:
        CoverslipError: this cannot be the name of a class.
    """
    label = None if label is None else clean_name(label)
    rows = connection.execute(
        text(f"SELECT position, label FROM images {_AT_POSITIONS} ORDER BY position"),  # noqa: S608 - only marks and fixed names are put in
        {"dataset": row.id, "positions": json.dumps(list(positions))},
    ).all()
    old_labels = [[position, old] for position, old in rows if old != label]
    if not old_labels:
        return None, 0
    change = connection.execute(
        insert(label_changes).values(
            dataset_id=row.id,
            made=now(),
            is_undone=False,
            label=label,
            before=old_labels,
            made_by=author or account_name(),
            job_id=job_id,
        )
    ).inserted_primary_key
    if label is not None:
        add_classes(connection, row, [label])
    _write_labels(connection, row, {label: [position for position, _ in old_labels]})
    return (change[0] if change else None), len(old_labels)


def add_classes(connection: Connection, row: AnyRow, classes: Sequence[str]) -> None:
    """Append new classes to the classes of a dataset. They get the next keys, and keep them even without images."""
    names = class_order(row.class_names, row.summary["classes"])
    if not set(classes) <= set(names):
        all_names = list(dict.fromkeys([*names, *classes]))
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(class_names=all_names))


def label_before(connection: Connection, dataset_id: str, position: int, *, job_id: str) -> tuple[str | None, bool]:
    """Return the label that an image had before a job changed it, and whether the job's change is the last one.

    If another change followed, the job's change cannot be undone.
    """
    changes = connection.execute(
        text(
            "SELECT job_id, json_extract(image.value, '$[1]') AS label FROM label_changes, json_each(before) AS image "
            "WHERE dataset_id = :dataset AND NOT is_undone AND json_extract(image.value, '$[0]') = :position "
            "ORDER BY label_changes.id DESC"
        ),
        {"dataset": dataset_id, "position": position},
    ).all()
    job_changes = list(itertools.takewhile(lambda change: change.job_id == job_id, changes))
    return (job_changes[-1].label, True) if job_changes else (None, False)


def undo(
    workspace: Workspace, dataset_id: str, change_id: int, *, revisions: Collection[str] | None = None
) -> list[str]:
    """Undo one change.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        change_id: the number of the change, as `set_labels` returned it.
        revisions: the expected revisions of the dataset; None: any.

    Returns:
        The IDs of its images that are still in the dataset.

    Raises:
        NotFound: there is no such dataset.
        PreconditionFailed: the dataset has another revision.
        ChangedSince: it is already undone, its images were removed, or one of them was labeled again; no label is
            changed.
    """
    return _apply_change(workspace, dataset_id, change_id, revisions, is_undone=True)


def redo(
    workspace: Workspace, dataset_id: str, change_id: int, *, revisions: Collection[str] | None = None
) -> list[str]:
    """Redo one change; arguments, result and errors are those of `undo`."""
    return _apply_change(workspace, dataset_id, change_id, revisions, is_undone=False)


def _apply_change(
    workspace: Workspace, dataset_id: str, change_id: int, revisions: Collection[str] | None, *, is_undone: bool
) -> list[str]:
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id, revisions)
        of_dataset = (label_changes.c.dataset_id == dataset_id) & (label_changes.c.id == change_id)
        change = connection.execute(select(label_changes).where(of_dataset)).one_or_none()
        if change is None or not change.before or change.is_undone == is_undone:
            raise ChangedSince("label-change-gone")
        earlier: dict[int, str | None] = dict(change.before)
        new_labels = dict.fromkeys(earlier, change.label)
        expected, target_labels = (new_labels, earlier) if is_undone else (earlier, new_labels)
        is_affected = (images.c.dataset_id == dataset_id) & images.c.position.in_(values(json.dumps(list(earlier))))
        rows = connection.execute(
            select(images.c.position, images.c.image_id, images.c.label).where(is_affected).order_by(images.c.position)
        ).all()
        n_changed = sum(image.label != expected[image.position] for image in rows)
        if n_changed or _is_changed_later(connection, change):
            raise ChangedSince("labels-changed-since")
        positions_by_label: dict[str | None, list[int]] = defaultdict(list)
        for position, label in target_labels.items():
            positions_by_label[label].append(position)
        _write_labels(connection, row, positions_by_label)
        connection.execute(update(label_changes).where(of_dataset).values(is_undone=is_undone))
        return [image.image_id for image in rows]


def _is_changed_later(connection: Connection, change: AnyRow) -> bool:
    """Return whether a later change affects an image of this one, even if its label is the same again."""
    later = connection.execute(
        text(
            "SELECT 1 FROM label_changes, json_each(before) AS image WHERE dataset_id = :dataset "
            "AND label_changes.id > :change AND NOT is_undone AND json_extract(image.value, '$[0]') "
            "IN (SELECT value FROM json_each(:positions)) LIMIT 1"
        ),
        {
            "dataset": change.dataset_id,
            "change": change.id,
            "positions": json.dumps([position for position, _ in change.before]),
        },
    )
    return later.first() is not None


def confirm_labels(
    workspace: Workspace,
    dataset_id: str,
    image_ids: Collection[str],
    *,
    is_confirmed: bool,
    revisions: Collection[str] | None = None,
    author: str | None = None,
) -> list[str]:
    """Confirm the current labels of images, or remove confirmations.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        image_ids: the images.
        is_confirmed: confirm their labels; otherwise remove the confirmations.
        revisions: the expected revisions of the dataset; None: any.
        author: who confirms them; None: the user account of this process.

    Returns:
        The IDs of the images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionFailed: it has another revision.
        ImagesChanged: one of the images is not in it; nothing is changed.
        Conflict: one of the images has no label.
    """
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id, revisions)
        positions_of(connection, dataset_id, image_ids)
        requested_ids = values(json.dumps(list(image_ids)))
        is_requested = (images.c.dataset_id == dataset_id) & images.c.image_id.in_(requested_ids)
        is_confirmed_now = images.c.image_id.in_(confirmed_images(dataset_id))
        affected = connection.execute(
            select(images.c.image_id, images.c.label).where(
                is_requested, ~is_confirmed_now if is_confirmed else is_confirmed_now
            )
        ).all()
        if is_confirmed and any(label is None for _, label in affected):
            raise Conflict("unlabeled-not-confirmed")
        changed_ids = [image_id for image_id, _ in affected]
        is_changed = confirmed_labels.c.image_id.in_(values(json.dumps(changed_ids)))
        connection.execute(delete(confirmed_labels).where(confirmed_labels.c.dataset_id == dataset_id, is_changed))
        if is_confirmed and affected:
            common = {"dataset_id": dataset_id, "made": now(), "made_by": author or account_name()}
            rows = [{**common, "image_id": image_id, "label": label} for image_id, label in affected]
            connection.execute(insert(confirmed_labels), rows)
        return changed_ids


def _write_labels(connection: Connection, row: AnyRow, positions_by_label: dict[str | None, list[int]]) -> None:
    """Label positions, and update everything that depends on labels.

    Only changes are counted: counting 100,000 images at every key press would be slow.
    """
    positions_json = json.dumps([position for positions in positions_by_label.values() for position in positions])
    n_of, n_changed = _count_labels(connection, row.id, positions_json)
    for label, positions in positions_by_label.items():
        connection.execute(
            text(f"UPDATE images SET label = :label {_AT_POSITIONS}"),  # noqa: S608 - only marks and fixed names are put in
            {"label": label, "dataset": row.id, "positions": json.dumps(positions)},
        )
    n_of_now, n_changed_now = _count_labels(connection, row.id, positions_json)
    n_of_now.subtract(n_of)
    summary = dict(row.summary)
    summary["n_labeled"] -= n_of_now.pop(None, 0)
    summary["n_changed"] += n_changed_now - n_changed
    counts: Counter[str] = Counter(summary["classes"])
    counts.update({name: n for name, n in n_of_now.items() if name is not None})
    summary["classes"] = {name: counts[name] for name in sorted(counts, key=natural_key) if counts[name]}
    connection.execute(
        update(datasets).where(datasets.c.id == row.id).values(summary=summary, revision=datasets.c.revision + 1)
    )
    mark_equal_pixels(connection, row.id, positions_json)


def _count_labels(connection: Connection, dataset_id: str, positions_json: str) -> tuple[Counter[str | None], int]:
    """Return the number of these images with each label, and the number whose label differs from the source."""
    rows = connection.execute(  # the plus prevents SQLite from scanning the index of labels
        text(
            f"SELECT label, COUNT(*), SUM(label IS NOT label_before) FROM images {_AT_POSITIONS} "  # noqa: S608 - only marks and fixed names are put in
            "AND NOT is_excluded GROUP BY +label"
        ),
        {"dataset": dataset_id, "positions": positions_json},
    ).all()
    return Counter({label: n for label, n, _ in rows}), sum(changed for _, _, changed in rows)
