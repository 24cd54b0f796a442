"""Fields of view of predicted objects: which there are, their outlines, and the predictions of one field."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from coverslip.datasets import name_as_text
from coverslip.errors import NotFound
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.rows import (
    FILE,
    cells_in,
    corrections_of,
    picture_source_of,
    reading,
    source_of,
    sources_in,
)
from coverslip.workspace.predictions.state import PREDICTION
from coverslip.workspace.store.rows import Page, Paging
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
    corrections: Annotated[list[int], Field(description="Classes that a user corrected or confirmed; -1: none.")]


def list_fields(workspace: Workspace, prediction_id: str, paging: Paging) -> Page[FieldOfView]:
    """Return the fields of view of a prediction so far; none if its images are no objects.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, PREDICTION.name)
    if not (job.folder / FILE).is_file():
        return Page([], 0)
    query = f"SELECT {_FIRST} FROM rows WHERE {_IS_OBJECT} GROUP BY file, {_PLANE} ORDER BY 1"  # noqa: S608 - only fixed texts are put in
    with reading(job.folder / FILE) as connection:
        rows = connection.execute(query).fetchall()
    return paging.page_of([_field(row) for row in rows])


def _field(row: sqlite3.Row) -> FieldOfView:
    row_id, image_id, file, _, n_objects = row
    name = field_name(image_id, name_as_text(json.loads(file)))
    return FieldOfView(row_id, name, n_objects, picture_source_of(source_of(row)).version)


def field_of(workspace: Workspace, prediction_id: str, row_id: int) -> FieldOfView:
    """Return the field of view of a predicted object.

    Raises:
        NotFound: there is no such prediction or row, or the row is no object of a field.
    """
    query = f"SELECT {_FIRST} FROM rows WHERE {_IN_FIELD}"  # noqa: S608 - only fixed texts are put in
    job, plane = _plane_of(workspace, prediction_id, row_id)
    with reading(job.folder / FILE) as connection:
        return _field(connection.execute(query, plane).fetchone())


def field_predictions(workspace: Workspace, prediction_id: str, row_id: int) -> FieldPredictions:
    """Return the predictions of the field of an object; raises as `field_of`."""
    job, plane = _plane_of(workspace, prediction_id, row_id)
    query = f"SELECT row_id, predicted, probability FROM rows WHERE {_IN_FIELD} ORDER BY row_id"  # noqa: S608 - only fixed texts are put in
    with reading(job.folder / FILE) as connection:
        rows = connection.execute(query, plane).fetchall()
    corrected = corrections_of(workspace, prediction_id)
    classes = list(job.choices["classes"])
    number = {name: k for k, name in enumerate(classes)}
    return FieldPredictions(
        classes,
        [number.get(predicted, UNLABELED) for _, predicted, _ in rows],
        [None if probability is None else round(probability, 4) for *_, probability in rows],
        [number.get(corrected.get(row_id, ""), UNLABELED) for row_id, *_ in rows],
    )


def field_outlines(workspace: Workspace, prediction_id: str, row_id: int) -> FieldOutlines:
    """Return the row_ids, boxes and outlines of the objects of the field of an object; raises as `field_of`."""
    job, (file, *_) = _plane_of(workspace, prediction_id, row_id)
    with reading(job.folder / FILE) as connection:
        lines = "SELECT row_id || ' ' || plan AS line FROM rows WHERE file = ? ORDER BY row_id"
        query = f"SELECT group_concat(line, char(10)) FROM ({lines})"  # noqa: S608 - only fixed texts are put in
        (rows,) = connection.execute(query, (file,)).fetchone()
    source = source_of(cells_in(job.folder / FILE, row_id))
    tables = tables_of(workspace, job.choices["sources"])
    return FieldOutlines(rows, tables, source.file, source.plan)


def picture_source(workspace: Workspace, prediction_id: str, row_id: int) -> PictureSource:
    """Return the location of the pixels of a predicted image.

    Raises:
        NotFound: there is no such prediction or row.
    """
    (source,) = sources_in(find_job(workspace, prediction_id, PREDICTION.name).folder / FILE, [row_id])
    return source


def _plane_of(workspace: Workspace, prediction_id: str, row_id: int) -> tuple[Job, tuple[str, int, int, int | str]]:
    """Return a prediction, and the file and plane of an object for `_IN_FIELD`.

    Raises:
        NotFound: there is no such prediction or row, or the row is no object of a field.
    """
    job = find_job(workspace, prediction_id, PREDICTION.name)
    cells = cells_in(job.folder / FILE, row_id)
    plan = source_of(cells).plan
    if plan.region is None:
        raise NotFound("no-object-of-field")
    return job, (cells["file"], plan.series, plan.t, plan.z)
