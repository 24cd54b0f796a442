"""Fields of view: list and describe them, match names of other files and tables to them, and collect their objects."""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from coverslip.datasets.index.opening import ImageSource, check_pattern, open_dataset, with_pattern_groups
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import one_line, some
from coverslip.datasets.text_tables import CellFault
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.events import Emit, Noted, progress_reporter
from coverslip.images.decoding import describe_image
from coverslip.images.formats import image_suffixes
from coverslip.images.reader import Series
from coverslip.messages import note
from coverslip.objects.outlines import Polygon
from coverslip.objects.table import COLUMNS, FINDER, SERIES, UNKNOWN, FieldImage, ObjectRows, Objects, ObjectsBuilder
from coverslip.table_cells import composed

_MOST_UNREADABLE = 5  # fields with a note of their own

# What programs append to the name of a field for the file of its objects, and what people put before it.
_ENDINGS = re.compile(
    r"(?:[ _.-]+(?:cp|sd|im|ilastik|stardist|cellpose|qupath|\d+classes)?[ _.-]?(?:masks?|labels?|labell?ed|segm?|"
    r"segmentations?|segmented|instances?|objects?|outlines?|rois?|roiset|annotations?|detections?|points?|nuclei|"
    r"cells|centroids?|polygons?|table|spots|predictions?))+$"
)
_SERIES = re.compile(r"[#_ .-]series[=_ -]?(\d+)", re.IGNORECASE)  # as exports name the files of a series
_NUMBER = re.compile(r"(?<![^\W_])[a-z]?\d+(?![^\W_])")  # a word that can distinguish images: 2, s2
_STARTS = re.compile(r"^(?:(?:masks?|labels?|objects?|points?|outlines?|rois?)[ _.-]+)+")
# Kinds of objects in QuPath. Those of a lower rank lie within those of a higher one.
REGION_RANKS = {"cell": 0, "detection": 0, "annotation": 1, "tile": 2, "tmacore": 3, "root": 4}
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
_MOST_PIXELS = 2**24  # farther away from the field than any object


def list_fields(
    sources: Dataset | ImageSource,
    *,
    group: str | None = None,
    group_pattern: str | None = None,
    pixel_size_um: float | None = None,
    emit: Emit,
) -> list[FieldImage]:
    r"""Return the fields of view in files, folders, globs or tables. Each series of a file is a field.

    A file that is named like another one, with an ending such as `_masks`, contains objects and is no field. A field
    that cannot be read is reported.

    Args:
        sources: as of `open_dataset` without labels.
        group: column of a table of fields with the group of each field.
        group_pattern: regular expression for the group of a field in its path, as of `open_dataset`. Its other named
            parts, such as `(?P<well>[A-H]\d+)`, become further columns of the field.
        pixel_size_um: the side of a pixel in µm, which replaces that of the files.
        emit: receives progress and notes.

    Raises:
        BadDataset: there are no fields, none can be read, or the pattern matches no path.
    """
    if isinstance(sources, Dataset):
        opened = sources
    elif group and group_pattern:
        raise BadDataset("column-and-pattern")
    else:
        opened = open_dataset(sources, labeled=False, distinct=True, group=group)
    if group_pattern:
        opened = with_pattern_groups(opened, opened.path_below_source, group_pattern)
        check_pattern([opened], opened.path_below_source, group_pattern)
    parts = _NamedParts(group_pattern)
    for each in opened.notes:
        emit(Noted.of(each))
    stems = {_stem(record.image_id) for record in opened.records}
    records = [
        r for r in opened.records if (plain := plain_stem(r.image_id)) == _stem(r.image_id) or plain not in stems
    ]
    if len(records) < len(opened.records):
        emit(Noted.of(note("object-files-no-fields", n_files=len(opened.records) - len(records))))
    fields: dict[tuple[Path, int | None], FieldImage] = {}
    n_unreadable = 0
    report = progress_reporter(emit, "describing-fields", "files")
    for done, record in enumerate(records, start=1):
        report(done, len(records))
        try:
            all_series = describe_image(record.path)
        except UnreadableImage as error:
            n_unreadable += 1
            if n_unreadable <= _MOST_UNREADABLE:
                name = one_line(record.image_id)
                emit(Noted.of(note("field-unreadable", level="warning", field=name, reason=error.advice)))
            continue
        name = opened.relative_path(record)
        about = (*_other_columns(record.about), *parts.of(opened.path_below_source(record)))
        for number, view in _fields_of_file(record, name, all_series, about, pixel_size_um):
            fields.setdefault((record.path, number), view)
    if n_unreadable > _MOST_UNREADABLE:
        emit(Noted.of(note("more-fields-unreadable", level="warning", n_fields=n_unreadable - _MOST_UNREADABLE)))
    if not fields:
        raise BadDataset("no-readable-field", file=opened.root, n_files=len(records))
    return list(fields.values())


