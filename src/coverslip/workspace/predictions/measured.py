"""Measured images of a run or evaluation: `predictions.csv` as a database, created on first use."""

import csv
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from coverslip.cache import Kind, Layout, claim_store, register, remove_database
from coverslip.errors import Conflict, NotFound
from coverslip.files import plain_cell, sha256_json
from coverslip.runs import Run
from coverslip.runs.lookup import ImageLookup, ImageSource
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.corrections import relabeled_since
from coverslip.workspace.predictions.rows import FILE, NOT_FOUND, Row, RowsWriter, cells_in, page_in, row_of, source_of
from coverslip.workspace.store.rows import Page, dataset_row, load_records, missing_sources
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.filters import Filters

ROWS = register(Kind("app-rows", "lists of measured images in the app", Layout(FILE, "rows"), bound_bytes=2 * 10**9))
_indexing = threading.Lock()


def page_of_measured(workspace: Workspace, job_id: str, filters: Filters, *, offset: int, limit: int) -> Page[Row]:
    """Return a page of the measured images of a run or an evaluation.

    Raises:
        NotFound: there is no such job.
        Conflict: nothing was measured yet.
    """
    job = find_job(workspace, job_id, "train", "evaluate")
    with _rows_of(workspace, job) as (file, classes):
        relabeled = relabeled_since(workspace, job, classes, file)
        page = page_in(file, classes, relabeled, filters, offset=offset, limit=limit)
    return Page(_with_groups(job, page.items), page.total)


def row_of_measured(workspace: Workspace, job_id: str, k: int) -> Row:
    """Return the row of a measured image; raises as `measured_row`."""
    job = find_job(workspace, job_id, "train", "evaluate")
    with _rows_of(workspace, job) as (file, classes):
        row = row_of(cells_in(file, k), classes, relabeled_since(workspace, job, classes, file))
    return _with_groups(job, [row])[0]


def _with_groups(job: Job, rows: list[Row]) -> list[Row]:
    """Return the rows of a training with the groups of its split."""
    file = job.run.split_file
    if job.kind != "train" or not file.is_file():
        return rows
    groups = _groups_in(job.folder, file.stat().st_mtime_ns)
    return [replace(row, group=groups.get(row.image_id)) for row in rows]


@lru_cache(maxsize=4)
def _groups_in(folder: Path, _changed: int) -> dict[str, str]:
    """Return the named group of each image; `_changed` is the time of the split file."""
    return {row.image_id: row.named_group for row in Run(folder).split if row.named_group}


def measured_row(workspace: Workspace, job_id: str, k: int) -> ImageSource:
    """Return the location of the pixels of a measured image.

    Raises:
        NotFound: there is no such job or row.
        Conflict: nothing was measured yet.
    """
    with _rows_of(workspace, find_job(workspace, job_id, "train", "evaluate")) as (file, _):
        return source_of(cells_in(file, k))


@contextmanager
def _rows_of(workspace: Workspace, job: Job) -> Iterator[tuple[Path, list[str]]]:
    """Open the database of a run's rows, which is kept during the block; yields it with the run's classes."""
    run = Run(job.folder)
    table = run.predictions_file
    if not table.is_file():
        raise Conflict("no-measured-images")
    classes = _classes_in(table)
    stat, places = table.stat(), _places_of_dataset(workspace, job)
    with claim_store(ROWS, f"{job.id}-{stat.st_mtime_ns:x}-{stat.st_size:x}-{places}", will_grow=False) as claim:
        pass
    file, is_new = claim.folder / FILE, False
    try:
        with _indexing:
            if not file.is_file():
                is_new = True
                _index(workspace, job, file)
        yield file, classes
    finally:
        claim.release(has_grown=is_new)


def _classes_in(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as opened:
        return [name[2:] for cell in next(csv.reader(opened)) if (name := plain_cell(cell)).startswith("p:")]


def _places_of_dataset(workspace: Workspace, job: Job) -> str:
    """Return a key that changes if folders of the dataset are moved, missing or restored."""
    with suppress(NotFound), workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id or "")
        return sha256_json([row.sources, missing_sources(row)])[:8]
    return ""


def _index(workspace: Workspace, job: Job, file: Path) -> None:
    part = file.with_name(f".{file.name}.part")
    remove_database(part)
    writer = RowsWriter(part, journal="DELETE")
    find = _finder(workspace, job)
    try:
        sources = ((k, row, find(row.image_id)) for k, row in enumerate(job.run.predictions))
        writer.add((k, row, source.file, source.plan) for k, row, source in sources)
    finally:
        writer.close()
    part.replace(file)


def _finder(workspace: Workspace, job: Job) -> Callable[[str], ImageSource]:
    """Return a function that locates images: by the run, else by its dataset, whose folder may have been moved."""
    images = ImageLookup(job.run)
    in_dataset: dict[str, ImageSource] | None = None

    def find(image_id: str) -> ImageSource:
        nonlocal in_dataset
        source = images.find(image_id)
        if source is not None and source.file.exists():
            return source
        if in_dataset is None:
            in_dataset = _images_of_dataset(workspace, job)
        return in_dataset.get(image_id) or source or NOT_FOUND

    return find


def _images_of_dataset(workspace: Workspace, job: Job) -> dict[str, ImageSource]:
    with suppress(NotFound), workspace.engine.connect() as connection:
        dataset_row(connection, job.dataset_id or "")
        records = load_records(connection, job.dataset_id or "")
        return {record.image_id: ImageSource(record.path, record.plan) for record in records}
    return {}
