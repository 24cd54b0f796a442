"""Objects of fields that a user draws, merges or splits.

The table of objects, which is in the workspace, gets rows for the new objects in place of those of the objects that
they replace. An undo exchanges them again, by the log of changes.
"""

import csv
import json
import math
from collections.abc import Collection, Sequence
from itertools import repeat
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import literal, select

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, CoverslipError
from coverslip.events import ignore
from coverslip.files import write_csv
from coverslip.images.decoding import describe_image
from coverslip.objects.measuring import with_measurements
from coverslip.objects.outlines import OutlineBuilder, Outlines, fill_outlines, trace_labels
from coverslip.objects.table import (
    FINDER,
    UNKNOWN,
    FieldImage,
    ObjectsBuilder,
    is_measurement,
    measurement_cell,
)
from coverslip.workspace.correcting.corrections import exclude_rows
from coverslip.workspace.datasets.image_rows import DRAWN
from coverslip.workspace.datasets.labels import label_rows
from coverslip.workspace.datasets.selection import ImageSelection, selecting
from coverslip.workspace.datasets.sources import refresh_dataset
from coverslip.workspace.datasets.state import change_images
from coverslip.workspace.store.change_log import ChangedField, add_change, log_rows
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import among, among_integers, dataset_row, refuse_unready, source_paths
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.fields import outlines_of
from coverslip.workspace.viewing.images import DatasetImages, RowId

Array = np.ndarray[Any, np.dtype[Any]]  # Any: as each docstring says
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
_ENDS = 0.2  # of the length of an object, in which it is not split
_MOST_PIXELS = 4_000_000  # of an object


class ObjectEdit(DocumentedFields, BaseModel):
    """What to do with objects of one field."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    act: Literal["merge", "split", "draw"]
    """merge: one object in place of several, with their label if it is the same; split: two at the narrowest place of
    one; draw: another object."""
    rows: Annotated[list[RowId], Field(min_length=1, max_length=1_000)]
    """The row_ids of the objects. With `draw`, that of any object of the field."""
    outline: Annotated[list[Point], Field(max_length=10_000)] = []
    """With `draw`: the vertices of the outline, x and y in pixels of the field."""

    @model_validator(mode="after")
    def _check_numbers(self) -> "ObjectEdit":
        if (len(self.rows) > 1) != (self.act == "merge") or (len(self.outline) > 2) != (self.act == "draw"):
            raise ValueError("merge needs several rows, split and draw need one; draw needs an outline")
        return self


def edit_objects(workspace: Workspace, dataset_id: str, edit: ObjectEdit) -> tuple[int, int]:
    """Draw, merge or split objects; return the ID of the change, and the number of new objects.

    Raises:
        NotFound: there is no such dataset or object.
        Conflict: the images are being read, or are not of a table of objects that the app wrote.
        CoverslipError: the objects are of several fields, or an outline is too small, too large or outside the field.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unready(connection, dataset_id)
    table = Path(source_paths(row)[0])
    if len(row.sources) > 1 or workspace.objects not in table.parents:
        raise Conflict("objects-not-of-app")
    sources = DatasetImages(workspace, dataset_id).picture_sources(edit.rows)
    planes = {(each.path, each.plan.series, each.plan.t, each.plan.z) for each in sources}
    if len(planes) > 1 or any(each.plan.region is None for each in sources):
        raise CoverslipError("edit-of-several-fields")
    boxes = np.array([each.plan.region for each in sources], np.int64)
    path, series = sources[0].path, sources[0].plan.series
    described = describe_image(path)[series]
    (width, height) = size = described.sizes[0]
    field = FieldImage(path, path.name, series, width, height, described.size("T"), described.n_z)
    if edit.act == "draw":
        builder = OutlineBuilder()
        builder.add([[[(x, y) for x, y in edit.outline]]])
        outlines = builder.finish()
    else:
        outlines = _with_boxes(outlines_of([table], sources[0].path, sources[0].plan, boxes), boxes)
    labels, (left, top) = _edited(edit.act, outlines, size)
    _, traced = trace_labels(labels)
    shifted = Outlines(traced.xy + np.array([left, top], np.float32), traced.ring_start, traced.object_start)
    with selecting(workspace, dataset_id, ImageSelection(rows=edit.rows)) as (connection, row, row_ids):
        columns = (images.c.row_id, images.c.image_id, images.c.label)
        edited = connection.execute(select(*columns).where(images.c.row_id.in_(edit.rows))).all()
        labels_of = {each.label for each in edited}
        of_dataset = (images.c.dataset_id == dataset_id) | (images.c.missing_from == dataset_id)
        drawn = connection.execute(select(images.c.image_id).where(of_dataset, images.c.image_id.contains(DRAWN)))
        objects = _new_objects(table, edited[0].image_id, shifted, field, used=set(drawn.scalars()))
        change = add_change(connection, dataset_id)
        replaced = {} if edit.act == "draw" else {each.image_id: each.row_id for each in edited}
        if replaced:
            exclude_rows(connection, row, row_ids, change, is_excluded=True)  # so that they are not missing images
    texts: list[tuple[int, str | None, str | None]] = [
        (replaced[each["image_id"]], json.dumps(each), None)
        for each in _read_table(table)[1]
        if each["image_id"] in replaced
    ]
    replace_objects(workspace, dataset_id, added=objects, removed=replaced)
    with write_transaction(workspace.engine) as connection:
        by_id = {each["image_id"]: each for each in objects}
        is_new = (images.c.dataset_id == dataset_id) & images.c.image_id.in_(among(by_id))
        new = connection.execute(select(images.c.row_id, images.c.image_id).where(is_new)).all()
        added = [row.row_id for row in new]
        change_images(connection, dataset_id, among_integers(added), is_excluded=literal(value=False))
        log_rows(connection, change, ChangedField.EXCLUSION, [(row_id, "1", "0") for row_id in added])
        texts += [(row.row_id, None, json.dumps(by_id[row.image_id])) for row in new]
        log_rows(connection, change, ChangedField.OBJECT, texts)
        if edit.act == "merge" and len(labels_of) == 1:
            label_rows(connection, dataset_row(connection, dataset_id), added, labels_of.pop(), change)
    return change, len(objects)


