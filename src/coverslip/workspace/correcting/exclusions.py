"""Excluded images of a dataset, such as duplicates: shown, but neither counted nor used in training."""

import json
from collections.abc import Collection

from sqlalchemy import Connection, case, func, select, update

from coverslip.workspace.datasets.counting import count_again, mark_equal_pixels
from coverslip.workspace.datasets.reading_images import search_copies
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.rows import ChangedSince, dataset_row, new_id, positions_of, values
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace

_CHANGE = "change:"  # prefix of its ID in `excluded_by`, which also holds IDs of predictions


def exclude(
    workspace: Workspace, dataset_id: str, image_ids: Collection[str], *, is_excluded: bool
) -> tuple[str | None, int]:
    """Exclude images, or include them.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        image_ids: the images. An undo of an earlier change does not affect them any more.
        is_excluded: exclude them; otherwise include them.

    Returns:
        The ID for undoing the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset.
        ImagesChanged: one of the images is not in it; nothing is changed.
    """
    change = new_id()
    with writing(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        positions = positions_of(connection, dataset_id, image_ids)
        concerned = (images.c.dataset_id == dataset_id) & images.c.position.in_(values(json.dumps(positions)))
        changed = images.c.is_excluded != is_excluded
        n = connection.execute(select(func.count()).where(concerned, changed)).scalar_one()
        by = case((changed, _CHANGE + change), else_=None)
        connection.execute(update(images).where(concerned).values(is_excluded=is_excluded, excluded_by=by))
        _count(connection, dataset_id, positions)
    search_copies(workspace, dataset_id)  # trainings search near-duplicates among the included images
    return (change if n else None), n


def undo_exclusion(workspace: Workspace, dataset_id: str, change: str) -> int:
    """Undo one change of `exclude`, for those of its images that were neither excluded nor included since then.

    Returns:
        The number of these images.

    Raises:
        NotFound: there is no such dataset.
        ChangedSince: there are none.
    """
    with writing(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        concerned = (images.c.dataset_id == dataset_id) & (images.c.excluded_by == _CHANGE + change)
        positions = list(connection.execute(select(images.c.position).where(concerned)).scalars())
        if not positions:
            raise ChangedSince("exclusion-changed-since")
        connection.execute(update(images).where(concerned).values(is_excluded=~images.c.is_excluded, excluded_by=None))
        _count(connection, dataset_id, positions)
    search_copies(workspace, dataset_id)
    return len(positions)


def exclude_by_job(
    connection: Connection, dataset_id: str, positions: Collection[int], *, is_excluded: bool, job_id: str
) -> None:
    """Exclude images because of answers in a prediction, or include those that it excluded.

    Images that are already excluded do not change, and only images that the prediction excluded are included. The
    caller starts `search_copies` for the remaining images, or postpones it: it can take seconds, too long while a user
    excludes images one after another.

    Args:
        connection: a connection in a writing transaction, in which the positions are valid.
        dataset_id: the dataset.
        positions: the images.
        is_excluded: exclude them; otherwise include them.
        job_id: the prediction.
    """
    concerned = (images.c.dataset_id == dataset_id) & images.c.position.in_(values(json.dumps(list(positions))))
    changed = ~images.c.is_excluded if is_excluded else images.c.is_excluded & (images.c.excluded_by == job_id)
    by = job_id if is_excluded else None
    connection.execute(update(images).where(concerned, changed).values(is_excluded=is_excluded, excluded_by=by))
    _count(connection, dataset_id, positions)


def _count(connection: Connection, dataset_id: str, positions: Collection[int]) -> None:
    mark_equal_pixels(connection, dataset_id, json.dumps(list(positions)))
    count_again(connection, dataset_id)
