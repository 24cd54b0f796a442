"""Measured images of a run as rows: its `predictions.csv` as a database, made when it is first asked for, and kept."""

import csv
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coverslip.cache import Kind, Layout, opening, register, remove_database
from coverslip.datasets import ImageRecord
from coverslip.errors import Conflict, CoverslipError
from coverslip.files import plain_cell
from coverslip.images import ReadPlan
from coverslip.runs import Prediction, open_run
from coverslip.runs.provenance import images_of, plan_of
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.rows import (
    FILE,
    Picture,
    RowsPage,
    RowsWriter,
    Sort,
    Wanted,
    page_in,
    picture_in,
    row_in,
)
from coverslip.workspace.store.home import Workspace

ROWS = register(Kind("app-rows", "measured images as the app lists them", Layout(FILE, "rows"), bound_bytes=2 * 10**9))
_indexing = threading.Lock()


def page_of_run(workspace: Workspace, run_id: str, wanted: Wanted, *, sort: Sort, offset: int, limit: int) -> RowsPage:
    """Measured images of a run.

    Raises:
        NotFound: there is no such run.
        Conflict: nothing was measured yet.
    """
    with _rows_of(find_job(workspace, run_id, "train")) as (file, classes):
        return page_in(file, classes, wanted, {}, sort=sort, offset=offset, limit=limit)


def row_of_run(workspace: Workspace, run_id: str, k: int) -> Picture:
    """The picture of a measured image.

    Raises:
        NotFound: there is no such run, or no row of that number.
        Conflict: nothing was measured yet.
    """
    with _rows_of(find_job(workspace, run_id, "train")) as (file, _):
        return picture_in(row_in(file, k))


@contextmanager
def _rows_of(job: Job) -> Iterator[tuple[Path, list[str]]]:
    """The database of a run's rows, which stays during the block, and the run's classes."""
    table = job.folder / "predictions.csv"
    if not table.is_file():
        raise Conflict("This run has no measured images yet", do="Let the training finish, or resume it.")
    classes = _classes_in(table)
    stat = table.stat()
    with opening(ROWS, f"{job.id}-{stat.st_mtime_ns:x}-{stat.st_size:x}", will_grow=False) as claim:
        pass
    file, is_new = claim.folder / FILE, False
    try:
        with _indexing:
            if not file.is_file():
                is_new = True
                _index(job.folder, table, classes, file)
        yield file, classes
    finally:
        claim.release(has_grown=is_new)


def _classes_in(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as opened:
        return [name[2:] for cell in next(csv.reader(opened)) if (name := plain_cell(cell)).startswith("p:")]


def _index(folder: Path, table: Path, classes: list[str], file: Path) -> None:
    pictures = _pictures_of(folder)
    part = file.with_name(f"{file.name}.part")
    remove_database(part)
    writer = RowsWriter(part, journal="DELETE")
    try:
        with table.open(newline="", encoding="utf-8") as opened:
            rows = enumerate(csv.DictReader(opened))
            writer.add(_indexed(k, row, classes, pictures) for k, row in rows)
    finally:
        writer.close()
    part.replace(file)


def _indexed(
    k: int, raw: Mapping[str, Any], classes: Sequence[str], pictures: "_Pictures"
) -> tuple[int, Prediction, Path, ReadPlan]:
    row = {plain_cell(name): plain_cell(cell or "") for name, cell in raw.items()}
    is_read = bool(row["probability"])
    said = Prediction(
        image_id=row["image_id"],
        path=row["path"],
        label=row["label"] or None,
        predicted=row["predicted"] or None,
        probability=float(row["probability"]) if is_read else None,
        decision=row["decision"],
        probabilities=tuple(float(row[f"p:{name}"] or "nan") for name in classes) if is_read else (),
    )
    return k, said, *pictures.find(row["image_id"], row["path"])


class _Pictures:
    """Where the images of a run lie, by their ids; where they can't be listed again, by the root of their paths."""

    def __init__(self, records: Iterable[ImageRecord], root: Path, plan: ReadPlan) -> None:
        self._by_id = {record.image_id: record for record in records}
        self._root, self._plan = root, plan

    def find(self, image_id: str, path: str) -> tuple[Path, ReadPlan]:
        record = self._by_id.get(image_id)
        return (self._root / path, self._plan) if record is None else (record.path, record.plan)


def _pictures_of(folder: Path) -> _Pictures:
    run = open_run(folder)
    root, plan = run.environment.root_of(None), plan_of(run.recipe)
    try:
        return _Pictures(images_of(run).records, root, plan)
    except CoverslipError:  # they were moved away since; their rows still count
        return _Pictures((), root, plan)
