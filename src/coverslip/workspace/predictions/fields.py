"""Fields of view of predicted objects: which there are, their outlines, and the predictions of one field.

The objects are those of a prediction, the test images of a training, or the images of an evaluation.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coverslip.datasets import UNCERTAIN, UNFAMILIAR, UNREADABLE, name_as_text
from coverslip.errors import NotFound
from coverslip.runs.images import ImageSource
from coverslip.workspace.jobs.records import Job
from coverslip.workspace.predictions.measured import answers_of_job, picture_sources_of_job, rows_of_job
from coverslip.workspace.predictions.rows import cells_in, picture_source_of, reading, source_of
from coverslip.workspace.predictions.state import PREDICTION
from coverslip.workspace.store.rows import Page, Paging, dataset_row, source_paths
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.fields import (
    UNLABELED,
    FieldOfView,
    FieldOutlines,
    field_name,
    tables_of,
)
from coverslip.workspace.viewing.images import PictureSource

_PLANE = ", ".join(f"coalesce(json_extract(plan, '$.{name}'), 0)" for name in ("series", "t", "z"))
_FIRST = "min(row_id), image_id, file, plan, count(*)"  # SQLite takes them from the row with the minimum
_IS_OBJECT = "json_extract(plan, '$.region') IS NOT NULL"
_IN_FIELD = f"file = ? AND ({_PLANE}) = (?, ?, ?) AND {_IS_OBJECT}"


@dataclass(frozen=True, slots=True)
class FieldPredictions:
    """The predictions of the objects of a field, in the order of its outlines."""

    classes: list[str]
    predicted: Annotated[list[int], Field(description="Positions in `classes`; -1: unreadable.")]
    probabilities: Annotated[list[float | None], Field(description="Of the predicted classes; null: unreadable.")]
    decisions: Annotated[
        list[int],
        Field(description="Positions in `classes`, followed by `uncertain`, `unfamiliar` and `unreadable`."),
    ]
    labels: Annotated[list[int], Field(description="Labels of the images at the request of the job; -1: none.")]
    corrections: Annotated[
        list[int], Field(description="Classes that a user corrected or confirmed, or changed labels; -1: none.")
    ]


def list_fields(workspace: Workspace, job_id: str, paging: Paging) -> Page[FieldOfView]:
    """Return the fields of view of the images of a job so far; none if its images are no objects.

    Raises:
        NotFound: there is no such job.
        Conflict: nothing was measured yet.
    """
    query = f"SELECT {_FIRST} FROM rows WHERE {_IS_OBJECT} GROUP BY file, {_PLANE} ORDER BY min(row_id)"  # noqa: S608 - only fixed texts are put in
    with rows_of_job(workspace, job_id) as (_, file, _classes):
        if file is None:
            return Page([], 0)
        with reading(file) as connection:
            rows = connection.execute(query).fetchall()
    return paging.page_of([_field(row) for row in rows])


def _field(row: sqlite3.Row) -> FieldOfView:
    row_id, image_id, file, _, n_objects = row
    name = field_name(image_id, name_as_text(json.loads(file)))
    return FieldOfView(row_id, name, n_objects, picture_source_of(source_of(row)).version)


def field_of(workspace: Workspace, job_id: str, row_id: int) -> FieldOfView:
    """Return the field of view of an object of a job.

    Raises:
        NotFound: there is no such job or row, or the row is no object of a field.
        Conflict: nothing was measured yet.
    """
    query = f"SELECT {_FIRST} FROM rows WHERE {_IN_FIELD}"  # noqa: S608 - only fixed texts are put in
    with _plane_of(workspace, job_id, row_id) as plane, reading(plane.rows) as connection:
        return _field(connection.execute(query, plane.key).fetchone())


def field_predictions(workspace: Workspace, job_id: str, row_id: int) -> FieldPredictions:
    """Return the predictions of the field of an object; raises as `field_of`."""
    query = f"SELECT row_id, label, decision, predicted, probability FROM rows WHERE {_IN_FIELD} ORDER BY row_id"  # noqa: S608 - only fixed texts are put in
    with _plane_of(workspace, job_id, row_id) as plane:
        with reading(plane.rows) as connection:
            rows = connection.execute(query, plane.key).fetchall()
        answers = answers_of_job(workspace, plane.job, plane.rows, plane.classes)
    decisions = {name: k for k, name in enumerate((*plane.classes, UNCERTAIN, UNFAMILIAR, UNREADABLE))}
    number: dict[str | None, int] = {name: k for k, name in enumerate(plane.classes)}
    return FieldPredictions(
        plane.classes,
        [number.get(predicted, UNLABELED) for *_, predicted, _ in rows],
        [None if probability is None else round(probability, 4) for *_, probability in rows],
        [decisions[decision] for _, _, decision, *_ in rows],
        [number.get(label, UNLABELED) for _, label, *_ in rows],
        [number.get(answers.get(row_id, ""), UNLABELED) for row_id, *_ in rows],
    )


def field_outlines(workspace: Workspace, job_id: str, row_id: int) -> FieldOutlines:
    """Return the row_ids, boxes and outlines of the objects of the field of an object; raises as `field_of`."""
    lines = "SELECT row_id || ' ' || plan AS line FROM rows WHERE file = ? ORDER BY row_id"
    query = f"SELECT group_concat(line, char(10)) FROM ({lines})"  # noqa: S608 - only fixed texts are put in
    with _plane_of(workspace, job_id, row_id) as plane:
        with reading(plane.rows) as connection:
            (rows,) = connection.execute(query, plane.key[:1]).fetchone()
        tables = tables_of(workspace, _sources(workspace, plane.job))
    return FieldOutlines(rows, tables, plane.source.file, plane.source.plan)


def _sources(workspace: Workspace, job: Job) -> list[str]:
    """Return the folders and tables of the images of a job; none if the dataset of a measurement was removed."""
    if job.kind == PREDICTION.name:
        return list(job.choices["sources"])
    with suppress(NotFound), workspace.engine.connect() as connection:
        return source_paths(dataset_row(connection, job.dataset_id or ""))
    return []


def picture_source(workspace: Workspace, job_id: str, row_id: int) -> PictureSource:
    """Return the location of the pixels of an image of a job.

    Raises:
        NotFound: there is no such job or row.
        Conflict: nothing was measured yet.
    """
    (source,) = picture_sources_of_job(workspace, job_id, [row_id])
    return source


@dataclass(frozen=True, slots=True)
class _Plane:
    """The field of an object of a job."""

    job: Job
    rows: Path  # the database
    classes: list[str]
    source: ImageSource
    key: tuple[str, int, int, int | str]  # its file and plane, for `_IN_FIELD`


@contextmanager
def _plane_of(workspace: Workspace, job_id: str, row_id: int) -> Iterator[_Plane]:
    """Open the rows of a job, and yield the field of an object; raises as `field_of`."""
    with rows_of_job(workspace, job_id) as (job, file, classes):
        if file is None:
            raise NotFound("no-such-row")
        cells = cells_in(file, row_id)
        source = source_of(cells)
        if source.plan.region is None:
            raise NotFound("no-object-of-field")
        key = (cells["file"], source.plan.series, source.plan.t, source.plan.z)
        yield _Plane(job, file, classes, source, key)
