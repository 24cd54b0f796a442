"""Fields of view in the viewer: which there are, and the outlines of the objects of one field.

A field is one plane of a file of which several images are parts: the objects. It is addressed by one of its objects,
and needs no table of its own. Outlines come from the table of objects that the dataset was opened from.
"""

import hashlib
import json
import os
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Select, String, and_, cast, func, select

from coverslip.cache import state_of
from coverslip.datasets.tables.reading import is_table
from coverslip.errors import CoverslipError, NotFound
from coverslip.images import ReadPlan
from coverslip.objects import Outlines, joined, outlines_in_plane
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import AnyRow, Page, Paging, class_order, dataset_row, plan_of, source_paths
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import PictureSource
from coverslip.workspace.viewing.pyramids import MEMORY

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are said in each docstring
Box = tuple[int, int, int, int]  # x, y, width, height in pixels
UNLABELED = -1
_FIRST_OBJECT = (images.c.row_id, images.c.image_id, images.c.shown_path, images.c.version)


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """A field of view with objects."""

    row_id: Annotated[int, Field(description="The row_id of its first object, which addresses the field.")]
    name: Annotated[str, Field(description="The name of its file, with its time point and z-plane if any.")]
    n_objects: int
    version: Annotated[str, Field(description="Changes with the file; give it as ?v= to cache tiles permanently.")]


@dataclass(frozen=True, slots=True)
class FieldLabels:
    """The labels of the objects of a field, in the order of its outlines."""

    classes: list[str]
    labels: Annotated[list[int], Field(description="Positions in `classes`; -1: no label.")]
    excluded: Annotated[list[int], Field(description="Positions of the objects that were excluded in the app.")]


class FieldOutlines:
    """The outlines of the objects of a field, which are read when they are needed, and are then kept in memory.

    Args:
        rows: a line for each image of the file of the field, in order, also for those of other planes: row_id and plan
            (JSON), with a space between them. A single text is read and compared much faster than rows.
        tables: tables of objects, and others, which are ignored.
        path: the file of the field.
        plan: its plane.
    """

    def __init__(self, rows: str, tables: Sequence[Path], path: Path, plan: ReadPlan) -> None:
        self._rows, self._tables, self._path, self._plan = rows, tables, path, plan
        digest = hashlib.sha256(json.dumps([os.fspath(path), plan.series, plan.t, plan.z]).encode())
        for table in tables:
            digest.update(json.dumps([os.fspath(table), state_of(table)]).encode())
        digest.update(rows.encode())
        self.version = digest.digest()  # changes with the objects, their boxes, and the tables

    def encoded(self) -> bytes:
        """Return the objects as `encode_outlines`.

        Raises:
            BadDataset: a table cannot be read.
        """
        data: Array = MEMORY.get(("outlines", self.version), self._encode)
        return data.tobytes()

    def _encode(self) -> Array:
        plane = self._plan.series, self._plan.t, self._plan.z
        lines = [line.partition(" ") for line in self._rows.split("\n")]
        plans = json.loads(f"[{','.join(text for *_, text in lines)}]")
        of_field = [
            (int(row_id), each["region"])
            for (row_id, *_), each in zip(lines, plans, strict=True)
            if each.get("region") and tuple(each.get(name, 0) for name in ("series", "t", "z")) == plane
        ]
        boxes = np.array([region for _, region in of_field], np.int64).reshape(-1, 4)
        outlines = outlines_of(self._tables, self._path, self._plan, boxes)
        return np.frombuffer(encode_outlines([row_id for row_id, _ in of_field], boxes, outlines), np.uint8)


def whole_field(source: PictureSource) -> PictureSource:
    """Return the field of view of an object."""
    plan = source.plan.model_copy(update={"region": None, "crop_size": None, "crop_margin": 0.0})
    return PictureSource(source.path, plan, source.version, source.is_readable)


def field_name(image_id: str, path: str) -> str:
    """Return the name of a field: the ID of an object in it without the part that identifies the object."""
    return image_id.rpartition("#")[0] or path


def list_fields(workspace: Workspace, dataset_id: str, paging: Paging) -> Page[FieldOfView]:
    """Return the fields of view of a dataset, in the order of their first objects; none if its images are no objects.

    Raises:
        NotFound: there is no such dataset.
    """
    of_dataset = (images.c.dataset_id == dataset_id) & _is_object()
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        rows = connection.execute(_first_objects(dataset_id, of_dataset)).all()
    return paging.page_of([_field(row) for row in rows])


def _first_objects(dataset_id: str, condition: ColumnElement[bool]) -> Select[Any]:  # Any: columns of the table
    """Return a query for the first object of each field, and the number of objects that meet a condition."""
    first, n_objects = func.min(images.c.position).label("first"), func.count().label("n_objects")
    grouped = select(first, n_objects).where(condition).group_by(images.c.path, *_plane_columns()).subquery()
    is_first = (images.c.dataset_id == dataset_id) & (images.c.position == grouped.c.first)
    return select(*_FIRST_OBJECT, grouped.c.n_objects).join(grouped, is_first).order_by(images.c.position)


def field_of(workspace: Workspace, dataset_id: str, row_id: int) -> FieldOfView:
    """Return the field of view of an object.

    Raises:
        NotFound: there is no such dataset or image, or it is no object of a field.
    """
    with read_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        condition = _in_field(connection, dataset_id, row_id)
        row = connection.execute(_first_objects(dataset_id, condition)).one()
    return _field(row)


def _field(row: AnyRow) -> FieldOfView:
    return FieldOfView(row.row_id, field_name(row.image_id, row.shown_path), row.n_objects, row.version)


