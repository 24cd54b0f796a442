"""Measured images of a run, or of an evaluation: `predictions.csv` as a database, made when it is first asked for."""

import csv
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coverslip.cache import Kind, Layout, claimed, register, remove_database
from coverslip.errors import Conflict
from coverslip.files import plain_cell
from coverslip.runs import Run
from coverslip.runs.lookup import ImageLookup, ImageSource
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.pictures import NOT_FOUND
from coverslip.workspace.predictions.relabelled import relabelled_since
from coverslip.workspace.predictions.rows import FILE, Row, RowsWriter, cells_in, page_in, row_of, source_of
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Page
from coverslip.workspace.viewing.filters import Filters

ROWS = register(Kind("app-rows", "measured images as the app lists them", Layout(FILE, "rows"), bound_bytes=2 * 10**9))
_indexing = threading.Lock()


def page_of_measured(workspace: Workspace, job_id: str, filters: Filters, *, offset: int, limit: int) -> Page[Row]:
    """Measured images of a run or an evaluation.

    Raises:
        NotFound: there is none of this id.
        Conflict: nothing was measured yet.
    """
    job = find_job(workspace, job_id, "train", "evaluate")
    with _rows_of(job) as (file, classes):
        relabelled = relabelled_since(workspace, job, classes, file)
        return page_in(file, classes, relabelled, filters, offset=offset, limit=limit)


def row_of_measured(workspace: Workspace, job_id: str, k: int) -> Row:
    """One measured image; raises as `measured_row`."""
    job = find_job(workspace, job_id, "train", "evaluate")
    with _rows_of(job) as (file, classes):
        return row_of(cells_in(file, k), classes, relabelled_since(workspace, job, classes, file))


def measured_row(workspace: Workspace, job_id: str, k: int) -> ImageSource:
    """The picture of a measured image.

    Raises:
        NotFound: there is nothing of this id, or no row of that number.
        Conflict: nothing was measured yet.
    """
    with _rows_of(find_job(workspace, job_id, "train", "evaluate")) as (file, _):
        return source_of(cells_in(file, k))


@contextmanager
def _rows_of(job: Job) -> Iterator[tuple[Path, list[str]]]:
    """The database of a run's rows, which stays during the block, and the run's classes."""
    run = Run(job.folder)
    table = run.predictions_file
    if not table.is_file():
        raise Conflict("There are no measured images yet", do="Let it finish, or resume it.")
    classes = _classes_in(table)
    stat = table.stat()
    with claimed(ROWS, f"{job.id}-{stat.st_mtime_ns:x}-{stat.st_size:x}", will_grow=False) as claim:
        pass
    file, is_new = claim.folder / FILE, False
    try:
        with _indexing:
            if not file.is_file():
                is_new = True
                _index(run, file)
        yield file, classes
    finally:
        claim.release(has_grown=is_new)


def _classes_in(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as opened:
        return [name[2:] for cell in next(csv.reader(opened)) if (name := plain_cell(cell)).startswith("p:")]


def _index(run: Run, file: Path) -> None:
    images = ImageLookup(run)
    part = file.with_name(f"{file.name}.part")
    remove_database(part)
    writer = RowsWriter(part, journal="DELETE")
    try:
        sources = ((k, row, images.find(row.image_id) or NOT_FOUND) for k, row in enumerate(run.predictions))
        writer.add((k, row, source.file, source.plan) for k, row, source in sources)
    finally:
        writer.close()
    part.replace(file)
