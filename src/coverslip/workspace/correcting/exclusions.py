"""Images of a dataset that are left out, such as spare copies: still shown, but neither counted nor trained on."""

import json
from collections.abc import Collection

from sqlalchemy import Connection, case, func, select, update

from coverslip.workspace.datasets.counting import count_again, mark_equal_pixels
from coverslip.workspace.datasets.reading_images import search_copies
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import ChangedSince, dataset_row, new_id, positions_of, values
from coverslip.workspace.store.tables import images

_CHANGE = "change:"  # before its id in `excluded_by`, where ids of predictions stand too


def exclude(
    home: Workspace, dataset_id: str, image_ids: Collection[str], *, is_excluded: bool
) -> tuple[str | None, int]:
    """Exclude images, or include them again.

    Args:
        home: the workspace.
        dataset_id: which dataset.
        image_ids: which images. Those that are so already stay so, and no undo of an earlier change concerns them.
        is_excluded: exclude them; otherwise include them again.

    Returns:
        What to undo the change by (None where all were so already), and how many images it changed.

    Raises:
        NotFound: there is no such dataset.
        ImagesChanged: one of the images is not in it; then nothing is changed.
    """
    change = new_id()
    with writing(home.engine) as connection:
        dataset_row(connection, dataset_id)
        positions = positions_of(connection, dataset_id, image_ids)
        concerned = (images.c.dataset_id == dataset_id) & images.c.position.in_(values(json.dumps(positions)))
        changed = images.c.is_excluded != is_excluded
        n = connection.execute(select(func.count()).where(concerned, changed)).scalar_one()
        by = case((changed, _CHANGE + change), else_=None)
        connection.execute(update(images).where(concerned).values(is_excluded=is_excluded, excluded_by=by))
        _count(connection, dataset_id, positions)
    search_copies(home, dataset_id)  # trainings know copies among the images that they are given
    return (change if n else None), n


def undo_exclusion(home: Workspace, dataset_id: str, change: str) -> int:
    """Take one change of `exclude` back, for those of its images that were neither excluded nor included since.

    Returns:
        How many images those are.

    Raises:
        NotFound: there is no such dataset.
        ChangedSince: there is none.
    """
    with writing(home.engine) as connection:
        dataset_row(connection, dataset_id)
        concerned = (images.c.dataset_id == dataset_id) & (images.c.excluded_by == _CHANGE + change)
        positions = list(connection.execute(select(images.c.position).where(concerned)).scalars())
        if not positions:
            raise ChangedSince("exclusion-changed-since")
        connection.execute(update(images).where(concerned).values(is_excluded=~images.c.is_excluded, excluded_by=None))
        _count(connection, dataset_id, positions)
    search_copies(home, dataset_id)
    return len(positions)


def exclude_by_job(
    connection: Connection, dataset_id: str, positions: Collection[int], *, is_excluded: bool, job_id: str
) -> None:
    """Exclude images because of what was answered in a prediction, or include those that were excluded there.

    Images that are excluded already stay as they are, and only those that were excluded there are included. Whoever
    calls has `search_copies` search the images that remain for near-duplicates again, or lets that wait: it can take
    seconds, too long where images are excluded one after the other by a key.

    Args:
        connection: in a transaction that writes, where the positions of images hold.
        dataset_id: which dataset.
        positions: which images.
        is_excluded: exclude them; otherwise include them again.
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
