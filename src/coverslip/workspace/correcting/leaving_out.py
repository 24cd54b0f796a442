"""Images of a dataset that are left out, such as spare copies: still shown, but neither counted nor trained on."""

import json
from collections.abc import Sequence

from sqlalchemy import func, select, update

from coverslip.errors import NotFound
from coverslip.workspace.datasets.counting import count_again, mark_equal_pixels
from coverslip.workspace.datasets.reading_images import search_copies
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import dataset_row, values
from coverslip.workspace.store.tables import images


def leave_out(
    home: Workspace,
    dataset_id: str,
    positions: Sequence[int],
    *,
    is_left_out: bool,
    job_id: str | None = None,
    searches_copies: bool = True,
) -> None:
    """Exclude images, or include them again.

    Args:
        home: the workspace.
        dataset_id: which dataset.
        positions: which images.
        is_left_out: exclude them; otherwise include them again.
        job_id: the prediction among whose images this is done; images that are excluded already stay as they are, and
            only those that were excluded there are included. None: the dataset's gallery, which changes all of them.
        searches_copies: search the images that remain for near-duplicates again, which can wait seconds for an earlier
            search to end: too long where images are excluded one after the other by a key.

    Raises:
        NotFound: there is no such dataset, or one of the images is not in it.
    """
    places = json.dumps(sorted(set(positions)))
    concerned = (images.c.dataset_id == dataset_id) & images.c.position.in_(values(places))
    with writing(home.engine) as connection:
        dataset_row(connection, dataset_id)
        if connection.execute(select(func.count()).where(concerned)).scalar_one() < len(set(positions)):
            raise NotFound("One of these images is not in the dataset", do="Reload the page.")
        changed = concerned
        if job_id is not None:
            changed &= ~images.c.is_left_out if is_left_out else images.c.left_out_by == job_id
        left_out_by = job_id if is_left_out else None
        connection.execute(update(images).where(changed).values(is_left_out=is_left_out, left_out_by=left_out_by))
        mark_equal_pixels(connection, dataset_id, places)
        count_again(connection, dataset_id)
    if searches_copies:
        search_copies(home, dataset_id)  # trainings know copies among the images that they are given
