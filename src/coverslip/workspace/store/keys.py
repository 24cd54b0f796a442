"""The images of jobs by the image_ids that they had at the request of the job.

Tables in folders of jobs name images as the command line does, by IDs that change if a source is added to the dataset.
A job records for each ID the permanent `row_id` of the image, in a file that jobs on the same images share.
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, select

from coverslip.errors import CoverslipError
from coverslip.files import CsvWriter, plain_cell, safe_cell, write_bytes
from coverslip.runs import Run, SplitRow
from coverslip.workspace.store.tables import images, jobs
from coverslip.workspace.store.workspace import Workspace

_COLUMNS = ("image_id", "key")


def keys_of_dataset(workspace: Workspace, dataset_id: str) -> str:
    """Return the file with the keys of the images of a dataset, for a job on them."""
    query = select(images.c.image_id, images.c.row_id).where(images.c.dataset_id == dataset_id)
    with workspace.engine.connect() as connection:
        row_of = {row.image_id: row.row_id for row in connection.execute(query)}
    return write_keys(workspace, row_of)


def write_keys(workspace: Workspace, row_of: Mapping[str, int]) -> str:
    """Write the row_ids of images by ID to a file, whose name is a hash of its content, unless it exists; return it."""
    text = io.StringIO()
    writer = CsvWriter(text)
    writer.writerow(_COLUMNS)
    for image_id, row_id in row_of.items():
        writer.writerow((safe_cell(image_id), str(row_id)))
    data = text.getvalue().encode()
    file = workspace.snapshots / f"keys-{hashlib.sha256(data).hexdigest()[:16]}.csv"
    if not file.exists():
        write_bytes(file, data)
    return str(file)


def keys_in(file: str | None) -> Mapping[str, int]:
    """Return the row_ids by ID; none without a file."""
    return {} if file is None else _read(Path(file))


@lru_cache(maxsize=4)
def _read(file: Path) -> Mapping[str, int]:
    if not file.is_file():  # without it, labels would silently miss the dataset
        raise CoverslipError("missing-path", file=file)
    with file.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened)
        next(rows)
        return {plain_cell(image_id): int(key) for image_id, key in rows}


def split_in_dataset(connection: Connection, dataset_id: str, run_id: str) -> dict[str, SplitRow]:
    """Return the row of the split of a training for each of its images that is in the dataset now, by current ID."""
    query = select(jobs.c.folder, jobs.c.image_keys).where(jobs.c.id == run_id)
    job = connection.execute(query).one_or_none()
    if job is None:
        return {}
    key_of = keys_in(job.image_keys)
    row_of = {key_of.get(row.image_id): row for row in Run(Path(job.folder)).split}
    current = select(images.c.image_id, images.c.row_id).where(images.c.dataset_id == dataset_id)
    return {image_id: row_of[row_id] for image_id, row_id in connection.execute(current) if row_id in row_of}
