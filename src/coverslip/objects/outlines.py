"""Outlines of objects as polygons: from label images and text (WKT), to both, with areas and boxes.

Coordinates are in pixels of level 0. (0, 0) is the upper left corner of the first pixel, whose center is (0.5, 0.5).
The outline of a labeled object runs along the edges of its pixels, so that it covers exactly these pixels.
"""

import re
import warnings
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are in each docstring
Ring = Sequence[tuple[float, float]] | Array  # (n, 2), without the repeated first point
Polygon = Sequence[Ring]  # the outer ring, then the holes

_DIGITS = 2  # of coordinates in text
_CHUNK = 4096  # objects or rings
_MOST_PIXELS = 1e9  # of a coordinate


@dataclass(frozen=True, eq=False)
class Outlines:
    """The outlines of n objects in flat arrays, about 8 bytes per vertex.

    Outer rings have positive signed areas, holes negative ones, and holes follow their outer ring. An object without
    rings has no outline; a ring of a single vertex is a point.
    """

    xy: Array  # (n_vertices, 2) float32
    ring_start: Array  # (n_rings + 1,) int64: the first vertex of each ring
    object_start: Array  # (n + 1,) int64: the first ring of each object

    def __len__(self) -> int:
        return len(self.object_start) - 1

    def rings(self, position: int) -> list[Array]:
        """Return the rings of an object, (n, 2) each."""
        first, last = self.object_start[position : position + 2]
        starts = self.ring_start[first : last + 1]
        return [self.xy[start:end] for start, end in pairwise(starts)]

    def polygons(self, position: int) -> list[list[Array]]:
        """Return the polygons of an object: lists of an outer ring and its holes. A point has one ring of a vertex."""
        polygons: list[list[Array]] = []
        for ring in self.rings(position):
            if polygons and signed_area(ring) < 0:
                polygons[-1].append(ring)
            else:
                polygons.append([ring])
        return polygons

    def part(self, first: int, last: int) -> "Outlines":
        """Return the outlines of the objects from one position to another, without a copy of their vertices."""
        first_ring, last_ring = self.object_start[first], self.object_start[last]
        start, end = self.ring_start[first_ring], self.ring_start[last_ring]
        rings = self.ring_start[first_ring : last_ring + 1] - start
        return Outlines(self.xy[start:end], rings, self.object_start[first : last + 1] - first_ring)

    def areas(self) -> Array:
        """Return (n,) float64 areas in square pixels, without holes; NaN for points and objects without an outline."""
        of_rings = self._ring_areas()
        areas = np.add.reduceat(np.append(of_rings, 0.0), self.object_start[:-1]) if len(self) else np.empty(0)
        areas[np.diff(self.object_start) == 0] = 0
        areas[areas <= 0] = np.nan
        return areas

    def n_polygons(self) -> Array:
        """Return (n,) int64 numbers of polygons; 0 for points and objects without an outline."""
        is_outer = np.append(self._ring_areas() > 0, False).astype(np.int64)
        counts: Array = np.add.reduceat(is_outer, self.object_start[:-1]) if len(self) else np.empty(0, np.int64)
        counts[np.diff(self.object_start) == 0] = 0
        return counts

    def boxes(self) -> Array:
        """Return (n, 4) float64: left, top, right, bottom; NaN for objects without an outline."""
        boxes = np.full((len(self), 4), np.nan)
        starts = self.ring_start[self.object_start[:-1]]
        has_outline = np.diff(self.object_start) > 0
        if has_outline.any():
            boxes[has_outline, :2] = np.minimum.reduceat(self.xy, starts[has_outline])
            boxes[has_outline, 2:] = np.maximum.reduceat(self.xy, starts[has_outline])
        return boxes

    def take(self, positions: Array) -> "Outlines":
        """Return the outlines of the objects at these positions; -1: an object without an outline."""
        is_known = positions >= 0
        first, last = (np.where(is_known, self.object_start[positions + k], 0) for k in (0, 1))
        rings = _ranges(first, last - first)
        lengths = np.diff(self.ring_start)[rings]
        return Outlines(self.xy[_ranges(self.ring_start[rings], lengths)], _starts(lengths), _starts(last - first))

    def wkt(self) -> Iterator[str]:
        """Yield the outline of each object as well-known text; empty for objects without an outline."""
        for start in range(0, len(self), _CHUNK):
            end = min(start + _CHUNK, len(self))
            first_ring, last_ring = self.object_start[start], self.object_start[end]
            first, last = self.ring_start[first_ring], self.ring_start[last_ring]
            points = _point_texts(self.xy[first:last])
            starts = (self.ring_start[first_ring : last_ring + 1] - first).tolist()
            is_hole = (self._ring_areas(first_ring, last_ring) < 0).tolist()
            of_object = (self.object_start[start : end + 1] - first_ring).tolist()
            for k in range(end - start):
                rings = range(of_object[k], of_object[k + 1])
                yield _wkt([points[starts[r] : starts[r + 1]] for r in rings], [is_hole[r] for r in rings])

    def _ring_areas(self, first_ring: int = 0, last_ring: int | None = None) -> Array:
        """Return the signed areas of the rings from one to another."""
        end = len(self.ring_start) - 1 if last_ring is None else last_ring
        if end - first_ring > _CHUNK:
            starts = range(first_ring, end, _CHUNK)
            return np.concatenate([self._ring_areas(start, min(start + _CHUNK, end)) for start in starts])
        ring_start = self.ring_start[first_ring : end + 1]
        if len(ring_start) < 2:
            return np.empty(0)
        xy, ring_start = self.xy[ring_start[0] : ring_start[-1]], ring_start - ring_start[0]
        origin = np.repeat(xy[ring_start[:-1]].astype(np.float64), np.diff(ring_start), axis=0)
        x, y = (xy - origin).T  # relative to the ring, which keeps all digits
        following = np.arange(len(x)) + 1
        following[ring_start[1:] - 1] = ring_start[:-1]
        areas: Array = np.add.reduceat(x * y[following] - x[following] * y, ring_start[:-1]) / 2
        return areas


