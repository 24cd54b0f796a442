"""Objects of other programs, collected field by field while their files are read."""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coverslip.datasets import one_line, some
from coverslip.errors import BadDataset
from coverslip.objects.fields import FieldNames
from coverslip.objects.outlines import OutlineBuilder, Polygon
from coverslip.objects.table import UNKNOWN, FieldOfView, Objects, ObjectsBuilder

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
_MOST_PIXELS = 2**24  # farther away from the field than any object


@dataclass(frozen=True, slots=True)
class PointSize:
    """The side of the square around a point."""

    px: float | None = None
    um: float | None = None

    def of(self, field_of_view: FieldOfView, file: Path) -> int:
        """Return the side in whole pixels.

        Raises:
            BadDataset: no size is stated, or the pixel size of the field is unknown.
        """
        if self.px is not None:
            return max(1, round(self.px))
        if self.um is None:
            raise BadDataset("points-without-size", file=file)
        if field_of_view.pixel_size_um is None:
            raise no_pixel_size(file, field_of_view)
        return max(1, round(self.um / math.sqrt(math.prod(field_of_view.pixel_size_um))))


def no_pixel_size(file: Path, field_of_view: FieldOfView) -> BadDataset:
    """Return the error for micrometers in a field whose pixel size is unknown."""
    return BadDataset("field-without-pixel-size", file=file, field=one_line(field_of_view.name))


@dataclass(slots=True)
class _OfField:
    outlines: OutlineBuilder = field(default_factory=OutlineBuilder)
    boxes: "array[float]" = field(default_factory=lambda: array("d"))
    t: "array[int]" = field(default_factory=lambda: array("i"))
    z: "array[int]" = field(default_factory=lambda: array("i"))
    object_id: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


class FieldObjects:
    """The objects of fields, in the order of the files.

    Args:
        names: of the fields.
        size: of the square around points.
        are_points: whether only the centers of objects are used.
    """

    def __init__(self, names: FieldNames, size: PointSize, *, are_points: bool) -> None:
        self.names = names
        self._size, self._are_points = size, are_points
        self._of_field: dict[FieldOfView, _OfField] = {}
        self._file_of_field: dict[FieldOfView, Path] = {}
        self.n_outside = self.n_ignored = self.n = 0

    def add(
        self,
        of: FieldOfView,
        file: Path,
        *,
        polygons: Iterable[Polygon] = (),
        box: Box | None = None,
        point: tuple[float, float] | None = None,
        diameter: float | None = None,
        object_id: str = "",
        label: str = "",
        t: int = UNKNOWN,
        z: int = UNKNOWN,
    ) -> None:
        """Add an object by its polygons, its box or its center, in pixels of level 0.

        An object that lies entirely outside its field is counted, but not added.

        Args:
            of: its field.
            file: its source.
            polygons: as of `OutlineBuilder.add`.
            box: of the object; None: that of the polygons.
            point: its center, if there are neither polygons nor a box.
            diameter: of the object around the point in pixels, if no size is stated; None: unknown.
            object_id: within the field; empty: the number of the object, from 1.
            label: its class; empty: unknown.
            t, z: time point and z-plane.

        Raises:
            BadDataset: a point has no size.
        """
        polygons = [list(polygon) for polygon in polygons]
        xy = np.array([vertex for polygon in polygons for vertex in polygon[0]], dtype=np.float64).reshape(-1, 2)
        if box is None and len(xy):
            box = (*xy.min(axis=0).tolist(), *xy.max(axis=0).tolist())
        if point is None and box is not None and self._are_points:
            point = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        if point is not None and (box is None or self._are_points):
            has_size = self._size.px is not None or self._size.um is not None
            side = max(1, round(diameter)) if diameter and not has_size else self._size.of(of, file)
            left, top = (math.floor(center + 0.5) - side // 2 for center in point)  # as for tables of points
            box, polygons = (left, top, left + side, top + side), [[[point]]]
        assert box is not None
        is_inside = not of.width or (box[0] < of.width and box[1] < of.height and box[2] > 0 and box[3] > 0)
        if not is_inside or max(map(abs, box)) > _MOST_PIXELS:
            self.n_outside += 1
            return
        self.n += 1
        objects = self._of_field.setdefault(of, _OfField())
        self._file_of_field.setdefault(of, file)
        objects.outlines.add(polygons)
        objects.boxes.extend(box)
        objects.t.append(t)
        objects.z.append(z)
        objects.object_id.append(object_id or str(len(objects.object_id) + 1))
        objects.labels.append(label)

    def finish(self) -> Objects:
        """Return the objects.

        Raises:
            BadDataset: two objects of a field have the same identity.
        """
        builder = ObjectsBuilder()
        for each in self.names.fields:
            if each not in self._of_field:
                continue
            objects = self._of_field.pop(each)
            self._check_ids(each, objects)
            builder.add(
                each,
                objects.outlines.finish(),
                object_id=objects.object_id,
                boxes=np.frombuffer(objects.boxes, np.float64).reshape(-1, 4),
                t=np.frombuffer(objects.t, np.int32).tolist(),
                z=np.frombuffer(objects.z, np.int32).tolist(),
                labels=objects.labels,
            )
        return builder.finish()

    def _check_ids(self, of: FieldOfView, objects: _OfField) -> None:
        keys = list(zip(objects.object_id, objects.t, objects.z, strict=True))
        if len(set(keys)) == len(keys):
            return
        seen, repeated = set[tuple[str, int, int]](), dict[str, None]()
        for key in keys:
            if key in seen:
                repeated[key[0]] = None
            seen.add(key)
        raise BadDataset(
            "repeated-object-ids",
            file=self._file_of_field[of],
            n_ids=len(repeated),
            ids=some(repeated),
            field=one_line(of.name),
        )