def replace_objects(
    workspace: Workspace,
    dataset_id: str,
    *,
    added: Sequence[dict[str, str]] = (),
    removed: Collection[str] = (),
) -> None:
    """Add rows to the table of objects of a dataset and remove others, and read the dataset again.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        added: rows, which replace those of the same image_id.
        removed: the image_ids of rows.

    Raises:
        Conflict: no source of the dataset is a table of objects that the app wrote.
        CoverslipError: the dataset cannot be read with these objects; nothing is changed.
    """
    with write_transaction(workspace.engine) as connection:
        sources = map(Path, source_paths(dataset_row(connection, dataset_id)))
        table = next((path for path in sources if workspace.objects in path.parents), None)
        if table is None:
            raise Conflict("objects-not-of-app")
        before = workspace.owned(table).read_bytes()
        columns, rows = _read_table(table)
        replaced = {*removed, *(row["image_id"] for row in added)}
        rows = [*(row for row in rows if row["image_id"] not in replaced), *added]
        write_csv(table, columns, ([row[name] for name in columns] for row in rows))
    try:
        refresh_dataset(workspace, dataset_id)
    except CoverslipError:
        table.write_bytes(before)
        raise


def _read_table(table: Path) -> tuple[list[str], list[dict[str, str]]]:
    with table.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        return list(reader.fieldnames or ()), list(reader)


def _with_boxes(outlines: Outlines, boxes: Array) -> Outlines:
    """Return outlines, and rectangles for objects without one."""
    builder = OutlineBuilder()
    for k, (x, y, width, height) in enumerate(boxes.tolist()):
        polygons = outlines.polygons(k)
        has_area = polygons and len(polygons[0][0]) > 2
        rectangle = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        builder.add(polygons if has_area else [[rectangle]])
    return builder.finish()