def _point_texts(xy: Array) -> list[str]:
    whole = xy.astype(np.int64)
    if np.array_equal(whole, xy):
        return [f"{x} {y}" for x, y in whole.tolist()]
    return [f"{_coordinate_text(x)} {_coordinate_text(y)}" for x, y in xy.tolist()]


def _wkt(rings: Sequence[list[str]], is_hole: Sequence[bool]) -> str:
    if not rings:
        return ""
    if len(rings[0]) == 1:
        return f"POINT ({rings[0][0]})"
    texts = [f"({', '.join(points)}, {points[0]})" for points in rings]
    if len(texts) == 1:
        return f"POLYGON ({texts[0]})"
    polygons: list[list[str]] = []
    for text, is_inner in zip(texts, is_hole, strict=True):
        if is_inner and polygons:
            polygons[-1].append(text)
        else:
            polygons.append([text])
    joined = [f"({', '.join(polygon)})" for polygon in polygons]
    return f"POLYGON {joined[0]}" if len(joined) == 1 else f"MULTIPOLYGON ({', '.join(joined)})"


def _coordinate_text(value: float) -> str:
    return f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")


def signed_area(ring: Array) -> float:
    """Return the area of a ring: positive if it runs clockwise in an image, whose y axis points down."""
    x, y = (ring - ring[0]).astype(np.float64).T
    return float(x @ np.roll(y, -1) - np.roll(x, -1) @ y) / 2


