"""Remove what is no longer needed: interrupted uploads, expired deletions, files of killed servers."""

import logging
import os
import re
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import Connection, delete, select, update

from coverslip import cache
from coverslip.errors import Conflict, CoverslipError
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.listing import DatasetState, describe
from coverslip.workspace.jobs.state import jobs_reading
from coverslip.workspace.store import tables
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.rows import Page, Paging, dataset_row, now
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
        cache.remove_stores_of(dataset_id)
        for upload_id in unused:
            shutil.rmtree(workspace.uploads / upload_id, ignore_errors=True)


def _is_used(connection: Connection, upload: Path) -> bool:
    """Return whether a dataset uses files of an upload, such as a dataset of corrections."""
    inside = tables.images.c.path.startswith(f"{upload}{os.sep}", autoescape=True)
    return connection.execute(select(tables.images.c.position).where(inside).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class DeletedItem:
    """A job or an imported classifier in the trash, or a dataset that was removed from the list."""

    kind: Literal["train", "evaluate", "predict", "study", "classifier", "dataset"]
    id: str
    name: str
    deleted: Annotated[str, Field(description="Time of the deletion: ISO 8601, UTC.")]


def list_deleted(workspace: Workspace, paging: Paging) -> Page[DeletedItem]:
    """Return what can be restored, the latest deletion first."""
    jobs, datasets, classifiers = tables.jobs.c, tables.datasets.c, tables.classifiers.c
    with workspace.engine.connect() as connection:
        removed = connection.execute(select(jobs.kind, jobs.id, jobs.name).where(jobs.state == "removed")).all()
        forgotten = connection.execute(
            select(datasets.id, datasets.name, datasets.forgotten).where(datasets.forgotten.is_not(None))
        ).all()
        imported = connection.execute(
            select(classifiers.id, classifiers.name, classifiers.removed).where(classifiers.removed.is_not(None))
        ).all()
    places = [(row, workspace.trash / row.id) for row in removed]
    items = [DeletedItem(*row, _time(place.stat().st_mtime)) for row, place in places if place.is_dir()]
    items += [DeletedItem("dataset", *row) for row in forgotten]
    items += [DeletedItem("classifier", *row) for row in imported]
    return paging.page_of(sorted(items, key=lambda item: item.deleted, reverse=True))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


UPLOAD_DAYS, TRASH_DAYS = 7, 30
_SECONDS_PER_DAY = 86_400
_PARTIAL = re.compile(r"\..+\.part(-journal|-shm|-wal)?")  # also files of a database
_log = logging.getLogger("coverslip")


def remove_partial_files(workspace: Workspace) -> None:
    """Remove temporary files of a killed server. Call this before requests are answered."""
    for folder in (workspace.folder / "classifying", workspace.downloads):
        shutil.rmtree(folder, ignore_errors=True)
    pieces = [*(workspace.folder / "classifiers").glob("tmp*"), *workspace.uploads.glob("*/.*")]
    for piece in pieces:  # complete files of uploads are in another folder
        if piece.is_dir():
            shutil.rmtree(piece, ignore_errors=True)
        else:
            with suppress(OSError):
                piece.unlink()


def tidy(workspace: Workspace, is_over: threading.Event) -> None:
    """Remove expired files. Errors are logged."""
    for work in (_drop_uploads, _drop_partial_files, _empty_trash, drop_forgotten):
        try:
            work(workspace, is_over)
        except (OSError, CoverslipError):
            _log.exception("the workspace could not be tidied")


def _drop_uploads(workspace: Workspace, is_over: threading.Event) -> None:
    """Remove old uploads that did not become datasets, and folders without an upload."""
    oldest = datetime.now(UTC) - timedelta(days=UPLOAD_DAYS)
    with workspace.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(select(tables.uploads))}
        # A killed server may have created a dataset of an upload without recording it.
        used = {
            source["path"]
            for sources in connection.execute(select(tables.datasets.c.sources)).scalars()
            for source in sources
        }
    for upload_id in {*rows, *(place.name for place in workspace.uploads.glob("*"))}:
        if is_over.is_set():
            return
        place, row = workspace.uploads / upload_id, rows.get(upload_id)
        if row is not None and (row.dataset_id is not None or datetime.fromisoformat(row.created) > oldest):
            continue
        if place.exists() and place.stat().st_mtime > oldest.timestamp():
            continue
        if any(Path(source).is_relative_to(place) for source in used):
            continue
        with workspace.engine.begin() as connection:
            connection.execute(delete(tables.uploads).where(tables.uploads.c.id == upload_id))
        shutil.rmtree(place, ignore_errors=True)


def _drop_partial_files(workspace: Workspace, is_over: threading.Event) -> None:
    """Remove partial files of killed processes after a day, but no files of the user in uploads."""
    oldest = time.time() - _SECONDS_PER_DAY
    for folder, folders, files in os.walk(workspace.folder):
        if is_over.is_set():
            return
        partial = [name for name in (*folders, *files) if _PARTIAL.fullmatch(name)]
        folders[:] = [name for name in folders if name not in partial and Path(folder, name) != workspace.uploads]
        for path in (Path(folder, name) for name in partial):
            with suppress(OSError):
                if path.lstat().st_mtime >= oldest:
                    continue
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _empty_trash(workspace: Workspace, is_over: threading.Event) -> None:
    for place in workspace.trash.glob("*"):
        if not is_over.is_set() and place.stat().st_mtime < time.time() - TRASH_DAYS * _SECONDS_PER_DAY:
            with workspace.engine.begin() as connection:
                is_job = (tables.jobs.c.id == place.name) & (tables.jobs.c.state == "removed")
                connection.execute(delete(tables.jobs).where(is_job))  # deletes its corrections too
                is_evaluation = (tables.jobs.c.classifier_id == place.name) & (tables.jobs.c.kind == "evaluate")
                connection.execute(delete(tables.jobs).where(is_evaluation))
                is_import = (tables.classifiers.c.id == place.name) & tables.classifiers.c.removed.is_not(None)
                connection.execute(delete(tables.classifiers).where(is_import))
            shutil.rmtree(place, ignore_errors=True)
            cache.remove_stores_of(place.name)