def _fields_of_file(
    record: ImageRecord,
    name: str,
    all_series: Sequence[Series],
    about: tuple[tuple[str, str], ...],
    pixel_size_um: float | None,
) -> Iterator[tuple[int, FieldImage]]:
    """Yield number and field of each series of a file that the record names and that has a width and a height."""
    has_several = len(all_series) > 1
    for number in [record.plan.series] if "series" in record.stated else range(len(all_series)):
        if number >= len(all_series):
            continue
        series = all_series[number]
        try:
            width, height = series.sizes[0]
        except ValueError:
            continue
        yield (
            number,
            FieldImage(
                path=record.path,
                name=f"{name}{SERIES}{number}" if has_several else name,
                series=number if has_several else None,
                width=width,
                height=height,
                n_times=series.size("T"),
                n_z=series.n_z,
                channels=series.channels,
                pixel_size_um=(pixel_size_um, pixel_size_um) if pixel_size_um else series.pixel_size_at(0),
                is_pixel_size_stated=pixel_size_um is not None,
                group=record.group or "",
                about=about,
            ),
        )


class _NamedParts:
    """The parts that a pattern names, other than `group`, in the path of a field.

    Raises:
        BadDataset: a name is that of a column of tables of objects.
    """

    def __init__(self, pattern: str | None) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self._names = [name for name in self._pattern.groupindex if name != "group"] if self._pattern else []
        if reserved := [name for name in self._names if name in _RESERVED]:
            raise BadDataset("pattern-part-reserved", part=reserved[0])

    def of(self, path: str) -> tuple[tuple[str, str], ...]:
        """Return the name and the text of each part; an empty text if the pattern does not find it."""
        if self._pattern is None or not self._names:
            return ()
        match = self._pattern.search(path)
        return tuple((name, (match[name] or "") if match else "") for name in self._names)


_RESERVED = {*COLUMNS, FINDER, "pixel_size_um"}


def _other_columns(about: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, cell) for name, cell in about if name not in _RESERVED)


def _stem(name: str) -> str:
    """Return the last part of a name without suffixes of images, in the form in which names are compared."""
    base = PurePosixPath(name.replace("\\", "/")).name
    base = composed(base.casefold())
    while (suffix := PurePosixPath(base).suffix) and (suffix in _SUFFIXES or suffix in image_suffixes()):
        base = base.removesuffix(suffix)
    return base


_SUFFIXES = frozenset(
    {".ome", ".npy", ".csv", ".tsv", ".txt", ".json", ".geojson", ".zip", ".roi", ".tab", ".xml", ".gz", ".npz"}
)


def plain_stem(name: str) -> str:
    """Return the stem of a name without words such as `_masks` at its end or start."""
    stem = _stem(name)
    return _STARTS.sub("", _ENDINGS.sub("", stem)) or stem


