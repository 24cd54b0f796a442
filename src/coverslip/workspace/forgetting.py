"""Remove datasets from the list, restore them, and delete them after 30 days."""

import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from coverslip import cache
from coverslip.errors import Conflict
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.listing import DatasetState, describe
from coverslip.workspace.jobs.state import jobs_reading
from coverslip.workspace.store import tables
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.rows import dataset_row, now
from coverslip.workspace.store.tables import datasets
from coverslip.workspace.store.workspace import Workspace

DAYS = 30


def forget(workspace: Workspace, dataset_id: str) -> None:
    """Remove a dataset from the list. For 30 days, `restore` restores it with its labels from the app.

    Folders and tables of the user are never changed. Tables that trainings use remain in `snapshots/`.

    Raises:
        NotFound: there is no such dataset.
        Conflict: a training or prediction uses it.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        _refuse_in_use(connection, dataset_id)
    with workspace.background.held(reading_images.thread_of(dataset_id)), writing(workspace.engine) as connection:
        _refuse_in_use(connection, dataset_id)
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(forgotten=now()))


def restore(workspace: Workspace, dataset_id: str) -> DatasetState:
    """Restore a removed dataset.

    Raises:
        NotFound: there is no such dataset, or it was deleted.
    """
    with writing(workspace.engine) as connection:
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(forgotten=None))
    reading_images.start(workspace, dataset_id)
    return describe(workspace, dataset_id)


def _refuse_in_use(connection: Connection, dataset_id: str) -> None:
    for job in jobs_reading(connection, dataset_id):
        raise Conflict("dataset-in-use", name=job.name)


def drop_forgotten(workspace: Workspace, is_over: threading.Event) -> None:
    """Delete datasets whose 30 days are over, with their uploaded files, which are copies of the app."""
    oldest = (datetime.now(UTC) - timedelta(days=DAYS)).isoformat()
    with workspace.engine.connect() as connection:
        old = (
            connection.execute(select(tables.datasets.c.id).where(tables.datasets.c.forgotten < oldest)).scalars().all()
        )
    for dataset_id in old:
        if is_over.is_set():
            return
        with writing(workspace.engine) as connection:
            still = (tables.datasets.c.id == dataset_id) & (tables.datasets.c.forgotten < oldest)
            if not connection.execute(delete(tables.datasets).where(still)).rowcount:  # it was restored meanwhile
                continue
            of_dataset = tables.uploads.c.dataset_id == dataset_id
            upload_ids = connection.execute(select(tables.uploads.c.id).where(of_dataset)).scalars().all()
            unused = [upload_id for upload_id in upload_ids if not _is_used(connection, workspace.uploads / upload_id)]
            connection.execute(delete(tables.uploads).where(tables.uploads.c.id.in_(unused)))
        cache.forget(dataset_id)
        for upload_id in unused:
            shutil.rmtree(workspace.uploads / upload_id, ignore_errors=True)


def _is_used(connection: Connection, upload: Path) -> bool:
    """Return whether a dataset uses files of an upload, such as a dataset of corrections."""
    inside = tables.images.c.path.startswith(f"{upload}{os.sep}", autoescape=True)
    return connection.execute(select(tables.images.c.position).where(inside).limit(1)).first() is not None
