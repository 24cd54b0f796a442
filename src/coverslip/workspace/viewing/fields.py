"""Fields of view in the viewer: which there are, and the outlines of the objects of one field.

A field is one plane of a file of which several images are parts: the objects. It is addressed by one of its objects,
and needs no table of its own. Outlines come from the tables of objects that the images were opened from.
"""

import hashlib
import json
import os
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, String, cast, func, select, tuple_

from coverslip.cache.file_hashes import state_of
from coverslip.datasets.text_tables import is_table
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError, NotFound
from coverslip.images.reader import ReadPlan
from coverslip.objects.outlines import Outlines, joined
from coverslip.objects.table import outlines_in_plane
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import Page, Paging, among_integers
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import FilteredImages, Filters, ImageList, ObjectLabels, PictureSource
from coverslip.workspace.viewing.tiles import MEMORY

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are said in each docstring
Rectangle = tuple[int, int, int, int]  # x, y, width, height in pixels


@dataclass(frozen=True, slots=True)
class FieldOfView(DocumentedFields):
    """A field of view with objects."""

    row_id: int
    """The row_id of its first object, which addresses the field."""
    name: str
    """The name of its file, with its time point and z-plane if any."""
    n_objects: int
    """Without excluded ones."""
    decisions: dict[str, int]
    """The number of objects of each corrected class, else of each predicted class or decision; empty: they are not
    predicted."""
    version: str
    """Changes with the file; give it as ?v= to cache tiles permanently."""


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


def list_fields(listed: ImageList[Any], paging: Paging) -> Page[FieldOfView]:
    """Return the fields of view of a list, in the order of their first objects; none if its images are no objects."""
    with read_transaction(listed.workspace.engine) as connection:
        gallery = listed.gallery(connection, Filters())
        of_field = (gallery.file, *_plane(gallery), gallery.decided)
        grouped = select(func.min(gallery.position).label("first"), _n_objects(gallery), *of_field)
        grouped = grouped.where(gallery.condition, _is_object(gallery)).group_by(*of_field).order_by("first")
        firsts_of: dict[tuple[Any, ...], int] = {}  # Any: file and plane
        decisions: dict[int, dict[str, int]] = {}  # by position of the first object
        for first, n, *field, decision in connection.execute(grouped):
            decisions.setdefault(firsts_of.setdefault(tuple(field), first), {})[decision or ""] = n
        shown = paging.of(list(decisions))
        is_first = gallery.condition & gallery.position.in_(among_integers(shown))
        query = select(gallery.position, gallery.row_id).where(is_first).order_by(gallery.position)
        firsts = connection.execute(query).all()
        items = listed.items(connection, [row_id for _, row_id in firsts])
    sources = listed.picture_sources([row_id for _, row_id in firsts])
    return Page(
        [
            FieldOfView(
                item.row_id,
                field_name(item.image_id, item.path),
                sum(decisions[position].values()),
                _decided(decisions[position]),
                source.version,
            )
            for (position, _), item, source in zip(firsts, items, sources, strict=True)
        ],
        len(decisions),
    )


def _decided(decisions: Mapping[str, int]) -> dict[str, int]:
    return {name: n for name, n in decisions.items() if name and n}


def field_of(listed: ImageList[Any], row_id: int) -> FieldOfView:
    """Return the field of view of an object.

    Raises:
        NotFound: the list has no such image, or it is no object of a field.
    """
    with read_transaction(listed.workspace.engine) as connection:
        query = _rows_in_field(connection, listed, row_id)
        first = connection.execute(query.limit(1)).scalar_one()
        gallery = listed.gallery(connection, Filters())
        decision = gallery.decided.label("decision")
        counted = query.with_only_columns(decision, _n_objects(gallery)).order_by(None).group_by(decision)
        decisions: dict[str, int] = {name or "": n for name, n in connection.execute(counted)}
        (item,) = listed.items(connection, [first])
    name, n_objects = field_name(item.image_id, item.path), sum(decisions.values())
    return FieldOfView(first, name, n_objects, _decided(decisions), listed.picture_source(first).version)


def field_labels(listed: ImageList[Any], row_id: int) -> ObjectLabels:
    """Return the labels and predictions of the objects of the field of an object; raises as `field_of`."""
    with read_transaction(listed.workspace.engine) as connection:
        return listed.labels_of(connection, _rows_in_field(connection, listed, row_id))


def field_outlines(listed: ImageList[Any], row_id: int) -> FieldOutlines:
    """Return the row_ids, boxes and outlines of the objects of the field of an object; raises as `field_of`."""
    source = _object(listed, row_id)
    with read_transaction(listed.workspace.engine) as connection:
        gallery = listed.gallery(connection, Filters())
        line = cast(gallery.row_id, String) + " " + cast(gallery.plan, String)
        lines = select(line.label("line")).where(_is_of_file(gallery, row_id), gallery.plan.is_not(None))
        ordered = lines.order_by(gallery.position).subquery()
        rows = connection.execute(select(func.aggregate_strings(ordered.c.line, "\n"))).scalar_one()
    return FieldOutlines(rows, tables_of(listed.workspace, listed.source_paths()), source.path, source.plan)


def _n_objects(gallery: FilteredImages) -> ColumnElement[int]:
    """Return the number of objects without excluded ones."""
    return func.count().filter(~gallery.only["excluded"])


def _plane(gallery: FilteredImages) -> tuple[ColumnElement[Any], ...]:  # Any: a number, or how planes are combined
    return tuple(func.coalesce(func.json_extract(gallery.plan, f"$.{name}"), 0) for name in ("series", "t", "z"))


def _is_object(gallery: FilteredImages) -> ColumnElement[bool]:
    return func.json_extract(gallery.plan, "$.region").is_not(None)


def _is_of_file(gallery: FilteredImages, row_id: int) -> ColumnElement[bool]:
    """Return the condition for the images in the file of an image, also for those of other planes."""
    file = select(gallery.file).where(gallery.condition, gallery.row_id == row_id).scalar_subquery()
    return gallery.condition & (gallery.file == file)


def _rows_in_field(connection: Connection, listed: ImageList[Any], row_id: int) -> Select[Any]:
    """Return a query for the row_ids of the objects of a field, in order; raises as `field_of`."""
    source = _object(listed, row_id)
    gallery, plan = listed.gallery(connection, Filters()), source.plan
    is_in_plane = tuple_(*_plane(gallery)) == tuple_(plan.series, plan.t, plan.z)
    condition = _is_of_file(gallery, row_id) & is_in_plane & _is_object(gallery)
    return select(gallery.row_id).where(condition).order_by(gallery.position)


def _object(listed: ImageList[Any], row_id: int) -> PictureSource:
    source = listed.picture_source(row_id)
    if source.plan.region is None:
        raise NotFound("no-object-of-field")
    return source


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
    of_box: dict[Rectangle, deque[int]] = defaultdict(deque)
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