def field_labels(workspace: Workspace, dataset_id: str, row_id: int) -> FieldLabels:
    """Return the labels of the objects of the field of an object; raises as `field_of`."""
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        query = select(images.c.label, images.c.is_excluded).where(_in_field(connection, dataset_id, row_id))
        objects = connection.execute(query.order_by(images.c.position)).all()
    classes = class_order(row.class_names, row.summary["classes"])
    number = {name: k for k, name in enumerate(classes)}
    return FieldLabels(
        classes,
        [UNLABELED if label is None else number[label] for label, _ in objects],
        [k for k, (_, is_excluded) in enumerate(objects) if is_excluded],
    )


def field_outlines(workspace: Workspace, dataset_id: str, row_id: int) -> FieldOutlines:
    """Return the row_ids, boxes and outlines of the objects of the field of an object.

    Raises:
        NotFound: as `field_of`.
    """
    with read_transaction(workspace.engine) as connection:
        dataset = dataset_row(connection, dataset_id)
        path, plan = _object_row(connection, dataset_id, row_id)
        line = cast(images.c.row_id, String) + " " + cast(images.c.plan, String)
        is_of_file = (images.c.dataset_id == dataset_id) & (images.c.path == path) & images.c.plan.is_not(None)
        lines = select(line.label("line")).where(is_of_file).order_by(images.c.position).subquery()
        rows = connection.execute(select(func.aggregate_strings(lines.c.line, "\n"))).scalar_one()
    return FieldOutlines(rows, tables_of(workspace, source_paths(dataset)), path, plan)


def _plane_columns() -> tuple[ColumnElement[Any], ...]:
    texts = (cast(images.c.plan[name].as_string(), String) for name in ("series", "t", "z"))
    return tuple(func.coalesce(text, "0") for text in texts)


def _is_object() -> ColumnElement[bool]:
    is_object: ColumnElement[bool] = images.c.plan["region"].as_string().is_not(None)
    return is_object


def _in_field(connection: Connection, dataset_id: str, row_id: int) -> ColumnElement[bool]:
    """Return the condition for the objects of a field; raises as `_object_row`."""
    path, plan = _object_row(connection, dataset_id, row_id)
    condition = (images.c.dataset_id == dataset_id) & (images.c.path == path) & _is_object()
    planes = zip(_plane_columns(), (plan.series, plan.t, plan.z), strict=True)
    return and_(condition, *(column == str(value) for column, value in planes))


def _object_row(connection: Connection, dataset_id: str, row_id: int) -> tuple[Path, ReadPlan]:
    """Return the file of an object, and the pixels that are read.

    Raises:
        NotFound: there is no such image, or it is no object of a field.
    """
    is_image = (images.c.dataset_id == dataset_id) & (images.c.row_id == row_id)
    row = connection.execute(select(images.c.path, images.c.plan).where(is_image)).one_or_none()
    if row is None:
        raise NotFound("no-image-with-row-id", row_id=row_id)
    plan, _ = plan_of(row.plan)
    if plan.region is None:
        raise NotFound("no-object-of-field")
    return row.path, plan


def tables_of(workspace: Workspace, sources: Sequence[str]) -> list[Path]:
    """Return the tables among sources that exist in the readable folders."""
    tables = []
    for source in sources:
        try:
            path = workspace.allowed(source)
        except CoverslipError:
            continue
        if is_table(path):
            tables.append(path)
    return tables


def outlines_of(tables: Sequence[Path], path: Path, plan: ReadPlan, boxes: Array) -> Outlines:
    """Return the outline of each object of a field; objects that no table has are without an outline.

    Objects are matched by their boxes. The table lists objects of equal boxes in the order of the dataset.

    Args:
        tables: tables of objects, and others, which are ignored.
        path: the file of the field.
        plan: its plane.
        boxes: (n, 4) of the objects.

    Raises:
        BadDataset: a table cannot be read.
    """
    of_tables = [outlines_in_plane(table, path, plan.series, plan.t, plan.z) for table in tables]
    table_boxes = np.concatenate([np.empty((0, 4), np.int64), *(each for each, _ in of_tables)])
    outlines = joined([each for _, each in of_tables])
    if np.array_equal(table_boxes, boxes):
        return outlines
    of_box: dict[Box, deque[int]] = defaultdict(deque)
    for position, box in enumerate(map(tuple, table_boxes.tolist())):
        of_box[box].append(position)
    positions = [matches.popleft() if (matches := of_box.get(tuple(box))) else -1 for box in boxes.tolist()]
    return outlines.take(np.array(positions, np.int64))


def encode_outlines(row_ids: Sequence[int], boxes: Array, outlines: Outlines) -> bytes:
    """Return objects as little-endian numbers of 32 bits.

    The numbers of objects, rings and vertices; the row_id of each object; x, y, width and height of each box (signed);
    the first ring of each object, and the number of rings; the first vertex of each ring, and the number of vertices
    (all unsigned); x and y of each vertex (floating point).
    """
    n_rings, n_vertices = len(outlines.ring_start) - 1, len(outlines.xy)
    parts: tuple[tuple[Any, str], ...] = (
        ((len(row_ids), n_rings, n_vertices), "<u4"),
        (row_ids, "<u4"),
        (boxes, "<i4"),
        (outlines.object_start, "<u4"),
        (outlines.ring_start, "<u4"),
        (outlines.xy, "<f4"),
    )
    return b"".join(np.asarray(values).astype(dtype).tobytes() for values, dtype in parts)
