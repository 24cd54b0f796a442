"""Remove what is no longer needed: interrupted uploads, expired deletions, files of killed servers."""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, String, delete, select, type_coerce, update

from coverslip.cache.stores import remove_stores_of
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.runs.folder import Run
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.folders import remove_upload
from coverslip.workspace.datasets.state import BEING_DELETED, DatasetState, dataset_state
from coverslip.workspace.jobs.queue import is_about, stop_computations
from coverslip.workspace.jobs.records import is_inside, refuse_in_use
from coverslip.workspace.lists import delete_results
from coverslip.workspace.store import tables
from coverslip.workspace.store.change_log import delete_rows_of_images
from coverslip.workspace.store.database import free_space, read_transaction, write_transaction
from coverslip.workspace.store.rows import Page, Paging, among_integers, dataset_row, now, source_paths
from coverslip.workspace.store.tables import datasets
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.live import unload_live

UPLOAD_DAYS, TRASH_DAYS = 7, 30  # until files are deleted; removed datasets are deleted with the trash
_SECONDS_PER_DAY = 86_400
_ROWS_AT_ONCE = 2_000
_FILES_WITH_SOURCES = frozenset({Run(Path()).environment_file.name, Run(Path()).recipe_file.name, "study.yaml"})
_SNAPSHOT = re.compile(r"[^/\\\"'\s]+\.csv")
PARTIAL = re.compile(r"\..+\.part(-journal|-shm|-wal)?")  # also files of a database
_log = logging.getLogger("coverslip")