@dataclass(slots=True)
class FieldNames:
    """Matches names of files and cells of tables to fields, and remembers which matched none or several."""

    fields: Sequence[FieldImage]
    unmatched: dict[str, None] = field(default_factory=dict)
    ambiguous: dict[str, None] = field(default_factory=dict)
    matched: dict[str, FieldImage] = field(default_factory=dict)
    _by_name: dict[str, list[FieldImage]] = field(default_factory=dict)
    _by_stem: dict[str, list[FieldImage]] = field(default_factory=dict)
    _matches: dict[str, list[FieldImage]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_stem, by_name = defaultdict(list), defaultdict(list)
        for each in self.fields:
            by_name[composed(each.name.casefold())].append(each)
            by_stem[_stem(each.name_of_file)].append(each)
        self._by_name, self._by_stem = dict(by_name), dict(by_stem)

    def match(self, name: str, series: int | None = None) -> FieldImage | None:
        """Return the field of a name: equal names first, then equal names without suffix, then without `_masks`.

        Args:
            name: of a file with objects of one field, or of an image in a table; with folders or without.
            series: of its file; None: unknown.
        """
        candidates = self._matches.get(name)
        if candidates is None:
            candidates = self._matches[name] = self._candidates(name)
        if series is None and any(each.series is not None for each in candidates):
            number = _SERIES.search(name)
            series = None if number is None else int(number[1])
        of_series = [each for each in candidates if series is None or (each.series or 0) == series]
        if len(of_series) == 1:
            self.matched.setdefault(name, of_series[0])
            return of_series[0]
        (self.ambiguous if of_series else self.unmatched)[name] = None
        return None

    def _candidates(self, name: str) -> list[FieldImage]:
        written = name.replace("\\", "/")
        whole = composed(written.casefold())
        if whole in self._by_name:
            same = self._by_name[whole]
            return [each for each in same if each.name == written] or same
        of_file = self._by_stem.get(_stem(name)) or self._by_stem.get(plain_stem(name)) or self._by_prefix(_stem(name))
        base = PurePosixPath(whole).name
        of_file = [each for each in of_file if composed(each.path.name.casefold()) == base] or of_file
        if len(of_file) < 2:
            return of_file
        n_common = [_n_common_folders(whole, each) for each in of_file]
        return [each for each, n in zip(of_file, n_common, strict=True) if n == max(n_common)]

    def _by_prefix(self, stem: str) -> list[FieldImage]:
        """Return the fields whose name is the longest beginning of another name that ends before words.

        A number after it, other than that of a series, would name another image: `sample_2` is not `sample`.
        """
        for match in reversed(list(re.finditer(r"[ _.#:-]+", stem))):
            prefix, words = stem[: match.start()], _SERIES.sub("", stem[match.start() :])
            if prefix in self._by_stem:
                return [] if _NUMBER.search(words) else self._by_stem[prefix]
        return []

    @property
    def problems(self) -> str:
        """The names that matched no field, or several, for a message; empty if there are none."""
        return some([*self.unmatched, *self.ambiguous])


def _n_common_folders(name: str, of: FieldImage) -> int:
    """Return how many of the last folders of a name and of a field are equal."""
    pairs = zip(reversed(PurePosixPath(name).parent.parts), reversed(of.path.parent.parts), strict=False)
    n = 0
    for folder, field_folder in pairs:
        if folder != composed(field_folder.casefold()):
            break
        n += 1
    return n


def rank_of_kind(kind: str) -> int | None:
    """Return the rank of a kind of objects in QuPath, such as `TMA core` or `PathAnnotationObject`; None: unknown."""
    return REGION_RANKS.get(re.sub(r"^path|object$|[ _]", "", kind.casefold()))


def by_field(pairs: Sequence[tuple[FieldImage, Path]]) -> Iterator[tuple[FieldImage, list[Path]]]:
    """Yield each field once, with its files in their order."""
    files: dict[FieldImage, list[Path]] = {}
    for each, file in pairs:
        files.setdefault(each, []).append(file)
    yield from files.items()


@dataclass(frozen=True, slots=True)
class PointSize:
    """The side of the square around a point."""

    px: float | None = None
    um: float | None = None

    def of(self, field_of_view: FieldImage, file: Path) -> int:
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


def no_pixel_size(file: Path, field_of_view: FieldImage) -> BadDataset:
    """Return the error for micrometers in a field whose pixel size is unknown."""
    return BadDataset("field-without-pixel-size", file=file, field=one_line(field_of_view.name))


def check_planes(of: FieldImage, t: int = UNKNOWN, z: int = UNKNOWN) -> None:
    """Check that a field with several time points or z-planes has these, which count from 0.

    Raises:
        CellFault: it has not.
    """
    for axis, at, n_planes in (("t", t, of.n_times), ("z", z, of.n_z)):
        if 1 < n_planes <= at:
            raise CellFault("plane-outside-field", axis=axis, at=at, n_planes=n_planes, field=one_line(of.name, 60))


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
        self._of_field: dict[FieldImage, ObjectRows] = {}
        self._file_of_field: dict[FieldImage, Path] = {}
        self.n_outside = self.n_ignored = self.n_regions = self.n = 0
        self.extent = 0.0  # the largest coordinate of an object since it was last set to 0
        self.other_names = dict[str, None]()  # of files whose objects were taken for the only field
        self.unused = dict[str, None]()  # names of what files state about objects, and what is not in the table
        self._n_smallest = 0
        self._regions = defaultdict[int, list[Callable[[], None]]](list)  # calls that add them, by rank

    def skip_properties(self, properties: Mapping[str, Any], used: Collection[str]) -> None:  # Any: JSON values
        """Keep the names of properties of an object that have a value and are not used, for a note."""
        for name, value in properties.items():
            if name not in used and (any(value.values()) if isinstance(value, dict) else value):
                self.unused[name] = None

    def add_ranked(self, rank: int | None, of: FieldImage, file: Path, **about: Any) -> None:  # Any: as of `add`
        """Add an object of a program whose files also contain regions.

        Args:
            rank: of `REGION_RANKS`; None: unknown.
            of, file, about: as of `add`.
        """
        if rank:
            self._regions[rank].append(partial(self.add, of, file, **about))
            return
        self._n_smallest += rank == 0
        self.add(of, file, **about)

    def add_regions(self) -> None:
        """Add the regions of the lowest rank as objects if there are no cells or detections; count the others."""
        if self._regions and not self._n_smallest:
            for add in self._regions.pop(min(self._regions)):
                add()
        self.n_regions = sum(map(len, self._regions.values()))

    def add(
        self,
        of: FieldImage,
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

        An object that lies entirely outside its field, or that is empty, is counted, but not added.

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
        polygons = [list(polygon) for polygon in polygons if polygon]
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
        if box is None:
            self.n_ignored += 1
            return
        self.extent = max(self.extent, *(point or box[2:]))
        is_inside = not of.width or (box[0] < of.width and box[1] < of.height and box[2] > 0 and box[3] > 0)
        if not is_inside or max(map(abs, box)) > _MOST_PIXELS:
            self.n_outside += 1
            return
        self.n += 1
        objects = self._of_field.setdefault(of, ObjectRows())
        self._file_of_field.setdefault(of, file)
        objects.outlines.add(polygons)
        objects.append(box, object_id=object_id or str(len(objects.object_id) + 1), label=label, t=t, z=z)

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
            objects.add_to(builder, each)
        return builder.finish()

    def _check_ids(self, of: FieldImage, objects: ObjectRows) -> None:
        planes = zip(objects.object_id, objects.t, objects.z, strict=True)
        keys = [(name, max(t, 0), max(z, 0)) for name, t, z in planes]  # as in `image_id`
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
