"""Read the tables of jobs (`predictions.csv`) into the database: once, while they grow or when they were replaced.

The processes of jobs do not know the database, and may run on other computers. Rows are stored in short transactions,
so that other requests rarely wait.

Images of jobs in datasets: by their permanent rows, and, where these are unknown, by their files and pixels.
"""

import csv
import json
import logging
import math
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, delete, insert, select, update

from coverslip.datasets import ImageFinder, name_from_text
from coverslip.errors import CoverslipError
from coverslip.files import plain_cell
from coverslip.images import ReadPlan
from coverslip.runs import (
    FIRST_COLUMN,
    PLAN_COLUMN,
    REPEATS_COLUMN,
    TEXT_FORMATS,
    Prediction,
    complete_records,
    is_reserved,
    prediction_of,
    unfinished_rows,
)
from coverslip.runs.images import ImageLookup, ImageSource, evaluated_images_of, image_files, images_of
from coverslip.workspace.jobs.kinds import kind_of
from coverslip.workspace.jobs.records import Job, all_jobs
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import AnyRow, keys_in, keys_of_dataset, plan_of, write_keys
from coverslip.workspace.store.sql import among_integers, change_rows, replace_rows
from coverslip.workspace.store.tables import corrections, images, jobs, path_as_stored, result_tables, results
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 200
_locks: dict[tuple[Path, str], threading.Lock] = {}
_INSERT = (
    f"INSERT OR REPLACE INTO results ({', '.join(chr(34) + each.name + chr(34) for each in results.columns)}) "  # noqa: S608 - fixed names
    f"VALUES ({', '.join('?' * len(results.columns))})"
)
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table, and what the table or the run knows of its image."""

    prediction: Prediction
    file: str | None  # absolute path
    plan: str
    first_row: int | None = None
    group: str | None = None
    about: str | None = None


def read_results(workspace: Workspace, job: Job) -> AnyRow | None:
    """Read new rows of a job, and return what is known of its table: classes and columns; None: it has none yet."""
    with _locks.setdefault((workspace.folder, job.id), threading.Lock()):
        if kind_of(job).has_measurements:
            _read_measured(workspace, job)
        else:
            for file in (job.run.predictions_file, unfinished_rows(job.run.predictions_file)):
                if file.is_file():
                    _read_new(workspace, job, file)
                    break
        return _stored(workspace, job)


def delete_results(workspace: Workspace, job_id: str) -> None:
    """Delete the rows of a job, in short transactions."""
    rows = select(results.c.row_id).where(results.c.job_id == job_id).limit(_ROWS_AT_ONCE)
    is_next = (results.c.job_id == job_id) & results.c.row_id.in_(rows.scalar_subquery())
    n_deleted = 1
    while n_deleted:
        with write_transaction(workspace.engine) as connection:
            n_deleted = connection.execute(delete(results).where(is_next)).rowcount
            connection.execute(delete(result_tables).where(result_tables.c.job_id == job_id))


def _stored(workspace: Workspace, job: Job) -> AnyRow | None:
    with workspace.engine.connect() as connection:
        return connection.execute(select(result_tables).where(result_tables.c.job_id == job.id)).one_or_none()


def _read_measured(workspace: Workspace, job: Job) -> None:
    """Read the table of a run or an evaluation, if it is new: it appears when it is complete, and can be replaced."""
    try:
        status = job.run.predictions_file.stat()
    except FileNotFoundError:
        return
    version, stored = f"{status.st_mtime_ns:x}-{status.st_size:x}", _stored(workspace, job)
    if stored is not None and stored.version == version:
        return
    predictions = job.run.predictions
    lookup = ImageLookup(job.run)
    split = job.run.split if job.run.split_file.is_file() else ()  # evaluations have none
    groups = {row.image_id: row.named_group for row in split}

    def rows() -> Iterator[_Row]:
        for prediction in predictions:
            source = lookup.find(prediction.image_id)
            group = groups.get(prediction.image_id) or None
            if source is None:
                yield _Row(prediction, None, "", group=group)
            else:
                yield _Row(prediction, str(source.file), source.plan.as_json(), group=group)

    remaining, n_rows = rows(), 0
    while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
        with write_transaction(workspace.engine) as connection:
            _insert(connection, job, n_rows, chunk)
        n_rows += len(chunk)
    with write_transaction(workspace.engine) as connection:
        connection.execute(delete(results).where(results.c.job_id == job.id, results.c.row_id >= n_rows))
        _store(connection, job, version, status.st_size, n_rows, list(predictions.classes), [])


def _read_new(workspace: Workspace, job: Job, file: Path) -> None:
    """Read the rows that a prediction has added to its table."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:  # it was renamed, because it is complete: the next call reads it
        return
    with stream:
        _read_rows(workspace, job, stream)