def _edited(act: str, outlines: Outlines, size: tuple[int, int]) -> tuple[Array, tuple[int, int]]:
    """Return the labels of the new objects, and the position of this image in the field.

    Raises:
        CoverslipError: there is no pixel inside the outlines, or there are too many.
    """
    extent = outlines.boxes()
    left, top = (max(0, math.floor(value)) for value in extent[:, :2].min(axis=0))
    right, bottom = (min(most, math.ceil(value)) for value, most in zip(extent[:, 2:].max(axis=0), size, strict=True))
    if not 0 < (right - left) * (bottom - top) <= _MOST_PIXELS or right <= left:
        raise CoverslipError("outline-not-usable")
    moved = Outlines(outlines.xy - np.array([left, top], np.float32), outlines.ring_start, outlines.object_start)
    mask = fill_outlines(moved, np.ones(len(outlines), np.uint8), (bottom - top, right - left))
    if not mask.any():
        raise CoverslipError("outline-not-usable")
    return (_halves(mask) if act == "split" else mask), (left, top)


def _halves(mask: Array) -> Array:
    """Return the labels 1 and 2 of the parts of an object on the two sides of its narrowest place."""
    points = np.argwhere(mask)
    centered = points - points.mean(axis=0)
    along = centered @ np.linalg.svd(centered, full_matrices=False)[2][0]  # the longest direction
    position = np.round(along - along.min()).astype(np.int64)
    widths = np.bincount(position)
    first, last = (round(share * len(widths)) for share in (_ENDS, 1 - _ENDS))
    inner = np.arange(first, max(last, first + 1))
    cut = min(inner.tolist(), key=lambda k: (widths[k], abs(k - len(widths) / 2)))
    labels = mask.copy()
    labels[tuple(points.T)] = np.where(position > cut, 2, 1)
    return labels


def _new_objects(
    table: Path, image_id: str, outlines: Outlines, field: FieldImage, used: Collection[str]
) -> list[dict[str, str]]:
    """Return rows of the table for new objects in the field of an object. If others are measured, they are.

    Objects that an undo removed keep their image_id, which is in `used`.
    """
    columns, rows = _read_table(table)
    like = next(row for row in rows if row["image_id"] == image_id)
    prefix, used = like["image_id"].rpartition("#")[0], {*used, *(row["image_id"] for row in rows)}
    area_of_pixel = _area_of_pixel(like)
    measurements = _measurements(like, outlines, field) if any(map(is_measurement, columns)) else repeat({})
    new: list[dict[str, str]] = []
    number = 0
    boxes = outlines.boxes().tolist()
    for wkt, (x0, y0, x1, y1), area, measured in zip(
        outlines.wkt(), boxes, outlines.areas(), measurements, strict=False
    ):
        while f"{prefix}{DRAWN}{number}" in used or not number:
            number += 1
        used.add(f"{prefix}{DRAWN}{number}")
        is_at_edge = min(x0, y0) <= 0 or x1 >= field.width or y1 >= field.height
        box = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
        changes = {name: str(round(value)) for name, value in box.items()}
        changes |= {"image_id": f"{prefix}{DRAWN}{number}", "object_id": f"drawn{number}", "outline": wkt, "label": ""}
        changes |= {"at_edge": str(int(is_at_edge)), FINDER: ""}
        changes["area_um2"] = "" if area_of_pixel is None else f"{area * area_of_pixel:.6g}"
        changes |= {name: "" for name in columns if is_measurement(name)} | measured
        new.append(like | {name: cell for name, cell in changes.items() if name in columns})
    return new


def _measurements(like: dict[str, str], outlines: Outlines, field: FieldImage) -> list[dict[str, str]]:
    """Return the cells with measurements of new objects, which are in the plane of an object of the table."""
    t, z = (int(like[axis]) if like.get(axis) else UNKNOWN for axis in "tz")
    builder = ObjectsBuilder()
    builder.add(field, outlines, object_id=[str(k) for k in range(len(outlines))], t=t, z=z)
    objects = with_measurements(builder.finish(), ignore)
    return [
        {name: measurement_cell(value) for name, value in objects.measurements(k).items()} for k in range(len(objects))
    ]


def _area_of_pixel(row: dict[str, str]) -> float | None:
    """Return the area of a pixel in µm² by the area of an object; None if it is unknown."""
    if not row.get("area_um2") or not row.get("outline"):
        return None
    builder = OutlineBuilder()
    builder.add_wkt(row["outline"])
    (area,) = builder.finish().areas().tolist()
    return float(row["area_um2"]) / area if area else None