def remove_dataset(workspace: Workspace, dataset_id: str) -> None:
    """Remove a dataset from the list. For 30 days, `restore` restores it with its labels from the app.

    Folders and tables of the user are never changed. Tables that trainings use remain in `snapshots/`. Computations of
    results for its pages are stopped.

    Raises:
        NotFound: there is no such dataset.
        Conflict: a training or prediction uses it.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        refuse_in_use(connection, dataset_id)
    with (
        workspace.background.held(reading_images.thread_of(dataset_id)),
        write_transaction(workspace.engine) as connection,
    ):
        refuse_in_use(connection, dataset_id)
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(removed=now()))
    stop_computations(workspace, lambda job: is_about(job, dataset_id))
    unload_live(workspace, dataset_id)


def restore_dataset(workspace: Workspace, dataset_id: str) -> DatasetState:
    """Restore a removed dataset.

    Raises:
        NotFound: there is no such dataset, or it was deleted.
    """
    with write_transaction(workspace.engine) as connection:
        is_restorable = (datasets.c.id == dataset_id) & (datasets.c.removed != BEING_DELETED)
        connection.execute(update(datasets).where(is_restorable).values(removed=None))
    reading_images.start(workspace, dataset_id)
    return dataset_state(workspace, dataset_id)


def delete_removed_datasets(workspace: Workspace, is_over: threading.Event) -> None:
    """Delete datasets whose 30 days are over, with the files that the app wrote: uploads and tables of objects."""
    oldest = (datetime.now(UTC) - timedelta(days=TRASH_DAYS)).isoformat()
    with workspace.engine.connect() as connection:
        expired = connection.execute(select(datasets.c.id).where(datasets.c.removed < oldest)).scalars().all()
    for dataset_id in expired:
        if is_over.is_set():
            return
        with write_transaction(workspace.engine) as connection:
            is_expired = (datasets.c.id == dataset_id) & (datasets.c.removed < oldest)
            row = connection.execute(select(datasets).where(is_expired)).one_or_none()
            if row is None:  # it was restored meanwhile
                continue
            connection.execute(update(datasets).where(is_expired).values(removed=BEING_DELETED))
        if not _delete_images(workspace, dataset_id, is_over):
            return
        with write_transaction(workspace.engine) as connection:
            connection.execute(delete(tables.draws).where(tables.draws.c.list_id == dataset_id))
            connection.execute(delete(datasets).where(datasets.c.id == dataset_id))
            is_of_dataset = tables.uploads.c.dataset_id == dataset_id
            upload_ids = connection.execute(select(tables.uploads.c.id).where(is_of_dataset)).scalars().all()
            of_objects = [Path(path) for path in source_paths(row) if Path(path).is_relative_to(workspace.objects)]
            unused = [upload_id for upload_id in upload_ids if not _is_used(connection, workspace, upload_id)]
            connection.execute(delete(tables.uploads).where(tables.uploads.c.id.in_(unused)))
        remove_stores_of(dataset_id)
        for upload_id in unused:
            workspace.remove(workspace.uploads / upload_id)
        for table in of_objects:
            workspace.remove(table)


def _delete_images(workspace: Workspace, dataset_id: str, is_over: threading.Event) -> bool:
    """Delete the rows of the images of a dataset, in short transactions; return whether all are deleted."""
    is_of_dataset = (tables.images.c.dataset_id == dataset_id) | (tables.images.c.missing_from == dataset_id)
    rows = select(tables.images.c.row_id).where(is_of_dataset).limit(_ROWS_AT_ONCE)
    n_deleted = 1
    while n_deleted and not is_over.is_set():
        with write_transaction(workspace.engine) as connection:
            row_ids = connection.execute(rows).scalars().all()
            delete_rows_of_images(connection, row_ids)
            is_next = tables.images.c.row_id.in_(among_integers(row_ids))
            n_deleted = connection.execute(delete(tables.images).where(is_next)).rowcount
    return not n_deleted


def _is_used(connection: Connection, workspace: Workspace, upload_id: str) -> bool:
    """Return whether a dataset uses files of an upload, such as a dataset of corrections."""
    start = tables.relative_path(f"{workspace.uploads / upload_id}{os.sep}", str(workspace.folder))
    inside = type_coerce(tables.images.c.path, String).startswith(start, autoescape=True)
    is_present = tables.images.c.dataset_id.is_not(None)
    return connection.execute(select(tables.images.c.row_id).where(inside, is_present).limit(1)).first() is not None


@dataclass(frozen=True, slots=True)
class DeletedItem(DocumentedFields):
    """A job in the trash, or a dataset that was removed from the list."""

    kind: str
    """The kind of job, or `dataset`."""
    id: str
    name: str
    deleted: str
    """Time of the deletion: ISO 8601, UTC."""


def list_deleted(workspace: Workspace, paging: Paging) -> Page[DeletedItem]:
    """Return what can be restored, the latest deletion first."""
    jobs = tables.jobs.c
    with workspace.engine.connect() as connection:
        removed_jobs = connection.execute(select(jobs.kind, jobs.id, jobs.name).where(jobs.state == "removed")).all()
        removed_datasets = connection.execute(
            select(datasets.c.id, datasets.c.name, datasets.c.removed).where(datasets.c.removed != BEING_DELETED)
        ).all()
    folders = [(row, workspace.trash / row.id) for row in removed_jobs]
    items = [DeletedItem(*row, _time(folder.stat().st_mtime)) for row, folder in folders if folder.is_dir()]
    items += [DeletedItem("dataset", *row) for row in removed_datasets]
    return paging.page_of(sorted(items, key=lambda item: item.deleted, reverse=True))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def remove_partial_files(workspace: Workspace) -> None:
    """Remove temporary files of a killed server. Call this before requests are answered."""
    for folder in (workspace.folder / "classifying", workspace.downloads):
        workspace.remove(folder)
    folders = (workspace.folder / "classifiers", workspace.uploads, *workspace.uploads.glob("*"))
    partial = (path for folder in folders for path in folder.glob(".*"))  # complete files of uploads are in `files/`
    of_upgrades = (path for path in workspace.folder.glob(".*") if PARTIAL.fullmatch(path.name))
    for path in (*partial, *of_upgrades, *_files_without_job(workspace)):
        with suppress(Conflict):  # its folder is a link out of the workspace
            workspace.remove(path)


def _files_without_job(workspace: Workspace) -> Iterator[Path]:
    """Yield the files of computations whose job is not in the table: the server, or their process, ended too late."""
    with workspace.engine.connect() as connection:
        listed = set(connection.execute(select(tables.jobs.c.id)).scalars())
    yield from (path for path in workspace.jobs.glob("*") if path.name.partition(".")[0] not in listed)


def delete_expired(workspace: Workspace, is_over: threading.Event) -> None:
    """Remove expired files. Errors are logged."""
    for work in (
        _delete_old_uploads,
        _delete_partial_files,
        _empty_trash,
        delete_removed_datasets,
        _delete_unused_snapshots,
    ):
        try:
            work(workspace, is_over)
        except (OSError, CoverslipError):
            _log.exception("the workspace could not be cleaned up")


def _delete_old_uploads(workspace: Workspace, is_over: threading.Event) -> None:
    """Remove old uploads that did not become datasets, and folders without an upload."""
    oldest = datetime.now(UTC) - timedelta(days=UPLOAD_DAYS)
    with workspace.engine.connect() as connection:
        rows = {row.id: row for row in connection.execute(select(tables.uploads))}
        # A killed server may have created a dataset of an upload without recording it.
        used_paths = {
            source["path"] for sources in connection.execute(select(datasets.c.sources)).scalars() for source in sources
        }
    for upload_id in {*rows, *(folder.name for folder in workspace.uploads.glob("*"))}:
        if is_over.is_set():
            return
        folder, row = workspace.uploads / upload_id, rows.get(upload_id)
        if row is not None and (row.dataset_id is not None or datetime.fromisoformat(row.created) > oldest):
            continue
        if folder.exists() and folder.stat().st_mtime > oldest.timestamp():
            continue
        if any(Path(source).is_relative_to(folder) for source in used_paths):
            continue
        if row is None:
            workspace.remove(folder)
        else:
            with suppress(NotFound, Conflict):  # it was removed, or finished, meanwhile
                remove_upload(workspace, upload_id)


def _delete_partial_files(workspace: Workspace, is_over: threading.Event) -> None:
    """Remove partial files of killed processes after a day, but no files of the user in uploads."""
    oldest = time.time() - _SECONDS_PER_DAY
    for folder, folders, files in os.walk(workspace.folder):
        if is_over.is_set():
            return
        partial = [name for name in (*folders, *files) if PARTIAL.fullmatch(name)]
        folders[:] = [name for name in folders if name not in partial and Path(folder, name) != workspace.uploads]
        for path in (Path(folder, name) for name in partial):
            with suppress(OSError):
                if path.lstat().st_mtime >= oldest:
                    continue
                workspace.remove(path)


def _delete_unused_snapshots(workspace: Workspace, is_over: threading.Event) -> None:
    """Delete tables in `snapshots/` after 30 days, unless a dataset, a job or a file of a run or study names them."""
    oldest = time.time() - TRASH_DAYS * _SECONDS_PER_DAY
    unused = {file.name for file in workspace.snapshots.glob("*.csv") if file.stat().st_mtime < oldest}
    jobs = tables.jobs.c
    with read_transaction(workspace.engine) as connection:
        for columns in ((jobs.command, jobs.choices, jobs.image_keys), (datasets.c.sources,)):
            for row in connection.execute(select(*columns)):
                unused.difference_update(_SNAPSHOT.findall(str(tuple(row))))
    for folder in (workspace.runs, workspace.studies, workspace.trash) if unused else ():
        for file in folder.rglob("*"):
            if file.name in _FILES_WITH_SOURCES:
                unused.difference_update(_SNAPSHOT.findall(file.read_text(encoding="utf-8", errors="replace")))
    for file in (workspace.snapshots / name for name in unused):
        if not is_over.is_set() and file.stat().st_mtime < oldest:  # no job has used it again meanwhile
            workspace.remove(file)


def _empty_trash(workspace: Workspace, is_over: threading.Event) -> None:
    for folder in workspace.trash.glob("*"):
        if not is_over.is_set() and folder.stat().st_mtime < time.time() - TRASH_DAYS * _SECONDS_PER_DAY:
            delete_results(workspace, folder.name)
            with write_transaction(workspace.engine) as connection:
                is_job = (tables.jobs.c.id == folder.name) & (tables.jobs.c.state == "removed")
                for removed in connection.execute(select(tables.jobs.c.folder).where(is_job)).scalars().all():
                    connection.execute(delete(tables.jobs).where(is_inside(workspace, Path(removed))))
                are_drawn = tables.draws.c.list_id.in_(select(tables.jobs.c.id).where(is_job))
                connection.execute(delete(tables.draws).where(are_drawn))
                connection.execute(delete(tables.jobs).where(is_job))  # deletes its corrections too
                is_of_job = (tables.changes.c.job_id == folder.name) & tables.changes.c.dataset_id.is_(None)
                connection.execute(delete(tables.changes).where(is_of_job))
            workspace.remove(folder)
            remove_stores_of(folder.name)
    if not is_over.is_set():
        free_space(workspace.engine)
