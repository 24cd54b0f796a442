"""Datasets that somebody forgets: shown no more, and after 30 days gone for good."""

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
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import dataset_row, now
from coverslip.workspace.store.tables import datasets

DAYS = 30


def forget(home: Workspace, dataset_id: str) -> None:
    """Show a dataset no more. For 30 days `restore` brings it back, with the labels that were given here.

    The user's own folders and tables stay as they are, in any case. Tables that trainings were started with stay in
    `snapshots/`.

    Raises:
        NotFound: there is no such dataset.
        Conflict: a training or prediction is reading it.
    """
    with home.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        _refuse_in_use(connection, dataset_id)
    with home.background.held(reading_images.thread_of(dataset_id)), writing(home.engine) as connection:
        _refuse_in_use(connection, dataset_id)
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(forgotten=now()))


def restore(home: Workspace, dataset_id: str) -> DatasetState:
    """Bring back a dataset that was forgotten, as it was.

    Raises:
        NotFound: there is no such dataset, or not any more.
    """
    with writing(home.engine) as connection:
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(forgotten=None))
    reading_images.start(home, dataset_id)
    return describe(home, dataset_id)


def _refuse_in_use(connection: Connection, dataset_id: str) -> None:
    for job in jobs_reading(connection, dataset_id):
        raise Conflict("dataset-in-use", name=job.name)


def drop_forgotten(workspace: Workspace, is_over: threading.Event) -> None:
    """Sets that nobody wanted back. Of those that were uploaded the files go too: they are the app's own copy."""
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
            if not connection.execute(
                delete(tables.datasets).where(still)
            ).rowcount:  # somebody wanted it back just now
                continue
            mine = tables.uploads.c.dataset_id == dataset_id
            sent = connection.execute(select(tables.uploads.c.id).where(mine)).scalars().all()
            unused = [upload_id for upload_id in sent if not _is_used(connection, workspace.uploads / upload_id)]
            connection.execute(delete(tables.uploads).where(tables.uploads.c.id.in_(unused)))
        cache.forget(dataset_id)
        for upload_id in unused:
            shutil.rmtree(workspace.uploads / upload_id, ignore_errors=True)


def _is_used(connection: Connection, upload: Path) -> bool:
    """Whether images of some set lie there, such as those that corrections made images to train on."""
    inside = tables.images.c.path.startswith(f"{upload}{os.sep}", autoescape=True)
    return connection.execute(select(tables.images.c.position).where(inside).limit(1)).first() is not None
