"""Exclusions of images, and the history of labels of a dataset.

The history states when, by whom, from which label to which, and in which job each label was changed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Select, String, bindparam, case, exists, func, literal, select, update

from coverslip.datasets import name_as_text
from coverslip.workspace.datasets.changed_files import refuse_changed_files
from coverslip.workspace.datasets.reading_images import search_duplicates
from coverslip.workspace.datasets.snapshots import csv_text
from coverslip.workspace.datasets.state import change_images
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import AnyRow, ChangedSince, Page, Paging, dataset_row, new_id
from coverslip.workspace.store.sql import among_integers
from coverslip.workspace.store.tables import changed_labels, images, jobs, label_changes
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import selected_rows
from coverslip.workspace.viewing.lists import ImageSelection

_CHANGE = "change:"  # prefix of its ID in `excluded_by`, which also holds IDs of predictions


def exclude(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    *,
    is_excluded: bool,
) -> tuple[str | None, int]:
    """Exclude images, or include them.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images. An undo of an earlier change does not affect them any more.
        is_excluded: exclude them; otherwise include them.

    Returns:
        The ID for undoing the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selected_rows`.
        ImagesChanged: one of the images is not in it; nothing is changed.
        CoverslipError: the dataset does not support a filter.
    """
    change = new_id()
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        row_ids = selected_rows(connection, row, selection)
        refuse_changed_files(connection, row, row_ids)
        is_changed = images.c.is_excluded != is_excluded
        is_selected = images.c.row_id.in_(among_integers(row_ids))
        n = connection.execute(select(func.count()).where(is_selected, is_changed)).scalar_one()
        change_or_none = case((is_changed, _CHANGE + change), else_=None)
        _exclude(connection, dataset_id, row_ids, literal(is_excluded), change_or_none)
    search_duplicates(workspace, dataset_id)  # trainings search near-duplicates among the included images
    return (change if n else None), n


def undo_exclusion(workspace: Workspace, dataset_id: str, change: str) -> int:
    """Undo one change of `exclude`, for those of its images that were neither excluded nor included since then.

    Returns:
        The number of these images.

    Raises:
        NotFound: there is no such dataset.
        ChangedSince: there are none.
    """
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        is_selected = (images.c.dataset_id == dataset_id) & (images.c.excluded_by == _CHANGE + change)
        row_ids = list(connection.execute(select(images.c.row_id).where(is_selected)).scalars())
        is_missing = (images.c.missing_from == dataset_id) & (images.c.excluded_by == _CHANGE + change)
        undone = {"is_excluded": ~images.c.is_excluded, "excluded_by": None}
        n_missing = connection.execute(update(images).where(is_missing).values(**undone)).rowcount
        if not row_ids and not n_missing:
            raise ChangedSince("exclusion-changed-since")
        _exclude(connection, dataset_id, row_ids, ~images.c.is_excluded, literal(None, String))
    search_duplicates(workspace, dataset_id)
    return len(row_ids) + n_missing


def exclude_by_job(
    connection: Connection, dataset_id: str, row_ids: Collection[int], *, is_excluded: bool, job_id: str
) -> None:
    """Exclude images because of answers in a prediction, or include those that it excluded.

    Images that are already excluded do not change, and only images that the prediction excluded are included. The
    caller starts `search_duplicates` for the remaining images, or postpones it: it can take seconds, which is too long
    while a user excludes images one after another.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: the images, all of this dataset.
        is_excluded: exclude them; otherwise include them.
        job_id: the prediction.

    Raises:
        Conflict: files of the images changed since they were read.
    """
    refuse_changed_files(connection, dataset_row(connection, dataset_id), row_ids)
    is_selected = images.c.row_id.in_(among_integers(row_ids))
    is_changed = ~images.c.is_excluded if is_excluded else images.c.is_excluded & (images.c.excluded_by == job_id)
    changed_rows = connection.execute(select(images.c.row_id).where(is_selected, is_changed)).scalars().all()
    excluded_by = literal(job_id if is_excluded else None, String)
    _exclude(connection, dataset_id, changed_rows, literal(is_excluded), excluded_by)


def _exclude(
    connection: Connection,
    dataset_id: str,
    row_ids: Collection[int],
    is_excluded: ColumnElement[Any],
    excluded_by: ColumnElement[Any],
) -> None:
    affected = among_integers(row_ids)
    change_images(connection, dataset_id, affected, is_excluded=is_excluded, excluded_by=excluded_by)


_MOST_IMAGES = 12
_IS_PRESENT = (images.c.row_id == changed_labels.c.row_id) & images.c.dataset_id.is_not(None)
_CHANGED_IMAGES = (
    select(changed_labels, images.c.image_id, images.c.path, images.c.shown_path)
    .join_from(changed_labels, images, _IS_PRESENT)
    .order_by(changed_labels.c.row_id)
)
_OF_CHANGE = _CHANGED_IMAGES.where(changed_labels.c.change_id == bindparam("change_id"))  # run for each change
_OF_CHANGES = _CHANGED_IMAGES.where(changed_labels.c.change_id.in_(bindparam("change_ids", expanding=True)))
_FIRST_IMAGES = _OF_CHANGE.limit(_MOST_IMAGES)
_COLUMNS = ("path", "image_id", "label_before", "label", "made", "made_by", "is_undone", "seen_in")


@dataclass(frozen=True, slots=True)
class SeenIn:
    """The training, evaluation or prediction in which a label error was found."""

    id: str
    kind: str
    name: str
    classifier_id: Annotated[str | None, Field(description="The classifier of an evaluation or prediction.")]


@dataclass(frozen=True, slots=True)
class RelabeledImage:
    """An image whose label was changed."""

    row_id: Annotated[int, Field(description="The number of the image in the app.")]
    path: str
    label_before: Annotated[str | None, Field(description="The label before the change; null: it had none.")]


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A change of the labels of some images to the same label."""

    id: int
    made: Annotated[str, Field(description="When; ISO 8601, UTC.")]
    made_by: Annotated[str, Field(description="The author of the request, else the user account of the server.")]
    label: Annotated[str | None, Field(description="The new label of all images; null: their labels were removed.")]
    is_undone: bool
    seen_in: Annotated[SeenIn | None, Field(description="Null if the label was changed in the gallery of the dataset.")]
    n: Annotated[int, Field(description="How many images.")]
    images: Annotated[list[RelabeledImage], Field(description=f"The first {_MOST_IMAGES} of them.")]


def list_label_changes(workspace: Workspace, dataset_id: str, paging: Paging) -> Page[LabelChange]:
    """Return the changes of a dataset's labels in the app, the newest first.

    Raises:
        NotFound: there is no such dataset.
    """
    with read_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        changes = _changes(dataset_id)
        total = connection.execute(select(func.count()).select_from(changes.subquery())).scalar_one()
        newest = changes.order_by(label_changes.c.id.desc()).offset(paging.offset).limit(paging.limit)
        return Page(_described(connection, connection.execute(newest).all()), total)


def history_lines(workspace: Workspace, dataset_id: str) -> Iterator[str]:
    """Yield CSV with a row for each image of each change, the oldest first. Spreadsheets read no cell as a formula.

    Raises:
        NotFound: there is no such dataset; raised before the first line.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)

    def lines() -> Iterator[str]:
        yield csv_text([list(_COLUMNS)])
        with workspace.engine.connect() as connection:
            for change in connection.execute(_changes(dataset_id).order_by(label_changes.c.id)).all():
                yield csv_text(_cells(connection, change))

    return lines()


def _changes(dataset_id: str) -> Select[Any]:  # Any: columns as the tables define them
    columns = (jobs.c.kind, jobs.c.name.label("job_name"), jobs.c.classifier_id)
    joined = label_changes.outerjoin(jobs, jobs.c.id == label_changes.c.job_id)
    # Otherwise, all images are missing or were removed.
    has_images = exists().where(changed_labels.c.change_id == label_changes.c.id, _IS_PRESENT)
    return (
        select(label_changes, *columns).select_from(joined).where(label_changes.c.dataset_id == dataset_id, has_images)
    )


def _described(connection: Connection, changes: Sequence[AnyRow]) -> list[LabelChange]:
    change_id = changed_labels.c.change_id
    counted = select(change_id, func.count()).join_from(changed_labels, images, _IS_PRESENT)
    counted = counted.where(change_id.in_([change.id for change in changes]))
    n_of: dict[int, int] = {row[0]: row[1] for row in connection.execute(counted.group_by(change_id))}
    few = [change for change, n in n_of.items() if n <= _MOST_IMAGES]
    images_of = defaultdict[int, list[RelabeledImage]](list)
    for row in connection.execute(_OF_CHANGES, {"change_ids": few}):  # most changes are of one image
        images_of[row.change_id].append(RelabeledImage(row.row_id, row.shown_path, row.earlier_label))
    for change in n_of.keys() - few:
        for row in connection.execute(_FIRST_IMAGES, {"change_id": change}):
            images_of[change].append(RelabeledImage(row.row_id, row.shown_path, row.earlier_label))
    return [
        LabelChange(
            id=change.id,
            made=change.made,
            made_by=change.made_by,
            label=change.label,
            is_undone=change.is_undone,
            seen_in=_seen_in(change),
            n=n_of[change.id],
            images=images_of[change.id],
        )
        for change in changes
    ]


def _seen_in(change: AnyRow) -> SeenIn | None:
    if change.kind is None:
        return None
    return SeenIn(change.job_id, change.kind, change.job_name, change.classifier_id)


def _cells(connection: Connection, change: AnyRow) -> list[list[str]]:
    seen_in = "" if change.kind is None else f"{change.kind}: {change.job_name}"
    undone = "yes" if change.is_undone else "no"
    change_cells = [change.label or "", change.made, change.made_by, undone, seen_in]
    return [
        [name_as_text(row.path), row.image_id, row.earlier_label or "", *change_cells]
        for row in connection.execute(_OF_CHANGE, {"change_id": change.id})
    ]