class OutlineBuilder:
    """Collects outlines, object by object, into the arrays of `Outlines`."""

    def __init__(self) -> None:
        self._xy, self._ring_lengths, self._n_rings = array("f"), array("q"), array("q")

    def add(self, polygons: Iterable[Polygon]) -> None:
        """Add an object. The first ring of a polygon is the outer one, in any direction."""
        rings = []
        for polygon in polygons:
            for k, ring in enumerate(polygon):
                points = np.asarray(ring, dtype=np.float32).reshape(-1, 2)
                is_turned = len(points) > 1 and (signed_area(points) < 0) == (k == 0)
                rings.append(points[::-1] if is_turned else points)
        self.add_rings(rings)

    def add_wkt(self, wkt: str) -> None:
        """Add an object by its outline as well-known text; empty: it has none.

        Raises:
            ValueError: the text is no POLYGON, MULTIPOLYGON or POINT.
        """
        if not wkt:
            self._n_rings.append(0)
            return
        if not (wkt.startswith("POLYGON ((") and wkt.count("(") == 2 and wkt.endswith("))")):
            self.add(polygons_of_wkt(wkt))
            return
        numbers = list(map(float, wkt[10:-2].replace(",", " ").split()))  # a single ring, as of most objects
        if numbers[:2] == numbers[-2:]:
            del numbers[-2:]
        if len(numbers) < 6 or len(numbers) % 2 or not max(map(abs, numbers)) < _MOST_PIXELS:
            raise ValueError(wkt[:40])
        points = (
            numbers
            if _is_clockwise(numbers)
            else [n for k in range(len(numbers) - 2, -1, -2) for n in numbers[k : k + 2]]
        )
        self._xy.extend(points)
        self._ring_lengths.append(len(points) // 2)
        self._n_rings.append(1)

    def add_rings(self, rings: Sequence[Array]) -> None:
        """Add an object by its rings, in the directions and the order of `Outlines`."""
        for ring in rings:
            self._xy.frombytes(np.ascontiguousarray(ring, dtype=np.float32).tobytes())
            self._ring_lengths.append(len(ring))
        self._n_rings.append(len(rings))

    def add_all(self, outlines: Outlines) -> None:
        """Add the objects of other outlines."""
        self._xy.frombytes(outlines.xy.astype(np.float32, copy=False).tobytes())
        self._ring_lengths.extend(np.diff(outlines.ring_start).tolist())
        self._n_rings.extend(np.diff(outlines.object_start).tolist())

    def finish(self) -> Outlines:
        """Return the outlines, which share the memory of this builder."""
        xy = np.frombuffer(self._xy, dtype=np.float32) if self._xy else np.empty(0, np.float32)
        return Outlines(xy.reshape(-1, 2), _starts(self._ring_lengths), _starts(self._n_rings))


def _is_clockwise(numbers: Sequence[float]) -> bool:
    """Return whether the ring x, y, x, y, ... has a positive area."""
    x, y = numbers[::2], numbers[1::2]
    return bool(sum(map(mul, x, [*y[1:], y[0]])) >= sum(map(mul, [*x[1:], x[0]], y)))


def joined(outlines: Sequence[Outlines]) -> Outlines:
    """Return the outlines of all objects, in order."""
    builder = OutlineBuilder()
    for each in outlines:
        builder.add_all(each)
    return builder.finish()


def outlines_of_wkt(texts: Sequence[str]) -> Outlines:
    """Return the outlines of objects as `Outlines.wkt` wrote them; empty texts: objects without an outline.

    All numbers are parsed together, which is ten times as fast as `OutlineBuilder.add_wkt`.

    Raises:
        ValueError: a text is no POLYGON, MULTIPOLYGON or POINT.
    """
    rings, n_rings = [], []
    for text in texts:
        of_object = [part[part.rfind("(") + 1 :] for part in text.split(")") if "(" in part]
        rings += of_object
        n_rings.append(len(of_object))
    lengths = np.array([ring.count(",") + 1 for ring in rings], np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # of text that is not a number
        try:
            xy = np.fromstring(" ".join(rings).replace(",", " "), np.float32, sep=" ").reshape(-1, 2)
        except DeprecationWarning as error:
            raise ValueError("numbers") from error
    if len(xy) != lengths.sum() or not np.all(np.abs(xy) < _MOST_PIXELS):
        raise ValueError("numbers")
    last = np.cumsum(lengths) - 1
    is_closed = (lengths > 1) & np.all(xy[last] == xy[last - lengths + 1], axis=1)  # the first vertex is repeated
    is_kept = np.ones(len(xy), bool)
    is_kept[last[is_closed]] = False
    return Outlines(xy[is_kept], _starts(lengths - is_closed), _starts(np.array(n_rings, np.int64)))


def _ranges(starts: Array, lengths: Array) -> Array:
    """Return the numbers from each start, as many as its length says, one range after another."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def _starts(lengths: Sequence[int] | Array) -> Array:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


_SPACES = re.compile(r"\s*([(),])\s*")


def polygons_of_wkt(wkt: str) -> list[list[list[tuple[float, float]]]]:
    """Return the polygons of a POLYGON, MULTIPOLYGON or POINT, closed rings without their last point.

    Raises:
        ValueError: the text is something else.
    """
    kind, parenthesis, body = _SPACES.sub(r"\1", wkt.strip()).partition("(")
    kind = kind.strip().upper()
    if not parenthesis or kind not in ("POINT", "POLYGON", "MULTIPOLYGON") or body.count("(") + 1 != body.count(")"):
        raise ValueError(wkt[:40])
    if kind == "POINT":
        return [[[_point(body.rstrip(")"))]]]
    polygons = []
    for polygon in body.strip("()").split(")),(("):
        rings = [[_point(point) for point in ring.split(",")] for ring in polygon.split("),(")]
        polygons.append(open_rings(rings))
        if len(polygons[-1]) < len(rings):
            raise ValueError(wkt[:40])
    return polygons


def open_rings(rings: Iterable[list[tuple[float, float]]]) -> list[list[tuple[float, float]]]:
    """Return the rings of at least three points, each without its last point if this is the first one."""
    opened = (ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring for ring in rings)
    return [ring for ring in opened if len(ring) > 2]


def _point(pair: str) -> tuple[float, float]:
    x, y = map(float, pair.split()[:2])
    if not (abs(x) < _MOST_PIXELS and abs(y) < _MOST_PIXELS):  # false for NaN
        raise ValueError(pair)
    return x, y


_RIGHT, _DOWN, _LEFT, _UP = range(4)


def trace_labels(labels: Array) -> tuple[Array, Outlines]:
    """Return the labels of an image and the outline of each, along the edges of its pixels.

    Pixels that only share a corner are separate polygons of the same object.

    Args:
        labels: (H, W) of any integer dtype; 0 is background. Values below 2**32.

    Returns:
        The (n,) labels in ascending order, and their n outlines.
    """
    height, width = labels.shape
    n_vertices = (height + 1) * (width + 1)
    key, direction = _edges(labels)
    order = np.argsort(key, kind="stable")
    key, direction = key[order], direction[order]
    del order
    of_parts, builder = [np.empty(0, np.int64)], OutlineBuilder()
    first = 0
    while first < len(key):
        label = key[min(first + _EDGES_AT_ONCE, len(key) - 1)] // n_vertices
        last = int(np.searchsorted(key, (label + 1) * n_vertices))
        traced, outlines = _traced(key[first:last], direction[first:last], n_vertices, width)
        of_parts.append(traced)
        builder.add_all(outlines)
        first = last
    return np.concatenate(of_parts), builder.finish()


_EDGES_AT_ONCE = 2**19  # about: all edges of an object are traced at once
_ROWS_AT_ONCE = 1024


def _traced(key: Array, direction: Array, n_vertices: int, width: int) -> tuple[Array, Outlines]:
    """Return the labels and the outlines of objects from all of their edges, which are sorted by label and vertex."""
    label, start = key // n_vertices, key % n_vertices
    step = np.array([1, width + 1, -1, -(width + 1)])
    following = _following(key, key + step[direction], direction)
    ring, distance = _ranks(following)
    before = np.empty_like(direction)
    before[following] = direction
    in_order = np.lexsort((-distance, ring))
    corners = in_order[direction[in_order] != before[in_order]]
    xy = np.stack([start[corners] % (width + 1), start[corners] // (width + 1)], axis=1).astype(np.float32)
    ring_start = np.concatenate([[0], np.flatnonzero(np.diff(ring[corners])) + 1, [len(corners)]])
    label_of_ring = label[corners[ring_start[:-1]]]
    object_start = np.concatenate([[0], np.flatnonzero(np.diff(label_of_ring)) + 1, [len(label_of_ring)]])
    outlines = Outlines(xy, ring_start.astype(np.int64), object_start.astype(np.int64))
    return label_of_ring[object_start[:-1]], _with_ordered_holes(outlines)


def _edges(labels: Array) -> tuple[Array, Array]:
    """Return every edge between two labels as its label and start vertex in one number, and its direction.

    The label of an edge is at its right.
    """
    height, width = labels.shape
    n_vertices = (height + 1) * (width + 1)
    of_kinds: list[list[tuple[Array, Array]]] = [[], [], [], []]  # in bands of rows, which limit the memory
    for top in range(0, height, _ROWS_AT_ONCE):
        bottom = min(top + _ROWS_AT_ONCE, height)
        band = np.zeros((bottom - top + 2, width + 2), labels.dtype)  # with the rows above and below
        above, below = max(top - 1, 0), min(bottom + 1, height)
        band[above - top + 1 : below - top + 1, 1:-1] = labels[above:below]
        end = None if bottom == height else -1  # the edges below the last row are those above the next one
        for k, (first, second, to_second, to_first) in enumerate(
            (
                (band[:-1, 1:-1][:end], band[1:, 1:-1][:end], (_RIGHT, 0), (_LEFT, 1)),  # above and below an edge
                (band[1:-1, :-1], band[1:-1, 1:], (_UP, width + 1), (_DOWN, 0)),  # left and right of an edge
            )
        ):
            row, column = np.nonzero(first != second)
            vertex = (row.astype(np.int64) + top) * (width + 1) + column
            for m, (values, (direction, offset)) in enumerate(((second, to_second), (first, to_first))):
                label = values[row, column].astype(np.int64)
                inside = label != 0
                key = label[inside] * n_vertices + vertex[inside] + offset
                of_kinds[2 * k + m].append((key, np.full(len(key), direction, np.int8)))
    parts = [(np.empty(0, np.int64), np.empty(0, np.int8)), *(part for parts in of_kinds for part in parts)]
    return np.concatenate([key for key, _ in parts]), np.concatenate([direction for _, direction in parts])


def _following(key: Array, end: Array, direction: Array) -> Array:
    """Return the edge after each edge. Where two edges of a label begin, the right turn stays at the same pixel."""
    following = np.searchsorted(key, end)
    second = np.minimum(following + 1, len(key) - 1)
    is_second = (key[second] == end) & (direction[following] != (direction + 1) % 4)
    return np.where(is_second, second, following)


def _ranks(following: Array) -> tuple[Array, Array]:
    """Return the first edge of each edge's ring, and a distance that decreases along the ring from its first edge."""
    index = np.arange(len(following))
    first, jump = index, following
    while True:
        earlier = np.minimum(first, first[jump])
        if np.array_equal(earlier, first):
            break
        first, jump = earlier, jump[jump]
    distance = (first != index).astype(np.int64)
    jump = np.where(first == index, index, following)
    while (distance[jump] > 0).any():
        distance, jump = distance + distance[jump], jump[jump]
    distance[first == index] = len(following)
    return first, distance


def _with_ordered_holes(outlines: Outlines) -> Outlines:
    """Return the outlines with each hole after the outer ring around it."""
    is_hole = outlines._ring_areas() < 0
    if not is_hole.any():
        return outlines
    starts = outlines.object_start[:-1]
    n_holes = np.add.reduceat(is_hole.astype(np.int64), starts)
    n_outer = np.diff(outlines.object_start) - n_holes
    mixed = set(np.flatnonzero((n_holes > 0) & (n_outer > 1)).tolist())
    if not mixed:
        return outlines
    builder = OutlineBuilder()
    for position in range(len(outlines)):
        rings = outlines.rings(position)
        builder.add_rings(_grouped_rings(rings) if position in mixed else rings)
    return builder.finish()


def _grouped_rings(rings: Sequence[Array]) -> list[Array]:
    outer = sorted((ring for ring in rings if signed_area(ring) > 0), key=signed_area)
    holes: list[list[Array]] = [[] for _ in outer]
    for hole in (ring for ring in rings if signed_area(ring) < 0):
        inside = hole[0] + 0.5  # the first vertex is the upper left corner of a pixel of the hole
        smallest = next((k for k, ring in enumerate(outer) if _contains(ring, inside)), 0)
        holes[smallest].append(hole)
    return [ring for k, each in enumerate(outer) for ring in (each, *holes[k])]


def _contains(ring: Array, point: Array) -> bool:
    following = np.roll(ring, -1, axis=0)
    crossed = (ring[:, 1] > point[1]) != (following[:, 1] > point[1])
    (x, y), (x_next, y_next) = ring[crossed].T, following[crossed].T
    return bool(np.count_nonzero(x + (point[1] - y) / (y_next - y) * (x_next - x) > point[0]) % 2)


def fill_outlines(outlines: Outlines, values: Array, shape: tuple[int, int]) -> Array:
    """Return a (H, W) image with the value of each object at the pixels whose centers are inside its outline.

    Where objects overlap, the last one is visible. Parts beyond the edge are cut off.

    Args:
        outlines: of n objects.
        values: (n,) integers, whose dtype the image has.
        shape: height and width in pixels.
    """
    image = np.zeros(shape, values.dtype)
    for first in range(0, len(outlines), _CHUNK):
        part = outlines.part(first, min(first + _CHUNK, len(outlines)))
        if len(part.xy):
            _fill(image, part, values[first : first + _CHUNK])
    return image


def _fill(image: Array, outlines: Outlines, values: Array) -> None:
    """Write the value of each object to its pixels; the objects have a vertex or more."""
    height, width = image.shape
    n_vertices = len(outlines.xy)
    following = np.arange(n_vertices) + 1
    following[outlines.ring_start[1:] - 1] = outlines.ring_start[:-1]
    x, y = outlines.xy.astype(np.float64).T
    x_next, y_next = x[following], y[following]
    of_ring = np.repeat(np.arange(len(outlines)), np.diff(outlines.object_start))
    owner = np.repeat(of_ring, np.diff(outlines.ring_start))
    first = np.clip(np.ceil(np.minimum(y, y_next) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y, y_next) - 0.5), 0, height).astype(np.int64)
    edge = np.repeat(np.arange(n_vertices), last - first)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(last - first) - (last - first), last - first) + first[edge]
    crossing = x[edge] + (row + 0.5 - y[edge]) * ((x_next - x)[edge] / (y_next - y)[edge])
    order = np.lexsort((crossing, row, owner[edge]))
    left, right = (np.clip(np.ceil(crossing[order][k::2] - 0.5), 0, width).astype(np.int64) for k in (0, 1))
    row, owner = row[order][::2], owner[edge][order][::2]
    length = right - left
    start = np.repeat(row * width + left - (np.cumsum(length) - length), length)
    image.reshape(-1)[start + np.arange(len(start))] = np.repeat(values[owner], length)