def _read_rows(workspace: Workspace, job: Job, stream: IO[bytes]) -> None:
    stored = _stored(workspace, job)
    size = os.fstat(stream.fileno()).st_size
    if stored is not None and size == stored.n_bytes:
        return
    is_continued = stored is not None and 0 < stored.n_bytes < size
    n_bytes, n_rows = (stored.n_bytes, stored.n_rows) if stored is not None and is_continued else (0, 0)
    records = complete_records(stream, TEXT_FORMATS["csv"])
    header = next(records, b"")
    if not header:
        return
    columns = _cells(header)
    classes = [name.removeprefix("p:") for name in columns if name.startswith("p:")]
    names = [name for name in columns if name == REPEATS_COLUMN or not is_reserved(name)]
    if n_bytes:
        stream.seek(n_bytes)
    else:
        n_bytes = len(header)
    while chunk := list(islice(records, _ROWS_AT_ONCE)):
        rows = [_row_of(dict(zip(columns, _cells(record), strict=True)), classes, names) for record in chunk]
        with write_transaction(workspace.engine) as connection:
            _insert(connection, job, n_rows, rows)
            n_bytes, n_rows = n_bytes + sum(map(len, chunk)), n_rows + len(chunk)
            _store(connection, job, "", n_bytes, n_rows, classes, names)


def _cells(record: bytes) -> list[str]:
    (cells,) = csv.reader([record.decode()])
    return [plain_cell(cell) for cell in cells]


def _row_of(cells: Mapping[str, str], classes: list[str], names: list[str]) -> _Row:
    about = json.dumps([cells[name] for name in names]) if names else None
    first = int(cells.get(FIRST_COLUMN) or -1)  # tables of earlier versions do not have these two columns
    file, plan = name_from_text(cells["path"]), cells.get(PLAN_COLUMN, "")
    return _Row(prediction_of(cells, classes), file, plan, first if first >= 0 else None, about=about)


def _insert(connection: Connection, job: Job, start: int, rows: list[_Row]) -> None:
    """Store rows with the images of the dataset that the job named."""
    key_of = keys_in(job.image_keys)
    keys = [key_of.get(row.prediction.image_id) for row in rows]
    of_first = [row.first_row for row in rows if row.first_row is not None]
    query = select(results.c.row_id, results.c.image).where(
        results.c.job_id == job.id, results.c.row_id.in_(among_integers(of_first))
    )
    image_of: dict[int | None, int | None] = {row.row_id: row.image for row in connection.execute(query)}
    is_key = images.c.row_id.in_(among_integers(key for key in keys if key is not None))
    present = connection.execute(select(images.c.row_id, images.c.plan).where(is_key))
    plan_of_image: dict[int | None, Any] = {row.row_id: row.plan for row in present}
    cells = []
    for row_id, (row, key) in enumerate(zip(rows, keys, strict=True), start):
        image = key if key in plan_of_image else image_of.get(row.first_row)
        image_of[row_id] = image
        plan = row.plan or (plan_of(plan_of_image[image])[0] if image in plan_of_image else ReadPlan()).as_json()
        cells.append((job.id, row_id, row.first_row, image, *_values(row, plan)))
    connection.exec_driver_sql(_INSERT, cells)
    _correct_repeats(connection, job, start)


def _correct_repeats(connection: Connection, job: Job, start: int) -> None:
    """Copy the answers about the first rows of images to further rows of them, which users could not see before."""
    is_repeat = (results.c.first_row == corrections.c.row_id) & (results.c.job_id == corrections.c.job_id)
    columns = [results.c.row_id if each.name == "row_id" else each for each in corrections.columns]
    answers = select(*columns).join(results, is_repeat).where(results.c.job_id == job.id, results.c.row_id >= start)
    names = [each.name for each in corrections.columns]
    connection.execute(insert(corrections).prefix_with("OR IGNORE").from_select(names, answers))


def _values(row: _Row, plan: str) -> tuple[object, ...]:
    """Return the values of the columns from `image_id` on."""
    prediction = row.prediction
    classes = None if prediction.prediction_set is None else json.dumps(prediction.prediction_set)
    return (
        *(prediction.image_id, prediction.path, None if row.file is None else path_as_stored(row.file), plan),
        *(row.group, prediction.label, prediction.predicted, prediction.decision, prediction.probability),
        json.dumps([None if math.isnan(p) else p for p in prediction.probabilities]),
        *(prediction.reason_code, prediction.warning_code, prediction.ood_score, classes, row.about),
    )


