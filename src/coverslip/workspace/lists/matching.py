"""Images of jobs in datasets: by their permanent rows, and, where these are unknown, by their files and pixels."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, select, update

from coverslip.datasets import ImageFinder
from coverslip.errors import CoverslipError
from coverslip.images import ReadPlan
from coverslip.runs.images import ImageSource, evaluated_images_of, image_files, images_of
from coverslip.workspace.jobs.kinds import kind_of
from coverslip.workspace.jobs.records import Job, all_jobs
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.keys import keys_of_dataset, write_keys
from coverslip.workspace.store.rows import plan_of
from coverslip.workspace.store.sql import among_integers, change_rows
from coverslip.workspace.store.tables import images, jobs, results
from coverslip.workspace.store.workspace import Workspace

_log = logging.getLogger("coverslip")


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
