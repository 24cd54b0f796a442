"""Fields of view of predicted objects: which there are, their outlines, and the predictions of one field.

The objects are those of a prediction, the test images of a training, or the images of an evaluation.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import ColumnElement, String, func, select, tuple_

from coverslip.datasets import UNCERTAIN, UNFAMILIAR, UNREADABLE, name_as_text
from coverslip.errors import NotFound
from coverslip.runs.images import ImageSource
from coverslip.workspace.jobs.records import Job
from coverslip.workspace.lists.rows import JobImages, images_of_job, picture_source_of
from coverslip.workspace.predictions.state import PREDICTION
from coverslip.workspace.store.rows import AnyRow, Page, Paging, dataset_row, source_paths
from coverslip.workspace.store.tables import results
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.fields import (
    UNLABELED,
    FieldOfView,
    FieldOutlines,
    field_name,
    tables_of,
)
from coverslip.workspace.viewing.images import PictureSource

_PLANE = tuple(func.coalesce(func.json_extract(results.c.plan, f"$.{name}"), 0) for name in ("series", "t", "z"))
_IS_OBJECT = func.json_extract(results.c.plan, "$.region").is_not(None)
_FIRST = (func.min(results.c.row_id).label("row_id"), func.count().label("n_objects"))


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
    listed = images_of_job(workspace, job_id)
    query = select(*_FIRST).where(listed.is_of_job, _IS_OBJECT).group_by(results.c.file, *_PLANE)
    with workspace.engine.connect() as connection:
        fields = connection.execute(query.order_by("row_id")).all()
    return Page([_field(listed, each) for each in paging.of(fields)], len(fields))


def _field(listed: JobImages, field: AnyRow) -> FieldOfView:
    (source,) = listed.sources([field.row_id])
    name = field_name(listed.row(field.row_id).image_id, name_as_text(str(source.file)))
    return FieldOfView(field.row_id, name, field.n_objects, picture_source_of(source).version)


def field_of(workspace: Workspace, job_id: str, row_id: int) -> FieldOfView:
    """Return the field of view of an object of a job.

    Raises:
        NotFound: there is no such job or row, or the row is no object of a field.
        Conflict: nothing was measured yet.
    """
    plane = _plane_of(workspace, job_id, row_id)
    with workspace.engine.connect() as connection:
        return _field(plane.listed, connection.execute(select(*_FIRST).where(plane.is_in_field)).one())


def field_predictions(workspace: Workspace, job_id: str, row_id: int) -> FieldPredictions:
    """Return the predictions of the field of an object; raises as `field_of`."""
    plane = _plane_of(workspace, job_id, row_id)
    columns = tuple(results.c[name] for name in ("row_id", "label", "predicted", "decision", "probability"))
    with workspace.engine.connect() as connection:
        query = select(*columns).where(plane.is_in_field).order_by(results.c.row_id)
        rows = connection.execute(query).all()
        answers = plane.listed.answers(connection, [row.row_id for row in rows])
    decisions = {name: k for k, name in enumerate((*plane.listed.classes, UNCERTAIN, UNFAMILIAR, UNREADABLE))}
    number: dict[str | None, int] = {name: k for k, name in enumerate(plane.listed.classes)}
    return FieldPredictions(
        plane.listed.classes,
        [number.get(row.predicted, UNLABELED) for row in rows],
        [None if row.probability is None else round(row.probability, 4) for row in rows],
        [decisions[row.decision] for row in rows],
        [number.get(row.label, UNLABELED) for row in rows],
        [number.get(answers.get(row.row_id, ""), UNLABELED) for row in rows],
    )


def field_outlines(workspace: Workspace, job_id: str, row_id: int) -> FieldOutlines:
    """Return the row_ids, boxes and outlines of the objects of the field of an object; raises as `field_of`."""
    plane = _plane_of(workspace, job_id, row_id)
    line = results.c.row_id.cast(String) + " " + results.c.plan
    lines = select(line.label("line")).where(plane.is_of_file).order_by(results.c.row_id).subquery()
    with workspace.engine.connect() as connection:
        rows: str = connection.execute(select(func.group_concat(lines.c.line, "\n"))).scalar_one()
    tables = tables_of(workspace, _sources(workspace, plane.listed.job))
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
    (source,) = images_of_job(workspace, job_id).picture_sources([row_id])
    return source


@dataclass(frozen=True, slots=True)
class _Plane:
    """The field of an object of a job."""

    listed: JobImages
    source: ImageSource
    is_of_file: ColumnElement[bool]  # also images of other planes
    is_in_field: ColumnElement[bool]


def _plane_of(workspace: Workspace, job_id: str, row_id: int) -> _Plane:
    """Return the field of an object; raises as `field_of`."""
    listed = images_of_job(workspace, job_id)
    (source,) = listed.sources([row_id])
    plan = source.plan
    if plan.region is None:
        raise NotFound("no-object-of-field")
    file = select(results.c.file).where(listed.is_of_job, results.c.row_id == row_id).scalar_subquery()
    is_of_file = listed.is_of_job & (results.c.file == file)
    is_in_field = is_of_file & (tuple_(*_PLANE) == tuple_(plan.series, plan.t, plan.z)) & _IS_OBJECT
    return _Plane(listed, source, is_of_file, is_in_field)