def _store(
    connection: Connection, job: Job, version: str, n_bytes: int, n_rows: int, classes: list[str], columns: list[str]
) -> None:
    """Store how much of the table has been read."""
    values = {"version": version, "n_bytes": n_bytes, "n_rows": n_rows, "classes": classes, "columns": columns}
    replace_rows(connection, result_tables, [{"job_id": job.id, **values}])


def rows_in_dataset(
    connection: Connection, job: Job, dataset_id: str, rows: Sequence[tuple[int, ImageSource]]
) -> list[int | None]:
    """Return the row_ids in a dataset of images of a job, which may have predicted another dataset or folder.

    Args:
        connection: a connection to the database.
        job: the job.
        dataset_id: the dataset.
        rows: the numbers of rows of the job, and their images.

    Returns:
        None for images that are not in the dataset, or that two images of it could be.
    """
    is_in_dataset = (images.c.row_id == results.c.image) & (images.c.dataset_id == dataset_id)
    query = select(results.c.row_id, images.c.row_id.label("image")).join(images, is_in_dataset)
    is_row = (results.c.job_id == job.id) & results.c.row_id.in_(among_integers(row_id for row_id, _ in rows))
    image_of = {row.row_id: int(row.image) for row in connection.execute(query.where(is_row))}
    if len(image_of) == len(rows):
        return [image_of[row_id] for row_id, _ in rows]
    finder, row_ids = finder_in(connection, dataset_id)
    matches = [finder.find(str(source.file), source.plan) for _, source in rows]
    return [
        image_of.get(row_id, None if index is None else row_ids[index])
        for (row_id, _), index in zip(rows, matches, strict=True)
    ]


def finder_in(connection: Connection, dataset_id: str) -> tuple[ImageFinder, list[int]]:
    """Return a finder of the images of a dataset, and their row_ids in its order."""
    query = select(images.c.row_id, images.c.path, images.c.plan).where(images.c.dataset_id == dataset_id)
    listed = connection.execute(query.order_by(images.c.position)).all()
    return ImageFinder((image.path, *plan_of(image.plan)) for image in listed), [image.row_id for image in listed]


def match_earlier_jobs(workspace: Workspace) -> None:
    """Find the images of jobs of versions before 8 in their datasets. This is done once for each job."""
    for kind in ("train", "evaluate", "predict"):
        for job in all_jobs(workspace, kind):
            if job.image_keys is None and job.dataset_id is not None:
                _match(workspace, job, job.dataset_id)


def _match(workspace: Workspace, job: Job, dataset_id: str) -> None:
    with workspace.engine.connect() as connection:
        finder, row_ids = finder_in(connection, dataset_id)
        is_of_job = results.c.job_id == job.id
        columns = (results.c.row_id, results.c.image_id, results.c.file, results.c.plan)
        stored = connection.execute(select(*columns).where(is_of_job)).all()
    if kind_of(job).has_measurements:
        sources = _images_of_run(job)
    else:
        located = [row for row in stored if row.file]
        sources = {row.image_id: ImageSource(Path(row.file), ReadPlan.from_json(row.plan)) for row in located}
    matches = {image_id: finder.find(str(source.file), source.plan) for image_id, source in sources.items()}
    row_of = {image_id: row_ids[index] for image_id, index in matches.items() if index is not None}
    _log.info("%s: %d of %d images are in its dataset", job.name, len(row_of), len(sources))
    # A job that has not listed its images yet will read those that the dataset has now.
    keys = write_keys(workspace, row_of) if sources else keys_of_dataset(workspace, dataset_id)
    changes = [
        {"job_id": job.id, "row_id": row.row_id, "image": row_of[row.image_id]}
        for row in stored
        if row.image_id in row_of
    ]
    with write_transaction(workspace.engine) as connection:
        change_rows(connection, results, changes)
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(image_keys=keys))


def _images_of_run(job: Job) -> dict[str, ImageSource]:
    """Return the images of a run or an evaluation, opened again, or by the paths of its split if that fails."""
    with suppress(CoverslipError):
        data = evaluated_images_of(job.run) if job.run.is_evaluation else images_of(job.run)
        return {record.image_id: ImageSource(record.path, record.plan) for record in data.records}
    if not job.run.split_file.is_file():
        return {}
    return {image_id: ImageSource(Path(path), ReadPlan()) for image_id, path in image_files(job.run).items()}