def nested_rings(rings: Sequence[Ring]) -> list[list[Ring]]:
    """Return rings in any order and direction as polygons: a ring inside an odd number of others is a hole."""
    if len(rings) == 1:
        return [[rings[0]]]
    arrays = [np.asarray(ring, dtype=np.float64) for ring in rings]
    around = [
        [k for k, other in enumerate(arrays) if k != number and _contains(other, _inner_point(ring))]
        for number, ring in enumerate(arrays)
    ]
    holes: dict[int, list[Ring]] = {k: [] for k, outer in enumerate(around) if len(outer) % 2 == 0}
    for number, containers in enumerate(around):
        if len(containers) % 2:
            smallest = min(
                (k for k in containers if k in holes), key=lambda k: abs(signed_area(arrays[k])), default=None
            )
            if smallest is not None:
                holes[smallest].append(rings[number])
    return [[rings[k], *inner] for k, inner in holes.items()]


def _inner_point(ring: Array) -> Array:
    """Return a point just inside a ring, near the middle of its longest edge."""
    following = np.roll(ring, -1, axis=0)
    longest = int(np.hypot(*(following - ring).T).argmax())
    edge = following[longest] - ring[longest]
    inward = np.array([-edge[1], edge[0]]) * (1 if signed_area(ring) > 0 else -1)
    point: Array = (ring[longest] + following[longest]) / 2 + 1e-3 * inward
    return point
